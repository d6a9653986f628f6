"""One run of the accuracy benchmark: a network on a problem, or a conventional solver from coarse to fine.

Every run has a process of its own, forked from one that has imported everything and done nothing: what `solve`
compiles, factorises or caches is in its time, the imports are not.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.evolution import deviation
from benchmarks.ladder import ladder
from benchmarks.targets import TARGETS
from kanpde.cli.userfile import load_problem
from kanpde.lifting import impose
from kanpde.network import KAN, MLP, Network
from kanpde.plan import CANDIDATES, assemble, fitted
from kanpde.problem import Problem
from kanpde.solution import Solution, solve
from kanpde.stages import Stage
from kanpde.training import SCOUTING

Row = dict[str, Any]

ROOT = Path(__file__).parents[1]
CONVENTIONAL_SECONDS = {2: 3.0, 3: 12.0}  # by dimension: no finer grid where the next solve would take longer
SOURCES = ("runs.py", "conventional.py", "evolution.py", "ladder.py")
TRACED = 60  # points of a run's curve in the figure
ENDING = 0.95  # of its time after which a run is told to stop: its last step and its estimate come on top
RESTARTS = 3  # of a network that cannot grow: new points and more damping when it stalls; 20 were worse


@dataclass(frozen=True)
class Case:
    """One row of the table: a network that is to solve a problem to a tolerance within a time."""

    problem: str
    row: str  # "default", "bspline" or "mlp"
    rtol: float
    seconds: float


CASES = (
    *(Case(target.problem, "default", target.error, target.seconds) for target in TARGETS),
    Case("poisson", "default", 1e-6, 5),
    Case("poisson", "default", 1e-8, 40),
    Case("poisson", "bspline", 1e-6, 40),
    Case("poisson", "mlp", 1e-6, 5),
    Case("poisson", "mlp", 1e-8, 40),
    Case("poisson_paper", "default", 1e-6, 10),
    Case("poisson_paper", "bspline", 1e-6, 10),
    Case("poisson_paper", "mlp", 1e-6, 10),
    Case("helmholtz", "default", 1e-6, 60),
    Case("helmholtz", "bspline", 1e-4, 60),
    Case("helmholtz", "mlp", 1e-6, 60),
    Case("poisson_3d", "bspline", 1e-5, 60),
    Case("poisson_3d", "mlp", 1e-5, 60),
    Case("rational", "default", 1e-5, 30),
    Case("rational", "bspline", 1e-5, 30),
    Case("rational", "mlp", 1e-5, 30),
    Case("rational_helmholtz", "default", 1e-5, 30),
    Case("rational_helmholtz", "bspline", 1e-5, 30),
    Case("rational_helmholtz", "mlp", 1e-5, 30),
)
# Degree and first intervals of the B-spline row: of degrees 5, 7, 9 with 2 to 8 intervals the one with which five seeds
# on A and on H all converged, none of them late.
SPLINE = (7, 4)


def problem_named(name: str) -> Problem:
    """The problem of problems/NAME.py."""
    return load_problem(ROOT / "problems" / f"{name}.py")


def networks_of(case: Case, problem: Problem, seed: int, parameters: int | None) -> list[Network]:
    """The starts of a row, as many as `solve` tries of its default network; none for that one."""
    d, seeds = len(problem.coordinates), [seed + 100_003 * k for k in range(CANDIDATES)]
    if case.row == "bspline":
        degree, intervals = SPLINE
        return [KAN([d, (4, 4), 1], "bspline", degree=degree, intervals=intervals, seed=s, arity=d) for s in seeds]
    if case.row == "mlp":
        width = mlp_width(d, parameters or 0)
        return [MLP([d, width, width, 1], seed=s) for s in seeds]
    return []


def mlp_width(inputs: int, parameters: int) -> int:
    """The width m of [inputs, m, m, 1] with about so many parameters: m² + (inputs + 3) m + 1."""
    half = (inputs + 3) / 2
    return max(2, round(float(np.sqrt(half**2 + parameters - 1) - half)))


def network_run(case: Case, seed: int, parameters: int | None) -> Row:
    """Solves; the time is that of `solve`, the choice among the starts included."""
    warm_up()
    problem = problem_named(case.problem)
    stages = [Stage(iterations=500)] * RESTARTS if case.row == "mlp" else None
    clock, network = time.perf_counter(), None
    if case.row != "default":
        networks = [fitted(n, problem) for n in networks_of(case, problem, seed, parameters)]
        network = scouted(problem, networks, Stage(), seed)
    spent = time.perf_counter() - clock
    left = max(ENDING * case.seconds - spent, 0.1)
    solution = solve(problem, case.rtol, network=network, stages=stages, seed=seed, max_seconds=left)
    return {**_named(case), "seed": seed, "threads": torch.get_num_threads(), **results(solution, spent)}


def scouted(problem: Problem, networks: Sequence[Network], stage: Stage, seed: int) -> Network:
    """The best of several starts after a few steps, as `solve` chooses among those of its default network."""
    ansatz, losses = impose(problem, None), []
    for network in networks:
        system = assemble(problem, network, ansatz, stage, seed, None)
        state = stage.engine.init(system, network.theta)
        for _ in range(SCOUTING):
            state = stage.engine.step(system, state)
        network.set_theta(state.theta)
        losses.append(state.loss)
    return networks[int(np.argmin(losses))]


def _named(case: Case) -> Row:
    return {"problem": case.problem, "row": case.row, "rtol": case.rtol, "budget": float(case.seconds)}


def results(solution: Solution, spent: float) -> Row:
    """What the table and the figure need of a solution that took `spent` seconds before."""
    error = deviation(solution) if solution.problem.exact is None else solution.relative_l2
    return {
        "title": str(solution.record.network["title"]),
        "relative_l2": float(np.nan if error is None else error),
        "error_estimate": solution.error_estimate,
        "seconds": spent + solution.seconds,
        "parameters": solution.n_parameters,
        "iterations": solution.iterations,
        "converged": solution.converged,
        "status": solution.status,
        "trace": [[spent + seconds, residual] for seconds, residual in trace(solution)],
    }


def trace(solution: Solution) -> list[list[float]]:
    """[seconds, |r|] along the run, thinned out."""
    rows = solution.history
    kept = sorted({*range(0, len(rows), max(1, len(rows) // TRACED)), len(rows) - 1})
    return [[float(rows[k]["seconds"]), float(rows[k]["residual"])] for k in kept if rows]


def conventional_run(problem: str, method: str) -> list[Row]:
    """A conventional solver from coarse to fine."""
    warm_up()
    statement = problem_named(problem)
    solves = ladder(statement, method, CONVENTIONAL_SECONDS[len(statement.coordinates)])
    rows = [asdict(measured) for measured in solves]
    own = {"problem": problem, "row": "conventional", "threads": torch.get_num_threads()}
    return [{**own, "relative_l2": r.pop("error"), **r} for r in rows]


def warm_up() -> None:
    """Starts the threads of both linear algebras."""
    torch.linalg.qr(torch.rand(400, 400, dtype=torch.float64))
    np.linalg.qr(np.random.default_rng(0).normal(size=(400, 400)))


def fresh(function: Callable[..., Any], *arguments: Any) -> Any:
    """The result of a function in a new process in which nothing has been computed yet."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["benchmarks.runs"])
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(function, *arguments).result()


def source_digest() -> str:
    """Of all the code that a figure depends on: rows of an earlier state are measured anew."""
    total = hashlib.sha256()
    own = [Path(__file__).with_name(name) for name in SOURCES]
    for path in sorted([*ROOT.glob("kanpde/**/*.py"), *ROOT.glob("problems/*.py"), *own]):
        total.update(path.read_bytes())
    return total.hexdigest()[:12]


def now() -> str:
    """Date and time, UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
