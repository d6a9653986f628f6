"""Several modes of an eigenvalue problem, one after the other, each kept orthogonal to those before it (deflation)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import sympy as sp

from kanpde.errors import ProblemError
from kanpde.expression import Eigenvalue, Given
from kanpde.problem import Integral, Problem
from kanpde.solution.solution import Solution
from kanpde.solution.solving import solve


def modes(problem: Problem, count: int, rtol: float = 1e-6, **options: Any) -> list[Solution]:
    """Several modes with eigenvalues about the problem's `near`, sorted by eigenvalue.

    The first is the nearest; inverse iteration favours near ones among the others, but does not promise their order.

    Each mode satisfies ∫ u u_k = 0 for every mode u_k found before it, so that none is found twice; modes
    of one multiple eigenvalue come one by one.

    Args:
        problem: with one `Eigenvalue`, self-adjoint: otherwise modes are not orthogonal.
        count: how many.
        rtol: as in `solve`.
        options: further arguments of `solve`.

    Raises:
        ProblemError: a problem without exactly one eigenvalue, or no mode asked for.
    """
    names = [p.name for p in problem.parameters if isinstance(p, Eigenvalue)]
    if len(names) != 1 or count < 1:
        raise ProblemError(
            f"{problem.name} has {len(names)} eigenvalues, and {count} modes are asked for; one is needed"
        )
    found: list[Solution] = []
    for _ in range(count):
        found.append(solve(deflated(problem, found), rtol, **options))
    return sorted(found, key=lambda solution: solution.identified[names[0]])


def deflated(problem: Problem, found: Sequence[Solution]) -> Problem:
    """The problem with the condition that its unknowns are orthogonal to some modes."""
    if not found:
        return problem
    return Problem(
        domain=problem.domain,
        equations=problem.equations,
        conditions=[*problem.conditions, *(_orthogonal(problem, k, mode) for k, mode in enumerate(found, 1))],
        name=f"{problem.name}_{len(found) + 1}",
    )


def _orthogonal(problem: Problem, k: int, mode: Solution) -> Integral:
    """∫ Σ_c u_c ū_c = 0."""
    terms = []
    for c, unknown in enumerate(problem.unknowns):
        known = Given(f"mode_{k}_{unknown.func}", _column(mode, c))
        terms.append(unknown * known(*problem.coordinates))
    return Integral(sp.Add(*terms), 0)


def _column(mode: Solution, c: int) -> Any:
    """One unknown of a mode as a function of coordinates."""

    def values(*coordinates: np.ndarray) -> np.ndarray:
        return np.real(mode(np.stack(coordinates, axis=1))[:, c])

    return values
