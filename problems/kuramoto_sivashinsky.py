"""A shock profile that travels in the Kuramoto-Sivashinsky equation u_t + u u_x + u_xx + u_xxxx = 0.

Closed solution with powers of tanh (Kuramoto & Tsuzuki 1976). Not the chaotic regime, which no method follows for long;
fourth order in space, stiff, smooth.
"""

import sympy as sp

import kanpde as kp

x, t = sp.symbols("x t", real=True)
u = sp.Function("u")(x, t)
k = sp.sqrt(sp.Rational(11, 19)) / 2
wave = sp.tanh(k * (x - t))
exact = 1 + sp.Rational(15, 19) * 2 * k * (11 * wave**3 - 9 * wave)

problem = kp.Problem(
    name="kuramoto_sivashinsky",
    domain=kp.Box({x: (-10, 10)}) * kp.Time(t, (0, 2)),
    equations=sp.Eq(u.diff(t) + u * u.diff(x) + u.diff(x, 2) + u.diff(x, 4), 0),
    conditions=[
        kp.Dirichlet(u, exact),
        kp.Condition(sp.Eq(u.diff(x), exact.diff(x))),
        kp.Initial(u, exact.subs(t, 0)),
    ],
    exact={u: exact},
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-5))
