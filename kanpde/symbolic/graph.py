"""Expressions as graphs of jets: values and derivatives by rules, not by differentiating the expression.

The derivatives of order four of a sum of twenty products, and those by each of its numbers, are thousands of terms for
SymPy and a few hundred products of arrays here. Reverse rules lead from the jet of an expression to its numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import sympy as sp
import torch
from torch import Tensor

from kanpde.errors import ProblemError
from kanpde.jet import argument_adjoint, chain_factors, compose, pairings, product, product_adjoint
from kanpde.multiindex import DerivativeSet
from kanpde.symbolic.library import ARGUMENT
from kanpde.symbolic.tree import Written

Adjoints = dict[int, Tensor]


@dataclass(frozen=True)
class Step:
    """One operation: what it is, the steps that it takes, and what else it needs.

    Attributes:
        kind: "coordinate", "number" (free), "constant", "sum", "product" or "function".
        operands: positions of earlier steps.
        index: of a coordinate or of a free number.
        value: of a constant.
        function: of `ARGUMENT`.
    """

    kind: str
    operands: tuple[int, ...] = ()
    index: int = 0
    value: float = 0.0
    function: sp.Expr = sp.S.Zero


@dataclass(frozen=True)
class Graph:
    """Expressions in common steps.

    Attributes:
        steps: each after those that it takes.
        outputs: positions of the expressions.
    """

    steps: tuple[Step, ...]
    outputs: tuple[int, ...]

    @classmethod
    def of(cls, expressions: Sequence[sp.Expr], coordinates: Sequence[sp.Symbol], free: Sequence[sp.Symbol]) -> Graph:
        """The graph of some expressions of the coordinates and of free numbers.

        Raises:
            ProblemError: something in them is no sum, product, power or function of one argument.
        """
        builder = _Builder(coordinates, free)
        outputs = tuple(builder.visit(expression) for expression in expressions)
        return cls(tuple(builder.steps), outputs)


class _Builder:
    def __init__(self, coordinates: Sequence[sp.Symbol], free: Sequence[sp.Symbol]) -> None:
        self.steps: list[Step] = []
        self.known: dict[sp.Expr, int] = {}
        self.symbols: Mapping[sp.Symbol, Step] = {
            **{x: Step("coordinate", index=k) for k, x in enumerate(coordinates)},
            **{s: Step("number", index=k) for k, s in enumerate(free)},
        }

    def visit(self, expression: sp.Expr) -> int:
        if expression not in self.known:
            step = self._step(expression)
            self.steps.append(step)
            self.known[expression] = len(self.steps) - 1
        return self.known[expression]

    def _step(self, expression: sp.Expr) -> Step:
        if expression in self.symbols:
            return self.symbols[expression]
        if expression.is_number:
            return Step("constant", value=_real(expression))
        if expression.is_Add or expression.is_Mul:
            kind = "sum" if expression.is_Add else "product"
            return Step(kind, tuple(self.visit(part) for part in expression.args))
        if expression.is_Pow:
            return self._power(*expression.as_base_exp())
        *first, last = expression.args or (sp.S.Zero,)
        if not isinstance(expression, sp.Function) or not all(part.is_number for part in first):
            raise ProblemError(f"{expression} is no sum, product, power or function of one argument")
        return Step("function", (self.visit(last),), function=expression.func(*first, ARGUMENT))

    def _power(self, base: sp.Expr, exponent: sp.Expr) -> Step:
        if exponent.is_number:
            return Step("function", (self.visit(base),), function=ARGUMENT**exponent)
        return Step("function", (self.visit(exponent * sp.log(base)),), function=sp.exp(ARGUMENT))


def _real(expression: sp.Expr) -> float:
    value = complex(expression.evalf())
    if value.imag:
        raise ProblemError(f"{expression} is no real number")
    return value.real


@dataclass(frozen=True, eq=False)
class _Node:
    """A jet (c, 1, n), or (1, 1, 1) where nothing depends on the coordinates, and its reverse rule."""

    data: Tensor
    back: Callable[[Tensor], list[Tensor]]

    @property
    def flat(self) -> bool:
        """Whether it is the same everywhere."""
        return self.data.shape[-1] == 1 and len(self.data) == 1


class Evaluation:
    """The jets of a graph at some points, and the way back.

    Args:
        graph: the expressions.
        inputs: the jet of the coordinates, (c, d, n).
        numbers: the free ones, (k,).
        derivatives: the channels.
        reverse: whether there is to be a way back.
    """

    def __init__(
        self, graph: Graph, inputs: Tensor, numbers: Tensor, derivatives: DerivativeSet, reverse: bool
    ) -> None:
        self.graph, self.inputs, self.numbers = graph, inputs, numbers
        self.derivatives, self.order = derivatives, derivatives.order + int(reverse)
        self.nodes: list[_Node] = []
        for step in graph.steps:
            self.nodes.append(self._node(step))

    @property
    def output(self) -> Tensor:
        """The jets of the expressions, (c, m, n)."""
        return torch.cat([self._whole(self.nodes[k].data) for k in self.graph.outputs], dim=1)

    def adjoints(self, adjoint: Tensor) -> list[Tensor]:
        """Of the free numbers at each point, (n,) each, from that of the output (c, m, n)."""
        found: Adjoints = {}
        for k, position in enumerate(self.graph.outputs):
            self._add(found, position, adjoint[:, k : k + 1])
        for position in range(len(self.nodes) - 1, -1, -1):
            step = self.graph.steps[position]
            if position in found and step.operands:
                for operand, part in zip(step.operands, self.nodes[position].back(found[position]), strict=True):
                    self._add(found, operand, part)
        places = {step.index: k for k, step in enumerate(self.graph.steps) if step.kind == "number"}
        nothing = torch.zeros_like(adjoint[0, 0])
        return [found[places[k]][0, 0] if places.get(k) in found else nothing for k in range(len(self.numbers))]

    def _add(self, found: Adjoints, position: int, part: Tensor) -> None:
        found[position] = found[position] + part if position in found else part

    def _whole(self, data: Tensor) -> Tensor:
        """A jet with all its channels and points."""
        if data.shape[-1] == self.inputs.shape[-1] and len(data) == len(self.inputs):
            return data
        whole = self.inputs.new_zeros((len(self.inputs), 1, self.inputs.shape[-1]))
        whole[0] = data[0]
        return whole

    def _node(self, step: Step) -> _Node:
        operands = [self.nodes[k] for k in step.operands]
        if step.kind == "coordinate":
            return _Node(self.inputs[:, step.index : step.index + 1], lambda _: [])
        if step.kind == "number":
            return _Node(self.numbers[step.index].view(1, 1, 1), lambda _: [])
        if step.kind == "constant":
            return _Node(self.inputs.new_tensor(step.value).view(1, 1, 1), lambda _: [])
        if step.kind == "sum":
            return self._sum(operands)
        if step.kind == "product":
            return self._product(operands)
        return self._function(operands[0], Written(step.function, ()))

    def _sum(self, operands: Sequence[_Node]) -> _Node:
        if all(node.flat for node in operands):
            return _Node(torch.stack([node.data for node in operands]).sum(0), lambda a: [a] * len(operands))
        whole = torch.stack([self._whole(node.data) for node in operands]).sum(0)
        return _Node(whole, lambda adjoint: [adjoint] * len(operands))

    def _product(self, operands: Sequence[_Node]) -> _Node:
        total = operands[0].data
        for node in operands[1:]:
            total = self._times(total, node.data)

        def back(adjoint: Tensor) -> list[Tensor]:
            parts = []
            for k in range(len(operands)):
                part = adjoint
                for other in (*operands[:k], *operands[k + 1 :]):
                    part = self._times_adjoint(part, other.data)
                parts.append(part)
            return parts

        return _Node(total, back)

    def _times(self, left: Tensor, right: Tensor) -> Tensor:
        if len(left) == 1 or len(right) == 1:  # one channel: a number, or all that is asked for
            return left * right
        return product(left, right, self.derivatives)

    def _times_adjoint(self, adjoint: Tensor, other: Tensor) -> Tensor:
        """The adjoint of what was multiplied by `other`."""
        return adjoint * other if len(other) == 1 else product_adjoint(adjoint, other, self.derivatives)

    def _function(self, inner: _Node, curve: Written) -> _Node:
        nothing = self.numbers[:0]
        if inner.flat:
            tables = curve.tables(nothing, inner.data[0, 0], 1)
            return _Node(tables[0].view(1, 1, 1), lambda adjoint: [adjoint * tables[1]])
        factors = chain_factors(inner.data, self.derivatives)
        tables = curve.tables(nothing, inner.data[0, 0], self.order)[:, None]

        def back(adjoint: Tensor) -> list[Tensor]:
            paired = {(channel, m): adjoint[channel] * tables[m] for channel, m in pairings(factors)}
            return [argument_adjoint(factors, paired, inner.data)]

        return _Node(compose(factors, tables, len(self.derivatives)), back)
