"""Creeping flow around a cylinder in a channel: Stokes' equations, a parabolic profile at both ends.

No closed solution; the reference is a finite element solution (Taylor-Hood). Smooth, for the channel's corners are
right and the data fit together there.
"""

import sympy as sp

import kanpde as kp

x, y = sp.symbols("x y", real=True)
p, u, v = (sp.Function(name)(x, y) for name in "puv")
channel = kp.Box({x: (-2, 3), y: (-1, 1)})
cylinder = kp.Disk((x, y), (0, 0), 0.4)

problem = kp.Problem(
    name="stokes_cylinder",
    domain=channel - cylinder,
    equations=[
        sp.Eq(kp.laplacian(u), p.diff(x)),
        sp.Eq(kp.laplacian(v), p.diff(y)),
        sp.Eq(u.diff(x) + v.diff(y), 0),
    ],
    conditions=[
        kp.Dirichlet(u, 1 - y**2, on=channel.boundary),
        kp.Dirichlet(v, 0, on=channel.boundary),
        kp.Dirichlet(u, 0, on=cylinder.boundary),
        kp.Dirichlet(v, 0, on=cylinder.boundary),
        kp.Integral(p, 0),
    ],
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-3, max_seconds=300))
