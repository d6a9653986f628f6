"""Marching in time: slabs of implicit Radau IIA collocation, all stages at once, with the stencils of the grid in space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kanpde.errors import ProblemError
from kanpde.operator import JetVariable
from kanpde.problem import CompiledCondition, Problem
from kanpde.references.axes import Axis, StageAxis
from kanpde.references.grid import Grid
from kanpde.references.layout import Layout, layout
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
        for c in range(len(problem.unknowns))
    ]


def march(problem: Problem, axes: tuple[Axis, ...], instants: Array, stages: int, tolerance: float = 1e-10) -> March:
    """Solve an initial value problem from slab to slab.

    Args:
        problem: with a time and initial values for every time derivative below the highest.
        axes: all axes but the time.
        instants: (n,) ends of the slabs, the first one the start.
        stages: q of Radau IIA.
        tolerance: relative size of the last Newton step.

    Raises:
        ProblemError: an initial value is missing, or a slab cannot be solved.
    """
    position = time_position(problem)
    rest = Grid(axes)
    instant = _initial(problem, axes, float(instants[0]))
    rows = [instant]
    worst, solver = 0.0, None
    grid: Grid | None = None
    n = len(problem.unknowns)
    for start, step in zip(instants[:-1], np.diff(instants), strict=True):
        stage = StageAxis(float(start), float(step), stages)
        same = grid is not None and np.isclose(step, _step(grid, position), rtol=1e-12)
        if grid is not None and same:
            stage = StageAxis(float(start), _step(grid, position), stages)
            grid = grid.with_axis(position, stage)
        else:
            grid = Grid((*axes[:position], stage, *axes[position:]))
        rows_of_slab = layout(problem, grid)
        history = slab_history(rows_of_slab, rest, instant, position)
        guess = np.concatenate([_constant(instant[c, 0], grid, position) for c in range(n)])
        solution = solve_on_grid(rows_of_slab, guess, tolerance, history, solver)
        solver, worst = solution.solver, max(worst, solution.last_step)
        instant = _advanced(solution.state, rest, grid, instant, position, time_orders(problem))
        rows.append(instant)
    fields = [np.stack([row[c, 0].reshape(rest.shape) for row in rows], axis=position) for c in range(n)]
    return March(np.stack(fields), worst)


def _step(grid: Grid, position: int) -> float:
    axis = grid.axes[position]
    assert isinstance(axis, StageAxis)
    return axis.step


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


def _advanced(
    state: Array, rest: Grid, grid: Grid, instant: Instant, position: int, orders: list[int]
) -> Instant:
    """w_j at the end of the slab: u^(j) = T u^(j-1) + d w_(j-1) at the last stage."""
    axis = grid.axes[position]
    assert isinstance(axis, StageAxis)
    result: Instant = {}
    for c, values in enumerate(state.reshape(len(orders), -1)):
        field = np.moveaxis(values.reshape(grid.shape), position, 0)
        for j in range(max(orders[c], 1)):
            result[c, j] = np.ascontiguousarray(field[-1]).reshape(-1)
            if j + 1 < orders[c]:
                before = instant[c, j].reshape(rest.shape)
                moved = axis.matrix(1) @ field.reshape(len(field), -1)
                field = moved.reshape(field.shape) + np.multiply.outer(axis.history(1, 0), before)
    return result


def _initial(problem: Problem, axes: tuple[Axis, ...], start: float) -> Instant:
    """w_j at the first instant from the initial conditions; zero for an unknown without time derivatives."""
    position = time_position(problem)
    points = np.insert(Grid(axes).points, position, start, axis=1)
    instant: Instant = {}
    for c, order in enumerate(time_orders(problem)):
        instant[c, 0] = np.zeros(len(points))
        for j in range(order):
            condition = _initial_condition(problem, c, j)
            instant[c, j] = _solved_for_target(condition, points)
    return instant


def _initial_condition(problem: Problem, unknown: int, times: int) -> CompiledCondition:
    position = time_position(problem)
    wanted = JetVariable(unknown, tuple(times * (k == position) for k in range(problem.domain.dimension)))
    for condition in problem.conditions:
        if condition.kind == "initial" and condition.target == wanted:
            return condition
    u = problem.unknowns[unknown]
    name = f"{u.func.__name__}.diff({problem.domain.time}, {times})" if times else u.func.__name__
    raise ProblemError(f"{problem.name} needs an initial value of order {times}: add Initial({name}, value).")


def _solved_for_target(condition: CompiledCondition, points: Array) -> Array:
    """The prescribed value: the condition is a · target - value = 0."""
    operator = condition.operator
    f, *gradient = evaluate(operator, points, np.zeros((len(operator.jet), len(points))), None)
    return np.asarray(-f / gradient[operator.jet.index(condition.target)])
