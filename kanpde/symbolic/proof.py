"""Does a formula satisfy the equations and conditions? Proved by SymPy, or the size of what is left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import sympy as sp

from kanpde.domain import Region
from kanpde.domain.piece import BoxPiece
from kanpde.operator import DifferentialOperator
from kanpde.problem import CompiledCondition, Problem
from kanpde.symbolic.charts import chart_of, meant
from kanpde.symbolic.identities import is_identity
from kanpde.symbolic.integrals import integral
from kanpde.symbolic.regular import is_smooth
from kanpde.symbolic.signs import Bounds, bounds_of, signed, unsigned

Expressions = Sequence[sp.Expr]


LARGEST = 150  # operations of what SymPy's own simplification is asked about: beyond, it may take minutes
SMOOTHNESS = "smoothness in the domain"  # the label of what poles, kinks and branches leave open
DIGITS = 40  # of the numbers by which a claim is looked at before it is proved
PRIMES = (7, 11, 13, 5, 17)  # over 23: where that is done


@dataclass(frozen=True)
class Claim:
    """Something that must vanish identically.

    Attributes:
        label: "equation 1", or that of a condition.
        expression: of the coordinates; None where it cannot be written down.
    """

    label: str
    expression: sp.Expr | None


def inserted(operator: DifferentialOperator, fields: Expressions, normal: Expressions = ()) -> sp.Expr:
    """F with the fields' derivatives in place of its jet; decimal numbers of the problem are the rationals they say."""
    values: dict[sp.Basic, sp.Expr] = {
        symbol: _differentiated(fields[variable.unknown], operator.coordinates, variable.derivative)
        for symbol, variable in zip(operator.symbols, operator.jet, strict=True)
    }
    values |= dict(zip(operator.normal, normal, strict=False))
    return rational(operator.expression).xreplace(values)


def rational(expression: sp.Expr) -> sp.Expr:
    """0.1 as 1/10: what a user writes as a decimal number is meant as one."""
    return expression.xreplace({number: sp.Rational(str(number)) for number in expression.atoms(sp.Float)})


def _differentiated(expression: sp.Expr, coordinates: Sequence[sp.Symbol], orders: Sequence[int]) -> sp.Expr:
    for symbol, order in zip(coordinates, orders, strict=True):
        expression = sp.diff(expression, symbol, order) if order else expression
    return expression


def claims(problem: Problem, fields: Expressions) -> list[Claim]:
    """All that must vanish: the equations everywhere, the conditions on each flat piece of their regions."""
    found = [Claim(f"equation {k}", inserted(o, fields)) for k, o in enumerate(problem.operators, 1)]
    for condition in problem.conditions:
        if condition.kind == "observations":  # measurements have errors: the fit heeds them, no formula must match them
            continue
        found += _of_condition(problem, condition, fields)
    return found


def _of_condition(problem: Problem, condition: CompiledCondition, fields: Expressions) -> Iterator[Claim]:
    if condition.kind == "integral":
        return iter([Claim(condition.label, _integral(problem, condition, fields))])
    if condition.kind == "periodic" or condition.operator is None:
        return iter([Claim(condition.label, _periodic(condition, fields))])
    return (Claim(condition.label, _on_piece(condition, fields, piece)) for piece in condition.region.pieces())


def _integral(problem: Problem, condition: CompiledCondition, fields: Expressions) -> sp.Expr | None:
    assert condition.operator is not None
    assert condition.value is not None
    if condition.operator.normal:
        return None
    whole = inserted(condition.operator, fields)
    found = integral(whole, condition.region.pieces(), problem.domain.space)
    return None if found is None else found - rational(condition.value)


def _on_piece(condition: CompiledCondition, fields: Expressions, piece: object) -> sp.Expr | None:
    chart = chart_of(piece)
    if chart is None or condition.operator is None or len(chart.normal) < len(condition.operator.normal):
        return None
    whole = inserted(condition.operator, fields, chart.normal)
    return whole.subs(dict(chart.coordinates), simultaneous=True)


