"""Helmholtz' equation with 10 wavelengths along each side: sin(10 pi x) sin(10 pi y).

Separable, and of one frequency, which flatters networks with products; what is hard is the number of oscillations.
"""

import sympy as sp

import kanpde as kp

x, y = sp.symbols("x y", real=True)
u = sp.Function("u")(x, y)
exact = sp.sin(10 * sp.pi * x) * sp.sin(10 * sp.pi * y)

problem = kp.Problem(
    name="helmholtz_10_10",
    domain=kp.Box({x: (-1, 1), y: (-1, 1)}),
    equations=sp.Eq(kp.laplacian(u) + u, (1 - 200 * sp.pi**2) * exact),
    conditions=kp.Dirichlet(u, 0),
    exact={u: exact},
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-6))
