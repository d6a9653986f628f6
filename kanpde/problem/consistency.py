"""An exact solution must satisfy its own problem."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..domain import Region
from ..errors import ProblemError
from ..operator import DifferentialOperator
from .conditions import CompiledCondition
from .finiteness import piece_sample
from .materials import Materials
from .statement import Statement

N_POINTS = 32
# Relative to the terms of the equation: far above rounding, far below a forgotten factor.
TOLERANCE = 1e-7
# Gauss nodes along each coordinate, by their number; where an exact solution is not smooth they err.
QUADRATURE = {1: 64, 2: 40, 3: 16}
INTEGRAL = 1e-4


def check_exact(problem: Statement) -> Iterator[str]:
    """Warn of each equation or condition that the exact solution does not satisfy, with the largest residual."""
    if problem.exact is None or problem.parameters:
        return
    for operator, region, label in zip(problem.operators, problem.regions, problem.labels, strict=True):
        yield from _check_operator(problem, operator, region, label)
    for condition in problem.conditions:
        if condition.operator is None:
            yield from _check_periodic(problem, condition)
        elif condition.kind == "integral":
            yield from _check_integral(problem, condition)
        elif condition.kind != "observations":
            yield from _check_operator(problem, condition.operator, condition.region, condition.label)


def _check_operator(problem: Statement, operator: DifferentialOperator, region: Region, label: str) -> Iterator[str]:
    try:
        scale = _scale(problem, operator)
    except ProblemError:
        # A known field without the derivatives that this takes.
        return
    for piece in region.pieces():
        points = piece_sample(piece, N_POINTS)
        residual = operator.evaluate(points, problem.exact_jet(points, operator.jet), np, piece.normals(points))
        # Where the exact solution itself is singular there is nothing to compare.
        size = np.where(np.isfinite(residual), np.abs(residual), 0.0)
        worst = int(np.argmax(size))
        if size[worst] > TOLERANCE * scale:
            yield _message(problem, label, float(residual[worst]), points[worst])
            return


def _scale(problem: Statement, operator: DifferentialOperator) -> float:
    """Return the size of the terms of F in the interior; on the boundary all of them may vanish, up to rounding."""
    points = np.concatenate([piece_sample(piece, N_POINTS) for piece in problem.domain.interior_pieces()])
    jet = problem.exact_jet(points, operator.jet)
    normals = np.ones((len(operator.normal), len(points)))
    _, *gradient = operator.program([*points.T, *normals, *jet], np)
    terms = np.abs([g * value for g, value in zip(gradient, jet, strict=True)]).sum(axis=0)
    return float(np.max(terms, where=np.isfinite(terms), initial=0.0)) or 1.0


def _check_periodic(problem: Statement, condition: CompiledCondition) -> Iterator[str]:
    assert condition.target is not None
    lower, upper = (piece_sample(piece, N_POINTS) for piece in condition.region.pieces())
    values = [problem.exact_jet(points, [condition.target])[0] for points in (lower, upper)]
    jump = np.abs(values[1] - values[0])
    worst = int(np.argmax(jump))
    if jump[worst] > TOLERANCE * (1.0 + np.abs(values).max()):
        yield _message(problem, condition.label, float(jump[worst]), lower[worst])


def _check_integral(problem: Statement, condition: CompiledCondition) -> Iterator[str]:
    """Integrals over the whole domain, where neither time nor parameters are."""
    operator, domain = condition.operator, problem.domain
    inside = condition.region.text == domain.interior.text and len(domain.space) == domain.dimension
    if operator is None or condition.value is None or condition.value.free_symbols or not inside:
        return
    nodes, predicates = QUADRATURE.get(domain.dimension, 8), problem.layout.materials
    cells = Materials(domain, predicates) if predicates else None
    points, weights = domain.quadrature(nodes) if cells is None else cells.quadrature(domain, nodes)
    try:
        values = operator.evaluate(points, problem.exact_jet(points, operator.jet), np)
    except ProblemError:
        return
    size, value = float(weights @ np.abs(values)), float(condition.value)
    total = float(weights @ values)
    if abs(total - value) > INTEGRAL * max(size, abs(value)):
        yield (
            f"the exact solution does not satisfy {condition.label}: its integral is {total:.6g}; change the value, or "
            "the exact solution by a constant."
        )


def _message(problem: Statement, label: str, residual: float, point: np.ndarray) -> str:
    where = ", ".join(f"{s} = {v:.4g}" for s, v in zip(problem.coordinates, point, strict=True))
    return f"the exact solution does not satisfy {label}: its residual is {residual:.3g} at {where}."
