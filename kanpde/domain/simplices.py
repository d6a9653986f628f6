"""Simplices in numbers: segments, triangles and tetrahedra with a chart of all, a search, and quadrature."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from math import factorial

import numpy as np

# Relative to the size of all.
TOLERANCE = 1e-10


@dataclass(frozen=True, eq=False)
class Simplices:
    """Simplices of m + 1 nodes each in d coordinates; equal by content.

    Attributes:
        corners: (k, m + 1, d).
    """

    corners: np.ndarray

    @cached_property
    def digest(self) -> str:
        """The content in short."""
        return hashlib.sha256(
            np.ascontiguousarray(self.corners).tobytes() + str(self.corners.shape).encode()
        ).hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Simplices) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __len__(self) -> int:
        return len(self.corners)

    @property
    def dimension(self) -> int:
        """M."""
        return self.corners.shape[1] - 1

    @cached_property
    def edges(self) -> np.ndarray:
        """From the first corner to the others, (k, m, d)."""
        return self.corners[:, 1:] - self.corners[:, :1]

    @cached_property
    def measures(self) -> np.ndarray:
        """Lengths, areas or volumes, (k,)."""
        gram = self.edges @ np.swapaxes(self.edges, 1, 2)
        return np.sqrt(np.maximum(np.linalg.det(gram), 0.0)) / factorial(self.dimension)

    @cached_property
    def bounds(self) -> np.ndarray:
        """The smallest box, (d, 2)."""
        return np.stack([self.corners.min(axis=(0, 1)), self.corners.max(axis=(0, 1))], axis=1)

    @property
    def scale(self) -> float:
        """What distances are rounded against."""
        return float(max(np.ptp(self.bounds, axis=1).max(), np.abs(self.bounds).max()))

    @cached_property
    def _order(self) -> np.ndarray:
        """Along a curve that fills space, so that neighbours in the chart are neighbours in space."""
        centres = self.corners.mean(axis=1)
        width = np.maximum(np.ptp(self.bounds, axis=1), 1e-300)
        cells = np.clip((centres - self.bounds[:, 0]) / width * 1024, 0, 1023).astype(np.int64)
        codes = np.zeros(len(cells), dtype=np.int64)
        for bit in range(10):
            for axis in range(cells.shape[1]):
                codes |= ((cells[:, axis] >> bit) & 1) << (bit * cells.shape[1] + axis)
        return np.argsort(codes, kind="stable")

    def points(self, unit: np.ndarray) -> np.ndarray:
        """Map (n, m) of the unit cube to (n, d): the first coordinate chooses a simplex, and what is left a place.

        The sorted coordinates of a point of the cube are uniform in a simplex.
        """
        ends = np.cumsum(self.measures[self._order])
        wanted = np.clip(unit[:, 0], 0.0, 1.0 - 1e-16) * ends[-1]
        k = np.minimum(np.searchsorted(ends, wanted, side="right"), len(ends) - 1)
        chosen = self._order[k]
        rest = np.clip((wanted - (ends[k] - self.measures[chosen])) / self.measures[chosen], 0.0, 1.0)
        local = np.sort(np.concatenate([rest[:, None], unit[:, 1:]], axis=1), axis=1)[:, ::-1]
        steps = np.concatenate([local[:, :-1] - local[:, 1:], local[:, -1:]], axis=1)
        return self.corners[chosen, 0] + np.einsum("nm,nmd->nd", steps, self.edges[chosen])

    @cached_property
    def _bins(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """A grid over the bounds: its shape, and for every cell of it the simplices that may reach into it."""
        d = self.corners.shape[2]
        shape = np.full(d, max(1, int(np.ceil(len(self) ** (1.0 / d)))))
        low, high = (self._cell(ends, shape) for ends in (self.corners.min(axis=1), self.corners.max(axis=1)))
        counts = np.prod(high - low + 1, axis=1)
        owner = np.repeat(np.arange(len(self)), counts)
        place = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
        flat = np.zeros(len(owner), dtype=np.int64)
        for axis in range(d):
            extent = (high - low + 1)[owner, axis]
            flat = flat * shape[axis] + low[owner, axis] + place % extent
            place = place // extent
        order = np.argsort(flat, kind="stable")
        starts = np.searchsorted(flat[order], np.arange(int(np.prod(shape)) + 1))
        return shape, starts, owner[order]

    def _cell(self, points: np.ndarray, shape: np.ndarray) -> np.ndarray:
        # Facets of one plane have no width across it.
        width = np.maximum(np.ptp(self.bounds, axis=1), 1e-6 * self.scale) * (1 + 1e-9)
        return np.clip((points - self.bounds[:, 0]) / width * shape, 0, shape - 1).astype(np.int64)

    def locate(self, points: np.ndarray) -> np.ndarray:
        """Return (n,): the simplex that each point lies in or on, up to rounding; -1 where there is none."""
        shape, starts, owner = self._bins
        found = np.full(len(points), -1)
        slack = TOLERANCE * self.scale
        for shift in _shifts(points.shape[1], slack):
            cells = self._cell(points + shift, shape)
            flat = np.ravel_multi_index(tuple(cells.T), tuple(shape))
            first, count = starts[flat], starts[flat + 1] - starts[flat]
            for j in range(int(count.max(initial=0))):
                open_ = np.flatnonzero((found < 0) & (count > j))
                candidates = owner[first[open_] + j]
                near = self._holds(points[open_], candidates)
                found[open_[near]] = candidates[near]
        return found

    @cached_property
    def _inverse(self) -> np.ndarray:
        return np.linalg.pinv(np.swapaxes(self.edges, 1, 2))

    def _holds(self, points: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        """Whether each point lies in the simplex chosen for it."""
        away = points - self.corners[chosen, 0]
        local = np.einsum("nmd,nd->nm", self._inverse[chosen], away)
        size = np.maximum(np.linalg.norm(self.edges[chosen], axis=2).max(axis=1), 1e-300)
        slack = (10 * TOLERANCE * self.scale / size)[:, None]
        inside = np.all(local >= -slack, axis=1) & (local.sum(axis=1) <= 1 + slack[:, 0])
        off = np.linalg.norm(away - np.einsum("nm,nmd->nd", local, self.edges[chosen]), axis=1)
        return inside & (off <= 10 * TOLERANCE * self.scale)

    def distance(self, points: np.ndarray) -> np.ndarray:
        """Return (n,): the distance from the nearest simplex, of segments and triangles."""
        nearest = np.full(len(points), np.inf)
        for corners in self.corners:
            nearest = np.minimum(nearest, _distance(points, corners))
        return nearest

    def rule(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Return points and weights, about n along each axis of all: Gauss on every simplex."""
        m = self.dimension
        q = int(np.clip(np.ceil(n / len(self) ** (1.0 / m)), 3, 8))
        local, weights = collapsed(m, q)
        x = self.corners[:, None, 0] + np.einsum("qm,kmd->kqd", local, self.edges)
        return x.reshape(-1, self.corners.shape[2]), np.outer(self.measures * factorial(m), weights).ravel()


