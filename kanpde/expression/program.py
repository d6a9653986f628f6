"""Compile SymPy expressions to programs for NumPy and torch alike.

A `Program` is one shared graph for several outputs: common sub-expressions are evaluated once, constants are folded,
and what depends on some arguments only (the coordinates, say) can be evaluated once and for all by `bind`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from types import ModuleType
from typing import cast

import numpy as np
import sympy as sp
from sympy.core.function import AppliedUndef

from ..errors import ProblemError
from .functions import FOLDED, FUNCTIONS, OPERATIONS, REWRITTEN, Array, Backend, Operation, unsupported
from .known import Known, KnownFunction
from .tree import as_expression

# Above this the repeated squaring costs more than one call of the power function.
LARGEST_SQUARED_POWER = 32


@dataclass(frozen=True)
class Node:
    """One step of a program: an operation of the table on earlier nodes, a known field, a constant, an argument."""

    operation: str
    operands: tuple[int, ...] = ()
    value: float = 0
    # The largest argument position below this node, its own for an argument; -1 for a constant.
    reach: int = -1
    # The operation itself, where the table does not have it.
    known: Known | None = None

    @property
    def function(self) -> Operation:
        """What to call."""
        return OPERATIONS[self.operation] if self.known is None else self.known


@dataclass(frozen=True, eq=False)
class Program:
    """Several expressions of the same arguments, compiled to one graph."""

    nodes: tuple[Node, ...]
    outputs: tuple[int, ...]
    n_arguments: int

    @classmethod
    def compile(cls, expressions: Sequence[sp.Basic], arguments: Sequence[sp.Symbol]) -> Program:
        """Compile `expressions` (scalar or Boolean) of `arguments`.

        Raises:
            ProblemError: a function outside the table, a symbol that is no argument, a constant that is not real.
        """
        builder = _Builder({symbol: i for i, symbol in enumerate(arguments)})
        outputs = [builder.visit(as_expression(e)) for e in expressions]
        return cls(*_pruned(builder.nodes, outputs), len(arguments))

    def __call__(self, values: Sequence[Array], xp: ModuleType) -> list[Array]:
        """Evaluate all outputs on `values`, one array an argument, floating point and broadcastable against each other.

        Every output has the common shape of the values; it may be a view of a value or a read-only broadcast.
        """
        return self.bind({}, xp)(values)

    def bind(self, known: Mapping[int, Array], xp: ModuleType) -> BoundProgram:
        """Evaluate once all that depends on the arguments at the positions `known` only; the others come later."""
        slots = _constants(self.nodes)
        slots |= _arguments(self.nodes, known)
        ready, pending = _partition(self.nodes, slots)
        _run(self.nodes, ready, slots, Backend.of(xp, list(known.values())))
        free = tuple(i for i in range(self.n_arguments) if i not in known)
        kept = {j for i in pending for j in self.nodes[i].operands} | set(self.outputs)
        slots = {i: value for i, value in slots.items() if i in kept}
        return BoundProgram(self, xp, slots, pending, free, tuple(known.values())[:1], _shape(known.values()))

    def constant(self, k: int) -> float | None:
        """Return the value of output `k` if it depends on no argument."""
        node = self.nodes[self.outputs[k]]
        return float(node.value) if node.operation == "constant" else None

    def is_zero(self, k: int) -> bool:
        """Return whether output `k` vanishes identically."""
        return self.constant(k) == 0.0


@dataclass(frozen=True, eq=False)
class BoundProgram:
    """A program some of whose arguments are fixed."""

    program: Program
    module: ModuleType
    slots: Mapping[int, Array]
    pending: tuple[int, ...]
    free: tuple[int, ...]
    sample: tuple[Array, ...]
    shape: tuple[int, ...]

    def __call__(self, values: Sequence[Array]) -> list[Array]:
        """Evaluate all outputs on the values of the remaining arguments, in their order."""
        if len(values) != len(self.free):
            raise ProblemError(f"the program takes {len(self.free)} values, {len(values)} were given.")
        backend = Backend.of(self.module, (*self.sample, *values))
        nodes, given = self.program.nodes, dict(zip(self.free, values, strict=True))
        slots = dict(self.slots)
        slots |= _arguments(nodes, given)
        _run(nodes, self.pending, slots, backend)
        shape = np.broadcast_shapes(self.shape, _shape(values))
        return [self.module.broadcast_to(backend.array(slots[i]), shape) for i in self.program.outputs]


def _shape(values: Iterable[Array]) -> tuple[int, ...]:
    return np.broadcast_shapes(*(tuple(v.shape) for v in values))


def _constants(nodes: Sequence[Node]) -> dict[int, Array]:
    return {i: node.value for i, node in enumerate(nodes) if node.operation == "constant"}


def _arguments(nodes: Sequence[Node], values: Mapping[int, Array]) -> dict[int, Array]:
    positions = {i: int(node.value) for i, node in enumerate(nodes) if node.operation == "argument"}
    return {i: values[position] for i, position in positions.items() if position in values}


def _partition(nodes: Sequence[Node], slots: Mapping[int, Array]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Split the operations into those that need only what is in `slots` and the rest."""
    known, ready, pending = set(slots), [], []
    for i, node in enumerate(nodes):
        if node.operation in ("argument", "constant"):
            continue
        if known.issuperset(node.operands):
            known.add(i)
            ready.append(i)
        else:
            pending.append(i)
    return tuple(ready), tuple(pending)


