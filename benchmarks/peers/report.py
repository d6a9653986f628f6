"""Table and figure of the peers, from results/peers.h5 alone."""

from __future__ import annotations

import csv
import math
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.peers.measure import DONE, Row
from benchmarks.peers.table import PEERS
from kanpde.plots.canvas import GREY, render
from kanpde.store import load_table

PROVENANCE = ("command", "commit", "machine")
COLUMNS = ("problem", "peer", "seed", "budget", "seconds", "iteration", "loss", "relative_l2")
FACTS = ("parameters", "importing", "compiling", "wall_seconds", "status", "date", "code")
NAMES = {
    "A": "A: Δu = f, sin πx sin πy",
    "H": "H: Δu + u = f, sin πx sin 4πy",
    "R": "R: Δu = f, 1/(1 + 4(x² + 2y² + xy))",
}
SHARES = (0.1, 0.3)  # of the budget at which the table reads the error, besides the end
EARLIEST = 0.5  # seconds on the left of the figure
SAY = """\
Relative L2 error after parts of the time of training on one core, medians of the seeds. Seconds are processor time of
one thread; importing, compiling and measuring are not in them. The last step may end a little later than the budget.
kanpde's points are whole solves, its own estimates of the error included.
"""


def write(directory: Path) -> str:
    """Writes peers.csv, peers.md and peers.png beside peers.h5 and returns the table."""
    rows, about = load_table(directory / "peers.h5")
    write_csv(directory / "peers.csv", rows, about)
    text = report(rows, about)
    (directory / "peers.md").write_text(text, encoding="utf-8")
    width = 1.0 + 3.2 * max(1, len(shown(rows)))
    render(directory / "peers.png", (width, 4.2), lambda figure: draw(figure, rows))
    return text


def write_csv(path: Path, rows: Sequence[Row], about: Row) -> None:
    """One line a measured point; a run without any has a line with its status."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, [*COLUMNS, *FACTS, *PROVENANCE], extrasaction="ignore", lineterminator="\n")
        table.writeheader()
        for row in rows:
            origin = {key: about.get(key, "") for key in PROVENANCE}
            for point in row["trace"] or [()]:
                values = dict(zip(COLUMNS[4:], point, strict=False)) or dict.fromkeys(COLUMNS[4:], "")
                table.writerow({**row, **origin, **values})


def report(rows: Sequence[Row], about: Row) -> str:
    """The table in Markdown, with where it comes from."""
    origin = "; ".join(f"{key} {about[key]}" for key in (*PROVENANCE, "date") if key in about)
    lines = [line(group) for group in grouped(rows)]
    return "\n".join(["# Peers\n", f"{origin}.\n", SAY, markdown(lines)]) + "\n"


def grouped(rows: Iterable[Row]) -> list[list[Row]]:
    """The seeds of each method on each problem, in the order of the tables."""
    groups: dict[tuple[int, int, float], list[Row]] = {}
    for row in rows:
        place = (list(NAMES).index(row["problem"]), list(PEERS).index(row["peer"]), row["budget"])
        groups.setdefault(place, []).append(row)
    return [groups[place] for place in sorted(groups)]


def line(group: Sequence[Row]) -> dict[str, str]:
    """One method on one problem."""
    first, budget = group[0], group[0]["budget"]
    reached = {f"{share:.0%} of the time": told(error_at(row, share * budget) for row in group) for share in SHARES}
    return {
        "problem": NAMES[first["problem"]],
        "method": PEERS[first["peer"]].label,
        "budget": f"{budget:.0f} s",
        **reached,
        "at the end": told(row["relative_l2"] for row in group),
        "iterations": middle(group, "iterations", "{:.0f}"),
        "parameters": middle(group, "parameters", "{:.0f}"),
        "importing": middle(group, "importing", "{:.1f} s"),
        "compiling": middle(group, "compiling", "{:.1f} s"),
        "status": "; ".join(dict.fromkeys(row["status"] for row in group)),
    }


def error_at(row: Row, seconds: float) -> float:
    """The error of the last point not later than that, within a twentieth; infinite where there is none yet."""
    errors = [point[3] for point in row["trace"] if point[0] <= 1.05 * seconds]
    return float(errors[-1]) if errors else math.inf


def told(errors: Iterable[float]) -> str:
    """The median, where there is one."""
    median = statistics.median(error if math.isfinite(error) else math.inf for error in errors)
    return f"{median:.1e}" if math.isfinite(median) else "none"


def middle(group: Sequence[Row], key: str, form: str) -> str:
    """The median of a fact, a dash where nobody states it."""
    found = [row[key] for row in group if row.get(key) is not None]
    return form.format(statistics.median(found)) if found else "–"


def markdown(lines: Sequence[dict[str, str]]) -> str:
    """Dictionaries with the same keys as a table."""
    if not lines:
        return "(no runs)"
    table = [list(lines[0]), ["---"] * len(lines[0]), *(list(cells.values()) for cells in lines)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in table)


def shown(rows: Sequence[Row]) -> list[str]:
    """The problems that have runs, in their order."""
    return [name for name in NAMES if any(row["problem"] == name for row in rows)]


def draw(figure: Any, rows: Sequence[Row]) -> None:
    """Error against seconds, a panel a problem."""
    problems = shown(rows)
    axes = figure.subplots(1, max(1, len(problems)), sharex=True, sharey=True, squeeze=False).ravel()
    for axis, problem in zip(axes, problems, strict=False):
        panel(axis, problem, [row for row in rows if row["problem"] == problem])
    handles = {label: curve for axis in axes for curve, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    if handles:
        figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3)


def panel(axis: Any, problem: str, rows: Sequence[Row]) -> None:
    """One problem: a line a seed; a cross ends the line of a run that failed."""
    for name, peer in PEERS.items():
        for row in (r for r in rows if r["peer"] == name and r["trace"]):
            curve(axis, row, peer.label, peer.colour)
    axis.set(xscale="log", yscale="log", title=NAMES[problem], xlabel="seconds on one core", ylabel="relative L2 error")
    axis.set_xlim(left=EARLIEST)
    axis.label_outer(remove_inner_ticks=False)
    axis.grid(color=GREY, alpha=0.2, linewidth=0.5)


def curve(axis: Any, row: Row, label: str, colour: str) -> None:
    """One run; the points of separate solves are marked."""
    times, errors = [point[0] for point in row["trace"]], [point[3] for point in row["trace"]]
    marker = "o" if row["peer"] == "kanpde" else ""
    axis.plot(times, errors, marker=marker, markersize=3, color=colour, label=label)
    if row["status"] != DONE:
        axis.plot(times[-1:], errors[-1:], "x", color=colour)
