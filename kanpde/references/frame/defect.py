"""The error estimate by frames: L e = -F(u), B e = -B(u) in the least-squares sense, on any domain and for any rows.

The guards are those of the grid: the corrected field must satisfy the equations at independent points, and two degrees
must agree. One more: the rows must recover a field that is known, or they do not determine the error.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from kanpde.errors import ProblemError
from kanpde.operator import JetVariable
from kanpde.problem import Problem
from kanpde.references.checks import Check, CheckedField, Jet, rms
from kanpde.references.correction import AGREEMENT, RESOLVED, DefectEstimate
from kanpde.references.frame.checks import checks_of, own_scalars
from kanpde.references.frame.collocation import Collocation, State
from kanpde.references.frame.function import FrameFunction
from kanpde.references.frame.leastsquares import LeastSquares
from kanpde.references.frame.points import Cloud, quadrature
from kanpde.references.frame.spaces import GROWTH, Ladder, Space, ladder

Array = np.ndarray

N_MEASURE = {1: 400, 2: 2500, 3: 8000}
NEWTON_STEPS = 6
NEWTON_STOP = 1e-2
# A chord step that gains less than this is followed by a new linearisation.
CHORD = 0.3
# The part of a known field that the rows may lose.
LOST = 0.05
SAFETY = 4.0
WITNESS = 0.88


@dataclass(eq=False)
class _Level:
    """One degree; a linear problem keeps its factorisation and its weights."""

    collocation: Collocation
    factors: list[Array] | None = None
    system: LeastSquares | None = None

    def correct(self, base: State) -> Array:
        """Coefficients (n_columns,) of the e for which the rows vanish at u + e, by Newton's method.

        Raises:
            ProblemError: it does not converge.
        """
        linear = self.collocation.problem.is_linear and not self.collocation.problem.parameters
        if self.factors is None or not linear:
            self.factors = self.collocation.factors(base)
        if self.system is None or not linear:
            self.system = self.collocation.factorised(base, self.factors)
        x, before = np.zeros(self.collocation.n_columns), np.inf
        for _ in range(NEWTON_STEPS):
            state = base + self.collocation.state(x) if np.any(x) else base
            step = self.system.solve(-self.collocation.residual(state, self.factors))
            if not np.all(np.isfinite(step)):
                raise ProblemError("the corrected field is not finite")
            x = x + step
            size = self.size(step)
            if linear or size <= NEWTON_STOP * self.size(x):
                return x
            if size > CHORD * before:
                self.system = self.collocation.factorised(base + self.collocation.state(x), self.factors)
            before = size
        raise ProblemError("Newton's method finds no correction")

    def size(self, x: Array) -> float:
        """Norm of coefficients, each in units of what its column makes of it."""
        assert self.system is not None
        return float(np.linalg.norm(x * self.system.scale))


@dataclass(frozen=True, eq=False)
class _Attempt:
    """What one degree gave: a correction with its tails along the axes, or the reason against it."""

    space: Space
    correction: FrameFunction | None
    values: Array
    norm: float
    tails: Array
    reason: str


def _space(degrees: Sequence[int], powers: int) -> Space:
    """A space from plain values."""
    return Space(tuple(int(n) for n in degrees), int(powers))


@dataclass(eq=False)
class FrameDefectSolver:
    """Estimates the error of any number of fields for one problem; factorisations are kept between calls.

    Args:
        problem: on any domain.
        largest: most functions of all fields together.

    Raises:
        ProblemError: more coordinates than a frame can resolve.
    """

    problem: Problem
    largest: int | None = None
    _levels: dict[Space, _Level] = field(default_factory=dict, init=False, repr=False)
    _start: Space | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        ladder(self.problem, self.largest)

    @property
    def hint(self) -> dict[str, Any]:
        """Where the next search begins, and the sizes by which the frames that are kept scale their columns."""
        start = None if self._start is None else [list(self._start.degrees), self._start.powers]
        kept = [[list(s.degrees), s.powers, level.collocation.sizes.tolist()] for s, level in self._levels.items()]
        return {"start": start, "sizes": kept}

    def take_up(self, hint: dict[str, Any]) -> None:
        """Begins the next search where another run would, with its frames."""
        if hint["start"] is not None:
            self._start = _space(*hint["start"])
        for degrees, powers, sizes in hint["sizes"]:
            space = _space(degrees, powers)
            self._levels[space] = _Level(Collocation(self.problem, space, np.array(sizes)))

    @cached_property
    def measure(self) -> Cloud:
        """The points at which errors are measured."""
        return quadrature(self.problem.domain, N_MEASURE.get(self.problem.domain.dimension, 8192))

    @cached_property
    def checks(self) -> tuple[Check, ...]:
        """Independent points of the equations and conditions."""
        return checks_of(self.problem)

    def estimate(self, jet: Jet, parameters: Sequence[float] = ()) -> DefectEstimate:
        """Estimate the error of the field whose jet is given, with its unknown scalars.

        Args:
            jet: (points (n, d), variables) -> (n, len(variables)), the derivatives of the fields.
            parameters: values of the unknown scalars, in the order of `problem.parameters`.
        """
        clock = time.perf_counter()
        fields = [CheckedField(check, jet, self._own(check, parameters)) for check in self.checks]
        steps = ladder(self.problem, self.largest)
        space: Space | None = self._start or steps.first
        values = self._values(jet)
        attempts: list[_Attempt] = []
        agreed = noise = False
        while space is not None and not agreed and not noise:
            attempts.append(self._attempt(space, jet, parameters, fields, values))
            agreed = len(attempts) > 1 and self._agree(attempts[-2], attempts[-1])
            noise = not agreed and len(attempts) > 1 and self._at_rounding(fields, values)
            space = steps.after(space, attempts[-1].tails)
        if not agreed and attempts[-1].correction is not None and not attempts[-1].reason:
            # Only the richest space resolves the residual: a somewhat poorer one is its witness.
            witness = steps.scaled(attempts[-1].space, WITNESS)
            attempts.insert(-1, self._attempt(witness, jet, parameters, fields, values))
            agreed = self._agree(attempts[-2], attempts[-1])
        self._keep(attempts, agreed, steps)
        estimate = self._estimate(attempts, agreed)
        if agreed and not self._determined(attempts[-1]):
            reason = "the equations and conditions do not determine the solution"
            estimate = replace(estimate, trusted=False, reason=reason)
        if noise:
            estimate = self._bounded(estimate, attempts[-1], fields)
        return replace(estimate, seconds=time.perf_counter() - clock)

    def _own(self, check: Check, parameters: Sequence[float]) -> tuple[float, ...]:
        return own_scalars(self.problem, check, parameters)

    def _values(self, jet: Jet) -> Array:
        zero = (0,) * self.problem.domain.dimension
        variables = [JetVariable(c, zero) for c in range(len(self.problem.fields))]
        return np.asarray(jet(self.measure.points, variables), dtype=float)

    def _length(self, values: Array) -> float:
        """L2 norm of the unknowns that field values (n, m) at the measuring points stand for."""
        unknowns = np.abs(self.problem.readout(self.measure.points, values)) ** 2
        return float(np.sqrt(self.measure.weights @ unknowns.sum(axis=1)))

    def _level(self, space: Space, values: Array) -> _Level:
        if space not in self._levels:
            sizes = np.sqrt(np.mean(values**2, axis=0))
            sizes = np.maximum(sizes, 1e-6 * sizes.max(initial=0.0)) if sizes.any() else np.ones(len(sizes))
            self._levels[space] = _Level(Collocation(self.problem, space, sizes))
        return self._levels[space]

    def _attempt(
        self, space: Space, jet: Jet, parameters: Sequence[float], fields: Sequence[CheckedField], values: Array
    ) -> _Attempt:
        level = self._level(space, values)
        base = level.collocation.sampled(jet, parameters)
        nothing = np.zeros_like(values)
        flat = np.zeros(len(space.degrees))
        if not all(np.all(np.isfinite(part)) for part in base.jets):
            return _Attempt(space, None, nothing, 0.0, flat, "the field is not finite")
        try:
            x = level.correct(base)
        except ProblemError as error:
            return _Attempt(space, None, nothing, self._length(values), flat, str(error).rstrip("."))
        assert level.system is not None
        correction = level.collocation.function(x)
        gap = correction(self.measure.points)
        correction = replace(correction, norm=self._length(gap))
        scalars = np.asarray(parameters, dtype=float) + x[level.collocation.offsets[-1] :]
        worst = max(
            f.remainder(correction.jet(f.check.points, f.check.operator.jet).T, rms(gap), self._own(f.check, scalars))
            for f in fields
        )
        reason = "" if worst <= RESOLVED else f"the corrected field keeps {worst:.0%} of a residual elsewhere"
        tails = level.collocation.tails(x * level.system.scale)
        return _Attempt(space, correction, gap, self._length(values + gap), tails, reason)

    def _agree(self, coarse: _Attempt, fine: _Attempt) -> bool:
        """Whether two degrees made the same correction and nothing is known against the finer one."""
        if coarse.correction is None or fine.correction is None or fine.reason:
            return False
        return self._distance(coarse, fine) <= AGREEMENT

    def _distance(self, coarse: _Attempt, fine: _Attempt) -> float:
        length = self._length(fine.values)
        gap = self._length(fine.values - coarse.values)
        return gap / length if length else gap

    def _at_rounding(self, fields: Sequence[CheckedField], values: Array) -> bool:
        return all(f.at_rounding(rms(values)) for f in fields)

    def _keep(self, attempts: Sequence[_Attempt], agreed: bool, steps: Ladder) -> None:
        """The next search starts at the last degree but one; what is likely to be passed again stays."""
        spaces = [a.space for a in attempts]
        short = agreed and len(spaces) == 2
        self._start = (
            steps.scaled(spaces[0], 1 / GROWTH) if short else spaces[max(0, len(spaces) - (2 if agreed else 3))]
        )
        self._levels = {s: level for s, level in self._levels.items() if s in (*spaces[-3:], self._start)}

    def _estimate(self, attempts: Sequence[_Attempt], trusted: bool) -> DefectEstimate:
        best = attempts[-1]
        shapes = tuple(a.space.degrees for a in attempts)
        reason = "" if trusted else self._blame(attempts)
        if best.correction is None:
            return DefectEstimate(None, float("nan"), None, False, reason, shapes, 0.0, (), "frame")
        absolute = best.correction.norm
        relative = absolute / best.norm if best.norm else None
        scalars = tuple(best.correction.identified.values())
        return DefectEstimate(best.correction, absolute, relative, trusted, reason, shapes, 0.0, scalars, "frame")

    def _blame(self, attempts: Sequence[_Attempt]) -> str:
        fine = attempts[-1]
        degree = "×".join(map(str, fine.space.degrees))
        if fine.reason:
            return f"{fine.reason} at the largest degree, {degree}"
        if len(attempts) < 2 or attempts[-2].correction is None:
            return f"only one degree, {degree}, gave a correction"
        return f"two degrees differ by {self._distance(attempts[-2], fine):.0%} of the correction at {degree}"

    def _determined(self, attempt: _Attempt) -> bool:
        """Whether the rows recover a field that is known, made of the first few functions of each."""
        level = self._levels[attempt.space]
        assert level.system is not None
        known = np.zeros(level.collocation.n_columns)
        random = np.random.default_rng(1)
        for start, basis in zip(level.collocation.offsets, level.collocation.bases, strict=False):
            count = min(6, basis.polynomials.size)
            known[start : start + count] = random.uniform(0.5, 1.0, count)
        found = level.system.solve(level.system.matrix @ (known * level.system.scale))
        truth, again = (
            self._length(level.collocation.function(x)(self.measure.points)) for x in (known, found - known)
        )
        return again <= LOST * truth

    def _bounded(self, estimate: DefectEstimate, last: _Attempt, fields: Sequence[CheckedField]) -> DefectEstimate:
        """An upper bound where the residual is rounding: each operator's residual times what it does to a solution."""
        level = self._levels.get(last.space)
        if level is None or level.system is None or level.factors is None:
            return estimate
        kinds: dict[int, float] = {}
        for f in fields:
            kinds[id(f.check.operator)] = max(kinds.get(id(f.check.operator), 0.0), rms(f.residual))
        absolute = 0.0
        for k, (rows, factor) in enumerate(zip(level.collocation.rows, level.factors, strict=True)):
            source = [np.zeros(r.size) for r in level.collocation.rows]
            source[k] = factor
            response = level.collocation.function(level.system.solve(np.concatenate(source)))(self.measure.points)
            absolute += self._length(response) * kinds.get(id(rows.operator), 0.0)
        absolute *= SAFETY
        reason = "the residual is at rounding; the estimate is an upper bound"
        relative = absolute / last.norm if last.norm else None
        return replace(estimate, correction=None, absolute=absolute, relative=relative, trusted=True, reason=reason)
