"""What the shapes that are not composed of others have in common, and the checks of what users give them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sympy as sp

from ..errors import ProblemError
from .core import checked_symbol, finite
from .interval import check_names
from .shape import Shape


def names(space: Sequence[sp.Symbol]) -> str:
    """Return coordinates as a tuple is written."""
    return "(" + ", ".join(map(str, space)) + ")"


def checked_space(space: object, count: int, where: str) -> tuple[sp.Symbol, ...]:
    """Return the coordinates of a shape.

    Raises:
        ProblemError: not so many different symbols.
    """
    names = "(x, y)" if count == 2 else "(x, y, z)"
    if not isinstance(space, Sequence) or isinstance(space, str) or len(space) != count:
        raise ProblemError(f"{where} needs its coordinates first, {where}({names}, ...), not {space!r}.")
    symbols = tuple(checked_symbol(symbol, where) for symbol in space)
    check_names(symbols)
    return symbols


def checked_point(point: object, count: int, what: str) -> tuple[float, ...]:
    """Return a point of `count` finite numbers.

    Raises:
        ProblemError: something else.
    """
    if not isinstance(point, Sequence | np.ndarray | sp.Tuple) or isinstance(point, str) or len(point) != count:
        raise ProblemError(f"{what} needs {count} numbers, not {point!r}.")
    return tuple(finite(value, what) for value in point)


def positive(value: object, what: str) -> float:
    """Return a positive number.

    Raises:
        ProblemError: something else.
    """
    number = finite(value, what)
    if number <= 0:
        raise ProblemError(f"{what} is {number:g}; it must be above zero.")
    return number


@dataclass(frozen=True, init=False, repr=False)
class Primitive(Shape):
    """A shape that is not composed of others."""

    symbols: tuple[sp.Symbol, ...]

    @property
    def space(self) -> tuple[sp.Symbol, ...]:
        """The coordinates, in the order given."""
        return self.symbols

    def __repr__(self) -> str:
        return self.text
