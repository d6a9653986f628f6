"""Regression as an equation of order 0: u = f, without any condition."""

import sympy as sp

import kanpde as kp

x, y = sp.symbols("x y", real=True)
u = sp.Function("u")(x, y)
exact = sp.exp(sp.sin(sp.pi * x) + y**2)

problem = kp.Problem(
    name="regression",
    domain=kp.Box({x: (-1, 1), y: (-1, 1)}),
    equations=sp.Eq(u, exact),
    conditions=(),
    exact={u: exact},
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-6))
