"""A clamped square plate under a load: the biharmonic equation in two dimensions.

Manufactured: a polynomial that is flat at the edge times a gentle wave. Fourth order, smooth.
"""

import sympy as sp

import kanpde as kp

x, y = sp.symbols("x y", real=True)
u = sp.Function("u")(x, y)
exact = ((1 - x**2) * (1 - y**2)) ** 2 * sp.cos(x + y)
load = exact.diff(x, 4) + 2 * exact.diff(x, 2, y, 2) + exact.diff(y, 4)

problem = kp.Problem(
    name="clamped_plate",
    domain=kp.Box({x: (-1, 1), y: (-1, 1)}),
    equations=sp.Eq(kp.laplacian(kp.laplacian(u)), load),
    conditions=[kp.Dirichlet(u, 0), kp.Neumann(u, 0)],
    exact={u: exact},
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-6))
