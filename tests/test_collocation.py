"""Collocation: weights that sum to the measure, points that lie in their region, quadrature rates, seeds."""

import numpy as np
import pytest
import sympy as sp

import kanpde as kp
from kanpde.collocation import RULES, collocate, unit_points
from kanpde.errors import ProblemError

x, y, z, t = sp.symbols("x y z t", real=True)
SQUARE = kp.Box({x: (-1, 1), y: (0, 3)})
CUBE = kp.Box({x: (0, 1), y: (0, 2), z: (-1, 1)})
STRING = kp.Box({x: (0, 2)}) * kp.Time(t, (0, 1))
REGIONS = {
    "square": (SQUARE.interior, 6.0),
    "edges": (SQUARE.boundary, 10.0),
    "side": (SQUARE.lower(x), 3.0),
    "half a side": (SQUARE.lower(x).where(y < 1), 1.0),
    "two sides": (SQUARE.lower(x) | SQUARE.upper(y), 5.0),
    "faces": (CUBE.boundary, 16.0),
    "line": (kp.Box({x: (0, 2)}).interior, 2.0),
    "ends": (kp.Box({x: (0, 2)}).boundary, 2.0),
    "string, ends": (STRING.boundary, 2.0),
    "string, start": (STRING.initial, 2.0),
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", REGIONS)
def test_points_lie_in_the_region_and_weights_sum_to_its_measure(name, rule):
    region, measure = REGIONS[name]
    points = collocate(region, 64, rule, seed=1)
    assert points.weights.sum() == pytest.approx(measure, rel=1e-12)
    assert np.all(points.weights > 0)
    assert len(points) == len(points.weights) == len(points.x)
    on_some_piece = np.any([piece.contains(points.x) for piece in region.pieces()], axis=0)
    assert np.all(on_some_piece)


@pytest.mark.parametrize("rule", RULES)
def test_counts_are_near_what_was_asked(rule):
    points = collocate(SQUARE.boundary, 100, rule)
    assert 95 <= len(points) <= 110
    assert 200 <= len(collocate(SQUARE.interior, 200, rule)) <= 225


def test_pieces_share_points_by_their_measure():
    points = collocate(SQUARE.boundary, 100, "uniform")
    assert np.sum(points.x[:, 0] == -1) == 30
    assert np.sum(points.x[:, 1] == 0) == 20
    tiny = kp.Box({x: (0, 1e-6), y: (0, 1)})
    few = collocate(tiny.boundary, 10)
    assert np.sum(few.x[:, 1] == 1) == 1  # at least one each


def test_normals_point_outwards():
    points = collocate(SQUARE.boundary, 40)
    centre = np.array([0.0, 1.5])
    assert np.all(np.sum(points.normals * (points.x - centre), axis=1) > 0)
    np.testing.assert_allclose(np.linalg.norm(points.normals, axis=1), 1.0)
    assert collocate(SQUARE.interior, 40).normals is None
    assert collocate(STRING.boundary, 10).normals.shape[1] == 1  # of space alone


def integral(points):
    return float(points.weights @ np.exp(points.x @ np.array([1.0, -0.5])))


EXACT = (np.e - 1 / np.e) * 2 * (1 - np.exp(-1.5))


def error(rule, count):
    """The root mean square over seeds of the error of ∫ exp(x − y/2)."""
    seeds = range(12) if rule in ("sobol", "latin", "uniform") else (0,)
    return np.sqrt(np.mean([(integral(collocate(SQUARE.interior, count, rule, s)) - EXACT) ** 2 for s in seeds]))


@pytest.mark.parametrize(
    ("rule", "low", "high"), [("uniform", 0.25, 0.75), ("latin", 0.3, 1.3), ("sobol", 0.85, 2.2), ("grid", 0.95, 1.05)]
)
def test_quadrature_rates(rule, low, high):
    """Monte Carlo N^-1/2, Sobol' near N^-1 or better, midpoints h² = N^-1 in two dimensions."""
    rate = np.log(error(rule, 64) / error(rule, 4096)) / np.log(64)
    assert low < rate < high


def test_gauss_points_are_spectral():
    assert error("gauss", 9) > 1e-4
    assert error("gauss", 144) < 1e-13


def test_seeds_name_points():
    for rule in ("sobol", "latin", "uniform"):
        one, again, other = (collocate(SQUARE.boundary, 32, rule, seed).x for seed in (1, 1, 2))
        assert np.array_equal(one, again)
        assert not np.array_equal(one, other)
    first, second = collocate(SQUARE.boundary, 60, seed=0).x.reshape(-1, 2)[[0, -1]]
    assert not np.allclose(first, second)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_unit_points_are_inside_the_cube(rule, dimension):
    points, weights = unit_points(rule, 64, dimension, np.random.default_rng(0))
    assert points.shape == (64, dimension)
    assert weights.sum() == pytest.approx(1.0)
    assert points.min() >= 0
    assert points.max() <= 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((SQUARE.interior, 10, "halton"), "no sampling rule"),
        ((SQUARE.interior, 0), "above 0"),
        ((SQUARE.interior.where(x < -5), 10), "region|points"),
    ],
)
def test_mistakes(arguments, message):
    with pytest.raises(ProblemError, match=message):
        collocate(*arguments)
