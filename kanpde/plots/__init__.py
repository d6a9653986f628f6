"""Figures from records and stored tables: solution, pointwise error, convergence, and the edges of a KAN.

Nothing here evaluates a network: the arrays come from `kanpde.tables`, or from a file that holds them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kanpde.errors import ProblemError
from kanpde.plots.canvas import FORMATS, check_format, render, svg
from kanpde.plots.edges import draw_edges
from kanpde.plots.fields import draw_fields, parts_of, shape_of
from kanpde.plots.history import draw_history
from kanpde.record import Record
from kanpde.tables import PlotTables

__all__ = ["FORMATS", "PARTS", "check_format", "plot_part", "plot_record", "plot_tables", "svg"]

PARTS = ("solution", "error", "history", "edges")

# Inches of a panel with its axis labels and colour bar.
_WIDTH, _HEIGHT = 4.4, 3.4


def plot_record(record: Record, tables: PlotTables, path: str | Path) -> Path:
    """One figure with everything: the fields on top, convergence and edges below.

    Args:
        record: what the solve left.
        tables: the arrays to show.
        path: a png, pdf or svg file.

    Returns:
        The path.

    Raises:
        ProblemError: no such format.
        StoreError: it cannot be written.
    """

    def draw(figure: Any) -> None:
        top, bottom = figure.subfigures(2, 1, height_ratios=[rows, 1])
        top.suptitle(f"{record.problem_name}: {record.network.get('title', 'network')}, {_accuracy(record)}")
        draw_fields(top, tables, parts)
        panels = bottom.subplots(1, 2 if tables.has_curves else 1, squeeze=False)[0]
        draw_history(panels[0], record.history, record.rtol, record.error_estimate)
        if tables.has_curves:
            draw_edges(panels[1], tables)

    parts = parts_of(tables)
    rows, columns = shape_of(tables, parts)
    return render(path, (_WIDTH * max(columns, 2), _HEIGHT * (rows + 1) + 0.3), draw)


def plot_tables(title: str, tables: PlotTables, path: str | Path) -> Path:
    """The fields alone, with a title: for references on grids.

    Raises:
        ProblemError: no such format.
        StoreError: it cannot be written.
    """

    def draw(figure: Any) -> None:
        figure.suptitle(title)
        draw_fields(figure, tables, parts)

    parts = parts_of(tables)
    rows, columns = shape_of(tables, parts)
    return render(path, (_WIDTH * columns, _HEIGHT * rows + 0.3), draw)


def plot_part(part: str, record: Record, tables: PlotTables, path: str | Path) -> Path:
    """One of PARTS as a figure of its own.

    Raises:
        ProblemError: no such part, nothing to show for it, or no such format.
        StoreError: it cannot be written.
    """
    if part not in PARTS:
        raise ProblemError(f"no figure is called {part!r}; there are {', '.join(PARTS)}.")
    if part in ("solution", "error"):
        return _plot_field(part, record, tables, path)
    if part == "history":
        size = (_WIDTH * 1.2, _HEIGHT)
        about = (record.history, record.rtol, record.error_estimate)
        return render(path, size, lambda figure: draw_history(figure.subplots(), *about))
    if not tables.has_curves:
        raise ProblemError(f"{record.problem_name}: the network has no curves on its edges to show; a KAN has.")
    return render(path, (_WIDTH * 1.5, _HEIGHT * 1.2), lambda figure: draw_edges(figure.subplots(), tables))


def _plot_field(part: str, record: Record, tables: PlotTables, path: str | Path) -> Path:
    if part not in parts_of(tables):
        raise ProblemError(f"{record.problem_name}: no exact solution is known, so there is no error to show.")
    rows, columns = shape_of(tables, (part,))
    return render(path, (_WIDTH * columns, _HEIGHT * rows), lambda figure: draw_fields(figure, tables, (part,)))


def _accuracy(record: Record) -> str:
    """What is known of the error, in words."""
    if record.relative_l2 is not None:
        return f"relative L2 error {record.relative_l2:.1e}"
    if record.error_estimate is not None:
        return f"estimated relative L2 error {record.error_estimate:.1e}"
    return record.status
