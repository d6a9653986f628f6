"""Domains that are given as meshes of triangles or tetrahedra, in files or as arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import sympy as sp

from ..errors import ProblemError
from ..meshfile import read
from .core import Domain, Region, foreign
from .interval import ParameterRange, Time
from .mesh_arrays import Arrays, arrays_of_file, boundary_of, checked, facet_numbers
from .patch import ShapePiece
from .piece import Piece
from .primitive import checked_space, names
from .product import Product
from .similarity import Similarity
from .simplex_patch import SimplexPatch
from .simplices import Simplices

# A turn of the boundary by less than this, in radians, belongs to a curve that the mesh approximates.
LEAST_TURN = 0.35


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Mesh(Domain):
    """A mesh of triangles or tetrahedra: `Mesh((x, y), "part.msh")`; tags of the file name regions.

    Attributes:
        nodes: (n, d).
        cells: (k, d + 1) numbers of nodes, positively oriented.
        tags: name -> numbers of boundary facets, rows of `facets`.
        materials: name -> numbers of cells.
    """

    symbols: tuple[sp.Symbol, ...]
    nodes: np.ndarray
    cells: np.ndarray
    tags: dict[str, np.ndarray]
    materials: dict[str, np.ndarray]

    def __init__(self, space: Sequence[sp.Symbol], path: str | Path, tags: Mapping[str, int] | None = None) -> None:
        """Read a mesh through meshio.

        Args:
            space: (x, y) or (x, y, z).
            path: Gmsh .msh, .vtu, .xdmf, or whatever else meshio reads.
            tags: names for the numbers of boundary parts, where the file has none.

        Raises:
            ProblemError: no such file, a damaged one, or cells other than triangles or tetrahedra.
        """
        symbols = checked_space(space, 3 if len(space) == 3 else 2, "Mesh")
        _store(self, symbols, arrays_of_file(read(path), len(symbols), str(path), tags or {}), str(path))

    @classmethod
    def from_arrays(
        cls,
        space: Sequence[sp.Symbol],
        nodes: Any,
        cells: Any,
        tags: Mapping[str, Any] | None = None,
        materials: Mapping[str, Any] | None = None,
    ) -> Mesh:
        """Return a mesh from arrays.

        Args:
            space: (x, y) or (x, y, z).
            nodes: (n, d).
            cells: (k, d + 1) numbers of nodes.
            tags: name -> (f, d) numbers of the nodes of its boundary facets.
            materials: name -> (c,) numbers of its cells.
        """
        self = object.__new__(cls)
        symbols = checked_space(space, 3 if len(space) == 3 else 2, "Mesh")
        named = {k: np.asarray(v, dtype=int) for k, v in (tags or {}).items()}
        inner = {k: np.asarray(v, dtype=int) for k, v in (materials or {}).items()}
        arrays = np.asarray(nodes, dtype=float), np.asarray(cells, dtype=int), named, inner
        _store(self, symbols, arrays, "Mesh")
        return self

    @cached_property
    def digest(self) -> str:
        """The content in short."""
        labels = [f"{kind} {k} {np.sort(v).tolist()}" for kind, d in self._named for k, v in sorted(d.items())]
        parts = [self.nodes.tobytes(), self.cells.astype(np.int64).tobytes(), "".join(labels).encode()]
        return hashlib.sha256(b"|".join(parts)).hexdigest()

    @property
    def _named(self) -> list[tuple[str, dict[str, np.ndarray]]]:
        return [("tag", self.tags), ("material", self.materials)]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mesh) and (self.symbols, self.digest) == (other.symbols, other.digest)

    def __hash__(self) -> int:
        return hash((self.symbols, self.digest))

    @property
    def space(self) -> tuple[sp.Symbol, ...]:
        """The coordinates, in the order given."""
        return self.symbols

    @property
    def time(self) -> None:
        """A mesh has no time; multiply it by `Time`."""
        return None

    @property
    def parameters(self) -> tuple[sp.Symbol, ...]:
        """A mesh has no parameters; multiply it by `ParameterRange`."""
        return ()

    @property
    def bounds(self) -> np.ndarray:
        """The smallest box around."""
        return self.inside.bounds

    @property
    def text(self) -> str:
        """Readable and canonical text."""
        return f"Mesh({names(self.space)}, {len(self.nodes)} nodes, {len(self.cells)} cells, {self.digest[:16]})"

    def __repr__(self) -> str:
        return self.text

    @cached_property
    def inside(self) -> Simplices:
        """The cells."""
        return Simplices(self.nodes[self.cells])

    @cached_property
    def facets(self) -> np.ndarray:
        """Boundary facets as numbers of nodes (f, d)."""
        return boundary_of(self.cells)[0]

    @cached_property
    def _outward(self) -> np.ndarray:
        facets, opposite = boundary_of(self.cells)
        corners = self.nodes[facets]
        edges = corners[:, 1:] - corners[:, :1]
        normal = (
            np.stack([edges[:, 0, 1], -edges[:, 0, 0]], axis=1)
            if len(self.space) == 2
            else np.cross(*edges.swapaxes(0, 1))
        )
        away = np.einsum("fd,fd->f", normal, self.nodes[opposite] - corners[:, 0])
        normal = normal * np.where(away > 0, -1.0, 1.0)[:, None]
        return normal / np.linalg.norm(normal, axis=1, keepdims=True)

    def _facet_piece(self, chosen: np.ndarray) -> ShapePiece:
        outward = tuple(tuple(n) for n in self._outward[chosen].tolist())
        return ShapePiece(self.space, SimplexPatch(Simplices(self.nodes[self.facets[chosen]]), outward))

    def interior_pieces(self) -> tuple[Piece, ...]:
        """Return all cells as one piece."""
        return (ShapePiece(self.space, SimplexPatch(self.inside)),)

    @cached_property
    def _groups(self) -> dict[tuple[str, ...], ShapePiece]:
        """The boundary facets by the tags that they have."""
        own = [
            tuple(name for name in sorted(self.tags) if k in set(self.tags[name].tolist()))
            for k in range(len(self.facets))
        ]
        kinds = sorted(set(own))
        return {kind: self._facet_piece(np.array([k for k, o in enumerate(own) if o == kind])) for kind in kinds}

    def boundary_pieces(self) -> tuple[Piece, ...]:
        """Return the boundary facets, those with the same tags as one piece."""
        return tuple(self._groups.values())

    def side_pieces(self, coordinate: sp.Symbol, upper: bool) -> tuple[Piece, ...]:
        """Return the facets that lie where a coordinate is least or greatest.

        Raises:
            ProblemError: there are none.
        """
        axis = self.space.index(coordinate)
        value = self.bounds[axis, int(upper)]
        flat = np.all(np.abs(self.nodes[self.facets][:, :, axis] - value) <= 1e-9 * self.inside.scale, axis=1)
        if not flat.any():
            raise ProblemError(
                f"the mesh has no side at {coordinate} = {value:g}; use mesh.region(...) or boundary.where(...)."
            )
        return (self._facet_piece(np.flatnonzero(flat)),)

    def region(self, name: str | int) -> Region:
        """Return the part of the boundary (or of the inside) with a tag.

        Raises:
            ProblemError: there is no such tag.
        """
        key = str(name)
        if key in self.tags:
            return Region.whole(self, [piece for kind, piece in self._groups.items() if key in kind], key)
        if key in self.materials:
            chosen = Simplices(self.nodes[self.cells[self.materials[key]]])
            return Region.whole(self, [ShapePiece(self.space, SimplexPatch(chosen))], key)
        raise ProblemError(f"the mesh has no tag {key!r}; {self._known()}.")

    def _known(self) -> str:
        found = [f"{kind}s {', '.join(sorted(d))}" for kind, d in self._named if d]
        return "it has the " + " and the ".join(found) if found else "it has none, name them in the mesh generator"

    @property
    def corners(self) -> list[tuple[float, float, float]]:
        """The corners in the plane as (x, y, interior angle), where the boundary turns by 20 degrees or more."""
        if len(self.space) != 2:
            return []
        facets, opposite = boundary_of(self.cells)
        a, b, c = self.nodes[facets[:, 0]], self.nodes[facets[:, 1]], self.nodes[opposite]
        left = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0] > 0
        start = np.where(left, facets[:, 0], facets[:, 1])
        direction = np.where(left[:, None], b - a, a - b)
        follows = {int(node): k for k, node in enumerate(start)}
        end = np.where(left, facets[:, 1], facets[:, 0])
        found = []
        for k, node in enumerate(end.tolist()):
            (p, q), (r, s) = direction[k], direction[follows[node]]
            turn = float(np.arctan2(p * s - q * r, p * r + q * s))
            if abs(turn) > LEAST_TURN:
                found.append((float(self.nodes[node, 0]), float(self.nodes[node, 1]), float(np.pi - turn)))
        return found

    def initial_pieces(self) -> tuple[Piece, ...]:
        """A mesh has no first instant."""
        return ()

    def signed_distance(self, points: np.ndarray) -> np.ndarray:
        """Return the distance from the nearest boundary facet, negative inside."""
        x = np.asarray(points, dtype=float)[:, : len(self.space)]
        away = Simplices(self.nodes[self.facets]).distance(x)
        return np.where(self.inside.locate(x) >= 0, -away, away)

    def similar(self, similarity: Similarity) -> Mesh:
        """Return the mesh in new coordinates."""
        factor, shift = similarity.of_space(self.space)
        result = object.__new__(Mesh)
        fields = vars(self) | {"nodes": self.nodes * factor + shift}
        for name in ("symbols", "nodes", "cells", "tags", "materials"):
            object.__setattr__(result, name, fields[name])
        return result

    def adopt(self, region: Region) -> Region:
        """Return a region of this mesh.

        Raises:
            ProblemError: the region belongs to another domain.
        """
        if region.domain != self:
            raise foreign(region, self)
        return region

    def __mul__(self, factor: Time | ParameterRange) -> Product:
        """Return the product with a time interval or a range of a parameter."""
        return Product(self) * factor

    def __or__(self, other: object) -> Domain:
        """Refuse: meshes are not composed."""
        raise ProblemError("a mesh is not composed with other shapes; compose the shapes before they are meshed.")

    __and__ = __sub__ = __ror__ = __rand__ = __rsub__ = __or__


def _store(mesh: Mesh, symbols: tuple[sp.Symbol, ...], arrays: Arrays, where: str) -> None:
    """Check the arrays and set the fields of a mesh."""
    nodes, cells, tags, materials = arrays
    nodes, cells, number = checked(nodes, cells, len(symbols), where)
    facets, _ = boundary_of(cells, where)
    for name, wanted in tags.items():
        if wanted.ndim != 2 or wanted.shape[1] != len(symbols):
            raise ProblemError(
                f"{where}: the tag {name} needs facets of shape (f, {len(symbols)}), not {wanted.shape}."
            )
    named = {name: facet_numbers(facets, number[wanted]) for name, wanted in tags.items()}
    values = {
        "symbols": symbols,
        "nodes": nodes,
        "cells": cells,
        "tags": {name: found for name, found in named.items() if len(found)},
        "materials": {name: np.unique(chosen) for name, chosen in materials.items()},
    }
    for name, value in values.items():
        object.__setattr__(mesh, name, value)
