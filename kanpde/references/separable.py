"""Fast diagonalisation: (Σ_k A_k + c) e = f on a tensor grid in O(N^(d+1)), one axis a factor.

Each axis carries its own conditions; they eliminate the outermost nodes, the eigenvectors of what remains diagonalise
all axes but one, and that one (time, whose matrix has no usable eigenvectors) is solved line by line (Lynch, Rice and
Thomas, Numer. Math. 6, 1964). A system that is not separable is averaged along the axes and serves as a preconditioner.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kanpde.references.grid import Grid, along
from kanpde.references.layout import INITIAL_VALUE, VALUE, Rows
from kanpde.references.system import Linearised

Array = np.ndarray
CONDITION_OF_EIGENVECTORS = 1e7

Block = tuple[Rows, tuple[Array | None, ...]]
Condition = tuple[int, Array, int]


@dataclass(frozen=True, eq=False)
class AxisOperator:
    """One axis: a univariate operator with its conditions.

    matrix: (N, N) Σ_j a_j(x) D^(j); conditions: (m, N) rows; removed: (m,) the nodes that they eliminate and whose rows
    hold their right-hand sides; rank: the best precedence of the conditions, which orders the filling of corners.
    """

    matrix: Array
    conditions: Array
    removed: Array
    rank: int

    @cached_property
    def kept(self) -> Array:
        """Nodes where the equation is imposed."""
        return np.setdiff1d(np.arange(len(self.matrix)), self.removed)

    @cached_property
    def lift(self) -> Array:
        """(m, m) inverse of the conditions on the removed nodes."""
        return np.linalg.inv(self.conditions[:, self.removed])

    @cached_property
    def slope(self) -> Array:
        """(m, n) values of the removed nodes from those that are kept."""
        return -self.lift @ self.conditions[:, self.kept]

    @cached_property
    def coupling(self) -> Array:
        """(n, m) how data of the conditions enter the equations."""
        return self.matrix[np.ix_(self.kept, self.removed)] @ self.lift

    @cached_property
    def reduced(self) -> Array:
        """(n, n) operator on the kept nodes."""
        inner = self.matrix[np.ix_(self.kept, self.kept)]
        return inner + self.matrix[np.ix_(self.kept, self.removed)] @ self.slope

    @cached_property
    def eigen(self) -> tuple[Array, Array, Array] | None:
        """Eigenvalues, eigenvectors and their inverse; None where they are ill-conditioned."""
        if np.allclose(self.reduced, self.reduced.T, rtol=0, atol=1e-13 * np.abs(self.reduced).max(initial=0.0)):
            values, vectors = np.linalg.eigh(self.reduced)
            return values, vectors, vectors.T
        values, vectors = np.linalg.eig(self.reduced)
        if np.linalg.cond(vectors) > CONDITION_OF_EIGENVECTORS:
            return None
        return values, vectors, np.linalg.inv(vectors)


@dataclass(frozen=True, eq=False)
class SeparableSolver:
    """Solves for one unknown; `solve` takes and returns flat grid values in the order of the layout's rows."""

    grid: Grid
    axes: tuple[AxisOperator, ...]
    shift: float
    values: tuple[Array, Array]

    @cached_property
    def direct_axis(self) -> int | None:
        """The axis without usable eigenvectors; None if every axis has them."""
        poor = [k for k, axis in enumerate(self.axes) if axis.eigen is None]
        return poor[0] if poor else None

    @cached_property
    def diagonal_axes(self) -> list[int]:
        """Axes that are diagonalised."""
        return [k for k in range(len(self.axes)) if k != self.direct_axis]

    @cached_property
    def symbol(self) -> Array:
        """Sum of the eigenvalues over the diagonalised axes, plus the shift."""
        total: Array = np.full((1,) * len(self.axes), self.shift, dtype=float)
        for k in self.diagonal_axes:
            eigen = self.axes[k].eigen
            assert eigen is not None
            shape = [1] * len(self.axes)
            shape[k] = -1
            total = total + eigen[0].reshape(shape)
        return total

    @cached_property
    def is_regular(self) -> bool:
        """Whether the approximation can be inverted: at most one axis without eigenvectors, no vanishing symbol."""
        if any(len(axis.removed) and np.linalg.cond(axis.conditions[:, axis.removed]) > 1e12 for axis in self.axes):
            return False
        if any(axis.eigen is None for k, axis in enumerate(self.axes) if k != self.direct_axis):
            return False
        if self.direct_axis is not None:
            return bool(np.all(np.isfinite(self.line_inverses)))
        return bool(np.abs(self.symbol).min() > 1e-12 * np.abs(self.symbol).max())

    @cached_property
    def line_inverses(self) -> Array:
        """(lines, n, n) inverses along the direct axis, one for each eigenvalue."""
        axis = self.axes[self.direct_axis or 0]
        lines = np.moveaxis(self.symbol, self.direct_axis or 0, -1).reshape(-1)
        return np.linalg.inv(axis.reduced[None] + lines[:, None, None] * np.eye(len(axis.kept)))

    def solve(self, rows: Array) -> Array:
        """Flat values (N,) that satisfy the rows (N,)."""
        data = rows.reshape(self.grid.shape)
        inner = data[np.ix_(*[axis.kept for axis in self.axes])]
        for k, axis in enumerate(self.axes):
            if len(axis.removed):
                index = [other.kept for other in self.axes]
                index[k] = axis.removed
                inner = inner - along(axis.coupling, data[np.ix_(*index)], k)
        return self._filled(self._inner(inner), data).reshape(-1)

    def _inner(self, values: Array) -> Array:
        for k in self.diagonal_axes:
            values = along(self.axes[k].eigen[2], values, k)  # type: ignore[index]
        values = values / self.symbol if self.direct_axis is None else self._lines(values)
        for k in self.diagonal_axes:
            values = along(self.axes[k].eigen[1], values, k)  # type: ignore[index]
        return np.real(values)

    def _lines(self, values: Array) -> Array:
        assert self.direct_axis is not None
        moved = np.moveaxis(values, self.direct_axis, -1)
        flat = moved.reshape(-1, moved.shape[-1], 1)
        return np.moveaxis((self.line_inverses @ flat).reshape(moved.shape), -1, self.direct_axis)

    def _filled(self, inner: Array, data: Array) -> Array:
        """Restore the removed nodes, axes with prescribed values last, then the values themselves."""
        order = sorted(range(len(self.axes)), key=lambda k: -self.axes[k].rank)
        ranges = [axis.kept for axis in self.axes]
        for k in order:
            axis = self.axes[k]
            full = np.zeros([*inner.shape[:k], self.grid.shape[k], *inner.shape[k + 1 :]])
            index: list[Array | slice] = [slice(None)] * inner.ndim
            index[k] = axis.kept
            full[tuple(index)] = inner
            ranges[k] = axis.removed
            index[k] = axis.removed
            if len(axis.removed):
                full[tuple(index)] = along(axis.slope, inner, k) + along(axis.lift, data[np.ix_(*ranges)], k)
            ranges[k] = np.arange(self.grid.shape[k])
            inner = full
        flat = inner.reshape(-1)
        nodes, coefficients = self.values
        flat[nodes] = data.reshape(-1)[nodes] / coefficients
        return flat


