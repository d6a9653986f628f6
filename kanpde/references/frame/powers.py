"""Real functions z^a z̄^b of the plane, z = (x - c) e^(-iφ) / R, for any real a and b, with exact derivatives.

Negative whole powers are Laurent's: with them polynomials converge on domains with holes. Powers m π/ω are the
singular functions of a corner of angle ω. D_x = ∂ + ∂̄ and D_y = i (∂ - ∂̄) act on them as on any power.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from kanpde.multiindex import MultiIndex

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Powers:
    """Real and imaginary parts of z^a z̄^b about one point, log |z| as well.

    Attributes:
        centre: (2,) c.
        radius: R.
        angle: φ, so that the cut of z^a, along the negative axis, lies outside the domain.
        exponents: (q, 2) a and b.
        imaginary: (q,) whether the imaginary part is meant.
        logarithm: whether log |z| is the last function.
        planar: which function of the plane each column takes, times `others`.
        others: (p, d - 2) functions of the further coordinates.
    """

    centre: Array
    radius: float
    angle: float
    exponents: Array
    imaginary: Array
    logarithm: bool
    planar: Array
    others: Array

    @property
    def size(self) -> int:
        """How many functions, those of the further coordinates included."""
        return len(self.planar)

    def table(self, points: Array, alpha: MultiIndex) -> Array:
        """D^α in the plane at points (n, 2): (n, q), one more with the logarithm."""
        turn = np.exp(-1j * self.angle) / self.radius
        z = ((points[:, 0] - self.centre[0]) + 1j * (points[:, 1] - self.centre[1])) * turn
        logarithm = np.log(z)
        total = np.zeros((len(points), len(self.exponents)), dtype=complex)
        last = np.zeros(len(points), dtype=complex)
        for first, second, factor in _wirtinger(alpha):
            chain = factor * turn**first * np.conj(turn) ** second
            total += chain * self._power(logarithm, first, second)
            if self.logarithm:
                last += chain * _logarithm(z, logarithm, first, second)
        table = np.where(self.imaginary, total.imag, total.real)
        return np.concatenate([table, last.real[:, None]], axis=1) if self.logarithm else table

    def _power(self, logarithm: Array, first: int, second: int) -> Array:
        """∂^first ∂̄^second of z^a z̄^b."""
        a, b = self.exponents.T
        falling = _falling(a, first) * _falling(b, second)
        exponent = np.multiply.outer(logarithm, a - first) + np.multiply.outer(np.conj(logarithm), b - second)
        return falling * np.exp(exponent)


def _falling(exponent: Array, times: int) -> Array:
    """The product a (a - 1) ... of as many factors."""
    return np.prod([exponent - k for k in range(times)], axis=0) * np.ones_like(exponent)


def _wirtinger(alpha: MultiIndex) -> list[tuple[int, int, complex]]:
    """(∂ + ∂̄)^p (i ∂ - i ∂̄)^q as a sum of factor · ∂^first ∂̄^second."""
    terms = np.ones((1, 1), dtype=complex)
    for factors in [(1.0, 1.0)] * alpha[0] + [(1j, -1j)] * alpha[1]:
        grown = np.zeros((terms.shape[0] + 1, terms.shape[1] + 1), dtype=complex)
        grown[1:, :-1] += factors[0] * terms
        grown[:-1, 1:] += factors[1] * terms
        terms = grown
    return [(int(i), int(j), complex(terms[i, j])) for i, j in np.argwhere(terms)]


def _logarithm(z: Array, logarithm: Array, first: int, second: int) -> Array:
    """∂^first ∂̄^second of log |z| = (log z + log z̄) / 2; its real part is meant."""
    if first and second:
        return np.zeros_like(z)
    order = first or second
    if not order:
        return logarithm
    base = z if first else np.conj(z)
    return 0.5 * (-1) ** (order - 1) * special.factorial(order - 1) * base ** (-order)


def laurent(centre: Array, radius: float, degree: int, others: Array) -> Powers:
    """z^-a z̄^-b with 0 < a + b <= degree, a >= b, times further functions, and log |z|: what a hole asks for."""
    pairs = [(a, n - a, part) for n in range(1, degree + 1) for a in range(n, (n - 1) // 2, -1) for part in (0, 1)]
    kept = [(a, b, part) for a, b, part in pairs if a >= b and (a > b or part == 0)]
    exponents = -np.array([(a, b) for a, b, _ in kept], dtype=float).reshape(-1, 2)
    return _with_others(centre, radius, 0.0, exponents, np.array([p == 1 for *_, p in kept]), True, others)


def corner(centre: Array, radius: float, angle: float, opening: float, degree: int, others: Array) -> Powers:
    """z^(a + m λ) z̄^b with λ = π / opening, for whole a, b and few m: what a corner of the domain asks for.

    Args:
        centre: the vertex.
        radius: length by which z is scaled.
        angle: direction of the bisector, into the domain.
        opening: the interior angle.
        degree: largest total power.
        others: functions of the further coordinates.
    """
    rate = np.pi / opening
    found: dict[tuple[float, float], None] = {}
    for m in range(1, 4 * (degree + 1)):
        for a in range(degree + 1):
            for b in range(degree + 1):
                if m * rate + a + b <= degree and abs(m * rate - round(m * rate)) > 1e-9:
                    found[(round(m * rate + a, 9), float(b))] = None
    pairs: Array = np.array(list(found), dtype=float).reshape(-1, 2)
    exponents = np.repeat(pairs, 2, axis=0)
    return _with_others(centre, radius, angle, exponents, np.arange(len(exponents)) % 2 == 1, False, others)


def _with_others(
    centre: Array, radius: float, angle: float, exponents: Array, imaginary: Array, logarithm: bool, others: Array
) -> Powers:
    count = len(exponents) + logarithm
    planar = np.repeat(np.arange(count), len(others))
    return Powers(centre, radius, angle, exponents, imaginary, logarithm, planar, np.tile(others, (count, 1)))
