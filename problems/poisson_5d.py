"""Poisson's equation in five dimensions, whose solution couples each coordinate with the next.

The sum of cos(pi x_i) cos(pi x_{i+1}) over four pairs on the unit cube, with its own values on all ten faces. No grid
of use fits into five dimensions.
"""

from itertools import pairwise

import sympy as sp

import kanpde as kp

x = sp.symbols("x1:6", real=True)
u = sp.Function("u")(*x)
exact = sum(sp.cos(sp.pi * a) * sp.cos(sp.pi * b) for a, b in pairwise(x))

problem = kp.Problem(
    name="poisson_5d",
    domain=kp.Box({coordinate: (0, 1) for coordinate in x}),
    equations=sp.Eq(kp.laplacian(u), -2 * sp.pi**2 * exact),
    conditions=kp.Dirichlet(u, exact),
    exact={u: exact},
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-6, max_seconds=300))
