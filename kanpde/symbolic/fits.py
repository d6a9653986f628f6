"""Candidates fitted to the curve of an edge: y ≈ c · f(a x + b) + d.

For given a and b the best c and d are a straight-line fit (variable projection), so only a and b are searched: on a
grid first, all at once, then by Gauss-Newton from the best starts, robustly against ends that bend.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import sympy as sp
from scipy.optimize import least_squares

from kanpde.symbolic.library import LIBRARY, Candidate

Start = tuple[float, float, float]
Numbers = tuple[float, float, float, float]

SAMPLES = 101  # of a curve that are searched on
SCALES = 32  # a on the grid
SHIFTS = 41  # b
MOST_TURNS = 160  # eighths of a wave on the data
PLAINER = 4.0  # times the mean squared error on the grid that a candidate counts for each unit of its complexity
PROMISING = 10  # candidates that are fitted for a diagram
HOPELESS = 0.5  # of the spread that the best start of the grid may leave
STARTS = 3  # of the local search
FLAT = 1e-14  # a curve that varies less, relative to its size, is a constant
TRIVIAL = 1e-10  # a number below it, relative to those beside it, is rounding
BENT = 3.0  # times the median residual: what is farther off counts less than half
ROUNDS = 8  # of reweighting
EXACT = 1e-6  # error below which there is nothing to be robust against
MUCH_BETTER = 0.1  # by this factor the median residual must fall for the robust fit to count


@dataclass(frozen=True)
class Fit:
    """c · f(a x + b) + d.

    Attributes:
        candidate: f.
        a, b, c, d: the numbers.
        error: root mean square of the residual over that of y − mean y.
    """

    candidate: Candidate
    a: float
    b: float
    c: float
    d: float
    error: float

    @property
    def complexity(self) -> int:
        """Of the function, and of each number that is not trivial."""
        own = self.candidate
        return own.complexity + int(own.scale) + int(own.shift and self.b != 0) + int(self.d != 0)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Values."""
        return self.c * self.candidate(self.a * x + self.b) + self.d

    def expression(self, x: sp.Expr, digits: int | None = None) -> sp.Expr:
        """As SymPy has it, numbers rounded to so many digits."""
        a, b, c, d = (sp.Float(v, digits or 15) for v in (self.a, self.b, self.c, self.d))
        return c * self.candidate.make(a * x + b) + d


def fitted(candidate: Candidate, x: np.ndarray, y: np.ndarray, weights: np.ndarray | None = None) -> Fit | None:
    """The best fit of a candidate; None where it is defined nowhere near the data.

    Args:
        candidate: f.
        x: the curve's abscissae, (n,).
        y: its ordinates, (n,).
        weights: of the points, (n,), all alike by default.
    """
    w = _shares(x, weights)
    if _flat(y, w):
        return None
    return _best(candidate, _starts(candidate, x, y, w), x, y, w)


