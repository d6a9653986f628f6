"""The conventional solver that suits a problem: what reaches a tolerance first, in plain values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kanpde.errors import ProblemError
from kanpde.problem import Problem
from kanpde.references.fem import FemFunction
from kanpde.references.frame import FrameFunction, frame_reference
from kanpde.references.function import GridFunction
from kanpde.references.ivp import integrate_ode
from kanpde.references.ivp_method import method_of_lines
from kanpde.references.library import best_conventional, error_of
from kanpde.references.reference import reference

Reference = GridFunction | FemFunction
Solver = Callable[[Problem, float], Any]
Values = Callable[[np.ndarray], np.ndarray]

FRAME_SECONDS = 30.0
# An integrator's tolerance is that of one step: the error of a solution is larger.
STEPS = 0.1


def judge(problem: Problem, target: float, order: int | None = None) -> tuple[dict[str, Any], Values | None]:
    """The conventional solver that reaches a relative L2 error, in plain values, and its unknowns at points (n, d).

    The first that reaches it counts; where none does, the most accurate one. With an order only that one is tried.
    """
    tried: list[Any] = []
    reason = ""
    for solver in solvers(problem) if order is None else (lambda p, _: reference(p, order=order),):
        try:
            tried.append(solver(problem, target))
        except ProblemError as error:
            reason = reason or str(error)
            continue
        if error_of(tried[-1]) <= target:
            break
    if not tried:
        return {"name": f"no conventional solver: {reason}"}, None
    best = min(tried, key=error_of)
    return facts(best), lambda points: problem.readout(points, best(points))


def solvers(problem: Problem) -> tuple[Solver, ...]:
    """What suits a problem, the most suitable first."""
    ordinary, moving = problem.domain.dimension == 1, problem.domain.time is not None
    if not ordinary and not moving:
        return (best_conventional, _frame)
    # Newton's method on a grid may end in a solution of the discrete equations alone; an integrator cannot.
    own = _integrator if ordinary else _lines
    return (best_conventional, own, _frame) if problem.is_linear else (own, best_conventional, _frame)


def _integrator(problem: Problem, target: float) -> GridFunction:
    return integrate_ode(problem, rtol=min(STEPS * target, 1e-6))


def _lines(problem: Problem, target: float) -> GridFunction:
    return method_of_lines(problem, rtol=min(STEPS * target, 1e-5))


def _frame(problem: Problem, _: float) -> FrameFunction:
    return frame_reference(problem, max_seconds=FRAME_SECONDS)


def facts(function: Reference | FrameFunction) -> dict[str, Any]:
    """A reference in plain values."""
    return {
        "name": method(function),
        "error": function.relative_l2,
        "estimate": function.error_estimate,
        "seconds": function.seconds,
        "unknowns": _size(function),
    }


def method(function: Reference | FrameFunction) -> str:
    """What a reference is, as one says it: Chebyshev 33 x 33, or differences of order 4, 129 x 129."""
    if isinstance(function, FrameFunction):
        return f"polynomials of degree {', '.join(map(str, function.degrees))}"
    if isinstance(function, FemFunction):
        return f"finite elements of degree {function.order}, {len(function.geometry.cells)} cells"
    return f"{_kind(function.order)} {' x '.join(map(str, function.values.shape[:-1]))}"


def _kind(order: int | str) -> str:
    return f"differences of order {order}," if isinstance(order, int) else order[0].upper() + order[1:]


def _size(function: Reference | FrameFunction) -> int:
    if isinstance(function, FrameFunction):
        return sum(c.size for c in function.coefficients)
    return int(function.values.size)
