"""A pure Neumann problem on a disk: no flux through the edge, the level fixed by the mean value.

Closed solution: a radial part and a cosine whose radial derivatives vanish at r = 1. Sources and fluxes balance, which
is checked before anything is solved.
"""

import sympy as sp

import kanpde as kp

x, y = sp.symbols("x y", real=True)
u = sp.Function("u")(x, y)
r2 = x**2 + y**2
exact = r2 - r2**2 / 2 - sp.Rational(1, 3) + x * (1 - r2 / 3)
source = sp.expand(exact.diff(x, 2) + exact.diff(y, 2))

problem = kp.Problem(
    name="neumann",
    domain=kp.Disk((x, y), (0, 0), 1),
    equations=sp.Eq(kp.laplacian(u), source),
    conditions=[kp.Neumann(u, 0), kp.Integral(u, 0)],
    exact={u: exact},
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-6))
