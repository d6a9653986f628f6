"""Pieces: parts of a domain, each with one chart from the unit cube, on which points are spread."""

from __future__ import annotations

import itertools
import json
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np
import sympy as sp

from ..expression import to_tree
from .predicate import holds, thresholds
from .similarity import Similarity

# Points that measure a piece cut by a curved predicate: fixed ones, for the measure must not change between runs.
N_MEASURE = 4096
# Beyond rounding of coordinates, relative to the piece.
TOLERANCE = 1e-10


@runtime_checkable
class Piece(Hashable, Protocol):
    """A part of a domain of one dimension m, with a chart from [0, 1]^m."""

    @property
    def coordinates(self) -> tuple[sp.Symbol, ...]:
        """The coordinates of the domain: space, time, parameters."""

    @property
    def lower(self) -> tuple[float, ...]:
        """The least coordinates; equal to the greatest where the piece has a fixed one."""

    @property
    def upper(self) -> tuple[float, ...]:
        """The greatest coordinates."""

    @property
    def normal(self) -> tuple[float, ...] | None:
        """The outward unit normal of a flat piece of the boundary, () of a curved one, None off the boundary."""

    @property
    def predicate(self) -> sp.Basic:
        """What else must hold on the piece."""

    @property
    def implicit(self) -> sp.Expr | None:
        """A smooth function that vanishes on the piece and nowhere else in the closed domain, about 1 inside it."""

    @property
    def fraction(self) -> float:
        """The part of the unit cube that is mapped to the piece and counts."""

    @property
    def dimension(self) -> int:
        """m: 0 for a point, 1 for a curve, ..."""

    @property
    def measure(self) -> float:
        """Length, area or volume; 1 for a point. Only the part where the predicate holds counts."""

    @property
    def text(self) -> str:
        """Canonical text, for signatures."""

    def points(self, unit: np.ndarray) -> np.ndarray:
        """Map (n, m) from the unit cube to (n, d), uniformly in measure; `contains` tells where the predicate holds."""

    def normals(self, points: np.ndarray) -> np.ndarray | None:
        """Return the outward unit normals (n, d_space) at points of the piece, None off the boundary."""

    def contains(self, points: np.ndarray) -> np.ndarray:
        """Return (n,) bool: which of the points (n, d) lie on the piece and satisfy its predicate."""

    def extruded(self, coordinates: Sequence[sp.Symbol], lower: Sequence[float], upper: Sequence[float]) -> Piece:
        """Return the product of the piece with a box over further coordinates."""

    def reordered(self, coordinates: Sequence[sp.Symbol]) -> Piece:
        """Return the piece with its coordinates after space in another order."""

    def separated(self, dimension: int) -> tuple[Piece, tuple[sp.Symbol, ...], tuple[float, ...], tuple[float, ...]]:
        """Return the piece in the first `dimension` coordinates alone, and the others with their ends."""

    def divided(self, other: Piece) -> tuple[Piece, ...]:
        """Return parts of the piece, each of which lies on `other` wholly or not at all."""

    def similar(self, similarity: Similarity) -> Piece:
        """Return the piece in new coordinates."""

    def cut(self, predicate: sp.Basic) -> tuple[Piece, ...]:
        """Return the parts where `predicate` holds."""

    def rule(self, n: int) -> tuple[np.ndarray, np.ndarray] | None:
        """Return quadrature points and weights, about n along each axis; None where there is no rule."""


