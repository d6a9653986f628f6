"""Jacobi's elliptic function sn(x | y) of argument x and parameter y, for x in [−4, 4], y in [0, 0.9].

Table 1 of Liu et al. 2024 (arXiv 2404.19756, section 3.2) gives no ranges; the period is infinite at y = 1.
"""

import scipy.special
import sympy as sp

import kanpde as kp

x, y = sp.symbols("x y", real=True)
u = sp.Function("u")(x, y)
exact = kp.Given("sn", lambda x, y: scipy.special.ellipj(x, y)[0])(x, y)

problem = kp.Problem(
    name="elliptic_sn",
    domain=kp.Box({x: (-4, 4), y: (0, 0.9)}),
    equations=sp.Eq(u, exact),
    conditions=(),
    exact={u: exact},
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-4))
