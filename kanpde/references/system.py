"""The linearised system on a grid: Σ_α ∂F/∂(D^α u) · stencil_α δ = -F, row by row, as a matrix or without one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from kanpde.operator import DifferentialOperator, JetVariable
from kanpde.references.grid import Grid
from kanpde.references.layout import Layout

Array = np.ndarray


def jet_variables(layout: Layout) -> tuple[JetVariable, ...]:
    """Every derivative that any row looks at, sorted."""
    return tuple(sorted({variable for rows in layout.blocks for variable in rows.operator.jet}))


def evaluate(
    operator: DifferentialOperator, points: Array, jet: Array, normals: Array | None, scalars: Sequence[float] = ()
) -> list[Array]:
    """F and ∂F/∂(D^α u) at points: 1 + len(jet) arrays of shape (n,).

    Args:
        operator: a normal form.
        points: (n, d).
        jet: (len(operator.jet), n).
        normals: (n, d_space), needed where the operator contains the normal.
        scalars: values of its unknown scalars.
    """
    if normals is None:
        normals = np.full((len(points), len(operator.normal)), np.nan)
    values = [*points.T, *normals.T, *jet] if len(operator.normal) else [*points.T, *jet]
    values += [np.full(len(points), scalar) for scalar in scalars]
    with np.errstate(all="ignore"):
        results = operator.program(values, np)
    return [np.broadcast_to(np.asarray(r, dtype=float), (len(points),)) for r in results[: 1 + len(operator.jet)]]


@dataclass(frozen=True, eq=False)
class Linearised:
    """The rows of a layout with their coefficients at one state.

    coefficients: for each block, ∂F/∂(D^α u) times the row's share, (len(jet), m), None where it is zero.
    residual: (size,) F times the share.
    """

    layout: Layout
    coefficients: tuple[tuple[Array | None, ...], ...]
    residual: Array

    @property
    def grid(self) -> Grid:
        """The grid of the layout."""
        return self.layout.grid

    def apply(self, vector: Array) -> Array:
        """Matrix times vector (size,), by differentiation along the axes."""
        fields = vector.reshape(self.layout.n_unknowns, -1)
        result = np.zeros(self.layout.size)
        derivatives: dict[JetVariable, Array] = {}
        for rows, coefficients in zip(self.layout.blocks, self.coefficients, strict=True):
            for variable, coefficient in zip(rows.operator.jet, coefficients, strict=True):
                if coefficient is None:
                    continue
                if variable not in derivatives:
                    derivatives[variable] = self.grid.differentiate(variable.derivative, fields[variable.unknown])
                result[rows.rows] += coefficient * rows.sample(derivatives[variable])
        return result

    def matrix(self) -> sparse.csc_array:
        """The sparse matrix (size, size)."""
        rows, columns, values = [], [], []
        for block, coefficients in zip(self.layout.entries, self.coefficients, strict=True):
            for entries, coefficient in zip(block, coefficients, strict=True):
                if coefficient is not None:
                    rows.append(entries.rows)
                    columns.append(entries.columns)
                    values.append(coefficient[entries.line] * entries.weights)
        triples = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
        return sparse.coo_array(triples, shape=(self.layout.size, self.layout.size)).tocsc()


def linearise(layout: Layout, jet: Mapping[JetVariable, Array]) -> Linearised:
    """Residual and coefficients of every row at a state given by its jet at the grid nodes.

    Args:
        layout: the rows.
        jet: D^α u_c at all grid nodes, (N,) for each variable of `jet_variables`.
    """
    residual = np.zeros(layout.size)
    coefficients = []
    n_space = len(layout.problem.domain.space)
    for rows in layout.blocks:
        values = [rows.sample(jet[variable]) for variable in rows.operator.jet]
        sampled = np.array(values).reshape(len(values), len(rows.rows))
        points = rows.sample(layout.grid.points.T).T
        f, *gradient = evaluate(rows.operator, points, sampled, rows.normals(n_space))
        residual[rows.rows] += rows.weights * f
        coefficients.append(tuple(_nonzero(rows.weights * g) for g in gradient))
    return Linearised(layout, tuple(coefficients), residual)


def _nonzero(coefficient: Array) -> Array | None:
    return coefficient if np.any(coefficient) else None


def grid_jet(layout: Layout, state: Array) -> dict[JetVariable, Array]:
    """The jet of grid values (size,): every derivative by the stencils of the grid."""
    fields = state.reshape(layout.n_unknowns, -1)
    return {v: layout.grid.differentiate(v.derivative, fields[v.unknown]) for v in jet_variables(layout)}
