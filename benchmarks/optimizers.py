"""Optimisers at equal time on one network and the same points: a small network on A, a wide one on R.

    python -m benchmarks.optimizers [--rounds 1] [--share 1.0]

Each begins at the same coefficients and has the same seconds; what counts is the last state that it reached in them, so
a step that was not finished in time is lost. Writes results/optimizers.csv and results/optimizers.md.
"""

from __future__ import annotations

import csv
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks import common
from benchmarks.accuracy_report import markdown
from benchmarks.timing import options
from kanpde.cli.userfile import load_problem
from kanpde.collocation import collocate
from kanpde.estimate import TrainedField, relative_l2
from kanpde.lifting import impose
from kanpde.lowering import lower
from kanpde.network import KAN, Network, with_bounds
from kanpde.optim import LBFGS, Adam, LevenbergMarquardt, MatrixFree, Optimizer, SSBroyden, Status
from kanpde.problem import Problem
from kanpde.residuals import Block, ResidualSystem

DENSITY = 3  # points a parameter
MEMORY = 2 << 30  # bytes, so that J and the sweeps of the wide network may be kept
PROVENANCE = ("command", "commit", "machine")
METHODS: dict[str, Optimizer] = {
    "Levenberg-Marquardt": LevenbergMarquardt(),
    "matrix-free": MatrixFree(),
    "SSBroyden": SSBroyden(),
    "L-BFGS": LBFGS(),
    "Adam": Adam(),
}
EXPLAINED = (
    "Exact conditions, three points a parameter, one thread, medians over the seeds. The loss is half the sum of "
    "squared residuals, an approximation of half their integral; the error is the true one."
)


@dataclass(frozen=True)
class Case:
    """A network on a problem, and the time that each optimiser has.

    Args:
        name: for the table.
        problem: its file.
        network: from a seed.
        seconds: for each optimiser.
    """

    name: str
    problem: str
    network: Callable[[int], Network]
    seconds: float


CASES = (
    Case("A, small", "poisson", lambda seed: KAN([2, (4, 4), 1], "chebyshev", degree=12, seed=seed), 10.0),
    Case("R, wide", "rational", lambda seed: KAN([2, (30, 30), 1], "chebyshev", degree=20, seed=seed), 30.0),
)


@dataclass(frozen=True)
class Run:
    """What an optimiser reached.

    Attributes:
        case, method, seed: of the run.
        parameters, rows: of the system.
        steps: finished in time.
        seconds: when the last of them was.
        loss: after it.
        relative_l2: the true error after it.
        status: of the optimiser.
    """

    case: str
    method: str
    seed: int
    parameters: int
    rows: int
    steps: int
    seconds: float
    loss: float
    relative_l2: float
    status: str


def system_of(problem: Problem, network: Network) -> ResidualSystem:
    """The equations at Sobol points."""
    placed = with_bounds(network, problem.domain.bounds.tolist())
    points = collocate(problem.domain.interior, DENSITY * placed.n_parameters)
    block = Block("equations", tuple(lower(operator) for operator in problem.operators), points)
    return ResidualSystem([block], placed, impose(problem), MEMORY)


def reached(method: Optimizer, system: ResidualSystem, seconds: float) -> tuple[Any, int, float]:
    """The last state that was there in time, its number of steps, and when it was there."""
    begun = time.perf_counter()
    state, steps, when = method.init(system, system.theta), 0, 0.0
    while state.status is Status.RUNNING:
        following = method.step(system, state)
        spent = time.perf_counter() - begun
        if spent > seconds:
            break
        state, steps, when = following, steps + 1, spent
    return state, steps, when


def measured(case: Case, method: str, seed: int, seconds: float) -> Run:
    """One optimiser on a fresh system."""
    problem = load_problem(common.ROOT / "problems" / f"{case.problem}.py")
    system = system_of(problem, case.network(seed))
    state, steps, when = reached(METHODS[method], system, seconds)
    system.adopt(state.theta)
    error = relative_l2(problem, TrainedField(system.network, system.ansatz))
    assert error is not None
    status = "" if state.status is Status.RUNNING else state.status.name.lower()
    size = system.network.n_parameters, system.rows
    return Run(case.name, method, seed, *size, steps, when, state.loss, error, status)


def table(runs: Sequence[Run]) -> str:
    """Medians over the seeds, an optimiser a line."""
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.case, run.method), []).append(run)
    return markdown([_line(group) for group in groups.values()])


def _line(group: Sequence[Run]) -> dict[str, str]:
    loss, error, steps = (
        statistics.median(getattr(r, name) for r in group) for name in ("loss", "relative_l2", "steps")
    )
    return {
        "case": f"{group[0].case}, {group[0].parameters} parameters",
        "optimiser": group[0].method,
        "steps": f"{steps:.0f}",
        "loss": f"{loss:.1e}",
        "relative L2": f"{error:.1e}",
        "ended": ", ".join(sorted({r.status for r in group if r.status})),
    }


def write(directory: Path, runs: Sequence[Run], seconds: dict[str, float], about: dict[str, str]) -> str:
    """Writes optimizers.csv and optimizers.md and returns the text of the latter."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "optimizers.csv").open("w", newline="", encoding="utf-8") as file:
        rows = [{**asdict(run), **{key: about[key] for key in PROVENANCE}} for run in runs]
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    origin = "; ".join(f"{key} {about[key]}" for key in (*PROVENANCE, "threads", "date"))
    budgets = ", ".join(f"{name}: {value:g} s" for name, value in seconds.items())
    text = f"# Optimisers at equal time\n\n{origin}.\n\n{EXPLAINED} {budgets} each.\n\n{table(runs)}\n"
    (directory / "optimizers.md").write_text(text, encoding="utf-8")
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs all, one after the other; writes and prints the table."""
    parser = options("optimizers", __doc__, rounds=1)
    parser.add_argument("--share", type=float, default=1.0, help="of the time that each optimiser has by default")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    seconds = {case.name: given.share * case.seconds for case in CASES}
    runs = [
        measured(case, method, seed, seconds[case.name])
        for case in CASES
        for seed in range(given.rounds)
        for method in METHODS
    ]
    print(write(given.results, runs, seconds, common.about()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
