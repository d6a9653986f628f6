"""A decaying Taylor-Green vortex: the unsteady Navier-Stokes equations with a closed solution, nu = 0.1.

G. I. Taylor & A. E. Green, 1937, in two dimensions. Velocities on the boundary, the pressure through its mean, which
vanishes at all times. Smooth.
"""

import sympy as sp

import kanpde as kp

x, y, t = sp.symbols("x y t", real=True)
p, u, v = (sp.Function(name)(x, y, t) for name in "puv")
nu = sp.Rational(1, 10)
decay = sp.exp(-2 * sp.pi**2 * nu * t)
exact = {
    u: -sp.cos(sp.pi * x) * sp.sin(sp.pi * y) * decay,
    v: sp.sin(sp.pi * x) * sp.cos(sp.pi * y) * decay,
    p: -(sp.cos(2 * sp.pi * x) + sp.cos(2 * sp.pi * y)) * decay**2 / 4,
}

problem = kp.Problem(
    name="taylor_green",
    domain=kp.Box({x: (0, 1), y: (0, 1)}) * kp.Time(t, (0, 0.5)),
    equations=[
        sp.Eq(u.diff(t) + u * u.diff(x) + v * u.diff(y), nu * kp.laplacian(u) - p.diff(x)),
        sp.Eq(v.diff(t) + u * v.diff(x) + v * v.diff(y), nu * kp.laplacian(v) - p.diff(y)),
        sp.Eq(u.diff(x) + v.diff(y), 0),
    ],
    conditions=[kp.Integral(p, 0)]
    + [kp.Dirichlet(w, exact[w]) for w in (u, v)]
    + [kp.Initial(w, exact[w].subs(t, 0)) for w in (u, v)],
    exact=exact,
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-4))
