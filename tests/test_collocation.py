"""Collocation: weights that sum to the measure, points that lie in their region, quadrature rates, seeds."""

import numpy as np
import pytest
import sympy as sp

import kanpde as kp
from kanpde.collocation import (
    RULES,
    collocate,
    guarded,
    most_intervals,
    span_counts,
    stream,
    supported_intervals,
    unit_points,
    validation,
)
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


@pytest.mark.parametrize(
    "region", [SQUARE.interior, SQUARE.boundary, STRING.interior], ids=["square", "edges", "string"]
)
def test_validation_points_are_none_that_training_uses(region):
    """Not even those of another seed: NumPy takes (1, 0) for 1, so a stream's number must not stand first."""
    new = validation(region, 64, 0)
    assert new.weights.sum() == pytest.approx(region.measure)
    assert region.contains(new.x).all()
    np.testing.assert_array_equal(new.x, validation(region, 64, 0).x)
    assert not np.array_equal(new.x, validation(region, 64, 1).x)
    drawn = [collocate(region, 64, "sobol", seed).x for seed in range(12)]
    others = [x for x in [*drawn, validation(region, 64, 1).x] if len(np.unique(x[:, 0])) > 10]
    inner = (new.x[:, 0] > new.x[:, 0].min()) & (new.x[:, 0] < new.x[:, 0].max())
    assert not np.isin(new.x[inner, 0], np.concatenate(others)[:, 0]).any()


def test_streams_are_apart():
    first = [
        np.random.default_rng(s).random() for s in (*range(6), *(stream(s, n) for s in range(6) for n in range(1, 6)))
    ]
    assert len(set(first)) == 36
    assert stream(stream(3, 1), 2) == (3, 1, 2)


def test_spans_are_counted():
    points = np.array([[0.0, 0.5], [0.1, 0.9], [0.5, 0.2], [1.0, 7.0]])
    counts = span_counts(points, [np.array([0.0, 0.1, 0.5, 1.0]), np.array([0.0, 0.5, 1.0])])
    assert [c.tolist() for c in counts] == [[1, 1, 2], [1, 2]]
    assert [c.tolist() for c in span_counts(points, [None, np.array([0, 10])])] == [[], [4]]


# Knots that crowd at x = 0.2, in spans down to a thousandth of the side; even ones in y.
CROWDED = [np.concatenate([[-1.0], 0.2 + np.linspace(-0.004, 0.004, 9), [1.0]]), np.linspace(0, 3, 21)]


@pytest.mark.parametrize("least", [1, 3, 8])
def test_the_guard_fills_every_span(least):
    points = collocate(SQUARE.interior, 150, seed=2)
    assert min(c.min() for c in span_counts(points.x, CROWDED)) == 0
    filled = guarded(points, SQUARE.interior, CROWDED, least, seed=1)
    assert min(c.min() for c in span_counts(filled.x, CROWDED)) >= least
    np.testing.assert_array_equal(filled.x[:150], points.x)
    assert filled.weights.sum() == pytest.approx(6.0, rel=1e-12)
    assert np.all(filled.weights > 0)
    assert SQUARE.interior.contains(filled.x).all()
    again = guarded(points, SQUARE.interior, CROWDED, least, seed=1)
    np.testing.assert_array_equal(again.x, filled.x)
    assert not np.array_equal(guarded(points, SQUARE.interior, CROWDED, least, seed=2).x, filled.x)


def test_the_guard_leaves_alone_what_needs_none():
    points = collocate(SQUARE.interior, 150, seed=2)
    assert guarded(points, SQUARE.interior, [None, np.linspace(0, 3, 11)]) is points


def test_integrals_stay_right_when_spans_are_filled():
    """Without new weights, the 24 points added to the steep place would count ten times too much."""
    errors = []
    for seed in range(16):
        points = guarded(collocate(SQUARE.interior, 150, "sobol", seed), SQUARE.interior, [CROWDED[0], None], 3, seed)
        inside = np.abs(points.x[:, 0] - 0.2) < 0.004
        errors.append([integral(points) / EXACT - 1, points.weights[inside].sum() / 0.024 - 1])
    assert np.all(np.abs(np.mean(errors, axis=0)) < (0.01, 0.2))
    assert np.std(errors, axis=0)[0] < 0.02


