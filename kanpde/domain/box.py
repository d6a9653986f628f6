"""Boxes in any dimension, intervals of time, ranges of parameters, and their products."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import sympy as sp

from ..errors import ProblemError
from .core import Domain, Region, checked_symbol, finite
from .piece import BoxPiece


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


@dataclass(frozen=True, init=False, repr=False)
class Box(Domain):
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
        _check_names(self.space)

    @property
    def space(self) -> tuple[sp.Symbol, ...]:
        """The coordinates, in the order given."""
        return tuple(interval.symbol for interval in self.intervals)

    @property
    def is_box(self) -> bool:
        """A box is one."""
        return True

    @property
    def time(self) -> None:
        """A box has no time; multiply it by `Time`."""
        return None

    @property
    def parameters(self) -> tuple[sp.Symbol, ...]:
        """A box has no parameters; multiply it by `ParameterRange`."""
        return ()

    @property
    def bounds(self) -> np.ndarray:
        """Lower and upper bounds, (d, 2)."""
        return np.array([[interval.lower, interval.upper] for interval in self.intervals])

    @property
    def text(self) -> str:
        """Readable and canonical text."""
        return ", ".join(interval.text for interval in self.intervals)

    def __repr__(self) -> str:
        return f"Box({self.text})"

    def interior_pieces(self) -> tuple[BoxPiece, ...]:
        """Return the box as one piece."""
        return (BoxPiece(self.space, *_lower_upper(self.intervals)),)

    def boundary_pieces(self) -> tuple[BoxPiece, ...]:
        """Return the 2 d sides, lower before upper, axis by axis."""
        return tuple(self.side_piece(symbol, upper) for symbol in self.space for upper in (False, True))

    def side_piece(self, coordinate: sp.Symbol, upper: bool) -> BoxPiece:
        """Return one side, with its outward normal."""
        axis = self.space.index(coordinate)
        value = self.intervals[axis].upper if upper else self.intervals[axis].lower
        normal = tuple((1.0 if upper else -1.0) if i == axis else 0.0 for i in range(len(self.space)))
        lower, upper_bounds = _lower_upper(self.intervals)
        return BoxPiece(self.space, _set(lower, axis, value), _set(upper_bounds, axis, value), normal)

    def initial_pieces(self) -> tuple[BoxPiece, ...]:
        """A box has no first instant."""
        return ()

    def adopt(self, region: Region) -> Region:
        """Return the region if it is one of this box."""
        if region.domain != self:
            raise _foreign(region, self)
        return region

    def __mul__(self, factor: Time | ParameterRange) -> Product:
        """Return the product with a time interval or a range of a parameter."""
        return Product(self) * factor


@dataclass(frozen=True, repr=False)
class Product(Domain):
    """A spatial domain times an interval of time, times ranges of parameters."""

    factor: Domain
    time_interval: Interval | None = None
    ranges: tuple[Interval, ...] = ()

    @property
    def space(self) -> tuple[sp.Symbol, ...]:
        """The coordinates of the spatial domain."""
        return self.factor.space

    @property
    def is_box(self) -> bool:
        """Whether space is a box."""
        return self.factor.is_box

    @property
    def time(self) -> sp.Symbol | None:
        """The time, if there is one."""
        return None if self.time_interval is None else self.time_interval.symbol

    @property
    def parameters(self) -> tuple[sp.Symbol, ...]:
        """The parameters, in the order of multiplication."""
        return tuple(interval.symbol for interval in self.ranges)

    @property
    def extra(self) -> tuple[Interval, ...]:
        """The intervals after space."""
        return (*(() if self.time_interval is None else (self.time_interval,)), *self.ranges)

    @property
    def bounds(self) -> np.ndarray:
        """Lower and upper bounds, (d, 2): space, time, parameters."""
        extra = np.array([[interval.lower, interval.upper] for interval in self.extra]).reshape(-1, 2)
        return np.concatenate([self.factor.bounds, extra])

    @property
    def text(self) -> str:
        """Readable and canonical text."""
        time = [] if self.time_interval is None else [f"time {self.time_interval.text}"]
        return "; ".join([self.factor.text, *time, *(f"parameter {interval.text}" for interval in self.ranges)])

    def __repr__(self) -> str:
        return f"Product({self.text})"

    def interior_pieces(self) -> tuple[BoxPiece, ...]:
        """Return the spatial pieces for all times and parameters."""
        return self._extruded(self.factor.interior_pieces())

    def boundary_pieces(self) -> tuple[BoxPiece, ...]:
        """Return the boundary of the spatial domain for all times and parameters."""
        return self._extruded(self.factor.boundary_pieces())

    def side_piece(self, coordinate: sp.Symbol, upper: bool) -> BoxPiece:
        """Return one side for all times and parameters."""
        return self._extruded((self.factor.side_piece(coordinate, upper),))[0]

    def initial_pieces(self) -> tuple[BoxPiece, ...]:
        """Return the spatial domain at the first instant, for all parameters."""
        if self.time_interval is None:
            return ()
        start = replace(self.time_interval, upper=self.time_interval.lower)
        return _extrude(self.factor.interior_pieces(), (start, *self.ranges))

    def adopt(self, region: Region) -> Region:
        """Return a region of this domain, or one of a factor of it extended over the others."""
        if region.domain == self:
            return region
        factor = region.domain if isinstance(region.domain, Product) else Product(region.domain)
        if factor.factor != self.factor or any(i not in self.extra for i in factor.extra):
            raise _foreign(region, self)
        missing = tuple(i for i in self.extra if i not in factor.extra)
        parts = tuple((_reordered(_extrude((p,), missing)[0], self.coordinates), when) for p, when in region.parts)
        return Region(self, parts, region.name)

    def __mul__(self, factor: Time | ParameterRange) -> Product:
        """Return the product with a time interval or a range of a parameter.

        Raises:
            ProblemError: a second time, a name that is taken, or something else.
        """
        if isinstance(factor, Time):
            if self.time is not None:
                raise ProblemError(f"the domain has the time {self.time} already; multiply by Time once.")
            product = replace(self, time_interval=factor.interval)
        elif isinstance(factor, ParameterRange):
            product = replace(self, ranges=(*self.ranges, factor.interval))
        else:
            raise ProblemError(f"a domain is multiplied by Time or ParameterRange, not by {factor!r}.")
        _check_names(product.coordinates)
        return product

    def _extruded(self, pieces: tuple[BoxPiece, ...]) -> tuple[BoxPiece, ...]:
        return _extrude(pieces, self.extra)


def _extrude(pieces: Sequence[BoxPiece], intervals: Sequence[Interval]) -> tuple[BoxPiece, ...]:
    lower, upper = _lower_upper(intervals)
    return tuple(piece.extruded([i.symbol for i in intervals], lower, upper) for piece in pieces)


def _reordered(piece: BoxPiece, coordinates: tuple[sp.Symbol, ...]) -> BoxPiece:
    """Return the piece with its coordinates in the order of the domain (time before parameters)."""
    order = [piece.coordinates.index(symbol) for symbol in coordinates]
    lower, upper = tuple(piece.lower[i] for i in order), tuple(piece.upper[i] for i in order)
    return replace(piece, coordinates=coordinates, lower=lower, upper=upper)


def _lower_upper(intervals: Sequence[Interval]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    return tuple(i.lower for i in intervals), tuple(i.upper for i in intervals)


def _set(values: tuple[float, ...], axis: int, value: float) -> tuple[float, ...]:
    return (*values[:axis], value, *values[axis + 1 :])


def _check_names(symbols: Sequence[sp.Symbol]) -> None:
    names = [symbol.name for symbol in symbols]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ProblemError(f"two coordinates of the domain are called {twice[0]}; give each its own name.")


def _foreign(region: Region, domain: Domain) -> ProblemError:
    return ProblemError(
        f"the region {region.name} belongs to another domain ({region.domain.text}) than the problem's "
        f"({domain.text}); take it from the problem's domain."
    )
