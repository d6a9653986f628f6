"""From a mesh file to checked arrays: nodes, cells, named boundary facets, named cells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import ProblemError

# By dimension: what cells and what their facets are called.
KINDS = {2: ("triangle", "line"), 3: ("tetra", "triangle")}
IGNORED = {2: ("vertex",), 3: ("vertex", "line")}
# Names that mesh generators give to the numbers of parts.
NUMBERS = ("gmsh:physical", "medit:ref", "cell_tags", "cell_ids", "CellEntityIds", "tag", "tags")

Named = dict[str, np.ndarray]
Arrays = tuple[np.ndarray, np.ndarray, Named, Named]


def arrays_of_file(mesh: Any, dimension: int, where: str, given: Mapping[str, int]) -> Arrays:
    """Return nodes (n, d), cells (k, d + 1), tags (name -> (f, d) nodes of facets), materials (name -> cells).

    Raises:
        ProblemError: other cells than triangles (tetrahedra in space), or none, or points off the plane.
    """
    cell, facet = KINDS[dimension]
    known = (cell, facet, *IGNORED[dimension])
    alien = sorted({block.type for block in mesh.cells} - set(known))
    if alien:
        raise ProblemError(
            f"{where} has cells of the kind {', '.join(alien)}; write it with straight {cell} cells only."
        )
    cells, numbers = _blocks(mesh, cell, dimension + 1)
    facets, labels = _blocks(mesh, facet, dimension)
    if not len(cells):
        raise ProblemError(f"{where} has no {cell} cells; mesh the inside too, not only the boundary.")
    title = {(int(n), int(d)): str(name) for name, (n, d) in mesh.field_data.items()}
    title |= {(int(n), dimension - 1): str(name) for name, n in given.items()}
    tags = {_title(title, n, dimension - 1): facets[labels == n] for n in sorted(set(labels.tolist())) if n >= 0}
    materials = {
        _title(title, n, dimension): np.flatnonzero(numbers == n) for n in sorted(set(numbers.tolist())) if n >= 0
    }
    for name, part in _sets(mesh, facet, facets).items():
        tags[name] = facets[part]
    for name, part in _sets(mesh, cell, cells).items():
        materials[name] = part
    return _flat(np.asarray(mesh.points, dtype=float), dimension, where), cells, tags, materials


def _title(title: Mapping[tuple[int, int], str], number: int, dimension: int) -> str:
    return title.get((number, dimension), str(number))


def _blocks(mesh: Any, kind: str, width: int) -> tuple[np.ndarray, np.ndarray]:
    """All cells of a kind, with their numbers; -1 without one."""
    name = next((key for key in NUMBERS if key in mesh.cell_data), None)
    cells, numbers = [np.zeros((0, width), dtype=int)], [np.zeros(0, dtype=int)]
    for i, block in enumerate(mesh.cells):
        if block.type == kind:
            cells.append(np.asarray(block.data, dtype=int))
            own = np.full(len(block.data), -1) if name is None else np.asarray(mesh.cell_data[name][i])
            numbers.append(own.astype(int))
    return np.concatenate(cells), np.concatenate(numbers)


def _sets(mesh: Any, kind: str, cells: np.ndarray) -> Named:
    """Named sets of cells of a kind, as numbers among all of that kind."""
    offsets = np.cumsum([0, *(len(b.data) if b.type == kind else 0 for b in mesh.cells)])
    found: Named = {}
    for name, parts in mesh.cell_sets.items():
        chosen = [
            np.asarray(part, dtype=int) + offsets[i]
            for i, part in enumerate(parts)
            if part is not None and mesh.cells[i].type == kind
        ]
        members = np.concatenate([np.zeros(0, dtype=int), *chosen])
        if len(members) and not str(name).startswith("gmsh:") and members.max() < len(cells):
            found[str(name)] = members
    return found


def _flat(points: np.ndarray, dimension: int, where: str) -> np.ndarray:
    if points.shape[1] == dimension:
        return points
    if dimension == 2 and points.shape[1] == 3:
        if np.ptp(points[:, 2]) > 1e-9 * np.ptp(points[:, :2]):
            raise ProblemError(f"the points of {where} do not lie in a plane z = constant; give the mesh (x, y, z).")
        return points[:, :2]
    raise ProblemError(f"the points of {where} have {points.shape[1]} coordinates, not {dimension}.")


def checked(
    nodes: np.ndarray, cells: np.ndarray, dimension: int, where: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the nodes in use, positively oriented cells, and the new number of each old node (-1 if unused).

    Raises:
        ProblemError: wrong shapes, numbers out of range, points that are not finite, cells without extent.
    """
    if nodes.ndim != 2 or nodes.shape[1] != dimension or cells.ndim != 2 or cells.shape[1] != dimension + 1:
        raise ProblemError(
            f"{where}: nodes must have shape (n, {dimension}) and cells (k, {dimension + 1}), "
            f"not {nodes.shape} and {cells.shape}."
        )
    if not len(cells) or cells.min() < 0 or cells.max() >= len(nodes):
        raise ProblemError(f"{where}: cells must number the {len(nodes)} nodes from 0, and there must be some.")
    used = np.unique(cells)
    if not np.isfinite(nodes[used]).all():
        raise ProblemError(f"{where}: some coordinates of nodes are not finite numbers; make the mesh anew.")
    number = np.full(len(nodes), -1)
    number[used] = np.arange(len(used))
    nodes, cells = nodes[used], number[cells]
    volume = np.linalg.det(nodes[cells[:, 1:]] - nodes[cells[:, :1]])
    flat = np.abs(volume) <= 1e-13 * np.abs(volume).max()
    if flat.any():
        raise ProblemError(
            f"{where}: cell {int(np.argmax(flat))} has no extent (its nodes coincide); make the mesh anew."
        )
    turned = cells.copy()
    turned[volume < 0, :2] = cells[volume < 0, 1::-1]
    return nodes, turned, number


def boundary_of(cells: np.ndarray, where: str = "the mesh") -> tuple[np.ndarray, np.ndarray]:
    """Return the facets (f, d) that belong to one cell only, and the node of that cell which faces each.

    Raises:
        ProblemError: a facet of three cells.
    """
    width = cells.shape[1]
    facets = np.concatenate([np.delete(cells, k, axis=1) for k in range(width)])
    opposite = np.concatenate([cells[:, k] for k in range(width)])
    _, first, counts = np.unique(np.sort(facets, axis=1), axis=0, return_index=True, return_counts=True)
    if counts.max() > 2:
        raise ProblemError(f"{where}: a side belongs to {int(counts.max())} cells; cells must not overlap.")
    alone = np.sort(first[counts == 1])
    return facets[alone], opposite[alone]


def facet_numbers(facets: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the numbers of the boundary facets that are among `wanted`; inner ones drop out."""
    rows = {tuple(row): k for k, row in enumerate(np.sort(facets, axis=1).tolist())}
    found = [rows.get(tuple(row), -1) for row in np.sort(wanted, axis=1).tolist()]
    return np.array(sorted({k for k in found if k >= 0}), dtype=int)
