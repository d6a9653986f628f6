"""Weak forms, derived from the normal forms: ∫ F v = ∫ (S v - Φ·∇v) + ∮ (n·Φ) v for every test function v.

The second derivatives of F = Σ a D_j D_k u + G go into a flux Φ_k = Σ A_kj D_j u, whose divergence is taken back from
the rest: S = F - div Φ has first derivatives only. How a mixed derivative is shared between A_jk and A_kj, and whether
the gradient of a field without second derivatives (a pressure) goes into the flux, is free inside the domain; on the
boundary it decides which condition is the natural one. So the shares follow from the conditions (`natural`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import numpy as np
import sympy as sp
from scipy.optimize import linear_sum_assignment

from kanpde.errors import ProblemError
from kanpde.expression import Parameter, Program
from kanpde.operator import DifferentialOperator, JetSymbol, JetVariable, real_twins
from kanpde.problem import Problem

Array = np.ndarray
# (equation, field, j, k) with j < k: the share of D_k(a D_j u), the rest being D_j(a D_k u);
# (equation, field, k, k): the share of the gradient of a pressure that goes into the flux.
Key = tuple[int, int, int, int]
Shares = Mapping[Key, float]


def unit(d: int, *axes: int) -> tuple[int, ...]:
    """The multi-index of the derivative along some axes."""
    return tuple(axes.count(k) for k in range(d))


@dataclass(frozen=True)
class Pairing:
    """Which field's test functions each equation is multiplied with.

    Attributes:
        field: of each equation.
        multipliers: fields without second derivatives, such as a pressure.
    """

    field: tuple[int, ...]
    multipliers: frozenset[int]

    def equation(self, field: int) -> int:
        """The equation of a field."""
        return self.field.index(field)


def paired(problem: Problem) -> Pairing:
    """Pair equations with fields: elliptic ones by their second derivatives, the others with the multipliers.

    Raises:
        ProblemError: not as many equations as fields, or equations that are not of second order.
    """
    operators, n = problem.operators, len(problem.fields)
    if len(operators) != n:
        raise ProblemError(
            f"{problem.name} has {len(operators)} equations for {n} unknowns; finite elements need as many."
        )
    if problem.order > 2:
        raise ProblemError(
            f"{problem.name} has derivatives of order {problem.order}; finite elements take up to second."
        )
    orders = np.array([[_order(o, c) for c in range(n)] for o in operators])
    elliptic = [i for i in range(n) if orders[i].max() == 2]
    smooth = [c for c in range(n) if orders[:, c].max() == 2]
    if len(elliptic) != len(smooth):
        raise ProblemError(
            f"{problem.name} has {len(elliptic)} equations of second order for {len(smooth)} unknowns with second "
            "derivatives; finite elements need one for each."
        )
    others = [i for i in range(n) if i not in elliptic]
    rest = [c for c in range(n) if c not in smooth]
    pairs = [*_assigned(orders, elliptic, smooth), *_assigned(orders, others, rest)]
    field = dict(pairs)
    return Pairing(tuple(field[i] for i in range(n)), frozenset(rest))


def _order(operator: DifferentialOperator, field: int) -> int:
    return max((sum(alpha) for alpha in operator.derivatives(field)), default=-1)


def _assigned(orders: Array, equations: list[int], fields: list[int]) -> list[tuple[int, int]]:
    """Highest orders first; among equals the equation and the field of the same rank."""
    if not equations:
        return []
    score = orders[np.ix_(equations, fields)].astype(float)
    near = -1e-3 * np.abs(np.subtract.outer(np.arange(len(equations)), np.arange(len(fields))))
    rows, columns = linear_sum_assignment(-(score + near))
    return [(equations[r], fields[c]) for r, c in zip(rows, columns, strict=True)]


def pressures(problem: Problem, pairing: Pairing) -> frozenset[int]:
    """Multipliers whose gradients enter equations of second order, and that their own equation does not contain."""
    found = set()
    for c in pairing.multipliers:
        own = problem.operators[pairing.equation(c)]
        firsts = [
            v for o in problem.operators if o.order == 2 for v in o.jet if v.unknown == c and sum(v.derivative) == 1
        ]
        if firsts and not own.derivatives(c) and own.order == 1:
            found.add(c)
    return frozenset(found)


def has_pressure(problem: Problem) -> bool:
    """Whether a stationary problem is a saddle point such as Stokes's, which differences on one grid cannot solve."""
    if problem.order != 2 or problem.domain.time is not None or len(problem.operators) != len(problem.fields):
        return False
    try:
        return bool(pressures(problem, paired(problem)))
    except ProblemError:
        return False


