"""Sparsity: an L1 norm of edges and the entropy of their shares, as rows that Gauss-Newton can take.

The size of an edge is the standard deviation of its values over the points, n² = cᵀG c with the covariance G of its
basis there. With G = RᵀR and y = R c, an edge's share of the penalty

    f = n (l1 − entropy/T log(n/T)),        T = Σ n over the edges of a layer

is half the square of the rows sqrt(2 f) y/n. So Σ f, which is l1 times the L1 norm and `entropy` times Σ −p log p of
the shares p = n/T (Liu et al. 2024, arXiv 2404.19756, eqs. 2.17-2.20, there with mean values of |φ|), stands in ½|r|²
as the equations do, and every optimiser sees its exact gradient. Other ways to write f as a square have the same
gradient but one row an edge, and then Gauss-Newton does not see that an edge may turn around itself.

G is taken when a stage begins and stays: else a network could make all edges but the last ones small, at no price.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from kanpde.errors import ProblemError
from kanpde.field import Ansatz
from kanpde.multiindex import DerivativeSet
from kanpde.network import Network, Trainable
from kanpde.network import layer as rules
from kanpde.network.basis import ACTIVATIONS
from kanpde.network.layer import Layer, Tape
from kanpde.optim.objective import Products

SMOOTH = 1e-4  # of the largest edge's size: below it the corner of the L1 norm is rounded off


@dataclass(frozen=True)
class Sparsity:
    """How much few and small edges are worth, in units of the loss ½|r|², of which the equations' part is ½ ∫ F².

    Args:
        l1: factor on the sum of all edges' sizes, each the standard deviation of its values.
        entropy: factor on the entropy of each layer's shares, log(E) for E equal edges and 0 for a single one.

    Raises:
        ProblemError: a factor that punishes nothing.
    """

    l1: float = 1e-3
    entropy: float = 1e-3

    def __post_init__(self) -> None:
        if not all(isinstance(value, int | float) for value in (self.l1, self.entropy)):
            raise ProblemError(f"{self} is no penalty; give two numbers, such as 1e-3 and 1e-3")
        if not (0 < self.l1 < float("inf") and 0 <= self.entropy < float("inf")):
            raise ProblemError(f"{self} is no penalty; give l1 > 0 and entropy >= 0, such as 1e-3 and 1e-3")


@dataclass(frozen=True, eq=False)
class Penalty:
    """The rows of a sparsity penalty for networks of one structure.

    Attributes:
        sparsity: what was asked for.
        layers: the structure.
        roots: R of each layer's inputs, (inputs, size, size) for each expansion.
        edge: for each row, to which edge it belongs, (Y,).
        group: for each edge, to which layer it belongs, (E,).
        floor: size below which edges are as good as none.
    """

    sparsity: Sparsity
    layers: tuple[Layer, ...]
    roots: tuple[tuple[Tensor, ...], ...]
    edge: Tensor
    group: Tensor
    floor: float

    @property
    def rows(self) -> int:
        """Number of rows, one a coefficient of an edge."""
        return len(self.edge)

    def sizes(self, theta: Tensor) -> Tensor:
        """The size of every edge, (E,), layer by layer, expansion by expansion, (columns, inputs) in order."""
        return self.summed(self.mapped(theta).square()).sqrt()

    def residual(self, theta: Tensor) -> Tensor:
        """The rows (Y,); half the sum of their squares is the penalty."""
        y = self.mapped(theta)
        return y * (2 * self._factors(self.summed(y.square()))[0])[self.edge].sqrt()

    def linearized(self, theta: Tensor) -> PenaltyRows:
        """The rows with their derivative."""
        y = self.mapped(theta)
        factors, slopes = self._factors(self.summed(y.square()))
        scale = (2 * factors)[self.edge].sqrt()
        return PenaltyRows(self, y, scale, y * scale, slopes, len(theta))

    def mapped(self, theta: Tensor) -> Tensor:
        """Y = R c, (..., Y), of coefficients (..., P); what stands behind them in θ is left out."""
        parts = []
        for layer, roots, flat in zip(self.layers, self.roots, self._split(theta), strict=True):
            blocks = rules.coefficient_blocks(layer, flat.movedim((-2, -1), (0, 1)))
            for root, block in zip(roots, blocks, strict=True):
                parts.append(torch.einsum("ilm,oim...->...oil", root, block).flatten(-3))
        return torch.cat(parts, dim=-1)

    def pulled(self, weights: Tensor, count: int) -> Tensor:
        """The transpose of `mapped`: (..., Y) -> (..., count)."""
        parts, start = [], 0
        for layer, roots in zip(self.layers, self.roots, strict=True):
            blocks = []
            for expansion, root in zip(layer.expansions, roots, strict=True):
                size = layer.columns * expansion.rows
                own = weights[..., start : start + size].unflatten(-1, (layer.columns, *root.shape[:2]))
                blocks.append(torch.einsum("ilm,...oil->...oim", root, own).flatten(-2))
                start += size
            blocks += [blocks[0].new_zeros((*blocks[0].shape[:-1], 1))] if layer.bias else []
            parts.append(torch.cat(blocks, dim=-1).flatten(-2))
        found = torch.cat(parts, dim=-1)
        return torch.nn.functional.pad(found, (0, count - found.shape[-1]))

    def _split(self, theta: Tensor) -> Iterator[Tensor]:
        """The coefficients of each layer, (..., columns, rows)."""
        start = 0
        for layer in self.layers:
            size = layer.columns * layer.rows
            yield theta[..., start : start + size].unflatten(-1, (layer.columns, layer.rows))
            start += size

    def summed(self, values: Tensor) -> Tensor:
        """Sums over the rows of each edge, (..., Y) -> (..., E)."""
        return values.new_zeros((*values.shape[:-1], len(self.group))).index_add_(-1, self.edge, values)

    def together(self, values: Tensor) -> Tensor:
        """Sums over all edges of each edge's layer, (..., E) -> (..., E)."""
        sums = values.new_zeros((*values.shape[:-1], len(self.layers))).index_add_(-1, self.group, values)
        return sums[..., self.group]

    def _factors(self, squares: Tensor) -> tuple[Tensor, Slopes]:
        """f/q of each edge from q = |y|², (E,), and the derivatives of their logarithms by all q.

        With ε the floor, n = q/sqrt(q + ε²), T = Σ (n + ε) and p = (n + ε)/T, all is smooth where edges vanish.
        """
        root = (squares + self.floor**2).sqrt()
        share = squares / root + self.floor
        total = self.together(share)
        weight = self.sparsity.entropy / total
        price = self.sparsity.l1 - weight * (share / total).log()
        growth = (squares / 2 + self.floor**2) / root**3
        own = -weight / share / price * growth - 0.5 / root**2
        return price / root, Slopes(own, weight * (1 + (share / total).log()) / total / price, growth)


