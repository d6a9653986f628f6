"""x y on [−1, 1]², the third toy function of the KAN paper.

Liu et al. 2024, arXiv 2404.19756, section 3.1; it gives no ranges, these are the default of its authors' code, pykan.
"""

import sympy as sp

import kanpde as kp

x, y = sp.symbols("x y", real=True)
u = sp.Function("u")(x, y)
exact = x * y

problem = kp.Problem(
    name="product",
    domain=kp.Box({x: (-1, 1), y: (-1, 1)}),
    equations=sp.Eq(u, exact),
    conditions=(),
    exact={u: exact},
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-6))
