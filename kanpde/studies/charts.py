"""Plots of a report, drawn so that they can be read on a phone."""

from __future__ import annotations

import itertools
import math
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kanpde.plots import svg
from kanpde.plots.canvas import BLUE, GREEN, GREY, ORANGE, PINK, SKY
from kanpde.studies.document import Curve, Plot, printable

# Inches. Shown 320 CSS pixels wide on a phone, a point of text becomes a pixel.
_WIDTH, _HEIGHT, _LEGEND_ROW = 4.4, 3.0, 0.19
_CHARACTER, _HANDLE = 0.082, 0.62  # inches of a legend's letter and of what stands before its text
_WRAP = {"x": 48, "y": 34, "legend": 44, "theory": 14, "mark": 40}  # letters a line
_MARK_CHARACTER = 0.022  # of the axis, a letter above it
_THEORY_ROW = 0.075  # of the axis, a line of text beside it
_CROWDED = 25  # points of a line that are no longer marked one by one

# Groups that every study has keep their colours from figure to figure.
_COLOURS = {"KAN": BLUE, "MLP": ORANGE, "conventional": GREEN}
_PALETTE = (BLUE, ORANGE, GREEN, PINK, "#A07800", "#000000", SKY)
_MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*")
_DASHES = ("-", "--", "-.", ":")
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def drawn(plot: Plot, name: str) -> str:
    """A plot as an <svg> element.

    Args:
        plot: what to draw; its title and caption are left to the page.
        name: letters, digits and hyphens; begins every id of the element.
    """
    lines = _prepared(plot)
    return svg(
        (_WIDTH, _HEIGHT + _legend_height(lines) + _LEGEND_ROW * min(len(plot.marks), 3)),
        lambda figure: _draw(figure, plot, lines),
        name,
    )


@dataclass(frozen=True, eq=False)
class _Line:
    """A curve in units of its axes, the exponent of ten on a logarithmic one, and how it looks.

    Coordinates without a place on the axes are NaN; ends of a band may be infinite.
    """

    curve: Curve
    x: np.ndarray
    y: np.ndarray
    low: np.ndarray
    high: np.ndarray
    colour: str
    marker: str
    dash: str

    @property
    def shown(self) -> np.ndarray:
        """(n,) bool, the points that have a place."""
        return np.isfinite(self.x) & np.isfinite(self.y)

    @property
    def label(self) -> str:
        """The text of the legend, which says so when there is nothing to see."""
        text = self.curve.label if self.shown.any() or not self.curve.label else f"{self.curve.label} (no data)"
        # Matplotlib takes a leading underscore, and no text at all, for "not in the legend"; the former is none of it.
        return _wrapped(f"\u2060{text}" if text.startswith("_") else text, "legend")


def _prepared(plot: Plot) -> list[_Line]:
    return [_line(curve, plot.log, look) for curve, look in zip(plot.curves, _looks(plot.curves), strict=True)]


def _line(curve: Curve, log: str, look: tuple[str, str, str]) -> _Line:
    low, high = (_units(values or curve.y, "y" in log) for values in (curve.low, curve.high))
    x, y = _placed(_units(curve.x, "x" in log)), _placed(_units(curve.y, "y" in log))
    return _Line(curve, x, y, low, high, *look)


def _units(values: Sequence[float], log: bool) -> np.ndarray:
    """Values as coordinates of an axis: exponents of ten on a logarithmic one, where what is not positive is −∞."""
    array = np.array(values, dtype=np.float64)
    if not log:
        return array
    with np.errstate(divide="ignore"):
        return np.log10(np.maximum(array, 0.0))  # NaN stays NaN


def _placed(coordinates: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(coordinates), coordinates, np.nan)


