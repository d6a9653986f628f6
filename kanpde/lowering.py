"""From a normal form to channels: which derivatives a network must carry for an equation, and F in terms of them.

`lower` is a list of passes over one operator. The last decides on collapsed channels: where F sees the pure second
derivatives of an unknown only through one weighted sum, that sum travels as a single channel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import sympy as sp

from kanpde.expression import Program
from kanpde.multiindex import Channel, Collapsed, DerivativeSet
from kanpde.operator import DifferentialOperator


@dataclass(frozen=True)
class Lowered:
    """F(x, n, channels, κ) with its derivatives, ready for a residual.

    Attributes:
        operator: where it comes from.
        channels: (unknown, channel) of each argument.
        symbols: their stand-ins in `expression`.
        expression: F.
    """

    operator: DifferentialOperator
    channels: tuple[tuple[int, Channel], ...]
    symbols: tuple[sp.Symbol, ...]
    expression: sp.Expr

    @cached_property
    def gradient(self) -> tuple[sp.Expr, ...]:
        """∂F/∂channel."""
        return tuple(sp.diff(self.expression, symbol) for symbol in self.symbols)

    @cached_property
    def parameter_gradient(self) -> tuple[sp.Expr, ...]:
        """∂F/∂κ, one for each unknown scalar of the operator."""
        return tuple(sp.diff(self.expression, parameter) for parameter in self.operator.parameters)

    @cached_property
    def program(self) -> Program:
        """(F, *gradient, *parameter_gradient) of coordinates, normal, channels, unknown scalars."""
        arguments = (*self.operator.coordinates, *self.operator.normal, *self.symbols, *self.operator.parameters)
        return Program.compile((self.expression, *self.gradient, *self.parameter_gradient), arguments)


@lru_cache(maxsize=128)  # a user's own loop lowers the same operators in every iteration
def lower(operator: DifferentialOperator, collapse: bool = True) -> Lowered:
    """All passes: take the jet as it is, then merge second derivatives unknown by unknown."""
    lowered = _as_is(operator)
    for unknown in range(len(operator.unknowns) if collapse else 0):
        lowered = _collapsed(lowered, unknown)
    return lowered


def _as_is(operator: DifferentialOperator) -> Lowered:
    channels = tuple((v.unknown, v.derivative) for v in operator.jet)
    return Lowered(operator, channels, tuple(operator.symbols), operator.expression)


def _collapsed(lowered: Lowered, unknown: int) -> Lowered:
    """Replaces D_ii u by (Λ − Σ_{j≠i} w_j D_jj u)/w_i; where the others cancel, F sees the sum Λ alone."""
    pure = {_axis(channel): k for k, (o, channel) in enumerate(lowered.channels) if o == unknown and _is_pure(channel)}
    weights = _ratios(lowered, pure) if len(pure) > 1 else None
    if weights is None or _needed_below(lowered, unknown, pure):
        return lowered
    axes = sorted(pure)
    symbol = sp.Dummy(f"collapsed_{unknown}", real=True)
    others = sp.Add(*(weights[a] * lowered.symbols[pure[a]] for a in axes[1:]))
    replaced = lowered.expression.xreplace({lowered.symbols[pure[axes[0]]]: (symbol - others) / weights[axes[0]]})
    expression = sp.expand(replaced)
    if expression.free_symbols & {lowered.symbols[k] for k in pure.values()}:
        return lowered
    kept = [k for k in range(len(lowered.channels)) if k not in pure.values()]
    d = len(lowered.operator.coordinates)
    channel = Collapsed(tuple(float(weights.get(axis, 0)) for axis in range(d)))
    channels = (*(lowered.channels[k] for k in kept), (unknown, channel))
    return Lowered(lowered.operator, channels, (*(lowered.symbols[k] for k in kept), symbol), expression)


def _is_pure(channel: Channel) -> bool:
    return not isinstance(channel, Collapsed) and sum(channel) == 2 and max(channel) == 2


def _axis(channel: Channel) -> int:
    return -1 if isinstance(channel, Collapsed) or not channel else max(range(len(channel)), key=channel.__getitem__)


def _needed_below(lowered: Lowered, unknown: int, pure: dict[int, int]) -> bool:
    """Whether a higher derivative of the unknown would bring the single second derivatives back anyway."""
    others = [c for o, c in lowered.channels if o == unknown and not isinstance(c, Collapsed) and sum(c) > 2]
    return any(c[axis] >= 2 for c in others for axis in pure)


def _ratios(lowered: Lowered, pure: dict[int, int]) -> dict[int, sp.Expr] | None:
    """w_i with ∂F/∂(D_ii u) = w_i · (something common), all w_i numbers; None if there are none."""
    axes = sorted(pure)
    first = lowered.gradient[pure[axes[0]]]
    ratios = {axis: sp.simplify(lowered.gradient[pure[axis]] / first) for axis in axes}
    return ratios if all(r.is_number and r.is_real and r != 0 for r in ratios.values()) else None


def derivative_set(equations: Sequence[Lowered]) -> DerivativeSet:
    """The closed set of channels that some equations at the same points need together."""
    d = len(equations[0].operator.coordinates)
    return DerivativeSet.closure(d, [channel for lowered in equations for _, channel in lowered.channels])
