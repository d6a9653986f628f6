"""The network of a solution as arrays: every edge over the range that the domain uses, with derivatives and scores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import sympy as sp
import torch

from kanpde.collocation import collocate
from kanpde.estimate import TrainedField
from kanpde.multiindex import DerivativeSet
from kanpde.network import Activation, Network, Trainable
from kanpde.network.attribution import activations, attribution, edge_jets
from kanpde.problem import Problem
from kanpde.solution.units import ScaledField
from kanpde.solution.windows import Jets, WindowedField
from kanpde.tables import Edge

EDGE_POINTS = 201
SAMPLE = 2048  # points of the domain that tell ranges and scores
FIXED = 200  # edges of a network without learnable curves that are kept, the most important ones
BEND = DerivativeSet.closure(1, [(2,)])
DIGITS = 4  # of numbers in names

Fields = TrainedField | ScaledField | WindowedField | Jets


@dataclass(frozen=True, eq=False)
class NetworkTables:
    """What `PlotTables` holds of a network; its attributes are those of the same names there."""

    edges: tuple[Edge, ...] = ()
    nodes: tuple[tuple[int, ...], ...] = ()
    inputs: tuple[str, ...] = ()
    fixed: bool = False
    about: str = ""


@dataclass(frozen=True, eq=False)
class _Inputs:
    """The inputs of a network at points of the domain, and their linear maps to the user's coordinates.

    Attributes:
        values: (n, inputs).
        names: as one reads them.
        origin, length: (inputs,), so that origin + length · input is what the name says.
        about: how the network's values and inputs are to be understood.
    """

    values: np.ndarray
    names: tuple[str, ...]
    origin: np.ndarray
    length: np.ndarray
    about: tuple[str, ...] = ()


def network_tables(field: Fields, problem: Problem) -> NetworkTables:
    """The curves of a trained field's network; nothing for a module without layers."""
    network = field.network
    if not isinstance(network, Network):
        return NetworkTables()
    domain = problem.domain
    inside, around = (_inputs(field, problem, collocate(r, SAMPLE).x) for r in (domain.interior, domain.boundary))
    scores = attribution(network, _points(network, inside)).edges
    entering = activations(network, torch.cat([_points(network, inside), _points(network, around)]))
    edges = [edge for k, own in enumerate(scores) for edge in _edges(network, k, entering[k], own, inside)]
    fixed = all(isinstance(e.basis, Activation) for layer in network.layers for e in layer.expansions)
    kept = sorted(edges, key=lambda edge: -(edge.score or 0.0))[:FIXED] if fixed else edges
    return NetworkTables(tuple(kept), nodes(network), inside.names, fixed, "; ".join(inside.about))


def nodes(network: Trainable) -> tuple[tuple[int, ...], ...]:
    """For each layer the node into which each linear output goes: sums first, then the factors of the products."""
    return tuple(
        tuple(k if k < layer.sums else layer.sums + (k - layer.sums) % layer.products for k in range(layer.columns))
        for layer in network.layers
    )


def _points(network: Network, inputs: _Inputs) -> torch.Tensor:
    """Where all inputs are finite; a logarithm is not at the singularity that it is for."""
    finite = inputs.values[np.isfinite(inputs.values).all(1)]
    return torch.as_tensor(finite, dtype=network.dtype, device=network.device)


def _edges(network: Network, k: int, entering: torch.Tensor, scores: np.ndarray, inputs: _Inputs) -> Iterator[Edge]:
    """The edges of layer k, source by source, over the ranges of what enters it, (sources, n)."""
    origin, length = (inputs.origin, inputs.length) if k == 0 else (np.zeros(len(entering)), np.ones(len(entering)))
    lines = torch.stack([torch.linspace(*_range(row), EDGE_POINTS, dtype=row.dtype) for row in entering.cpu()])
    line = lines.to(entering)
    jet = torch.stack([line, torch.ones_like(line), torch.zeros_like(line)])
    for source, found in enumerate(edge_jets(network.layers[k], network.coefficients[k], jet, BEND)):
        curves = found.cpu().numpy() / length[source] ** np.arange(3)[:, None, None]
        x = origin[source] + length[source] * lines[source].numpy()
        for target, score in enumerate(scores[:, source].tolist()):
            y, slope, bend = curves[:, target]
            yield Edge(k, source, target, x, y, slope, bend, score)


def _range(values: torch.Tensor) -> tuple[float, float]:
    """Smallest and largest value, an interval about a constant."""
    low, high = float(values.min()), float(values.max())
    half = 0.5 * max(abs(low), 1.0) if high - low <= 1e-9 * max(abs(low), abs(high)) else 0.0
    return low - half, high + half


def _inputs(field: Fields, problem: Problem, x: np.ndarray) -> _Inputs:
    """What the network is a function of, at points (n, d) of the problem."""
    if isinstance(field, WindowedField):
        last = f"the network of the last of {len(field.fields)} windows"
        inner = _inputs(field.fields[-1], problem, _in_last_window(field, x))
        return replace(inner, about=(last, *inner.about))
    if isinstance(field, ScaledField):
        inner = _inputs(field.inner, problem, field.scales.points_in(x))
        own = [str(s) for s in problem.coordinates]
        axes = [own.index(name) if name in own else None for name in inner.names]
        origin = np.array([0.0 if axis is None else field.scales.origin[axis] for axis in axes])
        length = np.array([1.0 if axis is None else field.scales.length[axis] for axis in axes])
        more = "" if None not in axes else " and features"
        return replace(inner, origin=origin, length=length, about=(*inner.about, f"dimensionless values{more}"))
    features = field.ansatz.features
    names = tuple(str(s) for s in problem.coordinates) if features is None else tuple(map(_named, features.expressions))
    values = x if features is None else features.values(x)
    about = () if field.ansatz.trivial else ("the network is N in u = g + b N, which keeps conditions exactly",)
    return _Inputs(values, names, np.zeros(len(names)), np.ones(len(names)), about)


def _in_last_window(field: WindowedField, x: np.ndarray) -> np.ndarray:
    """The points with their times moved into the last window."""
    first, (start, end) = field.edges[0], field.edges[-2:]
    moved = x.copy()
    moved[:, field.axis] = start + (x[:, field.axis] - first) * (end - start) / (end - first)
    return moved


def _named(expression: sp.Expr) -> str:
    """An input as one reads it, with few digits."""
    return str(expression.xreplace({number: sp.Float(number, DIGITS) for number in expression.atoms(sp.Float)}))
