"""exp of the mean of sin²(πx/2) over a hundred coordinates in [−1, 1], the fourth toy function of the KAN paper.

Liu et al. 2024, arXiv 2404.19756, section 3.1; it gives no ranges, these are the default of its authors' code, pykan.
"""

import sympy as sp

import kanpde as kp

x = sp.symbols("x1:101", real=True)
u = sp.Function("u")(*x)
exact = sp.exp(sum(sp.sin(sp.pi * xi / 2) ** 2 for xi in x) / 100)

problem = kp.Problem(
    name="hundred",
    domain=kp.Box({xi: (-1, 1) for xi in x}),
    equations=sp.Eq(u, exact),
    conditions=(),
    exact={u: exact},
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-3))
