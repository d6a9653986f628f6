"""From a trained solution to a formula that the equation confirms."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import sympy as sp

from kanpde.errors import ProblemError
from kanpde.expression import Program, as_expression
from kanpde.problem import Problem
from kanpde.residuals import ResidualSystem
from kanpde.symbolic.determined import determined
from kanpde.symbolic.printing import PRINTERS, short
from kanpde.symbolic.proof import Proof, proof
from kanpde.symbolic.refit import on_equations, relative
from kanpde.symbolic.search import Choice, Guess, Late, guesses, proposed
from kanpde.symbolic.settling import Settled, settled
from kanpde.symbolic.signs import Bounds, bounds_of, signed, unchanged, unsigned
from kanpde.symbolic.snapping import Snap
from kanpde.symbolic.target import FLOOR, Target, largest_box
from kanpde.symbolic.tree import TreeNetwork

Values = Callable[[np.ndarray], np.ndarray]
UNKNOWN = 1e-6  # relative error of a solution without an estimate, as it is taken here
NOISES = (
    1.0,
    30.0,
    600.0,
)  # times the error of the solution that its values are looked at with: estimates are of the norm
ALLOWED = 30.0  # times the error of the solution that a formula may be off by default
LEAST = 1e-6  # the same, at least
POINTS = 600  # at which a formula is compared with the solution
PROVED = 1e-2  # relative distance that a proved formula may be off: of a solution that was not trained to the end
DETERMINED = 1e-8  # relative residual up to which conditions are asked for the numbers
SOUND = 1e-6  # relative residual above which no proof is believed
LARGEST_RESIDUAL = 1e-3  # relative, of a formula that is worth showing
SECONDS = 60.0
HALF = 0.5  # of that time, after which nothing that takes long is begun
MOST_GROUPS = 12  # combinations of them
EACH = 3  # guesses of every unknown of a system that are combined
MOST_CONSTANTS = 12  # of the statement
SIMPLE = 160  # operations up to which SymPy is asked for a simpler form


@dataclass(frozen=True)
class Formula:
    """A formula for the unknowns of a problem.

    Attributes:
        unknowns: as the problem has them.
        expressions: of all unknowns, in their order; None where nothing was found.
        proved: whether SymPy proved that they satisfy every equation and condition. Nothing else is called exact.
        open: labels of the equations and conditions that were not proved.
        residual: norm of equations and conditions, relative to that of vanishing unknowns; by numbers.
        error: relative root mean square distance from the solution that the formula was read from.
        form: how it is made, in words.
        identified: of unknown scalars of the problem, by name.
        steps: snaps of edges that were tried, in order, where there were any.
        seconds: that the search took.
        reason: why there is no formula; empty where there is one.
    """

    unknowns: tuple[sp.Expr, ...]
    expressions: tuple[sp.Expr, ...] | None
    proved: bool = False
    open: tuple[str, ...] = ()
    residual: float = float("nan")
    error: float = float("nan")
    form: str = ""
    identified: Mapping[str, sp.Expr] = field(default_factory=dict)
    steps: tuple[Snap, ...] = ()
    seconds: float = 0.0
    reason: str = ""

    @property
    def expression(self) -> sp.Expr | None:
        """Of the first unknown; None where nothing was found."""
        return None if self.expressions is None else self.expressions[0]

    @property
    def latex(self) -> str:
        """The equations for a paper, one a line; empty without a formula."""
        pairs = zip(self.unknowns, self.expressions or (), strict=False)
        return "\n".join(f"{sp.latex(u)} = {sp.latex(short(e))}" for u, e in pairs)

    def code(self, language: str = "numpy") -> str:
        """Functions of the coordinates, one an unknown, in "numpy" or "c"; empty without a formula.

        Raises:
            ProblemError: another language.
        """
        if language not in PRINTERS:
            raise ProblemError(f"formulas are not written in {language!r}; use one of {', '.join(PRINTERS)}")
        pairs = zip(self.unknowns, self.expressions or (), strict=False)
        return PRINTERS[language]([(u, e) for u, e in pairs])

    def __str__(self) -> str:
        if self.expressions is None:
            return f"no formula: {self.reason}"
        lines = [f"{u} = {short(e)}" for u, e in zip(self.unknowns, self.expressions, strict=True)]
        lines += [f"{name} = {short(value)}" for name, value in self.identified.items()]
        return "\n".join([*lines, f"  {self.state}"])

    @property
    def state(self) -> str:
        """Whether it is proved, in one line."""
        if self.proved:
            return "proved: satisfies every equation and condition exactly"
        left = f"; not shown for {', '.join(self.open)}" if self.open else ""
        return f"not proved; relative residual {self.residual:.1e}, {self.error:.1e} from the solution{left}"


def symbolic(
    problem: Problem,
    values: Values,
    error: float | None,
    *,
    rtol: float | None = None,
    choice: Choice | None = None,
    propose: Mapping[sp.Expr, sp.Expr] | None = None,
    scalars: Sequence[float] = (),
    seed: int = 0,
    seconds: float = SECONDS,
) -> Formula:
    """Looks for a formula of a problem's solution.

    Args:
        problem: it judges.
        values: the solution's fields, (n, d) -> (n, m).
        error: its relative error, as far as it is known.
        rtol: how far the formula may be from the solution; by default 30 times its error, but no less than 1e-6, and
            1e-2 for one that is proved, for the solution may not have been trained to the end.
        choice: what may be used.
        propose: formulas of the user's, by unknown, with symbols for the numbers that are to be found.
        scalars: of the problem's unknown scalars, as they were found.
        seed: of everything random.
        seconds: after which no further guess is begun.

    Returns:
        The first formula that is proved; else the one with the smallest residual among those near enough; else none,
        with the reason.
    """
    clock = _Clock(time.monotonic(), seconds)
    noise = max(FLOOR, UNKNOWN if error is None else error)
    none = Formula(problem.unknowns, None)
    if not np.isfinite(values(_sample(problem))).all():
        return replace(none, reason="the solution is not finite everywhere")
    near, proved = rtol or max(LEAST, ALLOWED * noise), rtol or PROVED
    best, refused = none, list[str]()
    for k, factor in enumerate(NOISES[:1] if propose is not None else NOISES):
        if k and clock.late():
            break
        search = _Search(problem, values, factor * noise, near, proved, tuple(scalars))
        for group in search.groups(choice or Choice(), propose, seed, clock.late):
            found = search.judged(group)
            refused += [found.reason] if found.reason else []
            if found.expressions is not None and (best is none or _rank(found) < _rank(best)):
                best = found
            if best.proved or clock.over():
                return replace(best, seconds=clock.seconds, reason="" if best is not none else _reason(refused))
    return replace(best, seconds=clock.seconds, reason="" if best is not none else _reason(refused))


@dataclass(frozen=True)
class _Clock:
    began: float
    limit: float

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self.began

    def late(self) -> bool:
        """Whether nothing that takes long is to be begun."""
        return self.seconds > HALF * self.limit

    def over(self) -> bool:
        """Whether nothing is."""
        return self.seconds > self.limit


def _sample(problem: Problem) -> np.ndarray:
    zero = (sp.S.Zero,) * len(problem.coordinates)
    return Target(zero, largest_box(problem.domain), lambda x: x, FLOOR).points(POINTS)


def _rank(formula: Formula) -> tuple[bool, float]:
    return not formula.proved, formula.residual


def _reason(refused: Sequence[str]) -> str:
    if not refused:
        return "no combination of the candidate functions follows the solution"
    return refused[0] if len(refused) == 1 else f"none of {len(refused)} guesses holds; the last: {refused[-1]}"


@dataclass(frozen=True, eq=False)
class _Search:
    """A problem with its solution's values, how far a formula may be from them, and how far one that is proved."""

    problem: Problem
    values: Values
    noise: float
    allowed: float
    proved: float
    scalars: tuple[float, ...]

    def groups(
        self, choice: Choice, propose: Mapping[sp.Expr, sp.Expr] | None, seed: int, late: Late
    ) -> Iterator[tuple[Guess, ...]]:
        """One guess an unknown field."""
        targets = self._targets()
        if propose is not None:
            yield self._proposed(targets, propose, seed)
            return
        if len(targets) == 1:
            for guess in guesses(targets[0], choice, self._judge, seed, late):
                yield (guess,)
            return
        lists = []
        for target in targets:
            lists.append(list(itertools.islice(guesses(target, choice, None, seed, late), 1)))
            if not lists[-1]:
                return
        yield tuple(guess for (guess,) in lists)
        more = [list(itertools.islice(_until(late, guesses(t, choice, None, seed, late)), EACH)) for t in targets]
        places = sorted(itertools.product(*[range(len(some)) for some in more]), key=lambda place: (sum(place), place))
        yield from (tuple(some[k] for some, k in zip(more, place, strict=True)) for place in places[1:MOST_GROUPS])

    def _targets(self) -> list[Target]:
        bounds = largest_box(self.problem.domain)
        count = len(self.problem.fields)
        return [Target(self.problem.coordinates, bounds, self._column(k), self.noise) for k in range(count)]

    def _column(self, k: int) -> Values:
        return lambda points: self.values(points)[:, k]

    def _judge(self, network: TreeNetwork) -> ResidualSystem:
        network.scalars = self.scalars
        return on_equations(self.problem, network)

    def _proposed(self, targets: Sequence[Target], propose: Mapping[sp.Expr, sp.Expr], seed: int) -> tuple[Guess, ...]:
        found = []
        for unknown, target in zip(self.problem.fields, targets, strict=True):
            if unknown not in propose:
                raise ProblemError(f"no formula is proposed for {unknown}; give one for every unknown")
            expression = as_expression(propose[unknown])
            free = sorted(expression.free_symbols - set(self.problem.coordinates), key=str)
            numbers = proposed(target, expression, free, seed)
            if numbers is not None:
                found.append(Guess("as proposed", numbers))
        return tuple(found)

    def judged(self, group: Sequence[Guess]) -> Formula:
        """Numbers found on the equation and put to the proof; a reason where that makes no solution."""
        none = Formula(self.problem.unknowns, None)
        if len(group) < len(self.problem.fields):
            return replace(none, reason="no numbers for what was proposed make sense")
        begun = [guess.expression for guess in group]
        try:
            found = settled(self.problem, begun, self.scalars, _constants(self.problem))
        except (ProblemError, np.linalg.LinAlgError) as error:  # a kink has no second derivative, a pole no value
            return replace(none, reason=f"its derivatives are not defined: {error}")
        expressions, result = self._proved(found)
        if found.residual > SOUND:
            result = Proof(False, result.open)
        gap = self._gap(expressions)
        near = self.proved if result.proved else self.allowed
        if not gap <= near:
            return replace(none, reason=f"where the equation holds it is {gap:.1e} from the solution, not {near:.1e}")
        if not found.residual <= LARGEST_RESIDUAL:
            return replace(
                none, reason=f"no numbers make it satisfy the equation: relative residual {found.residual:.1e}"
            )
        names = [parameter.name for parameter in self.problem.parameters]
        return Formula(
            self.problem.unknowns,
            _of_unknowns(self.problem, expressions),
            result.proved,
            result.open,
            found.residual,
            gap,
            "; ".join(dict.fromkeys(guess.form for guess in group)),
            dict(zip(names, found.scalars, strict=True)),
            tuple(step for guess in group for step in guess.steps),
        )

    def _proved(self, found: Settled) -> tuple[tuple[sp.Expr, ...], Proof]:
        """The simplest form that is proved; the simplest where none is."""
        scalars = dict(zip(self.problem.parameters, found.scalars, strict=True))
        exact = found.expressions
        if any(e.has(sp.Float) for e in exact) and found.residual < DETERMINED:
            exact = determined(self.problem, exact)
        bounds = bounds_of(self.problem.domain)
        simplest = tuple(simplified(e, bounds) for e in exact)
        result = proof(self.problem, simplest, scalars)
        if not result.proved and simplest != exact:
            other = proof(self.problem, exact, scalars)
            if other.proved:
                return exact, other
        return simplest, result

    def _gap(self, expressions: Sequence[sp.Expr]) -> float:
        points = _sample(self.problem)
        found = Program.compile(list(expressions), self.problem.coordinates)(list(points.T), np)
        columns = [np.broadcast_to(np.asarray(v, dtype=float), (len(points),)) for v in found]
        return relative(np.stack(columns, axis=1), self.values(points))


