"""A conductivity field from measured temperatures: -div(a grad u) = f with unknown a(x, y).

The data are the closed temperature at 400 points, without noise; a is known on the boundary. Inverse problems of this
kind are ill-posed: expect fewer digits of a than of u.
"""

import numpy as np
import sympy as sp

import kanpde as kp

x, y = sp.symbols("x y", real=True)
u = sp.Function("u")(x, y)
a = kp.UnknownField("a", x, y)
exact = {a: 1 + (x**2 + sp.sin(y)) / 4, u: x + y + x * y / 4}
source = -sum((exact[a] * exact[u].diff(s)).diff(s) for s in (x, y))

random = np.random.default_rng(11)
points = random.uniform(-1, 1, (400, 2))
values = points.sum(1) + points.prod(1) / 4

problem = kp.Problem(
    name="identify_conductivity",
    domain=kp.Box({x: (-1, 1), y: (-1, 1)}),
    equations=sp.Eq(-kp.divergence(a * kp.gradient(u)), source),
    conditions=[
        kp.Dirichlet(u, exact[u]),
        kp.Dirichlet(a, exact[a]),
        kp.Observations(u, points, values, sigma=1e-3),
    ],
    exact=exact,
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-3))
