"""Conditions on the unknowns, as the user writes them and as everything else reads them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import sympy as sp
from sympy.core.function import AppliedUndef

from ..domain import Domain, Point, Region
from ..errors import ProblemError
from ..expression import as_expression
from ..operator import DifferentialOperator, JetVariable, Scope, compile_operator, normal_derivative

On = Region | Point | None


@dataclass(frozen=True)
class Dirichlet:
    """u = value on a region, the whole boundary unless told otherwise."""

    unknown: sp.Expr
    value: sp.Expr | float
    on: On = None


@dataclass(frozen=True)
class Neumann:
    """∂u/∂n = value on a part of the boundary."""

    unknown: sp.Expr
    value: sp.Expr | float
    on: On = None


@dataclass(frozen=True)
class Robin:
    """a u + b ∂u/∂n = g on a part of the boundary."""

    unknown: sp.Expr
    a: sp.Expr | float
    b: sp.Expr | float
    g: sp.Expr | float
    on: On = None


@dataclass(frozen=True)
class Condition:
    """Any equation on a region, the whole boundary unless told otherwise."""

    equation: sp.Basic
    on: On = None


@dataclass(frozen=True)
class Periodic:
    """u continues from the upper to the lower side of a spatial coordinate, with all its derivatives."""

    unknown: sp.Expr
    coordinate: sp.Symbol


@dataclass(frozen=True)
class Initial:
    """u, or a time derivative such as u.diff(t), has a value at the first instant."""

    target: sp.Expr
    value: sp.Expr | float


AnyCondition = Dirichlet | Neumann | Robin | Condition | Periodic | Initial


@dataclass(frozen=True)
class CompiledCondition:
    """A condition as everything else reads it.

    Attributes:
        kind: "dirichlet", "neumann", "robin", "initial", "periodic", or "condition" for anything else.
        region: where it holds; for a periodic one both sides.
        operator: its normal form, None for a periodic one, which pairs two sides.
        target: the derivative that a Dirichlet or an initial condition prescribes, D^0 u for a periodic one.
        value: what the target must equal, an expression of the coordinates.
        axis: the position of the coordinate of a periodic one.
        label: how messages and texts name it.
    """

    kind: str
    region: Region
    operator: DifferentialOperator | None
    label: str
    target: JetVariable | None = None
    value: sp.Expr | None = None
    axis: int | None = None

    @property
    def unknowns(self) -> frozenset[int]:
        """The unknowns that it constrains."""
        jet = () if self.operator is None else self.operator.jet
        return frozenset(v.unknown for v in (*jet, *(() if self.target is None else (self.target,))))

    @property
    def text(self) -> str:
        """Canonical text for signatures: what must hold where, however it was written."""
        form = self.label if self.operator is None else self.operator.text
        return json.dumps([form, self.region.text])

    def __str__(self) -> str:
        return self.label if self.operator is None else f"{self.operator} on {self.region.name}"


@dataclass(frozen=True)
class Context:
    """What conditions are compiled in: the domain and the unknowns of the equations."""

    domain: Domain
    unknowns: tuple[AppliedUndef, ...]

    def compile(self, condition: object) -> CompiledCondition:
        """Compile one condition.

        Raises:
            ProblemError: not a condition, an unknown that no equation has, a region of another domain or an empty one.
        """
        if isinstance(condition, CompiledCondition):
            return condition
        for kind, run in _COMPILERS.items():
            if isinstance(condition, kind):
                return run(self, condition)
        raise ProblemError(
            f"{condition!r} is not a condition; use Dirichlet, Neumann, Robin, Condition, Periodic or Initial."
        )

    def index(self, unknown: object, label: str) -> int:
        """Return the number of an unknown."""
        if unknown in self.unknowns:
            return self.unknowns.index(cast(AppliedUndef, unknown))
        names = ", ".join(map(str, self.unknowns))
        raise ProblemError(f"{label} names {unknown}, but the unknowns of the equations are {names}.")

    def region(self, on: object, label: str) -> Region:
        """Return the region that `on=` names, as one of the problem's domain."""
        if on is None:
            return self.domain.boundary
        if isinstance(on, Point):
            return self.domain.at(on)
        if not isinstance(on, Region):
            raise ProblemError(
                f"{label}: on={on!r} is not a region; use domain.boundary, box.lower(x), .where(...) or Point."
            )
        region = self.domain.adopt(on)
        if not region.pieces():
            raise ProblemError(f"{label}: the region {on.name} is empty; check its predicate.")
        return region

    def value(self, value: object, label: str) -> sp.Expr:
        """Return a prescribed value, which must not contain unknowns."""
        expression = as_expression(value)
        if expression.atoms(AppliedUndef):
            raise ProblemError(
                f"{label}: the value {expression} contains an unknown; use Condition(sp.Eq(left, right), on=...)."
            )
        return cast(sp.Expr, expression)

    def operator(self, equation: object, region: Region, label: str) -> DifferentialOperator:
        """Compile the equation of a condition."""
        on_boundary = all(piece.normal is not None for piece in region.pieces())
        scope = Scope(self.domain.coordinates, self.domain.space, self.unknowns, on_boundary, label)
        return compile_operator(equation, scope)


