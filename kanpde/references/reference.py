"""The conventional solution of a problem, with an estimate of its own error from several resolutions.

Grids on boxes are in this module; other domains go to finite elements.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from kanpde.errors import ProblemError
from kanpde.problem import Problem
from kanpde.provenance import provenance
from kanpde.references.axes import Axis, DifferenceAxis
from kanpde.references.fem import FemFunction, fem_reference, has_pressure
from kanpde.references.function import GridFunction, Order, distance
from kanpde.references.grid import Grid, tensor_points
from kanpde.references.layout import layout
from kanpde.references.marching import march, time_orders, time_position
from kanpde.references.newton import solve_on_grid
from kanpde.references.spectral import SpectralGrid, Tolerances
from kanpde.references.stencils import stable_nodes

Array = np.ndarray
Shape = tuple[int, ...]

ORDERS: tuple[Order, ...] = (2, 4, 6, 8, "chebyshev")
# Nodes along each spatial axis, by the number of coordinates without time; the time has its own.
DEFAULT_NODES = {1: 201, 2: 129, 3: 33, 4: 15}
DEFAULT_NODES_IN_TIME = {1: 201, 2: 65, 3: 25, 4: 11}
DEFAULT_INSTANTS = {1: 101, 2: 51, 3: 21, 4: 11}
# The collocation grid grows until two neighbours agree to this, or to rounding, or reaches its last size.
SPECTRAL_FIRST = {1: 16, 2: 12, 3: 10}
SPECTRAL_LAST = {1: 512, 2: 128, 3: 40}
SPECTRAL_TOLERANCE = 1e-12
NEWTON_TOLERANCE = 1e-10
ROUNDING = 2e-13


def reference(
    problem: Problem, shape: Sequence[int] | float | None = None, order: Order = 2
) -> GridFunction | FemFunction:
    """Solve a problem by a conventional method: on a grid where one fits, else with finite elements.

    Grids fit boxes; see `grid_reference`. Other domains, materials, eigenvalues, integral constraints and pressures
    take finite elements; see `fem_reference`.

    Args:
        problem: with as many equations as unknowns and no unknown scalars but an eigenvalue.
        shape: on a grid the number of nodes along each coordinate; with finite elements the length of edges, or (number
            of cells,). By default what takes about a second.
        order: on a grid 2, 4, 6, 8 or "chebyshev"; with finite elements the degree of the polynomials, 2, 3 or 4.

    Returns:
        The finest solution, with `error_estimate` from two or three resolutions.

    Raises:
        ProblemError: a shape or an order that cannot be, or a problem that has no conventional solver here.
    """
    if not fits_grid(problem):
        return fem_reference(problem, shape, order)
    if isinstance(shape, int | float):
        raise ProblemError(f"shape={shape!r} is one number; a grid needs the number of nodes along each coordinate.")
    return grid_reference(problem, shape, order)


def fits_grid(problem: Problem) -> bool:
    """Whether a grid can hold the problem: a box with one material and conditions on its sides."""
    kinds = ("dirichlet", "neumann", "robin", "condition", "initial", "periodic")
    plain = all(c.kind in kinds for c in problem.conditions) and all(
        p == problem.domain.interior for p in problem.regions
    )
    return problem.domain.is_box and plain and not problem.parameters and not has_pressure(problem)


def grid_reference(problem: Problem, shape: Sequence[int] | None = None, order: Order = 2) -> GridFunction:
    """Solve a problem on a box by finite differences or by Chebyshev collocation.

    Linear problems take one linear solve, others Newton's method with the symbolic linearisation. Problems with time
    derivatives march with implicit Radau IIA collocation, whose order is above that of the differences; with
    order="chebyshev" time is one more axis of the collocation.

    Args:
        problem: on a box, with as many equations as unknowns and no unknown scalars.
        shape: number of nodes along each coordinate, time included (for a periodic coordinate without the last one); by
            default a grid that takes about a second, refined in time until space limits the error, and for "chebyshev"
            one that grows until it resolves the solution.
        order: 2, 4, 6, 8 or "chebyshev".

    Returns:
        The finest solution, with `error_estimate` from two or three resolutions.

    Raises:
        ProblemError: a shape or an order that cannot be, or a problem that a grid cannot solve.
    """
    clock = time.perf_counter()
    _check(problem, shape, order)
    if order == "chebyshev":
        result = _spectral(problem, None if shape is None else tuple(shape))
    else:
        result = _differences(problem, None if shape is None else tuple(shape), int(order))
    # Neither the comparison with the exact solution nor the look at versions is part of the cost of solving.
    seconds = time.perf_counter() - clock
    return replace(
        result,
        relative_l2=None if problem.exact is None else relative_l2(problem, result),
        name=problem.name,
        text=problem.text,
        signature=problem.signature,
        provenance=provenance(),
        n_space=len(problem.domain.space),
        seconds=seconds,
    )


def relative_l2(problem: Problem, function: GridFunction) -> float:
    """sqrt(Σ_c ∫|u_c - e_c|² / Σ_c ∫|e_c|²) against the exact solution, by quadrature between the nodes."""
    lines, weights = function.grid.quadrature
    points = tensor_points(lines)
    exact = problem.exact_values(points)
    gap = problem.readout(points, function.grid.resample(function.values, lines).reshape(len(points), -1)) - exact
    error, total = (float(weights.reshape(-1) @ (np.abs(v) ** 2).sum(axis=1)) for v in (gap, exact))
    return float(np.sqrt(error / total)) if total else float("nan")


def _check(problem: Problem, shape: Sequence[int] | None, order: Order) -> None:
    if order not in ORDERS:
        raise ProblemError(f"order={order!r} is not offered; take one of {', '.join(map(repr, ORDERS))}.")
    if problem.parameters:
        raise ProblemError(f"{problem.name} has unknown scalars; a reference needs numbers for them.")
    dimension = problem.domain.dimension
    if shape is not None and len(shape) != dimension:
        raise ProblemError(f"shape has {len(shape)} entries for {dimension} coordinates; give one a coordinate.")
    least = 6 if order == "chebyshev" else int(order) + 4
    if shape is not None and min(shape) < least:
        raise ProblemError(f"order {order} needs at least {least} nodes along each coordinate; enlarge the shape.")
    if shape is None and dimension > 4:
        raise ProblemError(f"{problem.name} has {dimension} coordinates; a reference needs a shape beyond four.")


def _periodic(problem: Problem) -> set[int]:
    return {int(c.axis) for c in problem.conditions if c.kind == "periodic"}


def _function(problem: Problem, grid: Grid, values: Array, order: Order, tolerance: float) -> GridFunction:
    """Values (c, *shape) as a grid function."""
    names = tuple(u.func.__name__ for u in problem.fields)
    stacked = np.ascontiguousarray(np.moveaxis(values, 0, -1))
    return GridFunction(grid, stacked, names, tuple(map(str, problem.coordinates)), order, tolerance=tolerance)


def _start(coarse: GridFunction | None, grid: Grid) -> Array | None:
    """A coarser solution at the nodes of a grid, unknown by unknown."""
    if coarse is None:
        return None
    values = coarse.grid.resample(coarse.values, [axis.nodes for axis in grid.axes])
    return np.ascontiguousarray(np.moveaxis(values, -1, 0)).reshape(-1)


# ---- finite differences


@dataclass(frozen=True)
class _Differences:
    """Difference solutions of one problem and order at any shape."""

    problem: Problem
    order: int

    @property
    def marching(self) -> bool:
        """Whether the problem has time derivatives."""
        return self.problem.domain.time is not None and max(time_orders(self.problem)) > 0

    def axes(self, shape: Shape) -> tuple[DifferenceAxis, ...]:
        """Equidistant axes, drawn together at the ends where high orders would be unstable in time otherwise."""
        domain, periodic, axes = self.problem.domain, _periodic(self.problem), []
        for k, ((lower, upper), count) in enumerate(zip(domain.bounds.tolist(), shape, strict=True)):
            if k in periodic:
                nodes = np.linspace(lower, upper, count + 1)[:-1]
                axes.append(DifferenceAxis(nodes, self.order, upper - lower))
            elif self.marching and self.order > 4 and k < len(domain.space):
                axes.append(DifferenceAxis(stable_nodes(lower, upper, count, self.order), self.order))
            else:
                axes.append(DifferenceAxis(np.linspace(lower, upper, count), self.order))
        return tuple(axes)

    def solve(self, shape: Shape, coarse: GridFunction | None = None) -> GridFunction:
        """The solution at one shape; a coarser one is Newton's first guess."""
        axes: tuple[Axis, ...] = self.axes(shape)
        grid = Grid(axes)
        if self.marching:
            position = time_position(self.problem)
            rest = axes[:position] + axes[position + 1 :]
            stages = self.order // 2 + 1
            marched = march(self.problem, rest, axes[position].nodes, stages, NEWTON_TOLERANCE)
            return _function(self.problem, grid, marched.values, self.order, marched.last_step)
        rows = layout(self.problem, grid)
        solution = solve_on_grid(rows, _start(coarse, grid), NEWTON_TOLERANCE)
        values = solution.state.reshape(-1, *grid.shape)
        return _function(self.problem, grid, values, self.order, solution.last_step)

    def coarsened(self, shape: Shape) -> Shape | None:
        """Twice the distance of the nodes, or as near to it as the stencils allow; None where nothing is left."""
        periodic, least = _periodic(self.problem), self.order + 4
        coarse = tuple(max(n // 2 if k in periodic else (n - 1) // 2 + 1, least) for k, n in enumerate(shape))
        return coarse if all(5 * m <= 4 * n for m, n in zip(coarse, shape, strict=True)) else None

    def default_shape(self) -> Shape:
        """Default nodes; a problem of time and space has fewer."""
        domain = self.problem.domain
        n = max(domain.dimension - (domain.time is not None), 1)
        nodes = (DEFAULT_NODES_IN_TIME if self.marching else DEFAULT_NODES)[n]
        return tuple(DEFAULT_INSTANTS[n] if c == domain.time else nodes for c in domain.coordinates)


def _differences(problem: Problem, shape: Shape | None, order: int) -> GridFunction:
    """Three resolutions where they fit: h, 2h and 4h, and Richardson's extrapolation of their distances."""
    method = _Differences(problem, order)
    if shape is None:
        shape = method.default_shape()
        shape = _refined_in_time(method, shape) if method.marching else shape
    middle_shape = method.coarsened(shape)
    if middle_shape is None:
        return method.solve(shape)
    coarse_shape = method.coarsened(middle_shape)
    coarse = None if coarse_shape is None else method.solve(coarse_shape)
    middle = method.solve(middle_shape, coarse)
    fine = method.solve(shape, middle)
    ratio = min((n - 1) / (m - 1) for n, m in zip(shape, middle_shape, strict=True))
    rounding = ROUNDING + np.finfo(float).eps * float(max(shape)) ** problem.order
    return replace(fine, error_estimate=max(richardson(coarse, middle, fine, ratio, order), rounding))


def richardson(
    coarse: GridFunction | None, middle: GridFunction, fine: GridFunction, ratio: float, order: int
) -> float:
    """Relative error of the finest of three solutions: |u_h - u_2h| / (ρ - 1).

    ρ is ratio^order, or the ratio of the two distances where that is smaller: before the order shows, and at rounding.
    """
    gap = distance(middle, fine)
    rate = ratio**order
    if coarse is not None and gap > 0.0:
        rate = min(rate, distance(coarse, middle) / gap)
    return gap / max(rate - 1.0, 0.5)


def _refined_in_time(method: _Differences, shape: Shape) -> Shape:
    """Double the number of slabs, at most three times, while on a coarse grid the steps matter more than the nodes."""
    position = time_position(method.problem)
    coarse_shape = method.coarsened(shape) or shape
    space = method.coarsened(coarse_shape) or coarse_shape
    space = _with_instants(space, position, coarse_shape[position])
    coarse = method.solve(coarse_shape)
    in_space = distance(method.solve(space), coarse)
    for _ in range(3):
        finer_shape = _with_instants(coarse_shape, position, 2 * coarse_shape[position] - 1)
        finer = method.solve(finer_shape)
        if distance(coarse, finer) <= max(in_space, 1e-9):
            break
        coarse, coarse_shape = finer, finer_shape
    return _with_instants(shape, position, 2 * coarse_shape[position] - 1)


def _with_instants(shape: Shape, position: int, instants: int) -> Shape:
    return (*shape[:position], instants, *shape[position + 1 :])


# ---- Chebyshev collocation


def solve_spectral(problem: Problem, shape: Shape, coarse: GridFunction | None = None) -> GridFunction:
    """Collocation at one shape; a coarser solution is Newton's first guess."""
    collocation = SpectralGrid(problem, shape)
    start = None
    if coarse is not None and not problem.is_linear:
        start = coarse.grid.resample(coarse.values, [axis.nodes for axis in collocation.grid.axes])
    values, last_step, _ = collocation.solve(None, start, Tolerances(NEWTON_TOLERANCE))
    return _function(problem, collocation.grid, np.moveaxis(values, -1, 0), "chebyshev", last_step)


def _spectral(problem: Problem, shape: Shape | None) -> GridFunction:
    if shape is None:
        return grown_spectral(problem, SPECTRAL_TOLERANCE)
    coarse = solve_spectral(problem, tuple(max(6, 3 * n // 4) for n in shape))
    fine = solve_spectral(problem, shape, coarse)
    return replace(fine, error_estimate=max(distance(coarse, fine), ROUNDING))


def grown_spectral(problem: Problem, tolerance: float) -> GridFunction:
    """Grow the grid until two neighbours agree to a tolerance, or rounding or the largest size stops it.

    The estimate is the distance of the two, the error of the coarser one, so it is on the safe side.
    """
    dimension = problem.domain.dimension
    n, last = SPECTRAL_FIRST.get(dimension, 8), SPECTRAL_LAST.get(dimension, 14)
    best = before = solve_spectral(problem, (n,) * dimension)
    estimate = float("inf")
    while n < last:
        n = min(last, int(np.ceil(n * 1.3)))
        try:
            function = solve_spectral(problem, (n,) * dimension, before)
        except ProblemError:
            # Beyond what can be solved: the largest grid that could be stands.
            break
        gap = distance(before, function)
        if gap < estimate:
            best, estimate = function, gap
        before = function
        if gap <= tolerance or (estimate < 1e-9 and gap > 2 * estimate):
            break
    return replace(best, error_estimate=max(estimate, ROUNDING) if np.isfinite(estimate) else None)
