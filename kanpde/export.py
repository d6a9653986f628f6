"""Solutions for other programs: NumPy archives, and meshes for ParaView through meshio."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kanpde.domain import Domain
from kanpde.errors import ProblemError
from kanpde.files import replacing
from kanpde.meshfile import meshio
from kanpde.meshing import mesh_of, space_of

Array = np.ndarray

NODES = {1: 1001, 2: 129, 3: 41}  # along each coordinate of a box, by the number of coordinates
MOST = 1 << 16  # nodes in all where there are more coordinates
MESH_NODES = 15_000  # about as many has the mesh of a shape; a third of it where there are instants too
INSTANTS = 41  # along time, and along each parameter, over a shape
CELLS = {1: "line", 2: "quad", 3: "hexahedron"}
SIMPLICES = {1: "line", 2: "triangle", 3: "tetra"}
# The share of h^d that belongs to a node of a mesh with edges of length h.
SHARES = {1: 1.0, 2: 0.75, 3: 1.1}
# The corners of a cell in VTK's order, as steps along each axis.
CORNERS = {
    1: ((0,), (1,)),
    2: ((0, 0), (1, 0), (1, 1), (0, 1)),
    3: ((0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1)),
}


@dataclass(frozen=True, eq=False)
class Sample:
    """What a solution is at n points: c unknowns, real or complex, over s spatial coordinates.

    Attributes:
        unknowns: names.
        is_complex: one an unknown.
        values: (n, c).
        gradient: (n, c, s).
        correction: (n, c), the estimate of truth - u; None where there is none.
    """

    unknowns: tuple[str, ...]
    is_complex: tuple[bool, ...]
    values: Array
    gradient: Array
    correction: Array | None = None

    @property
    def arrays(self) -> dict[str, Array]:
        """As NumPy holds them: u, u_gradient (n, s), u_correction."""
        found: dict[str, Array] = {}
        for k, name in enumerate(self.unknowns):
            kind = np.asarray if self.is_complex[k] else np.real
            found[name] = kind(self.values[:, k])
            found[f"{name}_gradient"] = kind(self.gradient[:, k])
            if self.correction is not None:
                found[f"{name}_correction"] = kind(self.correction[:, k])
        return found

    @property
    def fields(self) -> dict[str, Array]:
        """As VTK holds them: real ones, and vectors (n, 3).

        u, u_gradient and u_error = |correction|; of a complex one u_re, u_im, u_abs and the gradients of its parts.
        """
        found: dict[str, Array] = {}
        for k, name in enumerate(self.unknowns):
            parts = {f"{name}_re": np.real, f"{name}_im": np.imag} if self.is_complex[k] else {name: np.real}
            found |= {part: take(self.values[:, k]) for part, take in parts.items()}
            found |= {f"{name}_abs": np.abs(self.values[:, k])} if self.is_complex[k] else {}
            found |= {f"{part}_gradient": _padded(take(self.gradient[:, k])) for part, take in parts.items()}
            if self.correction is not None:
                found[f"{name}_error"] = np.abs(self.correction[:, k])
        return found


Sampler = Callable[[Array], Sample]


@dataclass(frozen=True, eq=False)
class Nodes:
    """Where a solution is sampled: a mesh of space, with the instants and parameters at each of its nodes.

    Attributes:
        points: (n, s).
        kind, cells: the cells as meshio names them, (m, corners).
        space: names of the s coordinates.
        others: time, if there is one, and parameters: their names and their nodes.
        axes: of the structured grid that fills a box; () on a mesh.
        has_time: whether the first one of the others is the time.
    """

    points: Array
    kind: str
    cells: Array
    space: tuple[str, ...]
    others: tuple[tuple[str, Array], ...] = ()
    axes: tuple[Array, ...] = ()
    has_time: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """All coordinates."""
        return (*self.space, *(name for name, _ in self.others))

    @property
    def all_points(self) -> Array:
        """(N, d), the last coordinate running fastest."""
        rest = np.stack(np.meshgrid(*(axis for _, axis in self.others), indexing="ij"), axis=-1) if self.others else ()
        table = np.reshape(rest, (-1, len(self.others))) if self.others else np.zeros((1, 0))
        return np.hstack([np.repeat(self.points, len(table), axis=0), np.tile(table, (len(self.points), 1))])

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes of an array with one entry a point: those of the grid, or the nodes of the mesh."""
        space = tuple(map(len, self.axes)) or (len(self.points),)
        return (*space, *(len(axis) for _, axis in self.others))

    def instants(self) -> Iterator[tuple[float, Array]]:
        """Each instant with its points (n, d)."""
        for t in self.others[0][1] if self.has_time else ():
            yield float(t), np.hstack([self.points, np.full((len(self.points), 1), t)])


