"""Marching in time: an evolution solved window after window, each from where the last one ended.

A network that follows one or two oscillations is small; one that follows fifty is not. Every window is a problem of its
own, whose initial data are the values of the window before; the error of the whole is judged on the whole.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import sympy as sp

from kanpde.domain import Product, Time
from kanpde.expression import Given
from kanpde.field import Ansatz
from kanpde.network import Trainable
from kanpde.operator import JetVariable
from kanpde.problem import Initial, Problem

SWINGS = 8.0  # total variation in time over the range, at the liveliest place, that one network follows
MOST = 16
NODES = 41  # at which it is looked at in space
INSTANTS = 801


class Jets(Protocol):
    """A trained field, in any units."""

    @property
    def network(self) -> Trainable:
        """Its network."""
        ...

    @property
    def ansatz(self) -> Ansatz:
        """Its exact conditions."""
        ...

    def jet(self, points: np.ndarray, variables: Sequence[JetVariable]) -> np.ndarray:
        """Derivatives of the fields at points (n, d): (n, len(variables))."""
        ...


@dataclass(frozen=True, eq=False)
class WindowedField:
    """One trained field a window of time.

    Attributes:
        fields: in the order of time.
        edges: of the windows, one more than fields.
        axis: of the time among the coordinates.
    """

    fields: tuple[Jets, ...]
    edges: tuple[float, ...]
    axis: int

    @property
    def network(self) -> Trainable:
        """The network of the last window."""
        return self.fields[-1].network

    @property
    def ansatz(self) -> Ansatz:
        """The exact conditions of the last window."""
        return self.fields[-1].ansatz

    @property
    def parameters(self) -> tuple[float, ...]:
        """There are no unknown scalars."""
        return ()

    def jet(self, points: np.ndarray, variables: Sequence[JetVariable]) -> np.ndarray:
        """Derivatives of the fields at points (n, d): (n, len(variables))."""
        result = np.zeros((len(points), len(variables)))
        window = np.searchsorted(np.array(self.edges[1:-1]), points[:, self.axis], side="right")
        for k, field in enumerate(self.fields):
            if np.any(window == k):
                result[window == k] = field.jet(points[window == k], variables)
        return result

    def values(self, points: np.ndarray) -> np.ndarray:
        """The fields at points (n, d): (n, m)."""
        zero = (0,) * points.shape[1]
        return self.jet(points, [JetVariable(k, zero) for k in range(self.network.outputs)])


def can_march(problem: Problem) -> bool:
    """Whether a problem can be cut into windows: an evolution whose conditions are at hand as they were written."""
    domain = problem.domain
    compiled = any(type(condition).__name__ == "CompiledCondition" for condition in problem.stated)
    plain = isinstance(domain, Product) and not problem.parameters and len(problem.fields) == len(problem.unknowns)
    return domain.time is not None and plain and not compiled and any(isinstance(c, Initial) for c in problem.stated)


def windows_for(problem: Problem, coarse: Any) -> int:
    """How many windows a coarse solution asks for: one for every few swings in time."""
    domain = problem.domain
    axis = len(domain.space)
    bounds = domain.bounds
    lines = [np.linspace(a, b, INSTANTS if k == axis else NODES) for k, (a, b) in enumerate(bounds)]
    grids = np.meshgrid(*lines, indexing="ij")
    values = coarse(np.stack([g.ravel() for g in grids], axis=1)).reshape(*grids[0].shape, -1)
    variation = np.abs(np.diff(values, axis=axis)).sum(axis=axis)
    spread = np.ptp(values.reshape(-1, values.shape[-1]), axis=0)
    swings = float(np.max(variation / np.where(spread > 0, spread, 1.0)))
    return int(np.clip(np.ceil(swings / SWINGS), 1, MOST))


def edges_of(problem: Problem, count: int) -> tuple[float, ...]:
    """The instants between which the windows lie."""
    lower, upper = problem.domain.bounds[len(problem.domain.space)]
    return tuple(np.linspace(lower, upper, count + 1).tolist())


def window_problem(problem: Problem, start: float, end: float, before: Jets | None) -> Problem:
    """The problem on [start, end], with the values of the window before as initial data."""
    domain: Any = problem.domain
    own: Any = domain.factor * Time(domain.time, (start, end))
    for interval in domain.ranges:
        own = dataclasses.replace(own, ranges=(*own.ranges, interval))
    conditions = [
        c if before is None or not isinstance(c, Initial) else _continued(problem, c, start, before)
        for c in problem.stated
    ]
    # The data of a window carry the error of the one before, so an exact solution would not fit them.
    return Problem(own, problem.equations, conditions, name=f"{problem.name}_{start:.4g}")


def _continued(problem: Problem, condition: Initial, start: float, before: Jets) -> Initial:
    """An initial condition with the value that the window before ends with."""
    axis = len(problem.domain.space)
    target = condition.target
    order = int(sum(n for _, n in target.variable_count)) if isinstance(target, sp.Derivative) else 0
    unknown = target.expr if isinstance(target, sp.Derivative) else target
    alpha = tuple(order if k == axis else 0 for k in range(problem.domain.dimension))
    variable = JetVariable(problem.fields.index(unknown), alpha)
    others = [s for k, s in enumerate(problem.coordinates) if k != axis]
    value = Ending(before, axis, start, variable)
    return Initial(condition.target, Given(f"{unknown.func}_{order}_at_{start:.6g}", value)(*others))


@dataclass(frozen=True, eq=False)
class Ending:
    """What a window ends with, as a function of the coordinates other than time.

    Attributes:
        before: the field of the window.
        axis: of the time among the coordinates.
        start: the instant.
        variable: the unknown or its derivative in time.
    """

    before: Jets
    axis: int
    start: float
    variable: JetVariable

    def __call__(self, *others: np.ndarray) -> np.ndarray:
        """Values (n,)."""
        columns = [*others[: self.axis], np.full_like(others[0], self.start), *others[self.axis :]]
        return self.before.jet(np.stack(columns, axis=1), [self.variable])[:, 0]

    def __reduce__(self) -> tuple[Any, ...]:
        """What tells one from others: a field that was trained and the same one from a file are equal by this."""
        network = self.before.network
        return type(self), (network.theta.cpu().numpy(), network.title, self.axis, self.start, self.variable)
