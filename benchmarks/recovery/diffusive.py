"""Evolution equations of first order in time with closed solutions."""

from __future__ import annotations

import sympy as sp

import kanpde as kp
from benchmarks.recovery.case import Case, begun, stated, valued

x, y, t = sp.symbols("x y t", real=True)
u = sp.Function("u")(x, t)
half = sp.Rational(1, 2)


def heat_rod() -> Case:
    """u_t = 2/5 u_xx on a rod with cold ends, from one mode."""
    mode, rate = sp.sin(3 * sp.pi * x / 2), sp.Rational(2, 5)
    exact = 3 * sp.exp(-rate * 9 * sp.pi**2 / 4 * t) * mode
    rod = kp.Box({x: (0, 2)}) * kp.Time(t, (0, half))
    conditions = [kp.Dirichlet(u, 0), kp.Initial(u, 3 * mode)]
    equation = sp.Eq(u.diff(t), rate * u.diff(x, 2))
    return stated("heat_rod", rod, equation, conditions, {u: exact}, "Fourier 1822")


def heat_kernel() -> Case:
    """u_t = u_xx: a point source, from time 1 on."""
    exact = {u: sp.exp(-(x**2) / (4 * t)) / sp.sqrt(t)}
    line = kp.Box({x: (-3, 3)}) * kp.Time(t, (1, 2))
    equation = sp.Eq(u.diff(t), u.diff(x, 2))
    conditions = valued(exact) + begun(exact, t, 1)
    return stated("heat_kernel", line, equation, conditions, exact, "textbook: heat kernel", False)


def heat_plate() -> Case:
    """u_t = Δu / 4 on an insulated plate, from a level and one mode."""
    w = sp.Function("u")(x, y, t)
    mode = sp.cos(x) * sp.cos(2 * y)
    exact = 1 + sp.exp(-5 * t / 4) * mode
    plate = kp.Box({x: (0, sp.pi), y: (0, sp.pi)}) * kp.Time(t, (0, 1))
    conditions = [kp.Neumann(w, 0), kp.Initial(w, 1 + mode)]
    equation = sp.Eq(w.diff(t), kp.laplacian(w) / 4)
    return stated("heat_plate", plate, equation, conditions, {w: exact}, "textbook: separation of variables")


def advection_decay() -> Case:
    """u_t + 2 u_x = -u/2 around a ring: a profile that travels and fades."""
    exact = sp.exp(-t / 2) / (2 + sp.cos(x - 2 * t))
    ring = kp.Box({x: (0, 2 * sp.pi)}) * kp.Time(t, (0, 1))
    conditions = [kp.Periodic(u, x), kp.Initial(u, 1 / (2 + sp.cos(x)))]
    equation = sp.Eq(u.diff(t) + 2 * u.diff(x), -u / 2)
    return stated("advection_decay", ring, equation, conditions, {u: exact}, "textbook: method of characteristics")


def burgers_front() -> Case:
    """u_t + u u_x = u_xx / 5: a travelling front between 3/2 and -1/2."""
    exact = {u: half - sp.tanh(sp.Rational(5, 2) * (x - t / 2))}
    line = kp.Box({x: (-2, 2)}) * kp.Time(t, (0, 1))
    equation = sp.Eq(u.diff(t) + u * u.diff(x), u.diff(x, 2) / 5)
    conditions = valued(exact) + begun(exact, t)
    return stated("burgers_front", line, equation, conditions, exact, "Whitham 1974", False)


def rarefaction() -> Case:
    """u_t + u u_x = 0 from u = x: an expanding gas."""
    box = kp.Box({x: (0, 2)})
    conditions = [kp.Dirichlet(u, 0, on=box.lower(x)), kp.Initial(u, x)]
    equation = sp.Eq(u.diff(t) + u * u.diff(x), 0)
    span = kp.Time(t, (0, 2))
    return stated("rarefaction", box * span, equation, conditions, {u: x / (1 + t)}, "Whitham 1974")


def fisher_front() -> Case:
    """u_t = u_xx + u (1 - u): the front of speed 5/√6."""
    exact = {u: (1 + sp.exp((x - 5 * t / sp.sqrt(6)) / sp.sqrt(6))) ** -2}
    line = kp.Box({x: (-4, 6)}) * kp.Time(t, (0, 1))
    equation = sp.Eq(u.diff(t), u.diff(x, 2) + u * (1 - u))
    conditions = valued(exact) + begun(exact, t)
    return stated("fisher_front", line, equation, conditions, exact, "Ablowitz & Zeppetella 1979", False)


def korteweg_soliton() -> Case:
    """u_t + 6 u u_x + u_xxx = 0: the soliton of speed 3/2."""
    exact = {u: sp.Rational(3, 4) / sp.cosh(sp.sqrt(6) / 4 * (x - sp.Rational(3, 2) * t)) ** 2}
    box = kp.Box({x: (-5, 5)})
    equation = sp.Eq(u.diff(t) + 6 * u * u.diff(x) + u.diff(x, 3), 0)
    slope = kp.Neumann(u, exact[u].diff(x), on=box.upper(x))
    conditions = [*valued(exact), slope, *begun(exact, t)]
    domain = box * kp.Time(t, (0, 1))
    return stated("korteweg_soliton", domain, equation, conditions, exact, "Korteweg & de Vries 1895", False)


DIFFUSIVE = (
    heat_rod,
    heat_kernel,
    heat_plate,
    advection_decay,
    burgers_front,
    rarefaction,
    fisher_front,
    korteweg_soliton,
)
