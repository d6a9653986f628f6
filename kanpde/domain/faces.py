"""The faces of a body of space: in the planes of flat faces of its primitives, on their spheres and cylinders."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy as sp

from .bodies import DIFFERENCE, BallBody, Body, BoxBody, CylinderBody, leaves, length_scale
from .curves import Segment
from .outline import area, outline
from .patch import ShapePiece
from .piece import BoxPiece, Piece, halton
from .slices import across, combined, plane_bounds, slice_of, space_bounds, union_of
from .solids import FlatPatch, RoundPatch

Space = tuple[sp.Symbol, ...]
N_SAMPLES = 4096


def faces(space: Space, body: Body) -> tuple[Piece, ...]:
    """Return the faces with outward normals: planes first, then round ones."""
    planes = sorted({plane for leaf in leaves(body) for plane in _planes(leaf)})
    flat = [face for axis, value in planes for face in flat_faces(space, body, axis, value)]
    return (*flat, *(piece for carrier in _carriers(body) for piece in _round(space, body, carrier)))


def _planes(leaf: Body) -> list[tuple[int, float]]:
    axes = range(3) if isinstance(leaf, BoxBody) else [leaf.axis] if isinstance(leaf, CylinderBody) else []
    return [(axis, float(v)) for axis in axes for v in leaf.bounds[axis]]


def flat_faces(space: Space, body: Body, axis: int, value: float) -> Iterator[Piece]:
    """Yield the faces in one plane: what is filled on one side of it and empty on the other."""
    below, above = (slice_of(body, axis, value, side) for side in (-1, 1))
    touched = union_of(below, above)
    for sign, inner, outer in ((-1.0, above, below), (1.0, below, above)):
        plane = combined(DIFFERENCE, [inner, outer]) if inner is not None else None
        if plane is not None and touched is not None:
            alone = area(outline(plane)) >= (1 - 1e-12) * area(outline(touched))
            box = space_bounds(body)[axis]
            implicit = sp.Float(sign) * (value - space[axis]) / float(np.ptp(box)) if alone else None
            yield flat_piece(space, FlatPatch(axis, value, sign, plane), implicit)


def flat_piece(space: Space, patch: FlatPatch, implicit: sp.Expr | None = None) -> Piece:
    """Return a flat face as a piece: a side of a box where it is a rectangle along the axes."""
    curves = outline(patch.plane)
    box = plane_bounds(patch.plane)
    straight = len(curves) == 4 and all(isinstance(c, Segment) for c in curves)
    if straight and area(curves) >= (1 - 1e-12) * float(np.prod(np.ptp(box, axis=1))):
        lower, upper = (tuple(np.insert(ends, patch.axis, patch.value).tolist()) for ends in box.T)
        return BoxPiece(space, lower, upper, patch.normal, implicit=implicit)
    return ShapePiece(space, patch, implicit=implicit)


def flat_patch(piece: Piece) -> FlatPatch | None:
    """Return a flat face of space as a patch."""
    if isinstance(piece, ShapePiece):
        return piece.patch if isinstance(piece.patch, FlatPatch) else None
    if not piece.normal or len(piece.lower) != 3 or piece.dimension != 2:
        return None
    axis = int(np.argmax(np.abs(piece.normal)))
    lower, upper = (tuple(ends[i] for i in across(axis)) for ends in (piece.lower, piece.upper))
    return FlatPatch(axis, piece.lower[axis], piece.normal[axis], BoxBody(lower, upper))


def _carriers(body: Body) -> list[BallBody | CylinderBody]:
    """The spheres and the sides of cylinders, those on one line as one."""
    found: dict[tuple[object, ...], BallBody | CylinderBody] = {}
    for leaf in leaves(body):
        if isinstance(leaf, BallBody):
            found[leaf.center, leaf.radius] = leaf
        elif isinstance(leaf, CylinderBody):
            key = (leaf.axis, leaf.radius, *(leaf.base[i] for i in leaf.across))
            other = found.get(key)
            found[key] = _joined(leaf, other) if isinstance(other, CylinderBody) else leaf
    return list(found.values())


def _joined(first: CylinderBody, second: CylinderBody) -> CylinderBody:
    k = first.axis
    low = min(first.base[k], second.base[k])
    high = max(first.base[k] + first.height, second.base[k] + second.height)
    base = [low if i == k else v for i, v in enumerate(first.base)]
    return CylinderBody((base[0], base[1], base[2]), first.radius, high - low, k)


def _round(space: Space, body: Body, carrier: BallBody | CylinderBody) -> Iterator[Piece]:
    patch = RoundPatch(carrier, body)
    if patch.fraction > 0:
        yield ShapePiece(space, patch, implicit=_implicit(space, patch))


def _implicit(space: Space, patch: RoundPatch) -> sp.Expr | None:
    """1 - q inside a sphere or cylinder, (q - 1) / (q + s) around one; None where the rest of it meets the body."""
    carrier, box = patch.carrier, space_bounds(patch.body)
    sample = _whole(patch, box)
    kept = patch.contains(sample)
    if np.any(patch.body.level(sample[~kept]) < -1e-6 * length_scale(patch.body)):
        return None
    c = carrier.center if isinstance(carrier, BallBody) else carrier.base
    axes = range(3) if isinstance(carrier, BallBody) else carrier.across
    q = sp.Add(*(sp.Float(1 / carrier.radius**2) * (space[i] - c[i]) ** 2 for i in axes))
    inward = patch.normals(sample[kept][:1])[0] @ patch._outward(sample[kept][:1])[0] < 0
    size = float(np.ptp(box, axis=1).max())
    return (q - 1) / (q + sp.Float(size / carrier.radius)) if inward else 1 - q


def _whole(patch: RoundPatch, box: np.ndarray) -> np.ndarray:
    """Points of the whole sphere, or of the side as far as the body reaches."""
    unit = halton(N_SAMPLES, 2)
    if isinstance(patch.carrier, BallBody):
        return patch.points(unit)
    k = patch.carrier.axis
    points = patch.points(unit)
    points[:, k] = box[k, 0] + unit[:, 1] * np.ptp(box[k])
    return points


def along_face(space: Space, own: Piece, piece: Piece) -> list[Piece]:
    """Return the part of a face that a component's face covers."""
    mine, theirs = flat_patch(own), flat_patch(piece)
    if mine is not None and theirs is not None:
        return _common_flat(space, own, mine, theirs)
    if not isinstance(own, ShapePiece) or not isinstance(piece, ShapePiece):
        return []
    first, second = own.patch, piece.patch
    if not isinstance(first, RoundPatch) or not isinstance(second, RoundPatch):
        return []
    points = first.points(halton(N_SAMPLES, 2))
    points = points[first.contains(points)]
    covered = second.contains(points)
    if covered.all():
        return [own]
    part = RoundPatch(first.carrier, first.body, (*first.within, second))
    return [ShapePiece(space, part)] if covered.any() else []


def _common_flat(space: Space, own: Piece, mine: FlatPatch, theirs: FlatPatch) -> list[Piece]:
    if mine.axis != theirs.axis or abs(mine.value - theirs.value) > 1e-9 * max(
        abs(mine.value), length_scale(mine.plane)
    ):
        return []
    plane = combined("intersection", [mine.plane, theirs.plane])
    if plane is None:
        return []
    whole = area(outline(plane)) >= (1 - 1e-10) * mine.measure
    return [own if whole else flat_piece(space, FlatPatch(mine.axis, mine.value, mine.sign, plane))]
