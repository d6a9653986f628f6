"""Numbers that conditions determine, and signs that a domain fixes."""

import numpy as np
import pytest
import sympy as sp

import kanpde as kp
from kanpde.symbolic.determined import determined
from kanpde.symbolic.proof import proof
from kanpde.symbolic.signs import bounds_of, signed, unsigned

x, y = sp.symbols("x y", real=True)
u, v = sp.Function("u")(x, y), sp.Function("v")(x)


def test_a_factor_comes_from_a_side() -> None:
    square = kp.Box({x: (0, 1), y: (0, 1)})
    exact = sp.sin(2 * x) * sp.sinh(2 * y) / sp.sinh(2)
    conditions = [
        kp.Dirichlet(u, sp.sin(2 * x), on=square.upper(y)),
        kp.Dirichlet(u, exact, on=square.lower(x) | square.upper(x) | square.lower(y)),
    ]
    problem = kp.Problem(square, sp.Eq(kp.laplacian(u), 0), conditions, name="plate")
    (found,) = determined(problem, [sp.Float(0.27572056477178322) * sp.sin(2 * x) * sp.sinh(2 * y)])
    assert sp.simplify(found - exact) == 0
    assert proof(problem, [found]).proved
    (other,) = determined(problem, [sp.Float(0.2757) * sp.sin(2 * x) * sp.sinh(2 * y)])
    assert other.has(sp.Float), "digits that disagree stay digits"


def test_a_number_inside_a_function_comes_from_an_end() -> None:
    equation = sp.Eq(v.diff(x, 2) + 2 * sp.exp(v) / sp.cosh(sp.Rational(1, 2)) ** 2, 0)
    problem = kp.Problem(kp.Box({x: (0, 1)}), equation, kp.Dirichlet(v, 0), name="bratu")
    guess = sp.log(sp.Float(1.2715403174076218) / sp.cosh(x - sp.Rational(1, 2)) ** 2)
    (found,) = determined(problem, [guess])
    assert not found.has(sp.Float)
    assert proof(problem, [found]).proved


def test_two_numbers_come_from_two_ends() -> None:
    exact = x - (sp.exp(10 * x) - 1) / (sp.exp(10) - 1)
    equation = sp.Eq(v.diff(x, 2) / 10 - v.diff(x), -1)
    problem = kp.Problem(kp.Box({x: (0, 1)}), equation, kp.Dirichlet(v, 0), name="layer")
    size = 1 / (np.exp(10) - 1)
    (found,) = determined(problem, [x - sp.Float(size * (1 - 1e-12)) * sp.exp(10 * x) + sp.Float(size)])
    assert sp.simplify(found - exact) == 0
    assert proof(problem, [found]).proved


def test_signs_of_straight_lines_in_a_domain() -> None:
    bounds = bounds_of(kp.Box({x: (0, 1), y: (-3, -1)}))
    assert unsigned(sp.Abs(x - 1) + sp.Abs(y) + sp.Abs(x + y), bounds) == (1 - x) - y - (x + y)
    assert unsigned(sp.Abs(2 * x - 1), bounds) == sp.Abs(2 * x - 1)
    assert unsigned(sp.Abs(x * y), bounds) == sp.Abs(x * y)
    assert signed(sp.sqrt(x**2) + sp.Abs(y), bounds) == sp.Symbol("x_above", positive=True) + sp.Symbol(
        "y_below", positive=True
    )


@pytest.mark.parametrize(("low", "proved"), [(0, True), (-1, False)])
def test_proofs_heed_the_signs_of_the_domain(low: float, proved: bool) -> None:
    """sqrt(x²) is x where x is not below zero, and only there."""
    problem = kp.Problem(kp.Box({x: (low, 2)}), sp.Eq(v, x), (), name="signs")
    assert proof(problem, [sp.sqrt(x**2)]).proved is proved
    assert proof(problem, [x]).proved
