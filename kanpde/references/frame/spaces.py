"""Which functions each field of a problem gets: the box of its region, its periodic axes, holes and corners."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from kanpde.domain import BoxPiece, Region
from kanpde.errors import ProblemError
from kanpde.problem import Problem
from kanpde.references.frame.basis import Basis, Polynomials, truncated
from kanpde.references.frame.points import scattered
from kanpde.references.frame.powers import Powers, laurent

Array = np.ndarray

# A box that was found from points of a region is enlarged by this part of it.
MARGIN = 0.02
N_BOUNDS = 1024


@dataclass(frozen=True)
class Space:
    """How rich a frame is.

    Attributes:
        degrees: of the polynomials along each axis.
        powers: largest negative power about holes, and largest power about corners.
    """

    degrees: tuple[int, ...]
    powers: int = 0


def bases_of(problem: Problem, space: Space) -> tuple[Basis, ...]:
    """The functions of each field; fields on the same box share theirs."""
    made: dict[tuple[object, ...], Basis] = {}
    result = []
    # Euclidean degree on boxes, where a corner needs as much as the middle of a side; total degree on shapes.
    indices = truncated(space.degrees, 2.0 if problem.domain.is_box else 1.0)
    for c in range(len(problem.fields)):
        lower, upper = bounds_of(problem, c)
        periodic = tuple(
            any(o.kind == "periodic" and o.axis == k and c in o.unknowns for o in problem.conditions)
            for k in range(problem.domain.dimension)
        )
        key = (*lower, *upper, periodic)
        if key not in made:
            polynomials = Polynomials(lower, upper, periodic, indices)
            made[key] = Basis(polynomials, powers_of(problem, space))
        result.append(made[key])
    return tuple(result)


def bounds_of(problem: Problem, unknown: int) -> tuple[Array, Array]:
    """The box of the region where a field has equations."""
    pairs = zip(problem.operators, problem.regions, strict=True)
    regions = [r for o, r in pairs if any(v.unknown == unknown for v in o.jet)] or [problem.domain.interior]
    boxes = [_box(region) for region in regions]
    lower, upper = (np.array([box[k] for box in boxes]) for k in (0, 1))
    return lower.min(axis=0), upper.max(axis=0)


def _box(region: Region) -> tuple[Array, Array]:
    pieces = region.pieces()
    boxes = [p for p in pieces if isinstance(p, BoxPiece)]
    if len(boxes) == len(pieces):
        return np.min([p.lower for p in boxes], axis=0), np.max([p.upper for p in boxes], axis=0)
    bounds = region.domain.bounds
    points = scattered(region, N_BOUNDS, 11).points
    margin = MARGIN * np.ptp(points, axis=0)
    lower = np.maximum(points.min(axis=0) - margin, bounds[:, 0])
    return lower, np.minimum(points.max(axis=0) + margin, bounds[:, 1])


def powers_of(problem: Problem, space: Space) -> tuple[Powers, ...]:
    """Functions about the holes of a plane domain."""
    domain = problem.domain
    if len(domain.space) != 2 or not space.powers:
        return ()
    others = truncated(space.degrees[2:], 2.0) if domain.dimension > 2 else np.zeros((1, 0), dtype=int)
    bounds = [hole.bounds for hole in domain.holes]
    return tuple(laurent(b.mean(axis=1), float(np.ptp(b, axis=1).max()) / 2, space.powers, others) for b in bounds)


# By how many coordinates there are: the degree where a search starts, functions of one field beyond which none goes.
FIRST = {1: 24, 2: 12, 3: 7, 4: 4, 5: 3}
LARGEST = {1: 400, 2: 3000, 3: 3600, 4: 1800, 5: 1800}
GROWTH = 1.4


@dataclass(frozen=True)
class Ladder:
    """The spaces that are tried in turn.

    Attributes:
        first: the poorest.
        fields: how many fields a space is for.
        power: of the truncation.
        largest: functions of all fields.
        holes: how many of the plane the domain has.
    """

    first: Space
    fields: int
    power: float
    largest: int
    holes: int = 0

    def after(self, space: Space, tails: Array) -> Space | None:
        """A richer one, mostly along the axes whose tails are long; None where it would be too large."""
        poor = tails >= 0.3 * tails.max(initial=0.0)
        pairs = zip(space.degrees, poor, strict=True)
        degrees = tuple(int(np.ceil(n * (GROWTH if grow else 1.12))) for n, grow in pairs)
        larger = self.with_powers(degrees)
        return larger if self.size(larger) <= self.largest else None

    def before(self, space: Space) -> Space:
        """A poorer one, at least the first."""
        pairs = zip(space.degrees, self.first.degrees, strict=True)
        return self.with_powers(tuple(max(int(n / GROWTH), least) for n, least in pairs))

    def with_powers(self, degrees: tuple[int, ...]) -> Space:
        """The space of some degrees, with half as many powers about each hole."""
        return Space(degrees, max(degrees[:2]) // 2 if self.holes else 0)

    def size(self, space: Space) -> int:
        """Functions of all fields."""
        plane = self.holes * ((space.powers + 1) * (space.powers + 2) // 2)
        others = max(1, len(truncated(space.degrees[2:], self.power))) if len(space.degrees) > 2 else 1
        return self.fields * (len(truncated(space.degrees, self.power)) + plane * others)


def ladder(problem: Problem, largest: int | None = None) -> Ladder:
    """The spaces for one problem.

    Raises:
        ProblemError: more coordinates than a frame can resolve.
    """
    d = problem.domain.dimension
    if d not in FIRST:
        raise ProblemError(f"{problem.name} has {d} coordinates; the error estimate takes up to {max(FIRST)}.")
    fields = len(problem.fields)
    limit = largest or min(fields * LARGEST[d], max(LARGEST.values()))
    holes = len(problem.domain.holes) if len(problem.domain.space) == 2 else 0
    steps = Ladder(Space((FIRST[d],) * d), fields, 2.0 if problem.domain.is_box else 1.0, limit, holes)
    return replace(steps, first=steps.with_powers(steps.first.degrees))
