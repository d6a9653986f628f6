"""What the reports of all studies share: curves of medians, errors against time, the cost of a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kanpde.studies.book import Row
from kanpde.studies.page import Curve
from kanpde.studies.statistics import at_time, quartiles
from kanpde.studies.study import median


def texts(about: Mapping[str, Any]) -> dict[str, str]:
    """Where a study comes from, as a page has it."""
    return {key: str(value) for key, value in about.items()}


def banded(name: str, points: Sequence[tuple[float, tuple[float, float, float]]], group: str) -> Curve:
    """A curve of medians with its quartiles as a band.

    Args:
        name: of the curve.
        points: abscissa, and lower quartile, median and upper quartile there.
        group: curves of one group share a colour.
    """
    xs = tuple(x for x, _ in points)
    low, middle, high = (tuple(values[k] for _, values in points) for k in range(3))
    return Curve(name, xs, middle, low, high, group=group)


def time_curve(name: str, rows: Sequence[Row], key: str) -> Curve:
    """An error against seconds of training: at each time what each seed had reached; in parentheses the parameters.

    Args:
        name: of the method; what stands before its first comma is its group.
        rows: its seeds, with a trace each.
        key: the error.
    """
    found = []
    for seconds in sorted({round(s, 2) for row in rows for s in row["trace"]["seconds"] if s > 0}):
        values = quartiles(at_time(row["trace"], seconds, key) for row in rows)
        if values is not None and values.count == len(rows):
            found.append((seconds, (values.low, values.median, values.high)))
    return banded(f"{name} ({rows[0]['parameters']})", found, name.split(",")[0])


def step_milliseconds(rows: Sequence[Row]) -> float | None:
    """Milliseconds of training a step, in the median."""
    seconds, steps = median(rows, "seconds_trained"), median(rows, "steps")
    return 1e3 * seconds / steps if seconds is not None and steps else None
