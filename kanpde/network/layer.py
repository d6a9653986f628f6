"""One layer for every network: y = C Φ(x). Expand each input in a univariate basis, then mix linearly.

B-splines make it a KAN layer (Liu et al. 2024, eqs. 2.5 and 2.10), a single fixed tanh with a bias an MLP layer.
Multiplication nodes (KAN 2.0, Liu et al. 2408.10205) multiply groups of the linear outputs afterwards.
Forward and reverse rules act on whole jets (channels, features, points); `Tape` is what the reverse needs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from kanpde.jet import ChainFactor, argument_adjoint, chain_factors, compose, pairings, product, product_adjoint
from kanpde.multiindex import DerivativeSet
from kanpde.network.basis import ACTIVATIONS, Basis
from kanpde.network.edges import Edges, edges_at
from kanpde.network.flat import LinearEdges


@dataclass(frozen=True)
class Expansion:
    """One basis for some of a layer's inputs."""

    inputs: tuple[int, ...]
    basis: Basis

    @property
    def rows(self) -> int:
        """Number of features."""
        return len(self.inputs) * self.basis.size


@dataclass(frozen=True)
class Layer:
    """The structure of a layer; its coefficients C, (columns, rows), are kept by the network.

    Args:
        expansions: a partition of the inputs, each part with its basis.
        sums: ordinary output nodes.
        products: multiplication nodes, each the product of `arity` linear outputs; they come after the sums.
        bias: one constant feature more.
        squash: None, or "tanh" to bound the inputs smoothly before they are expanded.
        centre, half_width: the affine map (x − centre)/half_width on the inputs, first of all.
    """

    expansions: tuple[Expansion, ...]
    sums: int
    products: int = 0
    arity: int = 2
    bias: bool = False
    squash: str | None = None
    centre: tuple[float, ...] | None = None
    half_width: tuple[float, ...] | None = None

    @cached_property
    def inputs(self) -> int:
        """Number of inputs."""
        return sum(len(expansion.inputs) for expansion in self.expansions)

    @property
    def rows(self) -> int:
        """Number of features."""
        return sum(expansion.rows for expansion in self.expansions) + int(self.bias)

    @property
    def living(self) -> int:
        """Number of features that are not zero at a point: what a point costs."""
        return sum(len(expansion.inputs) * expansion.basis.living for expansion in self.expansions) + int(self.bias)

    @property
    def columns(self) -> int:
        """Number of linear outputs."""
        return self.sums + self.products * self.arity

    @property
    def outputs(self) -> int:
        """Number of outputs."""
        return self.sums + self.products

    def with_affine(self, centre: tuple[float, ...], half_width: tuple[float, ...]) -> Layer:
        """The same layer with another affine map on its inputs."""
        return replace(self, centre=centre, half_width=half_width)

    def scaled(self, data: Tensor) -> Tensor:
        """The affine map on a jet (c, i, n)."""
        if self.centre is None or self.half_width is None:
            return data
        width = data.new_tensor(self.half_width)[:, None]
        result = data / width
        result[0] -= data.new_tensor(self.centre)[:, None] / width
        return result


@dataclass(frozen=True)
class Tape:
    """What the forward sweep of one layer leaves for the reverse one."""

    scaled: Tensor
    squash_tables: list[Tensor] | None
    squash_factors: tuple[ChainFactor, ...]
    edges: tuple[Edges, ...]
    linear: Tensor


def expand(layer: Layer, data: Tensor, derivatives: DerivativeSet, reverse: bool) -> Tape:
    """All that depends on the inputs alone: scaling, squash, where on its edges each point lies.

    Args:
        layer: the structure.
        data: input jet, (c, inputs, n).
        derivatives: the channels.
        reverse: prepare for adjoints that pass to the inputs, which takes one derivative more.
    """
    scaled = layer.scaled(data)
    squashed, tables = scaled, None
    squash_factors: tuple[ChainFactor, ...] = ()
    if layer.squash is not None:
        squash_factors = chain_factors(scaled, derivatives)
        tables = ACTIVATIONS[layer.squash](scaled[0], derivatives.order + int(reverse))
        squashed = compose(squash_factors, tables, len(derivatives))
    edges = tuple(edges_at(e.basis, _inputs(squashed, e), derivatives, reverse) for e in layer.expansions)
    return Tape(scaled, tables, squash_factors, edges, scaled[:, :0])


def _inputs(data: Tensor, expansion: Expansion) -> Tensor:
    """One expansion's inputs of a jet (c, inputs, n), without a copy where it has all of them."""
    return data if expansion.inputs == tuple(range(data.shape[1])) else data[:, list(expansion.inputs)]


def coefficient_blocks(layer: Layer, coefficients: Tensor) -> list[Tensor]:
    """Views of C (columns, rows, ...) for each expansion: (columns, inputs, size, ...); the bias has the last row."""
    sizes = [expansion.rows for expansion in layer.expansions]
    parts = coefficients[:, : sum(sizes)].split(sizes, dim=1)
    shapes = [(len(expansion.inputs), expansion.basis.size) for expansion in layer.expansions]
    return [part.unflatten(1, shape) for part, shape in zip(parts, shapes, strict=True)]


