"""The normal form of an equation: F(x, n, jet, parameters) with its symbolic derivatives."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import Any, cast

import numpy as np
import sympy as sp
from sympy.core.function import AppliedUndef

from ..expression import Array, KnownFunction, Parameter, Program, to_tree

MultiIndex = tuple[int, ...]

# An expanded polynomial of more operations than this is not a canonical text any more, it is a burden.
LARGEST_EXPANSION = 500
N_PROBES = 5


@dataclass(frozen=True, order=True)
class JetVariable:
    """One derivative of one unknown: D^derivative u_unknown, the multi-index over all coordinates."""

    unknown: int
    derivative: MultiIndex


class JetSymbol(sp.Symbol):
    """The real symbol that stands for a jet variable; it never equals a symbol of the user, whatever its name."""

    __slots__ = ("variable",)
    variable: JetVariable

    def __new__(cls, name: str, variable: JetVariable) -> JetSymbol:
        """Create the symbol."""
        self = cast(JetSymbol, sp.Symbol.__xnew__(cls, name, real=True))
        self.variable = variable
        return self

    def __getnewargs_ex__(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return what copy and pickle need."""
        return (self.name, self.variable), {}

    def _hashable_content(self) -> tuple[Any, ...]:
        return (*super()._hashable_content(), str(self.variable))


