"""Adam (Kingma & Ba 2015, arXiv 1412.6980, algorithm 1) with schedules for its learning rate."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from kanpde.optim.objective import Objective
from kanpde.optim.status import Status, status_at

Schedule = Callable[[int], float]  # steps taken so far -> factor on the learning rate


@dataclass(frozen=True)
class Constant:
    """A learning rate that stays."""

    def __call__(self, _: int) -> float:
        """1 at every step."""
        return 1.0


@dataclass(frozen=True)
class Exponential:
    """Decay by a factor every so many steps: factor^(step/every).

    Args:
        factor: in (0, 1].
        every: steps.
    """

    factor: float = 0.9
    every: int = 1000

    def __call__(self, step: int) -> float:
        """The factor after so many steps."""
        return self.factor ** (step / self.every)


@dataclass(frozen=True)
class Cosine:
    """From 1 to `floor` along half a cosine (Loshchilov & Hutter 2017, arXiv 1608.03983, eq. 5), then it stays.

    Args:
        steps: length of the descent.
        floor: the last factor.
    """

    steps: int
    floor: float = 0.0

    def __call__(self, step: int) -> float:
        """The factor after so many steps."""
        share = min(step / self.steps, 1.0)
        return self.floor + (1.0 - self.floor) * 0.5 * (1.0 + math.cos(math.pi * share))


@dataclass(frozen=True)
class AdamState:
    """Where the iteration stands.

    Attributes:
        theta: (P,).
        loss: ½ |r|² there.
        gradient: (P,).
        mean: running mean of the gradient, (P,).
        square: running mean of its square, (P,).
        steps: taken so far.
        status: `Status.RUNNING` until the loss is not finite.
        gain: relative decrease of the loss in the last step, negative where it rose.
        damping: 0, for histories that list the λ of other optimisers.
    """

    theta: Tensor
    loss: float
    gradient: Tensor
    mean: Tensor
    square: Tensor
    steps: int = 0
    status: Status = Status.RUNNING
    gain: float = 1.0
    damping: float = 0.0


@dataclass(frozen=True)
class Adam:
    """The optimiser's settings; `init` and `step` keep all state outside.

    Args:
        rate: learning rate, the paper's default.
        schedule: factor on it after a number of steps.
        mean_decay: β₁.
        square_decay: β₂.
        floor: ε, added to the root of the second moment.
    """

    rate: float = 1e-3
    schedule: Schedule = Constant()
    mean_decay: float = 0.9
    square_decay: float = 0.999
    floor: float = 1e-8

    def init(self, objective: Objective, theta: Tensor) -> AdamState:
        """The state at θ (P,)."""
        loss, gradient = objective.loss_and_gradient(theta)
        still = torch.zeros_like(gradient)
        return AdamState(theta, loss, gradient, still, still, status=status_at(loss, gradient))

    def step(self, objective: Objective, state: AdamState) -> AdamState:
        """One step of Adam; where it leads to values that are not finite, the state stays and says so."""
        if state.status is not Status.RUNNING:
            return state
        steps = state.steps + 1
        mean = torch.lerp(state.gradient, state.mean, self.mean_decay)
        square = torch.lerp(state.gradient**2, state.square, self.square_decay)
        spread = (square / (1.0 - self.square_decay**steps)).sqrt() + self.floor
        rate = self.rate * self.schedule(state.steps) / (1.0 - self.mean_decay**steps)
        theta = state.theta - rate * mean / spread
        loss, gradient = objective.loss_and_gradient(theta)
        status = status_at(loss, gradient)
        if status is Status.NOT_FINITE:
            return replace(state, status=status)
        return AdamState(theta, loss, gradient, mean, square, steps, status, (state.loss - loss) / state.loss)
