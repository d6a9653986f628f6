"""Problems: a domain, equations and conditions, compiled, validated and signed."""

from .conditions import CompiledCondition, Condition, Dirichlet, Initial, Neumann, Periodic, Robin
from .problem import Problem

__all__ = [
    "CompiledCondition",
    "Condition",
    "Dirichlet",
    "Initial",
    "Neumann",
    "Periodic",
    "Problem",
    "Robin",
]
