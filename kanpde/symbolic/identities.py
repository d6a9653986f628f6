"""Whether an expression vanishes identically, decided where it is a rational function of exponentials and roots.

Sines, hyperbolic functions and their kin are exponentials. Each exponential is a power of few that are independent,
each root a symbol with one relation; the numerator over the common denominator is then a polynomial, and it vanishes
exactly if all its coefficients do. Logarithms, arcs and other functions count as independent of everything else.
"""

from __future__ import annotations

import math

import sympy as sp

OSCILLATING = (sp.sin, sp.cos, sp.tan, sp.cot, sp.sec, sp.csc)
HYPERBOLIC = (sp.sinh, sp.cosh, sp.tanh, sp.coth, sp.sech, sp.csch)


SMOOTH = (sp.exp, sp.sin, sp.cos, sp.sinh, sp.cosh, sp.tanh, sp.atan, sp.asinh, sp.erf)  # on the whole line


def is_identity(expression: sp.Expr) -> bool:
    """Whether it is zero by these rules; False says nothing."""
    plain = expression.replace(lambda e: isinstance(e, sp.atan), _turned)
    return bool(_as_polynomial(_in_exponentials(plain)) == 0) or _by_derivatives(plain)


def _turned(arc: sp.Expr) -> sp.Expr:
    """The arc of exp(−w) as π/2 less that of exp(w), so that one of them is left; both are above zero for a real w."""
    (argument,) = arc.args
    if isinstance(argument, sp.exp) and argument.args[0].is_real and argument.args[0].could_extract_minus_sign():
        return sp.pi / 2 - sp.atan(sp.exp(-argument.args[0]))
    return arc


def _by_derivatives(expression: sp.Expr) -> bool:
    """Whether it is smooth everywhere, has no slopes and vanishes at the origin: atan(exp z) + atan(exp −z) − π/2."""
    if not expression.has(sp.atan, sp.asinh, sp.erf) or not _is_smooth(expression):
        return False
    symbols = sorted(expression.free_symbols, key=str)
    if sp.simplify(expression.subs(dict.fromkeys(symbols, 0), simultaneous=True)) != 0:
        return False
    return all(_as_polynomial(_in_exponentials(sp.diff(expression, symbol))) == 0 for symbol in symbols)


def _is_smooth(expression: sp.Expr) -> bool:
    """Whether all its parts are smooth for all real arguments."""
    if expression.is_Pow and expression.func != sp.exp:
        base, exponent = expression.as_base_exp()
        return bool(base.is_number or (exponent.is_Integer and exponent > 0 and _is_smooth(base)))
    known = not expression.args or expression.is_Add or expression.is_Mul or expression.func in SMOOTH
    return known and all(map(_is_smooth, expression.args))


def _in_exponentials(expression: sp.Expr) -> sp.Expr:
    """With exponentials whose exponents are one term each, multiplied out."""
    whole = expression.rewrite([*OSCILLATING, *HYPERBOLIC], sp.exp)
    return whole.replace(sp.exp, lambda argument: sp.Mul(*[sp.exp(t) for t in sp.Add.make_args(sp.expand(argument))]))


def _as_polynomial(expression: sp.Expr) -> sp.Expr:
    """The numerator over the common denominator, multiplied out, in independent symbols."""
    rational = _without_roots(_without_exponentials(expression))
    numerator, _ = sp.fraction(sp.together(rational[0]))
    return _reduced(sp.expand(numerator), rational[1])


def _without_exponentials(expression: sp.Expr) -> sp.Expr:
    """Every exp(p/q m) as a power of a symbol for exp(m/Q)."""
    exponents: dict[sp.Expr, list[sp.Rational]] = {}
    for exponential in expression.atoms(sp.exp):
        number, rest = exponential.args[0].as_coeff_Mul(rational=True)
        exponents.setdefault(rest, []).append(sp.Rational(number))
    replacements: dict[sp.Expr, sp.Expr] = {}
    for k, (rest, numbers) in enumerate(exponents.items()):
        below = math.lcm(*[int(number.q) for number in numbers])
        symbol = sp.Dummy(f"exp_{k}", positive=True) if rest.is_real else sp.Dummy(f"exp_{k}", zero=False)
        replacements |= {sp.exp(number * rest): symbol ** int(number * below) for number in numbers}
    return expression.xreplace(replacements)


def _without_roots(expression: sp.Expr) -> tuple[sp.Expr, dict[sp.Symbol, tuple[sp.Expr, int]]]:
    """Every b^(p/q) of a base that is no number as a power of a symbol, with the relations symbol^q = b."""
    relations: dict[sp.Symbol, tuple[sp.Expr, int]] = {}
    known: dict[tuple[sp.Expr, int], sp.Symbol] = {}

    def named(base: sp.Expr, exponent: sp.Expr) -> sp.Expr:
        if base.is_number or not exponent.is_Rational or exponent.is_Integer:
            return sp.Pow(base, exponent)
        above, below = sp.fraction(sp.together(base))
        if above.is_number and not below.is_number:  # (c/b)^e as (b/c)^(-e): one root for both
            base, exponent = below / above, -exponent
        key = (sp.factor(sp.expand(base)), int(exponent.q))
        symbol = known.setdefault(key, sp.Dummy(f"root_{len(known)}"))
        relations[symbol] = key
        return symbol ** int(exponent.p)

    found = expression.replace(lambda e: e.is_Pow, lambda e: named(*e.as_base_exp()))
    return found, relations


def _reduced(polynomial: sp.Expr, relations: dict[sp.Symbol, tuple[sp.Expr, int]]) -> sp.Expr:
    """With no power of a root as high as its order."""
    for symbol, (base, order) in relations.items():
        terms = sp.Poly(polynomial, symbol).terms() if polynomial.is_polynomial(symbol) else []
        parts = [c * base ** (power // order) * symbol ** (power % order) for (power,), c in terms]
        numerator, _ = sp.fraction(sp.together(sp.Add(*parts))) if terms else (polynomial, 1)
        polynomial = sp.expand(numerator)
    return polynomial
