"""Semilinear problems that are periodic in space, w_t = L w + N(w): Fourier modes and exponential time differencing.

SciPy has no exponential integrator, and without one the fourth derivatives of a few hundred modes cost minutes. The
scheme is ETDRK4 of Cox and Matthews (2002), its coefficients by contour integrals as in Kassam and Trefethen (2005).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy import fft, linalg

from kanpde.errors import ProblemError
from kanpde.operator import JetVariable
from kanpde.problem import Problem
from kanpde.references.axes import FourierAxis
from kanpde.references.grid import Grid
from kanpde.references.ivp_evolution import Evolution
from kanpde.references.marching import initial_instant, time_position

Array = np.ndarray

CONTOUR_POINTS = 32
# Eigenvectors worse than this lose digits: the exponential of an augmented matrix instead.
WORST_EIGENVECTORS = 1e4


class Coefficients(NamedTuple):
    """exp(hL), exp(hL/2) and the weights of ETDRK4, (s, s, modes) each."""

    whole: Array
    half: Array
    stage: Array
    first: Array
    middle: Array
    last: Array


@dataclass(frozen=True, eq=False)
class PeriodicSystem:
    """The modes of a problem on a periodic grid; the state is (s, *shape of the modes), s fields and time derivatives.

    shape: nodes along each spatial coordinate.
    """

    problem: Problem
    shape: tuple[int, ...]
    evolution: Evolution = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "evolution", Evolution(self.problem, time_position(self.problem)))

    @property
    def position(self) -> int:
        """Which coordinate is the time."""
        return self.evolution.position

    @cached_property
    def grid(self) -> Grid:
        """The nodes in space."""
        bounds = self.problem.domain.bounds[: self.position].tolist()
        return Grid(tuple(FourierAxis(a, b, n) for (a, b), n in zip(bounds, self.shape, strict=True)))

    @cached_property
    def components(self) -> tuple[JetVariable, ...]:
        """What the components of the state are."""
        levels = enumerate(self.evolution.orders)
        return tuple(self.evolution.at_level(c, k) for c, m in levels for k in range(m))

    @cached_property
    def wavenumbers(self) -> list[Array]:
        """The factors iκ along each coordinate, shaped to multiply the modes of a real field."""
        result = []
        for k, axis in enumerate(self.grid.axes):
            n, last = self.shape[k], k == len(self.shape) - 1
            numbers = fft.rfftfreq(n, 1 / n) if last else fft.fftfreq(n, 1 / n)
            assert isinstance(axis, FourierAxis)
            shape = [-1 if i == k else 1 for i in range(len(self.shape))]
            result.append((2j * np.pi / axis.period * numbers).reshape(shape))
        return result

    def symbol(self, derivative: tuple[int, ...]) -> Array:
        """(iκ)^α; the saw-tooth mode has no odd derivative."""
        total: Array = np.ones((), dtype=complex)
        for k, (wave, times) in enumerate(zip(self.wavenumbers, derivative[: self.position], strict=True)):
            power = wave**times
            if times % 2 and self.shape[k] % 2 == 0:
                power = np.where(np.abs(wave) >= np.abs(wave).max() * (1 - 1e-12), 0.0, power)
            total = total * power
        return total

    @cached_property
    def linear(self) -> Array:
        """L as a matrix for each mode, (modes, s, s)."""
        constant = self.evolution.constant_part
        shape = np.broadcast_shapes(*(w.shape for w in self.wavenumbers))
        size = len(self.components)
        matrix = np.zeros((*shape, size, size), dtype=complex)
        for row, v in enumerate(self.components):
            above = self.evolution.at_level(v.unknown, v.derivative[self.position] + 1)
            if above in self.components:
                matrix[..., row, self.components.index(above)] = 1.0
                continue
            for w, weights in (constant or {}).items():
                column = self.components.index(self.evolution.at_level(w.unknown, w.derivative[self.position]))
                matrix[..., row, column] += weights[v.unknown] * self.symbol(w.derivative)
        return matrix.reshape(-1, size, size)

    @cached_property
    def _by_mode(self) -> Array:
        return np.ascontiguousarray(np.moveaxis(self.linear, 0, -1))

    def nonlinear(self, t: float, state: Array) -> Array:
        """N: the rates at the nodes without L."""
        jet = {}
        for v in self.evolution.lower:
            own = self.components.index(self.evolution.at_level(v.unknown, v.derivative[self.position]))
            jet[v] = fft.irfftn(self.symbol(v.derivative) * state[own], self.shape).reshape(-1)
        points = np.insert(self.grid.points, self.position, t, axis=1) if t != 0.0 else self._points
        highest = self.evolution.rates(points, jet)
        result = np.zeros_like(state)
        for row, v in enumerate(self.components):
            if v.derivative[self.position] + 1 == self.evolution.orders[v.unknown]:
                result[row] = fft.rfftn(highest[v.unknown].reshape(self.shape))
        return result - self._applied_on_top(state)

    @cached_property
    def _points(self) -> Array:
        return np.insert(self.grid.points, self.position, 0.0, axis=1)

    def _applied_on_top(self, state: Array) -> Array:
        """L on the state in the rows of the highest derivatives; the other rows have no nonlinear part."""
        product = _applied(self._by_mode, state)
        for row, v in enumerate(self.components):
            if v.derivative[self.position] + 1 < self.evolution.orders[v.unknown]:
                product[row] = 0.0
        return product

    def start(self) -> Array:
        """The modes of the initial values."""
        first = float(self.problem.domain.bounds[self.position, 0])
        instant = initial_instant(self.problem, self.grid, first)
        values = [instant[v.unknown, v.derivative[self.position]] for v in self.components]
        return np.stack([fft.rfftn(np.asarray(value).reshape(self.shape)) for value in values])

    def march(self, steps: int, stride: int) -> tuple[Array, Array]:
        """Every stride-th of equal steps: times (n,) and values of the fields (n, c, *shape).

        Raises:
            ProblemError: the solution grows without bound.
        """
        first, last = map(float, self.problem.domain.bounds[self.position])
        times = np.linspace(first, last, steps + 1)
        weights = coefficients(self.linear, float(times[1] - times[0]))
        state, kept = self.start(), []
        fields = [self.components.index(self.evolution.at_level(c, 0)) for c in range(len(self.problem.fields))]
        for k, t in enumerate(times):
            if k % stride == 0:
                kept.append(fft.irfftn(state[fields], self.shape, axes=range(1, 1 + len(self.shape))))
            if k < steps:
                with np.errstate(all="ignore"):
                    state = self._step(float(t), float(times[k + 1] - t), state, weights)
            if not np.all(np.isfinite(state)):
                raise ProblemError(f"{self.problem.name}: the solution is not finite at {t:.6g} with {steps} steps.")
        return times[::stride], np.stack(kept)

    def _step(self, t: float, h: float, state: Array, w: Coefficients) -> Array:
        half = _applied(w.half, state)
        at_start = self.nonlinear(t, state)
        a = half + _applied(w.stage, at_start)
        at_a = self.nonlinear(t + h / 2, a)
        at_b = self.nonlinear(t + h / 2, half + _applied(w.stage, at_a))
        c = _applied(w.half, a) + _applied(w.stage, 2 * at_b - at_start)
        result = _applied(w.whole, state) + _applied(w.first, at_start) + _applied(w.middle, at_a + at_b)
        return result + _applied(w.last, self.nonlinear(t + h, c))


def is_semilinear(problem: Problem) -> bool:
    """Whether space is periodic, nothing else is asked at its ends, and second and higher derivatives are linear."""
    domain = problem.domain
    if domain.time is None or domain.parameters or not domain.is_box:
        return False
    wrapped = {(c.target.unknown, c.axis) for c in problem.conditions if c.kind == "periodic" and c.target is not None}
    others = any(c.kind not in ("periodic", "initial") for c in problem.conditions)
    if others or len(wrapped) < len(problem.fields) * len(domain.space):
        return False
    try:
        evolution = Evolution(problem, time_position(problem))
    except ProblemError:
        return False
    constant = evolution.constant_part
    return constant is not None and all(
        v in constant for v in evolution.lower if sum(v.derivative[: evolution.position]) >= 2
    )


def _applied(matrices: Array, state: Array) -> Array:
    """One matrix a mode, (s, s, modes), on a state (s, *modes)."""
    flat = state.reshape(len(state), -1)
    return np.sum(matrices * flat, axis=1).reshape(state.shape) if len(state) > 1 else _scaled(matrices, state)


def _scaled(factors: Array, state: Array) -> Array:
    return (factors[0, 0] * state.reshape(-1)).reshape(state.shape)


def coefficients(linear: Array, h: float) -> Coefficients:
    """The weights of ETDRK4 for a step h, from L (modes, s, s)."""
    half_exp, half_1, _, _ = phi_functions(linear * (h / 2))
    exp, one, two, three = phi_functions(linear * h)
    first, middle, last = h * (one - 3 * two + 4 * three), h * (2 * two - 4 * three), h * (4 * three - two)
    weights = (exp, half_exp, h / 2 * half_1, first, middle, last)
    return Coefficients(*(np.ascontiguousarray(np.moveaxis(w, 0, -1)) for w in weights))


def phi_functions(matrices: Array) -> tuple[Array, Array, Array, Array]:
    """exp, φ1, φ2, φ3 of matrices (k, s, s); φ_j(z) = (φ_(j-1)(z) - 1/(j-1)!) / z."""
    size = matrices.shape[1]
    if size == 1:
        return tuple(p[:, None, None] for p in _scalar_phi(matrices[:, 0, 0]))  # type: ignore[return-value]
    values, vectors = np.linalg.eig(matrices)
    good = np.linalg.cond(vectors) < WORST_EIGENVECTORS
    result = np.zeros((4, *matrices.shape), dtype=complex)
    inverse = np.linalg.inv(vectors[good])
    for j, scalar in enumerate(_scalar_phi(values[good].reshape(-1))):
        result[j, good] = vectors[good] * scalar.reshape(-1, 1, size) @ inverse
    for k in np.flatnonzero(~good):
        result[:, k] = _augmented_phi(matrices[k])
    return result[0], result[1], result[2], result[3]


def _scalar_phi(z: Array) -> tuple[Array, Array, Array, Array]:
    """The same of numbers (k,), as means over a circle around each: no cancellation near zero."""
    circle = z[:, None] + np.exp(2j * np.pi * (np.arange(CONTOUR_POINTS) + 0.5) / CONTOUR_POINTS)
    one = np.expm1(circle) / circle
    two = (one - 1) / circle
    three = (two - 0.5) / circle
    return np.exp(z), one.mean(axis=1), two.mean(axis=1), three.mean(axis=1)


def _augmented_phi(matrix: Array) -> Array:
    """(4, s, s) from the exponential of [[A, I, 0, 0], [0, 0, I, 0], [0, 0, 0, I], [0, 0, 0, 0]]."""
    size = len(matrix)
    augmented = np.zeros((4 * size, 4 * size), dtype=complex)
    augmented[:size, :size] = matrix
    for j in range(3):
        augmented[j * size : (j + 1) * size, (j + 1) * size : (j + 2) * size] = np.eye(size)
    top = linalg.expm(augmented)[:size]
    return np.stack([top[:, j * size : (j + 1) * size] for j in range(4)])
