"""Lagrange elements on curved simplices: scikit-fem's bases and numbering, tabulated for a whole mesh at once.

A point of the reference cell has coordinates X with X_i >= 0, ΣX_i <= 1; x(X) = Σ_g node_g ψ_g(X), of degree 1 or 2.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from kanpde.errors import ProblemError
from kanpde.meshing import EDGES, TriMesh

Array = np.ndarray

CHUNK = 1 << 14


def skfem() -> Any:
    """scikit-fem, loaded by the first solve with finite elements."""
    try:
        return importlib.import_module("skfem")
    except ImportError as error:
        raise ProblemError(f"finite elements need scikit-fem ({error}): pip install 'kanpde[fem]'.") from error


_NAMES = {
    1: {1: "ElementLineP1", 2: "ElementLineP2"},
    2: {1: "ElementTriP1", 2: "ElementTriP2", 3: "ElementTriP3", 4: "ElementTriP4"},
    3: {1: "ElementTetP1", 2: "ElementTetP2"},
}


@lru_cache(maxsize=32)
def element(dimension: int, degree: int) -> Any:
    """scikit-fem's Lagrange element.

    Raises:
        ProblemError: a degree that it does not have.
    """
    names = _NAMES[dimension]
    if degree not in names:
        raise ProblemError(f"finite elements in {dimension}-D have degrees {', '.join(map(str, names))}, not {degree}.")
    return getattr(skfem(), names[degree])()


def tabulated(kind: Any, reference: Array) -> tuple[Array, Array]:
    """Values (nb, n) and derivatives (nb, d, n) of the basis at points (n, d) of the reference cell."""
    points = np.ascontiguousarray(reference.T)
    tables = [kind.lbasis(points, k) for k in range(len(kind.doflocs))]
    n = len(reference)
    values = np.stack([np.broadcast_to(v, (n,)) for v, _ in tables])
    slopes = np.stack([np.stack([np.broadcast_to(row, (n,)) for row in s]) for _, s in tables])
    return values.astype(float), slopes.astype(float)


def quadrature(dimension: int, degree: int) -> tuple[Array, Array]:
    """Points (n, d) and weights of a rule on the reference simplex that is exact for a degree."""
    if dimension == 0:
        return np.zeros((1, 0)), np.ones(1)
    domains = {1: "RefLine", 2: "RefTri", 3: "RefTet"}
    reference = getattr(importlib.import_module("skfem.refdom"), domains[dimension])
    points, weights = importlib.import_module("skfem.quadrature").get_quadrature(reference, degree)
    return np.ascontiguousarray(points.T), np.asarray(weights)


@dataclass(frozen=True, eq=False)
class Geometry:
    """The cells of a mesh with their vertices in ascending order, which makes neighbours agree on shared sides."""

    mesh: TriMesh

    @property
    def dimension(self) -> int:
        """The number of coordinates."""
        return self.mesh.dimension

    @cached_property
    def cells(self) -> Array:
        """(m, ng) nodes, vertices ascending, middles in VTK's order."""
        d = self.dimension
        order = np.argsort(self.mesh.corners, axis=1)
        corners = np.take_along_axis(self.mesh.corners, order, axis=1)
        if self.mesh.order == 1:
            return corners
        middle_of = np.zeros((d + 1, d + 1), dtype=int)
        for k, (a, b) in enumerate(EDGES[d]):
            middle_of[a, b] = middle_of[b, a] = k
        columns = np.stack([middle_of[order[:, a], order[:, b]] for a, b in EDGES[d]], axis=1)
        return np.hstack([corners, np.take_along_axis(self.mesh.cells[:, d + 1 :], columns, axis=1)])

    @cached_property
    def nodes(self) -> Array:
        """(m, ng, d) places of the nodes of each cell."""
        return np.ascontiguousarray(self.mesh.points[self.cells])

    @cached_property
    def topology(self) -> Any:
        """scikit-fem's mesh of the vertices: facets, neighbours, numbers of degrees of freedom."""
        kinds = {1: "MeshLine1", 2: "MeshTri1", 3: "MeshTet1"}
        corners = self.cells[:, : self.dimension + 1]
        used, t = np.unique(corners, return_inverse=True)
        points = self.mesh.points[used].T
        return getattr(skfem(), kinds[self.dimension])(
            np.ascontiguousarray(points), np.ascontiguousarray(t.reshape(corners.shape).T)
        )

    @property
    def shape_element(self) -> Any:
        """The element of the geometry."""
        return element(self.dimension, self.mesh.order)

    def at(self, reference: Array, cells: Array | slice = slice(None)) -> tuple[Array, Array]:
        """Points x (m, n, d) and Jacobians dx/dX (m, n, d, d) at points (n, d) of the reference cell."""
        values, slopes = tabulated(self.shape_element, reference)
        nodes = self.nodes[cells]
        x = np.einsum("egd,gn->end", nodes, values, optimize=True)
        jacobian = np.einsum("egd,gjn->endj", nodes, slopes, optimize=True)
        return x, jacobian

    @cached_property
    def boundary(self) -> Array:
        """Numbers of the facets on the boundary."""
        return np.asarray(self.topology.boundary_facets(), dtype=int)

    @cached_property
    def boundary_middles(self) -> tuple[Array, Array]:
        """Middles (b, d) of the boundary facets and outward normals there."""
        rule = FacetTable(self, self.boundary, 0, None)
        return rule.points[:, 0], rule.normals[:, 0]


