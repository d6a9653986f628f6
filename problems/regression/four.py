"""exp(½(sin π(x1² + x2²) + sin π(x3² + x4²))) on [−1, 1]⁴, the fifth toy function of the KAN paper.

Liu et al. 2024, arXiv 2404.19756, section 3.1; it gives no ranges, these are the default of its authors' code, pykan.
"""

import sympy as sp

import kanpde as kp

x1, x2, x3, x4 = x = sp.symbols("x1:5", real=True)
u = sp.Function("u")(*x)
exact = sp.exp((sp.sin(sp.pi * (x1**2 + x2**2)) + sp.sin(sp.pi * (x3**2 + x4**2))) / 2)

problem = kp.Problem(
    name="four",
    domain=kp.Box({xi: (-1, 1) for xi in x}),
    equations=sp.Eq(u, exact),
    conditions=(),
    exact={u: exact},
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-2))