@dataclass(frozen=True)
class BoxPiece:
    """An axis-aligned box lower <= x <= upper, with fixed axes where the two agree, cut by an optional predicate."""

    coordinates: tuple[sp.Symbol, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    normal: tuple[float, ...] | None = None
    predicate: sp.Basic = sp.true
    implicit: sp.Expr | None = field(default=None, compare=False, repr=False)

    @property
    def free(self) -> tuple[int, ...]:
        """The axes along which the piece extends."""
        return tuple(i for i, (a, b) in enumerate(zip(self.lower, self.upper, strict=True)) if a < b)

    @property
    def dimension(self) -> int:
        """The number of free axes."""
        return len(self.free)

    @cached_property
    def fraction(self) -> float:
        """The part of the box where the predicate holds: 1 without one, else estimated to about 1e-3."""
        if self.predicate == sp.true:
            return 1.0
        sample = self.points(halton(N_MEASURE, self.dimension))
        return float(np.mean(holds(self.predicate, self.coordinates, sample)))

    @property
    def measure(self) -> float:
        """The product of the free edges times the fraction where the predicate holds."""
        return float(np.prod([self.upper[i] - self.lower[i] for i in self.free])) * self.fraction

    @property
    def text(self) -> str:
        """Bounds and predicate."""
        bounds = [[str(c), a, b] for c, a, b in zip(self.coordinates, self.lower, self.upper, strict=True)]
        return json.dumps([bounds, self.normal, to_tree(self.predicate)])

    @property
    def centre(self) -> np.ndarray:
        """The midpoint, (1, d)."""
        return self.points(np.full((1, self.dimension), 0.5))

    def points(self, unit: np.ndarray) -> np.ndarray:
        """Map (n, m) from the unit cube to (n, d)."""
        lower, upper = np.array(self.lower), np.array(self.upper)
        points = np.tile(lower, (len(unit), 1))
        free = list(self.free)
        points[:, free] += unit * (upper - lower)[free]
        # a + 1 * (b - a) may pass b by a rounding error.
        return np.clip(points, lower, upper)

    def normals(self, points: np.ndarray) -> np.ndarray | None:
        """Return the constant outward normal, once a point."""
        return None if self.normal is None else np.tile(np.array(self.normal), (len(points), 1))

    def contains(self, points: np.ndarray) -> np.ndarray:
        """Return which points lie in the box, up to rounding, and satisfy the predicate."""
        lower, upper = np.array(self.lower), np.array(self.upper)
        # Of the whole piece where it has no width of its own: a side at x = 0 must hold points at x = 1e-16.
        own = np.maximum(upper - lower, np.maximum(np.abs(lower), np.abs(upper)))
        slack = TOLERANCE * np.where(upper > lower, own, np.maximum(own, (upper - lower).max(initial=0.0)))
        inside = ((points >= lower - slack) & (points <= upper + slack)).all(axis=1)
        return inside & holds(self.predicate, self.coordinates, points)

    def extruded(self, coordinates: Sequence[sp.Symbol], lower: Sequence[float], upper: Sequence[float]) -> BoxPiece:
        """Return the product of the piece with a box over further coordinates."""
        return replace(
            self,
            coordinates=(*self.coordinates, *coordinates),
            lower=(*self.lower, *lower),
            upper=(*self.upper, *upper),
        )

    def reordered(self, coordinates: Sequence[sp.Symbol]) -> BoxPiece:
        """Return the piece with its coordinates in the order of the domain (time before parameters)."""
        order = [self.coordinates.index(symbol) for symbol in coordinates]
        lower, upper = tuple(self.lower[i] for i in order), tuple(self.upper[i] for i in order)
        return replace(self, coordinates=tuple(coordinates), lower=lower, upper=upper)

    def separated(self, dimension: int) -> tuple[BoxPiece, tuple[sp.Symbol, ...], tuple[float, ...], tuple[float, ...]]:
        """Return the piece in the first `dimension` coordinates alone, and the others with their ends."""
        (symbols, lower, upper), k = (self.coordinates, self.lower, self.upper), dimension
        spatial = replace(self, coordinates=symbols[:k], lower=lower[:k], upper=upper[:k])
        return spatial, symbols[k:], lower[k:], upper[k:]

    def divided(self, other: Piece) -> tuple[BoxPiece, ...]:
        """Return the piece cut at the ends of another one of the same plane."""
        if not isinstance(other, BoxPiece) or other.normal != self.normal or other.free != self.free:
            return (self,)
        cells = itertools.product(*(self._intervals(i, [other.lower[i], other.upper[i]]) for i in self.free))
        return tuple(self._narrowed(cell) for cell in cells)

    def similar(self, similarity: Similarity) -> BoxPiece:
        """Return the piece in new coordinates."""
        return replace(
            self,
            lower=similarity.values(self.coordinates, self.lower),
            upper=similarity.values(self.coordinates, self.upper),
            predicate=similarity.expression(self.predicate),
            implicit=None if self.implicit is None else similarity.expression(self.implicit),
        )

    def rule(self, n: int) -> tuple[np.ndarray, np.ndarray] | None:
        """Return the tensor Gauss rule with n points along each free axis; None with a predicate."""
        if self.predicate != sp.true:
            return None
        return box_rule(np.array(self.lower), np.array(self.upper), n)

    def cut(self, predicate: sp.Basic) -> tuple[BoxPiece, ...]:
        """Return the part where `predicate` holds: exact boxes if it is axis-aligned, else one masked piece or none."""
        if predicate == sp.true:
            return (self,)
        cuts = [thresholds(predicate, self.coordinates[i]) for i in self.free]
        if any(c is None for c in cuts):
            masked = replace(self, predicate=predicate, implicit=None)
            return (masked,) if masked.fraction > 0 else ()
        cells = itertools.product(*(self._intervals(i, c or []) for i, c in zip(self.free, cuts, strict=True)))
        boxes = [self._narrowed(cell) for cell in cells]
        return tuple(box for box in boxes if holds(predicate, self.coordinates, box.centre)[0])

    def _intervals(self, axis: int, cuts: list[float]) -> list[tuple[float, float]]:
        edges = [self.lower[axis], *(c for c in cuts if self.lower[axis] < c < self.upper[axis]), self.upper[axis]]
        return list(itertools.pairwise(edges))

    def _narrowed(self, cell: Sequence[tuple[float, float]]) -> BoxPiece:
        lower, upper = list(self.lower), list(self.upper)
        for axis, (a, b) in zip(self.free, cell, strict=True):
            lower[axis], upper[axis] = a, b
        whole = tuple(lower) == self.lower and tuple(upper) == self.upper
        return replace(self, lower=tuple(lower), upper=tuple(upper), implicit=self.implicit if whole else None)


def box_rule(lower: np.ndarray, upper: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the tensor Gauss rule with n points along each axis of positive length."""
    nodes, factors = np.polynomial.legendre.leggauss(n)
    points, weights = np.zeros((1, 0)), np.ones(1)
    for a, b in zip(lower, upper, strict=True):
        line = (
            (np.array([a]), np.ones(1)) if a == b else (0.5 * (a + b) + 0.5 * (b - a) * nodes, 0.5 * (b - a) * factors)
        )
        points, weights = product_rule(points, weights, line[0][:, None], line[1])
    return points, weights


def product_rule(p: np.ndarray, v: np.ndarray, q: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the product of two rules."""
    points = np.concatenate([np.repeat(p, len(q), axis=0), np.tile(q, (len(p), 1))], axis=1)
    return points, np.repeat(v, len(q)) * np.tile(w, len(p))


def halton(n: int, dimension: int) -> np.ndarray:
    """Return n points of the unscrambled Halton sequence in (0, 1)^dimension, the corner left out."""
    columns = [_radical_inverse(np.arange(1, n + 1), int(sp.prime(k + 1))) for k in range(dimension)]
    return np.stack(columns, axis=1) if columns else np.zeros((n, 0))


def _radical_inverse(numbers: np.ndarray, base: int) -> np.ndarray:
    """Mirror the digits of whole numbers at the point: 6 = 110 in base 2 becomes 0.011."""
    result, scale = np.zeros(len(numbers)), 1.0
    while numbers.any():
        scale /= base
        numbers, digits = np.divmod(numbers, base)
        result += scale * digits
    return result
