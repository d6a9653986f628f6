"""Ordinary differential equations with closed solutions."""

from __future__ import annotations

import sympy as sp

import kanpde as kp
from benchmarks.recovery.case import Case, stated

t, x = sp.symbols("t x", real=True)
half, fifth, tenth = sp.Rational(1, 2), sp.Rational(1, 5), sp.Rational(1, 10)


def damped_oscillator() -> Case:
    """Solves u'' + 3/5 u' + 4 u = 0, released at rest."""
    u, span = sp.Function("u")(t), kp.Box({t: (0, 6)})
    rate, frequency = 3 * tenth, sp.sqrt(391) / 10
    exact = sp.exp(-rate * t) * (sp.cos(frequency * t) + rate / frequency * sp.sin(frequency * t))
    start = [kp.Dirichlet(u, 1, on=span.lower(t)), kp.Condition(u.diff(t), on=span.lower(t))]
    equation = sp.Eq(u.diff(t, 2) + 2 * rate * u.diff(t) + 4 * u, 0)
    return stated("damped_oscillator", span, equation, start, {u: exact}, "textbook: damped free oscillation")


def logistic() -> Case:
    """Solves u' = 3/2 u (1 - u) from 1/5."""
    u, span = sp.Function("u")(t), kp.Box({t: (0, 5)})
    exact = 1 / (1 + 4 * sp.exp(-3 * t / 2))
    equation = sp.Eq(u.diff(t), sp.Rational(3, 2) * u * (1 - u))
    return stated("logistic", span, equation, kp.Dirichlet(u, fifth, on=span.lower(t)), {u: exact}, "Verhulst 1838")


def gompertz() -> Case:
    """Solves u' = -7/10 u log u from exp(-2)."""
    u, span = sp.Function("u")(t), kp.Box({t: (0, 4)})
    exact = sp.exp(-2 * sp.exp(-7 * t / 10))
    equation = sp.Eq(u.diff(t), -7 * tenth * u * sp.log(u))
    start = kp.Dirichlet(u, sp.exp(-2), on=span.lower(t))
    return stated("gompertz", span, equation, start, {u: exact}, "Gompertz 1825")


def cauchy_euler() -> Case:
    """x² u'' - x u' + 2 u = 0 from u(1) = 1, u'(1) = 2."""
    u, span = sp.Function("u")(x), kp.Box({x: (1, 4)})
    exact = x * (sp.cos(sp.log(x)) + sp.sin(sp.log(x)))
    start = [kp.Dirichlet(u, 1, on=span.lower(x)), kp.Condition(u.diff(x) - 2, on=span.lower(x))]
    equation = sp.Eq(x**2 * u.diff(x, 2) - x * u.diff(x) + 2 * u, 0)
    return stated("cauchy_euler", span, equation, start, {u: exact}, "textbook: Cauchy-Euler equation")


def bratu() -> Case:
    """Solves u'' + λ exp(u) = 0 between zeros, on the lower branch: λ = 2 / cosh(1/2)²."""
    u, span = sp.Function("u")(x), kp.Box({x: (0, 1)})
    exact = 2 * sp.log(sp.cosh(half) / sp.cosh(x - half))
    equation = sp.Eq(u.diff(x, 2) + 2 / sp.cosh(half) ** 2 * sp.exp(u), 0)
    return stated("bratu", span, equation, kp.Dirichlet(u, 0), {u: exact}, "Bratu 1914")


def spiral() -> Case:
    """A stable focus of two linear equations, from (1, 0)."""
    u, v, span = sp.Function("u")(t), sp.Function("v")(t), kp.Box({t: (0, 4)})
    exact = {u: sp.exp(-t / 5) * sp.cos(2 * t), v: sp.exp(-t / 5) * sp.sin(2 * t)}
    equations = [sp.Eq(u.diff(t), -fifth * u - 2 * v), sp.Eq(v.diff(t), 2 * u - fifth * v)]
    start = [kp.Dirichlet(u, 1, on=span.lower(t)), kp.Dirichlet(v, 0, on=span.lower(t))]
    return stated("spiral", span, equations, start, exact, "textbook: linear system with complex eigenvalues")


def convection_layer() -> Case:
    """Solves u' - u''/10 = 1 between zeros: a layer at the outflow."""
    u, span = sp.Function("u")(x), kp.Box({x: (0, 1)})
    exact = x - (sp.exp(10 * x) - 1) / (sp.exp(10) - 1)
    equation = sp.Eq(u.diff(x) - tenth * u.diff(x, 2), 1)
    return stated("convection_layer", span, equation, kp.Dirichlet(u, 0), {u: exact}, "textbook: convection-diffusion")


ORDINARY = (damped_oscillator, logistic, gompertz, cauchy_euler, bratu, spiral, convection_layer)
