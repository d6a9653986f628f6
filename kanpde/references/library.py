"""Stored references, and the conventional solver that reaches a given accuracy at the least cost."""

from __future__ import annotations

from pathlib import Path

from kanpde.errors import ProblemError, StoreError
from kanpde.problem import Problem
from kanpde.references.function import GridFunction, Order
from kanpde.references.reference import reference

# From the cheapest at high accuracy to those that need no smoothness.
CANDIDATES: tuple[Order, ...] = ("chebyshev", 8, 4, 2)


def find_reference(directory: str | Path, problem: Problem, order: Order | None = None) -> GridFunction | None:
    """The most accurate stored reference of a problem in a directory, by signature: never that of a changed problem.

    Args:
        directory: where to look, files `*.h5`; other and damaged ones are passed over.
        problem: the problem.
        order: only references of this order.
    """
    found: list[GridFunction] = []
    for path in sorted(Path(directory).glob("*.h5")):
        try:
            function = GridFunction.load(path)
        except StoreError:
            continue
        if function.signature == problem.signature and order in (None, function.order):
            found.append(function)
    return min(found, key=error_of, default=None)


def error_of(function: GridFunction) -> float:
    """What is known of the relative error: the true one, else the estimate, else infinity."""
    known = [e for e in (function.relative_l2, function.error_estimate) if e is not None]
    return known[0] if known else float("inf")


def best_conventional(problem: Problem, target: float) -> GridFunction:
    """The first of Chebyshev collocation and differences of order 8, 4, 2 that reaches a relative L2 error.

    Where none does, the most accurate of them.

    Raises:
        ProblemError: no grid can solve the problem.
    """
    tried: list[GridFunction] = []
    reason: ProblemError | None = None
    for order in CANDIDATES:
        try:
            tried.append(reference(problem, order=order))
        except ProblemError as error:
            reason = reason or error
            continue
        if error_of(tried[-1]) <= target:
            return tried[-1]
    if not tried:
        raise reason or ProblemError(f"{problem.name} has no conventional solver on a grid.")
    return min(tried, key=error_of)
