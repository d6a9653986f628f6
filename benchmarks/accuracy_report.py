"""Tables and figure of the accuracy benchmark, from results/accuracy.h5 alone."""

from __future__ import annotations

import csv
import math
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.targets import TARGETS, Target
from kanpde.plots.canvas import BLUE, GREEN, GREY, ORANGE, SKY, render
from kanpde.store import load_table

Row = dict[str, Any]

RUN = ("problem", "row", "title", "rtol", "budget", "seed", "method", "resolution", "unknowns", "parameters")
MACHINERY = ("threads", "workers", "date", "source")
OUTCOME = ("relative_l2", "error_estimate", "seconds", "iterations", "converged", "status", *MACHINERY)
PROVENANCE = ("command", "commit", "machine")
FAMILIES = ("Chebyshev", "differences", "scikit-fem")
EVOLUTIONS = ("method of lines", "exponential integrator")
NAMES = {
    "poisson": "A: Δu = f, sin πx sin πy",
    "poisson_paper": "P: Δu = f, sin πx sin πy²",
    "helmholtz": "H: Δu + u = f, sin πx sin 4πy",
    "helmholtz_6_6": "H (6,6): sin 6πx sin 6πy",
    "helmholtz_10_10": "H (10,10): sin 10πx sin 10πy",
    "rational": "R: Δu = f, rational",
    "rational_helmholtz": "RH: Δu + 16 u = f, rational",
    "poisson_3d": "3-D: Δu = f, sin πx sin πy sin πz",
    "wave_1d": "Wave",
    "heat_1d": "Heat",
    "klein_gordon": "Klein-Gordon, cubic",
    "burgers": "Burgers, ν = 0.01/π",
    "allen_cahn": "Allen-Cahn, D = 1e-4, periodic",
    "poisson_5d": "5-D: Δu = f, Σ cos πx_i cos πx_i+1",
    "poisson_5d_additive": "5-D: Δu = f, Σ cos πx_i",
}
GRIDLESS = ("poisson_5d", "poisson_5d_additive")  # no conventional solver of ours goes into five dimensions
LABELS = {"default": "default", "bspline": "B-spline KAN", "mlp": "MLP"}
COLUMNS = 3  # of the figure
COLOURS = {
    "default": BLUE,
    "bspline": "#CC79A7",
    "mlp": "#DDAA00",
    "Chebyshev": "#000000",
    "differences": ORANGE,
    "scikit-fem": GREEN,
    "method of lines": SKY,
    "exponential integrator": SKY,
}
TARGETS_SAY = """\
Median (worst) of the seeds. A target is met where more than half of the runs end with a true error within it, in time.
The conventional solver is the fastest single solve that reaches the target; its time has no error estimate in it.
"""
CHEAPEST = "the fastest single solve, on the coarsest grid of a method, that reaches the"
FLOOR, FIRST = 1e-14, 1e-3  # the least error and the least time of the figure


