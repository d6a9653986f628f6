"""The report of a comparison: equal parameters, equal time, equal accuracy, and what each network costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kanpde.studies.book import Row
from kanpde.studies.cases import Case
from kanpde.studies.page import Curve, Page, Plot, Section, Table
from kanpde.studies.reporting import banded, step_milliseconds, texts, time_curve
from kanpde.studies.statistics import at_time, first_below, quartiles
from kanpde.studies.study import NETWORK_NAMES, OPTIMIZER_NAMES, grouped, median, ranged, spread

TARGETS = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
TIMES = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0)  # seconds of training
MEASURES = {"relative_l2": "relative L2 error", "relative_h1": "relative H1 error"}
DRIVER = "kanpde's default"


def comparison_page(
    asked: Mapping[str, Any], cases: Sequence[Case], tuned: Sequence[Row], rows: Sequence[Row], about: Mapping[str, Any]
) -> Page:
    """The report.

    Args:
        asked: the settings in plain values.
        cases: the problems.
        tuned: rows of the tuning.
        rows: all other rows.
        about: where the study comes from.
    """
    summary = [
        f"{', '.join(NETWORK_NAMES[n] for n in asked['networks'])} and the conventional solver on the same problem, "
        f"points, conditions and optimisers: {asked['seeds']} seeds, {asked['seconds']:g} s of training a run. Both "
        "networks were tuned with as many candidates for as long. Seconds count training alone, on one thread.",
        *[line for case in cases for line in verdict(case, _of(rows, case))],
    ]
    sections = [part for case in cases for part in sections_of(case, _of(tuned, case), _of(rows, case), len(cases) > 1)]
    return Page(f"Comparison: {', '.join(c.name for c in cases)}", tuple(summary), tuple(sections), texts(about))


def _of(rows: Sequence[Row], case: Case) -> list[Row]:
    return [row for row in rows if row["case"] == case.name]


def trials(rows: Sequence[Row]) -> list[Row]:
    """Rows of networks with a result."""
    return [row for row in rows if row["kind"] == "trial" and row.get("relative_l2") is not None]


def conventional(rows: Sequence[Row]) -> list[Row]:
    """Rows of conventional solvers with a result."""
    return [row for row in rows if row["kind"] == "conventional" and row.get("relative_l2") is not None]


def method_of(row: Row) -> str:
    """What a row's curve is called: MLP, SSBroyden."""
    return f"{NETWORK_NAMES[row['family']]}, {OPTIMIZER_NAMES[row['optimizer']]}"


def verdict(case: Case, rows: Sequence[Row]) -> list[str]:
    """The best of each family in one sentence each: what was measured, no more."""
    lines = []
    for (family,), own in grouped(trials(rows), "family").items():
        groups = grouped(own, "optimizer", "note")
        best = min(groups.values(), key=lambda group: median(group, "relative_l2") or float("inf"))
        lines.append(
            f"{case.name}, {NETWORK_NAMES[family]}: the least median error is {median(best, 'relative_l2'):.1e}, with "
            f"{OPTIMIZER_NAMES[best[0]['optimizer']]} and {best[0]['parameters']} parameters."
        )
    known = conventional(rows)
    if known:
        best_row = min(known, key=lambda row: row["relative_l2"])
        lines.append(
            f"{case.name}, {conventional_name(best_row)}: {best_row['relative_l2']:.1e} in "
            f"{best_row['seconds_trained']:.2g} s."
        )
    return lines


def conventional_name(row: Row) -> str:
    """With its size."""
    return str(row.get("label") or (f"{row['method']}, n = {row['nodes']}" if row["nodes"] else row["method"]))


def sections_of(case: Case, tuned: Sequence[Row], rows: Sequence[Row], named: bool) -> list[Section]:
    """All parts for one problem."""
    prefix = f"{case.name}: " if named else ""
    floor = "" if not case.floor else f" The truth is {case.truth}, good to {case.floor:.1e}."
    return [
        Section(
            _heading(prefix, "equal parameters"),
            (f"Median errors at the end of each run, with quartiles over the seeds.{floor}",),
            (*(_by_parameters(rows, key) for key in MEASURES if _has(rows, key)), _parameter_table(rows)),
        ),
        Section(
            _heading(prefix, "equal training time"),
            ("The error while the clock runs, each method with the size whose median is best at the end.",),
            (*(_by_time(rows, key) for key in MEASURES if _has(rows, key)), _time_table(rows)),
        ),
        Section(
            _heading(prefix, "equal accuracy"),
            (
                "Seconds of training until the relative L2 error is below a target and stays there: the median over "
                "the seeds of the size that is fastest. No entry: not all of the seeds reach it.",
            ),
            (_accuracy_plot(rows), _accuracy_table(rows)),
        ),
        Section(_heading(prefix, "costs"), (), (_cost_table(rows), _conventional_table(rows))),
        Section(
            _heading(prefix, "tuning"),
            ("Candidates by the residual at unseen points; the best of each line was taken.",),
            (_tuning_table(tuned),),
        ),
    ]


