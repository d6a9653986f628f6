"""A KAN as its picture: nodes in rows from the coordinates up to the unknowns, and on every edge its curve."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kanpde.plots.canvas import BLUE, GREY, label
from kanpde.tables import Edge, PlotTables

# More curves than this between two rows cannot be told apart; the largest ones are drawn, and the figure says so.
MOST = 40


def draw_edges(axes: Any, tables: PlotTables) -> None:
    """Draws the network of `tables.edges`; the darker a curve, the larger its range within its layer.

    Targets that share a node are multiplied there; such a node is a cross.
    """
    rows = _rows(tables)
    axes.set_title("edges of the network")
    axes.set_axis_off()
    axes.set_xlim(0, 1)
    axes.set_ylim(-0.25, len(rows) + 0.25)
    notes = [_draw_row(axes, height, row) for height, row in enumerate(rows)]
    _draw_nodes(axes, tables, rows)
    if any(notes):
        axes.text(1, -0.25, "; ".join(filter(None, notes)), ha="right", va="bottom", fontsize=6, color=GREY)


@dataclass(frozen=True)
class _Row:
    """The edges of one layer, the node to which each target belongs, and how many nodes there are below and above."""

    edges: tuple[Edge, ...]
    nodes: tuple[int, ...]

    @property
    def below(self) -> int:
        return 1 + max(edge.source for edge in self.edges)

    @property
    def above(self) -> int:
        return 1 + max(self.nodes)


def _rows(tables: PlotTables) -> list[_Row]:
    """The layers from the coordinates up."""
    rows = []
    for k, layer in enumerate(sorted({edge.layer for edge in tables.edges})):
        edges = tuple(edge for edge in tables.edges if edge.layer == layer)
        targets = 1 + max(edge.target for edge in edges)
        rows.append(_Row(edges, tables.nodes[k] if tables.nodes else tuple(range(targets))))
    return rows


def _draw_row(axes: Any, height: int, row: _Row) -> str:
    """The edges between two rows of nodes; says which were left out."""
    ranges = {id(edge): _range(edge.y) for edge in row.edges}
    kept = sorted(sorted(row.edges, key=lambda e: -ranges[id(e)])[:MOST], key=lambda e: (e.source, e.target))
    largest = max(ranges.values()) or 1.0
    for k, edge in enumerate(kept):
        place = (_position(k, len(kept)), height + 0.5)
        strength = 0.15 + 0.85 * ranges[id(edge)] / largest
        start = (_position(edge.source, row.below), height)
        end = (_position(row.nodes[edge.target], row.above), height + 1)
        _draw_curve(axes, edge, (start, place, end), len(kept), strength)
    return f"row {height + 1}: {len(kept)} largest of {len(row.edges)} edges" if len(kept) < len(row.edges) else ""


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


def _draw_nodes(axes: Any, tables: PlotTables, rows: Sequence[_Row]) -> None:
    """Dots for sums, crosses for products, with the names of the coordinates below and of the unknowns above."""
    _mark(axes, 0, range(rows[0].below), rows[0].below, "o")
    for height, row in enumerate(rows, start=1):
        shares = Counter(row.nodes)
        _mark(axes, height, [node for node, share in shares.items() if share == 1], row.above, "o")
        _mark(axes, height, [node for node, share in shares.items() if share > 1], row.above, "X")
    _name_nodes(axes, tables.coordinates, rows[0].below, -0.08, "top")
    _name_nodes(axes, tables.fields or tables.unknowns, rows[-1].above, len(rows) + 0.08, "bottom")


def _mark(axes: Any, height: int, nodes: Iterable[int], count: int, marker: str) -> None:
    places = [_position(node, count) for node in nodes]
    if places:
        axes.plot(places, [height] * len(places), color="black", marker=marker, markersize=4, linestyle="", zorder=4)


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
