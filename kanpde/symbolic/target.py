"""What is to be written down: one unknown of a solution on a box, known by its values and how far these are right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import sympy as sp

from kanpde.domain import Domain
from kanpde.sampling import sobol

FLOOR = 1e-10  # relative error below which no solution is thought to be
SEED = 11
CENTRES = 256
GRID = 5  # points along each axis by which a box is found to be inside a domain
WIDTHS = 24  # that are tried for such a box


@dataclass(frozen=True, eq=False)
class Target:
    """A function of some coordinates on a box.

    Attributes:
        coordinates: its arguments.
        bounds: of the box, (d, 2).
        values: (n, d) -> (n,).
        noise: relative error of the values.
    """

    coordinates: tuple[sp.Symbol, ...]
    bounds: np.ndarray
    values: Callable[[np.ndarray], np.ndarray]
    noise: float

    @property
    def dimension(self) -> int:
        """Number of coordinates."""
        return len(self.coordinates)

    def points(self, count: int, seed: int = SEED) -> np.ndarray:
        """Scattered in the box, (count, d)."""
        return self.bounds[:, 0] + sobol(count, self.dimension, seed) * np.ptp(self.bounds, axis=1)

    @cached_property
    def size(self) -> float:
        """Root mean square of the values."""
        return float(np.sqrt(np.mean(np.square(self.values(self.points(256))))))

    def without(self, axis: int, at: float) -> Target:
        """The same with one coordinate held fixed."""
        rest = [k for k in range(self.dimension) if k != axis]

        def values(points: np.ndarray) -> np.ndarray:
            return self.values(np.insert(points, axis, at, axis=1))

        kept = tuple(self.coordinates[k] for k in rest)
        return replace(self, coordinates=kept, bounds=self.bounds[rest], values=values)


def largest_box(domain: Domain) -> np.ndarray:
    """The bounds of a box, or of the largest of some boxes of its proportions inside another domain, (d, 2)."""
    bounds = domain.bounds
    if domain.is_box:
        return bounds
    width = np.ptp(bounds, axis=1)
    unit = np.stack(np.meshgrid(*[np.linspace(-0.5, 0.5, GRID)] * len(bounds), indexing="ij"), axis=-1)
    unit = unit.reshape(-1, len(bounds))
    centres = bounds[:, 0] + sobol(CENTRES, len(bounds), SEED) * width
    for share in np.linspace(1.0, 1.0 / WIDTHS, WIDTHS):
        for centre in centres:
            box = centre + share * unit * width
            if domain.contains(box).all():
                return np.stack([box.min(axis=0), box.max(axis=0)], axis=1)
    return bounds
