"""Heat conduction across copper and glass, 400 : 1.38 W/(m K): temperature and flux are continuous at the joint.

Closed solution: a hyperbolic mode in each material; the slope at the joint jumps by a factor of 290.
"""

import sympy as sp

import kanpde as kp

x, y = sp.symbols("x y", real=True)
u = sp.Function("u")(x, y)
conductivity = sp.Piecewise((400, x < 0), (1.38, True))
slope = -sp.coth(sp.pi)  # in the glass, so that u vanishes at x = 1
copper = sp.cosh(sp.pi * x) + slope * 1.38 / 400 * sp.sinh(sp.pi * x)
glass = sp.cosh(sp.pi * x) + slope * sp.sinh(sp.pi * x)
exact = sp.Piecewise((copper, x < 0), (glass, True)) * sp.sin(sp.pi * y)

problem = kp.Problem(
    name="two_materials",
    domain=kp.Box({x: (-1, 1), y: (0, 1)}),
    equations=sp.Eq(kp.divergence(conductivity * kp.gradient(u)), 0),
    conditions=kp.Dirichlet(u, exact),
    exact={u: exact},
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-6))
