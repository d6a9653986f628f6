"""Even and adaptive points at equal numbers: errors of one network on a smooth problem and on two steep ones.

The network grows through the same degrees, with the same steps, for every rule; what differs is where the points of a
stage lie. `python -m benchmarks.sampling` writes results/sampling.csv and results/sampling.md.
"""

from __future__ import annotations

import csv
import itertools
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import sympy as sp
import torch

import kanpde as kp
from benchmarks import common
from benchmarks.accuracy_report import markdown
from benchmarks.timing import options
from kanpde.adaptive import Magnitude, adapted, foreseen, generalisation
from kanpde.cli.userfile import load_problem
from kanpde.collocation import PointSet, collocate, validation
from kanpde.estimate import TrainedField, relative_l2
from kanpde.field import Ansatz
from kanpde.lifting import impose
from kanpde.lowering import lower
from kanpde.network import KAN, Network
from kanpde.optim import LevenbergMarquardt, Status
from kanpde.plan import fitted
from kanpde.problem import Problem
from kanpde.residuals import Block, ResidualSystem

EQUAL = ", equal weights"
RULES = ("sobol", "rad", "rar-d", "r3", f"rad{EQUAL}")
DENSITIES = (1.5, 3.0)  # points a parameter
ADDED = 20  # points that RAR-D adds at least
STEPS = 20  # of Levenberg-Marquardt, at most, in each stage
STALL = (6, 1.3)  # a stage ends where the loss fell by less than this factor over so many steps
VALIDATED = 2000  # points that no rule uses
PROVENANCE = ("command", "commit", "machine")
EXPLAINED = (
    "Median (worst) over the seeds; beside the error its geometric mean over that of Sobol points, seed by seed. The "
    "residual is the root mean square of F at points that no rule used; beside it its ratio to that at the points of "
    "training, and what this ratio is where a least-squares fit meets noise. Equal weights are RAD as published, "
    "without the weights that make up for its density."
)


@dataclass(frozen=True)
class Case:
    """A problem and the degrees through which its network grows.

    Args:
        problem: its name.
        kind: smooth or steep.
        degrees: one a stage; twice the same one means new points only.
    """

    problem: str
    kind: str
    degrees: tuple[int, ...]


CASES = (
    Case("poisson", "smooth", (5, 10, 10)),
    Case("boundary_layer", "steep", (6, 15, 15)),
    Case("peak", "steep", (6, 15, 15)),
)


@dataclass(frozen=True)
class Run:
    """What one network reached.

    Attributes:
        problem, rule, density, seed: of the run.
        parameters: of the last stage.
        points: of the last stage.
        relative_l2: true error.
        residual: root mean square of F at validation points.
        ratio: of that to the one at the points of training.
        foreseen: what that ratio is in a least-squares fit to noise.
        seconds: of the whole run.
    """

    problem: str
    rule: str
    density: float
    seed: int
    parameters: int
    points: int
    relative_l2: float
    residual: float
    ratio: float
    foreseen: float
    seconds: float


def peak() -> Problem:
    """Poisson's equation on a square, the solution a bump a fifteenth of the side wide, off the middle."""
    x, y = sp.symbols("x y", real=True)
    u = sp.Function("u")(x, y)
    exact = sp.exp(-((x - sp.Rational(3, 10)) ** 2 + (y + sp.Rational(1, 5)) ** 2) / sp.Rational(1, 50))
    return kp.Problem(
        name="peak",
        domain=kp.Box({x: (-1, 1), y: (-1, 1)}),
        equations=sp.Eq(kp.laplacian(u), sum(sp.diff(exact, s, 2) for s in (x, y))),
        conditions=kp.Dirichlet(u, exact),
        exact={u: exact},
    )


def system_at(problem: Problem, network: Network, ansatz: Ansatz, points: PointSet) -> ResidualSystem:
    """The equations at points; every condition of these problems is kept exactly."""
    block = Block("equations", tuple(lower(operator) for operator in problem.operators), points)
    return ResidualSystem([block], network, ansatz, parameters=problem.parameters)


def magnitude(problem: Problem, network: Network, ansatz: Ansatz, points: PointSet) -> np.ndarray:
    """|F| (n,) at points."""
    system = system_at(problem, network, ansatz, PointSet(points.x, np.ones(len(points)), points.normals))
    return system.residual(system.theta).abs().numpy()


def points_of(
    rule: str, problem: Problem, count: int, seed: int, size: Magnitude, earlier: PointSet | None
) -> PointSet:
    """The points of a stage; RAR-D, which keeps all, grows by a few at least."""
    region = problem.domain.interior
    if rule == "sobol" or earlier is None:
        return collocate(region, count, "sobol", seed)
    if rule == "rar-d":
        count = max(count, len(earlier) + ADDED)
    points = adapted(region, count, size, rule.removesuffix(EQUAL), earlier, seed)
    return PointSet(points.x, np.full(count, region.measure / count), None) if rule.endswith(EQUAL) else points


