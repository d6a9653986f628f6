"""The pieces of a body: its interior and its boundary, and what a component's boundary leaves on it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import sympy as sp

from .bodies import INTERSECTION, Body, BoxBody, Composed, length_scale
from .closure import TOLERANCE
from .curves import Curve, Segment
from .faces import along_face, faces
from .implicit import implicit_of
from .outline import bounds as outline_bounds
from .outline import outline, overlap
from .patch import ShapePiece
from .piece import BoxPiece, Piece
from .planar import AreaPatch, CurvePatch
from .rectilinear import boundary_boxes, interior_boxes, is_rectilinear, rectilinear_bounds
from .slices import space_bounds
from .solids import VolumePatch

Space = tuple[sp.Symbol, ...]


def interior_pieces(space: Space, body: Body) -> tuple[Piece, ...]:
    """Return the body as boxes if it is made of boxes, else as one piece."""
    if is_rectilinear(body):
        return interior_boxes(space, body)
    if len(space) == 3:
        return (ShapePiece(space, VolumePatch(body)),)
    return (ShapePiece(space, AreaPatch(body)),)


@lru_cache(maxsize=256)
def boundary_pieces(space: Space, body: Body) -> tuple[Piece, ...]:
    """Return the boundary with outward normals."""
    if len(space) == 2:
        curves = outline(body)
        box = outline_bounds(curves)
        return tuple(piece_of_curve(space, c, implicit_of(c, curves, space, box)) for c in curves)
    return boundary_boxes(space, body) if is_rectilinear(body) else faces(space, body)


def body_bounds(space: Space, body: Body) -> np.ndarray:
    """Return the smallest box around a body, (d, 2); of no rows where it is empty."""
    if len(space) == 2:
        curves = outline(body)
        return outline_bounds(curves) if curves else np.zeros((0, 2))
    return rectilinear_bounds(body) if is_rectilinear(body) else space_bounds(body)


def piece_of_curve(space: Space, curve: Curve, implicit: sp.Expr | None = None) -> Piece:
    """Return a curve as a piece: a side of a box where it is one."""
    if isinstance(curve, Segment):
        (a, b), (c, d) = sorted([curve.start, curve.end])
        if a == c or b == d:
            normal = CurvePatch(curve).normal
            flat = tuple(float(round(v)) + 0.0 for v in normal)
            return BoxPiece(space, (a, min(b, d)), (c, max(b, d)), flat, implicit=implicit)
    return ShapePiece(space, CurvePatch(curve), implicit=implicit)


def curve_of_piece(piece: Piece) -> Curve | None:
    """Return the curve of a piece of a boundary in the plane, the body on its left."""
    if isinstance(piece, ShapePiece) and isinstance(piece.patch, CurvePatch):
        return piece.patch.curve
    if not isinstance(piece, BoxPiece) or len(piece.lower) != 2 or piece.dimension != 1 or not piece.normal:
        return None
    (a, b), (c, d), (nx, ny) = piece.lower, piece.upper, piece.normal
    forward = nx - ny > 0
    return Segment((a, b), (c, d)) if forward else Segment((c, d), (a, b))


def body_of_piece(piece: Piece) -> Body | None:
    """Return the body of a piece of the interior."""
    if isinstance(piece, ShapePiece):
        return getattr(piece.patch, "body", None)
    return BoxBody(piece.lower, piece.upper) if piece.normal is None else None


def adopted(space: Space, body: Body, piece: Piece) -> list[Piece]:
    """Return what a piece of a component leaves on the composed body: within it, or on its boundary."""
    if piece.dimension == len(space):
        inner = body_of_piece(piece)
        common = None if inner is None else Composed(INTERSECTION, (body, inner))
        return list(interior_pieces(space, common)) if common and len(body_bounds(space, common)) else []
    return [part for own in boundary_pieces(space, body) for part in _along(space, own, piece, length_scale(body))]


def _along(space: Space, own: Piece, piece: Piece, scale: float) -> Sequence[Piece]:
    """The parts of a piece of the boundary that run along a piece of a component."""
    if own.dimension == 0:
        return [own] if np.allclose(own.lower, piece.lower, rtol=0, atol=TOLERANCE * scale) else []
    mine, theirs = curve_of_piece(own), curve_of_piece(piece)
    if mine is not None and theirs is not None:
        parts = overlap(mine, theirs, TOLERANCE * scale)
        whole = sum(p.length for p in parts) >= mine.length * (1 - 1e-9)
        return [own] if whole else [piece_of_curve(space, part) for part in parts]
    return along_face(space, own, piece) if len(space) == 3 else []
