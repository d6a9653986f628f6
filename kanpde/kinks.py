"""Initial data whose slope jumps where an axis closes: the solution is smooth later, but not in x and t.

Near such a point an equation u_t = D u_xx + ... behaves like the heat equation with |x| as data, whose solution is
E|x + √(2D t) Z|, Z normal: S erf(S/√(4D t)) + √(4D t/π) exp(−S²/(4D t)) (Carslaw and Jaeger 1959, section 2.4). No
smooth edge follows it to t = 0, but as an input of the network it costs nothing. Along a ring of length L, the distance
S = (L/π) sin(π(x − x₀)/L) is right near x₀, and smooth elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import sympy as sp

from kanpde.expression import Program
from kanpde.problem import CompiledCondition, Problem

JUMP = 1e-6  # of slopes beside their size, from where on it is one
SPAN = 1e-12  # added to 4D(t − t₀), in units of L², so that t = t₀ divides by nothing


@dataclass(frozen=True)
class Kink:
    """A jump of the slope of initial data at the place where an axis closes.

    Attributes:
        axis: of the periodic coordinate.
        place: x₀.
        period: L.
        diffusivity: D there.
        start: t₀.
    """

    axis: int
    place: float
    period: float
    diffusivity: float
    start: float

    def feature(self, symbol: sp.Symbol, time: sp.Symbol) -> sp.Expr:
        """E|S + √(2D(t − t₀)) Z|."""
        length = sp.Float(self.period)
        distance = length / sp.pi * sp.sin(sp.pi * (symbol - sp.Float(self.place)) / length)
        spread = sp.Float(4 * self.diffusivity) * (time - sp.Float(self.start)) + sp.Float(SPAN) * length**2
        root = sp.sqrt(spread)
        return distance * sp.erf(distance / root) + root / sp.sqrt(sp.pi) * sp.exp(-(distance**2) / spread)


def kinks(problem: Problem) -> tuple[Kink, ...]:
    """The kinks of a problem with one spatial coordinate; none where a coefficient cannot be told."""
    time = problem.domain.time
    if time is None or problem.domain.dimension != 2 or len(problem.fields) != len(problem.operators):
        return ()
    rings = [c for c in problem.conditions if c.kind == "periodic" and c.axis is not None]
    starts = [c for c in problem.conditions if c.kind == "initial" and c.value is not None and c.target is not None]
    found = [_kink(problem, ring, start) for ring in rings for start in starts]
    return tuple(dict.fromkeys(kink for kink in found if kink is not None))


def _kink(problem: Problem, ring: CompiledCondition, start: CompiledCondition) -> Kink | None:
    """What one initial condition does where one axis closes."""
    assert ring.axis is not None
    assert start.target is not None
    assert start.value is not None
    axis, unknown = ring.axis, start.target.unknown
    if sum(start.target.derivative) or unknown not in ring.unknowns:
        return None
    symbol, (low, high) = problem.coordinates[axis], problem.domain.bounds[axis].tolist()
    try:
        program = Program.compile([sp.diff(start.value, symbol), start.value], problem.coordinates)
        ends = np.full((2, problem.domain.dimension), float(problem.domain.bounds[1 - axis, 0]))
        ends[:, axis] = low, high
        slopes, values = (np.broadcast_to(v, (2,)) for v in program(list(ends.T), np))
    except (NotImplementedError, TypeError, ValueError):
        return None
    if not np.all(np.isfinite(slopes)) or abs(slopes[1] - slopes[0]) <= JUMP * (1.0 + np.abs(slopes).max()):
        return None
    diffusivity = _diffusivity(problem, unknown, axis, ends[:1], float(values[0]))
    if diffusivity is None:
        return None
    return Kink(axis, low, high - low, diffusivity, float(problem.domain.bounds[1 - axis, 0]))


def _diffusivity(problem: Problem, unknown: int, axis: int, point: np.ndarray, value: float) -> float | None:
    """D of u_t = D u_xx + ... at a point where the unknown has a value; None for other equations."""
    operator = problem.operators[unknown]
    second = tuple(2 * (k == axis) for k in range(2))
    first = tuple(int(k != axis) for k in range(2))
    if operator.parameters or operator.order != 2 or max(v.derivative[1 - axis] for v in operator.jet) != 1:
        return None
    jet = np.array([[value if sum(v.derivative) == 0 and v.unknown == unknown else 0.0] for v in operator.jet])
    slopes = dict(zip(operator.jet, operator.program([*point.T, *jet], np)[1:], strict=False))
    found = {v.derivative: float(np.ravel(s)[0]) for v, s in slopes.items() if v.unknown == unknown}
    if not found.get(first) or not found.get(second):
        return None
    ratio = -found[second] / found[first]
    return ratio if np.isfinite(ratio) and ratio > 0 else None
