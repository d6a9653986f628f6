"""Patches of meshes: cells, or boundary facets with their normals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp

from .patch import Patch
from .piece import halton
from .predicate import holds
from .similarity import Similarity
from .simplices import Simplices


@dataclass(frozen=True)
class SimplexPatch:
    """Cells or boundary facets of a mesh; facets have outward normals."""

    simplices: Simplices
    outward: tuple[tuple[float, ...], ...] | None = None

    fraction = 1.0

    @property
    def dimension(self) -> int:
        """That of the simplices."""
        return self.simplices.dimension

    @property
    def measure(self) -> float:
        """The sum over the simplices."""
        return float(self.simplices.measures.sum())

    @property
    def plain(self) -> list[Any]:
        """The content in short."""
        return ["simplices", self.simplices.digest]

    @property
    def bounds(self) -> np.ndarray:
        """The smallest box around."""
        return self.simplices.bounds

    @cached_property
    def normal(self) -> tuple[float, ...] | None:
        """The normal if all facets share it, () if not, None of cells."""
        if self.outward is None:
            return None
        first = np.array(self.outward[0])
        return self.outward[0] if np.allclose(np.array(self.outward), first, rtol=0, atol=1e-12) else ()

    def points(self, unit: np.ndarray) -> np.ndarray:
        """Uniform points."""
        return self.simplices.points(unit)

    def normals(self, points: np.ndarray) -> np.ndarray | None:
        """The normal of the facet that each point lies on."""
        return None if self.outward is None else np.array(self.outward)[self.simplices.locate(points)]

    def contains(self, points: np.ndarray) -> np.ndarray:
        """Which points lie in or on one of the simplices."""
        return self.simplices.locate(points) >= 0

    def _part(self, chosen: np.ndarray) -> SimplexPatch:
        outward = None if self.outward is None else tuple(self.outward[k] for k in np.flatnonzero(chosen))
        return SimplexPatch(Simplices(self.simplices.corners[chosen]), outward)

    def cut(self, predicate: sp.Basic, space: Sequence[sp.Symbol]) -> list[tuple[Patch, sp.Basic]]:
        """Take simplices that satisfy the predicate wholly, and leave a mask to those that it cuts."""
        unit = np.sort(halton(6, self.dimension), axis=1)[:, ::-1]
        steps = np.concatenate([unit[:, :-1] - unit[:, 1:], unit[:, -1:]], axis=1)
        corners, edges = self.simplices.corners, self.simplices.edges
        samples = corners[:, None, 0] + np.einsum("qm,kmd->kqd", steps, edges)
        held = holds(predicate, space, samples.reshape(-1, len(space))).reshape(len(corners), -1)
        whole = np.asarray(held.all(axis=1))
        cut = np.asarray(held.any(axis=1)) & ~whole
        if whole.all():
            return [(self, sp.true)]
        split = [(whole, sp.true), (cut, predicate)]
        return [(self._part(chosen), left) for chosen, left in split if chosen.any()]

    def similar(self, similarity: Similarity, space: Sequence[sp.Symbol]) -> SimplexPatch:
        """Return the patch in new coordinates."""
        factor, shift = similarity.of_space(space)
        return SimplexPatch(Simplices(self.simplices.corners * factor + shift), self.outward)

    def divided(self, other: Patch) -> Sequence[Patch]:
        """Part the simplices into those that another patch has too, and the rest."""
        if not isinstance(other, SimplexPatch) or other.dimension != self.dimension:
            return [self]
        theirs = {corners.tobytes() for corners in other.simplices.corners}
        common = np.array([corners.tobytes() in theirs for corners in self.simplices.corners])
        return [self] if common.all() or not common.any() else [self._part(common), self._part(~common)]

    def rule(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Gauss on every simplex."""
        return self.simplices.rule(n)
