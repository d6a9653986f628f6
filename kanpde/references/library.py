"""Stored references, and the conventional solver that reaches a given accuracy at the least cost."""

from __future__ import annotations

from pathlib import Path

from kanpde.errors import ProblemError, StoreError
from kanpde.problem import Problem
from kanpde.references.fem import FemFunction
from kanpde.references.fem.storage import is_on_mesh
from kanpde.references.function import GridFunction, Order
from kanpde.references.reference import fits_grid, reference

Reference = GridFunction | FemFunction

# From the cheapest at high accuracy to those that need no smoothness.
CANDIDATES: tuple[Order, ...] = ("chebyshev", 8, 4, 2)
CANDIDATES_ON_MESHES: tuple[Order, ...] = (3, 4, 2)


def find_reference(directory: str | Path, problem: Problem, order: Order | None = None) -> Reference | None:
    """The most accurate stored reference of a problem in a directory, by signature: never that of a changed problem.

    Args:
        directory: where to look, files `*.h5`; other and damaged ones are passed over.
        problem: the problem.
        order: only references of this order.
    """
    found: list[Reference] = []
    for path in sorted(Path(directory).glob("*.h5")):
        try:
            function = load_reference(path)
        except StoreError:
            continue
        if function.signature == problem.signature and order in (None, function.order):
            found.append(function)
    return min(found, key=error_of, default=None)


def load_reference(path: str | Path) -> Reference:
    """A stored reference of either kind.

    Raises:
        StoreError: no such file, damaged, or not a stored reference.
    """
    return FemFunction.load(path) if is_on_mesh(path) else GridFunction.load(path)


def error_of(function: Reference) -> float:
    """What is known of the relative error: the true one, else the estimate, else infinity."""
    known = [e for e in (function.relative_l2, function.error_estimate) if e is not None]
    return known[0] if known else float("inf")


def best_conventional(problem: Problem, target: float) -> Reference:
    """The first of Chebyshev collocation and differences of order 8, 4, 2 that reaches a relative L2 error.

    Where no grid fits, finite elements of degree 3, 4, 2. Where none reaches it, the most accurate of them.

    Raises:
        ProblemError: no conventional solver can solve the problem.
    """
    tried: list[Reference] = []
    reason: ProblemError | None = None
    for order in CANDIDATES if fits_grid(problem) else CANDIDATES_ON_MESHES:
        try:
            tried.append(reference(problem, order=order))
        except ProblemError as error:
            reason = reason or error
            continue
        if error_of(tried[-1]) <= target:
            return tried[-1]
    if not tried:
        raise reason or ProblemError(f"{problem.name} has no conventional solver.")
    return min(tried, key=error_of)
