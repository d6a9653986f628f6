"""Stages: the words that users give, the ladder that chooses, and what can be pinned in its place."""

from __future__ import annotations

from typing import Any

import pytest
from cases import load as problem_file

import kanpde as kp
from kanpde import judge, training
from kanpde.errors import ProblemError
from kanpde.network import Network, deepened, widened
from kanpde.stages import LADDER, LINE_LADDER, End, Ladder
from kanpde.training import Run


def chebyshev(degree: int, width: int = 2) -> Network:
    return kp.KAN([2, (width, width), 1], "chebyshev", degree=degree)


def ends(*residuals: float, change: str = "finer") -> list[End]:
    """Stages that ended with these residuals, the last one after a change."""
    return [*(End(r) for r in residuals[:-1]), End(residuals[-1], change)]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"optimizer": "sgd"}, "no optimizer is called 'sgd'; use one of auto, lm, "),
        ({"sampling": "halton"}, "no sampling rule is called 'halton'; use one of .*sobol"),
        ({"iterations": 0}, "give at least one iteration and one point"),
        ({"points": 0}, "give at least one iteration and one point"),
        ({"causal": -0.1}, "causal=-0.1 is no factor of the last instants; give a number from 0 to 1"),
        ({"causal": 1.5}, "give a number from 0 to 1"),
    ],
)
def test_stages_check_their_words(words: dict[str, Any], message: str) -> None:
    with pytest.raises(ProblemError, match=message):
        kp.Stage(**words)


@pytest.mark.parametrize(
    ("stage", "change"),
    [
        (kp.Stage(), "as it is"),
        (kp.Stage(intervals=8), "finer"),
        (kp.Stage(intervals=8, knots=True), "knots where the residual is"),
        (kp.Stage(widen=2), "wider"),
        (kp.Stage(deepen=True), "deeper"),
        (kp.Stage(deepen=True, widen=1, intervals=8), "deeper, wider, finer"),
    ],
)
def test_a_stage_says_what_it_changes(stage: kp.Stage, change: str) -> None:
    assert stage.change == change


def test_ladder_begins_where_the_network_is() -> None:
    assert Ladder().following(chebyshev(6), []) == kp.Stage(intervals=6)
    assert Ladder().following(kp.KAN([1, 1], intervals=5), []) == kp.Stage(intervals=5)
    assert Ladder().following(kp.MLP([2, 8, 1]), []) == kp.Stage(iterations=500)


def test_ladder_refines_while_that_pays_and_widens_otherwise() -> None:
    ladder, network = Ladder(), chebyshev(LADDER[0])
    finer, wider = kp.Stage(intervals=LADDER[1]), kp.Stage(widen=1)
    assert ladder.following(network, ends(1.0)) == finer
    assert ladder.following(network, ends(1.0, 0.01)) == finer
    assert ladder.following(network, ends(1.0, 0.9)) == wider
    assert ladder.following(network, ends(1.0, 0.9, change="wider")) == finer
    assert ladder.following(network, ends(1.0, 0.9, change="deeper")) == finer


def test_ladder_adds_half_the_nodes_again() -> None:
    assert Ladder().following(chebyshev(5, width=6), ends(1.0, 0.9)) == kp.Stage(widen=3)


def test_ladder_deepens_where_nothing_else_fits() -> None:
    """At the top of the degrees, with wider networks out of reach, one layer more; never above the deepest."""
    network = kp.KAN([2, (3, 3), 1], "chebyshev", degree=LADDER[-1])
    ladder = Ladder(largest=round(1.3 * deepened(network).n_parameters))
    assert ladder.following(network, ends(1.0, 0.9)) == kp.Stage(widen=1)
    assert Ladder(deepened(network).n_parameters - 1).following(network, ends(1.0)) != kp.Stage(deepen=True)
    thin = kp.KAN([4, 1, 1], "chebyshev", degree=LADDER[-1])  # a node more costs more than a layer
    tight = deepened(thin).n_parameters
    assert Ladder(tight).following(thin, ends(1.0)) == kp.Stage(deepen=True)
    assert Ladder(tight, deepest=1).following(thin, ends(1.0)) is None
    assert Ladder(tight - 1).following(thin, ends(1.0)) is None