def _run(nodes: Sequence[Node], order: Iterable[int], slots: dict[int, Array], backend: Backend) -> None:
    # A branch of a Piecewise that is not taken may divide by zero; whoever uses the values checks that they are finite.
    with np.errstate(all="ignore"):
        for i in order:
            slots[i] = nodes[i].function(backend, *(slots[j] for j in nodes[i].operands))


def _pruned(nodes: Sequence[Node], outputs: Sequence[int]) -> tuple[tuple[Node, ...], tuple[int, ...]]:
    """Drop the nodes that no output needs (left over from folding) and number the others anew."""
    needed = set(outputs)
    for i in reversed(range(len(nodes))):
        if i in needed:
            needed.update(nodes[i].operands)
    number = {old: new for new, old in enumerate(sorted(needed))}
    kept = [nodes[i] for i in sorted(needed)]
    renamed = [replace(node, operands=tuple(number[j] for j in node.operands)) for node in kept]
    return tuple(renamed), tuple(number[i] for i in outputs)


def constant_value(expression: sp.Basic) -> float | bool:
    """Return the float64 nearest to an expression without symbols, or the truth value of a Boolean.

    Raises:
        ProblemError: the constant is not real.
    """
    if expression in (sp.true, sp.false):
        return bool(expression)
    if expression in (sp.nan, sp.zoo):
        return float("nan")
    value = complex(cast(sp.Expr, expression).evalf(30))
    if abs(value.imag) > 1e-25 * abs(value.real):
        raise ProblemError(
            f"the constant {expression} is not real; make two unknowns of the real and the imaginary part."
        )
    return value.real


