"""Which cell a point lies in, and where in it; points a little outside a mesh belong to the nearest cell."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from kanpde.references.fem.space import Geometry, inverse, tabulated

Array = np.ndarray

# Candidates by the distance of middles, and how far outside the reference cell counts as inside.
NEAREST = (4, 12, 40, 200)
SLACK = 1e-9
NEWTON_STEPS = 8
# Cells that a walk to a point may cross.
STEPS = 60


@dataclass(frozen=True, eq=False)
class Locator:
    """Finds points in the cells of a mesh."""

    geometry: Geometry

    @cached_property
    def _tree(self) -> cKDTree:
        corners = self.geometry.nodes[:, : self.geometry.dimension + 1]
        return cKDTree(corners.mean(axis=1))

    def find(self, points: Array) -> tuple[Array, Array]:
        """Cells (n,) and reference coordinates (n, d) of points (n, d)."""
        points = np.asarray(points, dtype=float)
        n, d = points.shape
        cells, reference = np.zeros(n, dtype=int), np.zeros((n, d))
        misses = np.full(n, np.inf)
        count = len(self.geometry.nodes)
        self._try(points, np.arange(n), self._walked(points), cells, reference, misses)
        pending = np.flatnonzero(misses > SLACK)
        tried = 0
        for k in NEAREST:
            if not len(pending) or tried >= count:
                break
            _, near = self._tree.query(points[pending], k=min(k, count))
            near = np.asarray(near).reshape(len(pending), -1)
            for column in near.T[tried:]:
                open_ = misses[pending] > SLACK
                rows = pending[open_]
                if not len(rows):
                    break
                self._try(points, rows, column[open_], cells, reference, misses)
            tried = near.shape[1]
            pending = pending[misses[pending] > SLACK]
        return cells, reference

    def _walked(self, points: Array) -> Array:
        """The cell that a walk from the nearest middle leads to, each step across the side that the point is behind."""
        cells = np.asarray(self._tree.query(points)[1])
        neighbours, straight, origin = self._neighbours
        moving = np.arange(len(points))
        for _ in range(STEPS):
            here = cells[moving]
            inner = np.einsum("njd,nd->nj", straight[here], points[moving] - origin[here])
            barycentric = np.hstack([1.0 - inner.sum(axis=1, keepdims=True), inner])
            worst = np.argmin(barycentric, axis=1)
            following = neighbours[here, worst]
            onward = (barycentric[np.arange(len(here)), worst] < -SLACK) & (following >= 0)
            moving = moving[onward]
            if not len(moving):
                break
            cells[moving] = following[onward]
        return cells

    @cached_property
    def _neighbours(self) -> tuple[Array, Array, Array]:
        """(m, d + 1) cells opposite each vertex, -1 outside; inverse Jacobians and first vertices of straight cells."""
        topology, d = self.geometry.topology, self.geometry.dimension
        corners = self.geometry.nodes[:, : d + 1]
        _, straight = inverse(np.swapaxes(corners[:, 1:] - corners[:, :1], 1, 2))
        result = np.full((len(corners), d + 1), -1)
        for row, facet in enumerate(self.geometry.shape_element.refdom.facets):
            vertex = next(k for k in range(d + 1) if k not in facet)
            first, second = topology.f2t[:, topology.t2f[row]]
            result[:, vertex] = np.where(first == np.arange(len(corners)), second, first)
        return result, straight, corners[:, 0]

    def _try(
        self, points: Array, rows: Array, candidates: Array, cells: Array, reference: Array, misses: Array
    ) -> None:
        """Keep a candidate where it holds the point, or is nearer to it than the best so far."""
        found = self._invert(points[rows], candidates)
        miss = outside(found)
        better = miss < misses[rows]
        chosen = rows[better]
        cells[chosen], reference[chosen], misses[chosen] = candidates[better], found[better], miss[better]

    def _invert(self, points: Array, cells: Array) -> Array:
        """Reference coordinates of points by Newton's method from the straight cell."""
        d = self.geometry.dimension
        nodes = self.geometry.nodes[cells]
        corners = nodes[:, : d + 1]
        _, straight = inverse(np.swapaxes(corners[:, 1:] - corners[:, :1], 1, 2))
        found = np.einsum("njd,nd->nj", straight, points - corners[:, 0])
        if nodes.shape[1] == d + 1:
            return found
        for _ in range(NEWTON_STEPS):
            near = np.clip(found, -0.5, 1.5)
            values, slopes = tabulated(self.geometry.shape_element, near)
            gap = points - np.einsum("ngd,gn->nd", nodes, values)
            if np.max(np.abs(gap) * (outside(near) < 0.4)[:, None], initial=0.0) < 1e-14 * np.abs(points).max(
                initial=1.0
            ):
                return near
            _, inverted = inverse(np.einsum("ngd,gjn->ndj", nodes, slopes))
            found = near + np.einsum("njd,nd->nj", inverted, gap)
        return found

    def basis(self, kind: Any, cells: Array, reference: Array) -> Array:
        """(n, 1 + d, nb) values and derivatives of basis functions at points of cells."""
        values, slopes = tabulated(kind, reference)
        _, bent = tabulated(self.geometry.shape_element, reference)
        _, inverted = inverse(np.einsum("ngd,gjn->ndj", self.geometry.nodes[cells], bent))
        gradients = np.einsum("njd,bjn->ndb", inverted, slopes)
        return np.concatenate([values.T[:, None], gradients], axis=1)


def outside(reference: Array) -> Array:
    """How far points (n, d) are outside the reference cell, zero inside."""
    low = -reference.min(axis=1)
    return np.maximum(np.maximum(low, reference.sum(axis=1) - 1.0), 0.0)
