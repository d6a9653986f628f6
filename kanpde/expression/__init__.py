"""SymPy expressions as programs over our own function table and as JSON-able trees; no eval, no sympify."""

from .functions import Array
from .program import BoundProgram, Program, constant_value
from .tree import Parameter, as_expression, from_tree, to_tree

__all__ = ["Array", "BoundProgram", "Parameter", "Program", "as_expression", "constant_value", "from_tree", "to_tree"]
