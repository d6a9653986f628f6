"""Numbers of a formula that conditions determine: 1/sinh 2, cosh² ½, where digits tell nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import sympy as sp

from kanpde.problem import Problem
from kanpde.symbolic.formulas import Expressions, freed
from kanpde.symbolic.proof import claims

Exact = dict[sp.Symbol, sp.Expr]

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
    while digits:
        exact = next(_solutions(problem, found, digits), None) or _together(problem, found, digits)
        if not exact:
            break
        found = tuple(e.xreplace(exact) for e in found)
        digits = {symbol: value for symbol, value in digits.items() if symbol not in exact}
    return tuple(e.xreplace({s: sp.Float(v, 15) for s, v in digits.items()}) for e in found)


def _solutions(problem: Problem, expressions: Expressions, digits: dict[sp.Symbol, float]) -> Iterator[Exact]:
    """Numbers that stand alone in a condition."""
    for claim in claims(problem, expressions):
        if claim.expression is None or sp.count_ops(claim.expression) > LONGEST:
            continue
        wanted = claim.expression.free_symbols & digits.keys()
        if len(wanted) != 1:
            continue
        (symbol,) = wanted
        for value in _solved(claim.expression, symbol):
            if _agrees(value, digits[symbol]):
                yield {symbol: value}


def _together(problem: Problem, expressions: Expressions, digits: dict[sp.Symbol, float]) -> Exact:
    """Several numbers from as many conditions in which they stand linearly and coordinates do not."""
    rows = []
    for claim in claims(problem, expressions):
        own = claim.expression
        if own is None or sp.count_ops(own) > LONGEST or not own.free_symbols or not own.free_symbols <= digits.keys():
            continue
        if all(not sp.diff(own, symbol).free_symbols for symbol in own.free_symbols):
            rows.append(own)
    wanted = sorted({symbol for row in rows for symbol in row.free_symbols}, key=str)
    if not wanted or len(rows) < len(wanted):
        return {}
    found = sp.solve(rows, wanted, dict=True)
    values = {symbol: sp.simplify(value) for symbol, value in found[0].items()} if found else {}
    return {symbol: value for symbol, value in values.items() if _agrees(value, digits[symbol])}


def _agrees(value: sp.Expr, number: float) -> bool:
    return not value.free_symbols and math.isclose(_real(value), number, rel_tol=AGREES)


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
