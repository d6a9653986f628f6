"""Similar domains: every coordinate less a shift, over a factor. Lengths of curved shapes have one factor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import sympy as sp

from ..errors import ProblemError


@dataclass(frozen=True)
class Similarity:
    """New coordinate = (old - shift) / factor.

    Attributes:
        factors: by symbol, 1 for those that are left out.
        shifts: by symbol, 0 for those that are left out.
    """

    factors: Mapping[sp.Symbol, float]
    shifts: Mapping[sp.Symbol, float]

    def value(self, symbol: sp.Symbol, old: float) -> float:
        """Return the new value of a coordinate."""
        return (old - self.shifts.get(symbol, 0.0)) / self.factors.get(symbol, 1.0)

    def values(self, symbols: Sequence[sp.Symbol], old: Sequence[float]) -> tuple[float, ...]:
        """Return the new values of several coordinates."""
        return tuple(self.value(symbol, value) for symbol, value in zip(symbols, old, strict=True))

    def expression(self, old: sp.Basic) -> sp.Basic:
        """Return an expression (a predicate) of the old coordinates in the new ones."""
        known = {*self.factors, *self.shifts} & old.free_symbols
        new = {s: self.shifts.get(s, 0.0) + sp.Float(self.factors.get(s, 1.0)) * s for s in known}
        return old.xreplace(new)

    def of_space(self, space: Sequence[sp.Symbol]) -> tuple[float, np.ndarray]:
        """Return what bodies are multiplied by, and what is added then.

        Raises:
            ProblemError: the factors of the coordinates differ.
        """
        factors = [float(self.factors.get(symbol, 1.0)) for symbol in space]
        if len(set(factors)) > 1:
            names = ", ".join(map(str, space))
            raise ProblemError(
                f"curved shapes and meshes are scaled by one factor in all of {names}, not by {factors}."
            )
        shift = np.array([float(self.shifts.get(symbol, 0.0)) for symbol in space])
        return 1.0 / factors[0], -shift / factors[0]
