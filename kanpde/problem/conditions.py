"""Conditions on the unknowns, as the user writes them and as everything else reads them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import sympy as sp

from ..domain import Point, Region
from ..operator import DifferentialOperator, JetVariable
from .measurements import Data

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
