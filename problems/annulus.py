"""Laplace's equation on an annulus: held at zero inside, with a given flux outside.

Closed solution: log r for the mean flux and a quadrupole (r² - 1/r²) cos 2θ, which both vanish on the inner circle.
"""

import sympy as sp

import kanpde as kp

x, y = sp.symbols("x y", real=True)
u = sp.Function("u")(x, y)
r2 = x**2 + y**2
exact = sp.log(r2) / 2 + (x**2 - y**2) * (1 - 1 / r2**2)
outer, inner = kp.Disk((x, y), (0, 0), 2), kp.Disk((x, y), (0, 0), 1)
flux = (x * exact.diff(x) + y * exact.diff(y)) / 2  # the outer normal is (x, y) / 2

problem = kp.Problem(
    name="annulus",
    domain=outer - inner,
    equations=sp.Eq(kp.laplacian(u), 0),
    conditions=[
        kp.Dirichlet(u, 0, on=inner.boundary),
        kp.Neumann(u, sp.simplify(flux), on=outer.boundary),
    ],
    exact={u: exact},
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-6))
