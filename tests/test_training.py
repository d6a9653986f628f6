"""`solve`: what it refuses, what it keeps, when it stops, how it goes on, and how good it gets."""

import dataclasses
import itertools
import math
import os
import time
from pathlib import Path
from typing import Any

import cases
import numpy as np
import pytest
import sympy as sp
import torch
from cases import load as problem_file

import kanpde as kp
from kanpde import estimate, store
from kanpde.errors import ProblemError, StoreError
from kanpde.features import Clustering, with_clusterings
from kanpde.lifting import impose
from kanpde.plan import fitted
from kanpde.problem import Problem
from kanpde.solution.files import saved, solution_of
from kanpde.training import CANDIDATES, Progress, Run, Wishes

x, y = sp.symbols("x y", real=True)
ONE = [kp.Stage(iterations=2)]


def small() -> kp.KAN:
    """A network that needs several stages for `poisson_robin`."""
    return kp.KAN([2, (2, 2), 1], "chebyshev", degree=4)


class Stopper:
    """A callback that stops the run in an iteration, as Ctrl-C does."""

    def __init__(self, iteration: int) -> None:
        self.iteration = iteration

    def __call__(self, row: dict[str, Any]) -> None:
        if row["iteration"] == self.iteration:
            raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"rtol": -1e-6}, "rtol must be a positive number, got -1e-06"),
        ({"rtol": 0}, "rtol must be a positive number"),
        ({"rtol": math.nan}, "rtol must be a positive number, got nan"),
        ({"rtol": math.inf}, "rtol must be a positive number"),
        ({"seed": -1}, "seed must not be negative"),
        ({"max_seconds": 0}, "max_seconds must be positive"),
        ({"max_seconds": math.nan}, "max_seconds must be positive"),
        ({"resume": True}, "resume=True needs checkpoint="),
        ({"weights": [1.0, 2.0]}, "weights must be 1 positive numbers"),
        ({"weights": [-1.0]}, "weights must be 1 positive numbers"),
        ({"network": kp.KAN([1, 5, 1])}, r"maps 1 inputs to 1 outputs; poisson needs 2 \(x, y\) to 1"),
        ({"network": kp.MLP([2, 5, 2])}, "maps 2 inputs to 2 outputs; poisson needs 2"),
        (
            {"network": kp.KAN([2, 5, 1], degree=2)},
            "poisson takes derivatives of order 2; a degree-2 spline has 1 continuous ones. Use degree >= 3",
        ),
    ],
)
def test_what_makes_no_solve(wish: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ProblemError, match=message) as caught:
        kp.solve(problem_file("poisson"), **wish)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_solve_takes_a_problem() -> None:
    with pytest.raises(ProblemError, match="solve takes a Problem, got str"):
        kp.solve("poisson")


def test_an_unwritable_checkpoint_is_found_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    rows: list[dict[str, Any]] = []
    with pytest.raises(StoreError, match="directory"):
        kp.solve(problem_file("poisson_1d"), checkpoint=tmp_path / "file" / "c.h5", callback=rows.append)
    assert rows == []


def logarithm() -> Problem:
    """The equation is fine where the conditions are, and not at any other u below zero."""
    u = sp.Function("u")(x)
    return Problem(kp.Box({x: (0, 1)}), u.diff(x, 2) + sp.log(u), kp.Dirichlet(u, -5), name="logarithm")


def test_a_residual_that_is_not_finite_is_reported_with_its_place() -> None:
    with pytest.raises(ProblemError, match=r"the residual of equations is not finite at x = 0\.\d+; check"):
        kp.solve(logarithm())


def test_a_step_into_nowhere_never_becomes_a_result() -> None:
    wild = [kp.Stage(optimizer=kp.Adam(rate=1e200), iterations=5)]
    solution = kp.solve(problem_file("nonlinear_poisson"), stages=wild, network=kp.MLP([2, 4, 1]))
    assert np.isfinite(solution.record.theta).all()
    assert "not finite" in solution.history[-1]["message"]
    assert not solution.converged


