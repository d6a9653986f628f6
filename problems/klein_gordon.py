"""A cubic Klein-Gordon equation with a source, whose solution x cos 5πt + (xt)³ grows and oscillates.

Manufactured; Wang, Teng & Perdikaris (2001.04536) use it against adaptive weights. Smooth, second order in time.
"""

import sympy as sp

import kanpde as kp

x, t = sp.symbols("x t", real=True)
u = sp.Function("u")(x, t)
exact = x * sp.cos(5 * sp.pi * t) + (x * t) ** 3
source = exact.diff(t, 2) - exact.diff(x, 2) + exact**3

problem = kp.Problem(
    name="klein_gordon",
    domain=kp.Box({x: (0, 1)}) * kp.Time(t, (0, 1)),
    equations=sp.Eq(u.diff(t, 2) - kp.laplacian(u) + u**3, source),
    conditions=[kp.Dirichlet(u, exact), kp.Initial(u, x), kp.Initial(u.diff(t), 0)],
    exact={u: exact},
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-6))
