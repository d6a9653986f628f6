"""Constants recognised: rationals, multiples of π, roots, and what the user adds, as far as the digits bear it.

A number with k certain digits is recognised only as a constant of a family in which far fewer than 10^k members are as
simple: it must be an accident with a probability of less than one in a thousand. Otherwise it stays a number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import sympy as sp

LARGEST_DENOMINATOR = 24
LARGEST_NUMERATOR = 1_000_000  # times its denominator: what digits bear is decided by CHANCE
ROOTS = (2, 3, 5, 6, 7, 10)
CHANCE = 1e-3  # that a simple constant lies as near as the one found by accident


@dataclass(frozen=True)
class Recognised:
    """A number and what it was taken for.

    Attributes:
        value: SymPy's, a Float where nothing was recognised.
        known: whether something was.
        error: its distance from the number, relative.
    """

    value: sp.Expr
    known: bool
    error: float


@lru_cache(maxsize=1)
def _families() -> tuple[tuple[sp.Expr, int], ...]:
    """Factors of rationals, each with the complexity that it adds."""
    roots = [(sp.sqrt(n), 2) for n in ROOTS]
    return (
        (sp.S.One, 0),
        (sp.pi, 1),
        *roots,
        *[(sp.pi * root, weight + 1) for root, weight in roots],
        (1 / sp.pi, 2),
        (sp.pi**2, 2),
        (sp.sqrt(sp.pi), 3),
        (sp.E, 2),
        (sp.log(2), 3),
    )


def recognised(number: float, tolerance: float, extra: Sequence[sp.Expr] = ()) -> Recognised:
    """The simplest constant within a relative tolerance of a number.

    Args:
        number: what was found.
        tolerance: relative error that it may have; below it one in absolute terms for zero.
        extra: further factors of rationals, such as a wavenumber of the problem.
    """
    if abs(number) <= tolerance:
        return Recognised(sp.S.Zero, True, abs(number))
    found = []
    for factor, weight in (*_families(), *((e, 1) for e in extra)):
        part = _rational(number / float(factor), tolerance) or _unit_fraction(number / float(factor), tolerance)
        if part is not None:
            cost = _size(part) * 3.0**weight
            if cost * tolerance < CHANCE:
                found.append((cost, part * factor))
    if not found:
        return Recognised(sp.Float(number, 15), False, 0.0)
    _, best = min(found, key=lambda pair: pair[0])
    return Recognised(best, True, abs(float(best) / number - 1))


def _size(part: sp.Rational) -> float:
    """How many rationals are at least as simple, roughly: numerator times denominator."""
    return float(abs(part.p) * part.q)


def _unit_fraction(number: float, tolerance: float) -> sp.Rational | None:
    """One over a whole number that is larger than those denominators."""
    below = round(1 / number) if abs(number) > 1 / LARGEST_NUMERATOR else 0
    near = below != 0 and math.isclose(1 / below, number, rel_tol=tolerance)
    return sp.Rational(1, below) if near else None


def _rational(number: float, tolerance: float) -> sp.Rational | None:
    """The rational with the least denominator within the tolerance."""
    for denominator in range(1, LARGEST_DENOMINATOR + 1):
        numerator = round(number * denominator)
        near = math.isclose(numerator / denominator, number, rel_tol=tolerance)
        if near and 0 < abs(numerator) * denominator <= LARGEST_NUMERATOR:
            return sp.Rational(numerator, denominator)
    return None
