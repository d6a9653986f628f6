"""Trust: is the error estimate right, and does what is said to have converged have the accuracy asked for?

    python -m benchmarks.trust [--instances line_sines ...] [--rtols 1e-4 1e-6 1e-8] [--max-seconds 120] [--workers 2]

Solves every problem of `trust_cases` to every tolerance, each in a fresh process on one thread, and compares the error
estimate with the true error. Every finished run is stored at once in results/trust.h5; runs that are there already,
made by the same code, are not repeated, so a benchmark that was stopped goes on. Tables and figure are made from the
file alone.
"""

from __future__ import annotations

import argparse
import faulthandler
import hashlib
import math
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks import trust_report
from benchmarks.manufactured import Instance
from benchmarks.runs import ROOT, Row, fresh, warm_up
from benchmarks.stored import Stored
from benchmarks.trust_cases import INSTANCES
from kanpde.solution import Solution, solve

RTOLS = (1e-4, 1e-6, 1e-8)
SECONDS = 120.0
OVERTIME = 10.0  # times the seconds allowed: a run that has not returned by then is ended
NAMES = tuple(instance.name for instance in INSTANCES)
SOURCES = ("trust.py", "trust_cases.py", "manufactured.py")


@dataclass(frozen=True)
class Task:
    """One run: an instance, by its name, that is to be solved to a tolerance within a time."""

    instance: str
    rtol: float
    max_seconds: float

    @property
    def seed(self) -> int:
        """From the place of the instance in the table and from the tolerance, so that no two runs share one."""
        return 100 * NAMES.index(self.instance) + round(-math.log10(self.rtol))

    @property
    def subject(self) -> Instance:
        """The problem."""
        return INSTANCES[NAMES.index(self.instance)]

    @property
    def row(self) -> Row:
        """What is known before the run."""
        own = {"instance": self.instance, "class": self.subject.kind, "smooth": self.subject.smooth}
        asked = {"rtol": self.rtol, "seed": self.seed, "max_seconds": self.max_seconds}
        return {**own, "dimension": self.subject.dimension, **asked}


def tasks(stored: Stored, names: Sequence[str], rtols: Sequence[float], seconds: float) -> Iterator[Task]:
    """What is still to be run: all instances at the first tolerance, then at the next."""
    for rtol in rtols:
        for name in names:
            if not stored.has(instance=name, rtol=rtol, max_seconds=seconds):
                yield Task(name, rtol, seconds)


def run(task: Task) -> Row:
    """Solves, in a process of its own."""
    warm_up()
    faulthandler.dump_traceback_later(OVERTIME * task.max_seconds, exit=True)
    problem = task.subject.problem()
    solution = solve(problem, task.rtol, seed=task.seed, max_seconds=task.max_seconds)
    faulthandler.cancel_dump_traceback_later()
    return {**task.row, **outcome(solution)}


def outcome(solution: Solution) -> Row:
    """What the tables and the figure need of a solution."""
    true, estimate = solution.relative_l2, solution.error_estimate
    return {
        "converged": solution.converged,
        "status": solution.status,
        "relative_l2": true,
        "error_estimate": estimate,
        "effectivity": estimate / true if estimate is not None and true else None,
        "seconds": solution.seconds,
        "parameters": solution.n_parameters,
        "iterations": solution.iterations,
        "title": str(solution.record.network["title"]),
    }


def attempted(task: Task) -> Row:
    """The row of a run, also of one that raised an error or whose process died."""
    begun = time.perf_counter()
    try:
        return fresh(run, task)
    except Exception as error:
        words = " ".join(f"failed: {type(error).__name__}: {error}".split())
        return {**task.row, "converged": False, "status": words, "seconds": time.perf_counter() - begun}


def run_all(stored: Stored, pending: Sequence[Task], workers: int) -> None:
    """Runs several at a time, stores each as it ends, and says so."""
    begun = time.perf_counter()
    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(attempted, task) for task in pending]
        try:
            for done, future in enumerate(as_completed(futures), start=1):
                stored.add([future.result()])
                left = (time.perf_counter() - begun) / done * (len(pending) - done)
                print(f"{done} of {len(pending)}, {said(stored.rows[-1])}; about {left / 60:.0f} min left", flush=True)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def said(row: Row) -> str:
    """One line about a run."""
    true, estimate = (trust_report.number(row.get(key)) for key in ("relative_l2", "error_estimate"))
    errors = f"true {true}, estimated {estimate}"
    return f"{row['instance']} at {row['rtol']:.0e}: {row['status']}, {errors}, {row['seconds']:.1f} s"


def source_digest() -> str:
    """Of all the code that a row depends on."""
    total = hashlib.sha256()
    own = [Path(__file__).with_name(name) for name in SOURCES]
    for path in sorted([*ROOT.glob("kanpde/**/*.py"), *own]):
        total.update(path.read_bytes())
    return total.hexdigest()[:12]


def single_threaded() -> None:
    """One thread for each run: processes that are started later read the variable before they load anything."""
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs what is missing, then writes tables and figure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trust", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--instances", nargs="+", choices=NAMES, default=NAMES, metavar="NAME")
    parser.add_argument("--rtols", nargs="+", type=float, default=RTOLS)
    parser.add_argument("--max-seconds", type=float, default=SECONDS, help="for each run")
    parser.add_argument("--workers", type=int, default=2, help="runs at a time")
    parser.add_argument("--results", type=Path, default=ROOT / "results", help="directory to write to")
    parser.add_argument("--keep", action="store_true", help="keep rows that earlier code made")
    options = parser.parse_args(arguments)
    single_threaded()
    stored = Stored(options.results / "trust.h5", source_digest(), options.keep)
    run_all(stored, list(tasks(stored, options.instances, options.rtols, options.max_seconds)), options.workers)
    print(trust_report.write(options.results))


if __name__ == "__main__":
    main()
