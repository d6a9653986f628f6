"""The second radial tone of a round drum: one node circle, -Δu = λu on the unit disk.

The truth is the square of the second zero of J0, 30.471262343662087. Its neighbours, 26.37 and 40.71, are not far:
`near` picks the mode.
"""

import sympy as sp

import kanpde as kp

x, y = sp.symbols("x y", real=True)
u = sp.Function("u")(x, y)
tone = kp.Eigenvalue("lam", near=30.5)

problem = kp.Problem(
    name="drum_disk_overtone",
    domain=kp.Disk((x, y), (0, 0), 1),
    equations=sp.Eq(-kp.laplacian(u), tone * u),
    conditions=kp.Dirichlet(u, 0),
)


if __name__ == "__main__":
    solution = kp.solve(problem, rtol=1e-6)
    print(solution, solution.identified)
