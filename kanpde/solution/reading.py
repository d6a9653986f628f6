"""A solution read as a formula: what its field and its record give to the search."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import sympy as sp

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
    only: Iterable[str] | None,
    without: Iterable[str],
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
    """By field of the problem; a single expression is that of the only unknown."""
    if propose is None:
        return None
    given = propose if isinstance(propose, Mapping) else {problem.fields[0]: propose}
    for unknown in given:
        if unknown not in problem.fields:
            names = ", ".join(map(str, problem.fields))
            raise ProblemError(f"propose= names {unknown}; propose formulas for {names}")
    return {unknown: as_expression(expression) for unknown, expression in given.items()}
