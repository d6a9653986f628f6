"""A steady reaction and diffusion in a tilted ellipse, with a Robin condition on its edge.

Manufactured and smooth; the normal of the edge enters the data.
"""

import sympy as sp

import kanpde as kp

x, y = sp.symbols("x y", real=True)
u = sp.Function("u")(x, y)
exact = sp.exp(x / 2) * sp.cos(2 * y - x)
source = exact - exact.diff(x, 2) - exact.diff(y, 2)

problem = kp.Problem(
    name="ellipse",
    domain=kp.Ellipse((x, y), (0.5, 0), (1.5, 0.7)),
    equations=sp.Eq(u - kp.laplacian(u), source),
    conditions=kp.Condition(sp.Eq(kp.normal_derivative(u) + u, kp.normal_derivative(exact) + exact)),
    exact={u: exact},
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-6))
