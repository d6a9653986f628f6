"""Rows of a benchmark in a file that is written anew after every run, so that what was stopped can go on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks import common
from benchmarks.runs import Row, now
from kanpde.store import load_table, save_table


class Stored:
    """The rows that the present code has made; with `keep`, those of earlier code, too."""

    def __init__(self, path: Path, source: str, keep: bool = False) -> None:
        self.path, self.source = path, source
        rows = load_table(path)[0] if path.exists() else ()
        self.rows = [row for row in rows if keep or row["source"] == source]

    def has(self, **values: object) -> bool:
        """Whether there is a row with these values."""
        return any(all(row.get(key) == value for key, value in values.items()) for row in self.rows)

    def add(self, rows: Sequence[Row]) -> None:
        """Appends and writes."""
        self.rows += [{**row, "source": self.source, "date": now()} for row in rows]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        save_table(self.path, self.rows, common.about())
