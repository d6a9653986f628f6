"""What stages make of a network: the same function with more knots, nodes or layers, knots where the residual is."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import sympy as sp
import torch
from cases import load as problem_file

import kanpde as kp
from kanpde import enlarging
from kanpde.enlarging import CROWD, enlarged, facts, split
from kanpde.estimate import TrainedField
from kanpde.features import Clustering, with_clusterings
from kanpde.field import Ansatz
from kanpde.lifting import impose
from kanpde.network import ModuleNetwork, Network
from kanpde.plan import assemble, fitted
from kanpde.problem import Problem

x, y = sp.symbols("x y", real=True)
U = sp.Function("u")(x)
STAGES = {
    "nothing": kp.Stage(),
    "finer": kp.Stage(intervals=11),
    "coarser": kp.Stage(intervals=2),
    "knots": kp.Stage(intervals=9, knots=True),
    "wider": kp.Stage(widen=2),
    "deeper": kp.Stage(deepen=True),
    "all": kp.Stage(widen=1, deepen=True, intervals=9, knots=True),
}
NETWORKS = {
    "bspline": lambda: kp.KAN([2, (2, 1), 1], degree=5, intervals=4),
    "chebyshev": lambda: kp.KAN([2, (2, 1), 1], "chebyshev", degree=5),
    "fourier": lambda: kp.KAN([2, 3, 1], "fourier", intervals=3),
    "base": lambda: kp.KAN([2, 3, 1], degree=4, intervals=3, base="silu"),
    "mlp": lambda: kp.MLP([2, 4, 1]),
}


def placed(problem: Problem, network: torch.nn.Module) -> tuple[Network, Ansatz]:
    ansatz = impose(problem)
    return fitted(network, problem), ansatz


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("kind", NETWORKS)
def test_a_larger_network_is_the_same_field(kind: str, stage: str) -> None:
    problem = problem_file("identify_viscosity")
    network, ansatz = placed(problem, NETWORKS[kind]())
    network.scalars = (0.25,)
    larger = enlarged(problem, ansatz, network, STAGES[stage], seed=1)
    points = np.random.default_rng(0).uniform(0, 1, (30, 2))
    before, after = (TrainedField(n, ansatz).values(points) for n in (network, larger))
    np.testing.assert_allclose(after, before, atol=1e-13 * np.abs(before).max())
    assert larger.scalars == (0.25,)
    assert larger.n_parameters >= network.n_parameters
    assert larger is network or stage != "nothing"


def test_stages_say_how_much_larger() -> None:
    problem = problem_file("poisson")
    network, ansatz = placed(problem, kp.KAN([2, (2, 1), 1], "chebyshev", degree=5))
    wide = enlarged(problem, ansatz, network, kp.Stage(widen=2, intervals=8), seed=1)
    assert [(layer.sums, layer.products) for layer in wide.layers] == [(4, 3), (1, 0)]
    assert {e.basis.degree for layer in wide.layers for e in layer.expansions} == {8}
    deep = enlarged(problem, ansatz, network, kp.Stage(deepen=True), seed=1)
    assert len(deep.layers) == 3


def test_a_module_of_the_users_stays_as_it_is() -> None:
    problem = problem_file("poisson")
    module = ModuleNetwork(torch.nn.Linear(2, 1, dtype=torch.float64), 2)
    assert enlarged(problem, impose(problem), module, kp.Stage(widen=2, intervals=9, deepen=True), 0) is module


def steep(place: float) -> Problem:
    """A source that is large near a place only."""
    source = 1e4 * sp.exp(-((40 * (x - place)) ** 2))
    return Problem(kp.Box({x: (0, 4)}), sp.Eq(U.diff(x, 2), source), kp.Dirichlet(U, 0), name="steep")


@pytest.mark.parametrize("place", [0.7, 3.1])
def test_knots_go_where_the_residual_is(place: float) -> None:
    """Of twelve new intervals most lie where the equation is violated; the old knots stay."""
    problem = steep(place)
    network, ansatz = placed(problem, kp.KAN([1, 1], degree=5, intervals=8))
    larger = enlarged(problem, ansatz, network, kp.Stage(intervals=20, knots=True), seed=0)
    (expansion,) = larger.layers[0].expansions
    line = 2 + 2 * expansion.basis.breakpoints()
    assert len(line) == 21
    assert np.abs(line[:, None] - np.linspace(0, 4, 9)).min(0).max() < 1e-12
    new = [a for a in line if np.abs(a - np.linspace(0, 4, 9)).min() > 1e-9]
    assert np.mean(np.abs(np.array(new) - place) < 0.5) > 0.9


def test_knots_end_where_the_points_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Intervals that hold too few points to be cut are not cut afterwards either."""
    monkeypatch.setattr(enlarging, "SAMPLE", 64)
    problem = steep(0.7)
    network, ansatz = placed(problem, kp.KAN([1, 1], degree=5, intervals=8))
    larger = enlarged(problem, ansatz, network, kp.Stage(intervals=60, knots=True), seed=0)
    assert 8 < larger.layers[0].expansions[0].basis.intervals <= 64 / CROWD


def test_knots_are_even_where_the_residual_is() -> None:
    problem = Problem(kp.Box({x: (0, 4)}), sp.Eq(U.diff(x, 2), sp.sin(30 * x)), kp.Dirichlet(U, 0), name="even")
    network, ansatz = placed(problem, kp.KAN([1, 1], degree=5, intervals=8))
    larger = enlarged(problem, ansatz, network, kp.Stage(intervals=16, knots=True), seed=0)
    (expansion,) = larger.layers[0].expansions
    assert expansion.basis.uniform
    assert expansion.basis.intervals == 16


