"""The last step of a linear problem: coefficients that enter the residual linearly, by least squares of minimal norm.

The residual of a linear equation is affine in the coefficients of the last layer. With the others held, one
singular-value decomposition gives the best of them, without the damping that a step of all coefficients needs
(variable projection, Golub & Pereyra 1973; done in every step it gets stuck early, so it is kept for the end).
"""

from __future__ import annotations

import torch
from torch import Tensor

from kanpde.optim.objective import Objective

CUTOFF = 1e-14  # of the largest singular value: directions below it are left alone


def polished(objective: Objective, theta: Tensor, linear: slice) -> tuple[Tensor, float]:
    """θ with the best coefficients of a part, and the loss ½|r|² there; θ itself where that is no gain.

    Args:
        objective: affine in the coefficients of `linear`.
        theta: (P,).
        linear: which coefficients.
    """
    residuals, rows = [], []
    for residual, transposed in objective.linearized(theta):
        residuals.append(residual)
        rows.append(transposed[linear].T.clone())
    before, matrix = torch.cat(residuals), torch.cat(rows)
    scale = matrix.norm(dim=0).clamp_min(torch.finfo(theta.dtype).tiny)
    left, sizes, right = torch.linalg.svd(matrix / scale, full_matrices=False)
    kept = sizes > CUTOFF * sizes.max()
    step = right[kept].T @ ((left[:, kept].T @ before) / sizes[kept]) / scale
    moved = theta.clone()
    moved[linear] -= step
    after = objective.residual(moved)
    losses = [0.5 * float(r @ r) for r in (before, after)]
    return (moved, losses[1]) if losses[1] < losses[0] else (theta, losses[0])