@dataclass(eq=False)
class _Builder:
    """Grows the graph; equal nodes get equal numbers."""

    arguments: Mapping[sp.Symbol, int]
    nodes: list[Node] = field(default_factory=list)
    numbers: dict[tuple[object, ...], int] = field(default_factory=dict)
    memo: dict[sp.Basic, int] = field(default_factory=dict)

    def visit(self, expression: sp.Basic) -> int:
        """Return the node of an expression."""
        if expression not in self.memo:
            self.memo[expression] = self._build(expression)
        return self.memo[expression]

    def _build(self, expression: sp.Basic) -> int:
        if expression in self.arguments:
            position = self.arguments[cast(sp.Symbol, expression)]
            return self._node("argument", (), position, position)
        if isinstance(expression, sp.Symbol | AppliedUndef):
            raise ProblemError(f"{expression} is not one of {', '.join(map(str, self.arguments)) or 'no coordinates'}.")
        if not expression.free_symbols and not expression.atoms(AppliedUndef):
            return self._constant(expression)
        return self._operation(expression)

    def _constant(self, expression: sp.Basic) -> int:
        try:
            value = constant_value(expression)
        except (TypeError, ValueError) as error:
            raise error if isinstance(error, ProblemError) else unsupported(expression) from error
        return self._node("constant", (), value)

    def _operation(self, expression: sp.Basic) -> int:
        for kind, build in _SPECIAL.items():
            if isinstance(expression, kind):
                return build(self, expression)
        for kind, name in FOLDED.items():
            if isinstance(expression, kind):
                return self.fold(name, expression.args)
        if isinstance(expression, KnownFunction):
            return self._node("known", tuple(map(self.visit, expression.args)), known=expression.known)
        if expression.func in REWRITTEN:
            return self.visit(REWRITTEN[expression.func](*expression.args))
        if expression.func in FUNCTIONS:
            return self._node(FUNCTIONS[expression.func], tuple(map(self.visit, expression.args)))
        raise unsupported(expression)

    def _node(
        self,
        operation: str,
        operands: tuple[int, ...] = (),
        value: float | bool | int = 0,
        reach: int = -1,
        known: Known | None = None,
    ) -> int:
        # The type belongs to the key: 1 == 1.0 == True, and repr tells -0.0 from 0.0.
        key = (operation, operands, type(value), repr(value), known)
        if key not in self.numbers:
            reach = max((self.nodes[i].reach for i in operands), default=reach)
            self.nodes.append(Node(operation, operands, value, reach, known))
            self.numbers[key] = len(self.nodes) - 1
        return self.numbers[key]

    def fold(self, name: str, operands: Sequence[sp.Basic]) -> int:
        """Fold pairwise, operands of low reach first: what needs only the coordinates comes together, for `bind`."""
        nodes = sorted(map(self.visit, self._merged(name, operands)), key=lambda i: (self.nodes[i].reach, i))
        return reduce(lambda a, b: self._node(name, (a, b)), nodes)

    def _merged(self, name: str, operands: Sequence[sp.Basic]) -> list[sp.Basic]:
        """Merge the numeric operands of a sum or a product into one constant."""
        if name not in ("add", "multiply"):
            return list(operands)
        numbers = [a for a in operands if not a.free_symbols and not a.atoms(AppliedUndef)]
        others = [a for a in operands if a not in numbers]
        total = sp.Add(*numbers) if name == "add" else sp.Mul(*numbers)
        return others if not numbers else [total, *others]

    def product(self, expression: sp.Basic) -> int:
        """Write a product as numerator over denominator, to spare the rounding of the reciprocals."""
        coefficient, factors = cast(sp.Mul, expression).as_coeff_mul()
        below = [
            f for f in factors if isinstance(f, sp.Pow) and f.exp.is_number and f.exp.is_negative and f.free_symbols
        ]
        above = [f for f in factors if f not in below]
        if coefficient == -1 and above:
            numerator = self._node("negative", (self.fold("multiply", above),))
        elif coefficient == 1 and above:
            numerator = self.fold("multiply", above)
        else:
            numerator = self.fold("multiply", [coefficient, *above])
        if not below:
            return numerator
        return self._node("divide", (numerator, self.fold("multiply", [1 / f for f in below])))

    def power(self, expression: sp.Basic) -> int:
        """Small whole powers by multiplication, half powers by the square root."""
        base, exponent = cast(sp.Pow, expression).base, cast(sp.Pow, expression).exp
        if exponent.is_number and exponent.is_negative:
            return self._node("divide", (self.visit(sp.S.One), self.visit(sp.Pow(base, -exponent))))
        if exponent == sp.S.Half:
            return self._node("sqrt", (self.visit(base),))
        if isinstance(exponent, sp.Integer) and exponent <= LARGEST_SQUARED_POWER:
            return self._whole_power(self.visit(base), int(exponent))
        if base == sp.E:
            return self._node("exp", (self.visit(exponent),))
        return self._node("power", (self.visit(base), self.visit(exponent)))

    def _whole_power(self, node: int, exponent: int) -> int:
        if exponent == 1:
            return node
        half = self._whole_power(node, exponent // 2)
        square = self._node("multiply", (half, half))
        return self._node("multiply", (square, node)) if exponent % 2 else square

    def piecewise(self, expression: sp.Basic) -> int:
        """The first branch whose condition holds; not a number where none does."""
        result = self.visit(sp.nan)
        for branch in reversed(expression.args):
            value, condition = branch.args
            # Decided here: an operation on constants alone would not know the dtype of the values.
            if condition == sp.true:
                result = self.visit(value)
                continue
            result = self._node("where", (self.visit(condition), self.visit(value), result))
        return result

    def choice(self, expression: sp.Basic) -> int:
        """If-then-else."""
        return self._node("where", tuple(map(self.visit, expression.args)))


# Looked up before the tables: these need more than their operands in order.
_SPECIAL: dict[type[sp.Basic], Callable[[_Builder, sp.Basic], int]] = {
    sp.Mul: _Builder.product,
    sp.Pow: _Builder.power,
    sp.Piecewise: _Builder.piecewise,
    sp.ITE: _Builder.choice,
}
