"""An ONNX graph under construction, and programs of expressions in it.

Where ONNX Runtime has no kernel for float64, an operation is written with others. The arcs asin, acos and atan have
none, are valid ONNX all the same, and run in onnx's reference evaluator. erf is left out: no evaluator has it in more
than single precision.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kanpde.exporting.composition import Array
from kanpde.expression import Program


@dataclass(eq=False)
class Graph:
    """Grows node by node; every value has a name."""

    helper: Any
    nodes: list[Any] = field(default_factory=list)
    constants: dict[str, Array] = field(default_factory=dict)

    def op(self, kind: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """Adds an operation and returns the name of its output."""
        output = name or f"v{len(self.nodes)}"
        self.nodes.append(self.helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def constant(self, value: Any) -> str:
        """A number or an array, float64 unless it is of another type."""
        array = np.asarray(value)
        name = f"c{len(self.constants)}"
        self.constants[name] = array
        return name

    def column(self, of: str, *positions: int) -> str:
        """Columns of a matrix, (n, len(positions))."""
        return self.op("Gather", of, self.constant(np.array(positions, dtype=np.int64)), axis=1)

    def joined(self, columns: Sequence[str]) -> str:
        """Matrices side by side."""
        return columns[0] if len(columns) == 1 else self.op("Concat", *columns, axis=1)

    def times(self, a: str, value: float | Array) -> str:
        """The product with a constant."""
        return self.op("Mul", a, self.constant(value))

    def plus(self, a: str, value: float | Array) -> str:
        """The sum with a constant."""
        return self.op("Add", a, self.constant(value))


def run(graph: Graph, program: Program, places: str) -> list[str]:
    """The outputs of a program of the columns of `places` (n, d), (n, 1) each."""
    names: list[str] = []
    for node in program.nodes:
        if node.operation == "argument":
            names.append(graph.column(places, int(node.value)))
        elif node.operation == "constant":
            names.append(graph.constant(node.value))
        else:
            form, operands = FORMS[node.operation], [names[i] for i in node.operands]
            names.append(graph.op(form, *operands) if isinstance(form, str) else form(graph, *operands))
    fixed = {i: node.value for i, node in enumerate(program.nodes) if node.operation == "constant"}
    return [_spread(graph, fixed[i], places) if i in fixed else names[i] for i in program.outputs]


def _spread(graph: Graph, value: float, places: str) -> str:
    """A constant at every point, (n, 1)."""
    first = graph.column(places, 0)
    nought = graph.op("Sub", first, first)
    if isinstance(value, bool):
        return graph.op("Equal", nought, graph.constant(0.0 if value else 1.0))
    return graph.plus(nought, value)


def _heaviside(graph: Graph, a: str, at_zero: str) -> str:
    step = graph.op("Where", _greater(graph, a), graph.constant(1.0), graph.constant(0.0))
    return graph.op("Where", graph.op("Equal", a, graph.constant(0.0)), at_zero, step)


def _greater(graph: Graph, a: str) -> str:
    return graph.op("Greater", a, graph.constant(0.0))


def _remainder(graph: Graph, a: str, b: str) -> str:
    """With the sign of the divisor, as NumPy has it."""
    rest = graph.op("Mod", a, b, fmod=1)
    return graph.op("Mod", graph.op("Add", rest, b), b, fmod=1)


def _atan2(graph: Graph, y: str, x: str) -> str:
    """atan(y/x), turned by a half where x < 0, and the quarter turns where x = 0; -0 counts as 0."""
    zero = graph.constant(0.0)
    upwards = graph.op("Where", graph.op("Less", y, zero), graph.constant(-1.0), graph.constant(1.0))
    on_axis = graph.op("Equal", x, zero)
    slope = graph.op("Atan", graph.op("Div", y, graph.op("Where", on_axis, graph.constant(1.0), x)))
    behind = graph.op("Add", slope, graph.times(upwards, math.pi))
    turned = graph.op("Where", graph.op("Less", x, zero), behind, slope)
    quarter = graph.times(graph.op("Sign", y), 0.5 * math.pi)
    return graph.op("Where", on_axis, quarter, turned)


def _sinh(graph: Graph, a: str) -> str:
    return graph.times(graph.op("Sub", graph.op("Exp", a), graph.op("Exp", graph.op("Neg", a))), 0.5)


def _cosh(graph: Graph, a: str) -> str:
    return graph.times(graph.op("Add", graph.op("Exp", a), graph.op("Exp", graph.op("Neg", a))), 0.5)


def _asinh(graph: Graph, a: str) -> str:
    """sign(a) log(|a| + sqrt(a² + 1)): its absolute error is that of rounding."""
    size = graph.op("Abs", a)
    root = graph.op("Sqrt", graph.plus(graph.op("Mul", a, a), 1.0))
    return graph.op("Mul", graph.op("Sign", a), graph.op("Log", graph.op("Add", size, root)))


def _acosh(graph: Graph, a: str) -> str:
    root = graph.op("Mul", *(graph.op("Sqrt", graph.plus(a, shift)) for shift in (-1.0, 1.0)))
    return graph.op("Log", graph.op("Add", a, root))


def _atanh(graph: Graph, a: str) -> str:
    ratio = graph.op("Div", graph.plus(a, 1.0), graph.op("Sub", graph.constant(1.0), a))
    return graph.times(graph.op("Log", ratio), 0.5)


#: Operations of programs: those of ONNX by their names, others by functions that write them.
FORMS: dict[str, str | Callable[..., str]] = {
    "add": "Add",
    "subtract": "Sub",
    "multiply": "Mul",
    "divide": "Div",
    "negative": "Neg",
    "power": "Pow",
    "lt": "Less",
    "le": "LessOrEqual",
    "gt": "Greater",
    "ge": "GreaterOrEqual",
    "eq": "Equal",
    "ne": lambda graph, a, b: graph.op("Not", graph.op("Equal", a, b)),
    "where": "Where",
    "logical_and": "And",
    "logical_or": "Or",
    "logical_not": "Not",
    "maximum": "Max",
    "minimum": "Min",
    "heaviside": _heaviside,
    "remainder": _remainder,
    "atan2": _atan2,
    "tan": lambda graph, a: graph.op("Div", graph.op("Sin", a), graph.op("Cos", a)),
    "sinh": _sinh,
    "cosh": _cosh,
    "asinh": _asinh,
    "acosh": _acosh,
    "atanh": _atanh,
    **{
        name: name.capitalize() for name in ("sin", "cos", "tanh", "exp", "log", "sqrt", "abs", "sign", "floor", "ceil")
    },
    **{name: name.capitalize() for name in ("asin", "acos", "atan")},
}
