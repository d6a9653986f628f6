"""The driver's judgement: which network a run returns, when it takes another start, and when it takes more points."""

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import cases
import numpy as np
import pytest
import torch
from contracts import LeastSquares

import kanpde as kp
from kanpde import judge as judgement
from kanpde import training
from kanpde.estimate import Estimator, TrainedField
from kanpde.field import Ansatz
from kanpde.identification import Uncertainty
from kanpde.lifting import impose
from kanpde.network import Trainable
from kanpde.optim.polish import polished
from kanpde.plan import fitted
from kanpde.problem import Problem
from kanpde.references import DefectEstimate
from kanpde.stages import Ladder
from kanpde.training import MOST_POINTS, Progress, Run, Wishes


class Prompted(Estimator):
    """An estimator that gives its true verdicts, except where the test has another one."""

    verdicts: Sequence[float | None] = ()
    seen: list[np.ndarray]

    def __post_init__(self) -> None:
        super().__post_init__()
        Prompted.seen = []

    def __call__(self, field: TrainedField) -> DefectEstimate | None:
        estimate = super().__call__(field)
        assert estimate is not None
        k = len(Prompted.seen)
        Prompted.seen.append(field.network.theta.numpy().copy())
        if k >= len(Prompted.verdicts):
            return estimate
        verdict = Prompted.verdicts[k]
        if verdict is None:
            return dataclasses.replace(estimate, trusted=False, reason="as the test wishes")
        return dataclasses.replace(estimate, trusted=True, relative=verdict)


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch) -> type[Prompted]:
    monkeypatch.setattr(judgement, "Estimator", Prompted)
    monkeypatch.setattr(Prompted, "verdicts", ())
    return Prompted


