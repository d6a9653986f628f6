"""A wide plate with a round hole under tension: Kirsch's solution, with its stress concentration of 3.

G. Kirsch, 1898; plane stress, Poisson's ratio 0.3, displacements in units of tension / (8 shear modulus). The hole is
free of traction, the outer edge moves as the infinite plate does.
"""

import sympy as sp

import kanpde as kp

x, y = sp.symbols("x y", real=True)
u, v = sp.Function("u")(x, y), sp.Function("v")(x, y)
kappa, nu = sp.Rational(27, 13), sp.Rational(3, 10)  # kappa = (3 - nu) / (1 + nu)
r2 = x**2 + y**2
exact = {
    u: (kappa + 1) * x + 2 * (1 + kappa) * x / r2 + 2 * (x**3 - 3 * x * y**2) * (1 - 1 / r2) / r2**2,
    v: (kappa - 3) * y + 2 * (1 - kappa) * y / r2 + 2 * (3 * x**2 * y - y**3) * (1 - 1 / r2) / r2**2,
}
sxx, syy = u.diff(x) + nu * v.diff(y), v.diff(y) + nu * u.diff(x)
sxy = (1 - nu) / 2 * (u.diff(y) + v.diff(x))
n = kp.Normal()
plate, hole = kp.Box({x: (-3, 3), y: (-3, 3)}), kp.Disk((x, y), (0, 0), 1)

problem = kp.Problem(
    name="plate_with_hole",
    domain=plate - hole,
    equations=[kp.divergence([sxx, sxy]), kp.divergence([sxy, syy])],
    conditions=[kp.Dirichlet(w, exact[w], on=plate.boundary) for w in (u, v)]
    + [kp.Condition(kp.dot([a, b], n), on=hole.boundary) for a, b in ((sxx, sxy), (sxy, syy))],
    exact=exact,
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-5))
