"""Conditions that nobody writes: the size of eigenfunctions, and continuity where materials meet."""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp
from sympy.core.function import AppliedUndef

from ..domain import Product
from ..errors import ProblemError
from ..expression import Eigenvalue, UnknownFieldFunction
from ..operator import DifferentialOperator, compile_operators
from ..operator.vector import Gradient, Laplacian, NormalDerivative
from .compiling import compile_condition
from .conditions import CompiledCondition, Integral
from .context import Context
from .fields import is_complex
from .materials import conormal, pairs


def normalisations(
    context: Context, operators: Sequence[DifferentialOperator], conditions: Sequence[CompiledCondition]
) -> tuple[CompiledCondition, ...]:
    """What an eigenvalue problem implies: the mean square of the unknowns is one, unless an integral says otherwise."""
    eigenvalues = {p for operator in operators for p in operator.parameters if isinstance(p, Eigenvalue)}
    if not eigenvalues or any(c.kind == "integral" and not _linear(c) for c in conditions):
        return ()
    modes = [u for u in context.unknowns if not isinstance(u, UnknownFieldFunction)]
    squares = sp.Add(*(sp.Abs(u) ** 2 if is_complex(u) else u**2 for u in modes))
    factor = context.domain.factor if isinstance(context.domain, Product) else context.domain
    return compile_condition(context, Integral(squares, sp.Float(factor.measure)))


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
