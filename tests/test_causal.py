"""Causal weighting: what the formula says, what Gauss-Newton needs of it, and when it has done its work."""

import numpy as np
import pytest
import sympy as sp

import kanpde as kp
from kanpde.causal import causal, causal_factors, causal_satisfied, epsilon_for
from kanpde.collocation import PointSet, collocate
from kanpde.errors import ProblemError

x, t = sp.symbols("x t", real=True)
POINTS = collocate((kp.Box({x: (0, 2)}) * kp.Time(t, (1, 3))).interior, 512, seed=3)
TIMES = POINTS.x[:, 1]
SQUARES = 1.0 + np.sin(5 * POINTS.x[:, 0]) ** 2 * TIMES


def slow_factors(times, squares, epsilon, bins, weights):
    """The same, point by point and bin by bin."""
    width = (times.max() - times.min()) / bins
    number = [min(bins - 1, int((moment - times.min()) / width)) for moment in times]
    result = []
    for own in number:
        total = 0.0
        for other, square, weight in zip(number, squares, weights, strict=True):
            if other < own:
                total += weight * square
        result.append(np.exp(-epsilon * total / sum(weights)))
    return np.array(result)


@pytest.mark.parametrize("bins", [1, 2, 7, 32])
def test_the_formula(bins):
    weights = np.random.default_rng(0).uniform(0.5, 2.0, len(TIMES))
    factors = causal_factors(TIMES, SQUARES, 0.7, bins, weights)
    np.testing.assert_allclose(factors, slow_factors(TIMES, SQUARES, 0.7, bins, weights), rtol=1e-12)


def test_factors_begin_at_one_and_fall_with_time():
    factors = causal_factors(TIMES, SQUARES, 1.0)
    ordered = factors[np.argsort(TIMES)]
    assert ordered[0] == 1.0
    assert np.all(np.diff(ordered) <= 0)
    assert ordered[-1] < 0.5


def test_the_future_does_not_weigh_on_the_past():
    """A residual after t = 2 changes no factor before; one before changes all after."""
    late, early = SQUARES + 100.0 * (TIMES > 2), SQUARES + 100.0 * (TIMES < 1.5)
    past = TIMES < 2
    plain = causal_factors(TIMES, SQUARES, 0.1, bins=8)
    np.testing.assert_array_equal(causal_factors(TIMES, late, 0.1, bins=8)[past], plain[past])
    assert np.all(causal_factors(TIMES, early, 0.1, bins=8)[~past] < 0.5 * plain[~past])


def test_epsilon_means_the_same_whatever_the_bins_and_however_many_points():
    """The last factor tends to exp(−ε mean F²), with a bin less than all of it."""
    flat = np.ones(len(TIMES))
    gaps = [abs(causal_factors(TIMES, flat, 1.0, bins).min() - np.exp(-1.0)) for bins in (4, 16, 64)]
    assert gaps[0] / gaps[1] == pytest.approx(4, rel=0.3)
    assert gaps[1] / gaps[2] == pytest.approx(4, rel=0.3)
    twice = np.concatenate([TIMES, TIMES])
    doubled = causal_factors(twice, np.concatenate([SQUARES, SQUARES]), 1.0)
    np.testing.assert_allclose(doubled[: len(TIMES)], causal_factors(TIMES, SQUARES, 1.0), rtol=1e-12)


def test_points_that_crowd_with_small_weights_count_by_their_weights():
    """Half of the points doubled, each with half its weight: the same integral, the same factors."""
    early = TIMES < 2
    times, squares = np.concatenate([TIMES, TIMES[early]]), np.concatenate([SQUARES, SQUARES[early]])
    halved = np.where(early, 0.5, 1.0)
    weights = np.concatenate([halved, halved[early]])
    plain, crowded = causal_factors(TIMES, SQUARES, 1.0), causal_factors(times, squares, 1.0, weights=weights)
    np.testing.assert_allclose(crowded[: len(TIMES)], plain, rtol=1e-12)


def test_when_an_epsilon_has_done_its_work():
    assert not causal_satisfied(causal_factors(TIMES, SQUARES, 1.0))
    assert causal_satisfied(causal_factors(TIMES, 1e-3 * SQUARES, 1.0))
    assert causal_satisfied(causal_factors(TIMES, SQUARES, 0.0))
    epsilon = epsilon_for(float(SQUARES.mean()), 0.99)
    assert causal_satisfied(causal_factors(TIMES, SQUARES, epsilon))
    assert not causal_satisfied(causal_factors(TIMES, SQUARES, 1.2 * epsilon))
    assert epsilon_for(0.0, 0.5) == 0.0


def test_a_block_gets_points_with_causal_weights():
    weights = np.random.default_rng(0).uniform(0.5, 2.0, len(TIMES)) * np.where(TIMES < 2, 5.0, 1.0)
    points = causal(PointSet(POINTS.x, weights, None), 1, SQUARES, 1.0)
    np.testing.assert_array_equal(points.x, POINTS.x)
    np.testing.assert_allclose(points.weights, weights * causal_factors(TIMES, SQUARES, 1.0, weights=weights))


def test_empty_bins_and_a_single_instant_are_no_trouble():
    sparse = causal_factors(np.array([0.0, 0.15, 9.8, 10.0]), np.ones(4), 1.0, bins=100)
    assert np.all(np.isfinite(sparse))
    np.testing.assert_allclose(sparse, np.exp(-np.array([0, 0.25, 0.5, 0.75])))
    np.testing.assert_array_equal(causal_factors(np.zeros(3), np.ones(3), 1.0), np.ones(3))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros(3), np.zeros(4), 1.0), "one of each for every point"),
        ((np.zeros(0), np.zeros(0), 1.0), "one of each for every point"),
        ((np.zeros(3), np.zeros(3), -1.0), "epsilon >= 0"),
        ((np.zeros(3), np.zeros(3), np.inf), "epsilon >= 0"),
        ((np.zeros(3), np.zeros(3), 1.0, 0), "bins >= 1"),
        ((np.zeros(3), np.array([0.0, np.nan, 0.0]), 1.0), "not finite at some times; check"),
    ],
)
def test_mistakes(arguments, message):
    with pytest.raises(ProblemError, match=message):
        causal_factors(*arguments)
    with pytest.raises(ProblemError, match="above 0 and at most 1"):
        epsilon_for(1.0, 0.0)
