"""A soliton of the Korteweg-de Vries equation u_t + 6 u u_x + u_xxx = 0.

Closed solution: c/2 sech²(√c (x - ct) / 2) with c = 4, cut off by its own values. Third order in space: one condition
at the left end, two at the right one.
"""

import sympy as sp

import kanpde as kp

x, t = sp.symbols("x t", real=True)
u = sp.Function("u")(x, t)
exact = 2 / sp.cosh(x + 2 - 4 * t) ** 2
line = kp.Box({x: (-6, 6)})

problem = kp.Problem(
    name="kdv",
    domain=line * kp.Time(t, (0, 1)),
    equations=sp.Eq(u.diff(t) + 6 * u * u.diff(x) + u.diff(x, 3), 0),
    conditions=[
        kp.Dirichlet(u, exact),
        kp.Neumann(u, exact.diff(x), on=line.upper(x)),
        kp.Initial(u, exact.subs(t, 0)),
    ],
    exact={u: exact},
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-5))