def _looks(curves: Sequence[Curve]) -> list[tuple[str, str, str]]:
    """Colour, marker and dash of each curve: colours tell groups apart, the rest tells the curves of a group apart."""
    # A curve without a group is a group of its own.
    names = [curve.group or f"\0{place}" for place, curve in enumerate(curves)]
    coloured = dict.fromkeys(name for name, curve in zip(names, curves, strict=True) if curve.style != "theory")
    kept = {name: _COLOURS[name] for name in coloured if name in _COLOURS}
    others = itertools.cycle(colour for colour in _PALETTE if colour not in kept.values())
    colours = {name: kept[name] if name in kept else next(others) for name in coloured}
    places = {name: place for place, name in enumerate(colours)}
    ranks = [names[:place].count(name) for place, name in enumerate(names)]
    return [
        (colours.get(name, GREY), _MARKERS[(places.get(name, 0) + rank) % len(_MARKERS)], _DASHES[rank % len(_DASHES)])
        for name, rank in zip(names, ranks, strict=True)
    ]


def _draw(figure: Any, plot: Plot, lines: Sequence[_Line]) -> None:
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel(_wrapped(plot.x, "x"))
    axes.set_ylabel(_wrapped(plot.y, "y"))
    if not any(line.shown.any() for line in lines):
        axes.text(0.5, 0.5, "no data", ha="center", va="center", transform=axes.transAxes, color=GREY)
        axes.set(xticks=[], yticks=[])
        return
    marks = _placed_marks(plot)
    _set_axes(axes, plot, lines, marks)
    for line in lines:
        _PAINTERS[line.curve.style](axes, line)
    _paint_bars(axes, [line for line in lines if line.curve.style == "bars"], "y" in plot.log)
    _name_theories(axes, [line for line in lines if line.curve.style == "theory"])
    _paint_marks(axes, marks)
    _add_legend(figure, lines)


def _set_axes(axes: Any, plot: Plot, lines: Sequence[_Line], marks: Sequence[tuple[float, str]]) -> None:
    """Limits, ticks and a light grid. The limits are those of the data: a theory is cut where it leaves them."""
    measured = [line for line in lines if line.curve.style != "theory" and line.shown.any()] or lines
    bars = [line for line in measured if line.curve.style == "bars"]
    half = _bar_step(bars) / 2
    x = [line.x[line.shown] + side for line in measured for side in ((-half, half) if line in bars else (0.0,))]
    y = [values[line.shown] for line in measured for values in (line.y, line.low, line.high)]
    base = [np.zeros(1)] if bars and "y" not in plot.log else []
    axes.set_xlim(_limits([*x, np.array([place for place, _ in marks])], "x" in plot.log))
    axes.set_ylim(_limits([*y, *base], "y" in plot.log))
    _set_ticks(axes.xaxis, axes.get_xlim(), "x" in plot.log, _bar_places(bars))
    _set_ticks(axes.yaxis, axes.get_ylim(), "y" in plot.log)
    axes.grid(color="#e4e4e4", linewidth=0.6)
    axes.set_axisbelow(True)


def _limits(parts: Sequence[np.ndarray], log: bool) -> tuple[float, float]:
    """The ends of an axis: a little more than the finite coordinates, and never a point."""
    values = np.concatenate(parts)
    values = values[np.isfinite(values)]
    low, high = float(values.min()), float(values.max())
    least = 0.12 if log else 1e-9 * max(abs(low), abs(high)) or 1.0
    pad = max(0.05 * (high - low), (least - (high - low)) / 2)
    return low - pad, high + pad


def _set_ticks(axis: Any, limits: tuple[float, float], log: bool, places: Sequence[float] = ()) -> None:
    """Few and round ticks, or one for each of a few places."""
    if 0 < len(places) <= 8:
        axis.set_ticks(places, [_number(10.0**place if log else place) for place in places])
        return
    if not log:
        axis.get_major_locator().set_params(nbins=5)
        axis.set_major_formatter(lambda value, _: _number(value))
        return
    ticks = _decade_ticks(*limits)
    plain = all(1e-3 < tick < 1e5 for tick in ticks)
    axis.set_ticks(np.log10(ticks), [_number(tick, plain) for tick in ticks])


