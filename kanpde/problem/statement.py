"""What the checks read of a problem; the problem itself imports the checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import sympy as sp
from sympy.core.function import AppliedUndef

from ..domain import Domain, Region
from ..expression import Parameter
from ..operator import DifferentialOperator, JetVariable
from .conditions import CompiledCondition
from .fields import Fields


class Statement(Protocol):
    """A compiled problem."""

    @property
    def domain(self) -> Domain:
        """Where the equations hold."""

    @property
    def coordinates(self) -> tuple[sp.Symbol, ...]:
        """The columns of points."""

    @property
    def unknowns(self) -> tuple[AppliedUndef, ...]:
        """The unknowns, sorted by name."""

    @property
    def fields(self) -> tuple[AppliedUndef, ...]:
        """The real fields behind the unknowns."""

    @property
    def layout(self) -> Fields:
        """How the unknowns are made of the fields."""

    @property
    def coefficients(self) -> tuple[int, ...]:
        """The positions of fields that are unknown coefficients."""

    @property
    def regions(self) -> tuple[Region, ...]:
        """Where each equation holds."""

    @property
    def operators(self) -> tuple[DifferentialOperator, ...]:
        """The normal forms of the equations."""

    @property
    def labels(self) -> tuple[str, ...]:
        """What messages call the equations."""

    @property
    def conditions(self) -> tuple[CompiledCondition, ...]:
        """The compiled conditions."""

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The unknown scalars."""

    @property
    def exact(self) -> Mapping[AppliedUndef, sp.Expr] | None:
        """The exact solution, if it is known."""

    def exact_jet(self, points: np.ndarray, variables: Sequence[JetVariable]) -> np.ndarray:
        """Return derivatives of the exact solution at points (n, d), as (len(variables), n)."""
