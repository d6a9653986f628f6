"""Networks with fewer nodes, coarser edges, or inputs without curves: what is left of them stays as it was.

A layer has a curve from each of its inputs to each of its sums, so single edges cannot be left out; nodes can, with all
edges that lead to them and away, and an input that does not matter can have straight lines for curves.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Callable, Collection, Sequence

import torch
from torch import Tensor

from kanpde.network import Activation, Basis, BSpline, Expansion, Fourier, Joined, Layer, Network, network_spec

LINE = Activation("identity")
Node = tuple[int, int]  # layer whose output it is, position among its outputs


def hidden_nodes(network: Network) -> list[Node]:
    """All nodes between inputs and outputs, layer by layer."""
    return [(k, node) for k, layer in enumerate(network.layers[:-1]) for node in range(layer.outputs)]


def without_nodes(network: Network, nodes: Collection[Node]) -> Network:
    """The network without some hidden nodes; every hidden layer keeps at least one.

    Args:
        network: with hidden layers.
        nodes: (layer, position), sums first, then products.
    """
    layers, matrices = list(network.layers), [c.detach() for c in network.coefficients]
    for k in range(len(layers) - 1):
        kept = [node for node in range(layers[k].outputs) if (k, node) not in nodes]
        if len(kept) < layers[k].outputs:
            layers[k], matrices[k] = _with_outputs(layers[k], matrices[k], kept)
            layers[k + 1], matrices[k + 1] = _with_inputs(layers[k + 1], matrices[k + 1], kept)
    return like(network, layers, matrices)


def _with_outputs(layer: Layer, matrix: Tensor, kept: Sequence[int]) -> tuple[Layer, Tensor]:
    """Some outputs of a layer: their rows of C, of each factor for a product."""
    sums = [node for node in kept if node < layer.sums]
    products = [node - layer.sums for node in kept if node >= layer.sums]
    factors = [layer.sums + k * layer.products + p for k in range(layer.arity if products else 0) for p in products]
    smaller = dataclasses.replace(layer, sums=len(sums), products=len(products))
    return smaller, matrix[[*sums, *factors]]


def _with_inputs(layer: Layer, matrix: Tensor, kept: Sequence[int]) -> tuple[Layer, Tensor]:
    """Some inputs of a layer, renumbered."""
    order = {node: position for position, node in enumerate(kept)}
    expansions, rows, start = [], [], 0
    for expansion in layer.expansions:
        inside = [position for position, node in enumerate(expansion.inputs) if node in order]
        size = expansion.basis.size
        rows += [start + position * size + row for position in inside for row in range(size)]
        start += expansion.rows
        if inside:
            expansions.append(Expansion(tuple(order[expansion.inputs[i]] for i in inside), expansion.basis))
    rows += [start] if layer.bias else []
    affine = (None if values is None else tuple(values[i] for i in kept) for values in (layer.centre, layer.half_width))
    centre, half_width = affine
    smaller = dataclasses.replace(layer, expansions=tuple(expansions), centre=centre, half_width=half_width)
    return smaller, matrix[:, rows]


def straightened(network: Network, inputs: Collection[int]) -> Network:
    """The network with straight lines on the edges of some inputs, at first of no slope.

    Periodic inputs keep their waves, for a line is not periodic; and some input keeps its curves, which have constants.
    """
    first = network.layers[0]
    bases = {i: e.basis for e in first.expansions for i in e.inputs}
    chosen = [i for i in inputs if not isinstance(bases[i], Fourier)]
    groups: dict[Basis, list[int]] = {}
    for i, basis in bases.items():
        groups.setdefault(LINE if i in chosen else basis, []).append(i)
    if set(groups) == {LINE}:
        return network
    expansions = tuple(Expansion(tuple(inputs), basis) for basis, inputs in groups.items())
    blocks = dict(_blocks(first, network.coefficients[0].detach()))
    like_one = network.coefficients[0].detach()[:, :1]
    parts = [torch.zeros_like(like_one) if i in chosen else blocks[i] for e in expansions for i in e.inputs]
    parts += [network.coefficients[0].detach()[:, -1:]] if first.bias else []
    layers = [dataclasses.replace(first, expansions=expansions), *network.layers[1:]]
    return like(network, layers, [torch.cat(parts, dim=1), *network.coefficients[1:]])


def _blocks(layer: Layer, matrix: Tensor) -> list[tuple[int, Tensor]]:
    """The columns of C that belong to each input, in their order."""
    found, start = [], 0
    for expansion in layer.expansions:
        for i in expansion.inputs:
            found.append((i, matrix[:, start : start + expansion.basis.size]))
            start += expansion.basis.size
    return found


def coarsened(network: Network, resolution: Callable[[int, Basis], int]) -> Network:
    """The network with coarser edges: series are cut off, splines and bumps fitted by least squares.

    Args:
        network: any.
        resolution: (layer, basis) -> the new resolution; a finer one than today's leaves the basis alone.
    """
    layers, matrices = [], []
    for k, (layer, matrix) in enumerate(zip(network.layers, network.coefficients, strict=True)):
        expansions = [Expansion(e.inputs, coarser(e.basis, resolution(k, e.basis))) for e in layer.expansions]
        pairs = zip(layer.expansions, expansions, strict=True)
        maps = [
            torch.as_tensor(old.basis.embedding(new.basis)).to(matrix) if new != old else None
            for old, new in pairs
            for _ in old.inputs
        ]
        blocks = [block for _, block in _blocks(layer, matrix.detach())]
        parts = [block if own is None else block @ own.T for block, own in zip(blocks, maps, strict=True)]
        parts += [matrix.detach()[:, -1:]] if layer.bias else []
        layers.append(dataclasses.replace(layer, expansions=tuple(expansions)))
        matrices.append(torch.cat(parts, dim=1))
    return like(network, layers, matrices)


def coarser(basis: Basis, resolution: int) -> Basis:
    """The basis at a lower resolution; itself where it has none to lower."""
    if isinstance(basis, Joined):
        return Joined(coarser(basis.first, resolution), basis.second)
    if isinstance(basis, Activation) or not 1 <= resolution < basis.resolution:
        return basis
    return BSpline(basis.degree, resolution) if isinstance(basis, BSpline) else basis.refined(resolution)


def like(network: Network, layers: Sequence[Layer], matrices: Sequence[Tensor]) -> Network:
    """A network in another's place: its unknown scalars, and its title with the new widths."""
    found = Network(layers, list(matrices), retitled(network.title, layers))
    found.scalars = network.scalars
    return found


def retitled(title: str, layers: Sequence[Layer]) -> str:
    """A title such as "KAN [2, [4, 4], 1], chebyshev" with other widths; one without widths gets them."""
    nodes = [layer.sums if not layer.products else [layer.sums, layer.products] for layer in layers]
    widths = str([layers[0].inputs, *nodes])
    named = re.match(r"(\w+) \[.*\](.*)$", title)
    return f"{title.split(' [')[0]} {widths}" if named is None else f"{named[1]} {widths}{named[2]}"


def fingerprint(network: Network) -> str:
    """A name of structure and coefficients, short enough for tables."""
    layers = json.dumps(network_spec(network)["layers"], sort_keys=True)
    return hashlib.sha256(layers.encode() + network.theta.cpu().numpy().tobytes()).hexdigest()[:16]
