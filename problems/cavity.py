"""The lid-driven cavity at Re = 100: the steady Navier-Stokes equations in a box whose lid moves.

The reference is a finite element solution; Ghia, Ghia & Shin (1982) have the classical tables. At the two upper corners
the velocity jumps and the pressure is infinite, so errors are measured away from them.
"""

import sympy as sp

import kanpde as kp

x, y = sp.symbols("x y", real=True)
p, u, v = (sp.Function(name)(x, y) for name in "puv")
reynolds = 100
box = kp.Box({x: (0, 1), y: (0, 1)})

problem = kp.Problem(
    name="cavity",
    domain=box,
    equations=[
        sp.Eq(u * u.diff(x) + v * u.diff(y), kp.laplacian(u) / reynolds - p.diff(x)),
        sp.Eq(u * v.diff(x) + v * v.diff(y), kp.laplacian(v) / reynolds - p.diff(y)),
        sp.Eq(u.diff(x) + v.diff(y), 0),
    ],
    conditions=[
        kp.Dirichlet(u, 1, on=box.upper(y)),
        kp.Dirichlet(u, 0, on=box.boundary - box.upper(y)),
        kp.Dirichlet(v, 0),
        kp.Integral(p, 0),
    ],
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=2e-2, max_seconds=300))
