"""From a trained solution to a formula that the equation confirms."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import sympy as sp
from sympy.printing import numpy as numpy_printing

from kanpde.errors import ProblemError
from kanpde.expression import Program, as_expression
from kanpde.problem import Problem
from kanpde.residuals import ResidualSystem
from kanpde.symbolic.determined import determined
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
NOISES = (1.0, 30.0)  # times the error of the solution that its values are looked at with: estimates are of the norm
ALLOWED = 30.0  # times the error of the solution that a formula may be off by default
LEAST = 1e-6  # the same, at least
POINTS = 600  # at which a formula is compared with the solution
PROVED = 1e-2  # relative distance that a proved formula may be off: of a solution that was not trained to the end
DETERMINED = 1e-8  # relative residual up to which conditions are asked for the numbers
SOUND = 1e-6  # relative residual above which no proof is believed
LARGEST_RESIDUAL = 1e-3  # relative, of a formula that is worth showing
SECONDS = 60.0
HALF = 0.5  # of that time, after which nothing that takes long is begun
SPECIAL = (sp.besselj, sp.erf)  # that NumPy alone has not
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
        return "\n".join(f"{sp.latex(u)} = {sp.latex(_short(e))}" for u, e in pairs)

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
        lines = [f"{u} = {_short(e)}" for u, e in zip(self.unknowns, self.expressions, strict=True)]
        lines += [f"{name} = {_short(value)}" for name, value in self.identified.items()]
        return "\n".join([*lines, f"  {self.state}"])

    @property
    def state(self) -> str:
        """Whether it is proved, in one line."""
        if self.proved:
            return "proved: satisfies every equation and condition exactly"
        left = f"; not shown for {', '.join(self.open)}" if self.open else ""
        return f"not proved; relative residual {self.residual:.1e}, {self.error:.1e} from the solution{left}"


def _short(expression: sp.Expr) -> sp.Expr:
    return expression.xreplace({n: sp.Float(n, 7) for n in expression.atoms(sp.Float)})


def _numpy(pairs: Sequence[tuple[sp.Expr, sp.Expr]]) -> str:
    special = any(e.has(*SPECIAL) for _, e in pairs)
    lines = ["import numpy as np", *(["import scipy.special"] if special else [])]
    settings = {"fully_qualified_modules": True}
    printer = numpy_printing.SciPyPrinter(settings) if special else numpy_printing.NumPyPrinter(settings)
    for unknown, expression in pairs:
        names = ", ".join(map(str, unknown.args))
        body = printer.doprint(expression).replace("numpy.", "np.").replace("scipy.constants.pi", "np.pi")
        lines += ["", "", f"def {unknown.func.__name__}({names}):", f"    return {body}"]
    return "\n".join(lines) + "\n" if pairs else ""


def _c(pairs: Sequence[tuple[sp.Expr, sp.Expr]]) -> str:
    lines = ["#include <math.h>"]
    for unknown, expression in pairs:
        if sp.im(expression) != 0:
            raise ProblemError(f"{unknown.func.__name__} is complex; C code is written for real formulas")
        names = ", ".join(f"double {name}" for name in unknown.args)
        body = sp.ccode(sp.N(expression, 17), standard="c99")
        lines += ["", f"double {unknown.func.__name__}({names})", "{", f"    return {body};", "}"]
    return "\n".join(lines) + "\n" if pairs else ""


PRINTERS = {"numpy": _numpy, "c": _c}


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
    began = time.monotonic()
    noise = max(FLOOR, UNKNOWN if error is None else error)
    best = Formula(problem.unknowns, None, reason="")
    tried = 0
    late = lambda: time.monotonic() - began > HALF * seconds  # noqa: E731 - a clock, not a function of the module
    searches = [
        _Search(problem, values, factor * noise, rtol or max(LEAST, ALLOWED * noise), rtol or PROVED, tuple(scalars))
        for factor in NOISES
    ]
    begun = (search for k, search in enumerate(searches) if not (k and late()))
    for search, group in ((s, g) for s in begun for g in s.groups(choice or Choice(), propose, seed, late)):
        found = search.judged(group)
        tried += 1
        if found is not None and (best.expressions is None or _rank(found) < _rank(best)):
            best = found
        if best.proved or time.monotonic() - began > seconds:
            break
    reason = "" if best.expressions is not None else searches[-1].reason(tried)
    return _with_time(best, reason, time.monotonic() - began)


def _rank(formula: Formula) -> tuple[bool, float]:
    return not formula.proved, formula.residual


def _with_time(formula: Formula, reason: str, seconds: float) -> Formula:
    values = {name: getattr(formula, name) for name in formula.__dataclass_fields__}
    return Formula(**values | {"reason": reason, "seconds": seconds})


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
        more = [list(itertools.islice(guesses(target, choice, None, seed, late), EACH)) for target in targets]
        yield from itertools.islice(itertools.product(*more), 1, EACH**2)

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

    def judged(self, group: Sequence[Guess]) -> Formula | None:
        """Numbers found on the equation and put to the proof; None where it is far from the solution."""
        if len(group) < len(self.problem.fields):
            return None
        begun = [guess.expression for guess in group]
        try:
            found = settled(self.problem, begun, self.scalars, _constants(self.problem))
        except (ProblemError, np.linalg.LinAlgError):  # a kink has no second derivative, a pole may lie in the domain
            return None
        expressions, result = self._proved(found)
        if found.residual > SOUND:
            result = Proof(False, result.open)
        gap = self._gap(expressions)
        if not (gap <= (self.proved if result.proved else self.allowed) and found.residual <= LARGEST_RESIDUAL):
            return None
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
        points = self._targets()[0].points(POINTS)
        found = Program.compile(list(expressions), self.problem.coordinates)(list(points.T), np)
        columns = [np.broadcast_to(np.asarray(v, dtype=float), (len(points),)) for v in found]
        return relative(np.stack(columns, axis=1), self.values(points))

    def reason(self, tried: int) -> str:
        """Why nothing was found."""
        if not tried:
            return "no combination of the candidate functions follows the solution"
        return f"none of {tried} guesses stays within {self.allowed:.1e} of the solution where the equation holds"


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
