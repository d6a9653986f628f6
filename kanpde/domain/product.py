"""Products of a spatial domain with an interval of time and ranges of parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import sympy as sp

from ..errors import ProblemError
from .core import Domain, Region, foreign
from .interval import Interval, ParameterRange, Time, check_names, lower_upper
from .piece import Piece, box_rule, product_rule
from .similarity import Similarity


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

    def interior_pieces(self) -> tuple[Piece, ...]:
        """Return the spatial pieces for all times and parameters."""
        return self._extruded(self.factor.interior_pieces())

    def boundary_pieces(self) -> tuple[Piece, ...]:
        """Return the boundary of the spatial domain for all times and parameters."""
        return self._extruded(self.factor.boundary_pieces())

    def side_pieces(self, coordinate: sp.Symbol, upper: bool) -> tuple[Piece, ...]:
        """Return one side for all times and parameters."""
        return self._extruded(self.factor.side_pieces(coordinate, upper))

    def initial_pieces(self) -> tuple[Piece, ...]:
        """Return the spatial domain at the first instant, for all parameters."""
        if self.time_interval is None:
            return ()
        start = replace(self.time_interval, upper=self.time_interval.lower)
        return _extrude(self.factor.interior_pieces(), (start, *self.ranges))

    def adopt(self, region: Region) -> Region:
        """Return a region of this domain, or one of a factor of it or of a component, extended over the rest."""
        if region.domain == self:
            return region
        other = region.domain if isinstance(region.domain, Product) else Product(region.domain)
        if any(i not in self.extra for i in other.extra) or other.space != self.space:
            raise foreign(region, self)
        if other.factor != self.factor:
            region = _adopted(self.factor, other, region)
        missing = tuple(i for i in self.extra if i not in other.extra)
        parts = tuple((_extrude((p,), missing)[0].reordered(self.coordinates), when) for p, when in region.parts)
        return Region(self, parts, region.name)

    @property
    def shapes(self) -> Domain:
        """The spatial domain."""
        return self.factor.shapes

    @property
    def holes(self) -> tuple[Domain, ...]:
        """The holes of the spatial domain."""
        return self.factor.holes

    @property
    def corners(self) -> list[tuple[float, float, float]]:
        """The corners of the spatial domain."""
        return self.factor.corners

    def similar(self, similarity: Similarity) -> Product:
        """Return the domain in new coordinates."""
        time = None if self.time_interval is None else self.time_interval.similar(similarity)
        return Product(self.factor.similar(similarity), time, tuple(i.similar(similarity) for i in self.ranges))

    def signed_distance(self, points: np.ndarray) -> np.ndarray:
        """Return the distance in space, whatever time and parameters are."""
        return self.factor.signed_distance(np.asarray(points, dtype=float)[:, : len(self.space)])

    def quadrature(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the rule of space times Gauss with n points an interval."""
        ends = lower_upper(self.extra)
        return product_rule(*self.factor.quadrature(n), *box_rule(np.array(ends[0]), np.array(ends[1]), n))

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
        check_names(product.coordinates)
        return product

    def _extruded(self, pieces: tuple[Piece, ...]) -> tuple[Piece, ...]:
        return _extrude(pieces, self.extra)


def _extrude(pieces: Sequence[Piece], intervals: Sequence[Interval]) -> tuple[Piece, ...]:
    lower, upper = lower_upper(intervals)
    return tuple(piece.extruded([i.symbol for i in intervals], lower, upper) for piece in pieces)


def _adopted(space: Domain, other: Product, region: Region) -> Region:
    """A region of a component, for some times and parameters, as one of the composed domain."""
    parts = []
    for piece, when in region.parts:
        spatial, symbols, lower, upper = piece.separated(len(space.space))
        own = space.adopt(Region.whole(other.factor, [spatial], region.name))
        parts += [(p.extruded(symbols, lower, upper), when) for p, _ in own.parts]
    return Region(other, tuple(parts), region.name)
