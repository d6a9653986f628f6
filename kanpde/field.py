"""Fields: anything that yields jets. A network, a SymPy expression, and g + b N, which keeps conditions exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import numpy as np
import sympy as sp
import torch
from torch import Tensor

from kanpde.expression import Program
from kanpde.jet import product, product_adjoint
from kanpde.multiindex import Channel, Collapsed, DerivativeSet, unit


class Field(Protocol):
    """A map from points to unknowns that knows its derivatives."""

    def jet(self, points: Tensor, derivatives: DerivativeSet) -> Tensor:
        """All channels at points (n, d): (c, unknowns, n)."""
        ...


@dataclass(frozen=True)
class SymbolicField:
    """Expressions of the coordinates, one an unknown; derivatives are taken by SymPy and evaluated in float64.

    Args:
        coordinates: d symbols.
        expressions: one SymPy expression an unknown.
    """

    coordinates: tuple[sp.Symbol, ...]
    expressions: tuple[sp.Expr, ...]

    def jet(self, points: Tensor, derivatives: DerivativeSet) -> Tensor:
        """All channels at points (n, d): (c, unknowns, n)."""
        columns = list(points.detach().cpu().numpy().astype(float).T)
        values = np.stack(_program(self, derivatives)(columns, np))
        shaped = values.reshape(len(derivatives), len(self.expressions), len(points))
        return torch.as_tensor(shaped, dtype=points.dtype, device=points.device)

    def values(self, points: np.ndarray) -> np.ndarray:
        """The expressions at points (n, d): (n, len(expressions))."""
        columns = list(np.asarray(points, dtype=float).T)
        return np.stack(Program.compile(self.expressions, self.coordinates)(columns, np), axis=1)

    @property
    def is_zero(self) -> bool:
        """Whether every expression is the number zero."""
        return all(expression == 0 for expression in self.expressions)

    @property
    def is_one(self) -> bool:
        """Whether every expression is the number one."""
        return all(expression == 1 for expression in self.expressions)


@cache
def _program(field: SymbolicField, derivatives: DerivativeSet) -> Program:
    """One program for all channels of all unknowns, channel first."""
    outputs = [
        differentiated(expression, field.coordinates, channel)
        for channel in derivatives.channels
        for expression in field.expressions
    ]
    return Program.compile(outputs, field.coordinates)


def differentiated(expression: sp.Expr, coordinates: Sequence[sp.Symbol], channel: Channel) -> sp.Expr:
    """D^α of an expression, or the weighted sum of second derivatives of a collapsed channel."""
    if isinstance(channel, Collapsed):
        d = len(coordinates)
        return sp.Add(
            *(channel.weights[a] * differentiated(expression, coordinates, unit(a, d, 2)) for a in channel.axes)
        )
    for symbol, times in zip(coordinates, channel, strict=True):
        expression = sp.diff(expression, symbol, times) if times else expression
    return expression


@dataclass(frozen=True)
class Ansatz:
    """u = g + b N: whatever the network N is, u keeps the conditions that g satisfies where b vanishes.

    Attributes:
        lift: g, one expression an unknown; zero where nothing is imposed.
        factor: b, one expression an unknown; one where nothing is imposed.
        imposed: which conditions of the problem are kept exactly, by position.
        features: what the network is a function of, by default the coordinates.
        clusterings: steep places, where collocation points are drawn together.
    """

    lift: SymbolicField
    factor: SymbolicField
    imposed: tuple[int, ...] = ()
    features: SymbolicField | None = None
    clusterings: tuple[Any, ...] = ()

    @property
    def trivial(self) -> bool:
        """Whether u = N."""
        return self.lift.is_zero and self.factor.is_one

    def prepare(self, network: Any, points: Tensor, derivatives: DerivativeSet) -> Any:
        """What the network can compute at fixed points (n, d) before its coefficients are known."""
        inputs = None if self.features is None else self.features.jet(points, derivatives)
        return network.prepare(points, derivatives, inputs)

    def frame(self, points: Tensor, derivatives: DerivativeSet) -> Frame:
        """The jets of g and b at fixed points (n, d), computed once."""
        if self.trivial:
            return Frame(derivatives, None, None)
        return Frame(derivatives, self.lift.jet(points, derivatives), self.factor.jet(points, derivatives))


@dataclass(frozen=True, eq=False)
class Frame:
    """The jets of g and b at some points, (c, unknowns, n) each, or None for u = N."""

    derivatives: DerivativeSet
    lift: Tensor | None
    factor: Tensor | None

    def constrain(self, network: Tensor) -> Tensor:
        """The jet of u = g + b N from that of N."""
        if self.lift is None or self.factor is None:
            return network
        return self.lift + product(self.factor, network, self.derivatives)

    def adjoint(self, adjoint: Tensor) -> Tensor:
        """The adjoint of N's jet from that of u's."""
        if self.factor is None:
            return adjoint
        return product_adjoint(adjoint, self.factor, self.derivatives)
