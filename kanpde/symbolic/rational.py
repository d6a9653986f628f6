"""Ratios of polynomials: u q − p = 0 is linear in the coefficients of p and q."""

from __future__ import annotations

import itertools

import numpy as np
import sympy as sp

from kanpde.symbolic.target import Target

DEGREE = 2  # of p and q, all coordinates together
LARGEST_DIMENSION = 6
PER_TERM = 12  # points
CONFIRMED = 20.0  # times the noise that p/q may be off


def ratio(target: Target) -> sp.Expr | None:
    """The target as p/q with few terms, led by coefficient one in q; None where it is none."""
    if target.dimension > LARGEST_DIMENSION:
        return None
    powers = [e for e in itertools.product(range(DEGREE + 1), repeat=target.dimension) if sum(e) <= DEGREE]
    points = target.points(PER_TERM * 2 * len(powers))
    values = target.values(points) / target.size
    if not np.isfinite(values).all():
        return None
    terms = np.stack([np.prod(points**e, axis=1) for e in powers], axis=1)
    matrix = np.column_stack([terms, -values[:, None] * terms])
    size = np.sqrt(np.mean(np.square(matrix), axis=0))
    kept = _fewest(matrix / size, CONFIRMED * target.noise)
    if kept is None:
        return None
    numbers = _null(matrix[:, kept] / size[kept])[0] / size[kept]
    above = {powers[k]: c * target.size for k, c in zip(kept, numbers, strict=True) if k < len(powers)}
    below = {powers[k - len(powers)]: c for k, c in zip(kept, numbers, strict=True) if k >= len(powers)}
    return _written(target, above, below, points) if above and below else None


def _null(matrix: np.ndarray) -> tuple[np.ndarray, float]:
    """The combination of columns that is nearest to zero, and its root mean square."""
    _, singular, vectors = np.linalg.svd(matrix, full_matrices=False)
    return vectors[-1], float(singular[-1]) / np.sqrt(len(matrix))


def _fewest(matrix: np.ndarray, allowed: float) -> list[int] | None:
    """Columns some combination of which vanishes, as few as going one by one finds."""
    if _null(matrix)[1] > allowed:
        return None
    kept = list(range(matrix.shape[1]))
    while len(kept) > 2:
        trials = [(_null(matrix[:, [j for j in kept if j != k]])[1], k) for k in kept]
        gap, least = min(trials)
        if gap > allowed:
            break
        kept.remove(least)
    return kept


def _written(
    target: Target, above: dict[tuple[int, ...], float], below: dict[tuple[int, ...], float], points: np.ndarray
) -> sp.Expr | None:
    lead = max(below, key=lambda e: (sum(e) == 0, abs(below[e])))
    scale = below[lead]
    p, q = ({e: c / scale for e, c in side.items()} for side in (above, below))
    found = _evaluated(p, points) / _evaluated(q, points)
    gap = float(np.sqrt(np.mean(np.square(found - target.values(points))))) / target.size
    if not gap <= CONFIRMED * target.noise:
        return None
    bottom = {e: (sp.S.One if e == lead else sp.Float(c, 15)) for e, c in q.items()}
    top = {e: sp.Float(c, 15) for e, c in p.items()}
    return _polynomial(target, top) / _polynomial(target, bottom)


def _evaluated(side: dict[tuple[int, ...], float], points: np.ndarray) -> np.ndarray:
    return np.sum([c * np.prod(points**e, axis=1) for e, c in side.items()], axis=0)


def _polynomial(target: Target, side: dict[tuple[int, ...], sp.Expr]) -> sp.Expr:
    terms = [c * sp.Mul(*[x**k for x, k in zip(target.coordinates, e, strict=True)]) for e, c in side.items()]
    return sp.Add(*terms)
