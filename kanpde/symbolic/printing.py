"""Formulas as code: functions of the coordinates, one an unknown."""

from __future__ import annotations

import keyword
from collections.abc import Sequence

import sympy as sp
from sympy.printing import numpy as numpy_printing

from kanpde.errors import ProblemError

SPECIAL = (sp.besselj, sp.erf)  # that NumPy alone has not


def short(expression: sp.Expr) -> sp.Expr:
    """With seven digits, and without factors of one."""
    shorter = {n: sp.Float(n, 7) for n in expression.atoms(sp.Float)}
    return expression.xreplace({n: sp.Integer(round(s)) if s in (1, -1, 0) else s for n, s in shorter.items()})


def numpy_code(pairs: Sequence[tuple[sp.Expr, sp.Expr]]) -> str:
    """Functions of the coordinates for NumPy, with SciPy where special functions need it."""
    special = any(e.has(*SPECIAL) for _, e in pairs)
    lines = ["import numpy as np", *(["import scipy.special"] if special else [])]
    settings = {"fully_qualified_modules": True}
    printer = numpy_printing.SciPyPrinter(settings) if special else numpy_printing.NumPyPrinter(settings)
    for unknown, expression in pairs:
        plain = {x: sp.Symbol(f"{x}_") for x in unknown.args if keyword.iskeyword(str(x))}
        names = ", ".join(str(plain.get(x, x)) for x in unknown.args)
        body = (
            printer.doprint(expression.xreplace(plain)).replace("numpy.", "np.").replace("scipy.constants.pi", "np.pi")
        )
        if not expression.free_symbols:
            body = f"np.full(np.broadcast({names}).shape, {body})" if len(unknown.args) > 1 else f"{body} + 0 * {names}"
        lines += ["", "", f"def {unknown.func.__name__}({names}):", f"    return {body}"]
    return "\n".join(lines) + "\n" if pairs else ""


def c_code(pairs: Sequence[tuple[sp.Expr, sp.Expr]]) -> str:
    """Functions of the coordinates in C99.

    Raises:
        ProblemError: a complex formula, or a function that C's library has not.
    """
    lines = ["#include <math.h>"]
    for unknown, expression in pairs:
        if sp.im(expression) != 0:
            raise ProblemError(f"{unknown.func.__name__} is complex; C code is written for real formulas")
        names = ", ".join(f"double {name}" for name in unknown.args)
        digits = {n: sp.Float(n, 17) for n in expression.atoms(sp.NumberSymbol)}  # C99 itself has no macro for pi
        try:
            body = sp.ccode(expression.xreplace(digits), standard="c99", strict=True)
        except NotImplementedError as error:
            raise ProblemError(f"{unknown.func.__name__} has no C code: {error}; use 'numpy'") from error
        lines += ["", f"double {unknown.func.__name__}({names})", "{", f"    return {body};", "}"]
    return "\n".join(lines) + "\n" if pairs else ""


PRINTERS = {"numpy": numpy_code, "c": c_code}
