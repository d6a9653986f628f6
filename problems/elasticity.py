"""Plane strain of an elastic square that is clamped on one side and pulled on the others (Lamé: 1.5 and 1).

Manufactured and smooth. The traction on three sides is that of the closed solution.
"""

import sympy as sp

import kanpde as kp

x, y = sp.symbols("x y", real=True)
u, v = sp.Function("u")(x, y), sp.Function("v")(x, y)
exact = {u: sp.sin(sp.pi * x / 2) * sp.cos(y), v: x * sp.exp(y / 2)}
square, n = kp.Box({x: (0, 1), y: (0, 1)}), kp.Normal()


def stress(u, v):
    """The rows of the stress tensor."""
    shear, spread = u.diff(y) + v.diff(x), sp.Rational(3, 2) * (u.diff(x) + v.diff(y))
    return [[spread + 2 * u.diff(x), shear], [shear, spread + 2 * v.diff(y)]]


pairs = list(zip(stress(u, v), stress(*exact.values()), strict=True))
problem = kp.Problem(
    name="elasticity",
    domain=square,
    equations=[sp.Eq(kp.divergence(row), kp.divergence(truth)) for row, truth in pairs],
    conditions=[kp.Dirichlet(w, exact[w], on=square.lower(x)) for w in (u, v)]
    + [kp.Condition(kp.dot(row, n) - kp.dot(truth, n), on=square.boundary - square.lower(x)) for row, truth in pairs],
    exact=exact,
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-6))
