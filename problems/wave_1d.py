"""The wave equation on a string with fixed ends, which is plucked and struck."""

import sympy as sp

import kanpde as kp

x, t = sp.symbols("x t", real=True)
u = sp.Function("u")(x, t)
plucked = sp.cos(sp.pi * t) * sp.sin(sp.pi * x)
struck = sp.sin(2 * sp.pi * t) * sp.sin(2 * sp.pi * x) / 2
exact = plucked + struck

problem = kp.Problem(
    name="wave_1d",
    domain=kp.Box({x: (0, 1)}) * kp.Time(t, (0, 1)),
    equations=sp.Eq(u.diff(t, 2), kp.laplacian(u)),
    conditions=[
        kp.Dirichlet(u, 0),
        kp.Initial(u, exact.subs(t, 0)),
        kp.Initial(u.diff(t), exact.diff(t).subs(t, 0)),
    ],
    exact={u: exact},
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-6))