def test_a_span_filled_by_chance_has_about_its_weight():
    """Random points, three to be expected in each of thirty spans: the worst case of the guard, a factor of two."""
    breaks, errors, share = np.linspace(-1, 1, 31), [], 6 / 30
    for seed in range(12):
        points = collocate(SQUARE.interior, 90, "uniform", seed)
        filled = guarded(points, SQUARE.interior, [breaks, None], 3, seed)
        errors.append(integral(filled) / EXACT - 1)
        low = span_counts(points.x, [breaks, None])[0] < 3
        masses = np.histogram(filled.x[:, 0], breaks, weights=filled.weights)[0][low]
        assert np.all((masses > 0.35 * share) & (masses < 1.2 * share))
    assert abs(np.mean(errors)) < 4 * np.std(errors) / np.sqrt(12)


@pytest.mark.parametrize("name", ["edges", "half a side", "faces", "string, ends", "string, start"])
def test_the_guard_works_on_every_region(name):
    """Spans that a region reaches are filled, on the side where it has no extent or does not go there none."""
    region, measure = REGIONS[name]
    low, high = region.domain.bounds.T
    spans = [np.linspace(a, b, 9) for a, b in zip(low, high, strict=True)]
    filled = guarded(collocate(region, 8, seed=1), region, spans, 2)
    assert filled.weights.sum() == pytest.approx(measure)
    assert region.contains(filled.x).all()
    assert filled.normals is None or filled.normals.shape[0] == len(filled)
    for axis, counts in enumerate(span_counts(filled.x, spans)):
        pieces = [p for p in region.pieces() if p.lower[axis] < p.upper[axis]]
        middles = 0.5 * (spans[axis][1:] + spans[axis][:-1])
        reached = [any(p.lower[axis] < m < p.upper[axis] for p in pieces) for m in middles]
        assert np.all(counts[reached] >= 2)


def test_the_guard_on_a_disk_for_some_time():
    domain = kp.Disk((x, y), (0, 0), 1) * kp.Time(t, (0, 1))
    for region in (domain.interior, domain.boundary):
        spans = [np.array([-1, -0.99, 0, 0.5, 1.0]), None, np.array([0, 1e-3, 1.0])]
        filled = guarded(collocate(region, 30, seed=0), region, spans)
        assert min(c.min(initial=3) for c in span_counts(filled.x, spans)) >= 3
        assert filled.weights.sum() == pytest.approx(region.measure)
        assert region.contains(filled.x).all()


@pytest.mark.parametrize("least", [1, 3])
def test_intervals_that_points_support(least):
    """However an interval of that width lies, it has enough points; hardly wider ones do not."""
    points = collocate(SQUARE.interior, 300, seed=4)
    bounds = SQUARE.bounds
    for axis, intervals in enumerate(supported_intervals(points.x, bounds, least)):
        low, high = bounds[axis]
        for width, enough in (((high - low) / intervals, True), ((high - low) / (intervals + 1), False)):
            starts = np.concatenate([np.linspace(low, high - width, 20000), points.x[:, axis] + 1e-9])
            line = np.sort(points.x[:, axis])
            starts = starts[starts <= high - width]
            inside = np.searchsorted(line, starts + width) - np.searchsorted(line, starts)
            assert (inside.min() >= least) == enough
        assert intervals >= most_intervals(300, least)


def test_points_are_too_few_for_any_interval():
    assert supported_intervals(np.zeros((2, 1)), np.array([[-1.0, 1.0]]), 3).tolist() == [0]
    assert supported_intervals(np.array([[-0.1], [0.0], [0.1]]), np.array([[-1.0, 1.0]]), 3).tolist() == [1]
    assert most_intervals(2) == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: span_counts(p.x, [None]), "1 axes with knot spans for 2 coordinates; give None"),
        (lambda p: span_counts(p.x, [np.array([0.0, 1.0, 0.5]), None]), "axis 0 do not increase: .*sort them"),
        (lambda p: span_counts(p.x, [None, np.array([1.0])]), "axis 1"),
        (lambda p: guarded(p, SQUARE.interior, [None, None], 0), "ask for 1 or more"),
    ],
)
def test_mistakes_about_spans(call, message):
    with pytest.raises(ProblemError, match=message):
        call(collocate(SQUARE.interior, 10))
