"""Poisson's equation on a cube."""

import sympy as sp

import kanpde as kp

x, y, z = sp.symbols("x y z", real=True)
u = sp.Function("u")(x, y, z)
exact = sp.sin(sp.pi * x) * sp.sin(sp.pi * y) * sp.sin(sp.pi * z)

problem = kp.Problem(
    name="poisson_3d",
    domain=kp.Box({x: (-1, 1), y: (-1, 1), z: (-1, 1)}),
    equations=sp.Eq(kp.laplacian(u), -3 * sp.pi**2 * exact),
    conditions=kp.Dirichlet(u, 0),
    exact={u: exact},
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-6))
