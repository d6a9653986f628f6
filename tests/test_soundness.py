"""Attacks: formulas that satisfy an equation almost, almost everywhere, or by an accident of symbols are not proved."""

from typing import Any

import numpy as np
import pytest
import sympy as sp

import kanpde as kp
from kanpde.symbolic import Choice, Formula, library, symbolic
from kanpde.symbolic.proof import proof, vanishes
from kanpde.symbolic.regular import is_smooth

x, y, s, theta = sp.symbols("x y s theta", real=True)
v, u = sp.Function("v")(x), sp.Function("u")(x, y)
SQUARE = kp.Box({x: (0, 1), y: (0, 1)})
DISK = kp.Disk((x, y), (0, 0), 1)


def read(problem: kp.Problem, exact: sp.Expr, names: list[str], **options: Any) -> Formula:
    function = sp.lambdify(problem.coordinates, exact, "numpy")

    def values(points: np.ndarray) -> np.ndarray:
        return np.broadcast_to(np.asarray(function(*points.T), dtype=float), (len(points),))[:, None]

    return symbolic(problem, values, 1e-8, choice=Choice(library(only=names)), seconds=5.0, **options)


def laplace(exact: sp.Expr, domain: Any = SQUARE) -> kp.Problem:
    return kp.Problem(domain, sp.Eq(kp.laplacian(u), 0), kp.Dirichlet(u, exact), name="laplace")


@pytest.mark.parametrize(
    "exact", [x - y, x / 3 + 2 * y / 7, 2 * y, 2 - 3 * x, sp.pi * x * y + sp.sqrt(2), sp.pi + 0 * x]
)
def test_what_satisfies_the_equation_for_all_numbers_gets_them_from_the_conditions(exact: sp.Expr) -> None:
    formula = read(laplace(exact), exact, ["linear", "square", "sqrt", "asin", "sin"])
    assert formula.proved, str(formula)
    assert sp.expand(formula.expression - exact) == 0
    off = read(laplace(exact), exact + sp.Rational(1, 1000) * x, ["linear"], rtol=0.1)
    assert not off.proved or sp.expand(off.expression - exact) == 0


@pytest.mark.parametrize(
    "expression",
    [
        sp.Abs(sp.cos(x)) - sp.cos(x),
        sp.sqrt(sp.cos(x) ** 2) - sp.cos(x),
        sp.sign(sp.cos(x)) - 1,
        sp.Max(0, sp.cos(x)) - sp.cos(x),
        sp.Heaviside(sp.cos(x)) - 1,
        sp.Piecewise((1, sp.cos(x) > 0), (0, True)) - 1,
        sp.log(sp.cos(x) ** 2) - 2 * sp.log(sp.cos(x)),
        sp.Abs(1 + sp.cbrt(x)) - 1 - sp.cbrt(x),
        sp.sign(sp.sqrt(x) + 1) - 1,
        sp.asin(sp.sin(x)) - x,
    ],
)
def test_no_wave_is_taken_for_a_positive_number(expression: sp.Expr) -> None:
    assert not vanishes(expression)


def test_a_users_symbols_are_not_those_of_charts() -> None:
    w = sp.Function("w")(x, y, theta)
    disk = DISK * kp.ParameterRange(theta, (0, 1))
    equation = sp.Eq(w.diff(x, 2) + w.diff(y, 2), 0)
    assert not proof(kp.Problem(disk, equation, kp.Dirichlet(w, x)), [sp.cos(theta)]).proved
    w = sp.Function("w")(x, y, s)
    polygon = kp.Polygon((x, y), [(0, 0), (1, 0), (2, 1), (0, 1)]) * kp.ParameterRange(s, (0, 1))
    side = polygon.boundary.where(sp.And(x > 1, y < 1))
    conditions = [kp.Dirichlet(w, y, on=side), kp.Dirichlet(w, s, on=polygon.boundary - side)]
    assert not proof(kp.Problem(polygon, sp.Eq(w.diff(x, 2) + w.diff(y, 2), 0), conditions), [s]).proved


def test_integrals_over_a_part_stay_open() -> None:
    part = SQUARE.lower(x).where(sp.sin(y) < sp.Rational(1, 4))
    equation = sp.Eq(kp.laplacian(u), 0)
    assert not proof(kp.Problem(SQUARE, equation, [kp.Dirichlet(u, 1), kp.Integral(u, 1, on=part)]), [sp.S(1)]).proved
    inside = DISK.interior.where(sp.sin(x) < 0.2)
    problem = kp.Problem(DISK, equation, [kp.Dirichlet(u, 1), kp.Integral(u, sp.pi, on=inside)])
    assert not proof(problem, [sp.S(1)]).proved


def test_floating_point_numbers_prove_nothing() -> None:
    problem = kp.Problem(SQUARE, sp.Eq(3 * u, y), (), name="third")
    assert not proof(problem, [sp.Float(1) / 3 * y]).proved
    assert proof(problem, [y / 3]).proved


def test_poles_kinks_and_branches_are_no_solutions() -> None:
    riccati = kp.Problem(kp.Box({x: (-1, 1)}), sp.Eq(v.diff(x) + v**2, 0), kp.Dirichlet(v, x), name="pole")
    assert proof(riccati, [1 / x]).open == ("smoothness in the domain",)
    assert not read(riccati, 1 / x, ["linear", "inverse"]).proved
    logarithm = sp.log(x**2 + y**2) / 2
    assert proof(laplace(sp.S.Zero, DISK), [logarithm]).open == ("smoothness in the domain",)
    ring = DISK - kp.Disk((x, y), (0, 0), sp.Rational(1, 2))
    assert proof(laplace(logarithm, ring), [logarithm]).proved
    line = kp.Problem(kp.Box({x: (0, 1)}), sp.Eq(v.diff(x, 2), 0), kp.Dirichlet(v, sp.Rational(1, 2)), name="kink")
    assert not proof(line, [sp.sqrt(x**2 - x + sp.Rational(1, 4))]).proved
    centred = kp.Problem(kp.Box({x: (-1, 1)}), sp.Eq(v.diff(x, 2), 0), kp.Dirichlet(v, 1), name="piece")
    assert not proof(centred, [sp.Piecewise((x, x > 0), (-x, True))]).proved


SMOOTH = [
    1 / (1 + x**2 + y**2),
    sp.sqrt(2 + sp.sin(5 * x) * sp.cos(y)),
    sp.log(1 + sp.exp(x)),
    sp.tan(x / 2),
    sp.asin(x / 2),
    (2 + x) ** sp.Rational(3, 2),
    sp.cosh(x - y) ** -2,
    sp.atan(sp.exp(x)),
    1 / (sp.cos(y) + sp.cosh(2 * x) + 1),
]
ROUGH = [
    1 / (x - y),
    sp.sqrt(x),
    sp.log(x + sp.Rational(1, 2)),
    sp.tan(2 * x),
    sp.asin(2 * x),
    x ** sp.Rational(1, 3),
    sp.Abs(x),
    sp.sign(y),
    1 / (sp.sin(3 * x) - sp.Rational(1, 2)),
    sp.atanh(x * y),
    sp.gamma(x),
    1 / sp.atan(x),
    1 / (1 + sp.sin(9 * x)),
]


def test_smoothness_is_seen_and_its_lack_too() -> None:
    square = kp.Box({x: (-1, 1), y: (-1, 1)})
    assert [e for e in SMOOTH if not is_smooth(e, square)] == []
    assert [e for e in ROUGH if is_smooth(e, square)] == []
