"""Limited-memory BFGS with a line search for the strong Wolfe conditions.

Nocedal & Wright 2006, algorithms 7.4 (two loops), 3.5 (bracketing) and 3.6 (zoom) with the cubic step (3.59). Unlike
the book, the cubic step is kept inside the middle 80 % of its bracket, and a failed search is tried once more along
the steepest descent, from an empty memory, before the iteration gives up.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from kanpde.optim.objective import Objective
from kanpde.optim.status import Status, status_at

SAFEGUARD = 0.1  # of a bracket at either end, where the cubic step may not fall
EXPANSION = 2.0  # growth of the step while no minimum is bracketed

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
        decrease: c₁ of the Wolfe conditions (Nocedal & Wright, section 3.1).
        curvature: c₂ of them.
        patience: evaluations in one line search.
    """

    memory: int = 20
    decrease: float = 1e-4
    curvature: float = 0.9
    patience: int = 25

    def init(self, objective: Objective, theta: Tensor) -> LBFGSState:
        """The state at θ (P,)."""
        loss, gradient = objective.loss_and_gradient(theta)
        return LBFGSState(theta, loss, gradient, status=status_at(loss, gradient))

    def step(self, objective: Objective, state: LBFGSState) -> LBFGSState:
        """One line search, or a status that says why there is no step."""
        if state.status not in (Status.RUNNING, Status.STALLED):
            return state
        trials = 0
        for pairs in (state.pairs, ()) if state.pairs else ((),):
            ray = Ray(objective, state, direction(state.gradient, pairs))
            length = 1.0 if pairs else min(1.0, 1.0 / float(state.gradient.norm()))
            found, count = self.search(ray, length)
            trials += count
            if found is not None:
                return self._moved(state, pairs, found, trials)
        return replace(state, pairs=(), status=Status.STALLED, trials=trials)

    def _moved(self, state: LBFGSState, pairs: tuple[Pair, ...], found: Probe, trials: int) -> LBFGSState:
        s, y = found.theta - state.theta, found.gradient - state.gradient
        if float(s @ y) > torch.finfo(y.dtype).eps * float(y @ y):  # else the inverse would lose definiteness
            pairs = (*pairs, (s, y))[-self.memory :]
        gain = (state.loss - found.value) / state.loss
        status = status_at(found.value, found.gradient)
        return LBFGSState(found.theta, found.value, found.gradient, pairs, status, trials, gain)

    def search(self, ray: Callable[[float], Probe], length: float) -> tuple[Probe | None, int]:
        """A point on the ray with φ(a) ≤ φ(0) + c₁ a φ'(0) and |φ'(a)| ≤ c₂ |φ'(0)|, and the evaluations spent.

        Where `patience` ends first, the lowest point found with sufficient decrease is taken, None if there is none.
        """
        start = previous = ray(0.0)
        for count in range(1, self.patience + 1):
            probe = ray(length)
            if not self._decreased(start, probe) or (count > 1 and probe.value >= previous.value):
                return self._zoom(ray, start, previous, probe, count)
            if self._settled(start, probe):
                return probe, count
            if probe.slope >= 0:
                return self._zoom(ray, start, probe, previous, count)
            previous, length = probe, EXPANSION * length
        return previous, self.patience

    def _zoom(
        self, ray: Callable[[float], Probe], start: Probe, low: Probe, high: Probe, count: int
    ) -> tuple[Probe | None, int]:
        while count < self.patience:
            probe = ray(cubic_step(low, high))
            count += 1
            if not self._decreased(start, probe) or probe.value >= low.value:
                high = probe
                continue
            if self._settled(start, probe):
                return probe, count
            if probe.slope * (high.length - low.length) >= 0:
                high = low
            low = probe
        return (low if low.value < start.value else None), count

    def _decreased(self, start: Probe, probe: Probe) -> bool:
        # Written so that a value that is not a number has not decreased.
        return probe.value <= start.value + self.decrease * probe.length * start.slope

    def _settled(self, start: Probe, probe: Probe) -> bool:
        return abs(probe.slope) <= -self.curvature * start.slope


@dataclass(frozen=True)
class Probe:
    """φ(a) = L(θ + a p) at one step length, and what was computed there."""

    length: float
    value: float
    slope: float
    theta: Tensor
    gradient: Tensor


@dataclass(frozen=True)
class Ray:
    """L along a direction from a state."""

    objective: Objective
    state: LBFGSState
    direction: Tensor

    def __call__(self, length: float) -> Probe:
        """The probe at one step length; nothing is evaluated at length zero."""
        state = self.state
        theta = state.theta + length * self.direction
        value, gradient = self.objective.loss_and_gradient(theta) if length else (state.loss, state.gradient)
        return Probe(length, value, float(gradient @ self.direction), theta, gradient)


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


def cubic_step(low: Probe, high: Probe) -> float:
    """The minimum of the cubic through two values and slopes, inside their bracket; the middle where there is none."""
    width = high.length - low.length
    first = low.slope + high.slope - 3 * (high.value - low.value) / width
    square = first**2 - low.slope * high.slope
    share = 0.5
    if math.isfinite(square) and square >= 0:
        second = math.copysign(math.sqrt(square), width)
        bottom = high.slope - low.slope + 2 * second
        share = 1.0 - (high.slope + second - first) / bottom if bottom else 0.5
    return low.length + width * min(max(share, SAFEGUARD), 1.0 - SAFEGUARD)
