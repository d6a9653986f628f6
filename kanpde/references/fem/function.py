"""A finite element function: values on a mesh, callable everywhere, with what it knows about its error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from kanpde.errors import ProblemError
from kanpde.meshing import EDGES, TriMesh
from kanpde.multiindex import MultiIndex
from kanpde.operator import JetVariable
from kanpde.references.fem import storage
from kanpde.references.fem.location import Locator
from kanpde.references.fem.space import CellTable, Geometry, element, tabulated

Array = np.ndarray

CHUNK = 1 << 15


@dataclass(frozen=True, eq=False)
class Part:
    """One continuous function: a component.

    Attributes:
        degree: of the polynomials.
        cells: (m, nb) degrees of freedom of each cell.
        values: (size,).
    """

    degree: int
    cells: Array
    values: Array


@dataclass(frozen=True, eq=False)
class FemFunction:
    """Fields of a problem on a mesh; the facade is that of a grid function.

    Attributes:
        mesh: intervals, triangles or tetrahedra.
        parts: the continuous functions that the fields are.
        of_field: which part each field is; fields of glued materials share one.
        active: (n_fields, n_cells) bool: where each field lives, for norms; it can be evaluated everywhere.
        unknowns, coordinates: names of the fields and of the coordinates.
        order: degree of the polynomials.
        error_estimate: relative L2 error from several meshes; None where there is none.
        relative_l2: relative L2 error against the exact solution; None without one.
        seconds: wall time of the computation.
        tolerance: relative accuracy of the algebraic solution.
        rate: the order of convergence that the meshes show, nan with fewer than three.
        field_estimates: relative L2 error of each field.
        parameters: values of unknown scalars, such as an eigenvalue.
        name, text, signature: the problem that it solves; provenance: versions, date, machine.
        n_space: how many coordinates are spatial.
    """

    mesh: TriMesh
    parts: tuple[Part, ...]
    of_field: tuple[int, ...]
    active: Array
    unknowns: tuple[str, ...]
    coordinates: tuple[str, ...]
    order: int | str = 2
    error_estimate: float | None = None
    relative_l2: float | None = None
    seconds: float = 0.0
    tolerance: float = 0.0
    rate: float = float("nan")
    field_estimates: tuple[float, ...] = ()
    parameters: dict[str, float] = field(default_factory=dict)
    name: str = ""
    text: str = ""
    signature: str = ""
    provenance: dict[str, str] = field(default_factory=dict)
    n_space: int = 0

    @cached_property
    def geometry(self) -> Geometry:
        """The cells."""
        return Geometry(self.mesh)

    @cached_property
    def _locator(self) -> Locator:
        return Locator(self.geometry)

    @property
    def points(self) -> Array:
        """(n, d) nodes of the mesh."""
        return self.mesh.points

    @cached_property
    def values(self) -> Array:
        """(n, m) the fields at the nodes of the mesh."""
        d = self.mesh.dimension
        corners = np.vstack([np.zeros(d), np.eye(d)])
        middles = [corners[list(pair)].mean(axis=0) for pair in EDGES[d]]
        reference = corners if self.mesh.order == 1 else np.vstack([corners, *middles])
        result = np.zeros((len(self.mesh.points), len(self.of_field)))
        for column, part in enumerate(self.of_field):
            result[self.geometry.cells, column] = self._in_cells(self.parts[part], reference)
        return result

    def _in_cells(self, part: Part, reference: Array) -> Array:
        """(m, n) values at points of the reference cell in every cell."""
        table, _ = tabulated(element(self.mesh.dimension, part.degree), reference)
        return np.asarray(part.values[part.cells] @ table)

    def __call__(self, points: Array) -> Array:
        """Values (n, m) at points (n, d); points outside belong to the nearest cell."""
        return self.jets(points)[..., 0]

    def jets(self, points: Array) -> Array:
        """Values and first derivatives (n, m, 1 + d) at points (n, d)."""
        points = np.asarray(points, dtype=float)
        result = np.zeros((len(points), len(self.of_field), 1 + self.mesh.dimension))
        for start in range(0, len(points), CHUNK):
            some = slice(start, start + CHUNK)
            result[some] = self._jets_in(*self._locator.find(points[some]))
        return result

    def _jets_in(self, cells: Array, reference: Array) -> Array:
        """(n, m, 1 + d) at points (n, d) of the reference cell, each in a cell of its own."""
        result = np.zeros((len(cells), len(self.of_field), 1 + self.mesh.dimension))
        for k, part in enumerate(self.parts):
            basis = self._locator.basis(element(self.mesh.dimension, part.degree), cells, reference)
            jet = np.einsum("nab,nb->na", basis, part.values[part.cells[cells]])
            result[:, [c for c, p in enumerate(self.of_field) if p == k]] = jet[:, None]
        return result

    def in_cells(self, cells: Array, reference: Array) -> Array:
        """Values (n, m) at points (n, d) of the reference cell, each in a cell (n,) of its own."""
        return self._jets_in(cells, reference)[..., 0]

    def jet(self, points: Array, variables: Sequence[JetVariable]) -> Array:
        """Derivatives (n, len(variables)) of order zero and one.

        Raises:
            ProblemError: a higher derivative.
        """
        if any(sum(v.derivative) > 1 for v in variables):
            raise ProblemError("finite element functions have first derivatives only; take a grid for higher ones.")
        table = self.jets(points)
        slots = [1 + v.derivative.index(1) if sum(v.derivative) else 0 for v in variables]
        return np.stack([table[:, v.unknown, s] for v, s in zip(variables, slots, strict=True)], axis=1)

    def derivative(self, alpha: MultiIndex, unknown: int = 0) -> Callable[[Array], Array]:
        """D^α of one field as a function of points (n, d) -> (n, 1), for |α| <= 1."""
        return lambda points: self.jet(points, [JetVariable(unknown, tuple(alpha))])

    @cached_property
    def _table(self) -> CellTable:
        degree = 2 * max(part.degree for part in self.parts)
        return CellTable(self.geometry, np.arange(len(self.mesh.cells)), degree)

    @property
    def quadrature(self) -> tuple[Array, Array]:
        """Points (n, d) and weights (n,) of a rule on the mesh."""
        return self._table.points.reshape(-1, self.mesh.dimension), self._table.weights.ravel()

    @cached_property
    def at_quadrature(self) -> Array:
        """(n, m) values at the points of the quadrature."""
        reference = self._table.reference[0]
        return np.stack([self._in_cells(self.parts[p], reference).ravel() for p in self.of_field], axis=1)

    @cached_property
    def weights(self) -> Array:
        """(n, m) weights of the quadrature, zero where a field does not live."""
        weights = self._table.weights
        return np.stack([(weights * on[:, None]).ravel() for on in self.active], axis=1)

    @property
    def norm(self) -> float:
        """L2 norm, summed over the fields."""
        return float(np.sqrt(np.sum(self.weights * self.at_quadrature**2)))

    def save(self, path: str | Path) -> Path:
        """Write an HDF5 file, atomically.

        Raises:
            StoreError: it cannot be written.
        """
        return storage.write(path, self)

    @classmethod
    def load(cls, path: str | Path) -> FemFunction:
        """Read a stored function; its values are bit-identical.

        Raises:
            StoreError: no such file, damaged, or not a stored function of this kind.
        """
        *mesh, active, parts, facts = storage.read(path)
        known = {**facts, **storage.tupled(facts, _TUPLES)}
        return cls(TriMesh(*mesh), tuple(Part(*part) for part in parts), active=active, **known)


_TUPLES = ("of_field", "unknowns", "coordinates", "field_estimates")


def distances(coarse: FemFunction, fine: FemFunction) -> Array:
    """(m,) squared L2 distances of two functions, field by field."""
    gap = fine.at_quadrature - coarse(fine.quadrature[0])
    return np.asarray(np.sum(fine.weights * gap**2, axis=0))


def distance(coarse: FemFunction, fine: FemFunction) -> float:
    """L2 distance of two functions, relative to the finer one."""
    length = float(np.sqrt(np.sum(distances(coarse, fine))))
    return length / fine.norm if fine.norm else length
