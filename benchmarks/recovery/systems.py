"""Systems of partial differential equations with closed solutions."""

from __future__ import annotations

import sympy as sp

import kanpde as kp
from benchmarks.recovery.case import Case, begun, stated, valued

x, y, t = sp.symbols("x y t", real=True)
tenth = sp.Rational(1, 10)


def vortex_decay() -> Case:
    """The Navier-Stokes equations with ν = 1/10: a decaying vortex of Taylor and Green."""
    p, u, v = (sp.Function(name)(x, y, t) for name in "puv")
    decay = sp.exp(-2 * tenth * t)
    exact = {u: sp.cos(x) * sp.sin(y) * decay, v: -sp.sin(x) * sp.cos(y) * decay}
    pressure = -(sp.cos(2 * x) + sp.cos(2 * y)) * decay**2 / 4
    equations = [
        sp.Eq(u.diff(t) + u * u.diff(x) + v * u.diff(y), tenth * kp.laplacian(u) - p.diff(x)),
        sp.Eq(v.diff(t) + u * v.diff(x) + v * v.diff(y), tenth * kp.laplacian(v) - p.diff(y)),
        sp.Eq(u.diff(x) + v.diff(y), 0),
    ]
    cell = kp.Box({x: (0, sp.pi), y: (0, sp.pi)}) * kp.Time(t, (0, 1))
    conditions = [kp.Integral(p, 0), *valued(exact), *begun(exact, t)]
    source = "Taylor & Green 1937"
    return stated("vortex_decay", cell, equations, conditions, {p: pressure, **exact}, source, False)


def creeping_flow() -> Case:
    """The Stokes equations: the flow of the stream function y exp(x) cos y."""
    p, u, v = (sp.Function(name)(x, y) for name in "puv")
    exact = {u: sp.exp(x) * (sp.cos(y) - y * sp.sin(y)), v: -y * sp.exp(x) * sp.cos(y)}
    equations = [
        sp.Eq(kp.laplacian(u), p.diff(x)),
        sp.Eq(kp.laplacian(v), p.diff(y)),
        sp.Eq(u.diff(x) + v.diff(y), 0),
    ]
    box = kp.Box({x: (0, 1), y: (0, 1)})
    conditions = [*valued(exact), kp.Dirichlet(p, -2, on=kp.Point({x: 0, y: 0}))]
    pressure = -2 * sp.exp(x) * sp.cos(y)
    source = "textbook: biharmonic stream functions"
    return stated("creeping_flow", box, equations, conditions, {p: pressure, **exact}, source, False)


def elastic_square() -> Case:
    """Navier's equations of plane strain with unit Lamé constants, manufactured."""
    u, v = sp.Function("u")(x, y), sp.Function("v")(x, y)
    exact = {u: sp.sin(x) * sp.exp(y / 2), v: x * y + sp.cos(y)}
    spread = exact[u].diff(x) + exact[v].diff(y)
    loads = [2 * spread.diff(s) + w.diff(x, 2) + w.diff(y, 2) for s, w in zip((x, y), exact.values(), strict=True)]
    dilation = u.diff(x) + v.diff(y)
    equations = [
        sp.Eq(2 * dilation.diff(x) + kp.laplacian(u), loads[0]),
        sp.Eq(2 * dilation.diff(y) + kp.laplacian(v), loads[1]),
    ]
    box = kp.Box({x: (0, 1), y: (0, 1)})
    return stated("elastic_square", box, equations, valued(exact), exact, "manufactured", False)


SYSTEMS = (vortex_decay, creeping_flow, elastic_square)