class NormalSymbol(sp.Symbol):
    """One component of the outward unit normal."""

    __slots__ = ()

    def __new__(cls, name: str) -> NormalSymbol:
        """Create the symbol."""
        return cast(NormalSymbol, sp.Symbol.__xnew__(cls, name, real=True))

    def __getnewargs_ex__(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return what copy and pickle need."""
        return (self.name,), {}


@dataclass(frozen=True)
class DifferentialOperator:
    """F(x, n, jet, parameters) = 0, where the jet is a sorted tuple of derivatives of the unknowns.

    Attributes:
        coordinates: x: space, time, parameters of a family.
        unknowns: the applied functions, in the order that `JetVariable.unknown` counts.
        parameters: the unknown scalars.
        normal: one symbol a space dimension if F uses the normal, else empty.
        jet: the derivatives that F depends on.
        symbols: what stands for them in `expression`, in the same order.
        expression: F.
    """

    coordinates: tuple[sp.Symbol, ...]
    unknowns: tuple[AppliedUndef, ...]
    parameters: tuple[Parameter, ...]
    normal: tuple[NormalSymbol, ...]
    jet: tuple[JetVariable, ...]
    symbols: tuple[JetSymbol, ...]
    expression: sp.Expr

    @cached_property
    def gradient(self) -> tuple[sp.Expr, ...]:
        """∂F/∂jet, one expression a jet variable; a constant is a number."""
        return tuple(self._derivative(symbol) for symbol in self.symbols)

    @cached_property
    def parameter_gradient(self) -> tuple[sp.Expr, ...]:
        """∂F/∂parameters."""
        return tuple(self._derivative(parameter) for parameter in self.parameters)

    @property
    def order(self) -> int:
        """The largest order of a derivative."""
        return max((sum(v.derivative) for v in self.jet), default=0)

    def order_of(self, unknown: int) -> int:
        """Return the largest order of a derivative of one unknown."""
        return max((sum(alpha) for alpha in self.derivatives(unknown)), default=0)

    def order_in(self, axis: int, unknown: int | None = None) -> int:
        """Return the largest number of derivatives along one coordinate, of one unknown or of all."""
        return max((v.derivative[axis] for v in self.jet if unknown in (None, v.unknown)), default=0)

    def derivatives(self, unknown: int) -> tuple[MultiIndex, ...]:
        """Return the multi-indices of one unknown that F depends on."""
        return tuple(v.derivative for v in self.jet if v.unknown == unknown)

    def linear_in(self, unknown: int) -> bool:
        """Return whether F is affine in the jet of one unknown, the others being fixed."""
        own = {s for s, v in zip(self.symbols, self.jet, strict=True) if v.unknown == unknown}
        pairs = zip(self.gradient, self.jet, strict=True)
        return not any(g.free_symbols & own for g, v in pairs if v.unknown == unknown)

    @cached_property
    def is_linear(self) -> bool:
        """Whether F is affine in the jet."""
        return not any(g.free_symbols & set(self.symbols) for g in self.gradient)

    @cached_property
    def source(self) -> sp.Expr:
        """F at a vanishing jet; for a linear operator F = source + Σ gradient · jet."""
        return cast(sp.Expr, self.expression.xreplace({s: sp.S.Zero for s in self.symbols}))

    @property
    def arguments(self) -> tuple[sp.Symbol, ...]:
        """The arguments of `program`: coordinates, normal, jet symbols, parameters."""
        return (*self.coordinates, *self.normal, *self.symbols, *self.parameters)

    @cached_property
    def program(self) -> Program:
        """(F, *gradient, *parameter_gradient) of `arguments`."""
        return Program.compile((self.expression, *self.gradient, *self.parameter_gradient), self.arguments)

    @cached_property
    def text(self) -> str:
        """Canonical text: the same in every process, whatever the order of terms."""
        jet = [[str(self.unknowns[v.unknown]), list(v.derivative), s.name] for v, s in self._pairs]
        # Assumptions about coordinates are no part of the mathematics.
        real = cast(sp.Expr, self.expression.xreplace(real_twins(self.coordinates)))
        return json.dumps([list(map(str, self.coordinates)), jet, to_tree(canonical(real))])

    def __str__(self) -> str:
        return f"{self.expression} = 0"

    def evaluate(
        self,
        points: Array,
        jet: Array,
        xp: ModuleType,
        normals: Array | None = None,
        parameters: Sequence[float] = (),
    ) -> Array:
        """Return F (n,) at points (n, d) for jet (len(jet), n), normals (n, d_space) if F uses them, and parameters."""
        columns = [*points.T, *(normals.T if self.normal and normals is not None else ())]
        scalars = [points[0, :1] * 0 + value for value in parameters]
        return self.program([*columns, *jet, *scalars], xp)[0]

    @property
    def _pairs(self) -> list[tuple[JetVariable, JetSymbol]]:
        return list(zip(self.jet, self.symbols, strict=True))

    def _derivative(self, symbol: sp.Symbol) -> sp.Expr:
        # The derivative of a step is zero almost everywhere, which is all that a Gauss-Newton step can use.
        twins = real_twins(self.coordinates)
        derivative = sp.diff(self.expression.xreplace(twins), symbol).replace(sp.DiracDelta, lambda *_: sp.S.Zero)
        form = simplified(cast(sp.Expr, derivative), set(self.symbols))
        return cast(sp.Expr, form.xreplace({twin: s for s, twin in twins.items()}))


def real_twins(symbols: Sequence[sp.Symbol]) -> dict[sp.Symbol, sp.Symbol]:
    """Return a real symbol for each symbol, itself if it is real; derivatives of Abs(x) need to know that x is real."""
    return {s: s if s.is_real else sp.Symbol(s.name, real=True) for s in symbols}


def canonical(expression: sp.Expr) -> sp.Expr:
    """Return the expanded form, unless that is out of proportion."""
    if expression.count_ops() > LARGEST_EXPANSION:
        return expression
    form = sp.expand(expression)
    return form if form.count_ops() <= LARGEST_EXPANSION else expression


def simplified(expression: sp.Expr, jet: set[JetSymbol]) -> sp.Expr:
    """Return the expression so that a constant is a number, and so that no jet symbol stays that cancels."""
    if expression.is_number:
        return expression
    form = sp.expand(expression)
    if form.is_number or len(form.free_symbols & jet) < len(expression.free_symbols & jet):
        return cast(sp.Expr, form)
    if _looks_constant(expression):
        short = sp.simplify(expression)
        return short if short.is_number else expression
    return expression


def _looks_constant(expression: sp.Expr) -> bool:
    """Compare the values at a few fixed points; SymPy's own test may search for a very long time."""
    # Known fields need not be defined outside their domain, where the probes may lie.
    if expression.has(KnownFunction):
        return False
    symbols = sorted(expression.free_symbols, key=str)
    probes = np.random.default_rng(0).uniform(0.1, 0.9, (len(symbols), N_PROBES))
    (values,) = Program.compile([expression], symbols)(list(probes), np)
    return bool(np.ptp(values) <= 1e-12 * np.abs(values).max())