def _decade_ticks(low: float, high: float) -> list[float]:
    """Three to seven values between two exponents of ten, the roundest that there are."""
    # A diverged run may reach the last number that there is.
    low, high = min(max(low, -307.0), 307.0), min(high, 308.0)
    whole = range(math.ceil(low), math.floor(high) + 1)
    if len(whole) >= 3:
        stride = math.ceil(len(whole) / 6)
        return [10.0**decade for decade in whole if decade % stride == 0]
    bottom, top = 10.0**low, 10.0**high
    for digits in ((1, 2, 5), (1, 3)):
        ticks = [digit * 10.0**decade for decade in range(math.floor(low), math.ceil(high) + 1) for digit in digits]
        ticks = [tick for tick in ticks if bottom <= tick <= top]
        if 3 <= len(ticks) <= 7:
            return ticks
    # Within a decade, equal steps are rounder than equal ratios.
    small = 10.0 ** math.floor(math.log10(top - bottom))
    steps = (small * factor for factor in (0.05, 0.1, 0.2, 0.5, 1.0, 2.0))
    step = next(step for step in steps if math.floor(top / step) - math.ceil(bottom / step) < 7)
    return [step * place for place in range(math.ceil(bottom / step), math.floor(top / step) + 1)]


def _number(value: float, plain: bool = True) -> str:
    """A tick: 0.05, 2000, 10⁻⁹, 2·10⁻⁹."""
    if value == 0 or (plain and 1e-3 <= abs(value) < 1e5) or value in (1, 10):
        return f"{value:.10g}".replace("-", "−")
    mantissa, exponent = f"{value:.9e}".split("e")
    power = f"10{str(int(exponent)).translate(_SUPERSCRIPTS)}"
    return power if float(mantissa) == 1 else f"{float(mantissa):g}·{power}".replace("-", "−")


def _paint_line(axes: Any, line: _Line) -> None:
    marker = line.marker if len(line.x) <= _CROWDED else ""
    axes.plot(line.x, line.y, line.dash, color=line.colour, marker=marker, markersize=4.5, label=line.label)
    _paint_band(axes, line)


def _paint_step(axes: Any, line: _Line) -> None:
    axes.plot(line.x, line.y, line.dash, color=line.colour, drawstyle="steps-post", label=line.label)
    _paint_band(axes, line, step="post")


def _paint_points(axes: Any, line: _Line) -> None:
    axes.plot(line.x, line.y, " ", color=line.colour, marker=line.marker, markersize=5, label=line.label)
    _paint_whiskers(axes, line, line.x, line.colour)


def _paint_theory(axes: Any, line: _Line) -> None:
    axes.plot(line.x, line.y, "--", color=GREY, linewidth=1.1, zorder=1.5)


def _paint_nothing(axes: Any, line: _Line) -> None:
    """Bars are painted together, for they share the room at their abscissae."""


_PAINTERS: dict[str, Callable[[Any, _Line], None]] = {
    "line": _paint_line,
    "points": _paint_points,
    "step": _paint_step,
    "theory": _paint_theory,
    "bars": _paint_nothing,
}


def _paint_band(axes: Any, line: _Line, step: str | None = None) -> None:
    if line.curve.low or line.curve.high:
        low, high = (np.clip(end, *axes.get_ylim()) for end in (line.low, line.high))
        axes.fill_between(line.x, low, high, step=step, color=line.colour, alpha=0.18, linewidth=0)


def _paint_whiskers(axes: Any, line: _Line, x: np.ndarray, colour: str) -> None:
    if line.curve.low or line.curve.high:
        low, high = (np.clip(end, *axes.get_ylim()) for end in (line.low, line.high))
        axes.vlines(x, low, high, color=colour, linewidth=1)


def _bar_places(bars: Sequence[_Line]) -> list[float]:
    """The abscissae of bars, each once."""
    return sorted({float(place) for line in bars for place in line.x[line.shown]})


def _bar_step(bars: Sequence[_Line]) -> float:
    """The distance of neighbouring abscissae of bars."""
    return float(min(np.diff(_bar_places(bars)), default=1.0))


def _paint_bars(axes: Any, bars: Sequence[_Line], log: bool) -> None:
    """Bars side by side, from zero, or from the bottom of a logarithmic axis."""
    width = 0.8 * _bar_step(bars) / max(len(bars), 1)
    base = axes.get_ylim()[0] if log else 0.0
    for place, line in enumerate(bars):
        x = line.x + (place - (len(bars) - 1) / 2) * width
        axes.bar(x[line.shown], line.y[line.shown] - base, width, base, color=line.colour, alpha=0.85, label=line.label)
        _paint_whiskers(axes, line, x, "#303030")


