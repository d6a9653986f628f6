"""Conventional solvers of evolutions with fronts: lines in space and an integrator in time, or Fourier modes.

Each is one solve at one resolution, as in `conventional`. Where there is no closed solution, far more Fourier modes
than any solve has are the truth.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from benchmarks.conventional import Measured, timed
from kanpde.problem import Problem
from kanpde.references.axes import DifferenceAxis
from kanpde.references.function import GridFunction
from kanpde.references.grid import Grid
from kanpde.references.ivp_lines import Lines
from kanpde.references.ivp_method import integrated
from kanpde.references.ivp_periodic import Periodic, Size, nodal_distance
from kanpde.references.reference import relative_l2
from kanpde.solution import Solution

LINES, MODES = "method of lines", "exponential integrator"
CROWDING = 4.0  # nodes sinh(4 s)/sinh(4): seven times denser in the middle, where the front is, than evenly spread ones
ORDER, ORDER_BETWEEN = 8, 6  # of the differences in space, of the interpolation between the integrator's steps
STEP_TOLERANCE = 1e-8
STEPS = 256  # of ETDRK4; twice as many change the solution of Allen-Cahn by 9e-10
# Twice as many modes change it by 8e-9 (measured), and the distance falls to a quarter with each doubling.
TRUTH = Size(16_384, 512)
CHUNK = 60_000  # points at which a network is evaluated at once
THINNED = 4  # every so many nodes of the truth count: 4,096 in space


def method_of_lines(problem: Problem, nodes: int) -> Measured:
    """One solve on nodes that crowd in the middle of the only spatial coordinate."""
    seconds, function = timed(lambda: _lines(problem, nodes))
    return Measured(LINES, nodes, function.values.size, relative_l2(problem, function), seconds)


def _lines(problem: Problem, nodes: int) -> GridFunction:
    ((lower, upper), _) = problem.domain.bounds.tolist()
    even = np.linspace(-1.0, 1.0, nodes)
    placed = lower + (upper - lower) / 2 * (1 + np.sinh(CROWDING * even) / np.sinh(CROWDING))
    placed[-1] = upper
    space = DifferenceAxis(placed, ORDER)
    lines = Lines(problem, Grid((space,)))
    steps = integrated(lines, STEP_TOLERANCE)
    values = [lines.full(float(t), y)[0, 0] for t, y in zip(steps.times, steps.states, strict=True)]
    grid = Grid((space, DifferenceAxis(steps.times, ORDER_BETWEEN)))
    names = tuple(u.func.__name__ for u in problem.fields)
    return GridFunction(
        grid, np.stack(values, axis=-1).reshape(*grid.shape, 1), names, tuple(map(str, problem.coordinates)), ORDER
    )


def exponential(problem: Problem, modes: int) -> Measured:
    """One solve with Fourier modes and ETDRK4; its error is the distance from the truth at the nodes they share."""
    seconds, function = timed(lambda: Periodic(problem).solve(Size(modes, STEPS)))
    return Measured(MODES, modes, function.values.size, nodal_distance(function, truth(problem)), seconds)


@cache
def truth(problem: Problem) -> GridFunction:
    """What stands for the closed solution that a periodic problem has not."""
    return Periodic(problem).solve(TRUTH)


def deviation(solution: Solution) -> float:
    """Relative L2 distance of a solution from the truth, by the trapezoidal rule on the nodes of the truth."""
    known = truth(solution.problem)
    nodes, instants = known.axes[0][::THINNED], known.axes[1]
    points = np.stack([g.ravel() for g in np.meshgrid(nodes, instants, indexing="ij")], axis=1)
    values = np.concatenate([solution(part) for part in np.array_split(points, -(-len(points) // CHUNK))])
    exact = known.values[::THINNED]
    weights = np.ones(len(instants))
    weights[[0, -1]] = 0.5
    gap, size = (float(np.sum(weights[:, None] * v**2)) for v in (values.reshape(exact.shape) - exact, exact))
    return float(np.sqrt(gap / size))
