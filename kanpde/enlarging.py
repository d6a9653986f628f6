"""What a stage makes of the network before it begins: more knots, degrees, nodes or layers, the function unchanged."""

from __future__ import annotations

from typing import Any

import numpy as np

from kanpde.collocation import collocate
from kanpde.estimate import TrainedField
from kanpde.features import inputs_of
from kanpde.field import Ansatz, SymbolicField
from kanpde.network import BSpline, Network, Trainable, deepened, widened, with_breaks
from kanpde.network.basis import Basis
from kanpde.problem import Problem
from kanpde.residuals import ResidualSystem
from kanpde.stages import Stage

SAMPLE = 4096  # points at which the residual is looked at
UNEVEN = 4.0  # share of the busiest interval over the mean share, from where on knots go where the residual is
CROWD = 3  # points that an interval must hold to be split


def enlarged(problem: Problem, ansatz: Ansatz, network: Trainable, stage: Stage, seed: int) -> Trainable:
    """The network as a stage wants it, the same function to rounding; a user's own module stays as it is."""
    if not isinstance(network, Network):
        return network
    scalars = network.scalars
    if stage.deepen:
        network = deepened(network)
    if stage.widen:
        network = widened(network, stage.widen, stage.widen, seed)
    network.scalars = scalars  # which the residual needs, by which knots are placed
    if stage.intervals is not None:
        network = _where_needed(problem, ansatz, network, stage) if stage.knots else network
        first = tuple(e.basis for e in network.layers[0].expansions)
        network = network.grown(lambda basis: _wanted(basis, stage, first))
    network.scalars = scalars
    return network


def _wanted(basis: Basis, stage: Stage, first: tuple[Basis, ...]) -> int | None:
    """The resolution of a stage; bases of the first layer whose knots were placed have it already."""
    placed = stage.knots and isinstance(basis, BSpline) and not basis.uniform and basis in first
    return None if placed else stage.intervals


def _where_needed(problem: Problem, ansatz: Ansatz, network: Network, stage: Stage) -> Network:
    """New knots of the first layer where the residual is, if it is much larger in some intervals than in others."""
    assert stage.intervals is not None
    inputs, shares = _residual_by_input(problem, ansatz, network)
    old = {i: e.basis for e in network.layers[0].expansions for i in e.inputs}
    breaks: list[np.ndarray | None] = []
    for i, values in enumerate(inputs):
        basis = old[i]
        if not isinstance(basis, BSpline):
            breaks.append(None)
            continue
        line = basis.breakpoints()
        energy, counts = (np.histogram(values, line, weights=w)[0] for w in (shares, np.ones_like(shares)))
        uneven = energy.max() > UNEVEN * energy.mean() if energy.any() else False
        breaks.append(split(line, energy, counts, stage.intervals) if uneven else None)
    return with_breaks(network, breaks) if any(b is not None for b in breaks) else network


def _residual_by_input(problem: Problem, ansatz: Ansatz, network: Network) -> tuple[np.ndarray, np.ndarray]:
    """Inputs on their reference interval (i, n) and the squared residual of the equations there (n,)."""
    region = problem.domain.interior
    points = collocate(region, SAMPLE, "sobol", 5).x
    trained = TrainedField(network, ansatz)
    squares = np.zeros(len(points))
    for operator, own in zip(problem.operators, problem.regions, strict=True):
        inside = np.asarray(own.contains(points), dtype=bool)
        jet = trained.jet(points[inside], operator.jet).T
        known = dict(zip(problem.parameters, trained.parameters, strict=True))
        values = operator.evaluate(points[inside], jet, np, None, [known[p] for p in operator.parameters])
        squares[inside] += np.square(np.broadcast_to(values, (int(inside.sum()),)))
    features = SymbolicField(problem.coordinates, tuple(inputs_of(problem, ansatz.features)))
    values, layer = features.values(points).T, network.layers[0]
    if layer.centre is not None and layer.half_width is not None:
        values = (values - np.array(layer.centre)[:, None]) / np.array(layer.half_width)[:, None]
    return values, squares


def split(line: np.ndarray, energy: np.ndarray, counts: np.ndarray, intervals: int) -> np.ndarray:
    """Breakpoints with about so many intervals: the interval with the most residual a part is cut, again and again.

    Args:
        line: old breakpoints, (G + 1,).
        energy: squared residual in each interval, (G,).
        counts: points in each; an interval is not cut into parts with fewer than a few.
        intervals: how many there are to be.
    """
    parts = np.ones(len(energy), dtype=int)
    while parts.sum() < intervals:
        load = np.where(counts >= CROWD * (parts + 1), energy / parts**2.0, -1.0)
        if load.max() <= 0:
            break
        parts[int(np.argmax(load))] += 1
    pieces = [np.linspace(a, b, n, endpoint=False) for a, b, n in zip(line[:-1], line[1:], parts, strict=True)]
    return np.concatenate([*pieces, line[-1:]])


def facts(stage: Stage, system: ResidualSystem) -> dict[str, Any]:
    """What was chosen for a stage, in plain values: one row of the history tells the whole configuration."""
    network, layers = system.network, system.network.layers
    engine = stage.optimizer if isinstance(stage.optimizer, str) else type(stage.optimizer).__name__
    return {
        "change": stage.change,
        "basis": bases_of(network),
        "depth": max(len(layers) - 1, 0),
        "sums": layers[0].sums if layers else 0,
        "products": layers[0].products if layers else 0,
        "nodes": sum(layer.outputs for layer in layers),
        "exact": len(system.ansatz.imposed),
        "optimizer": engine,
        "engine": type(stage.engine_for(system)).__name__,
        "sampling": stage.sampling,
        "causal": stage.causal,
        "steep": len(system.ansatz.clusterings),
        **_sparse(stage, system),
    }


def _sparse(stage: Stage, system: ResidualSystem) -> dict[str, Any]:
    """The parts of the loss in a stage with a penalty; `residual` is that of the equations, as in other stages."""
    if stage.sparsity is None or system.penalty is None:
        return {}
    alone = system.penalised(None)
    penalty = 0.5 * float(system.penalty.residual(system.theta).square().sum())
    residual = float(alone.residual(system.theta).norm())
    return {"residual": residual, "penalty": penalty, "l1": stage.sparsity.l1, "entropy": stage.sparsity.entropy}


def bases_of(network: Trainable) -> str:
    """The bases of its edges with their resolutions, each once; the title of a user's own module."""
    bases = dict.fromkeys(_named(e.basis) for layer in network.layers for e in layer.expansions)
    return ", ".join(bases) or network.title


def _named(basis: Basis) -> str:
    """A basis in two words: its family and its resolution."""
    spec = basis.spec()
    family = str(spec.get("first", spec)["family"])
    detail = f" {spec['degree']}" if family == "bspline" and "degree" in spec else ""
    return f"{family}{detail} × {basis.resolution}" if family == "bspline" else f"{family} {basis.resolution}"
