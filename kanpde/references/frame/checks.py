"""Independent points at which what a frame gave must satisfy the equations and the pointwise conditions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kanpde.operator import DifferentialOperator
from kanpde.problem import Problem
from kanpde.references.checks import Check, CheckedField, Jet, rms
from kanpde.references.frame.points import Cloud, scattered

N_CHECK = {1: 256, 2: 512, 3: 1024}


def checks_of(problem: Problem) -> tuple[Check, ...]:
    """Every equation on its region, then every pointwise condition on its own."""
    count = N_CHECK.get(problem.domain.dimension, 1024)
    extent = float(np.min(np.ptp(problem.domain.bounds, axis=1)))
    pairs = zip(problem.operators, problem.regions, strict=True)
    checks = [_check(operator, scattered(region, count, 7), None) for operator, region in pairs]
    for condition in problem.conditions:
        if condition.operator is not None and condition.kind not in ("integral", "observations"):
            checks.append(_check(condition.operator, scattered(condition.region, count // 2, 7), extent))
    return tuple(checks)


def _check(operator: DifferentialOperator, cloud: Cloud, extent: float | None) -> Check:
    return Check(operator, cloud.points, cloud.normals, extent)


def own_scalars(problem: Problem, check: Check, scalars: Sequence[float]) -> tuple[float, ...]:
    """The unknown scalars of one operator, of all those of the problem."""
    return tuple(float(scalars[problem.parameters.index(p)]) for p in check.operator.parameters)


def imbalance(problem: Problem, jet: Jet, scalars: Sequence[float], size: float) -> float:
    """The largest part of its terms that an equation or condition keeps as residual, for a field of this size."""
    fields = [CheckedField(check, jet, own_scalars(problem, check, scalars)) for check in checks_of(problem)]
    parts = [rms(f.residual) / max(f.terms, f.of_size(size), 1e-300) for f in fields]
    return max((p if np.isfinite(p) else 1.0 for p in parts), default=0.0)
