"""Edges through their curves: all that a layer needs of learnable edges, from φ^(m)(z) at the points.

The channels of a jet meet a basis only through the derivatives of the curves φ_oi = Σ_l C_oil B_l,

    Y_αo = Σ_mi W_αmi φ_oi^(m),        Z_moi = Σ_α A_αo W_αmi,

and through the adjoints Z of those derivatives on the way back. There are fewer orders m than channels α, and far fewer
curves than basis functions: no feature is ever made. `Curves` is the part that knows the basis.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from kanpde.jet import ChainFactor, argument_adjoint, compose, pairings
from kanpde.network.flat import FlatEdges, LinearEdges

BLOCK = 1 << 19  # numbers that are worked on at once; more does not stay in the cache, fewer costs calls
FEWEST_POINTS = 512  # in a block, so that a wide layer is cut by outputs first

Evaluation = Callable[[slice, slice, int], Sequence[Tensor]]


class Curves(Protocol):
    """A basis at given arguments z (inputs, n)."""

    @property
    def room(self) -> int:
        """Arrays that adjoints are given: one for each derivative that is not zero, more if the work needs them."""
        ...

    def evaluation(self, coefficients: Tensor) -> Evaluation:
        """(rows, points, order) -> φ^(m), (columns, inputs, points) each, for m ≤ order as far as they are not zero."""
        ...

    def gradient(self, columns: int, adjoints: Iterable[tuple[slice, slice, Tensor]]) -> Tensor:
        """Adjoint of C from pieces (rows, points, Z (room, columns, inputs, points)), which may be overwritten."""
        ...

    def jacobian(self, adjoints: Tensor, part: slice, out: Tensor) -> None:
        """Σ_m Z_m B_l^(m) point by point, to out (columns, inputs, size, points)."""
        ...

    def dense(self) -> Tensor | None:
        """Tables B_l^(m)(z) of all functions, (orders, inputs, size, n), None where most of these are zero."""
        ...


@dataclass(frozen=True, eq=False)
class CurveEdges:
    """Learnable edges at an incoming jet; `kanpde.network.edges.Edges` says what its methods mean.

    Args:
        data: incoming jet, (c, inputs, n).
        factors: its W_αm.
        curves: the basis at data[0].
    """

    data: Tensor
    factors: tuple[ChainFactor, ...]
    curves: Curves

    def mix(self, coefficients: Tensor) -> Tensor:
        """Y_αo = Σ_mi W_αmi φ_oi^(m)."""
        evaluate = self.curves.evaluation(coefficients)
        result = coefficients.new_empty((len(self.data), len(coefficients), self.data.shape[-1]))
        for rows, part in self._blocks(len(coefficients)):
            edges = evaluate(rows, part, self._order)
            torch.sum(edges[0], 1, out=result[0, rows, part])
            for channel in range(1, len(result)):
                products = [
                    (edges[factor.order][:, i], weight[i, part])
                    for factor, weight in self._weights
                    for i in range(*factor.features.indices(len(weight)))
                    if factor.channel == channel
                ]
                _accumulate(products, result[channel, rows, part])
        return result

    def gradient(self, adjoint: Tensor) -> Tensor:
        """Through Z_m."""
        blocks = self._blocks(adjoint.shape[1])
        pieces = ((rows, part, self._curve_adjoints(adjoint[:, rows], part)) for rows, part in blocks)
        return self.curves.gradient(adjoint.shape[1], pieces)

    def jacobian(self, adjoint: Tensor, part: slice, out: Tensor) -> None:
        """Through Z_m."""
        self.curves.jacobian(self._curve_adjoints(adjoint, part), part, out)

    def input_adjoint(self, coefficients: Tensor, adjoint: Tensor) -> Tensor:
        """∂L/∂W_αm = Σ_o A_αo φ_o^(m), and the value's share Σ_αm W_αm Σ_o A_αo φ_o^(m+1)."""
        evaluate = self.curves.evaluation(coefficients)
        sums = {key: torch.empty_like(self.data[0]) for key in pairings(self.factors)}
        for rows, part in self._blocks(len(coefficients)):
            edges = evaluate(rows, part, self._order + 1)
            for (channel, order), total in sums.items():
                pairs = zip(edges[order], adjoint[channel, rows, part], strict=True) if order < len(edges) else ()
                _accumulate(pairs, total[:, part], fresh=rows.start == 0)
        return argument_adjoint(self.factors, sums, self.data)

    def flat(self) -> LinearEdges:
        """Features where the basis is dense, else the curves again."""
        tables = self.curves.dense()
        return self if tables is None else FlatEdges(compose(self.factors, tables, len(self.data)))

    @cached_property
    def _order(self) -> int:
        return max(factor.order for factor in self.factors)

    @cached_property
    def _weights(self) -> tuple[tuple[ChainFactor, Tensor], ...]:
        """The W_αm that count: the value's own is one, others vanish or meet a φ^(m) that does."""
        return tuple(
            (factor, factor.value)
            for factor in self.factors
            if factor.value is not None and factor.order < self.curves.room and factor.features != slice(0, 0)
        )

    def _curve_adjoints(self, adjoint: Tensor, part: slice) -> Tensor:
        """Z, (room, columns, inputs, points), set as far as there are derivatives."""
        inputs = self.data.shape[1]
        result = adjoint.new_empty((self.curves.room, adjoint.shape[1], inputs, adjoint[0, 0, part].numel()))
        result[0] = adjoint[0, :, None, part]
        for order in range(1, min(self._order + 1, self.curves.room)):
            products = [
                (adjoint[factor.channel, :, None, part], weight[:, part])
                for factor, weight in self._weights
                if factor.order == order
            ]
            _accumulate(products, result[order])
        return result

    def _blocks(self, columns: int) -> Iterator[tuple[slice, slice]]:
        """Outputs and points, so that temporaries stay small however many there are."""
        inputs, n = self.data.shape[1:]
        pairs = BLOCK // (self.curves.room * inputs)
        points = max(FEWEST_POINTS, pairs // columns)
        rows = max(1, pairs // points)
        for start in range(0, n, points):
            for first in range(0, columns, rows):
                yield slice(first, min(first + rows, columns)), slice(start, min(start + points, n))


def _accumulate(products: Iterable[tuple[Tensor, Tensor]], out: Tensor, fresh: bool = True) -> None:
    """Sets out = Σ a b, or adds the sum if not `fresh`, without an array of the products."""
    for a, b in products:
        torch.mul(a, b, out=out) if fresh else out.addcmul_(a, b)
        fresh = False
    if fresh:
        out.zero_()


@dataclass(frozen=True, eq=False)
class TableCurves:
    """Any basis, from tables of all its functions: (orders, inputs, size, n), B_l^(m)(z).

    Args:
        tables: one order above the jet's where inputs get adjoints.
        order: of the jet.
    """

    tables: Tensor
    order: int

    @property
    def room(self) -> int:
        """Every order."""
        return self.order + 1

    def evaluation(self, coefficients: Tensor) -> Evaluation:
        """Matrix products, one for each input and order."""
        matrices = coefficients.transpose(0, 1)
        return lambda rows, part, order: (
            (matrices[:, rows] @ self.tables[: order + 1, :, :, part]).transpose(1, 2).unbind(0)
        )

    def gradient(self, columns: int, adjoints: Iterable[tuple[slice, slice, Tensor]]) -> Tensor:
        """Σ_mn Z_m B_l^(m)."""
        _, inputs, size, _ = self.tables.shape
        result = self.tables.new_zeros((columns, inputs, size))
        for rows, part, z in adjoints:
            tables = self.tables[: self.room, :, :, part]
            result[rows] += (z.transpose(1, 2) @ tables.transpose(2, 3)).sum(0).transpose(0, 1)
        return result

    def jacobian(self, adjoints: Tensor, part: slice, out: Tensor) -> None:
        """Each order's tables once."""
        _accumulate(zip(adjoints[:, :, :, None], self.tables[: self.room, :, :, part], strict=True), out)

    def dense(self) -> Tensor:
        """The tables."""
        return self.tables
