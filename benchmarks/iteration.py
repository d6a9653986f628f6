"""One Levenberg-Marquardt iteration against the dense algebra that it cannot do without.

    python -m benchmarks.iteration [--threads 1]

The bare algebra, on matrices of the same shape: J written at memory speed, its Gram matrix and the Cholesky solves, or
the QR factor of [J r] and of [R; √λ D], as torch does them. The iteration has all of that to do, and J itself, and the
residuals by which it accelerates and accepts. It is measured from a point of a run at which its first λ is accepted.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from benchmarks.runs import problem_named
from benchmarks.timing import Gate, Row, in_turns, options, report
from kanpde.collocation import collocate
from kanpde.lifting import impose
from kanpde.lowering import lower
from kanpde.network import KAN, MLP, Network, with_bounds
from kanpde.optim.levenberg_marquardt import LevenbergMarquardt, LMState
from kanpde.plan import POINTS_PER_PARAMETER
from kanpde.residuals import Block, ResidualSystem

WARM_UP = 4  # accepted steps before the measured one
LIMIT = 3.0
NETWORKS: dict[str, Callable[[], Network]] = {
    "Chebyshev KAN, 390": lambda: KAN([2, 5, 1], "chebyshev", degree=25),
    "Chebyshev KAN, 806": lambda: KAN([2, 10, 1], "chebyshev", degree=26),
    "Chebyshev KAN with products, 640": lambda: KAN([2, (4, 4), 1], "chebyshev", degree=19),
    "B-spline KAN, 390": lambda: KAN([2, 5, 1], degree=7, intervals=19),
    "B-spline KAN, 810": lambda: KAN([2, 10, 1], degree=5, intervals=22),
    "MLP, 609": lambda: MLP([2, 16, 16, 16, 1]),
}


def system_of(network: Network) -> ResidualSystem:
    """Poisson's problem with as many points to a parameter as `solve` takes."""
    problem = problem_named("poisson")
    placed = with_bounds(network, problem.domain.bounds.tolist())
    points = collocate(problem.domain.interior, round(POINTS_PER_PARAMETER * placed.n_parameters))
    block = Block("equations", tuple(lower(o) for o in problem.operators), points)
    return ResidualSystem([block], placed, impose(problem))


def warm(system: ResidualSystem, method: LevenbergMarquardt) -> LMState:
    """A state in a run, with a damping that is accepted at once."""
    state = method.init(system, system.network.theta)
    for _ in range(WARM_UP):
        state = method.step(system, state)
    while (after := method.step(system, state)).trials > 1:
        state = replace(state, damping=4 * max(after.damping, state.damping))
    return state


def bare(rows: int, parameters: int, orthogonal: bool) -> Callable[[], Tensor]:
    """The dense algebra of one iteration, on random matrices."""
    generator = torch.Generator().manual_seed(0)
    jacobian = torch.randn(parameters + 1, rows, generator=generator, dtype=torch.float64)
    written = torch.empty_like(jacobian)
    eye = torch.eye(parameters + 1, dtype=torch.float64)

    def factor() -> Tensor:
        if orthogonal:
            triangle = torch.linalg.qr(jacobian.T, mode="r")[1]
            return torch.linalg.qr(torch.cat([triangle, eye]), mode="r")[1]
        return torch.linalg.cholesky(jacobian @ jacobian.T + eye).T

    def run() -> Tensor:
        written.fill_(1.0)
        triangle = factor()
        half = torch.linalg.solve_triangular(triangle.T, eye[:, :1], upper=False)
        return torch.linalg.solve_triangular(triangle, half, upper=True)

    return run


def measured(name: str, orthogonal: bool, rounds: int) -> Row:
    """One line of the table."""
    system = system_of(NETWORKS[name]())
    method = LevenbergMarquardt(orthogonal_below=float("inf") if orthogonal else 0.0)
    state = warm(system, method)
    parameters = system.network.n_parameters
    seconds = in_turns(
        {
            "iteration": partial(method.step, system, state),
            "bare": bare(system.rows, parameters, orthogonal),
            "J": lambda: list(system.linearized(state.theta)),
            "residual": partial(system.residual, state.theta),
        },
        rounds,
    )
    return {
        "network": name,
        "rows": system.rows,
        "factor": "QR" if orthogonal else "Cholesky",
        **{f"{part} ms": 1e3 * value for part, value in seconds.items()},
        "ratio": seconds["iteration"] / seconds["bare"],
    }


def main() -> int:
    """Times, writes results/iteration.json."""
    parser = options("iteration", __doc__, rounds=11)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    rows = [measured(name, orthogonal, given.rounds) for name in NETWORKS for orthogonal in (False, True)]
    gates = [Gate(f"{row['network']}, {row['factor']}: times the bare algebra", row["ratio"], LIMIT) for row in rows]
    return report(given.results / "iteration.json", rows, gates)


if __name__ == "__main__":
    sys.exit(main())
