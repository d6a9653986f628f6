"""Expressions for one unknown, the likely ones first: each is a guess until the equation has judged it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import sympy as sp

from kanpde.symbolic.atoms import spanning
from kanpde.symbolic.families import Family, families
from kanpde.symbolic.forms import grown
from kanpde.symbolic.formulas import FormulaNetwork
from kanpde.symbolic.library import LIBRARY, Candidate
from kanpde.symbolic.normal import expression_of
from kanpde.symbolic.outer import by_rank
from kanpde.symbolic.rational import ratio
from kanpde.symbolic.refit import on_values, refitted
from kanpde.symbolic.ridges import ridges
from kanpde.symbolic.separable import curves_along
from kanpde.symbolic.snapping import Judge, Snap, snapped
from kanpde.symbolic.target import Target

Late = Callable[[], bool]

LARGEST_DIMENSION = 4  # of a function that trees are tried on
FEW = 2  # of each kind that are tried
SNAPPED = 1e-6  # relative residual that a snap may have in any case
FOLLOWS = 100.0  # times the noise that a form may be off
POINTS = 300
STARTS = 12  # for the numbers of a formula that the user proposes
SPREAD = 2.0  # of these starts


@dataclass(frozen=True)
class Choice:
    """What may be used.

    Attributes:
        candidates: functions.
        fixed: by coordinate, the only ones that may be on its edges.
    """

    candidates: tuple[Candidate, ...] = LIBRARY
    fixed: Mapping[sp.Symbol, tuple[Candidate, ...]] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the candidates."""
        return tuple(c.name for c in self.candidates)

    def of(self, coordinate: sp.Symbol) -> tuple[Candidate, ...]:
        """The candidates for the edges of a coordinate."""
        return self.fixed.get(coordinate, self.candidates)

    def families(self, target: Target) -> list[list[Family]]:
        """The families for each coordinate of a target."""
        return [families(self.of(x)) for x in target.coordinates]


@dataclass(frozen=True, eq=False)
class Guess:
    """An expression with numbers.

    Attributes:
        form: how it is made, in words.
        expression: of the coordinates.
        steps: snaps that led to it, where there were any.
    """

    form: str
    expression: sp.Expr
    steps: tuple[Snap, ...] = ()


def guesses(
    target: Target, choice: Choice, judge: Judge | None = None, seed: int = 0, late: Late = lambda: False
) -> Iterator[Guess]:
    """Expressions that follow a target, from the cheap and simple ones to the others.

    Args:
        target: one unknown on a box.
        choice: what may be used.
        judge: the rows of the equation, where there is one for this unknown alone; its values by default.
        seed: of random starts.
        late: whether nothing that takes long is to be begun any more.
    """
    if target.size == 0.0:
        yield Guess("zero", sp.S.Zero)
        return
    allowed = choice.families(target)
    if target.dimension > 1 and not choice.fixed:
        quotient = ratio(target) if {"linear", "square", "inverse"} <= set(choice.names) else None
        yield from () if quotient is None else (Guess("a ratio of polynomials", quotient),)
        yield from (Guess("a function of a linear combination", e) for e in ridges(target, choice.candidates))
    for outer, found in by_rank(target, allowed, choice.names):
        form = f"{outer} of a sum of products" if outer else "a sum of products"
        yield from (Guess(form, e) for e in _few(found))
    if target.dimension == 1:
        return
    yield from _factored(target, choice, seed, late)
    yield from _by_trees(target, choice, judge, seed, late)


def _few(found: Iterator[sp.Expr]) -> Iterator[sp.Expr]:
    return itertools.islice(found, FEW)


def _factored(target: Target, choice: Choice, seed: int, late: Late) -> Iterator[Guess]:
    """A function of one coordinate times what is left, which is looked at in the same way."""
    if target.dimension < 3:
        return
    for axis in range(target.dimension):
        space = curves_along(target, axis)
        if space is None or space.values.shape[1] > 1:
            continue
        x = target.coordinates[axis]
        at = float(space.x[np.argmax(np.abs(space.values[:, 0]))])
        atoms = next(spanning(space, families(choice.of(x))), None)
        if atoms is None:
            continue
        columns = np.column_stack([np.ones(len(space.x)), *(atom.values(space.x) for atom in atoms)])
        numbers = np.linalg.lstsq(columns, space.values[:, 0], rcond=None)[0]
        at_once = [sp.S.One, *(atom.written(x) for atom in atoms)]
        size = float(np.abs(numbers).max())
        factor = sp.Add(*[sp.Float(c, 15) * e for c, e in zip(numbers, at_once, strict=True) if abs(c) > 1e-7 * size])
        scale = float(factor.subs(x, at))
        for guess in itertools.islice(guesses(target.without(axis, at), choice, None, seed, late), FEW):
            yield Guess(f"a factor of {x} and {guess.form}", factor / scale * guess.expression, guess.steps)
        return


def _by_trees(target: Target, choice: Choice, judge: Judge | None, seed: int, late: Late) -> Iterator[Guess]:
    """Trees of series trained on the values, whose edges are snapped one by one."""
    if target.dimension > LARGEST_DIMENSION or late():
        return
    points = target.points(POINTS)
    rows = judge if judge is not None else lambda network: on_values(target, network, points)
    limits = [choice.of(x) for x in target.coordinates]
    for form in grown(target, FOLLOWS * target.noise, seed):
        if late():
            return
        found = snapped(form.tree, rows, points, max(SNAPPED, target.noise), choice.candidates, limits)
        expression = expression_of(found.tree, target.coordinates)
        if found.complete and expression is not None:
            yield Guess(form.name, expression, found.steps)


def proposed(target: Target, expression: sp.Expr, free: Sequence[sp.Symbol], seed: int = 0) -> sp.Expr | None:
    """A formula of the user's, with the numbers for its symbols with which it follows the target best.

    Args:
        target: what is to be followed.
        expression: of the coordinates and the symbols.
        free: the symbols for which numbers are wanted.
        seed: of the random starts.
    """
    if not free:
        return expression
    points, rng = target.points(POINTS), np.random.default_rng(seed)
    best, found = np.inf, None
    for _ in range(STARTS):
        start = rng.normal(scale=SPREAD, size=len(free)).tolist()
        network = FormulaNetwork([expression], target.coordinates, free, start)
        error = refitted(on_values(target, network, points))
        if error < best:
            best, found = error, network.written()[0]
    return found
