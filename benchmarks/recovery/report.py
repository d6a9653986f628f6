"""The report of the study."""

from __future__ import annotations

from pathlib import Path

from kanpde.studies.book import Book


def write(book: Book) -> list[Path]:
    """The table as a CSV file."""
    return [book.write_csv(book.rows.values())]
