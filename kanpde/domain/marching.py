"""Level sets of functions as simplices: a grid of simplices is cut where the sign changes.

Guéziec & Hummel 1995, Exploiting triangulated surface extraction using tetrahedral decomposition; Kuhn's simplices.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

Function = Callable[[np.ndarray], np.ndarray]
# Intervals of the grid along the longest side.
INTERVALS = {2: 384, 3: 48}
NEWTON_STEPS, STEP = 6, 1e-6


def level_simplices(function: Function, box: np.ndarray) -> np.ndarray:
    """Return (k, d, d): the corners of segments (d = 2) or triangles (d = 3) on the zero set of a function in a box."""
    d = len(box)
    lengths = np.ptp(box, axis=1)
    counts = np.maximum(4, np.ceil(INTERVALS[d] * lengths / lengths.max()).astype(int))
    lines = [np.linspace(a, b, n + 1) for (a, b), n in zip(box, counts, strict=True)]
    points = np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1)
    values = function(points.reshape(-1, d)).reshape(points.shape[:-1])
    # A node on the level itself would give simplices without extent.
    values = np.where(values == 0, 1e-14 * np.abs(values).max(), values)
    found = [_of_kuhn(points, values, order) for order in itertools.permutations(range(d))]
    corners = np.concatenate(found)
    edges = corners[:, 1:] - corners[:, :1]
    extent = np.sqrt(np.maximum(np.linalg.det(edges @ np.swapaxes(edges, 1, 2)), 0.0))
    corners = corners[extent > 1e-9 * (lengths.max() / counts.max()) ** (d - 1)]
    return projected(function, corners.reshape(-1, d), float(lengths.max())).reshape(corners.shape)


def _of_kuhn(points: np.ndarray, values: np.ndarray, order: tuple[int, ...]) -> np.ndarray:
    """The level within one of the d! simplices of every cell: from a corner along the axes in an order."""
    d = len(order)
    steps = np.zeros((d + 1, d), dtype=int)
    for k, axis in enumerate(order):
        steps[k + 1] = steps[k]
        steps[k + 1, axis] = 1
    chosen = [tuple(slice(s, n - 1 + s) for s, n in zip(step, values.shape, strict=True)) for step in steps]
    x = np.stack([points[c].reshape(-1, d) for c in chosen], axis=1)
    g = np.stack([values[c].ravel() for c in chosen], axis=1)
    crossed = (g > 0).any(axis=1) & (g < 0).any(axis=1)
    return _cut(x[crossed], g[crossed])


def _cut(x: np.ndarray, g: np.ndarray) -> np.ndarray:
    """Cut simplices (k, d + 1, d) with values (k, d + 1) at zero."""
    d = x.shape[2]
    found = [np.zeros((0, d, d))]
    for size in range(1, (d + 1) // 2 + 1):
        for below in itertools.combinations(range(d + 1), size):
            above = tuple(i for i in range(d + 1) if i not in below)
            for low, high in {(below, above), (above, below)} if 2 * size != d + 1 else {(below, above)}:
                own = (g[:, low] < 0).all(axis=1) & (g[:, high] > 0).all(axis=1)
                found += _pieces(x[own], g[own], low, high)
    return np.concatenate(found)


def _pieces(x: np.ndarray, g: np.ndarray, low: tuple[int, ...], high: tuple[int, ...]) -> list[np.ndarray]:
    def between(i: int, j: int) -> np.ndarray:
        share = (g[:, i] / (g[:, i] - g[:, j]))[:, None]
        return x[:, i] + share * (x[:, j] - x[:, i])

    if min(len(low), len(high)) == 1:
        return [np.stack([between(i, j) for i in low for j in high], axis=1)]
    (a, b), (c, e) = low, high
    return [
        np.stack([between(a, c), between(a, e), between(b, e)], axis=1),
        np.stack([between(a, c), between(b, e), between(b, c)], axis=1),
    ]


def projected(function: Function, points: np.ndarray, length: float) -> np.ndarray:
    """Return points moved onto the level by Newton's method along the gradient."""
    x = points
    for _ in range(NEWTON_STEPS if len(points) else 0):
        slope = gradient(function, x, length)
        square = np.maximum((slope**2).sum(axis=1), 1e-300)
        step = (function(x) / square)[:, None] * slope
        size = np.maximum(np.linalg.norm(step, axis=1, keepdims=True), 1e-300)
        x = x - step * np.minimum(1.0, 0.05 * length / size)
    return x


def gradient(function: Function, points: np.ndarray, length: float) -> np.ndarray:
    """Return the gradient (n, d) by central differences: kinks of the function do no harm."""
    h = STEP * length
    steps = h * np.eye(points.shape[1])
    return np.stack([(function(points + e) - function(points - e)) / (2 * h) for e in steps], axis=1)
