"""Continuation: easier problems by larger highest derivatives, the way that leads from them, and what it gains."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import sympy as sp
from cases import load as problem_file

import kanpde as kp
from kanpde.continuation import EASY, STEP, eased, factors_for, highest, path_to, transport
from kanpde.errors import ProblemError

x, y, t = sp.symbols("x y t", real=True)
FRONT = sp.Function("u")(x)

# Spatial derivatives of highest order of each equation, which are what easing multiplies.
HIGHEST = {
    "poisson": [{(2, 0), (0, 2)}],
    "burgers": [{(2, 0)}],
    "heat_1d": [{(2, 0)}],
    "wave_1d": [{(2, 0)}],
    "klein_gordon": [{(2, 0)}],
    "kdv": [{(3, 0)}],
    "kuramoto_sivashinsky": [{(4, 0)}],
    "biharmonic_1d": [{(4,)}],
    "boundary_layer": [{(2, 0), (0, 2)}],
    "kovasznay": [set(), {(2, 0), (0, 2)}, {(2, 0), (0, 2)}],
    "advection": [set()],
    "lotka_volterra": [set(), set()],
}


@pytest.mark.parametrize("name", HIGHEST)
def test_easing_multiplies_the_highest_derivatives_and_nothing_else(name: str) -> None:
    """F_s at a jet is F where these derivatives are s times as large."""
    problem, factor, random = problem_file(name), 7.0, np.random.default_rng(0)
    spatial = [problem.coordinates.index(s) for s in problem.domain.space]
    bounds = problem.domain.bounds
    points = bounds[:, 0] + random.uniform(0.1, 0.9, (20, len(bounds))) * np.ptp(bounds, axis=1)
    changed = eased(problem, factor)
    found = []
    for own, other in zip(problem.operators, changed.operators, strict=True):
        top = highest(own, spatial)
        found.append({v.derivative for v in top})
        jet = dict(zip(own.jet, random.normal(size=(len(own.jet), 20)), strict=True))
        larger = {v: factor * values if v in top else values for v, values in jet.items()}
        plain = own.evaluate(points, np.array([larger[v] for v in own.jet]), np)
        again = other.evaluate(points, np.array([jet[v] for v in other.jet]), np)
        np.testing.assert_allclose(again, plain, rtol=1e-10, atol=1e-10 * np.abs(plain).max())
    assert sorted(map(sorted, found)) == sorted(map(sorted, HIGHEST[name]))


def test_a_nonlinear_highest_derivative_is_linearised() -> None:
    """F_s = F + (s − 1) ∂F/∂u_xx u_xx: u_xx² becomes (2s − 1) u_xx²."""
    problem = kp.Problem(kp.Box({x: (0, 1)}), FRONT.diff(x, 2) ** 2 - 1, kp.Dirichlet(FRONT, 0), name="square")
    (operator,) = eased(problem, 3.0).operators
    assert operator.evaluate(np.array([[0.5]]), np.array([[2.0]]), np) == pytest.approx(5 * 2.0**2 - 1)


def test_an_eased_problem_is_a_problem_of_its_own() -> None:
    problem = problem_file("burgers")
    assert problem.signature
    assert problem.text
    changed = eased(problem, 4.0)
    assert changed.text != problem.text
    assert changed.name == "burgers_eased_4"
    assert changed.exact is None
    assert changed.signature != problem.signature
    assert problem.exact is not None
    assert problem.signature == problem_file("burgers").signature
    assert eased(problem, 1.0).signature != changed.signature
    assert changed.conditions == problem.conditions


def test_transport_is_the_convective_over_the_diffusive_term() -> None:
    """u' against ε u'' on a length L: L/ε."""
    layer = sp.Eq(-sp.Rational(1, 50) * FRONT.diff(x, 2) + 3 * FRONT.diff(x), 1)
    problem = kp.Problem(kp.Box({x: (1, 5)}), layer, kp.Dirichlet(FRONT, 0), name="line")
    assert transport(problem) == pytest.approx(3 * 4 * 50)
    assert transport(problem_file("poisson")) == 0.0
    assert transport(problem_file("advection")) == 0.0  # nothing that could be enlarged


@pytest.mark.parametrize("name", ["poisson", "helmholtz", "heat_1d", "klein_gordon", "boundary_layer", "advection"])
def test_easy_problems_are_not_led(name: str) -> None:
    assert factors_for(problem_file(name)) == ()
    assert path_to(problem_file(name), True) == ()


