"""Forms of formulas as trees of series, trained on the values of a solution: what separation does not find."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from kanpde.symbolic.refit import on_values, refitted, relative
from kanpde.symbolic.target import Target
from kanpde.symbolic.tree import Coordinate, Edge, Node, Product, Series, Sum, TreeNetwork

DEGREE = 14
OUTER_DEGREE = 18
POINTS = 500
STEPS = 80
STARTS = 3
DECAY = 0.5  # each coefficient of a random start is this much smaller than the one before
GOOD = 3.0  # times the noise: nothing better is looked for
REACH = 1.3  # of the sum inside an outer function, in units of its spread at the start


@dataclass(frozen=True)
class Grown:
    """A form that follows a target.

    Attributes:
        name: of the form, in words.
        tree: trained.
        error: relative, root mean square, at points that training did not see.
    """

    name: str
    tree: Node
    error: float


def grown(target: Target, allowed: float, seed: int = 0) -> Iterator[Grown]:
    """Trees of series that follow a target, each form at its best, the simplest first.

    Args:
        target: what is to be followed.
        allowed: relative error.
        seed: of the random starts.
    """
    for name in ("a function of a sum", "a function of a product"):
        best: Grown | None = None
        for start in range(STARTS):
            rng = np.random.default_rng([seed, start])
            found = _trained(name, _form(name, target, rng), target)
            best = found if best is None or found.error < best.error else best
            if best.error < GOOD * target.noise:
                break
        if best is not None and best.error <= allowed:
            yield best


def _form(name: str, target: Target, rng: np.random.Generator) -> Node:
    parts = tuple(_edge(target, axis, rng) for axis in range(target.dimension))
    if name == "a function of a product":
        return _outer(Product(parts))
    return _outer(Sum(parts))


def _edge(target: Target, axis: int, rng: np.random.Generator) -> Edge:
    low, high = target.bounds[axis]
    numbers = rng.normal(size=DEGREE + 1) * DECAY ** np.arange(DEGREE + 1)
    numbers[1] += np.sign(numbers[1])  # not flat, so that no input is lost at the start
    series = Series(DEGREE, float(low + high) / 2, float(high - low) / 2)
    return Edge(series, numbers / np.abs(numbers).sum(), Coordinate(axis))


def _outer(inner: Node) -> Edge:
    parts = len(inner.parts) if isinstance(inner, Sum) else 1
    numbers = np.zeros(OUTER_DEGREE + 1)
    numbers[1] = 1.0
    return Edge(Series(OUTER_DEGREE, 0.0, REACH * parts), numbers, inner)


def _trained(name: str, tree: Node, target: Target) -> Grown:
    network = TreeNetwork([tree], target.dimension)
    refitted(on_values(target, network, target.points(POINTS)), STEPS)
    unseen = target.points(POINTS // 2, seed=1)
    error = relative(network.values(unseen)[:, 0], target.values(unseen))
    return Grown(name, network.trained[0], error)
