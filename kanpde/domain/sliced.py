"""Gauss quadrature within an outline, by vertical slices.

The width is cut at the ends and at the extremes of the boundary curves. Within a strip the same curves cross every
vertical line in the same order, so a line is a fixed set of intervals whose ends are smooth functions of x, but for the
square roots at the ends of the strip, which x = m + h sin(π s / 2) takes away.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from .curves import Curve, monotone

# Fewer points resolve no curved strip.
LEAST = 6


def sliced_rule(curves: Sequence[Curve], n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return points (N, 2) and weights (N,): about n across the whole width and height, a third at least."""
    parts = [part for curve in curves for part in monotone(curve, 0)]
    spans = np.array([np.sort([part.at(0.0)[0, 0], part.at(1.0)[0, 0]]) for part in parts])
    heights = np.array([part.bounds[1] for part in parts])
    width, height = float(np.ptp(spans)), float(np.ptp(heights))
    edges = _merged(np.sort(spans.ravel()), 1e-12 * max(width, float(np.abs(spans).max())))
    points, weights = [], []
    for a, b in itertools.pairwise(edges.tolist()):
        middle = 0.5 * (a + b)
        crossing = [part for part, (low, high) in zip(parts, spans, strict=True) if low < middle < high]
        x, wx = strip_rule(a, b, _share(n, (b - a) / width))
        lines = np.array([part.heights(x) for part in crossing])
        order = np.argsort([float(part.heights(np.array([middle]))[0]) for part in crossing])
        for low, high in zip(lines[order[::2]], lines[order[1::2]], strict=True):
            s, ws = np.polynomial.legendre.leggauss(_share(n, float(np.max(high - low)) / height))
            y = 0.5 * (low + high)[:, None] + 0.5 * (high - low)[:, None] * s
            points.append(np.stack([np.repeat(x, len(s)), y.ravel()], axis=1))
            weights.append((wx[:, None] * 0.5 * (high - low)[:, None] * ws).ravel())
    return np.concatenate(points), np.concatenate(weights)


def strip_rule(a: float, b: float, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return n points of an interval and weights, for functions with square roots at its ends."""
    s, w = np.polynomial.legendre.leggauss(n)
    half = 0.5 * (b - a)
    return 0.5 * (a + b) + half * np.sin(0.5 * np.pi * s), half * 0.5 * np.pi * np.cos(0.5 * np.pi * s) * w


def _share(n: int, part: float) -> int:
    return max(LEAST, int(np.ceil(n * max(part, 1 / 3))))


def _merged(values: np.ndarray, tolerance: float) -> np.ndarray:
    return values[np.concatenate([[True], np.diff(values) > tolerance])]
