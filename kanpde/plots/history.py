"""The convergence of a run: its loss at every iteration, the estimates of its error, and where its stages begin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kanpde.plots.canvas import BLUE, GREY, ORANGE

Row = Mapping[str, Any]


def draw_history(axes: Any, rows: Sequence[Row], rtol: float | None = None, final: float | None = None) -> None:
    """Loss and error estimate against the iteration, on a logarithmic scale.

    Args:
        axes: where to draw.
        rows: the history of a record.
        rtol: the tolerance that was asked for.
        final: the estimate after the last iteration.
    """
    axes.set_title("convergence")
    axes.set_xlabel("iteration")
    axes.spines[["top", "right"]].set_visible(False)
    loss = column(rows, "loss")
    estimate = news(column([*rows, {"estimate": final}], "estimate"))
    if not np.isfinite(loss).any():
        axes.text(0.5, 0.5, "no iterations", ha="center", va="center", transform=axes.transAxes, color=GREY)
        return
    steps = np.arange(len(rows))
    # A line through one point cannot be seen.
    axes.semilogy(steps, loss, color=BLUE, label="loss", marker="." if np.isfinite(loss).sum() == 1 else "")
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
    for start in stage_starts(rows)[1:]:
        axes.axvline(start - 0.5, color=GREY, linewidth=0.5, alpha=0.6)
    axes.margins(x=0.02)
    axes.legend()


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
    stages = [row.get("stage") for row in rows]
    return [k for k, stage in enumerate(stages) if k == 0 or stage != stages[k - 1]]
