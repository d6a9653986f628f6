"""A linear system of two equations: two species that diffuse and exchange."""

import sympy as sp

import kanpde as kp

x, y = sp.symbols("x y", real=True)
u = sp.Function("u")(x, y)
v = sp.Function("v")(x, y)
exact_u = sp.sin(sp.pi * x) * sp.cos(sp.pi * y / 2)
exact_v = sp.exp(x) * sp.sin(sp.pi * y)


def laplacian_of(f):
    """The Laplacian of a known function."""
    return f.diff(x, 2) + f.diff(y, 2)


problem = kp.Problem(
    name="coupled",
    domain=kp.Box({x: (-1, 1), y: (-1, 1)}),
    equations=[
        sp.Eq(kp.laplacian(u) - u + 2 * v, laplacian_of(exact_u) - exact_u + 2 * exact_v),
        sp.Eq(kp.laplacian(v) - v + u.diff(x), laplacian_of(exact_v) - exact_v + exact_u.diff(x)),
    ],
    conditions=[
        kp.Dirichlet(u, exact_u),
        kp.Dirichlet(v, exact_v),
    ],
    exact={u: exact_u, v: exact_v},
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-6))
