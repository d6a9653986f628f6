"""Laplace's equation in a square with four round holes: Poisson2d-C of PINNacle (2306.08827); one outside, zero inside.

The truth: polynomials, and multipoles with images, fitted to 1e-13 on the edges. Best published neural result: 1.2e-2.
"""

import numpy as np
import sympy as sp

import kanpde as kp

x, y = sp.symbols("x y", real=True)
u = sp.Function("u")(x, y)
square = kp.Box({x: (-0.5, 0.5), y: (-0.5, 0.5)})
centres = [0.3 * (a + 1j * b) for a in (-1, 1) for b in (-1, 1)]
holes = [kp.Disk((x, y), (c.real, c.imag), 0.1) for c in centres]


def harmonics(x, y):  # functions (n, 34) with the symmetries of the problem
    images = [((-1) ** (a + b), a + (-1) ** a * x + 1j * (b + (-1) ** b * y)) for a in (-1, 0, 1) for b in (-1, 0, 1)]
    poles = [(sign, 0.1 * np.exp(1j * np.angle(c)) / (z - c)[:, None]) for sign, z in images for c in centres]
    sums = sum(sign * np.hstack([np.log(abs(p)), (p ** np.arange(1, 21)).real]) for sign, p in poles)
    return np.hstack([((x + 1j * y)[:, None] ** np.arange(0, 56, 4)).real, sums])


s = np.linspace(-0.5, 0.5, 201)
circle = centres[-1] + 0.1 * np.exp(2j * np.pi * s)
rows = [harmonics(0.5 + 0 * s, s), harmonics(circle.real, circle.imag)]
weights = np.linalg.lstsq(np.vstack(rows), np.repeat([1.0, 0.0], 201), rcond=1e-15)[0]

problem = kp.Problem(
    name="square_minus_disks",
    domain=square - holes[0] - holes[1] - holes[2] - holes[3],
    equations=sp.Eq(kp.laplacian(u), 0),
    conditions=[kp.Dirichlet(u, 1, on=square.boundary), *(kp.Dirichlet(u, 0, on=hole.boundary) for hole in holes)],
    exact={u: kp.Given("multipoles", lambda x, y: harmonics(x, y) @ weights)(x, y)},
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-5))
