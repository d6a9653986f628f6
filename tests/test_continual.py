"""Continual learning: local bases keep what they learnt, global ones do not, and rows say so."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.interpolate import BSpline as ScipySpline

from kanpde.errors import ProblemError
from kanpde.estimate import TrainedField
from kanpde.lifting import impose
from kanpde.network import KAN
from kanpde.optim import Status
from kanpde.studies import continual
from kanpde.studies.continual import CENTRES, Continual, continual_section, continual_trials
from kanpde.studies.page import Plot, Table

LOCAL = Continual("kan", "bspline", 3, 200, (1, 1), None, "lm", seed=0, iterations=8)
GLOBAL = replace(LOCAL, basis="chebyshev", degree=202, intervals=1)
KEYS = {"errors", "retained", "forgotten", "parameters", "seconds", "status"}


@pytest.fixture(scope="module")
def rows() -> list[dict]:
    return [trial.values | trial.perform() for trial in (LOCAL, GLOBAL, replace(GLOBAL, seed=1))]


def test_a_local_basis_keeps_its_peaks(rows: list[dict]) -> None:
    errors = np.array(rows[0]["errors"])
    assert rows[0]["retained"] < 2e-5
    assert 0 <= rows[0]["forgotten"] < 1e-7
    assert np.diag(errors).max() < 2e-5
    assert errors[0, 1:].min() > 0.1  # what has not been seen yet is not known


def test_a_global_basis_forgets(rows: list[dict]) -> None:
    for row in rows[1:]:
        assert row["forgotten"] > 0.05
        assert row["retained"] > 0.05
    assert np.array(rows[1]["errors"])[1, 1] < 1e-4  # it has learnt what it was shown


def test_a_base_function_makes_a_local_basis_forget() -> None:
    row = replace(LOCAL, base="silu").perform()
    assert row["parameters"] == 204
    assert row["forgotten"] > 0.05


@pytest.mark.parametrize("optimizer", ["lm", "adam"])
def test_coefficients_without_data_stay_where_they_are(optimizer: str) -> None:
    """To the last bit; the region has 40 of 200 intervals, where 43 splines live."""
    trial = replace(LOCAL, optimizer=optimizer)
    problem, network = continual.peaks(), trial.built()
    before = network.theta
    trial._learnt(continual.phase(problem, network, impose(problem), 1))
    moved = np.flatnonzero((network.theta != before).numpy())
    np.testing.assert_array_equal(moved, np.arange(40, 83))


def test_only_the_three_splines_across_a_border_disturb_the_neighbour() -> None:
    """Undo what the second phase did to them, and the first peak is as it was."""
    problem, network = continual.peaks(), LOCAL.built()
    ansatz = impose(problem)
    field = TrainedField(network, ansatz)
    for peak in (0, 1):
        first = network.theta
        LOCAL._learnt(continual.phase(problem, network, ansatz, peak))
    disturbed = continual.region_errors(problem, field)[0]
    theta = network.theta
    theta[40:43] = first[40:43]
    network.set_theta(theta)
    restored = continual.region_errors(problem, field)[0]
    network.set_theta(first)
    assert restored == continual.region_errors(problem, field)[0] != disturbed


def test_points_lie_inside_the_region_and_weigh_its_length() -> None:
    problem = continual.peaks()
    system = continual.phase(problem, LOCAL.built(), impose(problem), 3)
    (block,) = system.blocks
    x = block.points.x[:, 0]
    assert len(x) == 100
    np.testing.assert_allclose(np.diff(x), 0.004)
    assert x.mean() == pytest.approx(CENTRES[3])
    assert abs(x - CENTRES[3]).max() < 0.2
    assert block.points.weights.sum() == pytest.approx(0.4)


def test_the_peaks_are_five_gaussians() -> None:
    x = np.linspace(-1, 1, 41)
    expected = np.exp(-300 * (x[:, None] - np.linspace(-0.8, 0.8, 5)) ** 2).sum(axis=1)
    np.testing.assert_allclose(continual.peaks().exact_values(x[:, None])[:, 0], expected, atol=1e-15)


def test_the_best_spline_is_what_is_learnt() -> None:
    """A slow twin: SciPy's least squares on the same knots and points."""
    problem, network = continual.peaks(), LOCAL.built()
    ansatz = impose(problem)
    LOCAL._learnt(continual.phase(problem, network, ansatz, 2))
    h = 0.01
    knots, centre = -0.2 + h * np.arange(-3, 44), CENTRES[2]
    x = centre + 0.2 * (np.arange(100) + 0.5 - 50) / 50
    table = ScipySpline.design_matrix(x, knots, 3).toarray()
    best = np.linalg.lstsq(table, problem.exact_values(x[:, None])[:, 0], rcond=None)[0]
    fine = np.linspace(-0.199, 0.199, 301)
    found = TrainedField(network, ansatz).values(fine[:, None])[:, 0]
    np.testing.assert_allclose(found, ScipySpline(knots, best, 3)(fine), atol=1e-9)


