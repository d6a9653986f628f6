"""Poisson's equation in an arrow-shaped polygon with a square hole: re-entrant corners, but a smooth solution.

Manufactured, so that the corners leave no singularity.
"""

import sympy as sp

import kanpde as kp

x, y = sp.symbols("x y", real=True)
u = sp.Function("u")(x, y)
exact = sp.sin(2 * x + y) * sp.exp(-(y**2))
source = exact.diff(x, 2) + exact.diff(y, 2)
arrow = kp.Polygon((x, y), [(-1, -0.5), (0.2, -0.5), (0.2, -1), (1.2, 0), (0.2, 1), (0.2, 0.5), (-1, 0.5)])
hole = kp.Polygon((x, y), [(0, -0.2), (0.4, -0.2), (0.4, 0.2), (0, 0.2)])

problem = kp.Problem(
    name="polygon_with_hole",
    domain=arrow - hole,
    equations=sp.Eq(kp.laplacian(u), source),
    conditions=kp.Dirichlet(u, exact),
    exact={u: exact},
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-5))
