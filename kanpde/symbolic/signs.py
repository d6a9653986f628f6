"""What is known of signs in a domain: a coordinate above zero, a straight line that does not change its sign."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import sympy as sp

from kanpde.domain import Domain

Bounds = Mapping[sp.Symbol, tuple[float, float]]


def bounds_of(domain: Domain) -> Bounds:
    """The least and the greatest value of each coordinate."""
    return {x: (float(low), float(high)) for x, (low, high) in zip(domain.coordinates, domain.bounds, strict=True)}


def unsigned(expression: sp.Expr, bounds: Bounds) -> sp.Expr:
    """Without the absolute values of what has one sign in a box: |a − 1| is 1 − a for a up to 1."""
    replacements: dict[sp.Expr, sp.Expr] = {}
    for absolute in expression.atoms(sp.Abs):
        sign = _sign(absolute.args[0], bounds)
        if sign:
            replacements[absolute] = sign * absolute.args[0]
    return expression.xreplace(replacements)


def _sign(argument: sp.Expr, bounds: Bounds) -> int:
    """Of a straight line in a box; 0 where it is none, or changes its sign."""
    symbols = sorted(argument.free_symbols, key=str)
    if not set(symbols) <= bounds.keys() or any(sp.diff(argument, x, y) != 0 for x in symbols for y in symbols):
        return 0
    corners = itertools.product(*(bounds[x] for x in symbols))
    values = np.array([float(argument.subs(dict(zip(symbols, corner, strict=True)))) for corner in corners])
    return int((values >= 0).all()) - int((values <= 0).all())


def signed(expression: sp.Expr, bounds: Bounds) -> sp.Expr:
    """With coordinates that cannot be below zero, or above it, as symbols of which SymPy knows that."""
    return expression.xreplace({x: sign * symbol for x, (symbol, sign) in _known(bounds).items()})


def unchanged(expression: sp.Expr, bounds: Bounds) -> sp.Expr:
    """The way back from `signed`."""
    return expression.xreplace({symbol: sign * x for x, (symbol, sign) in _known(bounds).items()})


def _known(bounds: Bounds) -> dict[sp.Symbol, tuple[sp.Symbol, int]]:
    above = {x: (sp.Symbol(f"{x.name}_above", positive=True), 1) for x, (low, _) in bounds.items() if low >= 0}
    below = {x: (sp.Symbol(f"{x.name}_below", positive=True), -1) for x, (_, high) in bounds.items() if high <= 0}
    return above | below
