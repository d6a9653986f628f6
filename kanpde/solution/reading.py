"""A solution read as a formula: what its field and its record give to the search."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import sympy as sp
from sympy.core.function import AppliedUndef

from kanpde.errors import ProblemError
from kanpde.expression import as_expression
from kanpde.problem import Problem
from kanpde.record import Record
from kanpde.symbolic import Candidate, Choice, Formula, library, symbolic

Values = Callable[[np.ndarray], np.ndarray]
Names = str | Iterable[str]


def read(
    record: Record,
    problem: Problem,
    values: Values,
    rtol: float | None,
    *,
    only: str | Iterable[str] | None,
    without: str | Iterable[str],
    extra: Sequence[Candidate],
    fixed: Mapping[sp.Symbol, Names] | None,
    propose: Mapping[sp.Expr, sp.Expr] | sp.Expr | None,
    seconds: float,
    seed: int,
) -> Formula:
    """The formula of a solution; the arguments are those of `Solution.symbolic`.

    Raises:
        ProblemError: a candidate or a coordinate that does not exist, or an rtol that is no tolerance.
    """
    if rtol is not None and not rtol > 0:
        raise ProblemError(f"rtol={rtol} is no tolerance; give how far the formula may be from the solution, above 0")
    candidates = library(only, without, extra)
    own = {c.name: c for c in candidates}
    choice = Choice(candidates, {_coordinate(problem, x): _named(names, own) for x, names in (fixed or {}).items()})
    error = record.error_estimate
    return symbolic(
        problem,
        values,
        error,
        rtol=rtol,
        choice=choice,
        propose=_proposal(problem, propose),
        scalars=tuple(record.identified.values()),
        seconds=seconds,
        seed=seed,
    )


def _coordinate(problem: Problem, symbol: sp.Symbol) -> sp.Symbol:
    if symbol not in problem.coordinates:
        names = ", ".join(map(str, problem.coordinates))
        raise ProblemError(f"fixed= names {symbol}, which is no coordinate; there are {names}")
    return symbol


def _named(names: Names, known: Mapping[str, Candidate]) -> tuple[Candidate, ...]:
    wanted = (names,) if isinstance(names, str) else tuple(names)
    for name in wanted:
        if name not in known:
            raise ProblemError(f"no candidate function is called {name!r}; use some of {', '.join(known)}")
    return tuple(known[name] for name in wanted)


def _proposal(
    problem: Problem, propose: Mapping[sp.Expr, sp.Expr] | sp.Expr | None
) -> Mapping[sp.Expr, sp.Expr] | None:
    """By field of the problem: complex formulas in two parts; a single expression is that of the only unknown."""
    if propose is None:
        return None
    names = ", ".join(map(str, problem.unknowns))
    if not isinstance(propose, Mapping) and len(problem.unknowns) > 1:
        raise ProblemError(f"propose= is one expression, and there are {names}; give {{unknown: expression}}")
    given = propose if isinstance(propose, Mapping) else {problem.unknowns[0]: propose}
    for unknown in given:
        if unknown not in problem.unknowns:
            raise ProblemError(f"propose= names {unknown}; propose formulas for {names}")
    found: dict[sp.Expr, sp.Expr] = {}
    for unknown, part in zip(problem.unknowns, problem.layout.parts, strict=True):
        if unknown in given:
            fields = [problem.fields[k] for k in part]
            found |= dict(zip(fields, _real_parts(problem, given[unknown], len(part)), strict=True))
    return found


def _real_parts(problem: Problem, expression: sp.Expr, count: int) -> tuple[sp.Expr, ...]:
    """One expression, or the real and the imaginary part for real coordinates and numbers."""
    own = as_expression(expression)
    if own.atoms(AppliedUndef):
        unknown = ", ".join(map(str, own.atoms(AppliedUndef)))
        raise ProblemError(
            f"propose= contains {unknown}; write known functions, with symbols for the numbers to be found"
        )
    twins = {x.name for x in problem.coordinates}
    for symbol in own.free_symbols - set(problem.coordinates):
        if symbol.name in twins:
            raise ProblemError(
                f"propose= has a symbol {symbol} that is not the coordinate; use the problem's own {symbol}"
            )
    if count == 1:
        return (own,)
    real = {s: sp.Symbol(s.name, real=True) for s in own.free_symbols - set(problem.coordinates)}
    return tuple(own.xreplace(real).as_real_imag())
