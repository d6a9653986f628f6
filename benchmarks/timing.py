"""Timing in turns, gates, and one JSON file a benchmark: what the small benchmarks share."""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks import common

Row = dict[str, Any]


@dataclass(frozen=True)
class Gate:
    """A figure that must keep a limit.

    Args:
        name: of the figure.
        value: measured.
        limit: what it must keep.
        at_least: whether the limit is the smallest value allowed, not the largest.
    """

    name: str
    value: float
    limit: float
    at_least: bool = False

    @property
    def passed(self) -> bool:
        """Whether the limit is kept."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def __str__(self) -> str:
        sign = "at least" if self.at_least else "at most"
        return f"{'passed' if self.passed else 'MISSED'}: {self.name} {self.value:.3g}, {sign} {self.limit:g}"


def in_turns(cases: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Median seconds of every case. They run one after the other in each round, so that other load meets all alike."""
    for case in cases.values():
        case()
        case()
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, case in cases.items():
            start = time.perf_counter()
            case()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def options(name: str, doc: str | None, rounds: int) -> argparse.ArgumentParser:
    """The arguments that they all have."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=(doc or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=rounds, help="measurements of each case")
    parser.add_argument("--results", type=Path, default=common.RESULTS, help="directory to write to")
    return parser


def report(path: Path, rows: Sequence[Row], gates: Sequence[Gate]) -> int:
    """Prints and writes all; the exit status is 1 where a gate is missed."""
    about = common.about()
    print(f"{about['machine']}, {about['threads']} thread(s), torch {about['torch']}, {about['date']}\n")
    print(_table(rows))
    print("\n" + "\n".join(str(gate) for gate in gates))
    path.parent.mkdir(parents=True, exist_ok=True)
    measured = [{**asdict(gate), "passed": gate.passed} for gate in gates]
    path.write_text(
        json.dumps({"about": about, "gates": measured, "rows": list(rows)}, indent=1) + "\n", encoding="utf-8"
    )
    return 0 if all(gate.passed for gate in gates) else 1


def _table(rows: Sequence[Row]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [names, *[[_text(row.get(name, "")) for name in names] for row in rows]]
    widths = [max(len(line[k]) for line in cells) for k in range(len(names))]
    return "\n".join("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) for line in cells)


def _text(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
