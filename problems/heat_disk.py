"""A warm disk with a moving hot spot, its edge kept cold: the heat equation on disk and time.

Manufactured and smooth: a decaying bump that vanishes on the circle.
"""

import sympy as sp

import kanpde as kp

x, y, t = sp.symbols("x y t", real=True)
u = sp.Function("u")(x, y, t)
exact = (1 - x**2 - y**2) * sp.exp(-t) * sp.cos(2 * x - t)
source = exact.diff(t) - (exact.diff(x, 2) + exact.diff(y, 2)) / 4

problem = kp.Problem(
    name="heat_disk",
    domain=kp.Disk((x, y), (0, 0), 1) * kp.Time(t, (0, 1)),
    equations=sp.Eq(u.diff(t), kp.laplacian(u) / 4 + source),
    conditions=[kp.Dirichlet(u, 0), kp.Initial(u, exact.subs(t, 0))],
    exact={u: exact},
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-5))
