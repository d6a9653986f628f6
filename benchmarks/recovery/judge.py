"""Judgement from outside: a formula against the closed form, by values in double precision, by digits, by algebra.

Nothing of the method under test takes part: values come from `sympy.lambdify`, digits from mpmath.
"""

from __future__ import annotations

import itertools
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from benchmarks.recovery.case import Case
from kanpde.collocation import collocate

Formulas = Sequence[sp.Expr]

POINTS, SEED = 1000, 2718  # at about so many points are values compared
EXACT, RIGHT, ROUGH = 1e-9, 1e-6, 1e-3  # relative differences: equal, right in its numbers, no longer close
DIGITS, FEW = 50, 4  # of precision, and points at which it is used
SAME = 1e-30  # a relative difference in that precision which no constant of double precision reaches
SIMPLIFYING = 20.0  # seconds for algebra
ROUNDING = 60.0  # seconds for the rounding of constants, of a method that finds decimals
TOLERANCES = (1e-3, 1e-4, 1e-5, 1e-6)  # to which they are rounded
CONSTANTS: tuple[list[sp.Expr], ...] = ([], [sp.pi], [sp.sqrt(2)])  # that may occur in them, beside roots

RECOVERED, NUMERIC, CLOSE, WRONG, NONE = "recovered", "numerically right", "close", "wrong", "none"
FALSE_PROOF = "false proof"


@dataclass(frozen=True)
class Verdict:
    """How a formula compares with the closed form.

    Attributes:
        outcome: RECOVERED, NUMERIC, CLOSE, WRONG, NONE or FALSE_PROOF.
        difference: largest relative difference of values, NaN without a formula.
        digits: the same in 50 digits at a few points.
    """

    outcome: str
    difference: float
    digits: float


def sample(case: Case, count: int = POINTS, seed: int = SEED) -> np.ndarray:
    """Random points of the domain, about (count, d): the pieces of a domain share them."""
    return collocate(case.problem.domain.interior, count, "uniform", seed).x


def values(formula: sp.Expr, symbols: Sequence[sp.Symbol], points: np.ndarray) -> np.ndarray:
    """A formula at points (n, d), complex where real arithmetic has no value."""
    function = sp.lambdify(list(symbols), formula, ["scipy", "numpy"])
    with np.errstate(all="ignore"):
        for numbers in (points, points.astype(complex)):
            try:
                found = np.broadcast_to(np.asarray(function(*numbers.T)), len(points)).astype(complex)
            except (TypeError, ValueError, NameError, OverflowError):
                found = np.full(len(points), np.nan, complex)
            if np.isfinite(found).all():
                return found
    return found


def difference(found: Formulas, exact: Formulas, symbols: Sequence[sp.Symbol], points: np.ndarray) -> float:
    """The largest difference of any unknown at any point, relative to the largest value of the unknown there.

    Infinite where a formula has no value.
    """
    worst = 0.0
    for f, g in zip(found, exact, strict=True):
        truth = values(g, symbols, points)
        gap = np.abs(values(f, symbols, points) - truth)
        worst = max(worst, float(gap.max() / np.abs(truth).max()) if np.isfinite(gap).all() else np.inf)
    return worst


def precise(found: Formulas, exact: Formulas, symbols: Sequence[sp.Symbol], points: np.ndarray) -> float:
    """The same in 50 digits."""
    worst = 0.0
    for f, g in zip(found, exact, strict=True):
        where = [dict(zip(symbols, map(_long, p.tolist()), strict=True)) for p in points]
        truths = [sp.N(g.subs(at), DIGITS) for at in where]
        gaps = [abs(sp.N(lengthened(f).subs(at), DIGITS) - truth) for at, truth in zip(where, truths, strict=True)]
        ratio = max(gaps) / max(map(abs, truths)) if all(gap.is_finite for gap in gaps) else sp.oo
        worst = max(worst, float(ratio))
    return worst


def lengthened(formula: sp.Expr) -> sp.Expr:
    """The formula with its decimals in many digits, for they would limit the precision; as fractions they fill memory.

    Their values stay what they are.
    """
    return formula.xreplace({decimal: _long(decimal) for decimal in formula.atoms(sp.Float)})


def _long(number: float | sp.Float) -> sp.Float:
    return sp.Float(number, DIGITS + 10)


def judged(found: Formulas | None, case: Case, proved: bool = False) -> Verdict:
    """The verdict on a formula that the method calls proved or not."""
    if found is None:
        return Verdict(NONE, float("nan"), float("nan"))
    symbols, points = case.problem.coordinates, sample(case)
    gap = difference(found, case.formulas, symbols, points)
    digits = precise(found, case.formulas, symbols, points[:FEW]) if gap < ROUGH else float("nan")
    return Verdict(outcome(gap, proved), gap, digits)


def outcome(gap: float, proved: bool) -> str:
    """What a relative difference amounts to."""
    if gap < EXACT:
        return RECOVERED
    if proved:
        return FALSE_PROOF
    return NUMERIC if gap < RIGHT else CLOSE if gap < ROUGH else WRONG


def simplifies(found: Formulas, exact: Formulas) -> bool:
    """Whether algebra shows that the formulas are the same."""
    return all(sp.simplify(f - g) == 0 for f, g in zip(found, exact, strict=True))


def within(seconds: float, function: Callable[..., Any], *arguments: Any) -> Any:
    """The result of a function in a process of its own, None if it takes longer or fails."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        try:
            return pool.apply_async(function, arguments).get(seconds)
        except Exception:  # whatever a library raises, there is no result
            return None


def snapped(formula: sp.Expr, tolerance: float) -> sp.Expr:
    """A formula with its decimals replaced by the shortest constants near them."""
    return formula.xreplace({c: _near(c, tolerance) for c in formula.atoms(sp.Float)})


def _near(decimal: sp.Float, tolerance: float) -> sp.Expr:
    if abs(decimal) < tolerance:
        return sp.S.Zero
    near = [sp.nsimplify(decimal, known, tolerance=tolerance) for known in CONSTANTS]
    # What `nsimplify` returns may be further away than its tolerance.
    close = [constant for constant in near if abs(constant.evalf() - decimal) <= tolerance * abs(decimal)]
    return min(close, key=lambda constant: len(str(constant)), default=decimal)


def roundings(found: Formulas) -> Iterator[list[sp.Expr]]:
    """Formulas with rounded constants, by each tolerance, expanded before or not."""
    for tolerance, expanded in itertools.product(TOLERANCES, (False, True)):
        yield [snapped(sp.expand(f) if expanded else f, tolerance) for f in found]


def rounded_outcome(found: Formulas, exact: Formulas, symbols: Sequence[sp.Symbol], points: np.ndarray) -> str:
    """The best outcome of any rounding of the constants."""
    gaps = [difference(rounded, exact, symbols, points) for rounded in roundings(found)]
    return outcome(min(gaps), proved=False)