@dataclass(frozen=True, eq=False)
class WeakForm:
    """Flux and source of one equation, with their derivatives by the first-order jet.

    Attributes:
        number: of the equation.
        field: whose test functions it is multiplied with.
        operator: the normal form.
        space: positions of the spatial coordinates.
        flux: Φ_k for each of them.
        source: S.
        conormal: for each field the matrix A_kj, and the π_k of a pressure in the flux.
    """

    number: int
    field: int
    operator: DifferentialOperator
    space: tuple[int, ...]
    flux: tuple[sp.Expr, ...]
    source: sp.Expr
    conormal: Mapping[tuple[int, int, int], sp.Expr]

    @cached_property
    def jet(self) -> tuple[JetVariable, ...]:
        """Values and first derivatives that flux and source look at."""
        free = set().union(self.source.free_symbols, *(e.free_symbols for e in self.flux))
        return tuple(sorted(s.variable for s in free if isinstance(s, JetSymbol)))

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Unknown scalars."""
        return self.operator.parameters

    @cached_property
    def _symbols(self) -> dict[JetVariable, JetSymbol]:
        return _jet_symbols(self.operator, self.jet)

    @cached_property
    def program(self) -> Program:
        """(S, *Φ, then ∂S/∂jet, ∂Φ/∂jet, jet variable by jet variable) of coordinates, jet and parameters."""
        own = (self.source, *self.flux)
        twins = real_twins(self.operator.coordinates)
        back = {twin: s for s, twin in twins.items()}
        symbols = [self._symbols[v] for v in self.jet]
        slopes = [
            sp.diff(e.xreplace(twins), s).replace(sp.DiracDelta, _nothing).xreplace(back) for s in symbols for e in own
        ]
        arguments = (*self.operator.coordinates, *symbols, *self.operator.parameters)
        return Program.compile((*own, *slopes), arguments)


def _nothing(*_: object) -> sp.Expr:
    return sp.S.Zero


def _jet_symbols(
    operator: DifferentialOperator, variables: tuple[JetVariable, ...] | set[JetVariable]
) -> dict[JetVariable, JetSymbol]:
    """The operator's symbols, and new ones for derivatives that it does not look at."""
    known = dict(zip(operator.jet, operator.symbols, strict=True))
    return {v: known.get(v) or JetSymbol(f"jet {v.unknown} {v.derivative}", v) for v in variables}


