"""What all studies share: their problems, where their rows are kept, and what they leave."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kanpde.errors import ProblemError
from kanpde.problem import Problem
from kanpde.references import find_reference
from kanpde.references.library import error_of
from kanpde.references.suited import method
from kanpde.studies.book import Book, Row
from kanpde.studies.cases import Case, exact_case, reference_case
from kanpde.studies.engine import Job, Listener, Workers, execute
from kanpde.studies.page import Page, Table, write
from kanpde.studies.statistics import quartiles

NETWORK_NAMES = {"kan": "KAN", "multkan": "MultKAN", "mlp": "MLP"}
OPTIMIZER_NAMES = {
    "auto": "Gauss-Newton",
    "lm": "Gauss-Newton",
    "matrix-free": "matrix-free Gauss-Newton",
    "ssbroyden": "SSBroyden",
    "lbfgs": "L-BFGS",
    "adam": "Adam",
}


@dataclass(frozen=True)
class Study:
    """A finished study. Iterating gives its rows, one dictionary of plain values a run.

    Attributes:
        name: "compare of poisson", for one.
        rows: all runs in the order of their description; nested `trace` and `stages` in those of trials.
        page: its report.
        files: what was written.
    """

    name: str
    rows: tuple[Row, ...]
    page: Page
    files: tuple[Path, ...] = ()

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def failed(self) -> list[Row]:
        """Runs that have no result."""
        return [row for row in self.rows if str(row["status"]).startswith(("failed", "refused"))]

    @property
    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """The tables of the report, one dictionary a row, by title; after that of the section where it is not alone."""
        found = [(section.title, item) for section in self.page.sections for item in section.items]
        tables = [(title, item) for title, item in found if isinstance(item, Table)]
        counts = Counter(table.title for _, table in tables)
        return {
            table.title if counts[table.title] == 1 else f"{title}: {table.title}": [
                dict(zip(table.columns, row, strict=True)) for row in table.rows
            ]
            for title, table in tables
        }


@dataclass(frozen=True)
class Setting:
    """Where and how a study runs.

    Attributes:
        out: directory of its files; None for a temporary one.
        workers: who runs the jobs.
        fresh: begin anew.
        listen: told after each run.
    """

    out: Path | None = None
    workers: Workers = field(default_factory=Workers)
    fresh: bool = False
    listen: Listener | None = None

    @contextmanager
    def book(self, name: str) -> Iterator[Book]:
        """The rows of a study by name."""
        if self.out is not None:
            yield Book(self.out / f"{name}.h5", name, self.fresh)
            return
        with tempfile.TemporaryDirectory() as directory:
            yield Book(Path(directory) / f"{name}.h5", name)

    def executed(self, jobs: Sequence[Job], cases: Mapping[str, Case], book: Book) -> list[Row]:
        """The rows of jobs, run where they have none."""
        return execute(jobs, cases, book, self.workers, self.listen)

    def written(self, book: Book, rows: Sequence[Row], page: Page) -> Study:
        """The study with its CSV and its report beside its rows; without a directory nothing is left."""
        if self.out is None:
            return Study(book.study, tuple(rows), page)
        files = (book.path, book.write_csv(rows), *write(page, book.path.with_suffix("")))
        return Study(book.study, tuple(rows), page, files)


def cases_of(problems: Sequence[Problem], out: Path | None) -> dict[str, Case]:
    """Cases by name: exact solutions, or references stored in `out`.

    Raises:
        ProblemError: no truth, or two problems of one name.
    """
    if not problems:
        raise ProblemError("a study needs a problem: name a file that defines one.")
    cases: dict[str, Case] = {}
    for problem in problems:
        if problem.name in cases:
            raise ProblemError(f"two problems are called {problem.name}; give one of them another name=.")
        cases[problem.name] = _case(problem, out)
    return cases


def _case(problem: Problem, out: Path | None) -> Case:
    stored = None if problem.exact is not None or out is None else find_reference(out, problem)
    if stored is None:
        return exact_case(problem)
    return reference_case(problem, stored, method(stored), error_of(stored))


def check_words(option: str, given: Sequence[str], known: Sequence[str]) -> None:
    """Every word is known.

    Raises:
        ProblemError: one is not, or there is none.
    """
    for word in given:
        if word not in known:
            raise ProblemError(f"{option} has no {word!r}: give some of {', '.join(known)}.")
    if not given:
        raise ProblemError(f"{option} is empty: give some of {', '.join(known)}.")


def check_positive(option: str, *values: float) -> None:
    """Every number is positive.

    Raises:
        ProblemError: one is not.
    """
    for value in values:
        if not 0 < value < float("inf"):
            raise ProblemError(f"{option} {value:g} means nothing: give a positive number.")


def grouped(rows: Sequence[Row], *keys: str) -> dict[tuple[Any, ...], list[Row]]:
    """Rows by the values of some columns, in their order; those without a result are left out."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        if row.get("relative_l2") is not None:
            groups.setdefault(tuple(_hashable(row.get(key)) for key in keys), []).append(row)
    return groups


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def median(rows: Sequence[Row], key: str) -> float | None:
    """Over rows that have a number."""
    found = quartiles(row.get(key) for row in rows)
    return None if found is None else found.median


def spread(rows: Sequence[Row], key: str) -> tuple[float, float, float] | None:
    """Lower quartile, median and upper quartile over rows that have a number."""
    found = quartiles(row.get(key) for row in rows)
    return None if found is None else (found.low, found.median, found.high)


def ranged(rows: Sequence[Row], key: str) -> str | None:
    """The median with its quartiles as tables have it: 4.8e-09 (1.2e-09 to 3.3e-08)."""
    found = spread(rows, key)
    if found is None:
        return None
    low, middle, high = (f"{value:.1e}" for value in found)
    return middle if len(rows) == 1 else f"{middle} ({low} to {high})"
