"""The file of a study: one row a run, written anew whenever a run is finished, so that nothing finished is lost."""

from __future__ import annotations

import csv
import hashlib
import importlib.metadata
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from kanpde.errors import StoreError
from kanpde.files import check_writable, replacing
from kanpde.provenance import provenance
from kanpde.store import load_table, save_table

FORMAT = 1  # of the rows; files of another one are refused
NESTED = ("trace", "stages")  # columns that hold lists; a CSV file leaves them out
ORIGIN = ("kanpde", "commit", "date", "machine", "command")

Row = dict[str, Any]


class Book:
    """The rows of a study, in a file and by key.

    Args:
        path: of the HDF5 file; the CSV stands beside it.
        study: its name; a file of another study is refused.
        fresh: begin anew, whatever is there.

    Raises:
        StoreError: a file that cannot be written, or of another study, version or format.
    """

    def __init__(self, path: Path, study: str, fresh: bool = False) -> None:
        self.path, self.study = path, study
        check_writable(path)
        check_writable(self.csv)
        self.rows: dict[str, Row] = {}
        if path.exists() and not fresh:
            rows, about = load_table(path)
            self._check(about)
            self.rows = {str(row["key"]): row for row in rows}

    @property
    def csv(self) -> Path:
        """The table without its nested columns, for other programs."""
        return self.path.with_suffix(".csv")

    @property
    def about(self) -> dict[str, Any]:
        """What the file says of itself."""
        origin = provenance()
        return {"study": self.study, "format": FORMAT, **{key: origin[key] for key in ORIGIN}}

    def _check(self, about: Mapping[str, Any]) -> None:
        cure = "give --fresh to make it anew, or another directory with --out"
        if about.get("study") != self.study:
            raise StoreError(f"{self.path} holds {about.get('study', 'another table')}, not {self.study}: {cure}.")
        own = (FORMAT, importlib.metadata.version("kanpde"))
        if (about.get("format"), about.get("kanpde")) != own:
            raise StoreError(f"{self.path} was made by kanpde {about.get('kanpde')}, this is {own[1]}: {cure}.")

    def has(self, key: str) -> bool:
        """Whether the run is finished; one that failed is tried again."""
        return key in self.rows and not str(self.rows[key]["status"]).startswith("failed")

    def add(self, row: Row) -> None:
        """Adds a row and writes the file.

        Raises:
            StoreError: it cannot be written; the file stays as it was.
        """
        self.rows[str(row["key"])] = row
        save_table(self.path, list(self.rows.values()), self.about)

    def chosen(self, keys: Iterable[str]) -> list[Row]:
        """The rows of these keys, in their order: what the study asks for today."""
        return [self.rows[key] for key in keys if key in self.rows]

    def write_csv(self, rows: Iterable[Row]) -> Path:
        """Writes rows beside the file.

        Raises:
            StoreError: it cannot be written.
        """
        rows = [{k: v for k, v in row.items() if k not in NESTED} for row in rows]
        columns = list(dict.fromkeys(key for row in rows for key in row))
        with replacing(self.csv) as part, part.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows([{k: _cell(v) for k, v in row.items()} for row in rows])
        return self.csv


def _cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list | dict) else value


def key_of(kind: str, values: Mapping[str, Any], case: str) -> str:
    """A hash of what a run is: its kind, its values, and the digest of its case."""
    content = json.dumps([FORMAT, kind, case, dict(values)], sort_keys=True, default=str)
    return hashlib.sha256(content.encode()).hexdigest()[:20]
