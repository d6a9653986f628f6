"""Outer functions undone: u = f(S) with S a short sum of products is found by looking at f⁻¹(u)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import sympy as sp

from kanpde.symbolic.families import Family
from kanpde.symbolic.separable import curves_along, separated
from kanpde.symbolic.target import Target

Values = Callable[[np.ndarray], np.ndarray]
SAMPLE = 256
WORST = 1e-3  # relative error of the undone values up to which they are looked at


@dataclass(frozen=True)
class Undone:
    """An outer function f and its inverse.

    Attributes:
        name: of the candidate f.
        inverse: f⁻¹ on values.
        slope: its derivative.
        low, high: between which values it is defined.
        make: f as SymPy has it.
    """

    name: str
    inverse: Values
    slope: Values
    low: float
    high: float
    make: Callable[[sp.Expr], sp.Expr]


INF = float("inf")


def _logarithm(power: sp.Rational) -> Undone:
    """Log S / p of S = exp(p u)."""
    p = float(power)
    return Undone("log", lambda u: np.exp(p * u), lambda u: p * np.exp(p * u), -INF, INF, lambda s: sp.log(s) / power)


UNDONE = (
    Undone("sqrt", np.square, lambda u: 2 * u, 0.0, INF, sp.sqrt),
    Undone("sqrt", np.square, lambda u: 2 * u, -INF, 0.0, lambda s: -sp.sqrt(s)),
    Undone("inverse", lambda u: 1 / u, lambda u: -1 / u**2, 0.0, INF, lambda s: 1 / s),
    Undone("inverse", lambda u: 1 / u, lambda u: -1 / u**2, -INF, 0.0, lambda s: 1 / s),
    Undone("inverse_sqrt", lambda u: u**-2.0, lambda u: -2 * u**-3.0, 0.0, INF, lambda s: 1 / sp.sqrt(s)),
    Undone("exp", np.log, lambda u: 1 / u, 0.0, INF, sp.exp),
    *(_logarithm(sp.Rational(p)) for p in (1, -1, "1/2", "-1/2", 2, -2)),
    Undone("asin", np.sin, np.cos, -np.pi / 2, np.pi / 2, sp.asin),
    Undone("atan", np.tan, lambda u: 1 + np.tan(u) ** 2, -1.5, 1.5, sp.atan),
)


def by_rank(
    target: Target, allowed: Sequence[Sequence[Family]], names: Sequence[str]
) -> Iterator[tuple[str, Iterator[sp.Expr]]]:
    """The target itself and what outer functions leave of it as sums of products, those of the lowest rank first.

    Args:
        target: what is to be written down.
        allowed: families of functions for each coordinate, inside the outer function.
        names: of the outer functions that are allowed.

    Returns:
        The name of each outer function, "" for none, with the expressions with numbers that follow the target.
    """
    found: list[tuple[int, int, Undone | None, Target]] = []
    for outer in (None, *(outer for outer in UNDONE if outer.name in names)):
        inner = target if outer is None else _inside(target, outer)
        rank = None if inner is None else total_rank(inner)
        if inner is not None and rank is not None:
            found.append((rank + int(outer is not None), len(found), outer, inner))
    for *_, outer, inner in sorted(found, key=lambda item: item[:2]):
        expressions = separated(inner, allowed)
        yield ("", expressions) if outer is None else (outer.name, map(outer.make, expressions))


def total_rank(target: Target) -> int | None:
    """Functions of all coordinates together that the target is made of; None where these are too many."""
    spaces = [curves_along(target, axis) for axis in range(target.dimension)]
    ranks = [space.values.shape[1] for space in spaces if space is not None]
    return sum(ranks) if len(ranks) == target.dimension else None


def _inside(target: Target, outer: Undone) -> Target | None:
    """f⁻¹(u), with the error that it then has; None where it is not defined."""
    values = target.values(target.points(SAMPLE))
    if not (outer.low < values.min() and values.max() < outer.high):
        return None
    with np.errstate(all="ignore"):
        size = np.sqrt(np.mean(np.square(outer.inverse(values))))
        gain = np.sqrt(np.mean(np.square(outer.slope(values)))) * target.size / size
    noise = float(gain) * target.noise
    if not np.isfinite(noise) or noise > WORST:
        return None

    def inverted(points: np.ndarray) -> np.ndarray:
        return outer.inverse(np.clip(target.values(points), outer.low, outer.high))

    return replace(target, values=inverted, noise=max(noise, target.noise))
