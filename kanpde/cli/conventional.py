"""The conventional solver beside the network: the stored reference of the same problem, or one made on the spot."""

from __future__ import annotations

from typing import Any

from kanpde.gallery import Settings, distance
from kanpde.problem import Problem
from kanpde.references import GridFunction
from kanpde.references.suited import Reference, facts, judge
from kanpde.solution import Solution


def beside(problem: Problem, solution: Solution, stored: Reference | None) -> dict[str, Any]:
    """Name, error, estimate, seconds and number of unknowns of a conventional solver for the same problem.

    With a stored reference also `reference_l2`, the relative L2 distance of the solution from it.
    """
    if stored is not None:
        return {**facts(stored), "reference_l2": _gap(problem, solution, stored)}
    return judge(problem, solution.record.rtol)[0]


def _gap(problem: Problem, solution: Solution, stored: Reference) -> float:
    if isinstance(stored, GridFunction) and problem.fields == problem.unknowns:
        return float(solution.compare(stored))
    return distance(problem, solution, lambda points: problem.readout(points, stored(points)), Settings())
