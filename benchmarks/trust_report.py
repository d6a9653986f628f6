"""Tables and calibration plot of the trust benchmark, from results/trust.h5 alone."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.accuracy_report import markdown
from kanpde.plots.canvas import BLUE, GREEN, GREY, ORANGE, PINK, render
from kanpde.store import load_table

Row = dict[str, Any]

ASKED = ("instance", "class", "smooth", "dimension", "rtol", "seed", "max_seconds")
OUTCOME = ("converged", "status", "relative_l2", "error_estimate", "effectivity", "seconds", "parameters", "iterations")
ORIGIN = ("title", "date", "source")
PROVENANCE = ("command", "commit", "machine")

HONEST = 2.0  # times the tolerance: no converged run may be farther off
BAND = (0.7, 1.4)  # of effectivities
GOALS = {"honest": 0.98, "smooth": 0.95, "calibrated": 0.95}
QUANTILES = (0.0, 0.01, 0.05, 0.5, 0.95, 0.99, 1.0)
NORMAL = 1.959964  # the 97.5 % quantile of the normal distribution
COLOURS = (BLUE, ORANGE, GREEN, PINK)
SHOWN = (0.3, 3.0)  # effectivities that the histogram resolves


@dataclass(frozen=True)
class Share:
    """How many of some runs are as they should be.

    Attributes:
        words: what is counted.
        good: how many are.
        total: of how many.
        goal: the share that there should be, None where none is asked for.
    """

    words: str
    good: int
    total: int
    goal: float | None = None

    @property
    def value(self) -> float:
        """The share; none of nothing is not a number."""
        return self.good / self.total if self.total else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's score interval for a confidence of 95 % (Wilson 1927)."""
        if not self.total:
            return 0.0, 1.0
        n, p, square = self.total, self.value, NORMAL**2
        centre = (p + square / (2 * n)) / (1 + square / n)
        reach = NORMAL / (1 + square / n) * math.sqrt(p * (1 - p) / n + square / (4 * n * n))
        return max(0.0, centre - reach), min(1.0, centre + reach)

    @property
    def line(self) -> dict[str, str]:
        """A row of the table."""
        low, high = self.interval
        met = "" if self.goal is None or not self.total else "yes" if self.value >= self.goal else "no"
        return {
            "figure": self.words,
            "runs": f"{self.good} of {self.total}",
            "share": f"{100 * self.value:.1f} %" if self.total else "none",
            "95 % interval": f"{100 * low:.1f} to {100 * high:.1f} %" if self.total else "",
            "goal": "" if self.goal is None else f"at least {100 * self.goal:.0f} %",
            "met": met,
        }


def write(directory: Path) -> str:
    """Writes trust.csv, trust.md and trust.png beside trust.h5 and returns the headline."""
    rows, about = load_table(directory / "trust.h5")
    rows = latest(rows)
    write_csv(directory / "trust.csv", rows, about)
    (directory / "trust.md").write_text(report(rows, about), encoding="utf-8")
    render(directory / "trust.png", (10.5, 5.0), lambda figure: draw(figure, rows))
    return headline(rows)


def latest(rows: Iterable[Row]) -> tuple[Row, ...]:
    """The last run of each instance to each tolerance, the loosest tolerance first."""
    last = {(row["instance"], row["rtol"]): row for row in rows}
    return tuple(sorted(last.values(), key=lambda row: -row["rtol"]))


def write_csv(path: Path, rows: Sequence[Row], about: Row) -> None:
    """One line a run, with command, commit and machine in columns of their own."""
    with path.open("w", newline="", encoding="utf-8") as file:
        columns = [*ASKED, *OUTCOME, *ORIGIN, *PROVENANCE]
        table = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        table.writeheader()
        table.writerows({**row, **{key: about.get(key, "") for key in PROVENANCE}} for row in rows)


# ---- what is counted


def is_honest(row: Row) -> bool:
    """Whether the true error of a converged run is what convergence promises; an unknown one is not."""
    return row.get("relative_l2") is not None and row["relative_l2"] <= HONEST * row["rtol"]


