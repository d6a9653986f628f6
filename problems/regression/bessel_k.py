"""The modified Bessel function of the second kind K_x(y), of order x in [0, 3] and argument y in [1, 4].

Table 1 of Liu et al. 2024 (arXiv 2404.19756, section 3.2) gives no ranges; at y = 0 it is infinite.
"""

import sympy as sp

import kanpde as kp

x, y = sp.symbols("x y", real=True)
u = sp.Function("u")(x, y)
exact = sp.besselk(x, y)

problem = kp.Problem(
    name="bessel_k",
    domain=kp.Box({x: (0, 3), y: (1, 4)}),
    equations=sp.Eq(u, exact),
    conditions=(),
    exact={u: exact},
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-4))
