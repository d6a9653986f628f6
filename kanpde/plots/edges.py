"""A KAN as its picture: nodes in rows from the coordinates up to the unknowns, and on every edge its curve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kanpde.plots.canvas import BLUE, GREY, label
from kanpde.tables import Edge, PlotTables

# More curves than this between two rows cannot be told apart; the largest ones are drawn, and the figure says so.
MOST = 40


def draw_edges(axes: Any, tables: PlotTables) -> None:
    """Draws the network of `tables.edges`; the darker a curve, the larger its range within its layer."""
    layers = sorted({edge.layer for edge in tables.edges})
    axes.set_title("edges of the network")
    axes.set_axis_off()
    axes.set_xlim(0, 1)
    axes.set_ylim(-0.25, len(layers) + 0.25)
    notes = [_draw_layer(axes, row, [e for e in tables.edges if e.layer == key]) for row, key in enumerate(layers)]
    _draw_nodes(axes, tables, layers)
    if any(notes):
        axes.text(1, -0.25, "; ".join(filter(None, notes)), ha="right", va="bottom", fontsize=6, color=GREY)


def _draw_layer(axes: Any, row: int, edges: Sequence[Edge]) -> str:
    """The edges between two rows of nodes; says which were left out."""
    ranges = {id(edge): _range(edge.y) for edge in edges}
    kept = sorted(sorted(edges, key=lambda e: -ranges[id(e)])[:MOST], key=lambda e: (e.source, e.target))
    sources, targets = (1 + max(getattr(e, end) for e in edges) for end in ("source", "target"))
    largest = max(ranges.values()) or 1.0
    for k, edge in enumerate(kept):
        place = (_position(k, len(kept)), row + 0.5)
        strength = 0.15 + 0.85 * ranges[id(edge)] / largest
        start, end = (_position(edge.source, sources), row), (_position(edge.target, targets), row + 1)
        _draw_curve(axes, edge, (start, place, end), len(kept), strength)
    return f"row {row + 1}: {len(kept)} largest of {len(edges)} edges" if len(kept) < len(edges) else ""


Point = tuple[float, float]


def _draw_curve(axes: Any, edge: Edge, way: tuple[Point, Point, Point], count: int, strength: float) -> None:
    """One edge: a thin line from node to node, and in its middle a box with the curve."""
    (x, y), half_width = way[1], 0.42 / count if count > 4 else 0.1
    half_height = 0.16
    axes.plot(*zip(way[0], (x, y - half_height), strict=True), color=GREY, linewidth=0.5, alpha=strength, zorder=1)
    axes.plot(*zip((x, y + half_height), way[2], strict=True), color=GREY, linewidth=0.5, alpha=strength, zorder=1)
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * (half_width, half_height) + (x, y)
    axes.fill(*corners.T, facecolor="white", edgecolor=GREY, linewidth=0.5, zorder=2)
    horizontal = x + 0.85 * half_width * _centred(edge.x)
    axes.plot(horizontal, y + 0.8 * half_height * _centred(edge.y), color=BLUE, linewidth=1, alpha=strength, zorder=3)


def _draw_nodes(axes: Any, tables: PlotTables, layers: Sequence[int]) -> None:
    """Dots, with the names of the coordinates below and of the unknowns above."""
    by_layer = [[e for e in tables.edges if e.layer == key] for key in layers]
    counts = [1 + max(e.source for e in edges) for edges in by_layer] + [1 + max(e.target for e in by_layer[-1])]
    for row, count in enumerate(counts):
        places = [_position(k, count) for k in range(count)]
        axes.plot(places, [row] * count, color="black", marker="o", markersize=4, linestyle="", zorder=4)
    _name_nodes(axes, tables.coordinates, counts[0], -0.08, "top")
    _name_nodes(axes, tables.unknowns, counts[-1], len(layers) + 0.08, "bottom")


def _name_nodes(axes: Any, names: Sequence[str], count: int, height: float, side: str) -> None:
    """Names at a row of nodes, where there is one for each (a periodic coordinate enters as two)."""
    for k, name in enumerate(names if len(names) == count else ()):
        axes.text(_position(k, count), height, label(name), ha="center", va=side)


def _position(index: int, count: int) -> float:
    return (index + 0.5) / count


def _range(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(np.ptp(finite)) if finite.size else 0.0


def _centred(values: np.ndarray) -> np.ndarray:
    """Values moved and scaled to [-1, 1]; a constant lies at 0."""
    middle = (np.nanmax(values) + np.nanmin(values)) / 2
    return (values - middle) / (_range(values) / 2 or 1.0)