def inverse(jacobian: Array) -> tuple[Array, Array]:
    """Determinants (...) and inverses (..., d, d), written out."""
    d = jacobian.shape[-1]
    if d == 1:
        return jacobian[..., 0, 0], 1.0 / jacobian
    if d == 2:
        a, b, c, e = (jacobian[..., i, j] for i in (0, 1) for j in (0, 1))
        determinant = a * e - b * c
        adjugate = np.stack([np.stack([e, -b], axis=-1), np.stack([-c, a], axis=-1)], axis=-2)
        return determinant, adjugate / determinant[..., None, None]
    rows = [jacobian[..., i, :] for i in range(3)]
    crosses = [np.cross(rows[1], rows[2]), np.cross(rows[2], rows[0]), np.cross(rows[0], rows[1])]
    determinant = np.einsum("...i,...i->...", rows[0], crosses[0])
    return determinant, np.stack(crosses, axis=-1) / determinant[..., None, None]


@dataclass(frozen=True, eq=False)
class CellTable:
    """Quadrature points of some cells.

    Attributes:
        geometry: the mesh.
        cells: numbers of the cells.
        degree: of the polynomials that the rule integrates exactly on straight cells.
    """

    geometry: Geometry
    cells: Array
    degree: int

    @cached_property
    def reference(self) -> tuple[Array, Array]:
        """Points and weights of the reference cell."""
        return quadrature(self.geometry.dimension, self.degree)

    @cached_property
    def _mapped(self) -> tuple[Array, Array, Array]:
        x, jacobian = self.geometry.at(self.reference[0], self.cells)
        determinant, inverted = inverse(jacobian)
        return x, np.abs(determinant) * self.reference[1], inverted

    @property
    def points(self) -> Array:
        """(m, n, d)."""
        return self._mapped[0]

    @property
    def weights(self) -> Array:
        """(m, n)."""
        return self._mapped[1]

    def basis(self, kind: Any) -> Array:
        """(m, n, 1 + d, nb): values and derivatives of an element's basis functions."""
        values, slopes = tabulated(kind, self.reference[0])
        inverted = self._mapped[2]
        table = np.empty((*inverted.shape[:2], 1 + self.geometry.dimension, len(values)))
        table[:, :, 0] = values.T
        np.einsum("enjd,bjn->endb", inverted, slopes, out=table[:, :, 1:], optimize=True)
        return table


