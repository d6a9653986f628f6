"""The driver's judgement: which network a run returns, when it takes another start, and when it takes more points."""

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import cases
import numpy as np
import pytest
import sympy as sp
import torch
from contracts import LeastSquares

import kanpde as kp
from kanpde import judge as judgement
from kanpde import plan, training
from kanpde.estimate import Estimator, TrainedField, relative_l2
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


def test_an_exhausted_space_ends_a_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a few steps in which the tangent space held nothing of the residual, of optimisers that measure it."""
    monkeypatch.setattr(training, "_exhausted", lambda _: True)
    short(monkeypatch)
    stages = [kp.Stage(iterations=30, points=200), kp.Stage("adam", iterations=20, points=200)]
    network = kp.KAN([2, (2, 2), 1], "chebyshev", degree=4)
    rows = kp.solve(cases.load("rational"), 1e-12, network=network, stages=stages).history
    counts = [sum(row["stage"] == k for row in rows) for k in (0, 1)]
    assert counts == [training.FEWEST, 20]


def test_what_is_exhausted_is_seen_at_small_damping_only() -> None:
    assert training._exhausted({"reach": 0.01, "damping": 1e-12})
    assert not training._exhausted({"reach": 0.01, "damping": 1e-3})  # the damping hides the rest
    assert not training._exhausted({"reach": 0.5, "damping": 1e-12})


def test_too_few_points_are_doubled(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many rows as parameters leave little residual at the points, and much elsewhere: the next stage has more."""
    monkeypatch.setattr(plan, "LEAST_POINTS", 10)
    short(monkeypatch)
    problem, network = cases.load("poisson"), kp.KAN([2, (4, 4), 1], "chebyshev", degree=8)
    wish = {"network": network, "stages": [kp.Stage(iterations=40), kp.Stage(iterations=1)]}
    densities, overfits = [], []
    for density in (1.0, 6.0):
        rows = kp.solve(problem, 1e-12, pinned=kp.Pinned(points_per_parameter=density, candidates=1), **wish).history
        assert rows[0]["overfit"] == 1.0
        densities.append((rows[0]["density"], rows[-1]["density"]))
        overfits.append(rows[-1]["overfit"])
    assert densities == [(1.0, 2.0), (6.0, 6.0)]
    assert overfits[0] > training.OVERFIT > 3.0 > overfits[1] > 0.3


class Checking(kp.LBFGS):
    """An optimiser that looks whether its state is one."""

    def step(self, objective: Any, state: Any) -> Any:
        loss, gradient = objective.loss_and_gradient(state.theta)
        assert loss == pytest.approx(state.loss, rel=1e-12)
        torch.testing.assert_close(gradient, state.gradient)
        return super().step(objective, state)


def test_what_an_estimate_changes_leaves_gradients_true(monkeypatch: pytest.MonkeyPatch) -> None:
    """A last layer that is solved for before an estimate would leave a quasi-Newton state with an old gradient."""
    monkeypatch.setattr(judgement.Judge, "worth", lambda *_: True)
    monkeypatch.setattr(judgement.Judge, "satisfied", lambda *_: False)
    monkeypatch.setattr(judgement.Judge, "__call__", lambda *_: None)
    network, stages = kp.KAN([1, 3, 1], "chebyshev", degree=5), [kp.Stage(Checking(), iterations=5)]
    assert len(kp.solve(cases.load("poisson_1d"), 1e-9, network=network, stages=stages).history) == 5


# --- when an estimate is worth its cost ------------------------------------------------------------------------------


def judge_of(name: str = "poisson_1d", rtol: float = 1e-6, **known: float) -> judgement.Judge:
    made = judgement.Judge(cases.load(name), rtol)
    for attribute, value in known.items():
        setattr(made, attribute, value)
    return made


def test_estimates_are_asked_for_now_and_then_while_nothing_is_known() -> None:
    judge = judge_of(first=1.0)
    small = judgement.PROMISING**2
    assert [n for n in range(1, 61) if judge.worth(small, n)] == [20, 40, 60]
    assert not judge.worth(1.01 * small, 20)
    judge.hurdle = 0.1 * small
    assert not judge.worth(small, 20)
    assert judge.worth(0.09 * small, 20)


def test_estimates_are_asked_for_when_the_residual_foretells_one_below_the_tolerance() -> None:
    judge = judge_of(first=1.0, ratio=1e-2, rtol=1e-6)
    enough = 1e-6 / 1.5 / 1e-2  # |r|
    assert judge.worth(0.5 * (0.99 * enough) ** 2, 7)
    assert not judge.worth(0.5 * (1.01 * enough) ** 2, 20)


