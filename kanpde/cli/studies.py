"""`kanpde compare`, `scaling` and `ablation`: studies of problem files, with their progress and what they found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from kanpde.cli import report
from kanpde.cli.choices import check_device
from kanpde.cli.report import UNCONVERGED
from kanpde.cli.userfile import load_problem, spoken_warnings
from kanpde.errors import ProblemError
from kanpde.studies import (
    Ablation,
    Comparison,
    Scaling,
    Study,
    StudySettings,
    ablation,
    compare,
    read_study_settings,
    scaling,
)
from kanpde.studies.engine import Listener, Report

LINES = 20  # that are printed where nobody watches a bar


@dataclass(frozen=True)
class StudyWish:
    """What the options of all studies say.

    Attributes:
        files: the problems.
        out: directory of the results.
        workers: processes; None for as many as cores.
        scheduler: address of a Dask scheduler.
        fresh: begin anew.
        device: of the networks.
        as_json: one JSON object as the last line.
    """

    files: tuple[Path, ...]
    out: Path
    workers: int | None
    scheduler: str | None
    fresh: bool
    device: str
    as_json: bool

    @property
    def arguments(self) -> dict[str, Any]:
        """What every study is given."""
        return {"out": self.out, "workers": self.workers, "scheduler": self.scheduler, "fresh": self.fresh}


def compare_files(wish: StudyWish, comparison: Comparison) -> int:
    """Compares networks and the conventional solver on the problems of files."""
    return _run(wish, compare, {"comparison": comparison})


def scaling_files(wish: StudyWish, asked: Scaling, own: bool) -> int:
    """Measures how errors scale on the problems of files.

    Args:
        wish: what the options of all studies say.
        asked: what is varied.
        own: whether the settings beside the files count.
    """
    settings = [read_study_settings(path) if own else StudySettings() for path in wish.files]
    return _run(wish, scaling, {"scaling": asked, "settings": settings})


def ablation_files(wish: StudyWish, asked: Ablation) -> int:
    """Measures what each choice is worth on the problems of files."""
    return _run(wish, ablation, {"ablation": asked})


def _run(wish: StudyWish, study: Any, arguments: dict[str, Any]) -> int:
    console = Console()
    check_device(wish.device)
    with spoken_warnings():
        problems = [load_problem(path) for path in wish.files]
        with _listening(console, study.__name__) as listen:
            found: Study = study(problems, **arguments, **wish.arguments, listen=listen)
    _tell(console, found, wish.as_json)
    return UNCONVERGED if any(str(row["status"]).startswith("failed") for row in found) else 0


@contextmanager
def _listening(console: Console, title: str) -> Iterator[Listener]:
    """A bar on a terminal, a line now and then elsewhere."""
    if not console.is_terminal:
        yield _Lines(console, title)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[left]}"))
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(title, total=None, left="")

        def listen(told: Report) -> None:
            left = f"about {span(told.left)} left" if told.finished < told.total else ""
            progress.update(task, total=told.total, completed=told.finished, left=left)
            if told.row is not None and _failed(told.row):
                progress.console.print(f"{title}: {told.row['status']}", markup=False, highlight=False)

        yield listen


class _Lines:
    """Says how far a study is, some twenty times in all."""

    def __init__(self, console: Console, title: str) -> None:
        self.console, self.title, self.said = console, title, -1

    def __call__(self, told: Report) -> None:
        """One more run."""
        part = LINES * told.finished // max(told.total, 1)
        if told.row is not None and _failed(told.row):
            report.print_line(self.console, f"{self.title}: {told.row['status']}")
        if part != self.said or told.row is None:
            kept = f", {told.kept} kept" if told.kept else ""
            left = f", about {span(told.left)} left" if told.finished < told.total else ""
            report.print_line(self.console, f"{self.title}: {told.finished} of {told.total} runs{kept}{left}")
            self.said = part


def _failed(row: dict[str, Any]) -> bool:
    return str(row["status"]).startswith("failed")


def span(seconds: float) -> str:
    """Seconds as one reads them.

    Example:
        >>> span(75.3)
        '0:01:15'
    """
    return str(timedelta(seconds=round(seconds)))


def _tell(console: Console, study: Study, as_json: bool) -> None:
    for line in study.page.summary:
        report.print_line(console, line)
    missing = study.failed
    if missing:
        report.print_line(console, f"{len(missing)} of {len(study)} runs have no result; their rows say why.")
    report.print_line(console, "  ".join(str(path) for path in study.files if path.suffix != ".svg"))
    if as_json:
        report.print_json(_summary(study))


def _summary(study: Study) -> dict[str, Any]:
    return {
        "study": study.name,
        "runs": len(study),
        "failed": len(study.failed),
        "files": [str(path) for path in study.files],
        "tables": study.tables,
    }


def numbers(option: str, text: str | None) -> tuple[int, ...] | None:
    """Whole numbers with commas between them; None where the option was not given.

    Raises:
        ProblemError: something else.
    """
    if text is None:
        return None
    try:
        return tuple(int(word) for word in text.split(","))
    except ValueError as error:
        raise ProblemError(f"{option} {text}: give whole numbers with commas between them.") from error


def words(text: str | None) -> tuple[str, ...] | None:
    """Words with commas between them; None where the option was not given."""
    return None if text is None else tuple(word.strip() for word in text.split(",") if word.strip())


def given(**options: Any) -> dict[str, Any]:
    """The options that were given."""
    return {key: value for key, value in options.items() if value is not None}


def files_of(paths: Sequence[Path]) -> tuple[Path, ...]:
    """The files named, directories as the problem files in them.

    Raises:
        ProblemError: a directory without any.
    """
    found: list[Path] = []
    for path in paths:
        inside = sorted(path.glob("*.py")) if path.is_dir() else [path]
        if not inside:
            raise ProblemError(f"{path} holds no problem files (*.py).")
        found += inside
    return tuple(found)
