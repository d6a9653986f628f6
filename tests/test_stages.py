"""Stages: the words that users give, the ladder that chooses, and what can be pinned in its place."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from cases import load as problem_file

import kanpde as kp
from kanpde.errors import ProblemError
from kanpde.network import Network, deepened, widened
from kanpde.network.basis import Chebyshev
from kanpde.network.bspline import BSpline
from kanpde.plan import default_network
from kanpde.stages import LADDER, LINE_LADDER, End, Ladder


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
        ({"causal": -1.0}, "give a number from 0 up"),
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
