"""Collocation: points and weights on regions, by rule and count. The weights of a point set sum to the measure."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from kanpde import sampling
from kanpde.domain import Region
from kanpde.domain.piece import Piece
from kanpde.errors import ProblemError

RULES = ("sobol", "latin", "uniform", "grid", "gauss")


@dataclass(frozen=True, eq=False)
class PointSet:
    """Points of a region.

    Attributes:
        x: (n, d) coordinates.
        weights: (n,) with Σ weights = measure of the region, so that Σ w f(x) approximates the integral of f.
        normals: (n, d_space) outward unit normals, None off the boundary.
    """

    x: np.ndarray
    weights: np.ndarray
    normals: np.ndarray | None

    def __len__(self) -> int:
        return len(self.x)


def collocate(region: Region, count: int, rule: str = "sobol", seed: int = 0) -> PointSet:
    """About `count` points on a region, shared among its pieces by measure, at least one each.

    Args:
        region: where.
        count: how many; "grid" and "gauss" round up to a tensor product on each piece.
        rule: "sobol" (scrambled), "latin" hypercube, "uniform" random, "grid" (cell midpoints), "gauss" (Legendre).
        seed: of the random rules.

    Raises:
        ProblemError: an unknown rule, no points, or a region that is empty.
    """
    if rule not in RULES:
        raise ProblemError(f"no sampling rule is called {rule!r}; use one of {', '.join(RULES)}")
    pieces = region.pieces()
    if not pieces or count < 1:
        raise ProblemError(f"{region.name} has {len(pieces)} pieces and gets {count} points; both must be above 0")
    total = sum(piece.measure for piece in pieces)
    generators = np.random.default_rng(seed).spawn(len(pieces))
    parts = [
        _on_piece(piece, max(1, round(count * piece.measure / total)), rule, generator)
        for piece, generator in zip(pieces, generators, strict=True)
    ]
    normals = [part.normals for part in parts if part.normals is not None]
    return PointSet(
        np.concatenate([part.x for part in parts]),
        np.concatenate([part.weights for part in parts]),
        np.concatenate(normals) if len(normals) == len(parts) else None,
    )


def _on_piece(piece: Piece, count: int, rule: str, generator: np.random.Generator) -> PointSet:
    if piece.dimension == 0:
        x, weights = piece.points(np.zeros((1, 0))), np.ones(1)
    else:
        x, weights = _inside(piece, count, rule, generator)
    return PointSet(x, weights * (piece.measure / weights.sum()), piece.normals(x))


def _inside(piece: Piece, count: int, rule: str, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Unit-cube points mapped to the piece; where part of the cube does not count, more are drawn until enough do."""
    exact = piece.rule(_side(count, piece.dimension)) if rule == "gauss" else None
    if exact is not None:
        return exact
    drawn = math.ceil(count / max(piece.fraction, 1e-3))
    while True:
        unit, weights = unit_points(rule, drawn, piece.dimension, generator)
        x = piece.points(unit)
        kept = piece.contains(x)
        if kept.sum() >= 0.9 * count or drawn > 1000 * count:
            break
        drawn = math.ceil(1.2 * drawn * count / max(int(kept.sum()), 1))
    if not kept.any():
        raise ProblemError("a region selects no points; check its predicate")
    # The beginning of a sequence is as even as the whole; a grid has no beginning.
    chosen = np.flatnonzero(kept)[: count if rule in ("sobol", "uniform") else None]
    return x[chosen], weights[chosen]


def unit_points(rule: str, count: int, dimension: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Points (n, m) of the unit cube and their weights (n,), which sum to one."""
    if rule == "sobol":
        points = sampling.sobol(count, dimension, generator)
    elif rule == "latin":
        points = sampling.latin_hypercube(count, dimension, generator)
    elif rule == "uniform":
        points = generator.random((count, dimension))
    else:
        return _tensor(rule, count, dimension)
    return points, np.full(len(points), 1.0 / len(points))


def _tensor(rule: str, count: int, dimension: int) -> tuple[np.ndarray, np.ndarray]:
    side = _side(count, dimension)
    if rule == "gauss":
        nodes, weights = np.polynomial.legendre.leggauss(side)
        nodes, weights = 0.5 * (nodes + 1.0), 0.5 * weights
    else:
        nodes, weights = (np.arange(side) + 0.5) / side, np.full(side, 1.0 / side)
    grids = np.meshgrid(*[nodes] * dimension, indexing="ij")
    factors = np.meshgrid(*[weights] * dimension, indexing="ij")
    return np.stack([g.ravel() for g in grids], axis=1), np.prod([f.ravel() for f in factors], axis=0)


def _side(count: int, dimension: int) -> int:
    return math.ceil(count ** (1.0 / dimension) - 1e-9)
