"""Checks of the data of a problem: values that contradict each other, fluxes that do not balance, idle observations.

Each takes a statement and yields warnings, or raises an error where no solution can exist.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp

from ..domain import BoxPiece, halton
from ..errors import ProblemError
from ..expression import Program
from ..operator import DifferentialOperator
from .conditions import CompiledCondition
from .statement import Statement

N_POINTS = 32
# Two values are the same within this part of their size.
SAME = 1e-9
# Part of the flux by which the integrals of a Neumann problem may differ.
BALANCE = 1e-6
# The same where the integrals are sampled: in space, and on pieces that are cut.
ROUGH_BALANCE = 0.05
# Nodes of the Gauss rule along each coordinate, by the number of them.
GAUSS = {1: 64, 2: 40, 3: 16}


@dataclass(frozen=True, eq=False)
class Prescribed:
    """A value of an unknown on one piece."""

    condition: CompiledCondition
    piece: BoxPiece
    unknown: int

    @cached_property
    def _program(self) -> Program:
        return Program.compile([sp.S(self.condition.value)], self.piece.coordinates)

    def values(self, points: np.ndarray) -> np.ndarray:
        """The value (n,) at points (n, d)."""
        with np.errstate(all="ignore"):
            return np.broadcast_to(self._program(list(points.T), np)[0], (len(points),))

    @cached_property
    def size(self) -> float:
        """The largest |value| on the piece."""
        values = np.abs(self.values(_spread(np.array(self.piece.lower), np.array(self.piece.upper))))
        return float(values[np.isfinite(values)].max(initial=0.0))


def check_corners(problem: Statement) -> Iterator[str]:
    """Prescribed values that differ where two pieces meet, in a corner or at the first instant."""
    for first, second in itertools.combinations(_prescribed(problem), 2):
        if first.unknown == second.unknown and not _coplanar(first.piece, second.piece):
            yield from _check_meeting(problem, first, second)


def check_contradictions(problem: Statement) -> Iterator[str]:
    """Two different values on the same part of the boundary leave no solution."""
    for first, second in itertools.combinations(_prescribed(problem), 2):
        if first.unknown != second.unknown or not _coplanar(first.piece, second.piece):
            continue
        box = _intersection(first.piece, second.piece)
        if box is None or np.sum(box[1] > box[0]) < first.piece.dimension:
            continue
        points = _held(_spread(*box), first, second)
        gap = np.abs(first.values(points) - second.values(points))
        if len(points) and gap.max() > SAME * _size(first, second, points):
            at = int(np.argmax(gap))
            a, b = (float(p.values(points[at : at + 1])[0]) for p in (first, second))
            raise ProblemError(
                f"{first.condition.label} and {second.condition.label} prescribe {a:.6g} and {b:.6g} at"
                f" {_place(problem, points[at])}; drop one of them, or narrow it with on=."
            )
    yield from ()


def check_compatible(problem: Statement) -> Iterator[str]:
    """∫ f + ∮ g = 0 where an operator in divergence form has fluxes all around: else there is no solution."""
    if problem.domain.time is not None or problem.domain.parameters or problem.parameters:
        return
    if len(problem.operators) != 1 or len(problem.fields) != 1:
        return
    operator = problem.operators[0]
    factor = _laplace_factor(problem, operator)
    fluxes = [c for c in problem.conditions if c.kind == "neumann"]
    others = [c for c in problem.conditions if c.kind not in ("neumann", "integral")]
    if factor is None or not fluxes or any(not _point(c) for c in others):
        return
    rules = [(c, _rule(piece), piece) for c in fluxes for piece in c.region.pieces()]
    parts = np.array([_flux(c, points, weights, piece.normals(points)) for c, (points, weights), piece in rules])
    inside, source = (total / factor for total in _integrals(problem, operator.source))
    inside, (around, size) = -inside, parts.sum(axis=0)
    exact = len(problem.domain.space) < 3 or problem.domain.is_box
    exact = exact and all(piece.contains(points).all() for _, (points, _), piece in rules)
    if abs(inside - around) > (BALANCE if exact else ROUGH_BALANCE) * (abs(source) + size):
        u = problem.fields[0].func
        raise ProblemError(
            f"the fluxes do not balance the source: the integral of the Laplacian of {u} over the domain is"
            f" {inside:.6g}, that of its normal derivative over the boundary {around:.6g}; the two must agree, so"
            f" change the source or the Neumann data (a Dirichlet or Robin part lifts this)."
        )
    yield from ()


def check_identifiable(problem: Statement) -> Iterator[str]:
    """Unknown scalars that no observed unknown depends on, and observations that see no scalar at all."""
    observed = [c for c in problem.conditions if c.kind == "observations"]
    for parameter in problem.parameters:
        holders = [o for o in problem.operators if parameter in o.parameters]
        held = [c for c in problem.conditions if c.operator is not None and parameter in c.operator.parameters]
        if not observed:
            continue
        reached = {v.unknown for o in holders for v in o.jet}
        reached |= {u for c in held for u in c.unknowns}
        reached = _coupled(problem, reached)
        if not any(c.unknowns & reached for c in observed):
            names = ", ".join(sorted(str(problem.fields[u]) for c in observed for u in c.unknowns)) or "none"
            raise ProblemError(
                f"the observations ({names}) do not depend on {parameter}; observe an unknown of the equation that has"
                f" it, or give {parameter} a value."
            )
    yield from ()


CHECKS: tuple[Callable[[Statement], Iterator[str]], ...] = (
    check_contradictions,
    check_corners,
    check_compatible,
    check_identifiable,
)


def _prescribed(problem: Statement) -> list[Prescribed]:
    """The values of unknowns on flat pieces of the boundary and at the first instant."""
    found = []
    for condition in problem.conditions:
        target, value = condition.target, condition.value
        if condition.kind not in ("dirichlet", "initial") or target is None or value is None:
            continue
        if any(target.derivative) or value.free_symbols - set(problem.coordinates):
            continue
        pieces = [p for p in condition.region.pieces() if isinstance(p, BoxPiece) and p.dimension]
        found += [Prescribed(condition, piece, target.unknown) for piece in pieces]
    return found


def _fixed(piece: BoxPiece) -> dict[int, float]:
    ends = enumerate(zip(piece.lower, piece.upper, strict=True))
    return {k: a for k, (a, b) in ends if a == b}


def _coplanar(first: BoxPiece, second: BoxPiece) -> bool:
    return _fixed(first) == _fixed(second)


def _intersection(first: BoxPiece, second: BoxPiece) -> tuple[np.ndarray, np.ndarray] | None:
    """The box in which two pieces meet, None where they do not."""
    lower = np.maximum(first.lower, second.lower)
    upper = np.minimum(first.upper, second.upper)
    return None if np.any(lower > upper) else (lower, upper)


def _spread(lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """Points of a box, its corners and inner ones, (n, d)."""
    free = np.flatnonzero(upper > lower)
    points = np.tile(lower, (N_POINTS if len(free) else 1, 1))
    points[:, free] += halton(len(points), len(free)) * (upper - lower)[free]
    return points


def _held(points: np.ndarray, *pieces: Prescribed) -> np.ndarray:
    """The points that lie on all pieces and have finite values there."""
    kept = np.ones(len(points), dtype=bool)
    for prescribed in pieces:
        kept &= np.asarray(prescribed.piece.contains(points), dtype=bool)
        kept &= np.isfinite(prescribed.values(points))
    return points[kept]


def _size(first: Prescribed, second: Prescribed, points: np.ndarray) -> float:
    """The size of the values on both pieces: a difference of rounding is none."""
    return max(first.size, second.size, float(np.abs(first.values(points)).max(initial=0.0)), 1e-300)


def _check_meeting(problem: Statement, first: Prescribed, second: Prescribed) -> Iterator[str]:
    box = _intersection(first.piece, second.piece)
    if box is None:
        return
    points = _held(_spread(*box), first, second)
    if not len(points):
        return
    gap = np.abs(first.values(points) - second.values(points))
    at = int(np.argmax(gap))
    if gap[at] <= SAME * _size(first, second, points):
        return
    a, b = (float(p.values(points[at : at + 1])[0]) for p in (first, second))
    u = problem.fields[first.unknown]
    yield (
        f"{u} is {a:.6g} by {first.condition.label} and {b:.6g} by {second.condition.label} at"
        f" {_place(problem, points[at])}, where the two meet: the solution jumps there and errors stay large near it;"
        " let the data agree, or smooth them."
    )


def _place(problem: Statement, point: np.ndarray) -> str:
    return ", ".join(f"{s} = {v:.4g}" for s, v in zip(problem.coordinates, point, strict=True))


def _point(condition: CompiledCondition) -> bool:
    """Whether a condition holds at a point: it fixes the level and lifts no flux."""
    return all(piece.dimension == 0 for piece in condition.region.pieces())


def _laplace_factor(problem: Statement, operator: DifferentialOperator) -> float | None:
    """A where the operator is a Δu + f with a number a; None for all others."""
    if not operator.is_linear or operator.normal:
        return None
    wanted = {
        tuple(2 * (k == axis) for k in range(len(problem.coordinates))) for axis in range(len(problem.domain.space))
    }
    if {v.derivative for v in operator.jet} != wanted:
        return None
    numbers = {g for g in operator.gradient if g.is_number}
    return float(next(iter(numbers))) if len(numbers) == 1 and all(g.is_number for g in operator.gradient) else None


def _flux(
    condition: CompiledCondition, points: np.ndarray, weights: np.ndarray, normals: np.ndarray | None
) -> tuple[float, float]:
    """∫ g and ∫ |g| over a piece, for ∂u/∂n = g."""
    operator = condition.operator
    assert operator is not None
    values = -operator.evaluate(points, np.zeros((len(operator.jet), len(points))), np, normals)
    return float(weights @ values), float(weights @ np.abs(values))


def _rule(piece: Any) -> tuple[np.ndarray, np.ndarray]:
    """Points and weights on a piece: Gauss on boxes and curves, else many points of equal weight."""
    m = piece.dimension
    if m in GAUSS and (isinstance(piece, BoxPiece) or m == 1):
        nodes, weights = np.polynomial.legendre.leggauss(GAUSS[m])
        unit = np.stack(np.meshgrid(*[(nodes + 1) / 2] * m, indexing="ij"), axis=-1).reshape(-1, m)
        product = np.stack(np.meshgrid(*[weights / 2] * m, indexing="ij"), axis=-1).reshape(-1, m).prod(axis=1)
        points = piece.points(unit)
        product = product * np.asarray(piece.contains(points), dtype=float)
        return points, product * (piece.measure / max(float(product.sum()), 1e-300))
    points = piece.points(halton(4096, m))
    points = points[np.asarray(piece.contains(points), dtype=bool)]
    return points, np.full(len(points), piece.measure / max(len(points), 1))


def _integrals(problem: Statement, expression: sp.Expr) -> tuple[float, float]:
    """∫ and ∫ |.| of an expression of the coordinates over the domain."""
    pieces = problem.domain.interior.pieces()
    if all(isinstance(piece, BoxPiece) for piece in pieces):
        points, weights = (np.concatenate(parts) for parts in zip(*map(_rule, pieces), strict=True))
    else:
        points, weights = problem.domain.quadrature(40)
    (values,) = Program.compile([expression], problem.coordinates)(list(points.T), np)
    values = np.broadcast_to(values, weights.shape)
    return float(values @ weights), float(np.abs(values) @ weights)


def _coupled(problem: Statement, start: set[int]) -> set[int]:
    """All unknowns that share an equation with some of these, directly or through others."""
    reached, before = set(start), set[int]()
    while reached != before:
        before = set(reached)
        for operator in problem.operators:
            own: Sequence[int] = [v.unknown for v in operator.jet]
            if reached & set(own):
                reached |= set(own)
    return reached
