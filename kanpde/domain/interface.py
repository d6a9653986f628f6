"""Interfaces within a domain: where a function of the coordinates is zero, with normals that point up its slope."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp

from ..errors import ProblemError
from ..expression import Program, as_expression, to_tree
from .bodies import DIFFERENCE, INTERSECTION, Composed, length_scale
from .composition import piece_of_curve
from .conics import ball_of, conic_of, coordinate_of
from .core import Domain, Region
from .crossings import crossings
from .curves import Curve, normals
from .faces import flat_piece
from .marching import Function, gradient, level_simplices, projected
from .outline import outline, split
from .patch import Patch, ShapePiece
from .piece import N_MEASURE, BoxPiece, Piece, halton
from .product import Product
from .shape import Shape
from .similarity import Similarity
from .simplices import Simplices
from .slices import slice_of
from .solids import FlatPatch, RoundPatch

TOLERANCE = 1e-9
N_LINE = 4096
# Where nothing special is.
GENERIC = (np.sqrt(5) - 1) / 2


@dataclass(frozen=True)
class LevelPatch:
    """The part in a domain of a zero set: simplices near it, whose points Newton's method moves onto it."""

    expression: sp.Expr
    space: tuple[sp.Symbol, ...]
    domain: Domain
    simplices: Simplices

    normal = ()

    @property
    def dimension(self) -> int:
        """One less than space."""
        return len(self.space) - 1

    @cached_property
    def function(self) -> Function:
        """The expression as a function of points."""
        return function_of(self.expression, self.space)

    @cached_property
    def fraction(self) -> float:
        """The share of the zero set that lies in the domain."""
        return float(np.mean(self.domain.contains(self.points(halton(N_MEASURE, self.dimension)))))

    @property
    def measure(self) -> float:
        """The length or area, by the simplices."""
        return float(self.simplices.measures.sum()) * self.fraction

    @property
    def plain(self) -> list[Any]:
        """The expression and the domain."""
        return ["level", to_tree(self.expression), self.domain.text]

    @property
    def bounds(self) -> np.ndarray:
        """The smallest box around."""
        return self.simplices.bounds

    @property
    def _length(self) -> float:
        return float(np.ptp(self.domain.bounds, axis=1).max())

    def points(self, unit: np.ndarray) -> np.ndarray:
        """Points of the zero set, nearly uniform."""
        return projected(self.function, self.simplices.points(unit), self._length)

    def normals(self, points: np.ndarray) -> np.ndarray:
        """The direction in which the function grows."""
        slope = gradient(self.function, points, self._length)
        return slope / np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-300)

    def contains(self, points: np.ndarray) -> np.ndarray:
        """Which points lie on the zero set and in the domain."""
        slope = np.linalg.norm(gradient(self.function, points, self._length), axis=1)
        near = np.abs(self.function(points)) <= 1e3 * TOLERANCE * self._length * np.maximum(slope, 1e-300)
        return near & self.domain.contains(points)

    def cut(self, predicate: sp.Basic, space: Sequence[sp.Symbol]) -> list[tuple[Patch, sp.Basic]]:  # noqa: ARG002
        """Leave predicates to a mask."""
        return [(self, predicate)]

    def similar(self, similarity: Similarity, space: Sequence[sp.Symbol]) -> LevelPatch:
        """Return the patch in new coordinates."""
        factor, shift = similarity.of_space(space)
        corners = Simplices(self.simplices.corners * factor + shift)
        return LevelPatch(similarity.expression(self.expression), self.space, self.domain.similar(similarity), corners)

    def divided(self, other: Patch) -> Sequence[Patch]:  # noqa: ARG002 (curves look at it)
        """Level sets are not divided."""
        return [self]

    def rule(self, n: int) -> tuple[np.ndarray, np.ndarray] | None:  # noqa: ARG002
        """Nothing better than even points."""
        return None


def function_of(expression: sp.Basic, space: Sequence[sp.Symbol]) -> Function:
    """Return an expression as a function of points (n, d)."""
    program = Program.compile([expression], space)
    return lambda points: np.asarray(program(list(points.T), np)[0], dtype=float)


def level_set(domain: Domain, expression: Any, name: str | None = None) -> Region:
    """Return the region within a domain where an expression of its spatial coordinates is zero.

    Lines and ellipses of the plane, planes across an axis and spheres are exact; other levels are found on a grid.
    Normals point from where the expression is negative to where it is positive.

    Raises:
        ProblemError: an expression of something else, or one that is nowhere zero inside.
    """
    g = as_expression(expression)
    label = name or f"{g} = 0"
    alien = sorted(str(s) for s in g.free_symbols - set(domain.space))
    if alien or not g.free_symbols:
        names = ", ".join(map(str, domain.space))
        raise ProblemError(
            f"the interface {label} must depend on the spatial coordinates {names} alone; it has {alien}."
        )
    spatial = domain.factor if isinstance(domain, Product) else domain
    pieces = _pieces(spatial, sp.expand(g) if g.is_polynomial(*domain.space) else g)
    if not pieces:
        raise ProblemError(f"the interface {label} does not pass through the domain {domain.text}; check its place.")
    return domain.adopt(Region.whole(spatial, pieces, label))


