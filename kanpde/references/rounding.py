"""What can be said where no grid resolves a residual: at rounding level, and for equations without derivatives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kanpde.errors import ProblemError
from kanpde.operator import JetVariable
from kanpde.problem import Problem
from kanpde.references.checks import CheckedField, Jet, rms, sobol
from kanpde.references.spectral import SpectralGrid
from kanpde.references.system import evaluate

Array = np.ndarray

GAIN_NODES = {1: 24, 2: 16, 3: 12}
GAIN_STEPS = 5
# The largest gain is found by iteration from one start, and the bound must hold.
SAFETY = 2.0
N_POINTWISE = 4096
POINTWISE_AGREEMENT = 0.1


def rounding_bound(problem: Problem, fields: Sequence[CheckedField]) -> float:
    """An upper bound |e| <= |L⁻¹| |F(u)| + Σ |B(u)| in L2 for a residual that is noise.

    |L⁻¹| by power iteration on a coarse grid, where the gain of a smoothing operator is largest.

    Raises:
        ProblemError: the linearised problem cannot be solved.
    """
    n = len(problem.operators)
    measure = float(np.sqrt(np.prod(np.ptp(problem.domain.bounds, axis=1))))
    interior = np.sqrt(sum(rms(f.residual) ** 2 for f in fields[:n]))
    boundary = sum(rms(f.residual) * (f.check.extent or 1.0) ** f.check.operator.order for f in fields[n:])
    return SAFETY * measure * (gain(problem, fields) * float(interior) + float(boundary))


def gain(problem: Problem, fields: Sequence[CheckedField]) -> float:
    """|L⁻¹| of the operator linearised at the field, with homogeneous conditions."""
    dimension = problem.domain.dimension
    collocation = SpectralGrid(problem, (GAIN_NODES[dimension],) * dimension)
    points = collocation.grid.points
    jet = dict(zip(collocation.variables, _sampled(fields[0].jet, points, collocation.variables), strict=True))
    source = np.ones((len(problem.fields), len(points)))
    largest = 0.0
    for _ in range(GAIN_STEPS):
        response = collocation.respond(jet, source)
        grown = rms(response) / rms(source)
        if not grown:
            break
        largest = max(largest, grown)
        source = response / rms(response)
    return largest


def _sampled(jet: Jet, points: Array, variables: Sequence[JetVariable]) -> Array:
    return np.asarray(jet(points, variables), dtype=float).T


def pointwise(problem: Problem, jet: Jet) -> tuple[float, float] | None:
    """|e| and |u + e| in L2 for equations without derivatives, e = -(∂F/∂u)⁻¹ F; None if two samples differ.

    Raises:
        ProblemError: ∂F/∂u is singular.
    """
    bounds, n = problem.domain.bounds, len(problem.fields)
    points = bounds[:, 0] + np.ptp(bounds, axis=1) * sobol(problem.domain.dimension, 2 * N_POINTWISE)
    variables = [JetVariable(c, (0,) * problem.domain.dimension) for c in range(n)]
    values = _sampled(jet, points, variables)
    residual, matrix = np.zeros((len(points), n)), np.zeros((len(points), n, n))
    for q, operator in enumerate(problem.operators):
        f, *gradient = evaluate(operator, points, values[[v.unknown for v in operator.jet]], None)
        residual[:, q] = f
        for variable, g in zip(operator.jet, gradient, strict=True):
            matrix[:, q, variable.unknown] = g
    try:
        error = -np.linalg.solve(matrix, residual[..., None])[..., 0]
    except np.linalg.LinAlgError as singular:
        raise ProblemError(f"{problem.name} does not determine its unknowns at some points.") from singular
    halves = [np.sqrt(np.sum(part**2) / N_POINTWISE) for part in (error[:N_POINTWISE], error[N_POINTWISE:])]
    if abs(halves[0] - halves[1]) > POINTWISE_AGREEMENT * max(halves):
        return None
    root = float(np.sqrt(np.prod(np.ptp(bounds, axis=1)) * n))
    return root * rms(error), root * rms(values.T + error)
