"""Spline edges by local evaluation: the cost of an edge does not grow with its number of intervals.

On interval s an edge is a polynomial in t = z − x_s. Its Taylor coefficients there make a small table,

    P_q[o, i, s] = φ_oi^(q)(x_s)/q! = Σ_l T_ql[s] C[o, i, s + l],      q, l ≤ k,

from which one gather brings the k + 1 numbers of every (edge, point). A Taylor shift in place (Horner's scheme,
repeated) turns them into φ^(m)(z)/m!. The gradient of the coefficients takes the same road backwards: the transposed
shift, scatter_add, the transposed table. Nothing but the tables knows how many intervals there are.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from kanpde.jet import ChainFactor, argument_adjoint, compose
from kanpde.network.bspline import BSpline, local_matrices

BLOCK = 1 << 19  # Taylor coefficients of (edge, point) pairs worked on at once: about what a core's cache holds
FEWEST_POINTS = 512  # in a block, so that a wide layer is cut by outputs first


@dataclass(frozen=True, eq=False)
class SplineEdges:
    """B-spline edges at an incoming jet; `kanpde.network.edges.Edges` says what its methods mean.

    Args:
        basis: on every edge.
        data: incoming jet, (c, inputs, n).
        factors: its W_αm.
        spans: interval s of every point, (inputs, n).
        offset: t = z − x_s, (inputs, n).
        matrices: T, (k + 1, k + 1, G), with one interval for all where all are equal.
    """

    basis: BSpline
    data: Tensor
    factors: tuple[ChainFactor, ...]
    spans: Tensor
    offset: Tensor
    matrices: Tensor

    @classmethod
    def at(cls, basis: BSpline, data: Tensor, factors: tuple[ChainFactor, ...]) -> SplineEdges:
        """The edges of `basis` at the jet `data` (c, inputs, n) with these W_αm."""
        spans, local, inverse = basis.spans(data[0])
        slopes = inverse[0, :1] if basis.uniform else 1.0 / torch.as_tensor(basis.breakpoints()).to(data).diff()
        powers = torch.arange(basis.degree + 1, device=data.device)[:, None, None]
        matrices = torch.as_tensor(local_matrices(basis)).to(data).permute(2, 1, 0) * slopes**powers
        return cls(basis, data, factors, spans, local / inverse, matrices)

    def mix(self, coefficients: Tensor) -> Tensor:
        """Y_αo = Σ_m Σ_i W_αmi φ_oi^(m)."""
        table = self._table(coefficients)
        result = table.new_empty((len(self.data), len(coefficients), self.data.shape[-1]))
        for rows, part in self._blocks(len(coefficients)):
            edges = self._derivatives(table[:, rows], part, self._order)
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
        """The adjoints Z_m = Σ_α A_α W_αm of the edges' derivatives, carried back to the table and to C."""
        table = self.matrices.new_zeros(
            (self.basis.degree + 1, adjoint.shape[1], len(self.spans), self.basis.intervals)
        )
        for rows, part in self._blocks(adjoint.shape[1]):
            taylor = self._edge_adjoints(adjoint[:, rows, part], part)
            table[:, rows].scatter_add_(-1, self.spans[:, part].expand_as(taylor), taylor)
        return self._table_adjoint(table)

    def jacobian(self, adjoint: Tensor, part: slice, out: Tensor) -> None:
        """Σ_α A_αo Φ_αil of the k + 1 living functions, put where they live."""
        out.zero_()
        first = self.spans[:, None, part]
        alive = first + torch.arange(self.basis.degree + 1, device=first.device)[:, None]
        living = adjoint[0, :, None, None, part] * self.features[0, ..., part]
        for channel in range(1, len(adjoint)):
            living.addcmul_(adjoint[channel, :, None, None, part], self.features[channel, ..., part])
        out.scatter_(2, alive.expand_as(living), living)

    def input_adjoint(self, coefficients: Tensor, adjoint: Tensor) -> Tensor:
        """∂L/∂W_αm = Σ_o A_αo φ_o^(m), and the value's share Σ_αm W_αm Σ_o A_αo φ_o^(m+1)."""
        table = self._table(coefficients)
        wanted = {(factor.channel, factor.order + step) for factor in self.factors for step in (0, 1)}
        sums = {key: torch.empty_like(self.offset) for key in sorted(wanted)}
        for rows, part in self._blocks(len(coefficients)):
            edges = self._derivatives(table[:, rows], part, self._order + 1)
            for (channel, order), total in sums.items():
                pairs = zip(edges[order], adjoint[channel, rows, part], strict=True) if order < len(edges) else ()
                _accumulate(pairs, total[:, part], fresh=rows.start == 0)
        sensitivities = [sums[factor.channel, factor.order] for factor in self.factors]
        through = [sums[factor.channel, factor.order + 1] for factor in self.factors]
        return argument_adjoint(self.factors, sensitivities, through, self.data)

    @cached_property
    def features(self) -> Tensor:
        """The jet of the functions alive at each point, (c, inputs, k + 1, n): the edges that have C = identity."""
        table = self.matrices[:, :, None].expand(-1, -1, len(self.spans), self.basis.intervals)
        edges = self._derivatives(table, slice(None), self._order)
        tables = torch.stack([edge.transpose(0, 1) for edge in edges])
        return compose([f for f in self.factors if f.order < len(edges)], tables, len(self.data))

    @cached_property
    def _order(self) -> int:
        return max(factor.order for factor in self.factors)

    @cached_property
    def _weights(self) -> tuple[tuple[ChainFactor, Tensor], ...]:
        """The W_αm that count: those of the value's channel are one, of orders above k they meet φ^(m) = 0."""
        return tuple(
            (factor, factor.value)
            for factor in self.factors
            if factor.value is not None and factor.order <= self.basis.degree and factor.features != slice(0, 0)
        )

    def _blocks(self, columns: int) -> Iterator[tuple[slice, slice]]:
        """Outputs and points, so that temporaries stay in the cache however many there are."""
        inputs, n = self.spans.shape
        pairs = BLOCK // ((self.basis.degree + 1) * inputs)
        points = max(FEWEST_POINTS, pairs // columns)
        rows = max(1, pairs // points)
        for start in range(0, n, points):
            for first in range(0, columns, rows):
                yield slice(first, min(first + rows, columns)), slice(start, min(start + points, n))

    def _table(self, coefficients: Tensor) -> Tensor:
        """P, (k + 1, columns, inputs, G), of C (columns, inputs, size)."""
        intervals = self.basis.intervals
        table = self.matrices[:, 0, None, None] * coefficients[..., :intervals]
        for shift in range(1, self.basis.degree + 1):
            table.addcmul_(self.matrices[:, shift, None, None], coefficients[..., shift : shift + intervals])
        return table

    def _table_adjoint(self, table: Tensor) -> Tensor:
        """The transpose of `_table`."""
        intervals = self.basis.intervals
        result = table.new_zeros((*table.shape[1:3], self.basis.size))
        for shift in range(self.basis.degree + 1):
            result[..., shift : shift + intervals] += (self.matrices[:, shift, None, None] * table).sum(0)
        return result

    def _derivatives(self, table: Tensor, part: slice, order: int) -> tuple[Tensor, ...]:
        """φ^(m)(z) for m ≤ min(order, k), (columns, inputs, points) each."""
        k, t = len(table) - 1, self.offset[:, part]
        edges = table.gather(-1, self.spans[:, part].expand(*table.shape[:3], -1)).unbind(0)
        for m in range(min(order + 1, k)):
            for q in range(k - 1, m - 1, -1):
                edges[q].addcmul_(edges[q + 1], t)
        for m in range(2, min(order, k) + 1):
            edges[m].mul_(math.factorial(m))
        return edges[: order + 1]

    def _edge_adjoints(self, adjoint: Tensor, part: slice) -> Tensor:
        """Σ_α A_α W_αm through the transpose of `_derivatives`: (k + 1, columns, inputs, points)."""
        k, t = self.basis.degree, self.offset[:, part]
        result = adjoint.new_empty((k + 1, adjoint.shape[1], *t.shape))
        result[0] = adjoint[0, :, None]
        for order in range(1, min(self._order, k) + 1):
            products = [
                (adjoint[factor.channel, :, None], weight[:, part])
                for factor, weight in self._weights
                if factor.order == order
            ]
            _accumulate(products, result[order])
        filled = min(self._order, k) + 1
        for m in range(2, filled):
            result[m].mul_(math.factorial(m))
        for q in range(filled, k + 1):
            torch.mul(result[q - 1], t, out=result[q])
        for m in range(min(filled, k + 1) - 2, -1, -1):
            for q in range(m, k):
                result[q + 1].addcmul_(result[q], t)
        return result


def _accumulate(products: Iterable[tuple[Tensor, Tensor]], out: Tensor, fresh: bool = True) -> None:
    """Out = Σ a b, or out += Σ a b if not `fresh`, without an array of the products."""
    for a, b in products:
        torch.mul(a, b, out=out) if fresh else out.addcmul_(a, b)
        fresh = False
    if fresh:
        out.zero_()
