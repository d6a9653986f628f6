"""The engine of the error estimate: the linearised operator against the residual of a field, L e = -F(u), B e = -B(u).

The grid grows until the corrected field u + e satisfies the equations at independent points, where an aliased residual
is found out, and two grids must agree. What fails either is returned as untrusted, with the reason.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol

import numpy as np
from scipy import fft

from kanpde.errors import ProblemError
from kanpde.operator import JetVariable
from kanpde.problem import Problem
from kanpde.references.checks import Check, CheckedField, Jet, checks_of, grid_jet_at, rms
from kanpde.references.function import GridFunction, distance
from kanpde.references.grid import Grid
from kanpde.references.linear import LinearSolver
from kanpde.references.rounding import pointwise, rounding_bound
from kanpde.references.spectral import SpectralGrid, Tolerances
from kanpde.references.system import evaluate

Array = np.ndarray

# Nodes per axis, by dimension: where the search starts, and where it gives up.
FIRST = {1: 24, 2: 16, 3: 12}
LAST = {1: 1200, 2: 200, 3: 48}
GROWTH = 4 / 3
# Part of the residual that the corrected field may keep, part of the correction by which two grids may differ.
RESOLVED = 0.1
AGREEMENT = 0.15
# The check of the corrected field differentiates e as often as the operator does, so e must be smoother than accurate.
TOLERANCES = Tolerances(newton=1e-2, linear=1e-9)


class Correction(Protocol):
    """e as a function: on a grid, in a frame, or on a mesh."""

    @property
    def norm(self) -> float:
        """L2 norm."""

    def __call__(self, points: Array) -> Array:
        """The fields (n, m) at points (n, d)."""


@dataclass(frozen=True, eq=False)
class DefectEstimate:
    """An estimate of the error of a field.

    Attributes:
        correction: e with u + e closer to the solution; None where it could not be computed.
        absolute: |e| in L2, summed over the unknowns; nan without a correction.
        relative: |e| / |u + e|; None without a correction or where the solution vanishes.
        trusted: whether all guards passed; reason says in words why not.
        shapes: the grids, or the degrees, that were tried; the last two were compared.
        seconds: wall time.
        scalars: what is to be added to the unknown scalars, in the order of `problem.parameters`.
        method: how it was made: "grid", "frame", "elements".
    """

    correction: Correction | None
    absolute: float
    relative: float | None
    trusted: bool
    reason: str
    shapes: tuple[tuple[int, ...], ...]
    seconds: float
    scalars: tuple[float, ...] = ()
    method: str = "grid"


@dataclass(eq=False)
class _Level:
    """One grid; a linear problem keeps its factorisation."""

    collocation: SpectralGrid
    solver: LinearSolver | None = None

    def sampled(self, jet: Jet) -> dict[JetVariable, Array]:
        """The jet of a field at all nodes."""
        table = np.asarray(jet(self.collocation.grid.points, self.collocation.variables), dtype=float)
        return dict(zip(self.collocation.variables, np.ascontiguousarray(table.T), strict=True))

    def correct(self, base: dict[JetVariable, Array]) -> GridFunction:
        """The e for which the rows vanish at u + e."""
        problem = self.collocation.problem
        values, _, solver = self.collocation.solve(base, None, TOLERANCES, self.solver)
        self.solver = solver if problem.is_linear else None
        unknowns = tuple(u.func.__name__ for u in problem.fields)
        return GridFunction(self.collocation.grid, values, unknowns, tuple(map(str, problem.coordinates)))


@dataclass(frozen=True, eq=False)
class _Attempt:
    """What one grid gave: nodal residuals of the equations, and a correction or the reason against it."""

    grid: Grid
    residuals: tuple[Array, ...]
    correction: GridFunction | None
    norm: float
    reason: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Nodes along each axis."""
        return self.grid.shape

    @property
    def accepted(self) -> bool:
        """Whether there is a correction and nothing against it."""
        return self.correction is not None and not self.reason


