"""The report of an ablation: one line a variant beside the base, and the signatures of failure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kanpde.studies.book import Row
from kanpde.studies.cases import Case
from kanpde.studies.continual import continual_section
from kanpde.studies.page import Curve, Page, Plot, Section, Table
from kanpde.studies.reporting import banded, step_milliseconds, texts
from kanpde.studies.study import grouped, median, ranged, spread

FACTOR_TITLES = {
    "basis": "basis",
    "degree": "degree of the splines",
    "silu": "base function",
    "activation": "fixed activations",
    "extension": "grid extension",
    "squash": "bounds of hidden coordinates",
    "conditions": "conditions",
    "products": "multiplication nodes",
}


def ablation_page(
    cases: Sequence[Case], seeds: int, seconds: float, rows: Sequence[Row], about: Mapping[str, Any]
) -> Page:
    """The report.

    Args:
        cases: the problems.
        seeds: of each variant.
        seconds: of training of a run.
        rows: of all runs.
        about: where the study comes from.
    """
    summary = [
        "The base is a spline KAN [d, 5, c] of degree 5 whose grid is extended, 4, 8, 16 intervals; each variant "
        f"changes one thing. {seeds} seeds, {seconds:g} s of training a run, the same points, medians with quartiles."
    ]
    sections = [_case_section(case, [row for row in rows if row["case"] == case.name]) for case in cases]
    for case in cases:
        summary += verdict(case, [row for row in rows if row["case"] == case.name])
    sections += _signatures(rows)
    learnt = [row for row in rows if row["kind"] == "continual"]
    if learnt:
        sections.append(continual_section(learnt))
    title = f"Ablation: {', '.join(case.name for case in cases)}"
    return Page(title, tuple(summary), tuple(sections), texts(about))


def _groups(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows by variant, the base first; those without a result, too."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["study"], row["note"]), []).append(row)
    return list(groups.values())


def verdict(case: Case, rows: Sequence[Row]) -> list[str]:
    """How much better or worse the best and the worst variants are."""
    base = [row for row in rows if row["study"] == "base"]
    reference = median(base, "relative_l2")
    if reference is None:
        return []
    others = [(median(g, "relative_l2"), g[0]["note"]) for g in _groups(rows) if g[0]["study"] != "base"]
    known = sorted((error, note) for error, note in others if error is not None)
    told = f"{case.name}: the base reaches {reference:.1e}"
    if known:
        told += f"; best variant: {known[0][1]}, {known[0][0]:.1e}; worst: {known[-1][1]}, {known[-1][0]:.1e}"
    return [f"{told}."]


def _case_section(case: Case, rows: Sequence[Row]) -> Section:
    base = median([row for row in rows if row["study"] == "base"], "relative_l2")
    lines = []
    for own in _groups(rows):
        error = median(own, "relative_l2")
        lines.append(
            (
                own[0]["note"],
                FACTOR_TITLES.get(own[0]["study"], "–"),
                own[0].get("parameters"),
                ranged(own, "relative_l2"),
                median(own, "relative_h1"),
                None if error is None or not base else error / base,
                median(own, "seconds_trained"),
                step_milliseconds(own),
                "" if error is not None else own[0]["status"],
            )
        )
    columns = ("variant", "factor", "parameters", "relative L2 (quartiles)", "relative H1", "over the base")
    table = Table(f"Variants on {case.name}", (*columns, "seconds", "ms a step", "refused"), tuple(lines))
    return Section(case.name, (), (*_bars(case, rows), *_degree_plot(case, rows), table))


def _bars(case: Case, rows: Sequence[Row]) -> list[Plot]:
    """Error against seconds of training for each basis."""
    curves = []
    for own in _groups([row for row in rows if row["study"] in ("base", "basis", "activation")]):
        stages = [(k, row) for row in own for k, row in enumerate(row.get("stages") or ())]
        points = []
        for k in sorted({k for k, _ in stages}):
            level = [row for j, row in stages if j == k]
            three, size = spread(level, "relative_l2"), median(level, "parameters")
            if three is not None and size is not None:
                points.append((size, three))
        if points:
            curves.append(banded(own[0]["note"], points, own[0]["note"]))
    if not curves:
        return []
    caption = "A point is the end of a stage of grid extension."
    return [Plot(f"Bases on {case.name}", "parameters", "relative L2 error", tuple(curves), caption)]


def _degree_plot(case: Case, rows: Sequence[Row]) -> list[Plot]:
    own = grouped([row for row in rows if row["study"] in ("base", "degree")], "degree")
    points = [(float(degree), spread(group, "relative_l2")) for (degree,), group in own.items()]
    known = sorted((x, three) for x, three in points if three is not None)
    if len(known) < 2:
        return []
    curve = banded("B-splines", known, "KAN")
    return [Plot(f"Degree of the splines on {case.name}", "degree", "relative L2 error", (curve,), "", "y")]


def _signatures(rows: Sequence[Row]) -> list[Section]:
    sections = []
    linear = [row for row in rows if row["study"] == "linear"]
    if linear:
        sections.append(_linear(linear))
    noisy = [row for row in rows if row["study"] == "overfitting"]
    if noisy:
        sections.append(_overfitting(noisy))
    cost = [row for row in rows if row["study"] == "cost"]
    if cost:
        sections.append(_cost(cost))
    return sections


def _linear(rows: Sequence[Row]) -> Section:
    lines = tuple(
        (own[0]["note"], own[0].get("parameters"), ranged(own, "relative_l2"), median(own, "seconds_trained"))
        for own in _groups(rows)
    )
    table = Table("2x − y/2 + 1/3", ("network", "parameters", "relative L2 (quartiles)", "seconds"), lines)
    return Section("Plainly linear targets", ("A plane, for which a linear map has three parameters.",), (table,))


def _overfitting(rows: Sequence[Row]) -> Section:
    curves = []
    for (intervals,), own in grouped(rows, "resolution").items():
        points = [(float(degree), spread(group, "relative_l2")) for (degree,), group in grouped(own, "degree").items()]
        known = sorted((x, three) for x, three in points if three is not None)
        curves.append(banded(f"{intervals} intervals", known, str(intervals)))
    level = Curve("noise", (1.0, 9.0), (0.1414, 0.1414), style="theory")
    text = (
        "sin 2πx from 60 values with normal errors of 0.1: the error of the fit against the true function. The dashed "
        "line is the noise, relative to the function. Finer grids and higher degrees follow the noise.",
    )
    plot = Plot("Overfitting by degree", "degree", "relative L2 error", (*curves, level), "", "y")
    return Section("Degree too high for the data", text, (plot,))


def _cost(rows: Sequence[Row]) -> Section:
    curves = []
    for (degree,), own in grouped(rows, "degree").items():
        points = []
        for (intervals,), group in grouped(own, "resolution").items():
            times = [1e3 * row["seconds_trained"] / row["steps"] for row in group if row.get("steps")]
            if times:
                middle = sorted(times)[len(times) // 2]
                points.append((float(intervals), (min(times), middle, max(times))))
        curves.append(banded(f"degree {degree}", sorted(points), str(degree)))
    text = (
        "Milliseconds of one step of Adam on 4,000 points, [2, 5, 1]: only k + 1 functions are not zero at a point.",
    )
    plot = Plot("Cost of a step against intervals", "intervals", "ms a step", tuple(curves), "", "xy")
    return Section("Cost against spline complexity", text, (plot,))
