"""Real functions z^a z̄^b of the plane, z = (x - c) e^(-iφ) / R, for any real a and b, with exact derivatives.

Negative whole powers are Laurent's: with them polynomials converge on domains with holes. Powers m π/ω are the
singular functions of a corner of angle ω. D_x = ∂ + ∂̄ and D_y = i (∂ - ∂̄) act on them as on any power.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kanpde.multiindex import MultiIndex

Array = np.ndarray

# Powers of z and its conjugate by which the singular functions of a corner are multiplied, together.
PRODUCTS = 2
TINY = 1e-30


@dataclass(frozen=True, eq=False)
class Powers:
    """Real and imaginary parts of z^a z̄^b about one point, some times log z.

    Attributes:
        centre: (2,) c.
        radius: R.
        angle: φ, so that the cut of z^a, along the negative axis, lies outside the domain.
        exponents: (q, 2) a and b.
        imaginary: (q,) whether the imaginary part is meant.
        logarithmic: (q,) whether z^a z̄^b is multiplied by log z.
        planar: which function of the plane each column takes, times `others`.
        others: (p, d - 2) functions of the further coordinates.
    """

    centre: Array
    radius: float
    angle: float
    exponents: Array
    imaginary: Array
    logarithmic: Array
    planar: Array
    others: Array

    @property
    def size(self) -> int:
        """How many functions, those of the further coordinates included."""
        return len(self.planar)

    @property
    def keys(self) -> list[tuple[object, ...]]:
        """A name for each function."""
        parts = zip(self.exponents.tolist(), self.imaginary.tolist(), self.logarithmic.tolist(), strict=True)
        plane = [(*pair, imaginary, logarithmic) for pair, imaginary, logarithmic in parts]
        return [(*plane[k], *row) for k, row in zip(self.planar, self.others.tolist(), strict=True)]

    def table(self, points: Array, alpha: MultiIndex) -> Array:
        """D^α in the plane at points (n, 2): (n, q)."""
        turn = np.exp(-1j * self.angle) / self.radius
        z = ((points[:, 0] - self.centre[0]) + 1j * (points[:, 1] - self.centre[1])) * turn
        # At the vertex itself the positive powers vanish, and nothing else is asked for there.
        z = np.where(z == 0, TINY, z)
        logarithm = np.log(z)
        total = np.zeros((len(points), len(self.exponents)), dtype=complex)
        for first, second, factor in _wirtinger(alpha):
            total += factor * turn**first * np.conj(turn) ** second * self._power(logarithm, first, second)
        return np.where(self.imaginary, total.imag, total.real)

    def _power(self, logarithm: Array, first: int, second: int) -> Array:
        """∂^first ∂̄^second of z^a z̄^b; times log z it is the derivative of that with respect to a."""
        a, b = self.exponents.T
        exponent = np.multiply.outer(logarithm, a - first) + np.multiply.outer(np.conj(logarithm), b - second)
        factor = np.where(self.logarithmic, logarithm[:, None], 1.0) * _falling(a, first)
        factor += np.where(self.logarithmic, _slope(a, first), 0.0)
        return factor * _falling(b, second) * np.exp(exponent)


def _falling(exponent: Array, times: int) -> Array:
    """The product a (a - 1) ... of as many factors."""
    return np.prod([exponent - k for k in range(times)], axis=0) * np.ones_like(exponent)


def _slope(exponent: Array, times: int) -> Array:
    """The derivative of that product."""
    parts = [np.prod([exponent - j for j in range(times) if j != k], axis=0) for k in range(times)]
    return np.sum(parts, axis=0) * np.ones_like(exponent)


def _wirtinger(alpha: MultiIndex) -> list[tuple[int, int, complex]]:
    """(∂ + ∂̄)^p (i ∂ - i ∂̄)^q as a sum of factor · ∂^first ∂̄^second."""
    terms = np.ones((1, 1), dtype=complex)
    for factors in [(1.0, 1.0)] * alpha[0] + [(1j, -1j)] * alpha[1]:
        grown = np.zeros((terms.shape[0] + 1, terms.shape[1] + 1), dtype=complex)
        grown[1:, :-1] += factors[0] * terms
        grown[:-1, 1:] += factors[1] * terms
        terms = grown
    return [(int(i), int(j), complex(terms[i, j])) for i, j in np.argwhere(terms)]


def laurent(centre: Array, radius: float, degree: int, others: Array) -> Powers:
    """z^-a z̄^-b with 0 < a + b <= degree, and log |z|, times further functions: what a hole asks for."""
    found = [(0.0, 0.0, False, True)]
    for n in range(1, degree + 1):
        for b in range(n // 2 + 1):
            found += [(b - n, -b, part, False) for part in (False, True)[: 2 if n > 2 * b else 1]]
    return _with_others(centre, radius, 0.0, found, others)


def corner(centre: Array, radius: float, angle: float, opening: float, degree: int, others: Array) -> Powers:
    """z^(m λ + a) z̄^b with λ = π / opening and small whole a and b, what a corner of the domain asks for.

    Where m λ is a whole number the power is multiplied by log z, as in r² log r at right angles.

    Args:
        centre: the vertex.
        radius: length by which z is scaled.
        angle: direction of the bisector, into the domain.
        opening: the interior angle.
        degree: largest m λ; a + b goes to `PRODUCTS`.
        others: functions of the further coordinates.
    """
    rate = np.pi / opening
    found: dict[tuple[float, float, bool, bool], None] = {}
    for m in range(1, int(degree / rate) + 1):
        whole = bool(abs(m * rate - round(m * rate)) < 1e-9)
        for a in range(PRODUCTS + 1):
            for b in range(PRODUCTS + 1 - a):
                for part in (False, True):
                    found[(round(m * rate + a, 9), float(b), part, whole)] = None
    return _with_others(centre, radius, angle, list(found), others)


def _with_others(
    centre: Array, radius: float, angle: float, found: Sequence[tuple[float, float, bool, bool]], others: Array
) -> Powers:
    planar = np.repeat(np.arange(len(found)), len(others))
    exponents: Array = np.array([row[:2] for row in found], dtype=float).reshape(-1, 2)
    imaginary, logarithmic = (np.array([row[k] for row in found], dtype=bool) for k in (2, 3))
    return Powers(centre, radius, angle, exponents, imaginary, logarithmic, planar, np.tile(others, (len(found), 1)))
