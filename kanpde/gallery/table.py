"""The gallery's files: HDF5 to go on from, CSV for programs, Markdown for people; each whole or not at all."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kanpde.files import replacing
from kanpde.gallery.entry import Entry
from kanpde.store import load_table, save_table

STATUS_WIDTH = 60


@dataclass(frozen=True)
class Files:
    """The three files of a gallery in a directory."""

    directory: Path

    @property
    def table(self) -> Path:
        """All that is known, to go on from."""
        return self.directory / "gallery.h5"

    @property
    def csv(self) -> Path:
        """The same as text."""
        return self.directory / "gallery.csv"

    @property
    def markdown(self) -> Path:
        """One line a problem, to read."""
        return self.directory / "gallery.md"


def load_entries(files: Files) -> dict[str, Entry]:
    """The rows of an earlier run by problem; none where there was none.

    Raises:
        StoreError: the file is damaged.
    """
    if not files.table.exists():
        return {}
    names = {f.name for f in dataclasses.fields(Entry)}
    rows, _ = load_table(files.table)
    entries = [Entry(**{key: _restored(key, value) for key, value in row.items() if key in names}) for row in rows]
    return {entry.problem: entry for entry in entries}


def _restored(key: str, value: Any) -> Any:
    return tuple(value) if key in ("unknowns", "quantities") else value


def save_entries(files: Files, entries: Sequence[Entry], about: Mapping[str, Any]) -> None:
    """Writes the three files, each atomically.

    Raises:
        StoreError: one of them cannot be written.
    """
    ordered = sorted(entries, key=lambda entry: entry.problem)
    save_table(files.table, [dataclasses.asdict(entry) for entry in ordered], about)
    with replacing(files.csv) as part:
        _write_csv(part, ordered)
    with replacing(files.markdown) as part:
        part.write_text(markdown(ordered, about), encoding="utf-8")


def _write_csv(path: Path, entries: Sequence[Entry]) -> None:
    names = [f.name for f in dataclasses.fields(Entry)]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows([_cell(getattr(entry, name)) for name in names] for entry in entries)


def _cell(value: Any) -> Any:
    """A value in one cell: quantities in words, lists with spaces between."""
    if isinstance(value, tuple):
        return "; ".join(quantity_words(item) if isinstance(item, dict) else str(item) for item in value)
    return "" if value is None else value


def markdown(entries: Sequence[Entry], about: Mapping[str, Any]) -> str:
    """The table as people read it, with what it is and where it comes from."""
    head = [column for column, _ in _COLUMNS]
    lines = [f"| {' | '.join(head)} |", f"| {' | '.join('---' for _ in head)} |"]
    lines += [f"| {' | '.join(_escaped(words(entry)) for _, words in _COLUMNS)} |" for entry in entries]
    asked = [entry for entry in entries if entry.met is not None]
    said = (
        f"{len(entries)} problems, {sum(e.converged for e in entries)} converged by their own estimate, "
        f"{sum(bool(e.met) for e in asked)} of {len(asked)} targets met."
    )
    origin = ", ".join(f"{key} {value}" for key, value in about.items() if value)
    return "\n".join([*_INTRODUCTION, "", said, "", *lines, "", *_reasons(entries), f"Made by: {origin}.", ""])


_INTRODUCTION = (
    "# Gallery",
    "",
    "Every problem in `problems/`, solved with the default network. The error is the relative L2 error against the",
    "exact solution, or against the conventional solver's where there is none (marked ~). The estimate is the solver's",
    "own, made without knowing the truth; effectivity is its ratio to the error. A missed target has its reason below.",
)


def _reasons(entries: Sequence[Entry]) -> list[str]:
    missed = [entry for entry in entries if entry.met is False or entry.note]
    lines = [f"- {e.problem}: {'; '.join(filter(None, (e.reason or e.status, e.note)))}" for e in missed]
    return [*lines, ""] if lines else []


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1e}"


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2g}" if value < 10 else f"{value:.0f}"


def _error_words(entry: Entry) -> str:
    return _number(entry.error) + (" ~" if entry.error is not None and entry.truth != "exact" else "")


def _target_words(entry: Entry) -> str:
    parts = [f"{entry.target:.0e}" if entry.target is not None else "", f"{entry.within:.0f} s" if entry.within else ""]
    if entry.met is not None and not any(parts):
        parts = ["standard errors"]
    return ", ".join(filter(None, parts))


def _met_words(entry: Entry) -> str:
    return "" if entry.met is None else "yes" if entry.met else "no"


def _status_words(entry: Entry) -> str:
    status = entry.status
    return status if len(status) <= STATUS_WIDTH else status[: STATUS_WIDTH - 1].rstrip() + "…"


def _conventional_words(entry: Entry) -> str:
    numbers = [_number(entry.conventional_error), _seconds(entry.conventional_seconds)]
    figures = ", ".join([*filter(None, numbers[:1]), *(f"{s} s" for s in numbers[1:] if s)])
    return f"{entry.conventional}: {figures}" if figures else entry.conventional


def quantity_words(quantity: Mapping[str, Any]) -> str:
    """A scalar as one reads it: value, standard error, distance from the truth."""
    text = f"{quantity['name']} = {quantity['value']:.9g}"
    if "stderr" in quantity:
        text += f" ± {quantity['stderr']:.1g}"
    if "deviations" in quantity:
        return f"{text} ({quantity['deviations']:.1f} standard errors off {quantity['truth']:.9g})"
    return f"{text} ({quantity['error']:.0e} off)" if "error" in quantity else text


_COLUMNS = (
    ("problem", lambda e: e.problem),
    ("class", lambda e: e.kind),
    ("unknowns", lambda e: ", ".join(e.unknowns)),
    ("domain", lambda e: e.domain),
    ("error", _error_words),
    ("estimate", lambda e: _number(e.estimate)),
    ("effectivity", lambda e: "" if e.effectivity is None else f"{e.effectivity:.2g}"),
    ("scalars", lambda e: "; ".join(map(quantity_words, e.quantities))),
    ("seconds", lambda e: _seconds(e.seconds)),
    ("parameters", lambda e: "" if e.parameters is None else str(e.parameters)),
    ("iterations", lambda e: "" if e.iterations is None else str(e.iterations)),
    ("status", _status_words),
    ("conventional solver: error, time", _conventional_words),
    ("target", _target_words),
    ("met", _met_words),
)


def _escaped(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