def is_calibrated(row: Row) -> bool:
    """Whether the estimate is close to the true error."""
    return BAND[0] <= row["effectivity"] <= BAND[1]


def estimated(rows: Iterable[Row]) -> list[Row]:
    """The runs that have an estimate, and a true error to compare it with."""
    return [row for row in rows if row.get("effectivity") is not None]


def share(words: str, rows: Iterable[Row], test: Callable[[Row], bool], goal: float | None = None) -> Share:
    """Counts."""
    results = [test(row) for row in rows]
    return Share(words, sum(results), len(results), goal)


def shares(rows: Sequence[Row]) -> list[Share]:
    """What is asked of the suite, and the same for each tolerance."""
    found = list(_shares(rows, "", GOALS))
    for rtol in tolerances(rows):
        found += _shares([row for row in rows if row["rtol"] == rtol], f" at {rtol:.0e}", {})
    return found


def _shares(rows: Sequence[Row], where: str, goals: dict[str, float]) -> Iterable[Share]:
    converged = [row for row in rows if row["converged"]]
    smooth = [row for row in rows if row["smooth"]]
    yield share(f"converged: true error within {HONEST:g} rtol{where}", converged, is_honest, goals.get("honest"))
    yield share(f"smooth: converged{where}", smooth, lambda row: row["converged"], goals.get("smooth"))
    band = f"{BAND[0]} to {BAND[1]}"
    yield share(f"estimate {band} of the truth{where}", estimated(rows), is_calibrated, goals.get("calibrated"))


def tolerances(rows: Iterable[Row]) -> list[float]:
    """From loose to tight."""
    return sorted({row["rtol"] for row in rows}, reverse=True)


def faults(row: Row) -> list[str]:
    """What is wrong with a run, in words; nothing where it is as it should be."""
    found = []
    if row["converged"] and not is_honest(row):
        found.append("converged, but is not")
    if row["smooth"] and not row["converged"]:
        found.append("smooth, not converged")
    if row.get("effectivity") is not None and not is_calibrated(row):
        found.append("estimate is off")
    if row["status"].startswith("failed") and not row["smooth"]:
        found.append("failed")
    return found


# ---- Markdown


def report(rows: Sequence[Row], about: Row) -> str:
    """The whole text, with where it comes from."""
    origin = "; ".join(f"{key} {about[key]}" for key in (*PROVENANCE, "threads", "date") if key in about)
    missed = [row for row in rows if faults(row)]
    parts = [
        "# Trust in the error estimate\n",
        f"{origin}.\n",
        headline(rows),
        "\nEffectivity (estimate / true error), quantiles:\n",
        markdown([effectivities(rows)]),
        "\nTime:\n",
        markdown([times(rows, rtol) for rtol in tolerances(rows)]),
        "\n## Misses\n",
        markdown([{"what": ", ".join(faults(row)), **line(row)} for row in missed]) if missed else "None.",
        "\n## All runs\n",
        markdown([line(row) for row in rows]),
    ]
    return "\n".join(parts) + "\n"


def headline(rows: Sequence[Row]) -> str:
    """Counts and shares."""
    instances = {row["instance"]: row for row in rows}
    smooth = sum(bool(row["smooth"]) for row in instances.values())
    dimensions = [sum(row["dimension"] == d for row in instances.values()) for d in (1, 2, 3)]
    converged = sum(row["converged"] for row in rows)
    return (
        f"{len(instances)} instances ({smooth} smooth; in 1, 2, 3 dimensions: {', '.join(map(str, dimensions))}), "
        f"{len(rows)} runs, {converged} converged, {len(estimated(rows))} with an estimate and a true error.\n\n"
        + markdown([found.line for found in shares(rows)])
    )


def effectivities(rows: Sequence[Row]) -> dict[str, str]:
    """Quantiles."""
    found = [row["effectivity"] for row in estimated(rows)]
    names = {0.0: "least", 0.5: "median", 1.0: "largest"}
    values = np.quantile(found, QUANTILES) if found else [math.nan] * len(QUANTILES)
    return {names.get(q, f"{100 * q:.0f} %"): f"{v:.3g}" for q, v in zip(QUANTILES, values, strict=True)}


