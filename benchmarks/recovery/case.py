"""A problem of the study: its statement, which holds no solution, and beside it the closed form that judges know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sympy as sp

import kanpde as kp

EQUATIONS, REGRESSION = "equations", "regression"  # the two parts of the suite


@dataclass(frozen=True)
class Case:
    """A problem of which a closed form is known.

    Attributes:
        problem: what the method is given; it has no `exact`.
        exact: the closed form of each unknown, for the judge alone.
        source: where problem and closed form come from.
        natural: whether equations and data do not spell the closed form out.
        part: EQUATIONS or REGRESSION.
    """

    problem: kp.Problem
    exact: Mapping[Any, sp.Expr]
    source: str
    natural: bool = True
    part: str = EQUATIONS

    @property
    def name(self) -> str:
        """Names files and rows."""
        return self.problem.name

    @property
    def formulas(self) -> tuple[sp.Expr, ...]:
        """The closed forms in the order of the unknowns."""
        return tuple(sp.sympify(self.exact[unknown]) for unknown in self.problem.unknowns)


def stated(
    name: str,
    domain: kp.Domain,
    equations: Any,
    conditions: Any,
    exact: Mapping[Any, sp.Expr],
    source: str,
    natural: bool = True,
) -> Case:
    """A case of the equations' part."""
    problem = kp.Problem(name=name, domain=domain, equations=equations, conditions=conditions)
    return Case(problem, exact, source, natural)


def valued(exact: Mapping[Any, sp.Expr]) -> list[Any]:
    """Dirichlet conditions with the values of the closed forms."""
    return [kp.Dirichlet(unknown, value) for unknown, value in exact.items()]


def begun(exact: Mapping[Any, sp.Expr], time: sp.Symbol, start: Any = 0) -> list[Any]:
    """Initial conditions with the values of the closed forms."""
    return [kp.Initial(unknown, value.subs(time, start)) for unknown, value in exact.items()]


def tabled(name: str, source: str, formula: sp.Expr, ranges: Sequence[tuple[sp.Symbol, Any, Any]]) -> Case:
    """A case of regression: an equation of order 0 on a box, without conditions.

    Args:
        name: of the case.
        source: where the formula comes from.
        formula: of the variables.
        ranges: each variable with its lower and its upper bound.
    """
    u = sp.Function("u")(*(symbol for symbol, _, _ in ranges))
    box = kp.Box({symbol: (lower, upper) for symbol, lower, upper in ranges})
    problem = kp.Problem(name=name, domain=box, equations=sp.Eq(u, formula), conditions=())
    return Case(problem, {u: formula}, source, natural=False, part=REGRESSION)
