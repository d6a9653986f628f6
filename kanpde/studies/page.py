"""The report of a study: a small document of text, plots and tables, as one HTML file and as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kanpde.studies.charts import Curve, Plot

__all__ = ["Curve", "Page", "Plot", "Section", "Table"]


@dataclass(frozen=True)
class Table:
    """Rows under named columns.

    Args:
        title: what it lists.
        columns: their names.
        rows: one cell a column: a text, a whole number, a number of which two digits are shown, or None.
        caption: what a reader should see in it.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    caption: str = ""


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