def _shares(x: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    w = np.ones_like(x) if weights is None else np.asarray(weights, dtype=float)
    return w / w.sum()


def _spread(y: np.ndarray, w: np.ndarray) -> float:
    return float(np.sqrt(w @ np.square(y - w @ y)))


def _flat(y: np.ndarray, w: np.ndarray) -> bool:
    return _spread(y, w) <= FLAT * float(np.abs(y).max())


def _best(candidate: Candidate, starts: Sequence[Start], x: np.ndarray, y: np.ndarray, w: np.ndarray) -> Fit | None:
    """The best local search from some starts, and again robustly where that is far better in the middle."""
    spread = _spread(y, w)
    found = [near for start in starts if (near := _local(candidate, start[1:], x, y, w, spread)) is not None]
    sizes = [float(np.sqrt(w @ np.square(_gap(candidate, numbers, x, y)))) / spread for numbers in found]
    if not found:
        return None
    error, best = min(zip(sizes, found, strict=True))
    if error > EXACT:
        robust = _reweighted(candidate, best, x, y, w, spread)
        middle, before = (np.median(np.abs(_gap(candidate, numbers, x, y))) for numbers in (robust, best))
        best = robust if middle < MUCH_BETTER * before else best
    return _named(candidate, best, x, y, w, spread)


def _named(candidate: Candidate, numbers: Numbers, x: np.ndarray, y: np.ndarray, w: np.ndarray, spread: float) -> Fit:
    """The fit with its error, without what is rounding."""
    error = float(np.sqrt(w @ np.square(_gap(candidate, numbers, x, y)))) / spread
    a, b, c, d = numbers
    reach, size = abs(a) * float(np.abs(x).max()), float(np.abs(y).max())
    return Fit(candidate, a, _nought(b, reach), c, _nought(d, size), error)


def _thinned(*arrays: np.ndarray) -> list[np.ndarray]:
    step = max(1, len(arrays[0]) // SAMPLES)
    return [a[::step] for a in arrays]


def _starts(candidate: Candidate, x: np.ndarray, y: np.ndarray, w: np.ndarray) -> list[Start]:
    """The best of a grid: mean squared error, a, b."""
    x, y, w = _thinned(x, y, w)
    a, b = _grid(candidate, x)
    errors = _projected(candidate, a, b, x, y, w / w.sum())
    spread = float(w @ np.square(y - w @ y / w.sum())) / w.sum()
    order = np.argsort(errors)[: int((errors < HOPELESS**2 * spread).sum())]
    chosen: list[Start] = []
    for k in order:
        if all(abs(a[k] - p) > 0.05 * abs(p) or abs(b[k] - q) > 0.2 for _, p, q in chosen):
            chosen.append((float(errors[k]), float(a[k]), float(b[k])))
        if len(chosen) == STARTS:
            break
    return chosen


def _grid(candidate: Candidate, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (a, b): scales by the width of the data, shifts so that every part of f is seen."""
    width, middle = float(np.ptp(x)) or 1.0, float(x.min() + x.max()) / 2
    if not candidate.scale:
        scales = np.array([1.0, -1.0] if candidate.turns else [1.0])
    elif candidate.waves:
        scales = np.arange(1, MOST_TURNS) * (np.pi / 4) / width
    else:
        scales = np.concatenate([s * np.geomspace(0.1, 30, SCALES) / width for s in (1, -1)])
    if not candidate.shift:
        return scales, np.zeros_like(scales)
    reach = np.linspace(-np.pi, np.pi, SHIFTS) if candidate.waves else None
    pairs = [
        (a, offset - a * middle)
        for a in scales
        for offset in (reach if reach is not None else np.linspace(-1.5, 1.5, SHIFTS) * max(abs(a) * width, 1.0))
    ]
    a, b = np.array(pairs).T
    return a, b


def _projected(
    candidate: Candidate, a: np.ndarray, b: np.ndarray, x: np.ndarray, y: np.ndarray, w: np.ndarray
) -> np.ndarray:
    """Mean squared residual of the best line through (f, y) for each pair, (k,)."""
    values = candidate(a[:, None] * x + b[:, None])
    mean = values @ w
    centred = values - mean[:, None]
    target = y - w @ y
    with np.errstate(all="ignore"):
        c = (centred * target) @ w / ((centred**2) @ w)
        errors = ((target - c[:, None] * centred) ** 2) @ w
    return np.where(np.isfinite(errors), errors, np.inf)


def _line(values: np.ndarray, y: np.ndarray, w: np.ndarray) -> tuple[float, float]:
    mean, target = float(w @ values), float(w @ y)
    centred = values - mean
    with np.errstate(over="ignore", invalid="ignore"):
        size = float(w @ centred**2)
        c = float(w @ (centred * (y - target))) / size if 0 < size < np.inf else 0.0
    return c, target - c * mean


def _gap(candidate: Candidate, numbers: Numbers, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    a, b, c, d = numbers
    return c * candidate(a * x + b) + d - y


def _nought(value: float, size: float) -> float:
    return 0.0 if abs(value) < TRIVIAL * size else value


def _reweighted(
    candidate: Candidate, begun: Numbers, x: np.ndarray, y: np.ndarray, w: np.ndarray, spread: float
) -> Numbers:
    """Iteratively reweighted least squares with Cauchy's weights 1/(1 + (r/s)²), s from the median residual."""
    found = begun
    for _ in range(ROUNDS):
        gap = _gap(candidate, found, x, y)
        scale = BENT * float(np.median(np.abs(gap)))
        own = w / (1 + np.square(gap / scale)) if scale > 0 else w
        following = _local(candidate, found[:2], x, y, own / own.sum(), spread)
        if following is None:
            break
        found = following
    return found


def _local(
    candidate: Candidate, start: tuple[float, float], x: np.ndarray, y: np.ndarray, w: np.ndarray, spread: float
) -> Numbers | None:
    """Gauss-Newton on (a, b) with c and d projected out."""
    free = [k for k, moves in enumerate((candidate.scale, candidate.shift)) if moves]
    root = np.sqrt(w)

    def numbers(theta: np.ndarray) -> tuple[float, float]:
        values = list(start)
        for position, value in zip(free, theta, strict=True):
            values[position] = float(value)
        return values[0], values[1]

    def residual(theta: np.ndarray) -> np.ndarray:
        a, b = numbers(theta)
        values = candidate(a * x + b)
        if not np.isfinite(values).all():
            return np.full_like(y, 1e6)
        c, d = _line(values, y, w)
        return root * (c * values + d - y) / spread

    theta = np.array([start[k] for k in free])
    a, b = numbers(_searched(residual, theta) if free else theta)
    values = candidate(a * x + b)
    return (a, b, *_line(values, y, w)) if np.isfinite(values).all() else None


def _searched(residual: Callable[[np.ndarray], np.ndarray], theta: np.ndarray) -> np.ndarray:
    options = {"xtol": 1e-15, "ftol": 1e-15, "gtol": 1e-15, "max_nfev": 60, "x_scale": np.maximum(np.abs(theta), 1e-3)}
    try:
        return np.asarray(least_squares(residual, theta, **options).x)
    except (ValueError, np.linalg.LinAlgError):
        return theta


def ranked(
    x: np.ndarray,
    y: np.ndarray,
    candidates: Sequence[Candidate] = LIBRARY,
    weights: np.ndarray | None = None,
    most: int | None = None,
) -> list[Fit]:
    """Fits of candidates, best first.

    Args:
        x: the curve's abscissae, (n,).
        y: its ordinates, (n,).
        candidates: functions to try.
        weights: of the points, (n,), all alike by default.
        most: only so many, the best on the grid of starts, are fitted; all by default.
    """
    w = _shares(x, weights)
    if _flat(y, w):
        return []
    begun = [(starts, c) for c in candidates if (starts := _starts(c, x, y, w))]
    begun.sort(key=lambda pair: pair[0][0][0] * PLAINER ** pair[1].complexity)
    found = [fit for starts, c in begun[:most] if (fit := _best(c, starts, x, y, w)) is not None]
    return sorted(found, key=lambda fit: fit.error)


def pareto(fits: Sequence[Fit]) -> list[Fit]:
    """Those that no simpler one beats, simplest first."""
    front: list[Fit] = []
    for fit in sorted(fits, key=lambda f: (f.complexity, f.error)):
        if not front or fit.error < front[-1].error:
            front.append(fit)
    return front


def candidates_for(x: np.ndarray, y: np.ndarray, count: int = 3) -> list[tuple[str, float]]:
    """The best formulas for a curve as texts, each with the relative error of its fit: for diagrams.

    Args:
        x: the curve's abscissae, (n,).
        y: its ordinates, (n,).
        count: how many.
    """
    symbol = sp.Symbol("x", real=True)
    return [(str(fit.expression(symbol, 4)), fit.error) for fit in ranked(x, y, most=PROMISING)[:count]]
