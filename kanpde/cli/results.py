"""Where results are: DIR/<problem>.h5 and what goes with it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from kanpde.errors import ProblemError, StoreError
from kanpde.files import check_writable
from kanpde.problem import Problem
from kanpde.record import Record
from kanpde.store import load


@dataclass(frozen=True)
class Files:
    """The files of one problem in a directory."""

    directory: Path
    problem: str

    @property
    def solution(self) -> Path:
        """What `kanpde solve` keeps."""
        return self._file(".h5")

    @property
    def checkpoint(self) -> Path:
        """The state of a run under way; an earlier solution is replaced only by a later one."""
        return self._file("-checkpoint.h5")

    @property
    def reference(self) -> Path:
        """What `kanpde reference` keeps."""
        return self._file("-reference.h5")

    def figure(self, suffix: str = "png") -> Path:
        """The figure of the solution."""
        return self._file(f".{suffix}")

    def check(self, *paths: Path) -> None:
        """Makes sure, before the work, that its results can be written.

        Raises:
            StoreError: they cannot.
        """
        for path in paths:
            check_writable(path)

    def _file(self, ending: str) -> Path:
        return self.directory / (file_name(self.problem) + ending)


def file_name(problem: str) -> str:
    """The name of a problem as that of a file: no separators, no hidden files."""
    return re.sub(r"[^\w.+-]+", "_", problem).lstrip(".") or "problem"


def find_results(result: str | None, out: Path) -> list[Path]:
    """The files that RESULT means: a file, all of a directory, or a name within the output directory.

    Raises:
        StoreError: there are none.
    """
    places = [out] if result is None else [Path(result), out / result, out / f"{result}.h5"]
    place = next((place for place in places if place.exists()), None)
    if place is None:
        raise StoreError(f"{places[0]}: no such file or directory. Name a result, or a directory of results.")
    found = sorted(set(place.glob("*.h5")) - set(place.glob("*-checkpoint.*"))) if place.is_dir() else [place]
    if not found:
        raise StoreError(f"{place} holds no results (*.h5). Make one with kanpde solve FILE --out {place}.")
    return found


def previous(files: Files, problem: Problem, seed: int | None) -> Record | None:
    """What an earlier run left in the directory, if it is to be resumed.

    Raises:
        ProblemError: it solved another problem, or began with another seed.
        StoreError: it cannot be read.
    """
    left = next((path for path in (files.checkpoint, files.solution) if path.exists()), None)
    if left is None:
        return None
    record = load(left).record
    if record.signature != problem.signature:
        advice = "Run without --resume to solve it anew, or choose another --out"
        raise ProblemError(f"{left} solved another {problem.name}: the problem has changed. {advice}.")
    if seed is not None and seed != record.seed:
        raise ProblemError(f"{left} began with seed {record.seed}, not {seed}. Leave --seed out to resume it.")
    return record
