"""Newton's method on a grid with the symbolic linearisation: Σ_α ∂F/∂(D^α u) · stencil_α δ = -F."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kanpde.errors import ProblemError
from kanpde.references.layout import Layout
from kanpde.references.linear import LinearSolver
from kanpde.references.system import Linearised, grid_jet, linearise

Array = np.ndarray

MAX_STEPS = 50
SHORTEST_STEP = 1e-4


@dataclass(frozen=True, eq=False)
class GridSolution:
    """State (size,) of a layout and the relative size of the last step, an estimate of the algebraic error."""

    state: Array
    last_step: float
    steps: int


def solve_on_grid(layout: Layout, start: Array | None = None, tolerance: float = 1e-10) -> GridSolution:
    """Solve the rows of a layout: one step where they are linear, damped Newton steps otherwise.

    Args:
        layout: the rows.
        start: (size,) first guess, zero by default; a linear problem ignores it.
        tolerance: relative size of the step at which the iteration ends.

    Raises:
        ProblemError: the iteration does not converge, or the linear system cannot be solved.
    """
    operators = [rows.operator for rows in layout.blocks]
    if all(operator.is_linear for operator in operators):
        system = linearise(layout, grid_jet(layout, np.zeros(layout.size)))
        _check_finite(system)
        return GridSolution(LinearSolver(system).solve(-system.residual), 0.0, 1)
    return _newton(layout, np.zeros(layout.size) if start is None else start, tolerance)


def _newton(layout: Layout, state: Array, tolerance: float) -> GridSolution:
    """Newton with the natural monotonicity test: the next simplified step must be shorter (Deuflhard 2004, ch. 3)."""
    system = linearise(layout, grid_jet(layout, state))
    _check_finite(system)
    damping = 1.0
    for k in range(1, MAX_STEPS + 1):
        solver = LinearSolver(system)
        step = solver.solve(-system.residual)
        length = float(np.linalg.norm(step))
        size = float(np.linalg.norm(state + step))
        if length <= tolerance * size or size == 0.0:
            return GridSolution(state + step, length / max(size, 1e-300), k)
        damping = min(1.0, 4.0 * damping)
        while True:
            trial = state + damping * step
            system = linearise(layout, grid_jet(layout, trial))
            if np.all(np.isfinite(system.residual)):
                following = float(np.linalg.norm(solver.solve(-system.residual)))
                if following <= (1.0 - 0.25 * damping) * length or (damping == 1.0 and following <= 1e-9 * size):
                    break
            damping *= 0.5
            if damping < SHORTEST_STEP:
                raise ProblemError(f"{layout.problem.name}: Newton's method on the grid stalls; {_CURE}")
        state = trial
    raise ProblemError(f"{layout.problem.name}: Newton's method on the grid needs more than {MAX_STEPS} steps; {_CURE}")


_CURE = "give reference a finer shape, or lead the problem there from an easier one."


def _check_finite(system: Linearised) -> None:
    if not np.all(np.isfinite(system.residual)):
        row = int(np.flatnonzero(~np.isfinite(system.residual))[0])
        point = system.grid.points[row % system.grid.size]
        where = ", ".join(f"{c} = {v:.3g}" for c, v in zip(system.layout.problem.coordinates, point, strict=True))
        raise ProblemError(f"{system.layout.problem.name} has a coefficient that is not finite at {where}; rewrite it there.")