def write(directory: Path) -> str:
    """Writes accuracy.csv, accuracy.md and accuracy.png beside accuracy.h5 and returns the tables."""
    rows, about = load_table(directory / "accuracy.h5")
    write_csv(directory / "accuracy.csv", rows, about)
    text = report(rows, about)
    (directory / "accuracy.md").write_text(text, encoding="utf-8")
    lines = -(-len(shown(rows)) // COLUMNS)
    render(directory / "accuracy.png", (10.5, 1.0 + 2.9 * lines), lambda figure: draw(figure, rows))
    return text


def write_csv(path: Path, rows: Sequence[Row], about: Row) -> None:
    """One line a run, with command, commit and machine in columns of their own."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, [*RUN, *OUTCOME, *PROVENANCE], extrasaction="ignore", lineterminator="\n")
        table.writeheader()
        table.writerows({**row, **{key: about.get(key, "") for key in PROVENANCE}} for row in rows)


def report(rows: Sequence[Row], about: Row) -> str:
    """The targets, then both tables of all runs, in Markdown, with where they come from."""
    groups = list(grouped(rows))
    origin = "; ".join(f"{key} {about[key]}" for key in (*PROVENANCE, "date") if key in about)
    compared = [g for g in groups if g[0]["row"] == "default" and elliptic(rows, g[0]["problem"])]
    parts = [
        "# Accuracy\n",
        f"{origin}; {machinery(rows)}.\n",
        "## Targets\n",
        TARGETS_SAY,
        markdown([target_line(t, rows) for t in TARGETS if asked(t, rows)]),
        remarks(rows),
        "## All runs\n",
        f"Networks: median (worst) of the seeds. Last column: {CHEAPEST} median error.\n",
        markdown([network_line(group, rows) for group in groups]),
        f"\nConventional solvers, family by family: {CHEAPEST} default network's median error.\n",
        markdown([family_line(group, rows) for group in compared]),
    ]
    return "\n".join(parts) + "\n"


def machinery(rows: Sequence[Row]) -> str:
    """How many runs there were at a time, with how many threads each."""
    kinds = {(row["workers"], row["threads"]) for row in rows if "workers" in row and "threads" in row}
    words = [f"{workers} run(s) at a time, {threads} thread(s) each" for workers, threads in sorted(kinds)]
    return " and ".join(words) or "threads not stated"


# ---- targets


def asked(target: Target, rows: Sequence[Row]) -> list[Row]:
    """The runs for a target."""
    own = (target.problem, "default", target.error, target.seconds)
    return [row for row in rows if (row["problem"], row["row"], row.get("rtol"), row.get("budget")) == own]


def target_line(target: Target, rows: Sequence[Row]) -> dict[str, str]:
    """One target: what its runs reached, who else did what, and the conventional solver that reaches it soonest."""
    group, solves = asked(target, rows), conventional(rows, target.problem)
    beside = "none of ours" if target.problem in GRIDLESS else told(cheapest(solves, target.error), target.error)
    verdict, strong = ("met", "{}") if met(group) else ("**missed**", "**{}**")
    return {
        "problem": NAMES[target.problem],
        "target": strong.format(f"{target.error:.3g} in {target.seconds:.0f} s"),
        "true error": strong.format(spread(group, "relative_l2", "{:.1e}")),
        "estimate": spread(group, "error_estimate", "{:.1e}"),
        "seconds": spread(group, "seconds", "{:.1f}"),
        "parameters": f"{median(group, 'parameters'):.0f}",
        "target met": f"{verdict}: {hits(group)} of {len(group)} seeds",
        "best published": target.published,
        "conventional": beside,
    }


def remarks(rows: Sequence[Row]) -> str:
    """What one has to know to read the rows that are there."""
    own = [f"- {NAMES[t.problem]}, {t.error:.3g}: {t.remark}." for t in TARGETS if t.remark and asked(t, rows)]
    return "\n".join(["", *own, ""])


# ---- all runs


def elliptic(rows: Sequence[Row], problem: str) -> bool:
    """Whether a problem has solves by every family."""
    return all(conventional(rows, problem, family) for family in FAMILIES)


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
    """Whether more than half of the runs had a true error within the tolerance at the end, in time."""
    return 2 * hits(group) > len(group)


def hits(group: Sequence[Row]) -> int:
    """How many of the runs had."""
    return sum(bool(row["relative_l2"] <= row["rtol"] and row["seconds"] <= row["budget"]) for row in group)


def known(group: Sequence[Row], key: str) -> list[float]:
    """The numbers that there are."""
    return [row[key] for row in group if row[key] is not None and not math.isnan(row[key])]


def median(group: Sequence[Row], key: str) -> float:
    """Of the numbers there are; infinite without any."""
    found = known(group, key)
    return float(statistics.median(found)) if found else float("inf")


def spread(group: Sequence[Row], key: str, form: str) -> str:
    """Median and worst, and how many there are if some are missing."""
    found = known(group, key)
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


def shown(rows: Sequence[Row]) -> list[str]:
    """The problems that have runs, in their order."""
    return [name for name in NAMES if any(row["problem"] == name for row in rows)]


def draw(figure: Any, rows: Sequence[Row]) -> None:
    """Error against time, a panel a problem."""
    problems = shown(rows)
    columns = min(COLUMNS, len(problems))
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
    """Conventional solvers as lines between solves; every run of a network with its true error at the end; targets."""
    for method in dict.fromkeys(row["method"] for row in rows if row["row"] == "conventional"):
        line(axis, method, [row for row in rows if row.get("method") == method])
    for row in (r for r in rows if r["row"] in LABELS):
        seed(axis, row)
    for target in (t for t in TARGETS if asked(t, rows)):
        corner = ([FIRST, target.seconds, target.seconds], [target.error, target.error, FLOOR])
        axis.plot(*corner, "-", color=GREY, linewidth=0.8, label="target")
    axis.set(xscale="log", yscale="log", title=NAMES[problem], xlabel="seconds", ylabel="relative L2 error")
    axis.set_ylim(FLOOR, 3)
    axis.set_xlim(left=FIRST)
    axis.label_outer(remove_inner_ticks=False)
    axis.grid(color=GREY, alpha=0.2, linewidth=0.5)


def line(axis: Any, method: str, rows: Sequence[Row]) -> None:
    """A conventional solver: the best error within a time, so that noise of a millisecond does not make it zigzag."""
    family = next(name for name in (*FAMILIES, *EVOLUTIONS) if method.startswith(name))
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
