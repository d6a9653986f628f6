"""The conventional solver beside the network: the stored reference of the same problem, or one made on the spot."""

from __future__ import annotations

from typing import Any

from kanpde.errors import ProblemError
from kanpde.problem import Problem
from kanpde.references import GridFunction, best_conventional
from kanpde.solution import Solution


def beside(problem: Problem, solution: Solution, stored: GridFunction | None) -> dict[str, Any]:
    """Name, error, estimate, seconds and number of unknowns of a conventional solver for the same problem.

    With a stored reference also `reference_l2`, the relative L2 distance of the solution from it.
    """
    if stored is not None:
        return {**facts(stored), "reference_l2": float(solution.compare(stored))}
    return judge(problem, solution.record.rtol)[0]


def judge(problem: Problem, target: float) -> tuple[dict[str, Any], GridFunction | None]:
    """The conventional solver that reaches a relative L2 error, in plain values, and its solution if there is one."""
    try:
        best = best_conventional(problem, target)
    except ProblemError as error:
        return {"name": f"no conventional solver: {error}"}, None
    return facts(best), best


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
