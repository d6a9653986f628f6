"""Poisson's equation in five dimensions with the additive solution: the sum of cos(pi x_i) on the unit cube.

Additive, hence one linear layer of a KAN, i.e. one linear least-squares problem: easy for this kind of network, and no
measure of what it does in five dimensions (poisson_5d is). The best published network has 2.6e-7 (7,000 s on a GPU).
"""

import sympy as sp

import kanpde as kp

x = sp.symbols("x1:6", real=True)
u = sp.Function("u")(*x)
exact = sum(sp.cos(sp.pi * coordinate) for coordinate in x)

problem = kp.Problem(
    name="poisson_5d_additive",
    domain=kp.Box({coordinate: (0, 1) for coordinate in x}),
    equations=sp.Eq(kp.laplacian(u), -(sp.pi**2) * exact),
    conditions=kp.Dirichlet(u, exact),
    exact={u: exact},
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-6, max_seconds=300))
