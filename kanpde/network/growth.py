"""Other starts and larger networks.

`restarted` draws new coefficients; `widened`, `deepened` and `with_breaks` add nodes, a layer and knots, and keep the
function.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from kanpde.network.architecture import random_coefficients
from kanpde.network.basis import Basis, Chebyshev, Joined
from kanpde.network.bspline import BSpline
from kanpde.network.layer import Expansion, Layer
from kanpde.network.network import Network


def restarted(network: Network, seed: int) -> Network:
    """The same structure from another random start."""
    generator = np.random.default_rng(seed)
    matrices = [random_coefficients(layer, generator) for layer in network.layers]
    like = network.coefficients[0]
    fresh = [torch.as_tensor(matrix).to(like) for matrix in matrices]
    return Network(network.layers, fresh, network.title)


def widened(network: Network, sums: int, products: int, seed: int) -> Network:
    """The same function with more nodes in every hidden layer: random edges lead to them, zero edges away.

    Args:
        network: with at least one hidden layer.
        sums: ordinary nodes to add to each hidden layer.
        products: multiplication nodes to add to each hidden layer that has some.
        seed: of the new edges.
    """
    generator = np.random.default_rng(seed)
    layers, matrices = list(network.layers), [c.detach() for c in network.coefficients]
    for k in range(len(layers) - 1):
        old = layers[k]
        more = products if old.products else 0
        layers[k], matrices[k] = _more_columns(old, matrices[k], sums, more, generator)
        kept = _kept_nodes(old, sums)
        layers[k + 1], matrices[k + 1] = _more_inputs(layers[k + 1], matrices[k + 1], layers[k].outputs, kept)
    return Network(layers, matrices, network.title)


def _kept_nodes(old: Layer, sums: int) -> list[int]:
    """Where the old outputs stand among the new: new sums follow the old sums, new products the old products."""
    return [*range(old.sums), *range(old.sums + sums, old.sums + sums + old.products)]


def _more_columns(
    old: Layer, matrix: Tensor, sums: int, products: int, generator: np.random.Generator
) -> tuple[Layer, Tensor]:
    """The layer with more linear outputs, random rows for the new ones."""
    new = replace(old, sums=old.sums + sums, products=old.products + products)
    grown = torch.as_tensor(random_coefficients(new, generator)).to(matrix)
    columns = list(range(old.sums))
    for k in range(old.arity if old.products else 0):
        start = new.sums + k * new.products
        columns += range(start, start + old.products)
    grown[columns] = matrix
    return new, grown


def _more_inputs(layer: Layer, matrix: Tensor, inputs: int, kept: Sequence[int]) -> tuple[Layer, Tensor]:
    """The layer with more inputs; the edges of the new ones are zero."""
    (expansion,) = layer.expansions  # hidden layers have one basis
    size = expansion.basis.size
    grown = matrix.new_zeros((matrix.shape[0], inputs, size))
    grown[:, list(kept)] = matrix[:, : len(kept) * size].unflatten(1, (len(kept), size))
    parts = [grown.flatten(1), *([matrix[:, -1:]] if layer.bias else [])]
    wider = replace(layer, expansions=(Expansion(tuple(range(inputs)), expansion.basis),))
    return wider, torch.cat(parts, dim=1)


def deepened(network: Network) -> Network:
    """The same function with one hidden layer more before the last, made of identity edges.

    The new layer takes over the squash and the bounds of the last one, so that what it passes on lies in the interval.
    A basis without straight lines (Fourier, RBF, activations) has no identity edge; such a network stays as it is.
    """
    last, matrices = network.layers[-1], [c.detach() for c in network.coefficients]
    identities = [_identity(e.basis) for e in last.expansions]
    if any(row is None for row in identities):
        return network
    size = last.inputs
    blocks = []
    for expansion, row in zip(last.expansions, identities, strict=True):
        block = matrices[-1].new_zeros((size, len(expansion.inputs), expansion.basis.size))
        for position, node in enumerate(expansion.inputs):
            block[node, position] = torch.as_tensor(row).to(block)
        blocks.append(block.flatten(1))
    new = Layer(last.expansions, size, squash=last.squash, centre=last.centre, half_width=last.half_width)
    layers = [*network.layers[:-1], new, replace(last, squash=None, centre=None, half_width=None)]
    return Network(layers, [*matrices[:-1], torch.cat(blocks, dim=1), matrices[-1]], network.title)


def _identity(basis: Basis) -> np.ndarray | None:
    """Coefficients of z, (size,); None where the basis does not hold it."""
    if isinstance(basis, Joined):
        first = _identity(basis.first)
        return None if first is None else np.concatenate([first, np.zeros(basis.second.size)])
    if isinstance(basis, BSpline):  # z has its Greville abscissae for coefficients
        knots = basis.knots()
        return np.array([knots[j + 1 : j + basis.degree + 1].mean() for j in range(basis.size)])
    return np.eye(basis.size)[1] if isinstance(basis, Chebyshev) else None


def with_breaks(network: Network, breaks: Sequence[np.ndarray | None]) -> Network:
    """The same function with more knots in the first layer, other ones for each input.

    Args:
        network: with B-splines in its first layer.
        breaks: new breakpoints on [−1, 1] of each input, the old ones among them; None leaves an input as it is.
    """
    first = network.layers[0]
    expansions, blocks = [], []
    for expansion in first.expansions:
        for i in expansion.inputs:
            wanted, old = breaks[i], expansion.basis
            finer = old
            if wanted is not None and isinstance(old, BSpline):
                finer = BSpline(old.degree, tuple(np.asarray(wanted, dtype=float).tolist()))
            expansions.append(Expansion((i,), finer))
            blocks.append(torch.as_tensor(np.eye(old.size) if finer is old else old.embedding(finer)))
    if first.bias:
        blocks.append(torch.ones(1, 1, dtype=torch.float64))
    matrix = network.coefficients[0].detach()
    grown = matrix @ torch.block_diag(*blocks).to(matrix).T
    layers = (replace(first, expansions=tuple(expansions)), *network.layers[1:])
    return Network(layers, [grown, *(c.detach() for c in network.coefficients[1:])], network.title)
