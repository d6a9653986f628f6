"""The problem: mathematics only, frozen, validated at the door, and signed."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

import numpy as np
import sympy as sp
from sympy.core.function import AppliedUndef

from ..domain import Domain, Region
from ..errors import ProblemError, ProblemWarning
from ..expression import Parameter, Program, UnknownFieldFunction, as_expression
from ..operator import DifferentialOperator, JetVariable, Scope, real_twins, unknowns_of
from .checks import check
from .compiling import compile_condition
from .conditions import AnyCondition, CompiledCondition
from .context import Context
from .fields import Fields
from .implied import interface_conditions, normalisations
from .materials import materials_of, with_branches


@dataclass(frozen=True)
class NormalForms:
    """Compiled equations of a problem that was read from a file, with what they were compiled in."""

    operators: tuple[DifferentialOperator, ...]
    context: Context

    @property
    def labelled(self) -> list[tuple[DifferentialOperator, str]]:
        """The normal forms with their numbers."""
        return [(operator, f"equation {i}") for i, operator in enumerate(self.operators, 1)]


@dataclass(frozen=True, eq=False, repr=False)
class Problem:
    """Equations for unknown functions on a domain, with conditions.

    Example:
        >>> from kanpde.domain import Box
        >>> from kanpde.operator import laplacian
        >>> from kanpde.problem import Dirichlet
        >>> x, y = sp.symbols("x y", real=True)
        >>> u = sp.Function("u")(x, y)
        >>> Problem(Box({x: (-1, 1), y: (-1, 1)}), sp.Eq(laplacian(u), 1), Dirichlet(u, 0), name="membrane")
        Problem('membrane': u(x, y); 1 equation, 1 condition)

    Attributes:
        domain: where the equations hold.
        equations: one `sp.Eq` or expression that vanishes, or a list of them; stored as a tuple. Those of a problem
            that was read from a file are normal forms.
        conditions: one or a list; stored compiled. A problem without conditions has `()`.
        exact: the solution, if it is known: one expression of the coordinates for each unknown.
        name: names files and tables.
        unknowns: the applied functions that occur in the equations, sorted by name: the columns of a solution.
        operators: the normal forms of the equations, in their order.
        labels: what messages call them.
        stated: the conditions as they were given.
        context: what further expressions of the unknowns are compiled in.

    Raises:
        ProblemError: the problem is malformed or cannot have one solution; the message says why and what to do.
    """

    domain: Domain
    equations: Any
    conditions: Any = ()
    exact: Mapping[Any, Any] | None = None
    name: str = "problem"
    unknowns: tuple[AppliedUndef, ...] = field(init=False)
    operators: tuple[DifferentialOperator, ...] = field(init=False)
    context: Context = field(init=False)
    labels: tuple[str, ...] = field(init=False)
    stated: tuple[object, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Compile and check."""
        if not isinstance(self.domain, Domain):
            raise ProblemError(
                f"the domain is {self.domain!r}; use a domain such as Box({{x: (-1, 1)}}), times Time if needed."
            )
        equations = tuple(map(with_branches, _listed(self.equations)))
        self._set(equations=equations)
        done = next((e for e in equations if isinstance(e, NormalForms)), None)
        unknowns = _unknowns(equations if done is None else done.context.unknowns, self.domain)
        context = done.context if done else Context(self.domain, unknowns, materials_of(equations, self.domain))
        self._set(unknowns=unknowns, context=context)
        found = done.labelled if done else self._compiled(equations, context)
        self._set(operators=tuple(o for o, _ in found), labels=tuple(label for _, label in found))
        self._set(stated=_listed(self.conditions))
        conditions = [made for c in self.stated for made in compile_condition(context, c)]
        if not done and not any(c.kind == "interface" for c in conditions):
            conditions += interface_conditions(context, equations)
        self._set(exact=self._checked_exact())
        self._set(conditions=(*conditions, *normalisations(context, self.operators, conditions)))
        # What a file holds was checked when it was made, and some of it may be code that is not here.
        for message in () if done else check(self):
            warnings.warn(f"{self.name}: {message}", ProblemWarning, stacklevel=3)

    def _set(self, **values: object) -> None:
        for key, value in values.items():
            object.__setattr__(self, key, value)

    def _compiled(self, equations: Sequence[object], context: Context) -> list[tuple[DifferentialOperator, str]]:
        """The normal forms of all equations, in each material, and what messages call them."""
        found = []
        for own in context.each():
            for i, equation in enumerate(equations, 1):
                label = f"equation {i}" if own.material is None else f"equation {i} in material {own.material + 1}"
                found += [(operator, label) for operator in self._operators(equation, own, label)]
        return found

    def _operators(self, equation: object, context: Context, label: str) -> tuple[DifferentialOperator, ...]:
        if isinstance(equation, DifferentialOperator):
            return (equation,)
        operators = context.operators(equation, self.domain.interior, label)
        if not any(operator.jet for operator in operators):
            raise ProblemError(f"{label} contains no unknown: it cancels out; check both sides.")
        return tuple(operator for operator in operators if operator.jet)

    def _checked_exact(self) -> dict[AppliedUndef, sp.Expr] | None:
        if self.exact is None:
            return None
        for unknown in self.exact:
            self.context.index(unknown, "exact")
        missing = [str(u) for u in self.unknowns if u not in self.exact]
        if missing:
            raise ProblemError(f"exact lacks {', '.join(missing)}; give every unknown, or leave exact out.")
        return {u: _of_coordinates(self.exact[u], self.domain, f"exact[{u}]") for u in self.unknowns}

    def scope(self, label: str) -> Scope:
        """Return what an equation in the interior may speak about."""
        return self.context.scope(label)

    @property
    def layout(self) -> Fields:
        """The real fields behind the unknowns."""
        return self.context.layout

    @property
    def coordinates(self) -> tuple[sp.Symbol, ...]:
        """Space, time, parameters of a family: the columns of points."""
        return self.domain.coordinates

    @property
    def fields(self) -> tuple[AppliedUndef, ...]:
        """The real, smooth functions that numerics solves for; `readout` makes the unknowns of them."""
        return self.layout.fields

    @property
    def coefficients(self) -> tuple[int, ...]:
        """The positions of fields that are unknown coefficients, made by `UnknownField`."""
        return tuple(k for k, f in enumerate(self.fields) if isinstance(f, UnknownFieldFunction))

    @cached_property
    def regions(self) -> tuple[Region, ...]:
        """Where each equation holds."""
        whole = self.domain.interior
        if self.context.cells is None:
            return (whole,) * len(self.operators)
        parts = [self.context.cells.region(k, whole) for k in range(len(self.context.cells.predicates))]
        return tuple(parts[self.layout.material_of(operator.jet[0].unknown)] for operator in self.operators)

    def readout(self, points: np.ndarray, values: np.ndarray) -> np.ndarray:
        """The unknowns (n, c) at points (n, d) from values of the fields (n, m); complex where an unknown is."""
        return self.layout.values(points, values)

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """The unknown scalars, sorted by name."""
        operators = (*self.operators, *(c.operator for c in self.conditions if c.operator is not None))
        return tuple(sorted({p for operator in operators for p in operator.parameters}, key=lambda p: p.name))

    @property
    def order(self) -> int:
        """The largest order of a derivative in the equations."""
        return max(operator.order for operator in self.operators)

    @property
    def is_linear(self) -> bool:
        """Whether all equations and conditions are affine in the unknowns."""
        conditions = cast("tuple[CompiledCondition, ...]", self.conditions)
        return all(o.is_linear for o in (*self.operators, *(c.operator for c in conditions if c.operator is not None)))

    @cached_property
    def exact_fields(self) -> tuple[sp.Expr, ...]:
        """The exact solution field by field."""
        assert self.exact is not None
        found: dict[int, sp.Expr] = {}
        for context in self.context.each():
            for unknown in self.unknowns:
                value = cast(sp.Expr, context.resolved(self.exact[unknown]))
                found |= dict(context.parts(unknown, value, "exact"))
        return tuple(found[k] for k in range(len(self.fields)))

    def exact_program(self, variables: Sequence[JetVariable]) -> Program:
        """Return the derivatives of the exact solution as a program of the coordinates.

        Raises:
            ProblemError: the problem has no exact solution.
        """
        if self.exact is None:
            raise ProblemError(f"{self.name} has no exact solution; give exact={{u: expression}}.")
        twins = real_twins(self.coordinates)
        exact = [e.xreplace(twins) for e in self.exact_fields]
        derivatives = [_differentiated(exact[v.unknown], tuple(twins.values()), v.derivative) for v in variables]
        return Program.compile(derivatives, tuple(twins.values()))

    def exact_jet(self, points: np.ndarray, variables: Sequence[JetVariable]) -> np.ndarray:
        """Return derivatives of the exact solution at points (n, d), as (len(variables), n)."""
        values = self.exact_program(variables)(list(points.T), np)
        return np.stack(values) if values else np.zeros((0, len(points)))

    def exact_values(self, points: np.ndarray) -> np.ndarray:
        """Return the exact unknowns at points (n, d), as (n, c); complex where an unknown is."""
        zero = (0,) * self.domain.dimension
        fields = self.exact_jet(points, [JetVariable(i, zero) for i in range(len(self.fields))]).T
        return self.readout(points, fields)

    @cached_property
    def signature(self) -> str:
        """The SHA-256 of domain, normal forms and conditions, whatever their order; name and exact do not count."""
        operators = sorted(operator.text for operator in self.operators)
        conditions = sorted(condition.text for condition in self.conditions)
        content = json.dumps([self.domain.text, list(map(str, self.unknowns)), operators, conditions, *self._places])
        return hashlib.sha256(content.encode()).hexdigest()

    @property
    def _places(self) -> list[list[str]]:
        """Where the equations hold, if not everywhere."""
        return [] if self.context.cells is None else [sorted(region.text for region in self.regions)]

    @property
    def text(self) -> str:
        """The statement in plain words, one line a part."""
        lines = [("domain", self.domain.text), ("unknowns", ", ".join(map(str, self.unknowns)))]
        where = [f" on {r.name}" if self.layout.materials else "" for r in self.regions]
        lines += [("equation", f"{operator}{on}") for operator, on in zip(self.operators, where, strict=True)]
        lines += [("condition", str(condition)) for condition in self.conditions]
        lines += [("exact", f"{u} = {e}") for u, e in (self.exact or {}).items()]
        return "\n".join([self.name, *(f"  {key:10} {value}" for key, value in lines)])

    def __repr__(self) -> str:
        parts = f"{_count(self.operators, 'equation')}, {_count(self.conditions, 'condition')}"
        return f"Problem({self.name!r}: {', '.join(map(str, self.unknowns))}; {parts})"


