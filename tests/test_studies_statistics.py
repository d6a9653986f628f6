"""Quartiles, exponents, plateaus, thresholds and readings of traces, on data whose answers are known."""

import math

import numpy as np
import pytest

from kanpde.studies.statistics import at_time, exponent, first_below, plateau_from, quartiles, threshold


def law(power: float, factor: float = 1.0, sizes: tuple[float, ...] = (4, 8, 16, 32)) -> list[tuple[float, float]]:
    return [(n, factor * n**power) for n in sizes]


def test_quartiles_of_what_is_finite() -> None:
    found = quartiles([1.0, None, 3.0, float("nan"), 2.0, float("inf")])
    assert found is not None
    assert (found.low, found.median, found.high, found.count) == (1.5, 2.0, 2.5, 3)
    assert quartiles([None, float("nan")]) is None


@pytest.mark.parametrize("power", [-4.0, -6.5, 2.0])
def test_exponent_of_a_law(power: float) -> None:
    found = exponent([law(power), law(power, 3.0), law(power, 0.1)])
    assert found is not None
    assert found.value == pytest.approx(power)
    assert found.low == pytest.approx(power)
    assert (found.seeds, found.points, found.plateau) == (3, 4, None)


def test_interval_covers_the_mean_of_seeds() -> None:
    """Student's t with two degrees of freedom, 4.303, on the slopes −3, −4, −5."""
    found = exponent([law(-3), law(-4), law(-5)])
    assert found is not None
    half = 4.302652730 * 1.0 / math.sqrt(3)
    assert (found.low, found.high) == (pytest.approx(-4 - half), pytest.approx(-4 + half))
    assert found.text == f"-4.00 ({-4 - half:.2f} to {-4 + half:.2f})"


def test_one_seed_has_the_interval_of_its_points() -> None:
    generator = np.random.default_rng(0)
    noisy = [(n, y * 10 ** generator.normal(0, 0.05)) for n, y in law(-4, sizes=(4, 8, 16, 32, 64))]
    found = exponent([noisy])
    assert found is not None
    assert found.low < found.value < found.high
    assert found.low < -4 < found.high


def test_plateau_is_left_out() -> None:
    line = [*law(-4), (64, 32**-4.0 * 0.97), (128, 32**-4.0)]
    found = exponent([line, [(n, 2 * y) for n, y in line]])
    assert found is not None
    assert found.value == pytest.approx(-4)
    assert found.points == 4
    assert found.plateau == pytest.approx(1.5 * 32**-4.0, rel=0.02)


def test_no_plateau_in_what_still_falls() -> None:
    assert plateau_from(law(-2)) is None
    assert plateau_from([(1, 1.0), (2, 0.1)]) is None


def test_values_that_no_logarithm_has_do_not_count() -> None:
    found = exponent([[*law(-3), (64, 0.0), (128, float("nan"))]])
    assert found is not None
    assert found.value == pytest.approx(-3)
    assert exponent([[(4, 1.0)], []]) is None


def test_threshold_where_the_error_turns() -> None:
    line = [(50, 1e-2), (100, 1e-4), (180, 1e-5), (300, 3e-4), (600, 1e-1)]
    found = threshold(line, rows=200)
    assert found is not None
    assert (found.parameters, found.error) == (180, 1e-5)
    assert found.density == pytest.approx(200 / 180)
    assert found.rise == pytest.approx(1e4)
    assert threshold(line[:3], rows=200) is None
    assert threshold([(1, 1.0)], rows=10) is None


TRACE = {"seconds": [0.1, 1.0, 2.0, 4.0], "relative_l2": [1.0, 1e-3, 5e-2, 1e-4]}


def test_first_below_stays_below() -> None:
    assert first_below(TRACE, 1e-2) == 4.0
    assert first_below(TRACE, 0.1) == 1.0
    assert first_below(TRACE, 1e-6) is None
    assert first_below({"seconds": [1.0], "relative_l2": [float("nan")]}, 1.0) is None


def test_error_at_a_time() -> None:
    assert at_time(TRACE, 0.05) is None
    assert at_time(TRACE, 1.0) == 1e-3
    assert at_time(TRACE, 3.9) == 5e-2
    assert at_time(TRACE, 100.0) == 1e-4
