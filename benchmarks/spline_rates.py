"""B-splines of degree 3 on the KAN paper's Poisson problem: how small the error is, and how fast it falls.

    python -m benchmarks.spline_rates [--series NAME ...] [--seeds 3]

Every solution goes through `solve`, as a user would: a coarse network from the best of a few starts, judged by its
residual, then stage after stage with twice the intervals by exact knot insertion. What differs is the network, and the
points. In theory (strong-form least squares, degree k) the L2 error falls like h^min(k+1, 2k−2), here h⁴; but only as
far as the sum over the points is the integral of the squared residual, which jumps in its slope from interval to
interval.

Writes results/spline_rates.{csv,md,png}.
"""

from __future__ import annotations

import argparse
import csv
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import kanpde as kp
from benchmarks import common
from benchmarks.accuracy_report import markdown
from benchmarks.runs import problem_named
from kanpde.network import KAN, Network
from kanpde.network.architecture import Width
from kanpde.plots.canvas import BLUE, GREEN, GREY, ORANGE, PINK, render
from kanpde.problem import Problem
from kanpde.solution import Solution

Row = dict[str, Any]

PROBLEM = "poisson_paper"
DEGREE = 3
SEEDS = 3
STARTS = 5  # of each seed; of one product node about a third find the way
UNREACHED = 1e-14  # tolerance: no stage ends because its error is small enough
BUDGET, SQUARED, SLOPE = 1000, 5e-9, -3.5  # parameters, mean squared error, and rate that are asked for
COLUMNS = ("series", "seed", "intervals", "parameters", "points", "relative_l2", "residual", "iterations", "seconds")


@dataclass(frozen=True)
class Series:
    """One network and one rule of points on finer and finer grids.

    Attributes:
        name: on the command line and in the file.
        title: network and points, in tables and figure.
        widths: of the network.
        squash: before its hidden edges.
        first: intervals of the edges in each layer at the start.
        sampling: rule of the points.
        density: points to an interval along each coordinate; None takes what `solve` does, three to a parameter.
        grids: intervals, stage by stage.
        iterations: at most, stage by stage.
    """

    name: str
    title: str
    widths: tuple[Width, ...]
    squash: str | None
    first: tuple[int, int]
    sampling: str
    density: int | None
    grids: tuple[int, ...] = (4, 8, 16, 32, 64)
    iterations: tuple[int, ...] = (60, 20, 12, 10, 8)

    def stage(self, k: int) -> kp.Stage:
        """The k-th stage; the first leaves the network as it is."""
        points = None if self.density is None else max(400, (self.density * self.grids[k]) ** 2)
        finer = self.grids[k] if k else None
        return kp.Stage(points=points, intervals=finer, iterations=self.iterations[k], sampling=self.sampling)

    def network(self, seed: int) -> Network:
        """A random start."""
        return KAN(self.widths, degree=DEGREE, intervals=self.first, squash=self.squash, seed=seed)


# One product of two functions is the solution, and the smallest network that can be exact; [2, 10, 1] is the paper's.
PRODUCT: dict[str, Any] = {"widths": (2, (0, 1), 1), "squash": None, "first": (4, 1)}
PAPER: dict[str, Any] = {"widths": (2, 10, 1), "squash": "tanh", "first": (4, 4), "grids": (4, 8, 16, 32)}
SERIES = (
    Series(
        "product, Gauss", "[2, (0, 1), 1], 6 Gauss points an interval and axis", sampling="gauss", density=6, **PRODUCT
    ),
    Series(
        "product, midpoints", "[2, (0, 1), 1], 6 midpoints an interval and axis", sampling="grid", density=6, **PRODUCT
    ),
    Series(
        "product, few points", "[2, (0, 1), 1], 3 Sobol points a parameter", sampling="sobol", density=None, **PRODUCT
    ),
    Series(
        "paper, many points", "[2, 10, 1], 16 Sobol points a cell of the grid", sampling="sobol", density=4, **PAPER
    ),
    Series("paper, few points", "[2, 10, 1], 3 Sobol points a parameter", sampling="sobol", density=None, **PAPER),
)
TITLES = {series.name: series.title for series in SERIES}
COLOURS = (BLUE, ORANGE, GREEN, PINK, GREY)


