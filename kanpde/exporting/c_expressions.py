"""Programs of expressions as statements of C99: the very operations by which the solution itself is evaluated.

SymPy's own printer is not used, for the reasons that `kanpde.expression.functions` gives.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from kanpde.expression import Program
from kanpde.expression.program import Node

#: Operations as expressions of their operands; what math.h lacks is a function of HELPERS.
FORMS: dict[str, str] = {
    "add": "{} + {}",
    "subtract": "{} - {}",
    "multiply": "{} * {}",
    "divide": "{} / {}",
    "negative": "-{}",
    "power": "pow({}, {})",
    "lt": "{} < {}",
    "le": "{} <= {}",
    "gt": "{} > {}",
    "ge": "{} >= {}",
    "eq": "{} == {}",
    "ne": "{} != {}",
    "where": "{} ? {} : {}",
    "logical_and": "{} && {}",
    "logical_or": "{} || {}",
    "logical_not": "!{}",
    "abs": "fabs({})",
    "gamma": "tgamma({})",
    "gammaln": "lgamma({})",
    "heaviside": "heaviside({}, {})",
    "maximum": "larger({}, {})",
    "minimum": "smaller({}, {})",
    "remainder": "modulo({}, {})",
    "sign": "sign_of({})",
    "atan2": "atan2({}, {})",
    **{name: name + "({})" for name in ("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh")},
    **{name: name + "({})" for name in ("asinh", "acosh", "atanh", "exp", "log", "sqrt", "floor", "ceil")},
    **{name: name + "({})" for name in ("erf", "erfc")},
}

TRUTHS = {"lt", "le", "gt", "ge", "eq", "ne", "logical_and", "logical_or", "logical_not"}

#: As NumPy has them: not a number stays so, and a remainder has the sign of the divisor.
HELPERS: dict[str, str] = {
    "heaviside": """static double heaviside(double a, double at_zero)
{
    return a == 0 ? at_zero : a > 0 ? 1.0 : 0.0;
}""",
    "larger": """static double larger(double a, double b)
{
    return a > b || a != a ? a : b;
}""",
    "smaller": """static double smaller(double a, double b)
{
    return a < b || a != a ? a : b;
}""",
    "modulo": """static double modulo(double a, double b)
{
    const double rest = fmod(a, b);
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}""",
    "sign_of": """static double sign_of(double a)
{
    return a > 0 ? 1.0 : a < 0 ? -1.0 : a;
}""",
}


def number(value: float) -> str:
    """A double of C, with all its digits."""
    if math.isnan(value):
        return "NAN"
    if math.isinf(value):
        return "INFINITY" if value > 0 else "(-INFINITY)"
    text = repr(float(value))
    return f"({text})" if text.startswith("-") else text


def statements(program: Program, argument: str, targets: Sequence[str]) -> list[str]:
    """The body of a function that sets `targets` to the outputs of a program.

    Args:
        program: of operations that `FORMS` has.
        argument: an array with the arguments.
        targets: one an output, to which it is assigned.
    """
    names: list[str] = []
    lines = [f"(void){argument};"]
    truths: set[int] = set()
    for i, node in enumerate(program.nodes):
        if node.operation == "argument":
            names.append(f"{argument}[{int(node.value)}]")
        elif node.operation == "constant":
            names.append(number(node.value))
        else:
            kind = "int" if _is_truth(node, truths) else "double"
            truths |= {i} if kind == "int" else set()
            names.append(f"t{i}")
            lines.append(f"const {kind} t{i} = {FORMS[node.operation].format(*(names[j] for j in node.operands))};")
    return lines + [f"{target} = {names[i]};" for target, i in zip(targets, program.outputs, strict=True)]


def _is_truth(node: Node, truths: set[int]) -> bool:
    """Whether an operation gives a truth value; a choice does where its branches do."""
    return node.operation in TRUTHS or (node.operation == "where" and set(node.operands[1:]) <= truths)


def helpers(text: str) -> list[str]:
    """The functions of HELPERS that a text calls."""
    return [code for name, code in HELPERS.items() if f"{name}(" in text]
