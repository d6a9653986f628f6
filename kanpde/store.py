"""Solutions and tables in one HDF5 file each: written whole or not at all, read back bit-identical.

Layout of a solution: `record` (JSON: texts, scalars, dictionaries), `theta` (float64), `history` (a dataset a column),
`plots` (the arrays that its figures are made of), `arrays` (whatever else a run needs to go on). Nothing in a file is
executed or unpickled, and no text from a file is handed to SymPy.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kanpde import hdf5
from kanpde.record import Record
from kanpde.tables import Edge, PlotTables, Slice

SOLUTION = "solution"
TABLE = "table"

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Stored:
    """The content of a solution's file: the record, the arrays of its figures, and further arrays by name."""

    record: Record
    tables: PlotTables | None
    arrays: dict[str, np.ndarray]


def save(path: str | Path, record: Record, tables: PlotTables | None = None, arrays: Arrays | None = None) -> Path:
    """Writes a solution, atomically.

    Args:
        path: where.
        record: what the solve left.
        tables: the arrays of its figures, so that `kanpde plot` needs the file alone.
        arrays: anything else, by name (the state of an optimiser, say).

    Returns:
        The path.

    Raises:
        StoreError: it cannot be written.
    """
    with hdf5.written(path, SOLUTION) as file:
        _write_record(file, record)
        if tables is not None:
            _write_plots(file.create_group("plots"), tables)
        extra = file.create_group("arrays")
        for name, array in (arrays or {}).items():
            hdf5.write_array(extra, name, array)
    return Path(path)


def load(path: str | Path) -> Stored:
    """Reads a solution.

    Raises:
        StoreError: no such file, damaged, foreign, or of another kind.
    """
    with hdf5.opened(path, SOLUTION) as file:
        tables = _read_plots(file["plots"]) if "plots" in file else None
        arrays = {name: hdf5.read_array(file["arrays"], name) for name in file["arrays"]}
        return Stored(_read_record(file), tables, arrays)


def save_table(path: str | Path, rows: Sequence[hdf5.Row], about: Mapping[str, Any]) -> Path:
    """Writes the table of a study, with what it is about and where it comes from.

    Raises:
        StoreError: it cannot be written.
    """
    with hdf5.written(path, TABLE) as file:
        hdf5.write_tree(file, "about", dict(about))
        hdf5.write_table(file, "rows", rows)
    return Path(path)


def load_table(path: str | Path) -> tuple[tuple[dict[str, Any], ...], dict[str, Any]]:
    """Reads a table: its rows, and what it is about.

    Raises:
        StoreError: no such file, damaged, foreign, or of another kind.
    """
    with hdf5.opened(path, TABLE) as file:
        return hdf5.read_table(file, "rows"), dict(hdf5.read_tree(file, "about"))


# The fields of a Record that are datasets of their own; all others are in one JSON text.
_DATASETS = ("theta", "history")
_TUPLES = ("unknowns", "coordinates")


def _write_record(file: Any, record: Record) -> None:
    values = {f.name: getattr(record, f.name) for f in dataclasses.fields(record)}
    hdf5.write_array(file, "theta", values.pop("theta"))
    hdf5.write_table(file, "history", values.pop("history"))
    hdf5.write_tree(file, "record", values)


def _read_record(file: Any) -> Record:
    values = hdf5.read_tree(file, "record")
    values.update({name: tuple(values[name]) for name in _TUPLES})
    return Record(**values, theta=hdf5.read_array(file, "theta"), history=hdf5.read_table(file, "history"))


# The fields of PlotTables that are texts, tuples of texts, or a bool.
_PLOT_NAMES = ("unknowns", "coordinates", "truth", "fields", "inputs", "fixed", "about")


def _write_plots(group: Any, tables: PlotTables) -> None:
    values = {name: getattr(tables, name) for name in _PLOT_NAMES}
    hdf5.write_tree(group, "about", {**values, "slices": len(tables.slices), "nodes": tables.nodes})
    for k, part in enumerate(tables.slices):
        _write_slice(group.create_group(f"slice{k}"), part)
    hdf5.write_array(group, "edges", np.array([(e.layer, e.source, e.target) for e in tables.edges], dtype=np.int64))
    for k, edge in enumerate(tables.edges):
        curves = (edge.x, edge.y, edge.slope, edge.bend)
        hdf5.write_array(group, f"edge{k}", np.stack([curve for curve in curves if curve is not None]))
    if all(edge.score is not None for edge in tables.edges):
        hdf5.write_array(group, "scores", np.array([edge.score for edge in tables.edges], dtype=np.float64))


def _read_plots(group: Any) -> PlotTables:
    about = hdf5.read_tree(group, "about")
    slices = tuple(_read_slice(group[f"slice{k}"]) for k in range(about["slices"]))
    labels = hdf5.read_array(group, "edges").reshape(-1, 3).tolist()
    scores = hdf5.read_array(group, "scores").tolist() if "scores" in group else [None] * len(labels)
    edges = tuple(
        _read_edge(label, hdf5.read_array(group, f"edge{k}"), score)
        for k, (label, score) in enumerate(zip(labels, scores, strict=True))
    )
    nodes = tuple(map(tuple, about["nodes"]))
    # Older files lack some names; what is a list in JSON was a tuple.
    known = {name: about[name] for name in _PLOT_NAMES if name in about}
    values: dict[str, Any] = {k: tuple(value) if isinstance(value, list) else value for k, value in known.items()}
    return PlotTables(**values, slices=slices, edges=edges, nodes=nodes)


def _read_edge(label: Sequence[int], curves: np.ndarray, score: float | None) -> Edge:
    """An edge from rows x, y and, in all but older files, its two derivatives."""
    layer, source, target = label
    slope, bend = (curves[2], curves[3]) if len(curves) == 4 else (None, None)
    return Edge(layer, source, target, curves[0], curves[1], slope, bend, score)


def _write_slice(group: Any, part: Slice) -> None:
    hdf5.write_tree(group, "about", {"names": part.names, "held": part.held, "equal": part.equal})
    for k, axis in enumerate(part.axes):
        hdf5.write_array(group, f"axis{k}", axis)
    hdf5.write_array(group, "values", part.values)
    for name, array in (("error", part.error), ("level", part.level)):
        if array is not None:
            hdf5.write_array(group, name, array)


def _read_slice(group: Any) -> Slice:
    about = hdf5.read_tree(group, "about")
    names = tuple(about["names"])
    axes = tuple(hdf5.read_array(group, f"axis{k}") for k in range(len(names)))
    error, level = (hdf5.read_array(group, key) if key in group else None for key in ("error", "level"))
    values = hdf5.read_array(group, "values")
    return Slice(names, axes, about["held"], values, error, level, about.get("equal", False))
