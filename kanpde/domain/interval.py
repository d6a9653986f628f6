"""Intervals: of a coordinate, of time, and of a parameter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sympy as sp

from ..errors import ProblemError
from .core import checked_symbol, finite
from .similarity import Similarity


@dataclass(frozen=True)
class Interval:
    """A coordinate with its bounds."""

    symbol: sp.Symbol
    lower: float
    upper: float

    @classmethod
    def checked(cls, symbol: object, bounds: Sequence[object], where: str) -> Interval:
        """Return the interval.

        Raises:
            ProblemError: not a symbol, not two finite numbers, empty or inverted.
        """
        name = checked_symbol(symbol, where)
        if not isinstance(bounds, Sequence | np.ndarray) or len(bounds) != 2:
            raise ProblemError(f"{where}: the interval of {name} needs two numbers (a, b), not {bounds!r}.")
        a, b = (finite(value, f"{where}: the interval of {name}") for value in bounds)
        if not a < b:
            cure = f"write ({b:g}, {a:g})" if b < a else "give it a positive length"
            raise ProblemError(f"{where}: the interval ({a:g}, {b:g}) of {name} is {_fault(a, b)}; {cure}.")
        return cls(name, a, b)

    def similar(self, similarity: Similarity) -> Interval:
        """Return the interval in new coordinates."""
        return Interval(self.symbol, *similarity.values((self.symbol, self.symbol), (self.lower, self.upper)))

    @property
    def text(self) -> str:
        """The interval as a formula."""
        return f"{self.symbol} in [{self.lower!r}, {self.upper!r}]"


def _fault(a: float, b: float) -> str:
    return "inverted" if b < a else "empty"


@dataclass(frozen=True, init=False)
class Time:
    """An interval of time, to be multiplied to a spatial domain: `Box({x: (0, 1)}) * Time(t, (0, 2))`."""

    interval: Interval

    def __init__(self, symbol: sp.Symbol, bounds: Sequence[float]) -> None:
        """Store the interval.

        Raises:
            ProblemError: an empty, inverted or infinite interval.
        """
        object.__setattr__(self, "interval", Interval.checked(symbol, bounds, "Time"))


@dataclass(frozen=True, init=False)
class ParameterRange:
    """A range of a parameter, to be multiplied to a domain: a family of problems, solved at once."""

    interval: Interval

    def __init__(self, symbol: sp.Symbol, bounds: Sequence[float]) -> None:
        """Store the interval.

        Raises:
            ProblemError: an empty, inverted or infinite interval.
        """
        object.__setattr__(self, "interval", Interval.checked(symbol, bounds, "ParameterRange"))


def lower_upper(intervals: Sequence[Interval]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the lower and the upper ends."""
    return tuple(i.lower for i in intervals), tuple(i.upper for i in intervals)


def check_names(symbols: Sequence[sp.Symbol]) -> None:
    """Raise an error that names a coordinate which occurs twice."""
    names = [symbol.name for symbol in symbols]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ProblemError(f"two coordinates of the domain are called {twice[0]}; give each its own name.")
