"""`kanpde gallery`: every problem of a directory, one after another; the table is written after each of them."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from kanpde.cli import report
from kanpde.cli.progress import live
from kanpde.cli.report import INTERRUPTED, UNCONVERGED
from kanpde.cli.userfile import load_problem, spoken_warnings, users_code
from kanpde.errors import KanpdeError, ProblemError
from kanpde.files import check_writable
from kanpde.gallery import (
    Entry,
    Files,
    Settings,
    entry_of,
    failed,
    load_entries,
    read_settings,
    refreshed,
    save_entries,
)
from kanpde.gallery.settings import DEFAULTS
from kanpde.problem import Problem
from kanpde.provenance import provenance
from kanpde.references.suited import judge
from kanpde.solution import solve

# A conventional solver that judges must be better than what it judges by this factor.
MARGIN = 10.0


@dataclass(frozen=True)
class GalleryWish:
    """The options of `kanpde gallery`.

    Attributes:
        names: the problems, all of the directory where none is named.
        problems: the directory of the problem files.
        rtol, max_seconds: in the place of those of the settings, where given.
        seed: what the random numbers begin with.
        fresh: solve again what an earlier run has solved.

    Raises:
        ProblemError: a number that means nothing.
    """

    names: tuple[str, ...]
    problems: Path
    rtol: float | None
    max_seconds: float | None
    seed: int
    fresh: bool

    def __post_init__(self) -> None:
        for name, value in (("--rtol", self.rtol), ("--max-seconds", self.max_seconds)):
            if value is not None and not 0 < value < float("inf"):
                raise ProblemError(f"{name} {value:g} means nothing: give a positive number.")
        if self.seed < 0:
            raise ProblemError(f"--seed {self.seed} is negative: give 0, 1, 2, ...")

    @property
    def files(self) -> list[Path]:
        """The problem files, by name.

        Raises:
            ProblemError: no such directory or file, or nothing in it.
        """
        if not self.problems.is_dir():
            raise ProblemError(f"{self.problems} is no directory. Name one of problem files with --problems DIR.")
        found = {path.stem: path for path in sorted(self.problems.glob("*.py"))}
        missing = [name for name in self.names if name not in found]
        if missing:
            raise ProblemError(f"{self.problems} has no problem {missing[0]}; it has {', '.join(found) or 'none'}.")
        if not found:
            raise ProblemError(
                f"{self.problems} holds no problem files (*.py). Name another directory with --problems."
            )
        return [found[name] for name in self.names or found]


def run_gallery(wish: GalleryWish, out: Path, as_json: bool) -> int:
    """Solves what has no row yet; returns 0 when every problem asked for converged, 3 otherwise."""
    console, target = Console(), Files(out)
    paths, settings = wish.files, read_settings(wish.problems)
    for path in (target.table, target.csv, target.markdown):
        check_writable(path)
    rows = {} if wish.fresh and not wish.names else load_entries(target)
    done: list[Entry] = []
    for position, path in enumerate(paths, 1):
        asked = settings.get(path.stem, settings[DEFAULTS]).changed(wish.rtol, wish.max_seconds)
        title = f"[{position}/{len(paths)}] {path.stem}"
        row, new = _row(console, title, path, asked, wish, rows)
        if row.status == "interrupted":
            report.print_line(console, f"{title}: interrupted; the rows before it are in {target.table}")
            return INTERRUPTED
        rows[row.problem] = row
        done.append(row)
        save_entries(target, list(rows.values()), _about())
        report.print_line(console, f"{title}: {'' if new else 'kept: '}{_told(row)}")
    if not wish.names and len(done) < len(rows):
        save_entries(target, done, _about())  # without the rows of problems that are no more
    report.print_line(console, f"{target.markdown}  {target.csv}  {target.table}")
    if as_json:
        report.print_json(_summary(done))
    return 0 if all(row.converged for row in done) else UNCONVERGED


def _row(
    console: Console, title: str, path: Path, asked: Settings, wish: GalleryWish, rows: dict[str, Entry]
) -> tuple[Entry, bool]:
    """The row of a problem, and whether it is new; whatever goes wrong is a row, too."""
    name = path.stem
    try:
        with spoken_warnings():
            problem = load_problem(path)
            name = problem.name
            kept = rows.get(name)
            if kept is not None and not wish.fresh and kept.answers(problem, asked, wish.seed):
                return refreshed(kept, asked), False
            with users_code(path):
                return _solved(console, title, problem, asked, wish.seed), True
    except KanpdeError as error:
        return failed(name, asked, wish.seed, str(error)), True
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}:{place.lineno}"
        return failed(name, asked, wish.seed, f"a fault of kanpde, {type(error).__name__}: {error} ({where})"), True


def _solved(console: Console, title: str, problem: Problem, asked: Settings, seed: int) -> Entry:
    """Solves, then sets the conventional solver beside it."""
    with live(console, title) as callback:
        solution = solve(problem, asked.rtol, seed=seed, max_seconds=asked.max_seconds, callback=callback)
    if solution.status == "interrupted":
        return Entry(problem.name, status="interrupted")
    beside: dict[str, Any] = {}
    reference = None
    if asked.reference:
        known = problem.exact is not None
        beside, reference = judge(problem, asked.rtol if known else asked.rtol / MARGIN, asked.order)
    return entry_of(problem, solution, asked, beside, reference)


def _about() -> dict[str, Any]:
    origin = provenance()
    return {key: origin[key] for key in ("kanpde", "commit", "date", "machine", "command")}


def _told(row: Entry) -> str:
    """One row as the command says it while it goes."""
    if row.seconds is None:
        return row.status
    error = report.number(row.error)
    return f"error {error}, estimate {report.number(row.estimate)}, {report.seconds(row.seconds)} s, {row.status}"


def _summary(rows: Sequence[Entry]) -> dict[str, Any]:
    return {
        "problems": len(rows),
        "converged": sum(row.converged for row in rows),
        "failed": sum(not row.complete for row in rows),
        "targets": sum(row.met is not None for row in rows),
        "met": sum(bool(row.met) for row in rows),
        "rows": list(_plain(rows)),
    }


def _plain(rows: Sequence[Entry]) -> Iterator[dict[str, Any]]:
    for row in rows:
        yield {**vars(row), "unknowns": list(row.unknowns), "quantities": list(row.quantities)}
