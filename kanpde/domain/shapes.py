"""Round shapes: disks and ellipses of the plane, balls and cylinders of space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sympy as sp

from ..errors import ProblemError
from .bodies import BallBody, CylinderBody, EllipseBody
from .core import finite
from .curves import Pair
from .primitive import Primitive, checked_point, checked_space, names, positive
from .similarity import Similarity


@dataclass(frozen=True, init=False, repr=False)
class Disk(Primitive):
    """A disk: `Disk((x, y), (0, 0), 1)`."""

    center: Pair
    radius: float

    def __init__(self, space: Sequence[sp.Symbol], center: Sequence[Any], radius: Any) -> None:
        """Store coordinates, centre and radius.

        Raises:
            ProblemError: not two symbols, not two finite numbers, or a radius that is not above zero.
        """
        object.__setattr__(self, "symbols", checked_space(space, 2, "Disk"))
        object.__setattr__(self, "center", checked_point(center, 2, "Disk: the center"))
        object.__setattr__(self, "radius", positive(radius, "Disk: the radius"))

    @cached_property
    def body(self) -> EllipseBody:
        """The disk as pure geometry."""
        return EllipseBody(self.center, (self.radius, self.radius))

    def similar(self, similarity: Similarity) -> Disk:
        """Return the shape in new coordinates."""
        body = self.body.scaled(*similarity.of_space(self.space))
        return Disk(self.space, body.center, body.axes[0])

    @property
    def text(self) -> str:
        """Readable and canonical text."""
        return f"Disk({names(self.space)}, {self.center!r}, {self.radius!r})"


@dataclass(frozen=True, init=False, repr=False)
class Ellipse(Primitive):
    """An ellipse with two half axes, turned by an angle: `Ellipse((x, y), (0, 0), (2, 1), angle=sp.pi / 6)`."""

    center: Pair
    axes: Pair
    angle: float

    def __init__(
        self, space: Sequence[sp.Symbol], center: Sequence[Any], axes: Sequence[Any], angle: Any = 0.0
    ) -> None:
        """Store coordinates, centre, half axes and the angle of the first one against x.

        Raises:
            ProblemError: not two symbols, numbers that are not finite, or a half axis that is not above zero.
        """
        object.__setattr__(self, "symbols", checked_space(space, 2, "Ellipse"))
        object.__setattr__(self, "center", checked_point(center, 2, "Ellipse: the center"))
        half = checked_point(axes, 2, "Ellipse: the pair of half axes")
        object.__setattr__(self, "axes", tuple(positive(value, "Ellipse: a half axis") for value in half))
        object.__setattr__(self, "angle", finite(angle, "Ellipse: the angle"))

    @cached_property
    def body(self) -> EllipseBody:
        """The ellipse as pure geometry."""
        return EllipseBody(self.center, self.axes, self.angle)

    def similar(self, similarity: Similarity) -> Ellipse:
        """Return the shape in new coordinates."""
        body = self.body.scaled(*similarity.of_space(self.space))
        return Ellipse(self.space, body.center, body.axes, body.angle)

    @property
    def text(self) -> str:
        """Readable and canonical text."""
        return f"Ellipse({names(self.space)}, {self.center!r}, {self.axes!r}, {self.angle!r})"


@dataclass(frozen=True, init=False, repr=False)
class Sphere(Primitive):
    """A solid ball: `Sphere((x, y, z), (0, 0, 0), 1)`."""

    center: tuple[float, float, float]
    radius: float

    def __init__(self, space: Sequence[sp.Symbol], center: Sequence[Any], radius: Any) -> None:
        """Store coordinates, centre and radius.

        Raises:
            ProblemError: not three symbols, not three finite numbers, or a radius that is not above zero.
        """
        object.__setattr__(self, "symbols", checked_space(space, 3, "Sphere"))
        object.__setattr__(self, "center", checked_point(center, 3, "Sphere: the center"))
        object.__setattr__(self, "radius", positive(radius, "Sphere: the radius"))

    @cached_property
    def body(self) -> BallBody:
        """The ball as pure geometry."""
        return BallBody(self.center, self.radius)

    def similar(self, similarity: Similarity) -> Sphere:
        """Return the shape in new coordinates."""
        body = self.body.scaled(*similarity.of_space(self.space))
        return Sphere(self.space, body.center, body.radius)

    @property
    def text(self) -> str:
        """Readable and canonical text."""
        return f"Sphere({names(self.space)}, {self.center!r}, {self.radius!r})"


@dataclass(frozen=True, init=False, repr=False)
class Cylinder(Primitive):
    """A solid cylinder along a coordinate: `Cylinder((x, y, z), (0, 0, 0), radius=1, height=2, axis=z)`."""

    base: tuple[float, float, float]
    radius: float
    height: float
    axis: sp.Symbol

    def __init__(
        self, space: Sequence[sp.Symbol], base: Sequence[Any], radius: Any, height: Any, axis: sp.Symbol | None = None
    ) -> None:
        """Store coordinates, the centre of the lower end, radius, height, and the coordinate along it (the last).

        Raises:
            ProblemError: not three symbols, numbers that are not finite or not above zero, an axis that is none.
        """
        symbols = checked_space(space, 3, "Cylinder")
        if axis is not None and axis not in symbols:
            raise ProblemError(
                f"Cylinder: the axis is one of {names(symbols)}, not {axis!r}; turn the problem instead."
            )
        object.__setattr__(self, "symbols", symbols)
        object.__setattr__(self, "base", checked_point(base, 3, "Cylinder: the centre of the lower end"))
        object.__setattr__(self, "radius", positive(radius, "Cylinder: the radius"))
        object.__setattr__(self, "height", positive(height, "Cylinder: the height"))
        object.__setattr__(self, "axis", symbols[2] if axis is None else axis)

    @cached_property
    def body(self) -> CylinderBody:
        """The cylinder as pure geometry."""
        return CylinderBody(self.base, self.radius, self.height, self.space.index(self.axis))

    def similar(self, similarity: Similarity) -> Cylinder:
        """Return the shape in new coordinates."""
        body = self.body.scaled(*similarity.of_space(self.space))
        return Cylinder(self.space, body.base, body.radius, body.height, self.axis)

    @property
    def text(self) -> str:
        """Readable and canonical text."""
        return f"Cylinder({names(self.space)}, {self.base!r}, {self.radius!r}, {self.height!r}, {self.axis})"
