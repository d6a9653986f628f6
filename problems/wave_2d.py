"""A square membrane that swings in two of its modes: the wave equation in two space dimensions.

Closed solution: two standing waves of different pitch.
"""

import sympy as sp

import kanpde as kp

x, y, t = sp.symbols("x y t", real=True)
u = sp.Function("u")(x, y, t)
low = sp.sin(sp.pi * x) * sp.sin(sp.pi * y) * sp.cos(sp.sqrt(2) * sp.pi * t)
high = sp.sin(2 * sp.pi * x) * sp.sin(sp.pi * y) * sp.cos(sp.sqrt(5) * sp.pi * t)
exact = low + high / 2

problem = kp.Problem(
    name="wave_2d",
    domain=kp.Box({x: (0, 1), y: (0, 1)}) * kp.Time(t, (0, 1)),
    equations=sp.Eq(u.diff(t, 2), kp.laplacian(u)),
    conditions=[kp.Dirichlet(u, 0), kp.Initial(u, exact.subs(t, 0)), kp.Initial(u.diff(t), 0)],
    exact={u: exact},
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-5))