def separable_solver(system: Linearised, unknown: int) -> SeparableSolver | None:
    """The separable approximation of one unknown's rows; None where there is none (oblique conditions, gaps)."""
    grid, offset = system.grid, unknown * system.grid.size
    own = [
        (rows, coefficients)
        for rows, coefficients in zip(system.layout.blocks, system.coefficients, strict=True)
        if offset <= rows.rows[0] < offset + grid.size
    ]
    equation = [pair for pair in own if pair[0].face is None and pair[0].sampling is None]
    if len(equation) != 1:
        return None
    kept = _tensor_ranges(grid, equation[0][0].nodes)
    if kept is None:
        return None
    conditions = _axis_conditions(grid, [pair for pair in own if pair[0].face is not None], unknown, offset, kept)
    if conditions is None:
        return None
    return _assemble(grid, equation[0], own, unknown, kept, conditions)


def _tensor_ranges(grid: Grid, nodes: Array) -> list[Array] | None:
    """Per-axis indices of the nodes, if these are a tensor product."""
    index = np.unravel_index(nodes, grid.shape)
    ranges = [np.unique(i) for i in index]
    return ranges if np.prod([len(r) for r in ranges]) == len(nodes) else None


def _axis_conditions(
    grid: Grid, blocks: list[Block], unknown: int, offset: int, kept: list[Array]
) -> list[list[Condition]] | None:
    """For each axis its conditions as (removed node, row over the axis, rank), one for every node that is not kept."""
    inside = [np.isin(np.arange(n), k) for n, k in zip(grid.shape, kept, strict=True)]
    found: list[dict[int, Condition]] = [{} for _ in grid.axes]
    for rows, coefficients in blocks:
        assert rows.face is not None
        axis = rows.face.axis
        index = np.unravel_index(rows.rows - offset, grid.shape)
        others = (
            np.logical_and.reduce([inside[k][index[k]] for k in range(len(grid.axes)) if k != axis], initial=True)
            & ~inside[axis][index[axis]]
        )
        for removed in np.unique(index[axis][others]):
            chosen = others & (index[axis] == removed)
            row = _condition_row(grid, rows, coefficients, unknown, chosen)
            if row is None or int(removed) in found[axis]:
                return None
            found[axis][int(removed)] = (int(removed), row, rows.rank)
    complete = all(set(found[k]) == set(np.flatnonzero(~inside[k])) for k in range(len(grid.axes)))
    return [list(f.values()) for f in found] if complete else None


