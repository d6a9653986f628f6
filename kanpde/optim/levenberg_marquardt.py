"""Levenberg-Marquardt with Nielsen's damping and geodesic acceleration, on a Cholesky or an orthogonal factor.

The step solves min |J d + r|² + λ |D d|², D² = diag(JᵀJ) with a floor: columns are scaled to one, so λ is a pure number.
Early on JᵀJ + λD² is factored by Cholesky; it freezes what lies below 1e-8 of the largest singular value, so when λ
has fallen that far the same step is taken from a QR factor of [J; √λ D], which reaches 1e-15.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from kanpde.optim.objective import Linearization, Objective, linearize
from kanpde.optim.status import Status

COLUMN_FLOOR = 1e-8  # of the largest column of J: dead basis functions give zero columns


@dataclass(frozen=True)
class LMState:
    """Where the iteration stands.

    Attributes:
        theta: (P,).
        loss: ½ |r|² there.
        damping: λ.
        growth: Nielsen's ν.
        status: `Status.RUNNING` until nothing helps.
        trials: factorisations in the last step.
        linear: the linearisation at theta, made when first needed.
        gain: relative decrease of the loss in the last step.
    """

    theta: Tensor
    loss: float
    damping: float
    growth: float = 2.0
    status: Status = Status.RUNNING
    trials: int = 0
    gain: float = 1.0


@dataclass(frozen=True)
class LevenbergMarquardt:
    """The optimiser's settings; `init` and `step` keep all state outside.

    Args:
        damping: first λ.
        geodesic: add the second-order correction along the step (Transtrum & Sethna, arXiv 1207.4999).
        orthogonal_below: λ under which the QR factor replaces Cholesky.
        smallest: λ never falls below.
        patience: trials with growing λ before the step gives up.
        probe: relative length of the finite difference for the acceleration.
    """

    damping: float = 1e-3
    geodesic: bool = True
    orthogonal_below: float = 1e-9
    smallest: float = 1e-28
    patience: int = 12
    probe: float = 0.1

    def init(self, objective: Objective, theta: Tensor) -> LMState:
        """The state at θ (P,)."""
        residual = objective.residual(theta)
        loss = 0.5 * float(residual @ residual)
        status = Status.RUNNING if torch.isfinite(residual).all() else Status.NOT_FINITE
        return LMState(theta, loss, self.damping, status=status)

    def step(self, objective: Objective, state: LMState) -> LMState:
        """One accepted step (λ raised until the loss falls), or a status that says why there is none."""
        orthogonal = state.damping < self.orthogonal_below
        linear = linearize(objective, state.theta, orthogonal)
        scale = linear.columns.clamp_min(COLUMN_FLOOR * float(linear.columns.max()) + 1e-300)
        damping, growth = state.damping, state.growth
        for trial in range(1, self.patience + 1):
            outcome = self._trial(objective, state, linear, scale, damping)
            if outcome is not None:
                return self._accepted(state, outcome, damping, trial)
            damping, growth = max(damping * growth, self.smallest), 2.0 * growth
        return replace(state, damping=damping, growth=2.0, status=Status.STALLED, trials=self.patience)

    def _trial(
        self, objective: Objective, state: LMState, linear: Linearization, scale: Tensor, damping: float
    ) -> tuple[Tensor, float, float] | None:
        factor = damped_factor(linear, scale, damping)
        if factor is None:
            return None
        velocity = _solve(factor, linear, scale)
        predicted = -float(linear.gradient @ velocity) - 0.5 * _model_square(linear, velocity)
        for direction in self._directions(objective, state, linear, scale, factor, velocity):
            theta = state.theta + direction
            residual = objective.residual(theta)
            loss = 0.5 * float(residual @ residual)
            if loss < state.loss:
                return theta, loss, (state.loss - loss) / max(predicted, 1e-300)
        return None

    def _directions(
        self,
        objective: Objective,
        state: LMState,
        linear: Linearization,
        scale: Tensor,
        factor: Tensor,
        velocity: Tensor,
    ) -> list[Tensor]:
        """The accelerated step first, the plain one if that fails."""
        if not self.geodesic or not linear.blocks:
            return [velocity]
        h = self.probe
        ahead = objective.residual(state.theta + h * velocity)
        curvature = (2.0 / h) * ((ahead - linear.residual) / h - linear.apply(velocity))
        acceleration = -_semi_normal(factor, linear.transposed(curvature) / scale) / scale
        ratio = 2.0 * float((scale * acceleration).norm() / (scale * velocity).norm().clamp_min(1e-300))
        return [velocity + 0.5 * acceleration, velocity] if ratio <= 0.75 else []

    def _accepted(self, state: LMState, outcome: tuple[Tensor, float, float], damping: float, trial: int) -> LMState:
        theta, loss, ratio = outcome
        shrink = max(1.0 / 3.0, 1.0 - (2.0 * min(ratio, 1.0) - 1.0) ** 3)
        smaller = max(damping * shrink, self.smallest)
        gain = (state.loss - loss) / state.loss
        return LMState(theta, loss, smaller, 2.0, Status.RUNNING, trial, gain)


def _model_square(linear: Linearization, direction: Tensor) -> float:
    """|J d|²."""
    if linear.orthogonal:
        image = linear.reduced[:-1, :-1] @ direction
        return float(image @ image)
    return float(direction @ (linear.reduced[:-1, :-1] @ direction))


def damped_factor(linear: Linearization, scale: Tensor, damping: float) -> Tensor | None:
    """Upper triangle U with UᵀU = D⁻¹JᵀJD⁻¹ + λI; its last column carries −U⁻ᵀ D⁻¹Jᵀr. None where Cholesky fails.

    Returns:
        (P, P + 1): the triangle, and the right-hand side c with U y = c, d = y / scale.
    """
    count = scale.numel()
    root = torch.sqrt(torch.tensor(damping, dtype=scale.dtype, device=scale.device))
    if linear.orthogonal:
        scaled = torch.cat([linear.reduced[:, :-1] / scale, linear.reduced[:, -1:]], dim=1)
        extra = torch.cat([torch.diag(root.expand(count)), scaled.new_zeros((count, 1))], dim=1)
        triangle = torch.linalg.qr(torch.cat([scaled, extra]), mode="r")[1][:count]
        return torch.cat([triangle[:, :count], -triangle[:, count:]], dim=1)
    gram = linear.reduced[:-1, :-1] / scale / scale[:, None]
    gram.diagonal().add_(damping)
    lower, failed = torch.linalg.cholesky_ex(gram)
    if int(failed):
        return None
    right = torch.linalg.solve_triangular(lower, -(linear.gradient / scale)[:, None], upper=False)
    return torch.cat([lower.T, right], dim=1)


def _solve(factor: Tensor, linear: Linearization, scale: Tensor) -> Tensor:
    return torch.linalg.solve_triangular(factor[:, :-1], factor[:, -1:], upper=True)[:, 0] / scale


def _semi_normal(factor: Tensor, right: Tensor) -> Tensor:
    """(UᵀU)⁻¹ right."""
    triangle = factor[:, :-1]
    half = torch.linalg.solve_triangular(triangle.T, right[:, None], upper=False)
    return torch.linalg.solve_triangular(triangle, half, upper=True)[:, 0]
