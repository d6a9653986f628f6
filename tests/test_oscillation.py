"""How much a problem oscillates: against the degree of a Chebyshev series of its data, and wave numbers by hand."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp
from cases import load as problem_file

import kanpde as kp
from kanpde.oscillation import oscillation
from kanpde.plan import CALM, MOST_FIRST, default_network
from kanpde.stages import LADDER, LINE_LADDER

x, y = sp.symbols("x y", real=True)
LINE, PLANE = sp.Function("u")(x), sp.Function("u")(x, y)


def line(equation: sp.Expr, interval: tuple[float, float] = (-1, 1)) -> kp.Problem:
    return kp.Problem(kp.Box({x: interval}), equation, kp.Dirichlet(LINE, 0), name="line")


def degree_of(function: sp.Expr, interval: tuple[float, float]) -> int:
    """The first degree that leaves less than a tenth: the slow twin, by interpolation on [−1, 1]."""
    low, high = interval
    values = sp.lambdify(x, function)
    series = np.polynomial.chebyshev.chebinterpolate(lambda z: values(low + (z + 1) * (high - low) / 2), 120)
    tails = np.sqrt(np.cumsum(series[::-1] ** 2)[::-1])
    return int(np.argmax(tails < 0.1 * tails[0]))


@pytest.mark.parametrize("interval", [(-1, 1), (0, 3)])
@pytest.mark.parametrize("source", [sp.sin(9 * x), sp.cos(25 * x), 1 / (1 + 25 * x**2), x**3, sp.exp(x)])
def test_the_degree_is_that_of_a_series_of_the_source(source: sp.Expr, interval: tuple[float, float]) -> None:
    found = oscillation(line(sp.Eq(LINE.diff(x, 2), source), interval))
    assert abs(found - degree_of(source, interval)) <= 2


def test_the_liveliest_axis_and_equation_count() -> None:
    box = kp.Box({x: (-1, 1), y: (-1, 1)})
    for source in (sp.sin(20 * x) * sp.cos(y), sp.sin(20 * y) * sp.cos(x)):
        problem = kp.Problem(box, sp.Eq(kp.laplacian(PLANE), source), kp.Dirichlet(PLANE, 0), name="plane")
        assert abs(oscillation(problem) - degree_of(sp.sin(20 * x), (-1, 1))) <= 2


def test_waves_that_no_source_excites_follow_from_the_operator() -> None:
    """a u'' + c u turns √(c/a) times a unit of length; half the length of the domain is the unit of polynomials."""
    assert oscillation(line(4 * LINE.diff(x, 2) + 900 * LINE, (0, 6))) == 3 * 15
    assert oscillation(line(4 * LINE.diff(x, 2) - 900 * LINE, (0, 6))) == 0  # exponentials
    assert oscillation(line(LINE.diff(x, 2) + (1 + x) * 400 * LINE)) > 20


def test_what_cannot_be_told_is_no_wave() -> None:
    assert oscillation(line(LINE.diff(x, 2) - LINE**3)) == 0
    rounding = sp.Float(0.1) * (x + sp.Float(0.2)) ** 2 - sp.Float(0.1) * x**2 - sp.Float(0.04) * x - sp.Float(0.004)
    assert oscillation(line(sp.Eq(LINE.diff(x, 2), rounding))) == 0
    assert oscillation(line(LINE.diff(x, 2) + sp.log(LINE))) == 0  # no number at u = 0


@pytest.mark.parametrize(("name", "least"), [("poisson", 0), ("helmholtz_6_6", 19), ("helmholtz_10_10", 31)])
def test_networks_begin_where_the_data_are_resolved(name: str, least: int) -> None:
    """At the bottom of the ladder for calm data, else on the first rung above their degree, up to a bound."""
    problem = problem_file(name)
    wanted = oscillation(problem)
    (degree,) = {e.basis.degree for layer in default_network(problem, 0).layers for e in layer.expansions}
    assert degree == (LADDER[0] if wanted <= CALM else next(r for r in LADDER if r >= min(wanted, MOST_FIRST)))
    assert degree >= least
    assert kp.Pinned(degree=9).degree == 9
    pinned = default_network(problem, 0, None, kp.Pinned(degree=9))
    assert {e.basis.degree for layer in pinned.layers for e in layer.expansions} == {9}


def test_lines_have_a_ladder_of_their_own() -> None:
    calm, fast = line(sp.Eq(LINE.diff(x, 2), x)), line(sp.Eq(LINE.diff(x, 2), sp.sin(30 * x)))
    degrees = [default_network(p, 0).layers[0].expansions[0].basis.degree for p in (calm, fast)]
    assert degrees == [LINE_LADDER[0], next(r for r in LINE_LADDER if r >= min(oscillation(fast), MOST_FIRST))]