def linear_outputs(layer: Layer, coefficients: Tensor, edges: Sequence[LinearEdges]) -> Tensor:
    """The linear map on the features, (c, columns, n): with C the layer's own, with any other matrix its tangent."""
    blocks = coefficient_blocks(layer, coefficients)
    linear = edges[0].mix(blocks[0])
    for some, block in zip(edges[1:], blocks[1:], strict=True):
        linear += some.mix(block)
    if layer.bias:
        linear[0] += coefficients[:, -1:]
    return linear


def mix(layer: Layer, coefficients: Tensor, tape: Tape, derivatives: DerivativeSet) -> tuple[Tensor, Tape]:
    """The linear map and the multiplication nodes: the layer's output jet (c, outputs, n), and the tape with it."""
    linear = linear_outputs(layer, coefficients, tape.edges)
    tape = replace(tape, linear=linear)
    if not layer.products:
        return linear, tape
    result = _operands(layer, linear)[0]
    for operand in _operands(layer, linear)[1:]:
        result = product(result, operand, derivatives)
    return torch.cat([linear[:, : layer.sums], result], dim=1), tape


def _operands(layer: Layer, linear: Tensor) -> list[Tensor]:
    """The `arity` factors of the multiplication nodes, each (c, products, n)."""
    return list(linear[:, layer.sums :].split(layer.products, dim=1))


def linear_adjoint(layer: Layer, adjoint: Tensor, tape: Tape, derivatives: DerivativeSet) -> Tensor:
    """Adjoint of the linear outputs (c, columns, n) from that of the outputs (c, outputs, n)."""
    if not layer.products:
        return adjoint
    operands, node = _operands(layer, tape.linear), adjoint[:, layer.sums :]
    parts = [adjoint[:, : layer.sums]]
    for k in range(layer.arity):
        others = operands[:k] + operands[k + 1 :]
        part = node
        for other in others:
            part = product_adjoint(part, other, derivatives)
        parts.append(part)
    return torch.cat(parts, dim=1)


def input_adjoint(layer: Layer, coefficients: Tensor, adjoint: Tensor, tape: Tape) -> Tensor:
    """Adjoint of the input jet (c, inputs, n) from that of the linear outputs (c, columns, n)."""
    blocks = coefficient_blocks(layer, coefficients)
    parts = [edges.input_adjoint(block, adjoint) for edges, block in zip(tape.edges, blocks, strict=True)]
    order = [i for expansion in layer.expansions for i in expansion.inputs]
    result = parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)
    if order != sorted(order):
        result = result[:, torch.as_tensor(order, device=result.device).argsort()]
    if tape.squash_tables is not None:
        result = compose_adjoint(result, tape.squash_factors, tape.squash_tables, tape.scaled)
    if layer.half_width is not None:
        result = result / result.new_tensor(layer.half_width)[:, None]
    return result


def compose_adjoint(adjoint: Tensor, factors: Sequence[ChainFactor], tables: Sequence[Tensor], data: Tensor) -> Tensor:
    """Adjoint of `jet.compose` for one function per feature: adjoint of φ(y) (c, w, n) -> adjoint of y (c, w, n)."""
    paired = {(channel, order): adjoint[channel] * tables[order] for channel, order in pairings(factors)}
    return argument_adjoint(factors, paired, data)


def gradient(layer: Layer, adjoint: Tensor, edges: Sequence[LinearEdges]) -> Tensor:
    """Adjoint of C, (columns, rows), from that of the linear outputs (c, columns, n)."""
    parts = [some.gradient(adjoint).flatten(1) for some in edges]
    if layer.bias:
        parts.append(adjoint[0].sum(1, keepdim=True))
    return torch.cat(parts, dim=1)


def jacobian(layer: Layer, adjoint: Tensor, tape: Tape, part: slice, out: Tensor) -> None:
    """The same for every point of a slice by itself: out (columns, rows, points)."""
    for edges, block in zip(tape.edges, coefficient_blocks(layer, out), strict=True):
        edges.jacobian(adjoint, part, block)
    if layer.bias:
        out[:, -1] = adjoint[0, :, part]


def grown(layer: Layer, resolution: Callable[[Basis], int | None]) -> tuple[Layer, Tensor]:
    """The layer with finer bases, and the (new rows, old rows) matrix that carries its features' coefficients over."""
    expansions, blocks = [], []
    for expansion in layer.expansions:
        wanted = resolution(expansion.basis)
        coarse = finer = expansion.basis
        if wanted is not None and wanted > coarse.resolution:
            finer = coarse.refined(wanted)
        expansions.append(Expansion(expansion.inputs, finer))
        block = np.eye(finer.size) if finer == coarse else coarse.embedding(finer)
        blocks.extend([torch.as_tensor(block, dtype=torch.float64)] * len(expansion.inputs))
    if layer.bias:
        blocks.append(torch.ones(1, 1, dtype=torch.float64))
    return replace(layer, expansions=tuple(expansions)), torch.block_diag(*blocks)
