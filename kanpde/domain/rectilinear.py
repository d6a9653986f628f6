"""Bodies made of boxes: exact in any dimension, on the grid of all faces."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import sympy as sp

from .bodies import Body, BoxBody, leaves
from .piece import BoxPiece

Ranges = tuple[tuple[int, int], ...]


def is_rectilinear(body: Body) -> bool:
    """Whether a body is made of boxes alone."""
    return all(isinstance(leaf, BoxBody) for leaf in leaves(body))


def interior_boxes(space: Sequence[sp.Symbol], body: Body) -> tuple[BoxPiece, ...]:
    """Return boxes that fill the body, side by side."""
    edges, inside = _cells(body)
    return tuple(_piece(space, edges, ranges) for ranges in _boxes(inside))


def boundary_boxes(space: Sequence[sp.Symbol], body: Body) -> tuple[BoxPiece, ...]:
    """Return the faces of the body, axis by axis."""
    edges, inside = _cells(body)
    return tuple(face for axis in range(len(space)) for face in _faces(space, edges, inside, axis))


def rectilinear_bounds(body: Body) -> np.ndarray:
    """Return the smallest box around, (d, 2); of no rows where the body is empty."""
    edges, inside = _cells(body)
    ranges = list(_boxes(inside))
    if not ranges:
        return np.zeros((0, 2))
    return np.array(
        [[min(own[r[i][0]] for r in ranges), max(own[r[i][1]] for r in ranges)] for i, own in enumerate(edges)]
    )


def _cells(body: Body) -> tuple[list[np.ndarray], np.ndarray]:
    """The planes of all faces, and which cells between them are inside."""
    ends = np.array([[leaf.lower, leaf.upper] for leaf in leaves(body)]).reshape(-1, body.bounds.shape[0])
    edges = [_distinct(column) for column in ends.T]
    centres = itertools.product(*(0.5 * (e[1:] + e[:-1]) for e in edges))
    inside = body.level(np.array(list(centres)).reshape(-1, len(edges))) < 0
    return edges, inside.reshape([len(e) - 1 for e in edges])


def _distinct(values: np.ndarray) -> np.ndarray:
    ordered = np.unique(values)
    tolerance = 1e-12 * max(float(np.abs(ordered).max()), float(np.ptp(ordered)))
    return ordered[np.concatenate([[True], np.diff(ordered) > tolerance])]


def _boxes(inside: np.ndarray) -> Iterator[Ranges]:
    """Yield ranges of cells that fill a mask: equal neighbours along the first axis are one."""
    if inside.ndim == 0:
        if inside:
            yield ()
        return
    start = 0
    for k in range(1, len(inside) + 1):
        if k == len(inside) or not np.array_equal(inside[k], inside[start]):
            yield from (((start, k), *rest) for rest in _boxes(inside[start]))
            start = k


def _piece(space: Sequence[sp.Symbol], edges: Sequence[np.ndarray], ranges: Ranges) -> BoxPiece:
    lower = tuple(float(own[a]) for own, (a, _) in zip(edges, ranges, strict=True))
    upper = tuple(float(own[b]) for own, (_, b) in zip(edges, ranges, strict=True))
    return BoxPiece(tuple(space), lower, upper)


def _faces(space: Sequence[sp.Symbol], edges: Sequence[np.ndarray], inside: np.ndarray, axis: int) -> list[BoxPiece]:
    cells = np.moveaxis(inside, axis, 0)
    nothing = np.zeros_like(cells[:1])
    below, above = np.concatenate([nothing, cells]), np.concatenate([cells, nothing])
    faces = []
    for k, value in enumerate(edges[axis].tolist()):
        for sign, mask in ((-1.0, above[k] & ~below[k]), (1.0, below[k] & ~above[k])):
            found = [(*r[:axis], (k, k), *r[axis:]) for r in _boxes(mask)]
            # The plane of a face may cut the body elsewhere; then no function vanishes on the face alone.
            alone = len(found) == 1 and np.array_equal(mask, below[k] | above[k])
            for ranges in found:
                piece = _piece(space, edges, ranges)
                normal = tuple(sign if i == axis else 0.0 for i in range(len(space)))
                size = float(np.ptp(edges[axis]))
                implicit = sp.Float(sign) * (value - space[axis]) / size if alone else None
                faces.append(BoxPiece(piece.coordinates, piece.lower, piece.upper, normal, implicit=implicit))
    return faces
