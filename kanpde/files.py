"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kanpde.errors import StoreError


def check_writable(path: str | Path) -> None:
    """Makes the directory of `path` and tries to write in it.

    Raises:
        StoreError: it cannot be written; called before a solve, this saves the time of the solve.
    """
    path = Path(path)
    if path.is_dir():
        raise StoreError(f"{path} is a directory: a file cannot be written in its place.")
    probe = _part(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise _unwritable(path, error) from error


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A file beside `path` to write to; it takes the place of `path` when the block ends well, and goes otherwise.

    Raises:
        StoreError: it cannot be written.
    """
    path = Path(path)
    check_writable(path)
    part = _part(path)
    try:
        yield part
        _synchronise(part)
        os.replace(part, path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        part.unlink(missing_ok=True)


def _part(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def _synchronise(path: Path) -> None:
    """Asks the system to put the bytes on the disk, so that a rename never outlives its content."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unwritable(path: Path, error: OSError) -> StoreError:
    reason = error.strerror or (str(error).splitlines() or [type(error).__name__])[0]
    return StoreError(f"{path} cannot be written: {reason}. Choose another directory with --out.")
