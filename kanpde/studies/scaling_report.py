"""The report of a scaling study: curves along each axis, exponents beside those of theory, threshold and plateau."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from kanpde.studies.book import Row
from kanpde.studies.cases import Case
from kanpde.studies.page import Curve, Page, Plot, Section, Table
from kanpde.studies.reporting import banded, texts, time_curve
from kanpde.studies.statistics import Exponent, Threshold, exponent, quartiles, threshold
from kanpde.studies.study import OPTIMIZER_NAMES

MEASURES = {"relative_l2": "relative L2 error", "relative_h1": "relative H1 error"}
ABSCISSAE = {
    "intervals": ("parameters", "parameters"),
    "width": ("parameters", "parameters"),
    "depth": ("depth", "hidden layers"),
    "points": ("density", "points a parameter"),
    "threshold": ("parameters", "parameters"),
}

Levels = list[Row]


class Asked(Protocol):
    """What was varied."""

    @property
    def axes(self) -> tuple[str, ...]:
        """Names of the axes."""
        ...

    @property
    def seeds(self) -> int:
        """Starts and point sets of each run."""
        ...

    @property
    def seconds(self) -> float:
        """Of training."""
        ...


def scaling_page(plans: Sequence[tuple[Case, Asked]], rows: Sequence[Row], about: Mapping[str, Any]) -> Page:
    """The report.

    Args:
        plans: the problems, each with what was varied.
        rows: of all runs.
        about: where the study comes from.
    """
    first = plans[0][1]
    summary = [
        f"How the error falls along {', '.join(first.axes)}: {first.seeds} seeds, {first.seconds:g} s of training a "
        "run, and a level. Exponents are slopes in the logarithms, with 95 % intervals over the seeds; a plateau at "
        "the end is left out of the fit. Theory: the best spline of degree k converges like k + 1 in L2, and like "
        "k − 1 in its second derivatives, which the residual sees."
    ]
    sections = []
    for case, asked in plans:
        own = [row for row in rows if row["case"] == case.name]
        summary += verdict(case, own)
        for axis in asked.axes:
            levels = levels_of([row for row in own if row["study"] == axis])
            if levels:
                sections.append(_section(case, axis, levels, own, len(plans) > 1))
    return Page(
        f"Scaling: {', '.join(case.name for case, _ in plans)}",
        tuple(summary),
        tuple(sections),
        texts(about),
    )


def levels_of(rows: Iterable[Row]) -> Levels:
    """One row for each stage of each run, with what the run is."""
    found = []
    for row in rows:
        for stage in row.get("stages") or ():
            merged = {**{k: v for k, v in row.items() if k not in ("stages", "trace")}, **stage}
            merged["depth"] = len(row["hidden"])
            merged["density"] = row["points"] / stage["parameters"]
            merged["curve"] = _curve_name(row)
            found.append(merged)
    return found


def _curve_name(row: Row) -> str:
    """What is the same along an axis: the basis, the optimiser of an MLP, and the way to the resolution."""
    name = ", ".join(filter(None, (str(row["net"]), str(row.get("note") or ""))))
    return name if row["family"] != "mlp" else f"{name}, {OPTIMIZER_NAMES[row['optimizer']]}"


def verdict(case: Case, rows: Sequence[Row]) -> list[str]:
    """One sentence a curve along the intervals: its exponents beside theory, and where it ends."""
    lines = []
    levels = levels_of(row for row in rows if row["study"] == "intervals")
    for name, own in _curves(levels).items():
        found = _exponent(own, "parameters", "relative_l2")
        if found is not None:
            inner = _by_intervals(own, "relative_l2")
            told = (
                "" if inner is None else f"exponent in the intervals {inner.text}, in theory −{own[0]['degree'] + 1}; "
            )
            end = "" if found.plateau is None else f", then a plateau at {found.plateau:.1e}"
            lines.append(f"{case.name}, {name}: {told}exponent in the parameters {found.text}{end}.")
    turning = levels_of(row for row in rows if row["study"] == "threshold")
    for name, own in _curves(turning).items():
        lines += [
            f"{case.name}, {name}: on {t.rows:.0f} points the error is least, {t.error:.1e}, at {t.parameters:.0f} "
            f"parameters, {t.density:.1f} points a parameter, and {t.rise:.2g} times larger beyond."
            for t in _thresholds("threshold", own)
        ] or [f"{case.name}, {name}: on {own[0]['rows']:.0f} points more parameters never double the error."]
    return lines


def _refined(levels: Levels) -> bool:
    """Whether these are splines on several grids, of which theory knows the exponent."""
    return levels[0]["basis"] == "bspline" and len({level["resolution"] for level in levels}) > 1


def _by_intervals(levels: Levels, key: str) -> Exponent | None:
    return _exponent(levels, "resolution", key) if _refined(levels) else None


def _curves(levels: Levels) -> dict[str, Levels]:
    groups: dict[str, Levels] = {}
    for level in levels:
        groups.setdefault(level["curve"], []).append(level)
    return groups


def _lines(levels: Levels, x: str, y: str) -> list[list[tuple[float, float]]]:
    """Pairs by seed."""
    seeds: dict[int, list[tuple[float, float]]] = {}
    for level in levels:
        if level.get(y) is not None:
            seeds.setdefault(level["seed"], []).append((float(level[x]), float(level[y])))
    return list(seeds.values())


def _exponent(levels: Levels, x: str, y: str) -> Exponent | None:
    return exponent(_lines(levels, x, y))


def _medians(levels: Levels, x: str, y: str) -> list[tuple[float, tuple[float, float, float]]]:
    grouped: dict[float, list[float | None]] = {}
    for level in levels:
        grouped.setdefault(float(level[x]), []).append(level.get(y))
    found = []
    for abscissa, values in sorted(grouped.items()):
        three = quartiles(values)
        if three is not None:
            found.append((abscissa, (three.low, three.median, three.high)))
    return found


def _thresholds(axis: str, levels: Levels) -> list[Threshold]:
    """One for each curve that turns."""
    found = []
    for own in _curves(levels).values() if axis == "threshold" else ():
        line = [(x, middle) for x, (_, middle, _) in _medians(own, "parameters", "relative_l2")]
        crossing = threshold(line, float(own[0]["rows"]))
        if crossing is not None:
            found.append(crossing)
    return found


def _section(case: Case, axis: str, levels: Levels, rows: Sequence[Row], named: bool) -> Section:
    prefix = f"{case.name}: " if named else ""
    x, label = ABSCISSAE[axis]
    plots = [_plot(axis, levels, x, label, key) for key in MEASURES if any(r.get(key) is not None for r in levels)]
    if axis == "intervals":
        own, order = [row for row in rows if row["study"] == axis], max(o.order for o in case.problem.operators)
        plots += [_residual_plot(levels, order)] if order else []
        plots += [_time_plot(own, key) for key in MEASURES if _has(own, key)]
    title = prefix + TITLES[axis] if prefix else TITLES[axis].capitalize()
    return Section(title, (EXPLAINED[axis],), (*plots, _table(levels, x, label)))


TITLES = {
    "intervals": "intervals of the grid",
    "width": "width",
    "depth": "depth",
    "points": "collocation points",
    "threshold": "interpolation threshold",
}
EXPLAINED = {
    "intervals": "The grid of each KAN is extended from level to level in one run. The dashed lines are what "
    "theory allows, through the first level. The MLPs have as many parameters and two hidden layers.",
    "width": "One run a network, all on the same points.",
    "depth": "About the same number of parameters throughout, so deeper networks are narrower.",
    "points": "The same networks on fewer and more points.",
    "threshold": "The grid is extended on the same few points. When there are about as many parameters as points, the "
    "edges are free between them: the residual there is zero and the error is not.",
}


def _has(rows: Sequence[Row], key: str) -> bool:
    return any(row.get(key) is not None for row in rows)


def _plot(axis: str, levels: Levels, x: str, label: str, key: str) -> Plot:
    curves = []
    for name, own in _curves(levels).items():
        points = _medians(own, x, key)
        if points:
            curves.append(banded(name, points, name.split(",")[0]))
            curves += _theory_line(own, points, 1 if key == "relative_l2" else 0) if axis == "intervals" else []
    marks = [(t.parameters, f"threshold: {t.density:.1f} points a parameter") for t in _thresholds(axis, levels)]
    log = "y" if axis == "depth" else "xy"
    return Plot(
        f"{MEASURES[key]} against {label}", label, MEASURES[key], tuple(curves), _caption(axis), log, tuple(marks)
    )


def _caption(axis: str) -> str:
    shown = "Medians, with quartiles over the seeds as bands."
    return (
        f"{shown} Squared errors, as the KAN paper plots them, have twice the slopes." if axis == "intervals" else shown
    )


def _theory_line(levels: Levels, points: Sequence[tuple[float, Any]], over: int) -> list[Curve]:
    """(intervals)^−(degree + over) through the first level: over is 1 in L2, 0 in H1, 1 − order in the residual."""
    if not _refined(levels) or len(points) < 2:
        return []
    order = levels[0]["degree"] + over
    grids = {float(level["parameters"]): level["resolution"] for level in levels}
    (x0, first), lowest = points[0], min(values[0] for _, values in points) / 10
    line = [(x, first[1] * (grids[x] / grids[x0]) ** -order) for x, _ in points]
    kept = [pair for k, pair in enumerate(line) if k < 2 or pair[1] > lowest]
    xs, ys = zip(*kept, strict=True)
    return [Curve(f"−{order}", xs, ys, style="theory", group="theory")]


def _residual_plot(levels: Levels, order: int) -> Plot:
    curves = []
    for name, own in _curves(levels).items():
        points = _medians(own, "parameters", "residual")
        if points:
            curves.append(banded(name, points, name.split(",")[0]))
            curves += _theory_line(own, points, 1 - order)
    return Plot("residual against parameters", "parameters", "residual at unseen points", tuple(curves), _caption(""))


def _time_plot(rows: Sequence[Row], key: str) -> Plot:
    """Error against time: KANs as their grids grow, MLPs of the largest size."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if row.get("trace"):
            groups.setdefault(_curve_name(row), []).append(row)
    curves = []
    for name, own in groups.items():
        largest = max(row["parameters"] for row in own)
        kept = [row for row in own if row["parameters"] == largest]
        curves.append(time_curve(name, kept, key))
    caption = "Medians over the seeds; in parentheses the parameters at the end."
    return Plot(f"{MEASURES[key]} against time", "seconds of training", MEASURES[key], tuple(curves), caption)


def _table(levels: Levels, x: str, label: str) -> Table:
    lines = []
    for name, own in _curves(levels).items():
        errors = [(value, middle) for value, (_, middle, _) in _medians(own, x, "relative_l2")]
        found = {key: _exponent(own, x, key) for key in ("relative_l2", "relative_h1", "residual")}
        best = min(errors, key=lambda pair: pair[1], default=(None, None))
        plateau = found["relative_l2"].plateau if found["relative_l2"] is not None else None
        theory = f"−{own[0]['degree'] + 1}" if _refined(own) else None
        grid = (theory, _text(_by_intervals(own, "relative_l2")))
        lines.append((name, *grid, *(_text(f) for f in found.values()), plateau, *best))
    exponents = ("theory in intervals, L2", "intervals, L2", "L2", "H1", "residual")
    columns = ("network", *exponents, "plateau in L2", f"best {label}", "least L2")
    return Table(f"Exponents against {label}", columns, tuple(lines))


def _text(found: Exponent | None) -> str | None:
    return None if found is None else found.text
