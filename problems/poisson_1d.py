"""A two-point boundary value problem: u'' = f with different values at the ends."""

import sympy as sp

import kanpde as kp

x = sp.Symbol("x", real=True)
u = sp.Function("u")(x)
exact = sp.exp(x) * sp.sin(3 * x)

problem = kp.Problem(
    name="poisson_1d",
    domain=kp.Box({x: (-1, 1)}),
    equations=sp.Eq(u.diff(x, 2), exact.diff(x, 2)),
    conditions=kp.Dirichlet(u, exact),
    exact={u: exact},
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-6))
