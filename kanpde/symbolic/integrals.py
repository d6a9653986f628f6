"""Integrals of formulas over boxes and disks, by SymPy, where these are sure to end."""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp

from kanpde.domain.bodies import EllipseBody
from kanpde.domain.patch import ShapePiece
from kanpde.domain.piece import BoxPiece
from kanpde.domain.planar import AreaPatch
from kanpde.symbolic.charts import meant, rotation

LONGEST = 40  # terms
RADIUS, ANGLE = sp.Dummy("r", positive=True), sp.Dummy("theta", real=True)


def integral(expression: sp.Expr, pieces: Sequence[object], space: Sequence[sp.Symbol]) -> sp.Expr | None:
    """Over the space that some pieces cover, at each time; None where it is not done.

    Args:
        expression: of the coordinates.
        pieces: of a region.
        space: its spatial coordinates.
    """
    parts = [_over(expression, piece, space) for piece in pieces]
    known = [part for part in parts if part is not None]
    return sp.Add(*known) if len(known) == len(parts) else None


def _over(expression: sp.Expr, piece: object, space: Sequence[sp.Symbol]) -> sp.Expr | None:
    if getattr(piece, "predicate", sp.true) != sp.true:
        return None
    if isinstance(piece, BoxPiece):
        ends = zip(piece.coordinates, piece.lower, piece.upper, strict=True)
        found = expression
        for x, low, high in ends:
            if x in space and low < high:
                found = _simple(found, x, meant(low), meant(high))
            elif x in space:
                found = None if found is None else found.subs(x, meant(low))
        return found
    if (
        isinstance(piece, ShapePiece)
        and isinstance(piece.patch, AreaPatch)
        and isinstance(piece.patch.body, EllipseBody)
    ):
        return _over_ellipse(expression, piece, piece.patch.body)
    return None


def _over_ellipse(expression: sp.Expr, piece: ShapePiece, body: EllipseBody) -> sp.Expr | None:
    """In its polar coordinates; polynomials only."""
    if not expression.is_polynomial(*piece.space):
        return None
    a, b = map(meant, body.axes)
    turned = rotation(meant(body.angle)) * sp.Matrix([a * RADIUS * sp.cos(ANGLE), b * RADIUS * sp.sin(ANGLE)])
    place = {x: meant(c) + n for x, c, n in zip(piece.space, body.center, turned, strict=True)}
    inner = sp.integrate(sp.expand(expression.subs(place, simultaneous=True) * a * b * RADIUS), (RADIUS, 0, 1))
    return sp.integrate(sp.expand(inner), (ANGLE, 0, 2 * sp.pi))


def _simple(expression: sp.Expr | None, x: sp.Symbol, low: sp.Expr, high: sp.Expr) -> sp.Expr | None:
    """Of sums of products of powers, exponentials and waves of x; None for anything else."""
    if expression is None:
        return None
    terms = sp.Add.make_args(sp.expand(expression))
    if len(terms) > LONGEST or not all(_is_simple(factor, x) for t in terms for factor in sp.Mul.make_args(t)):
        return None
    return sp.integrate(sp.Add(*terms), (x, low, high))


def _is_simple(factor: sp.Expr, x: sp.Symbol) -> bool:
    if not factor.has(x):
        return True
    base, exponent = factor.as_base_exp()
    if factor.func == sp.exp:
        return bool(factor.args[0].is_polynomial(x) and sp.degree(factor.args[0], x) <= 1)
    if not (exponent.is_Integer and exponent > 0):
        return False
    if base.func in (sp.sin, sp.cos):
        return bool(base.args[0].is_polynomial(x) and sp.degree(base.args[0], x) <= 1)
    return bool(base == x)