def trained(system: ResidualSystem) -> None:
    """Some steps of Levenberg-Marquardt."""
    engine = LevenbergMarquardt(damping=1e-4)
    state, losses = engine.init(system, system.theta), []
    for _ in range(STEPS):
        state = engine.step(system, state)
        losses.append(state.loss)
        stalled = len(losses) > STALL[0] and losses[-1 - STALL[0]] < STALL[1] * losses[-1]
        if state.status is not Status.RUNNING or stalled:
            break
    system.adopt(state.theta)


def measured(case: Case, problem: Problem, rule: str, density: float, seed: int) -> Run:
    """One network, stage by stage."""
    ansatz, begun, points = impose(problem, None), time.perf_counter(), None
    network = fitted(KAN([2, (2, 3), 1], "chebyshev", degree=case.degrees[0], seed=seed), problem)
    assert isinstance(network, Network)
    for stage, degree in enumerate(case.degrees):
        network = network.refined(degree=degree)
        size = partial(magnitude, problem, network, ansatz)
        points = points_of(rule, problem, round(density * network.n_parameters), 1000 * seed + stage, size, points)
        trained(system_at(problem, network, ansatz, points))
    assert points is not None
    fresh, size = validation(problem.domain.interior, VALIDATED, seed), partial(magnitude, problem, network, ansatz)
    own, new = ((size(p) ** 2, p.weights) for p in (points, fresh))
    return Run(
        case.problem,
        rule,
        density,
        seed,
        network.n_parameters,
        len(points),
        float(relative_l2(problem, TrainedField(network, ansatz)) or np.nan),
        float(np.sqrt(np.mean(new[0]))),
        generalisation(own, new).ratio,
        foreseen(len(points), network.n_parameters),
        time.perf_counter() - begun,
    )


def table(runs: Sequence[Run]) -> str:
    """Medians and worst of the seeds, a rule a line."""
    lines = []
    for case, density, rule in itertools.product(CASES, DENSITIES, RULES):
        group = [r for r in runs if (r.problem, r.density, r.rule) == (case.problem, density, rule)]
        if group:
            lines.append(
                {
                    "problem": f"{case.problem} ({case.kind})",
                    "points a parameter": f"{density:g}",
                    "rule": rule,
                    "relative L2": spread([r.relative_l2 for r in group], "{:.1e}"),
                    "to Sobol's": f"{beside(group, runs):.2f}",
                    "residual between the points": spread([r.residual for r in group], "{:.1e}"),
                    "its ratio to that at them": spread([r.ratio for r in group], "{:.2g}"),
                    "foreseen": f"{group[0].foreseen:.2g}",
                    "seconds": f"{statistics.median(r.seconds for r in group):.1f}",
                }
            )
    return markdown(lines)


def beside(group: Sequence[Run], runs: Sequence[Run]) -> float:
    """The geometric mean of the errors over those with Sobol points, from the same starts."""
    first = group[0]
    even = {r.seed: r for r in runs if (r.problem, r.density, r.rule) == (first.problem, first.density, "sobol")}
    return statistics.geometric_mean(r.relative_l2 / even[r.seed].relative_l2 for r in group)


def spread(values: Sequence[float], form: str) -> str:
    """Median (worst)."""
    return f"{form.format(statistics.median(values))} ({form.format(max(values))})"


def write(directory: Path, runs: Sequence[Run], about: dict[str, str]) -> str:
    """Writes sampling.csv and sampling.md and returns the table."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "sampling.csv").open("w", newline="", encoding="utf-8") as file:
        rows = [{**asdict(run), **{key: about[key] for key in PROVENANCE}} for run in runs]
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    origin = "; ".join(f"{key} {about[key]}" for key in (*PROVENANCE, "threads", "date"))
    text = f"# Points that follow the residual\n\n{origin}.\n\n{EXPLAINED}\n\n{table(runs)}\n"
    (directory / "sampling.md").write_text(text, encoding="utf-8")
    return text


def main() -> int:
    """Runs all, a problem after the other, the rules in turn; writes and prints the table."""
    parser = options("sampling", __doc__, rounds=5)
    given = parser.parse_args()
    torch.set_num_threads(1)
    runs = []
    for case in CASES:
        problem = peak() if case.problem == "peak" else load_problem(common.ROOT / "problems" / f"{case.problem}.py")
        for seed, density, rule in itertools.product(range(given.rounds), DENSITIES, RULES):
            runs.append(measured(case, problem, rule, density, seed))
    print(write(given.results, runs, common.about()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
