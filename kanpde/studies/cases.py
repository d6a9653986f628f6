"""What a trial is about: a problem, and the truth that its errors are measured against."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kanpde.errors import ProblemError
from kanpde.estimate import quadrature
from kanpde.multiindex import MultiIndex
from kanpde.operator import JetVariable
from kanpde.problem import Problem

Values = Callable[[np.ndarray], np.ndarray]
Derivatives = Callable[[np.ndarray, list[JetVariable]], np.ndarray]
MOST_SLOPES = 10  # coordinates up to which errors in H1 are measured


@dataclass(frozen=True)
class Errors:
    """How far a field is from the truth.

    Attributes:
        relative_l2: sqrt(∫|u − e|² / ∫|e|²), summed over the unknowns.
        relative_h1: the same of values and first derivatives together; None where the truth has no derivatives.
        maximum: largest |u − e| at the points, in the unknown's own units.
    """

    relative_l2: float
    relative_h1: float | None
    maximum: float


@dataclass(frozen=True, eq=False)
class Case:
    """A problem with the truth at points that no training uses.

    Attributes:
        problem: what is solved.
        points: (n, d).
        weights: (n,), quadrature weights.
        values: (n, m), the true fields.
        slopes: (n, m, d), their first derivatives, None where they are unknown.
        truth: what the truth is: "exact", or a conventional solver.
        floor: relative error of the truth itself, 0 for an exact solution; nothing below it can be measured.
    """

    problem: Problem
    points: np.ndarray
    weights: np.ndarray
    values: np.ndarray
    slopes: np.ndarray | None
    truth: str = "exact"
    floor: float = 0.0

    @property
    def name(self) -> str:
        """The problem's."""
        return self.problem.name

    @cached_property
    def digest(self) -> str:
        """A hash of problem and truth: rows of another one do not answer for this."""
        content = hashlib.sha256(self.problem.signature.encode())
        content.update(self.truth.encode())
        content.update(np.ascontiguousarray(self.values).round(12).tobytes())
        return content.hexdigest()[:16]

    @property
    def variables(self) -> list[JetVariable]:
        """What is compared, in the order of the columns of `errors`: values, then slopes by unknown and coordinate."""
        count, dimension = self.values.shape[1], self.points.shape[1]
        wanted = [JetVariable(k, _zero(dimension)) for k in range(count)]
        if self.slopes is not None:
            wanted += [JetVariable(k, _unit(dimension, axis)) for k in range(count) for axis in range(dimension)]
        return wanted

    def errors(self, derivatives: Derivatives) -> Errors:
        """The errors of a field given by its jet: points (n, d) and variables -> (n, len(variables))."""
        found = derivatives(self.points, self.variables)
        count = self.values.shape[1]
        gap = found[:, :count] - self.values
        lowest, norm = self._square(gap), self._square(self.values)
        h1 = None
        if self.slopes is not None:
            slopes = self.slopes.reshape(len(self.points), -1)
            h1 = _ratio(lowest + self._square(found[:, count:] - slopes), norm + self._square(slopes))
        return Errors(_ratio(lowest, norm), h1, float(np.abs(gap).max()))

    def _square(self, values: np.ndarray) -> float:
        return float(self.weights @ np.square(values).sum(axis=1))


def _ratio(error: float, norm: float) -> float:
    return float(np.sqrt(error / norm)) if norm > 0 else float(np.sqrt(error))


def _zero(dimension: int) -> MultiIndex:
    return (0,) * dimension


def _unit(dimension: int, axis: int) -> MultiIndex:
    return tuple(int(k == axis) for k in range(dimension))


def exact_case(problem: Problem) -> Case:
    """The case of a problem with an exact solution.

    Raises:
        ProblemError: it has none.
    """
    if problem.exact is None:
        raise ProblemError(
            f"{problem.name} has no exact solution to measure errors against: give exact={{u: ...}}, or store a "
            "conventional solution with `kanpde reference FILE` first."
        )
    points, weights = quadrature(problem.domain)
    count, dimension = len(problem.fields), problem.domain.dimension
    values = problem.exact_jet(points, [JetVariable(k, _zero(dimension)) for k in range(count)]).T
    return Case(problem, points, weights, np.ascontiguousarray(values), _slopes(problem, points))


def _slopes(problem: Problem, points: np.ndarray) -> np.ndarray | None:
    """First derivatives of the exact fields, (n, m, d); None where they are too many, or code does not give them."""
    count, dimension = len(problem.fields), problem.domain.dimension
    if dimension > MOST_SLOPES:
        return None
    wanted = [JetVariable(k, _unit(dimension, axis)) for k in range(count) for axis in range(dimension)]
    try:
        slopes = problem.exact_jet(points, wanted)
    except ProblemError:
        return None
    return np.ascontiguousarray(slopes.T.reshape(len(points), count, dimension))


def reference_case(problem: Problem, function: Values, name: str, error: float) -> Case:
    """The case of a problem whose truth is a conventional solution.

    Args:
        problem: with real unknowns and one material, whose fields are what the function returns.
        function: fields (n, m) at points (n, d).
        name: of the conventional solver.
        error: its relative L2 error, as far as it is known.

    Raises:
        ProblemError: complex unknowns or several materials.
    """
    if problem.fields != problem.unknowns:
        raise ProblemError(f"{problem.name} has complex unknowns or materials; a comparison needs its exact solution.")
    points, weights = quadrature(problem.domain)
    return Case(problem, points, weights, np.asarray(function(points), dtype=float), None, name, error)
