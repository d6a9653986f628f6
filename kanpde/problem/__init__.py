"""Problems: a domain, equations and conditions, compiled, validated and signed."""

from .conditions import (
    CompiledCondition,
    Condition,
    Dirichlet,
    Initial,
    Integral,
    Neumann,
    Observations,
    Periodic,
    Robin,
)
from .context import Context
from .fields import Fields, complex_unknown
from .measurements import Data
from .problem import NormalForms, Problem
from .tree import problem_from_tree, problem_to_tree

__all__ = [
    "CompiledCondition",
    "Condition",
    "Context",
    "Data",
    "Dirichlet",
    "Fields",
    "Initial",
    "Integral",
    "Neumann",
    "NormalForms",
    "Observations",
    "Periodic",
    "Problem",
    "Robin",
    "complex_unknown",
    "problem_from_tree",
    "problem_to_tree",
]