def test_errors_are_relative_and_add_up() -> None:
    """A function that vanishes has the error 1 everywhere, and so have all regions together."""
    problem, network = continual.peaks(), LOCAL.built()
    network.set_theta(0 * network.theta)
    errors = continual.region_errors(problem, TrainedField(network, impose(problem)))
    np.testing.assert_allclose(errors, 1.0)
    assert continual.retained(problem, errors) == pytest.approx(1.0)
    assert continual.retained(problem, np.array([1.0, 0, 0, 0, 0])) == pytest.approx(math.sqrt(0.2), rel=1e-3)


def test_forgotten_is_the_largest_growth_since_a_peak_was_learnt() -> None:
    # Before it is learnt, a peak's error says nothing; what falls again later was forgotten meanwhile.
    errors = np.array([[0.1, 5.0, 9.0], [0.5, 0.2, 9.0], [0.3, 0.25, 0.1]])
    assert continual.forgotten(errors) == pytest.approx(0.4)
    assert continual.forgotten(errors[:1]) == 0.0
    assert continual.forgotten(np.array([[0.5, 1.0], [0.1, 0.1]])) == 0.0


def test_rows_are_plain_complete_and_reproducible(rows: list[dict]) -> None:
    assert rows[0].keys() == KEYS | LOCAL.values.keys()
    assert json.loads(json.dumps(rows[0])) == rows[0]
    assert rows[0]["status"] == "finished"
    assert rows[0]["parameters"] == rows[1]["parameters"] == 203
    assert np.shape(rows[0]["errors"]) == (5, 5)
    again = GLOBAL.perform()
    assert {k: v for k, v in again.items() if k != "seconds"} == {k: rows[1][k] for k in KEYS - {"seconds"}}
    assert rows[1]["errors"] != rows[2]["errors"]


def test_what_is_not_finite_is_a_row_with_its_status() -> None:
    class Broken(Continual):
        def built(self):
            network = super().built()
            network.set_theta(network.theta * float("nan"))
            return network

    row = Broken(**LOCAL.values | {"widths": (1, 1)}).perform()
    assert row["status"] == Status.NOT_FINITE.value
    assert len(row["errors"]) == 1
    assert math.isnan(row["retained"])


def test_trials_are_all_networks_with_both_optimisers() -> None:
    trials = continual_trials(2)
    assert len(set(trials)) == len(trials) == 28
    assert {t.optimizer for t in trials} == {"lm", "adam"}
    assert {t.basis for t in trials} == {"bspline", "chebyshev", "fourier", "rbf", "tanh"}
    assert {t.seed for t in trials} == {0, 1}
    sizes = {t.label: t.built().n_parameters for t in trials}
    assert len(sizes) == 7
    assert min(sizes.values()) > 190
    assert max(sizes.values()) < 240
    assert continual_trials(1) == [t for t in trials if t.seed == 0]


