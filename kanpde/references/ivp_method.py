"""`method_of_lines`: initial value problems on boxes by a grid in space and an integrator in time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse import linalg as sparse_linalg

from kanpde.errors import ProblemError
from kanpde.problem import Problem
from kanpde.references.axes import Axis, ChebyshevAxis, DifferenceAxis, FourierAxis
from kanpde.references.function import GridFunction, distance
from kanpde.references.grid import Grid
from kanpde.references.ivp import ROUNDING, finished
from kanpde.references.ivp_exponential import is_semilinear
from kanpde.references.ivp_lines import Lines
from kanpde.references.ivp_periodic import Periodic
from kanpde.references.ivp_steps import Integrator, TooManySteps, Trajectory, thinned
from kanpde.references.marching import time_position
from kanpde.references.stencils import stable_nodes

Array = np.ndarray

# Chebyshev nodes along each spatial coordinate, until the solution is resolved; then differences, drawn to the layers.
SPECTRAL = {1: (24, 36, 54, 80), 2: (12, 18, 27)}
GRADED = {1: (241, 361, 541, 811), 2: (41, 61)}
ORDER = 8
# Steps carry errors of the size of rtol, which high orders would amplify between them.
ORDER_BETWEEN = 6
# Slopes beyond this, of solutions that vary by one on a unit interval, need more nodes than a polynomial.
STEEP = 30.0
# Stored values of one solution.
STORED = 2_000_000
# Explicit steps; more of them are stiffness. A step of DOP853 reaches this far times the largest eigenvalue.
EXPLICIT_BUDGET = 400
STABLE = 5.0
# Matrices up to this size have all of their eigenvalues computed.
SMALL = 300
STEPS = 20_000
# The error of the steps is the distance from a solution with a tolerance so many times as large.
LOOSE = 30
ROUGH_NODES = {1: 241, 2: 33}
ROUGH_RTOL = 1e-3


def method_of_lines(problem: Problem, nodes: int | None = None, rtol: float = 1e-8) -> GridFunction:
    """Solve an initial value problem on a box: a grid in space, an integrator in time.

    Semilinear problems that are periodic in space take Fourier modes and ETDRK4, all others Chebyshev nodes, or
    differences of order 8 whose nodes crowd where a rough solution is steep, with DOP853 or Radau IIA.

    Args:
        problem: with time, one or two spatial coordinates and every initial value.
        nodes: along each spatial coordinate; by default as many as rtol needs.
        rtol: the error to aim at, and the relative tolerance of the integrator.

    Returns:
        The solution at the steps of the integrator; `error_estimate` comes from two resolutions and two tolerances.

    Raises:
        ProblemError: no initial value problem on a box, or one that stays unresolved by the largest grid.
    """
    clock = time.perf_counter()
    _check(problem)
    if is_semilinear(problem) and nodes is None:
        best, estimate = Periodic(problem).resolved(rtol)
    elif nodes is not None:
        coarse = _Lines(problem, LOOSE * rtol).spectral(3 * nodes // 4)
        best = _Lines(problem, rtol).spectral(nodes)
        estimate = distance(coarse, best)
    else:
        best, estimate = _Lines(problem, rtol).resolved()
    return finished(problem, best, max(estimate, ROUNDING), time.perf_counter() - clock)


def _check(problem: Problem) -> None:
    domain = problem.domain
    if not domain.is_box or domain.time is None or domain.parameters:
        raise ProblemError(f"{problem.name} is no initial value problem on a box; use reference().")
    if len(domain.space) > 2:
        raise ProblemError(
            f"{problem.name} has {len(domain.space)} spatial coordinates; the method of lines takes two."
        )
    if problem.parameters:
        raise ProblemError(f"{problem.name} has unknown scalars; a reference needs numbers for them.")


@dataclass(frozen=True, eq=False)
class _Lines:
    """Solutions of one problem on any grid in space."""

    problem: Problem
    rtol: float

    @property
    def bounds(self) -> list[list[float]]:
        """Of the spatial coordinates."""
        return list(self.problem.domain.bounds[: time_position(self.problem)].tolist())

    @property
    def periodic(self) -> set[int]:
        """Coordinates that wrap."""
        return {int(c.axis) for c in self.problem.conditions if c.kind == "periodic" and c.axis is not None}

    def spectral(self, nodes: int) -> GridFunction:
        """On Chebyshev and Fourier nodes."""
        axes: list[Axis] = [
            FourierAxis(a, b, nodes + nodes % 2) if k in self.periodic else ChebyshevAxis(a, b, nodes)
            for k, (a, b) in enumerate(self.bounds)
        ]
        return self.solve(Grid(tuple(axes)))

    def graded(self, rough: GridFunction, nodes: int) -> GridFunction:
        """On differences whose nodes crowd where a rough solution is steep."""
        axes = [graded_axis(rough, k, nodes, self.bounds[k], k in self.periodic) for k in range(len(self.bounds))]
        return self.solve(Grid(tuple(axes)))

    def rough(self, seconds: float = 1.0) -> GridFunction:
        """A quick solution by differences of order 4."""
        dimension = len(self.bounds)
        axes: list[Axis] = []
        for k, (a, b) in enumerate(self.bounds):
            wraps, n = k in self.periodic, int(ROUGH_NODES[dimension] * seconds ** (1 / (dimension + 1)))
            nodes = np.linspace(a, b, n + wraps)[:n]
            axes.append(DifferenceAxis(nodes, 4, b - a if wraps else None))
        return _Lines(self.problem, ROUGH_RTOL).solve(Grid(tuple(axes)))

    def solve(self, grid: Grid) -> GridFunction:
        """On a grid in space."""
        lines = Lines(self.problem, grid)
        trajectory = thinned(integrated(lines, self.rtol), max(64, STORED // (grid.size * len(self.problem.fields))))
        fields = [
            np.stack([lines.full(float(t), y)[c, 0] for t, y in zip(trajectory.times, trajectory.states, strict=True)])
            for c in range(len(self.problem.fields))
        ]
        values = np.moveaxis(np.stack(fields, axis=-1), 0, 1).reshape(*grid.shape, len(trajectory.times), -1)
        whole = Grid((*grid.axes, DifferenceAxis(trajectory.times, ORDER_BETWEEN)))
        names = tuple(u.func.__name__ for u in self.problem.fields)
        coordinates = tuple(map(str, self.problem.coordinates))
        return GridFunction(whole, np.ascontiguousarray(values), names, coordinates, "integrator", tolerance=self.rtol)

    def resolved(self) -> tuple[GridFunction, float]:
        """Grow the grid until two solutions agree to ten times rtol; the finer one and their distance."""
        dimension, rough = len(self.bounds), self._tried(lambda _: self.rough(), 0)
        found: list[tuple[float, GridFunction]] = []
        if rough is None or steepness(rough, dimension) < STEEP:
            found += self._grown(self.spectral, SPECTRAL[dimension])
        if rough is not None and min((gap for gap, _ in found), default=np.inf) > 10 * self.rtol:
            found += self._grown(lambda count: self.graded(rough, count), GRADED[dimension])
        if not found:
            raise ProblemError(f"{self.problem.name}: the method of lines finds no solution; use reference().")
        gap, best = min(found, key=lambda pair: pair[0])
        return best, gap + distance(_Lines(self.problem, LOOSE * self.rtol).solve(_space(best)), best)

    def _grown(self, solve: Callable[[int], GridFunction], sizes: Sequence[int]) -> list[tuple[float, GridFunction]]:
        """Solutions with their distances from the one before, until that is small enough or stays too large."""
        found: list[tuple[float, GridFunction]] = []
        before = None
        for n in sizes:
            function = self._tried(solve, n)
            if function is None:
                break
            if before is not None:
                found.append((distance(before, function), function))
                if found[-1][0] <= 10 * self.rtol or (len(found) > 1 and found[-1][0] > 1e-3):
                    break
            before = function
        return found

    @staticmethod
    def _tried(solve: Callable[[int], GridFunction], n: int) -> GridFunction | None:
        try:
            return solve(n)
        except ProblemError:
            return None


def integrated(lines: Lines, rtol: float) -> Trajectory:
    """The steps of an explicit method where a rough run of it is short, else those of Radau IIA."""
    first, last = map(float, lines.problem.domain.bounds[lines.position])
    interval = (first, last)
    start = lines.start()
    dense = any(axis.order == 0 for axis in lines.grid.axes)

    def jacobian(t: float, y: Array) -> Array | sparse.csc_array:
        matrix = lines.jacobian(t, y)
        return matrix.toarray() if dense else matrix

    def run(method: str, tolerance: float, scale: Array, budget: int) -> Trajectory:
        return Integrator(method, tolerance, scale, 0.02, budget).run(lines.rates, start, interval, jacobian)

    rough = np.full(len(start), max(float(np.abs(start).max(initial=0.0)), 1e-3))
    if spectral_radius(lines.jacobian(interval[0], start)) * (interval[1] - interval[0]) < STABLE * EXPLICIT_BUDGET:
        try:
            return run("DOP853", rtol, rough, EXPLICIT_BUDGET)
        except TooManySteps:
            pass
    return run("Radau", rtol, rough, STEPS)


def spectral_radius(matrix: sparse.csc_array) -> float:
    """The largest |eigenvalue|, infinite where the iteration for a large matrix does not find it."""
    size = matrix.shape[0]
    if size <= SMALL:
        return float(np.abs(np.linalg.eigvals(matrix.toarray())).max(initial=0.0))
    try:
        found = sparse_linalg.eigs(matrix, 1, v0=np.ones(size), tol=0.1, return_eigenvectors=False, maxiter=300)
    except sparse_linalg.ArpackError:
        return float("inf")
    return float(np.abs(found).max())


def _space(function: GridFunction) -> Grid:
    """The grid without its last axis, the time."""
    return Grid(function.grid.axes[:-1])


def steepness(function: GridFunction, dimension: int) -> float:
    """The largest slope along a spatial coordinate, beside its length and the range of the values."""
    size = max(float(np.ptp(function.values)), 1e-300)
    slopes = [
        np.abs(np.gradient(function.values, nodes, axis=k)).max() * float(np.ptp(nodes)) / size
        for k, nodes in enumerate(function.axes[:dimension])
    ]
    return max(slopes)


def graded_axis(rough: GridFunction, k: int, count: int, bounds: list[float], wraps: bool) -> DifferenceAxis:
    """Nodes of equal shares of ∫ (1 + weight of the steepest slope at any time), smooth and drawn to the ends."""
    a, b = bounds
    nodes = np.linspace(a, b, 2001)
    line = rough.grid.axes[k].nodes
    moved = np.moveaxis(rough.values, k, 0).reshape(len(line), -1)
    size = max(float(np.abs(moved).max()), 1e-300)
    slope = np.abs(np.gradient(moved, line, axis=0)).max(axis=1) * (b - a) / size
    density = np.interp(nodes, line, slope)
    width = 0.02 * (b - a)
    kernel = np.exp(-0.5 * ((nodes[:, None] - nodes[None, ::8]) / width) ** 2)
    density = kernel @ density[::8] / kernel.sum(axis=1)
    density = 1.0 + density / max(float(np.mean(density)), 1.0) * 2.0
    shares = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
    shares /= shares[-1]
    uniform = np.linspace(0.0, 1.0, count + 1)[:-1] if wraps else stable_nodes(0.0, 1.0, count, ORDER)
    placed = np.interp(uniform, shares, nodes)
    placed[0] = a
    if not wraps:
        placed[-1] = b
    return DifferenceAxis(placed, ORDER, b - a if wraps else None)


def rough_lines(problem: Problem, seconds: float = 1.0) -> GridFunction:
    """A quick solution of an initial value problem: differences of order 4 and a loose tolerance."""
    _check(problem)
    return _Lines(problem, ROUGH_RTOL).rough(seconds)
