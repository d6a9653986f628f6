"""SymPy expressions as programs over our own function table and as JSON-able trees; no eval, no sympify."""

from .functions import Array
from .known import Given, KnownFunction, Tabulated, derivative_order, is_evaluable, with_code
from .program import BoundProgram, Program, constant_value
from .tree import as_expression, from_tree, to_tree
from .unknowns import Eigenvalue, Parameter, UnknownField, UnknownFieldFunction

__all__ = [
    "Array",
    "BoundProgram",
    "Eigenvalue",
    "Given",
    "KnownFunction",
    "Parameter",
    "Program",
    "Tabulated",
    "UnknownField",
    "UnknownFieldFunction",
    "as_expression",
    "constant_value",
    "derivative_order",
    "from_tree",
    "is_evaluable",
    "to_tree",
    "with_code",
]
