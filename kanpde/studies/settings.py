"""What the studies are told of a problem: shapes and grids of its networks, from a TOML file beside it.

Problem files are mathematics only; which networks a scaling study trains on them stands in `studies.toml`:

    [defaults]
    degree = 3
    intervals = [3, 5, 10, 20]

    [bessel]
    widths = [1, 1]
    points = 3000
"""

from __future__ import annotations

import dataclasses
import itertools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kanpde.errors import ProblemError

NAME = "studies.toml"
DEFAULTS = "defaults"


@dataclass(frozen=True)
class StudySettings:
    """What a study is told of one problem; None leaves the choice to the study.

    Attributes:
        widths: nodes of each layer of the KAN, inputs and outputs included, as in (2, 1, 1).
        points: training points.
        intervals: grids of the splines to go through, increasing.
        degree: of the splines.
    """

    widths: tuple[int, ...] | None = None
    points: int | None = None
    intervals: tuple[int, ...] | None = None
    degree: int | None = None


def read_study_settings(problem_file: Path) -> StudySettings:
    """The settings of a problem's file: its own entry over `defaults`; all None where there is neither.

    Args:
        problem_file: the problem's Python file; `studies.toml` stands in its directory.

    Raises:
        ProblemError: no TOML, or something in the entry that means nothing.
    """
    path = problem_file.parent / NAME
    if not path.exists():
        return StudySettings()
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ProblemError(f"{path} is no TOML file: {error}.") from error
    # Both are checked as they are written, so that a message names the table that is wrong.
    common, own = (_checked(path, name, tables.get(name, {})) for name in (DEFAULTS, problem_file.stem))
    return StudySettings(**common | own)


_LISTS = ("widths", "intervals")


def _checked(path: Path, name: str, table: Any) -> dict[str, Any]:
    """One table's values, lists as tuples."""
    if not isinstance(table, Mapping):
        raise ProblemError(f"{path}: {name} is no table; write [{name}] and its settings below.")
    keys = [f.name for f in dataclasses.fields(StudySettings)]
    unknown = sorted(set(table) - set(keys))
    if unknown:
        raise ProblemError(f"{path}: [{name}] has {unknown[0]}; it may have {', '.join(keys)}.")
    if name == DEFAULTS and "widths" in table:
        raise ProblemError(f"{path}: [{name}] has widths; move them to the problem whose inputs they fit.")
    return {key: _value(path, name, key, value) for key, value in table.items()}


def _value(path: Path, name: str, key: str, value: Any) -> int | tuple[int, ...]:
    where = f"{path}: [{name}] {key} = {value!r}"
    if key not in _LISTS:
        if not _counts(value):
            raise ProblemError(f"{where} must be a whole number above 0.")
        return int(value)
    least = 2 if key == "widths" else 1
    if not (isinstance(value, list) and len(value) >= least and all(map(_counts, value))):
        raise ProblemError(f"{where} must be a list of at least {least} whole numbers above 0.")
    if key == "intervals" and any(a >= b for a, b in itertools.pairwise(value)):
        raise ProblemError(f"{where} must increase; sort them and drop repetitions.")
    return tuple(value)


def _counts(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
