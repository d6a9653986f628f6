"""A membrane of 40 by 20 micrometres under pressure, in metres and pascals: scales far from one.

Tension 50 N/m, an elastic foundation of 1e11 Pa/m and pressures of 1e7 Pa; the deflection is about a tenth of a
micrometre. Manufactured and smooth. It shows that units need no care: the solver finds the scales itself.
"""

import sympy as sp

import kanpde as kp

x, y = sp.symbols("x y", real=True)
w = sp.Function("w")(x, y)
micro = sp.Rational(1, 10**6)
tension, foundation = 50, 10**11
exact = sp.Rational(1, 10) * micro * sp.sin(sp.pi * x / (20 * micro)) * sp.cos(sp.pi * y / (20 * micro))
pressure = foundation * exact - tension * (exact.diff(x, 2) + exact.diff(y, 2))

problem = kp.Problem(
    name="micrometres",
    domain=kp.Box({x: (-20e-6, 20e-6), y: (-10e-6, 10e-6)}),
    equations=sp.Eq(foundation * w - tension * kp.laplacian(w), pressure),
    conditions=kp.Dirichlet(w, 0),
    exact={w: exact},
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-6))