def test_rows_are_plain_and_the_callback_sees_each_once() -> None:
    seen: list[dict[str, Any]] = []
    solution = kp.solve(
        problem_file("poisson_robin"),
        stages=[kp.Stage(iterations=3), kp.Stage(intervals=6, iterations=2)],
        callback=seen.append,
    )
    assert solution.history == tuple(seen)
    assert [row["iteration"] for row in seen] == [1, 2, 3, 4, 5]
    assert [row["stage"] for row in seen] == [0, 0, 0, 1, 1]
    assert {type(value) for row in seen for value in row.values()} <= {float, int, str, bool, type(None)}
    assert all(after["seconds"] >= before["seconds"] for before, after in itertools.pairwise(seen))
    assert seen[-1]["parameters"] > seen[0]["parameters"]
    assert seen[-1]["loss"] == pytest.approx(0.5 * seen[-1]["residual"] ** 2)
    assert (seen[0]["estimate"], type(seen[-1]["estimate"])) == (None, float)


def test_progress_prints(capsys: pytest.CaptureFixture[str]) -> None:
    kp.solve(problem_file("poisson_1d"), stages=[kp.Stage("adam", iterations=20)], progress=True)
    first, *lines = capsys.readouterr().out.splitlines()
    assert first == "stage 0: start, chebyshev 12, 13 parameters"
    assert [line.split()[3] for line in lines] == ["10", "20"]
    kp.solve(problem_file("poisson_1d"), stages=[kp.Stage("adam", iterations=20)])
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["poisson_1d", "poisson"])
def test_the_same_seed_gives_the_same_result(name: str) -> None:
    before = torch.get_rng_state(), np.random.get_state()[1].tolist()  # noqa: NPY002 - nothing may touch it
    one, two, other = (kp.solve(problem_file(name), rtol=1e-4, stages=ONE, seed=s) for s in (3, 3, 4))
    np.testing.assert_array_equal(one.record.theta, two.record.theta)
    assert one.error_estimate == two.error_estimate
    assert (one.record.theta != other.record.theta).any()
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.random.get_state()[1].tolist() == before[1]  # noqa: NPY002


def test_time_is_limited() -> None:
    started = time.perf_counter()
    solution = kp.solve(problem_file("rational"), rtol=1e-13, max_seconds=1.0)
    assert solution.status == "out of time"
    assert not solution.converged
    assert 1.0 <= solution.seconds <= time.perf_counter() - started < 20
    assert np.isfinite(solution.record.theta).all()


def test_what_was_reached_stays_when_interrupted(tmp_path: Path) -> None:
    path, problem = tmp_path / "c.h5", problem_file("poisson")
    solution = kp.solve(problem, checkpoint=path, callback=Stopper(9))
    assert (solution.status, solution.iterations) == ("interrupted", 9)
    assert solution.error_estimate == pytest.approx(solution.relative_l2, rel=0.2)
    stored = kp.load(path)
    assert stored.status == "interrupted"
    np.testing.assert_array_equal(stored.record.theta, solution.record.theta)


@pytest.mark.parametrize("iteration", [4, 21])
def test_an_interrupted_run_goes_on(iteration: int, tmp_path: Path) -> None:
    """Interrupted in the first stage or in a later one: the same accuracy, and nothing is counted twice."""
    path, problem = tmp_path / "c.h5", problem_file("poisson_robin")
    wish = {"rtol": 1e-5, "network": small(), "checkpoint": path}
    first = kp.solve(problem, **wish, callback=Stopper(iteration))
    assert first.status == "interrupted"
    rows: list[dict[str, Any]] = []
    second = kp.solve(problem, **wish, resume=True, callback=rows.append)
    assert second.converged
    assert second.relative_l2 <= 1e-5
    assert rows[0]["iteration"] == iteration + 1
    assert rows[0]["parameters"] == first.history[-1]["parameters"]
    assert rows[0]["loss"] < 1.01 * first.history[-1]["loss"]
    assert second.history[:iteration] == first.history
    assert second.seconds > first.seconds + rows[-1]["seconds"] - rows[0]["seconds"]


