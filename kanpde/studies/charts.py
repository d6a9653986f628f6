"""Charts of a report: curves as values, and how they are drawn so that they can be read on a phone."""

from __future__ import annotations

from dataclasses import dataclass

from kanpde.errors import ProblemError

STYLES = ("line", "points", "step", "theory", "bars")
LOGARITHMIC = ("", "x", "y", "xy")


@dataclass(frozen=True)
class Curve:
    """One curve of a plot.

    Args:
        label: its name in the legend; that of a theory stands at its end.
        x: abscissae.
        y: ordinates, as many; what is not finite is left out.
        low: lower ends of the error band, as many, or empty.
        high: its upper ends.
        style: one of STYLES: line with markers, points alone, steps, a grey dashed line, or bars.
        group: curves of one group share a colour.

    Raises:
        ProblemError: lengths that differ, or no such style.
    """

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    style: str = "line"
    group: str = ""

    def __post_init__(self) -> None:
        if self.style not in STYLES:
            raise ProblemError(
                f"curve {self.label!r}: no style is called {self.style!r}; there are {', '.join(STYLES)}."
            )
        bands = {len(self.low), len(self.high)} - {0}
        if {len(self.x), len(self.y)} | bands != {len(self.x)}:
            lengths = f"{len(self.x)}, {len(self.y)}, {len(self.low)} and {len(self.high)}"
            raise ProblemError(
                f"curve {self.label!r}: x, y, low and high have {lengths} entries; give as many of each."
            )


@dataclass(frozen=True)
class Plot:
    """Curves over one pair of axes.

    Args:
        title: what it shows.
        x: name of the abscissa, with its unit.
        y: name of the ordinate, with its unit.
        curves: back to front.
        caption: what a reader should see in it.
        log: which axes are logarithmic, one of LOGARITHMIC.
        marks: vertical lines, each an abscissa and a label.

    Raises:
        ProblemError: `log` is none of LOGARITHMIC.
    """

    title: str
    x: str
    y: str
    curves: tuple[Curve, ...]
    caption: str = ""
    log: str = "xy"
    marks: tuple[tuple[float, str], ...] = ()

    def __post_init__(self) -> None:
        if self.log not in LOGARITHMIC:
            raise ProblemError(f"plot {self.title!r}: log is {self.log!r}; it is one of {LOGARITHMIC}.")
