"""Waves, and equations of quantum mechanics, with closed solutions."""

from __future__ import annotations

import sympy as sp

import kanpde as kp
from benchmarks.recovery.case import Case, begun, stated, valued

x, t = sp.symbols("x t", real=True)
u = sp.Function("u")(x, t)
string = kp.Box({x: (0, sp.pi)}) * kp.Time(t, (0, 2))


def wave_string() -> Case:
    """u_tt = 9/4 u_xx on a string with fixed ends, plucked in one mode and struck in another."""
    exact = sp.cos(3 * t) * sp.sin(2 * x) + sp.Rational(2, 3) * sp.sin(sp.Rational(3, 2) * t) * sp.sin(x)
    conditions = [kp.Dirichlet(u, 0), kp.Initial(u, sp.sin(2 * x)), kp.Initial(u.diff(t), sp.sin(x))]
    equation = sp.Eq(u.diff(t, 2), sp.Rational(9, 4) * u.diff(x, 2))
    return stated("wave_string", string, equation, conditions, {u: exact}, "textbook: D. Bernoulli's modes")


def klein_gordon() -> Case:
    """u_tt - u_xx + 2 u = 0 between fixed ends, from rest."""
    exact = sp.cos(sp.sqrt(3) * t) * sp.sin(x)
    conditions = [kp.Dirichlet(u, 0), kp.Initial(u, sp.sin(x)), kp.Initial(u.diff(t), 0)]
    equation = sp.Eq(u.diff(t, 2) - u.diff(x, 2) + 2 * u, 0)
    return stated("klein_gordon", string, equation, conditions, {u: exact}, "textbook: linear Klein-Gordon equation")


def sine_gordon_kink() -> Case:
    """u_tt - u_xx + sin u = 0: the kink of speed 3/5."""
    exact = {u: 4 * sp.atan(sp.exp(sp.Rational(5, 4) * (x - sp.Rational(3, 5) * t)))}
    line = kp.Box({x: (-4, 4)}) * kp.Time(t, (0, 1))
    velocity = kp.Initial(u.diff(t), exact[u].diff(t).subs(t, 0))
    equation = sp.Eq(u.diff(t, 2) - u.diff(x, 2) + sp.sin(u), 0)
    conditions = [*valued(exact), *begun(exact, t), velocity]
    return stated("sine_gordon_kink", line, equation, conditions, exact, "Perring & Skyrme 1962", False)


def quantum_well() -> Case:
    """Solves i u_t = -u_xx / 2 in a box, from its second mode."""
    w = kp.complex_unknown("u", x, t)
    exact = (sp.cos(2 * t) - sp.I * sp.sin(2 * t)) * sp.sin(2 * x)
    conditions = [kp.Dirichlet(w, 0), kp.Initial(w, sp.sin(2 * x))]
    equation = sp.Eq(sp.I * w.diff(t), -w.diff(x, 2) / 2)
    return stated("quantum_well", string, equation, conditions, {w: exact}, "textbook: particle in a box")


def envelope_soliton() -> Case:
    """Solves i u_t + u_xx / 2 + |u|² u = 0: the bright soliton of speed 1/2."""
    w = kp.complex_unknown("u", x, t)
    phase = x / 2 + 3 * t / 8
    exact = {w: (sp.cos(phase) + sp.I * sp.sin(phase)) / sp.cosh(x - t / 2)}
    line = kp.Box({x: (-4, 4)}) * kp.Time(t, (0, 1))
    equation = sp.Eq(sp.I * w.diff(t) + w.diff(x, 2) / 2 + sp.Abs(w) ** 2 * w, 0)
    conditions = valued(exact) + begun(exact, t)
    return stated("envelope_soliton", line, equation, conditions, exact, "Zakharov & Shabat 1972", False)


WAVES = (wave_string, klein_gordon, sine_gordon_kink, quantum_well, envelope_soliton)