def test_a_run_that_ended_between_stages_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    problem = problem_file("poisson")
    stages = [kp.Stage(iterations=4), kp.Stage(intervals=8, iterations=4), kp.Stage(widen=1, iterations=4)]
    whole = kp.solve(problem, rtol=1e-12, stages=stages)
    kp.solve(problem, rtol=1e-12, stages=stages[:2], checkpoint=tmp_path / "c.h5")
    unfinished(tmp_path / "c.h5")
    rest = kp.solve(problem, rtol=1e-12, stages=stages, checkpoint=tmp_path / "c.h5", resume=True)
    np.testing.assert_array_equal(rest.record.theta, whole.record.theta)
    assert [row["stage"] for row in rest.history] == [0] * 4 + [1] * 4 + [2] * 4


def unfinished(path: Path) -> None:
    """Makes the file of a finished run one that a process left that died."""
    stored = store.load(path)
    store.save(path, dataclasses.replace(stored.record, status="running"), stored.tables, stored.arrays)


def test_a_stage_that_was_interrupted_is_widened_once(tmp_path: Path) -> None:
    stages = [kp.Stage(iterations=2), kp.Stage(widen=1, iterations=6)]
    wish = {"rtol": 1e-12, "stages": stages, "network": small()}
    whole = kp.solve(problem_file("poisson"), **wish)
    first = kp.solve(problem_file("poisson"), **wish, checkpoint=tmp_path / "c.h5", callback=Stopper(4))
    second = kp.solve(problem_file("poisson"), **wish, checkpoint=tmp_path / "c.h5", resume=True)
    assert second.iterations == 2 + 6
    assert second.n_parameters == first.n_parameters
    np.testing.assert_array_equal(second.record.theta, whole.record.theta)


def test_time_that_ran_out_is_given_anew(tmp_path: Path) -> None:
    wish = {"rtol": 1e-5, "network": small(), "checkpoint": tmp_path / "c.h5"}
    first = kp.solve(problem_file("poisson_robin"), **wish, max_seconds=1e-3)
    assert first.status == "out of time"
    second = kp.solve(problem_file("poisson_robin"), **wish, max_seconds=300.0, resume=True)
    assert second.converged
    assert second.iterations > first.iterations


def test_the_last_stage_goes_on_where_time_ran_out(tmp_path: Path) -> None:
    wish = {"stages": [kp.Stage(iterations=100)], "checkpoint": tmp_path / "c.h5", "rtol": 1e-3}
    first = kp.solve(problem_file("poisson"), **wish, max_seconds=1e-3)
    assert first.iterations == 1
    assert kp.solve(problem_file("poisson"), **wish, resume=True).converged


def test_a_finished_run_is_returned_as_it_is(tmp_path: Path) -> None:
    path, problem = tmp_path / "c.h5", problem_file("poisson_1d")
    first = kp.solve(problem, rtol=1e-4, checkpoint=path)
    again = kp.solve(problem, rtol=1e-4, checkpoint=path, resume=True, callback=Stopper(first.iterations + 1))
    assert again.converged
    assert (again.seconds, again.history) == (first.seconds, first.history)
    np.testing.assert_array_equal(again.record.theta, first.record.theta)
    assert kp.solve(problem, rtol=1e-2, checkpoint=path, resume=True).record.rtol == 1e-2


def test_a_smaller_tolerance_goes_on(tmp_path: Path) -> None:
    path, problem = tmp_path / "c.h5", problem_file("poisson_robin")
    first = kp.solve(problem, rtol=1e-2, checkpoint=path, network=small())
    second = kp.solve(problem, rtol=1e-6, checkpoint=path, network=small(), resume=True)
    assert second.converged
    assert second.iterations > first.iterations
    assert second.relative_l2 <= 1e-6 < first.relative_l2


