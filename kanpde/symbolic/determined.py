"""Numbers of a formula that conditions determine: 1/sinh 2, cosh² ½, where digits tell nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import sympy as sp

from kanpde.problem import Problem
from kanpde.symbolic.formulas import Expressions, freed
from kanpde.symbolic.proof import claims

LONGEST = 80  # operations of a condition that is solved
SHORT = 40  # the same where the number does not stand by itself
AGREES = 1e-8  # relative distance from the digits


def determined(problem: Problem, expressions: Sequence[sp.Expr]) -> Expressions:
    """The expressions with those numbers exact that a condition or an equation says, if it has one of them alone.

    Args:
        problem: what must hold.
        expressions: one a field; their floating-point numbers are known by their digits.
    """
    found, symbols, values = freed(expressions)
    digits = dict(zip(symbols, values, strict=True))
    progress = True
    while digits and progress:
        exact = next(_solutions(problem, found, digits), None)
        progress = exact is not None
        if exact is not None:
            symbol, value = exact
            found = tuple(e.xreplace({symbol: value}) for e in found)
            del digits[symbol]
    return tuple(e.xreplace({s: sp.Float(v, 15) for s, v in digits.items()}) for e in found)


def _solutions(
    problem: Problem, expressions: Expressions, digits: dict[sp.Symbol, float]
) -> Iterator[tuple[sp.Symbol, sp.Expr]]:
    for claim in claims(problem, expressions):
        if claim.expression is None or sp.count_ops(claim.expression) > LONGEST:
            continue
        wanted = claim.expression.free_symbols & digits.keys()
        if len(wanted) != 1:
            continue
        (symbol,) = wanted
        for value in _solved(claim.expression, symbol):
            if not value.free_symbols and math.isclose(_real(value), digits[symbol], rel_tol=AGREES):
                yield symbol, value


def _solved(expression: sp.Expr, symbol: sp.Symbol) -> list[sp.Expr]:
    slope = sp.diff(expression, symbol)
    if slope != 0 and not slope.has(symbol):
        return [sp.simplify(-(expression - slope * symbol).expand() / slope)]
    if sp.count_ops(expression) > SHORT:
        return []
    try:
        return [sp.simplify(value) for value in sp.solve(expression, symbol)]
    except NotImplementedError:
        return []


def _real(value: sp.Expr) -> float:
    number = complex(value.evalf())
    return number.real if abs(number.imag) < AGREES * abs(number) else math.nan