@dataclass(frozen=True, eq=False)
class Slopes:
    """A matrix (E, E): a diagonal, and u vᵀ among the edges of each layer."""

    own: Tensor
    left: Tensor
    right: Tensor


@dataclass(frozen=True, eq=False)
class PenaltyRows:
    """The rows of a penalty at one θ with J v and Jᵀ w, for one vector or for many at once.

    Attributes:
        penalty: whose.
        mapped: y, (Y,).
        scale: sqrt(2 f/q), (Y,).
        residual: y · scale, (Y,).
        slopes: ∂ log(f/q) of each edge by all q.
        count: P + k, with the unknown scalars.
    """

    penalty: Penalty
    mapped: Tensor
    scale: Tensor
    residual: Tensor
    slopes: Slopes
    count: int

    def forward(self, directions: Tensor) -> Tensor:
        """J v, (..., Y), for v (..., P + k)."""
        moved = self.penalty.mapped(directions)
        squares, slopes = 2 * self.penalty.summed(self.mapped * moved), self.slopes
        changes = slopes.own * squares + slopes.left * self.penalty.together(slopes.right * squares)
        return self.scale * moved + 0.5 * self.residual * changes[..., self.penalty.edge]

    def adjoint(self, weights: Tensor) -> Tensor:
        """Jᵀ w, (..., P + k), for w (..., Y)."""
        changes, slopes = 0.5 * self.penalty.summed(self.residual * weights), self.slopes
        squares = slopes.own * changes + slopes.right * self.penalty.together(slopes.left * changes)
        own = self.scale * weights + 2 * self.mapped * squares[..., self.penalty.edge]
        return self.penalty.pulled(own, self.count)

    def blocks(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Row blocks (r (n,), Jᵀ (P + k, n)) of at most so many rows."""
        rows = torch.arange(len(self.residual), device=self.residual.device)
        for some, part in zip(rows.split(size), self.residual.split(size), strict=True):
            units = (some[:, None] == rows).to(part)
            yield part, self.adjoint(units).T.contiguous()


@dataclass(frozen=True, eq=False)
class PenalisedProducts:
    """Products with the rows of equations and those of a penalty after them."""

    equations: Products
    penalty: PenaltyRows

    @property
    def residual(self) -> Tensor:
        """r(θ), (N + Y,)."""
        return torch.cat([self.equations.residual, self.penalty.residual])

    def forward(self, direction: Tensor) -> Tensor:
        """J v."""
        return torch.cat([self.equations.forward(direction), self.penalty.forward(direction)], dim=-1)

    def adjoint(self, weights: Tensor) -> Tensor:
        """Jᵀ w."""
        count = len(self.equations.residual)
        return self.equations.adjoint(weights[..., :count]) + self.penalty.adjoint(weights[..., count:])

    def normal(self, direction: Tensor) -> Tensor:
        """JᵀJ v."""
        return self.equations.normal(direction) + self.penalty.adjoint(self.penalty.forward(direction))


def penalty(sparsity: Sparsity, network: Trainable, ansatz: Ansatz, points: Tensor) -> Penalty:
    """The penalty of a stage.

    Args:
        sparsity: its factors.
        network: with which the stage begins; its nodes tell over which values an edge is measured.
        ansatz: what the network is a function of.
        points: (n, d), of the equations.

    Raises:
        ProblemError: a user's own module, which has no edges.
    """
    if not isinstance(network, Network):
        raise ProblemError(f"{network.title} has no edges to be made sparse; use KAN or MLP, or leave sparsity out")
    roots = tuple(
        tuple(_roots(layer, tape)) for layer, tape in zip(network.layers, _tapes(network, ansatz, points), strict=True)
    )
    shapes = [
        (layer.columns * len(e.inputs), e.basis.size, k)
        for k, layer in enumerate(network.layers)
        for e in layer.expansions
    ]
    sizes = torch.cat([torch.full((edges,), size) for edges, size, _ in shapes])
    group = torch.cat([torch.full((edges,), k) for edges, _, k in shapes]).to(points.device)
    edge = torch.arange(len(sizes)).repeat_interleave(sizes).to(points.device)
    sharp = Penalty(sparsity, network.layers, roots, edge, group, 0.0)
    largest = float(sharp.sizes(network.theta).max())
    return Penalty(sparsity, network.layers, roots, edge, group, SMOOTH * (largest or 1.0))


def _tapes(network: Network, ansatz: Ansatz, points: Tensor) -> Iterator[Tape]:
    """What enters each layer at the points."""
    values = DerivativeSet.closure(points.shape[1], ())
    tape = ansatz.prepare(network, points, values)
    yield tape
    for before, matrix, layer in zip(network.layers, network.coefficients, network.layers[1:], strict=False):
        tape = rules.expand(layer, rules.mix(before, matrix.detach(), tape, values)[0], values, reverse=False)
        yield tape


def _roots(layer: Layer, tape: Tape) -> Iterator[Tensor]:
    """R with RᵀR the covariance of the basis functions at each input, (inputs, size, size), for each expansion."""
    z = tape.scaled[0] if layer.squash is None else ACTIVATIONS[layer.squash](tape.scaled[0], 0)[0]
    for expansion in layer.expansions:
        table = expansion.basis.values(z[list(expansion.inputs)])
        table = table - table.mean(-1, keepdim=True)
        values, vectors = torch.linalg.eigh(table @ table.mT / table.shape[-1])
        yield values.clamp_min(0.0).sqrt()[..., None] * vectors.mT
