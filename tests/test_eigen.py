"""Starts of eigenvalue problems: the mode nearest to the first guess, normalised."""

import cases
import numpy as np
import pytest
import sympy as sp

import kanpde as kp
from kanpde import eigen
from kanpde.eigen import has_eigenvalue, inverse_iteration
from kanpde.estimate import TrainedField
from kanpde.lifting import impose
from kanpde.network import Network
from kanpde.plan import default_network, fitted
from kanpde.problem import Problem

x = sp.Symbol("x", real=True)
u = sp.Function("u")(x)


def string(near: float) -> Problem:
    """-u'' = λ u on (0, π): λ = 1, 4, 9, ... with sines."""
    tone = kp.Eigenvalue("lam", near=near)
    return Problem(kp.Box({x: (0, sp.pi)}), sp.Eq(-u.diff(x, 2), tone * u), kp.Dirichlet(u, 0), name="string")


def started(problem: Problem, seed: int = 0) -> TrainedField:
    ansatz = impose(problem)
    network = fitted(default_network(problem, seed), problem)
    assert isinstance(network, Network)
    return TrainedField(inverse_iteration(problem, ansatz, network, seed), ansatz)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(("near", "mode"), [(1.1, 1), (3.8, 2), (9.3, 3), (15.0, 4)])
def test_the_mode_near_the_guess_stands_out(near: float, mode: int, seed: int) -> None:
    """Its share |(u, s_k)|² of |u|² is above one half, and mostly above nine tenths."""
    field = started(string(near), seed)
    line = np.linspace(0, np.pi, 400)[:, None]
    values = field.values(line)[:, 0]
    shares = np.array([np.mean(values * np.sin(k * line[:, 0])) ** 2 for k in range(1, 8)])
    shares *= 2 / np.mean(values**2)
    assert int(np.argmax(shares)) + 1 == mode
    assert shares[mode - 1] > 0.7


def test_it_has_a_mean_square_of_one_and_keeps_the_guess() -> None:
    field = started(string(3.8))
    values = field.values(np.linspace(0, np.pi, 2001)[:, None])
    assert np.mean(values**2) == pytest.approx(1.0, rel=0.01)
    assert field.parameters == (3.8,)


def test_what_is_an_eigenvalue_problem() -> None:
    assert has_eigenvalue(string(1.0))
    assert not has_eigenvalue(cases.load("poisson"))
    assert not has_eigenvalue(cases.load("identify_viscosity"))


@pytest.mark.parametrize(("near", "found"), [(3.8, 4.0), (9.3, 9.0)])
def test_solve_finds_the_eigenvalue_near_the_guess(near: float, found: float) -> None:
    solution = kp.solve(string(near), 1e-6)
    assert solution.identified["lam"] == pytest.approx(found, rel=1e-6)
    assert solution.identified_stderr == {}
    assert solution.integrate(u**2) == pytest.approx(np.pi, rel=1e-5)


def test_the_network_itself_becomes_the_mode() -> None:
    """Who holds the network already holds the mode, after one round as after several."""
    for near in (1.1, 3.8):
        problem = string(near)
        network = fitted(default_network(problem, 0), problem)
        assert isinstance(network, Network)
        assert inverse_iteration(problem, impose(problem), network, 0) is network


def test_modes_of_the_first_round_stay_where_the_next_is_like_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Further rounds fit their points more than the mode, which estimates then do not resolve."""
    plain = started(string(1.1)).network.theta
    monkeypatch.setattr(eigen, "FURTHER", 0)
    np.testing.assert_array_equal(started(string(1.1)).network.theta, plain)
    first = started(string(3.8)).network.theta
    monkeypatch.undo()
    assert not np.allclose(started(string(3.8)).network.theta, first)


@pytest.mark.slow
def test_the_tone_of_a_drum_comes_with_a_trusted_estimate() -> None:
    solution = kp.solve(cases.load("drum_disk"), 1e-6, max_seconds=60)
    assert solution.converged
    assert solution.identified["lam"] == pytest.approx(5.783185962946784, rel=1e-6)
