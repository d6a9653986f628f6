"""Tables and figure of the accuracy benchmark, from results/accuracy.h5 alone."""

from __future__ import annotations

import csv
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from kanpde.plots.canvas import BLUE, GREEN, GREY, ORANGE, render
from kanpde.store import load_table

Row = dict[str, Any]

RUN = ("problem", "row", "title", "rtol", "budget", "seed", "method", "resolution", "unknowns", "parameters")
OUTCOME = ("relative_l2", "error_estimate", "seconds", "iterations", "converged", "status", "date", "source")
PROVENANCE = ("command", "commit", "machine")
FAMILIES = ("Chebyshev", "differences", "scikit-fem")
NAMES = {
    "poisson": "A: Δu = f, sin πx sin πy",
    "poisson_paper": "P: Δu = f, sin πx sin πy²",
    "helmholtz": "H: Δu + u = f, sin πx sin 4πy",
    "poisson_3d": "3-D: Δu = f, sin πx sin πy sin πz",
    "rational": "R: Δu = f, rational",
    "rational_helmholtz": "RH: Δu + 16 u = f, rational",
}
LABELS = {"default": "default", "bspline": "B-spline KAN", "mlp": "MLP"}
COLOURS = {
    "default": BLUE,
    "bspline": "#CC79A7",
    "mlp": "#DDAA00",
    "Chebyshev": "#000000",
    "differences": ORANGE,
    "scikit-fem": GREEN,
}
CHEAPEST = "the fastest single solve, on the coarsest grid of a method, that reaches the"
FLOOR = 1e-12  # of the figure


def write(directory: Path) -> str:
    """Writes accuracy.csv, accuracy.md and accuracy.png beside accuracy.h5 and returns the tables."""
    rows, about = load_table(directory / "accuracy.h5")
    write_csv(directory / "accuracy.csv", rows, about)
    text = report(rows, about)
    (directory / "accuracy.md").write_text(text, encoding="utf-8")
    render(directory / "accuracy.png", (10.5, 7.2), lambda figure: draw(figure, rows))
    return text


def write_csv(path: Path, rows: Sequence[Row], about: Row) -> None:
    """One line a run, with command, commit and machine in columns of their own."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, [*RUN, *OUTCOME, *PROVENANCE], extrasaction="ignore", lineterminator="\n")
        table.writeheader()
        table.writerows({**row, **{key: about.get(key, "") for key in PROVENANCE}} for row in rows)


def report(rows: Sequence[Row], about: Row) -> str:
    """Both tables in Markdown, with where they come from."""
    groups = list(grouped(rows))
    origin = "; ".join(f"{key} {about[key]}" for key in (*PROVENANCE, "threads", "date") if key in about)
    parts = [
        "# Accuracy\n",
        f"{origin}.\n",
        f"Networks: median (worst) of the seeds. Last column: {CHEAPEST} median error.\n",
        markdown([network_line(group, rows) for group in groups]),
        f"\nConventional solvers, family by family: {CHEAPEST} default network's median error.\n",
        markdown([family_line(group, rows) for group in groups if group[0]["row"] == "default"]),
    ]
    return "\n".join(parts) + "\n"


def markdown(lines: Sequence[dict[str, str]]) -> str:
    """Dictionaries with the same keys as a table."""
    if not lines:
        return "(no runs)"
    table = [list(lines[0]), ["---"] * len(lines[0]), *(list(line.values()) for line in lines)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in table)


def grouped(rows: Iterable[Row]) -> Iterable[list[Row]]:
    """The seeds of each network, problem by problem."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in (r for r in rows if r["row"] in LABELS):
        groups.setdefault((row["problem"], row["row"], row["rtol"]), []).append(row)
    problems, kinds = list(NAMES), list(LABELS)
    return [groups[key] for key in sorted(groups, key=lambda k: (problems.index(k[0]), kinds.index(k[1]), -k[2]))]


def network_line(group: Sequence[Row], rows: Sequence[Row]) -> dict[str, str]:
    """One network on one problem."""
    first, error = group[0], median(group, "relative_l2")
    return {
        "problem": NAMES[first["problem"]],
        "network": f"{LABELS[first['row']]}: {first['title']}",
        "goal": f"{first['rtol']:.0e} in {first['budget']:.0f} s",
        "relative L2": spread(group, "relative_l2", "{:.1e}"),
        "estimate": spread(group, "error_estimate", "{:.1e}"),
        "seconds": spread(group, "seconds", "{:.1f}"),
        "parameters": f"{median(group, 'parameters'):.0f}",
        "converged": f"{sum(row['converged'] for row in group)} of {len(group)}",
        "goal met": "yes" if met(group) else "no",
        "conventional": told(cheapest(conventional(rows, first["problem"]), error), error),
    }


def met(group: Sequence[Row]) -> bool:
    """Median error within the tolerance, median time within the budget, all converged."""
    accurate = median(group, "relative_l2") <= group[0]["rtol"]
    return accurate and median(group, "seconds") <= group[0]["budget"] and all(row["converged"] for row in group)


