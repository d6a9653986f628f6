"""The function table: which SymPy functions are supported, and what each one calls in NumPy and in torch.

An operation takes a `Backend` (the array module, dtype and device) and its operands, each an array or a Python number.
SymPy's own printers are not used: they mishandle Max, Heaviside and numeric sub-expressions, and need `exec`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import scipy.special
import sympy as sp
from sympy.functions.special.bessel import BesselBase

from ..errors import ProblemError

Array = Any
Operation = Callable[..., Array]


@dataclass(frozen=True, eq=False)
class Backend:
    """An array module (NumPy or torch) with the dtype and device that constants must take."""

    module: ModuleType
    dtype: Any
    device: Any

    @classmethod
    def of(cls, module: ModuleType, values: Any) -> "Backend":
        """Return the backend of the first array of `values`; integers are promoted to floating point."""
        if len(values) == 0:
            return cls(module, module.float64, "cpu")
        promoted = values[0].reshape(-1)[:0] * 1.0
        return cls(module, promoted.dtype, values[0].device)

    def array(self, value: Array) -> Array:
        """Return `value` as an array: torch.where of two Python floats would fall back to float32."""
        if isinstance(value, bool):
            return self.module.full((), value, dtype=self.module.bool, device=self.device)
        if isinstance(value, float):
            return self.module.full((), value, dtype=self.dtype, device=self.device)
        return value


def _elementary(name: str) -> Operation:
    return lambda backend, a: getattr(backend.module, name)(a)


def _binary(name: str) -> Operation:
    return lambda backend, a, b: getattr(backend.module, name)(backend.array(a), backend.array(b))


def _special(name: str) -> Operation:
    """Return a function that SciPy and torch.special share; torch can differentiate it."""

    def operation(backend: Backend, a: Array) -> Array:
        return getattr(scipy.special if backend.module is np else backend.module.special, name)(a)

    return operation


def _scipy(name: str) -> Operation:
    """Return a function that only SciPy has; under torch its argument must not require a gradient."""
    function = getattr(scipy.special, name)
    return lambda backend, *operands: through_numpy(backend, name, function, operands)


def through_numpy(backend: Backend, name: str, function: Callable[..., Any], operands: Sequence[Array]) -> Array:
    """Apply a function of NumPy arrays and numbers.

    Raises:
        ProblemError: a gradient would get lost.
    """
    if backend.module is np:
        return function(*operands)
    if any(not isinstance(a, float) and a.requires_grad for a in operands):
        raise ProblemError(f"torch cannot differentiate {name}; use it on coordinates only.")
    arrays = [a if isinstance(a, float) else a.detach().cpu().numpy() for a in operands]
    return backend.module.as_tensor(function(*arrays), dtype=backend.dtype, device=backend.device)


def _where(backend: Backend, condition: Array, a: Array, b: Array) -> Array:
    return backend.module.where(backend.array(condition), backend.array(a), backend.array(b))


def _heaviside(backend: Backend, a: Array, at_zero: Array) -> Array:
    return _where(backend, a == 0, backend.array(at_zero), _where(backend, a > 0, 1.0, 0.0))


OPERATIONS: dict[str, Operation] = {
    "add": lambda _, a, b: a + b,
    "subtract": lambda _, a, b: a - b,
    "multiply": lambda _, a, b: a * b,
    "divide": lambda _, a, b: a / b,
    "negative": lambda _, a: -a,
    "power": lambda _, a, b: a**b,
    "lt": lambda _, a, b: a < b,
    "le": lambda _, a, b: a <= b,
    "gt": lambda _, a, b: a > b,
    "ge": lambda _, a, b: a >= b,
    "eq": lambda _, a, b: a == b,
    "ne": lambda _, a, b: a != b,
    "where": _where,
    "heaviside": _heaviside,
    "polygamma": _scipy("polygamma"),
    **{name: _binary(name) for name in ("maximum", "minimum", "atan2", "remainder", "logical_and", "logical_or")},
    **{name: _elementary(name) for name in ("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh")},
    **{name: _elementary(name) for name in ("asinh", "acosh", "atanh", "exp", "log", "sqrt", "abs", "sign")},
    **{name: _elementary(name) for name in ("floor", "ceil", "logical_not")},
    **{name: _special(name) for name in ("erf", "erfc", "gammaln")},
    **{name: _scipy(name) for name in ("gamma", "jv", "yv", "iv", "kv")},
}

#: Functions whose operands are just the operands of the operation.
FUNCTIONS: dict[type[sp.Basic], str] = {
    sp.sin: "sin",
    sp.cos: "cos",
    sp.tan: "tan",
    sp.asin: "asin",
    sp.acos: "acos",
    sp.atan: "atan",
    sp.atan2: "atan2",
    sp.sinh: "sinh",
    sp.cosh: "cosh",
    sp.tanh: "tanh",
    sp.asinh: "asinh",
    sp.acosh: "acosh",
    sp.atanh: "atanh",
    sp.exp: "exp",
    sp.log: "log",
    sp.Abs: "abs",
    sp.sign: "sign",
    sp.floor: "floor",
    sp.ceiling: "ceil",
    sp.Mod: "remainder",
    sp.erf: "erf",
    sp.erfc: "erfc",
    sp.gamma: "gamma",
    sp.loggamma: "gammaln",
    sp.polygamma: "polygamma",
    sp.besselj: "jv",
    sp.bessely: "yv",
    sp.besseli: "iv",
    sp.besselk: "kv",
    sp.Heaviside: "heaviside",
    sp.StrictLessThan: "lt",
    sp.LessThan: "le",
    sp.StrictGreaterThan: "gt",
    sp.GreaterThan: "ge",
    sp.Equality: "eq",
    sp.Unequality: "ne",
    sp.Not: "logical_not",
}

#: Functions folded pairwise over any number of operands.
FOLDED: dict[type[sp.Basic], str] = {
    sp.Add: "add",
    sp.Max: "maximum",
    sp.Min: "minimum",
    sp.And: "logical_and",
    sp.Or: "logical_or",
}

#: Functions written with those above.
REWRITTEN: dict[type[sp.Basic], Callable[..., sp.Expr]] = {
    sp.cot: lambda a: sp.cos(a) / sp.sin(a),
    sp.sec: lambda a: 1 / sp.cos(a),
    sp.csc: lambda a: 1 / sp.sin(a),
    sp.coth: lambda a: sp.cosh(a) / sp.sinh(a),
    sp.sech: lambda a: 1 / sp.cosh(a),
    sp.csch: lambda a: 1 / sp.sinh(a),
    sp.acot: lambda a: sp.atan(1 / a),
    sp.asec: lambda a: sp.acos(1 / a),
    sp.acsc: lambda a: sp.asin(1 / a),
    sp.sinc: lambda a: sp.Piecewise((sp.sin(a) / a, sp.Ne(a, 0)), (1, True)),
    sp.frac: lambda a: a - sp.floor(a),
}

SUPPORTED = (*FUNCTIONS, *FOLDED, *REWRITTEN, sp.Mul, sp.Pow, sp.Piecewise)


def unsupported(expression: sp.Basic) -> ProblemError:
    """Return the error for an expression that is not in the table."""
    name = type(expression).__name__ if not isinstance(expression, BesselBase) else expression.func.__name__
    return ProblemError(
        f"the function {name} in {expression} is not supported; "
        "rewrite it with elementary functions, erf, gamma, Bessel functions, Piecewise, Max, Min, Abs or Heaviside."
    )
