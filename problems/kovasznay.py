"""Kovasznay's flow behind a grid, Re = 40: a closed solution of the steady Navier-Stokes equations.

L. I. G. Kovasznay, Laminar flow behind a two-dimensional grid, 1948. Velocities are given on the whole boundary and
the pressure at one corner. Smooth: the figures to beat are 1e-5 in all three fields together.
"""

import sympy as sp

import kanpde as kp

x, y = sp.symbols("x y", real=True)
p, u, v = (sp.Function(name)(x, y) for name in "puv")
reynolds = 40
rate = sp.Rational(reynolds, 2) - sp.sqrt(sp.Rational(reynolds**2, 4) + 4 * sp.pi**2)
exact = {
    u: 1 - sp.exp(rate * x) * sp.cos(2 * sp.pi * y),
    v: rate / (2 * sp.pi) * sp.exp(rate * x) * sp.sin(2 * sp.pi * y),
    p: (1 - sp.exp(2 * rate * x)) / 2,
}

problem = kp.Problem(
    name="kovasznay",
    domain=kp.Box({x: (-0.5, 1), y: (-0.5, 1.5)}),
    equations=[
        sp.Eq(u * u.diff(x) + v * u.diff(y), kp.laplacian(u) / reynolds - p.diff(x)),
        sp.Eq(u * v.diff(x) + v * v.diff(y), kp.laplacian(v) / reynolds - p.diff(y)),
        sp.Eq(u.diff(x) + v.diff(y), 0),
    ],
    conditions=[
        *(kp.Dirichlet(w, exact[w]) for w in (u, v)),
        kp.Dirichlet(p, exact[p].subs({x: 0, y: 0}), on=kp.Point({x: 0, y: 0})),
    ],
    exact=exact,
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-5))
