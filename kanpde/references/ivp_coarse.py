"""`coarse_solution`: a quick approximate solution of any problem on a box, by whichever grid solver takes it."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np

from kanpde.errors import ProblemError
from kanpde.expression import Parameter
from kanpde.operator import DifferentialOperator, operator_of
from kanpde.operator.compiler import Scope
from kanpde.problem import CompiledCondition, Problem
from kanpde.references.axes import Axis, DifferenceAxis
from kanpde.references.function import GridFunction
from kanpde.references.grid import Grid
from kanpde.references.ivp import integrate_ode
from kanpde.references.ivp_method import rough_lines
from kanpde.references.layout import layout
from kanpde.references.marching import march, time_orders, time_position
from kanpde.references.newton import solve_on_grid

# Nodes along each coordinate for about a second, by the number of coordinates.
NODES = {1: 401, 2: 65, 3: 17, 4: 9}
INSTANTS = 41
ORDER = 4
STAGES = 2
TOLERANCE = 1e-6


def coarse_solution(problem: Problem, seconds: float = 1.0) -> GridFunction:
    """A quick approximate solution on a box, good to some per cent or per mille: a start, and where layers are.

    Args:
        problem: on a box; unknown scalars take their initial values, observations do not count.
        seconds: about how long it may take; the grid follows from it, the clock is not read.

    Raises:
        ProblemError: no solver on a grid takes the problem.
    """
    if not problem.domain.is_box:
        raise ProblemError(f"{problem.name} is not on a box; a coarse solution needs a grid.")
    known = with_numbers(problem)
    if known.domain.dimension == 1:
        try:
            return integrate_ode(known, 1e-6)
        except ProblemError:
            return _by_differences(known, seconds)
    if _is_evolution(known):
        try:
            return rough_lines(known, seconds)
        except ProblemError:
            pass
    return _by_differences(known, seconds)


def with_numbers(problem: Problem) -> Problem:
    """The problem with the initial values of its unknown scalars, and without its observations."""
    values = {p: p.initial for p in problem.parameters}
    kept = tuple(c for c in problem.conditions if c.kind != "observations")
    known = copy.copy(problem)
    known.__dict__.pop("parameters", None)
    known.__dict__.pop("signature", None)
    object.__setattr__(known, "operators", tuple(_numbers(o, values) for o in problem.operators))
    object.__setattr__(known, "conditions", tuple(_condition(c, values) for c in kept))
    return known


def _condition(condition: CompiledCondition, values: dict[Parameter, float]) -> CompiledCondition:
    if condition.operator is None or not condition.operator.parameters:
        return condition
    value = None if condition.value is None else condition.value.xreplace(values)
    return replace(condition, operator=_numbers(condition.operator, values), value=value)


def _numbers(operator: DifferentialOperator, values: dict[Parameter, float]) -> DifferentialOperator:
    if not operator.parameters:
        return operator
    space = operator.coordinates[: len(operator.normal)] if operator.normal else operator.coordinates
    scope = Scope(operator.coordinates, space, operator.unknowns, bool(operator.normal))
    return operator_of(operator.expression.xreplace(values), scope)


def _is_evolution(problem: Problem) -> bool:
    domain = problem.domain
    if domain.time is None or domain.parameters or len(domain.space) > 2:
        return False
    return min(time_orders(problem)) > 0


def _by_differences(problem: Problem, seconds: float) -> GridFunction:
    """Differences of order 4 on equidistant nodes, marching where there are time derivatives."""
    domain = problem.domain
    if domain.dimension not in NODES:
        raise ProblemError(f"{problem.name} has {domain.dimension} coordinates; a grid takes up to four.")
    marching = domain.time is not None and max(time_orders(problem)) > 0
    axes = _axes(problem, seconds, marching)
    position = time_position(problem)
    if marching:
        rest = axes[:position] + axes[position + 1 :]
        values = march(problem, rest, axes[position].nodes, STAGES, TOLERANCE).values
    else:
        grid = Grid(axes)
        values = solve_on_grid(layout(problem, grid), None, TOLERANCE).state.reshape(-1, *grid.shape)
    names = tuple(u.func.__name__ for u in problem.fields)
    stacked = np.ascontiguousarray(np.moveaxis(values, 0, -1))
    return GridFunction(
        Grid(axes), stacked, names, tuple(map(str, problem.coordinates)), ORDER, n_space=len(domain.space)
    )


def _axes(problem: Problem, seconds: float, marching: bool) -> tuple[Axis, ...]:
    domain = problem.domain
    periodic = {c.axis for c in problem.conditions if c.kind == "periodic"}
    n = int(NODES[domain.dimension] * seconds ** (1 / (domain.dimension + 1)))
    axes: list[Axis] = []
    for k, (a, b) in enumerate(domain.bounds.tolist()):
        wraps, count = (
            k in periodic,
            max(INSTANTS if marching and domain.coordinates[k] == domain.time else n, ORDER + 4),
        )
        axes.append(DifferenceAxis(np.linspace(a, b, count + wraps)[:count], ORDER, b - a if wraps else None))
    return tuple(axes)