def test_resume_refuses_a_changed_problem_and_a_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "c.h5"
    kp.solve(problem_file("poisson_1d"), rtol=1e-2, checkpoint=path)
    u = sp.Function("u")(x)
    changed = Problem(kp.Box({x: (-1, 1)}), u.diff(x, 2) - u, kp.Dirichlet(u, 1), name="poisson_1d")
    with pytest.raises(ProblemError, match="belongs to another problem"):
        kp.solve(changed, checkpoint=path, resume=True)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(StoreError, match="damaged"):
        kp.solve(problem_file("poisson_1d"), checkpoint=path, resume=True)
    assert kp.solve(problem_file("poisson_1d"), rtol=1e-2, checkpoint=path).converged


def test_resume_without_a_file_starts_afresh(tmp_path: Path) -> None:
    solution = kp.solve(problem_file("poisson_1d"), rtol=1e-2, checkpoint=tmp_path / "new.h5", resume=True)
    assert solution.converged
    assert os.listdir(tmp_path) == ["new.h5"]


def test_a_similar_solution_is_a_good_start() -> None:
    first = kp.solve(problem_file("nonlinear_poisson"), rtol=1e-4)
    second = kp.solve(problem_file("poisson"), rtol=1e-4, initial_guess=first)
    assert second.converged
    assert second.history[0]["loss"] < 1e-3 * first.history[0]["loss"]


NETWORKS = {
    "spline": lambda: kp.KAN([1, 1], "bspline", degree=5, intervals=16),
    "paper": lambda: kp.KAN([1, 3, 1], "bspline", degree=5, intervals=5, base="silu"),
    "rbf": lambda: kp.KAN([1, 3, 1], "rbf", intervals=8),
    "mlp": lambda: kp.MLP([1, 12, 1]),
    "sines": lambda: kp.MLP([1, 12, 1], "sin"),
}


@pytest.mark.parametrize("kind", NETWORKS)
def test_networks_of_all_kinds_converge(kind: str) -> None:
    solution = kp.solve(problem_file("poisson_1d"), rtol=1e-3, network=NETWORKS[kind](), max_seconds=60)
    assert solution.converged, solution.status
    assert solution.relative_l2 <= 1e-3