@dataclass(eq=False)
class DefectSolver:
    """Estimates the error of any number of fields for one problem; grids and factorisations are kept between calls.

    Args:
        problem: on a box of up to three coordinates, time included.
        last: most nodes per axis, by default `LAST` of the dimension.

    Raises:
        ProblemError: more than three coordinates, unknown scalars, or not as many equations as unknowns.
    """

    problem: Problem
    last: int | None = None
    _levels: dict[tuple[int, ...], _Level] = field(default_factory=dict, init=False, repr=False)
    _start: tuple[int, ...] | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        name, dimension = self.problem.name, self.problem.domain.dimension
        if dimension not in FIRST:
            raise ProblemError(f"{name} has {dimension} coordinates; the error estimate takes up to three.")
        if self.problem.parameters:
            raise ProblemError(f"{name} has unknown scalars; give them values to estimate the error.")

    @property
    def hint(self) -> list[int] | None:
        """The grid with which the next search begins, None for the smallest."""
        return None if self._start is None else list(self._start)

    def take_up(self, hint: Sequence[int]) -> None:
        """Begins the next search where another run would."""
        self._start = tuple(int(n) for n in hint)

    @cached_property
    def checks(self) -> tuple[Check, ...]:
        """Independent points of the equations and conditions."""
        return checks_of(self.problem)

    def estimate(self, jet: Jet, parameters: Sequence[float] = ()) -> DefectEstimate:
        """Estimate the error of the field whose jet is given.

        Args:
            jet: (points (n, d), variables) -> (n, len(variables)), the derivatives of the field.
            parameters: values of unknown scalars; a grid takes none.

        Raises:
            ProblemError: there are some.
        """
        if parameters:
            raise ProblemError(f"{self.problem.name} is estimated on a grid, which takes no unknown scalars.")
        clock = time.perf_counter()
        fields = [CheckedField(check, jet) for check in self.checks]
        dimension = self.problem.domain.dimension
        shape: tuple[int, ...] | None = self._start or (FIRST[dimension],) * dimension
        attempts: list[_Attempt] = []
        agreed = False
        while shape is not None and not agreed:
            attempts.append(self._attempt(shape, jet, fields))
            agreed = len(attempts) > 1 and _agree(attempts[-2], attempts[-1])
            noise = len(attempts) > 1 and _at_rounding(fields, attempts[-1])
            shape = None if noise else self._larger(attempts[-1])
        if not agreed and attempts[-1].accepted and (len(attempts) == 1 or attempts[-2].correction is None):
            # Only the largest grid resolves the residual: a somewhat smaller one is its witness.
            attempts.insert(-1, self._attempt(_scaled(attempts[-1].shape, 0.85), jet, fields))
            agreed = _agree(attempts[-2], attempts[-1])
        shapes = [attempt.shape for attempt in attempts]
        self._start = self._next_start(shapes, agreed)
        # A dense factorisation may take 200 MB: those stay that the next search is likely to pass.
        self._levels = {shape: self._levels[shape] for shape in shapes[-3:]}
        estimate = _estimate(attempts, agreed)
        if not agreed:
            estimate = self._without_grid(estimate, attempts[-1], fields)
        return replace(estimate, seconds=time.perf_counter() - clock)

    def _without_grid(self, estimate: DefectEstimate, last: _Attempt, fields: Sequence[CheckedField]) -> DefectEstimate:
        """What else can be said: a bound at rounding, the error itself where an equation has no derivatives."""
        try:
            if _at_rounding(fields, last):
                absolute = rounding_bound(self.problem, fields)
                reason = "the residual is at rounding; the estimate is an upper bound"
                return _replaced(estimate, absolute, last.norm, reason)
            if self.problem.order == 0 and not self.problem.conditions:
                found = pointwise(self.problem, fields[0].jet)
                if found is not None:
                    return _replaced(estimate, *found, "no grid resolves the residual; the estimate is by sampling")
        except ProblemError as error:
            return replace(estimate, reason=f"{estimate.reason}; {error}")
        return estimate

    def _next_start(self, shapes: Sequence[tuple[int, ...]], agreed: bool) -> tuple[int, ...]:
        """Where the next search starts: two grids before the last, one before the start if that one sufficed."""
        back = 2 if agreed else 3
        start = _scaled(shapes[0], 1 / GROWTH) if agreed and len(shapes) == 2 else shapes[max(0, len(shapes) - back)]
        first = FIRST[len(start)]
        return tuple(max(n, first) for n in start)

    def _attempt(self, shape: tuple[int, ...], jet: Jet, fields: Sequence[CheckedField]) -> _Attempt:
        if shape not in self._levels:
            self._levels[shape] = _Level(SpectralGrid(self.problem, shape))
        level = self._levels[shape]
        base, grid = level.sampled(jet), level.collocation.grid
        values = [base[JetVariable(c, (0,) * len(shape))] for c in range(len(self.problem.fields))]
        field_ = np.stack(values, axis=-1).reshape(*shape, -1)
        residuals = tuple(
            evaluate(operator, grid.points, np.array([base[v] for v in operator.jet]).reshape(-1, grid.size), None)[0]
            for operator in self.problem.operators
        )
        if not all(np.all(np.isfinite(values)) for values in base.values()):
            return _Attempt(grid, residuals, None, 0.0, "the field is not finite")
        between = max(f.between(grid, r) for f, r in zip(fields, residuals, strict=False))
        if between > 3 * RESOLVED:
            reason = f"the residual differs from its interpolant between the nodes by {between:.0%}"
            return _Attempt(grid, residuals, None, grid.norm(field_), reason)
        try:
            correction = level.correct(base)
        except ProblemError as error:
            return _Attempt(grid, residuals, None, grid.norm(field_), str(error).rstrip("."))
        size = rms(correction.values)
        worst = max(f.remainder(grid_jet_at(correction, f.check), size) for f in fields)
        reason = "" if worst <= RESOLVED else f"the corrected field keeps {worst:.0%} of a residual elsewhere"
        return _Attempt(grid, residuals, correction, grid.norm(field_ + correction.values), reason)

    def _larger(self, attempt: _Attempt) -> tuple[int, ...] | None:
        """The next grid: more nodes along the axes where the residual is resolved least; None at the limit."""
        shape = attempt.shape
        last = self.last or LAST[len(shape)]
        tails = np.max([_tails(attempt.grid, residual) for residual in attempt.residuals], axis=0)
        poor = tails > 0.3 * tails.max(initial=0.0)
        # The other axes change a little, too: two grids with an axis in common would share its aliases.
        larger = tuple(
            min(int(np.ceil(n * (GROWTH if grow else 1.1))), last) for n, grow in zip(shape, poor, strict=True)
        )
        return larger if any(n > m for n, m, grow in zip(larger, shape, poor, strict=True) if grow) else None


