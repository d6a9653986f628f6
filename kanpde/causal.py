"""Causal weighting: an evolution is trained at later times only as far as it is right at earlier ones.

Wang, Sankaran and Perdikaris, arXiv 2203.07404, section 3. Where all times count alike, a network finds fields that
satisfy the equation at late times and belong to other initial data.
"""

from __future__ import annotations

import math

import numpy as np

from kanpde.collocation import PointSet
from kanpde.errors import ProblemError

BINS = 32
SATISFIED = 0.99  # the least factor with which an ε has done its work (Wang et al., algorithm 1)


def causal_factors(
    times: np.ndarray,
    squares: np.ndarray,
    epsilon: float,
    bins: int = BINS,
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """exp(−ε S(t)), S(t) the part of the mean square that comes from bins of time before that of t.

    S(t) = Σ_{earlier bins} w F² / Σ w, so ε has the unit of 1/F² and does not depend on the number of bins. (Wang et
    al. sum the mean squares of the bins; their ε is ours divided by the number of bins.) The first bin has the factor
    1, and no factor is larger: conditions, which have none, keep their weight beside equations that hold. The rows of
    Gauss-Newton are multiplied by the square roots of the factors. Those are part of the objective and not to be
    differentiated: losses compare only under the same factors, so they are to be renewed between the steps, never
    within one, and an optimiser that remembers its last loss begins again with them.

    Args:
        times: (n,).
        squares: F² (n,), or the sum over the equations.
        epsilon: ε ≥ 0.
        bins: intervals of equal length between the least and the greatest time.
        weights: quadrature weights w (n,), all the same if None.

    Returns:
        (n,) from 0 to 1, falling with time.

    Raises:
        ProblemError: arrays that do not fit, no bins, a negative ε, or squares that are not finite.
    """
    if not (times.shape == squares.shape and times.ndim == 1 and len(times)):
        raise ProblemError(f"{times.shape} times and {squares.shape} squares; give one of each for every point")
    if bins < 1 or not 0.0 <= epsilon < math.inf:
        raise ProblemError(f"epsilon = {epsilon} in {bins} bins is no causal weighting; use epsilon >= 0 and bins >= 1")
    if not np.all(np.isfinite(squares)):
        raise ProblemError("the residual is not finite at some times; check the equation, or start from smaller fields")
    shares = np.ones(len(times)) if weights is None else weights
    edges = np.linspace(times.min(), times.max(), bins + 1)[1:-1]
    place = np.searchsorted(edges, times, side="right")
    losses = np.bincount(place, shares * squares, minlength=bins) / shares.sum()
    before = np.concatenate([[0.0], np.cumsum(losses[:-1])])
    return np.exp(-epsilon * before)[place]


def causal_satisfied(factors: np.ndarray, least: float = SATISFIED) -> bool:
    """Whether all times count almost alike, so that ε may grow (tenfold in the paper), or the weighting end."""
    return bool(factors.min() > least)


def epsilon_for(mean_square: float, least: float) -> float:
    """The ε with which the last factor is at least `least` while Σ w F² / Σ w = `mean_square`.

    Gauss-Newton lowers F² by many orders of magnitude in a few steps, so a list of fixed ε (1e-2 … 1e2 in the paper,
    for equations scaled to one) is soon satisfied without effect; this one goes with the residual.

    Raises:
        ProblemError: a factor that is none.
    """
    if not 0.0 < least <= 1.0:
        raise ProblemError(f"no epsilon makes the last factor {least}; ask for one above 0 and at most 1")
    return -math.log(least) / mean_square if mean_square > 0.0 else 0.0


def causal(points: PointSet, axis: int, squares: np.ndarray, epsilon: float, bins: int = BINS) -> PointSet:
    """The same points with weights times the factors: what a block of the residual system takes.

    Args:
        points: with their quadrature weights, not yet multiplied by factors.
        axis: of time among the coordinates.
        squares: F² (n,) at the points.
        epsilon: ε.
        bins: of time.
    """
    factors = causal_factors(points.x[:, axis], squares, epsilon, bins, points.weights)
    return PointSet(points.x, points.weights * factors, points.normals)
