"""What the default network is a function of, where the coordinates alone would make its task hard.

Around a hole a solution looks like a Laurent series: log r, and inverse powers of r times waves in the angle. The
inverted coordinates R² (x - c)/|x - c|² turn those into polynomials (Kelvin's transform). At a re-entrant corner of
angle ω it behaves like r^(π/ω) (Grisvard 1985), which no smooth edge approximates; as an input it is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import sympy as sp

from kanpde.collocation import PointSet, collocate
from kanpde.corners import conflicts
from kanpde.field import Ansatz, SymbolicField
from kanpde.kinks import kinks
from kanpde.problem import Problem

TABLE = 4001  # nodes of the table by which a clustering is inverted
TURN = 720  # directions in which the inside of a corner is looked for
NEAR = 1e-4  # of the domain: how near
SAMPLE = 2048  # points that tell the range of a feature
MARGIN = 1e-3  # by which a sampled range is widened


@dataclass(frozen=True)
class Course:
    """Widths that change with time: log δ_k(t) is a polynomial in s = 2 (t − a)/(b − a) − 1.

    Attributes:
        start, end: a and b.
        logarithms: coefficients of the powers of s from 0 up, one row a front.
    """

    start: float
    end: float
    logarithms: tuple[tuple[float, ...], ...]

    def widths(self, time: sp.Symbol) -> list[sp.Expr]:
        """δ_k as expressions."""
        s = (2 * time - sp.Float(self.start) - sp.Float(self.end)) / sp.Float(self.end - self.start)
        return [sp.exp(_horner([sp.Float(c) for c in row], s)) for row in self.logarithms]


def _horner(coefficients: Sequence[sp.Expr], s: sp.Expr) -> sp.Expr:
    total: sp.Expr = sp.S.Zero
    for coefficient in reversed(coefficients):
        total = coefficient + s * total
    return total


@dataclass(frozen=True)
class Clustering:
    """Steep places c_k of widths δ_k along one axis, as a monotone map ξ that is steep where u is.

    ξ(x) = Σ asinh((x - c_k)/δ_k); on a periodic axis the mean of the Möbius maps of the circle
    θ + 2 atan(q sin θ / (1 - q cos θ)), θ = 2π(x - c)/L, q = (1 - ε)/(1 + ε), ε = πδ/L, in units of length.
    As an input of the network ξ makes a front as smooth as the rest; as a density of points it puts half of them there.

    Fronts that form have widths δ_k(t) = exp p_k(t): with a `course`, ξ follows them, divided by its values at the ends
    so that it goes from −1 to 1 at every instant. The density of points keeps the smallest widths throughout.
    """

    axis: int
    centres: tuple[float, ...]
    widths: tuple[float, ...]
    period: float | None = None
    course: Course | None = None

    def feature(self, symbol: sp.Symbol, time: sp.Symbol | None = None, ends: tuple[float, float] = (-1, 1)) -> sp.Expr:
        """ξ as an expression of the coordinate, and of the time where the widths follow a course."""
        widths: Sequence[sp.Expr] = [sp.Float(w) for w in self.widths]
        if self.course is not None and time is not None:
            widths = self.course.widths(time)
        pairs = [(sp.Float(c), w) for c, w in zip(self.centres, widths, strict=True)]
        if self.period is None:
            plain = sp.Add(*(sp.asinh((symbol - c) / w) for c, w in pairs))
            if self.course is None or time is None:
                return plain
            low, high = (plain.xreplace({symbol: sp.Float(end)}) for end in ends)
            return (2 * plain - low - high) / (high - low)
        wave, count = sp.Float(2 * np.pi / self.period), len(pairs)
        terms = [_moebius(wave * (symbol - c), sp.Float(np.pi / self.period) * w) for c, w in pairs]
        return symbol + sp.Add(*terms) / (count * wave)

    def spread(self, x: np.ndarray, lower: float, upper: float) -> tuple[np.ndarray, np.ndarray]:
        """Maps uniform x (n,) on [lower, upper] to clustered ones, and the factors (n,) of their weights."""
        lines = [np.linspace(lower, upper, TABLE), *(self._near(k, lower, upper) for k in range(len(self.centres)))]
        line = np.unique(np.concatenate(lines))
        values = self._values(line)
        share = 0.5 * (line - lower) / (upper - lower) + 0.5 * (values - values[0]) / (values[-1] - values[0])
        place = (x - lower) / (upper - lower)
        moved = np.interp(place, share, line)
        cell = np.clip(np.searchsorted(share, place, side="right") - 1, 0, len(line) - 2)
        return moved, (line[cell + 1] - line[cell]) / (share[cell + 1] - share[cell]) / (upper - lower)

    def _near(self, k: int, lower: float, upper: float) -> np.ndarray:
        offsets = self.widths[k] * np.sinh(np.linspace(-12.0, 12.0, TABLE))
        return np.clip(self.centres[k] + offsets, lower, upper)

    def _values(self, x: np.ndarray) -> np.ndarray:
        symbol = sp.Symbol("x", real=True)
        return SymbolicField((symbol,), (self.feature(symbol),)).values(x[:, None])[:, 0]

    def range(self, lower: float, upper: float) -> tuple[float, float]:
        """ξ at the ends of the axis; a period apart where it is periodic."""
        if self.course is not None and self.period is None:
            return -1.0, 1.0
        low, high = self._values(np.array([lower, upper])).tolist()
        return low, high if self.period is None else low + self.period


def _moebius(angle: sp.Expr, narrowness: sp.Expr) -> sp.Expr:
    q = (1 - narrowness) / (1 + narrowness)
    return 2 * sp.atan(q * sp.sin(angle) / (1 - q * sp.cos(angle)))


def with_clusterings(problem: Problem, ansatz: Ansatz, clusterings: Sequence[Clustering]) -> Ansatz:
    """The ansatz whose network has ξ in the place of each coordinate that is clustered, and what kinks add."""
    if not clusterings:
        return ansatz
    more = _from_kinks(problem)
    inputs = list(problem.coordinates)
    for clustering in clusterings:
        low, high = problem.domain.bounds[clustering.axis].tolist()
        time = problem.domain.time if clustering.course is not None else None
        inputs[clustering.axis] = clustering.feature(problem.coordinates[clustering.axis], time, (low, high))
    features = SymbolicField(problem.coordinates, (*inputs, *more))
    return replace(ansatz, features=features, clusterings=tuple(clusterings))


def clustered(problem: Problem, ansatz: Ansatz, points: PointSet) -> PointSet:
    """Uniform points of a box drawn together where the ansatz is steep, with the weights that this takes."""
    x, weights = points.x.copy(), points.weights
    for clustering in ansatz.clusterings:
        lower, upper = problem.domain.bounds[clustering.axis]
        if np.ptp(x[:, clustering.axis]) > 0:
            x[:, clustering.axis], factor = clustering.spread(x[:, clustering.axis], float(lower), float(upper))
            weights = weights * factor
    return PointSet(x, weights, points.normals) if ansatz.clusterings else points


def features_of(problem: Problem) -> SymbolicField | None:
    """What holes and re-entrant corners of the plane add to the coordinates; None where the coordinates suffice."""
    jumps = dict.fromkeys(c.angle(problem.coordinates) for c in conflicts(problem))
    added = [*_around_holes(problem), *_at_corners(problem), *jumps, *_from_kinks(problem)]
    return SymbolicField(problem.coordinates, (*problem.coordinates, *added)) if added else None


def _from_kinks(problem: Problem) -> list[sp.Expr]:
    """What initial data whose slope jumps become."""
    time = problem.domain.time
    return [] if time is None else [k.feature(problem.coordinates[k.axis], time) for k in kinks(problem)]


def _around_holes(problem: Problem) -> list[sp.Expr]:
    """The logarithm of the distance from the centre of each hole, its inverse in space."""
    space, result = problem.domain.space, []
    for hole in problem.domain.holes:
        low, high = np.asarray(hole.bounds, dtype=float).T
        centre, radius = (low + high) / 2, float(np.max(high - low)) / 2
        square = sp.Add(*((s - sp.Float(c)) ** 2 for s, c in zip(space, centre, strict=True))) / sp.Float(radius) ** 2
        result.append(sp.log(square) if len(space) == 2 else 1 / sp.sqrt(square))
    return result


def _at_corners(problem: Problem) -> list[sp.Expr]:
    """r^α cos αθ and r^α sin αθ with α = π/ω at corners of opening ω > π, θ counted from the bisector."""
    result: list[sp.Expr] = []
    for x, y, opening in problem.domain.corners:
        if opening > np.pi * (1 + 1e-6):
            result += _singular(problem, np.array([x, y]), opening)
    return result


def _singular(problem: Problem, corner: np.ndarray, opening: float) -> list[sp.Expr]:
    domain = problem.domain
    extent = float(np.max(np.ptp(domain.bounds[:2], axis=1)))
    angles = np.linspace(0, 2 * np.pi, TURN, endpoint=False)
    around = corner + NEAR * extent * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    rest = np.tile(domain.bounds[2:].mean(axis=1), (TURN, 1))
    inside = domain.contains(np.concatenate([around, rest], axis=1))
    bisector = float(np.angle(np.sum(np.exp(1j * angles[~inside])))) + np.pi
    across, along = (s - sp.Float(c) for s, c in zip(domain.space, corner, strict=True))
    cosine, sine = sp.Float(np.cos(bisector)), sp.Float(np.sin(bisector))
    first, second = (across * cosine + along * sine) / extent, (along * cosine - across * sine) / extent
    power = sp.Float(np.pi / opening)
    radius = (first**2 + second**2) ** (power / 2)
    angle = power * sp.atan2(second, first)
    return [radius * sp.cos(angle), radius * sp.sin(angle)]


def inputs_of(problem: Problem, features: SymbolicField | None) -> tuple[sp.Expr, ...]:
    """What the network is a function of."""
    return problem.coordinates if features is None else features.expressions


def input_bounds(
    problem: Problem, features: SymbolicField | None, clusterings: Sequence[Clustering] = ()
) -> list[tuple[float, float]]:
    """The range of every input of the network over the domain."""
    ranges = [_range(problem, e) for e in inputs_of(problem, features)]
    for clustering in clusterings:
        ranges[clustering.axis] = clustering.range(*problem.domain.bounds[clustering.axis].tolist())
    return ranges


def _range(problem: Problem, expression: sp.Expr) -> tuple[float, float]:
    if expression in problem.coordinates:
        low, high = problem.domain.bounds[problem.coordinates.index(expression)]
        return float(low), float(high)
    if isinstance(expression, sp.atan2):
        return -np.pi, np.pi
    values = _sampled(problem, expression)
    spread = MARGIN * (float(np.ptp(values)) or 1.0)
    return float(values.min()) - spread, float(values.max()) + spread


def _sampled(problem: Problem, expression: sp.Expr) -> np.ndarray:
    """Values in the interior and on the boundary, where most features are extreme."""
    domain = problem.domain
    points = np.concatenate([collocate(r, SAMPLE).x for r in (domain.interior, domain.boundary)])
    (values,) = SymbolicField(problem.coordinates, (expression,)).values(points).T
    return values[np.isfinite(values)]


def periodic_inputs(
    problem: Problem, features: SymbolicField | None, clusterings: Sequence[Clustering] = ()
) -> tuple[int, ...]:
    """The inputs on which the network must be periodic: periodic coordinates, clustered or not, and angles."""
    axes = {k.axis for k in problem.conditions if k.kind == "periodic" and k.axis is not None}
    periodic = {problem.coordinates[axis] for axis in axes}
    inputs = inputs_of(problem, features)
    found = {i for i, e in enumerate(inputs) if e in periodic or isinstance(e, sp.atan2)}
    return tuple(sorted(found | {c.axis for c in clusterings if c.period is not None}))
