"""Exact conditions on boxes: g takes the data, b vanishes where they are given, to the order that they are given.

Along one axis with both ends given, g blends the data linearly and b = 4 (x − a)(b − x)/(b − a)²; with one end, g
extends the data and b = (x − a)/(b − a); initial data of D_t^k u, k < m, give a Taylor sum and b = ((t − t₀)/T)^m.
Axes are joined one after the other, each correcting what is left on its own faces (transfinite interpolation, Gordon
& Hall 1973), which needs data that agree where faces meet, and with periodicity: what does not is left to soft rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sympy as sp

from kanpde.corners import conflicts
from kanpde.domain.piece import BoxPiece, halton
from kanpde.errors import ProblemError
from kanpde.expression import Program, derivative_order
from kanpde.field import Ansatz, SymbolicField, differentiated
from kanpde.problem import CompiledCondition, Problem
from kanpde.walls import impose_on_shape

LARGEST_DIMENSION = 3  # in more dimensions the product of distances is flat almost everywhere
AGREEMENT = 1e-9  # relative to the data, where two faces meet


@dataclass(frozen=True)
class _Datum:
    """One condition on one whole face: D^times u = value at the `upper` or lower end of an axis."""

    condition: int
    axis: int
    upper: bool
    times: int
    value: sp.Expr


def impose(problem: Problem, exact: bool | None = None) -> Ansatz:
    """The ansatz that keeps as many conditions exactly as can be.

    Args:
        problem: on a box, or on a shape.
        exact: None to decide by dimension and data, False for soft rows throughout, True to ask for all that fit.
    """
    coordinates = problem.coordinates
    count = len(problem.fields)
    if not problem.domain.is_box:
        return impose_on_shape(problem, exact)
    lifts, factors, imposed = [sp.S.Zero] * count, [sp.S.One] * count, []
    wanted = exact if exact is not None else len(coordinates) <= LARGEST_DIMENSION
    jumping = {conflict.field for conflict in conflicts(problem)} if exact is None else set()
    for unknown in range(count if wanted else 0):
        if unknown in jumping:
            continue
        data = _usable(problem, unknown)
        lifts[unknown], used = _lift(problem, unknown, data)
        factors[unknown] = _factor(problem, used)
        imposed += [datum.condition for datum in used]
    complete = _complete(problem, tuple(imposed))
    return Ansatz(SymbolicField(coordinates, tuple(lifts)), SymbolicField(coordinates, tuple(factors)), complete)


def _complete(problem: Problem, imposed: Sequence[int]) -> tuple[int, ...]:
    """Conditions all of whose faces are kept exactly."""
    faces = {k: len(c.region.pieces()) for k, c in enumerate(problem.conditions) if c.kind in ("dirichlet", "initial")}
    return tuple(k for k, n in faces.items() if imposed.count(k) == n)


def _usable(problem: Problem, unknown: int) -> list[_Datum]:
    """Data on whole faces for one unknown; initial values only without gaps in the order."""
    data: list[_Datum] = []
    for k, condition in enumerate(problem.conditions):
        if condition.target is not None and condition.target.unknown == unknown and condition.value is not None:
            if derivative_order(condition.value) < max(o.order_of(unknown) for o in problem.operators):
                continue
            found = [_datum(problem, k, condition, piece) for piece in condition.region.pieces()]
            data += [d for d in found if d is not None] if None not in found else []
    seen: dict[tuple[int, bool, int], _Datum] = {}
    for datum in data:
        seen.setdefault((datum.axis, datum.upper, datum.times), datum)
    return [d for d in seen.values() if all((d.axis, d.upper, m) in seen for m in range(d.times))]


def _datum(problem: Problem, k: int, condition: CompiledCondition, piece: BoxPiece) -> _Datum | None:
    lower, upper = np.array(piece.lower), np.array(piece.upper)
    bounds, own = problem.domain.bounds, _own_bounds(problem, condition)
    fixed = [i for i in range(len(bounds)) if lower[i] == upper[i]]
    whole = all(i in fixed or (lower[i], upper[i]) == tuple(own[i]) for i in range(len(bounds)))
    if condition.kind not in ("dirichlet", "initial") or len(fixed) != 1 or not whole or piece.predicate != sp.true:
        return None
    assert condition.target is not None
    assert condition.value is not None
    axis, alpha = fixed[0], condition.target.derivative
    if sum(alpha) != alpha[axis]:
        return None
    return _Datum(k, axis, bool(lower[axis] == bounds[axis][1]), alpha[axis], condition.value)


def _own_bounds(problem: Problem, condition: CompiledCondition) -> np.ndarray:
    """The box of the material in which the prescribed field lives; the whole domain where there is one material."""
    target = condition.target
    regions = [
        region
        for operator, region in zip(problem.operators, problem.regions, strict=True)
        if target is not None and any(v.unknown == target.unknown for v in operator.jet)
    ]
    pieces = [piece for region in regions for piece in region.pieces()]
    if not pieces or not all(isinstance(p, BoxPiece) and p.predicate == sp.true for p in pieces):
        return problem.domain.bounds
    lower, upper = np.min([p.lower for p in pieces], axis=0), np.max([p.upper for p in pieces], axis=0)
    return np.stack([lower, upper], axis=1)


def _lift(problem: Problem, unknown: int, data: Sequence[_Datum]) -> tuple[sp.Expr, list[_Datum]]:
    """g, and the data that it satisfies."""
    lift: sp.Expr = sp.S.Zero
    used: list[_Datum] = []
    for axis in range(len(problem.coordinates)):
        own = sorted((d for d in data if d.axis == axis), key=lambda d: (d.upper, d.times))
        candidate = lift + _along(problem, axis, own, lift)
        while own and not (
            _differentiable(problem, unknown, candidate)
            and _agrees(problem, candidate, used)
            and _closes(problem, unknown, candidate)
        ):
            own = own[:-1]
            candidate = lift + _along(problem, axis, own, lift)
        lift, used = candidate, used + own
    return lift, used


def _differentiable(problem: Problem, unknown: int, lift: sp.Expr) -> bool:
    """Whether the derivatives of g that the equations take can be evaluated; a kink makes a delta of the second."""
    jets = {v.derivative for operator in problem.operators for v in operator.jet if v.unknown == unknown}
    wanted = [differentiated(lift, problem.coordinates, alpha) for alpha in sorted(jets)]
    try:
        Program.compile(wanted, problem.coordinates)
    except ProblemError:
        return False
    return True


def _along(problem: Problem, axis: int, data: Sequence[_Datum], lift: sp.Expr) -> sp.Expr:
    """What is added so that the data of one axis hold: a Taylor sum at one end, a linear blend of two."""
    x = problem.coordinates[axis]
    a, b = (sp.nsimplify(v) if float(v).is_integer() else sp.Float(v) for v in problem.domain.bounds[axis])
    total: sp.Expr = sp.S.Zero
    two_ends = len({d.upper for d in data}) == 2
    for datum in data:
        end = b if datum.upper else a
        missing = datum.value.subs(x, end) - sp.diff(lift, x, datum.times).subs(x, end)
        if _vanishes(problem, missing):
            continue
        s = (x - a) / (b - a)
        shape = (s if datum.upper else 1 - s) if two_ends else (x - end) ** datum.times / sp.factorial(datum.times)
        total += shape * missing
    return total


def _vanishes(problem: Problem, expression: sp.Expr) -> bool:
    if expression == 0:
        return True
    points = _sample(problem)
    (values,) = Program.compile([expression], problem.coordinates)(list(points.T), np)
    return bool(np.all(np.abs(values) < 1e-14))


def _sample(problem: Problem) -> np.ndarray:
    bounds = problem.domain.bounds
    unit = halton(64, len(bounds))
    return bounds[:, 0] + unit * (bounds[:, 1] - bounds[:, 0])


def _agrees(problem: Problem, lift: sp.Expr, used: Sequence[_Datum]) -> bool:
    """Whether g still satisfies the data of the earlier axes."""
    points = _sample(problem)
    for datum in used:
        x = problem.coordinates[datum.axis]
        end = problem.domain.bounds[datum.axis][int(datum.upper)]
        on_face = points.copy()
        on_face[:, datum.axis] = end
        got = sp.diff(lift, x, datum.times)
        values, data = Program.compile([got, datum.value], problem.coordinates)(list(on_face.T), np)
        if not np.all(np.abs(values - data) <= AGREEMENT * (1.0 + np.abs(data).max())):
            return False
    return True


def _closes(problem: Problem, unknown: int, lift: sp.Expr) -> bool:
    """Whether g is periodic where u must be: a jump of g, or of its slope, would stay in u whatever N is."""
    return all(
        _equal_ends(problem, sp.diff(lift, problem.coordinates[condition.axis], times), condition.axis)
        for condition in problem.conditions
        if condition.kind == "periodic" and unknown in condition.unknowns and condition.axis is not None
        for times in range(_order_along(problem, unknown, condition.axis))
    )


def _order_along(problem: Problem, unknown: int, axis: int) -> int:
    return max(v.derivative[axis] for operator in problem.operators for v in operator.jet if v.unknown == unknown)


def _equal_ends(problem: Problem, expression: sp.Expr, axis: int) -> bool:
    """Whether an expression of the coordinates takes the same values at both ends of an axis."""
    program = Program.compile([expression], problem.coordinates)
    values = []
    for end in problem.domain.bounds[axis]:
        on_face = _sample(problem)
        on_face[:, axis] = end
        values += program(list(on_face.T), np)
    return bool(np.all(np.abs(values[1] - values[0]) <= AGREEMENT * (1.0 + np.abs(values[0]).max())))


def _factor(problem: Problem, data: Sequence[_Datum]) -> sp.Expr:
    """b: a product of normalised distances, each to the power of the number of data at its end."""
    factor: sp.Expr = sp.S.One
    for axis, x in enumerate(problem.coordinates):
        a, b = (float(v) for v in problem.domain.bounds[axis])
        low = sum(d.axis == axis and not d.upper for d in data)
        high = sum(d.axis == axis and d.upper for d in data)
        factor *= (2 ** int(low > 0 and high > 0) * (x - a) / (b - a)) ** low
        factor *= (2 ** int(low > 0 and high > 0) * (b - x) / (b - a)) ** high
    return factor
