"""Coefficients, sources and data must be finite where they are used."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import cast

import numpy as np
import sympy as sp

from ..domain import N_MEASURE, BoxPiece, Piece, Region, halton
from ..errors import ProblemError
from ..expression import Program
from ..operator import DifferentialOperator
from .statement import Statement

N_POINTS = 256
# A lattice of 4^d points would be long in high dimensions.
LARGEST_LATTICE_DIMENSION = 4
# Around a zero of a denominator, relative to the domain: an expression that stays bounded there is only 0/0 at a point.
PROBE = 1e-9
BOUNDED = 1e5


def check_finite(problem: Statement) -> Iterator[str]:
    """Raise an error that names the first place where a known expression is not finite."""
    for operator, region, label in zip(problem.operators, problem.regions, problem.labels, strict=True):
        _check_operator(operator, region, label)
    for condition in problem.conditions:
        if condition.operator is not None:
            _check_operator(condition.operator, condition.region, condition.label)
    yield from ()


def _check_operator(operator: DifferentialOperator, region: Region, label: str) -> None:
    samples = [piece_sample(piece) for piece in region.pieces()]
    points = np.concatenate(samples)
    for term in _known(operator.expression, operator.coordinates):
        place = _singular(term, operator.coordinates, points)
        if place is not None:
            where = ", ".join(f"{s} = {v:.4g}" for s, v in zip(operator.coordinates, place, strict=True))
            raise ProblemError(
                f"{label}: {term} is not finite at {where}; change it or leave that part out of the domain."
            )


def piece_sample(piece: Piece, n: int = N_POINTS) -> np.ndarray:
    """Return points of a piece: a Halton sequence and a lattice that has the midplanes and the coordinate planes."""
    points = piece.points(halton(n, piece.dimension))
    if isinstance(piece, BoxPiece) and piece.dimension <= LARGEST_LATTICE_DIMENSION:
        edges = [_special_values(a, b) for a, b in zip(piece.lower, piece.upper, strict=True)]
        points = np.concatenate([points, np.array(list(itertools.product(*edges)))])
    inside = points[piece.contains(points)]
    if len(inside):
        return inside
    # A small masked piece: the points that its measure was found with hit it at least once.
    points = piece.points(halton(N_MEASURE, piece.dimension))
    return points[piece.contains(points)]


def _special_values(a: float, b: float) -> list[float]:
    if a == b:
        return [a]
    inner = [a + k * (b - a) / 4 for k in (1, 2, 3)]
    return [*inner, 0.0] if a < 0.0 < b and 0.0 not in inner else inner


def _known(expression: sp.Basic, coordinates: Sequence[sp.Symbol]) -> Iterator[sp.Expr]:
    """Yield the largest sub-expressions that contain coordinates but no unknown."""
    if expression.free_symbols and expression.free_symbols <= set(coordinates):
        yield cast(sp.Expr, expression)
    # Branches of a Piecewise are guarded by its conditions, each alone may be singular.
    elif not isinstance(expression, sp.Piecewise):
        own = [a for a in expression.args if a.free_symbols <= set(coordinates)]
        joint = [expression.func(*own)] if isinstance(expression, sp.Add | sp.Mul) and own else own
        others = [a for a in expression.args if a not in own]
        for part in (*(j for j in joint if j.free_symbols), *others):
            yield from _known(part, coordinates)


def _singular(term: sp.Expr, coordinates: Sequence[sp.Symbol], points: np.ndarray) -> np.ndarray | None:
    """Return a point (d,) where the term is not finite, None if none is found."""
    program = Program.compile([term], coordinates)
    bad = ~np.isfinite(program(list(points.T), np)[0])
    if bad.any():
        return cast(np.ndarray, points[np.argmax(bad)])
    for denominator in _denominators(term):
        place = _pole(program, Program.compile([denominator], coordinates), points)
        if place is not None:
            return place
    return None


def _denominators(term: sp.Expr) -> Iterator[sp.Expr]:
    powers = [p for p in term.atoms(sp.Pow) if p.exp.is_number and p.exp.is_negative and p.base.free_symbols]
    yield from sorted((p.base for p in powers), key=sp.default_sort_key)
    for kind, denominator in ((sp.tan, sp.cos), (sp.sec, sp.cos), (sp.cot, sp.sin), (sp.csc, sp.sin)):
        yield from sorted((denominator(f.args[0]) for f in term.atoms(kind)), key=sp.default_sort_key)


def _pole(program: Program, denominator: Program, points: np.ndarray) -> np.ndarray | None:
    """Return where a denominator changes sign between two samples and the expression grows without bound."""
    values = denominator(list(points.T), np)[0]
    below, above = points[np.argmin(values)], points[np.argmax(values)]
    if not values.min() < 0.0 < values.max():
        return None
    for _ in range(60):
        middle = (below + above) / 2
        if denominator(list(middle[:, None]), np)[0][0] < 0:
            below = middle
        else:
            above = middle
    spread = PROBE * np.ptp(points, axis=0)
    near = np.stack([below - spread, below + spread, below, above])
    size = np.abs(program(list(near.T), np)[0])
    usual = np.median(np.abs(program(list(points.T), np)[0]))
    return below if not (size[:2] <= BOUNDED * max(usual, 1.0)).all() else None
