"""Collocation points of a frame: on every piece of a region, dense where polynomials need it, with their weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kanpde import sampling
from kanpde.domain import BoxPiece, Domain, Piece, Region

Array = np.ndarray

# Where a piece selects fewer of the drawn points than this, more are drawn at once.
LARGEST_DRAW = 1 << 18
GAUSS_DIMENSION = 2
LARGEST_TENSOR = 3


@dataclass(frozen=True, eq=False)
class Cloud:
    """Points (n, d), weights (n,) that sum to the measure, and outward normals (n, d_space) on a boundary."""

    points: Array
    weights: Array
    normals: Array | None

    def __len__(self) -> int:
        return len(self.points)


def joined(clouds: list[Cloud]) -> Cloud:
    """All points of several clouds."""
    normals = [c.normals for c in clouds if c.normals is not None]
    return Cloud(
        np.concatenate([c.points for c in clouds]),
        np.concatenate([c.weights for c in clouds]),
        np.concatenate(normals) if len(normals) == len(clouds) else None,
    )


def scattered(region: Region, count: int, seed: int) -> Cloud:
    """About `count` points, uniform in measure: the independent points of a check, and plain quadrature."""
    pieces = region.pieces()
    total = sum(p.measure for p in pieces)
    shares = [max(8, round(count * p.measure / total)) if total else 8 for p in pieces]
    return joined(
        [_drawn(p, n, seed + k, clustered=False) for k, (p, n) in enumerate(zip(pieces, shares, strict=True))]
    )


def clustered(region: Region, count: int, degrees: Sequence[int] = (), seed: int = 1) -> Cloud:
    """About `count` points of an interior, denser at the ends of its box where that is one.

    Args:
        region: where.
        count: shared among its pieces by measure.
        degrees: of polynomials along each axis, none of which may vanish at all points of a tensor rule.
        seed: of scattered points, where there are no others.
    """
    pieces = region.pieces()
    total = sum(p.measure for p in pieces)
    shares = [max(8, round(count * p.measure / total)) for p in pieces]
    return joined([_clustered(p, n, seed + k, degrees) for k, (p, n) in enumerate(zip(pieces, shares, strict=True))])


def traced(region: Region, degree: int, extent: Array, least: int, seed: int = 2) -> Cloud:
    """Points on the pieces of a boundary, so many that polynomials of a degree are fixed there.

    Args:
        region: pieces of any dimension.
        degree: of the polynomials.
        extent: (d,) edges of the box on which the polynomials live.
        least: at least so many along an axis.
        seed: of scattered points, where there are no others.
    """
    clouds = []
    for k, piece in enumerate(region.pieces()):
        m = piece.dimension
        # Around a circle a polynomial of degree n has 2 n + 1 modes, and Gauss points are sparse in the middle.
        most = 1.0 if isinstance(piece, BoxPiece) else 2.0
        share = min(most, 1.5 * piece.measure ** (1 / max(m, 1)) / float(np.max(extent)))
        along = max(least, round(2 * (degree + 1) * share) + 6)
        count = along**m / math.factorial(m) if m <= GAUSS_DIMENSION else 2 * math.comb(degree + m, m)
        clouds.append(_clustered(piece, math.ceil(count), seed + k))
    return joined(clouds)


def quadrature(domain: Domain, count: int) -> Cloud:
    """A rule for the interior with about as many points."""
    d = domain.dimension
    if domain.is_box:
        return clustered(domain.interior, count) if d <= GAUSS_DIMENSION else _tensor(domain.bounds, count)
    points, weights = domain.quadrature(max(4, round(count ** (1 / d))))
    return Cloud(points, weights, None)


def _tensor(bounds: Array, count: int) -> Cloud:
    """Gauss-Legendre points of a box, scattered ones in many dimensions."""
    d, width = len(bounds), np.ptp(bounds, axis=1)
    if d > LARGEST_TENSOR:
        return Cloud(bounds[:, 0] + sampling.sobol(count, d, 5) * width, np.full(count, np.prod(width) / count), None)
    unit, weights = _gauss([math.ceil(count ** (1 / d) - 1e-9)] * d)
    return Cloud(bounds[:, 0] + unit * width, weights * np.prod(width), None)


def _gauss(sides: Sequence[int]) -> tuple[Array, Array]:
    """Points and weights of the unit cube."""
    rules = [np.polynomial.legendre.leggauss(side) for side in sides]
    unit = np.stack([g.ravel() for g in np.meshgrid(*[0.5 * (x + 1) for x, _ in rules], indexing="ij")], axis=1)
    shares = [g.ravel() for g in np.meshgrid(*[0.5 * w for _, w in rules], indexing="ij")]
    return unit, np.prod(shares, axis=0)


def _clustered(piece: Piece, count: int, seed: int, degrees: Sequence[int] = ()) -> Cloud:
    m = piece.dimension
    if m == 0:
        points = piece.points(np.zeros((1, 0)))
        return Cloud(points, np.ones(1), piece.normals(points))
    # A chart of a shape may turn an axis into an angle, for which tensor points would be too few: there they scatter.
    interior = m == len(degrees)
    if m <= GAUSS_DIMENSION and piece.fraction == 1.0 and (m == 1 or not interior or isinstance(piece, BoxPiece)):
        sides = (
            [math.ceil(1.2 * n) + 3 for n in degrees]
            if interior and m > 1
            else [math.ceil(count ** (1 / m) - 1e-9)] * m
        )
        unit, shares = _gauss(sides)
        points = piece.points(unit)
        return Cloud(points, piece.measure * shares, piece.normals(points))
    return _drawn(piece, count, seed, clustered=isinstance(piece, BoxPiece))


def _drawn(piece: Piece, count: int, seed: int, clustered: bool) -> Cloud:
    """Sobol points, those kept that lie on the piece; clustered ones are dense at the ends, as Chebyshev's are."""
    m = piece.dimension
    if m == 0:
        points = piece.points(np.zeros((1, 0)))
        return Cloud(points, np.ones(1), piece.normals(points))
    drawn = count
    while True:
        unit = sampling.sobol(drawn, m, seed)
        weights = np.full(drawn, 1.0 / drawn)
        if clustered:
            weights = np.prod(np.pi / 2 * np.sin(np.pi * unit), axis=1) / drawn
            unit = 0.5 * (1 - np.cos(np.pi * unit))
        points = piece.points(unit)
        kept = np.asarray(piece.contains(points), dtype=bool)
        if kept.sum() >= 0.9 * count or drawn >= LARGEST_DRAW:
            break
        drawn = min(LARGEST_DRAW, math.ceil(1.2 * drawn * count / max(int(kept.sum()), 1)))
    points, weights = points[kept], weights[kept]
    return Cloud(points, weights * (piece.measure / weights.sum()), piece.normals(points))
