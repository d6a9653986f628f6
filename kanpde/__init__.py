"""Solve partial differential equations, written in SymPy, with Kolmogorov-Arnold networks."""

from .domain import Box, ParameterRange, Point, Time
from .operator import Normal, divergence, dot, gradient, laplacian, normal_derivative
from .problem import Condition, Dirichlet, Initial, Neumann, Periodic, Problem, Robin

__all__ = [
    "Box",
    "Condition",
    "Dirichlet",
    "Initial",
    "Neumann",
    "Normal",
    "ParameterRange",
    "Periodic",
    "Point",
    "Problem",
    "Robin",
    "Time",
    "divergence",
    "dot",
    "gradient",
    "laplacian",
    "normal_derivative",
]
