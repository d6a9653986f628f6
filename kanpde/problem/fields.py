"""Real, smooth fields behind the unknowns: two for a complex unknown, and in every material fields of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import sympy as sp
from sympy.core.function import AppliedUndef

from ..domain.predicate import holds
from ..errors import ProblemError
from ..expression import UnknownField, UnknownFieldFunction
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
        coordinates: the columns of points.
        fields: the real functions that numerics solves for, sorted by name.
        shares: for each material, for each unknown, the positions of its field, or of its real and imaginary part.
        materials: predicates of the coordinates that tell where each material is; () where there is but one.
        material: the number of the one that `parts` and `substitution` speak of.
    """

    unknowns: tuple[AppliedUndef, ...]
    coordinates: tuple[sp.Symbol, ...]
    fields: tuple[AppliedUndef, ...]
    shares: tuple[tuple[tuple[int, ...], ...], ...]
    materials: tuple[sp.Basic, ...] = ()
    material: int = 0

    @classmethod
    def of(
        cls, unknowns: Sequence[AppliedUndef], coordinates: Sequence[sp.Symbol], materials: Sequence[sp.Basic] = ()
    ) -> Fields:
        """The fields of unknowns: u, or u_re and u_im, or u_1 and u_2 in two materials."""
        suffixes = [f"_{k}" for k in range(1, len(materials) + 1)] or [""]
        own = [[split(u, suffix) for u in unknowns] for suffix in suffixes]
        fields = tuple(sorted({f for group in own for part in group for f in part}, key=lambda f: f.name))
        names = [f.name for group in own for part in group for f in part]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ProblemError(f"two unknowns have a part that is called {twice[0]}; give one of them another name.")
        shares = tuple(tuple(tuple(fields.index(f) for f in part) for part in group) for group in own)
        return cls(tuple(unknowns), tuple(coordinates), fields, shares, tuple(materials))

    def within(self, material: int) -> Fields:
        """The same, speaking of one material."""
        return replace(self, material=material)

    @property
    def parts(self) -> tuple[tuple[int, ...], ...]:
        """For each unknown the positions of its field, or of its real and its imaginary part."""
        return self.shares[self.material]

    @property
    def substitution(self) -> dict[AppliedUndef, sp.Expr]:
        """What each unknown stands for, where that is not itself: u_re + I u_im, or u_1."""
        found: dict[AppliedUndef, sp.Expr] = {}
        for unknown, part in zip(self.unknowns, self.parts, strict=True):
            own = [self.fields[k] for k in part]
            if own != [unknown]:
                found[unknown] = own[0] if len(own) == 1 else own[0] + sp.I * own[1]
        return found

    def material_of(self, field: int) -> int:
        """The material in which a field lives."""
        return next(k for k, share in enumerate(self.shares) if any(field in part for part in share))

    def number(self, points: np.ndarray) -> np.ndarray:
        """The material (n,) at points (n, d)."""
        held = [holds(predicate, self.coordinates, points) for predicate in self.materials]
        return np.argmax(held, axis=0) if held else np.zeros(len(points), dtype=int)

    def values(self, points: np.ndarray, values: np.ndarray) -> np.ndarray:
        """The unknowns (n, c) at points (n, d) from values of the fields (n, m); complex where one of them is."""
        choices = [self.within(k)._joined(values) for k in range(len(self.shares))]
        if len(choices) == 1:
            return choices[0]
        return np.stack(choices)[self.number(points), np.arange(len(points))]

    def _joined(self, values: np.ndarray) -> np.ndarray:
        columns = [values[:, p[0]] + 1j * values[:, p[1]] if len(p) == 2 else values[:, p[0]] for p in self.parts]
        return np.stack(columns, axis=1)

    def split_value(self, unknown: AppliedUndef, value: sp.Expr) -> list[sp.Expr]:
        """A value of an unknown as values of its fields."""
        return list(split_complex(value, self.coordinates)) if is_complex(unknown) else [value]


def split(unknown: AppliedUndef, suffix: str = "") -> tuple[AppliedUndef, ...]:
    """The fields of one unknown in one material."""
    if is_complex(unknown):
        makers = [sp.Function(f"{unknown.name}_{part}{suffix}", real=True) for part in ("re", "im")]
    elif not suffix:
        return (unknown,)
    elif isinstance(unknown, UnknownFieldFunction):
        return (UnknownField(f"{unknown.name}{suffix}", *cast("tuple[sp.Symbol, ...]", unknown.args)),)
    else:
        makers = [sp.Function(f"{unknown.name}{suffix}", real=True)]
    return tuple(cast(AppliedUndef, make(*unknown.args)) for make in makers)
