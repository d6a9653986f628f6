"""Differential operators as data: from a SymPy equation to F(x, n, jet, parameters) with its derivatives."""

from .compiler import PASSES, Scope, compile_operator, operator_of, unknowns_of
from .differential import DifferentialOperator, JetSymbol, JetVariable, NormalSymbol, real_twins
from .vector import Normal, VectorOperator, divergence, dot, gradient, laplacian, normal_derivative

__all__ = [
    "PASSES",
    "DifferentialOperator",
    "JetSymbol",
    "JetVariable",
    "Normal",
    "NormalSymbol",
    "Scope",
    "VectorOperator",
    "compile_operator",
    "divergence",
    "dot",
    "gradient",
    "laplacian",
    "normal_derivative",
    "operator_of",
    "real_twins",
    "unknowns_of",
]