def times(rows: Sequence[Row], rtol: float) -> dict[str, str]:
    """Seconds of the runs to one tolerance, those included that did not converge."""
    seconds = [row["seconds"] for row in rows if row["rtol"] == rtol]
    middle, most = np.quantile(seconds, (0.5, 0.9))
    longest = f"{max(seconds):.1f} s"
    return {"rtol": f"{rtol:.0e}", "median": f"{middle:.1f} s", "90 %": f"{most:.1f} s", "longest": longest}


def line(row: Row) -> dict[str, str]:
    """One run."""
    effectivity = row.get("effectivity")
    return {
        "instance": row["instance"],
        "class": row["class"],
        "smooth": "yes" if row["smooth"] else "no",
        "d": str(row["dimension"]),
        "rtol": f"{row['rtol']:.0e}",
        "seed": str(row["seed"]),
        "true error": number(row.get("relative_l2")),
        "estimate": number(row.get("error_estimate")),
        "effectivity": "" if effectivity is None else f"{effectivity:.3g}",
        "seconds": f"{row['seconds']:.1f}",
        "parameters": str(row.get("parameters", "")),
        "iterations": str(row.get("iterations", "")),
        "network": row.get("title", ""),
        "status": " ".join(row["status"].split()).replace("|", "\\|"),
    }


def number(value: float | None) -> str:
    """An error in a cell."""
    return "none" if value is None else f"{value:.1e}"


# ---- figure


def draw(figure: Any, rows: Sequence[Row]) -> None:
    """The estimate against the true error, and how often it is off by how much."""
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    calibration(left, estimated(rows))
    histogram(right, estimated(rows))
    without = len(rows) - len(estimated(rows))
    figure.suptitle(f"{len(rows)} runs, {without} of them without an estimate or a true error and not shown")


def calibration(axis: Any, rows: Sequence[Row]) -> None:
    """A point a run; full where it converged."""
    values = [value for row in rows for value in (row["relative_l2"], row["error_estimate"])]
    ends = np.array([min(values, default=1e-9) / 3, max(values, default=1.0) * 3])
    axis.fill_between(ends, BAND[0] * ends, BAND[1] * ends, color=GREY, alpha=0.25, linewidth=0, label="0.7 to 1.4")
    axis.plot(ends, ends, color=GREY, linewidth=0.7)
    for colour, rtol in zip(COLOURS, tolerances(rows), strict=False):
        for converged, style in ((True, {"marker": "o"}), (False, {"marker": "x"})):
            own = [row for row in rows if row["rtol"] == rtol and row["converged"] is converged]
            points = [row["relative_l2"] for row in own], [row["error_estimate"] for row in own]
            words = f"rtol {rtol:.0e}, {'' if converged else 'not '}converged"
            axis.plot(*points, color=colour, markersize=4, linestyle="none", alpha=0.7, label=words, **style)
    axis.set(xscale="log", yscale="log", xlim=ends, ylim=ends, xlabel="true relative L2 error", ylabel="estimate")
    axis.legend(loc="upper left")


def histogram(axis: Any, rows: Sequence[Row]) -> None:
    """Effectivities on a logarithmic axis; the outermost bins hold all that lie beyond."""
    bins = np.geomspace(*SHOWN, 41)
    groups = [[row["effectivity"] for row in rows if row["rtol"] == rtol] for rtol in tolerances(rows)]
    inside = [np.clip(group, bins[0] * 1.001, bins[-1] / 1.001) for group in groups]
    labels = [f"rtol {rtol:.0e}" for rtol in tolerances(rows)]
    if groups:
        axis.hist(inside, bins, stacked=True, color=COLOURS[: len(groups)], label=labels)
        axis.legend(loc="upper left")
    for edge in BAND:
        axis.axvline(edge, color=GREY, linewidth=0.7, linestyle="--")
    ticks = [0.3, 0.5, 0.7, 1.0, 1.4, 2.0, 3.0]
    axis.set(xscale="log", yscale="symlog", xlabel="effectivity: estimate / true error", ylabel="runs")
    axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.minorticks_off()
