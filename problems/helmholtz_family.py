"""Helmholtz' equation for all wave numbers from 1 to 2 at once: one network of x, y and k.

Manufactured: waves whose length follows k. The first resonance of the square, k = 2.22, stays outside of the range.
"""

import sympy as sp

import kanpde as kp

x, y, k = sp.symbols("x y k", real=True)
u = sp.Function("u")(x, y, k)
exact = sp.sin(2 * k * x) * sp.cos(k * y)
source = exact.diff(x, 2) + exact.diff(y, 2) + k**2 * exact

problem = kp.Problem(
    name="helmholtz_family",
    domain=kp.Box({x: (-1, 1), y: (-1, 1)}) * kp.ParameterRange(k, (1, 2)),
    equations=sp.Eq(kp.laplacian(u) + k**2 * u, source),
    conditions=kp.Dirichlet(u, exact),
    exact={u: exact},
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-5))
