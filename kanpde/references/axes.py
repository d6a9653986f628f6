"""One coordinate of a grid: nodes, differentiation, interpolation and quadrature, each kind with its declared order."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, TypeAlias

import numpy as np
from scipy import sparse

from kanpde.references import stencils

Array = np.ndarray
Matrix: TypeAlias = np.ndarray | sparse.csr_array


@dataclass(frozen=True, eq=False)
class LocalWeights:
    """Interpolation to n points: value_i = Σ_j weights[i, j] · f[indices[i, j]], both (n, s)."""

    indices: Array
    weights: Array

    def matrix(self, count: int) -> sparse.csr_array:
        """The same as a sparse (n, count) matrix."""
        n, width = self.indices.shape
        starts = np.arange(0, n * width + 1, width)
        return sparse.csr_array((self.weights.ravel(), self.indices.ravel(), starts), shape=(n, count))


class Axis(Protocol):
    """A coordinate of a grid."""

    @property
    def nodes(self) -> Array:
        """(N,) ascending nodes."""

    @property
    def kind(self) -> str:
        """What is stored to make the axis again."""

    @property
    def order(self) -> int:
        """Declared order of convergence, 0 for spectral accuracy."""

    @property
    def period(self) -> float | None:
        """Length of a coordinate that wraps, whose last point is then left out of the nodes."""

    def matrix(self, derivative: int) -> Matrix:
        """(N, N) matrix of the `derivative`-th derivative at the nodes."""

    def interpolation(self, points: Array) -> LocalWeights:
        """Weights of interpolation to points (n,) within the interval."""

    def quadrature(self) -> tuple[Array, Array]:
        """Points and weights that integrate the square of the interpolant closely, most of them between the nodes."""


@dataclass(frozen=True, eq=False)
class DifferenceAxis:
    """Finite differences of a declared even order on arbitrary ascending nodes, one-sided towards the ends.

    The k-th derivative takes the centred stencil of 2⌊(k + 1)/2⌋ - 1 + order nodes where it fits and the nodes are
    equidistant, and the nearest k + order nodes elsewhere, which has the same order.
    """

    nodes: Array
    order: int
    period: float | None = None
    kind = "difference"

    @cached_property
    def _uniform(self) -> bool:
        gaps = np.diff(self.nodes)
        return bool(np.allclose(gaps, gaps[0], rtol=1e-9))

    def matrix(self, derivative: int) -> Matrix:
        """Sparse differentiation matrix; wraps around where the axis is periodic."""
        count = len(self.nodes)
        if derivative == 0:
            return sparse.csr_array(sparse.eye_array(count))
        centred = 2 * ((derivative + 1) // 2) - 1 + self.order
        if self.period is not None:
            return self._periodic_matrix(derivative, min(centred, count - 1 + count % 2))
        complete = derivative + self.order
        wide = centred if self._uniform else complete + 1 - complete % 2
        rows = np.arange(count)
        inner = (rows >= wide // 2) & (rows < count - wide // 2) & (wide <= count)
        blocks = [(rows[inner], wide), (rows[~inner], min(complete, count))]
        return sparse.csr_array(sum(self._rows(index, width, derivative) for index, width in blocks if len(index)))

    def _rows(self, index: Array, width: int, derivative: int) -> sparse.csr_array:
        count = len(self.nodes)
        columns = stencils.stencil_starts(index, width, count)[:, None] + np.arange(width)
        weights = stencils.fornberg_weights(self.nodes[index], self.nodes[columns], derivative)
        rows = np.broadcast_to(index[:, None], columns.shape)
        return sparse.coo_array((weights.ravel(), (rows.ravel(), columns.ravel())), shape=(count, count)).tocsr()

    def _periodic_matrix(self, derivative: int, width: int) -> sparse.csr_array:
        count = len(self.nodes)
        shifts = np.arange(count)[:, None] + np.arange(width) - width // 2
        positions = self.nodes[shifts % count] + self._period * np.floor_divide(shifts, count)
        weights = stencils.fornberg_weights(self.nodes, positions, derivative)
        rows = np.broadcast_to(np.arange(count)[:, None], shifts.shape)
        entries = (weights.ravel(), (rows.ravel(), (shifts % count).ravel()))
        return sparse.coo_array(entries, shape=(count, count)).tocsr()

    @property
    def _period(self) -> float:
        return 0.0 if self.period is None else self.period

    def interpolation(self, points: Array) -> LocalWeights:
        """Local Lagrange interpolation through order + 2 nodes, one order above the differences."""
        count = len(self.nodes)
        width = min(self.order + 2, count)
        if self.period is not None:
            points = self.nodes[0] + np.mod(points - self.nodes[0], self.period)
        cells = np.searchsorted(self.nodes, points, side="right")
        if self.period is None:
            columns = stencils.stencil_starts(cells, width, count)[:, None] + np.arange(width)
        else:
            columns = cells[:, None] - width // 2 + np.arange(width)
        positions = self.nodes[columns % count] + self._period * np.floor_divide(columns, count)
        return LocalWeights(columns % count, stencils.fornberg_weights(points, positions, 0))

    def quadrature(self) -> tuple[Array, Array]:
        """Gauss points in every cell: two for order 2, three above."""
        ends = self.nodes if self.period is None else np.append(self.nodes, self.nodes[0] + self.period)
        points, weights = stencils.gauss_legendre(0.0, 1.0, 2 if self.order <= 2 else 3)
        gaps = np.diff(ends)[:, None]
        return (ends[:-1, None] + gaps * points).ravel(), (gaps * weights).ravel()


@dataclass(frozen=True, eq=False)
class ChebyshevAxis:
    """Polynomial collocation at Chebyshev-Gauss-Lobatto points (Trefethen, Spectral Methods in MATLAB, ch. 6)."""

    lower: float
    upper: float
    count: int
    kind = "chebyshev"
    order = 0
    period = None

    @cached_property
    def nodes(self) -> Array:
        """(count,) ascending nodes."""
        return stencils.chebyshev_nodes(self.lower, self.upper, self.count)

    def matrix(self, derivative: int) -> Matrix:
        """Dense differentiation matrix."""
        return stencils.polynomial_matrix(self.nodes, derivative, stencils.chebyshev_weights(self.count))

    def interpolation(self, points: Array) -> LocalWeights:
        """Barycentric interpolation: every node takes part."""
        weights = stencils.barycentric_matrix(self.nodes, stencils.chebyshev_weights(self.count), points)
        return LocalWeights(np.broadcast_to(np.arange(self.count), weights.shape), weights)

    def quadrature(self) -> tuple[Array, Array]:
        """Gauss-Legendre points enough for the square of a polynomial of a higher degree."""
        return stencils.gauss_legendre(self.lower, self.upper, self.count + 16)


@dataclass(frozen=True, eq=False)
class FourierAxis:
    """Trigonometric collocation on equidistant nodes of a periodic coordinate: spectral accuracy."""

    lower: float
    upper: float
    count: int
    kind = "fourier"
    order = 0

    @property
    def period(self) -> float:
        """Length of the interval."""
        return self.upper - self.lower

    @cached_property
    def nodes(self) -> Array:
        """(count,) nodes; the upper end is left out."""
        return self.lower + self.period * np.arange(self.count) / self.count

    def matrix(self, derivative: int) -> Matrix:
        """Dense differentiation matrix."""
        return stencils.fourier_matrix(self.count, self.period, derivative)

    def interpolation(self, points: Array) -> LocalWeights:
        """Trigonometric interpolation: every node takes part."""
        weights = stencils.fourier_interpolation(self.nodes, self.period, points)
        return LocalWeights(np.broadcast_to(np.arange(self.count), weights.shape), weights)

    def quadrature(self) -> tuple[Array, Array]:
        """The trapezoidal rule on a finer, shifted grid, exact for the square of the interpolant."""
        fine = 2 * self.count + 1
        step = self.period / fine
        return self.lower + step * (np.arange(fine) + 0.5), np.full(fine, step)


@dataclass(frozen=True, eq=False)
class StageAxis:
    """Time within one slab: Radau IIA collocation with q stages, L-stable, of order 2q - 1 at the end of the slab.

    The nodes are the stages alone. With U the values there and w_j = D_t^j u at the start, the derivatives of the
    collocation polynomials are D_t^k U = T^k U + Σ_{j<k} T^(k-1-j) d w_j; the matrices T^k are those of this axis and
    `history` gives the rest. This is order reduction without the extra unknowns.
    """

    start: float
    step: float
    stages: int
    kind = "stages"
    period = None

    @property
    def order(self) -> int:
        """Order of convergence at the end of a slab."""
        return 2 * self.stages - 1

    @cached_property
    def nodes(self) -> Array:
        """(q,) instants of the stages, the last one the end of the slab."""
        return self.start + self.step * stencils.radau_nodes(self.stages)

    @cached_property
    def _collocation(self) -> Array:
        nodes = np.append(0.0, stencils.radau_nodes(self.stages))
        return stencils.polynomial_matrix(nodes, 1)[1:] / self.step

    def matrix(self, derivative: int) -> Matrix:
        """T^k."""
        return np.linalg.matrix_power(self._collocation[:, 1:], derivative)

    def history(self, derivative: int, level: int) -> Array:
        """(q,) T^(k-1-j) d: how w_j enters the k-th derivative, zero for k <= j."""
        if derivative <= level:
            return np.zeros(self.stages)
        return np.asarray(self.matrix(derivative - 1 - level) @ self._collocation[:, 0])

    def interpolation(self, points: Array) -> LocalWeights:
        """Not offered: a slab is never interpolated."""
        raise NotImplementedError("a time slab is not interpolated")

    def quadrature(self) -> tuple[Array, Array]:
        """Not offered: a slab is never integrated."""
        raise NotImplementedError("a time slab is not integrated")


@dataclass(frozen=True, eq=False)
class RadauAxis:
    """One slab with its start: the polynomial through the first instant and the stages, for functions over the slab."""

    start: float
    step: float
    stages: int
    kind = "radau"
    order = 0
    period = None

    @property
    def stage_axis(self) -> StageAxis:
        """The collocation on the same nodes."""
        return StageAxis(self.start, self.step, self.stages)

    @cached_property
    def nodes(self) -> Array:
        """(q + 1,) the start and the instants of the stages."""
        return np.append(self.start, self.stage_axis.nodes)

    @cached_property
    def _weights(self) -> Array:
        return stencils.barycentric_weights(self.nodes)

    def matrix(self, derivative: int) -> Matrix:
        """Dense differentiation matrix of the polynomial."""
        return stencils.polynomial_matrix(self.nodes, derivative, self._weights)

    def interpolation(self, points: Array) -> LocalWeights:
        """Barycentric interpolation: every node takes part."""
        weights = stencils.barycentric_matrix(self.nodes, self._weights, points)
        return LocalWeights(np.broadcast_to(np.arange(self.stages + 1), weights.shape), weights)

    def quadrature(self) -> tuple[Array, Array]:
        """Gauss-Legendre points enough for the square of a polynomial of a higher degree."""
        return stencils.gauss_legendre(self.start, self.start + self.step, self.stages + 17)
