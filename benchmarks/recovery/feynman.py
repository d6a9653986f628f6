"""Regression: the dimensionless formulas of the Feynman lectures.

The formulas are those of table 2 of Liu et al. 2024 (arXiv 2404.19756), who took them from the Feynman Symbolic
Regression Database of Udrescu & Tegmark 2020 (arXiv 1905.11481). The table gives no ranges; these keep away from
singularities and from regions where a formula is flat.
"""

from __future__ import annotations

import sympy as sp

from benchmarks.recovery.case import Case, tabled

a, b, c, d, e, f, n = sp.symbols("a b c d e f n", real=True)
angle, first, second, width = sp.symbols("theta theta1 theta2 sigma", real=True)
pi, half = sp.pi, sp.Rational(1, 2)
SOURCE = "Liu et al. 2024, table 2: Feynman "


def bell(distance: sp.Expr) -> sp.Expr:
    """The normal density."""
    return sp.exp(-(distance**2) / (2 * width**2)) / sp.sqrt(2 * pi * width**2)


FORMULAS: dict[str, tuple[sp.Expr, tuple[tuple[sp.Symbol, object, object], ...]]] = {
    "I.6.2": (bell(angle), ((angle, -1, 1), (width, half, 2))),
    "I.6.2b": (bell(angle - first), ((angle, -1, 1), (first, -1, 1), (width, half, 2))),
    "I.9.18": (
        a / ((b - 1) ** 2 + (c - d) ** 2 + (e - f) ** 2),
        ((a, 0, 1), (b, 2, 3), (c, 1, 2), (d, -1, 0), (e, 1, 2), (f, -1, 0)),
    ),
    "I.12.11": (1 + a * sp.sin(angle), ((a, -1, 1), (angle, 0, 2 * pi))),
    "I.13.12": (a * (1 / b - 1), ((a, 0, 1), (b, half, 2))),
    "I.15.3x": ((1 - a) / sp.sqrt(1 - b**2), ((a, 0, 1), (b, -sp.Rational(4, 5), sp.Rational(4, 5)))),
    "I.16.6": ((a + b) / (1 + a * b), ((a, 0, sp.Rational(4, 5)), (b, 0, sp.Rational(4, 5)))),
    "I.18.4": ((1 + a * b) / (1 + a), ((a, half, 2), (b, -1, 1))),
    "I.26.2": (sp.asin(n * sp.sin(second)), ((n, 0, sp.Rational(9, 10)), (second, 0, pi / 2))),
    "I.27.6": (1 / (1 + a * b), ((a, half, 2), (b, half, 2))),
    "I.29.16": (
        sp.sqrt(1 + a**2 - 2 * a * sp.cos(first - second)),
        ((a, 2, 3), (first, 0, pi), (second, 0, pi)),
    ),
    "I.30.3": (sp.sin(n * angle / 2) ** 2 / sp.sin(angle / 2) ** 2, ((n, 1, 3), (angle, pi / 2, 3 * pi / 2))),
    "I.30.5": (sp.asin(a / n), ((a, -1, 1), (n, sp.Rational(5, 4), 2))),
    "I.37.4": (1 + a + 2 * sp.sqrt(a) * sp.cos(angle), ((a, sp.Rational(1, 5), 1), (angle, 0, 2 * pi))),
    "I.40.1": (n * sp.exp(-a), ((n, 0, 1), (a, -1, 1))),
    "I.44.4": (n * sp.log(a), ((n, 0, 1), (a, half, 3))),
    "I.50.26": (sp.cos(a) + b * sp.cos(a) ** 2, ((a, 0, 2 * pi), (b, 0, 1))),
    "II.2.42": ((a - 1) * b, ((a, 0, 2), (b, 0, 1))),
    "II.6.15a": (c * sp.sqrt(a**2 + b**2) / (4 * pi), ((a, half, 2), (b, half, 2), (c, 0, 1))),
    "II.11.7": (n * (1 + a * sp.cos(angle)), ((n, 0, 1), (a, -1, 1), (angle, 0, 2 * pi))),
    "II.11.27": (n * a / (1 - n * a / 3), ((n, 0, 1), (a, 0, 2))),
    "II.35.18": (n / (sp.exp(a) + sp.exp(-a)), ((n, 0, 1), (a, -2, 2))),
    "II.36.38": (a + b * c, ((a, -1, 1), (b, -1, 1), (c, -1, 1))),
    "II.38.3": (a / b, ((a, 0, 1), (b, half, 2))),
    "III.9.52": (
        a * sp.sin((b - c) / 2) ** 2 / ((b - c) / 2) ** 2,
        ((a, 0, 1), (b, 3, 5), (c, -1, 1)),
    ),
    "III.10.19": (sp.sqrt(1 + a**2 + b**2), ((a, -2, 2), (b, -2, 2))),
    "III.17.37": (b * (1 + a * sp.cos(angle)), ((a, -1, 1), (b, 0, 1), (angle, 0, 2 * pi))),
}


def regression(name: str) -> Case:
    """The case of an entry of the table."""
    formula, ranges = FORMULAS[name]
    return tabled(name, SOURCE + name, formula, ranges)
