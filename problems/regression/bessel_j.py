"""The Bessel function of the first kind J_x(y), of order x in [0, 3] and argument y in [1, 10].

Table 1 of Liu et al. 2024 (arXiv 2404.19756, section 3.2) gives no ranges; at y = 0 it is not smooth.
"""

import sympy as sp

import kanpde as kp

x, y = sp.symbols("x y", real=True)
u = sp.Function("u")(x, y)
exact = sp.besselj(x, y)

problem = kp.Problem(
    name="bessel_j",
    domain=kp.Box({x: (0, 3), y: (1, 10)}),
    equations=sp.Eq(u, exact),
    conditions=(),
    exact={u: exact},
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-4))
