"""Problems solved in frames: spectral accuracy on shapes where the solution is smooth, in about a second."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from kanpde.errors import ProblemError
from kanpde.expression import Eigenvalue
from kanpde.operator import JetVariable
from kanpde.problem import Problem
from kanpde.provenance import provenance
from kanpde.references.checks import rms
from kanpde.references.frame.checks import imbalance
from kanpde.references.frame.collocation import Collocation, State
from kanpde.references.frame.function import FrameFunction
from kanpde.references.frame.leastsquares import LeastSquares
from kanpde.references.frame.points import Cloud, quadrature
from kanpde.references.frame.spaces import Ladder, Space, ladder

Array = np.ndarray

N_MEASURE = {1: 400, 2: 2500, 3: 8000}
NEWTON_STEPS = 25
NEWTON_STOP = 1e-11
POOR = 0.05
FLOOR = 1e-14  # two degrees may agree to the last digit, which proves no more than rounding
IMBALANCE = 0.01  # of its terms, that an equation may keep as residual
HUGE = 1e100
INVERSE_STEPS = 12
N_RANDOM = 21
SMALLEST_STEP = 1e-3
CG_STEPS = 40
TOLERANCE = 1e-10  # two degrees that agree so well end the search
STAGNATION = 0.5  # a step that gains less ends it, too, once two degrees agree to the plateau
PLATEAU = 1e-6
LARGEST = {1: 400, 2: 2000, 3: 3000}  # functions of all fields


@dataclass(frozen=True, eq=False)
class FrameSolver:
    """Solves one problem by least-squares collocation in frames of growing degree.

    Raises:
        ProblemError: more coordinates than a frame can resolve.
    """

    problem: Problem
    largest: int | None = None

    @cached_property
    def steps(self) -> Ladder:
        """The degrees that are tried."""
        d, fields = self.problem.domain.dimension, len(self.problem.fields)
        return ladder(self.problem, self.largest or min(3000, fields * LARGEST.get(d, 2000)))

    @cached_property
    def measure(self) -> Cloud:
        """The points at which norms are taken."""
        return quadrature(self.problem.domain, N_MEASURE.get(self.problem.domain.dimension, 8192))

    def length(self, values: Array) -> float:
        """L2 norm of the unknowns that field values (n, m) at the measuring points stand for."""
        unknowns = np.abs(self.problem.readout(self.measure.points, values)) ** 2
        return float(np.sqrt(self.measure.weights @ unknowns.sum(axis=1)))

    def solve(self, degree: int | Space, start: FrameFunction | None = None) -> FrameFunction:
        """The solution in one space.

        Args:
            degree: of the polynomials along every axis, or a space.
            start: where Newton's method starts, such as the solution of a lower degree.

        Raises:
            ProblemError: Newton's method does not converge.
        """
        clock = time.perf_counter()
        d = self.problem.domain.dimension
        space = degree if isinstance(degree, Space) else self.steps.of((degree,) * d)
        sizes = np.ones(len(self.problem.fields)) if start is None else _sizes(start(self.measure.points))
        collocation = Collocation(self.problem, space, sizes)
        x = self._first(collocation) if start is None else _embedded(collocation, start)
        x, system = self._newton(collocation, x)
        return self._function(collocation, x, x * system.scale, time.perf_counter() - clock)

    def _first(self, collocation: Collocation) -> Array:
        """Zero fields and the initial values of the scalars; for an eigenvalue the mode nearest to its guess."""
        parameters = self.problem.parameters
        x = np.zeros(collocation.n_columns)
        x[collocation.offsets[-1] :] = [p.near if isinstance(p, Eigenvalue) else p.initial for p in parameters]
        positions = [k for k, p in enumerate(parameters) if isinstance(p, Eigenvalue)]
        return self._mode(collocation, x, positions[0]) if positions else x

    def _mode(self, collocation: Collocation, x: Array, position: int) -> Array:
        """Inverse iteration: (L - σ) v = -∂F/∂λ (u) for a guess σ of the eigenvalue, from a fixed random start."""
        column = int(collocation.offsets[-1]) + position
        fields = slice(0, int(collocation.offsets[-1]))
        state = collocation.state(x)
        factors = collocation.factors(state)
        system = collocation.factorised(state, factors)
        random = np.random.default_rng(7)
        for start, basis in zip(collocation.offsets, collocation.bases, strict=False):
            count = min(N_RANDOM, basis.polynomials.size)
            x[start : start + count] = random.uniform(-1, 1, count)
        shift = 0.0
        for _ in range(INVERSE_STEPS):
            x[fields] /= self._amplitude(collocation, x)
            slides = collocation.slides(collocation.state(x), factors, position)
            step = system.solve(-slides, CG_STEPS)
            old, new = (collocation.function(part)(self.measure.points) for part in (x, step))
            overlap = float(self.measure.weights @ (old * new).sum(axis=1))
            shift = float(self.measure.weights @ (old**2).sum(axis=1)) / overlap
            x[fields] = step[fields]
        x[fields] /= self._amplitude(collocation, x)
        x[column] += shift
        return x

    def _amplitude(self, collocation: Collocation, x: Array) -> float:
        """By what fields are to be divided so that the quadratic integral of their mode has its value."""
        states = collocation.state(x)
        for rows, jet in zip(collocation.rows, states.jets, strict=True):
            if rows.kind == "integral" and not rows.operator.is_linear:
                value = float((rows.evaluate(jet, states.scalars[[]])[0] + rows.target)[0])
                return float(np.sqrt(value / rows.target[0]))
        return self.length(collocation.function(x)(self.measure.points))

    @property
    def _has_modes(self) -> bool:
        """Whether an eigenvalue is wanted: fields of the same one may be mixed, which no step must do at will."""
        return any(isinstance(p, Eigenvalue) for p in self.problem.parameters)

    def _newton(self, collocation: Collocation, x: Array) -> tuple[Array, LeastSquares]:
        linear = self.problem.is_linear and not self.problem.parameters
        state, last = collocation.state(x), np.inf
        for count in range(NEWTON_STEPS):
            factors = collocation.factors(state)
            system = collocation.factorised(state, factors)
            residual = collocation.residual(state, factors)
            if count or self._has_modes:
                step = system.solve(-residual, CG_STEPS)
            else:
                # At first the coefficients are kept small, not the step: they would keep what other rows let pass.
                step = system.solve(system.matrix @ (x * system.scale) - residual, CG_STEPS) - x
            if linear:
                return x + step, system
            if not np.all(np.isfinite(step)) or _norm(residual) == np.inf:
                break
            # By what it does to the rows: a step within what they do not determine, such as modes of one eigenvalue
            # that mix, is none.
            gain = float(np.linalg.norm(system.matrix @ (step * system.scale)))
            share = gain / float(np.linalg.norm((x + step) * system.scale))
            if share <= NEWTON_STOP or (share <= PLATEAU and share > STAGNATION * last):
                return x, system
            x, state = self._damped(collocation, x, step, factors, _norm(residual))
            last = share
        if last <= POOR:
            # A degree that is too low for the solution leaves much of the rows, and steps shrink slowly.
            return x, system
        raise ProblemError(
            f"{self.problem.name}: Newton's method does not converge; give a start nearer to a solution."
        )

    def _damped(
        self, collocation: Collocation, x: Array, step: Array, factors: Sequence[Array], before: float
    ) -> tuple[Array, State]:
        """The longest of the halved steps that does not raise the residual."""
        share = 1.0
        while True:
            state = collocation.state(x + share * step)
            after = _norm(collocation.residual(state, factors))
            if after <= before * (1 + 1e-6) or share < SMALLEST_STEP or before < 1e-12:
                return x + share * step, state
            share /= 2

    def _function(self, collocation: Collocation, x: Array, scaled: Array, seconds: float) -> FrameFunction:
        function = replace(collocation.function(x), tails=tuple(collocation.tails(scaled).tolist()))
        values = function(self.measure.points)
        return replace(
            function,
            norm=self.length(values),
            relative_l2=self._error(values),
            seconds=seconds,
            name=self.problem.name,
            text=self.problem.text,
            signature=self.problem.signature,
            provenance=provenance(),
        )

    def _error(self, values: Array) -> float | None:
        """Relative L2 distance from the exact solution."""
        if self.problem.exact is None:
            return None
        zero = (0,) * self.problem.domain.dimension
        variables = [JetVariable(c, zero) for c in range(len(self.problem.fields))]
        exact = self.problem.exact_jet(self.measure.points, variables).T
        gap, norm = self.length(values - exact), self.length(exact)
        return gap / norm if norm else gap

    def distance(self, coarse: FrameFunction, fine: FrameFunction) -> float:
        """L2 distance of two solutions, relative to the finer one."""
        gap = self.length(fine(self.measure.points) - coarse(self.measure.points))
        return gap / fine.norm if fine.norm else gap


def frame_reference(problem: Problem, largest: int | None = None, max_seconds: float = 60.0) -> FrameFunction:
    """The solution with its error estimate: the degree grows until two agree or nothing is gained.

    Args:
        problem: on any domain.
        largest: most functions of all fields.
        max_seconds: no degree is begun after that time.

    Raises:
        ProblemError: too many coordinates, or no convergence of Newton's method.
    """
    clock = time.perf_counter()
    solver = FrameSolver(problem, largest)
    space: Space | None = solver.steps.first
    best: FrameFunction | None = None
    gaps: list[float] = []
    while space is not None and time.perf_counter() - clock <= max_seconds:
        found = solver.solve(space, best)
        if best is not None:
            gaps.append(solver.distance(best, found))
            if len(gaps) > 1 and gaps[-1] > gaps[-2] and gaps[-2] < PLATEAU:
                break
            found = replace(found, error_estimate=max(_error_of(gaps), FLOOR))
        best = found
        stuck = len(gaps) > 1 and gaps[-1] > STAGNATION * gaps[-2] and gaps[-1] < PLATEAU
        if stuck or (gaps and gaps[-1] <= TOLERANCE):
            break
        space = solver.steps.after(space, np.array(found.tails))
    assert best is not None
    scalars = list(best.identified.values())
    if imbalance(problem, best.jet, scalars, rms(best(solver.measure.points))) > IMBALANCE:
        # The least squares of rows that have no common solution, or too poor a degree.
        best = replace(best, error_estimate=None)
    return replace(best, seconds=time.perf_counter() - clock)


def _error_of(gaps: Sequence[float]) -> float:
    """The error of the last solution from the distances between successive ones; slow convergence leaves more."""
    if len(gaps) < 2 or gaps[-1] <= 0.5 * gaps[-2]:
        return gaps[-1]
    rate = min(gaps[-1] / gaps[-2], 0.9) if gaps[-2] else 0.9
    return gaps[-1] * rate / (1 - rate)


def _norm(values: Array) -> float:
    """Euclidean norm, infinite where it would overflow."""
    largest = float(np.abs(values).max(initial=0.0))
    return float(np.linalg.norm(values)) if largest < HUGE else np.inf


def _sizes(values: Array) -> Array:
    sizes = np.sqrt(np.mean(values**2, axis=0))
    return np.maximum(sizes, 1e-6 * sizes.max(initial=0.0)) if sizes.any() else np.ones(len(sizes))


def _embedded(collocation: Collocation, start: FrameFunction) -> Array:
    """The coefficients of a function of a poorer space in a richer one."""
    pairs = zip(collocation.bases, start.bases, start.coefficients, strict=True)
    parts = [basis.adopted(old, coefficients) for basis, old, coefficients in pairs]
    return np.concatenate([*parts, list(start.identified.values())])
