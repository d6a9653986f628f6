"""A damped oscillator that is driven near its resonance: a linear system of two ordinary differential equations.

Closed solution: the steady oscillation and a transient that has the rest of the initial values.
"""

import sympy as sp

import kanpde as kp

t = sp.Symbol("t", real=True)
u, v = sp.Function("u")(t), sp.Function("v")(t)
transient = sp.exp(-t / 5) * sp.cos(3 * t)
exact_u = transient + sp.sin(3 * t)
drive = sp.simplify(exact_u.diff(t, 2) + sp.Rational(2, 5) * exact_u.diff(t) + 9 * exact_u)
span = kp.Box({t: (0, 10)})

problem = kp.Problem(
    name="oscillator",
    domain=span,
    equations=[sp.Eq(u.diff(t), v), sp.Eq(v.diff(t), drive - sp.Rational(2, 5) * v - 9 * u)],
    conditions=[
        kp.Dirichlet(u, 1, on=span.lower(t)),
        kp.Dirichlet(v, exact_u.diff(t).subs(t, 0), on=span.lower(t)),
    ],
    exact={u: exact_u, v: exact_u.diff(t)},
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-6))
