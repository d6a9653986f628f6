"""Real and imaginary parts of equations whose unknowns are complex, node by node, without expanding anything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any, cast

import sympy as sp
from sympy.functions.elementary.complexes import arg as argument

from ..errors import ProblemError
from .differential import real_twins

Pair = tuple[sp.Expr, sp.Expr]

# Without one of these an expression of real symbols is real, or undefined as a real number: log(x) of a negative x.
MARKS = (sp.I, sp.conjugate, sp.re, sp.im, sp.Abs, sp.sign, argument, sp.hankel1, sp.hankel2)
LARGEST_POWER = 32


def split_complex(expression: sp.Expr, coordinates: Sequence[sp.Symbol]) -> Pair:
    """Real and imaginary part of an expression; its symbols are real, whatever is assumed about them.

    Raises:
        ProblemError: a function whose real and imaginary part are not known.
    """
    twins = real_twins(coordinates)
    parts = _Splitter().visit(cast(sp.Expr, expression.xreplace(twins)))
    back = {twin: s for s, twin in twins.items()}
    return cast(sp.Expr, parts[0].xreplace(back)), cast(sp.Expr, parts[1].xreplace(back))


class _Splitter:
    """One walk over an expression, bottom up; equal nodes are visited once."""

    def __init__(self) -> None:
        self.known: dict[sp.Basic, Pair] = {}

    def visit(self, expression: sp.Expr) -> Pair:
        """Return the parts of an expression."""
        if expression not in self.known:
            self.known[expression] = self._parts(expression)
        return self.known[expression]

    def _parts(self, expression: sp.Expr) -> Pair:
        if expression is sp.I:
            return sp.S.Zero, sp.S.One
        if not expression.has(*MARKS):
            return expression, sp.S.Zero
        for kind, method in _METHODS.items():
            if isinstance(expression, kind):
                return method(self, expression)
        pairs = [self.visit(cast(sp.Expr, a)) for a in expression.args]
        if all(im == 0 for _, im in pairs):
            return cast(sp.Expr, expression.func(*(re for re, _ in pairs))), sp.S.Zero
        raise ProblemError(
            f"the real and the imaginary part of {expression} are not known; write it with exp, sin, cos and powers."
        )

    def sum(self, expression: sp.Expr) -> Pair:
        """The sums of the parts."""
        pairs = [self.visit(cast(sp.Expr, a)) for a in expression.args]
        return sp.Add(*(re for re, _ in pairs)), sp.Add(*(im for _, im in pairs))

    def product(self, expression: sp.Expr) -> Pair:
        """What is real first, so that it stays a factor."""
        pairs = [self.visit(cast(sp.Expr, a)) for a in expression.args]
        scale = sp.Mul(*(re for re, im in pairs if im == 0))
        re, im = reduce(_times, (p for p in pairs if p[1] != 0), (sp.S.One, sp.S.Zero))
        return scale * re, scale * im

    def power(self, expression: sp.Expr) -> Pair:
        """Whole powers by multiplication, others through modulus and argument."""
        node = cast(Any, expression)
        if node.exp.is_Integer and abs(node.exp) <= LARGEST_POWER:
            return self._whole(node.base, int(node.exp))
        base, (p, q) = self.visit(node.base), self.visit(node.exp)
        if base[1] == 0 and q == 0:
            return base[0] ** p, sp.S.Zero
        if base[1] == 0:
            size, turn = base[0] ** p, q * sp.log(base[0])
        else:
            log, angle = sp.log(_square(base)) / 2, sp.atan2(base[1], base[0])
            size, turn = _square(base) ** (p / 2) * sp.exp(-q * angle), p * angle + q * log
        return size * sp.cos(turn), size * sp.sin(turn)

    def _whole(self, base: sp.Expr, exponent: int) -> Pair:
        pair = self.visit(base)
        if pair[1] == 0:
            return pair[0] ** exponent, sp.S.Zero
        power = reduce(_times, [pair] * abs(exponent))
        if exponent > 0:
            return power
        size = _square(pair) ** abs(exponent)
        return power[0] / size, -power[1] / size

    def exp(self, expression: sp.Expr) -> Pair:
        """A wave with an amplitude."""
        re, im = self.visit(cast(sp.Expr, expression.args[0]))
        return sp.exp(re) * sp.cos(im), sp.exp(re) * sp.sin(im)

    def log(self, expression: sp.Expr) -> Pair:
        """The principal branch."""
        pair = self.visit(cast(sp.Expr, expression.args[0]))
        if pair[1] == 0:
            return sp.log(pair[0]), sp.S.Zero
        return sp.log(_square(pair)) / 2, sp.atan2(pair[1], pair[0])

    def wave(self, expression: sp.Expr) -> Pair:
        """Sine, cosine and their hyperbolic sisters: f(a + ib) by the addition theorem."""
        re, im = self.visit(cast(sp.Expr, expression.args[0]))
        return _WAVES[type(expression)](re, im)

    def ratio(self, expression: sp.Expr) -> Pair:
        """Tangents as ratios."""
        above, below = (kind(expression.args[0]) for kind in _RATIOS[type(expression)])
        if self.visit(cast(sp.Expr, expression.args[0]))[1] == 0:
            return cast(sp.Expr, type(expression)(self.visit(cast(sp.Expr, expression.args[0]))[0])), sp.S.Zero
        return _times(self.visit(above), self._whole(below, -1))

    def conjugated(self, expression: sp.Expr) -> Pair:
        """The other sign of the imaginary part."""
        re, im = self.visit(cast(sp.Expr, expression.args[0]))
        return re, -im

    def real(self, expression: sp.Expr) -> Pair:
        """The real part."""
        return self.visit(cast(sp.Expr, expression.args[0]))[0], sp.S.Zero

    def imaginary(self, expression: sp.Expr) -> Pair:
        """The imaginary part."""
        return self.visit(cast(sp.Expr, expression.args[0]))[1], sp.S.Zero

    def modulus(self, expression: sp.Expr) -> Pair:
        """The absolute value."""
        pair = self.visit(cast(sp.Expr, expression.args[0]))
        return (sp.Abs(pair[0]) if pair[1] == 0 else sp.sqrt(_square(pair))), sp.S.Zero

    def sign(self, expression: sp.Expr) -> Pair:
        """A number over its modulus."""
        pair = self.visit(cast(sp.Expr, expression.args[0]))
        if pair[1] == 0:
            return sp.sign(pair[0]), sp.S.Zero
        size = sp.sqrt(_square(pair))
        return pair[0] / size, pair[1] / size

    def angle(self, expression: sp.Expr) -> Pair:
        """The argument of a number."""
        re, im = self.visit(cast(sp.Expr, expression.args[0]))
        return sp.atan2(im, re), sp.S.Zero

    def branches(self, expression: sp.Expr) -> Pair:
        """Branch by branch."""
        pairs = [(self.visit(value), condition) for value, condition in cast(Any, expression.args)]
        re, im = (sp.Piecewise(*((pair[k], c) for pair, c in pairs)) for k in (0, 1))
        return re, im

    def hankel(self, expression: sp.Expr) -> Pair:
        """J + iY and J - iY of a real argument."""
        order, (re, im) = expression.args[0], self.visit(cast(sp.Expr, expression.args[1]))
        if im != 0:
            raise ProblemError(f"{expression} has a complex argument; Bessel functions take real ones.")
        sign = 1 if isinstance(expression, sp.hankel1) else -1
        return sp.besselj(order, re), sign * sp.bessely(order, re)


def _times(a: Pair, b: Pair) -> Pair:
    return a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]


def _square(pair: Pair) -> sp.Expr:
    return pair[0] ** 2 + pair[1] ** 2


_WAVES: dict[type, Callable[[sp.Expr, sp.Expr], Pair]] = {
    sp.sin: lambda a, b: (sp.sin(a) * sp.cosh(b), sp.cos(a) * sp.sinh(b)),
    sp.cos: lambda a, b: (sp.cos(a) * sp.cosh(b), -sp.sin(a) * sp.sinh(b)),
    sp.sinh: lambda a, b: (sp.sinh(a) * sp.cos(b), sp.cosh(a) * sp.sin(b)),
    sp.cosh: lambda a, b: (sp.cosh(a) * sp.cos(b), sp.sinh(a) * sp.sin(b)),
}
_RATIOS: dict[type, tuple[Any, Any]] = {sp.tan: (sp.sin, sp.cos), sp.tanh: (sp.sinh, sp.cosh)}

_METHODS: dict[Any, Callable[[_Splitter, sp.Expr], Pair]] = {
    sp.Add: _Splitter.sum,
    sp.Mul: _Splitter.product,
    sp.Pow: _Splitter.power,
    sp.exp: _Splitter.exp,
    sp.log: _Splitter.log,
    tuple(_WAVES): _Splitter.wave,
    tuple(_RATIOS): _Splitter.ratio,
    sp.conjugate: _Splitter.conjugated,
    sp.re: _Splitter.real,
    sp.im: _Splitter.imaginary,
    sp.Abs: _Splitter.modulus,
    sp.sign: _Splitter.sign,
    argument: _Splitter.angle,
    sp.Piecewise: _Splitter.branches,
    (sp.hankel1, sp.hankel2): _Splitter.hankel,
}
