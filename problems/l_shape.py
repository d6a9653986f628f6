"""An L-shaped membrane of three unit squares: -Δu = 1, with the singularity of its re-entrant corner.

Near the corner u behaves as r^(2/3) sin(2θ/3), so polynomials converge slowly. The integral of u, 0.2140758036...,
is known from high-order computations; the reference beside it is a finite element solution.
"""

import sympy as sp

import kanpde as kp

x, y = sp.symbols("x y", real=True)
u = sp.Function("u")(x, y)

problem = kp.Problem(
    name="l_shape",
    domain=kp.Box({x: (-1, 1), y: (-1, 1)}) - kp.Box({x: (0, 1), y: (-1, 0)}),
    equations=sp.Eq(-kp.laplacian(u), 1),
    conditions=kp.Dirichlet(u, 0),
)


if __name__ == "__main__":
    solution = kp.solve(problem, rtol=1e-3)
    print(solution, solution.integrate(u))