def test_networks_are_those_of_their_values() -> None:
    trial = Continual("kan", "bspline", 3, 20, (1, 5, 1), "silu", "lm", 3, 1)
    twin = KAN([1, 5, 1], "bspline", degree=3, intervals=20, seed=3, base="silu", bounds=[(-1, 1)])
    assert (trial.built().theta == twin.theta).all()
    assert trial.label == "B-splines 3, 20 intervals + silu [1, 5, 1]"
    assert continual_trials(1)[-1].label == "MLP [1, 12, 12, 1], tanh"


@pytest.mark.parametrize(
    ("change", "cure"),
    [
        ({"family": "tree"}, "use one of kan, mlp"),
        ({"optimizer": "sgd"}, "use one of lm"),
        ({"iterations": 0}, "give 1 or more"),
    ],
)
def test_what_means_nothing_is_refused(change: dict, cure: str) -> None:
    with pytest.raises(ProblemError, match=cure):
        replace(LOCAL, **change)


def section_rows() -> list[dict]:
    """Three starts of one network, one of which failed, and one of another."""
    errors = [[0.1, 1.0], [0.2, 0.1]]
    done = {
        "errors": errors,
        "retained": 0.3,
        "forgotten": 0.1,
        "parameters": 203,
        "seconds": 1.0,
        "status": "finished",
    }
    worse = done | {"errors": [[0.3, 1.0], [0.6, 0.1]], "retained": 0.5, "forgotten": 0.3}
    kept = done | {"errors": [[1e-5, 1.0], [1e-5, 1e-5]], "retained": 1e-5, "forgotten": 0.0}
    return [
        GLOBAL.values | done,
        replace(GLOBAL, seed=1).values | worse,
        replace(GLOBAL, seed=2).values | {"status": "failed: MemoryError"},
        replace(LOCAL, optimizer="adam").values | kept,
    ]


def test_the_section_has_medians_and_a_curve_for_each_network() -> None:
    section = continual_section(section_rows())
    table, *plots = section.items
    assert isinstance(table, Table)
    assert table.rows == (
        ("Chebyshev 202", "Gauss-Newton", 203, 0.4, 0.2, 0.3, 1.0, 2),
        ("B-splines 3, 200 intervals", "Adam", 203, 1e-5, 0.0, 0.0, 1.0, 1),
    )
    assert [plot.title for plot in plots] == ["The first peak, Gauss-Newton", "The first peak, Adam"]
    assert all(isinstance(plot, Plot) and plot.log == "y" for plot in plots)
    (curve,) = plots[0].curves
    assert curve.x == (1.0, 2.0)
    assert curve.y == pytest.approx((0.2, 0.4))
    assert curve.low == pytest.approx((0.15, 0.3))
    assert curve.high == pytest.approx((0.25, 0.5))
    assert any("kept in every run by: B-splines 3, 200 intervals (Adam)." in text for text in section.text)
    assert any("lost in part or whole by: Chebyshev 202 (Gauss-Newton)." in text for text in section.text)


def test_a_section_of_failures_alone_can_be_made() -> None:
    section = continual_section([row for row in section_rows() if "errors" not in row])
    assert section.items[0].rows == (("Chebyshev 202", "Gauss-Newton", None, None, None, None, None, 0),)
    assert section.items[1].curves[0].x == ()


def test_values_that_are_not_finite_are_not_kept() -> None:
    kept = section_rows()[-1]
    lost = kept | {"errors": [[math.nan, 1.0]], "retained": math.nan, "forgotten": math.nan}
    for rows in ([kept, lost], [lost, kept]):
        section = continual_section(rows)
        assert not any("kept" in text for text in section.text)
        assert math.isnan(section.items[0].rows[0][5])
        assert section.items[1].curves[0].y == (1e-5, 1e-5)
    assert math.isnan(continual.forgotten(np.array([[0.1, 1.0], [0.1, math.nan]])))
