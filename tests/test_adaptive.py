"""Points that follow the residual: integrals stay right, points go where they should, and too few are found out."""

import numpy as np
import pytest
import sympy as sp

import kanpde as kp
from kanpde import sampling
from kanpde.adaptive import (
    ADAPTIVE_RULES,
    Chances,
    Density,
    adapted,
    foreseen,
    generalisation,
    overfitted,
    sizes_at,
)
from kanpde.collocation import PointSet, collocate, validation
from kanpde.errors import ProblemError

x, y, t = sp.symbols("x y t", real=True)
SQUARE = kp.Box({x: (-1, 1), y: (-1, 1)}).interior
DISK = kp.Disk((x, y), (0, 0), 1)
STRING = kp.Box({x: (0, 1)}) * kp.Time(t, (0, 2))
PEAK, WIDTH = np.array([0.3, -0.2]), 0.1
SEEDS = range(48)


def peak(points):
    """|F|: a narrow bump on a small plateau."""
    return 1e-3 + np.exp(-np.sum((points.x - PEAK) ** 2, axis=1) / (2 * WIDTH**2))


def smooth(points):
    return np.exp(points.x @ np.array([1.0, -0.5]))


SMOOTH = (np.e - 1 / np.e) * 2 * (np.exp(0.5) - np.exp(-0.5))


def integral(points, function):
    return float(points.weights @ function(points))


def drawn(rule, count, seed, rounds=3):
    """Points after some rounds, each from the one before."""
    points = None
    for k in range(rounds):
        part = count if rule != "rar-d" else count * (k + 1) // rounds
        points = adapted(SQUARE, part, peak, rule, points, 1000 * seed + k)
    return points


def relative_errors(rule, count, function=smooth, exact=SMOOTH, rounds=3):
    return np.array([integral(drawn(rule, count, seed, rounds), function) / exact - 1 for seed in SEEDS])


@pytest.mark.parametrize("rule", ADAPTIVE_RULES)
@pytest.mark.parametrize("rounds", [1, 4])
def test_integrals_stay_right_within_their_sampling_error(rule, rounds):
    """The mean over seeds is the integral, whatever the points follow and however often they were adapted."""
    errors = relative_errors(rule, 96, rounds=rounds)
    assert abs(errors.mean()) < 4 * errors.std() / np.sqrt(len(SEEDS))
    assert errors.std() < 0.06  # as large a sample as that: a bias could hide in a wider spread


@pytest.mark.parametrize("rule", ADAPTIVE_RULES)
def test_sampling_errors_fall_at_least_like_those_of_random_points(rule):
    rms = [np.sqrt(np.mean(relative_errors(rule, n) ** 2)) for n in (64, 1024)]
    assert 0.4 < np.log(rms[0] / rms[1]) / np.log(16) < 1.6


@pytest.mark.parametrize("rule", ADAPTIVE_RULES)
def test_the_integral_of_the_residual_is_more_exact_than_with_even_points(rule):
    """That is what the points are moved for."""
    exact = integral(collocate(SQUARE, 4**8, "gauss"), lambda p: peak(p) ** 2)
    adaptive = relative_errors(rule, 128, lambda p: peak(p) ** 2, exact)
    even = [integral(collocate(SQUARE, 128, seed=s), lambda p: peak(p) ** 2) / exact - 1 for s in SEEDS]
    assert np.sqrt(np.mean(adaptive**2)) < 0.5 * np.std(even)


@pytest.mark.parametrize("rule", ADAPTIVE_RULES)
@pytest.mark.parametrize(
    "region",
    [SQUARE, DISK.interior, DISK.boundary, STRING.interior, STRING.boundary, STRING.initial],
    ids=["square", "disk", "circle", "string", "ends", "start"],
)
def test_points_lie_in_every_region_and_weights_sum_to_its_measure(rule, region):
    points = adapted(region, 100, lambda p: np.exp(3 * p.x[:, 0]), rule, seed=1)
    assert len(points) == 100
    assert points.weights.sum() == pytest.approx(region.measure, rel=1e-12)
    assert np.all(points.weights > 0)
    assert region.contains(points.x).all()
    assert len(np.unique(points.x, axis=0)) == 100
    even = collocate(region, 100)
    assert (points.normals is None) == (even.normals is None)
    assert points.normals is None or points.normals.shape == even.normals.shape


