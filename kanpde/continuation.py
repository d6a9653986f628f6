"""Continuation: a hard problem reached through easier ones, each solved from the solution of the one before.

What makes fronts and layers is that the derivatives of highest order have small coefficients. In normal form they can
be enlarged without knowing the equation: F_s = F + (s − 1) Σ ∂F/∂(D^α u) D^α u over the spatial derivatives of highest
order, which for quasi-linear equations multiplies them by s (Allgower and Georg 2003, chapter 2, for the principle).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence

import numpy as np
import sympy as sp

from kanpde.collocation import collocate
from kanpde.errors import ProblemError
from kanpde.operator import DifferentialOperator, JetVariable, operator_of
from kanpde.operator.compiler import Scope
from kanpde.problem import Problem

EASY = 20.0  # transport over diffusion on the scale of the domain, with which a random start copes
HARD = 200.0  # the same, from where on it mostly does not
STEP = 4.0  # factor between two problems
SAMPLE = 128


def eased(problem: Problem, factor: float) -> Problem:
    """The problem with the spatial derivatives of highest order in each equation multiplied by a factor.

    Args:
        problem: any; its exact solution, if known, does not solve the eased one and is left out.
        factor: s, above one to make fronts wide.
    """
    own = copy.copy(problem)
    for name in ("signature", "text"):
        own.__dict__.pop(name, None)
    spatial = [problem.coordinates.index(s) for s in problem.domain.space]
    object.__setattr__(own, "operators", tuple(_eased(o, spatial, factor) for o in problem.operators))
    object.__setattr__(own, "exact", None)
    object.__setattr__(own, "name", f"{problem.name}_eased_{factor:.4g}")
    return own


def _eased(operator: DifferentialOperator, spatial: Sequence[int], factor: float) -> DifferentialOperator:
    top = highest(operator, spatial)
    pairs = [(v, s) for v, s in zip(operator.jet, operator.symbols, strict=True) if v in top]
    more = sp.Add(*(sp.diff(operator.expression, s) * s for _, s in pairs))
    space = operator.coordinates[: len(operator.normal)] if operator.normal else operator.coordinates
    scope = Scope(operator.coordinates, space, operator.unknowns, bool(operator.normal))
    return operator_of(operator.expression + (sp.Float(factor) - 1) * more, scope)


def highest(operator: DifferentialOperator, spatial: Sequence[int]) -> tuple[JetVariable, ...]:
    """The spatial derivatives of highest order of each unknown, of second order or more."""
    pure = [v for v in operator.jet if sum(v.derivative) == sum(v.derivative[k] for k in spatial)]
    order = max((sum(v.derivative) for v in pure), default=0)
    return tuple(v for v in pure if sum(v.derivative) == order) if order >= 2 else ()


def transport(problem: Problem) -> float:
    """Terms of lower order over the diffusive ones on the scale of the domain: a Péclet number, 0 without diffusion.

    Unknowns count as 1, their derivatives as 1 over the extents, so nonlinear terms are judged at that size.
    """
    extents = np.ptp(problem.domain.bounds, axis=1)
    spatial = [problem.coordinates.index(s) for s in problem.domain.space]
    points = collocate(problem.domain.interior, SAMPLE, "sobol", 2).x
    return max((_transport(o, points, extents, spatial) for o in problem.operators), default=0.0)


def _transport(operator: DifferentialOperator, points: np.ndarray, extents: np.ndarray, spatial: list[int]) -> float:
    top = highest(operator, spatial)
    if not top:
        return 0.0
    sizes = np.array([1.0 / np.prod(extents ** np.array(v.derivative)) for v in operator.jet])
    jet = np.repeat(sizes[:, None], len(points), axis=1)
    scalars = [np.full(len(points), p.initial) for p in operator.parameters]
    outputs = operator.program([*points.T, *jet, *scalars], np)
    found = {}
    for variable, slope, size in zip(operator.jet, outputs[1:], sizes, strict=False):
        found[variable] = float(np.sqrt(np.mean(np.square(np.broadcast_to(slope, (len(points),))))) * size)
    diffusion = max(found[v] for v in top)
    first = max((value for v, value in found.items() if v not in top and sum(v.derivative) >= 1), default=0.0)
    return first / diffusion if diffusion > 0 else 0.0


def factors_for(problem: Problem) -> tuple[float, ...]:
    """Factors of `eased` from easy to hard, the last above one; empty where the problem is easy."""
    ratio = transport(problem)
    if ratio < HARD:
        return ()
    count = math.ceil(math.log(ratio / EASY) / math.log(STEP))
    return tuple(float(STEP**k) for k in range(count, 0, -1))


def path_to(problem: Problem, wanted: bool | Sequence[float] | Sequence[Problem]) -> tuple[Problem, ...]:
    """The problems to solve before a problem.

    Args:
        problem: the last one, not among the result.
        wanted: True to choose factors by the operator, factors from easy to hard, or problems with the same unknowns.

    Raises:
        ProblemError: factors that are no positive numbers, or problems that are not alike.
    """
    if isinstance(wanted, bool):
        return tuple(eased(problem, s) for s in factors_for(problem)) if wanted else ()
    result = []
    for step in wanted:
        if isinstance(step, Problem):
            result.append(_alike(step, problem))
        elif isinstance(step, int | float) and math.isfinite(step) and step > 0:
            result.append(eased(problem, float(step)))
        else:
            raise ProblemError(
                f"continuation={step!r} is neither a positive factor nor a Problem; give factors from easy to hard, "
                "such as (64, 16, 4), or problems"
            )
    return tuple(result)


def _alike(step: Problem, problem: Problem) -> Problem:
    if len(step.coordinates) != len(problem.coordinates) or len(step.fields) != len(problem.fields):
        raise ProblemError(
            f"{step.name} has {len(step.coordinates)} coordinates and {len(step.fields)} fields, {problem.name} "
            f"{len(problem.coordinates)} and {len(problem.fields)}; a continuation takes problems of the same shape"
        )
    return step
