"""Solutions for other programs: NumPy archives, and meshes for ParaView through meshio."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kanpde.errors import ProblemError
from kanpde.files import replacing
from kanpde.meshfile import meshio

NODES = {1: 1001, 2: 129, 3: 41}  # along each coordinate, by the number of coordinates
MOST = 1 << 16  # nodes in all where there are more coordinates
CELLS = {1: "line", 2: "quad", 3: "hexahedron"}
# The corners of a cell in VTK's order, as steps along each axis.
CORNERS = {
    1: ((0,), (1,)),
    2: ((0, 0), (1, 0), (1, 1), (0, 1)),
    3: ((0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1)),
}

Field = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Grid:
    """A uniform grid over the bounds of a domain.

    Attributes:
        names: of the coordinates: space, time, parameters.
        bounds: (d, 2).
        space: how many of them are spatial.
        has_time: whether the next one is the time.
    """

    names: tuple[str, ...]
    bounds: np.ndarray
    space: int
    has_time: bool

    @property
    def axes(self) -> list[np.ndarray]:
        """The nodes along each coordinate."""
        d = len(self.names)
        count = NODES.get(d) or max(2, round(MOST ** (1 / d)))
        return [np.linspace(a, b, count) for a, b in self.bounds]

    def points(self, fixed: Mapping[int, float] | None = None) -> np.ndarray:
        """All nodes (N, d), the last coordinate running fastest; only those where some coordinates are fixed."""
        at = fixed or {}
        lines = [np.array([at[k]]) if k in at else axis for k, axis in enumerate(self.axes)]
        return np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1).reshape(-1, len(self.names))


def export(path: str | Path, grid: Grid, fields: Mapping[str, Field]) -> Path:
    """Writes fields on a grid in the format that the suffix names.

    Args:
        path: .npz, .vtu or .xdmf.
        grid: where.
        fields: by name, points (n, d) -> values (n,).

    Raises:
        ProblemError: another suffix, or a format that cannot hold so many coordinates.
        StoreError: it cannot be written.
    """
    path = Path(path)
    writer = WRITERS.get(path.suffix)
    if writer is None:
        raise ProblemError(f"{path} has no format to export to; end the name with {', '.join(WRITERS)}")
    with replacing(path) as part:
        writer(part, grid, fields)
    return path


def _write_npz(path: Path, grid: Grid, fields: Mapping[str, Field]) -> None:
    """One array an axis, and one of all nodes for every field, named as in the problem."""
    shape = tuple(map(len, grid.axes))
    values = {name: field(grid.points()).reshape(shape) for name, field in fields.items()}
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **dict(zip(grid.names, grid.axes, strict=True)), **values)


def _write_vtu(path: Path, grid: Grid, fields: Mapping[str, Field]) -> None:
    """A mesh of the spatial coordinates."""
    if grid.has_time or len(grid.names) > 3:
        raise ProblemError(_UNFIT.format(suffix=".vtu", names=", ".join(grid.names), cure=".xdmf or .npz"))
    data = {name: field(grid.points()) for name, field in fields.items()}
    points, cells = _mesh(grid)
    meshio().Mesh(points, cells, point_data=data).write(path, file_format="vtu")


def _write_xdmf(path: Path, grid: Grid, fields: Mapping[str, Field]) -> None:
    """A mesh of the spatial coordinates, with the fields at every instant where there is a time."""
    if grid.space > 3 or len(grid.names) > grid.space + grid.has_time:
        raise ProblemError(_UNFIT.format(suffix=".xdmf", names=", ".join(grid.names), cure=".npz"))
    points, cells = _mesh(grid)
    # Numbers within the XML: meshio's default puts them into <name>.h5, where the solution itself may be.
    with meshio().xdmf.TimeSeriesWriter(path, data_format="XML") as writer:
        writer.write_points_cells(points, cells)
        for instant in grid.axes[grid.space] if grid.has_time else (0.0,):
            at = grid.points({grid.space: instant} if grid.has_time else {})
            writer.write_data(instant, point_data={name: field(at) for name, field in fields.items()})


WRITERS: dict[str, Callable[[Path, Grid, Mapping[str, Field]], None]] = {
    ".npz": _write_npz,
    ".vtu": _write_vtu,
    ".xdmf": _write_xdmf,
}
_UNFIT = "{suffix} cannot hold a solution over {names}; export to {cure}"


def _mesh(grid: Grid) -> tuple[np.ndarray, list[tuple[str, np.ndarray]]]:
    """Points (N, 3) and cells of the spatial coordinates."""
    axes = grid.axes[: grid.space]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, grid.space)
    numbers = np.arange(len(points)).reshape(tuple(map(len, axes)))
    corners = [
        numbers[tuple(slice(step, step - 1 or None) for step in corner)].reshape(-1) for corner in CORNERS[grid.space]
    ]
    padded = np.concatenate([points, np.zeros((len(points), 3 - grid.space))], axis=1)
    return padded, [(CELLS[grid.space], np.stack(corners, axis=1))]
