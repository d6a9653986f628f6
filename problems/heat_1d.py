"""The heat equation on a rod with cold ends: two modes that decay at different rates."""

import sympy as sp

import kanpde as kp

x, t = sp.symbols("x t", real=True)
u = sp.Function("u")(x, t)
slow = sp.exp(-(sp.pi**2) * t / 10) * sp.sin(sp.pi * x)
fast = sp.exp(-9 * sp.pi**2 * t / 10) * sp.sin(3 * sp.pi * x)
exact = slow + fast / 2

problem = kp.Problem(
    name="heat_1d",
    domain=kp.Box({x: (0, 1)}) * kp.Time(t, (0, 1)),
    equations=sp.Eq(u.diff(t), kp.laplacian(u) / 10),
    conditions=[
        kp.Dirichlet(u, 0),
        kp.Initial(u, exact.subs(t, 0)),
    ],
    exact={u: exact},
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-6))