def _dirichlet(context: Context, condition: Dirichlet) -> CompiledCondition:
    label = f"Dirichlet({condition.unknown}, {condition.value})"
    target = JetVariable(context.index(condition.unknown, label), (0,) * context.domain.dimension)
    region, value = context.region(condition.on, label), context.value(condition.value, label)
    operator = context.operator(condition.unknown - value, region, label)
    return CompiledCondition("dirichlet", region, operator, label, target, value)


def _neumann(context: Context, condition: Neumann) -> CompiledCondition:
    label = f"Neumann({condition.unknown}, {condition.value})"
    context.index(condition.unknown, label)
    region, value = context.region(condition.on, label), context.value(condition.value, label)
    operator = context.operator(normal_derivative(condition.unknown) - value, region, label)
    return CompiledCondition("neumann", region, operator, label)


def _robin(context: Context, condition: Robin) -> CompiledCondition:
    label = f"Robin({condition.unknown}, {condition.a}, {condition.b}, {condition.g})"
    context.index(condition.unknown, label)
    region = context.region(condition.on, label)
    a, b, g = (context.value(part, label) for part in (condition.a, condition.b, condition.g))
    operator = context.operator(a * condition.unknown + b * normal_derivative(condition.unknown) - g, region, label)
    return CompiledCondition("robin", region, operator, label)


def _general(context: Context, condition: Condition) -> CompiledCondition:
    label = f"Condition({condition.equation})"
    region = context.region(condition.on, label)
    operator = context.operator(condition.equation, region, label)
    if not operator.jet:
        raise ProblemError(f"{label} contains no unknown; it constrains nothing.")
    return _recognised(CompiledCondition("condition", region, operator, label))


def _recognised(condition: CompiledCondition) -> CompiledCondition:
    """Return Condition(Eq(u, g)) as what it is, a Dirichlet condition, so that it can be imposed exactly."""
    operator = cast(DifferentialOperator, condition.operator)
    whole = operator.order == 0 and len(operator.jet) == 1 and operator.gradient[0].is_number
    if not whole or condition.region.pieces()[0].normal is None or operator.parameters or operator.normal:
        return condition
    value = cast(sp.Expr, -operator.source / operator.gradient[0])
    return CompiledCondition("dirichlet", condition.region, operator, condition.label, operator.jet[0], value)


def _periodic(context: Context, condition: Periodic) -> CompiledCondition:
    label = f"Periodic({condition.unknown}, {condition.coordinate})"
    target = JetVariable(context.index(condition.unknown, label), (0,) * context.domain.dimension)
    region = context.domain.lower(condition.coordinate) | context.domain.upper(condition.coordinate)
    axis = context.domain.coordinates.index(condition.coordinate)
    return CompiledCondition("periodic", region, None, label, target, axis=axis)


def _initial(context: Context, condition: Initial) -> CompiledCondition:
    label = f"Initial({condition.target}, {condition.value})"
    time, value = context.domain.time, context.value(condition.value, label)
    if time is None:
        raise ProblemError(f"{label} needs a domain with time; make it box * Time(t, (0, 1)).")
    operator = context.operator(cast(Any, as_expression(condition.target)) - value, context.domain.initial, label)
    axis = context.domain.coordinates.index(time)
    target = operator.jet[0] if len(operator.jet) == 1 else None
    if target is None or sum(target.derivative) != target.derivative[axis] or operator.gradient != (sp.S.One,):
        raise ProblemError(
            f"{label} must prescribe an unknown or its time derivative, such as Initial(u.diff({time}), 0)."
        )
    return CompiledCondition("initial", context.domain.initial, operator, label, target, value)


_COMPILERS: dict[type, Callable[[Context, Any], CompiledCondition]] = {
    Dirichlet: _dirichlet,
    Neumann: _neumann,
    Robin: _robin,
    Condition: _general,
    Periodic: _periodic,
    Initial: _initial,
}
