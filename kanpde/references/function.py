"""A function on a tensor grid: what every reference and every correction is, with what it knows about its own error."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from kanpde.errors import StoreError
from kanpde.multiindex import MultiIndex
from kanpde.references import storage
from kanpde.references.grid import Grid

Array = np.ndarray
Order = int | str


@dataclass(frozen=True, eq=False)
class GridFunction:
    """Values of the unknowns at the nodes of a grid, callable everywhere in the box.

    Attributes:
        grid: the axes in the order of the problem's coordinates; a periodic axis leaves out its last point.
        values: (*shape, c), the unknowns in alphabetical order.
        unknowns, coordinates: their names.
        order: 2, 4, 6, 8 or "chebyshev".
        error_estimate: relative L2 error, from two resolutions; None where there is none.
        relative_l2: relative L2 error against the exact solution, by quadrature between the nodes; None without one.
        seconds: wall time of the computation.
        tolerance: relative accuracy of the algebraic solution.
        name, text, signature: the problem that it solves; provenance: versions, date, machine.
        n_space: how many coordinates are spatial; time and parameters follow.
    """

    grid: Grid
    values: Array
    unknowns: tuple[str, ...]
    coordinates: tuple[str, ...]
    order: Order = "chebyshev"
    error_estimate: float | None = None
    relative_l2: float | None = None
    seconds: float = 0.0
    tolerance: float = 0.0
    name: str = ""
    text: str = ""
    signature: str = ""
    provenance: dict[str, str] = field(default_factory=dict)
    n_space: int = 0

    @property
    def axes(self) -> tuple[Array, ...]:
        """The nodes along each coordinate."""
        return tuple(axis.nodes for axis in self.grid.axes)

    @property
    def spacing(self) -> tuple[float, ...]:
        """The largest distance h of neighbouring nodes along each coordinate."""
        return tuple(float(np.diff(nodes).max(initial=0.0)) for nodes in self.axes)

    @cached_property
    def norm(self) -> float:
        """L2 norm, summed over the unknowns."""
        return self.grid.norm(self.values)

    def __call__(self, points: Array) -> Array:
        """Interpolated values (n, c) at points (n, d), with an order that matches the differences."""
        return self.grid.interpolate(self.values, np.asarray(points, dtype=float))

    def save(self, path: str | Path) -> Path:
        """Write an HDF5 file with named dimension scales, atomically, and an XDMF file beside it.

        Raises:
            StoreError: it cannot be written.
        """
        facts = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("grid", "values")}
        return storage.write(path, self.grid, self.values, {**facts, "spacing": self.spacing})

    @classmethod
    def load(cls, path: str | Path) -> GridFunction:
        """Read a stored grid function; its values are bit-identical.

        Raises:
            StoreError: no such file, damaged, or not a stored reference.
        """
        grid, values, facts = storage.read(path)
        known: dict[str, Any] = {f.name: facts[f.name] for f in fields(cls) if f.name in facts}
        try:
            known |= {name: tuple(known[name]) for name in ("unknowns", "coordinates")}
            return cls(grid, values, **known)
        except (KeyError, TypeError) as error:
            raise StoreError(f"{path} is damaged: {error}.") from error

    def derivative(self, alpha: MultiIndex, unknown: int = 0) -> GridFunction:
        """D^α of one unknown, differentiated on the grid."""
        flat = self.grid.differentiate(alpha, np.ascontiguousarray(self.values[..., unknown]).reshape(-1))
        return GridFunction(
            self.grid, flat.reshape(*self.grid.shape, 1), (self.unknowns[unknown],), self.coordinates, self.order
        )


def distance(coarse: GridFunction, fine: GridFunction) -> float:
    """L2 distance of two grid functions, relative to the finer one."""
    lines, weights = fine.grid.quadrature
    gap = fine.grid.resample(fine.values, lines) - coarse.grid.resample(coarse.values, lines)
    length = float(np.sqrt(np.sum(weights[..., None] * gap**2)))
    return length / fine.norm if fine.norm else length
