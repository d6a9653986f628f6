"""Pieces of boundaries in exact numbers: what coordinates and normals are there, as expressions of parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sympy as sp

from kanpde.domain.bodies import BallBody
from kanpde.domain.curves import Arc, Segment
from kanpde.domain.patch import ShapePiece
from kanpde.domain.piece import BoxPiece
from kanpde.domain.planar import CurvePatch
from kanpde.domain.solids import RoundPatch
from kanpde.symbolic.constants import recognised

THETA, PHI, S = (sp.Dummy(name, real=True) for name in ("theta", "phi", "s"))  # a user may have symbols of these names
ROUNDING = 4e-16  # relative, with which a number of a domain is the constant that it was stated as


@dataclass(frozen=True)
class Chart:
    """A piece of a region.

    Attributes:
        coordinates: those that are fixed or curved there, as expressions; the others are free.
        normal: outward, one component a coordinate of space; empty where there is none.
    """

    coordinates: Mapping[sp.Symbol, sp.Expr]
    normal: tuple[sp.Expr, ...] = ()


def meant(value: float) -> sp.Expr:
    """A number of a domain as it was stated: 3.141592653589793 is π, 0.1 is 1/10."""
    found = recognised(value, ROUNDING)
    return found.value if found.known else sp.Rational(str(float(value)))


def chart_of(piece: object) -> Chart | None:
    """A piece in exact numbers; None where it is known by numbers only, as on a mesh."""
    if isinstance(piece, BoxPiece):
        ends = zip(piece.coordinates, piece.lower, piece.upper, strict=True)
        return Chart({x: meant(low) for x, low, high in ends if low == high}, tuple(map(meant, piece.normal or ())))
    if not isinstance(piece, ShapePiece):
        return None
    fixed = {x: meant(low) for x, low, high in piece.extra if low == high}
    patch = piece.patch
    if isinstance(patch, CurvePatch):
        found = _curve(piece.space, patch.curve)
    elif isinstance(patch, RoundPatch) and isinstance(patch.carrier, BallBody):
        found = _ball(piece.space, patch)
    else:
        found = None if piece.normal is not None else Chart({})
    return None if found is None else Chart({**found.coordinates, **fixed}, found.normal)


def _curve(space: tuple[sp.Symbol, ...], curve: object) -> Chart | None:
    """The body is on the left of a curve, so its normal points to the right."""
    if isinstance(curve, Arc):
        a, b = map(meant, curve.axes)
        angle, sign = meant(curve.angle), 1 if curve.end > curve.start else -1
        along = sp.Matrix([a * sp.cos(THETA), b * sp.sin(THETA)])
        parameter, place = THETA, sp.Matrix(list(map(meant, curve.center))) + rotation(angle) * along
    elif isinstance(curve, Segment):
        start, end = (sp.Matrix(list(map(meant, p))) for p in (curve.start, curve.end))
        parameter, sign, place = S, 1, start + S * (end - start)
    else:
        return None
    dx, dy = sign * place.diff(parameter)
    length = sp.sqrt(sp.simplify(dx**2 + dy**2))
    return Chart(dict(zip(space, place, strict=True)), (dy / length, -dx / length))


def rotation(angle: sp.Expr) -> sp.Matrix:
    """By an angle, (2, 2)."""
    return sp.Matrix([[sp.cos(angle), -sp.sin(angle)], [sp.sin(angle), sp.cos(angle)]])


def _ball(space: tuple[sp.Symbol, ...], patch: RoundPatch) -> Chart | None:
    """A sphere, its normal outward where the ball itself is the body."""
    ball = patch.carrier
    assert isinstance(ball, BallBody)
    out = (sp.sin(THETA) * sp.cos(PHI), sp.sin(THETA) * sp.sin(PHI), sp.cos(THETA))
    place = [meant(c) + meant(ball.radius) * n for c, n in zip(ball.center, out, strict=True)]
    return Chart(dict(zip(space, place, strict=True)), out if patch.body == ball else ())
