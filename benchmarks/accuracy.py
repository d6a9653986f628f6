"""Accuracy: networks on fifteen problems beside the conventional solvers, and the targets that they are to meet.

    python -m benchmarks.accuracy [--problems poisson ...] [--rows default bspline mlp conventional] [--seeds 5]
                                  [--seeds-slow 5] [--workers 1]

Every finished run is stored at once in results/accuracy.h5; runs that are there already, made by the same code, are not
repeated, so a benchmark that was stopped goes on. The tables and the figure are made from the file alone.
"""

from __future__ import annotations

import argparse
import os
import statistics
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from benchmarks import accuracy_report
from benchmarks.ladder import suitable
from benchmarks.runs import (
    CASES,
    ROOT,
    Case,
    Row,
    conventional_run,
    fresh,
    network_run,
    problem_named,
    source_digest,
)
from benchmarks.stored import Stored

PROBLEMS = tuple(dict.fromkeys(case.problem for case in CASES))
ROWS = ("default", "bspline", "mlp", "conventional")
SEEDS = 5
SLOW = ("burgers", "allen_cahn")  # up to ten minutes a run

Task = tuple[str, Callable[[], list[Row]]]


def parameters(stored: Stored, case: Case) -> int:
    """How large the default network was at its end: the median over the seeds."""
    found = [
        row["parameters"]
        for row in stored.rows
        if (row["problem"], row["row"], row.get("rtol")) == (case.problem, "default", case.rtol)
    ]
    if not found:
        raise SystemExit(f"the MLP of {case.problem} takes its size from the default network: run that row first")
    return round(statistics.median(found))


def tasks(
    stored: Stored, problems: Sequence[str], rows: Sequence[str], seeds: int, slow: int = SEEDS
) -> Iterator[Task]:
    """What is still to be measured, in order; the sizes of MLPs are known where the default networks have run."""
    for problem in problems:
        for method in suitable(problem_named(problem)) if "conventional" in rows else ():
            if not stored.has(problem=problem, row="conventional", method=method):
                yield f"{problem}, {method}", lambda p=problem, m=method: fresh(conventional_run, p, m)
        for case in (c for c in CASES if c.problem == problem and c.row in rows):
            for seed in range(slow if problem in SLOW else seeds):
                if not stored.has(problem=problem, row=case.row, rtol=case.rtol, budget=case.seconds, seed=seed):
                    yield f"{problem}, {case.row}, {case.rtol:.0e}, seed {seed}", _network(stored, case, seed)


def _network(stored: Stored, case: Case, seed: int) -> Callable[[], list[Row]]:
    size = parameters(stored, case) if case.row == "mlp" else None
    return lambda: [fresh(network_run, case, seed, size)]


def run_all(stored: Stored, pending: Sequence[Task], workers: int) -> None:
    """Runs several at a time, stores each as it ends, and says so."""
    with ThreadPoolExecutor(workers) as pool:
        futures = {pool.submit(run): name for name, run in pending}
        try:
            for done, future in enumerate(as_completed(futures), start=1):
                rows = [{**row, "workers": workers} for row in future.result()]
                stored.add(rows)
                print(f"{done} of {len(pending)}, {futures[future]}: {said(rows)}", flush=True)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def said(rows: Sequence[Row]) -> str:
    """One line about what was measured."""
    if not rows:
        return "nothing"
    last = rows[-1]
    grids = f", {len(rows)} grids" if len(rows) > 1 else ""
    status = f", {last['parameters']} parameters, {last['status']}" if "status" in last else ""
    return f"{last['relative_l2']:.1e} in {last['seconds']:.2f} s{grids}{status}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs what is missing, then writes tables and figure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--problems", nargs="+", choices=PROBLEMS, default=PROBLEMS)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=ROWS)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--seeds-slow", type=int, default=SEEDS, help=f"the same for {' and '.join(SLOW)}")
    parser.add_argument("--workers", type=int, default=1, help="runs at a time; one thread each where more than one")
    parser.add_argument("--results", type=Path, default=ROOT / "results", help="directory to write to")
    parser.add_argument("--keep", action="store_true", help="keep rows that earlier code made")
    options = parser.parse_args(arguments)
    if options.workers > 1:
        # The processes of the runs are started later, and read it before they load anything.
        os.environ["OMP_NUM_THREADS"] = "1"
    stored = Stored(options.results / "accuracy.h5", source_digest(), options.keep)
    for rows in ([r for r in options.rows if r != "mlp"], [r for r in options.rows if r == "mlp"]):
        pending = list(tasks(stored, options.problems, rows, options.seeds, options.seeds_slow))
        run_all(stored, pending, options.workers)
    print(accuracy_report.write(options.results))


if __name__ == "__main__":
    main()
