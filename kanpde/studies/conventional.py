"""The conventional solver as a run of a study: one solve at one resolution, measured like a network."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar

import numpy as np

from kanpde.problem import Problem
from kanpde.references.axes import DifferenceAxis
from kanpde.references.function import GridFunction
from kanpde.references.grid import Grid
from kanpde.references.layout import layout
from kanpde.references.newton import solve_on_grid
from kanpde.references.reference import fits_grid, solve_spectral
from kanpde.references.suited import judge
from kanpde.studies.cases import Case
from kanpde.studies.meters import PeakMemory, latency

T = TypeVar("T")

REPEATED = 0.3  # a solve faster than this is done three times, and the median counts
NEWTON = 1e-10
BEST = "best"
TARGET = 1e-9  # relative L2 error that the conventional solver of a problem off grids is asked for
SIZES = {1: (17, 33, 65, 129, 257, 513), 2: (9, 17, 33, 65, 129), 3: (9, 17, 25)}  # nodes, by dimension
SPECTRAL = {1: (8, 12, 16, 24, 32, 48, 64, 96), 2: (8, 12, 16, 20, 24, 28, 32, 40), 3: (6, 8, 10, 12, 14)}
BATCH = 1000


@dataclass(frozen=True)
class Conventional:
    """One conventional solve.

    Attributes:
        case: name of the problem.
        method: "differences of order 2", "... 4", "Chebyshev", or "best": what suits the problem.
        nodes: along each coordinate; 0 for "best", which chooses.
    """

    case: str
    method: str
    nodes: int = 0

    @property
    def values(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {"study": "conventional"}

    @property
    def kind(self) -> str:
        """What rows of this kind are called."""
        return "conventional"

    @property
    def limit(self) -> float:
        """Seconds, roughly."""
        return 2.0

    def perform(self, case: Case) -> dict[str, Any]:
        """Solves and measures: `relative_l2, maximum, parameters (unknowns), seconds_trained, latency_1k`."""
        memory = PeakMemory()
        if self.method == BEST:
            return _best(case)
        seconds, function = timed(lambda: self._solved(case.problem))
        found = replace(case, slopes=None).errors(lambda points, _: function(points))
        return {
            "relative_l2": found.relative_l2,
            "maximum": found.maximum,
            "parameters": int(function.values.size),
            "seconds_trained": seconds,
            "memory_mb": memory.megabytes,
            "latency_1k": latency(lambda: function(case.points[:BATCH])),
            "status": "solved",
        }

    def _solved(self, problem: Problem) -> GridFunction:
        if self.method == "Chebyshev":
            return solve_spectral(problem, (self.nodes,) * len(problem.coordinates))
        return differences(problem, int(self.method.rsplit(" ", 1)[1]), self.nodes)


def _best(case: Case) -> dict[str, Any]:
    clock = time.process_time()
    beside, values = judge(case.problem, max(TARGET, 10 * case.floor))
    if values is None:
        return {"status": f"refused: {beside['name']}"}
    return {
        "label": beside["name"],
        "relative_l2": beside["error"] if beside["error"] is not None else beside["estimate"],
        "parameters": beside["unknowns"],
        "seconds_trained": time.process_time() - clock,
        "status": "solved",
    }


def conventional_runs(problem: Problem) -> list[Conventional]:
    """Differences of order 2 and 4 and collocation where a grid fits; else the solver that suits the problem."""
    dimension = problem.domain.dimension
    if not fits_grid(problem) or problem.domain.time is not None or dimension not in SIZES:
        return [Conventional(problem.name, BEST)]
    second, fourth = ((f"differences of order {order}", SIZES[dimension]) for order in (2, 4))
    methods = (second, fourth, ("Chebyshev", SPECTRAL[dimension]))
    return [Conventional(problem.name, method, nodes) for method, sizes in methods for nodes in sizes]


def differences(problem: Problem, order: int, nodes: int) -> GridFunction:
    """One solve with differences of an order, no second grid in it."""
    grid = Grid(tuple(DifferenceAxis(np.linspace(a, b, nodes), order) for a, b in problem.domain.bounds.tolist()))
    state = solve_on_grid(layout(problem, grid), None, NEWTON).state
    names = tuple(u.func.__name__ for u in problem.fields)
    values = np.ascontiguousarray(np.moveaxis(state.reshape(-1, *grid.shape), 0, -1))
    return GridFunction(grid, values, names, tuple(map(str, problem.coordinates)), order)


def timed(solve: Callable[[], T]) -> tuple[float, T]:
    """Processor seconds and result; the median of three where that costs nothing."""
    seconds, result = list[float](), None
    while not seconds or (len(seconds) < 3 and seconds[0] < REPEATED):
        clock = time.process_time()
        result = solve()
        seconds.append(time.process_time() - clock)
    assert result is not None
    return sorted(seconds)[len(seconds) // 2], result
