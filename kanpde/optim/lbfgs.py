"""Limited-memory BFGS (Nocedal & Wright 2006, algorithm 7.4) with a line search for the strong Wolfe conditions."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from kanpde.optim.objective import Objective
from kanpde.optim.status import Status, status_at
from kanpde.optim.wolfe import USUAL, Probe, Wolfe, downhill

Pair = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class LBFGSState:
    """Where the iteration stands.

    Attributes:
        theta: (P,).
        loss: ½ |r|² there.
        gradient: (P,).
        pairs: the last changes of θ and of the gradient, oldest first.
        status: `Status.RUNNING` until nothing helps.
        trials: evaluations in the last step.
        gain: relative decrease of the loss in the last step.
        damping: 0, for histories that list the λ of other optimisers.
    """

    theta: Tensor
    loss: float
    gradient: Tensor
    pairs: tuple[Pair, ...] = ()
    status: Status = Status.RUNNING
    trials: int = 0
    gain: float = 1.0
    damping: float = 0.0


@dataclass(frozen=True)
class LBFGS:
    """The optimiser's settings; `init` and `step` keep all state outside.

    Args:
        memory: pairs that are kept.
        search: of the step's length.
    """

    memory: int = 20
    search: Wolfe = USUAL

    def init(self, objective: Objective, theta: Tensor) -> LBFGSState:
        """The state at θ (P,)."""
        loss, gradient = objective.loss_and_gradient(theta)
        return LBFGSState(theta, loss, gradient, status=status_at(loss, gradient))

    def step(self, objective: Objective, state: LBFGSState) -> LBFGSState:
        """One line search, or a status that says why there is no step."""
        if state.status not in (Status.RUNNING, Status.STALLED):
            return state
        along = direction(state.gradient, state.pairs) if state.pairs else None
        found = downhill(self.search, objective, state, along)
        if found.probe is None:
            return replace(state, pairs=(), status=Status.STALLED, trials=found.trials)
        return self._moved(state, () if found.steepest else state.pairs, found.probe, found.trials)

    def _moved(self, state: LBFGSState, pairs: tuple[Pair, ...], found: Probe, trials: int) -> LBFGSState:
        s, y = found.theta - state.theta, found.gradient - state.gradient
        if curved(s, y):
            pairs = (*pairs, (s, y))[-self.memory :]
        gain = (state.loss - found.value) / state.loss
        status = status_at(found.value, found.gradient)
        return LBFGSState(found.theta, found.value, found.gradient, pairs, status, trials, gain)


def curved(s: Tensor, y: Tensor) -> bool:
    """Whether the gradient rose along a step; an inverse Hessian updated by other pairs would lose definiteness."""
    return float(s @ y) > torch.finfo(y.dtype).eps * float(y @ y)


def direction(gradient: Tensor, pairs: tuple[Pair, ...]) -> Tensor:
    """−H g with the inverse Hessian H of the pairs, by two loops over them; −g without any."""
    result, weights = -gradient, []
    for s, y in reversed(pairs):
        weight = (s @ result) / (s @ y)
        result = result - weight * y
        weights.append(weight)
    if pairs:
        s, y = pairs[-1]
        result = result * ((s @ y) / (y @ y))
    for (s, y), weight in zip(pairs, reversed(weights), strict=True):
        result = result + (weight - (y @ result) / (s @ y)) * s
    return result
