"""Differential operators as data: from a SymPy equation to F(x, n, jet, parameters) with its derivatives."""

from .compiler import PASSES, Scope, compile_operator, compile_operators, operator_of, unknowns_of
from .complexes import split_complex
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
    "compile_operators",
    "divergence",
    "dot",
    "gradient",
    "laplacian",
    "normal_derivative",
    "operator_of",
    "real_twins",
    "split_complex",
    "unknowns_of",
]
