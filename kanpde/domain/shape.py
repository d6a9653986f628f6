"""Shapes: bodies in the user's coordinates, and their algebra `a | b`, `a & b`, `a - b`."""

from __future__ import annotations

import abc
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy as sp

from ..errors import ProblemError
from .bodies import DIFFERENCE, INTERSECTION, UNION, Body, Composed, length_scale
from .closure import contains
from .composition import adopted, body_bounds, boundary_pieces, interior_pieces
from .core import Domain, Region, foreign
from .interval import ParameterRange, Time
from .outline import corners, nearest, outline
from .piece import Piece
from .product import Product
from .similarity import Similarity

SIGNS = {UNION: " | ", INTERSECTION: " & ", DIFFERENCE: " - "}


class Shape(Domain):
    """A spatial domain that can be united with others, intersected with them, and have them taken away."""

    @property
    @abc.abstractmethod
    def body(self) -> Body:
        """The shape as pure geometry."""

    @abc.abstractmethod
    def similar(self, similarity: Similarity) -> Shape:
        """Return the shape in new coordinates."""

    @property
    def time(self) -> None:
        """A shape has no time; multiply it by `Time`."""
        return None

    @property
    def parameters(self) -> tuple[sp.Symbol, ...]:
        """A shape has no parameters; multiply it by `ParameterRange`."""
        return ()

    @property
    def bounds(self) -> np.ndarray:
        """The smallest box around, (d, 2)."""
        return self._bounds.copy()

    @cached_property
    def _bounds(self) -> np.ndarray:
        return body_bounds(self.space, self.body)

    @property
    def term(self) -> str:
        """The text as a part of a larger one."""
        return self.text

    @property
    def primitives(self) -> tuple[Shape, ...]:
        """The shapes that this one is composed of, each once."""
        return (self,)

    @property
    def shapes(self) -> Shape:
        """The shape with its operands, for meshes."""
        return self

    @property
    def holes(self) -> tuple[Shape, ...]:
        """The shapes that were taken away and lie inside."""
        return ()

    @property
    def corners(self) -> list[tuple[float, float, float]]:
        """The corners in the plane as (x, y, interior angle), the angle above pi where the domain re-enters."""
        return corners(outline(self.body), 1e-8 * length_scale(self.body)) if len(self.space) == 2 else []

    def interior_pieces(self) -> tuple[Piece, ...]:
        """Return the inside as pieces."""
        return interior_pieces(self.space, self.body)

    def boundary_pieces(self) -> tuple[Piece, ...]:
        """Return the boundary as smooth pieces."""
        return boundary_pieces(self.space, self.body)

    def side_pieces(self, coordinate: sp.Symbol, upper: bool) -> tuple[Piece, ...]:
        """Return the flat parts of the boundary where a coordinate is least or greatest.

        Raises:
            ProblemError: there are none.
        """
        axis = self.space.index(coordinate)
        flat = [0.0] * len(self.space)
        flat[axis] = 1.0 if upper else -1.0
        value = self.bounds[axis, int(upper)]
        scale = 1e-9 * length_scale(self.body)
        found = [p for p in self.boundary_pieces() if p.normal == tuple(flat) and abs(p.lower[axis] - value) <= scale]
        if not found:
            raise ProblemError(
                f"the boundary of {self.text} has no flat side at {coordinate} = {value:g}; "
                f"use domain.boundary.where(...) with a condition on {coordinate}."
            )
        return tuple(found)

    def initial_pieces(self) -> tuple[Piece, ...]:
        """A shape has no first instant."""
        return ()

    def contains(self, points: np.ndarray) -> np.ndarray:
        """Return (n,) bool: which of the points (n, d) lie in the shape or on its boundary."""
        return contains(self.body, np.asarray(points, dtype=float))

    def signed_distance(self, points: np.ndarray) -> np.ndarray:
        """Return (n,): the distance of points (n, d) from the boundary, negative inside.

        Exact for primitives and in the plane; in space it is the distance for the right side of a composed body near
        its faces, and elsewhere a lower bound of its size.
        """
        x = np.asarray(points, dtype=float)[:, : len(self.space)]
        if len(self.space) != 2:
            return self.body.level(x)
        return np.where(contains(self.body, x), -1.0, 1.0) * nearest(outline(self.body), x)

    def adopt(self, region: Region) -> Region:
        """Return a region of a shape that this one is composed of as its part on the boundary (or inside) of this one.

        Raises:
            ProblemError: the region belongs to another domain.
        """
        if region.domain == self:
            return region
        known = set(self.primitives)
        if not isinstance(region.domain, Shape) or not set(region.domain.primitives) <= known:
            raise foreign(region, self)
        parts = [(p, when) for piece, when in region.parts for p in adopted(self.space, self.body, piece)]
        return Region(self, tuple(dict(parts).items()), f"{region.name} of {region.domain.term}")

    def __mul__(self, factor: Time | ParameterRange) -> Product:
        """Return the product with a time interval or a range of a parameter."""
        return Product(self) * factor

    def __or__(self, other: Shape) -> Shape:
        """Return the union."""
        return Combination.of(UNION, self, other)

    def __and__(self, other: Shape) -> Shape:
        """Return the intersection."""
        return Combination.of(INTERSECTION, self, other)

    def __sub__(self, other: Shape) -> Shape:
        """Return the difference."""
        return Combination.of(DIFFERENCE, self, other)


