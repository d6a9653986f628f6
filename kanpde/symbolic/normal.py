"""The expression of a tree whose edges are all written, without numbers that say the same thing twice.

Terms below an edge and factors of a product share scales and shifts. Straight lines are taken into what is above them,
each factor is led by coefficient one, and constants below an edge are gathered.
"""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp

from kanpde.symbolic.library import ARGUMENT
from kanpde.symbolic.tree import Coordinate, Edge, Node, Sum, Written

Combination = dict[sp.Expr, float]  # Σ coefficient · term; the term 1 stands for the constant
NEGLIGIBLE = 1e-9  # of the largest coefficient of a combination: a term below it is rounding


def expression_of(tree: Node, coordinates: Sequence[sp.Symbol]) -> sp.Expr | None:
    """The formula of a tree; None while an edge is still a series."""
    found = _combination(tree, coordinates)
    return None if found is None else written(found)


def written(combination: Combination) -> sp.Expr:
    """As an expression, without what is rounding."""
    return sp.Add(*[sp.Float(c, 15) * term for term, c in _cleaned(combination).items()])


def _cleaned(combination: Combination) -> Combination:
    largest = max((abs(c) for c in combination.values()), default=0.0)
    return {term: c for term, c in combination.items() if abs(c) > NEGLIGIBLE * largest}


def _combination(node: Node, coordinates: Sequence[sp.Symbol]) -> Combination | None:
    if isinstance(node, Coordinate):
        return {coordinates[node.axis]: 1.0}
    if isinstance(node, Edge):
        inner = _combination(node.inner, coordinates)
        return _of_edge(node, inner) if inner is not None and isinstance(node.curve, Written) else None
    parts = [_combination(part, coordinates) for part in node.parts]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    return _sum(known) if isinstance(node, Sum) else _product(known)


def _sum(parts: Sequence[Combination]) -> Combination:
    total: Combination = {}
    for part in parts:
        for term, c in part.items():
            total[term] = total.get(term, 0.0) + c
    return total


def _of_edge(edge: Edge, argument: Combination) -> Combination:
    """The combination c f(a z + b) + d of a combination z."""
    assert isinstance(edge.curve, Written)
    numbers = {s: sp.Float(float(v), 15) for s, v in zip(edge.curve.symbols, edge.numbers, strict=True)}
    own = edge.curve.expression
    straight = sp.Poly(own, ARGUMENT) if own.is_polynomial(ARGUMENT) and sp.degree(own, ARGUMENT) <= 1 else None
    if straight is not None:
        slope, offset = (float(own.coeff(ARGUMENT, k).xreplace(numbers)) for k in (1, 0))
        return _sum([{t: slope * k for t, k in argument.items()}, {sp.S.One: offset}])
    total: Combination = {}
    for term in sp.Add.make_args(sp.expand_mul(own.xreplace(numbers))):
        factor, function = term.as_coeff_Mul()
        inserted = _inserted(function, argument)
        total[inserted] = total.get(inserted, 0.0) + float(factor)
    return total


def _inserted(function: sp.Expr, argument: Combination) -> sp.Expr:
    """A function of a z + b at a combination z, multiplied out so that each number stands once."""
    expanded = function.xreplace({ARGUMENT: written(argument)})
    return expanded.func(*[sp.expand_mul(a) if a.args else a for a in expanded.args]) if expanded.args else expanded


def _product(factors: Sequence[Combination]) -> Combination:
    """Each factor led by coefficient one, the leading coefficients in front; a single term is kept flat."""
    scale, terms = 1.0, list[sp.Expr]()
    for factor in map(_cleaned, factors):
        lead = max((t for t in factor if t != 1), key=lambda t: abs(factor[t]), default=sp.S.One)
        leading = factor.get(lead, 0.0)
        if not leading:
            return {sp.S.One: 0.0}
        scale *= leading
        terms.append(sp.Add(*[t if t == lead else sp.Float(c / leading, 15) * t for t, c in factor.items()]))
    return {sp.Mul(*terms): scale}
