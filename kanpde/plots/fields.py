"""The solution and its pointwise error: lines in one dimension, maps on planes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kanpde.plots.canvas import BLUE, GREY, ORANGE, label
from kanpde.tables import PlotTables, Slice

# Two-sided maps have their neutral colour at zero; of these, RdBu and PuOr keep apart for every eye.
_ONE_SIDED, _TWO_SIDED, _ERROR = "viridis", "RdBu_r", "PuOr_r"
_ASPECTS = (0.45, 1.0)
# The error by what it is measured against.
_ERRORS = {"exact solution": "error", "estimate": "estimated error", "reference": "difference from the reference"}


def shape_of(tables: PlotTables, parts: Sequence[str]) -> tuple[int, int]:
    """Rows and columns of panels that `draw_fields` needs."""
    rows, columns = len(tables.unknowns), len(tables.slices)
    if columns == 1:
        return rows, len(parts)
    return rows * len(parts), columns


def parts_of(tables: PlotTables) -> tuple[str, ...]:
    """What can be shown: the solution, and its error where the truth is known."""
    return ("solution", "error") if all(part.error is not None for part in tables.slices) else ("solution",)


def draw_fields(figure: Any, tables: PlotTables, parts: Sequence[str]) -> None:
    """Panels for every unknown: one slice has its parts side by side, several slices have a row for each part."""
    grid = figure.subplots(*shape_of(tables, parts), squeeze=False)
    panels = [
        (unknown, part, piece) for unknown in range(len(tables.unknowns)) for part in parts for piece in tables.slices
    ]
    for axes, (unknown, part, piece) in zip(grid.flat, panels, strict=True):
        _panel(figure, axes, tables, unknown, part, piece)


def _panel(figure: Any, axes: Any, tables: PlotTables, unknown: int, part: str, piece: Slice) -> None:
    """One unknown, one part, one slice."""
    name = label(tables.unknowns[unknown])
    title = name if part == "solution" else f"{_ERRORS.get(tables.truth, 'error')} of {name}"
    axes.set_title(", ".join([title, *(f"{label(key)} = {value:g}" for key, value in piece.held.items())]))
    axes.set_xlabel(label(piece.names[0]))
    if len(piece.names) == 1:
        _line(axes, piece, unknown, part, tables.truth)
    else:
        axes.set_ylabel(label(piece.names[1]))
        _map(figure, axes, piece, unknown, part)


def _line(axes: Any, piece: Slice, unknown: int, part: str, truth: str) -> None:
    """Values along a line, with the truth as dashes beneath; or the error with its zero."""
    x, values = piece.axes[0], piece.values[..., unknown]
    error = None if piece.error is None else piece.error[..., unknown]
    if part == "error":
        axes.axhline(0, color=GREY, linewidth=0.7)
        axes.plot(x, error, color=ORANGE)
    else:
        axes.plot(x, values, color=BLUE, label="kanpde")
        if error is not None:
            axes.plot(x, values - error, color="black", linestyle=(0, (4, 4)), linewidth=0.9, label=truth)
            axes.legend()
    axes.margins(x=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.ticklabel_format(axis="y", scilimits=(-3, 4))


def _map(figure: Any, axes: Any, piece: Slice, unknown: int, part: str) -> None:
    """Colours on a plane, with a bar that says what they mean."""
    table = piece.values if part == "solution" or piece.error is None else piece.error
    values = np.ma.masked_invalid(table[..., unknown].T)
    colours = {"shading": "nearest", "rasterized": True, **_colours(values, part)}
    mesh = axes.pcolormesh(*piece.axes, values, **colours)
    bar = figure.colorbar(mesh, ax=axes, fraction=0.05, pad=0.02)
    bar.outline.set_linewidth(0.5)
    bar.formatter.set_powerlimits((-3, 4))
    width, height = (float(np.ptp(axis)) for axis in piece.axes)
    axes.set_box_aspect(float(np.clip(height / width, *_ASPECTS)))


def _colours(values: Any, part: str) -> dict[str, Any]:
    """The colour map and its limits; symmetric about zero when values have both signs."""
    low, high = (float(values.min()), float(values.max())) if values.count() else (0.0, 0.0)
    largest = max(abs(low), abs(high)) or 1.0
    if part == "error":
        return {"cmap": _ERROR, "vmin": -largest, "vmax": largest}
    if low < -0.02 * largest and high > 0.02 * largest:
        return {"cmap": _TWO_SIDED, "vmin": -largest, "vmax": largest}
    return {"cmap": _ONE_SIDED, "vmin": low, "vmax": high if high > low else low + largest}
