"""`residual`: the equations of a problem as a differentiable tensor, for a user's own training loop."""

from __future__ import annotations

import torch
from torch import Tensor

from kanpde.domain import Region
from kanpde.errors import ProblemError
from kanpde.lowering import derivative_set, lower
from kanpde.network import Network, module_jet
from kanpde.operator import DifferentialOperator
from kanpde.problem import Problem
from kanpde.residuals import bind


def residual(problem: Problem, module: torch.nn.Module, points: Tensor, *, condition: int | None = None) -> Tensor:
    """F of every equation at points, ready for `backward()` with respect to the module's parameters.

    A `KAN` or an `MLP` goes through its jet, one pass and a hand-written adjoint; any other module through nested
    forward-mode differentiation, slower. Conditions are soft here: add them to the loss yourself.

    Args:
        problem: whose equations.
        module: maps points (n, d) to the unknowns (n, c) in alphabetical order.
        points: (n, d), in the module's precision and on its device.
        condition: position of a condition of the problem, to get its residual instead; the points lie on its region.

    Returns:
        (n, equations), or (n, 1) for a condition; zero where they are satisfied.

    Raises:
        ProblemError: points of another shape, or a condition that is no equation at points.
    """
    d = len(problem.coordinates)
    if points.ndim != 2 or points.shape[1] != d:
        raise ProblemError(f"points must have shape (n, {d}), got {tuple(points.shape)}")
    operators, normals = _operators(problem, points, condition)
    equations = [lower(operator) for operator in operators]
    derivatives = derivative_set(equations)
    jet = module.jet(points, derivatives) if isinstance(module, Network) else module_jet(module, points, derivatives)
    rows = []
    for lowered in equations:
        channels = [jet[derivatives.index(channel), unknown] for unknown, channel in lowered.channels]
        rows.append(bind(lowered, points.detach(), normals)(channels)[0])
    return torch.stack(rows, dim=1)


def _operators(
    problem: Problem, points: Tensor, condition: int | None
) -> tuple[tuple[DifferentialOperator, ...], Tensor | None]:
    if condition is None:
        return problem.operators, None
    chosen = problem.conditions[condition] if 0 <= condition < len(problem.conditions) else None
    if chosen is None or chosen.operator is None:
        raise ProblemError(f"condition {condition} of {problem.name} is no equation at points; name one that is")
    return (chosen.operator,), normals_at(chosen.region, points)


def normals_at(region: Region, points: Tensor) -> Tensor | None:
    """Outward unit normals (n, d_space) at points (n, d) of a region; None off the boundary."""
    x = points.detach().cpu().numpy()
    normals = None
    for piece in region.pieces():
        inside, own = piece.contains(x), piece.normals(x)
        if own is not None:
            normals = own * 0.0 if normals is None else normals
            normals[inside] = own[inside]
    return None if normals is None else torch.as_tensor(normals).to(points)
