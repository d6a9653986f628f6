"""How often a trained network is read back as the formula that it approximates, on problems of which it is known.

    python -m benchmarks.recovery [--only NAME ...] [--method kanpde pykan ...] [--seconds 30] [--seed 0]
                                  [--round 1] [--again] [--judge] [--report] [--results results] [--environments DIR]

A problem has a process of its own, one at a time, with one thread and a hard limit of time. Rows are stored at once in
results/recovery.h5 and not repeated; a `--round` of another number keeps the rows of the rounds before. The report is
made from the file alone, and `--judge` judges anew what is in it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.common import ROOT
from benchmarks.peers.environments import CACHE
from benchmarks.recovery import report
from benchmarks.recovery.methods import METHODS
from benchmarks.recovery.running import measured, rejudged
from benchmarks.recovery.suite import SUITE
from kanpde.studies.book import Book

STUDY = "recovery"


def opened(results: Path) -> Book:
    """The rows so far."""
    return Book(results / f"{STUDY}.h5", STUDY)


def run(method: str, name: str, options: argparse.Namespace) -> None:
    """One row, unless the book has it. The book is read anew for each, so that two methods may run side by side."""
    key = f"{method} {name} {options.seed} {options.round}"
    if opened(options.results).has(key) and not options.again:
        return
    row = measured(SUITE[name](), METHODS[method], options.seed, options.seconds, options.environments)
    row = {"key": key, "method": method, "seed": options.seed, "round": options.round, **row}
    opened(options.results).add(row)
    print(f"{method}, {name}: {row['outcome']}, {row['seconds']:.0f} s, {row['status']}", flush=True)


def judge_anew(results: Path) -> None:
    """Every row gets a new verdict."""
    book = opened(results)
    for row in list(book.rows.values()):
        book.add(rejudged(row, SUITE[row["name"]](), METHODS[row["method"]]))


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recovery", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=SUITE, default=list(SUITE), metavar="NAME")
    parser.add_argument("--method", nargs="+", choices=METHODS, default=["kanpde"])
    parser.add_argument("--seconds", type=float, default=30.0, help="of the solve, for a method that solves")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--round", type=int, default=1, help="of the same code; another round has rows of its own")
    parser.add_argument("--again", action="store_true", help="measure anew what is there")
    parser.add_argument("--judge", action="store_true", help="run nothing, judge the formulas of the file anew")
    parser.add_argument("--report", action="store_true", help="only write the report")
    parser.add_argument("--results", type=Path, default=ROOT / "results", help="directory to write to")
    parser.add_argument("--environments", type=Path, default=CACHE, help="directory with the environments of the peers")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs what is missing, then writes the report."""
    options = parsed(arguments)
    if options.judge:
        judge_anew(options.results)
    for method in [] if options.report or options.judge else options.method:
        for name in options.only:
            run(method, name, options)
    for path in report.write(opened(options.results)):
        print(path)


if __name__ == "__main__":
    sys.argv[0] = STUDY  # the name under which results state their command
    main()
