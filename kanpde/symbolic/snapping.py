"""Edges snapped to candidate functions, the least damage first; after each the rest is refitted on the equation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import sympy as sp
import torch

from kanpde.residuals import ResidualSystem
from kanpde.symbolic.fits import Fit, ranked
from kanpde.symbolic.library import ARGUMENT, Candidate
from kanpde.symbolic.refit import refitted
from kanpde.symbolic.tree import Coordinate, Edge, Node, Series, Sum, TreeNetwork, Written, edges, exchanged

Judge = Callable[[TreeNetwork], ResidualSystem]
STEPS = 25  # of Gauss-Newton after a snap
TRIED = 4  # candidates for an edge
POOR = 0.03  # relative error of a fit beyond which a candidate is not tried
WORSE = 10.0  # by this factor the residual may grow in a snap
SIMPLER = 30.0  # times the best error that a candidate may have for each unit of complexity that it saves
SAMPLES = 201  # of a curve
PROMISING = 8  # candidates that are fitted
NAMES = sp.symbols("k_a k_b k_c k_d", real=True)


@dataclass(frozen=True)
class Snap:
    """A snap that was tried.

    Attributes:
        candidate: its name.
        fit: relative error of the candidate on the edge's curve.
        residual: of equations and conditions after the refit, relative to that of vanishing unknowns.
        accepted: whether it stayed.
    """

    candidate: str
    fit: float
    residual: float
    accepted: bool


@dataclass(frozen=True, eq=False)
class Snapped:
    """The result.

    Attributes:
        tree: with all edges snapped that could be.
        complete: whether all are.
        residual: as in `Snap`, at the end.
        steps: what was tried, in order.
    """

    tree: Node
    complete: bool
    residual: float
    steps: tuple[Snap, ...]


def snapped(
    tree: Node,
    judge: Judge,
    points: np.ndarray,
    tolerance: float,
    candidates: Sequence[Candidate],
    fixed: Sequence[Sequence[Candidate]] = (),
) -> Snapped:
    """Snaps the edges of a tree one by one.

    Args:
        tree: trained.
        judge: the rows that decide, for a tree as a network: those of a problem, or of values.
        points: where the curves of edges are looked at, (n, d).
        tolerance: relative residual up to which a snap is accepted in any case.
        candidates: functions to try.
        fixed: what is allowed on the edges of each coordinate, instead.
    """
    inputs = points.shape[1]
    system = judge(TreeNetwork([tree], inputs))
    residual, steps, refused = refitted(system, STEPS), list[Snap](), set[int]()
    current = _tree(system)
    while (choice := _next(current, points, candidates, fixed, refused)) is not None:
        position, fits = choice
        for fit in fits:
            trial = judge(TreeNetwork([_with(current, position, fit)], inputs))
            now = refitted(trial, STEPS)
            accepted = bool(np.isfinite(now)) and now <= max(tolerance, WORSE * residual)
            steps.append(Snap(fit.candidate.name, fit.error, now, accepted))
            if accepted:
                current, residual = _tree(trial), now
                break
        else:
            refused.add(position)
    complete = all(isinstance(edge.curve, Written) for edge in edges(current))
    return Snapped(current, complete, residual, tuple(steps))


def _tree(system: ResidualSystem) -> Node:
    network = system.network
    assert isinstance(network, TreeNetwork)
    return network.trained[0]


def _with(tree: Node, position: int, fit: Fit) -> Node:
    """The tree with one edge snapped."""
    known = edges(tree)
    known[position] = written(fit, known[position].inner)
    return exchanged(tree, iter(known))


def written(fit: Fit, inner: Node) -> Edge:
    """An edge c f(a z + b) + d, with the numbers free that the candidate can use."""
    moves = (fit.candidate.scale, fit.candidate.shift, True, True)
    values = (fit.a, fit.b, fit.c, fit.d)
    a, b, c, d = (
        name if moved else sp.nsimplify(value) for name, moved, value in zip(NAMES, moves, values, strict=True)
    )
    symbols = tuple(name for name, moved in zip(NAMES, moves, strict=True) if moved)
    numbers = np.array([value for value, moved in zip(values, moves, strict=True) if moved])
    return Edge(Written(c * fit.candidate.make(a * ARGUMENT + b) + d, symbols), numbers, inner)


def _next(
    tree: Node,
    points: np.ndarray,
    candidates: Sequence[Candidate],
    fixed: Sequence[Sequence[Candidate]],
    refused: set[int],
) -> tuple[int, list[Fit]] | None:
    """The edge whose best candidate does the least damage, with what to try on it."""
    found: list[tuple[float, int, list[Fit]]] = []
    for position, edge in enumerate(edges(tree)):
        if isinstance(edge.curve, Series) and position not in refused:
            own = fixed[edge.inner.axis] if fixed and isinstance(edge.inner, Coordinate) else candidates
            x, y = curve(edge, points)
            fits = choices(ranked(x, y, own, most=PROMISING))
            damage = fits[0].error * float(np.std(y)) if fits else np.inf
            found.append((damage, position, fits))
    return min(found, key=lambda item: item[:2])[1:] if found else None


def choices(fits: Sequence[Fit]) -> list[Fit]:
    """What to try on an edge: good fits, simple ones before slightly better ones."""
    good = [fit for fit in fits if fit.error < POOR]
    if not good:
        return []
    floor = max(min(fit.error for fit in good), 1e-9)
    simplest = min(fit.complexity for fit in good)
    weighed = sorted(good, key=lambda f: max(f.error, floor) * SIMPLER ** (f.complexity - simplest))
    return weighed[:TRIED]


def curve(edge: Edge, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """An edge over the range that its input has at points (n, d): (x, y), (n,) each."""
    z = values(edge.inner, points)
    x = np.linspace(float(z.min()), float(z.max()), SAMPLES)
    return x, _along(edge, x)


def _along(edge: Edge, z: np.ndarray) -> np.ndarray:
    return edge.curve.tables(torch.as_tensor(edge.numbers), torch.as_tensor(z), 0)[0].numpy()


def values(node: Node, points: np.ndarray) -> np.ndarray:
    """Of a tree at points (n, d), (n,)."""
    if isinstance(node, Coordinate):
        return points[:, node.axis]
    if isinstance(node, Edge):
        return _along(node, values(node.inner, points))
    parts = [values(part, points) for part in node.parts]
    return np.sum(parts, axis=0) if isinstance(node, Sum) else np.prod(parts, axis=0)
