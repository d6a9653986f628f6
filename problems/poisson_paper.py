"""Poisson's equation of the KAN paper (arXiv 2404.19756, section 3.4), problem P: sin(pi x) sin(pi y^2)."""

import sympy as sp

import kanpde as kp

x, y = sp.symbols("x y", real=True)
u = sp.Function("u")(x, y)
exact = sp.sin(sp.pi * x) * sp.sin(sp.pi * y**2)
source = exact.diff(x, 2) + exact.diff(y, 2)

problem = kp.Problem(
    name="poisson_paper",
    domain=kp.Box({x: (-1, 1), y: (-1, 1)}),
    equations=sp.Eq(kp.laplacian(u), source),
    conditions=kp.Dirichlet(u, 0),
    exact={u: exact},
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-6))