def _heading(prefix: str, title: str) -> str:
    return prefix + title if prefix else title.capitalize()


def _has(rows: Sequence[Row], key: str) -> bool:
    return any(row.get(key) is not None for row in trials(rows))


def _by_parameters(rows: Sequence[Row], key: str) -> Plot:
    curves = [_size_curve(name, own, key) for name, own in _methods(rows).items()]
    extra = [*_conventional_curves(rows, key, "parameters"), *_driver_curve(rows, key, "parameters")]
    caption = "Markers: medians; bands: quartiles over the seeds. Conventional solvers count their unknowns."
    return Plot(f"{MEASURES[key]} against parameters", "parameters", MEASURES[key], (*curves, *extra), caption)


def _methods(rows: Sequence[Row]) -> dict[str, list[Row]]:
    return {method_of(own[0]): own for own in grouped(trials(rows), "family", "optimizer").values()}


def _size_curve(name: str, rows: Sequence[Row], key: str) -> Curve:
    found = []
    for own in grouped(rows, "note").values():
        low_middle_high, parameters = spread(own, key), median(own, "parameters")
        if low_middle_high is not None and parameters is not None:
            found.append((parameters, low_middle_high))
    found.sort()
    return banded(name, found, name.split(",")[0])


def _conventional_curves(rows: Sequence[Row], key: str, abscissa: str) -> list[Curve]:
    if key != "relative_l2":
        return []
    curves = []
    for (method,), own in grouped(conventional(rows), "method").items():
        xs, ys = zip(*[(row[abscissa], row[key]) for row in own], strict=True)
        style = "points" if abscissa == "seconds_trained" else "line"
        curves.append(Curve(own[0].get("label") or method, xs, ys, style=style, group="conventional"))
    return curves


def _driver_curve(rows: Sequence[Row], key: str, abscissa: str) -> list[Curve]:
    own = [row for row in rows if row["kind"] == "driver" and row.get(key) is not None]
    points = sorted((median(group, abscissa), spread(group, key)) for group in grouped(own, "rtol").values())
    return [banded(DRIVER, points, DRIVER)] if points else []  # type: ignore[arg-type]


def _parameter_table(rows: Sequence[Row]) -> Table:
    lines = []
    for own in grouped(trials(rows), "family", "optimizer", "note").values():
        first = own[0]
        lines.append(
            (
                NETWORK_NAMES[first["family"]],
                OPTIMIZER_NAMES[first["optimizer"]],
                _shape(first),
                first["parameters"],
                ranged(own, "relative_l2"),
                median(own, "relative_h1"),
                median(own, "maximum"),
                median(own, "residual"),
                int(median(own, "steps") or 0),
            )
        )
    columns = ("network", "optimiser", "edges and nodes", "parameters", "relative L2 (quartiles)")
    lines.sort(key=lambda line: (line[0], line[1], line[3]))
    return Table("Equal parameters", (*columns, "relative H1", "maximum error", "residual", "steps"), tuple(lines))


def _shape(row: Row) -> str:
    nodes = "-".join(map(str, row["hidden"])) or "none"
    degree = f" {row['degree']}" if row["basis"] == "bspline" and row["degree"] else ""
    return f"{row['basis']}{degree}{'' if row['family'] == 'mlp' else ' × ' + str(row['resolution'])}, {nodes}"


def best_size(rows: Sequence[Row], key: str = "relative_l2") -> list[Row]:
    """The rows of the size whose median is best at the end."""
    groups = list(grouped(rows, "note").values())
    return min(groups, key=lambda group: median(group, key) or float("inf"))


def _by_time(rows: Sequence[Row], key: str) -> Plot:
    curves = [time_curve(name, best_size(own), key) for name, own in _methods(rows).items()]
    extra = [*_conventional_curves(rows, key, "seconds_trained"), *_driver_curve(rows, key, "seconds_trained")]
    caption = (
        "Medians of what each seed had reached; the default and conventional solvers, all of whose time counts, are "
        "one point a run."
    )
    return Plot(f"{MEASURES[key]} against time", "seconds of training", MEASURES[key], (*curves, *extra), caption)


