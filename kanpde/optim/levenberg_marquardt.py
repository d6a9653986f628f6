"""Levenberg-Marquardt with Nielsen's damping and geodesic acceleration, on a Cholesky or an orthogonal factor.

The step solves min |J d + r|² + λ |D d|², D² = diag(JᵀJ) with a floor: columns are scaled to one, so λ is a pure
number. Early on JᵀJ + λD² is factored by Cholesky; it freezes what lies below 1e-8 of the largest singular value, so
when λ has fallen that far, or Cholesky breaks down, the same step is taken from a QR factor of [J; √λ D], which
reaches 1e-15. Where there are fewer rows than parameters the factor is of the rows' side. (Nielsen 1999,
IMM-REP-1999-05, for λ; Transtrum & Sethna, arXiv 1207.4999, for the acceleration.)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from kanpde.optim.factors import Factor, Linear, damped, factored, linear_model, reach
from kanpde.optim.nielsen import lowered, raised
from kanpde.optim.objective import Objective
from kanpde.optim.status import Status, status_at

LARGEST_BEND = 0.75  # of 2|a|/|v|: beyond it the quadratic path means nothing (Transtrum & Sethna, section 3.2)


@dataclass(frozen=True)
class LMState:
    """Where the iteration stands.

    Attributes:
        theta: (P,).
        loss: ½ |r|² there.
        damping: λ.
        status: `Status.RUNNING` until nothing helps.
        trials: factorisations in the last step.
        gain: relative decrease of the loss in the last step.
        reach: ρ_J = |P r|²/|r|² where the last step began, P the projection on the range of J: the share of the loss
            that a linear model could remove. Near 0 the space of the network is exhausted, whatever the steps gain:
            refine it, do not iterate. Near 1 with a small gain it is the bend of the path, or rounding, that stops
            the steps. From the orthogonal factor it does not depend on λ; from Cholesky's it is the share within
            reach of the step's own λ, a lower bound. 1 before the first step.
    """

    theta: Tensor
    loss: float
    damping: float
    status: Status = Status.RUNNING
    trials: int = 0
    gain: float = 1.0
    reach: float = 1.0


@dataclass(frozen=True)
class LevenbergMarquardt:
    """The optimiser's settings; `init` and `step` keep all state outside.

    Args:
        damping: first λ.
        geodesic: add the second-order correction along the step.
        orthogonal_below: λ under which the QR factor replaces Cholesky.
        smallest: λ never falls below.
        patience: trials with growing λ before the step gives up.
        probe: relative length of the finite difference for the acceleration.
        probes: further dampings, each a tenth of the one before, tried by their true loss once a step is found. None
            by default: on five Poisson and Helmholtz problems they took time and found nothing, for what stops a
            longer step is the bend of its path.
    """

    damping: float = 1e-3
    geodesic: bool = True
    orthogonal_below: float = 1e-9
    smallest: float = 1e-28
    patience: int = 12
    probe: float = 0.1
    probes: int = 0

    def init(self, objective: Objective, theta: Tensor) -> LMState:
        """The state at θ (P,)."""
        residual = objective.residual(theta)
        loss = _loss(residual)
        status = Status.RUNNING if bool(torch.isfinite(residual).all()) else Status.NOT_FINITE
        return LMState(theta, loss, self.damping, status)

    def step(self, objective: Objective, state: LMState) -> LMState:
        """One accepted step (λ raised until the loss falls), or a status that says why there is none."""
        linear = linear_model(objective, state.theta, orthogonal=state.damping < self.orthogonal_below)
        status = status_at(state.loss, linear.gradient)
        if status is not Status.RUNNING:
            return replace(state, status=status, trials=0)
        dampings = raised(state.damping, self.smallest)
        for trial in range(1, self.patience + 1):
            linear, factor = factored(objective, state.theta, linear, next(dampings))
            found = self._descent(objective, state, linear, factor, straight=2 * trial > self.patience)
            if found is not None:
                found = self._probed(objective, state, linear, found)
                return replace(self._accepted(state, found, trial), reach=reach(linear, factor))
        share = reach(linear, factor)
        return replace(state, damping=next(dampings), status=Status.STALLED, trials=self.patience, reach=share)

    def _descent(
        self, objective: Objective, state: LMState, linear: Linear, factor: Factor, straight: bool
    ) -> Descent | None:
        for theta in self._candidates(objective, state, linear, factor, straight):
            loss = _loss(objective.residual(theta))
            if loss < state.loss:
                return Descent(theta, loss, factor)
        return None

    def _candidates(
        self, objective: Objective, state: LMState, linear: Linear, factor: Factor, straight: bool
    ) -> Iterator[Tensor]:
        """The accelerated step first, the plain one if that fails; none where the path bends too much for either.

        A path that bends however much λ grows is the finite difference drowned in rounding: `straight` ignores it.
        """
        velocity = factor.velocity
        if self.geodesic:
            acceleration = self._acceleration(objective, state, linear, factor)
            if 2.0 * factor.length(acceleration) <= LARGEST_BEND * factor.length(velocity):
                yield state.theta + velocity + 0.5 * acceleration
            elif not straight:
                return
        yield state.theta + velocity

    def _acceleration(self, objective: Objective, state: LMState, linear: Linear, factor: Factor) -> Tensor:
        """Solve a = −(JᵀJ + λD²)⁻¹ Jᵀ r_vv, r_vv ≈ (2/h) [(r(θ + hv) − r(θ))/h − Jv]."""
        velocity = factor.velocity
        slopes = (objective.residual(state.theta + self.probe * velocity) - linear.residual) / self.probe
        return -(2.0 / self.probe) * factor.pulled(slopes - linear.products.forward(velocity))

    def _probed(self, objective: Objective, state: LMState, linear: Linear, best: Descent) -> Descent:
        """The best of `best` and what smaller dampings give, down to the first that is no better."""
        for _ in range(self.probes):
            factor = damped(linear, max(0.1 * best.factor.damping, self.smallest))
            found = None if factor is None else self._descent(objective, state, linear, factor, straight=True)
            if found is None or found.loss >= best.loss:
                break
            best = found
        return best

    def _accepted(self, state: LMState, found: Descent, trial: int) -> LMState:
        decrease = state.loss - found.loss
        damping = lowered(found.factor.damping, decrease, found.factor.predicted, self.smallest)
        return LMState(found.theta, found.loss, damping, Status.RUNNING, trial, decrease / state.loss)


@dataclass(frozen=True)
class Descent:
    """A step that lowers the loss: where it leads, and the factor that it came from."""

    theta: Tensor
    loss: float
    factor: Factor


def _loss(residual: Tensor) -> float:
    return 0.5 * float(residual @ residual)
