"""How well the data determine unknown scalars: standard errors from the Gauss-Newton Hessian.

With measurement rows c (F - d), c a known multiple of 1/sigma, and all other rows exact, the covariance of coefficients
and scalars is (c sigma)² (JᵀJ)⁻¹. The scalars come last in θ, so their block is (RᵀR)⁻¹ of the last corner of the
triangle R of J: what the network can explain has been projected out.
"""

from __future__ import annotations

import numpy as np
import torch

from kanpde.expression import Eigenvalue
from kanpde.network import Trainable
from kanpde.optim.objective import linearize
from kanpde.problem import Problem
from kanpde.residuals import Block, ResidualSystem

RIDGE = 1e-12  # of the largest column: directions that no row sees stay where they are


def standard_errors(problem: Problem, network: Trainable, system: ResidualSystem) -> dict[str, float]:
    """Standard error of each unknown scalar that measurements determine, by name; eigenvalues have none.

    Where the errors of the measurements are not given, they are taken from the misfit.

    Args:
        problem: with its scalars.
        network: trained.
        system: rows that the field was trained on, with the same network.
    """
    sought = [k for k, p in enumerate(problem.parameters) if not isinstance(p, Eigenvalue)]
    blocks = [block for block in system.blocks if block.target is not None and block.gather is None]
    if not sought or not blocks or system.network.n_parameters != network.n_parameters:
        return {}
    covariance = _covariance(system) * _noise(system, blocks) ** 2
    return {problem.parameters[k].name: float(np.sqrt(covariance[k, k])) for k in sought}


def _covariance(system: ResidualSystem) -> np.ndarray:
    """((RᵀR)⁻¹) of the scalars, (k, k)."""
    triangle = linearize(system, system.theta, orthogonal=True).reduced[:-1, :-1]
    ridge = RIDGE * float(triangle.norm(dim=0).max()) * torch.eye(len(triangle), dtype=triangle.dtype)
    count = len(system.parameters)
    corner = torch.linalg.qr(torch.cat([triangle, ridge.to(triangle)]), mode="r")[1][-count:, -count:].cpu().numpy()
    inverse = np.linalg.inv(corner)
    return np.asarray(inverse @ inverse.T)


def _noise(system: ResidualSystem, blocks: list[Block]) -> float:
    """c sigma: the size of one measurement's error in the units of its row."""
    if all(block.fixed for block in blocks):
        # Rows are (F - d) eta / (sigma sqrt(n)), see plan.
        return max(float(np.sqrt(b.points.weights[0]) * b.sigma[0]) for b in blocks if b.sigma is not None)
    residual, start, squares, count = system.residual(system.theta), 0, 0.0, 0
    for block in system.blocks:
        part = residual[start : start + block.rows]
        start += block.rows
        if any(block is other for other in blocks):
            squares, count = squares + float(part @ part), count + block.rows
    return float(np.sqrt(squares / max(count - len(system.parameters), 1)))