def test_each_input_has_knots_of_its_own() -> None:
    """A layer along y brings knots along y; the other axis is refined evenly, as are the layers above."""
    plane = sp.Function("u")(x, y)
    source = 1e4 * sp.exp(-((40 * (y - sp.Rational(1, 2))) ** 2)) * sp.sin(9 * x)
    box = kp.Box({x: (-1, 1), y: (-1, 1)})
    problem = Problem(box, sp.Eq(kp.laplacian(plane), source), kp.Dirichlet(plane, 0), name="plane")
    network, ansatz = placed(problem, kp.KAN([2, 2, 1], degree=5, intervals=8))
    larger = enlarged(problem, ansatz, network, kp.Stage(intervals=16, knots=True), seed=0)
    along_x, along_y = (e.basis for e in larger.layers[0].expansions)
    assert along_x.uniform
    assert along_x.intervals == 16
    assert not along_y.uniform
    assert np.mean(np.abs(along_y.breakpoints() - 0.5) < 0.3) > 0.5
    assert {(e.basis.uniform, e.basis.intervals) for e in larger.layers[1].expansions} == {(True, 16)}


def test_knots_follow_the_residual_in_terms_of_the_networks_own_inputs() -> None:
    """Where a front is an input ξ of the network, knots are placed along ξ, on which it is wide."""
    problem = steep(3.0)
    ansatz = with_clusterings(problem, impose(problem), [Clustering(0, (3.0,), (0.02,))])
    network = fitted(kp.KAN([1, 1], degree=5, intervals=8), problem, ansatz.features, ansatz.clusterings)
    larger = enlarged(problem, ansatz, network, kp.Stage(intervals=20, knots=True), seed=0)
    points = np.linspace(0.1, 3.9, 40)[:, None]
    before, after = (TrainedField(n, ansatz).values(points) for n in (network, larger))
    np.testing.assert_allclose(after, before, atol=1e-13 * np.abs(before).max())
    centre, half = larger.layers[0].centre[0], larger.layers[0].half_width[0]
    front = (float(np.arcsinh(0.0)) - centre) / half
    line = larger.layers[0].expansions[0].basis.breakpoints()
    widths, middles = np.diff(line), 0.5 * (line[1:] + line[:-1])
    assert widths[np.argmin(np.abs(middles - front))] < 0.5 * widths.max()


@pytest.mark.parametrize("seed", range(5))
def test_splitting_keeps_old_knots_and_halves_the_busiest_first(seed: int) -> None:
    """Greedy: no interval could be cut once more and still carry more a part than any that was cut."""
    random = np.random.default_rng(seed)
    line = np.sort(np.concatenate([[-1, 1], random.uniform(-1, 1, 6)]))
    energy, counts = random.exponential(size=7) ** 4, np.full(7, 1000)
    new = split(line, energy, counts, 25)
    assert len(new) == 26
    assert np.isin(line, new).all()
    assert (np.diff(new) > 0).all()
    parts = np.array([np.sum((new >= a) & (new < b)) for a, b in itertools.pairwise(line)])
    cut, loads = parts > 1, energy / parts**2.0
    assert loads.max() <= (energy / np.maximum(parts - 1, 1) ** 2.0)[cut].min()


def test_splitting_ends_where_points_or_the_residual_do() -> None:
    line, energy = np.array([-1.0, 0.0, 1.0]), np.array([1.0, 0.0])
    few = split(line, energy, np.array([5 * CROWD, 5 * CROWD]), 100)
    assert np.sum(few < 0) == 5  # each part keeps its points
    np.testing.assert_allclose(np.diff(few)[:5], 0.2)
    assert np.sum(few > 0) == 1  # nothing to gain
    np.testing.assert_array_equal(split(line, 0 * energy, np.array([99, 99]), 8), line)
    np.testing.assert_array_equal(split(line, energy, np.array([99, 99]), 2), line)


def test_facts_are_plain_and_tell_the_whole_configuration() -> None:
    problem = problem_file("poisson")
    network, ansatz = placed(problem, kp.KAN([2, (3, 2), (0, 1), 1], degree=[5, 4, 4], intervals=[3, 2, 2]))
    stage = kp.Stage("lbfgs", points=60, widen=1, sampling="latin")
    told = facts(stage, assemble(problem, network, ansatz, stage, 0, None))
    assert {type(value) for value in told.values()} <= {str, int, float}
    assert told == {
        "change": "wider",
        "basis": "bspline 5 × 3, bspline 4 × 2",
        "depth": 2,
        "sums": 3,
        "products": 2,
        "nodes": 3 + 2 + 1 + 1,
        "exact": 1,
        "optimizer": "lbfgs",
        "engine": "LBFGS",
        "sampling": "latin",
        "causal": 0.0,
        "steep": 0,
    }


def test_facts_of_a_users_module_have_its_name() -> None:
    problem = problem_file("poisson")
    network = fitted(torch.nn.Linear(2, 1, dtype=torch.float64), problem)
    stage = kp.Stage(points=60)
    told = facts(stage, assemble(problem, network, impose(problem), stage, 0, None))
    assert (told["basis"], told["depth"], told["nodes"]) == (network.title, 0, 0)
