"""One run of a study: what is measured on it, and that every network gets the same."""

from dataclasses import replace

import cases
import numpy as np
import pytest
import sympy as sp
import torch

import kanpde as kp
from kanpde.errors import ProblemError
from kanpde.estimate import TrainedField, relative_l2
from kanpde.studies import trial as trials
from kanpde.studies.cases import exact_case, reference_case
from kanpde.studies.conventional import Conventional, conventional_runs, differences
from kanpde.studies.meters import Clock, PeakMemory, latency, one_thread
from kanpde.studies.nets import Net, widened_to
from kanpde.studies.trial import Trial, finer

SMALL = Trial("poisson", "test", Net("kan", (3,), "chebyshev", resolution=6), points=200, seconds=60.0, iterations=6)


@pytest.fixture(scope="module")
def case():
    return exact_case(cases.load("poisson"))


@pytest.fixture(scope="module")
def row(case):
    return SMALL.perform(case)


def test_row_is_plain_and_whole(row) -> None:
    wanted = {"relative_l2", "relative_h1", "maximum", "residual", "parameters", "rows", "steps", "seconds_trained"}
    assert wanted | {"loss", "memory_mb", "latency_1", "latency_1k", "latency_1m", "status"} <= row.keys()
    assert all(isinstance(row[key], float | int) for key in wanted)
    assert (row["parameters"], row["rows"], row["steps"]) == (63, 200, 6)
    assert row["latency_1"] < row["latency_1m"]


def test_trace_has_the_first_and_the_last_state(row) -> None:
    trace = row["trace"]
    assert trace["steps"][0] == 0
    assert trace["steps"][-1] == 6
    assert trace["relative_l2"][-1] == row["relative_l2"]
    assert trace["loss"][-1] < trace["loss"][0]
    assert trace["seconds"] == sorted(trace["seconds"])


def test_same_values_same_result(case, row) -> None:
    again = replace(SMALL, answers=False).perform(case)
    assert again["relative_l2"] == row["relative_l2"]
    assert "latency_1" not in again
    assert replace(SMALL, seed=1, answers=False).perform(case)["relative_l2"] != row["relative_l2"]


def test_errors_are_those_of_the_estimate_module(case) -> None:
    """Relative L2 against the library's own; H1 against finite differences of the error."""
    problem = case.problem
    network = Net("kan", (3,), "chebyshev", resolution=6).built(2, 1, 0)
    field = TrainedField(trials.fitted(network, problem), trials.impose(problem))
    found = case.errors(field.jet)
    assert found.relative_l2 == pytest.approx(relative_l2(problem, field), rel=1e-12)
    h, energy, norm = 1e-5, 0.0, 0.0
    for step in ((h, 0.0), (0.0, h)):
        ahead, behind = case.points + step, case.points - step
        slope = (field.values(ahead) - field.values(behind)) / (2 * h)
        exact = (problem.exact_values(ahead) - problem.exact_values(behind)) / (2 * h)
        energy += float(case.weights @ np.square(slope - exact)[:, 0])
        norm += float(case.weights @ np.square(exact)[:, 0])
    values = problem.exact_values(case.points)[:, 0]
    size = float(case.weights @ values**2)
    assert found.relative_h1 == pytest.approx(np.sqrt((energy + found.relative_l2**2 * size) / (norm + size)), rel=1e-6)


def test_every_network_gets_the_same_points(case, monkeypatch) -> None:
    seen = []
    original = trials.blocks
    monkeypatch.setattr(trials, "blocks", lambda *args: seen.append(original(*args)) or seen[-1])
    for net in (SMALL.net, Net("mlp", (5, 5), "tanh", resolution=1), Net("kan", (3,), "bspline", 5, 4)):
        for optimizer in ("lm", "adam"):
            replace(SMALL, net=net, optimizer=optimizer, answers=False, iterations=1).perform(case)
    training = [blocks[0].points.x for blocks in seen if len(blocks[0].points) == 200]
    first, unseen = training[0], training[1]
    assert len(training) >= 12
    assert all(np.array_equal(x, first) or np.array_equal(x, unseen) for x in training)
    assert not np.array_equal(first, unseen)


def test_extension_leaves_a_result_at_each_level(case) -> None:
    net = Net("kan", (3,), "bspline", 5, 2)
    row = replace(SMALL, net=net, resolutions=(4, 8), answers=False).perform(case)
    stages = row["stages"]
    assert [s["resolution"] for s in stages] == [2, 4, 8]
    assert [s["parameters"] for s in stages] == [9 * (n + 5) for n in (2, 4, 8)]
    assert row["relative_l2"] == stages[-1]["relative_l2"] < stages[0]["relative_l2"]


def test_extension_keeps_the_function() -> None:
    network = Net("kan", (3,), "bspline", 3, 4).built(2, 1, 5)
    points = np.random.default_rng(0).uniform(-1, 1, (50, 2))
    x = torch.as_tensor(points)
    assert (finer(network, 8)(x) - network(x)).abs().max() < 1e-13
    mlp = Net("mlp", (4,), "tanh", resolution=1).built(2, 1, 0)
    assert finer(mlp, 8).n_parameters == mlp.n_parameters


@pytest.mark.parametrize("optimizer", ["lm", "ssbroyden", "lbfgs", "adam", "auto"])
def test_every_optimiser_lowers_the_loss(case, optimizer: str) -> None:
    row = replace(SMALL, optimizer=optimizer, answers=False, iterations=10).perform(case)
    assert row["loss"] < row["trace"]["loss"][0]


