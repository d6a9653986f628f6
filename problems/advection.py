"""Advection around a ring: a smooth profile that travels once around and comes back.

Closed solution: the profile, displaced. Periodic in space and without diffusion, so nothing smooths an error out.
"""

import sympy as sp

import kanpde as kp

x, t = sp.symbols("x t", real=True)
u = sp.Function("u")(x, t)
exact = sp.exp(sp.sin(sp.pi * (x - 2 * t)))

problem = kp.Problem(
    name="advection",
    domain=kp.Box({x: (-1, 1)}) * kp.Time(t, (0, 1)),
    equations=sp.Eq(u.diff(t) + 2 * u.diff(x), 0),
    conditions=[kp.Periodic(u, x), kp.Initial(u, exact.subs(t, 0))],
    exact={u: exact},
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-5))
