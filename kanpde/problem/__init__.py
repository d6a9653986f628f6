"""Problems: a domain, equations and conditions, compiled, validated and signed."""

from .conditions import CompiledCondition, Condition, Context, Dirichlet, Initial, Neumann, Periodic, Robin
from .problem import Problem
from .tree import problem_from_tree, problem_to_tree

__all__ = [
    "CompiledCondition",
    "Condition",
    "Context",
    "Dirichlet",
    "Initial",
    "Neumann",
    "Periodic",
    "Problem",
    "Robin",
    "problem_from_tree",
    "problem_to_tree",
]