@pytest.mark.parametrize("name", ["burgers", "kdv", "allen_cahn"])
def test_hard_problems_are_led_from_easy_ones_in_even_steps(name: str) -> None:
    problem = problem_file(name)
    factors = factors_for(problem)
    assert factors[-1] == STEP
    assert all(a == STEP * b for a, b in itertools.pairwise(factors))
    path = path_to(problem, True)
    assert transport(path[0]) <= EASY < transport(eased(problem, factors[0] / STEP))
    assert transport(path[-1]) == pytest.approx(transport(problem) / STEP)


def test_a_path_is_what_was_asked_for() -> None:
    problem, other = problem_file("burgers"), problem_file("heat_1d")
    assert path_to(problem, False) == ()
    assert [p.name for p in path_to(problem, (9, 3.0))] == ["burgers_eased_9", "burgers_eased_3"]
    assert path_to(problem, [other]) == (other,)


@pytest.mark.parametrize("wrong", [[-1.0], [0], [float("nan")], [float("inf")], ["4"], [4.0, None]])
def test_factors_are_positive_numbers(wrong: list[Any]) -> None:
    with pytest.raises(
        ProblemError, match=r"neither a positive factor nor a Problem; give factors .* such as"
    ) as caught:
        kp.solve(problem_file("burgers"), continuation=wrong)
    assert "\n" not in str(caught.value)


def test_problems_on_the_way_have_the_same_shape() -> None:
    with pytest.raises(ProblemError, match="poisson_1d has 1 coordinates and 1 fields, burgers 2 and 1; "):
        path_to(problem_file("burgers"), [problem_file("poisson_1d")])
    with pytest.raises(ProblemError, match="coupled has 2 coordinates and 2 fields"):
        path_to(problem_file("burgers"), [problem_file("coupled")])


def front(viscosity: sp.Expr) -> kp.Problem:
    """A steady front of Burgers' equation, of the width of the viscosity."""
    equation = viscosity * FRONT.diff(x, 2) - FRONT * FRONT.diff(x)
    return kp.Problem(kp.Box({x: (-1, 1)}), equation, kp.Dirichlet(FRONT, -x), name="front")


def test_a_guided_run_starts_nearer_than_a_random_one() -> None:
    """The last problem begins where the one before ended, with a far smaller residual than from a random start."""
    stages, rows = [kp.Stage(iterations=2, points=200)], []
    problem = front(sp.Rational(1, 20))
    guided = kp.solve(problem, 1e-3, continuation=(4.0, 2.0), stages=stages, callback=rows.append)
    plain = kp.solve(problem, 1e-3, continuation=False, stages=stages)
    assert guided.problem is problem
    starts = [row["loss"] for row in rows if row["iteration"] == 1]
    assert len(starts) == 3
    assert starts[1] < 0.3 * starts[0]  # though the second problem is harder
    assert guided.history[0]["loss"] < 0.1 * plain.history[0]["loss"]
    assert guided.history == tuple(rows[-len(guided.history) :])


def test_problems_may_be_given_to_lead() -> None:
    """As factors of the same size do."""
    problem, stages = front(sp.Rational(1, 20)), [kp.Stage(iterations=2, points=200)]
    by_factor = kp.solve(problem, 1e-3, continuation=[2.0], stages=stages)
    by_problem = kp.solve(problem, 1e-3, continuation=[front(sp.Rational(1, 10))], stages=stages)
    np.testing.assert_allclose(by_problem.record.theta, by_factor.record.theta, rtol=1e-6)


def test_a_continuation_of_an_easy_problem_is_the_plain_run() -> None:
    wish = {"stages": [kp.Stage(iterations=3)], "rtol": 1e-9}
    led, plain = (kp.solve(problem_file("poisson_1d"), continuation=c, **wish) for c in (True, None))
    np.testing.assert_array_equal(led.record.theta, plain.record.theta)


def test_time_is_shared_among_the_steps() -> None:
    """A continuation out of time in its steps says so, and has the field that they reached."""
    found = kp.solve(front(sp.Rational(1, 20)), 1e-9, continuation=(4.0, 2.0), max_seconds=1e-3)
    assert found.status == "out of time"
    assert np.isfinite(found(np.array([[0.5]]))).all()
