"""Problems solved in frames: spectral accuracy on shapes where the solution is smooth, in about a second."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from kanpde.errors import ProblemError
from kanpde.operator import JetVariable
from kanpde.problem import Problem
from kanpde.provenance import provenance
from kanpde.references.frame.collocation import Collocation, State
from kanpde.references.frame.function import FrameFunction
from kanpde.references.frame.leastsquares import LeastSquares
from kanpde.references.frame.points import Cloud, quadrature
from kanpde.references.frame.spaces import Ladder, Space, ladder

Array = np.ndarray

N_MEASURE = {1: 400, 2: 2500, 3: 8000}
NEWTON_STEPS = 40
NEWTON_STOP = 1e-11
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
        """Zero fields and the initial values of the scalars; for eigenvalues a mode near them."""
        x = np.zeros(collocation.n_columns)
        x[collocation.offsets[-1] :] = [getattr(p, "near", p.initial) for p in self.problem.parameters]
        return x

    def _newton(self, collocation: Collocation, x: Array) -> tuple[Array, LeastSquares]:
        linear = self.problem.is_linear and not self.problem.parameters
        state, last = collocation.state(x), np.inf
        for _ in range(NEWTON_STEPS):
            factors = collocation.factors(state)
            system = collocation.factorised(state, factors)
            residual = collocation.residual(state, factors)
            # The coefficients themselves are kept small, not the step: they would gather what regularisation lets pass.
            step = system.solve(system.matrix @ (x * system.scale) - residual, CG_STEPS) - x
            x, state = self._damped(collocation, x, step, factors, float(np.linalg.norm(residual)))
            share = self._share(collocation, step, x)
            # Below the plateau a step that is no shorter than the last one is rounding.
            if linear or share <= NEWTON_STOP or (share <= PLATEAU and share > STAGNATION * last):
                return x, system
            last = share
        raise ProblemError(
            f"{self.problem.name}: Newton's method does not converge; give a start nearer to a solution."
        )

    def _share(self, collocation: Collocation, step: Array, x: Array) -> float:
        """How long a step is, relative to the solution, in L2."""
        lengths = [self.length(collocation.function(part)(self.measure.points)) for part in (step, x)]
        return lengths[0] / lengths[1] if lengths[1] else lengths[0]

    def _damped(
        self, collocation: Collocation, x: Array, step: Array, factors: Sequence[Array], before: float
    ) -> tuple[Array, State]:
        """The longest of the halved steps that does not raise the residual."""
        share = 1.0
        while True:
            state = collocation.state(x + share * step)
            after = float(np.linalg.norm(collocation.residual(state, factors)))
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
            found = replace(found, error_estimate=_error_of(gaps))
        best = found
        stuck = len(gaps) > 1 and gaps[-1] > STAGNATION * gaps[-2] and gaps[-1] < PLATEAU
        if stuck or (gaps and gaps[-1] <= TOLERANCE):
            break
        space = solver.steps.after(space, np.array(found.tails))
    assert best is not None
    return replace(best, seconds=time.perf_counter() - clock)


def _error_of(gaps: Sequence[float]) -> float:
    """The error of the last solution from the distances between successive ones; slow convergence leaves more."""
    if len(gaps) < 2 or gaps[-1] <= 0.5 * gaps[-2]:
        return gaps[-1]
    rate = min(gaps[-1] / gaps[-2], 0.9) if gaps[-2] else 0.9
    return gaps[-1] * rate / (1 - rate)


def _sizes(values: Array) -> Array:
    sizes = np.sqrt(np.mean(values**2, axis=0))
    return np.maximum(sizes, 1e-6 * sizes.max(initial=0.0)) if sizes.any() else np.ones(len(sizes))


def _embedded(collocation: Collocation, start: FrameFunction) -> Array:
    """The coefficients of a function of a poorer space in a richer one."""
    pairs = zip(collocation.bases, start.bases, start.coefficients, strict=True)
    parts = [basis.adopted(old, coefficients) for basis, old, coefficients in pairs]
    return np.concatenate([*parts, list(start.identified.values())])
