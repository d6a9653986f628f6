"""The error of a field as its distance from an independent solution, where linearised grids cannot resolve it.

Steep fronts need grids that crowd there; the method of lines has such grids and knows its own error. The estimate
is |u - u_ref|, or the error of u_ref where that is larger: never below what is known.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from kanpde.errors import ProblemError
from kanpde.operator import JetVariable
from kanpde.problem import Problem
from kanpde.references.checks import Jet
from kanpde.references.correction import DefectEstimate
from kanpde.references.function import GridFunction
from kanpde.references.grid import tensor_points
from kanpde.references.ivp_method import method_of_lines
from kanpde.references.marching import time_orders

ACCURACY = 1e-7  # that the method of lines is asked for
POINTS = 40_000  # at which the two are compared


@dataclass(eq=False)
class ReferenceDifference:
    """Estimates the error of fields of one initial value problem; the reference is computed once.

    Args:
        problem: with time, on a box.

    Raises:
        ProblemError: the method of lines does not take the problem.
    """

    problem: Problem
    _function: GridFunction | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        domain = self.problem.domain
        if domain.time is None or not domain.is_box or self.problem.parameters or domain.parameters:
            raise ProblemError(f"{self.problem.name} is no initial value problem on a box with known coefficients.")
        if max(time_orders(self.problem)) == 0:
            raise ProblemError(f"{self.problem.name} has no derivative in time.")

    def estimate(self, jet: Jet, parameters: Sequence[float] = ()) -> DefectEstimate:  # noqa: ARG002 - as of the others
        """The distance of a field from the reference.

        Args:
            jet: (points (n, d), variables) -> (n, len(variables)).
            parameters: none.
        """
        clock = time.perf_counter()
        try:
            function = self._function = self._function or method_of_lines(self.problem, rtol=ACCURACY)
        except ProblemError as error:
            return DefectEstimate(None, float("nan"), None, False, str(error), (), time.perf_counter() - clock)
        zero = (0,) * self.problem.domain.dimension
        variables = [JetVariable(c, zero) for c in range(len(self.problem.fields))]
        lines, weights = function.grid.quadrature
        lines, weights = _thinned(lines, np.asarray(weights))
        points = tensor_points(lines)
        gap = np.asarray(jet(points, variables)) - function(points)
        shares = weights.reshape(-1) / weights.sum()
        absolute, size = (float(np.sqrt((v**2).sum(1) @ shares)) for v in (gap, function(points)))
        known = function.error_estimate
        relative = max(absolute / size, known or 0.0) if size > 0 else None
        trusted = known is not None and relative is not None
        reason = "" if trusted else "the method of lines does not know its own error here"
        return DefectEstimate(None, absolute, relative, trusted, reason, (weights.shape,), time.perf_counter() - clock)


def _thinned(lines: Sequence[np.ndarray], weights: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """A quadrature of fewer points: every k-th along the time, the longest axis, with its weights rescaled."""
    kept = list(lines)
    excess = int(np.ceil(weights.size / POINTS))
    if excess > 1:
        axis = int(np.argmax(weights.shape))
        part = slice(excess // 2, None, excess)
        kept[axis] = kept[axis][part]
        weights = np.take(weights, np.arange(weights.shape[axis])[part], axis=axis)
    return kept, weights