def test_soft_conditions_are_rows(case) -> None:
    row = replace(SMALL, exact=False, answers=False, iterations=1).perform(case)
    assert row["rows"] > 200


def test_time_ends_a_run(case) -> None:
    row = replace(SMALL, seconds=0.3, iterations=None, answers=False).perform(case)
    assert row["status"] == "time"
    assert 0.3 <= row["seconds_trained"] < 3.0


def test_noise_moves_the_target(case) -> None:
    quiet, loud = (replace(SMALL, noise=n, answers=False).perform(case)["relative_l2"] for n in (0.0, 50.0))
    assert loud > 3 * quiet


def test_edges_too_rough_for_the_equation_are_refused(case) -> None:
    with pytest.raises(ProblemError, match="Use degree >= 3"):
        replace(SMALL, net=Net("kan", (3,), "bspline", 2, 4)).perform(case)


def test_regression_has_no_order() -> None:
    x = sp.Symbol("x", real=True)
    u = sp.Function("u")(x)
    wave = kp.Problem(kp.Box({x: (-1, 1)}), sp.Eq(u, sp.sin(3 * x)), (), exact={u: sp.sin(3 * x)}, name="wave")
    net = Net("kan", (), "bspline", 1, 8)
    row = Trial("wave", "t", net, points=100, iterations=5, answers=False).perform(exact_case(wave))
    assert row["relative_l2"] < 0.05  # h²: the second derivative 9, intervals of a quarter
    assert row["parameters"] == 9


# ---- networks by values


@pytest.mark.parametrize("net", [Net("kan", (1,), "bspline", 5, 6), Net("multkan", (2, 2)), Net("mlp", (1, 1), "tanh")])
@pytest.mark.parametrize("parameters", [100, 300, 2000])
def test_widths_for_a_number_of_parameters(net: Net, parameters: int) -> None:
    found = widened_to(net, 2, 1, parameters)
    count = found.parameters(2, 1)
    others = [replace(found, hidden=tuple(w + step for w in found.hidden)) for step in (-1, 1)]
    near = [abs(o.parameters(2, 1) - parameters) for o in others if min(o.hidden) > 0]
    # A layer of sums and products grows by turns, so its count is not quite a quadratic of the width.
    assert abs(count - parameters) <= min(near) + 0.03 * parameters


def test_unknown_networks_are_refused() -> None:
    with pytest.raises(ProblemError, match="kan, multkan, mlp"):
        Net("transformer")
    with pytest.raises(ProblemError, match="bspline, chebyshev"):
        Net("kan", (3,), "tanh")
    with pytest.raises(ProblemError, match="tanh, sin"):
        Net("mlp", (3,), "chebyshev")


# ---- truths


def test_case_without_a_truth_is_refused() -> None:
    x = sp.Symbol("x", real=True)
    u = sp.Function("u")(x)
    unknown = kp.Problem(kp.Box({x: (0, 1)}), sp.Eq(u.diff(x, 2), 1), kp.Dirichlet(u, 0), name="bar")
    with pytest.raises(ProblemError, match="bar has no exact solution"):
        exact_case(unknown)


def test_reference_is_a_truth(case) -> None:
    problem = case.problem
    other = reference_case(problem, problem.exact_values, "exact by another name", 1e-9)
    field = TrainedField(trials.fitted(SMALL.net.built(2, 1, 0), problem), trials.impose(problem))
    assert other.errors(field.jet).relative_l2 == pytest.approx(case.errors(field.jet).relative_l2)
    assert other.errors(field.jet).relative_h1 is None
    assert other.digest != case.digest


# ---- meters


def test_clock_counts_what_runs() -> None:
    clock = Clock()
    with clock.running():
        sum(range(200_000))
    once = clock.seconds
    sum(range(2_000_000))
    assert clock.seconds == once > 0
    with pytest.raises(ValueError, match="x"), clock.running():
        raise ValueError("x")
    assert clock.seconds > once


def test_peak_memory_sees_what_was_freed() -> None:
    memory = PeakMemory()
    if memory.megabytes is None:
        pytest.skip("this system does not tell its peak memory")
    big = np.ones(8_000_000)
    del big
    assert 40 < memory.megabytes < 200
    assert PeakMemory().megabytes < 40  # what was before it does not count


def test_latency_repeats_what_is_short() -> None:
    calls = []
    assert latency(lambda: calls.append(1)) < 0.1
    assert len(calls) > 10


def test_one_thread_is_given_back() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


# ---- the conventional solver


def test_conventional_runs_suit_the_problem() -> None:
    kinds = {run.method for run in conventional_runs(cases.load("poisson"))}
    assert kinds == {"differences of order 2", "differences of order 4", "Chebyshev"}
    assert [run.method for run in conventional_runs(cases.load("burgers"))] == ["best"]


def test_conventional_error_has_its_order(case) -> None:
    errors = [Conventional("poisson", "differences of order 2", n).perform(case)["relative_l2"] for n in (17, 33)]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(2, abs=0.2)
    assert Conventional("poisson", "Chebyshev", 20).perform(case)["relative_l2"] < 1e-9


def test_differences_fill_the_grid() -> None:
    assert differences(cases.load("poisson"), 4, 17).values.shape == (17, 17, 1)
