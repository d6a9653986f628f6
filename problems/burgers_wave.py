"""Burgers' equation at viscosity 0.1: a smooth shock that travels at its mean speed.

Closed solution: a hyperbolic tangent of width 0.2.
"""

import sympy as sp

import kanpde as kp

x, t = sp.symbols("x t", real=True)
u = sp.Function("u")(x, t)
nu = sp.Rational(1, 10)
exact = sp.Rational(1, 2) * (1 - sp.tanh((x - t / 2) / (4 * nu)))

problem = kp.Problem(
    name="burgers_wave",
    domain=kp.Box({x: (-1, 1)}) * kp.Time(t, (0, 1)),
    equations=sp.Eq(u.diff(t) + u * u.diff(x), nu * kp.laplacian(u)),
    conditions=[kp.Dirichlet(u, exact), kp.Initial(u, exact.subs(t, 0))],
    exact={u: exact},
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-6))
