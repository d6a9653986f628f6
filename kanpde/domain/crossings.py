"""Where curves of the plane meet: parameters on the first curve, through roots of polynomials.

Too many cuts do no harm (pieces are joined again), a missed one does. So ends that touch count, and tangencies are
found to half of the digits.
"""

from __future__ import annotations

import numpy as np

from .curves import Arc, Curve, Segment, distance

# Relative: closer than this to a tangency, curves are taken to touch.
TANGENT = 1e-14


def crossings(first: Curve, second: Curve, tolerance: float) -> list[float]:
    """Parameters in [0, 1] of `first` where it meets `second` or one of its ends; ends of an overlap if on one carrier.

    Args:
        first: the curve that is to be cut.
        second: the other.
        tolerance: what counts as touching, a length.
    """
    if _apart(first, second, tolerance):
        return []
    found = _touching_ends(first, second, tolerance)
    if not first.same_carrier(second, tolerance):
        found += _transversal(first, second, tolerance)
    return sorted(found)


def _apart(first: Curve, second: Curve, tolerance: float) -> bool:
    a, b = first.bounds, second.bounds
    return bool(np.any(a[:, 1] + tolerance < b[:, 0]) or np.any(b[:, 1] + tolerance < a[:, 0]))


def _touching_ends(first: Curve, second: Curve, tolerance: float) -> list[float]:
    if isinstance(second, Arc) and second.is_closed:
        return []
    ends = second.at(np.array([0.0, 1.0]))
    return first.locate(ends[distance(first, ends) <= tolerance]).tolist()


def _transversal(first: Curve, second: Curve, tolerance: float) -> list[float]:
    if isinstance(first, Segment) and isinstance(second, Segment):
        return _of_segments(first, second, tolerance)
    s = _on_ellipse(first, second) if isinstance(second, Arc) else _on_line(first, second)
    s = s[(s >= -1e-9) & (s <= 1 + 1e-9)].clip(0.0, 1.0)
    near = distance(second, first.at(s)) <= max(tolerance, 1e-7 * max(first.length, second.length))
    return [float(v) for v in s[near]] if len(s) else []


def _of_segments(first: Segment, second: Segment, tolerance: float) -> list[float]:
    a, b = first.vector, second.vector
    between = np.array(second.start) - np.array(first.start)
    area = a[0] * b[1] - a[1] * b[0]
    if abs(area) <= 1e-14 * first.length * second.length:
        return []
    s = (between[0] * b[1] - between[1] * b[0]) / area
    t = (between[0] * a[1] - between[1] * a[0]) / area
    inside = -tolerance <= s * first.length <= first.length + tolerance
    meets = -tolerance <= t * second.length <= second.length + tolerance
    return [float(np.clip(s, 0.0, 1.0))] if inside and meets else []


def _on_line(first: Curve, line: Segment) -> np.ndarray:
    """Where an arc crosses the line of a segment: c + p cos θ + q sin θ = 0."""
    assert isinstance(first, Arc)
    normal = np.array([-line.vector[1], line.vector[0]]) / line.length
    c = normal @ (np.array(first.center) - np.array(line.start))
    p, q = normal @ first.matrix
    reach = np.hypot(p, q)
    if abs(c) > reach * (1 + 1e-9):
        return np.zeros(0)
    ratio = -c / reach
    # At a tangency the arc cosine would double the rounding error to half of the digits.
    swing = 0.0 if ratio > 1 - TANGENT else np.pi if ratio < -1 + TANGENT else np.arccos(ratio)
    return _turns(first, np.arctan2(q, p) + np.array([-swing, swing]))


def _on_ellipse(first: Curve, ellipse: Arc) -> np.ndarray:
    """Where a curve crosses the ellipse of an arc."""
    inverse = np.linalg.inv(ellipse.matrix)
    if isinstance(first, Segment):
        p, v = inverse @ (np.array(first.start) - np.array(ellipse.center)), inverse @ first.vector
        return _real_quadratic(float(v @ v), float(2 * p @ v), float(p @ p) - 1.0)
    p, m = inverse @ (np.array(first.center) - np.array(ellipse.center)), inverse @ first.matrix
    return _turns(first, _trigonometric_roots(p, m))


def _real_quadratic(a: float, b: float, c: float) -> np.ndarray:
    discriminant = b * b - 4 * a * c
    size = b * b + abs(4 * a * c)
    if discriminant < -1e-9 * size:
        return np.zeros(0)
    discriminant = 0.0 if abs(discriminant) <= TANGENT * size else discriminant
    root = -0.5 * (b + np.copysign(np.sqrt(max(discriminant, 0.0)), b))
    return np.array([root / a, c / root]) if root != 0 else np.array([0.0])


def _trigonometric_roots(p: np.ndarray, m: np.ndarray) -> np.ndarray:
    """θ with |p + m (cos θ, sin θ)|² = 1, through a quartic in e^{iθ}, polished by Newton's method."""
    form, linear = m.T @ m, 2 * m.T @ p
    # f = c0 + c1 cos θ + s1 sin θ + c2 cos 2θ + s2 sin 2θ
    c0 = p @ p - 1 + 0.5 * (form[0, 0] + form[1, 1])
    c2, s2 = 0.5 * (form[0, 0] - form[1, 1]), form[0, 1]
    c1, s1 = linear
    coefficients = np.array([(c2 - 1j * s2) / 2, (c1 - 1j * s1) / 2, c0, (c1 + 1j * s1) / 2, (c2 + 1j * s2) / 2])
    scale = np.abs(coefficients).max()
    if scale < 1e-300:
        return np.zeros(0)
    coefficients[np.abs(coefficients) < 1e-14 * scale] = 0
    roots = np.roots(coefficients)
    # A double root is found to about 1e-8, so tangencies need room.
    theta = np.angle(roots[np.abs(np.abs(roots) - 1) < 1e-5])
    return _polished(theta, np.array([c0, c1, s1, c2, s2]), scale)


def _polished(theta: np.ndarray, series: np.ndarray, scale: float) -> np.ndarray:
    """Newton's method for f = 0; where f only touches zero, for f' = 0."""
    for _ in range(4):
        f, slope, bend = _series(theta, series)
        flat = np.abs(slope) <= 1e-4 * scale
        top = theta - np.clip(slope / np.where(bend == 0, 1.0, bend), -1e-3, 1e-3)
        touches = flat & (np.abs(_series(top, series)[0]) <= TANGENT * scale)
        step = np.where(np.abs(slope) > 1e-9 * scale, f / np.where(slope == 0, 1.0, slope), 0.0)
        theta = np.where(touches, top, theta - np.clip(step, -1e-4, 1e-4))
    return theta


def _series(theta: np.ndarray, series: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A trigonometric polynomial of degree two, and its first two derivatives."""
    c0, c1, s1, c2, s2 = series
    one, two = (np.cos(theta), np.sin(theta)), (np.cos(2 * theta), np.sin(2 * theta))
    f = c0 + c1 * one[0] + s1 * one[1] + c2 * two[0] + s2 * two[1]
    slope = -c1 * one[1] + s1 * one[0] - 2 * c2 * two[1] + 2 * s2 * two[0]
    bend = -c1 * one[0] - s1 * one[1] - 4 * c2 * two[0] - 4 * s2 * two[1]
    return f, slope, bend


def _turns(arc: Arc, theta: np.ndarray) -> np.ndarray:
    """Parameters of angles θ on an arc."""
    points = np.array(arc.center) + np.stack([np.cos(theta), np.sin(theta)], axis=1) @ arc.matrix.T
    return arc.parameters(points) if len(points) else np.zeros(0)
