"""Conventional solvers from coarse to fine: which ones suit a problem, and where it is enough."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from benchmarks.conventional import Measured, chebyshev, differences, finite_elements
from benchmarks.evolution import LINES, MODES, exponential, method_of_lines
from kanpde.problem import Problem

Solver = Callable[[Problem, int], Measured]

DEGREES = (2, 3, 4)
ORDERS = (2, 4, 6, 8)
ROUNDED = 1e-8  # below this an error that rises again is rounding
LARGEST_SYSTEM = 1.2e6  # unknowns
RESOLUTIONS = {
    "Chebyshev": (6, 8, 10, 12, 14, 16, 18, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96),
    "differences": (13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025),
    "scikit-fem": (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256),
    "method": (101, 121, 161, 201, 241, 361, 481),
    "exponential": (256, 512, 1024, 2048, 4096, 8192),
}
# Polynomials on the whole box do not resolve the fronts of these.
FRONTS = {"burgers": LINES, "allen_cahn": MODES}
FEW_COORDINATES = 3  # more than these, and no grid or mesh of use fits


def methods() -> dict[str, Solver]:
    """Every solver by name, as a function of the problem and the resolution."""
    table: dict[str, Solver] = {"Chebyshev": chebyshev, LINES: method_of_lines, MODES: exponential}
    table |= {f"differences of order {p}": lambda q, n, p=p: differences(q, p, n) for p in ORDERS}
    table |= {f"scikit-fem P{k}": lambda q, n, k=k: finite_elements(q, k, n) for k in DEGREES}
    return table


def suitable(problem: Problem) -> tuple[str, ...]:
    """The names of those that solve a problem; none in many coordinates."""
    if problem.name in FRONTS:
        return (FRONTS[problem.name],)
    if problem.domain.time is not None:
        return ("Chebyshev",)
    return tuple(m for m in methods() if m not in (LINES, MODES)) if problem.domain.dimension <= FEW_COORDINATES else ()


def ladder(problem: Problem, method: str, seconds: float, accuracy: float = 1e-11) -> Iterator[Measured]:
    """Finer and finer, until the accuracy is reached, rounding takes over, or the next solve would take too long."""
    solve, dimension = methods()[method], len(problem.coordinates)
    resolutions = RESOLUTIONS[method.split()[0]]
    least = 0 if "order" not in method else int(method[-1]) + 4
    best, before = math.inf, None
    for resolution in (n for n in resolutions if n >= least):
        growth = 1.0 if before is None else (resolution / before.resolution) ** dimension
        if before is not None and (before.seconds * growth > seconds or before.unknowns * growth > LARGEST_SYSTEM):
            return
        before = solve(problem, resolution)
        yield before
        if before.error <= accuracy or (best < ROUNDED and before.error > 3 * best):
            return
        best = min(best, before.error)
