"""Helmholtz' equation with a solution of unequal frequencies, problem H: sin(pi x) sin(4 pi y)."""

import sympy as sp

import kanpde as kp

x, y = sp.symbols("x y", real=True)
u = sp.Function("u")(x, y)
exact = sp.sin(sp.pi * x) * sp.sin(4 * sp.pi * y)

problem = kp.Problem(
    name="helmholtz",
    domain=kp.Box({x: (-1, 1), y: (-1, 1)}),
    equations=sp.Eq(kp.laplacian(u) + u, (1 - 17 * sp.pi**2) * exact),
    conditions=kp.Dirichlet(u, 0),
    exact={u: exact},
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-6))
