"""The solution and its pointwise error: lines in one dimension, maps on planes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kanpde.plots.canvas import BLUE, GREEN, GREY, ORANGE, PINK, SKY, label
from kanpde.tables import PlotTables, Slice

# Two-sided maps have their neutral colour at zero; of these, RdBu and PuOr keep apart for every eye.
_ONE_SIDED, _TWO_SIDED, _ERROR = "viridis", "RdBu_r", "PuOr_r"
_ASPECTS = (0.45, 1.0)
# The error by what it is measured against.
_ERRORS = {"exact solution": "error", "estimate": "estimated error", "reference": "difference from the reference"}


# Lines of several unknowns share a panel while there are few and the largest is at most so many times the smallest.
_COLOURS = (BLUE, ORANGE, GREEN, PINK, SKY)
_COMPARABLE = 20.0
# Two spatial coordinates are drawn to scale unless one is so many times the other.
_ELONGATED = 4.0


def shape_of(tables: PlotTables, parts: Sequence[str]) -> tuple[int, int]:
    """Rows and columns of panels that `draw_fields` needs."""
    rows, columns = len(_groups(tables)), len(tables.slices)
    if columns == 1:
        return rows, len(parts)
    return rows * len(parts), columns


def parts_of(tables: PlotTables) -> tuple[str, ...]:
    """What can be shown: the solution, and its error where the truth is known."""
    return ("solution", "error") if all(part.error is not None for part in tables.slices) else ("solution",)


def _groups(tables: PlotTables) -> list[tuple[int, ...]]:
    """The unknowns that share panels: lines of about the same size; maps never do."""
    each: list[tuple[int, ...]] = [(k,) for k in range(len(tables.unknowns))]
    if not 1 < len(each) <= len(_COLOURS) or any(len(piece.names) > 1 for piece in tables.slices):
        return each
    tops = [max(_largest(piece.values[..., k]) for piece in tables.slices) for k in range(len(each))]
    return [tuple(range(len(each)))] if max(tops) <= _COMPARABLE * min(tops) else each


def _largest(values: np.ndarray) -> float:
    return float(np.max(np.abs(values), where=np.isfinite(values), initial=0.0))


def draw_fields(figure: Any, tables: PlotTables, parts: Sequence[str]) -> None:
    """Panels for every unknown: one slice has its parts side by side, several slices have a row for each part."""
    grid = figure.subplots(*shape_of(tables, parts), squeeze=False)
    panels = [(group, part, piece) for group in _groups(tables) for part in parts for piece in tables.slices]
    for axes, (group, part, piece) in zip(grid.flat, panels, strict=True):
        _panel(figure, axes, tables, group, part, piece)


def _panel(figure: Any, axes: Any, tables: PlotTables, group: Sequence[int], part: str, piece: Slice) -> None:
    """One part of one slice: one unknown, or lines of several."""
    name = ", ".join(label(tables.unknowns[unknown]) for unknown in group)
    title = name if part == "solution" else f"{_ERRORS.get(tables.truth, 'error')} of {name}"
    axes.set_title(", ".join([title, *(f"{label(key)} = {value:g}" for key, value in piece.held.items())]))
    axes.set_xlabel(label(piece.names[0]))
    if len(piece.names) == 1:
        _lines(axes, tables, group, part, piece)
    else:
        axes.set_ylabel(label(piece.names[1]))
        _map(figure, axes, piece, group[0], part)


def _lines(axes: Any, tables: PlotTables, group: Sequence[int], part: str, piece: Slice) -> None:
    """Values along a line, with the truth as dashes on top; or the error with its zero."""
    x, alone = piece.axes[0], len(group) == 1
    if part == "error":
        axes.axhline(0, color=GREY, linewidth=0.7)
    for unknown, colour in zip(group, _COLOURS, strict=False):
        values, name = piece.values[..., unknown], label(tables.unknowns[unknown])
        error = None if piece.error is None else piece.error[..., unknown]
        if part == "error":
            axes.plot(x, error, color=ORANGE if alone else colour, label=name)
            continue
        axes.plot(x, values, color=colour, label="kanpde" if alone else name)
        if error is not None:
            once = tables.truth if unknown == group[-1] else "_"
            axes.plot(x, values - error, color="black", linestyle=(0, (4, 4)), linewidth=0.9, label=once)
    if not alone or (part != "error" and piece.error is not None):
        axes.legend()
    axes.margins(x=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.ticklabel_format(axis="y", scilimits=(-3, 4))


def _map(figure: Any, axes: Any, piece: Slice, unknown: int, part: str) -> None:
    """Colours on a plane, with a bar that says what they mean, and the outline of the domain."""
    table = (piece.values if part == "solution" or piece.error is None else piece.error)[..., unknown]
    colours = {"shading": "nearest", "rasterized": True, **_colours(np.ma.masked_invalid(table), part)}
    shown = table if piece.level is None else _grown(table)
    mesh = axes.pcolormesh(*piece.axes, np.ma.masked_invalid(shown.T), **colours)
    if piece.level is not None:
        _outline(axes, piece.axes, piece.level, mesh)
    bar = figure.colorbar(mesh, ax=axes, fraction=0.05, pad=0.02)
    bar.outline.set_linewidth(0.5)
    bar.formatter.set_powerlimits((-3, 4))
    width, height = (float(np.ptp(axis)) for axis in piece.axes)
    to_scale = piece.equal and 1 / _ELONGATED <= height / width <= _ELONGATED
    axes.set_box_aspect(height / width if to_scale else float(np.clip(height / width, *_ASPECTS)))


def _outline(axes: Any, lines: Sequence[np.ndarray], level: np.ndarray, mesh: Any) -> None:
    """The curve on which the signed distance vanishes, and the map cut along it."""
    if not (level.min() < 0 < level.max()):
        return
    # A domain may touch its bounds, where the line must close.
    framed = np.pad(level, 1, constant_values=np.abs(level).max())
    ends = [np.concatenate([[x[0]], x, [x[-1]]]) for x in lines]
    inside = axes.contourf(*ends, framed.T, levels=[framed.min() - 1, 0], colors="none")
    mesh.set_clip_path(inside.get_paths()[0], axes.transData)
    inside.remove()
    axes.contour(*ends, framed.T, levels=[0], colors="black", linewidths=0.8)
    axes.set_frame_on(False)


def _grown(table: np.ndarray) -> np.ndarray:
    """Values with those next to the domain continued by two cells, which the outline then cuts."""
    for _ in range(2):
        padded = np.pad(table, 1, constant_values=np.nan)
        n, m = table.shape
        around = np.stack([padded[i : i + n, j : j + m] for i in range(3) for j in range(3)])
        known = np.isfinite(around)
        count = known.sum(axis=0)
        mean = np.where(known, around, 0.0).sum(axis=0) / np.maximum(count, 1)
        table = np.where(np.isfinite(table) | (count == 0), table, mean)
    return table


def _colours(values: Any, part: str) -> dict[str, Any]:
    """The colour map and its limits; symmetric about zero when values have both signs."""
    low, high = (float(values.min()), float(values.max())) if values.count() else (0.0, 0.0)
    largest = max(abs(low), abs(high)) or 1.0
    if part == "error":
        return {"cmap": _ERROR, "vmin": -largest, "vmax": largest}
    if low < -0.02 * largest and high > 0.02 * largest:
        return {"cmap": _TWO_SIDED, "vmin": -largest, "vmax": largest}
    return {"cmap": _ONE_SIDED, "vmin": low, "vmax": high if high > low else low + largest}
