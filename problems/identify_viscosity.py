"""The viscosity in Burgers' equation from 200 noisy measurements of a travelling front.

The data are the closed solution at nu = 0.05 with noise of 1 %, seeded. The found value must lie within three of its
reported standard errors of the truth.
"""

import numpy as np
import sympy as sp

import kanpde as kp

x, t = sp.symbols("x t", real=True)
u = sp.Function("u")(x, t)
nu = kp.Parameter("nu", initial=0.2)
front = (1 - sp.tanh((x - t / 2) / 0.2)) / 2  # the solution for nu = 0.05

random = np.random.default_rng(7)
points = np.column_stack([random.uniform(-1, 1, 200), random.uniform(0, 1, 200)])
values = (1 - np.tanh((points[:, 0] - points[:, 1] / 2) / 0.2)) / 2 + random.normal(0, 0.01, 200)

problem = kp.Problem(
    name="identify_viscosity",
    domain=kp.Box({x: (-1, 1)}) * kp.Time(t, (0, 1)),
    equations=sp.Eq(u.diff(t) + u * u.diff(x), nu * kp.laplacian(u)),
    conditions=[
        kp.Dirichlet(u, front),
        kp.Initial(u, front.subs(t, 0)),
        kp.Observations(u, points, values, sigma=0.01),
    ],
    exact={u: front},
)


if __name__ == "__main__":
    solution = kp.solve(problem, rtol=1e-3)
    print(solution, solution.identified, solution.identified_stderr)