def _time_table(rows: Sequence[Row]) -> Table:
    longest = max((row["trace"]["seconds"][-1] for row in trials(rows)), default=0.0)
    times = [t for t in TIMES if t <= 1.01 * longest]
    lines = [
        (name, *(_at(own, t) for t in times)) for name, own in sorted((n, own) for n, own in _methods(rows).items())
    ]
    columns = ("method", *(f"{t:g} s" for t in times))
    caption = "The best median over the sizes at each time: a user would choose the size for the time at hand."
    return Table("Relative L2 error at equal training time", columns, tuple(lines), caption)


def _at(rows: Sequence[Row], seconds: float) -> float | None:
    found = []
    for own in grouped(rows, "note").values():
        values = quartiles(at_time(row["trace"], seconds) for row in own)
        if values is not None and values.count == len(own):
            found.append(values.median)
    return min(found, default=None)


def reached(rows: Sequence[Row], target: float) -> tuple[float, int] | None:
    """The least median seconds to a target over the sizes, with the parameters; None where some seed misses it."""
    found = []
    for own in grouped(rows, "note").values():
        times = quartiles(first_below(row["trace"], target) for row in own)
        if times is not None and times.count == len(own):
            found.append((times.median, int(own[0]["parameters"])))
    return min(found, default=None)


def _accuracy_plot(rows: Sequence[Row]) -> Plot:
    curves = []
    for name, own in _methods(rows).items():
        known = [(target, reached(own, target)) for target in TARGETS]
        points = [(target, found[0]) for target, found in known if found is not None]
        if points:
            xs, ys = zip(*points, strict=True)
            curves.append(Curve(name, xs, ys, group=name.split(",")[0]))
    return Plot("Seconds to an accuracy", "relative L2 error", "seconds of training", tuple(curves))


def _accuracy_table(rows: Sequence[Row]) -> Table:
    lines = []
    for name, own in sorted(_methods(rows).items()):
        found = [reached(own, target) for target in TARGETS]
        lines.append((name, *(None if f is None else f"{f[0]:.2g} s ({f[1]})" for f in found)))
    columns = ("method", *(f"{target:.0e}" for target in TARGETS))
    return Table("Seconds of training (parameters) to an accuracy", columns, tuple(lines))


def _cost_table(rows: Sequence[Row]) -> Table:
    lines = []
    for own in grouped(trials(rows), "family", "optimizer", "note").values():
        first = own[0]
        lines.append(
            (
                NETWORK_NAMES[first["family"]],
                OPTIMIZER_NAMES[first["optimizer"]],
                first["parameters"],
                step_milliseconds(own),
                median(own, "memory_mb"),
                *(_milliseconds(own, key) for key in ("latency_1", "latency_1k", "latency_1m")),
            )
        )
    lines.sort(key=lambda line: line[:3])
    columns = ("network", "optimiser", "parameters", "ms a step", "peak MB", "1 point, ms", "1,000, ms", "1e6, ms")
    caption = "Peak memory is what the process grew by while training; inference is the values with exact conditions."
    return Table("Costs of training and inference", columns, tuple(lines), caption)


def _milliseconds(rows: Sequence[Row], key: str) -> float | None:
    found = median(rows, key)
    return None if found is None else 1e3 * found


def _conventional_table(rows: Sequence[Row]) -> Table:
    lines = [
        (
            conventional_name(row),
            row["parameters"],
            row["relative_l2"],
            row.get("maximum"),
            row["seconds_trained"],
            None if row.get("latency_1k") is None else 1e3 * row["latency_1k"],
        )
        for row in conventional(rows)
    ]
    lines += [
        (
            f"{DRIVER}, asked for {rtol:.0e}",
            int(median(own, "parameters") or 0),
            median(own, "relative_l2"),
            median(own, "maximum"),
            median(own, "seconds_trained"),
            None,
        )
        for (rtol,), own in grouped([row for row in rows if row["kind"] == "driver"], "rtol").items()
    ]
    columns = ("solver", "unknowns or parameters", "relative L2", "maximum error", "seconds", "1,000 points, ms")
    return Table("Conventional solvers, and the default of solve", columns, tuple(lines))


def _tuning_table(tuned: Sequence[Row]) -> Table:
    lines = [
        (
            method_of(row),
            _shape(row),
            row["rate"] if row["optimizer"] == "adam" else None,
            row.get("residual"),
            row.get("relative_l2"),
        )
        for row in tuned
    ]
    return Table("Tuning", ("method", "candidate", "rate", "residual, unseen", "relative L2"), tuple(lines))