def median(group: Sequence[Row], key: str) -> float:
    """Of the numbers there are; infinite without any."""
    found = [row[key] for row in group if row[key] is not None]
    return float(statistics.median(found)) if found else float("inf")


def spread(group: Sequence[Row], key: str, form: str) -> str:
    """Median and worst, and how many there are if some are missing."""
    found = [row[key] for row in group if row[key] is not None]
    if not found:
        return "none"
    few = f", {len(found)} of {len(group)}" if len(found) < len(group) else ""
    return f"{form.format(statistics.median(found))} ({form.format(max(found))}{few})"


def conventional(rows: Sequence[Row], problem: str, family: str = "") -> list[Row]:
    """The conventional solves of a problem, of one family or of all."""
    own = (row for row in rows if row["row"] == "conventional" and row["problem"] == problem)
    return [row for row in own if row["method"].startswith(family)]


def cheapest(solves: Sequence[Row], error: float) -> Row | None:
    """The fastest among the coarsest grids that reach an error; the most accurate where none does."""
    coarsest: dict[str, Row] = {}
    for row in sorted(solves, key=lambda row: row["unknowns"]):
        if row["relative_l2"] <= error:
            coarsest.setdefault(row["method"], row)
    if coarsest:
        return min(coarsest.values(), key=lambda row: row["seconds"])
    return min(solves, key=lambda row: row["relative_l2"], default=None)


def told(row: Row | None, error: float) -> str:
    """One conventional solve in a cell, and whether it misses the error that it is compared with."""
    if row is None:
        return "not run"
    short = "" if row["relative_l2"] <= error else "not reached; best "
    return f"{short}{row['method']}, n = {row['resolution']}: {row['relative_l2']:.1e} in {row['seconds']:.3f} s"


def family_line(group: Sequence[Row], rows: Sequence[Row]) -> dict[str, str]:
    """The best of each family beside the default network."""
    problem, error = group[0]["problem"], median(group, "relative_l2")
    network = f"{error:.1e} in {median(group, 'seconds'):.1f} s"
    best = {family: told(cheapest(conventional(rows, problem, family), error), error) for family in FAMILIES}
    return {"problem": NAMES[problem], "default network": network, **best}


# ---- figure


def draw(figure: Any, rows: Sequence[Row]) -> None:
    """Error against time, a panel a problem."""
    problems = [name for name in NAMES if any(row["problem"] == name for row in rows)]
    columns = min(3, len(problems))
    axes = figure.subplots(-(-len(problems) // columns), columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axis in axes[len(problems) :]:
        axis.set_visible(False)
    for axis, problem in zip(axes, problems, strict=False):
        panel(axis, problem, [row for row in rows if row["problem"] == problem])
    handles = {label: line for axis in axes for line, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=6)
    figure.suptitle(
        "Networks: residual scaled to end at the true error (dots: converged, crosses: not). Others: one solve."
    )


def panel(axis: Any, problem: str, rows: Sequence[Row]) -> None:
    """Conventional solvers as lines between solves; every run of a network with its true error at the end."""
    for method in dict.fromkeys(row["method"] for row in rows if row["row"] == "conventional"):
        line(axis, method, [row for row in rows if row.get("method") == method])
    for row in (r for r in rows if r["row"] in LABELS):
        seed(axis, row)
    axis.set(xscale="log", yscale="log", title=NAMES[problem], xlabel="seconds", ylabel="relative L2 error")
    axis.set_ylim(FLOOR, 3)
    axis.label_outer(remove_inner_ticks=False)
    axis.grid(color=GREY, alpha=0.2, linewidth=0.5)


def line(axis: Any, method: str, rows: Sequence[Row]) -> None:
    """A conventional solver: the best error within a time, so that noise of a millisecond does not make it zigzag."""
    family = next(name for name in FAMILIES if method.startswith(name))
    best: list[tuple[float, float]] = []
    for row in sorted(rows, key=lambda r: r["seconds"]):
        if not best or row["relative_l2"] < best[-1][1]:
            best.append((row["seconds"], row["relative_l2"]))
    style = {"2": ":", "3": "-.", "4": "--", "6": "-.", "8": "-"}.get(method[-1], "-")
    style = "-" if method.endswith("P4") else style
    axis.plot(*zip(*best, strict=True), style, color=COLOURS[family], linewidth=1, label=method)


def seed(axis: Any, row: Row) -> None:
    """One run of a network: its residual over time, scaled so that it ends at the true error, which is the marker."""
    colour, name, error = COLOURS[row["row"]], LABELS[row["row"]], row["relative_l2"]
    times, residuals = zip(*row["trace"], strict=True)
    scaled = [residual * error / residuals[-1] for residual in residuals]
    axis.plot((*times, row["seconds"]), (*scaled, error), color=colour, linewidth=0.6, alpha=0.5)
    marker = "o" if row["converged"] else "x"
    axis.plot([row["seconds"]], [error], marker, color=colour, markersize=4, linestyle="none", label=name)
