"""kanpde on one problem, with nothing chosen: `solve` as it comes, given more and more time.

A point of the trace is a solve of its own from the start, estimates of the error included: what one gets who stops
there. Every solve with the same seed takes the same way.
"""

from __future__ import annotations

import time

import torch

from benchmarks.peers.problems import PROBLEMS, relative_l2
from benchmarks.peers.tracing import Request, requested, say
from benchmarks.runs import problem_named, warm_up
from kanpde.solution import Solution, solve

RTOL = 1e-14  # out of reach: time is what stops a run, or that nothing more helps
FIRST, FACTOR = 1.0, 2.0  # seconds of the first solve, and from one to the next


def budgets(seconds: float) -> list[float]:
    """1, 2, 4, ... seconds of training, and the whole budget in the end."""
    found, now = [], FIRST
    while now < seconds / FACTOR**0.5:
        found.append(now)
        now *= FACTOR
    return [*found, seconds]


def solved(request: Request, budget: float, stretch: float) -> tuple[Solution, float, float]:
    """A solve of so many seconds on the processor, with those that it took, and wall seconds a processor second.

    `solve` reads the wall clock, which runs faster on a machine that others use.
    """
    problem = problem_named(PROBLEMS[request.problem].file)
    wall, processor = time.perf_counter(), time.process_time()
    solution = solve(problem, RTOL, seed=request.seed, max_seconds=budget * stretch)
    spent = time.process_time() - processor
    return solution, spent, max(1.0, (time.perf_counter() - wall) / spent)


def main() -> None:
    """Solves again and again, and says what came out."""
    request = requested()
    torch.set_num_threads(1)
    warm_up()
    say(importing=time.process_time())
    stretch = 1.0
    for budget in budgets(request.seconds):
        solution, spent, stretch = solved(request, budget, stretch)
        error = relative_l2(PROBLEMS[request.problem], solution)
        loss = float(solution.history[-1]["residual"]) ** 2 / 2 if solution.history else float("nan")
        say(seconds=spent, iteration=solution.iterations, loss=loss, relative_l2=error)
        say(parameters=solution.n_parameters, ended=solution.status)


if __name__ == "__main__":
    main()
