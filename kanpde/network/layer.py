"""One layer for every network: y = C Φ(x). Expand each input in a univariate basis, then mix linearly.

B-splines make it a KAN layer (Liu et al. 2024, eqs. 2.5 and 2.10), a single fixed tanh with a bias an MLP layer.
Multiplication nodes (KAN 2.0, Liu et al. 2408.10205) multiply groups of the linear outputs afterwards.
Forward and reverse rules act on whole jets (channels, features, points); `Tape` is what the reverse needs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from kanpde.jet import ChainFactor, chain_adjoint, chain_factors, compose, product, product_adjoint
from kanpde.multiindex import DerivativeSet
from kanpde.network.basis import ACTIVATIONS, Basis


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
    squash_tables: Tensor | None
    squash_factors: tuple[ChainFactor, ...]
    data: Tensor
    factors: tuple[ChainFactor, ...]
    tables: tuple[Tensor, ...]
    features: Tensor
    linear: Tensor


def expand(layer: Layer, data: Tensor, derivatives: DerivativeSet, reverse: bool) -> Tape:
    """All that depends on the inputs alone: scaling, squash, basis tables, the features' jet (c, rows, n).

    Args:
        layer: the structure.
        data: input jet, (c, inputs, n).
        derivatives: the channels.
        reverse: tabulate one derivative more, so that adjoints can pass to the inputs.
    """
    order = derivatives.order + int(reverse)
    scaled = layer.scaled(data)
    squashed, tables, squash_factors = scaled, None, ()
    if layer.squash is not None:
        squash_factors = chain_factors(scaled, derivatives)
        tables = torch.stack(ACTIVATIONS[layer.squash](scaled[0], order))
        squashed = compose(squash_factors, tables, len(derivatives))
    factors = chain_factors(squashed, derivatives)
    basis_tables = tuple(e.basis.tables(squashed[0, list(e.inputs)], order) for e in layer.expansions)
    features = _features(layer, factors, basis_tables, data)
    return Tape(scaled, tables, squash_factors, squashed, factors, basis_tables, features, features[:, :0])


def _features(
    layer: Layer, factors: Sequence[ChainFactor], tables: Sequence[Tensor], data: Tensor
) -> Tensor:
    channels, _, n = data.shape
    features = data.new_empty((channels, layer.rows, n))
    start = 0
    for expansion, table in zip(layer.expansions, tables, strict=True):
        own = tuple(_select(factor, expansion.inputs) for factor in factors)
        block = compose(own, table, channels)
        features[:, start : start + expansion.rows] = block.flatten(1, 2)
        start += expansion.rows
    if layer.bias:
        features[:, -1] = 0.0
        features[0, -1] = 1.0
    return features


def _select(factor: ChainFactor, inputs: Sequence[int]) -> ChainFactor:
    return factor if factor.value is None else replace(factor, value=factor.value[list(inputs)])


def mix(layer: Layer, coefficients: Tensor, tape: Tape, derivatives: DerivativeSet) -> tuple[Tensor, Tape]:
    """The linear map and the multiplication nodes: the layer's output jet (c, outputs, n), and the tape with it."""
    linear = coefficients @ tape.features
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
    features = coefficients.T @ adjoint
    sensitivities = [torch.empty_like(tape.data[0]) for _ in tape.factors]
    value = torch.zeros_like(tape.data[0])
    start = 0
    for expansion, table in zip(layer.expansions, tape.tables, strict=True):
        block = features[:, start : start + expansion.rows]
        block = block.unflatten(1, (len(expansion.inputs), expansion.basis.size))
        _reverse_expansion(expansion, block, table, tape.factors, sensitivities, value)
        start += expansion.rows
    result = chain_adjoint(tape.factors, sensitivities, tape.data)
    result[0] += value
    if tape.squash_tables is not None:
        result = compose_adjoint(result, tape.squash_factors, tape.squash_tables, tape.scaled)
    if layer.half_width is not None:
        result = result / result.new_tensor(layer.half_width)[:, None]
    return result


def _reverse_expansion(
    expansion: Expansion,
    adjoint: Tensor,
    table: Tensor,
    factors: Sequence[ChainFactor],
    sensitivities: list[Tensor],
    value: Tensor,
) -> None:
    """∂L/∂W_αm = Σ_l G_αl B_l^(m), and the value's share Σ_α,m W_αm Σ_l G_αl B_l^(m+1), of these inputs."""
    inputs = list(expansion.inputs)
    for k, factor in enumerate(factors):
        sensitivity = (adjoint[factor.channel] * table[factor.order]).sum(1)
        through = (adjoint[factor.channel] * table[factor.order + 1]).sum(1)
        sensitivities[k][inputs] = sensitivity
        value[inputs] += through if factor.value is None else through * factor.value[inputs]


def compose_adjoint(adjoint: Tensor, factors: Sequence[ChainFactor], tables: Tensor, data: Tensor) -> Tensor:
    """Adjoint of `jet.compose` for one function per feature: adjoint of φ(y) (c, w, n) -> adjoint of y (c, w, n)."""
    sensitivities = [adjoint[factor.channel] * tables[factor.order] for factor in factors]
    result = chain_adjoint(factors, sensitivities, data)
    for factor in factors:
        through = adjoint[factor.channel] * tables[factor.order + 1]
        result[0] += through if factor.value is None else through * factor.value
    return result


def jacobian_block(features: Tensor, adjoint: Tensor, out: Tensor) -> None:
    """out[o, f, :] = Σ_c A[c, o, :] Φ[c, f, :]: what this layer's coefficients do to a pointwise scalar.

    Args:
        features: (c, rows, n).
        adjoint: (c, columns, n) adjoint of the linear outputs.
        out: (columns, rows, n).
    """
    torch.mul(adjoint[0].unsqueeze(1), features[0], out=out)
    for channel in range(1, features.shape[0]):
        out.addcmul_(adjoint[channel].unsqueeze(1), features[channel])


def grown(layer: Layer, resolution: Callable[[Basis], int | None]) -> tuple[Layer, Tensor]:
    """The layer with finer bases, and the (new rows, old rows) matrix that carries its features' coefficients over."""
    expansions, blocks = [], []
    for expansion in layer.expansions:
        wanted = resolution(expansion.basis)
        finer = expansion.basis if wanted is None or wanted <= expansion.basis.resolution else expansion.basis.refined(wanted)
        expansions.append(Expansion(expansion.inputs, finer))
        block = torch.as_tensor(expansion.basis.embedding(finer)) if finer != expansion.basis else torch.eye(finer.size)
        blocks.extend([block.to(torch.float64)] * len(expansion.inputs))
    if layer.bias:
        blocks.append(torch.ones(1, 1, dtype=torch.float64))
    return replace(layer, expansions=tuple(expansions)), torch.block_diag(*blocks)
