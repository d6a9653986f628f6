"""Which points belong to a body with its boundary, up to rounding."""

from __future__ import annotations

import itertools

import numpy as np

from .bodies import Body, Composed, length_scale
from .outline import nearest, outline

# Relative to the coordinates.
TOLERANCE = 1e-10


def contains(body: Body, points: np.ndarray) -> np.ndarray:
    """Return (n,) bool: which points lie in the closure of a body.

    Where primitives of a composed body touch, the level is zero inside as well as outside; there the outline decides,
    and whether a small step leads inside.
    """
    tolerance = TOLERANCE * length_scale(body)
    level = body.level(points)
    inside = level <= tolerance
    if isinstance(body, Composed):
        unclear = np.abs(level) <= 2 * tolerance
        inside[unclear] = _decided(body, points[unclear], tolerance)
    return inside


def _decided(body: Body, points: np.ndarray, tolerance: float) -> np.ndarray:
    if not len(points):
        return np.zeros(0, dtype=bool)
    dimension = points.shape[1]
    found = nearest(outline(body), points) <= 2 * tolerance if dimension == 2 else np.zeros(len(points), dtype=bool)
    for direction in itertools.product((-1.0, 0.0, 1.0), repeat=dimension):
        found |= body.level(points + 1e3 * tolerance * np.array(direction)) < 0
    return found