def _periodic(condition: CompiledCondition, fields: Expressions) -> sp.Expr | None:
    """The difference of the two sides; None where that is not all that the condition asks."""
    if condition.kind != "periodic" or condition.axis is None:
        return None
    ends = _ends(condition.region, condition.axis)
    if ends is None:
        return None
    symbol, low, high = ends
    unknown = next(iter(condition.unknowns))
    return fields[unknown].subs(symbol, symbol + meant(high) - meant(low)) - fields[unknown]


def _ends(region: Region, axis: int) -> tuple[sp.Symbol, float, float] | None:
    pieces = [piece for piece in region.pieces() if isinstance(piece, BoxPiece)]
    values = sorted({piece.lower[axis] for piece in pieces if piece.lower[axis] == piece.upper[axis]})
    return (pieces[0].coordinates[axis], values[0], values[1]) if len(values) == 2 else None


def vanishes(expression: sp.Expr) -> bool:
    """Whether SymPy reduces an expression to zero, by rules that are exact; floating-point numbers prove nothing."""
    if expression.has(sp.Float) or not _vanishes_at_a_point(expression):
        return False
    if sp.expand(expression) == 0 or is_identity(expression):
        return True
    if sp.count_ops(expression) > LARGEST:
        return False
    return any(rule(expression) == 0 for rule in (_trigonometric, sp.simplify, _exponential))


def _vanishes_at_a_point(expression: sp.Expr) -> bool:
    """Whether there is hope: an expression that is not zero somewhere need not be simplified to see that."""
    symbols = sorted(expression.free_symbols, key=str)
    place = {symbol: sp.Rational(PRIMES[k % len(PRIMES)], 23) for k, symbol in enumerate(symbols)}
    parts = [abs(part.evalf(DIGITS, subs=place)) for part in sp.Add.make_args(expression)]
    whole = abs(expression.evalf(DIGITS, subs=place))
    if not all(part.is_comparable for part in (*parts, whole)):
        return True
    return bool(whole <= sp.Float(10) ** (5 - DIGITS) * max(1, *parts))


def _trigonometric(expression: sp.Expr) -> sp.Expr:
    return sp.expand(sp.trigsimp(sp.expand_trig(expression)))


def _exponential(expression: sp.Expr) -> sp.Expr:
    return sp.simplify(sp.expand(expression.rewrite(sp.exp)))


def _holds(expression: sp.Expr, bounds: Bounds) -> bool:
    """Whether a claim vanishes, with what is known of signs in the domain where that is needed."""
    return vanishes(expression) or vanishes(signed(unsigned(expression, bounds), bounds))


@dataclass(frozen=True)
class Proof:
    """What was proved.

    Attributes:
        proved: every equation and condition.
        open: labels of those that were not.
    """

    proved: bool
    open: tuple[str, ...]


def proof(
    problem: Problem,
    fields: Mapping[int, sp.Expr] | Expressions,
    scalars: Mapping[sp.Symbol, sp.Expr] | None = None,
) -> Proof:
    """Substitutes a formula into all equations and conditions.

    Args:
        problem: what must hold.
        fields: one expression a field, in their order.
        scalars: of the problem's unknown scalars.
    """
    expressions = [fields[k] for k in range(len(problem.fields))]
    found = claims(problem, expressions)
    if any(value.has(sp.Float) for value in (*expressions, *(scalars or {}).values())):
        return Proof(False, tuple(dict.fromkeys(claim.label for claim in found)))
    left, bounds = [], bounds_of(problem.domain)
    if any(o.order for o in problem.operators) and not all(is_smooth(e, problem.domain) for e in expressions):
        left.append(SMOOTHNESS)
    for claim in found:
        if claim.expression is None or not _holds(claim.expression.xreplace(dict(scalars or {})), bounds):
            left.append(claim.label)
    return Proof(not left, tuple(dict.fromkeys(left)))
