"""Edges as a matrix of features: dear to make and large, but then every linear map on them is a matrix product."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


class LinearEdges(Protocol):
    """Some inputs' functions at n points, as far as coefficients C (columns, inputs, size) meet them."""

    def mix(self, coefficients: Tensor) -> Tensor:
        """The jet of the linear outputs, (c, columns, n)."""
        ...

    def gradient(self, adjoint: Tensor) -> Tensor:
        """Adjoint of C, from that of the linear outputs (c, columns, n)."""
        ...


@dataclass(frozen=True, eq=False)
class FlatEdges:
    """The jets of all basis functions of all inputs.

    Attributes:
        features: Φ, (c, inputs, size, n).
    """

    features: Tensor

    def part(self, points: slice) -> FlatEdges:
        """The same at some of the points, without a copy."""
        return FlatEdges(self.features[..., points])

    def mix(self, coefficients: Tensor) -> Tensor:
        """Σ_il C_oil Φ_αil, one matrix product a channel."""
        return coefficients.flatten(1) @ self.features.flatten(1, 2)

    def gradient(self, adjoint: Tensor) -> Tensor:
        """Σ_α A_αo · Φ_αil, one matrix product a channel."""
        flat = self.features.flatten(1, 2)
        result = adjoint[0] @ flat[0].T
        for own, features in zip(adjoint[1:], flat[1:], strict=True):
            result.addmm_(own, features.T)
        return result.unflatten(1, self.features.shape[1:3])
