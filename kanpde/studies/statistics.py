"""Statistics of runs: quartiles over seeds, exponents of power laws with confidence intervals, thresholds, plateaus."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
RISE = 2.0  # an error that grows by more beyond its minimum has passed the interpolation threshold
FLAT = 0.15  # a decay of the error by less than this power of ten from the last level on is a plateau


@dataclass(frozen=True)
class Quartiles:
    """Median and quartiles of the finite values.

    Attributes:
        low, median, high: 25, 50 and 75 %.
        count: values.
    """

    low: float
    median: float
    high: float
    count: int


def quartiles(values: Iterable[float | None]) -> Quartiles | None:
    """None where there is no finite value."""
    known = [v for v in values if v is not None and math.isfinite(v)]
    if not known:
        return None
    low, median, high = np.quantile(known, [0.25, 0.5, 0.75]).tolist()
    return Quartiles(low, median, high, len(known))


@dataclass(frozen=True)
class Exponent:
    """error ~ size^value, with the confidence interval of the mean over seeds.

    Attributes:
        value: mean of the seeds' own slopes in the logarithms.
        low, high: 95 % interval of Student's t over the seeds; over the points of the line for a single seed.
        seeds: how many.
        points: of each line that were fitted, the plateau left out.
        plateau: median error at which the decay ends, None where it does not.
    """

    value: float
    low: float
    high: float
    seeds: int
    points: int
    plateau: float | None

    @property
    def text(self) -> str:
        """As tables have it: -3.9 (-4.3 to -3.5)."""
        return f"{self.value:.2f} ({self.low:.2f} to {self.high:.2f})"


def exponent(lines: Sequence[Sequence[tuple[float, float]]]) -> Exponent | None:
    """The exponent of a power law from one line (sizes and errors) a seed.

    Where the median line ends in a plateau, only what is before it is fitted.

    Args:
        lines: pairs (size, error) of each seed, any order; not finite or not positive ones do not count.

    Returns:
        None where no seed has two sizes.
    """
    known = [sorted(p for p in line if _positive(*p)) for line in lines]
    known = [line for line in known if len({x for x, _ in line}) > 1]
    if not known:
        return None
    middle = _median_line(known)
    last = plateau_from(middle)
    largest = middle[last][0] if last is not None else math.inf
    fitted = [[p for p in line if p[0] <= largest] for line in known]
    fitted = [line for line in fitted if len(line) > 1] or known
    slopes = [_slope(line) for line in fitted]
    value, half = _mean(slopes) if len(slopes) > 1 else _single(fitted[0])
    level = None if last is None else float(np.median([e for _, e in middle[last:]]))
    return Exponent(value, value - half, value + half, len(slopes), max(map(len, fitted)), level)


def _positive(*values: float | None) -> bool:
    return all(v is not None and math.isfinite(v) and v > 0 for v in values)


def _slope(line: Sequence[tuple[float, float]]) -> float:
    x, y = np.log10(np.array(line, dtype=float)).T
    return float(np.polyfit(x, y, 1)[0])


def _mean(slopes: Sequence[float]) -> tuple[float, float]:
    """Mean and half-width of its interval."""
    deviation = float(np.std(slopes, ddof=1)) / math.sqrt(len(slopes))
    return float(np.mean(slopes)), float(stats.t.ppf(0.5 + CONFIDENCE / 2, len(slopes) - 1)) * deviation


def _single(line: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The same for one line, from how its points scatter; two points have no interval."""
    if len(line) < 3:
        return _slope(line), 0.0
    x, y = np.log10(np.array(line, dtype=float)).T
    fit = stats.linregress(x, y)
    return float(fit.slope), float(stats.t.ppf(0.5 + CONFIDENCE / 2, len(line) - 2) * fit.stderr)


def _median_line(lines: Sequence[Sequence[tuple[float, float]]]) -> list[tuple[float, float]]:
    grouped: dict[float, list[float]] = {}
    for line in lines:
        for x, y in line:
            grouped.setdefault(x, []).append(y)
    return [(x, float(np.median(ys))) for x, ys in sorted(grouped.items())]


def plateau_from(line: Sequence[tuple[float, float]]) -> int | None:
    """Where the error stops falling: the first of at least two last points within a small factor of the best."""
    if len(line) < 3:
        return None
    floor = min(y for _, y in line)
    first = next(k for k, (_, y) in enumerate(line) if math.log10(y / floor) < FLAT)
    return first if first < len(line) - 1 and first > 0 else None


@dataclass(frozen=True)
class Threshold:
    """Where more parameters on the same points begin to hurt.

    Attributes:
        parameters: with the least error.
        error: there.
        rows: equations at collocation points.
        rise: largest error beyond, over the least.
    """

    parameters: float
    error: float
    rows: float
    rise: float

    @property
    def density(self) -> float:
        """Points a parameter at the threshold."""
        return self.rows / self.parameters


def threshold(line: Sequence[tuple[float, float]], rows: float) -> Threshold | None:
    """The interpolation threshold of (parameters, error) at a fixed number of points; None where the error never rises.

    Args:
        line: medians over the seeds.
        rows: number of points.
    """
    known = sorted(p for p in line if _positive(*p))
    if len(known) < 2:
        return None
    best = min(range(len(known)), key=lambda k: known[k][1])
    beyond = max(y for _, y in known[best:])
    rise = beyond / known[best][1]
    return Threshold(known[best][0], known[best][1], rows, rise) if rise > RISE else None


def first_below(trace: Mapping[str, Sequence[float]], target: float, key: str = "relative_l2") -> float | None:
    """Seconds of training after which an error was below a target, and stayed there to the end; None if it never is."""
    reached = None
    for seconds, error in zip(trace["seconds"], trace[key], strict=True):
        if error is None or not math.isfinite(error) or error > target:
            reached = None
        elif reached is None:
            reached = seconds
    return reached


def at_time(trace: Mapping[str, Sequence[float]], seconds: float, key: str = "relative_l2") -> float | None:
    """The error that a run had at a time of training: the last one measured by then."""
    known = [e for s, e in zip(trace["seconds"], trace[key], strict=True) if s <= seconds * 1.001]
    return known[-1] if known else None