def _pieces(domain: Domain, g: sp.Expr) -> list[Piece]:
    if len(domain.space) == 1:
        return _points(domain, g)
    factors = [f for f, _ in sp.factor_list(g)[1]] if g.is_polynomial(*domain.space) else [g]
    exact = [_exact(domain, g, sp.expand(f)) for f in factors]
    if all(found is not None for found in exact):
        return [piece for found in exact for piece in found or []]
    corners = level_simplices(function_of(g, domain.space), domain.bounds)
    if not len(corners):
        return []
    patch = LevelPatch(g, domain.space, domain, Simplices(corners))
    return [ShapePiece(domain.space, patch)] if patch.fraction > 0 else []


def _points(domain: Domain, g: sp.Expr) -> list[Piece]:
    """Sign changes on a line, by bisection."""
    function = function_of(g, domain.space)
    low, high = domain.bounds[0]
    s = np.linspace(low, high, N_LINE + 2)
    values = function(s[:, None])
    pieces: list[Piece] = []
    for k in np.flatnonzero((values[:-1] > 0) != (values[1:] > 0)):
        a, b = float(s[k]), float(s[k + 1])
        for _ in range(60):
            middle = 0.5 * (a + b)
            a, b = (middle, b) if (function(np.array([[middle]]))[0] > 0) == (values[k] > 0) else (a, middle)
        root = float(0.5 * (a + b))
        room = 1e-9 * (high - low)
        inside = low + room < root < high - room and bool(domain.contains(np.array([[root]]))[0])
        if inside:
            pieces.append(BoxPiece(domain.space, (root,), (root,), (1.0 if values[k] <= 0 else -1.0,)))
    return pieces


def _exact(domain: Domain, g: sp.Expr, factor: sp.Expr) -> list[Piece] | None:
    """The zero set of one factor as exact pieces; None where it is not of a known form."""
    flat = coordinate_of(factor, domain.space)
    if flat is not None and domain.is_box:
        return _across_box(domain, g, *flat)
    if not isinstance(domain, Shape):
        return None
    if len(domain.space) == 2:
        return _in_plane(domain, g, factor)
    if len(domain.space) != 3:
        return None
    if flat is not None:
        return _across_solid(domain, g, *flat)
    return _sphere(domain, g, factor)


def _sign(domain: Domain, g: sp.Expr, point: np.ndarray, direction: np.ndarray) -> float:
    """Whether g grows (+1) or falls (-1) in a direction."""
    function = function_of(g, domain.space)
    step = 1e-6 * float(np.ptp(domain.bounds, axis=1).max()) * direction
    return 1.0 if function((point + step)[None])[0] >= function((point - step)[None])[0] else -1.0


def _across_box(domain: Domain, g: sp.Expr, axis: int, value: float) -> list[Piece]:
    lower, upper = domain.bounds.T.copy()
    if not lower[axis] < value < upper[axis]:
        return []
    # Off the middle: other factors of g may vanish there.
    point = lower + GENERIC * (upper - lower)
    lower[axis] = upper[axis] = point[axis] = value
    unit = np.eye(len(lower))[axis]
    sign = _sign(domain, g, point, unit)
    normal = tuple((sign * unit + 0.0).tolist())
    return [BoxPiece(domain.space, tuple(lower.tolist()), tuple(upper.tolist()), normal)]


def _in_plane(domain: Shape, g: sp.Expr, factor: sp.Expr) -> list[Piece] | None:
    own = conic_of(factor, domain.space, domain.bounds)
    if own is None:
        return None
    scale = length_scale(domain.body)
    found = outline(Composed(INTERSECTION, (domain.body, own)))
    along = [curve for curve in found if curve.same_carrier(own.curves[0], TOLERANCE * scale)]
    pieces: list[Piece] = []
    for curve in (part for whole in along for part in _parted(domain, whole, TOLERANCE * scale)):
        # Off the middle, where a curve may touch the boundary or cross another factor.
        middle, aside = curve.at(GENERIC)[0], normals(curve, GENERIC)[0]
        if domain.body.level((middle + 1e-7 * scale * aside)[None])[0] < 0:
            turned = curve if _sign(domain, g, middle, aside) > 0 else curve.part(1.0, 0.0)
            pieces.append(piece_of_curve(domain.space, turned))
    return pieces


def _parted(domain: Shape, curve: Curve, tolerance: float) -> list[Curve]:
    """A curve cut where it begins to run along the boundary: there it has the domain on one side only."""
    cuts = [s for other in outline(domain.body) for s in crossings(curve, other, tolerance)]
    least = tolerance / curve.length
    inner = [s for s in cuts if least < s < 1.0 - least]
    return split(curve, inner, tolerance) if inner else [curve]


def _across_solid(domain: Shape, g: sp.Expr, axis: int, value: float) -> list[Piece]:
    plane = slice_of(domain.body, axis, value)
    if plane is None:
        return []
    from_inside = FlatPatch(axis, value, 1.0, plane)
    points = from_inside.points(halton(64, 2))
    point = points[from_inside.contains(points)][0]
    sign = _sign(domain, g, point, np.eye(3)[axis])
    return [flat_piece(domain.space, FlatPatch(axis, value, sign, plane))]


def _sphere(domain: Shape, g: sp.Expr, factor: sp.Expr) -> list[Piece] | None:
    ball = ball_of(factor, domain.space)
    if ball is None:
        return None
    patch = RoundPatch(ball, Composed(INTERSECTION, (domain.body, ball)))
    points = patch.points(halton(N_MEASURE, 2))
    points = points[patch.contains(points) & (domain.body.level(points) < 0)]
    if not len(points):
        return []
    if _sign(domain, g, points[0], patch.normals(points[:1])[0]) < 0:
        patch = RoundPatch(ball, Composed(DIFFERENCE, (domain.body, ball)))
    return [ShapePiece(domain.space, patch)]
