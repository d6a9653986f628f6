"""The exponential integrator on as many modes and steps as a tolerance needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kanpde.errors import ProblemError
from kanpde.problem import Problem
from kanpde.references.axes import Axis, DifferenceAxis, FourierAxis
from kanpde.references.function import GridFunction
from kanpde.references.grid import Grid, along
from kanpde.references.ivp_exponential import PeriodicSystem

Array = np.ndarray

# Of the interpolation between modes and instants where local differences are kept.
ORDER_BETWEEN = 8
# Beyond these many modes along an axis an interpolation that all of them enter costs too much.
LARGEST_GLOBAL = 512
# By the number of spatial coordinates.
FIRST_MODES = {1: 64, 2: 32, 3: 16}
LAST_MODES = {1: 4096, 2: 256, 3: 64}
FIRST_STEPS, LAST_STEPS = 128, 65_536
# Modes times steps times fields of the longest run, and stored values.
LARGEST_RUN = 1.2e7
STORED = 4_000_000
ROUNDING = 1e-13


@dataclass(frozen=True)
class Size:
    """Modes along each spatial coordinate and steps in time."""

    modes: int
    steps: int

    @property
    def finer(self) -> Size:
        """Twice the modes."""
        return Size(2 * self.modes, self.steps)

    @property
    def longer(self) -> Size:
        """Twice the steps."""
        return Size(self.modes, 2 * self.steps)


@dataclass(frozen=True, eq=False)
class Periodic:
    """Solutions of one problem at any size."""

    problem: Problem

    @property
    def dimension(self) -> int:
        """The number of spatial coordinates."""
        return len(self.problem.domain.space)

    def solve(self, size: Size) -> GridFunction:
        """The solution at one size, at as many instants as can be stored."""
        system = PeriodicSystem(self.problem, (size.modes,) * self.dimension)
        values_an_instant = system.grid.size * len(self.problem.fields)
        stride = 1
        while size.steps // stride * values_an_instant > STORED and stride < size.steps // 64:
            stride *= 2
        times, values = system.march(size.steps, stride)
        axes: list[Axis] = [_axis(axis) for axis in system.grid.axes if isinstance(axis, FourierAxis)]
        grid = Grid((*axes, DifferenceAxis(times, ORDER_BETWEEN)))
        stacked = np.ascontiguousarray(np.moveaxis(values, (0, 1), (-2, -1)))
        names = tuple(u.func.__name__ for u in self.problem.fields)
        return GridFunction(grid, stacked, names, tuple(map(str, self.problem.coordinates)), "exponential")

    def resolved(self, rtol: float) -> tuple[GridFunction, float]:
        """Double modes and steps until both change the solution by less than rtol; the solution and its error."""
        size, known = Size(FIRST_MODES[self.dimension], FIRST_STEPS), dict[Size, GridFunction | None]()
        before = float("inf")

        def at(size: Size) -> GridFunction | None:
            if size not in known:
                known[size] = self._tried(size)
            return known[size]

        while True:
            in_space = nodal_distance(at(size), at(size.finer))
            gap = nodal_distance(at(size), at(size.longer))
            in_time = gap / max(min(before / gap, 2.0**4) - 1.0, 0.5) if 0 < gap < before < float("inf") else gap
            # The smaller of the two errors waits until the other is as small.
            space_first, time_first = in_space > max(rtol, in_time / 10), in_time > max(rtol, in_space / 10)
            larger = Size(
                2 * size.modes if space_first and 4 * size.modes <= LAST_MODES[self.dimension] else size.modes,
                2 * size.steps if time_first and 4 * size.steps <= LAST_STEPS else size.steps,
            )
            before = gap if larger.steps > size.steps else before
            if larger == size or self._cost(larger.finer.longer) > LARGEST_RUN:
                best = at(size.finer.longer)
                if best is None:
                    raise ProblemError(
                        f"{self.problem.name}: the exponential integrator is not stable; use reference()."
                    )
                return best, max(in_space + in_time + between_instants(best), ROUNDING)
            size = larger

    def _cost(self, size: Size) -> float:
        """Modes times steps times fields."""
        return float(size.modes) ** self.dimension * size.steps * len(self.problem.fields)

    def _tried(self, size: Size) -> GridFunction | None:
        """The solution, None where it grows without bound because it is too coarse."""
        try:
            return self.solve(size)
        except ProblemError:
            return None


def _axis(axis: FourierAxis) -> Axis:
    if axis.count <= LARGEST_GLOBAL:
        return axis
    return DifferenceAxis(axis.nodes, ORDER_BETWEEN, axis.period)


def between_instants(function: GridFunction) -> float:
    """Relative error of the interpolation in time: what leaving out every other instant adds, by its order."""
    axis = function.grid.axes[-1]
    every_other = DifferenceAxis(axis.nodes[::2], ORDER_BETWEEN)
    line = axis.nodes[1::2]
    known = along(every_other.interpolation(line).matrix(len(every_other.nodes)), function.values[..., ::2, :], -2)
    gap = known - function.values[..., 1::2, :]
    norm = float(np.linalg.norm(function.values))
    return float(np.linalg.norm(gap)) / norm / 2.0 ** (ORDER_BETWEEN // 2) if norm else 0.0


def nodal_distance(coarse: GridFunction | None, fine: GridFunction | None) -> float:
    """Relative distance at the nodes that two nested grids share; infinite where one of them is missing."""
    if coarse is None or fine is None:
        return float("inf")
    mine, theirs = coarse.values, fine.values
    for axis in range(mine.ndim - 1):
        n, m = mine.shape[axis], theirs.shape[axis]
        # The last instant counts, the last node of a period does not.
        ends = axis == mine.ndim - 2
        mine = mine[(slice(None),) * axis + (slice(None, None, max(1, (n - ends) // (m - ends))),)]
        theirs = theirs[(slice(None),) * axis + (slice(None, None, max(1, (m - ends) // (n - ends))),)]
    norm = float(np.linalg.norm(theirs))
    return float(np.linalg.norm(mine - theirs)) / norm if norm else float(np.linalg.norm(mine))
