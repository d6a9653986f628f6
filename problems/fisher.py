"""A front of the Fisher-KPP equation u_t = u_xx + u (1 - u): a population that spreads.

Closed solution of Ablowitz & Zeppetella (1979) at speed 5/√6, on a stretch of the line.
"""

import sympy as sp

import kanpde as kp

x, t = sp.symbols("x t", real=True)
u = sp.Function("u")(x, t)
exact = (1 + sp.exp((x - 5 * t / sp.sqrt(6)) / sp.sqrt(6))) ** -2

problem = kp.Problem(
    name="fisher",
    domain=kp.Box({x: (-10, 15)}) * kp.Time(t, (0, 4)),
    equations=sp.Eq(u.diff(t), kp.laplacian(u) + u * (1 - u)),
    conditions=[kp.Dirichlet(u, exact), kp.Initial(u, exact.subs(t, 0))],
    exact={u: exact},
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-6))
