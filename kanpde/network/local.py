"""Splines by local evaluation: the cost of an edge does not grow with its number of intervals.

On interval s an edge is a polynomial in t = z − x_s. Its Taylor coefficients there make a small table,

    P_q[o, i, s] = φ_oi^(q)(x_s)/q! = Σ_l T_ql[s] C[o, i, s + l],      q, l ≤ k,

from which one gather brings the k + 1 numbers of every (edge, point). A Taylor shift in place (Horner's scheme,
repeated) turns them into φ^(m)(z)/m!. The gradient of the coefficients takes the same road backwards: the transposed
shift, scatter_add, the transposed table. Nothing but the tables knows how many intervals there are.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from kanpde.network.bspline import BSpline, local_matrices
from kanpde.network.curves import Evaluation


@dataclass(frozen=True, eq=False)
class SplineCurves:
    """B-splines at given arguments; `kanpde.network.curves.Curves` says what its methods mean.

    Args:
        basis: on every edge.
        order: of the jet.
        spans: interval s of every point, (inputs, n).
        offset: t = z − x_s, (inputs, n).
        matrices: T, (k + 1, k + 1, G), or with one interval for all where all are equal.
    """

    basis: BSpline
    order: int
    spans: Tensor
    offset: Tensor
    matrices: Tensor

    @classmethod
    def at(cls, basis: BSpline, z: Tensor, order: int) -> SplineCurves:
        """Looks up the intervals of z (inputs, n)."""
        spans, local, inverse = basis.spans(z)
        slopes = inverse[0, :1] if basis.uniform else 1.0 / torch.as_tensor(basis.breakpoints()).to(z).diff()
        powers = torch.arange(basis.degree + 1, device=z.device)[:, None, None]
        matrices = torch.as_tensor(local_matrices(basis)).to(z).permute(2, 1, 0) * slopes**powers
        return cls(basis, order, spans, local / inverse, matrices)

    @property
    def room(self) -> int:
        """As many as there are Taylor coefficients."""
        return self.basis.degree + 1

    def evaluation(self, coefficients: Tensor) -> Evaluation:
        """By `_derivatives` of the table."""
        table = self._table(coefficients)
        return lambda rows, part, order: self._derivatives(table[:, rows], part, order)

    def gradient(self, columns: int, adjoints: Iterable[tuple[slice, slice, Tensor]]) -> Tensor:
        """Back to the table, then to C."""
        table = self.matrices.new_zeros((self.room, columns, len(self.spans), self.basis.intervals))
        for rows, part, z in adjoints:
            self._to_taylor(z, part)
            table[:, rows].scatter_add_(-1, self.spans[:, part].expand_as(z), z)
        return self._table_adjoint(table)

    def jacobian(self, adjoints: Tensor, part: slice, out: Tensor) -> None:
        """The k + 1 living functions, put where they live."""
        out.zero_()
        first = self.spans[:, None, part]
        alive = first + torch.arange(self.room, device=first.device)[:, None]
        values = adjoints[0, :, :, None] * self._living[0][..., part]
        for z, living in zip(adjoints[1:], self._living[1:], strict=False):
            values.addcmul_(z[:, :, None], living[..., part])
        out.scatter_(2, alive.expand_as(values), values)

    def dense(self) -> None:
        """Of the functions only k + 1 are alive at a point."""
        return

    @cached_property
    def _living(self) -> tuple[Tensor, ...]:
        """B^(m)(z) of the functions alive at each point, (inputs, k + 1, n): the curves that have C = identity."""
        table = self.matrices[:, :, None].expand(-1, -1, len(self.spans), self.basis.intervals)
        curves = self._derivatives(table, slice(None), self.order)
        return tuple(curve.transpose(0, 1) for curve in curves)

    def _table(self, coefficients: Tensor) -> Tensor:
        """P, (k + 1, columns, inputs, G), of C (columns, inputs, size)."""
        intervals = self.basis.intervals
        table = self.matrices[:, 0, None, None] * coefficients[..., :intervals]
        for shift in range(1, self.room):
            table.addcmul_(self.matrices[:, shift, None, None], coefficients[..., shift : shift + intervals])
        return table

    def _table_adjoint(self, table: Tensor) -> Tensor:
        """The transpose of `_table`."""
        intervals = self.basis.intervals
        result = table.new_zeros((*table.shape[1:3], self.basis.size))
        for shift in range(self.room):
            result[..., shift : shift + intervals] += (self.matrices[:, shift, None, None] * table).sum(0)
        return result

    def _derivatives(self, table: Tensor, part: slice, order: int) -> tuple[Tensor, ...]:
        """φ^(m)(z) for m ≤ min(order, k), (columns, inputs, points) each."""
        k, t = self.basis.degree, self.offset[:, part]
        curves = table.gather(-1, self.spans[:, part].expand(*table.shape[:3], -1)).unbind(0)
        for m in range(min(order + 1, k)):
            for q in range(k - 1, m - 1, -1):
                curves[q].addcmul_(curves[q + 1], t)
        for m in range(2, min(order, k) + 1):
            curves[m].mul_(math.factorial(m))
        return curves[: order + 1]

    def _to_taylor(self, z: Tensor, part: slice) -> None:
        """The transpose of `_derivatives` up to its gather, in place; of z (k + 1, ...) the rows m ≤ order are read."""
        k, t = self.basis.degree, self.offset[:, part]
        filled = min(self.order, k) + 1
        for m in range(2, filled):
            z[m].mul_(math.factorial(m))
        for q in range(filled, k + 1):
            torch.mul(z[q - 1], t, out=z[q])
        for m in range(min(filled, k + 1) - 2, -1, -1):
            for q in range(m, k):
                z[q + 1].addcmul_(z[q], t)
