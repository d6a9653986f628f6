"""Accuracy: networks on six problems beside Chebyshev collocation, differences and finite elements.

    python -m benchmarks.accuracy [--problems poisson ...] [--rows default bspline mlp conventional] [--seeds 5]

Every finished run is stored at once in results/accuracy.h5; runs that are there already, made by the same code, are not
repeated, so a benchmark that was stopped goes on. The tables and the figure are made from the file alone.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks import accuracy_report
from benchmarks.conventional import methods
from benchmarks.runs import CASES, ROOT, Case, Row, conventional_run, fresh, network_run, source_digest
from benchmarks.stored import Stored

PROBLEMS = tuple(dict.fromkeys(case.problem for case in CASES))
ROWS = ("default", "bspline", "mlp", "conventional")
SEEDS = 5

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


def tasks(stored: Stored, problems: Sequence[str], rows: Sequence[str], seeds: int) -> Iterator[Task]:
    """What is still to be measured, in order; the sizes of MLPs are known by the time that they come."""
    for problem in problems:
        for method in methods() if "conventional" in rows else ():
            if not stored.has(problem=problem, row="conventional", method=method):
                yield f"{problem}, {method}", lambda p=problem, m=method: fresh(conventional_run, p, m)
        for case in (c for c in CASES if c.problem == problem and c.row in rows):
            for seed in range(seeds):
                if not stored.has(problem=problem, row=case.row, rtol=case.rtol, seed=seed):
                    yield f"{problem}, {case.row}, {case.rtol:.0e}, seed {seed}", _network(stored, case, seed)


def _network(stored: Stored, case: Case, seed: int) -> Callable[[], list[Row]]:
    size = parameters(stored, case) if case.row == "mlp" else None
    return lambda: [fresh(network_run, case, seed, size)]


def said(rows: Sequence[Row]) -> str:
    """One line about what was measured."""
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
    parser.add_argument("--results", type=Path, default=ROOT / "results", help="directory to write to")
    parser.add_argument("--keep", action="store_true", help="keep rows that earlier code made")
    options = parser.parse_args(arguments)
    stored = Stored(options.results / "accuracy.h5", source_digest(), options.keep)
    for name, run in tasks(stored, options.problems, options.rows, options.seeds):
        print(f"{name}: ", end="", flush=True)
        rows = run()
        stored.add(rows)
        print(said(rows), flush=True)
    print(accuracy_report.write(options.results))


if __name__ == "__main__":
    main()