def measured(series: Series, seed: int, starts: int = STARTS) -> list[Row]:
    """The error on every grid, from the start with the smallest residual on the first."""
    problem = problem_named(PROBLEM)
    coarse = [_started(problem, series, starts * seed + k) for k in range(starts)]
    solution = min(coarse, key=_residual)
    rows = [_row(series, seed, 0, solution)]
    for k in range(1, len(series.grids)):
        solution = kp.solve(problem, UNREACHED, initial_guess=solution, stages=[series.stage(k)], seed=seed)
        rows.append(_row(series, seed, k, solution))
    return rows


def _started(problem: Problem, series: Series, seed: int) -> Solution:
    return kp.solve(problem, UNREACHED, network=series.network(seed), stages=[series.stage(0)], seed=seed)


def _residual(solution: Solution) -> float:
    return float(solution.history[-1]["residual"])


def _row(series: Series, seed: int, k: int, solution: Solution) -> Row:
    return {
        "series": series.name,
        "seed": seed,
        "intervals": series.grids[k],
        "parameters": solution.n_parameters,
        "points": int(solution.history[-1]["rows"]),
        "relative_l2": float(solution.relative_l2 or np.nan),
        "residual": _residual(solution),
        "iterations": solution.iterations,
        "seconds": solution.seconds,
    }


# ---- what it says


def slope(rows: Sequence[Row], against: str) -> float:
    """Of log error against log `against`, by least squares over all grids of one seed."""
    x, y = (np.log([row[key] for row in rows]) for key in (against, "relative_l2"))
    return float(np.polyfit(x, y, 1)[0])


def size() -> tuple[float, float]:
    """∫ u² of the solution, and the area."""
    problem = problem_named(PROBLEM)
    points, weights = problem.domain.quadrature(80)
    return float(weights @ problem.exact_values(points)[:, 0] ** 2), float(weights.sum())


def by_seed(rows: Sequence[Row], name: str) -> list[list[Row]]:
    """The grids of each seed of a series."""
    own = [row for row in rows if row["series"] == name]
    return [[row for row in own if row["seed"] == seed] for seed in sorted({row["seed"] for row in own})]


def rate_line(name: str, runs: Sequence[Sequence[Row]]) -> dict[str, str]:
    """Slopes of a series: median and worst of its seeds, and whether the median is as steep as asked."""
    by_parameters, by_intervals = ([slope(run, key) for run in runs] for key in ("parameters", "intervals"))
    last = [slope(run[-2:], "parameters") for run in runs]
    reached = statistics.median(by_parameters) <= SLOPE
    return {
        "network and points": TITLES[name],
        "grids": f"{runs[0][0]['intervals']} to {runs[0][-1]['intervals']}",
        "slope in parameters": _spread(by_parameters),
        "of the last two grids": _spread(last),
        "slope in intervals": _spread(by_intervals),
        f"at most {SLOPE:g} in parameters": "yes" if reached else "**no**",
        "seeds": str(len(runs)),
    }


def _spread(slopes: Sequence[float]) -> str:
    return f"{statistics.median(slopes):.2f} ({max(slopes):.2f})"


def budget_line(name: str, runs: Sequence[Sequence[Row]]) -> dict[str, str]:
    """The error on the finest grid within the budget of parameters, in all the ways in which one may say it."""
    whole, area = size()
    found = [[row for row in run if row["parameters"] <= BUDGET][-1] for run in runs]
    errors = [row["relative_l2"] for row in found]
    median, worst = statistics.median(errors), max(errors)
    squared = [f"{factor * median**2:.1e} ({factor * worst**2:.1e})" for factor in (1.0, whole, whole / area)]
    return {
        "network and points": TITLES[name],
        "intervals": str(found[0]["intervals"]),
        "parameters": str(found[0]["parameters"]),
        "points": str(found[0]["points"]),
        "relative L2": f"{median:.1e} ({worst:.1e})",
        "its square": squared[0],
        "∫ e²": squared[1],
        "mean e²": squared[2],
        f"all three at most {SQUARED:.0e}": "yes" if max(1.0, whole) * median**2 <= SQUARED else "**no**",
    }


