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

from kanpde.network.trainable import LinearMaps, Trainable

BLOCK = 1 << 21  # numbers of linear outputs that are worked on at once
FEWEST_POINTS = 256  # for which a matrix product is still at full speed


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of some equations at the same points. Products take B vectors at once: tables are read once.

    Attributes:
        maps: of the network at n points.
        adjoints: `linear_adjoints` of each equation's rows.
        slopes: derivative of each equation's rows by the unknown scalars, (k, n).
        join: S (m, n), by which the values at the points make rows; None where each point has its own.
    """

    maps: LinearMaps
    adjoints: tuple[Sequence[Tensor], ...]
    slopes: tuple[Tensor, ...]
    join: Tensor | None = None

    @property
    def count(self) -> int:
        """Number of rows."""
        return sum(slope.shape[1] if self.join is None else len(self.join) for slope in self.slopes)

    def forward(self, directions: Sequence[Tensor], scalars: Tensor) -> Tensor:
        """J v, (B, rows), for v as coefficients (B, columns, features) of each layer and scalars (B, k)."""
        values = torch.stack([scalars @ slopes for slopes in self.slopes])
        for part, maps in self.maps.parts(self._points(len(scalars))):
            tangents = [t.unflatten(1, (len(scalars), -1)) for t in maps.tangents(directions)]
            for k, adjoints in enumerate(self.adjoints):
                for adjoint, tangent in zip(adjoints, tangents, strict=True):
                    _contract(adjoint[..., part], tangent, values[k, :, part])
        rows = values if self.join is None else values @ self.join.T
        return torch.cat(list(rows), dim=1)

    def adjoint(self, weights: Tensor) -> Tensor:
        """Jᵀ w, (B, P + k), from w (B, rows)."""
        parts = weights.unflatten(1, (len(self.slopes), -1)).transpose(0, 1)
        pulled = parts if self.join is None else parts @ self.join
        slope = torch.stack([w @ slopes.T for w, slopes in zip(pulled, self.slopes, strict=True)]).sum(0)
        total: list[Tensor] = []
        for part, maps in self.maps.parts(self._points(len(weights))):
            layers = zip(*self.adjoints, strict=True)
            weighted = [_weighted(pulled[..., part], [a[..., part] for a in layer]) for layer in layers]
            collected = maps.collected([each.flatten(1, 2) for each in weighted])
            total = [one + other for one, other in zip(total, collected, strict=True)] if total else collected
        return torch.cat([*(each.reshape(len(weights), -1) for each in total), slope], dim=1)

    def _points(self, vectors: int) -> int:
        """So many that the adjoints of all layers stay in the cache."""
        numbers = sum(adjoint[..., 0].numel() for adjoint in self.adjoints[0])
        return max(FEWEST_POINTS, BLOCK // (vectors * numbers))


def _contract(adjoint: Tensor, tangent: Tensor, out: Tensor) -> None:
    """Adds Σ_αo A_αo Y_αbo to out (B, n), for A (c, columns, n) and Y (c, B, columns, n), without their product."""
    for channel, changes in zip(adjoint, tangent, strict=True):
        for own, change in zip(channel, changes.transpose(0, 1), strict=True):
            out.addcmul_(own, change)


def _weighted(weights: Tensor, adjoints: Sequence[Tensor]) -> Tensor:
    """Σ_k w_k A_k, (c, B, columns, n), with weights (equations, B, n)."""
    total = weights[0, :, None] * adjoints[0][:, None]
    for weight, adjoint in zip(weights[1:], adjoints[1:], strict=True):
        total.addcmul_(weight[:, None], adjoint[:, None])
    return total


@dataclass(frozen=True, eq=False)
class RowProducts:
    """The products with all rows of a residual system at one θ, for one vector or for many at once.

    Attributes:
        residual: r(θ), (N,).
        network: whose coefficients θ begins with.
        rows: kept, or made anew each time that they are asked for.
        most: vectors that are worked on at once; memory grows with it.
    """

    residual: Tensor
    network: Trainable
    rows: Callable[[], Iterable[Rows]]
    most: int = 1

    def forward(self, directions: Tensor) -> Tensor:
        """J v, (N,) or (B, N), for v (P + k,) or (B, P + k)."""
        return self._many(directions, lambda some: torch.cat([r.forward(*self._apart(some)) for r in self.rows()], 1))

    def adjoint(self, weights: Tensor) -> Tensor:
        """Jᵀ w, (P + k,) or (B, P + k), for w (N,) or (B, N)."""
        return self._many(weights, self._adjoint)

    def normal(self, directions: Tensor) -> Tensor:
        """JᵀJ v, (P + k,) or (B, P + k), in one pass over the rows."""
        return self._many(directions, self._normal)

    def _adjoint(self, weights: Tensor) -> Tensor:
        total, start = weights.new_zeros(()), 0
        for rows in self.rows():
            total = total + rows.adjoint(weights[:, start : start + rows.count])
            start += rows.count
        return total

    def _normal(self, directions: Tensor) -> Tensor:
        parts, total = self._apart(directions), torch.zeros_like(directions)
        for rows in self.rows():
            total += rows.adjoint(rows.forward(*parts))
        return total

    def _apart(self, directions: Tensor) -> tuple[list[Tensor], Tensor]:
        """Coefficients (B, columns, features) of each layer and scalars (B, k)."""
        count = self.network.n_parameters
        parts = [self.network.split(direction[:count]) for direction in directions]
        return [torch.stack(part) for part in zip(*parts, strict=True)], directions[:, count:]

    def _many(self, vectors: Tensor, product: Callable[[Tensor], Tensor]) -> Tensor:
        if vectors.ndim == 1:
            return product(vectors[None])[0]
        return torch.cat([product(some) for some in vectors.split(self.most)])
