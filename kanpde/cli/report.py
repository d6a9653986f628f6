"""What the command line says in the end: a table for people, one line of JSON for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from kanpde.record import Record

INTERRUPTED, UNCONVERGED, BAD_INPUT, FAULT = 130, 3, 2, 1


def exit_status(record: Record) -> int:
    """0 converged, 3 finished without reaching the tolerance, 130 interrupted."""
    if record.status == "interrupted":
        return INTERRUPTED
    return 0 if record.converged else UNCONVERGED


def print_json(values: Mapping[str, Any]) -> None:
    """One JSON object on one line; what is not finite is null, for JSON knows no NaN."""
    print(json.dumps(_finite(values), allow_nan=False), flush=True)


def summary(record: Record) -> dict[str, Any]:
    """The numbers of a record, with the distance to a reference where there was one."""
    beside = record.conventional or {}
    extra = {"reference_l2": beside["reference_l2"]} if "reference_l2" in beside else {}
    return {**record.summary, **extra}


def print_result(console: Console, record: Record) -> None:
    """The closing table, and in words why the run stopped."""
    table = Table(title=Text(f"{record.problem_name}: {record.status}"), title_justify="left")
    for column in ("", "relative L2 error", "estimate", "seconds", "parameters"):
        table.add_column(column, justify="left" if not column else "right")
    title = str(record.network.get("title", "network"))
    own = (number(record.relative_l2), number(record.error_estimate), seconds(record.seconds), str(record.n_parameters))
    table.add_row(Text(title), *own)
    if record.conventional is not None:
        table.add_row(*_conventional_row(record.conventional))
    console.print(table)
    for name, value in record.identified.items():
        console.print(f"{name} = {value:.12g}", markup=False)


def print_pairs(console: Console, title: str, pairs: Iterable[tuple[str, Any]]) -> None:
    """Names and values in two columns."""
    table = Table(title=Text(title), title_justify="left", show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, value in pairs:
        table.add_row(Text(name), Text(str(value)))
    console.print(table)


def print_line(console: Console, text: str) -> None:
    """A line as it stands: neither wrapped nor taken for markup."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def number(value: float | None) -> str:
    """An error as one reads it."""
    return "unknown" if value is None else f"{value:.1e}"


def seconds(value: float) -> str:
    """A time with two digits that mean something."""
    return f"{value:.2g}" if value < 10 else f"{value:.0f}"


def _conventional_row(beside: Mapping[str, Any]) -> tuple[str | Text, ...]:
    """The conventional solver's row; `error` is against the exact solution where that is known."""
    name, unknowns = Text(str(beside["name"])), beside.get("unknowns")
    if beside.get("seconds") is None:
        return (name, "", "", "", "")
    numbers = (number(beside.get("error")), number(beside.get("estimate")), seconds(beside["seconds"]))
    return (name, *numbers, "" if unknowns is None else str(unknowns))


def _finite(value: Any) -> Any:
    """Plain values with None in the place of what is not finite."""
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
