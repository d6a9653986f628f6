"""Whether a formula is smooth in a domain: no poles, no branches, no kinks; by interval arithmetic on cells.

A formula can satisfy an equation wherever it is defined and be no solution: 1/x on (−1, 1), log r on a disk, |x − ½|.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import sympy as sp

from kanpde.domain import Domain

Interval = tuple[np.ndarray, np.ndarray]
# What is neither here nor below has kinks, jumps or poles, or is not known: Abs, sign, Piecewise, Max, floor, ...
ENTIRE = (sp.exp, sp.sin, sp.cos, sp.sinh, sp.cosh, sp.tanh, sp.sech, sp.atan, sp.asinh, sp.erf, sp.besselj)
BOUNDED = (sp.asin, sp.acos, sp.atanh)  # smooth between −1 and 1
RATIOS = (sp.tan, sp.cot, sp.sec, sp.csc)
FIRST_CELLS = 4096  # about so many to begin with
MOST_CELLS = 60_000
DEPTH = 7
SLACK = 1e-11  # relative, for rounding


@dataclass(frozen=True)
class _Need:
    """What must not vanish, or must be above zero, in the domain."""

    expression: sp.Expr
    positive: bool


def is_smooth(expression: sp.Expr, domain: Domain) -> bool:
    """Whether a formula has all derivatives in the closed domain; False where that is not shown."""
    whole = expression.rewrite(list(RATIOS), sp.cos) if expression.has(*RATIOS) else expression
    if not all(f.func in (*ENTIRE, *BOUNDED, sp.log, sp.coth, sp.csch) for f in whole.atoms(sp.Function)):
        return False
    return all(_holds(need, domain) for need in _needs(whole))


def _needs(expression: sp.Expr) -> list[_Need]:
    found = []
    for part in sp.preorder_traversal(expression):
        if part.func == sp.log:
            found.append(_Need(part.args[0], True))
        elif part.func in (sp.coth, sp.csch):
            found.append(_Need(part.args[0], False))
        elif part.func in BOUNDED:
            found += [_Need(1 - part.args[0], True), _Need(1 + part.args[0], True)]
        elif part.is_Pow and not part.args[0].is_number and part.func != sp.exp:
            base, exponent = part.args
            if not (exponent.is_Integer and exponent > 0):
                found.append(_Need(base, not exponent.is_Integer))
    return list(dict.fromkeys(need for need in found if need.expression.free_symbols))


def _holds(need: _Need, domain: Domain) -> bool:
    if need.expression.is_positive:
        return True
    cells = _cells(domain)
    for _ in range(DEPTH):
        low, high = _evaluated(need.expression, domain.coordinates, cells)
        undecided = ~((low > 0) | ((high < 0) & (not need.positive)))
        cells = _inside(cells[undecided], domain)
        if not len(cells):
            return True
        cells = _halved(cells)
        if len(cells) > MOST_CELLS:
            return False
    return False


def _cells(domain: Domain) -> np.ndarray:
    """Boxes that cover the domain, (k, d, 2)."""
    bounds = domain.bounds
    count = max(2, int(FIRST_CELLS ** (1.0 / len(bounds))))
    ends = [np.linspace(low, high, count + 1) for low, high in bounds]
    places = np.stack(np.meshgrid(*[np.arange(count)] * len(bounds), indexing="ij"), axis=-1).reshape(-1, len(bounds))
    return np.stack([np.stack([e[k], e[k + 1]], axis=1) for e, k in zip(ends, places.T, strict=True)], axis=1)


def _inside(cells: np.ndarray, domain: Domain) -> np.ndarray:
    """Those that may have a part in the domain."""
    if domain.is_box or not len(cells):
        return cells
    space = len(domain.space)
    distance = domain.signed_distance(cells.mean(axis=2))
    radius = 0.5 * np.linalg.norm(np.ptp(cells[:, :space], axis=2), axis=1)
    return cells[distance <= radius]


def _halved(cells: np.ndarray) -> np.ndarray:
    """Each cut in two along its longest side, relative to the others as they are."""
    widths = np.ptp(cells, axis=2)
    axis = widths.argmax(axis=1)
    rows = np.arange(len(cells))
    middle = cells[rows, axis].mean(axis=1)
    left, right = cells.copy(), cells.copy()
    left[rows, axis, 1] = middle
    right[rows, axis, 0] = middle
    return np.concatenate([left, right])


def _evaluated(expression: sp.Expr, coordinates: Sequence[sp.Symbol], cells: np.ndarray) -> Interval:
    """Bounds of an expression in cells; infinite where nothing is known."""
    known = {x: (cells[:, k, 0], cells[:, k, 1]) for k, x in enumerate(coordinates)}
    with np.errstate(all="ignore"):
        low, high = _bounds(expression, known, len(cells))
    bad = np.isnan(low) | np.isnan(high)
    slack = SLACK * np.maximum(np.abs(low), np.abs(high))
    return np.where(bad, -np.inf, low - slack), np.where(bad, np.inf, high + slack)


def _bounds(expression: sp.Expr, known: dict[sp.Symbol, Interval], count: int) -> Interval:
    if expression in known:
        return known[expression]
    if expression.is_number:
        value = np.full(count, float(expression))
        return value, value
    parts = [_bounds(part, known, count) for part in expression.args if not (expression.is_Pow and part.is_number)]
    if expression.is_Add:
        return np.sum([low for low, _ in parts], axis=0), np.sum([high for _, high in parts], axis=0)
    if expression.is_Mul:
        return _product(parts)
    if expression.is_Pow and expression.args[1].is_number:
        return _power(parts[0], expression.args[1])
    rule = RULES.get(expression.func)
    return (np.full(count, -np.inf), np.full(count, np.inf)) if rule is None else rule(*parts[-1])


def _product(parts: Sequence[Interval]) -> Interval:
    low, high = parts[0]
    for a, b in parts[1:]:
        corners = np.stack([low * a, low * b, high * a, high * b])
        low, high = corners.min(axis=0), corners.max(axis=0)
    return low, high


def _power(base: Interval, exponent: sp.Expr) -> Interval:
    low, high = base
    power = float(exponent)
    ends = np.stack([low**power, high**power])
    if exponent.is_Integer and int(exponent) % 2 == 0:
        least = np.where((low <= 0) & (high >= 0), 0.0 if power > 0 else np.nan, ends.min(axis=0))
        return least, ends.max(axis=0)
    if power < 0:  # of one sign, or anything
        return np.where(low * high > 0, ends.min(axis=0), np.nan), np.where(low * high > 0, ends.max(axis=0), np.nan)
    return ends.min(axis=0), ends.max(axis=0)


def _rising(function: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray, np.ndarray], Interval]:
    return lambda low, high: (function(low), function(high))


def _even(function: Callable[[np.ndarray], np.ndarray], turn: float) -> Callable[[np.ndarray, np.ndarray], Interval]:
    """Of a function with one extreme, at zero."""

    def rule(low: np.ndarray, high: np.ndarray) -> Interval:
        ends = np.stack([function(low), function(high), np.where((low <= 0) & (high >= 0), turn, function(low))])
        return ends.min(axis=0), ends.max(axis=0)

    return rule


def _cosine(low: np.ndarray, high: np.ndarray) -> Interval:
    top = np.floor(high / (2 * np.pi)) >= np.ceil(low / (2 * np.pi))
    bottom = np.floor((high - np.pi) / (2 * np.pi)) >= np.ceil((low - np.pi) / (2 * np.pi))
    ends = np.stack([np.cos(low), np.cos(high)])
    return np.where(bottom, -1.0, ends.min(axis=0)), np.where(top, 1.0, ends.max(axis=0))


RULES: dict[object, Callable[[np.ndarray, np.ndarray], Interval]] = {
    sp.exp: _rising(np.exp),
    sp.sinh: _rising(np.sinh),
    sp.tanh: _rising(np.tanh),
    sp.atan: _rising(np.arctan),
    sp.asinh: _rising(np.arcsinh),
    sp.log: _rising(np.log),
    sp.asin: _rising(np.arcsin),
    sp.atanh: _rising(np.arctanh),
    sp.cosh: _even(np.cosh, 1.0),
    sp.sech: _even(lambda z: 1 / np.cosh(z), 1.0),
    sp.cos: _cosine,
    sp.sin: lambda low, high: _cosine(low - np.pi / 2, high - np.pi / 2),
}
