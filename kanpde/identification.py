"""How well the data determine unknown scalars: standard errors from the Gauss-Newton Hessian.

With measurement rows c (F - d), c a known multiple of 1/sigma, and all other rows exact, the covariance of coefficients
and scalars is (c sigma)² (JᵀJ)⁻¹ = (c sigma)² R⁻¹R⁻ᵀ with the triangle R of J. What it makes of the fields is the part
of their error that no network can avoid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from kanpde.collocation import collocate
from kanpde.estimate import TrainedField
from kanpde.expression import Eigenvalue
from kanpde.multiindex import DerivativeSet
from kanpde.optim.objective import linearize
from kanpde.problem import Problem
from kanpde.residuals import Block, ResidualSystem

RIDGE = 1e-13  # of the largest singular value: directions below it are seen by no row
SAMPLE = 256  # points at which the fields' uncertainty is averaged


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """What the errors of the measurements leave undetermined.

    Attributes:
        scalars: standard error of each unknown scalar, by name; eigenvalues have none.
        relative: root mean square standard error of the fields, relative to their size.
    """

    scalars: dict[str, float]
    relative: float


def uncertainty(problem: Problem, field: TrainedField, system: ResidualSystem) -> Uncertainty | None:
    """The uncertainty of scalars and fields; None where nothing was measured.

    Where the errors of the measurements are not given, they are taken from the misfit.

    Args:
        problem: what was solved.
        field: trained.
        system: its rows, with the same network.
    """
    blocks = [block for block in system.blocks if block.measured]
    if not blocks:
        return None
    noise, inverse = _noise(system, blocks), _inverse(system)
    count = len(system.parameters)
    sizes = np.linalg.norm(inverse[len(inverse) - count :], axis=1) * noise
    named = zip(problem.parameters, sizes.tolist(), strict=True)
    scalars = {p.name: size for p, size in named if not isinstance(p, Eigenvalue)}
    return Uncertainty(scalars, _relative(problem, field, inverse[: len(inverse) - count]) * noise)


def _relative(problem: Problem, field: TrainedField, inverse: np.ndarray) -> float:
    """sqrt(mean |∂u/∂θ R⁻¹|²) / sqrt(mean u²), over points of the interior."""
    points = collocate(problem.domain.interior, SAMPLE).x
    d, network = points.shape[1], field.network
    derivatives = DerivativeSet.closure(d, [(0,) * d])
    x = torch.as_tensor(points, dtype=network.dtype, device=network.device)
    sweep = network.sweep(field.ansatz.prepare(network, x, derivatives), derivatives)
    frame, total = field.ansatz.frame(x, derivatives), 0.0
    for k in range(network.outputs):
        adjoint = torch.zeros_like(sweep.output)
        adjoint[0, k] = 1.0
        rows = sweep.jacobian(frame.adjoint(adjoint)).T.cpu().numpy()
        total += float(np.sum((rows @ inverse) ** 2))
    size = float(np.sum(field.values(points) ** 2))
    return float(np.sqrt(total / size)) if size > 0 else float("inf")


def _inverse(system: ResidualSystem) -> np.ndarray:
    """R⁻¹ of the triangle of J, (P + k, P + k); directions that no row sees are left out."""
    triangle = linearize(system, system.theta, orthogonal=True).reduced[:-1, :-1].cpu().numpy()
    left, values, right = np.linalg.svd(triangle)
    kept = values > RIDGE * values[0]
    return np.asarray((right[kept].T / values[kept]) @ left[:, kept].T)


def _noise(system: ResidualSystem, blocks: list[Block]) -> float:
    """C sigma: the size of one measurement's error in the units of its row."""
    if all(block.sigma is not None for block in blocks):
        # Rows are (F - d) eta / (sigma sqrt(n)), see plan.
        return max(float(np.sqrt(b.weight * b.points.weights[0]) * b.sigma[0]) for b in blocks if b.sigma is not None)
    residual, start, squares, count = system.residual(system.theta), 0, 0.0, 0
    for block in system.blocks:
        part = residual[start : start + block.rows]
        start += block.rows
        if any(block is other for other in blocks):
            squares, count = squares + float(part @ part), count + block.rows
    return float(np.sqrt(squares / max(count - len(system.parameters), 1)))
