"""Functions of a frame: polynomials on a box around a region, and powers of z and its conjugate about points of it.

On an irregular region they are no basis but a frame: nearly dependent, and still able to fit with small coefficients,
which is all that regularised least squares need (Adcock & Huybrechs 2019, Frames and numerical approximation).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kanpde.multiindex import MultiIndex
from kanpde.references.frame.powers import Powers

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Polynomials:
    """Products of Chebyshev polynomials on a box, of trigonometric functions along its periodic axes.

    Attributes:
        lower, upper: (d,) the box.
        periodic: for each axis whether its functions are 1, cos, sin, cos 2, sin 2, ...
        indices: (p, d) which function along each axis.
    """

    lower: Array
    upper: Array
    periodic: tuple[bool, ...]
    indices: Array

    @property
    def size(self) -> int:
        """How many functions."""
        return len(self.indices)

    def table(self, points: Array, alpha: MultiIndex) -> Array:
        """D^α of every function at points (n, d): (n, p)."""
        result: Array | None = None
        for k, order in enumerate(alpha):
            column = self.indices[:, k]
            along = self._along(k, points[:, k], order, int(column.max(initial=0)))[:, column]
            result = along if result is None else result * along
        assert result is not None
        return result

    def _along(self, axis: int, x: Array, order: int, degree: int) -> Array:
        """The functions of one coordinate, (n, degree + 1), differentiated `order` times."""
        low, width = self.lower[axis], self.upper[axis] - self.lower[axis]
        if self.periodic[axis]:
            return trigonometric(2 * np.pi * (x - low) / width, degree, order) * (2 * np.pi / width) ** order
        return chebyshev(2 * (x - low) / width - 1, degree, order) * (2 / width) ** order


def chebyshev(x: Array, degree: int, order: int) -> Array:
    """Derivatives of T_0, ..., T_degree at x, (n, degree + 1), by the recurrence of the polynomials, differentiated.

    T_(j+1)^(k) = 2 x T_j^(k) + 2 k T_j^(k-1) - T_(j-1)^(k).
    """
    lower = np.zeros((degree + 1, len(x)))
    for k in range(order + 1):
        table = np.zeros((degree + 1, len(x)))
        table[0] = 1.0 if k == 0 else 0.0
        if degree:
            table[1] = x if k == 0 else (1.0 if k == 1 else 0.0)
        for j in range(1, degree):
            table[j + 1] = 2 * x * table[j] + 2 * k * lower[j] - table[j - 1]
        lower = table
    return lower.T


def trigonometric(angle: Array, degree: int, order: int) -> Array:
    """1, cos, sin, cos 2, sin 2, ... at angles, differentiated, (n, degree + 1)."""
    index = np.arange(degree + 1)
    frequency = (index + 1) // 2
    # sin is cos a quarter of a turn later, and so is the derivative of cos, up to its sign.
    turn = (order - (index % 2 == 0)) * (np.pi / 2)
    table = frequency**order * np.cos(np.multiply.outer(angle, frequency) + turn)
    table[:, 0] = 1.0 if order == 0 else 0.0
    return table


def truncated(degrees: Sequence[int], power: float) -> Array:
    """Multi-indices with Σ (j_k / degrees_k)^power <= 1, (p, d), by total degree: 1 is total degree, 2 Euclidean."""
    axes = [range(n + 1) for n in degrees]
    scale = np.maximum(np.asarray(degrees, dtype=float), 1e-9)
    found = np.array(list(itertools.product(*axes)), dtype=int).reshape(-1, len(degrees))
    size = ((found / scale) ** power).sum(axis=1)
    kept = size <= 1 + 1e-9
    found, size = found[kept], size[kept]
    return found[np.argsort(size, kind="stable")]


@dataclass(frozen=True, eq=False)
class Basis:
    """What one field is made of: polynomials, and powers about the centres of holes and about corners."""

    polynomials: Polynomials
    powers: tuple[Powers, ...] = ()

    @property
    def size(self) -> int:
        """How many functions."""
        return self.polynomials.size + sum(p.size for p in self.powers)

    def table(self, points: Array, alpha: MultiIndex) -> Array:
        """D^α of every function at points (n, d): (n, size)."""
        parts = [self.polynomials.table(points, alpha), *(self._powers(p, points, alpha) for p in self.powers)]
        return np.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]

    def adopted(self, other: Basis, coefficients: Array) -> Array:
        """Coefficients (size,) of a function of a poorer basis; what this one lacks is left out."""
        found = dict(zip(other.keys, coefficients, strict=True))
        return np.array([found.get(key, 0.0) for key in self.keys])

    @property
    def keys(self) -> list[tuple[object, ...]]:
        """A name for each function, the same in every basis about the same box, holes and corners."""
        names: list[tuple[object, ...]] = [tuple(row) for row in self.polynomials.indices.tolist()]
        return names + [(k, *key) for k, powers in enumerate(self.powers) for key in powers.keys]

    def _powers(self, powers: Powers, points: Array, alpha: MultiIndex) -> Array:
        """In the plane of the first two coordinates, times polynomials of time and parameters."""
        plane = powers.table(points[:, :2], alpha[:2])
        if len(alpha) == 2:
            return plane
        box = self.polynomials
        rest = Polynomials(box.lower[2:], box.upper[2:], box.periodic[2:], powers.others)
        return plane[:, powers.planar] * rest.table(points[:, 2:], alpha[2:])
