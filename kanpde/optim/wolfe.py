"""A line search for the strong Wolfe conditions, and the descent of quasi-Newton methods that uses it.

Nocedal & Wright 2006, algorithms 3.5 (bracketing) and 3.6 (zoom) with the cubic step (3.59). Unlike the book, the cubic
step is kept inside the middle 80 % of its bracket, and a failed search is tried once more along the steepest descent,
from an empty memory, before the iteration gives up.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from kanpde.optim.objective import Objective, State

SAFEGUARD = 0.1  # of a bracket at either end, where the cubic step may not fall
EXPANSION = 2.0  # growth of the step while no minimum is bracketed


class Sloped(State, Protocol):
    """A state that keeps its gradient."""

    @property
    def gradient(self) -> Tensor:
        """Jᵀr, (P,)."""
        ...


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
    """L along a direction p (P,) from a point θ (P,) with its loss and gradient."""

    objective: Objective
    theta: Tensor
    loss: float
    gradient: Tensor
    direction: Tensor

    def __call__(self, length: float) -> Probe:
        """The probe at one step length; nothing is evaluated at length zero."""
        theta = self.theta + length * self.direction
        value, gradient = self.objective.loss_and_gradient(theta) if length else (self.loss, self.gradient)
        return Probe(length, value, float(gradient @ self.direction), theta, gradient)


@dataclass(frozen=True)
class Wolfe:
    """The search's settings.

    Args:
        decrease: c₁ of the Wolfe conditions (Nocedal & Wright, section 3.1).
        curvature: c₂ of them.
        patience: evaluations in one search.
    """

    decrease: float = 1e-4
    curvature: float = 0.9
    patience: int = 25

    def __call__(self, ray: Callable[[float], Probe], length: float) -> tuple[Probe | None, int]:
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


USUAL = Wolfe()  # of quasi-Newton methods (Nocedal & Wright, section 3.1)


@dataclass(frozen=True)
class Found:
    """What a search came to.

    Attributes:
        probe: the point found, None where there is none.
        trials: evaluations spent.
        steepest: whether it was found along the steepest descent, so that the method's memory is worth nothing.
    """

    probe: Probe | None
    trials: int
    steepest: bool


def downhill(search: Wolfe, objective: Objective, state: Sloped, direction: Tensor | None) -> Found:
    """Along a direction (P,); where that leads nowhere, or there is none yet, along the steepest descent."""
    trials = 0
    if direction is not None:
        probe, trials = search(Ray(objective, state.theta, state.loss, state.gradient, direction), 1.0)
        if probe is not None:
            return Found(probe, trials, steepest=False)
    steepest = Ray(objective, state.theta, state.loss, state.gradient, -state.gradient)
    probe, more = search(steepest, min(1.0, 1.0 / float(state.gradient.norm())))
    return Found(probe, trials + more, steepest=True)


def cubic_step(low: Probe, high: Probe) -> float:
    """The minimum of the cubic through two values and slopes, inside their bracket; the middle where there is none."""
    width = high.length - low.length
    first = low.slope + high.slope - 3 * (high.value - low.value) / width
    square = first * first - low.slope * high.slope
    share = 0.5
    if math.isfinite(square) and square >= 0:
        second = math.copysign(math.sqrt(square), width)
        bottom = high.slope - low.slope + 2 * second
        share = 1.0 - (high.slope + second - first) / bottom if bottom else 0.5
    return low.length + width * min(max(share, SAFEGUARD), 1.0 - SAFEGUARD)
