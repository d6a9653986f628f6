"""The focusing nonlinear Schrödinger equation i u_t + u_xx/2 + |u|² u = 0 from 2 sech x: two bound solitons.

Closed solution of Satsuma & Yajima (1974), whose values the ends take; with Raissi's periodic ends there is none. The
amplitude rises to 4 at t = π/4.
"""

import sympy as sp

import kanpde as kp

x, t = sp.symbols("x t", real=True)
u = kp.complex_unknown("u", x, t)
phase = sp.cos(4 * t) + sp.I * sp.sin(4 * t)
bound = 4 * (sp.cosh(3 * x) + 3 * phase * sp.cosh(x)) / (sp.cosh(4 * x) + 4 * sp.cosh(2 * x) + 3 * sp.cos(4 * t))
exact = bound * (sp.cos(t / 2) + sp.I * sp.sin(t / 2))

problem = kp.Problem(
    name="schroedinger",
    domain=kp.Box({x: (-5, 5)}) * kp.Time(t, (0, sp.pi / 2)),
    equations=sp.Eq(sp.I * u.diff(t) + u.diff(x, 2) / 2 + sp.Abs(u) ** 2 * u, 0),
    conditions=[kp.Dirichlet(u, exact), kp.Initial(u, 2 / sp.cosh(x))],
    exact={u: exact},
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-4))