def _differentiated(expression: sp.Expr, symbols: Sequence[sp.Symbol], orders: Sequence[int]) -> sp.Expr:
    for symbol, order in zip(symbols, orders, strict=True):
        expression = sp.diff(expression, symbol, order)
    return expression


def _count(items: Sequence[object], noun: str) -> str:
    return f"{len(items)} {noun}{'' if len(items) == 1 else 's'}"


def _listed(items: AnyCondition | Sequence[object] | object) -> tuple[object, ...]:
    return tuple(items) if isinstance(items, list | tuple | sp.Tuple) else (items,)


def _unknowns(equations: Sequence[object], domain: Domain) -> tuple[AppliedUndef, ...]:
    """Return the unknowns, each a function of all coordinates of the domain."""
    if not equations:
        raise ProblemError("the problem has no equation; give at least one sp.Eq(left, right).")
    unknowns = unknowns_of([sp.Tuple(*e.unknowns) if isinstance(e, DifferentialOperator) else e for e in equations])
    for unknown in unknowns:
        if set(unknown.args) != set(domain.coordinates) or len(unknown.args) != len(domain.coordinates):
            names = ", ".join(map(str, domain.coordinates))
            raise ProblemError(
                f"{unknown} must depend on all coordinates of the domain: write sp.Function('{unknown.name}')({names})"
                " with the same symbols; a known coefficient must be given as an expression."
            )
    return unknowns


def _of_coordinates(value: object, domain: Domain, label: str) -> sp.Expr:
    expression = as_expression(value)
    foreign = sorted(map(str, (expression.free_symbols - set(domain.coordinates)) | expression.atoms(AppliedUndef)))
    if foreign:
        names = ", ".join(map(str, domain.coordinates))
        raise ProblemError(f"{label} contains {foreign[0]}; it must be an expression of the coordinates {names}.")
    return cast(sp.Expr, expression)
