"""`kanpde prune` and `kanpde smallest`: solutions by smaller networks, beside the ones that `solve` has kept."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from rich.console import Console

from kanpde.cli import report
from kanpde.cli.progress import live
from kanpde.cli.results import Files, find_results
from kanpde.cli.userfile import load_problem, spoken_warnings, users_code
from kanpde.errors import ProblemError
from kanpde.files import check_writable
from kanpde.hdf5 import kind_of
from kanpde.pruning import Attempt, attempts, ending, pruned, smallest
from kanpde.solution import Solution, load

ENDINGS = ("-pruned", "-smallest")


@dataclasses.dataclass(frozen=True)
class SearchWish:
    """The options of both commands.

    Attributes:
        rtol: relative L2 error to reach; None for that of the solution.
        max_seconds: time limit.
        seed: what the random numbers begin with.
        resume: go on with what an earlier search left.
        out: directory of the results.
        as_json: whether one JSON object is the last line.
    """

    rtol: float | None
    max_seconds: float | None
    out: Path
    as_json: bool
    seed: int = 0
    resume: bool = False


def prune_results(result: str | None, wish: SearchWish) -> int:
    """Makes the network of every solution that RESULT means smaller, and keeps what comes of it as NAME-pruned.h5.

    Raises:
        ProblemError: none of them is a solution, or one has no nodes.
        StoreError: a file cannot be read or written.
    """
    console, statuses = Console(), []
    for path in _solutions(result, wish.out):
        solution = load(path)
        target = _beside(wish.out, solution.problem.name, ENDINGS[0])
        with live(console, solution.problem.name) as callback:
            found = pruned(
                solution, wish.rtol, max_seconds=wish.max_seconds, callback=callback, tell=lambda a: _say(console, a)
            )
        found.save(target)
        statuses.append(_told(console, found, target, wish.as_json))
    return max(statuses)


def smallest_file(file: Path, wish: SearchWish) -> int:
    """Searches for the smallest network that solves the problem of a file; keeps it as NAME-smallest.h5.

    Raises:
        ProblemError: a file without a problem, or a network without nodes.
        StoreError: a file cannot be read or written.
    """
    console = Console()
    with spoken_warnings():
        problem = load_problem(file)
        target = _beside(wish.out, problem.name, ENDINGS[1])
        with users_code(file), live(console, problem.name) as callback:
            found = smallest(
                problem,
                1e-6 if wish.rtol is None else wish.rtol,
                seed=wish.seed,
                max_seconds=wish.max_seconds,
                callback=callback,
                tell=lambda a: _say(console, a),
                checkpoint=target,
                resume=wish.resume,
            )
    found.save(target)
    return _told(console, found, target, wish.as_json)


def _solutions(result: str | None, out: Path) -> list[Path]:
    """The solutions that RESULT means; of a directory not those that were made by these commands."""
    found = find_results(result, out)
    solutions = [path for path in found if kind_of(path) == "solution"]
    if not solutions:
        raise ProblemError(f"{found[0]} is a {kind_of(found[0])}, not a solution. Name what kanpde solve has written.")
    return [path for path in solutions if not path.stem.endswith(ENDINGS)] or solutions


def _beside(out: Path, name: str, ending: str) -> Path:
    """The file of a smaller solution, which can be written."""
    path = Files(out, name).solution
    path = path.with_name(path.stem + ending + path.suffix)
    check_writable(path)
    return path


def _say(console: Console, attempt: Attempt) -> None:
    report.print_line(console, str(attempt))


def _told(console: Console, solution: Solution, path: Path, as_json: bool) -> int:
    """Says what was found; the exit status."""
    report.print_result(console, solution.record)
    first, *tried = attempts(solution)
    kept = sum(attempt.kept for attempt in tried)
    counts = f"{first.parameters} parameters before, {solution.n_parameters} now"
    report.print_line(console, f"{counts}; {len(tried)} networks tried, {kept} kept; search {ending(solution)}")
    report.print_line(console, str(path))
    if as_json:
        report.print_json(_summary(solution))
    return report.INTERRUPTED if ending(solution) == "interrupted" else report.exit_status(solution.record)


def _summary(solution: Solution) -> dict[str, Any]:
    table = [dataclasses.asdict(attempt) for attempt in attempts(solution)]
    more = {"parameters_before": table[0]["parameters"], "network": solution.record.network["title"]}
    return report.summary(solution.record) | more | {"search": ending(solution), "attempts": table}
