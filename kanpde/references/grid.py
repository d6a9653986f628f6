"""Tensor grids: points, derivatives of any multi-index, interpolation and quadrature, axis by axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np
from scipy import sparse

from kanpde.multiindex import MultiIndex
from kanpde.references.axes import Axis, Matrix

Array = np.ndarray


def along(matrix: Matrix, values: Array, axis: int) -> Array:
    """Apply a matrix along one axis of an array."""
    moved = np.moveaxis(values, axis, 0)
    product = matrix @ np.ascontiguousarray(moved).reshape(moved.shape[0], -1)
    return np.moveaxis(product.reshape(matrix.shape[0], *moved.shape[1:]), 0, axis)


def outer(vectors: Sequence[Array]) -> Array:
    """Product of 1-D arrays as an array with one axis each."""
    return reduce(np.multiply.outer, vectors, np.ones(()))


def tensor_points(nodes: Sequence[Array]) -> Array:
    """(N, d) points of a tensor product, the last coordinate running fastest."""
    return np.stack(np.meshgrid(*nodes, indexing="ij"), axis=-1).reshape(-1, len(nodes))


@dataclass(frozen=True, eq=False)
class Grid:
    """A tensor product of axes, in the order of the problem's coordinates; grid values are flat (N,) in C order."""

    axes: tuple[Axis, ...]

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Number of nodes along each axis."""
        return tuple(len(axis.nodes) for axis in self.axes)

    @cached_property
    def size(self) -> int:
        """Number of nodes."""
        return int(np.prod(self.shape))

    @cached_property
    def points(self) -> Array:
        """(N, d) nodes."""
        return tensor_points([axis.nodes for axis in self.axes])

    @cached_property
    def _axis_matrices(self) -> dict[tuple[int, int], Matrix]:
        return {}

    @cached_property
    def _matrices(self) -> dict[MultiIndex, sparse.csr_array]:
        return {}

    def axis_matrix(self, axis: int, derivative: int) -> Matrix:
        """Differentiation matrix along one axis, computed once."""
        key = (axis, derivative)
        if key not in self._axis_matrices:
            self._axis_matrices[key] = self.axes[axis].matrix(derivative)
        return self._axis_matrices[key]

    def dense_matrix(self, axis: int, derivative: int) -> Array:
        """The same as a dense array."""
        matrix = self.axis_matrix(axis, derivative)
        return matrix if isinstance(matrix, np.ndarray) else matrix.toarray()

    def differentiate(self, derivative: MultiIndex, values: Array) -> Array:
        """D^α of flat grid values (N,) at the nodes, without assembling a matrix."""
        array = values.reshape(self.shape)
        for axis, times in enumerate(derivative):
            if times:
                array = along(self.axis_matrix(axis, times), array, axis)
        return array.reshape(-1)

    def matrix(self, derivative: MultiIndex) -> sparse.csr_array:
        """D^α as one sparse (N, N) Kronecker product, computed once."""
        if derivative not in self._matrices:
            factors = [sparse.csr_array(self.axis_matrix(axis, times)) for axis, times in enumerate(derivative)]
            product = reduce(lambda a, b: sparse.kron(a, b, format="csr"), factors)
            self._matrices[derivative] = sparse.csr_array(product)
        return self._matrices[derivative]

    def with_axis(self, position: int, axis: Axis) -> Grid:
        """The grid with one axis replaced."""
        return Grid((*self.axes[:position], axis, *self.axes[position + 1 :]))

    def shifted(self, position: int, axis: Axis) -> Grid:
        """The grid with one axis replaced by one of the same stencils elsewhere: what was assembled is shared."""
        moved = self.with_axis(position, axis)
        moved.__dict__["_axis_matrices"], moved.__dict__["_matrices"] = self._axis_matrices, self._matrices
        return moved

    def interpolate(self, values: Array, points: Array) -> Array:
        """Tensor interpolation of grid values (*shape, c) to points (n, d); returns (n, c)."""
        chunk = max(1, 4_000_000 // max(1, int(np.prod(self.shape[1:])) if self._global else 10 ** len(self.axes)))
        pieces = [self._interpolate(values, points[i : i + chunk]) for i in range(0, max(len(points), 1), chunk)]
        return np.concatenate(pieces)

    @property
    def _global(self) -> bool:
        return any(axis.order == 0 for axis in self.axes)

    def _interpolate(self, values: Array, points: Array) -> Array:
        """Contract the first axis by a sparse or dense product, then the others point by point."""
        local = [axis.interpolation(points[:, k]) for k, axis in enumerate(self.axes)]
        index: tuple[Array, ...] = ()
        for k, weights in enumerate(local):
            shape = [len(points)] + [1] * len(local)
            shape[k + 1] = weights.indices.shape[1]
            index += (weights.indices.reshape(shape),)
        if self._global:
            return self._interpolate_global(values, local)
        result = values[index]
        for weights in local:
            result = np.einsum("ns,ns...->n...", weights.weights, result)
        return result

    def _interpolate_global(self, values: Array, local: list) -> Array:
        first = local[0].matrix(self.shape[0]) if self.axes[0].order else local[0].weights
        result = (first @ values.reshape(self.shape[0], -1)).reshape(-1, *values.shape[1:])
        for axis, weights in zip(self.axes[1:], local[1:], strict=True):
            if axis.order:
                index = weights.indices.reshape(*weights.indices.shape, *[1] * (result.ndim - 2))
                result = np.take_along_axis(result, index, axis=1)
            result = np.einsum("ns,ns...->n...", weights.weights, result)
        return result

    def resample(self, values: Array, lines: Sequence[Array]) -> Array:
        """Tensor interpolation of grid values (*shape, c) to a tensor product of 1-D point sets."""
        for k, line in enumerate(lines):
            values = along(self.axes[k].interpolation(line).matrix(self.shape[k]), values, k)
        return values

    @cached_property
    def quadrature(self) -> tuple[list[Array], Array]:
        """Lines of a tensor quadrature and its weights (an array over the lines)."""
        rules = [axis.quadrature() for axis in self.axes]
        return [points for points, _ in rules], outer([weights for _, weights in rules])

    def norm(self, values: Array) -> float:
        """L2 norm of grid values (*shape, c), summed over the unknowns, by quadrature of the interpolant."""
        lines, weights = self.quadrature
        return float(np.sqrt(np.sum(weights[..., None] * self.resample(values, lines) ** 2)))
