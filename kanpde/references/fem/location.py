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
        pending = np.arange(n)
        count = len(self.geometry.nodes)
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