@dataclass(frozen=True, eq=False)
class FacetTable:
    """Quadrature points of some facets on the boundary, grouped by nothing: one row a facet.

    Attributes:
        geometry: the mesh.
        facets: their numbers.
        degree: of the rule.
        sides: cells from which the facets are seen, None for the first neighbour.
    """

    geometry: Geometry
    facets: Array
    degree: int
    sides: Array | None = None

    @cached_property
    def cells(self) -> Array:
        """The cell of each facet."""
        return self.geometry.topology.f2t[0, self.facets] if self.sides is None else self.sides

    @cached_property
    def _local(self) -> Array:
        """Which facet of its cell each one is."""
        t2f = self.geometry.topology.t2f[:, self.cells]
        return np.asarray(np.argmax(t2f == self.facets, axis=0))

    @cached_property
    def _parts(self) -> list[tuple[Array, Array, Array, float]]:
        """For each kind of facet: which ones, points of the reference cell, weights, reference normal."""
        d = self.geometry.dimension
        refdom = self.geometry.shape_element.refdom
        corners = np.asarray(refdom.p).T
        points, weights = quadrature(d - 1, max(self.degree, 1)) if self.degree else _centre(d - 1)
        parts = []
        for k in range(d + 1):
            ends = corners[list(refdom.facets[k])]
            spread = (ends[1:] - ends[:1]).T
            inward = corners.mean(axis=0) - ends.mean(axis=0)
            normal = _normal(spread, inward)
            chosen = np.flatnonzero(self._local == k)
            parts.append((chosen, ends[0] + points @ spread.T, weights, normal))
        return parts

    @cached_property
    def _mapped(self) -> tuple[Array, Array, Array, Array]:
        d, n = self.geometry.dimension, len(self._parts[0][2])
        shape = (len(self.facets), n)
        x, normals, weights = np.empty((*shape, d)), np.empty((*shape, d)), np.empty(shape)
        inverted = np.empty((*shape, d, d))
        for chosen, reference, rule, normal in self._parts:
            x[chosen], jacobian = self.geometry.at(reference, self.cells[chosen])
            determinant, inverted[chosen] = inverse(jacobian)
            # Nanson: n dS = |det J| J^-T N dS_ref.
            vectors = np.abs(determinant)[..., None] * np.einsum("fnjd,j->fnd", inverted[chosen], normal)
            length = np.linalg.norm(vectors, axis=-1)
            normals[chosen], weights[chosen] = vectors / length[..., None], length * rule
        return x, normals, weights, inverted

    @property
    def points(self) -> Array:
        """(f, n, d)."""
        return self._mapped[0]

    @property
    def reference(self) -> Array:
        """(f, n, d) the points in the reference coordinates of their cells."""
        result = np.empty(self.points.shape)
        for chosen, reference, _, _ in self._parts:
            result[chosen] = reference
        return result

    @property
    def normals(self) -> Array:
        """(f, n, d) outward unit normals."""
        return self._mapped[1]

    @property
    def weights(self) -> Array:
        """(f, n)."""
        return self._mapped[2]

    def basis(self, kind: Any) -> Array:
        """(f, n, 1 + d, nb): values and derivatives of the basis functions of the facets' cells."""
        n = len(self._parts[0][2])
        table = np.empty((len(self.facets), n, 1 + self.geometry.dimension, len(kind.doflocs)))
        for chosen, reference, _, _ in self._parts:
            values, slopes = tabulated(kind, reference)
            table[chosen, :, 0] = values.T
            table[chosen, :, 1:] = np.einsum("fnjd,bjn->fndb", self._mapped[3][chosen], slopes, optimize=True)
        return table


def _centre(dimension: int) -> tuple[Array, Array]:
    return np.full((1, dimension), 1.0 / (dimension + 1)), np.ones(1)


def _normal(spread: Array, inward: Array) -> Any:
    """Outward normal of a reference facet, of the length of the facet's parametrisation."""
    d = len(inward)
    if d == 1:
        normal = np.ones(1)
    elif d == 2:
        normal = np.array([spread[1, 0], -spread[0, 0]])
    else:
        normal = np.cross(spread[:, 0], spread[:, 1])
    return -normal if normal @ inward > 0 else normal


@dataclass(frozen=True, eq=False)
class Space:
    """Continuous piecewise polynomials of one degree.

    Attributes:
        geometry: the mesh.
        degree: 1 to 4.
    """

    geometry: Geometry
    degree: int

    @cached_property
    def element(self) -> Any:
        """scikit-fem's element."""
        return element(self.geometry.dimension, self.degree)

    @cached_property
    def _dofs(self) -> Any:
        return importlib.import_module("skfem.assembly.dofs").Dofs(self.geometry.topology, self.element)

    @property
    def size(self) -> int:
        """How many degrees of freedom."""
        return int(self._dofs.N)

    @cached_property
    def of_cells(self) -> Array:
        """(m, nb) degrees of freedom of each cell."""
        return np.ascontiguousarray(self._dofs.element_dofs.T)

    @cached_property
    def places(self) -> Array:
        """(size, d) nodes, on the curved boundary where it is curved."""
        x, _ = self.geometry.at(np.asarray(self.element.doflocs))
        places = np.empty((self.size, self.geometry.dimension))
        places[self.of_cells] = x
        return places

    def of_facets(self, facets: Array) -> Array:
        """(f, nf) degrees of freedom on facets."""
        topology, d = self.geometry.topology, self.geometry.dimension
        parts = [self._dofs.nodal_dofs[0][topology.facets[:, facets]].T]
        if d > 1 and len(self._dofs.facet_dofs):
            parts.append(self._dofs.facet_dofs[:, facets].T)
        if d > 2 and len(self._dofs.edge_dofs):
            parts.append(self._dofs.edge_dofs[0][topology.f2e[:, facets]].T)
        return np.hstack(parts)
