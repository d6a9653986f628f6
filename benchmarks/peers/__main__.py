"""kanpde and its peers on the same problems: relative L2 error against seconds of training on one core.

    python -m benchmarks.peers [--problems A H R] [--peers kanpde pykan ...] [--seconds 120] [--seeds 1]
                               [--results results] [--environments DIR]

Each library runs in an environment of its own, which is made from PyPI where it is missing, one process at a time.
Finished runs are stored at once in results/peers.h5 and not repeated by the same code; failed ones are rows with their
reason, and tried again. Table and figure are made from the file alone.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.peers import report
from benchmarks.peers.environments import CACHE
from benchmarks.peers.measure import DONE, Row, code, measured
from benchmarks.peers.problems import PROBLEMS
from benchmarks.peers.table import PEERS
from benchmarks.runs import ROOT
from benchmarks.stored import Stored

Task = dict[str, object]


def tasks(stored: Stored, options: argparse.Namespace) -> Iterator[Task]:
    """The runs that are still to be made, in order."""
    for problem in options.problems:
        for peer in options.peers:
            for seed in range(options.seeds):
                task: Task = {"problem": problem, "peer": peer, "budget": options.seconds, "seed": seed}
                if not stored.has(**task, code=code(PEERS[peer]), status=DONE):
                    yield task


def replaced(stored: Stored, task: Task, row: Row) -> None:
    """Stores a run in the place of an earlier one of the same task, which failed or was made by other code."""
    stored.rows = [old for old in stored.rows if any(old.get(key) != value for key, value in task.items())]
    stored.add([row])


def run_all(stored: Stored, pending: Sequence[Task], environments: Path) -> None:
    """One run after the other; says what came out."""
    for done, task in enumerate(pending, start=1):
        problem, seconds, seed = str(task["problem"]), float(str(task["budget"])), int(str(task["seed"]))
        row = measured(PEERS[str(task["peer"])], problem, seconds, seed, environments)
        replaced(stored, task, row)
        said = f"{row['relative_l2']:.1e} after {row['seconds']:.0f} s, {row['status']}"
        print(f"{done} of {len(pending)}, {problem}, {task['peer']}, seed {seed}: {said}", flush=True)


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--problems", nargs="+", choices=PROBLEMS, default=list(PROBLEMS))
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--seconds", type=float, default=120.0, help="of training, a run")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--results", type=Path, default=ROOT / "results", help="directory to write to")
    parser.add_argument("--environments", type=Path, default=CACHE, help="directory with the environments of the peers")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs what is missing, then writes table and figure."""
    options = parsed(arguments)
    stored = Stored(options.results / "peers.h5", "peers", keep=True)
    run_all(stored, list(tasks(stored, options)), options.environments)
    print(report.write(options.results))


if __name__ == "__main__":
    sys.argv[0] = "peers"  # the name under which results state their command
    main()
