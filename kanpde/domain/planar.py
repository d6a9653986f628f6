"""Patches of the plane: curves of an outline, and areas."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp

from ..expression import Program
from .bodies import INTERSECTION, Body, Composed, EllipseBody
from .closure import contains
from .conics import predicate_body
from .crossings import crossings
from .curves import Curve, Segment, distance, normals, plain
from .outline import area, bounds, outline, split
from .patch import Patch
from .predicate import comparisons, holds
from .similarity import Similarity
from .sliced import sliced_rule

# Samples of a curve between which a predicate is taken to change once at most.
N_CHANGES = 512
TOLERANCE = 1e-10


@dataclass(frozen=True)
class CurvePatch:
    """A curve of the boundary, with the body on its left."""

    curve: Curve

    dimension = 1
    fraction = 1.0

    @property
    def measure(self) -> float:
        """The length."""
        return self.curve.length

    @property
    def plain(self) -> list[Any]:
        """The curve."""
        return plain(self.curve)

    @property
    def bounds(self) -> np.ndarray:
        """The smallest box around."""
        return self.curve.bounds

    @property
    def normal(self) -> tuple[float, ...]:
        """The outward normal of a segment, () of an arc."""
        return tuple(normals(self.curve, 0.5)[0].tolist()) if isinstance(self.curve, Segment) else ()

    def points(self, unit: np.ndarray) -> np.ndarray:
        """Points at equal shares of the arc length."""
        return self.curve.at(self.curve.uniform(unit[:, 0]))

    def normals(self, points: np.ndarray) -> np.ndarray:
        """Outward unit normals."""
        return normals(self.curve, self.curve.locate(points))

    def contains(self, points: np.ndarray) -> np.ndarray:
        """Which points lie on the curve, up to rounding."""
        scale = max(self.curve.length, float(np.abs(self.bounds).max()))
        return distance(self.curve, points) <= TOLERANCE * scale

    def cut(self, predicate: sp.Basic, space: Sequence[sp.Symbol]) -> list[tuple[Patch, sp.Basic]]:
        """Cut the curve where a comparison of the predicate changes, and keep the parts where it holds."""
        program = Program.compile([r.args[0] - r.args[1] for r in comparisons(predicate)], space)

        def values(s: np.ndarray) -> np.ndarray:
            return np.array(program(list(self.curve.at(s).T), np))

        cuts = _changes(values)
        least = 1e-9 * max(self.curve.length, float(np.abs(self.bounds).max()))
        parts = split(self.curve, cuts, least)
        held = [bool(holds(predicate, space, part.at(0.5))[0]) for part in parts]
        if all(held):
            return [(self, sp.true)]
        return [(CurvePatch(part), sp.true) for part, keep in zip(parts, held, strict=True) if keep]

    def similar(self, similarity: Similarity, space: Sequence[sp.Symbol]) -> CurvePatch:
        """Return the patch in new coordinates."""
        return CurvePatch(self.curve.scaled(*similarity.of_space(space)))

    def divided(self, other: Patch) -> Sequence[Patch]:
        """Cut the curve where another one on the same line or ellipse begins and ends."""
        if not isinstance(other, CurvePatch):
            return [self]
        touch = TOLERANCE * max(self.curve.length, float(np.abs(self.bounds).max()))
        if not self.curve.same_carrier(other.curve, 10 * touch):
            return [self]
        parts = split(self.curve, crossings(self.curve, other.curve, 10 * touch), 10 * touch)
        return [CurvePatch(part) for part in parts] if len(parts) > 1 else [self]

    def rule(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Gauss nodes along the arc length."""
        nodes, weights = np.polynomial.legendre.leggauss(n)
        return self.points(0.5 * (nodes[:, None] + 1.0)), 0.5 * weights * self.measure


def _changes(values: Callable[[np.ndarray], np.ndarray]) -> list[float]:
    """Parameters in [0, 1] where one of several functions changes its sign, by bisection."""
    s = np.linspace(0.0, 1.0, N_CHANGES + 1)
    sampled = values(s)
    rows, columns = np.nonzero((sampled[:, :-1] > 0) != (sampled[:, 1:] > 0))
    low, high, positive = s[columns], s[columns + 1], sampled[rows, columns] > 0
    for _ in range(50 if len(rows) else 0):
        middle = 0.5 * (low + high)
        same = (values(middle)[rows, np.arange(len(rows))] > 0) == positive
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    return [float(v) for v in 0.5 * (low + high)]


@dataclass(frozen=True)
class AreaPatch:
    """The inside of a body of the plane."""

    body: Body

    dimension = 2
    normal = None

    @cached_property
    def measure(self) -> float:
        """The area, exact."""
        return area(outline(self.body))

    @property
    def plain(self) -> list[Any]:
        """The body."""
        return self.body.plain

    @cached_property
    def bounds(self) -> np.ndarray:
        """The smallest box around."""
        return bounds(outline(self.body))

    @property
    def fraction(self) -> float:
        """The share of the box around, 1 for a disk or an ellipse."""
        if isinstance(self.body, EllipseBody):
            return 1.0
        return min(1.0, self.measure / float(np.prod(self.bounds[:, 1] - self.bounds[:, 0])))

    def points(self, unit: np.ndarray) -> np.ndarray:
        """Concentric squares become concentric ellipses; else points of the box around."""
        if isinstance(self.body, EllipseBody):
            return np.array(self.body.center) + concentric(unit) @ self.body.curves[0].matrix.T  # type: ignore[union-attr]
        lower, upper = self.bounds.T
        return np.minimum(lower + unit * (upper - lower), upper)

    def normals(self, points: np.ndarray) -> None:  # noqa: ARG002 (curves have some)
        """An area has none."""
        return None

    def contains(self, points: np.ndarray) -> np.ndarray:
        """Which points lie inside or on the boundary."""
        return contains(self.body, points)

    def cut(self, predicate: sp.Basic, space: Sequence[sp.Symbol]) -> list[tuple[Patch, sp.Basic]]:
        """Cut exactly by lines and ellipses; leave other predicates to a mask."""
        own = predicate_body(predicate, space, self.bounds)
        if own is None:
            return [(self, predicate)]
        part = AreaPatch(Composed(INTERSECTION, (self.body, own)))
        if not outline(part.body):
            return []
        return [(self if part.measure >= (1 - 1e-12) * self.measure else part, sp.true)]

    def similar(self, similarity: Similarity, space: Sequence[sp.Symbol]) -> AreaPatch:
        """Return the patch in new coordinates."""
        return AreaPatch(self.body.scaled(*similarity.of_space(space)))

    def divided(self, other: Patch) -> Sequence[Patch]:  # noqa: ARG002 (curves look at it)
        """Areas are not divided."""
        return [self]

    def rule(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """The sliced Gauss rule."""
        return sliced_rule(outline(self.body), n)


def concentric(unit: np.ndarray) -> np.ndarray:
    """Map (n, 2) of the unit square to the unit disk, uniformly and without tearing neighbours far apart.

    Shirley & Chiu 1997, A low distortion map between disk and square.
    """
    a, b = (2.0 * unit - 1.0).T
    wide = np.abs(a) >= np.abs(b)
    r = np.where(wide, a, b)
    safe = np.where(r == 0, 1.0, r)
    phi = np.where(wide, np.pi / 4 * b / safe, np.pi / 2 - np.pi / 4 * a / safe)
    return np.stack([r * np.cos(phi), r * np.sin(phi)], axis=1)