def weak_form(problem: Problem, number: int, pairing: Pairing, shares: Shares) -> WeakForm:
    """The weak form of one equation.

    Raises:
        ProblemError: second derivatives that are multiplied with derivatives, or by each other.
    """
    operator = problem.operators[number]
    coordinates, space = operator.coordinates, problem.domain.space
    axes = tuple(coordinates.index(s) for s in space)
    d, n = len(coordinates), len(problem.fields)
    values = {JetVariable(c, unit(d)) for c in range(n)}
    firsts = {JetVariable(c, unit(d, a)) for c in range(n) for a in axes}
    symbols = _jet_symbols(operator, values | firsts)
    twins = real_twins(coordinates)
    back = {twin: s for s, twin in twins.items()}
    terms = _second_order(problem, number, axes)
    second = {s: sp.S.Zero for s, v in zip(operator.symbols, operator.jet, strict=True) if sum(v.derivative) > 1}
    source = cast(sp.Expr, operator.expression.xreplace(second))
    flux: list[sp.Expr] = [sp.S.Zero] * len(axes)
    conormal: dict[tuple[int, int, int], sp.Expr] = {}

    def total(expression: sp.Expr, axis: int) -> sp.Expr:
        """D_axis of a coefficient that depends on the coordinates and on values of the fields."""
        real = expression.xreplace(twins)
        result = sp.diff(real, twins[coordinates[axis]])
        for v in values:
            if symbols[v] in expression.free_symbols:
                result += sp.diff(real, symbols[v]) * symbols[JetVariable(v.unknown, unit(d, axis))]
        return cast(sp.Expr, result.replace(sp.DiracDelta, _nothing).xreplace(back))

    for (c, j, k), coefficient in terms.items():
        share = shares.get((number, c, j, k), 0.5)
        pieces = [(j, k, 1.0)] if j == k else [(j, k, share), (k, j, 1.0 - share)]
        for inner, outer, part in pieces:
            if part == 0.0:
                continue
            a = coefficient if part == 1.0 else _number(part) * coefficient
            slope = symbols[JetVariable(c, unit(d, axes[inner]))]
            flux[outer] += a * slope
            source -= total(a, axes[outer]) * slope
            conormal[c, outer, inner] = conormal.get((c, outer, inner), sp.S.Zero) + a
    for (c, k), coefficient in _gradients(problem, number, pairing, axes).items():
        part = shares.get((number, c, k, k), 0.0)
        if part:
            a, p = _number(part) * coefficient, symbols[JetVariable(c, unit(d))]
            flux[k] += a * p
            source -= a * symbols[JetVariable(c, unit(d, axes[k]))] + total(a, axes[k]) * p
            conormal[c, k, -1] = a
    source = cast(sp.Expr, sp.expand(source)) if source.count_ops() < 400 else source
    return WeakForm(number, pairing.field[number], operator, axes, tuple(flux), source, conormal)


def _number(part: float) -> sp.Expr:
    """A share that is a short fraction as one, so that terms cancel exactly."""
    short = sp.Rational(part).limit_denominator(64)
    return short if abs(float(short) - part) < 1e-12 else sp.Float(part)


def _second_order(problem: Problem, number: int, axes: tuple[int, ...]) -> dict[tuple[int, int, int], sp.Expr]:
    """(field, j, k) with j <= k -> coefficient of D_j D_k."""
    operator, terms = problem.operators[number], {}
    for v, gradient in zip(operator.jet, operator.gradient, strict=True):
        if sum(v.derivative) < 2:
            continue
        involved = {s.variable for s in gradient.free_symbols if isinstance(s, JetSymbol)}
        if any(sum(w.derivative) for w in involved):
            raise ProblemError(
                f"equation {number + 1} of {problem.name} multiplies second derivatives with derivatives; finite "
                "elements take coefficients of second derivatives that depend on the coordinates and on the unknowns."
            )
        along = [a for a, count in enumerate(v.derivative) for _ in range(count)]
        j, k = sorted(axes.index(a) for a in along)
        terms[v.unknown, j, k] = gradient
    return terms


def _gradients(
    problem: Problem, number: int, pairing: Pairing, axes: tuple[int, ...]
) -> dict[tuple[int, int], sp.Expr]:
    """(multiplier field, k) -> coefficient of its derivative, in an equation of second order."""
    operator = problem.operators[number]
    if operator.order < 2:
        return {}
    return {
        (v.unknown, axes.index(v.derivative.index(1))): gradient
        for v, gradient in zip(operator.jet, operator.gradient, strict=True)
        if v.unknown in pairing.multipliers and sum(v.derivative) == 1 and not _depends(gradient)
    }


def _depends(expression: sp.Expr) -> bool:
    return any(isinstance(s, JetSymbol) for s in expression.free_symbols)


def free_shares(problem: Problem, pairing: Pairing) -> dict[Key, tuple[float, sp.Expr]]:
    """Every share that the interior leaves open, with its default and the coefficient that it divides."""
    axes = tuple(problem.coordinates.index(s) for s in problem.domain.space)
    found: dict[Key, tuple[float, sp.Expr]] = {}
    for i in range(len(problem.operators)):
        for (c, j, k), a in _second_order(problem, i, axes).items():
            if j != k:
                found[i, c, j, k] = (0.5, a)
        for (c, k), a in _gradients(problem, i, pairing, axes).items():
            found[i, c, k, k] = (0.0, a)
    return found
