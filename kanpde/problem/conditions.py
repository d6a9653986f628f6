"""Conditions on the unknowns, as the user writes them and as everything else reads them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, cast

import numpy as np
import sympy as sp
from sympy.core.function import AppliedUndef

from ..domain import Domain, Point, Product, Region
from ..errors import ProblemError
from ..expression import Eigenvalue, as_expression
from ..operator import (
    DifferentialOperator,
    JetVariable,
    Scope,
    compile_operator,
    compile_operators,
    normal_derivative,
    operator_of,
    split_complex,
)
from ..operator.vector import Gradient, Laplacian, NormalDerivative
from .fields import Fields, is_complex
from .materials import Materials, conormal, pairs
from .measurements import Data, checked_data

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


@dataclass(frozen=True)
class Integral:
    """The integral of an expression over the domain, or over a region, equals a value, at each time if there is one."""

    expression: sp.Expr
    value: sp.Expr | float
    on: On = None


@dataclass(frozen=True, eq=False)
class Observations:
    """An unknown, or an expression of the unknowns, was measured at points.

    Args:
        target: what was measured, such as `u` or `u.diff(x)`.
        points: (n, d), in the order of the coordinates of the domain.
        values: (n,).
        sigma: standard error of the values, a number or (n,).
    """

    target: sp.Expr
    points: Any
    values: Any
    sigma: Any = None


AnyCondition = Dirichlet | Neumann | Robin | Condition | Periodic | Initial | Integral | Observations


@dataclass(frozen=True)
class CompiledCondition:
    """A condition as everything else reads it.

    Attributes:
        kind: "dirichlet", "neumann", "robin", "initial", "periodic", "integral" (of the operator's F), "observations",
            "interface" between materials, or "condition" for anything else.
        region: where it holds; for a periodic one both sides.
        operator: its normal form, None for a periodic one, which pairs two sides.
        target: the derivative that a Dirichlet or an initial condition prescribes, D^0 u for a periodic one.
        value: what the target must equal, an expression of the coordinates.
        axis: the position of the coordinate of a periodic one.
        data: what was measured, for observations.
        label: how messages and texts name it.
    """

    kind: str
    region: Region
    operator: DifferentialOperator | None
    label: str
    target: JetVariable | None = None
    value: sp.Expr | None = None
    axis: int | None = None
    data: Data | None = None

    @property
    def unknowns(self) -> frozenset[int]:
        """The unknowns that it constrains."""
        jet = () if self.operator is None else self.operator.jet
        return frozenset(v.unknown for v in (*jet, *(() if self.target is None else (self.target,))))

    @property
    def text(self) -> str:
        """Canonical text for signatures: what must hold where, however it was written."""
        form = self.label if self.operator is None else self.operator.text
        extra = [] if self.kind != "integral" else [str(self.value)]
        extra += [] if self.data is None else [self.data.text]
        return json.dumps([form, self.region.text, *extra])

    def __str__(self) -> str:
        if self.operator is None or self.kind in ("integral", "observations"):
            return self.label
        return f"{self.operator} on {self.region.name}"


@dataclass(frozen=True)
class Context:
    """What conditions are compiled in.

    Attributes:
        domain: of the problem.
        unknowns: those of the equations.
        cells: the materials, None where there is but one.
        material: the one that is spoken of; None for all of them.
    """

    domain: Domain
    unknowns: tuple[AppliedUndef, ...]
    cells: Materials | None = None
    material: int | None = None

    @cached_property
    def layout(self) -> Fields:
        """The real fields behind the unknowns."""
        predicates = () if self.cells is None else self.cells.predicates
        return Fields.of(self.unknowns, self.domain.coordinates, predicates).within(self.material or 0)

    def each(self) -> list[Context]:
        """Return the context of each material; where there is but one, this context."""
        if self.cells is None:
            return [self]
        return [replace(self, material=k) for k in range(len(self.cells.predicates))]

    def compile(self, condition: object) -> tuple[CompiledCondition, ...]:
        """Compile one condition; one on a complex unknown gives two, and one in each material.

        Raises:
            ProblemError: not a condition, an unknown that no equation has, a region of another domain or an empty one.
        """
        if isinstance(condition, CompiledCondition):
            return (condition,)
        for kind, run in _COMPILERS.items():
            if isinstance(condition, kind):
                contexts = [self] if isinstance(condition, Integral) else self.each()
                return tuple(made for context in contexts for made in run(context, condition))
        raise ProblemError(
            f"{condition!r} is not a condition; use Dirichlet, Neumann, Robin, Condition, Periodic, Initial, Integral "
            "or Observations."
        )

    def scope(self, label: str, on_boundary: bool = False) -> Scope:
        """Return what an equation may speak about."""
        substitution = tuple(self.layout.substitution.items())
        return Scope(self.domain.coordinates, self.domain.space, self.layout.fields, on_boundary, label, substitution)

    def parts(self, unknown: object, value: sp.Expr, label: str) -> list[tuple[int, sp.Expr]]:
        """Return the position of each field of an unknown, with its part of a value."""
        self.index(unknown, label)
        owner = cast(AppliedUndef, unknown)
        positions = self.layout.parts[self.unknowns.index(owner)]
        return list(zip(positions, self.layout.split_value(owner, value), strict=True))

    def index(self, unknown: object, label: str) -> int:
        """Return the number of an unknown."""
        if unknown in self.unknowns:
            return self.unknowns.index(cast(AppliedUndef, unknown))
        names = ", ".join(map(str, self.unknowns))
        raise ProblemError(f"{label} names {unknown}, but the unknowns of the equations are {names}.")

    def region(self, on: object, label: str) -> Region:
        """Return the region that `on=` names, as one of the problem's domain."""
        if on is None:
            return self.within(self.domain.boundary)
        if isinstance(on, Point):
            return self.within(self.domain.at(on))
        if not isinstance(on, Region):
            raise ProblemError(
                f"{label}: on={on!r} is not a region; use domain.boundary, box.lower(x), .where(...) or Point."
            )
        region = self.domain.adopt(on)
        if not region.pieces():
            raise ProblemError(f"{label}: the region {on.name} is empty; check its predicate.")
        return self.within(region)

    def within(self, region: Region) -> Region:
        """Return the part of a region that lies in the material."""
        if self.cells is None or self.material is None:
            return region
        return self.cells.region(self.material, region)

    def resolved(self, expression: sp.Basic) -> sp.Basic:
        """Return an expression as it is in the material."""
        if self.cells is None or self.material is None:
            return expression
        return self.cells.resolved(expression, self.material)

    def value(self, value: object, label: str) -> sp.Expr:
        """Return a prescribed value, which must not contain unknowns."""
        expression = as_expression(value)
        if expression.atoms(AppliedUndef):
            raise ProblemError(
                f"{label}: the value {expression} contains an unknown; use Condition(sp.Eq(left, right), on=...)."
            )
        return cast(sp.Expr, self.resolved(expression))

    def operator(self, equation: object, region: Region, label: str) -> DifferentialOperator:
        """Compile the equation of a condition that is real."""
        return compile_operator(equation, self.scope(label, _on_boundary(region)))

    def operators(self, equation: object, region: Region, label: str) -> tuple[DifferentialOperator, ...]:
        """Compile the equation of a condition; where no material is chosen, the one that is there at each point."""
        if self.cells is not None and self.material is None:
            return self._joined(equation, region, label)
        return compile_operators(self.resolved(as_expression(equation)), self.scope(label, _on_boundary(region)))

    def _joined(self, equation: object, region: Region, label: str) -> tuple[DifferentialOperator, ...]:
        assert self.cells is not None
        own = [context.operators(equation, region, label) for context in self.each()]
        scope = self.scope(label, _on_boundary(region))
        predicates = (*self.cells.predicates[:-1], sp.true)
        return tuple(
            operator_of(
                cast(sp.Expr, sp.Piecewise(*((o.expression, p) for o, p in zip(row, predicates, strict=True)))), scope
            )
            for row in zip(*own, strict=True)
        )


def _on_boundary(region: Region) -> bool:
    return all(piece.normal is not None for piece in region.pieces())


def _dirichlet(context: Context, condition: Dirichlet) -> tuple[CompiledCondition, ...]:
    label = f"Dirichlet({condition.unknown}, {condition.value})"
    parts = context.parts(condition.unknown, context.value(condition.value, label), label)
    region, zero, made = context.region(condition.on, label), (0,) * context.domain.dimension, []
    for k, value in parts if region.pieces() else ():
        operator = context.operator(context.layout.fields[k] - value, region, label)
        made.append(CompiledCondition("dirichlet", region, operator, label, JetVariable(k, zero), value))
    return tuple(made)


def _neumann(context: Context, condition: Neumann) -> tuple[CompiledCondition, ...]:
    label = f"Neumann({condition.unknown}, {condition.value})"
    parts = context.parts(condition.unknown, context.value(condition.value, label), label)
    region = context.region(condition.on, label)
    if not region.pieces():
        return ()
    operators = [context.operator(normal_derivative(context.layout.fields[k]) - v, region, label) for k, v in parts]
    return tuple(CompiledCondition("neumann", region, operator, label) for operator in operators)


def _robin(context: Context, condition: Robin) -> tuple[CompiledCondition, ...]:
    label = f"Robin({condition.unknown}, {condition.a}, {condition.b}, {condition.g})"
    context.index(condition.unknown, label)
    region = context.region(condition.on, label)
    if not region.pieces():
        return ()
    a, b, g = (context.value(part, label) for part in (condition.a, condition.b, condition.g))
    equation = a * condition.unknown + b * normal_derivative(condition.unknown) - g
    operators = context.operators(equation, region, label)
    return tuple(CompiledCondition("robin", region, operator, label) for operator in operators)


def _general(context: Context, condition: Condition) -> tuple[CompiledCondition, ...]:
    label = f"Condition({condition.equation})"
    region = context.region(condition.on, label)
    if not region.pieces():
        return ()
    operators = context.operators(condition.equation, region, label)
    if not any(operator.jet for operator in operators):
        raise ProblemError(f"{label} contains no unknown; it constrains nothing.")
    made = [CompiledCondition("condition", region, operator, label) for operator in operators if operator.jet]
    return tuple(map(_recognised, made))


def _recognised(condition: CompiledCondition) -> CompiledCondition:
    """Return Condition(Eq(u, g)) as what it is, a Dirichlet condition, so that it can be imposed exactly."""
    operator = cast(DifferentialOperator, condition.operator)
    whole = operator.order == 0 and len(operator.jet) == 1 and operator.gradient[0].is_number
    if not whole or condition.region.pieces()[0].normal is None or operator.parameters or operator.normal:
        return condition
    value = cast(sp.Expr, -operator.source / operator.gradient[0])
    return CompiledCondition("dirichlet", condition.region, operator, condition.label, operator.jet[0], value)


def _periodic(context: Context, condition: Periodic) -> tuple[CompiledCondition, ...]:
    label = f"Periodic({condition.unknown}, {condition.coordinate})"
    parts = context.parts(condition.unknown, sp.S.Zero, label)
    sides = [
        context.within(s)
        for s in (context.domain.lower(condition.coordinate), context.domain.upper(condition.coordinate))
    ]
    if len({bool(side.pieces()) for side in sides}) > 1:
        raise ProblemError(f"{label}: the materials differ on the two sides; let them be periodic, too.")
    region = sides[0] | sides[1]
    if not region.pieces():
        return ()
    axis, zero = context.domain.coordinates.index(condition.coordinate), (0,) * context.domain.dimension
    return tuple(CompiledCondition("periodic", region, None, label, JetVariable(k, zero), axis=axis) for k, _ in parts)


def _initial(context: Context, condition: Initial) -> tuple[CompiledCondition, ...]:
    label = f"Initial({condition.target}, {condition.value})"
    time, value = context.domain.time, context.value(condition.value, label)
    if time is None:
        raise ProblemError(f"{label} needs a domain with time; make it box * Time(t, (0, 1)).")
    equation = cast(Any, as_expression(condition.target)) - value
    axis, made, start = context.domain.coordinates.index(time), [], context.within(context.domain.initial)
    for operator in context.operators(equation, start, label):
        target = operator.jet[0] if len(operator.jet) == 1 else None
        if target is None or sum(target.derivative) != target.derivative[axis] or operator.gradient != (sp.S.One,):
            raise ProblemError(
                f"{label} must prescribe an unknown or its time derivative, such as Initial(u.diff({time}), 0)."
            )
        own = cast(sp.Expr, -operator.source)
        made.append(CompiledCondition("initial", start, operator, label, target, own))
    return tuple(made)


def _integral(context: Context, condition: Integral) -> tuple[CompiledCondition, ...]:
    label = f"Integral({condition.expression}, {condition.value})"
    region = context.domain.interior if condition.on is None else context.region(condition.on, label)
    value = context.value(condition.value, label)
    free = value.free_symbols & set(context.domain.space)
    if free:
        raise ProblemError(f"{label}: the value depends on {free.pop()}, over which is integrated; give a number.")
    operators = context.operators(condition.expression, region, label)
    if not any(operator.jet for operator in operators):
        raise ProblemError(f"{label} contains no unknown; it constrains nothing.")
    values = split_complex(value, context.domain.coordinates)
    pairs = zip(operators, values, strict=False)
    return tuple(CompiledCondition("integral", region, operator, label, value=own) for operator, own in pairs)


def _observations(context: Context, condition: Observations) -> tuple[CompiledCondition, ...]:
    label = f"Observations({condition.target})"
    data = checked_data(condition.points, condition.values, condition.sigma, context.domain, label)
    if context.material is not None:
        data = data.chosen(context.layout.number(data.points) == context.material)
    if not len(data.points):
        return ()
    operators = context.operators(condition.target, context.domain.interior, label)
    if not any(operator.jet for operator in operators):
        raise ProblemError(f"{label} contains no unknown; observe an unknown or an expression of the unknowns.")
    if np.iscomplexobj(data.values) and len(operators) == 1:
        raise ProblemError(f"{label}: complex values of a real unknown; give their real part, or a complex_unknown.")
    parts = [data.values.real, data.values.imag][: len(operators)]
    pairs = zip(operators, parts, strict=True)
    return tuple(
        CompiledCondition(
            "observations", context.domain.interior, operator, label, data=Data(data.points, values, data.sigma)
        )
        for operator, values in pairs
    )


def normalisations(
    context: Context, operators: Sequence[DifferentialOperator], conditions: Sequence[CompiledCondition]
) -> tuple[CompiledCondition, ...]:
    """What an eigenvalue problem implies: the mean square of the unknowns is one, unless an integral says otherwise."""
    eigenvalues = {p for operator in operators for p in operator.parameters if isinstance(p, Eigenvalue)}
    if not eigenvalues or any(c.kind == "integral" and not _linear(c) for c in conditions):
        return ()
    squares = sp.Add(*(sp.Abs(u) ** 2 if is_complex(u) else u**2 for u in context.unknowns))
    factor = context.domain.factor if isinstance(context.domain, Product) else context.domain
    return _integral(context, Integral(squares, sp.Float(factor.measure)))


def _linear(condition: CompiledCondition) -> bool:
    return condition.operator is not None and condition.operator.is_linear


def interface_conditions(context: Context, equations: Sequence[object]) -> list[CompiledCondition]:
    """Where two materials meet: the unknowns and the fluxes are continuous."""
    if context.cells is None:
        return []
    contexts, space = context.each(), context.domain.space
    fluxes = [conormal(e, space) for e in equations]
    kept = [u for u in context.unknowns if _is_continuous(context, u, equations, fluxes)]
    made = []
    for k, m, region in pairs(context.cells):
        sides = (contexts[k], contexts[m])
        jumps = [(f"the jump of {u} at {region.name}", u) for u in kept]
        jumps += [(f"the jump of flux {i} at {region.name}", f) for i, f in enumerate(fluxes, 1) if f != 0]
        for label, expression in jumps:
            one, two = (c.resolved(expression).xreplace(c.layout.substitution) for c in sides)
            operators = compile_operators(one - two, context.scope(label, on_boundary=True))
            made += [CompiledCondition("interface", region, o, label) for o in operators if o.jet]
    return made


def _is_continuous(
    context: Context, unknown: AppliedUndef, equations: Sequence[object], fluxes: Sequence[sp.Expr]
) -> bool:
    """Whether an unknown cannot jump: it has second derivatives, or first ones without being a flux itself."""
    inside = [context.each()[0].operators(e, context.domain.interior, "the equation") for e in equations]
    fields = context.each()[0].layout.parts[context.unknowns.index(unknown)]
    axes = range(len(context.domain.space))
    order = max(o.order_in(axis, k) for group in inside for o in group for axis in axes for k in fields)
    if order > 2:
        raise ProblemError(f"{unknown} has derivatives of order {order}; materials that jump are for second order.")
    bare = any(unknown in _undifferentiated(flux) for flux in fluxes)
    return order == 2 or (order == 1 and not bare)


def _undifferentiated(expression: sp.Basic) -> set[sp.Basic]:
    """The unknowns that occur outside of all derivatives."""
    if isinstance(expression, sp.Derivative | Gradient | Laplacian | NormalDerivative):
        return set()
    if isinstance(expression, AppliedUndef):
        return {expression}
    return set().union(*map(_undifferentiated, expression.args))


_COMPILERS: dict[type, Callable[[Context, Any], tuple[CompiledCondition, ...]]] = {
    Dirichlet: _dirichlet,
    Neumann: _neumann,
    Robin: _robin,
    Condition: _general,
    Periodic: _periodic,
    Initial: _initial,
    Integral: _integral,
    Observations: _observations,
}
