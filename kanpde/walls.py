"""Exact conditions on shapes whose boundary is smooth, or convex with straight sides.

Each piece of the boundary that has an implicit function φ (zero on the piece alone, smooth and positive in the domain)
is a wall. Where u is given on walls, b is the product of their φ, and g blends the data: with W_i the product of the φ
of all other groups of walls, g = Σ W_i g_i / Σ W_i, smooth where no two groups with different data touch. What does not
fit is left to soft rows: sides of a re-entrant corner, data that jump where walls meet, meshes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sympy as sp

from kanpde.collocation import collocate
from kanpde.domain import Region
from kanpde.expression import derivative_order
from kanpde.field import Ansatz, SymbolicField
from kanpde.problem import CompiledCondition, Problem

MOST_WALLS = 4  # beyond, the product of the φ varies so much over the domain that the equations become stiff
LARGEST_DIMENSION = 4  # space, time and parameters together
APART = 1e-2  # φ is of size one inside; below this on another group's walls the two touch
AGREEMENT = 1e-8  # of data where walls and the first instant meet
SAMPLE = 64


@dataclass(frozen=True)
class _Wall:
    """One piece of the boundary with the value of one unknown on it."""

    condition: int
    implicit: sp.Expr
    value: sp.Expr
    points: np.ndarray


def impose_on_shape(problem: Problem, exact: bool | None = None) -> Ansatz:
    """The ansatz that keeps as many conditions exactly as can be.

    Args:
        problem: on any domain.
        exact: None to decide by the number of walls, False for soft rows throughout, True to ask for all that fit.
    """
    coordinates = problem.coordinates
    lifts, factors, imposed = [], [], []
    wanted = exact or (exact is None and len(coordinates) <= LARGEST_DIMENSION and _few_walls(problem))
    for field in range(len(problem.fields)):
        lift, factor, kept = _of_field(problem, field) if wanted else (sp.S.Zero, sp.S.One, [])
        lifts.append(lift)
        factors.append(factor)
        imposed += kept
    return Ansatz(SymbolicField(coordinates, tuple(lifts)), SymbolicField(coordinates, tuple(factors)), tuple(imposed))


def _few_walls(problem: Problem) -> bool:
    """Whether b has few factors: measured on a square minus four disks, where eight of them kept u 50 % off."""
    return len(problem.domain.boundary_pieces()) <= MOST_WALLS


def _of_field(problem: Problem, field: int) -> tuple[sp.Expr, sp.Expr, list[int]]:
    """g, b and the conditions that they keep, for one field."""
    walls = [w for w in _walls(problem, field) if _differentiable(problem, field, w.value)]
    lift, kept = _blend(problem, walls)
    factor = sp.Mul(*(w.implicit for w in walls if w.condition in kept))
    first, orders, initial = _initial(problem, field, lift, [w for w in walls if w.condition in kept])
    return lift + first, factor * orders, sorted(kept | initial)


def _walls(problem: Problem, field: int) -> list[_Wall]:
    """Dirichlet conditions of a field on pieces that all have implicit functions; one condition a piece."""
    walls: list[_Wall] = []
    taken: set[sp.Expr] = set()
    for k, condition in enumerate(problem.conditions):
        if condition.kind == "dirichlet" and _prescribes(condition, field):
            own = _pieces(k, condition)
            if own and not taken & {w.implicit for w in own}:
                walls += own
                taken |= {w.implicit for w in own}
    return walls


def _prescribes(condition: CompiledCondition, field: int) -> bool:
    target = condition.target
    return target is not None and target.unknown == field and condition.value is not None


def _pieces(k: int, condition: CompiledCondition) -> list[_Wall]:
    walls = []
    for piece in condition.region.pieces():
        implicit = getattr(piece, "implicit", None)
        if implicit is None or piece.predicate != sp.true or condition.value is None:
            return []
        points = collocate(Region.whole(condition.region.domain, [piece], "wall"), SAMPLE).x
        walls.append(_Wall(k, implicit, condition.value, points))
    return walls


def _differentiable(problem: Problem, field: int, value: sp.Expr) -> bool:
    """Whether a value has the derivatives that the equations take: a function given as code may lack them."""
    order = max(operator.order_of(field) for operator in problem.operators)
    if derivative_order(value) < order:
        return False
    return not value.has(sp.Piecewise, sp.Heaviside, sp.Abs, sp.sign)


def _blend(problem: Problem, walls: Sequence[_Wall]) -> tuple[sp.Expr, set[int]]:
    """Blend groups of walls with the same data; a group that touches another with other data is left out."""
    groups: dict[sp.Expr, list[_Wall]] = {}
    for wall in walls:
        groups.setdefault(wall.value, []).append(wall)
    kept = {value: own for value, own in groups.items() if _apart(problem, value, groups)}
    if not kept and groups:
        largest = max(groups, key=lambda value: len(groups[value]))
        kept = {largest: groups[largest]}
    lift = _joined({value: [w.implicit for w in own] for value, own in kept.items()})
    return lift, {w.condition for own in kept.values() for w in own} - _left_out(groups, kept)


def _left_out(groups: dict[sp.Expr, list[_Wall]], kept: dict[sp.Expr, list[_Wall]]) -> set[int]:
    return {w.condition for value, own in groups.items() if value not in kept for w in own}


def _apart(problem: Problem, value: sp.Expr, groups: dict[sp.Expr, list[_Wall]]) -> bool:
    """Whether no wall of another group comes near the walls of this one."""
    points = np.concatenate([w.points for w in groups[value]])
    others = [w.implicit for v, own in groups.items() if v != value for w in own]
    if not others:
        return True
    return bool(np.all(np.abs(SymbolicField(problem.coordinates, tuple(others)).values(points)) > APART))


def _joined(groups: dict[sp.Expr, list[sp.Expr]]) -> sp.Expr:
    """Σ W_i g_i / Σ W_i with W_i the product of the implicit functions of the other groups."""
    if len(groups) == 1:
        return next(iter(groups))
    weights = {v: sp.Mul(*(phi for w, own in groups.items() if w != v for phi in own)) for v in groups}
    total = sp.Add(*weights.values())
    return sp.Add(*(v * w / total for v, w in weights.items() if v != 0))


def _initial(problem: Problem, field: int, lift: sp.Expr, walls: Sequence[_Wall]) -> tuple[sp.Expr, sp.Expr, set[int]]:
    """The Taylor sum in time that corrects g at the first instant, its factor, and the conditions kept."""
    time = problem.domain.time
    data = {
        condition.target.derivative[problem.coordinates.index(time)]: (k, condition.value)
        for k, condition in enumerate(problem.conditions)
        if condition.kind == "initial" and _prescribes(condition, field) and condition.target is not None
    }
    if time is None or not data:
        return sp.S.Zero, sp.S.One, set()
    start, end = problem.domain.bounds[problem.coordinates.index(time)]
    at = sp.nsimplify(start) if float(start).is_integer() else sp.Float(start)
    total: sp.Expr = sp.S.Zero
    kept: set[int] = set()
    order = 0
    while order in data:
        k, value = data[order]
        missing = value - sp.diff(lift, time, order).subs(time, at)
        if not (_differentiable(problem, field, value) and _vanishes_on(problem, missing, walls)):
            break
        total += (time - at) ** order / sp.factorial(order) * missing
        kept, order = kept | {k}, order + 1
    return total, ((time - at) / (end - start)) ** order, kept


def _vanishes_on(problem: Problem, expression: sp.Expr, walls: Sequence[_Wall]) -> bool:
    """Whether what is added at the first instant leaves the walls alone."""
    if not walls:
        return True
    values = SymbolicField(problem.coordinates, (expression,)).values(np.concatenate([w.points for w in walls]))
    inside = SymbolicField(problem.coordinates, (expression,)).values(collocate(problem.domain.interior, SAMPLE).x)
    return bool(np.all(np.abs(values) <= AGREEMENT * (1.0 + np.abs(inside).max())))