def test_fourier_edges_on_a_circle() -> None:
    u = sp.Function("u")(x)
    exact = sp.exp(sp.sin(2 * sp.pi * x))
    circle = Problem(kp.Box({x: (0, 1)}), u.diff(x, 2) - u - exact.diff(x, 2) + exact, kp.Periodic(u, x), {u: exact})
    solution = kp.solve(circle, rtol=1e-6, network=kp.KAN([1, 1], "fourier", intervals=4))
    assert solution.converged
    ends = np.array([[0.0], [1.0]])
    for k in range(3):
        left, right = solution.derivative(u.diff(x, k))(ends)
        assert left == pytest.approx(right, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("optimizer", ["lbfgs", kp.LBFGS(), kp.Adam(rate=0.02)])
def test_other_optimizers_go_down(optimizer: str | kp.LBFGS | kp.Adam) -> None:
    stage = kp.Stage(optimizer, iterations=300)
    solution = kp.solve(problem_file("poisson_1d"), rtol=1e-9, network=kp.MLP([1, 12, 1]), stages=[stage])
    assert solution.history[-1]["loss"] < 0.1 * solution.history[0]["loss"]


def test_soft_conditions_are_as_good() -> None:
    """Rows for the conditions, balanced against those of the equations, reach the accuracy of exact ones."""
    network, stages = kp.KAN([2, (3, 3), 1], "chebyshev", degree=8), [kp.Stage(iterations=40)]
    hard, soft = (
        kp.solve(problem_file("poisson"), 1e-9, network=network, stages=stages, exact_conditions=exact)
        for exact in (True, False)
    )
    edge = np.array([[1.0, 0.3], [-1.0, 0.2], [0.4, 1.0]])
    assert np.abs(hard(edge)).max() < 1e-14 < np.abs(soft(edge)).max()
    assert soft.relative_l2 < 30 * hard.relative_l2
    assert soft.error_estimate == pytest.approx(soft.relative_l2, rel=0.2)


def test_weights_replace_the_balance() -> None:
    def off(weight: float) -> float:
        wish = {"stages": [kp.Stage(iterations=15)], "exact_conditions": False, "network": small()}
        solution = kp.solve(problem_file("poisson"), 1e-9, weights=[weight], **wish)
        return float(np.abs(solution(np.array([[1.0, 0.3], [-1.0, 0.2], [0.4, 1.0]]))).max())

    assert off(1e4) < 0.2 * off(1e-2)


def test_several_starts_compete() -> None:
    """The winner is no worse after the first steps than the first candidate alone."""
    one = kp.KAN([2, (4, 4), 1], "chebyshev", degree=5, seed=0)
    losses = [
        kp.solve(problem_file("helmholtz"), 1e-9, stages=[kp.Stage(iterations=1)], network=one, **guess).history[0][
            "loss"
        ]
        for guess in ({}, {"initial_guess": kp.solve(problem_file("poisson"), stages=ONE, network=one)})
    ]
    assert CANDIDATES > 1
    assert losses[0] < losses[1]


@pytest.mark.parametrize("name", cases.NAMES)
def test_every_problem_file_is_compiled_and_iterated(name: str) -> None:
    problem = problem_file(name)
    solution = kp.solve(problem, rtol=1e-9, stages=ONE)
    assert solution.history[-1]["loss"] < 0.9 * solution.history[0]["loss"] or solution.relative_l2 < 1e-6
    assert math.isfinite(solution.relative_l2)
    if solution.error_estimate is not None:
        assert 0.8 <= solution.error_estimate / solution.relative_l2 <= 1.25


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", cases.NAMES)
def test_every_problem_file_converges(name: str, seed: int) -> None:
    solution = kp.solve(problem_file(name), rtol=1e-5, seed=seed)
    assert solution.status == "converged"
    assert solution.relative_l2 <= 1e-5
    assert 0.8 <= solution.error_estimate / solution.relative_l2 <= 1.25


@pytest.mark.parametrize("name", ["annulus", "l_shape"])
def test_a_run_with_features_goes_on_as_if_nothing_had_happened(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The features of holes and corners are those of the file, not made anew."""
    monkeypatch.setattr(estimate, "methods", lambda _: ())  # they cost more than these few steps
    problem, path = problem_file(name), tmp_path / "c.h5"
    stages = [kp.Stage(iterations=2, points=200), kp.Stage(intervals=6, iterations=2, points=200)]
    whole = kp.solve(problem, 1e-12, stages=stages)
    first = kp.solve(problem, 1e-12, stages=stages[:1], checkpoint=path)
    assert first.field.ansatz.features is not None
    unfinished(path)
    rest = kp.solve(problem, 1e-12, stages=stages, checkpoint=path, resume=True)
    assert rest.field.ansatz == whole.field.ansatz
    np.testing.assert_array_equal(rest.record.theta, whole.record.theta)


def test_a_run_with_a_clustered_front_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimate, "methods", lambda _: ())
    problem, path = problem_file("burgers"), tmp_path / "c.h5"
    place = Clustering(0, (0.0,), (0.02,))
    ansatz = with_clusterings(problem, impose(problem), [place])
    network = fitted(kp.KAN([2, 3, 1], "chebyshev", degree=5), problem, ansatz.features, ansatz.clusterings)
    stages = (kp.Stage(iterations=3, points=200), kp.Stage(intervals=6, iterations=3, points=200))
    run = Run(problem, ansatz, stages[:1], Wishes(1e-9), Progress(network))
    saved(solution_of(run, run.go([network])), path, status="running")
    rest = kp.solve(problem, 1e-9, stages=stages, checkpoint=path, resume=True, max_seconds=20)
    assert rest.field.ansatz.clusterings == (place,)
    losses = [row["loss"] for row in rest.history]
    assert len(losses) == 6
    assert losses[3] < 2.0 * losses[2]
