"""Levenberg-Marquardt with Nielsen's damping and geodesic acceleration, on a Cholesky or an orthogonal factor.

The step solves min |J d + r|² + λ |D d|², D² = diag(JᵀJ) with a floor: columns are scaled to one, so λ is a pure
number. Early on JᵀJ + λD² is factored by Cholesky; it freezes what lies below 1e-8 of the largest singular value, so
when λ has fallen that far, or Cholesky breaks down, the same step is taken from a QR factor of [J; √λ D], which
reaches 1e-15. (Nielsen 1999, IMM-REP-1999-05, for λ; Transtrum & Sethna, arXiv 1207.4999, for the acceleration.)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from kanpde.optim.objective import Linearization, Objective, linearize
from kanpde.optim.status import Status, status_at

COLUMN_FLOOR = 1e-8  # of the largest column of J: dead basis functions give zero columns
REDUNDANT = 1e-12  # of a column of J: what is left of it beside those before it is rounding, if no more
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
        linear = linearize(objective, state.theta, orthogonal=state.damping < self.orthogonal_below)
        status = status_at(state.loss, linear.gradient)
        if status is not Status.RUNNING:
            return replace(state, status=status, trials=0)
        damping, growth = state.damping, 2.0
        for trial in range(1, self.patience + 1):
            linear, factor = factored(objective, state.theta, linear, damping)
            found = self._descent(objective, state, linear, factor, straight=2 * trial > self.patience)
            if found is not None:
                found = self._probed(objective, state, linear, found)
                return replace(self._accepted(state, found, trial), reach=reach(linear, factor))
            damping, growth = max(damping * growth, self.smallest), 2.0 * growth
        share = reach(linear, factor)
        return replace(state, damping=damping, status=Status.STALLED, trials=self.patience, reach=share)

    def _descent(
        self, objective: Objective, state: LMState, linear: Linearization, factor: Damped, straight: bool
    ) -> Descent | None:
        for theta in self._candidates(objective, state, linear, factor, straight):
            loss = _loss(objective.residual(theta))
            if loss < state.loss:
                return Descent(theta, loss, factor)
        return None

    def _candidates(
        self, objective: Objective, state: LMState, linear: Linearization, factor: Damped, straight: bool
    ) -> Iterator[Tensor]:
        """The accelerated step first, the plain one if that fails; none where the path bends too much for either.

        A path that bends however much λ grows is the finite difference drowned in rounding: `straight` ignores it.
        """
        velocity = factor.velocity
        if self.geodesic:
            acceleration = self._acceleration(objective, state, linear, factor, velocity)
            if 2.0 * factor.length(acceleration) <= LARGEST_BEND * factor.length(velocity):
                yield state.theta + velocity + 0.5 * acceleration
            elif not straight:
                return
        yield state.theta + velocity

    def _acceleration(
        self, objective: Objective, state: LMState, linear: Linearization, factor: Damped, velocity: Tensor
    ) -> Tensor:
        """Solve a = −(JᵀJ + λD²)⁻¹ Jᵀ r_vv, r_vv ≈ (2/h) [(r(θ + hv) − r(θ))/h − Jv].

        Where J is not kept this is one more pass over its blocks, but none of their products.
        """
        h, start, pulled = self.probe, 0, torch.zeros_like(velocity)
        slopes = (objective.residual(state.theta + h * velocity) - linear.residual) / h
        for block in linear.blocks or (block for _, block in objective.linearized(state.theta)):
            stop = start + block.shape[1]
            pulled += block @ (slopes[start:stop] - velocity @ block)
            start = stop
        return -(2.0 / h) * factor.solve(pulled)

    def _probed(self, objective: Objective, state: LMState, linear: Linearization, best: Descent) -> Descent:
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
        ratio = decrease / max(found.factor.predicted, torch.finfo(found.theta.dtype).tiny)
        shrink = max(1.0 / 3.0, 1.0 - (2.0 * min(ratio, 1.0) - 1.0) ** 3)
        damping = max(found.factor.damping * shrink, self.smallest)
        return LMState(found.theta, found.loss, damping, Status.RUNNING, trial, decrease / state.loss)


@dataclass(frozen=True)
class Damped:
    """The damped normal equations (JᵀJ + λD²) d = −g in factored form: UᵀU = D⁻¹JᵀJD⁻¹ + λI.

    Attributes:
        triangle: U, (P, P).
        right: c = −U⁻ᵀD⁻¹g, (P,).
        scale: the diagonal of D, (P,).
        damping: λ.
    """

    triangle: Tensor
    right: Tensor
    scale: Tensor
    damping: float

    @property
    def velocity(self) -> Tensor:
        """The step d, (P,)."""
        return torch.linalg.solve_triangular(self.triangle, self.right[:, None], upper=True)[:, 0] / self.scale

    @property
    def predicted(self) -> float:
        """The decrease of the loss in the linear model, ½ dᵀ(λD²d − g) = ½ (λ|Dd|² + |c|²), free of cancellation."""
        return 0.5 * (self.damping * self.length(self.velocity) ** 2 + float(self.right @ self.right))

    def length(self, direction: Tensor) -> float:
        """|D d|."""
        return float((self.scale * direction).norm())

    def solve(self, vector: Tensor) -> Tensor:
        """(JᵀJ + λD²)⁻¹ of a vector (P,), by the semi-normal equations."""
        half = torch.linalg.solve_triangular(self.triangle.T, (vector / self.scale)[:, None], upper=False)
        return torch.linalg.solve_triangular(self.triangle, half, upper=True)[:, 0] / self.scale


@dataclass(frozen=True)
class Descent:
    """A step that lowers the loss: where it leads, and the factor that it came from."""

    theta: Tensor
    loss: float
    factor: Damped


def factored(
    objective: Objective, theta: Tensor, linear: Linearization, damping: float
) -> tuple[Linearization, Damped]:
    """The factor at λ and what it is of: the orthogonal linearisation at θ where Cholesky breaks down."""
    factor = damped(linear, damping)
    if factor is None:
        linear = linearize(objective, theta, orthogonal=True)
        factor = damped(linear, damping)
    assert factor is not None
    return linear, factor


def damped(linear: Linearization, damping: float) -> Damped | None:
    """The factor at λ, from the triangle of [J r] or from its Gram matrix; None where Cholesky breaks down."""
    columns = linear.columns
    scale = columns.clamp_min(max(COLUMN_FLOOR * float(columns.max()), torch.finfo(columns.dtype).tiny))
    if linear.orthogonal:
        return _damped_triangle(linear.reduced, scale, damping)
    gram = linear.reduced[:-1, :-1] / scale / scale[:, None]
    gram.diagonal().add_(damping)
    lower, failed = torch.linalg.cholesky_ex(gram)
    if int(failed):
        return None
    right = torch.linalg.solve_triangular(lower, -(linear.gradient / scale)[:, None], upper=False)
    return Damped(lower.T, right[:, 0], scale, damping)


def _damped_triangle(reduced: Tensor, scale: Tensor, damping: float) -> Damped:
    """QR of [R D⁻¹, Qᵀr; √λ I, 0]: √λ enters as rows, for a Gram matrix would lose what lies below 1e-8."""
    count = scale.numel()
    rows = reduced.new_zeros((reduced.shape[0] + count, count + 1))
    rows[: reduced.shape[0], :-1] = reduced[:, :-1] / scale
    rows[: reduced.shape[0], -1] = reduced[:, -1]
    rows[reduced.shape[0] :].fill_diagonal_(damping**0.5)
    triangle = torch.linalg.qr(rows, mode="r")[1]
    return Damped(triangle[:count, :count], -triangle[:count, count], scale, damping)


def reach(linear: Linearization, factor: Damped) -> float:
    """ρ_J of `LMState`: |Qᵀr|²/|r|² of the triangle of [J r], or Σ s²/(s² + λ) (uᵀr)²/|r|² where Cholesky was used.

    Redundant columns of J leave nothing but rounding on the diagonal of R, and then their columns of Q point anywhere.
    These are left out; else they would count about 1/(N − P) of the residual each as reachable.
    """
    square = max(float(linear.residual @ linear.residual), torch.finfo(linear.residual.dtype).tiny)
    if not linear.orthogonal:
        return float(factor.right @ factor.right) / square
    projected, own = linear.reduced[:-1, -1], linear.reduced.diagonal()[:-1].abs()
    return float(projected[own > REDUNDANT * linear.columns].square().sum()) / square


def _loss(residual: Tensor) -> float:
    return 0.5 * float(residual @ residual)
