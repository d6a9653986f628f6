"""Regions: parts of a domain, named by `on=`, closed under union, intersection, difference and predicates."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import sympy as sp

from ..errors import ProblemError
from .piece import BoxPiece
from .predicate import checked_predicate

if TYPE_CHECKING:
    from .core import Domain


@dataclass(frozen=True)
class Region:
    """A union of whole pieces of a domain (its sides, its interior), each with a predicate that selects part of it."""

    domain: Domain
    parts: tuple[tuple[BoxPiece, sp.Basic], ...]
    name: str

    @classmethod
    def whole(cls, domain: Domain, pieces: Iterable[BoxPiece], name: str) -> Region:
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

    def pieces(self) -> tuple[BoxPiece, ...]:
        """Return the pieces, cut to where the predicates hold; empty if nothing is selected."""
        return tuple(cut for piece, predicate in self.parts for cut in piece.cut(predicate))

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

    def _named(self, parts: tuple[tuple[BoxPiece, sp.Basic], ...], name: str) -> Region:
        return replace(self, parts=tuple(part for part in parts if part[1] != sp.false), name=name)

    def _aligned(self, other: Region) -> tuple[dict[BoxPiece, sp.Basic], dict[BoxPiece, sp.Basic]]:
        if self.domain != other.domain:
            raise ProblemError(
                f"{self.name} and {other.name} belong to different domains; take both from the same one."
            )
        return dict(self.parts), dict(other.parts)
