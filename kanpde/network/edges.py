"""Edges: the univariate functions between some inputs of a layer and its linear outputs, at given inputs.

    y_o = Σ_il C_oil B_l(z_i)

A layer needs four things of them, whatever the basis: the outgoing jet, and the reverse rules to the coefficients
(summed over points or not) and to the incoming jet. Learnable edges go through their curves; a fixed function, of which
a layer needs one value for all outputs, through `FeatureEdges`, which are also the slow twin of the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from kanpde.jet import ChainFactor, argument_adjoint, chain_factors, compose, narrowed, pairings
from kanpde.multiindex import DerivativeSet
from kanpde.network.basis import Basis, Joined
from kanpde.network.bspline import BSpline
from kanpde.network.curves import CurveEdges, TableCurves
from kanpde.network.flat import FlatEdges, LinearEdges
from kanpde.network.local import SplineCurves


class Edges(LinearEdges, Protocol):
    """Some inputs' functions at n points; their coefficients C are (columns, inputs, size)."""

    def jacobian(self, adjoint: Tensor, part: slice, out: Tensor) -> None:
        """The same for every point of a slice by itself, written to `out` (columns, inputs, size, points)."""
        ...

    def input_adjoint(self, coefficients: Tensor, adjoint: Tensor) -> Tensor:
        """Adjoint of the incoming jet (c, inputs, n), from that of the linear outputs (c, columns, n)."""
        ...

    def flat(self) -> LinearEdges:
        """The same for products with many C: as a matrix of features, unless these are mostly zeros."""
        ...


def edges_at(basis: Basis, data: Tensor, derivatives: DerivativeSet, reverse: bool) -> Edges:
    """The edges of a basis at an incoming jet, local wherever the basis is.

    Args:
        basis: on every edge.
        data: the incoming jet on the basis' interval, (c, inputs, n).
        derivatives: its channels.
        reverse: whether `input_adjoint` will be asked for.
    """
    factors = chain_factors(data, derivatives)
    return _edges(basis, data, factors if reverse else narrowed(factors), derivatives.order, reverse)


def _edges(basis: Basis, data: Tensor, factors: tuple[ChainFactor, ...], order: int, reverse: bool) -> Edges:
    if isinstance(basis, Joined):
        first, second = (_edges(part, data, factors, order, reverse) for part in (basis.first, basis.second))
        return JoinedEdges(first, second, basis.first.size)
    if isinstance(basis, BSpline):
        return CurveEdges(data, factors, SplineCurves.at(basis, data[0], order))
    tables = basis.tables(data[0], order + int(reverse))
    return (
        FeatureEdges(data, factors, tables)
        if basis.size == 1
        else CurveEdges(data, factors, TableCurves(tables, order))
    )


@dataclass(frozen=True, eq=False)
class FeatureEdges:
    """The jets of all basis functions of all inputs: a matrix of features for every channel.

    Args:
        data: incoming jet, (c, inputs, n).
        factors: its W_αm.
        tables: B_l^(m)(z), (orders, inputs, size, n); one order above the channels' where inputs get adjoints.
    """

    data: Tensor
    factors: tuple[ChainFactor, ...]
    tables: Tensor

    @cached_property
    def features(self) -> Tensor:
        """Φ, (c, inputs, size, n)."""
        return compose(self.factors, self.tables, len(self.data))

    def flat(self) -> FlatEdges:
        """Φ alone."""
        return FlatEdges(self.features)

    def mix(self, coefficients: Tensor) -> Tensor:
        """Through Φ."""
        return self.flat().mix(coefficients)

    def gradient(self, adjoint: Tensor) -> Tensor:
        """Through Φ."""
        return self.flat().gradient(adjoint)

    def jacobian(self, adjoint: Tensor, part: slice, out: Tensor) -> None:
        """Σ_α A_αo Φ_αil; the channels in which an input has no features are left out."""
        torch.mul(adjoint[0, :, None, None, part], self.features[0, ..., part], out=out)
        for channel in range(1, len(adjoint)):
            inputs = self._present[channel]
            out[:, inputs].addcmul_(adjoint[channel, :, None, None, part], self.features[channel, inputs, :, part])

    def input_adjoint(self, coefficients: Tensor, adjoint: Tensor) -> Tensor:
        """∂L/∂W_αm = Σ_l G_αl B_l^(m) with G = CᵀA, and the value's share Σ_αm W_αm Σ_l G_αl B_l^(m+1)."""
        back = (coefficients.flatten(1).T @ adjoint).unflatten(1, coefficients.shape[1:])
        paired = {(c, m): (back[c] * self.tables[m]).sum(1) for c, m in pairings(self.factors)}
        return argument_adjoint(self.factors, paired, self.data)

    @cached_property
    def _present(self) -> tuple[slice, ...]:
        """The inputs that have features in each channel: those of x have none in ∂/∂y."""
        ends: list[tuple[int, int]] = [(0, 0)] * len(self.data)
        for factor in self.factors:
            start, stop, _ = factor.features.indices(self.data.shape[1])
            first, last = ends[factor.channel]
            if stop > start:
                ends[factor.channel] = (start, stop) if first == last else (min(start, first), max(stop, last))
        return tuple(slice(*pair) for pair in ends)


@dataclass(frozen=True, eq=False)
class JoinedEdges:
    """Two bases on the same edges; the first has the first `size` coefficients of each."""

    first: Edges
    second: Edges
    size: int

    def mix(self, coefficients: Tensor) -> Tensor:
        """The sum of both."""
        return self.first.mix(coefficients[..., : self.size]) + self.second.mix(coefficients[..., self.size :])

    def gradient(self, adjoint: Tensor) -> Tensor:
        """Side by side."""
        return torch.cat([self.first.gradient(adjoint), self.second.gradient(adjoint)], dim=2)

    def jacobian(self, adjoint: Tensor, part: slice, out: Tensor) -> None:
        """Side by side."""
        self.first.jacobian(adjoint, part, out[:, :, : self.size])
        self.second.jacobian(adjoint, part, out[:, :, self.size :])

    def input_adjoint(self, coefficients: Tensor, adjoint: Tensor) -> Tensor:
        """The sum of both."""
        first = self.first.input_adjoint(coefficients[..., : self.size], adjoint)
        return first + self.second.input_adjoint(coefficients[..., self.size :], adjoint)

    def flat(self) -> LinearEdges:
        """As they are: where two bases share an edge one is local."""
        return self
