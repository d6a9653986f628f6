"""Constants recognised: rationals, multiples of π, roots, and what the user adds, as far as the digits bear it.

A number with k certain digits is recognised only as a constant of a family in which far fewer than 10^k members are as
simple: it must be an accident with a probability of less than one in a thousand. Otherwise it stays a number.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import sympy as sp

LARGEST = 100_000_000  # numerator or denominator; what digits bear is decided by CHANCE
DEARER = 3.0  # each unit of a factor's complexity counts as many constants more
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
        (1 / sp.pi**2, 3),
        (sp.sqrt(sp.pi), 3),
        (1 / sp.sqrt(sp.pi), 3),
        (sp.sqrt(2 / sp.pi), 4),
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
    for cost, value in _constants(number, tolerance, extra):
        if cost * tolerance < CHANCE and math.isclose(float(value), number, rel_tol=tolerance):
            found.append((cost, value))
    if not found:
        return Recognised(sp.Float(number, 15), False, 0.0)
    _, best = min(found, key=lambda pair: pair[0])
    return Recognised(best, True, abs(float(best) / number - 1))


def _constants(number: float, tolerance: float, extra: Sequence[sp.Expr]) -> Iterator[tuple[float, sp.Expr]]:
    """What a number may be, each with how many constants are at least as simple, roughly."""
    for factor, weight in (*_families(), *((e, 1) for e in extra)):
        part = _rational(number / float(factor), tolerance)
        if part is not None:
            yield _size(part) * DEARER**weight, part * factor
    square = _rational(number**2, 2 * tolerance)
    if square is not None:
        yield _size(square) * DEARER**2, sp.sign(number) * sp.sqrt(square)
    for turn in (sp.pi / 2, -sp.pi / 2, sp.pi, -sp.pi):  # phases of waves
        rest = number - float(turn)
        part = _rational(rest, tolerance * abs(number / rest)) if rest else None
        if part is not None:
            yield _size(part) * DEARER**3, part + turn


def _size(part: sp.Rational) -> float:
    """How many rationals are at least as simple, roughly: numerator times denominator."""
    return float(abs(part.p) * part.q)


def _rational(number: float, tolerance: float) -> sp.Rational | None:
    """The rational with the least denominator within the tolerance."""
    if not 1.0 / LARGEST < abs(number) < LARGEST:
        return None
    exact = Fraction(number)
    low, high = 1, LARGEST
    while low < high:  # the nearest fraction gets nearer with each larger limit
        limit = (low + high) // 2
        near = math.isclose(float(exact.limit_denominator(limit)), number, rel_tol=tolerance)
        low, high = (low, limit) if near else (limit + 1, high)
    found = exact.limit_denominator(low)
    return sp.Rational(found.numerator, found.denominator) if found.numerator else None
