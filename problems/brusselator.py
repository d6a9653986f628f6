"""The Brusselator, two species that react and diffuse in a square: a nonlinear system in time.

Closed solution exp(-x - y - t/2) and its reciprocal, for the rates 0 and 1 and the diffusivity 1/4.
"""

import sympy as sp

import kanpde as kp

x, y, t = sp.symbols("x y t", real=True)
u, v = sp.Function("u")(x, y, t), sp.Function("v")(x, y, t)
exact = {u: sp.exp(-x - y - t / 2), v: sp.exp(x + y + t / 2)}

problem = kp.Problem(
    name="brusselator",
    domain=kp.Box({x: (0, 1), y: (0, 1)}) * kp.Time(t, (0, 1)),
    equations=[
        sp.Eq(u.diff(t), kp.laplacian(u) / 4 + u**2 * v - 2 * u),
        sp.Eq(v.diff(t), kp.laplacian(v) / 4 - u**2 * v + u),
    ],
    conditions=[kp.Dirichlet(w, exact[w]) for w in (u, v)] + [kp.Initial(w, exact[w].subs(t, 0)) for w in (u, v)],
    exact=exact,
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-6))