def export(path: str | Path, domain: Domain, sampler: Sampler, interfaces: Sequence[object] = ()) -> Path:
    """Writes a solution in the format that the suffix names.

    Args:
        path: .npz, .vtu, .vtk or .xdmf.
        domain: where; boxes get a structured grid, whatever else triangles or tetrahedra.
        sampler: points (n, d) -> the solution there.
        interfaces: predicates of materials, whose boundaries the edges of triangles follow.

    Raises:
        ProblemError: another suffix, a format that cannot hold so many coordinates, or a library is missing.
        StoreError: it cannot be written.
    """
    path = Path(path)
    if path.suffix not in WRITERS:
        raise ProblemError(f"{path} has no format to export to; end the name with {', '.join(WRITERS)}")
    _check(path.suffix, domain)
    with replacing(path) as part:
        WRITERS[path.suffix](part, nodes_of(domain, interfaces), sampler)
    return path


def _check(suffix: str, domain: Domain) -> None:
    """Meshes have up to three coordinates, and no parameters; a series has the time besides."""
    if suffix == ".npz" and (domain.is_box or len(domain.space) <= 3):
        return
    if suffix != ".npz":
        meshio()
    held = len(domain.space) + (suffix == ".xdmf" and domain.time is not None)
    if len(domain.space) > 3 or domain.dimension > held or suffix == ".npz":
        series = domain.time is not None and not domain.parameters and len(domain.space) <= 3
        names = ", ".join(map(str, domain.coordinates))
        cure = ".xdmf or .npz" if series else ".npz"
        raise ProblemError(f"{suffix} cannot hold a solution over {names}; export to {cure}")


def nodes_of(domain: Domain, interfaces: Sequence[object] = ()) -> Nodes:
    """The structured grid of a box, or a mesh of another domain with straight cells."""
    names, s = tuple(map(str, domain.coordinates)), len(domain.space)
    count = NODES.get(len(names)) or max(2, round(MOST ** (1 / len(names))))
    lines = [np.linspace(a, b, count if domain.is_box else INSTANTS) for a, b in domain.bounds]
    others = tuple(zip(names[s:], lines[s:], strict=True))
    if domain.is_box:
        points, cells = _grid(lines[:s])
        kind = CELLS.get(s, "")
        return Nodes(points, kind, cells, names[:s], others, tuple(lines[:s]), domain.time is not None)
    space = space_of(domain)
    wanted = MESH_NODES / (3 if others else 1)
    h = float((space.measure / (SHARES[s] * wanted)) ** (1 / s))
    mesh = mesh_of(space, h, order=1, refine_near=(), interfaces=tuple(interfaces))
    used, numbers = np.unique(mesh.cells, return_inverse=True)
    cells = numbers.reshape(mesh.cells.shape)
    return Nodes(mesh.points[used], SIMPLICES[s], cells, names[:s], others, (), domain.time is not None)


def _grid(lines: Sequence[Array]) -> tuple[Array, Array]:
    """Points (n, s) and cells of a structured grid; no cells in more than three dimensions."""
    points = np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1).reshape(-1, len(lines))
    numbers = np.arange(len(points)).reshape(tuple(map(len, lines)))
    corners = [
        numbers[tuple(slice(step, step - 1 or None) for step in corner)].reshape(-1)
        for corner in CORNERS.get(len(lines), ((0,) * len(lines),))
    ]
    return points, np.stack(corners, axis=1)


def _write_npz(path: Path, nodes: Nodes, sampler: Sampler) -> None:
    """The axes of a box, or points and cells; and of every field one entry a node, named as in the problem."""
    where = dict(zip(nodes.space, nodes.axes, strict=True)) if nodes.axes else _mesh_arrays(nodes)
    arrays = sampler(nodes.all_points).arrays
    values = {name: array.reshape(*nodes.shape, *array.shape[1:]) for name, array in arrays.items()}
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **where, **dict(nodes.others), **values)


def _mesh_arrays(nodes: Nodes) -> dict[str, Array]:
    return {"points": nodes.points, "cells": nodes.cells}


def _mesh_writer(form: str) -> Callable[[Path, Nodes, Sampler], None]:
    """A writer of one instant in a format of VTK."""

    def write(path: Path, nodes: Nodes, sampler: Sampler) -> None:
        mesh = meshio().Mesh(_padded(nodes.points), [(nodes.kind, nodes.cells)], sampler(nodes.points).fields)
        mesh.write(path, file_format=form)

    return write


def _write_xdmf(path: Path, nodes: Nodes, sampler: Sampler) -> None:
    """A mesh of the spatial coordinates, with the fields at every instant where there is a time."""
    # Numbers within the XML: meshio's default puts them into <name>.h5, where the solution itself may be.
    with meshio().xdmf.TimeSeriesWriter(path, data_format="XML") as writer:
        writer.write_points_cells(_padded(nodes.points), [(nodes.kind, nodes.cells)])
        for instant, points in nodes.instants() if nodes.has_time else [(0.0, nodes.points)]:
            writer.write_data(instant, point_data=sampler(points).fields)


WRITERS: dict[str, Callable[[Path, Nodes, Sampler], None]] = {
    ".npz": _write_npz,
    ".vtu": _mesh_writer("vtu"),
    ".vtk": _mesh_writer("vtk"),
    ".xdmf": _write_xdmf,
}


def _padded(vectors: Array) -> Array:
    """(n, 3), as VTK wants points and vectors."""
    return np.hstack([vectors, np.zeros((len(vectors), 3 - vectors.shape[1]))])
