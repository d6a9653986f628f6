"""Bodies: sets of points as pure geometry, without symbols, and their algebra.

Every body has a level: negative inside, positive outside, zero on its boundary, and a distance near it. It decides what
is inside; what is exactly on a boundary is decided by curves (`outline`) or by small steps to the side.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from .curves import Arc, Curve, Pair, Segment, polygon_curves

UNION, INTERSECTION, DIFFERENCE = "union", "intersection", "difference"


class Body(Hashable, Protocol):
    """A bounded set with an inside."""

    @property
    def bounds(self) -> np.ndarray:
        """A box around the body, (d, 2); the smallest one for primitives."""

    @property
    def plain(self) -> list[Any]:
        """Canonical values: kind and numbers."""

    def level(self, points: np.ndarray) -> np.ndarray:
        """Return (n,): below zero inside, above zero outside; the signed distance close to the boundary."""

    def scaled(self, factor: float, shift: np.ndarray) -> Body:
        """Return factor * body + shift."""


class PlanarBody(Body, Protocol):
    """A primitive of the plane: its boundary consists of curves."""

    @property
    def curves(self) -> tuple[Curve, ...]:
        """The boundary, with the body on the left."""


@dataclass(frozen=True)
class BoxBody:
    """An interval, rectangle, cuboid or hyper-box."""

    lower: tuple[float, ...]
    upper: tuple[float, ...]

    @property
    def bounds(self) -> np.ndarray:
        """Lower and upper ends."""
        return np.array([self.lower, self.upper]).T

    @property
    def plain(self) -> list[Any]:
        """Kind and numbers."""
        return ["box", *self.lower, *self.upper]

    def level(self, points: np.ndarray) -> np.ndarray:
        """The signed distance."""
        lower, upper = np.array(self.lower), np.array(self.upper)
        away = np.maximum(lower - points, points - upper)
        outside = np.linalg.norm(np.maximum(away, 0.0), axis=1)
        return outside + np.minimum(away.max(axis=1), 0.0)

    def scaled(self, factor: float, shift: np.ndarray) -> BoxBody:
        """Return factor * body + shift."""
        lower, upper = (np.array(v) * factor + shift for v in (self.lower, self.upper))
        return BoxBody(tuple(lower.tolist()), tuple(upper.tolist()))

    @property
    def curves(self) -> tuple[Curve, ...]:
        """The sides of a rectangle, counter-clockwise."""
        (a, c), (b, d) = self.lower, self.upper
        return tuple(polygon_curves([(a, c), (b, c), (b, d), (a, d)]))


@dataclass(frozen=True)
class EllipseBody:
    """A disk or an ellipse."""

    center: Pair
    axes: Pair
    angle: float = 0.0

    @property
    def bounds(self) -> np.ndarray:
        """The smallest box."""
        return self.curves[0].bounds

    @property
    def plain(self) -> list[Any]:
        """Kind and numbers."""
        return ["ellipse", *self.center, *self.axes, self.angle]

    @cached_property
    def curves(self) -> tuple[Curve, ...]:
        """One closed arc."""
        return (Arc(self.center, self.axes, self.angle, 0.0, 2 * np.pi),)

    def level(self, points: np.ndarray) -> np.ndarray:
        """The signed distance of a disk; (q - 1) q / |∇q| · ..., a first-order distance, of an ellipse."""
        arc = self.curves[0]
        assert isinstance(arc, Arc)
        local = (points - np.array(self.center)) @ arc.rotation
        a, b = self.axes
        if a == b:
            return np.linalg.norm(local, axis=1) - a
        q = np.linalg.norm(local / np.array(self.axes), axis=1)
        slope = np.linalg.norm(local / np.array(self.axes) ** 2, axis=1)
        return np.where(slope > 0, (q - 1) * q / np.where(slope > 0, slope, 1.0), -min(a, b))

    def scaled(self, factor: float, shift: np.ndarray) -> EllipseBody:
        """Return factor * body + shift."""
        x, y = (np.array(self.center) * factor + shift).tolist()
        return EllipseBody((x, y), (self.axes[0] * factor, self.axes[1] * factor), self.angle)


@dataclass(frozen=True)
class PolygonBody:
    """A polygon with holes: the outer loop counter-clockwise, holes clockwise."""

    loops: tuple[tuple[Pair, ...], ...]

    @property
    def bounds(self) -> np.ndarray:
        """The smallest box."""
        outer = np.array(self.loops[0])
        return np.stack([outer.min(axis=0), outer.max(axis=0)], axis=1)

    @property
    def plain(self) -> list[Any]:
        """Kind and numbers."""
        return ["polygon", *([list(p) for p in loop] for loop in self.loops)]

    @cached_property
    def curves(self) -> tuple[Curve, ...]:
        """The sides, loop by loop."""
        return tuple(c for loop in self.loops for c in polygon_curves(loop))

    @cached_property
    def _ends(self) -> tuple[np.ndarray, np.ndarray]:
        sides = [c for c in self.curves if isinstance(c, Segment)]
        return np.array([c.start for c in sides]), np.array([c.end for c in sides])

    def level(self, points: np.ndarray) -> np.ndarray:
        """The signed distance: to the nearest side, the sign by counting crossings of a ray."""
        nearest = np.full(len(points), np.inf)
        inside = np.zeros(len(points), dtype=bool)
        for a, b in zip(*self._ends, strict=True):
            v = b - a
            away = points - a
            s = np.clip(away @ v / (v @ v), 0.0, 1.0)
            nearest = np.minimum(nearest, ((away - s[:, None] * v) ** 2).sum(axis=1))
            straddles = (a[1] > points[:, 1]) != (b[1] > points[:, 1])
            if v[1] != 0:
                inside ^= straddles & (away[:, 0] < v[0] * away[:, 1] / v[1])
        return np.sqrt(nearest) * np.where(inside, -1.0, 1.0)

    def scaled(self, factor: float, shift: np.ndarray) -> PolygonBody:
        """Return factor * body + shift."""
        return PolygonBody(
            tuple(
                tuple((float(x * factor + shift[0]), float(y * factor + shift[1])) for x, y in loop)
                for loop in self.loops
            )
        )


@dataclass(frozen=True)
class BallBody:
    """A solid ball."""

    center: tuple[float, ...]
    radius: float

    @property
    def bounds(self) -> np.ndarray:
        """The smallest box."""
        c = np.array(self.center)
        return np.stack([c - self.radius, c + self.radius], axis=1)

    @property
    def plain(self) -> list[Any]:
        """Kind and numbers."""
        return ["ball", *self.center, self.radius]

    def level(self, points: np.ndarray) -> np.ndarray:
        """The signed distance."""
        return np.linalg.norm(points - np.array(self.center), axis=1) - self.radius

    def scaled(self, factor: float, shift: np.ndarray) -> BallBody:
        """Return factor * body + shift."""
        return BallBody(tuple((np.array(self.center) * factor + shift).tolist()), self.radius * factor)


@dataclass(frozen=True)
class CylinderBody:
    """A solid cylinder along a coordinate axis, `base` being the centre of its lower end."""

    base: tuple[float, float, float]
    radius: float
    height: float
    axis: int = 2

    @property
    def across(self) -> list[int]:
        """The two axes across."""
        return [i for i in range(3) if i != self.axis]

    @property
    def bounds(self) -> np.ndarray:
        """The smallest box."""
        lower = np.array(self.base) - self.radius
        upper = np.array(self.base) + self.radius
        lower[self.axis], upper[self.axis] = self.base[self.axis], self.base[self.axis] + self.height
        return np.stack([lower, upper], axis=1)

    @property
    def plain(self) -> list[Any]:
        """Kind and numbers."""
        return ["cylinder", *self.base, self.radius, self.height, self.axis]

    def level(self, points: np.ndarray) -> np.ndarray:
        """The signed distance."""
        away = points - np.array(self.base)
        along = np.maximum(-away[:, self.axis], away[:, self.axis] - self.height)
        radial = np.hypot(*away[:, self.across].T) - self.radius
        outside = np.hypot(np.maximum(along, 0.0), np.maximum(radial, 0.0))
        return outside + np.minimum(np.maximum(along, radial), 0.0)

    def scaled(self, factor: float, shift: np.ndarray) -> CylinderBody:
        """Return factor * body + shift."""
        x, y, z = (np.array(self.base) * factor + shift).tolist()
        return CylinderBody((x, y, z), self.radius * factor, self.height * factor, self.axis)


@dataclass(frozen=True)
class Composed:
    """A union or intersection of bodies, or a first one without the others."""

    operation: str
    operands: tuple[Body, ...]

    @cached_property
    def bounds(self) -> np.ndarray:
        """A box around; the body may be smaller."""
        boxes = np.array([body.bounds for body in self.operands])
        if self.operation == UNION:
            return np.stack([boxes[:, :, 0].min(axis=0), boxes[:, :, 1].max(axis=0)], axis=1)
        if self.operation == INTERSECTION:
            return np.stack([boxes[:, :, 0].max(axis=0), boxes[:, :, 1].min(axis=0)], axis=1)
        return boxes[0]

    @property
    def plain(self) -> list[Any]:
        """Kind and operands."""
        return [self.operation, *(body.plain for body in self.operands)]

    def level(self, points: np.ndarray) -> np.ndarray:
        """The least, the greatest, the greatest of the first and the negatives of the others."""
        levels = [body.level(points) for body in self.operands]
        if self.operation == UNION:
            return np.min(levels, axis=0)
        if self.operation == DIFFERENCE:
            levels = [levels[0], *(-level for level in levels[1:])]
        return np.max(levels, axis=0)

    def scaled(self, factor: float, shift: np.ndarray) -> Composed:
        """Return factor * body + shift."""
        return Composed(self.operation, tuple(body.scaled(factor, shift) for body in self.operands))


def leaves(body: Body) -> Iterator[Any]:
    """Yield the primitives of a body."""
    if isinstance(body, Composed):
        for operand in body.operands:
            yield from leaves(operand)
    else:
        yield body


def length_scale(body: Body) -> float:
    """The greatest number that coordinates are rounded against."""
    bounds = body.bounds
    return float(max(np.max(bounds[:, 1] - bounds[:, 0]), np.abs(bounds).max(), 1e-300))
