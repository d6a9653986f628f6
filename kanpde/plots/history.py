"""The convergence of a run: its residual at every iteration, the estimates of its error, and where its stages begin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kanpde.plots.canvas import BLUE, GREY, ORANGE

Row = Mapping[str, Any]

# What is the same throughout a stage. A stage of the same number but with other points belongs to another start.
CONSTANT = ("window", "stage", "parameters", "density", "overfit")
ROOM = 0.06  # of the axis, that the label of a stage needs


def draw_history(axes: Any, rows: Sequence[Row], rtol: float | None = None, final: float | None = None) -> None:
    """Residual and error estimate against the iteration, on a logarithmic scale.

    Args:
        axes: where to draw.
        rows: the history of a record.
        rtol: the tolerance that was asked for.
        final: the estimate after the last iteration.
    """
    axes.set_title("convergence")
    axes.set_xlabel("iteration")
    axes.spines[["top", "right"]].set_visible(False)
    residual = np.sqrt(2 * column(rows, "loss"))
    estimate = news(column([*rows, {"estimate": final}], "estimate"))
    if not np.isfinite(residual).any():
        axes.text(0.5, 0.5, "no iterations", ha="center", va="center", transform=axes.transAxes, color=GREY)
        return
    steps = np.arange(len(rows))
    # A line through one point cannot be seen.
    axes.semilogy(steps, residual, color=BLUE, label="residual", marker="." if np.isfinite(residual).sum() == 1 else "")
    if np.isfinite(estimate).any():
        axes.semilogy(
            np.arange(len(estimate)),
            estimate,
            color=ORANGE,
            marker="o",
            markersize=3.5,
            linestyle="",
            label="error estimate",
        )
    if rtol is not None:
        axes.axhline(rtol, color=ORANGE, linestyle=":", linewidth=1, label="tolerance")
    _mark_stages(axes, rows)
    axes.margins(x=0.02)
    axes.legend()


def _mark_stages(axes: Any, rows: Sequence[Row]) -> None:
    """A light line where a stage begins, with what it changes; a label that would lie on another one is left out."""
    labelled = -np.inf
    for start in stage_starts(rows)[1:]:
        axes.axvline(start - 0.5, color=GREY, linewidth=0.5, alpha=0.6)
        if start - labelled >= ROOM * len(rows):
            axes.annotate(
                stage_label(rows[start - 1], rows[start]),
                (start - 0.5, 1.0),
                xycoords=("data", "axes fraction"),
                xytext=(2, -2),
                textcoords="offset points",
                rotation=90,
                fontsize=6,
                color=GREY,
                va="top",
                bbox={"facecolor": "white", "alpha": 0.7, "linewidth": 0, "pad": 0.5},
            )
            labelled = start


def stage_label(before: Row, row: Row) -> str:
    """What the stage changes that begins with a row, as short as can be."""
    if row.get("window") != before.get("window"):
        return f"window {row['window'] + 1}"
    change = str(row.get("change", ""))
    if starts_afresh(before, row):
        return "another start"
    return str(row.get("basis", change)) if change in ("finer", "as it is") else change


def stage_words(row: Row) -> str:
    """The stage that begins with a row, as one reads it.

    Example:
        >>> stage_words({"stage": 2, "change": "finer", "basis": "chebyshev 12", "parameters": 416})
        'stage 2: finer, chebyshev 12, 416 parameters'
    """
    change = "start" if row["stage"] == 0 else row.get("change")
    size = None if row.get("parameters") is None else f"{row['parameters']} parameters"
    told = ", ".join(str(part) for part in (change, row.get("basis"), size) if part)
    return f"stage {row['stage']}{': ' if told else ''}{told}"


def column(rows: Sequence[Row], key: str) -> np.ndarray:
    """One quantity of a history; NaN where it is missing, not finite or not positive."""
    values = np.array([float("nan") if row.get(key) is None else float(row[key]) for row in rows], dtype=np.float64)
    return np.where(np.isfinite(values) & (values > 0), values, np.nan)


def news(values: np.ndarray) -> np.ndarray:
    """A column whose entries are repeated until they change, each shown once."""
    repeated = np.append(False, values[1:] == values[:-1])
    return np.where(repeated, np.nan, values)


def stage_starts(rows: Sequence[Row]) -> list[int]:
    """The rows at which a stage begins."""
    return [k for k in range(len(rows)) if k == 0 or begins_stage(rows[k - 1], rows[k])]


def begins_stage(before: Row, row: Row) -> bool:
    """Whether a row is the first of a stage."""
    return any(before.get(key) != row.get(key) for key in CONSTANT) or starts_anew(before, row)


def starts_anew(before: Row, row: Row) -> bool:
    """Whether a row is the first of another run, a window of time or a step of a continuation: iterations fall back."""
    return bool(row.get("iteration", 0) < before.get("iteration", 0))


def starts_afresh(before: Row, row: Row) -> bool:
    """Whether the run went back to its first stage, with another start, between two rows of different stages."""
    return row.get("stage") == 0 and not starts_anew(before, row)
