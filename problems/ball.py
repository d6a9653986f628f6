"""Poisson's equation in the unit ball.

Manufactured and smooth: a bump that vanishes on the sphere times an oblique wave.
"""

import sympy as sp

import kanpde as kp

x, y, z = sp.symbols("x y z", real=True)
u = sp.Function("u")(x, y, z)
exact = (1 - x**2 - y**2 - z**2) * sp.exp(x + y / 2) * sp.cos(2 * z)
source = sum(exact.diff(s, 2) for s in (x, y, z))

problem = kp.Problem(
    name="ball",
    domain=kp.Sphere((x, y, z), (0, 0, 0), 1),
    equations=sp.Eq(kp.laplacian(u), source),
    conditions=kp.Dirichlet(u, 0),
    exact={u: exact},
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-5))
