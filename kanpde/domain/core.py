"""What every domain offers, its regions, and points in it."""

from __future__ import annotations

import abc
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import sympy as sp

from ..errors import ProblemError
from ..expression import as_expression, constant_value
from .masked import sharpened
from .piece import BoxPiece, Piece, halton
from .predicate import checked_predicate
from .similarity import Similarity


class Domain(abc.ABC):
    """A set of points (space, then time, then parameters) with an interior, a spatial boundary and an initial time."""

    @property
    @abc.abstractmethod
    def space(self) -> tuple[sp.Symbol, ...]:
        """The spatial coordinates."""

    @property
    @abc.abstractmethod
    def time(self) -> sp.Symbol | None:
        """The time, if the domain has one."""

    @property
    @abc.abstractmethod
    def parameters(self) -> tuple[sp.Symbol, ...]:
        """The coordinates that number a family of problems."""

    @property
    @abc.abstractmethod
    def bounds(self) -> np.ndarray:
        """The smallest box around the domain, (d, 2), in the order of `coordinates`."""

    @property
    @abc.abstractmethod
    def text(self) -> str:
        """Readable and canonical text."""

    @abc.abstractmethod
    def interior_pieces(self) -> tuple[Piece, ...]:
        """Return the pieces that make up the whole domain."""

    @abc.abstractmethod
    def boundary_pieces(self) -> tuple[Piece, ...]:
        """Return the pieces of the boundary of the spatial domain, for all times and parameters."""

    @abc.abstractmethod
    def side_pieces(self, coordinate: sp.Symbol, upper: bool) -> tuple[Piece, ...]:
        """Return the flat parts of the boundary where a spatial coordinate is least or greatest."""

    @abc.abstractmethod
    def initial_pieces(self) -> tuple[Piece, ...]:
        """Return the pieces at the first instant, none without time."""

    @abc.abstractmethod
    def adopt(self, region: Region) -> Region:
        """Return a region of this domain, or of a factor of it, as a region of this domain.

        Raises:
            ProblemError: the region belongs to another domain.
        """

    @abc.abstractmethod
    def similar(self, similarity: Similarity) -> Domain:
        """Return the domain in new coordinates."""

    def scaled(self, factors: Mapping[sp.Symbol, float], shifts: Mapping[sp.Symbol, float] | None = None) -> Domain:
        """Return the domain in the same symbols, each coordinate less its shift and divided by its factor.

        Raises:
            ProblemError: different factors in the directions of a curved shape or a mesh.
        """
        return self.similar(Similarity(dict(factors), dict(shifts or {})))

    @property
    def coordinates(self) -> tuple[sp.Symbol, ...]:
        """Space, time, parameters: the columns of every array of points."""
        return (*self.space, *((self.time,) if self.time is not None else ()), *self.parameters)

    @property
    def dimension(self) -> int:
        """The number of coordinates."""
        return len(self.coordinates)

    @property
    def is_box(self) -> bool:
        """Whether space is a box, so that grids fit the whole domain."""
        return False

    @property
    def measure(self) -> float:
        """Length, area, volume, ..., times the durations."""
        return sum(piece.measure for piece in self.interior_pieces())

    @property
    def shapes(self) -> Domain:
        """The spatial domain, with what it is composed of."""
        return self

    @property
    def holes(self) -> tuple[Domain, ...]:
        """The shapes that were taken away and lie inside."""
        return ()

    @property
    def corners(self) -> list[tuple[float, float, float]]:
        """The corners of a domain of the plane as (x, y, interior angle)."""
        return []

    @property
    def interior(self) -> Region:
        """The whole domain as a region."""
        return Region.whole(self, self.interior_pieces(), "interior")

    @property
    def boundary(self) -> Region:
        """The boundary of the spatial domain, for all times and parameters."""
        return Region.whole(self, self.boundary_pieces(), "boundary")

    @property
    def initial(self) -> Region:
        """The domain at its first instant.

        Raises:
            ProblemError: the domain has no time.
        """
        if self.time is None:
            raise ProblemError("the domain has no time; make it box * Time(t, (0, 1)) to give initial data.")
        start = self.bounds[len(self.space), 0]
        return Region.whole(self, self.initial_pieces(), f"{self.time} = {start:g}")

    def lower(self, coordinate: sp.Symbol) -> Region:
        """Return the side where a spatial coordinate is least."""
        return self._side(coordinate, upper=False)

    def upper(self, coordinate: sp.Symbol) -> Region:
        """Return the side where a spatial coordinate is greatest."""
        return self._side(coordinate, upper=True)

    def _side(self, coordinate: sp.Symbol, upper: bool) -> Region:
        if coordinate not in self.space:
            names = ", ".join(map(str, self.space)) or "none"
            raise ProblemError(f"{coordinate} is not a spatial coordinate of the domain (these are: {names}).")
        value = self.bounds[self.space.index(coordinate), int(upper)]
        return Region.whole(self, self.side_pieces(coordinate, upper), f"{coordinate} = {value:g}")

    def quadrature(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Return points (N, d) and weights (N,) of a rule for the whole domain, with about n points along each axis."""
        rules = [piece.rule(n) for piece in self.interior_pieces()]
        known = [rule for rule in rules if rule is not None]
        assert len(known) == len(rules), "every interior piece has a rule"
        return np.concatenate([x for x, _ in known]), np.concatenate([w for _, w in known])

    @abc.abstractmethod
    def signed_distance(self, points: np.ndarray) -> np.ndarray:
        """Return (n,): the distance of points (n, d) from the boundary of the spatial domain, negative inside."""

    def contains(self, points: np.ndarray) -> np.ndarray:
        """Return (n,) bool: which of the points (n, d) lie in the domain."""
        return self.interior.contains(points)

    def at(self, point: Point) -> Region:
        """Return a point of the domain as a region; coordinates that it leaves out stay free.

        Raises:
            ProblemError: a coordinate that the domain lacks, or a point outside.
        """
        given = dict(point.values)
        for symbol in given:
            if symbol not in self.coordinates:
                raise ProblemError(f"{point} names {symbol}, which is not a coordinate of the domain.")
        missing = [str(s) for s in self.space if s not in given]
        if missing:
            raise ProblemError(f"{point} leaves {', '.join(missing)} open; a point needs every spatial coordinate.")
        lower = tuple(given.get(s, a) for s, a in zip(self.coordinates, self.bounds[:, 0].tolist(), strict=True))
        upper = tuple(given.get(s, b) for s, b in zip(self.coordinates, self.bounds[:, 1].tolist(), strict=True))
        if not self.contains(np.array([lower])).all():
            raise ProblemError(f"{point} lies outside the domain {self.text}.")
        return Region.whole(self, [BoxPiece(self.coordinates, lower, upper)], str(point))


@dataclass(frozen=True)
class Region:
    """A union of whole pieces of a domain (its sides, its interior), each with a predicate that selects part of it."""

    domain: Domain
    parts: tuple[tuple[Piece, sp.Basic], ...]
    name: str

    @classmethod
    def whole(cls, domain: Domain, pieces: Iterable[Piece], name: str) -> Region:
        """Return the union of pieces, each taken whole."""
        return cls(domain, tuple((piece, sp.true) for piece in pieces), name)

    def where(self, predicate: object) -> Region:
        """Return the part where a condition on the coordinates holds, such as `x < 0`.

        Raises:
            ProblemError: not a condition, or one that uses other symbols than the coordinates.
        """
        condition = checked_predicate(predicate, self.domain.coordinates)
        parts = tuple((piece, sp.And(old, condition)) for piece, old in self.parts)
        return self._named(parts, f"{self.name} where {predicate}")

    def __or__(self, other: Region) -> Region:
        """Return the union."""
        mine, theirs = self._aligned(other)
        parts = {piece: sp.Or(old, theirs.get(piece, sp.false)) for piece, old in mine.items()}
        parts |= {piece: new for piece, new in theirs.items() if piece not in mine}
        return self._named(tuple(parts.items()), f"{self.name} or {other.name}")

    def __and__(self, other: Region) -> Region:
        """Return the intersection; two different sides meet in a set of measure zero, which counts as empty."""
        mine, theirs = self._aligned(other)
        parts = tuple((piece, sp.And(old, theirs[piece])) for piece, old in mine.items() if piece in theirs)
        return self._named(parts, f"({self.name}) and ({other.name})")

    def __sub__(self, other: Region) -> Region:
        """Return the difference."""
        mine, theirs = self._aligned(other)
        parts = tuple((piece, sp.And(old, sp.Not(theirs.get(piece, sp.false)))) for piece, old in mine.items())
        return self._named(parts, f"{self.name} without {other.name}")

    def scaled(self, factors: Mapping[sp.Symbol, float], shifts: Mapping[sp.Symbol, float] | None = None) -> Region:
        """Return the region of the scaled domain: each coordinate less its shift and divided by its factor."""
        similarity = Similarity(dict(factors), dict(shifts or {}))
        parts = tuple((piece.similar(similarity), similarity.expression(when)) for piece, when in self.parts)
        return Region(self.domain.similar(similarity), parts, self.name)

    def pieces(self) -> tuple[Piece, ...]:
        """Return the pieces, cut to where the predicates hold; empty if nothing is selected."""
        return self._pieces

    @cached_property
    def _pieces(self) -> tuple[Piece, ...]:
        cuts = [cut for piece, predicate in self.parts for cut in piece.cut(predicate)]
        return tuple(part for cut in cuts for part in sharpened(cut, len(self.domain.space)))

    def contains(self, points: np.ndarray) -> np.ndarray:
        """Return (n,) bool: which of the points (n, d) lie in the region, up to rounding."""
        found = np.zeros(len(points), dtype=bool)
        for piece in self.pieces():
            found |= piece.contains(points)
        return found

    @property
    def measure(self) -> float:
        """The sum of the measures of the pieces."""
        return sum((piece.measure for piece in self.pieces()), 0.0)

    @property
    def text(self) -> str:
        """Canonical text for signatures: the order in which the region was put together does not matter."""
        return json.dumps(sorted(piece.text for piece in self.pieces()))

    def __repr__(self) -> str:
        return f"Region({self.name})"

    def _named(self, parts: tuple[tuple[Piece, sp.Basic], ...], name: str) -> Region:
        return replace(self, parts=tuple(part for part in parts if part[1] != sp.false), name=name)

    def _aligned(self, other: Region) -> tuple[dict[Piece, sp.Basic], dict[Piece, sp.Basic]]:
        if self.domain != other.domain:
            raise ProblemError(
                f"{self.name} and {other.name} belong to different domains; take both from the same one."
            )
        mine, theirs = dict(self.parts), dict(other.parts)
        if mine.keys() <= theirs.keys() or theirs.keys() <= mine.keys():
            return mine, theirs
        mine, theirs = _divided(mine, theirs), _divided(theirs, mine)
        same = {q: next((p for p in mine if _same(p, q)), q) for q in theirs}
        return mine, {same[q]: when for q, when in theirs.items()}


def _divided(pieces: dict[Piece, sp.Basic], others: dict[Piece, sp.Basic]) -> dict[Piece, sp.Basic]:
    """Cut pieces of the boundary where others begin and end, so that two of them coincide or do not overlap."""
    for other in others:
        pieces = {part: when for piece, when in pieces.items() for part in piece.divided(other)}
    return pieces


def _same(piece: Piece, other: Piece) -> bool:
    """Whether two divided pieces are one but for rounding."""
    if piece == other:
        return True
    if piece.dimension != other.dimension or not np.isclose(piece.measure, other.measure, rtol=1e-9):
        return False
    return bool(piece.contains(other.points(halton(3, other.dimension))).all())


def foreign(region: Region, domain: Domain) -> ProblemError:
    """Return the error of a region that belongs elsewhere."""
    return ProblemError(
        f"the region {region.name} belongs to another domain ({region.domain.text}) than the problem's "
        f"({domain.text}); take it from the problem's domain."
    )


@dataclass(frozen=True, init=False)
class Point:
    """A point, for `on=`: `Point({x: 0, y: 0})`; where time and parameters are left out it is there always."""

    values: tuple[tuple[sp.Symbol, float], ...]

    def __init__(self, values: Mapping[sp.Symbol, float]) -> None:
        """Store the coordinates.

        Raises:
            ProblemError: a key that is not a symbol, or a value that is not a finite number.
        """
        checked = tuple((checked_symbol(s, "Point"), finite(v, f"Point: {s}")) for s, v in values.items())
        object.__setattr__(self, "values", checked)

    def __str__(self) -> str:
        return ", ".join(f"{symbol} = {value:g}" for symbol, value in self.values)


def checked_symbol(symbol: object, where: str) -> sp.Symbol:
    """Return `symbol` if it is one.

    Raises:
        ProblemError: it is not.
    """
    if not isinstance(symbol, sp.Symbol):
        raise ProblemError(f"{where} needs SymPy symbols as coordinates, not {symbol!r}; make them with sp.symbols.")
    return symbol


def finite(value: object, what: str) -> float:
    """Return a number as a float.

    Raises:
        ProblemError: not a number, or not a finite one.
    """
    expression = as_expression(value)
    number = constant_value(expression) if not expression.free_symbols else float("nan")
    if not np.isfinite(number):
        raise ProblemError(f"{what} needs a finite number, not {value}.")
    return float(number)
