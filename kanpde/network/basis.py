"""Univariate bases: tables of every basis function and its derivatives, and the exact embedding into a finer basis.

A basis lives on the reference interval [−1, 1] and is a value: no coefficients, no state. `tables(z, order)` gives
B_l^(m)(z); a layer makes functions of several variables out of them.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor


class Basis(ABC):
    """A finite set of univariate functions on [−1, 1].

    Class attributes:
        nested: whether `refined` keeps every function of the old basis exactly.
    """

    nested: ClassVar[bool] = True

    @property
    @abstractmethod
    def size(self) -> int:
        """Number of basis functions."""

    @abstractmethod
    def tables(self, z: Tensor, order: int) -> Tensor:
        """B_l^(m)(z) for m ≤ order: z (i, n) -> (order + 1, i, size, n)."""

    def values(self, z: Tensor) -> Tensor:
        """B_l(z), (i, size, n), by operations that autograd and torch.func differentiate, to any order."""
        return self.tables(z, 0)[0]

    @abstractmethod
    def refined(self, resolution: int) -> Basis:
        """The same family at a higher resolution (degree, modes or intervals: what the family grows by)."""

    @property
    @abstractmethod
    def resolution(self) -> int:
        """What `refined` raises."""

    @property
    def living(self) -> int:
        """Number of basis functions that are not zero at a point."""
        return self.size

    @property
    def smoothness(self) -> float:
        """Number of continuous derivatives."""
        return math.inf

    def embedding(self, finer: Basis) -> np.ndarray:
        """(finer.size, size) matrix that carries coefficients into `finer`; the default fits by least squares."""
        z = torch.as_tensor(_chebyshev_nodes(8 * finer.size + 8))[None]
        fine, coarse = finer.tables(z, 0)[0, 0].T.numpy(), self.tables(z, 0)[0, 0].T.numpy()
        return np.linalg.lstsq(fine, coarse, rcond=1e-15)[0]

    @abstractmethod
    def spec(self) -> dict[str, Any]:
        """Plain values from which `from_spec` makes the basis again."""


def _chebyshev_nodes(count: int) -> np.ndarray:
    return -np.cos(np.pi * (np.arange(count) + 0.5) / count)


def _padding(new: int, old: int) -> np.ndarray:
    return np.eye(new, old)


@dataclass(frozen=True)
class Chebyshev(Basis):
    """T_0 … T_degree; grows by degree, zero-padded."""

    degree: int

    @property
    def size(self) -> int:
        return self.degree + 1

    @property
    def resolution(self) -> int:
        return self.degree

    def tables(self, z: Tensor, order: int) -> Tensor:
        """T_{l+1}^(m) = 2 z T_l^(m) + 2 m T_l^(m−1) − T_{l−1}^(m), the derivative of the three-term recurrence."""
        result = z.new_zeros((order + 1, z.shape[0], self.size, z.shape[1]))
        table = result.permute(2, 0, 1, 3)
        table[0, 0] = 1.0
        if self.degree:
            table[1, 0] = z
        if self.degree and order:
            table[1, 1] = 1.0
        twice = 2 * z
        lift = 2.0 * torch.arange(1, order + 1, dtype=z.dtype, device=z.device)[:, None, None]
        for degree in range(2, self.size):
            torch.mul(table[degree - 1], twice, out=table[degree])
            table[degree].sub_(table[degree - 2])
            table[degree, 1:].addcmul_(table[degree - 1, :-1], lift)
        return result

    def values(self, z: Tensor) -> Tensor:
        rows = [torch.ones_like(z), z]
        for _ in range(2, self.size):
            rows.append(2 * z * rows[-1] - rows[-2])
        return torch.stack(rows[: self.size], dim=1)

    def refined(self, resolution: int) -> Chebyshev:
        return Chebyshev(resolution)

    def embedding(self, finer: Basis) -> np.ndarray:
        return _padding(finer.size, self.size) if isinstance(finer, Chebyshev) else super().embedding(finer)

    def spec(self) -> dict[str, Any]:
        return {"family": "chebyshev", "degree": self.degree}


@dataclass(frozen=True)
class Fourier(Basis):
    """1, cos πmz, sin πmz for m ≤ modes: period 2, the length of the reference interval; grows by modes."""

    modes: int

    @property
    def size(self) -> int:
        return 2 * self.modes + 1

    @property
    def resolution(self) -> int:
        return self.modes

    def tables(self, z: Tensor, order: int) -> Tensor:
        """d^m/dz^m cos(ωz) = ω^m cos(ωz + mπ/2), and the same for the sine."""
        omega = math.pi * torch.arange(1, self.modes + 1, dtype=z.dtype, device=z.device)[:, None]
        phase = z[:, None] * omega
        cosine, sine = phase.cos(), phase.sin()
        table = z.new_zeros((order + 1, z.shape[0], self.size, z.shape[1]))
        table[0, :, 0] = 1.0
        for m in range(order + 1):
            table[m, :, 1::2] = cosine
            table[m, :, 2::2] = sine
            cosine, sine = -omega * sine, omega * cosine
        return table

    def values(self, z: Tensor) -> Tensor:
        phase = z[:, None] * (math.pi * torch.arange(1, self.modes + 1, dtype=z.dtype, device=z.device)[:, None])
        pairs = torch.stack([phase.cos(), phase.sin()], dim=2).flatten(1, 2)
        return torch.cat([torch.ones_like(z)[:, None], pairs], dim=1)

    def refined(self, resolution: int) -> Fourier:
        return Fourier(resolution)

    def embedding(self, finer: Basis) -> np.ndarray:
        return _padding(finer.size, self.size) if isinstance(finer, Fourier) else super().embedding(finer)

    def spec(self) -> dict[str, Any]:
        return {"family": "fourier", "modes": self.modes}


@dataclass(frozen=True)
class GaussianRBF(Basis):
    """exp(−((z − c_l)/h)²) at equispaced centres, h their distance (FastKAN, Li 2024). Refining is a refit."""

    centres: int
    nested: ClassVar[bool] = False

    @property
    def size(self) -> int:
        return self.centres

    @property
    def resolution(self) -> int:
        return self.centres

    def tables(self, z: Tensor, order: int) -> Tensor:
        """Derivatives by Hermite polynomials: (d/ds)^m e^{−s²} = (−1)^m H_m(s) e^{−s²}."""
        width = 2.0 / (self.centres - 1)
        centres = torch.linspace(-1, 1, self.centres, dtype=z.dtype, device=z.device)[:, None]
        s = (z[:, None] - centres) / width
        rows = [torch.exp(-(s**2))]
        for m in range(order):
            previous = 2 * m * rows[m - 1] if m else 0.0
            rows.append(-2 * s * rows[m] - previous)
        return torch.stack([row / width**m for m, row in enumerate(rows)])

    def refined(self, resolution: int) -> GaussianRBF:
        return GaussianRBF(resolution)

    def spec(self) -> dict[str, Any]:
        return {"family": "rbf", "centres": self.centres}


def _riccati(value: Tensor, slope: tuple[float, float, float], order: int) -> list[Tensor]:
    """f, f', … where f' = a + b f + c f²: by Leibniz f^(m+1) = b f^(m) + c Σ_j C(m, j) f^(j) f^(m−j), plus a once."""
    constant, linear, square = slope
    rows = [value]
    for m in range(order):
        row = linear * rows[m]
        for j in range(m // 2 + 1):
            twice = 1.0 if 2 * j == m else 2.0
            row.addcmul_(rows[j], rows[m - j], value=twice * square * math.comb(m, j))
        rows.append(row if m else row.add_(constant))
    return rows


def _tanh(z: Tensor, order: int) -> list[Tensor]:
    return _riccati(z.tanh(), (1.0, 0.0, -1.0), order)


def _sigmoid(z: Tensor, order: int) -> list[Tensor]:
    return _riccati(z.sigmoid(), (0.0, 1.0, -1.0), order)


def _silu(z: Tensor, order: int) -> list[Tensor]:
    sigma = _sigmoid(z, order)
    return [z * sigma[m] + (m * sigma[m - 1] if m else 0.0) for m in range(order + 1)]


def _sin(z: Tensor, order: int) -> list[Tensor]:
    sine, cosine = z.sin(), z.cos()
    return [(sine, cosine, -sine, -cosine)[m % 4] for m in range(order + 1)]


def _identity(z: Tensor, order: int) -> list[Tensor]:
    return [z, torch.ones_like(z), *([torch.zeros_like(z)] * order)][: order + 1]


ACTIVATIONS: dict[str, Callable[[Tensor, int], list[Tensor]]] = {
    "tanh": _tanh,
    "sin": _sin,
    "silu": _silu,
    "identity": _identity,
}


@dataclass(frozen=True)
class Activation(Basis):
    """One fixed function, so that a layer of it (with a bias) is a layer of an MLP. It does not grow."""

    name: str

    @property
    def size(self) -> int:
        return 1

    @property
    def resolution(self) -> int:
        return 1

    def tables(self, z: Tensor, order: int) -> Tensor:
        return torch.stack(ACTIVATIONS[self.name](z, order))[:, :, None]

    def refined(self, resolution: int) -> Activation:  # noqa: ARG002, one function does not grow
        return self

    def embedding(self, finer: Basis) -> np.ndarray:
        return np.eye(finer.size)

    def spec(self) -> dict[str, Any]:
        return {"family": "activation", "name": self.name}


@dataclass(frozen=True)
class Joined(Basis):
    """Two bases side by side, as in the paper's w_s spline(x) + w_b SiLU(x) (arXiv 2404.19756, eq. 2.10)."""

    first: Basis
    second: Basis

    @property
    def size(self) -> int:
        return self.first.size + self.second.size

    @property
    def resolution(self) -> int:
        return self.first.resolution

    @property
    def living(self) -> int:
        return self.first.living + self.second.living

    @property
    def smoothness(self) -> float:
        return min(self.first.smoothness, self.second.smoothness)

    def tables(self, z: Tensor, order: int) -> Tensor:
        return torch.cat([self.first.tables(z, order), self.second.tables(z, order)], dim=2)

    def values(self, z: Tensor) -> Tensor:
        return torch.cat([self.first.values(z), self.second.values(z)], dim=1)

    def refined(self, resolution: int) -> Joined:
        return Joined(self.first.refined(resolution), self.second)

    def embedding(self, finer: Basis) -> np.ndarray:
        assert isinstance(finer, Joined)
        matrix = np.zeros((finer.size, self.size))
        matrix[: finer.first.size, : self.first.size] = self.first.embedding(finer.first)
        matrix[finer.first.size :, self.first.size :] = self.second.embedding(finer.second)
        return matrix

    def spec(self) -> dict[str, Any]:
        return {"family": "joined", "first": self.first.spec(), "second": self.second.spec()}
