"""Helmholtz' equation with a rational solution, problem RH; 25 instead of 16 would be near a resonance."""

import sympy as sp

import kanpde as kp

x, y = sp.symbols("x y", real=True)
u = sp.Function("u")(x, y)
exact = 1 / (1 + 4 * (x**2 + 2 * y**2 + x * y))
source = exact.diff(x, 2) + exact.diff(y, 2) + 16 * exact

problem = kp.Problem(
    name="rational_helmholtz",
    domain=kp.Box({x: (-1, 1), y: (-1, 1)}),
    equations=sp.Eq(kp.laplacian(u) + 16 * u, source),
    conditions=kp.Dirichlet(u, exact),
    exact={u: exact},
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-6))
