"""Polygons of the plane."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp

from ..errors import ProblemError
from .bodies import PolygonBody
from .composition import piece_of_curve
from .core import Region
from .crossings import crossings
from .curves import Pair, Segment, polygon_curves
from .outline import area
from .primitive import Primitive, checked_point, checked_space, names
from .similarity import Similarity


@dataclass(frozen=True, init=False, repr=False)
class Polygon(Primitive):
    """A polygon, which need not be convex, with holes: `Polygon((x, y), [(0, 0), (1, 0), (0, 1)])`."""

    vertices: tuple[Pair, ...]
    loops: tuple[tuple[Pair, ...], ...]

    def __init__(
        self, space: Sequence[sp.Symbol], vertices: Sequence[Sequence[Any]], holes: Sequence[Sequence[Any]] = ()
    ) -> None:
        """Store coordinates and vertices, in either orientation; `holes` are lists of vertices too.

        Raises:
            ProblemError: fewer than three vertices, sides that cross, a hole that is not inside.
        """
        object.__setattr__(self, "symbols", checked_space(space, 2, "Polygon"))
        outer = _checked_loop(vertices, "Polygon")
        inner = [_checked_loop(hole, "a hole of Polygon") for hole in holes]
        object.__setattr__(self, "vertices", outer)
        object.__setattr__(self, "loops", (_turned(outer, True), *(_turned(hole, False) for hole in inner)))
        _check_holes(self.loops)

    @cached_property
    def body(self) -> PolygonBody:
        """The polygon as pure geometry."""
        return PolygonBody(self.loops)

    def similar(self, similarity: Similarity) -> Polygon:
        """Return the shape in new coordinates."""
        loops = self.body.scaled(*similarity.of_space(self.space)).loops
        turned = self.loops[0] != self.vertices
        outer = (loops[0][0], *reversed(loops[0][1:])) if turned else loops[0]
        return Polygon(self.space, outer, loops[1:])

    @property
    def text(self) -> str:
        """Readable and canonical text."""
        holes = "".join(f", without {loop!r}" for loop in self.loops[1:])
        return f"Polygon({names(self.space)}, {self.vertices!r}{holes})"

    def side(self, k: int) -> Region:
        """Return the side from vertex k to the next one, in the order in which the vertices were given.

        Raises:
            ProblemError: there is no such vertex.
        """
        n = len(self.vertices)
        if not -n <= k < n:
            raise ProblemError(f"the polygon has the sides 0 to {n - 1}, not {k}.")
        ends = {self.vertices[k], self.vertices[(k + 1) % n]}
        curve = next(c for c in self.body.curves if isinstance(c, Segment) and {c.start, c.end} == ends)
        wanted = piece_of_curve(self.space, curve)
        own = next((p for p in self.boundary_pieces() if p == wanted), wanted)
        return Region.whole(self, [own], f"side {k % n}")


def _checked_loop(vertices: object, what: str) -> tuple[Pair, ...]:
    if not isinstance(vertices, Sequence | np.ndarray) or isinstance(vertices, str):
        raise ProblemError(f"{what} needs a list of vertices (x, y), not {vertices!r}.")
    points = [checked_point(v, 2, f"{what}: vertex {k}") for k, v in enumerate(vertices)]
    if len(points) > 1 and points[0] == points[-1]:
        points = points[:-1]
    if len(set(points)) < 3:
        raise ProblemError(f"{what} has {len(set(points))} different vertices; it needs at least three.")
    loop = [(p[0], p[1]) for p in points]
    _check_simple(loop, what)
    return tuple(loop)


def _check_simple(loop: Sequence[Pair], what: str) -> None:
    """Raise an error that names two sides which meet other than in their common vertex."""
    n = len(loop)
    if any(a == b for a, b in zip(loop, [*loop[1:], loop[0]], strict=True)):
        twice = next(k for k in range(n) if loop[k] == loop[(k + 1) % n])
        raise ProblemError(f"{what}: vertices {twice} and {(twice + 1) % n} are the same; leave one out.")
    sides = polygon_curves(loop)
    tolerance = 1e-12 * float(np.abs(np.array(loop)).max() + np.ptp(np.array(loop), axis=0).max())
    for i, j in itertools.combinations(range(n), 2):
        meeting = sides[i].at(np.array(crossings(sides[i], sides[j], tolerance)))
        shared = [loop[j]] if j == i + 1 else [loop[i]] if (j + 1) % n == i else []
        alien = [
            p for p in meeting.tolist() if not any(np.hypot(p[0] - a, p[1] - b) <= 10 * tolerance for a, b in shared)
        ]
        if alien:
            p, q = alien[0]
            raise ProblemError(
                f"{what}: the side from vertex {i} meets the side from vertex {j} at ({p:g}, {q:g}); "
                "order the vertices along the boundary, so that no sides cross."
            )
    if abs(area(sides)) <= 1e-14 * float(np.prod(np.ptp(np.array(loop), axis=0))):
        raise ProblemError(f"{what}: all vertices lie on one line; move one off it.")


def _turned(loop: tuple[Pair, ...], counterclockwise: bool) -> tuple[Pair, ...]:
    return loop if (area(polygon_curves(loop)) > 0) == counterclockwise else (loop[0], *reversed(loop[1:]))


def _check_holes(loops: Sequence[tuple[Pair, ...]]) -> None:
    for k, hole in enumerate(loops[1:]):
        others = [loops[0], *loops[1 : k + 1]]
        sides = polygon_curves(hole)
        clear = not any(crossings(a, b, 0.0) for a in sides for loop in others for b in polygon_curves(loop))
        inside = PolygonBody((loops[0],)).level(np.array(hole)) < 0
        outside = [PolygonBody((_turned(loop, True),)).level(np.array(hole)) > 0 for loop in others[1:]]
        if not (clear and inside.all() and np.all(outside)):
            raise ProblemError(
                f"hole {k} of Polygon does not lie inside, clear of the other sides; "
                "move it, or take it away with `polygon - hole`."
            )
