"""From conditions as the user writes them to normal forms, in the context of one material."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import sympy as sp

from ..errors import ProblemError
from ..expression import as_expression
from ..operator import DifferentialOperator, JetVariable, normal_derivative, split_complex
from .conditions import (
    CompiledCondition,
    Condition,
    Dirichlet,
    Initial,
    Integral,
    Neumann,
    Observations,
    Periodic,
    Robin,
)
from .context import Context
from .measurements import Data, checked_data


def compile_condition(context: Context, condition: object) -> tuple[CompiledCondition, ...]:
    """Compile one condition; one on a complex unknown gives two, and one in each material.

    Raises:
        ProblemError: not a condition, an unknown that no equation has, a region of another domain or an empty one.
    """
    if isinstance(condition, CompiledCondition):
        return (condition,)
    for kind, run in _COMPILERS.items():
        if isinstance(condition, kind):
            contexts = [context] if isinstance(condition, Integral) else context.each()
            return tuple(made for own in contexts for made in run(own, condition))
    raise ProblemError(
        f"{condition!r} is not a condition; use Dirichlet, Neumann, Robin, Condition, Periodic, Initial, Integral "
        "or Observations."
    )


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
    if len(operators) == 1 and values[1] != 0:
        raise ProblemError(f"{label}: the expression is real and the value is not; give a real value.")
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
