"""What rows of the study add up to: shares with intervals, times, two methods side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from scipy import stats

from benchmarks.recovery.judge import RECOVERED
from benchmarks.recovery.running import Row
from kanpde.studies.statistics import quartiles

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Share:
    """How many of how many.

    Attributes:
        count, total: the numbers.
        low, high: Wilson's 95 % interval of the share; 0 and 1 of nothing.
    """

    count: int
    total: int
    low: float
    high: float

    @property
    def text(self) -> str:
        """As tables have it: 12 of 27, 44 % (28 to 63)."""
        percent = 100 * self.count / self.total if self.total else 0.0
        return f"{self.count} of {self.total}, {percent:.0f} % ({100 * self.low:.0f} to {100 * self.high:.0f})"


def share(count: int, total: int) -> Share:
    """A share with its interval."""
    if total == 0:
        return Share(0, 0, 0.0, 1.0)
    interval = stats.binomtest(count, total).proportion_ci(CONFIDENCE, method="wilson")
    return Share(count, total, float(interval.low), float(interval.high))


def label(row: Row) -> str:
    """What a row is counted under."""
    return str(row["method"]) + (f", seed {row['seed']}" if row["seed"] else "")


def latest(rows: Iterable[Row]) -> dict[str, dict[str, Row]]:
    """By label and problem, the row of the last round."""
    found: dict[str, dict[str, Row]] = {}
    for row in sorted(rows, key=lambda row: int(row["round"])):
        found.setdefault(label(row), {})[str(row["name"])] = row
    return found


def of_round(rows: Iterable[Row], number: int) -> list[Row]:
    """The rows of one round."""
    return [row for row in rows if int(row["round"]) == number]


def recovered(rows: Iterable[Row]) -> Share:
    """As the formula was found."""
    return outcome_share(rows, "outcome")


def recovered_rounded(rows: Iterable[Row]) -> Share:
    """After its constants were rounded, where the method leaves that to the reader."""
    return outcome_share(({"outcome": row["rounded"] or row["outcome"]} for row in rows), "outcome")


def outcome_share(rows: Iterable[Row], key: str) -> Share:
    """How many of the rows were recovered."""
    outcomes = [row[key] for row in rows]
    return share(outcomes.count(RECOVERED), len(outcomes))


def counted(rows: Iterable[Row]) -> Counter[str]:
    """How often each outcome occurs."""
    return Counter(str(row["outcome"]) for row in rows)


def spread(values: Iterable[float]) -> str:
    """Median and quartiles as tables have them: 3.1 (0.8 to 12)."""
    found = quartiles(values)
    return "–" if found is None else f"{found.median:.2g} ({found.low:.2g} to {found.high:.2g})"


def beside(ours: Mapping[str, Row], theirs: Mapping[str, Row]) -> tuple[int, int, int, int]:
    """Problems that both recovered, the first alone, the second alone, neither; of those that both were given.

    The second may round its constants.
    """
    names = [name for name in ours if name in theirs]
    pairs = Counter((is_recovered(ours[name]), is_recovered(theirs[name])) for name in names)
    return pairs[True, True], pairs[True, False], pairs[False, True], pairs[False, False]


def is_recovered(row: Row) -> bool:
    """Whether it was, rounded or not."""
    return RECOVERED in (row["outcome"], row["rounded"])


def below(rows: Sequence[Row]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Differences in order, and the share of problems that have none larger; those without a formula count."""
    known = sorted(max(float(row["difference"]), 1e-17) for row in rows if float(row["difference"]) < float("inf"))
    return tuple(known), tuple((place + 1) / len(rows) for place in range(len(known)))
