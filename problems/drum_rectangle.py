"""A tone of a rectangular drum with sides 1 and 0.8: the mode with two half waves along x and one along y.

The truth is π² (4 + 1/0.64); no other mode has the same tone.
"""

import sympy as sp

import kanpde as kp

x, y = sp.symbols("x y", real=True)
u = sp.Function("u")(x, y)
tone = kp.Eigenvalue("lam", near=55)

problem = kp.Problem(
    name="drum_rectangle",
    domain=kp.Box({x: (0, 1), y: (0, 0.8)}),
    equations=sp.Eq(-kp.laplacian(u), tone * u),
    conditions=kp.Dirichlet(u, 0),
)


if __name__ == "__main__":
    solution = kp.solve(problem, rtol=1e-6)
    print(solution, solution.identified)
