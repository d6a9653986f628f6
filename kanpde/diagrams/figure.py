"""A diagram drawn by matplotlib, for print and for the page."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np

from kanpde.diagrams.diagram import Diagram, Node
from kanpde.diagrams.layout import Box, Layout, Point
from kanpde.plots.canvas import BLUE, GREY, label

INK = "#222222"
FAINTEST = 0.12  # opacity of what does not matter
SMALL, NOTES = 5.0, 5.5  # points
LETTER = 0.042  # inches of a letter of a note
CROWDED = 0.1  # inches of half a box, below which lines are thin
NUMBER = 0.1  # inches that a number takes above and below its box
MATTERS = 0.01  # importance below which an edge is as faint as can be

_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def layout_of(diagram: Diagram, for_page: bool) -> Layout:
    """The places of a diagram; the notes stand in the page, or below the printed figure."""
    return Layout(diagram, 0 if for_page else len(_lines(diagram, Layout(diagram).width)))


def draw(figure: Any, layout: Layout, for_page: bool) -> None:
    """Fills a matplotlib Figure of the layout's size.

    Args:
        figure: of the layout's size.
        layout: what stands where.
        for_page: larger names as plain text, no numbers at the boxes, and the ids edge0-box, edge0-curve, edge0-line.
    """
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set(xlim=(0, layout.width), ylim=(0, layout.height))
    has_numbers = layout.has_ranges and not for_page
    for k, box in enumerate(layout.boxes):
        _draw_line(axes, layout, box, f"edge{k}-line", has_numbers)
    for k, box in enumerate(layout.boxes):
        _draw_box(axes, box, f"edge{k}")
    if has_numbers:
        for box in layout.boxes:
            _draw_ranges(axes, box)
    for row in layout.diagram.rows:
        for node in row:
            _draw_node(axes, layout, node, for_page)
    if not for_page:
        for k, line in enumerate(reversed(_lines(layout.diagram, layout.width))):
            axes.text(0.05, 0.05 + 0.115 * k, line, fontsize=NOTES, color=GREY, va="bottom")


def opacity(importance: float) -> float:
    """Of an edge: what is a tenth as important is still seen."""
    return FAINTEST if importance < MATTERS else FAINTEST + (1 - FAINTEST) * importance**0.7


def _draw_line(axes: Any, layout: Layout, box: Box, name: str, has_numbers: bool) -> None:
    (x, y), half = box.centre, box.half
    start, end = layout.place(box.link.source), layout.end(box.link)
    width = 0.4 if half < CROWDED else 0.6
    style = {"color": INK, "alpha": opacity(box.link.importance), "linewidth": width, "zorder": 1, "clip_on": False}
    # Numbers belong to their box: lines end at them.
    reach = half + (NUMBER if has_numbers else 0.0)
    ways: list[tuple[Point, Point]] = [(start, (x, y - reach)), ((x, y + reach), end)]
    xs, ys = zip(*(point for way in ways for point in (*way, (math.nan, math.nan))), strict=True)
    axes.plot(xs, ys, gid=name, **style)


def _draw_box(axes: Any, box: Box, name: str) -> None:
    (x, y), half, strength = box.centre, box.half, opacity(box.link.importance)
    corners = half * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) + (x, y)
    edge = (*_grey(strength), 1.0)
    axes.fill(*corners.T, facecolor="white", edgecolor=edge, linewidth=0.5, zorder=2, gid=f"{name}-box", clip_on=False)
    across, up = half * 0.86 * _centred(box.link.edge.x), half * 0.8 * _centred(box.link.edge.y)
    width = 0.7 if half < CROWDED else 1.0
    style = {"color": BLUE, "alpha": strength, "linewidth": width, "zorder": 3, "clip_on": False}
    axes.plot(x + across, y + up, gid=f"{name}-curve", solid_joinstyle="round", **style)


def _grey(strength: float) -> tuple[float, float, float]:
    """The colour of a frame on white, opaque, so that no line shines through."""
    level = 1 - 0.7 * strength
    return level, level, level


def _draw_ranges(axes: Any, box: Box) -> None:
    """Largest and smallest value of a curve, above and below its box."""
    (x, y), half = box.centre, box.half
    low, high = _extremes(box.link.edge.y)
    style = {"fontsize": SMALL, "color": INK, "alpha": max(0.45, opacity(box.link.importance)), "ha": "center"}
    texts = numbers((low, high))
    axes.text(x, y - half - 0.02, texts[0], va="top", **style)
    axes.text(x, y + half + 0.02, texts[1], va="bottom", **style)


def _draw_node(axes: Any, layout: Layout, node: Node, for_page: bool) -> None:
    x, y = layout.place(node)
    crowded = len(layout.diagram.rows[node.row]) > 20
    if node.factors > 1:
        links = [link for link in layout.diagram.links if link.node == node]
        for place in sorted({layout.end(link) for link in links}):
            axes.plot(*zip(place, (x, y), strict=True), color=INK, linewidth=0.6, zorder=4, clip_on=False)
            axes.plot(*place, "o", color=INK, markersize=2, zorder=5, clip_on=False)
        axes.plot(x, y, "o", markersize=7, markerfacecolor="white", markeredgecolor=INK, markeredgewidth=0.7, zorder=5)
        axes.plot(x, y, "x", color=INK, markersize=3.6, markeredgewidth=0.9, zorder=6)
    else:
        axes.plot(x, y, "o", color=INK, markersize=2.5 if crowded else 4, zorder=5, clip_on=False)
    _name_node(axes, layout, node, for_page)


def _name_node(axes: Any, layout: Layout, node: Node, for_page: bool) -> None:
    """The name below an input and above an output, and the range that the domain has there."""
    (x, y), last = layout.place(node), len(layout.diagram.rows) - 1
    room = layout.width / len(layout.diagram.rows[node.row])
    size = 9 if room > 0.3 else 6
    if node.name:
        height, side = (y - 0.07, "top") if node.row == 0 else (y + 0.08, "bottom")
        text = plain(node.name) if for_page else printed(node.name)
        axes.text(x, height, text, ha="center", va=side, fontsize=size, color="black", zorder=6)
    least = 0.8 if for_page and node.row else 0.55
    if node.range is None or room < least or node.row == last:
        return
    points = 6.5 if for_page else SMALL + 0.5
    low, high = numbers(node.range)
    if node.row == 0:
        axes.text(x, y - 0.23, f"[{low}, {high}]", ha="center", va="top", fontsize=points, color=GREY)
        return
    # Beside the node as on an axis, and above it: edges come in from all sides below.
    for text, side, shift in ((low, "right", -0.1), (high, "left", 0.1)):
        axes.text(x + shift, y + 0.02, text, ha=side, va="bottom", fontsize=points, color=GREY, zorder=6)


def plain(name: str) -> str:
    """A name as text: ξ₁ for ξ_1."""
    return re.sub(r"_(\d+)$", lambda found: found[1].translate(_SUBSCRIPTS), name)


def printed(name: str) -> str:
    """A name as mathematics."""
    return label(name)


def numbers(pair: tuple[float, float]) -> tuple[str, str]:
    """The ends of a range, rounded to a hundredth of it at the least.

    Example:
        >>> numbers((-0.41234, 1.3)), numbers((0.9991, 1.0002)), numbers((0.0, 1.2e-7)), numbers((3.0, 3.0))
        (('−0.4', '1.3'), ('0.9991', '1.0002'), ('0', '1.2e−7'), ('3', '3'))
    """
    size, span = max(map(abs, pair)), abs(pair[1] - pair[0])
    places = 2 if span == 0 else 1 - math.floor(math.log10(span))
    low, high = (_number(value, places, size) for value in pair)
    return low, high


def _number(value: float, places: int, size: float) -> str:
    """A number with so many decimal places, in powers of ten where its range takes too many digits."""
    if round(value, places) == 0:
        return "0"
    if 1e-3 <= size < 1e4:
        return _signed(_shortened(f"{value:.{max(places, 0)}f}"))
    digits = max(1, min(places + math.floor(math.log10(abs(value))), 5))
    mantissa, exponent = f"{value:.{digits}e}".split("e")
    return _signed(f"{_shortened(mantissa)}e{int(exponent)}")


def _shortened(text: str) -> str:
    """Without zeros at the end of a fraction."""
    return text.rstrip("0").rstrip(".") if "." in text else text


def _signed(text: str) -> str:
    return text.replace("-", "−")


def _lines(diagram: Diagram, width: float) -> Sequence[str]:
    """The notes, broken into lines of a width in inches."""
    notes = [*diagram.notes, *filter(None, [diagram.omission])]
    letters = int((width - 0.1) / LETTER)
    return [line for note in notes for line in textwrap.wrap(plain_note(note), letters)]


def plain_note(note: str) -> str:
    """A note with the name that it explains as it stands at its node."""
    name, sign, rest = note.partition(" = ")
    return f"{plain(name)}{sign}{rest}" if name.startswith("ξ_") else note


def _extremes(values: np.ndarray) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)


def _centred(values: np.ndarray) -> np.ndarray:
    """Values moved and scaled to [-1, 1]; a constant lies at 0."""
    low, high = _extremes(values)
    half = (high - low) / 2
    # Rounding on top of a constant is no curve.
    return (values - (low + high) / 2) / (half if half > 1e-12 * max(abs(low), abs(high)) else math.inf)
