"""Patches of space: flat and round faces of bodies, and volumes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp

from .bodies import INTERSECTION, BallBody, Body, Composed, CylinderBody, length_scale
from .closure import contains
from .conics import predicate_body
from .curves import Arc
from .outline import outline
from .patch import Patch
from .piece import N_MEASURE, halton
from .planar import AreaPatch, concentric
from .similarity import Similarity
from .sliced import sliced_rule
from .slices import N_GAUSS, across, slab_rule, slice_of, space_bounds, volume

TOLERANCE, STEP = 1e-9, 1e-8


@dataclass(frozen=True)
class FlatPatch:
    """A part of the plane where one coordinate has a value, with the normal along that axis."""

    axis: int
    value: float
    sign: float
    plane: Body

    dimension = 2

    @cached_property
    def area(self) -> AreaPatch:
        """The part as one of the plane of the other two axes."""
        return AreaPatch(self.plane)

    @property
    def measure(self) -> float:
        """The area, exact."""
        return self.area.measure

    @property
    def fraction(self) -> float:
        """The share of the rectangle around, 1 of a disk."""
        return self.area.fraction

    @property
    def plain(self) -> list[Any]:
        """Kind, place, and body of the plane."""
        return ["flat", self.axis, self.value, self.sign, self.plane.plain]

    @property
    def bounds(self) -> np.ndarray:
        """The smallest box around."""
        return np.insert(self.area.bounds, self.axis, self.value, axis=0)

    @property
    def normal(self) -> tuple[float, ...]:
        """The normal along the axis."""
        return tuple(self.sign if i == self.axis else 0.0 for i in range(3))

    def _lifted(self, points: np.ndarray) -> np.ndarray:
        return np.insert(points, self.axis, self.value, axis=1)

    def points(self, unit: np.ndarray) -> np.ndarray:
        """Points of the plane."""
        return self._lifted(self.area.points(unit))

    def normals(self, points: np.ndarray) -> np.ndarray:
        """The normal, once a point."""
        return np.tile(np.array(self.normal), (len(points), 1))

    def contains(self, points: np.ndarray) -> np.ndarray:
        """Which points lie in the plane and within the part."""
        scale = max(length_scale(self.plane), abs(self.value))
        near = np.abs(points[:, self.axis] - self.value) <= TOLERANCE * scale
        return near & self.area.contains(points[:, across(self.axis)])

    def cut(self, predicate: sp.Basic, space: Sequence[sp.Symbol]) -> list[tuple[Patch, sp.Basic]]:
        """Cut exactly where single coordinates are compared with constants."""
        in_plane = predicate.subs(space[self.axis], sp.Float(self.value))
        if in_plane in (sp.true, sp.false):
            return [(self, sp.true)] if in_plane == sp.true else []
        parts = self.area.cut(in_plane, [space[i] for i in across(self.axis)])
        return [
            (self if part is self.area else replace(self, plane=part.body), left)  # type: ignore[attr-defined]
            for part, left in parts
        ]

    def similar(self, similarity: Similarity, space: Sequence[sp.Symbol]) -> FlatPatch:
        """Return the patch in new coordinates."""
        factor, shift = similarity.of_space(space)
        plane = self.plane.scaled(factor, shift[across(self.axis)])
        return FlatPatch(self.axis, similarity.value(space[self.axis], self.value), self.sign, plane)

    def divided(self, other: Patch) -> Sequence[Patch]:  # noqa: ARG002 (curves look at it)
        """Faces are not divided."""
        return [self]

    def rule(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """The sliced rule of the plane."""
        points, weights = self.area.rule(n)
        return self._lifted(points), weights


@dataclass(frozen=True)
class RoundPatch:
    """What a body has of a sphere or of the side of a cylinder; `within` restricts it to other such parts."""

    carrier: BallBody | CylinderBody
    body: Body
    within: tuple[RoundPatch, ...] = ()

    dimension = 2
    normal = ()

    @property
    def plain(self) -> list[Any]:
        """Carrier, body, and restrictions."""
        return ["round", self.carrier.plain, self.body.plain, [other.plain for other in self.within]]

    @property
    def bounds(self) -> np.ndarray:
        """A box around: the common part of the carrier's and the body's."""
        boxes = np.array([self.carrier.bounds, self.body.bounds])
        return np.stack([boxes[:, :, 0].max(axis=0), boxes[:, :, 1].min(axis=0)], axis=1)

    @property
    def axis(self) -> int:
        """The axis that slices are taken across."""
        return self.carrier.axis if isinstance(self.carrier, CylinderBody) else 2

    @property
    def full(self) -> float:
        """The area of the whole sphere or side."""
        r = self.carrier.radius
        return 4 * np.pi * r**2 if isinstance(self.carrier, BallBody) else 2 * np.pi * r * self.carrier.height

    @cached_property
    def fraction(self) -> float:
        """The share of the whole sphere or side."""
        return float(np.mean(self.contains(self.points(halton(N_MEASURE, 2)))))

    @cached_property
    def measure(self) -> float:
        """The area: exact where it is whole, else Gauss over the arcs of slices; sampled where restricted."""
        if self.fraction == 1.0 or self.within:
            return self.full * self.fraction
        return float(np.sum(self.rule(N_GAUSS, 2)[1]))

    def points(self, unit: np.ndarray) -> np.ndarray:
        """Equal shares of the angle and of the height: uniform on spheres too (Archimedes)."""
        angle, height = 2 * np.pi * unit[:, 0], unit[:, 1]
        circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        if isinstance(self.carrier, BallBody):
            z = 2 * height[:, None] - 1
            ball = np.concatenate([np.sqrt(np.maximum(1 - z**2, 0)) * circle, z], axis=1)
            return np.array(self.carrier.center) + self.carrier.radius * ball
        along = self.carrier.height * height
        return np.array(self.carrier.base) + np.insert(self.carrier.radius * circle, self.carrier.axis, along, axis=1)

    def _outward(self, points: np.ndarray) -> np.ndarray:
        if isinstance(self.carrier, BallBody):
            away = points - np.array(self.carrier.center)
        else:
            away = points - np.array(self.carrier.base)
            away[:, self.carrier.axis] = 0.0
        return away / np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-300)

    def _sides(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Whether the body is there a little outside and a little inside of the carrier."""
        step = STEP * length_scale(self.body) * self._outward(points)
        return self.body.level(points + step) < 0, self.body.level(points - step) < 0

    def normals(self, points: np.ndarray) -> np.ndarray:
        """Unit normals out of the body."""
        beyond, _ = self._sides(points)
        return np.where(beyond, -1.0, 1.0)[:, None] * self._outward(points)

    def contains(self, points: np.ndarray) -> np.ndarray:
        """Which points lie on the carrier with the body on one side."""
        tolerance = TOLERANCE * length_scale(self.body)
        on = np.abs(self._radial(points)) <= tolerance
        beyond, below = self._sides(points)
        found = on & (beyond != below)
        for other in self.within:
            found &= other.contains(points)
        return found

    def _radial(self, points: np.ndarray) -> np.ndarray:
        """The distance from the sphere, or from the side within its height."""
        if isinstance(self.carrier, BallBody):
            return self.carrier.level(points)
        away = points - np.array(self.carrier.base)
        radial = np.abs(np.hypot(*away[:, self.carrier.across].T) - self.carrier.radius)
        along = away[:, self.carrier.axis]
        return np.maximum(radial, np.maximum(-along, along - self.carrier.height))

    def cut(self, predicate: sp.Basic, space: Sequence[sp.Symbol]) -> list[tuple[Patch, sp.Basic]]:  # noqa: ARG002
        """Leave predicates to a mask."""
        return [(self, predicate)]

    def similar(self, similarity: Similarity, space: Sequence[sp.Symbol]) -> RoundPatch:
        """Return the patch in new coordinates."""
        within = tuple(other.similar(similarity, space) for other in self.within)
        factors = similarity.of_space(space)
        return RoundPatch(self.carrier.scaled(*factors), self.body.scaled(*factors), within)

    def divided(self, other: Patch) -> Sequence[Patch]:  # noqa: ARG002 (curves look at it)
        """Faces are not divided."""
        return [self]

    def rule(self, n: int, around: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Gauss over heights and over the arcs of each slice; Archimedes: the area is r times angle times height."""
        points, weights = [np.zeros((0, 3))], [np.zeros(0)]
        r = self.carrier.radius
        nodes, factors = np.polynomial.legendre.leggauss(around or max(n, 4))
        low, high = self.carrier.bounds[self.axis]
        for h, w in zip(*map(np.ndarray.tolist, slab_rule(self.body, self.axis, max(n // 2, 8))), strict=True):
            plane, own = slice_of(self.body, self.axis, h), slice_of(self.carrier, self.axis, h)
            if plane is None or own is None or not low < h < high:
                continue
            circle = own.curves[0]  # type: ignore[attr-defined]
            for arc in outline(plane):
                if isinstance(arc, Arc) and arc.same_carrier(circle, TOLERANCE * length_scale(self.body)):
                    points.append(np.insert(arc.at(0.5 + 0.5 * nodes), self.axis, h, axis=1))
                    weights.append(0.5 * factors * w * r * abs(arc.end - arc.start))
        x, weight = np.concatenate(points), np.concatenate(weights)
        keep = np.all([other.contains(x) for other in self.within], axis=0) if self.within else slice(None)
        return x[keep], weight[keep]


@dataclass(frozen=True)
class VolumePatch:
    """The inside of a body of space."""

    body: Body

    dimension = 3
    normal = None

    @property
    def measure(self) -> float:
        """The volume: exact for primitives, else Gauss over slices."""
        if isinstance(self.body, BallBody):
            return 4 / 3 * np.pi * self.body.radius**3
        if isinstance(self.body, CylinderBody):
            return np.pi * self.body.radius**2 * self.body.height
        return volume(self.body)

    @property
    def plain(self) -> list[Any]:
        """The body."""
        return self.body.plain

    @property
    def bounds(self) -> np.ndarray:
        """The smallest box around."""
        return space_bounds(self.body)

    @property
    def fraction(self) -> float:
        """The share of the box around, 1 of a ball or a cylinder."""
        if not isinstance(self.body, Composed):
            return 1.0
        return min(1.0, self.measure / float(np.prod(self.bounds[:, 1] - self.bounds[:, 0])))

    def points(self, unit: np.ndarray) -> np.ndarray:
        """Points of the ball, of the cylinder, or of the box around."""
        if isinstance(self.body, BallBody):
            z, angle, r = 2 * unit[:, 0] - 1, 2 * np.pi * unit[:, 1], np.cbrt(unit[:, 2])[:, None]
            flat = np.sqrt(np.maximum(1 - z**2, 0))
            ball = np.stack([flat * np.cos(angle), flat * np.sin(angle), z], axis=1)
            return np.array(self.body.center) + self.body.radius * r * ball
        if isinstance(self.body, CylinderBody):
            disk = self.body.radius * concentric(unit[:, :2])
            return np.array(self.body.base) + np.insert(disk, self.body.axis, self.body.height * unit[:, 2], axis=1)
        lower, upper = self.bounds.T
        return np.minimum(lower + unit * (upper - lower), upper)

    def normals(self, points: np.ndarray) -> None:  # noqa: ARG002 (faces have some)
        """A volume has none."""
        return None

    def contains(self, points: np.ndarray) -> np.ndarray:
        """Which points lie inside or on the boundary."""
        return contains(self.body, points)

    def cut(self, predicate: sp.Basic, space: Sequence[sp.Symbol]) -> list[tuple[Patch, sp.Basic]]:
        """Cut exactly by planes across an axis and by spheres; leave other predicates to a mask."""
        own = predicate_body(predicate, space, self.bounds)
        if own is None:
            return [(self, predicate)]
        part = VolumePatch(Composed(INTERSECTION, (self.body, own)))
        if not len(space_bounds(part.body)):
            return []
        return [(self if part.measure >= (1 - 1e-12) * self.measure else part, sp.true)]

    def similar(self, similarity: Similarity, space: Sequence[sp.Symbol]) -> VolumePatch:
        """Return the patch in new coordinates."""
        return VolumePatch(self.body.scaled(*similarity.of_space(space)))

    def divided(self, other: Patch) -> Sequence[Patch]:  # noqa: ARG002 (curves look at it)
        """Volumes are not divided."""
        return [self]

    def rule(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Gauss over heights, and the sliced rule of each slice."""
        points, weights = [], []
        for h, w in zip(*map(np.ndarray.tolist, slab_rule(self.body, 2, max(n // 2, 8))), strict=True):
            plane = slice_of(self.body, 2, h)
            if plane is not None:
                x, wx = sliced_rule(outline(plane), n)
                points.append(np.insert(x, 2, h, axis=1))
                weights.append(w * wx)
        return np.concatenate(points), np.concatenate(weights)