@pytest.mark.parametrize(
    ("shapes", "dear"),
    [((), False), (((100, 100),), False), (((100, 100), (200, 200)), True), (((8, 8, 8, 8),), True)],
)
def test_a_refused_estimate_is_dear_by_its_nodes(shapes: tuple[tuple[int, ...], ...], dear: bool) -> None:
    """Also by its dimension: above three coordinates functions are dear, not nodes."""
    refused = DefectEstimate(None, float("nan"), None, False, "", shapes, 0.0)
    assert judgement.Judge._dear(refused) is dear
    assert judgement.Judge._dear(None) is False


def test_zero_is_zero_to_rounding() -> None:
    problem = cases.load("poisson")
    network = fitted(kp.KAN([2, 3, 1]), problem)
    judge = judge_of("poisson")
    for size, zero in ((1.0, False), (1e-9, False), (1e-15, True)):
        other = fitted(kp.KAN([2, 3, 1]), problem)
        other.set_theta(network.theta)
        with torch.no_grad():
            other.coefficients[-1] *= size
        assert judge.vanishing(other, impose(problem)) is zero


# --- witnesses -------------------------------------------------------------------------------------------------------

HYPER = sp.symbols("x0:4", real=True)
V = sp.Function("v")(*HYPER)
SQUARES = sum(k * s**2 for k, s in enumerate(HYPER, 1))


def hyper() -> Problem:
    """Δv = 20 in four dimensions, with Σ k x_k² for solution: no solver of the defect equation goes there."""
    box = kp.Box(dict.fromkeys(HYPER, (-1, 1)))
    return Problem(box, sp.Eq(kp.laplacian(V), 20), kp.Dirichlet(V, SQUARES), {V: SQUARES}, name="hyper")


def near(problem: Problem, distance: float) -> Trainable:
    """A network as far from the solution: x² = (1 + T_2(x))/2 on each of its four edges, and some of T_3."""
    network = fitted(kp.KAN([4, 1], "chebyshev", degree=3), problem)
    edges = [[k / 2, 0, k / 2, distance * (-1) ** k] for k in range(1, 5)]
    network.set_theta(torch.tensor(edges, dtype=torch.float64).flatten())
    return network


def rows_of(problem: Problem, network: Trainable, ansatz: Ansatz) -> list[Any]:
    return plan.assemble(problem, network, ansatz, kp.Stage(points=400), 0, [1.0]).blocks


def test_a_later_network_tells_how_far_off_an_earlier_one_is() -> None:
    problem = hyper()
    ansatz = impose(problem, exact=False)
    early, late = (judgement.Witness(near(problem, d), ansatz, problem) for d in (1e-2, 1e-5))
    found = early.judged_by(late)
    assert found.trusted
    truth = relative_l2(problem, TrainedField(early.network, ansatz))
    assert found.relative == pytest.approx(truth, rel=2e-3)
    points = np.random.default_rng(0).uniform(-1, 1, (10, 4))
    corrected = TrainedField(early.network, ansatz).values(points) + found.correction(points)
    np.testing.assert_allclose(corrected, TrainedField(late.network, ansatz).values(points), atol=1e-14)


def test_a_network_that_is_hardly_better_is_no_witness() -> None:
    """Its own error would be a large part of the difference."""
    problem = hyper()
    ansatz = impose(problem, exact=False)
    judge = judgement.Judge(problem, 1e-6)
    early, late, better = (near(problem, d) for d in (1e-2, 4e-3, 1e-3))
    blocks = rows_of(problem, late, ansatz)
    for network in (early, late):
        judge.witnessed(network, ansatz, blocks)
    assert judge.best is None
    assert len(judge.waiting) == 2
    judge.witnessed(better, ansatz, blocks)
    assert torch.equal(judge.best[0].theta, early.theta)
    assert [w.network.theta.equal(n.theta) for w, n in zip(judge.waiting, (late, better), strict=True)] == [True, True]


def test_the_best_network_may_be_one_that_a_witness_judged() -> None:
    problem = hyper()
    ansatz = impose(problem, exact=False)
    judge = judgement.Judge(problem, 1e-6)
    networks = [near(problem, d) for d in (1e-2, 1e-4, 1e-7)]
    blocks = rows_of(problem, networks[0], ansatz)
    relatives = []
    for network in networks:
        judge.witnessed(network, ansatz, blocks)
        relatives.append(None if judge.best is None else judge.best[1].relative)
    truths = [relative_l2(problem, TrainedField(n, ansatz)) for n in networks]
    assert relatives[0] is None
    assert relatives[1:] == pytest.approx(truths[:2], rel=0.02)
    assert torch.equal(judge.best[0].theta, networks[1].theta)


def test_witnesses_are_asked_where_nothing_else_goes() -> None:
    problem = cases.load("poisson")
    assert not judgement.Judge(problem, 1e-6).unresolved
    assert judgement.Judge(hyper(), 1e-6).unresolved


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
