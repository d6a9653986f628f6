"""The conventional solver beside the network: the stored reference of the same problem, or one made on the spot."""

from __future__ import annotations

from typing import Any

from kanpde.cli.results import Files
from kanpde.errors import KanpdeError
from kanpde.problem import Problem
from kanpde.references import GridFunction, reference
from kanpde.solution import Solution

# Tried in this order: the best solver on a box first, then those that forgive more.
ORDERS: tuple[int | str, ...] = ("chebyshev", 4, 2)


def beside(solution: Solution, stored: GridFunction | None) -> dict[str, Any]:
    """Name, error, estimate, seconds and number of unknowns of a conventional solver for the same problem.

    With a stored reference also `reference_l2`, the relative L2 distance of the solution from it.
    """
    if stored is not None:
        return {**facts(stored), "reference_l2": float(solution.compare(stored))}
    reason = ""
    for order in ORDERS:
        try:
            return facts(reference(solution.problem, order=order))
        except KanpdeError as error:
            reason = reason or str(error)
    return {"name": f"no conventional solver: {reason}"}


def facts(grid: GridFunction) -> dict[str, Any]:
    """A reference in plain values."""
    return {
        "name": method(grid),
        "error": grid.relative_l2,
        "estimate": grid.error_estimate,
        "seconds": grid.seconds,
        "unknowns": int(grid.values.size),
    }


def method(grid: GridFunction) -> str:
    """What a reference is, as one says it: Chebyshev 33 x 33, or differences of order 4, 129 x 129."""
    kind = "Chebyshev" if grid.order == "chebyshev" else f"differences of order {grid.order},"
    return f"{kind} {' x '.join(map(str, grid.values.shape[:-1]))}"


def stored_reference(files: Files, problem: Problem) -> GridFunction | None:
    """The reference in the directory, unless it belongs to an earlier form of the problem.

    Raises:
        StoreError: the file cannot be read.
    """
    if not files.reference.exists():
        return None
    grid = GridFunction.load(files.reference)
    return grid if grid.signature == problem.signature else None