@pytest.mark.parametrize("rule", ADAPTIVE_RULES)
def test_the_residual_may_depend_on_normals(rule):
    """On a disk's boundary |F| = 1 + n_x follows the normal, so most points lie on the right."""
    points = adapted(DISK.boundary, 200, lambda p: 1.0 + p.normals[:, 0], rule, seed=0)
    np.testing.assert_allclose(points.normals, points.x, atol=1e-12)
    assert np.mean(points.x[:, 0] > 0) > 0.55


def near(points, radius=2.5 * WIDTH):
    return np.sum((points.x - PEAK) ** 2, axis=1) < radius**2


@pytest.mark.parametrize("rule", ADAPTIVE_RULES)
def test_points_gather_at_the_peak(rule):
    even = np.mean(near(collocate(SQUARE, 512)))
    share = np.mean(near(drawn(rule, 512, 0)))
    assert share > 3 * even


def test_the_density_is_that_of_the_paper():
    """Shares of RAD's points in rings against the integral of |F|^k / mean |F|^k + c; k and c do as they should."""
    grid = collocate(SQUARE, 4**8, "grid")
    for density in (Density(candidates=64), Density(2.0, 0.5, candidates=128), Density(0.5, 2.0, candidates=16)):
        power = peak(grid) ** density.exponent
        q = power / power.mean() + density.floor
        assert (q / q.mean()).max() < density.candidates
        inside = near(grid)
        found = [near(adapted(SQUARE, 512, peak, seed=s, density=density)).mean() for s in range(8)]
        assert np.mean(found) == pytest.approx((q * inside).sum() / q.sum(), rel=0.05)


def test_rules_keep_what_they_promise_to_keep():
    old = collocate(SQUARE, 100, seed=5)
    added = adapted(SQUARE, 150, peak, "rar-d", old, 1)
    np.testing.assert_array_equal(added.x[:100], old.x)
    retained = adapted(SQUARE, 100, peak, "r3", old, 1)
    large = peak(old) > peak(old).mean()
    np.testing.assert_array_equal(retained.x[: large.sum()], old.x[large])
    fresh = adapted(SQUARE, 100, peak, "rad", old, 1)
    assert not np.isin(fresh.x[:, 0], old.x[:, 0]).any()


def test_balance_heuristic_where_the_earlier_points_are_even():
    """RAR-D: every weight is 1/(n ρ + m π), the density of the mixture, at old points and at new ones alike."""
    old = collocate(SQUARE, 128, seed=5)
    points = adapted(SQUARE, 256, lambda p: np.exp(p.x[:, 0]), "rar-d", old, 1)
    order = np.argsort(points.x[:, 0])
    fitted = np.polyfit(np.exp(points.x[:, 0]), 1 / points.weights, 1)
    np.testing.assert_allclose(np.polyval(fitted, np.exp(points.x[:, 0])), 1 / points.weights, rtol=1e-9)
    assert np.all(np.diff(points.weights[order]) <= 1e-12)


def test_where_the_residual_is_even_so_are_the_weights():
    flat = adapted(SQUARE, 100, lambda p: np.full(len(p), 2.0), "rad", seed=0)
    np.testing.assert_allclose(flat.weights, 0.04)
    zero = adapted(SQUARE, 100, lambda p: np.zeros(len(p)), "rad", seed=0)
    np.testing.assert_allclose(zero.weights, 0.04)
    none_above = adapted(SQUARE, 100, lambda p: np.ones(len(p)), "r3", collocate(SQUARE, 100), 3)
    np.testing.assert_allclose(none_above.weights, 0.04)


