"""A wave guide that ends in a perfectly matched layer: complex Helmholtz with complex stretched coordinate.

Closed solution: the guided mode, which the layer damps by e^-20 without reflection. The layer sets in gently, as the
eighth power of x, so that everything is smooth.
"""

import sympy as sp

import kanpde as kp

x, y = sp.symbols("x y", real=True)
u = kp.complex_unknown("u", x, y)
k = 8
beta = sp.sqrt(k**2 - sp.pi**2)
damping = 100 * (x / 2) ** 8
stretch = 1 + sp.I * damping / k
depth = 200 * (x / 2) ** 9 / 9  # the integral of the damping
exact = (sp.cos(beta * x) + sp.I * sp.sin(beta * x)) * sp.exp(-beta / k * depth) * sp.sin(sp.pi * y)
guide = kp.Box({x: (0, 2), y: (0, 1)})

problem = kp.Problem(
    name="helmholtz_pml",
    domain=guide,
    equations=sp.Eq((u.diff(x) / stretch).diff(x) + stretch * (u.diff(y, 2) + k**2 * u), 0),
    conditions=[
        kp.Dirichlet(u, sp.sin(sp.pi * y), on=guide.lower(x)),
        kp.Dirichlet(u, 0, on=guide.boundary - guide.lower(x)),
    ],
    exact={u: exact},
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-4))
