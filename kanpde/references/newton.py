"""Newton's method on a grid with the symbolic linearisation: Σ_α ∂F/∂(D^α u) · stencil_α δ = -F."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kanpde.errors import ProblemError
from kanpde.operator import JetVariable
from kanpde.references.layout import Layout
from kanpde.references.linear import LinearSolver
from kanpde.references.system import Linearised, grid_jet, linearise

Array = np.ndarray

MAX_STEPS = 50
SHORTEST_STEP = 1e-4


@dataclass(frozen=True, eq=False)
class GridSolution:
    """State (size,) of a layout, the relative size of the last step (about the algebraic error), the last solver."""

    state: Array
    last_step: float
    steps: int
    solver: LinearSolver


def solve_on_grid(
    layout: Layout,
    start: Array | None = None,
    tolerance: float = 1e-10,
    history: Mapping[JetVariable, Array] | None = None,
    solver: LinearSolver | None = None,
    linear_tolerance: float = 1e-11,
) -> GridSolution:
    """Solve the rows of a layout: one step where they are linear, damped Newton steps otherwise.

    Args:
        layout: the rows.
        start: (size,) first guess, zero by default; a linear problem ignores it.
        tolerance: relative size of the step at which the iteration ends.
        history: a part of the jet that does not depend on the state, such as the values at the start of a time slab.
        solver: of a system solved before; taken again where the coefficients are the same.
        linear_tolerance: relative accuracy of the linear solves.

    Raises:
        ProblemError: the iteration does not converge, or the linear system cannot be solved.
    """
    if all(rows.operator.is_linear for rows in layout.blocks):
        system = linearise(layout, _jet(layout, np.zeros(layout.size), history))
        _check_finite(system)
        if solver is None or not same_coefficients(solver.system, system):
            solver = LinearSolver(system, linear_tolerance)
        return GridSolution(solver.solve(-system.residual), 0.0, 1, solver)
    state = _guess(layout, history) if start is None else start
    return _newton(layout, state, tolerance, history, linear_tolerance)


def _guess(layout: Layout, history: Mapping[JetVariable, Array] | None) -> Array:
    """Zero, or one where the equations are not defined at zero."""
    for value in (0.0, 1.0):
        state = np.full(layout.size, value)
        if np.all(np.isfinite(linearise(layout, _jet(layout, state, history)).residual)):
            return state
    return np.zeros(layout.size)


def _jet(layout: Layout, state: Array, history: Mapping[JetVariable, Array] | None) -> dict[JetVariable, Array]:
    jet = grid_jet(layout, state)
    return {v: d + history[v] for v, d in jet.items()} if history is not None else jet


def same_coefficients(one: Linearised, other: Linearised) -> bool:
    """Whether two systems have the same matrix."""
    pairs = [pair for a, b in zip(one.coefficients, other.coefficients, strict=True) for pair in zip(a, b, strict=True)]
    return all(a is b if a is None or b is None else np.array_equal(a, b) for a, b in pairs)


def _newton(
    layout: Layout, state: Array, tolerance: float, history: Mapping[JetVariable, Array] | None, linear_tolerance: float
) -> GridSolution:
    """Newton with the natural monotonicity test: the next simplified step must be shorter (Deuflhard 2004, ch. 3)."""
    system = linearise(layout, _jet(layout, state, history))
    _check_finite(system)
    damping = 1.0
    for k in range(1, MAX_STEPS + 1):
        solver = LinearSolver(system, linear_tolerance)
        step = solver.solve(-system.residual)
        size = max(float(np.linalg.norm(state + step)), 1e-300)
        length = float(np.linalg.norm(step))
        if length <= tolerance * size:
            return GridSolution(state + step, length / size, k, solver)
        state, system, damping = _damped(layout, solver, state, step, min(1.0, 4.0 * damping), history)
    raise ProblemError(f"{layout.problem.name}: Newton's method on the grid needs more than {MAX_STEPS} steps; {_CURE}")


def _damped(
    layout: Layout,
    solver: LinearSolver,
    state: Array,
    step: Array,
    damping: float,
    history: Mapping[JetVariable, Array] | None,
) -> tuple[Array, Linearised, float]:
    """The longest part of a step after which the next one, with the same matrix, is shorter."""
    length = float(np.linalg.norm(step))
    while damping >= SHORTEST_STEP:
        trial = state + damping * step
        system = linearise(layout, _jet(layout, trial, history))
        if np.all(np.isfinite(system.residual)):
            following = float(np.linalg.norm(solver.solve(-system.residual)))
            if following <= (1.0 - 0.25 * damping) * length or following <= 1e-9 * np.linalg.norm(trial):
                return trial, system, damping
        damping *= 0.5
    raise ProblemError(f"{layout.problem.name}: Newton's method on the grid stalls; {_CURE}")


_CURE = "give reference a finer shape, or lead the problem there from an easier one."


def _check_finite(system: Linearised) -> None:
    if not np.all(np.isfinite(system.residual)):
        row = int(np.flatnonzero(~np.isfinite(system.residual))[0])
        point = system.grid.points[row % system.grid.size]
        where = ", ".join(f"{c} = {v:.3g}" for c, v in zip(system.layout.problem.coordinates, point, strict=True))
        raise ProblemError(
            f"{system.layout.problem.name} is not finite at {where} for the first guess; rewrite it there."
        )