def _name_theories(axes: Any, theories: Sequence[_Line]) -> None:
    """The name of each theory where its line ends or leaves the axes; names at the right keep apart."""
    ends = [(line, end) for line in theories if (end := _end(axes, line)) is not None]
    taken = -math.inf  # up to where, by names at the right
    for line, (x, y) in sorted(ends, key=lambda pair: pair[1][1]):
        name, right = _wrapped(line.curve.label, "theory"), x > 0.9
        half = _THEORY_ROW * (name.count("\n") + 1) / 2
        height = max(y, taken + half) if right else y
        taken = height + half if right else taken
        axes.annotate(
            name,
            (1.0 if right else x, height),
            xycoords="axes fraction",
            xytext=(3, 0 if right else 3),
            textcoords="offset points",
            va="center" if right else "bottom",
            color="#505050",
            fontsize=9,
        )


def _end(axes: Any, line: _Line) -> tuple[float, float] | None:
    """Where a line is seen last, in fractions of the axes; None where it is never seen."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    x, y = (line.x[line.shown] - left) / (right - left), (line.y[line.shown] - bottom) / (top - bottom)
    if not len(x):
        return None
    fine = np.linspace(0, len(x) - 1, 400)
    x, y = (np.interp(fine, np.arange(len(x)), values) for values in (x, y))
    (seen,) = np.nonzero((x >= 0) & (x <= 1) & (y >= 0) & (y <= 1))
    return (float(x[seen[-1]]), float(y[seen[-1]])) if len(seen) else None


def _placed_marks(plot: Plot) -> list[tuple[float, str]]:
    """The marks that have a place, from left to right, in units of the axis."""
    places = _units([place for place, _ in plot.marks], "x" in plot.log)
    return sorted(
        (float(place), label) for place, (_, label) in zip(places, plot.marks, strict=True) if np.isfinite(place)
    )


def _paint_marks(axes: Any, marks: Sequence[tuple[float, str]]) -> None:
    """Vertical lines, with their labels above the axes, one above the other where they would meet."""
    left, right = axes.get_xlim()
    ends: list[float] = []  # of the last label in each row
    for place, label in marks:
        text = textwrap.shorten(printable(label), _WRAP["mark"], placeholder="…")
        middle, length = (place - left) / (right - left), _MARK_CHARACTER * len(text)
        start = min(max(middle - length / 2, 0.0), max(1.0 - length, 0.0))
        row = next((row for row, end in enumerate(ends) if end < start), len(ends))
        ends[row : row + 1] = [start + length + 0.03]
        axes.axvline(place, color="black", linestyle=":", linewidth=1, zorder=1.4)
        axes.annotate(
            text, (start, 1), xycoords="axes fraction", xytext=(0, 3 + 12 * row), textcoords="offset points", fontsize=9
        )


def _add_legend(figure: Any, lines: Sequence[_Line]) -> None:
    """Below the axes, where no data are."""
    handles, labels = figure.axes[0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=_columns(lines), columnspacing=1.2)


def _columns(lines: Sequence[_Line]) -> int:
    """How many texts of the legend stand side by side."""
    longest = max((len(row) for line in _named(lines) for row in line.label.split("\n")), default=0)
    return max(1, min(3, len(_named(lines)), int(_WIDTH / (_HANDLE + _CHARACTER * longest))))


def _legend_height(lines: Sequence[_Line]) -> float:
    """In inches."""
    rows = sum(line.label.count("\n") + 1 for line in _named(lines))
    return _LEGEND_ROW * math.ceil(rows / _columns(lines))


def _named(lines: Sequence[_Line]) -> list[_Line]:
    """The curves of the legend."""
    return [line for line in lines if line.curve.style != "theory" and line.curve.label]


def _wrapped(text: str, place: str) -> str:
    return textwrap.fill(printable(text), _WRAP[place])