def test_ladder_of_a_line_and_of_splines() -> None:
    """Splines get their new knots where the residual is, from the second stage on."""
    line = kp.KAN([1, 1], "chebyshev", degree=LINE_LADDER[0])
    assert Ladder().following(line, ends(1.0)) == kp.Stage(intervals=LINE_LADDER[1])
    spline = kp.KAN([1, 1], degree=3, intervals=5)
    assert Ladder().following(spline, ends(1.0)) == kp.Stage(intervals=10, knots=True)


def test_ladder_ends_at_its_budget() -> None:
    """Every stage that it proposes fits, and it ends."""
    ladder, network, changes = Ladder(largest=300), chebyshev(LADDER[0]), ["finer"]
    for _ in range(30):
        stage = ladder.following(network, [End(1.0, change) for change in changes])
        if stage is None:
            break
        changes.append(stage.change)
        network = deepened(network) if stage.deepen else network
        network = widened(network, stage.widen, stage.widen, 0) if stage.widen else network
        network = network.grown(lambda _, stage=stage: stage.intervals)
        assert network.n_parameters <= 300
    assert stage is None
    assert {"finer", "wider"} <= set(changes)
    assert ladder.following(kp.MLP([2, 8, 1]), ends(1.0)) is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"basis": "legendre"}, "no basis is called 'legendre'; use one of bspline, chebyshev, fourier, rbf"),
        ({"degree": 0}, "pinned degree=0 is too small; give 1 or more"),
        ({"intervals": -3}, "pinned intervals=-3 is too small; give 1 or more"),
        ({"sums": -1}, "pinned sums=-1 is too small; give 0 or more"),
        ({"sums": 0, "products": 0}, "leave a hidden layer empty"),
        ({"depth": -1}, "pinned depth=-1 is too small; give 0 or more"),
        ({"points_per_parameter": 0.5}, "pinned points_per_parameter=0.5 is too small; give 1 or more"),
        ({"points_per_parameter": float("nan")}, "pinned points_per_parameter=nan is too small"),
        ({"candidates": 0}, "pinned candidates=0 is too small"),
        ({"largest": 0}, "pinned largest=0 is too small"),
        ({"causal": -1.0}, "pinned causal=-1.0 is too small; give 0 or more"),
        ({"causal": 2.0}, "give a number from 0 to 1"),
        ({"optimizer": "sgd"}, "no optimizer is called 'sgd'"),
        ({"sampling": "halton"}, "no sampling rule is called 'halton'"),
    ],
)
def test_what_cannot_be_pinned(words: dict[str, Any], message: str) -> None:
    with pytest.raises(ProblemError, match=message) as caught:
        kp.Pinned(**words)
    assert "\n" not in str(caught.value)


def test_pinned_words_replace_those_of_a_stage() -> None:
    stage = kp.Stage("adam", points=77, intervals=9, knots=True, widen=2, deepen=True, causal=0.5)
    assert kp.Pinned().applied(stage) == stage
    pinned = kp.Pinned(optimizer="lbfgs", sampling="latin", causal=0.0)
    wanted = kp.Stage("lbfgs", 77, 9, widen=2, sampling="latin", deepen=True, knots=True, causal=0.0)
    assert pinned.applied(stage) == wanted


def one_step(problem: kp.Problem, pinned: kp.Pinned, **wish: Any) -> dict[str, Any]:
    """The first row of a run's history."""
    return kp.solve(problem, 1e-9, pinned=pinned, max_seconds=1e-3, **wish).history[0]