@dataclass(frozen=True, repr=False)
class Combination(Shape):
    """A union or an intersection of shapes, or a first shape without the others."""

    operation: str
    operands: tuple[Shape, ...]

    @classmethod
    def of(cls, operation: str, first: Shape, second: Shape) -> Shape:
        """Return the combination of two shapes; operands that may be exchanged are sorted, chains are one.

        Raises:
            ProblemError: not two shapes of the same coordinates, or nothing is left.
        """
        _check_operands(operation, first, second)
        chained = isinstance(first, Combination) and first.operation == operation
        head = first.operands if chained else (first,)  # type: ignore[attr-defined]
        flat = isinstance(second, Combination) and second.operation == operation and operation != DIFFERENCE
        tail = second.operands if flat else (second,)  # type: ignore[attr-defined]
        ordered = (head[0], *_sorted((*head[1:], *tail))) if operation == DIFFERENCE else _sorted((*head, *tail))
        result = cls(operation, ordered) if len(ordered) > 1 else ordered[0]
        if not len(result.bounds):
            word = "intersection" if operation == INTERSECTION else "difference"
            raise ProblemError(
                f"the {word} of {first.term} and {second.term} is empty; move or resize them so that some is left."
            )
        return result

    def similar(self, similarity: Similarity) -> Combination:
        """Return the shape in new coordinates."""
        return Combination(self.operation, tuple(operand.similar(similarity) for operand in self.operands))

    @property
    def space(self) -> tuple[sp.Symbol, ...]:
        """The coordinates, those of all operands."""
        return self.operands[0].space

    @cached_property
    def body(self) -> Composed:
        """The shape as pure geometry."""
        return Composed(self.operation, tuple(operand.body for operand in self.operands))

    @property
    def text(self) -> str:
        """Readable and canonical text."""
        return "(" + SIGNS[self.operation].join(operand.term for operand in self.operands) + ")"

    def __repr__(self) -> str:
        return f"Shape{self.text}"

    @cached_property
    def primitives(self) -> tuple[Shape, ...]:
        """The shapes that this one is composed of, each once."""
        found = dict.fromkeys(p for operand in self.operands for p in operand.primitives)
        return tuple(found)

    @cached_property
    def holes(self) -> tuple[Shape, ...]:
        """The shapes that were taken away and lie inside."""
        return tuple(_holes(self)) if self.operation == DIFFERENCE else ()

    @property
    def measure(self) -> float:
        """Length, area or volume."""
        return float(sum(piece.measure for piece in self.interior_pieces()))


def _sorted(shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
    return tuple(sorted(dict.fromkeys(shapes), key=lambda shape: shape.term))


def _holes(shape: Combination) -> Iterator[Shape]:
    """Yield the operands taken away (their members, if they are unions) that lie within the first with room around."""
    base, *taken = shape.operands
    for operand in taken:
        inner = isinstance(operand, Combination) and operand.operation == UNION
        for hole in operand.operands if inner else (operand,):  # type: ignore[attr-defined]
            points = np.concatenate([_sample(piece) for piece in hole.boundary_pieces()])
            if np.all(base.body.level(points) < 0):
                yield hole


def _sample(piece: Piece) -> np.ndarray:
    """A lattice of a piece with its corners."""
    line = np.linspace(0.0, 1.0, 65 if piece.dimension == 1 else 17)
    grids = np.meshgrid(*[line] * piece.dimension, indexing="ij")
    return piece.points(np.stack([g.ravel() for g in grids], axis=1) if grids else np.zeros((1, 0)))


def _check_operands(operation: str, first: Shape, second: object) -> None:
    if not isinstance(second, Shape):
        sign = SIGNS[operation].strip()
        raise ProblemError(f"shape {sign} other needs a shape, such as Disk or Box, on both sides, not {second!r}.")
    if first.space != second.space:
        names = [", ".join(map(str, shape.space)) for shape in (first, second)]
        raise ProblemError(
            f"{first.term} has the coordinates ({names[0]}) and {second.term} has ({names[1]}); "
            "make both in the same coordinates, in the same order."
        )
