"""Estimates and true errors of fields: what is certified must be so, however the error oscillates."""

from collections.abc import Sequence

import cases
import numpy as np
import pytest
import sympy as sp
import torch
from cases import load as problem_file

import kanpde as kp
from kanpde.estimate import CHUNK, Estimator, TrainedField, quadrature, relative_l2
from kanpde.field import Ansatz, SymbolicField
from kanpde.lifting import impose
from kanpde.network import ModuleNetwork
from kanpde.operator import JetVariable
from kanpde.plan import default_network, fitted
from kanpde.problem import Problem

x, y, z, t = sp.symbols("x y z t", real=True)


def zero_network(problem: Problem) -> kp.KAN:
    network = fitted(default_network(problem, 0), problem)
    network.set_theta(torch.zeros_like(network.theta))
    return network


def known(problem: Problem, errors: Sequence[sp.Expr]) -> TrainedField:
    """The exact solution plus known errors, as a network that is zero plus a lift."""
    lift = tuple(problem.exact[u] + e for u, e in zip(problem.unknowns, errors, strict=True))
    ones = (sp.S.One,) * len(lift)
    ansatz = Ansatz(SymbolicField(problem.coordinates, lift), SymbolicField(problem.coordinates, ones))
    return TrainedField(zero_network(problem), ansatz)


def wave(problem: Problem, modes: int, size: float = 1e-6) -> sp.Expr:
    """`size` times a product of sines that vanish on the boundary."""
    shifted = zip(problem.coordinates, problem.domain.bounds.tolist(), strict=True)
    return size * sp.Mul(*(sp.sin(modes * sp.pi * (s - a) / (b - a)) for s, (a, b) in shifted))


@pytest.mark.parametrize("modes", [1, 4, 13, 24, 25, 50, 101, 190])
@pytest.mark.parametrize("name", ["poisson", "helmholtz", "nonlinear_poisson", "poisson_robin"])
def test_oscillating_errors_are_seen_or_not_certified(name: str, modes: int) -> None:
    problem = problem_file(name)
    field = known(problem, [wave(problem, modes)])
    true = wave_error(problem)
    estimate = Estimator(problem)(field)
    assert estimate is not None
    if modes < 30:
        assert estimate.trusted, estimate.reason
    if estimate.trusted:
        assert 0.8 <= estimate.relative / true <= 1.25


def wave_error(problem: Problem, size: float = 1e-6) -> float:
    """The relative error of `wave`, without quadrature of it: the mean square of a product of sines is 2^-d."""
    points, weights = quadrature(problem.domain)
    square = size**2 * 0.5 ** len(problem.coordinates) * problem.domain.measure
    return float(np.sqrt(square / ((problem.exact_values(points) ** 2).sum(1) @ weights)))


@pytest.mark.parametrize("name", ["heat_1d", "wave_1d", "coupled", "biharmonic_1d", "poisson_1d"])
def test_effectivity_for_other_kinds_of_problems(name: str) -> None:
    problem = problem_file(name)
    shape = [1e-5 * sp.cos(sum(problem.coordinates) + k) * wave(problem, 2, 1.0) for k in range(len(problem.unknowns))]
    field = known(problem, shape)
    estimate = Estimator(problem)(field)
    assert estimate is not None
    assert estimate.trusted, estimate.reason
    assert 0.8 <= estimate.relative / relative_l2(problem, field) <= 1.25


def test_problems_beyond_reach_say_why() -> None:
    space = sp.symbols("a:f", real=True)
    u = sp.Function("u")(*space)
    problem = Problem(kp.Box({s: (0, 1) for s in space}), kp.laplacian(u), kp.Dirichlet(u, 0), name="six")
    estimator = Estimator(problem)
    assert estimator(TrainedField(zero_network(problem), impose(problem))) is None
    assert "six has 6 coordinates" in estimator.reason


def test_an_untrusted_estimate_has_its_reason() -> None:
    problem = problem_file("poisson")
    front = sp.tanh(2000 * (x - y / 3)) * (1 - x**2) * (1 - y**2)
    estimator = Estimator(problem)
    estimate = estimator(known(problem, [1e-3 * front]))
    assert estimate is not None
    assert not estimate.trusted
    assert estimator.reason == estimate.reason != ""


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_quadrature_integrates_polynomials(dimension: int) -> None:
    bounds = np.array([[-1.0, 2.0], [0.5, 1.0], [3.0, 3.1]])[:dimension]
    points, weights = quadrature(kp.Box(dict(zip((x, y, z), bounds.tolist(), strict=False))))
    powers = np.arange(3, 3 + dimension)
    exact = np.prod([(b ** (p + 1) - a ** (p + 1)) / (p + 1) for (a, b), p in zip(bounds, powers, strict=True)])
    assert weights @ np.prod(points**powers, axis=1) == pytest.approx(exact, rel=1e-12)


def test_quadrature_in_many_dimensions() -> None:
    points, weights = quadrature(kp.Box({s: (0, 2) for s in sp.symbols("a:e", real=True)}))
    assert weights.sum() == pytest.approx(32.0)
    assert weights @ np.cos(points).prod(axis=1) == pytest.approx(np.sin(2.0) ** 5, abs=0.02)


def test_relative_l2_is_that_of_the_definition() -> None:
    problem = problem_file("coupled")
    field = known(problem, [sp.S(3), sp.S(4)])
    points, weights = quadrature(problem.domain)
    norm = np.sqrt((problem.exact_values(points) ** 2).sum(1) @ weights)
    assert relative_l2(problem, field) == pytest.approx(np.sqrt(25 * 4) / norm, rel=1e-12)
    blind = Problem(problem.domain, problem.equations, problem.conditions)
    assert relative_l2(blind, field) is None


def test_relative_to_nothing_is_absolute() -> None:
    u = sp.Function("u")(x)
    problem = Problem(kp.Box({x: (0, 4)}), u.diff(x, 2), kp.Dirichlet(u, 0), exact={u: 0})
    assert relative_l2(problem, known(problem, [sp.S(3)])) == pytest.approx(6.0)


@pytest.mark.parametrize("name", cases.CHEAP)
def test_a_field_is_the_same_in_slices_and_whole(name: str) -> None:
    problem = problem_file(name)
    field = TrainedField(fitted(default_network(problem, 1), problem), impose(problem))
    low, high = problem.domain.bounds.T
    points = np.random.default_rng(0).uniform(low, high, (CHUNK + 7, len(low)))
    variables = sorted({v for operator in problem.operators for v in operator.jet})
    whole = field.jet(points, variables)
    assert whole.shape == (CHUNK + 7, len(variables))
    np.testing.assert_allclose(field.jet(points[-9:], variables), whole[-9:], rtol=1e-12, atol=1e-12)
    zero = JetVariable(0, (0,) * len(low))
    np.testing.assert_array_equal(field.values(points)[:, 0], field.jet(points, [zero])[:, 0])
    assert field.jet(points[:0], variables).shape == (0, len(variables))


# The first forward mode of a process compiles torch's own rules with torch's own deprecated torch.jit.script.
@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")
def test_a_module_has_estimates_too() -> None:
    problem = problem_file("poisson_1d")
    module = torch.nn.Sequential(torch.nn.Linear(1, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1)).double()
    field = TrainedField(ModuleNetwork(module, 1), impose(problem))
    estimate = Estimator(problem)(field)
    assert estimate is not None
    assert estimate.relative == pytest.approx(relative_l2(problem, field), rel=1e-3)
