"""Trees of univariate functions: KANs in which each node has its own edges, so that a factor sees its inputs alone.

A tree is a coordinate, a curve of a tree, a sum or a product of trees. Curves are Chebyshev series until they are
snapped to candidate functions. A layered network cannot keep a factor of a product from seeing all inputs, and
A(x, y) · B(x, y) has ambiguities that A(x) · B(y) has not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Protocol

import numpy as np
import sympy as sp
import torch
from torch import Tensor

from kanpde.expression import Program
from kanpde.jet import argument_adjoint, chain_factors, compose, coordinates_jet, pairings, product, product_adjoint
from kanpde.multiindex import DerivativeSet
from kanpde.network.basis import Chebyshev
from kanpde.symbolic.library import ARGUMENT
from kanpde.symbolic.parametric import Parametric, ParametricSweep


class Curve(Protocol):
    """A univariate function with numbers."""

    def tables(self, numbers: Tensor, z: Tensor, order: int) -> Tensor:
        """φ^(m)(z) for m ≤ order, (order + 1, n), at z (n,)."""
        ...

    def slopes(self, numbers: Tensor, z: Tensor, order: int) -> Tensor:
        """The derivatives of these tables with respect to each of the numbers, (order + 1, k, n)."""
        ...


@dataclass(frozen=True)
class Series:
    """Σ c_l T_l((z − centre)/half), l ≤ degree."""

    degree: int
    centre: float = 0.0
    half: float = 1.0

    def tables(self, numbers: Tensor, z: Tensor, order: int) -> Tensor:
        """As of a `Curve`."""
        return torch.einsum("k,mkn->mn", numbers, self.slopes(numbers, z, order))

    def slopes(self, numbers: Tensor, z: Tensor, order: int) -> Tensor:  # noqa: ARG002 - as of a `Curve`
        """As of a `Curve`."""
        tables = Chebyshev(self.degree).tables(((z - self.centre) / self.half)[None], order)[:, 0]
        return tables / self.half ** torch.arange(order + 1, dtype=z.dtype, device=z.device)[:, None, None]


@dataclass(frozen=True)
class Written:
    """A function that is written down.

    Attributes:
        expression: of `ARGUMENT` and the symbols.
        symbols: for the numbers that are free.
    """

    expression: sp.Expr
    symbols: tuple[sp.Symbol, ...]

    def tables(self, numbers: Tensor, z: Tensor, order: int) -> Tensor:
        """As of a `Curve`."""
        return self._evaluated(_derivatives(self, order), numbers, z)

    def slopes(self, numbers: Tensor, z: Tensor, order: int) -> Tensor:
        """As of a `Curve`."""
        flat = self._evaluated(_slopes(self, order), numbers, z)
        return flat.view(order + 1, len(self.symbols), len(z))

    def _evaluated(self, program: Program, numbers: Tensor, z: Tensor) -> Tensor:
        arguments = [z, *(number.expand(len(z)) for number in numbers)]
        rows = [value.expand(len(z)) for value in program(arguments, torch)]
        return torch.stack(rows) if rows else z.new_zeros((0, len(z)))


@lru_cache(maxsize=1024)
def _derivatives(curve: Written, order: int) -> Program:
    rows = [sp.diff(curve.expression, ARGUMENT, m) if m else curve.expression for m in range(order + 1)]
    return Program.compile(rows, [ARGUMENT, *curve.symbols])


@lru_cache(maxsize=1024)
def _slopes(curve: Written, order: int) -> Program:
    rows = [sp.diff(curve.expression, symbol, *([ARGUMENT] * m)) for m in range(order + 1) for symbol in curve.symbols]
    return Program.compile(rows, [ARGUMENT, *curve.symbols])


@dataclass(frozen=True)
class Coordinate:
    """x_axis."""

    axis: int


@dataclass(frozen=True, eq=False)
class Edge:
    """A curve of a tree, with its numbers (k,)."""

    curve: Series | Written
    numbers: np.ndarray
    inner: Node


@dataclass(frozen=True, eq=False)
class Sum:
    """The sum of trees."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, eq=False)
class Product:
    """The product of trees."""

    parts: tuple[Node, ...]


Node = Coordinate | Edge | Sum | Product
Reverse = Callable[[Tensor], Iterator[tuple[int, Tensor]]]


def edges(tree: Node) -> list[Edge]:
    """All edges, an outer one before those inside it."""
    if isinstance(tree, Coordinate):
        return []
    if isinstance(tree, Edge):
        return [tree, *edges(tree.inner)]
    return [edge for part in tree.parts for edge in edges(part)]


def exchanged(tree: Node, following: Iterator[Edge]) -> Node:
    """The tree with other edges in the places of its own, in the order of `edges`; their own insides do not count."""
    if isinstance(tree, Coordinate):
        return tree
    if isinstance(tree, Edge):
        return replace(next(following), inner=exchanged(tree.inner, following))
    return replace(tree, parts=tuple(exchanged(part, following) for part in tree.parts))


