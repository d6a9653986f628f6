"""A breather of the sine-Gordon equation u_tt - u_xx + sin u = 0, over nearly half a period.

Closed solution with frequency 1/2; the ends take its values.
"""

import sympy as sp

import kanpde as kp

x, t = sp.symbols("x t", real=True)
u = sp.Function("u")(x, t)
exact = 4 * sp.atan(sp.sqrt(3) * sp.cos(t / 2) / sp.cosh(sp.sqrt(3) * x / 2))

problem = kp.Problem(
    name="sine_gordon",
    domain=kp.Box({x: (-6, 6)}) * kp.Time(t, (0, 6)),
    equations=sp.Eq(u.diff(t, 2) - kp.laplacian(u) + sp.sin(u), 0),
    conditions=[kp.Dirichlet(u, exact), kp.Initial(u, exact.subs(t, 0)), kp.Initial(u.diff(t), 0)],
    exact={u: exact},
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-6))
