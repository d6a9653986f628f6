"""The gallery: every problem of a directory solved, with one true row for each in a table that is kept as it grows."""

from .entry import Entry, distance, entry_of, failed, refreshed
from .settings import Settings, read_settings
from .table import Files, load_entries, save_entries

__all__ = [
    "Entry",
    "Files",
    "Settings",
    "distance",
    "entry_of",
    "failed",
    "load_entries",
    "read_settings",
    "refreshed",
    "save_entries",
]
