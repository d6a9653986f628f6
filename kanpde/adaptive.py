"""Points that follow the residual, with the weights that this takes; and whether the points were enough.

RAD draws all points anew and RAR-D adds to those there are, both by a density that follows |F| (Wu et al.,
arXiv 2207.10289). R3 keeps the points where |F| is above its mean and spreads the others evenly again (Daw et al.,
arXiv 2207.02338). Those papers minimise the plain mean over the points. Here Σ w f goes on approximating the integral
of f, so moving points changes where it is accurate, never what is minimised.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from kanpde import sampling
from kanpde.collocation import PointSet, Seed, collocate, stream, united
from kanpde.domain import Region
from kanpde.errors import ProblemError

ADAPTIVE_RULES = ("rad", "rar-d", "r3")
START = 0.5  # of the points that RAR-D spreads evenly where it begins from nothing
EARLIER, CANDIDATES, CHOICE = 2, 3, 4  # streams of random numbers; 1 is that of validation points

Magnitude = Callable[[PointSet], np.ndarray]
Moved = Callable[[PointSet], PointSet]
Draw = Callable[[int, int], PointSet]


@dataclass(frozen=True)
class Density:
    """The density |F|^k / mean |F|^k + c, relative to evenly spread points (Wu et al. 2207.10289, eq. 2).

    Args:
        exponent: k; 0 spreads evenly, the larger the steeper.
        floor: c > 0, so that every place may get points; the larger the more even.
        candidates: evenly spread points for each one that is drawn from them. No place gets more than so many times
            the points that it would get by an even spread.

    Raises:
        ProblemError: numbers for which there is no such density.
    """

    exponent: float = 1.0
    floor: float = 1.0
    candidates: int = 8

    def __post_init__(self) -> None:
        """Checks the numbers."""
        if not (self.exponent >= 0.0 and self.floor > 0.0 and self.candidates >= 2):
            raise ProblemError(
                f"{self} is no density; use exponent >= 0, floor > 0 (no weight makes up for places without points) "
                "and candidates >= 2"
            )


@dataclass(frozen=True)
class Chances:
    """The probability min(1, κ (|F|^k / mean |F|^k + c)) with which each candidate is drawn.

    Attributes:
        density: k and c.
        peak: the largest |F|, by which all are divided first, so that powers do not overflow.
        mean: of (|F|/peak)^k over the candidates.
        factor: κ, by which the probabilities sum to the number of points.
    """

    density: Density
    peak: float
    mean: float
    factor: float

    @classmethod
    def of(cls, density: Density, sizes: np.ndarray, count: int) -> Chances:
        """The probabilities by which `count` of the candidates with |F| = sizes (m,) are drawn."""
        peak = float(sizes.max()) or 1.0
        mean = float(np.mean((sizes / peak) ** density.exponent)) or 1.0
        scores = cls(density, peak, mean, 1.0).scores(sizes)
        return cls(density, peak, mean, _factor(scores, count))

    def scores(self, sizes: np.ndarray) -> np.ndarray:
        """|F|^k / mean |F|^k + c for any |F|, (n,)."""
        return (sizes / self.peak) ** self.density.exponent / self.mean + self.density.floor

    def __call__(self, sizes: np.ndarray) -> np.ndarray:
        """The probabilities for any |F|, (n,)."""
        return np.minimum(1.0, self.factor * self.scores(sizes))


def _factor(scores: np.ndarray, count: int) -> float:
    """κ with Σ min(1, κ s) = count. The i largest are certain; the first i that leaves no other above 1 is right."""
    if count >= len(scores):
        return np.inf
    falling = np.sort(scores)[::-1]
    rest = np.cumsum(falling[::-1])[::-1]
    factors = (count - np.arange(count)) / rest[:count]
    return float(factors[np.argmax(factors * falling[:count] <= 1.0)])


def adapted(
    region: Region,
    count: int,
    magnitude: Magnitude,
    rule: str = "rad",
    earlier: PointSet | None = None,
    seed: Seed = 0,
    density: Density | None = None,
    moved: Moved | None = None,
) -> PointSet:
    """`count` points of a region that follow the residual; Σ w f approximates the integral of f, Σ w is the measure.

    "rad": candidates are drawn by systematic sampling along a curve through space, each with its probability π, and
    have the weight v/π, v being that of the candidate (Horvitz and Thompson 1952).

    "rar-d" and "r3" unite two sets, each of which estimates integrals by itself: `earlier` with weights u, and new
    points with weights v. With u φ(x) and v (1 − φ(x)) the union does so too, whatever the function φ is (multiple
    importance sampling, Veach and Guibas 1995). For RAR-D φ = n/(n + m π(x)), n the number of earlier points and m that
    of the candidates: the balance heuristic where the earlier points were spread evenly, and unbiased where they were
    not. For R3, φ is 0 where |F| is at most its mean over the earlier points, for nothing is kept there, and elsewhere
    a constant: the number of points kept there, divided by that of all points to be expected there.

    For a given F these estimates are unbiased (R3: but for its mean, which the points decide, a relative bias of the
    order 1/n). At last the weights are scaled to sum to the measure. That makes constants exact, and adds a relative
    bias of the order 1/n, less than the sampling error, of the order n^-1/2. An F trained at the earlier points is
    smaller there than elsewhere: no formula knows that, and `generalisation` measures it.

    Args:
        region: where; points have no choice where it consists of points.
        count: of the result.
        magnitude: |F| (n,) at points; they come with normals, where the region has them, and meaningless weights.
        rule: "rad", "rar-d" or "r3".
        earlier: points whose weights approximate integrals: "rad" replaces all of them, "rar-d" keeps all, "r3" those
            with |F| above the mean. Sobol points of the region if None, half of `count` for "rar-d", else `count`.
        seed: of all random choices.
        density: of "rad" and of what "rar-d" adds; k = c = 1 if None.
        moved: what else is done to evenly spread points, such as drawing them together at a front; all densities are
            then relative to those.

    Raises:
        ProblemError: an unknown rule, no room for new points, or an |F| that is not one.
    """
    if rule not in ADAPTIVE_RULES:
        raise ProblemError(f"no adaptive rule is called {rule!r}; use one of {', '.join(ADAPTIVE_RULES)}")
    draw = partial(_even, region, moved, seed)
    if all(piece.dimension == 0 for piece in region.pieces()):
        return draw(count, EARLIER)
    density = density or Density()
    if rule == "rad":
        points = _drawn(draw, count, magnitude, density, seed)[0]
    else:
        first = max(1, round(START * count)) if rule == "rar-d" else count
        old = draw(first, EARLIER) if earlier is None else earlier
        points = (
            _added(draw, count, magnitude, density, seed, old) if rule == "rar-d" else _r3(draw, count, magnitude, old)
        )
    return points.summing_to(region.measure)


def _even(region: Region, moved: Moved | None, seed: Seed, count: int, number: int) -> PointSet:
    points = collocate(region, count, "sobol", stream(seed, number))
    return points if moved is None else moved(points)


def _drawn(draw: Draw, count: int, magnitude: Magnitude, density: Density, seed: Seed) -> tuple[PointSet, Chances, int]:
    """Points drawn from candidates, the probabilities, and the number of candidates."""
    candidates = draw(density.candidates * count, CANDIDATES)
    candidates = candidates.taken(sampling.curve_order(candidates.x))
    sizes = sizes_at(candidates, magnitude)
    chances = Chances.of(density, sizes, count)
    probabilities = chances(sizes)
    chosen = sampling.systematic(probabilities, np.random.default_rng(stream(seed, CHOICE)))
    return candidates.taken(chosen, 1.0 / probabilities[chosen]), chances, len(candidates)


def _added(draw: Draw, count: int, magnitude: Magnitude, density: Density, seed: Seed, old: PointSet) -> PointSet:
    """RAR-D."""
    if count <= len(old):
        raise ProblemError(
            f"rar-d keeps its {len(old)} points and has none to add up to {count}; ask for more points, or use rad"
        )
    new, chances, m = _drawn(draw, count - len(old), magnitude, density, seed)
    kept, added = (len(old) / (len(old) + m * chances(sizes_at(p, magnitude))) for p in (old, new))
    return united([old.taken(np.arange(len(old)), kept), new.taken(np.arange(len(new)), 1.0 - added)])


def _r3(draw: Draw, count: int, magnitude: Magnitude, old: PointSet) -> PointSet:
    """R3."""
    sizes = sizes_at(old, magnitude)
    threshold = float(np.mean(sizes))
    large = sizes > threshold
    kept = int(large.sum())
    if count <= kept:
        raise ProblemError(f"r3 keeps {kept} points and has none to spread up to {count}; ask for more points")
    new = draw(count - kept, CANDIDATES)
    expected = len(new) * float(old.weights[large].sum() / old.weights.sum())
    share = kept / (kept + expected) if kept else 0.0
    factors = np.where(sizes_at(new, magnitude) > threshold, 1.0 - share, 1.0)
    return united([old.taken(large, share), new.taken(np.arange(len(new)), factors)])


def sizes_at(points: PointSet, magnitude: Magnitude) -> np.ndarray:
    """|F| (n,) at points.

    Raises:
        ProblemError: the function returned something else than one finite number, zero or above, for each point.
    """
    sizes = np.asarray(magnitude(points), dtype=float)
    if sizes.shape != (len(points),):
        raise ProblemError(
            f"magnitude returned an array {sizes.shape} for {len(points)} points; return one |F| a point"
        )
    bad = ~(np.isfinite(sizes) & (sizes >= 0.0))
    if bad.any():
        first = int(np.argmax(bad))
        raise ProblemError(
            f"the magnitude of the residual is {sizes[first]} at {points.x[first].tolist()}; return |F|, "
            "and check the equation there"
        )
    return sizes


@dataclass(frozen=True)
class Generalisation:
    """How much larger the residual is at points that training did not see.

    With squares F² and weights w at the points of training, T = Σ w F² / Σ w, and V the same for validation points.

    Attributes:
        ratio: ρ = sqrt(V/T).
        spread: s, the standard error of ln ρ, s² = (var V / V² + var T / T²) / 4 with
            var T = Σ w² (F² − T)² / (Σ w)². That is the variance for independent points, and too large for Sobol
            points: the doubt is in favour of the points.
    """

    ratio: float
    spread: float

    @property
    def least(self) -> float:
        """ρ exp(−2 s): the ratio is larger than that at a confidence of about 97.5 %."""
        return self.ratio * math.exp(-2.0 * self.spread)


Squares = tuple[np.ndarray, np.ndarray]


def generalisation(training: Squares, validation: Squares) -> Generalisation:
    """Compares the residual at training points with that at validation points.

    Args:
        training: F² (n,) and weights (n,) at the points that were trained on. The rows of a residual system are
            r = sqrt(w) F, so F² = r²/w.
        validation: the same (m,) at points of `validation`.
    """
    (mean, error), (other, doubt) = _mean_square(*training), _mean_square(*validation)
    if mean == 0.0:
        return Generalisation(math.inf if other > 0.0 else 1.0, 0.0)
    return Generalisation(math.sqrt(other / mean), 0.5 * math.hypot(error, doubt))


def _mean_square(squares: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Σ w F² / Σ w and its relative standard error."""
    total = float(weights.sum())
    mean = float(weights @ squares) / total
    error = math.sqrt(float(np.sum((weights * (squares - mean)) ** 2))) / total
    return mean, error / mean if mean > 0.0 else 0.0


def overfitted(training: Squares, validation: Squares, tolerance: float) -> bool:
    """Whether the residual is surely more than `tolerance` times as large between the points as at them.

    "Surely" is ρ exp(−2 s) > tolerance, so that noise is not called overfitting (see `Generalisation`). One lonely
    spike among the validation points has s = ½ and is found where ρ > e · tolerance.

    Args:
        training: F² (n,) and weights (n,) at the points that were trained on.
        validation: the same (m,) at validation points.
        tolerance: some multiple of `foreseen`, which even a good fit has.
    """
    return generalisation(training, validation).least > tolerance


def foreseen(rows: int, parameters: int) -> float:
    """ρ = sqrt((N + P)/(N − P)) of a least-squares fit of P parameters to N rows, where what cannot be fitted is noise.

    Akaike 1969, final prediction error. What a network cannot follow between the points acts like noise: three points a
    parameter give 1.4, two 1.7, and at N ≤ P the rows say nothing of what is between them.
    """
    return math.sqrt((rows + parameters) / (rows - parameters)) if rows > parameters else math.inf
