"""Patches: curves, areas, surfaces and volumes of space, and pieces of a domain that are built on them.

A patch is pure geometry: a chart from the unit cube that is uniform in measure, and the part of it that counts. A
`ShapePiece` is a patch for a stretch of time and of parameters.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import sympy as sp

from ..expression import to_tree
from .piece import N_MEASURE, BoxPiece, Piece, box_rule, halton, product_rule
from .predicate import holds
from .similarity import Similarity


class Patch(Protocol):
    """A part of space of one dimension m, with a chart from [0, 1]^m that is uniform in measure."""

    @property
    def dimension(self) -> int:
        """M."""

    @property
    def measure(self) -> float:
        """Length, area or volume of what counts."""

    @property
    def fraction(self) -> float:
        """The part of the unit cube that is mapped to what counts; 1 where nothing is rejected."""

    @property
    def plain(self) -> list[Any]:
        """Canonical values."""

    @property
    def bounds(self) -> np.ndarray:
        """The smallest box around, (d, 2)."""

    @property
    def normal(self) -> tuple[float, ...] | None:
        """The unit normal of a flat patch, () of a curved one, None of a part of the interior."""

    def points(self, unit: np.ndarray) -> np.ndarray:
        """Map (n, m) from the unit cube to (n, d)."""

    def normals(self, points: np.ndarray) -> np.ndarray | None:
        """Unit normals (n, d), None in the interior."""

    def contains(self, points: np.ndarray) -> np.ndarray:
        """Return (n,) bool: which points lie on the patch."""

    def cut(self, predicate: sp.Basic, space: Sequence[sp.Symbol]) -> list[tuple[Patch, sp.Basic]]:
        """Return parts with what is left to check on each."""

    def rule(self, n: int) -> tuple[np.ndarray, np.ndarray] | None:
        """Return quadrature points (N, d) and weights (N,), about n an axis; None where there is no rule."""

    def similar(self, similarity: Similarity, space: Sequence[sp.Symbol]) -> Patch:
        """Return the patch in new coordinates."""

    def divided(self, other: Patch) -> Sequence[Patch]:
        """Return parts, each of which lies on `other` wholly or not at all."""


Extra = tuple[sp.Symbol, float, float]


@dataclass(frozen=True)
class ShapePiece:
    """A patch of space for all of some intervals (times, parameters), where an optional predicate holds."""

    space: tuple[sp.Symbol, ...]
    patch: Patch
    extra: tuple[Extra, ...] = ()
    predicate: sp.Basic = sp.true
    implicit: sp.Expr | None = field(default=None, compare=False, repr=False)

    @property
    def coordinates(self) -> tuple[sp.Symbol, ...]:
        """Space, then the rest."""
        return (*self.space, *(symbol for symbol, _, _ in self.extra))

    @property
    def stretch(self) -> BoxPiece:
        """The intervals of time and of parameters."""
        symbols, lower, upper = zip(*self.extra, strict=True) if self.extra else ((), (), ())
        return BoxPiece(symbols, lower, upper)

    @property
    def dimension(self) -> int:
        """The dimension of the patch and the number of free intervals."""
        return self.patch.dimension + self.stretch.dimension

    @property
    def lower(self) -> tuple[float, ...]:
        """The least coordinates."""
        return (*self.patch.bounds[:, 0].tolist(), *(a for _, a, _ in self.extra))

    @property
    def upper(self) -> tuple[float, ...]:
        """The greatest coordinates."""
        return (*self.patch.bounds[:, 1].tolist(), *(b for _, _, b in self.extra))

    @property
    def normal(self) -> tuple[float, ...] | None:
        """The outward unit normal of a flat piece, () on a curved one, None off the boundary."""
        return self.patch.normal

    @cached_property
    def _shares(self) -> tuple[float, float]:
        """The part of the unit cube that counts, and the part of the patch where the predicate holds."""
        if self.predicate == sp.true:
            return self.patch.fraction, 1.0
        sample = self.points(halton(N_MEASURE, self.dimension))
        on = self.patch.contains(sample[:, : len(self.space)])
        both = on & holds(self.predicate, self.coordinates, sample)
        return float(np.mean(both)), float(both.sum() / max(on.sum(), 1))

    @property
    def fraction(self) -> float:
        """The part of the unit cube that counts."""
        return self._shares[0]

    @property
    def measure(self) -> float:
        """The measure of the patch times the lengths of the intervals, as far as the predicate holds."""
        return self.patch.measure * self.stretch.measure * self._shares[1]

    @property
    def text(self) -> str:
        """Geometry and predicate."""
        names = [str(symbol) for symbol in self.coordinates]
        return json.dumps([names, self.patch.plain, [list(e[1:]) for e in self.extra], to_tree(self.predicate)])

    def points(self, unit: np.ndarray) -> np.ndarray:
        """Map (n, m) from the unit cube to (n, d); `contains` tells which count."""
        m = self.patch.dimension
        return np.concatenate([self.patch.points(unit[:, :m]), self.stretch.points(unit[:, m:])], axis=1)

    def normals(self, points: np.ndarray) -> np.ndarray | None:
        """Return the outward unit normals (n, d_space)."""
        return self.patch.normals(points[:, : len(self.space)])

    def contains(self, points: np.ndarray) -> np.ndarray:
        """Return which points lie on the piece, up to rounding, and satisfy the predicate."""
        k = len(self.space)
        inside = self.patch.contains(points[:, :k]) & self.stretch.contains(points[:, k:])
        return inside & holds(self.predicate, self.coordinates, points)

    def extruded(self, coordinates: Sequence[sp.Symbol], lower: Sequence[float], upper: Sequence[float]) -> ShapePiece:
        """Return the product of the piece with a box over further coordinates."""
        more = tuple(zip(coordinates, lower, upper, strict=True))
        return replace(self, extra=(*self.extra, *more))

    def reordered(self, coordinates: Sequence[sp.Symbol]) -> ShapePiece:
        """Return the piece with its coordinates after space in another order."""
        known = {entry[0]: entry for entry in self.extra}
        return replace(self, extra=tuple(known[symbol] for symbol in coordinates[len(self.space) :]))

    def separated(
        self, dimension: int
    ) -> tuple[ShapePiece, tuple[sp.Symbol, ...], tuple[float, ...], tuple[float, ...]]:
        """Return the piece in space alone, and the other coordinates with their ends."""
        assert dimension == len(self.space)
        stretch = self.stretch
        return replace(self, extra=()), stretch.coordinates, stretch.lower, stretch.upper

    def similar(self, similarity: Similarity) -> ShapePiece:
        """Return the piece in new coordinates."""
        return replace(
            self,
            patch=self.patch.similar(similarity, self.space),
            extra=tuple((s, similarity.value(s, a), similarity.value(s, b)) for s, a, b in self.extra),
            predicate=similarity.expression(self.predicate),
            implicit=None if self.implicit is None else similarity.expression(self.implicit),
        )

    def divided(self, other: Piece) -> tuple[ShapePiece, ...]:
        """Return the piece cut at the ends of another one on the same curve."""
        if not isinstance(other, ShapePiece) or other.extra != self.extra:
            return (self,)
        parts = self.patch.divided(other.patch)
        return tuple(self if part == self.patch else replace(self, patch=part, implicit=None) for part in parts)

    def cut(self, predicate: sp.Basic) -> tuple[ShapePiece, ...]:
        """Return the parts where `predicate` holds: exact ones where it allows that, else with a mask."""
        if predicate == sp.true:
            return (self,)
        spatial, stretched, mixed = self._separated(predicate)
        patches = self.patch.cut(spatial, self.space) if spatial != sp.true else [(self.patch, sp.true)]
        pieces = [
            replace(
                self,
                patch=patch,
                extra=tuple(zip(part.coordinates, part.lower, part.upper, strict=True)),
                predicate=sp.And(self.predicate, left, part.predicate, mixed),
                implicit=self.implicit if patch == self.patch and left == sp.true else None,
            )
            for patch, left in patches
            for part in self.stretch.cut(stretched)
        ]
        return tuple(piece for piece in pieces if piece.fraction > 0)

    def _separated(self, predicate: sp.Basic) -> tuple[sp.Basic, sp.Basic, sp.Basic]:
        """What a predicate says of space, of the rest, and of both."""
        space, rest = set(self.space), {entry[0] for entry in self.extra}
        groups: list[list[sp.Basic]] = [[], [], []]
        for term in sp.And.make_args(predicate):
            kind = 0 if term.free_symbols <= space else 1 if term.free_symbols <= rest else 2
            groups[kind].append(term)
        spatial, stretched, mixed = (sp.And(*group) for group in groups)
        return spatial, stretched, mixed

    def rule(self, n: int) -> tuple[np.ndarray, np.ndarray] | None:
        """Return the rule of the patch times Gauss, about n points an axis; None with a predicate."""
        spatial = self.patch.rule(n) if self.predicate == sp.true else None
        if spatial is None:
            return None
        return product_rule(*spatial, *box_rule(np.array(self.stretch.lower), np.array(self.stretch.upper), n))
