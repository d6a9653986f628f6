"""The incomplete elliptic integral of the second kind E(x | y), for x in [0, π], y in [0, 0.9].

Table 1 of Liu et al. 2024 (arXiv 2404.19756, section 3.2) gives no ranges; at y = 1 it has kinks.
"""

import scipy.special
import sympy as sp

import kanpde as kp

x, y = sp.symbols("x y", real=True)
u = sp.Function("u")(x, y)
exact = kp.Given("ellipeinc", scipy.special.ellipeinc)(x, y)

problem = kp.Problem(
    name="elliptic_second",
    domain=kp.Box({x: (0, sp.pi), y: (0, 0.9)}),
    equations=sp.Eq(u, exact),
    conditions=(),
    exact={u: exact},
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-4))
