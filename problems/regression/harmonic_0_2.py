"""The spherical harmonic of order 0 and degree 2, for azimuth x in [0, 2π], polar angle y in [0, π].

Table 1 of Liu et al. 2024 (arXiv 2404.19756, section 3.2) gives no ranges; these are the whole sphere.
"""

import sympy as sp

import kanpde as kp

x, y = sp.symbols("x y", real=True)
u = sp.Function("u")(x, y)
exact = sp.re(sp.Ynm(2, 0, y, x).expand(func=True))

problem = kp.Problem(
    name="harmonic_0_2",
    domain=kp.Box({x: (0, 2 * sp.pi), y: (0, sp.pi)}),
    equations=sp.Eq(u, exact),
    conditions=(),
    exact={u: exact},
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-4))
