"""Formulas with free numbers as an ansatz."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
import sympy as sp
import torch
from torch import Tensor

from kanpde.jet import coordinates_jet
from kanpde.multiindex import DerivativeSet
from kanpde.symbolic.graph import Evaluation, Graph
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
        groups = [torch.tensor([value], dtype=torch.float64) for value in values]
        super().__init__(len(coordinates), len(expressions), groups)

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
        numbers = self._theta if coefficients is None else torch.cat([self._theta[:0], *coefficients])
        graph = _graph(self.expressions, self.coordinates, self.symbols)
        jets = Evaluation(graph, coordinates_jet(prepared, derivatives), numbers, derivatives, reverse)
        c, n = len(derivatives), len(prepared)
        value = prepared.new_zeros((c, 1, 1, n))
        value[0] = 1.0  # a number enters as the value of a function that is the same everywhere

        def back(adjoint: Tensor) -> list[Tensor]:
            rows = prepared.new_zeros((len(numbers), c, 1, n))
            for row, found in zip(rows, jets.adjoints(adjoint), strict=True):
                row[0, 0] = found
            return list(rows)

        return ParametricSweep(jets.output, (value,) * len(numbers), back)


@lru_cache(maxsize=256)
def _graph(expressions: Expressions, coordinates: Symbols, symbols: Symbols) -> Graph:
    return Graph.of(expressions, coordinates, symbols)
