"""KAN against MLP against the conventional solver: the same problem, points, conditions and optimisers.

One set of runs answers three questions, for each keeps the error at many times: who is better with as many parameters,
with as much time, and who reaches an accuracy sooner. Both networks are tuned first, with as many candidates, each for
the same time, chosen by the residual at unseen points, which a user without the exact solution has, too.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from kanpde.problem import Problem
from kanpde.solution import solve
from kanpde.studies.book import Row
from kanpde.studies.cases import Case
from kanpde.studies.comparison_report import comparison_page
from kanpde.studies.conventional import conventional_runs
from kanpde.studies.engine import Job, Listener, Workers
from kanpde.studies.nets import FAMILIES, Net, widened_to
from kanpde.studies.study import Setting, Study, cases_of, check_positive, check_words
from kanpde.studies.trial import Trial

OPTIMIZERS = ("lm", "ssbroyden", "lbfgs", "adam")
SIZES = (100, 300, 900)
DENSITY = 3  # points for each parameter of the largest network; smaller ones get as many points
TUNING_SHARE = 0.25  # of the time of a run
TUNING_SEED = 7001  # a start and points that no later run has
RATES = (3e-3, 1e-2)  # of Adam, tuned with the network
DRIVER_TOLERANCES = (1e-4, 1e-6, 1e-8)

#: As many candidates for each family. Widths follow from the size.
CANDIDATES: dict[str, tuple[Net, ...]] = {
    "kan": (
        Net("kan", (1,), "chebyshev", resolution=12),
        Net("kan", (1,), "chebyshev", resolution=24),
        Net("kan", (1,), "bspline", 5, 12),
        Net("kan", (1, 1), "chebyshev", resolution=8),
    ),
    "multkan": (
        Net("multkan", (2,), "chebyshev", resolution=12),
        Net("multkan", (2,), "chebyshev", resolution=24),
        Net("multkan", (2,), "bspline", 5, 12),
        Net("multkan", (2, 2), "chebyshev", resolution=8),
    ),
    "mlp": (
        Net("mlp", (1, 1), "tanh", resolution=1),
        Net("mlp", (1, 1), "sin", resolution=1),
        Net("mlp", (1, 1, 1), "tanh", resolution=1),
        Net("mlp", (1, 1, 1), "sin", resolution=1),
    ),
}


@dataclass(frozen=True)
class Comparison:
    """What is compared.

    Attributes:
        networks: "kan", "multkan", "mlp".
        optimizers: "lm", "ssbroyden", "lbfgs", "adam".
        sizes: parameters, about.
        seeds: starts and point sets of each.
        seconds: of training of each run.
        points: collocation points, the same for all; by default three for each parameter of the largest network.
        exact: conditions exactly, by soft rows, or (None) as the problem has it.
        device: of the networks.

    Raises:
        ProblemError: a word or a number that means nothing.
    """

    networks: tuple[str, ...] = ("kan", "mlp")
    optimizers: tuple[str, ...] = OPTIMIZERS
    sizes: tuple[int, ...] = SIZES
    seeds: int = 3
    seconds: float = 12.0
    points: int | None = None
    exact: bool | None = None
    device: str = "cpu"

    def __post_init__(self) -> None:
        check_words("--networks", self.networks, FAMILIES)
        check_words("--optimizers", self.optimizers, OPTIMIZERS)
        check_positive("--sizes", *self.sizes)
        check_positive("--seeds", self.seeds)
        check_positive("--seconds", self.seconds)
        check_positive("--points", 1 if self.points is None else self.points)

    @property
    def count(self) -> int:
        """Collocation points."""
        return self.points or DENSITY * max(self.sizes)


def compare(
    problem: Problem | Sequence[Problem],
    *,
    comparison: Comparison | None = None,
    out: str | Path | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    fresh: bool = False,
    listen: Listener | None = None,
) -> Study:
    """Compares KANs, MLPs and the conventional solver on one or several problems.

    Starts processes: call it under `if __name__ == "__main__"`, or with `workers=0`.

    Args:
        problem: with an exact solution, or with a reference stored in `out`.
        comparison: what is compared; `Comparison()` by default.
        out: directory for rows, table, figures and report; finished runs that it has are not repeated.
        workers: processes, as many as cores by default; 0 for this one.
        scheduler: address of a Dask scheduler, in place of local processes.
        fresh: begin anew.
        listen: told after each run.

    Returns:
        The rows and the report.

    Raises:
        ProblemError: no truth to compare with, an unknown word, or a scheduler that does not answer.
        StoreError: files that cannot be written or are of another version.
    """
    asked = comparison or Comparison()
    problems = [problem] if isinstance(problem, Problem) else list(problem)
    setting = Setting(None if out is None else Path(out), Workers(workers, scheduler), fresh, listen)
    cases = cases_of(problems, setting.out)
    name = "compare-" + "-".join(cases)
    with setting.book(name) as book:
        tuned = setting.executed([job for case in cases.values() for job in tuning(asked, case)], cases, book)
        jobs = [job for case in cases.values() for job in runs(asked, case, tuned)]
        rows = setting.executed(jobs, cases, book)
        page = comparison_page(asdict(asked), list(cases.values()), tuned, rows, book.about)
        return setting.written(book, [*tuned, *rows], page)


def tuning(asked: Comparison, case: Case) -> list[Trial]:
    """A short run of each candidate of each network with each optimiser, at the middle size."""
    size = sorted(asked.sizes)[len(asked.sizes) // 2]
    plain = Trial(
        case.name,
        "tuning",
        Net(),
        points=asked.count,
        exact=asked.exact,
        seconds=TUNING_SHARE * asked.seconds,
        seed=TUNING_SEED,
        device=asked.device,
        answers=False,
    )
    return [
        replace(plain, net=sized(net, case, size), optimizer=optimizer, rate=rate)
        for family in asked.networks
        for optimizer in asked.optimizers
        for net in CANDIDATES[family]
        for rate in (RATES if optimizer == "adam" else RATES[-1:])
    ]


def sized(net: Net, case: Case, parameters: int) -> Net:
    """The candidate with about so many parameters on a problem."""
    return widened_to(net, case.problem.domain.dimension, len(case.problem.fields), parameters)


def runs(asked: Comparison, case: Case, tuned: Sequence[Row]) -> list[Job]:
    """All runs of a problem: the tuned networks, the default of `solve`, the conventional solver."""
    found: list[Job] = [
        Trial(
            case.name,
            "compare",
            sized(net, case, size),
            optimizer,
            rate,
            points=asked.count,
            exact=asked.exact,
            seconds=asked.seconds,
            seed=seed,
            device=asked.device,
            note=f"{size}",
        )
        for family in asked.networks
        for optimizer in asked.optimizers
        for net, rate in [chosen(tuned, case.name, family, optimizer)]
        for size in asked.sizes
        for seed in range(asked.seeds)
    ]
    found += [
        Driver(case.name, rtol, seed, 4 * asked.seconds) for rtol in DRIVER_TOLERANCES for seed in range(asked.seeds)
    ]
    return [*found, *conventional_runs(case.problem)]


def chosen(tuned: Sequence[Row], case: str, family: str, optimizer: str) -> tuple[Net, float]:
    """The candidate with the least residual at unseen points, and its learning rate; the first where all failed."""
    own = [
        row
        for row in tuned
        if (row["case"], row["family"], row["optimizer"]) == (case, family, optimizer)
        and row.get("residual") is not None
    ]
    if not own:
        return CANDIDATES[family][0], RATES[-1]
    best = min(own, key=lambda row: row["residual"])
    kind = (best["basis"], best["degree"], best["resolution"], len(best["hidden"]))
    net = next(n for n in CANDIDATES[family] if (n.basis, n.degree, n.resolution, len(n.hidden)) == kind)
    return net, best["rate"]


@dataclass(frozen=True)
class Driver:
    """`solve` as it comes: it chooses network, points and stages, and stops by its own estimate.

    Attributes:
        case: name of the problem.
        rtol: what it is asked for.
        seed: of the run.
        seconds: time limit.
    """

    case: str
    rtol: float
    seed: int
    seconds: float

    @property
    def kind(self) -> str:
        """What rows of this kind are called."""
        return "driver"

    @property
    def values(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {"study": "driver"}

    @property
    def limit(self) -> float:
        """Seconds, roughly: far less than the limit on most problems."""
        return 0.3 * self.seconds

    def perform(self, case: Case) -> dict[str, Any]:
        """Solves: `relative_l2, relative_h1, maximum, estimate, parameters, seconds_trained`, all of its time."""
        clock = time.process_time()
        solution = solve(case.problem, self.rtol, seed=self.seed, max_seconds=self.seconds)
        spent = time.process_time() - clock
        found = case.errors(solution.field.jet)
        return {
            **asdict(found),
            "estimate": solution.error_estimate,
            "parameters": solution.n_parameters,
            "steps": solution.iterations,
            "seconds_trained": spent,
            "seconds": solution.seconds,
            "status": solution.status,
        }
