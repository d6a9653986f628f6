"""Problems: a domain, equations and conditions, compiled, validated and signed."""

from .conditions import (
    CompiledCondition,
    Condition,
    Context,
    Dirichlet,
    Initial,
    Integral,
    Neumann,
    Observations,
    Periodic,
    Robin,
)
from .fields import Fields, complex_unknown
from .measurements import Data
from .problem import Problem
from .tree import problem_from_tree, problem_to_tree

__all__ = [
    "CompiledCondition",
    "Condition",
    "Context",
    "Dirichlet",
    "Data",
    "Fields",
    "Initial",
    "Integral",
    "Neumann",
    "Observations",
    "Periodic",
    "Problem",
    "Robin",
    "complex_unknown",
    "problem_from_tree",
    "problem_to_tree",
]
