"""Independent points at which a corrected field must satisfy the equations and the conditions.

A grid that is too coarse for a residual makes a correction that cancels an alias of it; away from the nodes the
corrected field then keeps the residual, and more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kanpde import sampling
from kanpde.operator import DifferentialOperator, JetVariable
from kanpde.problem import Problem
from kanpde.references.function import GridFunction
from kanpde.references.grid import Grid
from kanpde.references.system import evaluate

Array = np.ndarray
Jet = Callable[[Array, Sequence[JetVariable]], Array]

# How many points in the interior, by dimension; a quarter of that on each piece of the boundary.
N_POINTS = {1: 256, 2: 512, 3: 512}
# A residual that is small beside the terms of the correction need not be reproduced: this part of them counts.
NEGLIGIBLE = 0.01
# Second derivatives of a spline with 64 intervals carry a rounding error of about 1e-11 of their size.
ROUNDING = 1e-11


@dataclass(frozen=True, eq=False)
class Check:
    """One operator on independent points: of the interior, or of a piece of a condition's region.

    points: (n, d); normals: (n, d_space) or None; extent: the length over which an error of the solution turns into one
    of its derivatives, None in the interior.
    """

    operator: DifferentialOperator
    points: Array
    normals: Array | None
    extent: float | None


def checks_of(problem: Problem) -> tuple[Check, ...]:
    """The interior for every equation first, then every piece of every condition."""
    bounds, dimension = problem.domain.bounds, problem.domain.dimension
    n, extent = N_POINTS[dimension], float(np.min(np.ptp(problem.domain.bounds, axis=1)))
    points = bounds[:, 0] + np.ptp(bounds, axis=1) * sobol(dimension, n)
    checks = [Check(operator, points, None, None) for operator in problem.operators]
    for condition in problem.conditions:
        for piece in condition.region.pieces() if condition.operator is not None else ():
            on = piece.points(sobol(piece.dimension, n // 4))
            on = on[np.asarray(piece.contains(on), dtype=bool)]
            if len(on):
                checks.append(Check(condition.operator, on, piece.normals(on), extent))
    return tuple(checks)


def sobol(dimension: int, n: int) -> Array:
    """(n, dimension) scrambled Sobol points of the unit cube, always the same; one point in dimension 0."""
    return sampling.sobol(n, dimension, 7) if dimension else np.zeros((1, 0))


def rms(values: Array) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(values)))) if values.size else 0.0


@dataclass(frozen=True, eq=False)
class CheckedField:
    """A field at the points of one check, with the values that the operator's unknown scalars have."""

    check: Check
    jet: Jet
    scalars: tuple[float, ...] = ()

    @cached_property
    def values(self) -> Array:
        """(len(operator.jet), n) jet of the field."""
        variables = self.check.operator.jet
        return np.ascontiguousarray(np.asarray(self.jet(self.check.points, variables), dtype=float).T)

    @cached_property
    def linearised(self) -> list[Array]:
        """F and its gradient at the field."""
        return evaluate(self.check.operator, self.check.points, self.values, self.check.normals, self.scalars)

    @property
    def residual(self) -> Array:
        """(n,) F of the field."""
        return self.linearised[0]

    @cached_property
    def terms(self) -> float:
        """Size of what cancels in the residual: its linear terms and what is left of it without them."""
        products = [g * v for g, v in zip(self.linearised[1:], self.values, strict=True)]
        rest = self.residual - sum(products) if products else self.residual
        return max([rms(rest), *map(rms, products)])

    def between(self, grid: Grid, nodal: Array) -> float:
        """How far the interpolant of the nodal residual (N,) is from the residual, relative to its size."""
        norm = rms(self.residual)
        if not norm or not np.all(np.isfinite(nodal)):
            return 0.0
        interpolant = grid.interpolate(nodal.reshape(*grid.shape, 1), self.check.points)[:, 0]
        return rms(interpolant - self.residual) / norm

    def remainder(self, jet: Array, size: float, scalars: tuple[float, ...] | None = None) -> float:
        """What of the residual the corrected field u + e keeps, relative to the residual.

        Args:
            jet: (len(operator.jet), n), that of the correction e.
            size: its root mean square.
            scalars: the corrected unknown scalars; None leaves them as they are.
        """
        scalars = self.scalars if scalars is None else scalars
        check = self.check
        corrected = evaluate(check.operator, check.points, self.values + jet, check.normals, scalars)[0]
        terms = [g * d for g, d in zip(self.linearised[1:], jet, strict=True)]
        inside = NEGLIGIBLE * max((rms(t) for t in terms), default=0.0)
        floor = inside if check.extent is None else self.of_size(size)
        if rms(corrected) <= ROUNDING * self.terms:
            return 0.0
        scale = max(rms(self.residual), floor)
        return rms(corrected) / scale if scale else float(rms(corrected) > 0.0)

    def at_rounding(self, size: float) -> bool:
        """Whether the residual is rounding beside the terms that cancel in it, for a solution of this size."""
        terms = self.terms if self.check.extent is None else max(self.terms, self.of_size(size))
        return rms(self.residual) <= ROUNDING * terms

    def of_size(self, size: float) -> float:
        """The residual of a condition that would change the solution by as much."""
        extent = self.check.extent or 1.0
        pairs = zip(self.check.operator.jet, self.linearised[1:], strict=True)
        return max((rms(g) * size / extent ** sum(v.derivative) for v, g in pairs), default=0.0)


def grid_jet_at(correction: GridFunction, check: Check) -> Array:
    """(len(operator.jet), n) jet of a correction on a grid at the points of a check."""
    grid = correction.grid
    fields = [np.ascontiguousarray(correction.values[..., c]).reshape(-1) for c in range(correction.values.shape[-1])]
    stack = [grid.differentiate(v.derivative, fields[v.unknown]) for v in check.operator.jet]
    table = np.stack(stack, axis=-1).reshape(*grid.shape, len(stack)) if stack else np.zeros((*grid.shape, 0))
    return np.ascontiguousarray(grid.interpolate(table, check.points).T)
