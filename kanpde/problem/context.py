"""What equations and conditions are compiled in: the domain, the fields behind the unknowns, the materials."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import cast

import sympy as sp
from sympy.core.function import AppliedUndef

from ..domain import Domain, Point, Region
from ..errors import ProblemError
from ..expression import as_expression
from ..operator import DifferentialOperator, Scope, compile_operator, compile_operators, operator_of
from .fields import Fields
from .materials import Materials


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
        if len({len(operators) for operators in own}) > 1:
            raise ProblemError(
                f"{label} is complex in one material and real in another; take sp.re(...) or sp.im(...)."
            )
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
