"""How much every edge and node matters to the outputs: scores that are handed back from these.

    B_ji = A_j E_ji / N_j,        A_i = Σ_j B_ji

E_ji is the standard deviation over the points of the edge from node i to sum j, N_j that of the whole sum, and A = 1
for the outputs (Liu et al. 2024, arXiv 2408.10205, section 4.1). A large edge into a node that nobody reads gets
nothing. A factor of a product gets the score of the product, as in pykan; unlike pykan, nothing is added to N_j, so
that scores do not depend on the units of the nodes, and a sum that is constant up to rounding gets 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from kanpde.errors import ProblemError
from kanpde.multiindex import DerivativeSet
from kanpde.network import layer as rules
from kanpde.network.layer import Expansion, Layer
from kanpde.network.network import Network

VALUES = DerivativeSet.closure(1, ())
ROUNDING = 1e-12  # of its largest value, below which a curve's deviation is that of rounding


@dataclass(frozen=True, eq=False)
class Attribution:
    """Scores, 0 for what does not matter. Where sources are independent, the squares into a sum add up to its own.

    Attributes:
        nodes: (inputs,) of each layer, then (outputs,): one array more than edges.
        edges: (columns, inputs) of each layer; columns are its linear outputs: sums, then the factors of products.
    """

    nodes: tuple[np.ndarray, ...]
    edges: tuple[np.ndarray, ...]


def attribution(network: Network, points: Tensor) -> Attribution:
    """The scores over a set of points.

    Args:
        network: whose edges are judged; with k outputs each of these counts 1.
        points: (n, inputs), what the network is a function of; uniform in the domain, unless a part of it matters more.

    Raises:
        ProblemError: another shape, or fewer than two points.
    """
    if points.ndim != 2 or points.shape[1] != network.inputs or len(points) < 2:
        raise ProblemError(f"points must be (n, {network.inputs}) with n ≥ 2 for deviations, not {tuple(points.shape)}")
    entering = activations(network, points)[:-1]
    shares = [_shares(*each) for each in zip(network.layers, network.coefficients, entering, strict=True)]
    nodes: list[np.ndarray] = [np.ones(network.outputs)]
    edges: list[np.ndarray] = []
    for layer, share in zip(reversed(network.layers), reversed(shares), strict=True):
        edges.insert(0, _columns(layer, nodes[0])[:, None] * share)
        nodes.insert(0, edges[0].sum(0))
    return Attribution(tuple(nodes), tuple(edges))


def activations(network: Network, points: Tensor) -> list[Tensor]:
    """What enters each layer at points (n, inputs), before its affine map and its squash, and the outputs: (w, n)."""
    data = [points.detach().T.to(network.coefficients[0])[None]]
    for layer, coefficient in zip(network.layers, network.coefficients, strict=True):
        tape = rules.expand(layer, data[-1], VALUES, reverse=False)
        data.append(rules.mix(layer, coefficient.detach(), tape, VALUES)[0])
    return [each[0] for each in data]


def edge_jets(layer: Layer, coefficients: Tensor, data: Tensor, derivatives: DerivativeSet) -> Iterator[Tensor]:
    """The edges by themselves, before they are added: for each input their jets (c, columns, n).

    Args:
        layer: the structure.
        coefficients: C (columns, rows).
        data: jet of what enters the layer, (c, inputs, n).
        derivatives: the channels.
    """
    for i in range(layer.inputs):
        single, block = _single(layer, coefficients.detach(), i)
        tape = rules.expand(single, data[:, i : i + 1], derivatives, reverse=False)
        yield rules.linear_outputs(single, block, tape.edges)


def _single(layer: Layer, coefficients: Tensor, i: int) -> tuple[Layer, Tensor]:
    """The edges from one input as a layer of their own, without bias."""
    blocks = rules.coefficient_blocks(layer, coefficients)
    expansion, block = next(pair for pair in zip(layer.expansions, blocks, strict=True) if i in pair[0].inputs)
    centre, width = (None if values is None else (values[i],) for values in (layer.centre, layer.half_width))
    expansions = (Expansion((0,), expansion.basis),)
    single = replace(layer, expansions=expansions, bias=False, centre=centre, half_width=width)
    return single, block[:, expansion.inputs.index(i)].contiguous()


def _shares(layer: Layer, coefficients: Tensor, entering: Tensor) -> np.ndarray:
    """E_ji/N_j, (columns, inputs)."""
    total, deviations, sizes = torch.zeros(()), [], []
    for (values,) in edge_jets(layer, coefficients, entering[None], VALUES):
        total = total + values
        deviations.append(values.std(1, correction=0))
        sizes.append(values.abs().amax(1))
    edges, size = torch.stack(deviations, 1), torch.stack(sizes, 1)
    sums = total.std(1, correction=0)[:, None]
    alive = (edges > ROUNDING * size) & (sums > ROUNDING * size.sum(1, keepdim=True))
    return torch.where(alive, edges / torch.where(sums > 0, sums, 1.0), 0.0).cpu().numpy()


def _columns(layer: Layer, nodes: np.ndarray) -> np.ndarray:
    """The scores (columns,) of the linear outputs from those of the nodes (outputs,)."""
    return np.concatenate([nodes[: layer.sums], np.tile(nodes[layer.sums :], layer.arity)])