def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Estimates come at the end of stages only."""
    monkeypatch.setattr(judgement, "CHECK", 10**9)


def until(stage: int) -> Callable[[dict[str, Any]], None]:
    """A callback that ends the run in the first step of a stage: what comes later is not looked at."""

    def stop(row: dict[str, Any]) -> None:
        if row["stage"] == stage:
            raise KeyboardInterrupt

    return stop


def test_the_best_trusted_network_is_returned(judge: type[Prompted], monkeypatch: pytest.MonkeyPatch) -> None:
    short(monkeypatch)
    judge.verdicts = [1e-3, 1e-4, 5e-4]
    stages = [kp.Stage(iterations=3), kp.Stage(iterations=3), kp.Stage(iterations=3)]
    solution = kp.solve(cases.load("poisson"), 1e-9, stages=stages)
    assert solution.error_estimate == 1e-4
    np.testing.assert_array_equal(solution.record.theta, judge.seen[1])
    assert not np.array_equal(judge.seen[2], judge.seen[1])


def test_an_untrusted_end_does_not_hide_an_earlier_estimate(
    judge: type[Prompted], monkeypatch: pytest.MonkeyPatch
) -> None:
    short(monkeypatch)
    judge.verdicts = [1e-3, None]
    solution = kp.solve(cases.load("poisson"), 1e-9, stages=[kp.Stage(iterations=3), kp.Stage(iterations=3)])
    assert solution.error_estimate == 1e-3
    np.testing.assert_array_equal(solution.record.theta, judge.seen[0])


def test_another_start_where_the_first_stage_cannot_be_trusted(
    judge: type[Prompted], monkeypatch: pytest.MonkeyPatch
) -> None:
    short(monkeypatch)
    judge.verdicts = [None]
    solution = kp.solve(cases.load("poisson"), 1e-4)
    assert solution.converged
    parameters = {row["parameters"] for row in solution.history if row["stage"] == 0}
    losses = [row["loss"] for row in solution.history if row["stage"] == 0]
    assert len(parameters) == 1
    assert any(after > 1.5 * before for before, after in itertools.pairwise(losses))


def test_all_starts_in_doubt_leave_the_one_with_the_smallest_loss(
    judge: type[Prompted], monkeypatch: pytest.MonkeyPatch
) -> None:
    short(monkeypatch)
    judge.verdicts = [None, None, None]
    solution = kp.solve(cases.load("poisson"), 1e-5, max_seconds=60, callback=until(1))
    ends = [
        row["loss"]
        for row, later in itertools.pairwise(solution.history)
        if row["stage"] == 0 and (later["stage"] == 1 or later["loss"] > 1.5 * row["loss"])
    ]
    first = next(row for row in solution.history if row["stage"] == 1)
    assert first["loss"] <= 2.0 * min(ends)


def test_a_setback_is_given_up_with_more_points(judge: type[Prompted], monkeypatch: pytest.MonkeyPatch) -> None:
    short(monkeypatch)
    judge.verdicts = [1e-4, 1e-2]
    solution = kp.solve(cases.load("poisson"), 1e-8, max_seconds=60, callback=until(2))
    rows = {row["stage"]: row for row in solution.history}
    assert rows[1]["density"] == 3.0
    assert rows[2]["density"] == 6.0
    assert rows[2]["parameters"] == rows[1]["parameters"]


def test_points_double_where_new_ones_surprise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "OVERFIT", 1e-9)
    short(monkeypatch)
    solution = kp.solve(cases.load("poisson"), 1e-12, stages=[kp.Stage(iterations=3)] * 4)
    densities = [row["density"] for row in solution.history[::3]]
    assert densities == [3.0, 6.0, 12.0, 12.0]
    assert densities[-1] == MOST_POINTS


def test_given_points_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "OVERFIT", 1e-9)
    solution = kp.solve(cases.load("poisson"), 1e-12, stages=[kp.Stage(points=500, iterations=3)] * 2)
    assert {row["density"] for row in solution.history} == {3.0}


class Rescue:
    """A start that is asked for once, and leaves its mark."""

    def __init__(self, problem: Problem, wanted: bool) -> None:
        self.problem = problem
        self.wanted = wanted
        self.calls = 0

    def __call__(self) -> tuple[Trainable, Ansatz]:
        self.calls += 1
        return fitted(kp.KAN([2, (2, 2), 1], "chebyshev", degree=7, seed=5), self.problem), impose(self.problem)


def rescued(wanted: bool, stages: tuple[kp.Stage, ...] | Ladder) -> tuple[Rescue, Progress]:
    problem = cases.load("poisson")
    rescue = Rescue(problem, wanted)
    candidates = [fitted(kp.KAN([2, 3, 1], "chebyshev", degree=4, seed=s), problem) for s in (0, 1)]
    run = Run(problem, impose(problem), stages, Wishes(1e-12, max_seconds=20), Progress(candidates[0]), rescue=rescue)
    return rescue, run.go(candidates)


def test_a_start_that_is_wanted_comes_before_random_ones() -> None:
    rescue, progress = rescued(True, (kp.Stage(iterations=2),))
    assert rescue.calls == 1
    assert (
        progress.history[0]["parameters"]
        == fitted(kp.KAN([2, (2, 2), 1], "chebyshev", degree=7), rescue.problem).n_parameters
    )


def test_a_start_that_is_not_wanted_waits_until_random_ones_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    rescue, _ = rescued(False, (kp.Stage(iterations=2),))
    assert rescue.calls == 0
    monkeypatch.setattr(judgement, "PROMISING", 0.0)
    monkeypatch.setattr(Ladder, "following", lambda self, network, ends: FIRST[len(ends)])  # noqa: ARG005
    rescue, progress = rescued(False, Ladder())
    assert rescue.calls == 1
    assert len({row["parameters"] for row in progress.history}) == 2


FIRST = (kp.Stage(iterations=2), kp.Stage(iterations=2), None)


def test_a_dear_estimate_that_gave_nothing_is_not_repeated_at_once(
    judge: type[Prompted], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The residual must fall tenfold before the next; a quick one is repeated."""
    monkeypatch.setattr(judgement, "CHECK", 2)
    counts = []
    for dear in (10**9, 0):
        monkeypatch.setattr(judgement, "DEAR", dear)
        judge.verdicts = [None] * 100
        network = kp.KAN([2, (2, 2), 1], "chebyshev", degree=4)
        stages = [kp.Stage(iterations=8, points=200)]
        kp.solve(cases.load("poisson_robin"), 1e-12, network=network, stages=stages, max_seconds=20)
        counts.append(len(judge.seen))
    assert counts[1] < counts[0]


