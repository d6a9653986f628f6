"""SciPy's integrators, step by step: the steps that they take become the nodes of the time axis."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import integrate

from kanpde.errors import ProblemError

Array = np.ndarray
Rates = Callable[[float, Array], Array]

METHODS: dict[str, Any] = {"DOP853": integrate.DOP853, "Radau": integrate.Radau, "BDF": integrate.BDF}
# Neighbouring steps differ by no more than this: high orders interpolate between them.
GROWTH = 1.5
# Nodes of the result are no closer than this part of the gap before them.
SHORTER = 3.0
# A start this long beside the interval says nothing about the solution and spoils differences by rounding.
FIRST_STEP = 1e-6


class TooManySteps(ProblemError):
    """The integrator was stopped: the problem is stiffer, or longer, than its method can take."""


@dataclass(frozen=True, eq=False)
class Trajectory:
    """times (n,), ascending or descending; states (n, size)."""

    times: Array
    states: Array

    @property
    def ascending(self) -> Trajectory:
        """The same with ascending times."""
        return self if self.times[-1] > self.times[0] else Trajectory(self.times[::-1], self.states[::-1])


@dataclass(frozen=True, eq=False)
class Integrator:
    """One method at one tolerance.

    rtol: relative tolerance of a step; scale: (size,) sizes of the components, whose share rtol is the absolute one.
    longest: largest step beside the interval; budget: number of steps at which it gives up.
    """

    method: str
    rtol: float
    scale: Array
    longest: float = 0.02
    budget: int = 40_000

    def run(self, rates: Rates, start: Array, interval: tuple[float, float], jacobian: Any = None) -> Trajectory:
        """Integrate dy/dt = rates(t, y) over an interval, backwards where it is descending.

        Raises:
            TooManySteps: more steps than the budget.
            ProblemError: the integrator fails, as where the solution grows without bound.
        """
        length = abs(interval[1] - interval[0])
        options: dict[str, Any] = {} if jacobian is None or self.method == "DOP853" else {"jac": jacobian}
        solver = METHODS[self.method](
            rates,
            interval[0],
            start,
            interval[1],
            rtol=max(self.rtol, 3e-14),
            atol=self.rtol * self.scale,
            max_step=self.longest * length,
            **options,
        )
        times, states = [interval[0]], [start]
        for _ in range(self.budget):
            message = solver.step()
            if solver.status == "failed" or not np.all(np.isfinite(solver.y)):
                raise ProblemError(f"the integrator stops at {solver.t:.6g}: {message or 'the solution is not finite'}")
            times.append(float(solver.t))
            states.append(solver.y.copy())
            if solver.status == "finished":
                return Trajectory(np.array(times), np.array(states)).ascending
            solver.max_step = max(min(self.longest * length, GROWTH * solver.step_size), FIRST_STEP * length)
        raise TooManySteps(f"{self.method} needs more than {self.budget} steps; loosen rtol or shorten the interval.")


def thinned(trajectory: Trajectory, most: int) -> Trajectory:
    """At most about so many of the steps, both ends among them, none much shorter than its neighbour.

    A step that is cut short to meet the end, or one that starts an integration, would only amplify rounding between
    the nodes.
    """
    times, length = trajectory.times, float(np.ptp(trajectory.times))
    stride = max(1, -(-len(times) // most))
    kept, gap = [0], 10 * FIRST_STEP * length * SHORTER
    for k in range(1, len(times)):
        step = times[k] - times[kept[-1]]
        if k - kept[-1] >= stride and step > gap / SHORTER:
            kept.append(k)
            gap = step
    if kept[-1] != len(times) - 1:
        kept[-1 if len(kept) > 1 else len(kept) :] = [len(times) - 1]
    return Trajectory(times[kept], trajectory.states[kept])
