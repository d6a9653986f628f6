"""Which functions each field of a problem gets: the box of its region, its periodic axes, holes and corners."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kanpde.domain import BoxPiece, Domain, Region
from kanpde.errors import ProblemError
from kanpde.problem import Problem
from kanpde.references.frame.basis import Basis, Polynomials, truncated
from kanpde.references.frame.points import scattered
from kanpde.references.frame.powers import Powers, corner, laurent

Array = np.ndarray

# A box that was found from points of a region is enlarged by this part of it.
MARGIN = 0.02
# A domain that fills so much of its box has corners as the box has.
FILLED = 0.81
# Angles above this one make solutions that polynomials cannot follow.
REENTRANT = 1.05 * np.pi
# Largest powers about corners, re-entrant ones and others, and degrees in time and parameters that multiply them.
SINGULAR = 12
CONVEX = 6
FURTHER = 8
MOST_CORNERS = 8
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
    indices = truncated(space.degrees, power_of(problem))
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


def power_of(problem: Problem) -> float:
    """Of the truncation: total degree (1) on round shapes, Euclidean (2) where corners need as much as sides do."""
    domain = problem.domain
    return 2.0 if domain.measure > FILLED * np.prod(np.ptp(domain.bounds, axis=1)) else 1.0


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
    """Functions about the holes and the corners of a plane domain."""
    domain, degree = problem.domain, space.powers
    if not degree:
        return ()
    further = [min(n, FURTHER) for n in space.degrees[2:]]
    others = truncated(further, 1.0) if further else np.zeros((1, 0), dtype=int)
    bounds = [hole.bounds for hole in domain.holes]
    about = [laurent(b.mean(axis=1), float(np.ptp(b, axis=1).max()) / 2, degree, others) for b in bounds]
    size = float(np.ptp(domain.bounds[:2], axis=1).max()) / 2
    for x, y, opening in corners_of(domain):
        vertex, highest = np.array([x, y]), min(degree, SINGULAR if opening > REENTRANT else CONVEX)
        highest = min(highest, 3) if further else highest
        about.append(corner(vertex, size, _bisector(domain, vertex, size), opening, highest, others))
    return tuple(about)


def has_powers(problem: Problem) -> bool:
    """Whether there are holes or corners with functions of their own."""
    domain = problem.domain
    return len(domain.space) == 2 and bool(domain.holes or corners_of(domain))


def corners_of(domain: Domain) -> list[tuple[float, float, float]]:
    """The corners of a shape in the plane that get functions: few ones all, else those whose angle is above π."""
    if len(domain.space) != 2 or domain.is_box:
        return []
    found = domain.corners
    every = domain.dimension == 2 and len(found) <= MOST_CORNERS
    return found if every else [c for c in found if c[2] > REENTRANT]


def _bisector(domain: Domain, vertex: Array, size: float) -> float:
    """The direction from a corner into the middle of the domain around it."""
    angles = np.linspace(-np.pi, np.pi, N_BOUNDS, endpoint=False)
    around = np.tile(domain.bounds.mean(axis=1), (N_BOUNDS, 1))
    around[:, :2] = vertex + 1e-4 * size * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    inside = np.asarray(domain.contains(around), dtype=bool)
    return float(np.angle(np.exp(1j * angles[inside]).sum()))


# By how many coordinates there are: the degree where a search starts, functions of one field beyond which none goes.
FIRST = {1: 24, 2: 12, 3: 7, 4: 4, 5: 3}
LARGEST = {1: 400, 2: 2200, 3: 3000, 4: 1800, 5: 1800}
GROWTH = 1.4


@dataclass(frozen=True)
class Ladder:
    """The spaces that are tried in turn.

    Attributes:
        problem: which they are for.
        largest: functions of all fields beyond which no space goes.
    """

    problem: Problem
    largest: int

    @property
    def first(self) -> Space:
        """The poorest."""
        d = self.problem.domain.dimension
        return self.of((FIRST[d],) * d)

    def after(self, space: Space, tails: Array) -> Space | None:
        """A richer one, mostly along the axes whose tails are long; None where it would be too large."""
        poor = tails >= 0.3 * tails.max(initial=0.0)
        pairs = zip(space.degrees, poor, strict=True)
        larger = self.of(tuple(int(np.ceil(n * (GROWTH if grow else 1.12))) for n, grow in pairs))
        return larger if self.size(larger) <= self.largest else None

    def scaled(self, space: Space, factor: float) -> Space:
        """A poorer one, at least the first."""
        pairs = zip(space.degrees, self.first.degrees, strict=True)
        return self.of(tuple(max(int(n * factor), least) for n, least in pairs))

    def of(self, degrees: tuple[int, ...]) -> Space:
        """The space of some degrees, with powers about holes and corners."""
        if not has_powers(self.problem):
            return Space(degrees)
        single = len(self.problem.domain.holes) <= 1
        return Space(degrees, max(4, max(degrees[:2]) // (2 if single else 3)))

    def size(self, space: Space) -> int:
        """Functions of all fields."""
        own = len(truncated(space.degrees, power_of(self.problem))) + sum(
            p.size for p in powers_of(self.problem, space)
        )
        return len(self.problem.fields) * own


def ladder(problem: Problem, largest: int | None = None) -> Ladder:
    """The spaces for one problem.

    Raises:
        ProblemError: more coordinates than a frame can resolve.
    """
    d = problem.domain.dimension
    if d not in FIRST:
        raise ProblemError(f"{problem.name} has {d} coordinates; the error estimate takes up to {max(FIRST)}.")
    fields = len(problem.fields)
    return Ladder(problem, largest or min(fields * LARGEST[d], max(LARGEST.values())))
