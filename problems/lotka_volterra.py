"""Predators and prey over one period: a nonlinear system of ordinary differential equations.

No closed solution; the reference is an integrator of order 8 at tight tolerance.
"""

import sympy as sp

import kanpde as kp

t = sp.Symbol("t", real=True)
u, v = sp.Function("u")(t), sp.Function("v")(t)
year = kp.Box({t: (0, 7)})

problem = kp.Problem(
    name="lotka_volterra",
    domain=year,
    equations=[sp.Eq(u.diff(t), u * (1 - v)), sp.Eq(v.diff(t), v * (u - 1))],
    conditions=[kp.Dirichlet(u, 1.5, on=year.lower(t)), kp.Dirichlet(v, 1, on=year.lower(t))],
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-6))
