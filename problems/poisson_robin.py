"""Poisson's equation with all three classical conditions: Dirichlet, Neumann and Robin sides."""

import sympy as sp

import kanpde as kp

x, y = sp.symbols("x y", real=True)
u = sp.Function("u")(x, y)
exact = sp.cos(sp.pi * x / 2) * sp.exp(y / 2)
source = exact.diff(x, 2) + exact.diff(y, 2)
box = kp.Box({x: (-1, 1), y: (-1, 1)})

problem = kp.Problem(
    name="poisson_robin",
    domain=box,
    equations=sp.Eq(kp.laplacian(u), source),
    conditions=[
        kp.Dirichlet(u, exact, on=box.lower(x)),
        kp.Neumann(u, exact.diff(x), on=box.upper(x)),
        kp.Neumann(u, -exact.diff(y), on=box.lower(y)),
        kp.Robin(u, 2, 1, 2 * exact + exact.diff(y), on=box.upper(y)),
    ],
    exact={u: exact},
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-6))
