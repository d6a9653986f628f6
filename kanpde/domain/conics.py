"""Lines, ellipses, planes and spheres in what users compare with zero, as bodies with exact boundaries."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import sympy as sp

from ..expression import constant_value
from .bodies import DIFFERENCE, INTERSECTION, UNION, BallBody, Body, BoxBody, Composed, EllipseBody, PolygonBody

LESS = (sp.StrictLessThan, sp.LessThan)
GREATER = (sp.StrictGreaterThan, sp.GreaterThan)


def predicate_body(predicate: sp.Basic, space: Sequence[sp.Symbol], box: np.ndarray) -> Body | None:
    """Return the set where a predicate holds within a box (d, 2), None if it is not made of known comparisons."""
    if isinstance(predicate, sp.And | sp.Or):
        parts = [predicate_body(part, space, box) for part in predicate.args]
        some = tuple(part for part in parts if part is not None)
        operation = INTERSECTION if isinstance(predicate, sp.And) else UNION
        return Composed(operation, some) if len(some) == len(parts) else None
    if isinstance(predicate, sp.Not):
        negated = sp.to_nnf(predicate, simplify=False)
        return None if isinstance(negated, sp.Not) else predicate_body(negated, space, box)
    if isinstance(predicate, LESS):
        return _below(sp.expand(predicate.args[0] - predicate.args[1]), space, box)
    if isinstance(predicate, GREATER):
        return _below(sp.expand(predicate.args[1] - predicate.args[0]), space, box)
    return None


def _below(g: sp.Expr, space: Sequence[sp.Symbol], box: np.ndarray) -> Body | None:
    """The set g < 0 as far as the neighbourhood of the box; a plane further off is moved there."""
    room = np.ptp(box, axis=1)
    lower, upper = (box[:, 0] - room).tolist(), (box[:, 1] + room).tolist()
    flat = coordinate_of(g, space)
    if flat is not None:
        axis, value = flat
        value = float(np.clip(value, box[axis, 0] - 0.5 * room[axis], box[axis, 1] + 0.5 * room[axis]))
        grows = float(constant_value(g.coeff(space[axis], 1))) > 0
        (upper if grows else lower)[axis] = value
        return BoxBody(tuple(lower), tuple(upper))
    own = conic_of(g, space, box) if len(space) == 2 else ball_of(g, space) if len(space) == 3 else None
    if own is None or isinstance(own, PolygonBody):
        return own
    # Inside an ellipse or a ball the quadratic form is below zero if its squares are positive.
    inside = float(constant_value(g.coeff(space[0], 2))) > 0
    return own if inside else Composed(DIFFERENCE, (BoxBody(tuple(lower), tuple(upper)), own))


def coordinate_of(factor: sp.Expr, space: Sequence[sp.Symbol]) -> tuple[int, float] | None:
    """The axis and the value, where a factor is linear in one coordinate and free of the others."""
    if len(factor.free_symbols) != 1:
        return None
    (symbol,) = factor.free_symbols
    if not factor.is_polynomial(symbol) or sp.degree(factor, symbol) != 1:
        return None
    value = -factor.coeff(symbol, 0) / factor.coeff(symbol, 1)
    return space.index(symbol), float(constant_value(value))


def conic_of(factor: sp.Expr, space: Sequence[sp.Symbol], box: np.ndarray) -> PolygonBody | EllipseBody | None:
    """Return the half plane below a line as far as a box reaches, its first side on the line, or an ellipse."""
    if not factor.is_polynomial(*space) or sp.Poly(factor, *space).total_degree() > 2:
        return None
    poly = sp.Poly(factor, *space)
    c = {m: float(constant_value(v)) for m, v in poly.terms()}
    form = np.array([[c.get((2, 0), 0.0), c.get((1, 1), 0.0) / 2], [c.get((1, 1), 0.0) / 2, c.get((0, 2), 0.0)]])
    linear, constant = np.array([c.get((1, 0), 0.0), c.get((0, 1), 0.0)]), c.get((0, 0), 0.0)
    if not form.any():
        return _line(linear, constant, box)
    values, vectors = np.linalg.eigh(form)
    if values[0] * values[1] <= 0:
        return None
    center = -0.5 * np.linalg.solve(form, linear)
    level = center @ form @ center - constant
    squares = level / values
    if np.any(squares <= 0):
        return None
    circular = abs(values[1] - values[0]) <= 1e-14 * abs(values).max()
    axes = (float(np.sqrt(squares[0])),) * 2 if circular else tuple(np.sqrt(squares).tolist())
    angle = 0.0 if circular else float(np.arctan2(vectors[1, 0], vectors[0, 0]))
    place = (float(center[0]), float(center[1]))
    return EllipseBody(place, (axes[0], axes[1]), angle)


def _line(linear: np.ndarray, constant: float, box: np.ndarray) -> PolygonBody:
    size = np.linalg.norm(linear)
    normal = linear / size
    along = np.array([-normal[1], normal[0]])
    middle = box.mean(axis=1)
    foot = middle - normal * (normal @ middle + constant / size)
    reach = 2 * float(np.linalg.norm(np.ptp(box, axis=1)) + np.linalg.norm(foot - middle))
    corners = [
        foot - reach * along,
        foot + reach * along,
        foot + reach * (along - normal),
        foot - reach * (along + normal),
    ]
    loop = [(float(p[0]), float(p[1])) for p in corners]
    # Counter-clockwise, so that the half plane below lies on the left of the line, which runs against `along`.
    return PolygonBody(((loop[1], loop[0], loop[3], loop[2]),))


def ball_of(factor: sp.Expr, space: Sequence[sp.Symbol]) -> BallBody | None:
    """Return the ball within a sphere."""
    if not factor.is_polynomial(*space) or sp.Poly(factor, *space).total_degree() != 2:
        return None
    c = {m: float(constant_value(v)) for m, v in sp.Poly(factor, *space).terms()}
    squares = [c.pop(tuple(2 * int(i == k) for i in range(3)), 0.0) for k in range(3)]
    linear = np.array([c.pop(tuple(int(i == k) for i in range(3)), 0.0) for k in range(3)])
    constant = c.pop((0, 0, 0), 0.0)
    if c or squares[0] == 0 or squares[0] != squares[1] or squares[0] != squares[2]:
        return None
    center = -linear / (2 * squares[0])
    square = float(center @ center - constant / squares[0])
    if square <= 0:
        return None
    x, y, z = center.tolist()
    return BallBody((x, y, z), float(np.sqrt(square)))
