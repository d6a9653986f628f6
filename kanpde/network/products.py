"""J v and Jᵀ w for rows that are linear in a network's jet, without J.

A coefficient enters the linear outputs of its own layer, and what they do to the layers above is in their adjoints A:

    (J v)_i = Σ_layers Σ_αo A_αo(x_i) (V Φ)_αo(x_i),        Jᵀ w = the gradient with the adjoints w_i A(x_i).

So after one sweep and one reverse pass for each equation, both products are a linear map a layer: a tangent costs as
much as the values, and nothing passes through the network any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from kanpde.network.trainable import Swept, Trainable


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of some equations at the points of one sweep.

    Attributes:
        sweep: of the jet at n points.
        adjoints: `linear_adjoints` of each equation's rows.
        slopes: derivative of each equation's rows by the unknown scalars, (k, n).
        join: S (m, n), by which the values at the points make rows; None where each point has its own.
    """

    sweep: Swept
    adjoints: tuple[Sequence[Tensor], ...]
    slopes: tuple[Tensor, ...]
    join: Tensor | None = None

    @property
    def count(self) -> int:
        """Number of rows."""
        return sum(slope.shape[1] if self.join is None else len(self.join) for slope in self.slopes)

    def forward(self, direction: Sequence[Tensor], scalars: Tensor) -> Tensor:
        """J v, (rows,)."""
        tangents = self.sweep.linear_tangents(direction)
        parts = []
        for adjoints, slopes in zip(self.adjoints, self.slopes, strict=True):
            values = scalars @ slopes
            for adjoint, tangent in zip(adjoints, tangents, strict=True):
                values = values + torch.einsum("con,con->n", adjoint, tangent)
            parts.append(values if self.join is None else self.join @ values)
        return torch.cat(parts)

    def adjoint(self, weights: Tensor) -> Tensor:
        """Jᵀ w, (P + k,), from w (rows,)."""
        parts = weights.view(len(self.slopes), -1)
        pulled = parts if self.join is None else parts @ self.join
        totals = [_weighted(pulled, layer) for layer in zip(*self.adjoints, strict=True)]
        slope = _weighted(pulled, self.slopes).sum(-1)
        return torch.cat([*(part.reshape(-1) for part in self.sweep.collected(totals)), slope])


def _weighted(weights: Tensor, parts: Sequence[Tensor]) -> Tensor:
    """Σ_k w_k parts_k, with weights (equations, n) along the last axis."""
    total = weights[0] * parts[0]
    for weight, part in zip(weights[1:], parts[1:], strict=True):
        total.addcmul_(weight, part)
    return total


@dataclass(frozen=True, eq=False)
class RowProducts:
    """The products with all rows of a residual system at one θ.

    Attributes:
        residual: r(θ), (N,).
        network: whose coefficients θ begins with.
        rows: kept, or made anew each time that they are asked for.
    """

    residual: Tensor
    network: Trainable
    rows: Callable[[], Iterable[Rows]]

    def forward(self, direction: Tensor) -> Tensor:
        """J v, (N,), for v (P + k,)."""
        parts, scalars = self._apart(direction)
        return torch.cat([rows.forward(parts, scalars) for rows in self.rows()])

    def adjoint(self, weights: Tensor) -> Tensor:
        """Jᵀ w, (P + k,), for w (N,)."""
        total, start = weights.new_zeros(()), 0
        for rows in self.rows():
            total = total + rows.adjoint(weights[start : start + rows.count])
            start += rows.count
        return total

    def normal(self, direction: Tensor) -> Tensor:
        """JᵀJ v, (P + k,), in one pass over the rows."""
        parts, scalars = self._apart(direction)
        total = torch.zeros_like(direction)
        for rows in self.rows():
            total += rows.adjoint(rows.forward(parts, scalars))
        return total

    def _apart(self, direction: Tensor) -> tuple[list[Tensor], Tensor]:
        count = self.network.n_parameters
        return self.network.split(direction[:count]), direction[count:]
