"""The report of a study as a document: a page of sections, each with text, plots and tables, all plain values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kanpde.errors import ProblemError

STYLES = ("line", "points", "step", "theory", "bars")
LOGARITHMIC = ("", "x", "y", "xy")
# What XML 1.0 has no place for: control characters and halves of surrogate pairs.
_UNPRINTABLE = re.compile("[^\\t\\n\\r\\x20-\\uD7FF\\uE000-\\uFFFD\\U00010000-\\U0010FFFF]")


@dataclass(frozen=True)
class Curve:
    """One curve of a plot.

    Args:
        label: its name in the legend; that of a theory stands at its end.
        x: abscissae.
        y: ordinates, as many; what is not finite is left out.
        low: lower ends of the error band, as many, or empty.
        high: its upper ends.
        style: one of STYLES: line with markers, points alone, steps, a grey dashed line, or bars.
        group: curves of one group share a colour.

    Raises:
        ProblemError: lengths that differ, or no such style.
    """

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    style: str = "line"
    group: str = ""

    def __post_init__(self) -> None:
        if self.style not in STYLES:
            raise ProblemError(
                f"curve {self.label!r}: no style is called {self.style!r}; there are {', '.join(STYLES)}."
            )
        bands = {len(self.low), len(self.high)} - {0}
        if {len(self.x), len(self.y)} | bands != {len(self.x)}:
            lengths = f"{len(self.x)}, {len(self.y)}, {len(self.low)} and {len(self.high)}"
            raise ProblemError(
                f"curve {self.label!r}: x, y, low and high have {lengths} entries; give as many of each."
            )


@dataclass(frozen=True)
class Plot:
    """Curves over one pair of axes.

    Args:
        title: what it shows.
        x: name of the abscissa, with its unit.
        y: name of the ordinate, with its unit.
        curves: back to front.
        caption: what a reader should see in it.
        log: which axes are logarithmic, one of LOGARITHMIC.
        marks: vertical lines, each an abscissa and a label.

    Raises:
        ProblemError: `log` is none of LOGARITHMIC.
    """

    title: str
    x: str
    y: str
    curves: tuple[Curve, ...]
    caption: str = ""
    log: str = "xy"
    marks: tuple[tuple[float, str], ...] = ()

    def __post_init__(self) -> None:
        if self.log not in LOGARITHMIC:
            raise ProblemError(f"plot {self.title!r}: log is {self.log!r}; it is one of {LOGARITHMIC}.")


@dataclass(frozen=True)
class Table:
    """Rows under named columns.

    Args:
        title: what it lists.
        columns: their names.
        rows: one cell a column: a text, a whole number, a number of which two digits are shown, or None.
        caption: what a reader should see in it.

    Raises:
        ProblemError: a row that is longer or shorter than the columns.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    caption: str = ""

    def __post_init__(self) -> None:
        odd = next((place for place, row in enumerate(self.rows) if len(row) != len(self.columns)), None)
        if odd is not None:
            lengths = f"{len(self.rows[odd])} cells and there are {len(self.columns)} columns"
            raise ProblemError(f"table {self.title!r}: row {odd} has {lengths}; give one cell a column.")


@dataclass(frozen=True)
class Section:
    """A part of a page under its own heading.

    Args:
        title: the heading.
        text: paragraphs; `code` may stand in backticks.
        items: plots and tables, in the order in which to show them.
    """

    title: str
    text: tuple[str, ...] = ()
    items: tuple[Plot | Table, ...] = ()


@dataclass(frozen=True)
class Page:
    """A report.

    Args:
        title: the heading.
        summary: paragraphs at its top.
        sections: its parts.
        about: where it comes from: command, commit, machine, date, versions.
    """

    title: str
    summary: tuple[str, ...]
    sections: tuple[Section, ...]
    about: Mapping[str, str]


def printable(text: str) -> str:
    """A text with a replacement character for whatever no document can hold."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", str(text))