def test_noise_limits_what_an_estimate_promises(judge: type[Prompted], monkeypatch: pytest.MonkeyPatch) -> None:
    """The estimate and the noise add up as independent errors; a run that noise limits ends."""
    short(monkeypatch)
    judge.verdicts = [3e-3]
    monkeypatch.setattr(judgement, "uncertainty", lambda *_: Uncertainty({}, 4e-3))
    stages = [kp.Stage(iterations=2)] * 3
    solution = kp.solve(cases.load("poisson"), 1e-9, stages=stages[:1])
    assert solution.error_estimate == pytest.approx(5e-3, rel=1e-12)
    judge.verdicts = [1e-4]
    solution = kp.solve(cases.load("poisson"), 1e-9, stages=stages)
    assert {row["stage"] for row in solution.history} == {0}
    assert solution.status.startswith("finished: the noise of the observations leaves an error of 4.0e-03")


# --- the last layer by least squares --------------------------------------------------------------------------------

FEATURES = torch.as_tensor(np.random.default_rng(0).normal(size=(20, 4)))
RIGHT = torch.as_tensor(np.random.default_rng(1).normal(size=20))


def affine(features: torch.Tensor) -> LeastSquares:
    """The residual features @ θ[1:] − RIGHT, in which θ[0] has no part."""
    return LeastSquares(lambda theta: features @ theta[1:] - RIGHT)


def test_a_polish_is_the_least_squares_solution_of_the_last_layer() -> None:
    theta = torch.tensor([7.0, 1.0, -1.0, 2.0, 0.5], dtype=torch.float64)
    moved, loss = polished(affine(FEATURES), theta, slice(1, 5))
    best, squares, *_ = np.linalg.lstsq(FEATURES.numpy(), RIGHT.numpy(), rcond=None)
    assert moved[0] == 7.0
    np.testing.assert_allclose(moved[1:], best, rtol=1e-12)
    assert loss == pytest.approx(0.5 * squares.item(), rel=1e-12)


@pytest.mark.parametrize("size", [0.0, 1e-200, 1e-12])
def test_a_polish_leaves_what_no_point_sees(size: float) -> None:
    """A column of next to nothing would get coefficients that are huge where no point is."""
    theta = torch.ones(5, dtype=torch.float64)
    faint = FEATURES * torch.tensor([1.0, 1.0, 1.0, size], dtype=torch.float64)
    moved, _ = polished(affine(faint), theta, slice(1, 5))
    best = np.linalg.lstsq(FEATURES[:, :3].numpy(), RIGHT.numpy(), rcond=None)[0]
    assert moved[4] == 1.0
    np.testing.assert_allclose(moved[1:4], best, rtol=1e-9)


def test_a_polish_leaves_what_cancels() -> None:
    """Two columns that are alike to twelve digits have a sum, and no difference that is worth a huge step."""
    theta = torch.zeros(5, dtype=torch.float64)
    alike = FEATURES.clone()
    alike[:, 3] = alike[:, 2] * (1 + 1e-12 * FEATURES[:, 3])
    moved, _ = polished(affine(alike), theta, slice(1, 5))
    assert float(moved.abs().max()) < 2.0
    assert moved[3] == pytest.approx(float(moved[4]), rel=1e-6)


def test_a_polish_that_gains_nothing_changes_nothing() -> None:
    theta = polished(affine(FEATURES), torch.zeros(5, dtype=torch.float64), slice(1, 5))[0]
    worse = LeastSquares(lambda t: FEATURES @ t[1:] - RIGHT + 10 * (t[1:] - theta[1:]).norm() * torch.ones(20).double())
    assert polished(worse, theta, slice(1, 5))[0] is theta
