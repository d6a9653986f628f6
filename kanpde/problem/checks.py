"""Checks of a whole problem at the door: what leaves it without one solution is an error, what is unusual is a warning.

Counting conditions cannot decide whether a problem is well posed. An error is raised only where the count leaves no
doubt for the equations that people write; a warning says what else is remarkable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import sympy as sp
from sympy.core.function import AppliedUndef

from ..domain import BoxPiece, Piece, halton
from ..errors import ProblemError
from ..expression import Eigenvalue, Program
from .consistency import check_exact
from .finiteness import check_finite, piece_sample
from .materials import Materials, jumps
from .statement import Statement
from .wellposed import CHECKS as DATA_CHECKS

# Conditions that are not held on the boundary.
ELSEWHERE = ("initial", "integral", "observations", "interface")
# Points on a side: a condition must hold at all of them to cover it.
N_SIDE = 32


def check(problem: Statement) -> list[str]:
    """Return the warnings about a problem.

    Raises:
        ProblemError: the problem cannot have one solution, or a coefficient is not finite.
    """
    return [message for run in CHECKS for message in run(problem)]


def check_count(problem: Statement) -> Iterator[str]:
    """As many equations as unknowns; an unknown coefficient has none of its own."""
    n, c = len(problem.operators), len(problem.fields) - len(problem.coefficients)
    names = ", ".join(str(u) for k, u in enumerate(problem.fields) if k not in problem.coefficients)
    if n < c:
        raise ProblemError(f"{n} equation(s) for {c} unknowns ({names}); give one equation an unknown.")
    if n > c and len(set(r.text for r in problem.regions)) == 1:
        yield f"{n} equations for {c} unknown(s) ({names}); they are solved in the least-squares sense."


def check_data(problem: Statement) -> Iterator[str]:
    """What is to be identified needs measurements, or more conditions than the equations do."""
    scalars = [p.name for p in problem.parameters if not isinstance(p, Eigenvalue)]
    sought = [*scalars, *(str(problem.fields[k]) for k in problem.coefficients)]
    measured = any(c.kind == "observations" for c in problem.conditions)
    if sought and not measured and not _extra(problem):
        raise ProblemError(
            f"{', '.join(sought)} cannot be identified without data; add Observations(u, points, values, sigma=...)."
        )
    yield from ()


def _extra(problem: Statement) -> bool:
    """Whether more conditions than the equations need could determine what is unknown: integrals, points, fluxes."""
    if any(c.kind == "integral" or all(p.dimension == 0 for p in c.region.pieces()) for c in problem.conditions):
        return True
    samples = [piece_sample(piece, N_SIDE) for piece in problem.domain.boundary_pieces()]
    sought = [i for i in range(len(problem.fields)) if i not in problem.coefficients]
    return any(_count(problem, i, x) > max(1, _order(problem, i) // 2) for i in sought for x in samples if len(x))


def check_constrained(problem: Statement) -> Iterator[str]:
    """Every unknown that is differentiated needs data, and something that fixes its level."""
    for i, unknown in enumerate(problem.fields):
        if _order(problem, i) == 0 or i in problem.coefficients:
            continue
        constrained = any(i in c.unknowns for c in problem.conditions)
        if not constrained and not _algebraic(problem, i):
            raise ProblemError(f"{unknown} is never constrained: no condition mentions it; {_cure(problem, i)}.")
        if not _has_level(problem, i):
            raise ProblemError(
                f"{unknown} enters only through its derivatives, so any constant can be added to it; "
                f"fix its mean or its value somewhere, such as Integral({_owner(problem, i).func}, 0) or "
                f"Dirichlet({_owner(problem, i).func}, 0, on=Point({{{_origin(problem)}}}))."
            )
        if not constrained:
            yield f"no condition mentions {unknown}; that is right only if the other unknowns determine it."


def check_initial(problem: Statement) -> Iterator[str]:
    """A time derivative of order k needs u, ..., D_t^(k-1) u at the first instant."""
    if problem.domain.time is None:
        return
    axis = problem.coordinates.index(problem.domain.time)
    for i, unknown in enumerate(problem.fields):
        given = _initial_orders(problem, i, axis)
        for order in range(_order(problem, i, axis)):
            if order not in given:
                target = (
                    f"{unknown.func}.diff({problem.domain.time}{f', {order}' if order > 1 else ''})"
                    if order
                    else unknown.func
                )
                raise ProblemError(
                    f"{unknown} has no initial value of order {order} in time; add Initial({target}, value)."
                )
    yield from ()


def check_sides(problem: Statement) -> Iterator[str]:
    """Derivatives of order m along an axis need m conditions on its two sides together, at least one on each."""
    if not problem.domain.is_box or problem.layout.materials:
        yield from _check_boundary(problem)
        return
    for i in range(len(problem.fields)):
        for axis in range(len(problem.domain.space)):
            needed = _order(problem, i, axis) >= 1 and i not in problem.coefficients
            if needed and not _is_periodic(problem, i, axis):
                yield from _check_axis(problem, i, axis)


def _check_boundary(problem: Statement) -> Iterator[str]:
    """On a shape, and in materials, every piece of the boundary needs a condition on each field of second order."""
    for i, field in enumerate(problem.fields):
        if max(_order(problem, i, axis) for axis in range(len(problem.domain.space))) < 2 or i in problem.coefficients:
            continue
        for piece in _own_boundary(problem, i):
            points = piece_sample(piece, N_SIDE)
            if len(points) and _count(problem, i, points) == 0:
                where = ", ".join(f"{s} = {v:.3g}" for s, v in zip(problem.coordinates, points[0], strict=False))
                message = f"{field} has no condition on the part of the boundary near {where}"
                yield _fault(message, _cure(problem, i), _others(problem, points))
                break


def _own_boundary(problem: Statement, i: int) -> tuple[Piece, ...]:
    """The pieces of the boundary where a field lives and is not periodic."""
    boundary = problem.domain.boundary
    for axis, s in enumerate(problem.domain.space):
        if problem.domain.is_box and _is_periodic(problem, i, axis):
            boundary = boundary - problem.domain.lower(s) - problem.domain.upper(s)
    if problem.layout.materials:
        cells = Materials(problem.domain, problem.layout.materials)
        boundary = cells.region(problem.layout.material_of(i), boundary)
    return boundary.pieces()


def check_jumps(problem: Statement) -> Iterator[str]:
    """A coefficient of a highest derivative that jumps: the derivative of the flux is taken piece by piece."""
    for operator in problem.operators:
        leading = [
            g for g, v in zip(operator.gradient, operator.jet, strict=True) if sum(v.derivative) == operator.order
        ]
        if operator.order > 1 and any(_jumps(g, problem) for g in leading):
            yield (
                "a coefficient of the highest derivatives jumps, and the flux condition at the jump is not seen: write "
                "the equation with divergence(coefficient * gradient(u)), or smooth the coefficient, with tanh say."
            )


def _jumps(coefficient: sp.Expr, problem: Statement) -> bool:
    """Whether a coefficient is not continuous; a step counts, and branches that move."""
    if coefficient.atoms(sp.Heaviside, sp.sign):
        return True
    known = set(problem.domain.space)
    pieces = coefficient.atoms(sp.Piecewise)
    return any(not _conditions(p) <= known or jumps(p, problem.domain) for p in pieces)


def _conditions(piecewise: sp.Basic) -> set[sp.Basic]:
    """The symbols of the conditions."""
    return set().union(*(when.free_symbols for _, when in piecewise.args))


CHECKS: tuple[Callable[[Statement], Iterator[str]], ...] = (
    check_count,
    check_data,
    check_finite,
    check_initial,
    check_constrained,
    check_sides,
    check_jumps,
    check_exact,
    *DATA_CHECKS,
)


def _check_axis(problem: Statement, i: int, axis: int) -> Iterator[str]:
    order, coordinate, unknown = _order(problem, i, axis), problem.domain.space[axis], problem.fields[i]
    sides = [problem.domain.lower(coordinate), problem.domain.upper(coordinate)]
    samples = [side.pieces()[0].points(halton(N_SIDE, problem.domain.dimension - 1)) for side in sides]
    counts = [_count(problem, i, points) for points in samples]
    if order == 1:
        overdetermined = len(problem.operators) > len(problem.fields)
        ruled = all(_others(problem, points) for points in samples)
        if not any(counts) and not overdetermined and not ruled and _is_sided(problem, i):
            yield f"{unknown} has no condition on {sides[0].name} or {sides[1].name}; is there no inflow?"
        return
    for side, points, own, other in zip(sides, samples, counts, reversed(counts), strict=True):
        if own == 0:
            legitimate = other >= order or _degenerate(problem, i, axis, points) or _others(problem, points)
            yield _fault(f"{unknown} has no condition on {side.name}", _cure(problem, i, side.name), legitimate)
            return
    if sum(counts) < order:
        legitimate = len(problem.fields) > 1 or any(_degenerate(problem, i, axis, points) for points in samples)
        given = f"{unknown} has {sum(counts)} condition(s) on {sides[0].name} and {sides[1].name} together"
        yield _fault(given, f"derivatives of order {order} along {coordinate} need {order}", legitimate)


def _is_sided(problem: Statement, i: int) -> bool:
    """Whether conditions on whole sides mention a field: a pressure has its mean, or its value at a point."""
    kept = [c for c in problem.conditions if c.kind == "initial" or c.kind not in ELSEWHERE]
    sided = [c for c in kept if any(p.dimension for p in c.region.pieces())]
    return any(i in c.unknowns for c in sided)


def _fault(fault: str, cure: str, legitimate: bool) -> str:
    if not legitimate:
        raise ProblemError(f"{fault}; {cure}.")
    return f"{fault}; that may be meant, otherwise {cure}."


def _cure(problem: Statement, i: int, side: str = "") -> str:
    name = _owner(problem, i).func
    return f"add Dirichlet, Neumann, Robin or Periodic for {name}{f' on {side}' if side else ''}"


def _owner(problem: Statement, i: int) -> AppliedUndef:
    """The unknown that a field is part of."""
    layout = problem.layout
    owners = (u for share in layout.shares for u, part in zip(layout.unknowns, share, strict=True) if i in part)
    return next(owners)


def _origin(problem: Statement) -> str:
    return ", ".join(f"{s}: {a:g}" for s, a in zip(problem.domain.space, problem.domain.bounds[:, 0], strict=False))


def _order(problem: Statement, i: int, axis: int | None = None) -> int:
    """The largest order of the derivatives of an unknown, along one coordinate or in all."""
    if axis is None:
        return max(operator.order_of(i) for operator in problem.operators)
    return max(operator.order_in(axis, i) for operator in problem.operators)


def _has_level(problem: Statement, i: int) -> bool:
    """Whether the unknown itself occurs anywhere, not only its derivatives."""
    kept = [c.operator for c in problem.conditions if c.operator is not None and c.kind != "interface"]
    glued = _glued(problem, i)
    return any(not any(alpha) for o in (*problem.operators, *kept) for k in glued for alpha in o.derivatives(k))


def _glued(problem: Statement, i: int) -> set[int]:
    """The fields that continue one another through interfaces."""
    links = [c.unknowns for c in problem.conditions if c.kind == "interface" and c.operator and c.operator.order == 0]
    found, size = {i}, 0
    while len(found) > size:
        size = len(found)
        found |= {k for link in links if link & found for k in link}
    return found


def _algebraic(problem: Statement, i: int) -> bool:
    """Whether an unknown without conditions can be determined by the others, like the flux of a first-order system."""
    return _order(problem, i) == 1 and len(problem.fields) > 1 and bool(problem.conditions)


def _initial_orders(problem: Statement, i: int, axis: int) -> set[int]:
    """The orders of time derivatives of an unknown that are given at the first instant."""
    orders: set[int] = set()
    start = problem.domain.bounds[axis, 0]
    for condition in problem.conditions:
        pieces = condition.region.pieces()
        at_start = condition.kind == "initial" or _at_start(pieces, axis, float(start))
        if condition.operator is not None and at_start:
            orders |= {alpha[axis] for alpha in condition.operator.derivatives(i)}
    return orders


def _at_start(pieces: Sequence[Piece], axis: int, start: float) -> bool:
    """Whether boxes lie at the first instant."""
    boxes = [p for p in pieces if isinstance(p, BoxPiece)]
    return bool(boxes) and len(boxes) == len(pieces) and all(p.lower[axis] == p.upper[axis] == start for p in boxes)


def _is_periodic(problem: Statement, i: int, axis: int) -> bool:
    return any(c.kind == "periodic" and c.axis == axis and i in c.unknowns for c in problem.conditions)


def _count(problem: Statement, i: int, points: np.ndarray) -> int:
    """The number of conditions for an unknown at the point of a side that has the fewest; corners do not count."""
    held = [c.region.contains(points) for c in problem.conditions if i in c.unknowns and c.kind not in ELSEWHERE]
    return int(np.sum(held, axis=0).min()) if held else 0


def _others(problem: Statement, points: np.ndarray) -> bool:
    """Whether each point has a condition on some unknown: systems need not constrain all of them everywhere."""
    held = [c.region.contains(points) for c in problem.conditions if c.kind not in ELSEWHERE]
    return len(problem.fields) > 1 and bool(held) and bool(np.any(held, axis=0).all())


def _degenerate(problem: Statement, i: int, axis: int, points: np.ndarray) -> bool:
    """Whether the coefficient of the highest derivative along an axis vanishes at the points, or is unknown there."""
    coefficients = list(_leading(problem, i, axis))
    if any(c.free_symbols - set(problem.coordinates) for c in coefficients):
        return True
    values = Program.compile(coefficients, problem.coordinates)(list(points.T), np)
    return all(bool((np.abs(v) <= 1e-12).all()) for v in values)


def _leading(problem: Statement, i: int, axis: int) -> Iterator[sp.Expr]:
    order = _order(problem, i, axis)
    for operator in problem.operators:
        for variable, coefficient in zip(operator.jet, operator.gradient, strict=True):
            if variable.unknown == i and variable.derivative[axis] == order == sum(variable.derivative):
                yield coefficient
