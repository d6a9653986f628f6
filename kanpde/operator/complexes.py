"""Real and imaginary parts of equations whose unknowns are complex."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import sympy as sp

from .differential import JetSymbol, real_twins


def split_complex(expression: sp.Expr, coordinates: Sequence[sp.Symbol]) -> tuple[sp.Expr, sp.Expr]:
    """Real and imaginary part of an expression of real coordinates, jet symbols and unknown scalars.

    An expression that is affine in the jet is split coefficient by coefficient, which stays short; any other as a whole.
    """
    twins = real_twins(coordinates)
    real = cast(sp.Expr, expression.xreplace(twins))
    if not real.has(sp.I, sp.conjugate, sp.re, sp.im, sp.Abs) and real.is_real is not False:
        return expression, sp.S.Zero
    real = _plain(real)
    jet = sorted((s for s in real.free_symbols if isinstance(s, JetSymbol)), key=lambda s: s.variable)
    slopes = [sp.diff(real, s) for s in jet]
    if jet and not any(slope.free_symbols & set(jet) for slope in slopes):
        rest = real.xreplace({s: sp.S.Zero for s in jet})
        terms = [(sp.S.One, rest), *zip(jet, slopes, strict=True)]
        pairs = [(s, _parts(slope)) for s, slope in terms]
        parts = tuple(sp.Add(*(s * pair[k] for s, pair in pairs)) for k in (0, 1))
    else:
        parts = _parts(sp.expand(real))
    back = {twin: s for s, twin in twins.items()}
    return cast(sp.Expr, parts[0].xreplace(back)), cast(sp.Expr, parts[1].xreplace(back))


def _plain(expression: sp.Expr) -> sp.Expr:
    """Absolute values of complex expressions as square roots; conjugates, real and imaginary parts carried out."""

    def magnitude(z: sp.Expr) -> sp.Expr:
        re, im = _parts(sp.expand(z))
        return sp.Abs(re) if im == 0 else sp.sqrt(re**2 + im**2)

    def conjugated(z: sp.Expr) -> sp.Expr:
        re, im = _parts(sp.expand(z))
        return re - sp.I * im

    def wave(z: sp.Expr) -> sp.Expr:
        if not z.has(sp.I):
            return sp.exp(z)
        re, im = _parts(sp.expand(z))
        return sp.exp(re) * (sp.cos(im) + sp.I * sp.sin(im))

    result = expression.replace(sp.exp, wave).replace(sp.Abs, magnitude).replace(sp.conjugate, conjugated)
    result = result.replace(sp.re, lambda z: _parts(sp.expand(z))[0])
    return cast(sp.Expr, result.replace(sp.im, lambda z: _parts(sp.expand(z))[1]))


def _parts(expression: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    re, im = expression.as_real_imag()
    if re.has(sp.re, sp.im) or im.has(sp.re, sp.im):
        re, im = expression.expand(complex=True).as_real_imag()
    return re, im
