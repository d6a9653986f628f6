"""SymPy expressions as JSON-able trees, and back, without ever evaluating text.

A tree is a list: the name of a constructor, then its operands. Only the constructors of the tables below are ever
called, so a file cannot make us run anything.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import sympy as sp
from sympy.core.function import AppliedUndef

from ..errors import ProblemError
from .functions import SUPPORTED, unsupported
from .known import KnownFunction, known_plain, stored_given, stored_table
from .unknowns import Eigenvalue, Parameter, UnknownField, UnknownFieldFunction

Tree = list[Any]

# Bits: SymPy would take for ever over a damaged number that claims more.
LARGEST_PRECISION = 100_000

ASSUMPTIONS = ("real", "positive", "negative", "nonnegative", "nonpositive", "integer", "nonzero", "complex")


def as_expression(value: object) -> sp.Basic:
    """Return a number as SymPy holds it, and a SymPy object as it is; text is never evaluated.

    Raises:
        ProblemError: anything else.
    """
    if isinstance(value, np.generic):
        value = value.item()
    for kind, convert in _NUMBERS.items():
        if isinstance(value, kind):
            return convert(value)
    raise ProblemError(f"{value!r} is not a SymPy expression or a number; build it from sp.symbols and sp.Function.")


# bool before int: True is an int too.
_NUMBERS: dict[type, Callable[[Any], sp.Basic]] = {
    sp.Basic: lambda value: value,
    bool: lambda value: sp.true if value else sp.false,
    int: sp.Integer,
    float: sp.Float,
}

_CONSTANTS: dict[str, sp.Basic] = {
    "pi": sp.pi,
    "E": sp.E,
    "I": sp.I,
    "GoldenRatio": sp.GoldenRatio,
    "EulerGamma": sp.EulerGamma,
    "oo": sp.oo,
    "-oo": -sp.oo,
    "nan": sp.nan,
    "zoo": sp.zoo,
    "true": sp.true,
    "false": sp.false,
}
_NAMES = {constant: name for name, constant in _CONSTANTS.items()}
_CLASSES: dict[str, Callable[..., sp.Basic]] = {
    kind.__name__: kind for kind in (*SUPPORTED, sp.ITE, sp.DiracDelta, sp.Derivative, sp.Tuple)
}
_COMMUTATIVE = (sp.Add, sp.Mul, sp.Max, sp.Min, sp.And, sp.Or)


def to_tree(expression: sp.Basic) -> Tree:
    """Return the JSON-able tree of an expression; operands that commute are sorted, to make the text canonical.

    Raises:
        ProblemError: an expression outside the function table.
    """
    if expression in _NAMES:
        return ["Constant", _NAMES[expression]]
    for kind, write in _WRITERS.items():
        if isinstance(expression, kind):
            return write(expression)
    if expression.func not in _CLASSES.values():
        raise unsupported(expression)
    operands = [to_tree(a) for a in expression.args]
    if isinstance(expression, _COMMUTATIVE):
        operands.sort(key=json.dumps)
    return [expression.func.__name__, *operands]


def _write_float(number: sp.Basic) -> Tree:
    sign, mantissa, exponent, _ = cast(Any, number)._mpf_
    return ["Float", str(-int(mantissa) if sign else int(mantissa)), int(exponent), int(cast(Any, number)._prec)]


def _write_symbol(symbol: sp.Basic) -> Tree:
    name = cast(sp.Symbol, symbol).name
    return ["Symbol", name, _brief(cast(sp.Symbol, symbol).assumptions0)]


def _brief(known: dict[str, bool | None]) -> dict[str, bool | None]:
    """The assumptions that imply all others, where a few do."""
    brief: dict[str, bool | None] = {key: True for key in ASSUMPTIONS if known.get(key)}
    if known.get("real"):
        brief.pop("complex")
    same = sp.Symbol("any", **cast(Any, brief)).assumptions0 == known
    return brief if same else {k: v for k, v in known.items() if v is not None}


def _write_function(function: sp.Basic) -> Tree:
    name, known = cast(AppliedUndef, function).name, dict(cast(Any, function.func)._kwargs)
    return ["Function", name, _brief({"commutative": True, **known}) if known else {}, *map(to_tree, function.args)]


def _write_piecewise(expression: sp.Basic) -> Tree:
    return ["Piecewise", *([to_tree(value), to_tree(condition)] for value, condition in cast(Any, expression.args))]


_WRITERS: dict[type[sp.Basic], Callable[[Any], Tree]] = {
    sp.Integer: lambda n: ["Integer", str(n.p)],
    sp.Rational: lambda n: ["Rational", str(n.p), str(n.q)],
    sp.Float: _write_float,
    Eigenvalue: lambda s: ["Eigenvalue", s.name, s.near],
    Parameter: lambda s: ["Parameter", s.name, s.initial],
    sp.Symbol: _write_symbol,
    UnknownFieldFunction: lambda f: ["UnknownField", f.name, *map(to_tree, f.args)],
    AppliedUndef: _write_function,
    KnownFunction: lambda f: [*known_plain(f), *map(to_tree, f.args)],
    sp.Piecewise: _write_piecewise,
}


def from_tree(tree: Any) -> sp.Basic:
    """Return the expression of a tree.

    Raises:
        ProblemError: not a tree that `to_tree` wrote.
    """
    try:
        return _read(tree)
    except (ArithmeticError, AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise ProblemError(f"a stored expression is damaged: {str(tree)[:80]}") from error


def _read(tree: Tree) -> sp.Basic:
    name, operands = tree[0], tree[1:]
    if name in _READERS:
        return _READERS[name](*operands)
    return _CLASSES[name](*map(_read, operands))


def _read_float(mantissa: str, exponent: int, precision: int) -> sp.Basic:
    if not 0 < precision <= LARGEST_PRECISION or abs(exponent) > LARGEST_PRECISION:
        raise ValueError(f"no number: {mantissa} * 2**{exponent} with {precision} bits")
    value = int(mantissa)
    return sp.Float((int(value < 0), abs(value), exponent, abs(value).bit_length()), precision=precision)


def _read_symbol(name: str, assumptions: dict[str, bool]) -> sp.Basic:
    return sp.Symbol(str(name), **{str(key): bool(value) for key, value in assumptions.items()})


def _read_function(name: str, assumptions: dict[str, bool], *arguments: Tree) -> sp.Basic:
    known = {str(key): bool(value) for key, value in assumptions.items()}
    return cast(sp.Basic, sp.Function(str(name), **known)(*map(_read, arguments)))


def _read_piecewise(*branches: tuple[Tree, Tree]) -> sp.Basic:
    return sp.Piecewise(*((_read(value), _read(condition)) for value, condition in branches))


def _read_given(name: str, digest: str, part: str, orders: list[int], *arguments: Tree) -> sp.Basic:
    return cast(sp.Basic, stored_given(name, digest, part, orders)(*map(_read, arguments)))


def _read_table(name: str, degree: int, axes: list[str], values: str, orders: list[int], *arguments: Tree) -> sp.Basic:
    return cast(sp.Basic, stored_table(name, degree, axes, values, orders)(*map(_read, arguments)))


_READERS: dict[str, Callable[..., sp.Basic]] = {
    "Given": _read_given,
    "Tabulated": _read_table,
    "Constant": lambda name: _CONSTANTS[name],
    "Integer": lambda p: sp.Integer(int(p)),
    "Rational": lambda p, q: sp.Rational(int(p), int(q)),
    "Float": _read_float,
    "Eigenvalue": Eigenvalue,
    "Parameter": Parameter,
    "Symbol": _read_symbol,
    "Function": _read_function,
    "UnknownField": lambda name, *arguments: UnknownField(name, *cast(Any, map(_read, arguments))),
    "Piecewise": _read_piecewise,
}
