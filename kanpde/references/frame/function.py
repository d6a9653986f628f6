"""A function in a frame: what a reference on a shape is, and what the correction of a field is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from kanpde.multiindex import MultiIndex
from kanpde.operator import JetVariable
from kanpde.references.frame.basis import Basis

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class FrameFunction:
    """Fields of a problem as sums over their bases, callable everywhere in the domain.

    Attributes:
        bases, coefficients: one a field.
        unknowns, coordinates: names of the fields and of the columns of points.
        norm: L2 norm of the unknowns that the fields stand for.
        identified: values of the unknown scalars; those of a correction are to be added.
        degrees: of the polynomials along each axis; tails: the share of the highest ones.
        error_estimate: relative L2 error, from two degrees; None where there is none.
        relative_l2: relative L2 error against the exact solution; None without one.
        seconds: wall time of the computation.
        name, text, signature: the problem that it solves; provenance: versions, date, machine.
    """

    bases: tuple[Basis, ...]
    coefficients: tuple[Array, ...]
    unknowns: tuple[str, ...]
    coordinates: tuple[str, ...]
    norm: float = 0.0
    identified: dict[str, float] = field(default_factory=dict)
    degrees: tuple[int, ...] = ()
    tails: tuple[float, ...] = ()
    error_estimate: float | None = None
    relative_l2: float | None = None
    seconds: float = 0.0
    name: str = ""
    text: str = ""
    signature: str = ""
    provenance: dict[str, str] = field(default_factory=dict)

    def __call__(self, points: Array) -> Array:
        """The fields (n, m) at points (n, d)."""
        zero = (0,) * len(self.coordinates)
        return self.jet(points, [JetVariable(c, zero) for c in range(len(self.bases))])

    def jet(self, points: Array, variables: Sequence[JetVariable]) -> Array:
        """Derivatives (n, len(variables)) at points (n, d)."""
        points = np.asarray(points, dtype=float)
        known: dict[tuple[int, MultiIndex], Array] = {}
        columns = []
        for variable in variables:
            basis = self.bases[variable.unknown]
            key = (id(basis), variable.derivative)
            if key not in known:
                known[key] = basis.table(points, variable.derivative)
            columns.append(known[key] @ self.coefficients[variable.unknown])
        return np.stack(columns, axis=1) if columns else np.zeros((len(points), 0))

    def derivative(self, alpha: MultiIndex, unknown: int = 0) -> FrameDerivative:
        """D^α of one field, as a function of points."""
        return FrameDerivative(self, JetVariable(unknown, tuple(alpha)))


@dataclass(frozen=True, eq=False)
class FrameDerivative:
    """One derivative of a function in a frame."""

    function: FrameFunction
    variable: JetVariable

    def __call__(self, points: Array) -> Array:
        """Values (n, 1)."""
        return self.function.jet(points, [self.variable])
