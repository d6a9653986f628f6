"""kanpde on one problem of the suite, which has no solution in it: solves, then reads the network."""

from __future__ import annotations

import argparse
import time

import torch

import kanpde as kp
from benchmarks.peers.tracing import say
from benchmarks.recovery.suite import SUITE
from kanpde.expression import to_tree

RTOL = 1e-6  # the tolerance that `solve` has by default


def main() -> None:
    """Solves, reads, and says what came out, each part as soon as it is known."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=SUITE)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    problem = SUITE[options.name]().problem
    clock = time.perf_counter()
    solution = kp.solve(problem, rtol=RTOL, max_seconds=options.seconds, seed=options.seed)
    solved = {"converged": bool(solution.converged), "error_estimate": solution.error_estimate}
    say(seconds_solve=time.perf_counter() - clock, parameters=solution.n_parameters, **solved)
    clock = time.perf_counter()
    formula = solution.symbolic()
    say(seconds_symbolic=time.perf_counter() - clock, said=str(formula))
    say(proved=bool(formula.proved), residual=formula.residual, open=[str(label) for label in formula.open])
    if formula.expressions is not None:
        say(trees=[to_tree(expression) for expression in formula.expressions])


if __name__ == "__main__":
    main()