def _at_rounding(fields: Sequence[CheckedField], attempt: _Attempt) -> bool:
    """Whether every residual is rounding: a finer grid would resolve nothing but noise."""
    size = attempt.norm / float(np.sqrt(np.sum(attempt.grid.quadrature[1])))
    return all(field.at_rounding(size) for field in fields)


def _scaled(shape: tuple[int, ...], factor: float) -> tuple[int, ...]:
    return tuple(int(n * factor) for n in shape)


def _tails(grid: Grid, nodal: Array) -> Array:
    """For each axis the share of the highest third of the modes in nodal values (N,)."""
    array = np.nan_to_num(nodal.reshape(grid.shape))
    tails = []
    for k, (axis, count) in enumerate(zip(grid.axes, grid.shape, strict=True)):
        modes = fft.rfft(array, axis=k) if axis.kind == "fourier" else fft.dct(array, 1, axis=k)
        energy = np.sum(np.abs(np.moveaxis(modes, k, 0)).reshape(modes.shape[k], -1) ** 2, axis=1)
        total = energy.sum()
        tails.append(np.sqrt(energy[2 * len(energy) // 3 :].sum() / total) if total and count else 0.0)
    return np.array(tails)


def _agree(coarse: _Attempt, fine: _Attempt) -> bool:
    """Whether two grids made the same correction and neither has anything against its own."""
    if coarse.correction is None or fine.correction is None or fine.reason:
        return False
    return distance(coarse.correction, fine.correction) <= AGREEMENT


def _estimate(attempts: Sequence[_Attempt], trusted: bool) -> DefectEstimate:
    best = attempts[-1]
    shapes = tuple(attempt.shape for attempt in attempts)
    if best.correction is None:
        return DefectEstimate(None, float("nan"), None, False, _blame(attempts), shapes, 0.0)
    absolute = best.correction.norm
    relative = absolute / best.norm if best.norm else None
    reason = "" if trusted else _blame(attempts)
    return DefectEstimate(best.correction, absolute, relative, trusted, reason, shapes, 0.0)


def _replaced(estimate: DefectEstimate, absolute: float, norm: float, reason: str) -> DefectEstimate:
    """A trusted estimate without a correction."""
    relative = absolute / norm if norm else None
    return replace(estimate, correction=None, absolute=absolute, relative=relative, trusted=True, reason=reason)


def _blame(attempts: Sequence[_Attempt]) -> str:
    """Why the last grids cannot be trusted."""
    fine = attempts[-1]
    nodes = "×".join(map(str, fine.shape))
    if fine.reason:
        return f"{fine.reason} on the largest grid, {nodes} nodes"
    coarse = attempts[-2].correction if len(attempts) > 1 else None
    if coarse is None or fine.correction is None:
        return f"only one grid, {nodes} nodes, gave a correction"
    return f"two grids differ by {distance(coarse, fine.correction):.0%} of the correction at {nodes} nodes"


def correct(problem: Problem, jet: Jet) -> DefectEstimate:
    """Estimate the error of one field; `DefectSolver` keeps its factorisations for many."""
    return DefectSolver(problem).estimate(jet)