def grid_lines(name: str, runs: Sequence[Sequence[Row]]) -> list[dict[str, str]]:
    """Every grid of a series."""
    lines = []
    for rows in zip(*runs, strict=True):
        errors, residuals = ([row[key] for row in rows] for key in ("relative_l2", "residual"))
        lines.append(
            {
                "network and points": TITLES[name],
                "intervals": str(rows[0]["intervals"]),
                "parameters": str(rows[0]["parameters"]),
                "points": str(rows[0]["points"]),
                "relative L2": f"{statistics.median(errors):.1e} ({max(errors):.1e})",
                "residual": f"{statistics.median(residuals):.1e} ({max(residuals):.1e})",
                "seconds": f"{statistics.median(row['seconds'] for row in rows):.1f}",
            }
        )
    return lines


def report(rows: Sequence[Row], about: dict[str, str]) -> str:
    """All tables in Markdown."""
    runs = {name: by_seed(rows, name) for name in dict.fromkeys(row["series"] for row in rows)}
    origin = "; ".join(f"{key} {about[key]}" for key in ("command", "commit", "machine", "threads", "date"))
    return "\n".join(
        [
            "# B-splines of degree 3 on Δu = f, u = sin πx sin πy²\n",
            f"{origin}.\n",
            f"Median (worst) of the seeds. Each is the best of {STARTS} starts by the residual on the first grid.\n",
            f"## With at most {BUDGET} parameters\n",
            "The KAN paper's figure for [2, 10, 1] is a mean squared error of about 1e-7.\n",
            markdown([budget_line(name, own) for name, own in runs.items()]),
            "\n## Rates\n",
            "Slopes of log L2, by least squares over all grids. In theory −4 in intervals, on the whole integral.\n",
            markdown([rate_line(name, own) for name, own in runs.items()]),
            "\n## Grids\n",
            "Seconds are those of one grid, which begins where the one before ended.\n",
            markdown([line for name, own in runs.items() for line in grid_lines(name, own)]),
            "",
        ]
    )


def draw(figure: Any, rows: Sequence[Row]) -> None:
    """Error against parameters, a line for each seed."""
    axis = figure.subplots()
    for series, colour in zip(SERIES, COLOURS, strict=True):
        for k, run in enumerate(by_seed(rows, series.name)):
            line = [[row[key] for row in run] for key in ("parameters", "relative_l2")]
            axis.plot(*line, "o-", color=colour, markersize=3, linewidth=1, label=series.title if k == 0 else None)
    first, last = 60.0, 1000.0
    for rate, style in ((2, ":"), (4, "--")):
        ends = [2e-3, 2e-3 * (last / first) ** -rate]
        axis.plot([first, last], ends, style, color="black", linewidth=0.8, label=f"slope −{rate}")
    axis.set(xscale="log", yscale="log", xlabel="parameters", ylabel="relative L2 error")
    axis.grid(color=GREY, alpha=0.2, linewidth=0.5)
    axis.legend()


def write(directory: Path, rows: Sequence[Row], about: dict[str, str]) -> str:
    """Writes spline_rates.csv, .md and .png and returns the tables."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "spline_rates.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, [*COLUMNS, "commit", "machine"], extrasaction="ignore", lineterminator="\n")
        table.writeheader()
        table.writerows({**about, **row} for row in rows)
    text = report(rows, about)
    (directory / "spline_rates.md").write_text(text, encoding="utf-8")
    render(directory / "spline_rates.png", (7.0, 5.0), lambda figure: draw(figure, rows))
    return text


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and writes everything."""
    names = tuple(series.name for series in SERIES)
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.spline_rates", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--series", nargs="+", choices=names, default=names)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--results", type=Path, default=common.RESULTS, help="directory to write to")
    options = parser.parse_args(arguments)
    rows: list[Row] = []
    for series in (s for s in SERIES if s.name in options.series):
        for seed in range(options.seeds):
            rows += measured(series, seed)
            last = rows[-1]
            print(f"{series.name}, seed {seed}: {last['relative_l2']:.1e} with {last['parameters']}", flush=True)
    print(write(options.results, rows, common.about()))


if __name__ == "__main__":
    main()
