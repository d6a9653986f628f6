"""What the default network is a function of, where the coordinates alone would make its task hard.

Around a hole a solution looks like a Laurent series: log r, and inverse powers of r times waves in the angle. The
inverted coordinates R² (x - c)/|x - c|² turn those into polynomials (Kelvin's transform). At a re-entrant corner of
angle ω it behaves like r^(π/ω) (Grisvard 1985), which no smooth edge approximates; as an input it is exact.
"""

from __future__ import annotations

import numpy as np
import sympy as sp

from kanpde.collocation import collocate
from kanpde.field import SymbolicField
from kanpde.problem import Problem

SAMPLE = 2048  # points that tell the range of a feature
MARGIN = 1e-3  # by which a sampled range is widened


def inputs_of(problem: Problem, features: SymbolicField | None) -> tuple[sp.Expr, ...]:
    """What the network is a function of."""
    return problem.coordinates if features is None else features.expressions


def input_bounds(problem: Problem, features: SymbolicField | None) -> list[tuple[float, float]]:
    """The range of every input of the network over the domain."""
    return [_range(problem, e) for e in inputs_of(problem, features)]


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


def periodic_inputs(problem: Problem, features: SymbolicField | None) -> tuple[int, ...]:
    """The inputs on which the network must be periodic: periodic coordinates, and angles."""
    axes = {k.axis for k in problem.conditions if k.kind == "periodic" and k.axis is not None}
    periodic = {problem.coordinates[axis] for axis in axes}
    inputs = inputs_of(problem, features)
    return tuple(i for i, e in enumerate(inputs) if e in periodic or isinstance(e, sp.atan2))
