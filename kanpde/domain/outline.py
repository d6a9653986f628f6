"""Outlines: the boundary of a composed body of the plane as exact curves, and what follows from them.

All boundary curves of the primitives are cut where they meet; a part belongs to the outline if the body lies on one
side of it only. Parts that several primitives share count once, and parts of one line or ellipse are joined again.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from .bodies import Body, Composed, leaves, length_scale
from .crossings import crossings
from .curves import Arc, Curve, Segment, distance, normals

# Relative to the coordinates: what counts as touching, and the step to the side that tells inside from outside.
TOUCH, STEP = 1e-10, 1e-8


@lru_cache(maxsize=256)
def outline(body: Body) -> tuple[Curve, ...]:
    """Return the boundary of a body of the plane, with the body on the left of each curve."""
    scale = length_scale(body)
    curves = [curve for leaf in leaves(body) for curve in leaf.curves]
    if not isinstance(body, Composed):
        return tuple(curves)
    boxes = np.array([curve.bounds for curve in curves])
    parts = [(i, part) for i, curve in enumerate(curves) for part in _cut(curve, i, curves, boxes, TOUCH * scale)]
    kept = _oriented(body, parts, STEP * scale)
    alone = [part for i, part in kept if not _repeats(part, curves[:i], boxes[:i], TOUCH * scale)]
    return tuple(joined(alone, 10 * TOUCH * scale))


def near(box: np.ndarray, boxes: np.ndarray, tolerance: float) -> list[int]:
    """Which boxes (n, 2, 2) touch a box (2, 2)."""
    apart = (boxes[:, :, 0] > box[:, 1] + tolerance) | (boxes[:, :, 1] < box[:, 0] - tolerance)
    return np.flatnonzero(~apart.any(axis=1)).tolist()


def _cut(curve: Curve, i: int, curves: Sequence[Curve], boxes: np.ndarray, tolerance: float) -> list[Curve]:
    others = [j for j in near(boxes[i], boxes, tolerance) if j != i]
    cuts = [s for j in others for s in crossings(curve, curves[j], tolerance)]
    return split(curve, cuts, tolerance)


def split(curve: Curve, cuts: Sequence[float], tolerance: float) -> list[Curve]:
    """Cut a curve at parameters; cuts closer than `tolerance` to each other or to an end are one."""
    ends, least = [0.0], tolerance / curve.length
    for s in sorted(cuts):
        if ends[-1] + least < s < 1.0 - least:
            ends.append(s)
    return [curve.part(a, b) for a, b in zip(ends, [*ends[1:], 1.0], strict=True)]


def _oriented(body: Body, parts: Sequence[tuple[int, Curve]], step: float) -> list[tuple[int, Curve]]:
    """Keep the parts with the body on one side, turned so that it is on the left."""
    if not parts:
        return []
    middles = np.concatenate([part.at(0.5) for _, part in parts])
    aside = np.concatenate([normals(part, 0.5) for _, part in parts])
    lengths = np.array([part.length for _, part in parts])
    steps = np.minimum(step, 1e-2 * lengths)[:, None] * aside
    right, left = body.level(middles + steps) < 0, body.level(middles - steps) < 0
    turned = [(i, part if inner else part.part(1.0, 0.0)) for (i, part), inner in zip(parts, left, strict=True)]
    return [entry for entry, keep in zip(turned, left != right, strict=True) if keep]


def _repeats(part: Curve, earlier: Sequence[Curve], boxes: np.ndarray, tolerance: float) -> bool:
    """Whether an earlier curve runs along the part."""
    middle = part.at(0.5)
    close = [earlier[j] for j in near(np.repeat(middle.T, 2, axis=1), boxes, 10 * tolerance)]
    return any(c.same_carrier(part, 10 * tolerance) and distance(c, middle)[0] <= 10 * tolerance for c in close)


def joined(curves: Sequence[Curve], tolerance: float) -> list[Curve]:
    """Join curves of one carrier that follow each other in the same direction."""
    result: list[Curve | None] = list(curves)
    starts = np.array([curve.at(0.0)[0] for curve in curves]).reshape(-1, 2)
    for i in range(len(result)):
        following: int | None = i
        while following is not None:
            following = _follower(result, i, starts, tolerance)
            if following is not None:
                result[i], result[following] = _linked(result[i], result[following], tolerance), None
    return [curve for curve in result if curve is not None]


def _follower(curves: Sequence[Curve | None], i: int, starts: np.ndarray, tolerance: float) -> int | None:
    """The curve that carries on where curve i ends."""
    own = curves[i]
    if own is None:
        return None
    away = np.linalg.norm(starts - own.at(1.0)[0], axis=1)
    found = [j for j in np.flatnonzero(away <= tolerance).tolist() if j != i and curves[j] is not None]
    return next((j for j in found if _linked(own, curves[j], tolerance) is not None), None)


def _linked(first: Curve | None, second: Curve | None, tolerance: float) -> Curve | None:
    """The two as one curve, None where they are not."""
    if first is None or second is None:
        return None
    if np.linalg.norm(first.at(1.0) - second.at(0.0)) > tolerance or not first.same_carrier(second, tolerance):
        return None
    if first.tangent(1.0)[0] @ second.tangent(0.0)[0] < 0.5:
        return None
    if isinstance(first, Segment) and isinstance(second, Segment):
        return Segment(first.start, second.end)
    assert isinstance(first, Arc)
    assert isinstance(second, Arc)
    turn = abs(first.end - first.start) + abs(second.end - second.start)
    # A cut at a tangency leaves a gap of half of the digits in a whole turn.
    turn = 2 * np.pi if abs(turn - 2 * np.pi) < 1e-6 else turn
    end = first.start + np.sign(first.end - first.start) * turn
    return Arc(first.center, first.axes, first.angle, first.start, float(end))


def area(curves: Sequence[Curve]) -> float:
    """The area within an outline, by the divergence theorem."""
    return float(sum(curve.flux for curve in curves))


def bounds(curves: Sequence[Curve]) -> np.ndarray:
    """The smallest box around an outline, (2, 2)."""
    boxes = np.array([curve.bounds for curve in curves])
    return np.stack([boxes[:, :, 0].min(axis=0), boxes[:, :, 1].max(axis=0)], axis=1)


def nearest(curves: Sequence[Curve], points: np.ndarray) -> np.ndarray:
    """The distance (n,) from an outline."""
    return np.min([distance(curve, points) for curve in curves], axis=0)


def overlap(curve: Curve, other: Curve, tolerance: float) -> list[Curve]:
    """The parts of a curve that run along another."""
    if not curve.same_carrier(other, 10 * tolerance):
        return []
    parts = split(curve, crossings(curve, other, 10 * tolerance), tolerance)
    return joined([p for p in parts if distance(other, p.at(0.5))[0] <= 10 * tolerance], 10 * tolerance)


def corners(curves: Sequence[Curve], tolerance: float) -> list[tuple[float, float, float]]:
    """The corners of an outline as (x, y, interior angle): below pi where it bulges, above where it re-enters."""
    found = []
    for first in curves:
        point, arriving = first.at(1.0)[0], first.tangent(1.0)[0]
        leaving = [c.tangent(0.0)[0] for c in curves if np.linalg.norm(c.at(0.0)[0] - point) <= tolerance]
        # Where several corners touch, the body lies between an arriving curve and the next one on its left.
        angles = [_interior(arriving, direction) for direction in leaving]
        if angles and abs(min(angles) - np.pi) > 1e-6:
            found.append((float(point[0]), float(point[1]), float(min(angles))))
    return found


def _interior(arriving: np.ndarray, leaving: np.ndarray) -> float:
    turn = np.arctan2(arriving[0] * leaving[1] - arriving[1] * leaving[0], arriving @ leaving)
    return float(np.pi - turn)
