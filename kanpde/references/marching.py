"""Marching in time: slabs of implicit Radau IIA collocation, all stages at once, with a grid in space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kanpde.errors import ProblemError
from kanpde.operator import JetVariable
from kanpde.problem import CompiledCondition, Problem
from kanpde.references import stencils
from kanpde.references.axes import Axis, StageAxis
from kanpde.references.grid import Grid, along
from kanpde.references.layout import Layout, layout, operator_of
from kanpde.references.newton import solve_on_grid
from kanpde.references.system import evaluate, jet_variables

Array = np.ndarray
# w_j = D_t^j u at one instant, on the spatial grid: {(unknown, j): (N,)}.
Instant = dict[tuple[int, int], Array]


@dataclass(frozen=True, eq=False)
class March:
    """Values (c, *space, instants) at the ends of the slabs, and the largest relative size of a last Newton step."""

    values: Array
    last_step: float


def time_position(problem: Problem) -> int:
    """Which coordinate is the time."""
    return len(problem.domain.space)


def time_orders(problem: Problem) -> list[int]:
    """The highest time derivative of each unknown in the equations."""
    k = time_position(problem)
    return [
        max((alpha[k] for operator in problem.operators for alpha in operator.derivatives(c)), default=0)
        for c in range(len(problem.fields))
    ]


def march(problem: Problem, axes: tuple[Axis, ...], instants: Array, stages: int, tolerance: float = 1e-10) -> March:
    """Solve an initial value problem from slab to slab.

    Args:
        problem: with a time and initial values for every time derivative below the highest.
        axes: all axes but the time.
        instants: (n,) ends of the slabs, equidistant, the first one the start.
        stages: q of Radau IIA.
        tolerance: relative size of the last Newton step.

    Raises:
        ProblemError: an initial value is missing, or a slab cannot be solved.
    """
    position, orders = time_position(problem), time_orders(problem)
    rest = Grid(axes)
    step = float(instants[-1] - instants[0]) / (len(instants) - 1)
    first = StageAxis(float(instants[0]), step, stages)
    grid = Grid((*axes[:position], first, *axes[position:]))
    instant = initial_instant(problem, rest, first.start)
    rows = layout(problem, grid)
    steady = rows.steady
    states: list[Array] = []
    worst, solver = 0.0, None
    for start in instants[:-1]:
        grid = grid.shifted(position, StageAxis(float(start), step, stages))
        rows = rows.shifted(grid) if steady else layout(problem, grid)
        guess = np.concatenate([_constant(instant[c, 0], grid, position) for c in range(len(orders))])
        known = slab_history(rows, rest, instant, position)
        solution = solve_on_grid(rows, guess, tolerance, known, solver)
        solver, worst = solution.solver, max(worst, solution.last_step)
        values = np.moveaxis(solution.state.reshape(-1, *grid.shape), 0, -1)
        if not states:
            states.append(np.take(completed(grid, values, instant, position, orders), 0, axis=position))
        states.append(np.take(values, -1, axis=position))
        instant = _advanced(values, rest, grid, instant, position, orders)
    return March(np.moveaxis(np.stack(states, axis=position), -1, 0), worst)


def completed(grid: Grid, values: Array, instant: Instant, position: int, orders: list[int]) -> Array:
    """Values (*shape, c) at the stages with the first instant before them.

    An unknown without time derivatives has no history; its first value is that of the polynomial through the stages.
    """
    axis = grid.axes[position]
    nodes = axis.nodes
    start = np.array([axis.start]) if isinstance(axis, StageAxis) else nodes[:1]
    weights = stencils.barycentric_matrix(nodes, stencils.barycentric_weights(nodes), start)
    first = along(weights, values, position)
    for c, order in enumerate(orders):
        if order:
            first[..., c] = instant[c, 0].reshape(first.shape[:-1])
    return np.concatenate([first, values], axis=position)


def _constant(values: Array, grid: Grid, position: int) -> Array:
    """Values of one instant, the same at all stages, as a first guess."""
    shape = [n for k, n in enumerate(grid.shape) if k != position]
    return np.repeat(np.expand_dims(values.reshape(shape), position), grid.shape[position], axis=position).reshape(-1)


def slab_history(rows: Layout, rest: Grid, instant: Instant, position: int) -> dict[JetVariable, Array]:
    """What the start of a slab adds to every derivative at its stages, (N,) each."""
    axis = rows.grid.axes[position]
    assert isinstance(axis, StageAxis)
    history = {}
    for variable in jet_variables(rows):
        times = variable.derivative[position]
        others = variable.derivative[:position] + variable.derivative[position + 1 :]
        total = np.zeros(rows.grid.shape)
        for level in range(times):
            line = axis.history(times, level)
            field = rest.differentiate(others, instant[variable.unknown, level]).reshape(rest.shape)
            total += np.moveaxis(np.multiply.outer(line, field), 0, position)
        history[variable] = total.reshape(-1)
    return history


def _advanced(values: Array, rest: Grid, grid: Grid, instant: Instant, position: int, orders: list[int]) -> Instant:
    """w_j at the end of the slab: u^(j) = T u^(j-1) + d w_(j-1) at the last stage."""
    axis = grid.axes[position]
    assert isinstance(axis, StageAxis)
    result: Instant = {}
    for c, order in enumerate(orders):
        field = np.moveaxis(values[..., c], position, 0)
        for j in range(max(order, 1)):
            result[c, j] = np.ascontiguousarray(field[-1]).reshape(-1)
            if j + 1 < order:
                before = instant[c, j].reshape(rest.shape)
                field = along(axis.matrix(1), field, 0) + np.multiply.outer(axis.history(1, 0), before)
    return result


def initial_instant(
    problem: Problem, rest: Grid, start: float, base: Mapping[JetVariable, Array] | None = None
) -> Instant:
    """w_j at the first instant from the initial conditions; zero for an unknown without time derivatives.

    Args:
        problem: the problem.
        rest: the grid without time.
        start: the first instant.
        base: the jet of a field there; then w_j is what the field lacks.
    """
    points = np.insert(rest.points, time_position(problem), start, axis=1)
    instant: Instant = {}
    for c, order in enumerate(time_orders(problem)):
        instant[c, 0] = np.zeros(len(points))
        for j in range(order):
            operator = operator_of(_initial_condition(problem, c, j))
            jet = np.zeros((1, len(points))) if base is None else base[operator.jet[0]][None]
            f, gradient = evaluate(operator, points, jet, None)
            instant[c, j] = -f / gradient
    return instant


def _initial_condition(problem: Problem, unknown: int, times: int) -> CompiledCondition:
    position = time_position(problem)
    wanted = JetVariable(unknown, tuple(times * (k == position) for k in range(problem.domain.dimension)))
    for condition in problem.conditions:
        if condition.kind == "initial" and condition.target == wanted:
            return condition
    u = problem.fields[unknown]
    name = f"{u.func.__name__}.diff({problem.domain.time}, {times})" if times else u.func.__name__
    raise ProblemError(f"{problem.name} needs an initial value of order {times}: add Initial({name}, value).")
