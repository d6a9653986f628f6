"""The associated Legendre function of order 0, of degree x in [0, 4] and argument y in [−0.8, 0.8].

Table 1 of Liu et al. 2024 (arXiv 2404.19756, section 3.2) gives no ranges; at y = −1 it is singular.
"""

import scipy.special
import sympy as sp

import kanpde as kp

x, y = sp.symbols("x y", real=True)
u = sp.Function("u")(x, y)
exact = kp.Given("lpmv", lambda x, y: scipy.special.lpmv(0, x, y))(x, y)

problem = kp.Problem(
    name="legendre_0",
    domain=kp.Box({x: (0, 4), y: (-0.8, 0.8)}),
    equations=sp.Eq(u, exact),
    conditions=(),
    exact={u: exact},
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-4))
