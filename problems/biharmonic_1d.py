"""A beam that is clamped at one end and simply supported at the other: u'''' = f."""

import sympy as sp

import kanpde as kp

x = sp.Symbol("x", real=True)
u = sp.Function("u")(x)
exact = x**2 * sp.sin(sp.pi * x)
beam = kp.Box({x: (0, 1)})

problem = kp.Problem(
    name="biharmonic_1d",
    domain=beam,
    equations=sp.Eq(kp.laplacian(kp.laplacian(u)), exact.diff(x, 4)),
    conditions=[
        kp.Dirichlet(u, 0),
        kp.Neumann(u, 0, on=beam.lower(x)),
        kp.Condition(sp.Eq(u.diff(x, 2), exact.diff(x, 2)), on=beam.upper(x)),
    ],
    exact={u: exact},
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-6))