def test_points_that_were_moved_stay_moved():
    """Drawn together towards x = −1 by x → 2 u² − 1, the points keep that density where |F| is even."""

    def moved(points):
        u = (points.x[:, 0] + 1) / 2
        return PointSet(
            np.stack([2 * u**2 - 1, points.x[:, 1]], axis=1), points.weights * np.maximum(2 * u, 1e-12), None
        )

    for rule in ADAPTIVE_RULES:
        several = [
            adapted(SQUARE, 256, lambda p: 1.0 + 0.5 * (p.x[:, 1] > 0), rule, seed=s, moved=moved) for s in SEEDS
        ]
        shares = [np.mean(p.x[:, 0] < 0) for p in several]
        assert np.mean(shares) == pytest.approx(np.sqrt(0.5), abs=0.02)
        errors = np.array([integral(p, smooth) / SMOOTH - 1 for p in several])
        assert abs(errors.mean()) < 4 * errors.std() / np.sqrt(len(SEEDS))


@pytest.mark.parametrize("rule", ADAPTIVE_RULES)
def test_seeds_name_points(rule):
    one, again, other = (drawn(rule, 64, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.x, again.x)
    np.testing.assert_array_equal(one.weights, again.weights)
    assert not np.isin(other.x[:, 0], one.x[:, 0]).any()


@pytest.mark.parametrize("rule", ADAPTIVE_RULES)
def test_ends_of_a_line_are_what_they_are(rule):
    ends = adapted(kp.Box({x: (0, 2)}).boundary, 10, lambda p: p.x[:, 0], rule)
    assert ends.x.ravel().tolist() == [0, 2]
    assert ends.weights.tolist() == [1, 1]


@pytest.mark.parametrize("count", [1, 7, 50, 199, 200, 300])
def test_probabilities_sum_to_the_count(count):
    sizes = np.random.default_rng(0).uniform(size=200) ** 12
    chances = Chances.of(Density(2.0, 0.1), sizes, count)(sizes)
    assert chances.sum() == pytest.approx(min(count, 200), rel=1e-12)
    assert np.all((chances > 0) & (chances <= 1))
    below = chances < 1
    scores = Chances.of(Density(2.0, 0.1), sizes, count).scores(sizes)
    ratios = chances[below] / scores[below]
    assert count >= 200 or np.ptp(ratios) <= 1e-12 * ratios.max()


def test_systematic_samples_have_exactly_their_probabilities():
    """Frequencies over many samples; never a repetition; what is certain is always there."""
    generator = np.random.default_rng(3)
    probabilities = np.array([1.0, 0.1, 0.7, 0.05, 0.15, 1.0, 0.6, 0.4])
    counts = np.zeros(8)
    for _ in range(4000):
        chosen = sampling.systematic(probabilities, generator)
        assert len(set(chosen.tolist())) == 4
        counts[chosen] += 1
    deviation = np.sqrt(probabilities * (1 - probabilities) / 4000)
    assert np.all(np.abs(counts / 4000 - probabilities) <= 4 * deviation)


@pytest.mark.parametrize("dimension", [1, 2, 3, 6])
def test_neighbours_on_the_curve_are_neighbours_in_space(dimension):
    points = np.random.default_rng(1).uniform(-3, 5, (2000, dimension))
    order = sampling.curve_order(points)
    assert sorted(order.tolist()) == list(range(2000))

    def step(p):
        return np.median(np.linalg.norm(np.diff(p, axis=0), axis=1))

    assert step(points[order]) < {1: 0.01, 2: 0.05, 3: 0.2, 6: 0.75}[dimension] * step(points)
    if dimension == 1:
        assert np.all(np.diff(points[order, 0]) >= -1e-5)


def test_a_curve_through_points_of_a_plane_in_space():
    """A fixed coordinate has no extent."""
    points = np.concatenate([np.zeros((50, 1)), np.random.default_rng(1).random((50, 2))], axis=1)
    assert sorted(sampling.curve_order(points).tolist()) == list(range(50))


def test_too_few_points_are_found_out():
    """A polynomial through as many points as it has coefficients, against one with ten times the points."""

    def squares(fit, points):
        return (np.polyval(fit, points.x[:, 0]) - np.abs(points.x[:, 0])) ** 2, points.weights

    line = kp.Box({x: (-1, 1)}).interior
    new = validation(line, 400, 0)
    for count, expected in ((18, True), (180, False)):
        points = collocate(line, count, seed=0)
        fit = np.polyfit(points.x[:, 0], np.abs(points.x[:, 0]), 15)
        assert overfitted(squares(fit, points), squares(fit, new), 2.0) == expected


def test_noise_is_not_called_overfitting():
    """Training and validation points of one kind: ln ratio has the standard error that is claimed."""
    generator = np.random.default_rng(0)

    def sample(n):
        return generator.normal(size=n) ** 2, generator.uniform(0.5, 1.5, n)

    pairs = [(sample(300), sample(200)) for _ in range(600)]
    ratios = [generalisation(*pair) for pair in pairs]
    z = np.array([np.log(r.ratio) / r.spread for r in ratios])
    assert z.std() == pytest.approx(1.0, abs=0.1)
    assert 0.005 < np.mean([overfitted(*pair, 1.0) for pair in pairs]) < 0.05


def test_the_ratio_that_a_good_fit_has():
    """Least squares on noise: sqrt((N + P)/(N − P)) in the mean over many fits."""
    generator, rows, parameters = np.random.default_rng(0), 60, 20
    squares = np.zeros(2)
    for _ in range(300):
        matrix, new = generator.normal(size=(2, rows, parameters))
        noise, other = generator.normal(size=(2, rows))
        fit = np.linalg.lstsq(matrix, noise, rcond=None)[0]
        squares += np.sum((matrix @ fit - noise) ** 2), np.sum((new @ fit - other) ** 2)
    # A random matrix of so few rows overshoots: N (N − 1)/(N − P − 1)/(N − P) instead of (N + P)/(N − P).
    assert np.sqrt(squares[1] / squares[0]) == pytest.approx(foreseen(rows, parameters), rel=0.15)
    assert foreseen(20, 20) == np.inf


def test_ratios_without_a_residual():
    zero, one = (np.zeros(4), np.ones(4)), (np.ones(4), np.ones(4))
    assert generalisation(zero, zero).ratio == 1.0
    assert generalisation(zero, one).ratio == np.inf
    assert generalisation(one, zero).ratio == 0.0
    assert overfitted(zero, one, 10.0)
    assert not overfitted(one, one, 1.0)


def test_weights_count_in_the_ratio():
    """Points in two halves with twice as many in one, weighted so that both halves count alike."""
    training = np.array([1.0, 1.0, 4.0]), np.array([0.5, 0.5, 1.0])
    other = np.array([1.0, 4.0]), np.array([1.0, 1.0])
    assert generalisation(training, other).ratio == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: adapted(SQUARE, 10, peak, "greedy"), "use one of rad, rar-d, r3"),
        (lambda: adapted(SQUARE, 0, peak), "must be above 0"),
        (lambda: adapted(SQUARE, 50, peak, "rar-d", collocate(SQUARE, 50)), "ask for more points, or use rad"),
        (lambda: adapted(SQUARE, 5, peak, "r3", collocate(SQUARE, 500)), "ask for more points"),
        (lambda: adapted(SQUARE, 10, lambda p: p.x), r"\(80, 2\) for 80 points; return one"),
        (lambda: adapted(SQUARE, 10, lambda p: p.x[:, 0]), "return |F|"),
        (lambda: adapted(SQUARE, 10, lambda p: np.full(len(p), np.nan)), "is nan at .*check the equation"),
        (lambda: sizes_at(collocate(SQUARE, 4), lambda p: np.full(len(p), np.inf)), "is inf at"),
        (lambda: Density(floor=0.0), "floor > 0"),
        (lambda: Density(exponent=-1.0), "exponent >= 0"),
        (lambda: Density(candidates=1), "candidates >= 2"),
    ],
)
def test_mistakes(call, message):
    with pytest.raises(ProblemError, match=message):
        call()
