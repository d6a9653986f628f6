"""Collocation with spectral accuracy in every coordinate: Chebyshev or Fourier in space, one slab of Radau IIA in time.

Time does not take Chebyshev points: with two conditions at one end their collocation of u_tt + λu has resonances that
the equation does not have (|A⁻¹|√λ in the hundreds), while Radau IIA of any number of stages has |A⁻¹|√λ ≈ 0.55.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kanpde.operator import JetVariable
from kanpde.problem import Problem
from kanpde.references.axes import Axis, ChebyshevAxis, FourierAxis, RadauAxis
from kanpde.references.grid import Grid
from kanpde.references.layout import EQUATION, Layout, equation_of_unknown, layout
from kanpde.references.linear import LinearSolver
from kanpde.references.marching import Instant, completed, initial_instant, slab_history, time_orders, time_position
from kanpde.references.newton import solve_on_grid
from kanpde.references.system import jet_variables, linearise

Array = np.ndarray
Jet = Mapping[JetVariable, Array]


@dataclass(frozen=True)
class Tolerances:
    """Relative sizes at which Newton's method and the linear solver stop."""

    newton: float = 1e-10
    linear: float = 1e-11


TIGHT = Tolerances()


@dataclass(frozen=True, eq=False)
class SpectralGrid:
    """The collocation of one problem at one shape."""

    problem: Problem
    shape: tuple[int, ...]

    @cached_property
    def position(self) -> int | None:
        """Which coordinate is marched in; None for a steady problem."""
        marching = self.problem.domain.time is not None and max(time_orders(self.problem)) > 0
        return time_position(self.problem) if marching else None

    @cached_property
    def grid(self) -> Grid:
        """All nodes, the first instant included."""
        periodic = {c.axis for c in self.problem.conditions if c.kind == "periodic"}
        axes: list[Axis] = []
        for k, ((lower, upper), count) in enumerate(zip(self.problem.domain.bounds.tolist(), self.shape, strict=True)):
            if k == self.position:
                axes.append(RadauAxis(lower, upper - lower, count - 1))
            else:
                axes.append(FourierAxis(lower, upper, count) if k in periodic else ChebyshevAxis(lower, upper, count))
        return Grid(tuple(axes))

    @cached_property
    def rows(self) -> Layout:
        """The rows of the collocation; in time those of the stages."""
        if self.position is None:
            return layout(self.problem, self.grid)
        radau = self.grid.axes[self.position]
        assert isinstance(radau, RadauAxis)
        return layout(self.problem, self.grid.with_axis(self.position, radau.stage_axis))

    @cached_property
    def variables(self) -> tuple[JetVariable, ...]:
        """What a field must be differentiated to: the jet of all rows, the initial conditions and the values."""
        values = {JetVariable(c, (0,) * len(self.shape)) for c in range(len(self.problem.fields))}
        initial = {v for c in self.problem.conditions if c.kind == "initial" for v in c.operator.jet}
        return tuple(sorted(values | initial | set(jet_variables(self.rows))))

    def solve(
        self,
        base: Jet | None = None,
        start: Array | None = None,
        tolerances: Tolerances = TIGHT,
        solver: LinearSolver | None = None,
    ) -> tuple[Array, float, LinearSolver]:
        """The solution, or what must be added to a field so that it becomes one.

        Args:
            base: the jet of that field at all nodes, (N,) for each of `variables`; none solves the problem itself.
            start: (*shape, c) first guess of Newton's method.
            tolerances: where the iterations stop.
            solver: from a call before, taken again where the linear system is the same.

        Returns:
            Values (*shape, c), the relative size of the last Newton step, and the linear solver.

        Raises:
            ProblemError: no convergence, or no unique solution.
        """
        instant = self._instant(base)
        known = self._known(base, instant)
        guess = None if start is None else self._flat(start)
        solution = solve_on_grid(self.rows, guess, tolerances.newton, known, solver, tolerances.linear)
        values = np.moveaxis(solution.state.reshape(-1, *self.rows.grid.shape), 0, -1)
        if instant is not None and self.position is not None:
            values = completed(self.rows.grid, values, instant, self.position, time_orders(self.problem))
        return np.ascontiguousarray(values), solution.last_step, solution.solver

    def respond(self, base: Jet, source: Array) -> Array:
        """The e (c, N) with L e = source (c, N) in the equations, L linearised, and homogeneous conditions."""
        instant = self._instant(base)
        zero = None if instant is None else {key: np.zeros_like(values) for key, values in instant.items()}
        system = linearise(self.rows, self._known(base, zero) or {})
        rhs = np.zeros(self.rows.size)
        equations = equation_of_unknown(self.problem)
        for rows in self.rows.blocks:
            if rows.rank == EQUATION:
                unknown = int(rows.rows[0]) // self.rows.grid.size
                field = self._flat(source[equations[unknown]].reshape(*self.shape, 1))
                rhs[rows.rows] = field[rows.nodes]
        state = LinearSolver(system, 1e-4).solve(rhs).reshape(-1, *self.rows.grid.shape)
        if self.position is not None:
            state = np.insert(state, 0, 0.0, axis=self.position + 1)
        return state.reshape(len(state), -1)

    def _flat(self, start: Array) -> Array:
        """Values at all nodes as a state of the rows: without the first instant."""
        values = start if self.position is None else np.delete(start, 0, axis=self.position)
        return np.ascontiguousarray(np.moveaxis(values, -1, 0)).reshape(-1)

    @cached_property
    def _rest(self) -> Grid:
        return Grid(tuple(axis for k, axis in enumerate(self.grid.axes) if k != self.position))

    def _instant(self, base: Jet | None) -> Instant | None:
        if self.position is None:
            return None
        first = None
        if base is not None:
            first = {v: np.take(d.reshape(self.shape), 0, axis=self.position).reshape(-1) for v, d in base.items()}
        return initial_instant(self.problem, self._rest, float(self.problem.domain.bounds[self.position, 0]), first)

    def _known(self, base: Jet | None, instant: Instant | None) -> Jet | None:
        """The part of the jet at the rows' nodes that does not depend on the state."""
        if self.position is None or instant is None:
            return base
        history = slab_history(self.rows, self._rest, instant, self.position)
        if base is None:
            return history
        position = self.position
        later = {v: np.delete(base[v].reshape(self.shape), 0, axis=position).reshape(-1) for v in history}
        return {v: later[v] + history[v] for v in history}
