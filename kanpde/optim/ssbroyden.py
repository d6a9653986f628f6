"""SSBroyden: the self-scaled Broyden method with a dense inverse Hessian.

Al-Baali 1998 (Comput. Optim. Appl. 9, 191) and Al-Baali & Khalfan 2005 for the scaling; Urbán, Stefanou & Pons, arXiv
2405.04230, equations 13 to 23, for its use in training. With s the step, y the change of the gradient, ρ = 1/yᵀs,

    H₊ = (1/τ) [H − Hy yᵀH/(yᵀHy) + φ (yᵀHy) v vᵀ] + ρ s sᵀ,      v = ρs − Hy/(yᵀHy),

where τ scales what earlier steps knew, and φ chooses the member of Broyden's family: 0 is DFP, 1 is BFGS. The first H
is not the identity but scaled, without which networks took tenfold the time to get going. Memory is 8 P² bytes for H,
and as much again while a step makes the next one: 1.6 GB at P = 10,000. A step costs a product and an update of H, 3 P²
numbers read and written, beside the gradients of its line search.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from kanpde.optim.lbfgs import curved
from kanpde.optim.objective import Objective
from kanpde.optim.status import Status, status_at
from kanpde.optim.wolfe import USUAL, Probe, Wolfe, downhill


@dataclass(frozen=True)
class SSBroydenState:
    """Where the iteration stands.

    Attributes:
        theta: (P,).
        loss: ½ |r|² there.
        gradient: (P,).
        inverse: H (P, P), None at the start and after a failed search.
        status: `Status.RUNNING` until nothing helps.
        trials: evaluations in the last step.
        gain: relative decrease of the loss in the last step.
        damping: 0, for histories that list the λ of other optimisers.
    """

    theta: Tensor
    loss: float
    gradient: Tensor
    inverse: Tensor | None = None
    status: Status = Status.RUNNING
    trials: int = 0
    gain: float = 1.0
    damping: float = 0.0


@dataclass(frozen=True)
class SSBroyden:
    """The optimiser's settings; `init` and `step` keep all state outside.

    Args:
        search: of the step's length. Urbán et al. have the same constants.
    """

    search: Wolfe = USUAL

    def init(self, objective: Objective, theta: Tensor) -> SSBroydenState:
        """The state at θ (P,)."""
        loss, gradient = objective.loss_and_gradient(theta)
        return SSBroydenState(theta, loss, gradient, status=status_at(loss, gradient))

    def step(self, objective: Objective, state: SSBroydenState) -> SSBroydenState:
        """One line search, or a status that says why there is no step."""
        if state.status not in (Status.RUNNING, Status.STALLED):
            return state
        along = None if state.inverse is None else -(state.inverse @ state.gradient)
        found = downhill(self.search, objective, state, along)
        if found.probe is None:
            return replace(state, inverse=None, status=Status.STALLED, trials=found.trials)
        return _moved(state, None if found.steepest else state.inverse, found.probe, found.trials)


def _moved(state: SSBroydenState, inverse: Tensor | None, found: Probe, trials: int) -> SSBroydenState:
    s, y = found.theta - state.theta, found.gradient - state.gradient
    if curved(s, y):
        inverse = updated(inverse, s, y, -found.length * float(s @ state.gradient))
    gain = (state.loss - found.value) / state.loss
    status = status_at(found.value, found.gradient)
    return SSBroydenState(found.theta, found.value, found.gradient, inverse, status, trials, gain)


def updated(inverse: Tensor | None, s: Tensor, y: Tensor, own: float) -> Tensor:
    """H₊ (P, P), one new array and no other of that size.

    Args:
        inverse: H; where there is none yet, or rounding has taken its definiteness, γI takes its place, γ = yᵀs/yᵀy
            (Nocedal & Wright, 6.20).
        s: change of θ, (P,).
        y: change of the gradient, (P,).
        own: sᵀH⁻¹s, which a step s = −αHg knows as −α sᵀg; not used without H.
    """
    curvature = float(s @ y)
    if inverse is None or own <= 0 or float(y @ (inverse @ y)) <= 0:
        gamma = curvature / float(y @ y)
        inverse, own = torch.eye(len(y), dtype=y.dtype, device=y.device).mul_(gamma), float(s @ s) / gamma
    pulled = inverse @ y
    size = float(y @ pulled)
    tau, phi = scaling(size / curvature, own / curvature, len(y))
    v = s / curvature - pulled / size
    weights = y.new_tensor([-1.0 / (tau * size), phi * size / tau, 1.0 / curvature])
    halves = torch.stack([pulled, v, s], dim=1) * weights.abs().sqrt()  # H stays symmetric to the last bit
    return torch.addmm(inverse, halves, (halves * weights.sign()).T, beta=1.0 / tau)


def scaling(h: float, b: float, count: int) -> tuple[float, float]:
    """τ and φ.

    Args:
        h: yᵀHy/yᵀs.
        b: sᵀH⁻¹s/yᵀs; b h ≥ 1 by the Cauchy-Schwarz inequality, with equality where s and Hy are parallel.
        count: P.
    """
    a = max(b * h - 1.0, math.ulp(1.0))
    c = math.sqrt(a / (1.0 + a))
    lowest = min(1.0, h / ((1.0 + a) * (1.0 + c)))  # h (1 − c), without its cancellation
    theta = max((lowest - 1.0) / a, min(1.0 / lowest, (1.0 - b) / b))
    sigma = max(1.0 + theta * a, lowest)  # which it is not below, but for rounding
    spread = sigma ** (1.0 / (1.0 - max(count, 2)))
    tau = min(1.0, 1.0 / b)
    tau = min(tau * spread, sigma) if theta <= 0 else tau * min(spread, 1.0 / theta)
    return tau, (1.0 - theta) / sigma