def _until(late: Late, found: Iterator[Guess]) -> Iterator[Guess]:
    """Guesses as long as there is time, but at least one."""
    for guess in found:
        yield guess
        if late():
            return


def _of_unknowns(problem: Problem, fields: Sequence[sp.Expr]) -> tuple[sp.Expr, ...]:
    """The unknowns from their real fields: complex where an unknown is."""
    found = []
    for part in problem.layout.parts:
        real, *imaginary = (fields[k] for k in part)
        found.append(simplified(real + sp.I * imaginary[0]) if imaginary else real)
    return tuple(found)


def _constants(problem: Problem) -> tuple[sp.Expr, ...]:
    """Numbers in the statement that are not rational, for multiples of them to be recognised."""
    operators = [*problem.operators, *(c.operator for c in problem.conditions if c.operator is not None)]
    parts = {part for operator in operators for part in sp.preorder_traversal(operator.expression) if part.args}
    factors = {sp.Mul(*[a for a in part.args if a.is_number]) for part in parts if isinstance(part, sp.Mul)}
    numbers = {part for part in parts | factors if part.is_number and part.is_real and not part.has(sp.Float)}
    return tuple(sorted((n for n in numbers if not n.is_rational and n != 0), key=sp.count_ops)[:MOST_CONSTANTS])


def simplified(expression: sp.Expr, bounds: Bounds | None = None) -> sp.Expr:
    """The shortest of some equal forms, equal at least where coordinates are within bounds."""
    known = bounds or {}
    own = signed(expression, known)
    forms = [expression, *(unchanged(form, known) for form in (own, sp.factor_terms(own), sp.factor(own)))]
    if sp.count_ops(expression) <= SIMPLE:
        forms += [unchanged(form, known) for form in (sp.trigsimp(own), sp.simplify(own))]
    return min((unsigned(form, known) for form in forms), key=lambda e: (sp.count_ops(e), len(str(e))))
