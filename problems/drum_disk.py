"""The fundamental tone of a round drum: -Δu = λu on the unit disk.

The truth is the square of the first zero of the Bessel function J0, 5.783185962946784.
"""

import sympy as sp

import kanpde as kp

x, y = sp.symbols("x y", real=True)
u = sp.Function("u")(x, y)
tone = kp.Eigenvalue("lam", near=6)

problem = kp.Problem(
    name="drum_disk",
    domain=kp.Disk((x, y), (0, 0), 1),
    equations=sp.Eq(-kp.laplacian(u), tone * u),
    conditions=kp.Dirichlet(u, 0),
)


if __name__ == "__main__":
    solution = kp.solve(problem, rtol=1e-6)
    print(solution, solution.identified)
