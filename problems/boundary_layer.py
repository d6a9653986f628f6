"""Convection against diffusion, 1 : 0.05, with a layer at the outflow where the field falls to zero.

Closed solution: an exponential layer at x = 1 and a decaying sine across. The layer is a twentieth of the side wide.
"""

import sympy as sp

import kanpde as kp

x, y = sp.symbols("x y", real=True)
u = sp.Function("u")(x, y)
epsilon = sp.Rational(1, 20)
root = sp.sqrt(1 + 4 * epsilon**2 * sp.pi**2)
fast, slow = (1 + root) / (2 * epsilon), (1 - root) / (2 * epsilon)
exact = (sp.exp(slow * x) - sp.exp(slow + fast * (x - 1))) * sp.sin(sp.pi * y)

problem = kp.Problem(
    name="boundary_layer",
    domain=kp.Box({x: (0, 1), y: (0, 1)}),
    equations=sp.Eq(u.diff(x), epsilon * kp.laplacian(u)),
    conditions=kp.Dirichlet(u, exact),
    exact={u: exact},
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-6))