def _shifts(d: int, slack: float) -> list[np.ndarray]:
    """No step, then small ones to all sides: a point on the border of two cells of the grid is looked for in both."""
    return [np.zeros(d), *(s * slack * np.ones(d) for s in (-1.0, 1.0))]


def _distance(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    if len(corners) == 1:
        return np.linalg.norm(points - corners[0], axis=1)
    edges = corners[1:] - corners[0]
    local = (points - corners[0]) @ np.linalg.pinv(edges)
    inside = np.all(local >= 0, axis=1) & (local.sum(axis=1) <= 1)
    result = np.linalg.norm(points - corners[0] - local @ edges, axis=1)
    outside = np.flatnonzero(~inside)
    sides = [np.delete(corners, k, axis=0) for k in range(len(corners))]
    result[outside] = np.min([_distance(points[outside], side) for side in sides], axis=0)
    return result


def collapsed(m: int, q: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the rule of the unit simplex with q^m points: the cube, collapsed (Duffy 1982); weights sum to 1 / m!."""
    nodes, factors = np.polynomial.legendre.leggauss(q)
    nodes, factors = 0.5 * (nodes + 1), 0.5 * factors
    grids = np.stack([g.ravel() for g in np.meshgrid(*[nodes] * m, indexing="ij")], axis=1)
    weights = np.prod([g.ravel() for g in np.meshgrid(*[factors] * m, indexing="ij")], axis=0)
    left = np.ones(len(grids))
    local = np.zeros_like(grids)
    for i in range(m):
        local[:, i] = left * grids[:, i]
        weights = weights * left
        left = left * (1 - grids[:, i])
    return local, weights
