"""Other starts and wider networks: `restarted` draws new coefficients, `widened` adds nodes and keeps the function."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from kanpde.network.architecture import random_coefficients
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
