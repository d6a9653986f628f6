"""Real fields behind the unknowns: a complex unknown is two of them, its real and its imaginary part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import sympy as sp
from sympy.core.function import AppliedUndef

from ..operator import split_complex


def complex_unknown(name: str, *coordinates: sp.Symbol) -> AppliedUndef:
    """A complex field of the coordinates, for equations with `sp.I`; `solution(points)` is complex."""
    return cast(AppliedUndef, sp.Function(name, complex=True)(*coordinates))


def is_complex(unknown: sp.Basic) -> bool:
    """Whether an applied function was made by `complex_unknown`."""
    return isinstance(unknown, AppliedUndef) and bool(unknown.is_complex) and unknown.is_real is None


@dataclass(frozen=True)
class Fields:
    """How unknowns are made of real fields.

    Attributes:
        unknowns: as the user wrote them, sorted by name.
        fields: the real functions that numerics solves for, sorted by name.
        parts: for each unknown the positions of its field, or of its real and its imaginary part.
    """

    unknowns: tuple[AppliedUndef, ...]
    fields: tuple[AppliedUndef, ...]
    parts: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, unknowns: Sequence[AppliedUndef]) -> Fields:
        """The fields of unknowns: u, or u_re and u_im."""
        own = [split(u) for u in unknowns]
        fields = tuple(sorted((f for part in own for f in part), key=lambda f: f.name))
        return cls(tuple(unknowns), fields, tuple(tuple(fields.index(f) for f in part) for part in own))

    @property
    def substitution(self) -> dict[AppliedUndef, sp.Expr]:
        """What each complex unknown stands for: u_re + I u_im."""
        pairs = zip(self.unknowns, self.parts, strict=True)
        return {u: self.fields[p[0]] + sp.I * self.fields[p[1]] for u, p in pairs if len(p) == 2}

    def values(self, values: np.ndarray) -> np.ndarray:
        """The unknowns (n, c) from values of the fields (n, m); complex where one of them is."""
        columns = [values[:, p[0]] + 1j * values[:, p[1]] if len(p) == 2 else values[:, p[0]] for p in self.parts]
        return np.stack(columns, axis=1)

    def split_value(self, unknown: AppliedUndef, value: sp.Expr, coordinates: Sequence[sp.Symbol]) -> list[sp.Expr]:
        """A value of an unknown as values of its fields."""
        return list(split_complex(value, coordinates)) if is_complex(unknown) else [value]


def split(unknown: AppliedUndef) -> tuple[AppliedUndef, ...]:
    """The fields of one unknown."""
    if not is_complex(unknown):
        return (unknown,)
    makers = (sp.Function(f"{unknown.name}_{part}", real=True) for part in ("re", "im"))
    return tuple(cast(AppliedUndef, make(*unknown.args)) for make in makers)
