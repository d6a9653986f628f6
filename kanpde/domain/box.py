"""Boxes in any dimension."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import sympy as sp

from ..errors import ProblemError
from .bodies import BoxBody
from .interval import Interval, ParameterRange, Time, check_names, lower_upper
from .piece import BoxPiece
from .product import Product
from .shape import Shape
from .similarity import Similarity

__all__ = ["Box", "Interval", "ParameterRange", "Product", "Time"]


@dataclass(frozen=True, init=False, repr=False)
class Box(Shape):
    """An interval, rectangle, cuboid or hyper-box: `Box({x: (-1, 1), y: (0, sp.pi)})`."""

    intervals: tuple[Interval, ...]

    def __init__(self, intervals: Mapping[sp.Symbol, Sequence[float]]) -> None:
        """Store the intervals, in the order given, which is the order of the columns of points.

        Raises:
            ProblemError: no interval, an empty, inverted or infinite one, or two coordinates of the same name.
        """
        if not isinstance(intervals, Mapping) or not intervals:
            raise ProblemError("Box needs its coordinates and their intervals, such as Box({x: (-1, 1), y: (-1, 1)}).")
        checked = tuple(Interval.checked(symbol, bounds, "Box") for symbol, bounds in intervals.items())
        object.__setattr__(self, "intervals", checked)
        check_names(self.space)

    @property
    def space(self) -> tuple[sp.Symbol, ...]:
        """The coordinates, in the order given."""
        return tuple(interval.symbol for interval in self.intervals)

    @property
    def is_box(self) -> bool:
        """A box is one."""
        return True

    @property
    def body(self) -> BoxBody:
        """The box as pure geometry."""
        return BoxBody(*lower_upper(self.intervals))

    @property
    def bounds(self) -> np.ndarray:
        """Lower and upper bounds, (d, 2)."""
        return np.array([[interval.lower, interval.upper] for interval in self.intervals])

    @property
    def text(self) -> str:
        """Readable and canonical text."""
        return ", ".join(interval.text for interval in self.intervals)

    @property
    def term(self) -> str:
        """The text as a part of a larger one."""
        return f"Box({self.text})"

    def __repr__(self) -> str:
        return self.term

    def similar(self, similarity: Similarity) -> Box:
        """Return the box in new coordinates; each may have its own factor."""
        return Box({i.symbol: (i.lower, i.upper) for i in (own.similar(similarity) for own in self.intervals)})

    def interior_pieces(self) -> tuple[BoxPiece, ...]:
        """Return the box as one piece."""
        return (BoxPiece(self.space, *lower_upper(self.intervals)),)

    def boundary_pieces(self) -> tuple[BoxPiece, ...]:
        """Return the 2 d sides, lower before upper, axis by axis."""
        return tuple(self.side_piece(symbol, upper) for symbol in self.space for upper in (False, True))

    def side_pieces(self, coordinate: sp.Symbol, upper: bool) -> tuple[BoxPiece, ...]:
        """Return one side as the only piece."""
        return (self.side_piece(coordinate, upper),)

    def side_piece(self, coordinate: sp.Symbol, upper: bool) -> BoxPiece:
        """Return one side, with its outward normal."""
        axis = self.space.index(coordinate)
        a, b = self.intervals[axis].lower, self.intervals[axis].upper
        value, distance = (b, b - coordinate) if upper else (a, coordinate - a)
        normal = tuple((1.0 if upper else -1.0) if i == axis else 0.0 for i in range(len(self.space)))
        lower, upper_bounds = lower_upper(self.intervals)
        ends = _set(lower, axis, value), _set(upper_bounds, axis, value)
        return BoxPiece(self.space, *ends, normal, implicit=distance / (b - a))


def _set(values: tuple[float, ...], axis: int, value: float) -> tuple[float, ...]:
    return (*values[:axis], value, *values[axis + 1 :])