@dataclass(frozen=True, eq=False)
class _Visit:
    """A node's jet (c, 1, n) and what leads back from it."""

    data: Tensor
    reverse: Reverse


class TreeNetwork(Parametric):
    """Trees as an ansatz, one an unknown.

    Args:
        trees: one an unknown.
        inputs: number of coordinates.
    """

    def __init__(self, trees: Sequence[Node], inputs: int) -> None:
        self.trees = tuple(trees)
        self._edges = [edge for tree in trees for edge in edges(tree)]
        super().__init__(inputs, len(trees), [torch.as_tensor(edge.numbers) for edge in self._edges])
        self.title = f"tree of {len(self._edges)} functions"

    @property
    def trained(self) -> tuple[Node, ...]:
        """The trees with the numbers of θ."""
        numbers = [part.numpy().copy() for part in self.split(self.theta.cpu())]
        following = iter([replace(edge, numbers=own) for edge, own in zip(self._edges, numbers, strict=True)])
        return tuple(exchanged(tree, following) for tree in self.trees)

    def values(self, points: np.ndarray) -> np.ndarray:
        """(n, outputs) at points (n, d)."""
        derivatives = DerivativeSet.closure(self.inputs, [(0,) * self.inputs])
        return self.sweep(torch.as_tensor(points), derivatives, reverse=False).output[0].T.numpy()

    def sweep(
        self,
        prepared: Tensor,
        derivatives: DerivativeSet,
        coefficients: Sequence[Tensor] | None = None,
        reverse: bool = True,
    ) -> ParametricSweep:
        """One forward pass of the jet at points (n, d), and its reverse."""
        numbers = self.split(self._theta) if coefficients is None else list(coefficients)
        walk = _Walk(coordinates_jet(prepared, derivatives), derivatives, numbers, reverse)
        visits = [walk.visit(tree) for tree in self.trees]

        def back(adjoint: Tensor) -> list[Tensor]:
            found = dict(pair for k, visit in enumerate(visits) for pair in visit.reverse(adjoint[:, k : k + 1]))
            return [found[k] for k in range(len(numbers))]

        return ParametricSweep(torch.cat([visit.data for visit in visits], dim=1), tuple(walk.features), back)


class _Walk:
    """Visits nodes, outer edges before those inside them, as `edges` counts them."""

    def __init__(self, inputs: Tensor, derivatives: DerivativeSet, numbers: Sequence[Tensor], reverse: bool) -> None:
        self.inputs, self.derivatives, self.reverse = inputs, derivatives, reverse
        self.numbers = numbers
        self.features: list[Tensor] = []

    def visit(self, node: Node) -> _Visit:
        """The jet of a node."""
        if isinstance(node, Coordinate):
            return _Visit(self.inputs[:, node.axis : node.axis + 1], lambda _: iter(()))
        if isinstance(node, Edge):
            return self._edge(node)
        visits = [self.visit(part) for part in node.parts]
        return self._sum(visits) if isinstance(node, Sum) else self._product(visits)

    def _sum(self, visits: Sequence[_Visit]) -> _Visit:
        total = torch.stack([visit.data for visit in visits]).sum(0)

        def back(adjoint: Tensor) -> Iterator[tuple[int, Tensor]]:
            for visit in visits:
                yield from visit.reverse(adjoint)

        return _Visit(total, back)

    def _product(self, visits: Sequence[_Visit]) -> _Visit:
        total = visits[0].data
        for visit in visits[1:]:
            total = product(total, visit.data, self.derivatives)

        def back(adjoint: Tensor) -> Iterator[tuple[int, Tensor]]:
            for k, visit in enumerate(visits):
                part = adjoint
                for other in (*visits[:k], *visits[k + 1 :]):
                    part = product_adjoint(part, other.data, self.derivatives)
                yield from visit.reverse(part)

        return _Visit(total, back)

    def _edge(self, edge: Edge) -> _Visit:
        """φ(y): its jet, the jets of ∂φ/∂θ, and the adjoint of y."""
        position, numbers = len(self.features), self.numbers[len(self.features)]
        self.features.append(self.inputs)  # keeps the place until the insides are known
        inner = self.visit(edge.inner)
        order, c = self.derivatives.order, len(self.derivatives)
        factors = chain_factors(inner.data, self.derivatives)
        z = inner.data[0, 0]
        tables = edge.curve.tables(numbers, z, order + int(self.reverse))[:, None]
        data = compose(factors, tables, c)
        if self.reverse:
            slopes = edge.curve.slopes(numbers, z, order)[:, None]
            self.features[position] = compose(factors, slopes, c)

        def back(adjoint: Tensor) -> Iterator[tuple[int, Tensor]]:
            yield position, adjoint
            paired = {(channel, m): adjoint[channel] * tables[m] for channel, m in pairings(factors)}
            yield from inner.reverse(argument_adjoint(factors, paired, inner.data))

        return _Visit(data, back)
