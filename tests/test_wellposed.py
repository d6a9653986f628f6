"""Checks of data: corners, contradictions, balance of fluxes, and the distance from resonance."""

import importlib
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import sympy as sp

import kanpde as kp
from kanpde.errors import ProblemError, ProblemWarning
from kanpde.problem import wellposed
from kanpde.problem.compiling import compile_condition

# The name of the function hides that of its module.
resonance = importlib.import_module("kanpde.references.resonance").resonance

x, y, t = sp.symbols("x y t", real=True)
u = sp.Function("u")(x, y)
w = sp.Function("u")(x, t)
square = kp.Box({x: (-1, 1), y: (-1, 1)})
rod = kp.Box({x: (0, 1)}) * kp.Time(t, (0, 1))


def quietly(make: Callable[[], kp.Problem]) -> kp.Problem:
    """A problem whose own checks may warn of what these tests look at."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ProblemWarning)
        return make()


@dataclass
class Bare:
    """A statement that no check has seen: its own constructor would refuse it."""

    problem: kp.Problem
    conditions: tuple[Any, ...]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.problem, name)


def with_conditions(domain: Any, equation: sp.Expr, conditions: list[Any]) -> Bare:
    """A problem with conditions that contradict each other."""
    unknown = next(iter(equation.atoms(sp.core.function.AppliedUndef)))
    well_posed = [kp.Dirichlet(unknown, 0)] + ([kp.Initial(unknown, 0)] if domain.time is not None else [])
    problem = quietly(lambda: kp.Problem(domain, equation, well_posed))
    return Bare(problem, tuple(made for c in conditions for made in compile_condition(problem.context, c)))


def messages(check: Callable[[Any], Iterator[str]], statement: Any) -> list[str]:
    return list(check(statement))


def test_a_corner_where_two_sides_disagree_is_named_with_both_values() -> None:
    conditions = [kp.Dirichlet(u, 0, on=square.lower(x)), kp.Dirichlet(u, 1, on=square.upper(y))]
    (message,) = messages(wellposed.check_corners, with_conditions(square, kp.laplacian(u), conditions))
    assert "x = -1, y = 1" in message
    assert "is 0 by" in message
    assert "1 by" in message


def test_corners_where_the_sides_agree_say_nothing() -> None:
    conditions = [kp.Dirichlet(u, x + y)]
    assert messages(wellposed.check_corners, with_conditions(square, kp.laplacian(u), conditions)) == []


def test_initial_values_that_miss_the_boundary_values_are_named() -> None:
    heat = w.diff(t) - w.diff(x, 2)
    conditions = [kp.Dirichlet(w, 0), kp.Initial(w, 1 - x)]
    (message,) = messages(wellposed.check_corners, with_conditions(rod, heat, conditions))
    assert "x = 0, t = 0" in message


def test_data_that_agree_up_to_rounding_say_nothing() -> None:
    heat = w.diff(t) - w.diff(x, 2)
    conditions = [kp.Dirichlet(w, 0), kp.Initial(w, 1e8 * sp.sin(sp.pi * x))]
    assert messages(wellposed.check_corners, with_conditions(rod, heat, conditions)) == []


def test_two_values_on_one_side_are_an_error() -> None:
    conditions = [kp.Dirichlet(u, 0), kp.Dirichlet(u, x, on=square.lower(y).where(x > 0))]
    with pytest.raises(ProblemError, match=r"prescribe 0 and .* drop one"):
        messages(wellposed.check_contradictions, with_conditions(square, kp.laplacian(u), conditions))


def test_the_same_value_twice_is_no_contradiction() -> None:
    conditions = [kp.Dirichlet(u, x), kp.Dirichlet(u, x, on=square.lower(y))]
    assert messages(wellposed.check_contradictions, with_conditions(square, kp.laplacian(u), conditions)) == []


@pytest.mark.parametrize("factor", [1.0, -3.0])
def test_fluxes_that_balance_the_source_pass(factor: float) -> None:
    exact = sp.cosh(x) * y**2
    source = exact.diff(x, 2) + exact.diff(y, 2)
    normal_flux = [
        kp.Neumann(u, sign * exact.diff(c), on=side)
        for c, sign, side in (
            (x, -1, square.lower(x)),
            (x, 1, square.upper(x)),
            (y, -1, square.lower(y)),
            (y, 1, square.upper(y)),
        )
    ]
    equation = factor * (kp.laplacian(u) - source)
    assert messages(wellposed.check_compatible, with_conditions(square, equation, normal_flux)) == []


def test_fluxes_that_do_not_balance_name_both_integrals() -> None:
    statement = with_conditions(square, kp.laplacian(u) - 3, [kp.Neumann(u, 1)])
    with pytest.raises(ProblemError, match=r"is 12, that of its normal derivative over the boundary 8;"):
        messages(wellposed.check_compatible, statement)


def test_a_part_with_a_value_lifts_the_balance() -> None:
    conditions = [
        kp.Neumann(u, 1, on=square.lower(x) | square.upper(x)),
        kp.Dirichlet(u, 0, on=square.lower(y) | square.upper(y)),
    ]
    assert messages(wellposed.check_compatible, with_conditions(square, kp.laplacian(u) - 3, conditions)) == []


@pytest.mark.parametrize("k2", [16.0, 25.0, 60.0])
def test_the_distance_from_resonance_is_that_to_the_nearest_eigenvalue(k2: float) -> None:
    problem = kp.Problem(square, sp.Eq(kp.laplacian(u) + k2 * u, 1), kp.Dirichlet(u, 0))
    modes = np.arange(1, 20)
    eigenvalues = (np.pi / 2) ** 2 * (modes[:, None] ** 2 + modes**2)
    found = resonance(problem)
    assert found is not None
    assert found.distance == pytest.approx(np.abs(eigenvalues - k2).min(), rel=1e-4)


def test_near_resonance_the_message_has_distance_and_amplification() -> None:
    near = kp.Problem(square, sp.Eq(kp.laplacian(u) + 24.6 * u, 1), kp.Dirichlet(u, 0))
    found = resonance(near)
    assert found is not None
    assert found.near
    assert "0.074 from zero" in found.message
    assert "332 times" in found.message


def test_resonance_itself_is_an_error() -> None:
    singular = kp.Problem(square, sp.Eq(kp.laplacian(u) + sp.pi**2 / 2 * u, 1), kp.Dirichlet(u, 0))
    with pytest.raises(ProblemError, match="move the frequency"):
        resonance(singular)


def test_poisson_has_no_resonance() -> None:
    assert resonance(kp.Problem(square, sp.Eq(kp.laplacian(u), 1), kp.Dirichlet(u, 0))) is None


def test_a_wave_equation_of_nonlinear_terms_is_not_asked() -> None:
    assert resonance(kp.Problem(square, sp.Eq(kp.laplacian(u) + u**3, 1), kp.Dirichlet(u, 0))) is None
