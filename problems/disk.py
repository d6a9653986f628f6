"""Poisson's equation on the unit disk, with a solution that is neither radial nor a polynomial.

Manufactured: a bump that vanishes on the circle times a wave. Smooth, so that 1e-5 and much less can be reached.
"""

import sympy as sp

import kanpde as kp

x, y = sp.symbols("x y", real=True)
u = sp.Function("u")(x, y)
exact = (1 - x**2 - y**2) * sp.exp(x) * sp.cos(3 * y)
source = exact.diff(x, 2) + exact.diff(y, 2)

problem = kp.Problem(
    name="disk",
    domain=kp.Disk((x, y), (0, 0), 1),
    equations=sp.Eq(kp.laplacian(u), source),
    conditions=kp.Dirichlet(u, 0),
    exact={u: exact},
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-6))
