"""Bodies of space, sliced: a plane across an axis cuts boxes, balls and cylinders in rectangles and disks.

So a slice is a body of the plane with an exact outline. Volumes, areas of curved faces and quadrature rules are Gauss
sums over slices, between the heights where the outline changes its make.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from .bodies import (
    DIFFERENCE,
    INTERSECTION,
    UNION,
    BallBody,
    Body,
    BoxBody,
    Composed,
    CylinderBody,
    EllipseBody,
    leaves,
    length_scale,
)
from .curves import Arc
from .outline import area, bounds, outline
from .sliced import strip_rule

# Slices between two known heights among which a change is looked for, and Gauss nodes between two changes.
N_SLICES, N_GAUSS = 12, 24


def across(axis: int) -> list[int]:
    """Return the two axes of a slice, in their order."""
    return [i for i in range(3) if i != axis]


def slice_of(body: Body, axis: int, height: float, side: int = 0) -> Body | None:
    """Return the slice at a height; at a flat face, of what is below (side = -1) or above (+1); None if empty."""
    if isinstance(body, Composed):
        parts = [slice_of(operand, axis, height, side) for operand in body.operands]
        return combined(body.operation, parts)
    if isinstance(body, BoxBody):
        i, j = across(axis)
        inside = _between(height, body.lower[axis], body.upper[axis], side)
        return BoxBody((body.lower[i], body.lower[j]), (body.upper[i], body.upper[j])) if inside else None
    if isinstance(body, CylinderBody):
        return _slice_of_cylinder(body, axis, height, side)
    assert isinstance(body, BallBody)
    i, j = across(axis)
    square = body.radius**2 - (height - body.center[axis]) ** 2
    return _disk(body.center[i], body.center[j], square, body.radius)


def _between(height: float, low: float, high: float, side: int) -> bool:
    above = height > low or (height == low and side > 0)
    return above and (height < high or (height == high and side < 0))


def _disk(x: float, y: float, square: float, size: float) -> EllipseBody | None:
    if square <= (1e-9 * size) ** 2:
        return None
    return EllipseBody((x, y), (float(np.sqrt(square)),) * 2)


def _slice_of_cylinder(body: CylinderBody, axis: int, height: float, side: int) -> Body | None:
    i, j = across(axis)
    low = body.base[body.axis]
    if axis == body.axis:
        inside = _between(height, low, low + body.height, side)
        return _disk(body.base[i], body.base[j], body.radius**2, body.radius) if inside else None
    square = body.radius**2 - (height - body.base[axis]) ** 2
    if square <= (1e-9 * body.radius) ** 2:
        return None
    half = float(np.sqrt(square))
    ends = [(low, low + body.height) if k == body.axis else (body.base[k] - half, body.base[k] + half) for k in (i, j)]
    return BoxBody((ends[0][0], ends[1][0]), (ends[0][1], ends[1][1]))


def combined(operation: str, parts: list[Body | None]) -> Body | None:
    """Return the combination of bodies, None where nothing is left."""
    some = [part for part in parts if part is not None]
    if operation == INTERSECTION and len(some) < len(parts):
        return None
    if not some or (operation == DIFFERENCE and parts[0] is None):
        return None
    result = some[0] if len(some) == 1 else Composed(operation, tuple(some))
    return result if outline(result) else None


@lru_cache(maxsize=128)
def heights(body: Body, axis: int) -> tuple[float, ...]:
    """Return the heights at which the make of the slices changes, the ends of the body among them; () if empty."""
    known = sorted({v for leaf in leaves(body) for v in _turning(leaf, axis)})
    found = set(known)
    for a, b in itertools.pairwise(known):
        samples = a + (b - a) * (np.arange(N_SLICES) + 0.5) / N_SLICES
        makes = [_make(body, axis, float(h)) for h in samples]
        for low, high, first, second in zip(samples[:-1], samples[1:], makes[:-1], makes[1:], strict=True):
            if first != second:
                found.add(_change(lambda h: _make(body, axis, h), float(low), float(high)))
    ordered = sorted(found)
    filled = [bool(_make(body, axis, 0.5 * (a + b))) for a, b in itertools.pairwise(ordered)]
    kept = [h for h, left, right in zip(ordered, [False, *filled], [*filled, False], strict=True) if left or right]
    return tuple(kept)


def _turning(leaf: Body, axis: int) -> list[float]:
    """The ends of a primitive, and where it is widest."""
    low, high = leaf.bounds[axis].tolist()
    straight = isinstance(leaf, BoxBody) or (isinstance(leaf, CylinderBody) and leaf.axis == axis)
    return [low, high] if straight else [low, 0.5 * (low + high), high]


def _make(body: Body, axis: int, height: float) -> tuple[tuple[int, bool], ...]:
    """Which primitives the curves of a slice come from, and which are closed."""
    plane = slice_of(body, axis, height)
    if plane is None:
        return ()
    own = [slice_of(leaf, axis, height) for leaf in leaves(body)]
    carriers = [(k, curve) for k, part in enumerate(own) if part is not None for curve in part.curves]  # type: ignore[attr-defined]
    touch = 1e-9 * length_scale(body)
    found = []
    for curve in outline(plane):
        k = next((k for k, carrier in carriers if carrier.same_carrier(curve, touch)), -1)
        found.append((k, isinstance(curve, Arc) and curve.is_closed))
    return tuple(sorted(found))


def _change(make: Callable[[float], object], low: float, high: float) -> float:
    first = make(low)
    for _ in range(44):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if make(middle) == first else (low, middle)
    return 0.5 * (low + high)


def slab_rule(body: Body, axis: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return Gauss heights and weights, n between two changes."""
    rules = [strip_rule(a, b, n) for a, b in itertools.pairwise(heights(body, axis))]
    return np.concatenate([h for h, _ in rules]), np.concatenate([w for _, w in rules])


@lru_cache(maxsize=128)
def volume(body: Body) -> float:
    """Return the volume: Gauss over the areas of slices."""
    return float(
        sum(
            w * _area(slice_of(body, 2, h))
            for h, w in zip(*map(np.ndarray.tolist, slab_rule(body, 2, N_GAUSS)), strict=True)
        )
    )


def _area(plane: Body | None) -> float:
    return area(outline(plane)) if plane is not None else 0.0


@lru_cache(maxsize=256)
def space_bounds(body: Body) -> np.ndarray:
    """Return the smallest box around a body of space, (3, 2); of no rows where it is empty."""
    box = body.bounds
    result = [(_end(body, axis, *box[axis].tolist()), _end(body, axis, *box[axis][::-1].tolist())) for axis in range(3)]
    return np.array(result) if all(np.isfinite(ends).all() for ends in result) else np.zeros((0, 2))


def _end(body: Body, axis: int, start: float, stop: float) -> float:
    """Where the body begins, coming from `start`: there, if a slice a little further is not empty."""
    if start != stop and slice_of(body, axis, start + 1e-6 * (stop - start)) is not None:
        return start
    found = heights(body, axis)
    return (min if start < stop else max)(found) if found else float("nan")


def plane_bounds(plane: Body) -> np.ndarray:
    """Return the smallest box around a slice."""
    return bounds(outline(plane))


def union_of(first: Body | None, second: Body | None) -> Body | None:
    """Return the union of two slices that may be empty."""
    return combined(UNION, [first, second])
