"""How much a problem oscillates, read off its data: the polynomial degree with which a network should begin.

What the solution does cannot be known, but sources and prescribed values are at hand, and a linear equation answers a
wave with the same wave. Waves that no source excites follow from the operator: a u'' + c u = 0 with ac > 0 turns
√(c/a) times a unit of length.
"""

from __future__ import annotations

import numpy as np
from scipy import fft

from kanpde.domain import halton
from kanpde.operator import DifferentialOperator
from kanpde.problem import Problem

NODES = 256  # along each line
LINES = 12  # along each axis
ROUNDING = 1e-9  # of the terms of an equation: sources below are rounding, whose tail says nothing
TAIL = 0.1  # of the size of the data that a degree may leave out


def oscillation(problem: Problem) -> int:
    """The degree along the liveliest axis that takes the data up to a tenth; 0 where nothing can be said."""
    degrees = [_waves(problem, operator) for operator in problem.operators]
    for operator in problem.operators:
        degrees += [_degree(problem, operator, axis) for axis in range(problem.domain.dimension)]
    return max(degrees, default=0)


def _degree(problem: Problem, operator: DifferentialOperator, axis: int) -> int:
    """Of what is left of an equation at u = 0, along one axis."""
    bounds = problem.domain.bounds
    start = bounds[:, 0] + halton(LINES, len(bounds)) * np.ptp(bounds, axis=1)
    points = np.repeat(start, NODES, axis=0)
    nodes = np.cos(np.pi * (np.arange(NODES) + 0.5) / NODES)
    points[:, axis] = np.tile(bounds[axis].mean() + 0.5 * np.ptp(bounds[axis]) * nodes, LINES)
    values = _at_zero(operator, points).reshape(LINES, NODES)
    if not np.all(np.isfinite(values)):
        return 0
    if np.abs(values).max() <= ROUNDING * _of_terms(operator, points):
        return 0
    energy = np.sum(fft.dct(values, axis=1) ** 2, axis=0)
    tails = np.sqrt(np.cumsum(energy[::-1])[::-1])
    return int(np.argmax(tails < TAIL * tails[0])) if tails[0] > 0 and tails[-1] < TAIL * tails[0] else 0


def _at_zero(operator: DifferentialOperator, points: np.ndarray) -> np.ndarray:
    """F(x, 0), (n,); nan where it has no value."""
    scalars = [p.initial for p in operator.parameters]
    with np.errstate(all="ignore"):
        found = operator.evaluate(points, np.zeros((len(operator.jet), len(points))), np, None, scalars)
    return np.broadcast_to(np.asarray(found, dtype=float), (len(points),))


def _of_terms(operator: DifferentialOperator, points: np.ndarray) -> float:
    """Size of what cancels in F: its value where all derivatives are one, and its slopes."""
    scalars = [points[0, :1] * 0 + p.initial for p in operator.parameters]
    with np.errstate(all="ignore"):
        outputs = operator.program([*points[::NODES].T, *np.ones((len(operator.jet), LINES)), *scalars], np)
    sizes = [float(np.abs(v).max()) for v in outputs]
    return max((s for s in sizes if np.isfinite(s)), default=0.0)


def _waves(problem: Problem, operator: DifferentialOperator) -> int:
    """Half the extent of the domain times the largest wave number of a linear operator of second order."""
    bounds = problem.domain.bounds
    if not operator.is_linear or operator.order != 2:
        return 0
    points = bounds[:, 0] + halton(LINES, len(bounds)) * np.ptp(bounds, axis=1)
    scalars = [np.full(LINES, p.initial) for p in operator.parameters]
    jet = np.zeros((len(operator.jet), LINES))
    with np.errstate(all="ignore"):
        outputs = operator.program([*points.T, *jet, *scalars], np)
    slopes = dict(zip(operator.jet, outputs[1:], strict=False))
    found = [0.0]
    for variable, value in slopes.items():
        if sum(variable.derivative) != 2 or max(variable.derivative) != 2:
            continue
        mass = slopes.get(type(variable)(variable.unknown, (0,) * len(bounds)))
        if mass is not None:
            with np.errstate(all="ignore"):
                ratio = np.broadcast_to(mass / value, (LINES,))
            axis = variable.derivative.index(2)
            found.append(0.5 * float(np.ptp(bounds[axis])) * float(np.sqrt(np.nan_to_num(ratio).clip(0.0).max())))
    return int(np.ceil(max(found)))