def _condition_row(
    grid: Grid, rows: Rows, coefficients: tuple[Array | None, ...], unknown: int, chosen: Array
) -> Array | None:
    """The condition as a row over its axis, coefficients averaged over the face; None for oblique derivatives."""
    assert rows.face is not None
    axis = rows.face.axis
    end = 0 if rows.face.side == 0 else grid.shape[axis] - 1
    row = np.zeros(grid.shape[axis])
    for variable, coefficient in zip(rows.operator.jet, coefficients, strict=True):
        times = variable.derivative[axis]
        if coefficient is not None and variable.unknown == unknown and sum(variable.derivative) == times:
            row += np.mean(coefficient[chosen]) * grid.dense_matrix(axis, times)[end]
    return row if np.any(row) else None


def _assemble(
    grid: Grid, equation: Block, own: list[Block], unknown: int, kept: list[Array], conditions: list[list[Condition]]
) -> SeparableSolver:
    """Average the coefficients of the equation to one function of each axis."""
    rows, coefficients = equation
    shape = [len(k) for k in kept]
    matrices = [np.zeros((n, n)) for n in grid.shape]
    shift = 0.0
    for variable, coefficient in zip(rows.operator.jet, coefficients, strict=True):
        pure = [k for k, times in enumerate(variable.derivative) if times]
        if coefficient is None or variable.unknown != unknown or len(pure) > 1:
            continue
        field, mean = coefficient.reshape(shape), float(np.mean(coefficient))
        for axis in pure or range(len(shape)):
            line = field.mean(axis=tuple(k for k in range(len(shape)) if k != axis)) - (0.0 if pure else mean)
            stencil = grid.dense_matrix(axis, variable.derivative[axis])
            matrices[axis][kept[axis]] += line[:, None] * stencil[kept[axis]]
        shift += 0.0 if pure else mean
    axes = tuple(_axis_operator(m, c) for m, c in zip(matrices, conditions, strict=True))
    return SeparableSolver(grid, axes, shift, _prescribed(grid, own, unknown))


def _axis_operator(matrix: Array, conditions: list[Condition]) -> AxisOperator:
    conditions = sorted(conditions, key=lambda c: c[0])
    stacked = np.array([row for _, row, _ in conditions]).reshape(len(conditions), len(matrix))
    removed = np.array([node for node, _, _ in conditions], dtype=int)
    return AxisOperator(matrix, stacked, removed, min((rank for _, _, rank in conditions), default=99))


def _prescribed(grid: Grid, own: list[Block], unknown: int) -> tuple[Array, Array]:
    """Nodes whose value is prescribed, and the coefficient of the value in their rows."""
    coefficients = np.zeros(grid.size)
    for rows, gradient in own:
        if rows.rank in (VALUE, INITIAL_VALUE) and np.array_equal(rows.rows - unknown * grid.size, rows.nodes):
            for variable, coefficient in zip(rows.operator.jet, gradient, strict=True):
                if variable.unknown == unknown and coefficient is not None:
                    np.add.at(coefficients, rows.nodes, coefficient)
    nodes = np.flatnonzero(coefficients)
    return nodes, coefficients[nodes]
