"""A plane wave that crosses a square with absorbing walls: complex Helmholtz with an impedance condition, k = 12.

Closed solution: the wave itself. The data on the walls make every one of them transparent for it.
"""

import sympy as sp

import kanpde as kp

x, y = sp.symbols("x y", real=True)
u = kp.complex_unknown("u", x, y)
k = 12
phase = k * (sp.Rational(3, 5) * x + sp.Rational(4, 5) * y)
exact = sp.cos(phase) + sp.I * sp.sin(phase)

problem = kp.Problem(
    name="helmholtz_impedance",
    domain=kp.Box({x: (0, 1), y: (0, 1)}),
    equations=sp.Eq(kp.laplacian(u) + k**2 * u, 0),
    conditions=kp.Condition(
        sp.Eq(kp.normal_derivative(u) - sp.I * k * u, kp.normal_derivative(exact) - sp.I * k * exact),
    ),
    exact={u: exact},
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-5))
