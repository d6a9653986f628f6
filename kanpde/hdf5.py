"""HDF5 as kanpde uses it: written whole or not at all, read only when undamaged; numbers and texts, never code."""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from kanpde.errors import KanpdeError, StoreError
from kanpde.files import replacing

# What h5py raises on damaged files, a fault of its own C code included, and what reading nonsense raises.
DAMAGE = (OSError, RuntimeError, LookupError, ValueError, TypeError, AttributeError, MemoryError, SystemError)
FORMAT = "kanpde"
VERSION = 1

Row = Mapping[str, Any]


def _h5py() -> Any:
    """h5py, loaded by the first file and not by `import kanpde`."""
    return importlib.import_module("h5py")


@contextmanager
def written(path: str | Path, kind: str) -> Iterator[Any]:
    """A new HDF5 file of a kind, moved to `path` when the block ends well; otherwise nothing changes at `path`.

    Args:
        path: where the file will be.
        kind: what it holds ("solution", "reference", "table"), said by `kind_of`.

    Raises:
        StoreError: the file cannot be written.
    """
    # Files of HDF5 1.10 carry checksums of their own structure; the digest covers the numbers.
    with replacing(path) as part, _h5py().File(part, "w", libver="v110") as file:
        file.attrs.update({"format": FORMAT, "version": VERSION, "kind": kind})
        yield file
        file.attrs["digest"] = digest(file)


@contextmanager
def opened(path: str | Path, *kinds: str) -> Iterator[Any]:
    """An HDF5 file of one of these kinds (of any, when none is named), for reading.

    Raises:
        StoreError: no such file, damaged, not written by kanpde, by a newer one, or of another kind. Whatever goes
            wrong while the block reads is damage, too.
    """
    path = Path(path)
    if not path.is_file():
        raise StoreError(f"{path}: no such file.")
    try:
        with _h5py().File(path, "r") as file:
            _check_identity(file, path, kinds)
            yield file
    except KanpdeError:
        raise
    except DAMAGE as error:
        raise StoreError(f"{path} is damaged or no HDF5 file: {_first_line(error)}") from error


def kind_of(path: str | Path) -> str:
    """What a file of kanpde holds: "solution", "reference" or "table".

    Raises:
        StoreError: as `opened`.
    """
    with opened(path) as file:
        return str(file.attrs["kind"])


def write_array(group: Any, name: str, array: np.ndarray) -> None:
    """Numbers, uncompressed and contiguous, bit for bit."""
    group.create_dataset(name, data=np.ascontiguousarray(array))


def read_array(group: Any, name: str) -> np.ndarray:
    """Numbers that lie in this very file, in full."""
    return np.asarray(_own_dataset(group, name)[()])


def write_text(group: Any, name: str, text: str) -> None:
    """A text in UTF-8."""
    raw = text.encode("utf-8")
    group.create_dataset(name, data=raw, dtype=_h5py().string_dtype("utf-8", max(len(raw), 1)))


def read_text(group: Any, name: str) -> str:
    """A text in UTF-8."""
    return bytes(_own_dataset(group, name)[()]).decode("utf-8")


def write_tree(group: Any, name: str, tree: Any) -> None:
    """Nested dictionaries, lists, texts and numbers as JSON; floats come back bit-identical."""
    write_text(group, name, json.dumps(tree, ensure_ascii=False, default=_plain))


def read_tree(group: Any, name: str) -> Any:
    """What `write_tree` wrote."""
    return json.loads(read_text(group, name))


def write_table(group: Any, name: str, rows: Sequence[Row]) -> None:
    """Rows of plain values as one dataset a column, numeric where every row has a number of the same type."""
    table = group.create_group(name)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    write_tree(table, "columns", columns)
    for position, column in enumerate(columns):
        _write_column(table, f"{position:03d}", [row.get(column, _MISSING) for row in rows])
        table[f"{position:03d}"].attrs["name"] = column


def read_table(group: Any, name: str) -> tuple[dict[str, Any], ...]:
    """What `write_table` wrote; a row has the keys that it was written with."""
    table = group[name]
    columns = {column: _read_column(table, f"{k:03d}") for k, column in enumerate(read_tree(table, "columns"))}
    rows = zip(*columns.values(), strict=True)
    return tuple({key: v for key, v in zip(columns, row, strict=True) if v != _MISSING} for row in rows)


_MISSING = {"missing": True}


def _write_column(table: Any, name: str, values: list[Any]) -> None:
    plain = [_plain(value) if isinstance(value, np.generic) else value for value in values]
    types = {type(value) for value in plain}
    if types <= {float} or types <= {bool}:
        write_array(table, name, np.array(plain))
    else:
        write_tree(table, name, plain)


def _read_column(table: Any, name: str) -> list[Any]:
    column = _own_dataset(table, name)
    return read_array(table, name).tolist() if column.dtype.kind in "fb" else read_tree(table, name)


def digest(file: Any) -> str:
    """SHA-256 of all names and numbers of an open file, in the order of the names."""
    total = hashlib.sha256()
    names: list[str] = []
    file.visit(names.append)
    for name in sorted(names):
        total.update(name.encode())
        if hasattr(file[name], "dtype"):
            total.update(_bytes(_own_dataset(file, name)))
    return total.hexdigest()


def _bytes(dataset: Any) -> bytes:
    values = np.asarray(dataset[()])
    content = repr(values.tolist()).encode() if values.dtype.kind == "O" else values.tobytes()
    return f"{dataset.shape}{values.dtype.str}".encode() + content


def _own_dataset(group: Any, name: str) -> Any:
    """A dataset whose numbers lie in this file, with no hole that would read as zeros."""
    dataset = group[name]
    if dataset.is_virtual or dataset.external:
        raise StoreError(f"{group.file.filename}: {name} points outside the file.")
    incomplete = dataset.id.get_storage_size() < dataset.size * dataset.dtype.itemsize
    if incomplete and dataset.compression is None:
        raise StoreError(f"{group.file.filename} is damaged: {name} is incomplete.")
    return dataset


def _check_identity(file: Any, path: Path, kinds: tuple[str, ...]) -> None:
    if file.attrs.get("format") != FORMAT:
        raise StoreError(f"{path} is an HDF5 file, but kanpde did not write it.")
    version, kind = int(file.attrs["version"]), file.attrs["kind"]
    if version > VERSION:
        raise StoreError(f"{path} has file format {version}; this kanpde reads up to {VERSION}. Install a newer one.")
    if kinds and kind not in kinds:
        raise StoreError(f"{path} holds a {kind}, not a {' or a '.join(kinds)}.")
    _refuse_links(file)
    if file.attrs["digest"] != digest(file):
        raise StoreError(f"{path} is damaged: its content does not match its checksum.")


def _refuse_links(file: Any) -> None:
    """A file from someone else must not lead to other files of the reader."""
    links: list[tuple[str, Any]] = []
    file.visititems_links(lambda *pair: links.append(pair))
    for name, link in links:
        if not isinstance(link, _h5py().HardLink):
            raise StoreError(f"{file.filename}: {name} is a link; kanpde writes none and follows none.")


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _plain(value: Any) -> Any:
    """NumPy's numbers and arrays as Python's."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is no plain value: only texts, numbers, lists and dictionaries are stored")
