"""Parts of boxes that a curved predicate selects, as exact areas and volumes instead of masks."""

from __future__ import annotations

import sympy as sp

from .bodies import BoxBody
from .patch import ShapePiece
from .piece import BoxPiece, Piece
from .planar import AreaPatch
from .solids import VolumePatch


def sharpened(piece: Piece, dimension: int) -> tuple[Piece, ...]:
    """Return a masked box of the interior as the shape that its predicate selects, where lines and ellipses bound it.

    Args:
        piece: any; all others are returned as they are.
        dimension: the number of spatial coordinates, which come first.
    """
    if not isinstance(piece, BoxPiece) or piece.predicate == sp.true or piece.normal is not None:
        return (piece,)
    spatial, symbols, lower, upper = piece.separated(dimension)
    if dimension not in (2, 3) or spatial.dimension != dimension:
        return (piece,)
    body = BoxBody(spatial.lower, spatial.upper)
    patch = AreaPatch(body) if dimension == 2 else VolumePatch(body)
    whole = ShapePiece(spatial.coordinates, patch).extruded(symbols, lower, upper)
    parts = whole.cut(piece.predicate)
    return parts if all(part.predicate == sp.true for part in parts) else (piece,)
