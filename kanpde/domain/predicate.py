"""Predicates on coordinates, such as x < 0 or And(x < 0, y > 1), and how they cut a box."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import sympy as sp
from sympy.logic.boolalg import Boolean

from ..errors import ProblemError
from ..expression import Program, as_expression, constant_value

# Relative to the numbers compared: on a side x = 0.1 the predicate Eq(x, 0.1) must hold in spite of rounding.
TOLERANCE = 1e-12


def checked_predicate(predicate: object, coordinates: Sequence[sp.Symbol]) -> sp.Basic:
    """Return a predicate as a SymPy Boolean, with equalities understood up to rounding.

    Raises:
        ProblemError: not a Boolean, or a symbol that is not a coordinate.
    """
    condition = as_expression(predicate)
    if not isinstance(condition, Boolean) or condition.is_Symbol:
        raise ProblemError(f"where({predicate}) needs a condition on the coordinates, such as {coordinates[0]} < 0.")
    unknown = sorted(str(s) for s in condition.free_symbols - set(coordinates))
    if unknown:
        names = ", ".join(map(str, coordinates))
        raise ProblemError(f"where({predicate}) uses {', '.join(unknown)}; the coordinates of the domain are {names}.")
    return condition.xreplace({r: _nearly(r) for r in condition.atoms(sp.Equality, sp.Unequality)})


def _nearly(relation: sp.Basic) -> sp.Basic:
    """Eq(a, b) as |a - b| <= tolerance, Ne(a, b) as its negation."""
    a, b = relation.args
    difference = sp.Abs(a - b)
    scale = max([1.0, *(abs(constant_value(c)) for c in (a, b) if not c.free_symbols)])
    tolerance = sp.Float(TOLERANCE * scale)
    return sp.Le(difference, tolerance) if isinstance(relation, sp.Equality) else sp.Gt(difference, tolerance)


def holds(predicate: sp.Basic, coordinates: Sequence[sp.Symbol], points: np.ndarray) -> np.ndarray:
    """Return (n,) bool: where the predicate holds among `points` (n, d)."""
    (values,) = Program.compile([predicate], coordinates)(list(points.T), np)
    return np.asarray(values, dtype=bool)


def thresholds(predicate: sp.Basic, symbol: sp.Symbol) -> list[float] | None:
    """Return the values of `symbol` where an axis-aligned predicate can change, None if it depends on it otherwise.

    An axis-aligned predicate compares one coordinate at a time with a constant, each comparison being linear.
    """
    found = []
    for relation in comparisons(predicate):
        difference = sp.expand(relation.args[0] - relation.args[1])
        if symbol not in difference.free_symbols:
            continue
        linear = difference.is_polynomial(symbol) and sp.degree(difference, symbol) == 1
        if difference.free_symbols != {symbol} or not linear:
            return None
        found.append(float(constant_value(-difference.coeff(symbol, 0) / difference.coeff(symbol, 1))))
    return sorted(set(found))


def comparisons(predicate: sp.Basic) -> list[sp.Basic]:
    """Return the comparisons that a predicate consists of, in a fixed order."""
    kinds = (sp.StrictLessThan, sp.LessThan, sp.StrictGreaterThan, sp.GreaterThan)
    return sorted(predicate.atoms(*kinds), key=sp.default_sort_key)
