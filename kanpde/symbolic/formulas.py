"""Formulas with free numbers as an ansatz: their jets, and the derivatives of these by the numbers, are SymPy's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
import sympy as sp
import torch
from torch import Tensor

from kanpde.expression import Program
from kanpde.field import differentiated
from kanpde.multiindex import DerivativeSet
from kanpde.symbolic.parametric import Parametric, ParametricSweep

Expressions = tuple[sp.Expr, ...]
Symbols = tuple[sp.Symbol, ...]


def freed(expressions: Sequence[sp.Expr]) -> tuple[Expressions, Symbols, tuple[float, ...]]:
    """Every floating-point number becomes a symbol: the expressions, the symbols, their values.

    Numbers that agree in all digits are one: the same function with the same numbers stands in many terms.
    """
    values: dict[float, sp.Symbol] = {}

    def named(expression: sp.Expr) -> sp.Expr:
        if isinstance(expression, sp.Float):
            return values.setdefault(float(expression), _symbol(len(values)))
        if not expression.args:
            return expression
        return expression.func(*map(named, expression.args))

    found = tuple(named(expression) for expression in expressions)
    return found, tuple(values.values()), tuple(values)


def _symbol(k: int) -> sp.Symbol:
    return sp.Symbol(f"kappa_{k}", real=True)


class FormulaNetwork(Parametric):
    """Expressions in which some symbols are numbers to be found.

    Args:
        expressions: one an unknown, of the coordinates and the symbols.
        coordinates: in their order.
        symbols: of the numbers.
        values: where they start.
    """

    def __init__(
        self,
        expressions: Sequence[sp.Expr],
        coordinates: Sequence[sp.Symbol],
        symbols: Sequence[sp.Symbol],
        values: Sequence[float],
    ) -> None:
        self.expressions = tuple(expressions)
        self.coordinates = tuple(coordinates)
        self.symbols = tuple(symbols)
        super().__init__(len(coordinates), len(expressions), [torch.tensor(values, dtype=torch.float64)])

    def written(self, exact: Mapping[sp.Symbol, sp.Expr] | None = None) -> Expressions:
        """The expressions with the numbers of θ, or with what is given in their place."""
        numbers = {s: sp.Float(float(v), 15) for s, v in zip(self.symbols, self.theta, strict=True)}
        return tuple(e.xreplace(numbers | dict(exact or {})) for e in self.expressions)

    def values(self, points: np.ndarray) -> np.ndarray:
        """(n, outputs) at points (n, d)."""
        derivatives = DerivativeSet.closure(self.inputs, [(0,) * self.inputs])
        return self.sweep(torch.as_tensor(points), derivatives, reverse=False).output[0].T.numpy()

    def sweep(
        self,
        prepared: Tensor,
        derivatives: DerivativeSet,
        coefficients: Sequence[Tensor] | None = None,
        reverse: bool = True,
    ) -> ParametricSweep:
        """The jet at points (n, d), and its derivatives by the numbers."""
        numbers = self.theta if coefficients is None else coefficients[0]
        arguments = [*prepared.T, *(number.expand(len(prepared)) for number in numbers)]
        jets, slopes = _programs(self.expressions, self.coordinates, self.symbols, derivatives)
        m, c, k = self.outputs, len(derivatives), len(self.symbols)
        output = _stacked(jets, arguments).view(c, m, -1)
        features = _stacked(slopes, arguments).view(c, m, k, -1) if reverse and k else output[:, :, None][:, :, :0]
        return ParametricSweep(output, (features,), lambda adjoint: [adjoint])


def _stacked(program: Program, arguments: Sequence[Tensor]) -> Tensor:
    return torch.stack([value.expand(len(arguments[0])) for value in program(arguments, torch)])


@cache
def _programs(
    expressions: Expressions, coordinates: Symbols, symbols: Symbols, derivatives: DerivativeSet
) -> tuple[Program, Program]:
    """D^α u channel by channel and unknown by unknown, and ∂ of each by each symbol."""
    jets = [differentiated(e, coordinates, channel) for channel in derivatives.channels for e in expressions]
    names = [*coordinates, *symbols]
    return Program.compile(jets, names), Program.compile([sp.diff(j, s) for j in jets for s in symbols], names)
