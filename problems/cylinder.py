"""Steady diffusion in a solid cylinder: a given temperature on its mantle, insulated lids.

Manufactured and smooth in three dimensions, with curved and flat parts of the boundary.
"""

import sympy as sp

import kanpde as kp

x, y, z = sp.symbols("x y z", real=True)
u = sp.Function("u")(x, y, z)
exact = sp.exp(x) * sp.cos(y) * sp.cos(sp.pi * z)
cylinder = kp.Cylinder((x, y, z), (0, 0, 0), 0.5, 1)
lids = cylinder.boundary.where(sp.Or(z < 1e-9, z > 1 - 1e-9))

problem = kp.Problem(
    name="cylinder",
    domain=cylinder,
    equations=sp.Eq(kp.laplacian(u), -(sp.pi**2) * exact),
    conditions=[kp.Neumann(u, 0, on=lids), kp.Dirichlet(u, exact, on=cylinder.boundary - lids)],
    exact={u: exact},
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-5))
