"""The last step of a linear problem: coefficients that enter the residual linearly, by least squares of minimal norm.

The residual of a linear equation is affine in the coefficients of the last layer. With the others held, one
singular-value decomposition gives the best of them, without the damping that a step of all coefficients needs
(variable projection, Golub & Pereyra 1973; done in every step it gets stuck early, so it is kept for the end).
"""

from __future__ import annotations

import torch
from torch import Tensor

from kanpde.optim.factors import floored
from kanpde.optim.objective import Objective

CUTOFF = 1e-10  # of the largest singular value; with 1e-14 splines got coefficients of 1e7, and estimates missed errors


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
    norms = matrix.norm(dim=0)
    seen = torch.nonzero(norms == floored(norms))[:, 0]  # the points hardly see the others, and know nothing of them
    left, sizes, right = torch.linalg.svd(matrix[:, seen] / norms[seen], full_matrices=False)
    kept = sizes > CUTOFF * sizes.max()
    step = right[kept].T @ ((left[:, kept].T @ before) / sizes[kept]) / norms[seen]
    moved = theta.clone()
    moved[linear.start + seen] -= step
    after = objective.residual(moved)
    losses = [0.5 * float(r @ r) for r in (before, after)]
    return (moved, losses[1]) if losses[1] < losses[0] else (theta, losses[0])
