"""Families of functions of one coordinate, f(x; a, b), in tiers: without numbers, with one, with two.

A curve is looked for in the first tier that explains it, so that sin(ax) + cos(ax) is not taken for a sine with a
phase, nor a straight line for a flat exponential.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import sympy as sp

from kanpde.expression import Program
from kanpde.symbolic.library import ARGUMENT, Candidate

A, B = sp.symbols("a b", real=True)
Maker = Callable[[sp.Expr, sp.Expr, sp.Expr], sp.Expr]
Range = str

NONE, GROWTH, WAVES, SHIFT, PHASE, RATE = "none", "growth", "waves", "shift", "phase", "rate"
SCALES = 24  # of each sign
SHIFTS = 33
PHASES = 16
RATES = 10  # of each sign, beside waves
COARSE = 60  # frequencies where a rate is searched as well
POWERS = ("linear", "square", "cube", "power4")  # the candidates x, x², ...
HUGE = 1e60  # beyond it a value is no value
MOST_TURNS = 160  # eighths of a wave on the data
SMALLEST, LARGEST = 0.2, 25.0  # of a scale, in units of one over the width of the data


@dataclass(frozen=True)
class Family:
    """f(x; a, b).

    Attributes:
        name: what users call the candidate that it comes from.
        make: (x, a, b) -> expression.
        complexity: of it, numbers included.
        first: where a is searched; `NONE` where there is none.
        second: where b is.
        power: whether it is x, x², ...
    """

    name: str
    make: Maker
    complexity: int
    first: Range = NONE
    second: Range = NONE
    power: bool = False

    @property
    def tier(self) -> int:
        """How many numbers are free."""
        return int(self.first != NONE) + int(self.second != NONE)

    @cached_property
    def _program(self) -> Program:
        return Program.compile([self.make(ARGUMENT, A, B)], [ARGUMENT, A, B])

    def __call__(self, x: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Values (k, n) at x (n,) for k pairs of numbers; not a number where it is not defined."""
        shape = (len(a), len(x))
        arguments = [np.broadcast_to(v, shape).ravel() for v in (x, a[:, None], b[:, None])]
        with np.errstate(all="ignore"):
            (found,) = self._program(arguments, np)
        found = np.broadcast_to(np.asarray(found, dtype=float), (shape[0] * shape[1],)).reshape(shape)
        return np.where(np.abs(found) < HUGE, found, np.nan)

    def written(self, x: sp.Expr, a: float, b: float) -> sp.Expr:
        """The function with its numbers."""
        return self.make(x, sp.Float(a, 15), sp.Float(b, 15))

    def grid(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pairs (a, b) to begin with, (k,) each."""
        first = _firsts(self, x)
        pairs = [(a, b) for a in first for b in _seconds(self.second, x, a)]
        a, b = np.array(pairs).T
        return a, b


def _firsts(family: Family, x: np.ndarray) -> np.ndarray:
    width = float(np.ptp(x)) or 1.0
    if family.first == GROWTH:
        return np.concatenate([s * np.geomspace(SMALLEST, LARGEST, SCALES) / width for s in (1, -1)])
    if family.first == RATE:
        return np.concatenate([s * np.geomspace(SMALLEST, LARGEST, RATES) / width for s in (1, -1)])
    if family.first == WAVES:
        return np.arange(1, MOST_TURNS) * (np.pi / 4) / width
    return np.array([1.0])


def _seconds(second: Range, x: np.ndarray, a: float) -> np.ndarray:
    width, middle = float(np.ptp(x)) or 1.0, float(x.min() + x.max()) / 2
    if second == PHASE:
        return np.linspace(0, np.pi, PHASES, endpoint=False)
    if second == SHIFT:
        return np.linspace(-1.5, 1.5, SHIFTS) * max(abs(a) * width, 1.0) - a * middle
    if second == WAVES:
        return np.arange(1, COARSE) * (np.pi / 3) / width
    return np.zeros(1)


def families(candidates: Sequence[Candidate]) -> list[Family]:
    """All that candidates allow, the simplest first; companions come where all functions in them are allowed."""
    found = [family for candidate in candidates for family in _of(candidate)]
    found += _companions({candidate.name for candidate in candidates})
    return sorted(found, key=lambda family: (family.tier, family.complexity))


def _of(candidate: Candidate) -> list[Family]:
    """f(x), f(ax), f(ax + b), as far as these differ."""
    make, name, own = candidate.make, candidate.name, candidate.complexity
    turned = Family(name, lambda x, _a, _b: make(-x), own + 1)
    shifted = Family(name, lambda x, a, b: make(a * x + b), own + 2, WAVES if candidate.waves else GROWTH, SHIFT)
    if name == "sin":
        shifted = Family(name, shifted.make, own + 2, WAVES, PHASE)
    if candidate.scale and candidate.shift:
        kind = WAVES if candidate.waves else GROWTH
        found = [Family(name, lambda x, a, _b: make(a * x), own + 1, kind), shifted]
    elif candidate.scale:
        found = [Family(name, lambda x, a, _b: make(a * x), own + 1, GROWTH)]
    elif candidate.shift:
        moved = [Family(name, lambda x, _a, b: make(x + b), own + 1, NONE, SHIFT)]
        mirrored = [Family(name, lambda x, _a, b: make(b - x), own + 1, NONE, SHIFT), turned]
        found = [Family(name, lambda x, _a, _b: make(x), own), *moved, *(mirrored if candidate.turns else [])]
    else:
        found = [Family(name, lambda x, _a, _b: make(x), own), *([turned] if candidate.turns else [])]
    if isinstance(make(ARGUMENT), sp.Pow | sp.Symbol) and make(ARGUMENT).is_polynomial(ARGUMENT):
        found[0] = replace(found[0], power=True)
    return found


def _companions(names: Collection[str]) -> list[Family]:
    """What goes with candidates in sums and products: the cosine with the sine, damped waves, powers times these."""
    known: list[tuple[set[str], Family]] = [
        ({"sin"}, Family("sin", _power(sp.cos, 0), 3, WAVES)),
        *[({"sin", *POWERS[:k]}, Family("sin", _power(f, k), 4 + k, WAVES)) for k in (1, 2) for f in (sp.sin, sp.cos)],
        *[({"sin", "exp"}, Family("sin", _damped(f), 6, RATE, WAVES)) for f in (sp.sin, sp.cos)],
        *[({"exp", *POWERS[:k]}, Family("exp", _power(sp.exp, k), 3 + k, GROWTH)) for k in (1, 2)],
        ({"square", "inverse"}, Family("square", lambda x, _a, b: 1 / (x**2 + b), 5, NONE, SHIFT)),
        ({"square", "sqrt"}, Family("square", lambda x, _a, b: sp.sqrt(x**2 + b), 5, NONE, SHIFT)),
        ({"square", "log"}, Family("square", lambda x, _a, b: sp.log(x**2 + b), 5, NONE, SHIFT)),
    ]
    return [family for needed, family in known if needed <= set(names)]


def modulations(names: Collection[str], powers: int) -> list[list[Family]]:
    """Groups that share numbers: powers of x times exponentials or waves; damped waves, alone or with steady ones.

    Args:
        names: of the functions that are allowed, powers of x among them.
        powers: the highest.
    """
    highest = next((k for k in range(powers) if POWERS[k] not in names), powers)
    exponentials = [
        [Family("exp", _power(sp.exp, j), 3 + j, GROWTH) for j in range(k + 1)] for k in range(1, highest + 1)
    ]
    waves = [
        [Family("sin", _power(f, j), 3 + j, WAVES) for j in range(k + 1) for f in (sp.sin, sp.cos)]
        for k in range(1, highest + 1)
    ]
    damped = [[Family("sin", _damped(f), 6, RATE, WAVES) for f in (sp.sin, sp.cos)]]
    damped += [[*damped[0], Family("exp", lambda x, a, _b: sp.exp(a * x), 3, RATE, WAVES)]]
    damped += [[*damped[0], *(Family("sin", _steady(f), 3, RATE, WAVES) for f in (sp.sin, sp.cos))]]
    found = [*(damped if {"sin", "exp"} <= set(names) else []), *(exponentials if "exp" in names else [])]
    return sorted([*found, *(waves if "sin" in names else [])], key=len)


def _power(function: Callable[[sp.Expr], sp.Expr], k: int) -> Maker:
    return lambda x, a, _b: x**k * function(a * x)


def _steady(function: Callable[[sp.Expr], sp.Expr]) -> Maker:
    return lambda x, _a, b: function(b * x)


def _damped(function: Callable[[sp.Expr], sp.Expr]) -> Maker:
    return lambda x, a, b: sp.exp(a * x) * function(b * x)
