"""Smooth functions that vanish on one curve of an outline and nowhere else in the closed body, for exact conditions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import sympy as sp

from .crossings import crossings
from .curves import Arc, Curve, Segment, distance
from .outline import near


def implicit_of(curve: Curve, curves: Sequence[Curve], space: Sequence[sp.Symbol], box: np.ndarray) -> sp.Expr | None:
    """Return the function, positive inside the body and about 1 there; None where line or ellipse meet the body again.

    Args:
        curve: the one that it vanishes on.
        curves: the outline.
        space: x, y.
        box: around the outline, (2, 2).
    """
    scale = float(max(np.ptp(box, axis=1).max(), np.abs(box).max()))
    boxes, middles = _summary(tuple(curves))
    if not _one_sided(curve, middles, 1e-9 * scale):
        return None
    carrier = _carrier(curve, box)
    for other in (curves[j] for j in near(carrier.bounds, boxes, 1e-9 * scale)):
        cuts = crossings(carrier, other, 1e-9 * scale)
        points = carrier.at(np.array(cuts)) if cuts else np.zeros((0, 2))
        if np.any(distance(curve, points) > 1e-6 * scale):
            return None
        # Another part of the same carrier, which meets no end of this one.
        if other is not curve and other.same_carrier(curve, 1e-8 * scale):
            return None
    return _line(curve, space, box) if isinstance(curve, Segment) else _ellipse(curve, space, box)


@lru_cache(maxsize=16)
def _summary(curves: tuple[Curve, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The boxes around curves (n, 2, 2), and a point of each (n, 2)."""
    return np.array([curve.bounds for curve in curves]), np.concatenate([curve.at(0.5) for curve in curves])


def _one_sided(curve: Curve, middles: np.ndarray, tolerance: float) -> bool:
    """Whether all of the outline is on the body's side of a carrier: then the rest of the carrier is outside, too."""
    if isinstance(curve, Segment):
        inward = np.array([-curve.vector[1], curve.vector[0]]) / curve.length
        return bool(np.all((middles - np.array(curve.start)) @ inward >= -tolerance))
    q = np.linalg.norm(np.linalg.solve(curve.matrix, (middles - np.array(curve.center)).T), axis=0)
    inside = q - 1 if curve.end < curve.start else 1 - q
    return bool(np.all(inside >= -tolerance / min(curve.axes)))


def _carrier(curve: Curve, box: np.ndarray) -> Curve:
    """The whole ellipse, or the line as far as the box reaches."""
    if isinstance(curve, Arc):
        return Arc(curve.center, curve.axes, curve.angle, curve.start, curve.start + 2 * np.pi)
    reach = 2 * float(np.linalg.norm(np.ptp(box, axis=1))) / curve.length
    return curve.part(-reach, 1 + reach)


def _line(curve: Segment, space: Sequence[sp.Symbol], box: np.ndarray) -> sp.Expr:
    """The distance from the line, over the greatest one in the box."""
    (a, b), (p, q) = curve.vector / curve.length, curve.start
    corners = np.array([[x, y] for x in box[0] for y in box[1]]) - np.array(curve.start)
    depth = float(np.max(corners @ np.array([-b, a])))
    x, y = space
    terms = [sp.Float(c / depth) * (s - e) for c, s, e in ((-b, x, p), (a, y, q)) if c != 0]
    return sp.Add(*terms)


def _ellipse(curve: Arc, space: Sequence[sp.Symbol], box: np.ndarray) -> sp.Expr:
    """1 - q within an ellipse, q the quadratic form; around a hole (q - 1) / (q + s), s its box over its own size."""
    inverse = np.linalg.inv(curve.matrix)
    form = inverse.T @ inverse
    x, y = (s - c for s, c in zip(space, curve.center, strict=True))
    q = sp.Float(form[0, 0]) * x**2 + sp.Float(form[1, 1]) * y**2
    if abs(form[0, 1]) > 1e-15 * abs(form).max():
        q += sp.Float(2 * form[0, 1]) * x * y
    if curve.end > curve.start:
        return 1 - q
    return (q - 1) / (q + sp.Float(float(np.ptp(box, axis=1).max()) / max(curve.axes)))
