"""Jets: a field's value and chosen derivatives at n points, as one tensor that passes through maps in one sweep.

A jet of w features is a tensor of shape (c, w, n), one slice per channel of a `DerivativeSet`, value first; points come
last, so that every operation streams over them. A linear map acts on every channel alike; a univariate φ by Faà di
Bruno,

    D^α φ(y) = Σ_m φ^(m)(y) W_αm,      W_αm a polynomial in the derivatives of y,

a product by Leibniz. Each rule has its adjoint beside it, so that reverse passes need no autograd.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from kanpde.multiindex import ChainTerm, Channel, DerivativeSet, unit


@dataclass(frozen=True)
class ChainFactor:
    """W_αm: what multiplies φ^(order) in one channel; `value` (w, n), or None where it is one.

    `features` are those in which it does not vanish, where that is known: all unless `narrowed` looked.
    """

    channel: int
    order: int
    terms: tuple[ChainTerm, ...]
    value: Tensor | None
    features: slice = field(default_factory=lambda: slice(None))


def chain_factors(data: Tensor, derivatives: DerivativeSet) -> tuple[ChainFactor, ...]:
    """All non-zero W_αm of a jet `data` (c, w, n)."""
    factors = []
    for channel, terms in enumerate(derivatives.chain):
        for order in sorted({term.order for term in terms}):
            group = tuple(term for term in terms if term.order == order)
            factors.append(ChainFactor(channel, order, group, _polynomial(group, data) if order else None))
    return tuple(factors)


def _polynomial(terms: Sequence[ChainTerm], data: Tensor) -> Tensor:
    if len(terms[0].factors) == 1:  # the one term of order one: a derivative of y itself
        return data[terms[0].factors[0]]
    total = torch.zeros_like(data[0])
    for term in terms:
        total.addcmul_(_monomial(term.factors[:-1], data), data[term.factors[-1]], value=term.coefficient)
    return total


def _monomial(factors: Sequence[int], data: Tensor) -> Tensor:
    product = data[factors[0]]
    for factor in factors[1:]:
        product = product * data[factor]
    return product


def narrowed(factors: Sequence[ChainFactor]) -> tuple[ChainFactor, ...]:
    """The factors with the features in which they do not vanish: of coordinates, ∂y/∂x = 0 and their Laplacians too."""
    return tuple(
        factor if factor.value is None else replace(factor, features=_support(factor.value)) for factor in factors
    )


def _support(value: Tensor) -> slice:
    present = value.any(dim=1).nonzero()[:, 0].tolist()
    return slice(present[0], present[-1] + 1) if present else slice(0, 0)


def compose(factors: Sequence[ChainFactor], tables: Tensor | Sequence[Tensor], channels: int) -> Tensor:
    """The jet of φ(y) from φ's derivatives.

    Args:
        factors: W_αm of y, values (w, n).
        tables: φ^(m)(y), shape (≥ M + 1, w, n) or (≥ M + 1, w, s, n) for s functions of every feature.
        channels: number of channels c.

    Returns:
        The jet, (c, w, n) or (c, w, s, n).
    """
    result = tables[0].new_empty((channels, *tables[0].shape))
    started = [False] * channels
    for factor in factors:
        target, table = result[factor.channel], tables[factor.order]
        weight = None if factor.value is None else _spread(factor.value, table)
        if started[factor.channel]:
            target.addcmul_(weight, table) if weight is not None else target.add_(table)
        elif weight is None:
            target.copy_(table)
        else:
            torch.mul(weight, table, out=target)
        started[factor.channel] = True
    return result


def _spread(value: Tensor, table: Tensor) -> Tensor:
    return value if value.ndim == table.ndim else value.unsqueeze(-2)


def chain_adjoint(factors: Sequence[ChainFactor], sensitivities: Sequence[Tensor | None], data: Tensor) -> Tensor:
    """Adjoint of the jet of y from the adjoints of its W_αm (what reaches the value through φ is the caller's).

    Args:
        factors: as `chain_factors` gave them for `data`.
        sensitivities: ∂L/∂W_αm, (w, n) each, in the order of `factors`; None where W is constant.
        data: the jet of y, (c, w, n).

    Returns:
        (c, w, n) adjoint of `data`.
    """
    adjoint = torch.zeros_like(data)
    for factor, sensitivity in zip(factors, sensitivities, strict=True):
        if factor.value is None or sensitivity is None:
            continue
        for term in factor.terms:
            _monomial_adjoint(term, sensitivity, data, adjoint)
    return adjoint


def _monomial_adjoint(term: ChainTerm, sensitivity: Tensor, data: Tensor, adjoint: Tensor) -> None:
    for factor in set(term.factors):
        others = list(term.factors)
        others.remove(factor)
        weight = term.coefficient * term.factors.count(factor)
        if others:
            adjoint[factor].addcmul_(sensitivity, _monomial(others, data), value=weight)
        else:
            adjoint[factor].add_(sensitivity, alpha=weight)


def pairings(factors: Sequence[ChainFactor]) -> list[tuple[int, int]]:
    """The (channel α, order m) for which `argument_adjoint` wants ∂L/∂Y_α · φ^(m): m of each W_αm, and m + 1."""
    weights = {(factor.channel, factor.order) for factor in factors if factor.value is not None}
    return sorted(weights | {(factor.channel, factor.order + 1) for factor in factors})


def argument_adjoint(factors: Sequence[ChainFactor], paired: Mapping[tuple[int, int], Tensor], data: Tensor) -> Tensor:
    """Adjoint of the jet of y with all that reaches its value through φ.

    Args:
        factors: as `chain_factors` gave them for `data` (c, w, n).
        paired: ∂L/∂Y_α φ^(m)(y), summed over the functions of a feature, (w, n), for all `pairings`.
        data: the jet of y.
    """
    sensitivities = [None if f.value is None else paired[f.channel, f.order] for f in factors]
    adjoint = chain_adjoint(factors, sensitivities, data)
    for factor in factors:
        through = paired[factor.channel, factor.order + 1]
        adjoint[0].add_(through) if factor.value is None else adjoint[0].addcmul_(through, factor.value)
    return adjoint


def product(left: Tensor, right: Tensor, derivatives: DerivativeSet) -> Tensor:
    """The jet of f g, channel by channel (c, w, n), by Leibniz' rule."""
    result = torch.zeros(torch.broadcast_shapes(left.shape, right.shape), dtype=left.dtype, device=left.device)
    for channel, terms in enumerate(derivatives.leibniz):
        for term in terms:
            result[channel].addcmul_(left[term.left], right[term.right], value=term.coefficient)
    return result


def product_adjoint(adjoint: Tensor, left: Tensor, derivatives: DerivativeSet) -> Tensor:
    """Adjoint of the jet of g from the adjoint of the jet of f g, for f = `left`; by symmetry f's with g."""
    result = torch.zeros(torch.broadcast_shapes(adjoint.shape, left.shape), dtype=left.dtype, device=left.device)
    for channel, terms in enumerate(derivatives.leibniz):
        for term in terms:
            result[term.right].addcmul_(adjoint[channel], left[term.left], value=term.coefficient)
    return result


def coordinates_jet(points: Tensor, derivatives: DerivativeSet) -> Tensor:
    """The jet of the coordinates themselves at points (n, d): values, unit gradients, nothing above; (c, d, n)."""
    n, d = points.shape
    data = points.new_zeros((len(derivatives), d, n))
    data[0] = points.T
    for axis in range(d):
        if unit(axis, d) in derivatives:
            data[derivatives.index(unit(axis, d)), axis] = 1.0
    return data


@dataclass(frozen=True)
class Jet:
    """A jet with its derivative set: `data` (c, w, n). Closed under linear maps, compositions, sums and products."""

    derivatives: DerivativeSet
    data: Tensor

    @classmethod
    def of_coordinates(cls, points: Tensor, derivatives: DerivativeSet) -> Jet:
        """The identity map's jet at points (n, d)."""
        return cls(derivatives, coordinates_jet(points, derivatives))

    def __getitem__(self, channel: Channel) -> Tensor:
        """D^α of every feature, (w, n)."""
        return self.data[self.derivatives.index(channel)]

    def linear(self, matrix: Tensor) -> Jet:
        """The jet of A y for a matrix (v, w)."""
        return Jet(self.derivatives, matrix @ self.data)

    def compose(self, tables: Tensor) -> Jet:
        """φ(y) from the derivatives φ^(m)(y), (M + 1, w, n) with M the order of the set."""
        factors = chain_factors(self.data, self.derivatives)
        return Jet(self.derivatives, compose(factors, tables, len(self.derivatives)))

    def __add__(self, other: Jet) -> Jet:
        return Jet(self.derivatives, self.data + other.data)

    def __mul__(self, other: Jet) -> Jet:
        return Jet(self.derivatives, product(self.data, other.data, self.derivatives))
