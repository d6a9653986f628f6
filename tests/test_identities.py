"""What vanishes identically is seen, what does not is not; quickly also where simplification takes minutes."""

import pytest
import sympy as sp

from kanpde.symbolic.identities import is_identity

x, y, t = sp.symbols("x y t", real=True)
wave = 2 / sp.cosh(x - 4 * t + 2) ** 2
root = sp.sqrt(1 + x**2 + y**2)
ZERO = {
    "trigonometric": sp.sin(x) ** 2 + sp.cos(x) ** 2 - 1,
    "double angle": sp.sin(2 * sp.pi * x) - 2 * sp.sin(sp.pi * x) * sp.cos(sp.pi * x),
    "irrational": sp.exp(sp.sqrt(2) * x) * sp.exp(-sp.sqrt(2) * x) - sp.sqrt(2) ** 2 / 2,
    "halves": sp.cosh(x / 2) ** 2 - (1 + sp.cosh(x)) / 2,
    "kdv": wave.diff(t) + 6 * wave * wave.diff(x) + wave.diff(x, 3),
    "root": root.diff(x, 2) + root.diff(y, 2) - (2 + x**2 + y**2) / root**3,
    "cube root": ((1 + x) ** sp.Rational(4, 3)).diff(x) - sp.Rational(4, 3) * (1 + x) ** sp.Rational(1, 3),
    "logarithm": sp.log(x**2 + y**2).diff(x, 2) + sp.log(x**2 + y**2).diff(y, 2),
    "arc": sp.atan(sp.exp(x)).diff(x) - sp.sech(x) / 2,
    "mixed": (sp.exp(-t) * sp.tanh(x)).diff(t) + sp.exp(-t) * sp.sinh(x) / sp.cosh(x),
    "root of an exponential": sp.sqrt(1 + sp.exp(x)).diff(x) - sp.exp(x) / (2 * sp.sqrt(1 + sp.exp(x))),
    "arcs": 4 * sp.atan(sp.exp(x - y)) + 4 * sp.atan(sp.exp(y - x)) - 2 * sp.pi,
    "arcs at an end": sp.atan(sp.exp(x - 2)) + sp.atan(sp.exp(2 - x)) - sp.pi / 2,
    "one root upside down": sp.sqrt(-1 / (x**2 - 1)) - 1 / sp.sqrt(1 - x**2),
}
OPEN = {
    "two branches": sp.atan(x) + sp.atan(1 / x) - sp.pi / 2,
    "a sign": sp.sqrt(x**2) - x,
    "an odd root": (x**3) ** sp.Rational(1, 3) - x,
    "a logarithm of squares": sp.log(x**2) - 2 * sp.log(x),
    "another constant": 4 * sp.atan(sp.exp(x)) + 4 * sp.atan(sp.exp(-x)) - sp.pi,
}


@pytest.mark.parametrize("expression", OPEN.values(), ids=OPEN.keys())
def test_what_holds_on_one_side_only_is_no_identity(expression: sp.Expr) -> None:
    assert not is_identity(expression)


@pytest.mark.parametrize("expression", ZERO.values(), ids=ZERO.keys())
def test_identities_are_seen_and_their_neighbours_are_not(expression: sp.Expr) -> None:
    assert is_identity(expression)
    assert not is_identity(expression + sp.Rational(1, 1000) * x)
    assert not is_identity(expression.subs(x, 2 * x) + sp.exp(x) / 7)