@pytest.mark.parametrize(
    ("pinned", "shown"),
    [
        ({}, {"basis": "chebyshev 5", "depth": 1, "sums": 4, "products": 4, "density": 3.0, "sampling": "sobol"}),
        ({"basis": "bspline"}, {"basis": "bspline 7 × 4"}),
        ({"basis": "bspline", "degree": 5, "intervals": 3}, {"basis": "bspline 5 × 3"}),
        ({"basis": "fourier", "intervals": 3}, {"basis": "fourier 3"}),
        ({"basis": "rbf", "intervals": 6}, {"basis": "rbf 6"}),
        ({"degree": 9}, {"basis": "chebyshev 9"}),
        ({"sums": 5, "products": 0}, {"sums": 5, "products": 0, "nodes": 5 + 1}),
        ({"sums": 0, "products": 2}, {"sums": 0, "products": 2, "nodes": 2 + 1}),
        ({"depth": 0}, {"depth": 0, "nodes": 1}),
        ({"depth": 2, "sums": 2, "products": 1}, {"depth": 2, "nodes": 3 + 3 + 1}),
        ({"points_per_parameter": 7}, {"density": 7.0, "parameters": 192, "rows": 7 * 192}),
        ({"optimizer": "lbfgs"}, {"optimizer": "lbfgs", "engine": "LBFGS"}),
        ({"optimizer": kp.Adam(rate=0.1)}, {"optimizer": "Adam", "engine": "Adam"}),
        ({"sampling": "latin"}, {"sampling": "latin"}),
        ({"sampling": "rad"}, {"sampling": "rad"}),
        ({"causal": 0.5}, {"causal": 0.5}),
    ],
)
def test_what_is_pinned_is_in_the_history(pinned: dict[str, Any], shown: dict[str, Any]) -> None:
    row = one_step(problem_file("poisson"), kp.Pinned(**pinned))
    assert {key: row[key] for key in shown} == shown


def test_pinned_points_and_weights_are_those_of_training() -> None:
    """What the history says of points is what the residual is made of."""
    problem = problem_file("heat_1d")
    losses = {
        name: one_step(problem, kp.Pinned(sums=2, products=1, candidates=1, **own))["loss"]
        for name, own in {"plain": {}, "points": {"sampling": "r3"}, "causal": {"causal": 0.01}}.items()
    }
    assert len(set(losses.values())) == 3


@pytest.mark.parametrize(("count", "seen"), [(1, []), (5, [5])])
def test_pinned_candidates_compete(count: int, seen: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    raced: list[int] = []
    monkeypatch.setattr(Run, "_scout", lambda _, candidates: raced.append(len(candidates)))
    one_step(problem_file("poisson"), kp.Pinned(candidates=count))
    assert raced == seen


def test_the_largest_network_is_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver refines up to it, and no further."""
    monkeypatch.setattr(training, "PATIENCE", (1, 10.0))
    monkeypatch.setattr(training, "LAST_PATIENCE", (1, 10.0))
    monkeypatch.setattr(judge, "PROMISING", 0.0)
    pinned = kp.Pinned(sums=2, products=2, degree=4, candidates=1, largest=200)
    rows = kp.solve(problem_file("poisson"), 1e-12, pinned=pinned).history
    parameters = [row["parameters"] for row in rows]
    assert 100 < max(parameters) <= 200
    assert len(set(parameters)) > 2


def test_the_basis_stays_over_all_stages() -> None:
    """A stage of splines inserts knots; those of Chebyshev polynomials raises the degree."""
    stages = [kp.Stage(iterations=1, points=100), kp.Stage(intervals=8, knots=True, iterations=1, points=100)]
    pinned = kp.Pinned(basis="bspline", degree=5, intervals=4, sums=1, products=1)
    rows = kp.solve(problem_file("poisson"), 1e-9, pinned=pinned, stages=stages).history
    assert [row["change"] for row in rows] == ["as it is", "knots where the residual is"]
    assert rows[0]["basis"] == "bspline 5 × 4"
    assert rows[1]["basis"].startswith("bspline 5 × 8")
