"""Corners of a box where the data on two sides disagree: the lid of a cavity meets its wall.

There the solution is a function of the angle, and its derivatives grow like inverse powers of the distance r: no smooth
network comes near, and the residual is not even square integrable. The angle becomes an input of the network, and the
equations count with the weight (r²/(r² + ρ²))², which leaves them as they are away from the corner.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sympy as sp

from kanpde.expression import Program
from kanpde.problem import Problem

RADIUS = 0.1  # ρ, of the shortest side
JUMP = 1e-6  # of the largest value on the boundary
NEAR = 1e-9  # of the box: how far from the corner the data are compared


@dataclass(frozen=True)
class Conflict:
    """A corner of the plane where a field jumps.

    Attributes:
        field: position of the field.
        corner: (x, y).
        inward: signs of the directions into the domain.
        radius: ρ.
    """

    field: int
    corner: tuple[float, float]
    inward: tuple[float, float]
    radius: float

    def angle(self, coordinates: Sequence[sp.Symbol]) -> sp.Expr:
        """The angle at the corner over its opening, from 0 to 1."""
        x, y = (sp.Float(s) * (c - sp.Float(a)) for s, c, a in zip(self.inward, coordinates, self.corner, strict=False))
        return 2 * sp.atan2(y, x) / sp.pi

    def weight(self, points: np.ndarray) -> np.ndarray:
        """(r²/(r² + ρ²))² at points (n, d)."""
        square = np.sum((points[:, :2] - np.array(self.corner)) ** 2, axis=1)
        return (square / (square + self.radius**2)) ** 2


def conflicts(problem: Problem) -> tuple[Conflict, ...]:
    """The corners of a stationary problem on a rectangle where Dirichlet data of a field disagree."""
    domain = problem.domain
    if not domain.is_box or domain.dimension != 2 or len(domain.space) != 2:
        return ()
    bounds, found = domain.bounds, []
    radius = RADIUS * float(np.min(np.ptp(bounds, axis=1)))
    for field, (i, j) in itertools.product(range(len(problem.fields)), itertools.product((0, 1), (0, 1))):
        one, other = (_value(problem, field, axis, (i, j)) for axis in (0, 1))
        if one is not None and other is not None and abs(one - other) > JUMP * (1 + max(abs(one), abs(other))):
            corner = float(bounds[0, i]), float(bounds[1, j])
            found.append(Conflict(field, corner, (1.0 - 2 * i, 1.0 - 2 * j), radius))
    return tuple(found)


def _value(problem: Problem, field: int, axis: int, ends: tuple[int, int]) -> float | None:
    """What a field is given to be on one side, next to a corner; None where it is not."""
    bounds = problem.domain.bounds
    point = np.array([[bounds[k, e] for k, e in enumerate(ends)]])
    other = 1 - axis
    point[0, other] += NEAR * (1 - 2 * ends[other]) * np.ptp(bounds[other])
    for condition in problem.conditions:
        target = condition.target
        if condition.kind != "dirichlet" or condition.value is None:
            continue
        if target is not None and target.unknown == field:
            end = bounds[axis, ends[axis]]
            on_side = [p for p in condition.region.pieces() if p.lower[axis] == p.upper[axis] == end]
            if any(p.contains(point)[0] for p in on_side):
                return float(Program.compile([condition.value], problem.coordinates)(list(point.T), np)[0][0])
    return None
