"""A function in a frame: what a reference on a shape is, and what the correction of a field is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from kanpde.errors import StoreError
from kanpde.multiindex import MultiIndex
from kanpde.operator import JetVariable
from kanpde.references.frame import storage
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

    @property
    def arrays(self) -> dict[str, Array]:
        """All its numbers by flat names; with `facts` they are the whole function."""
        return storage.arrays_of(self.bases, self.coefficients)[0]

    @property
    def facts(self) -> dict[str, Any]:
        """All else, as plain values."""
        plain = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("bases", "coefficients")}
        return {**plain, "of_field": storage.arrays_of(self.bases, self.coefficients)[1]}

    @classmethod
    def of(cls, facts: Mapping[str, Any], arrays: Mapping[str, Array]) -> FrameFunction:
        """The function that gave these facts and arrays.

        Raises:
            StoreError: something is missing.
        """
        try:
            bases, coefficients = storage.bases_from(arrays, facts["of_field"])
            known = {f.name: facts[f.name] for f in fields(cls) if f.name in facts}
            known |= {name: tuple(known[name]) for name in ("unknowns", "coordinates", "degrees", "tails")}
            return cls(bases, coefficients, **known)
        except (KeyError, TypeError, IndexError) as error:
            raise StoreError(f"a stored function in a frame is damaged: {error}.") from error

    def save(self, path: str | Path) -> Path:
        """Write an HDF5 file, atomically.

        Raises:
            StoreError: it cannot be written.
        """
        return storage.write(path, self.facts, self.arrays)

    @classmethod
    def load(cls, path: str | Path) -> FrameFunction:
        """Read a stored function; its numbers are bit-identical.

        Raises:
            StoreError: no such file, damaged, or not a function in a frame.
        """
        return cls.of(*storage.read(path))


@dataclass(frozen=True, eq=False)
class FrameDerivative:
    """One derivative of a function in a frame."""

    function: FrameFunction
    variable: JetVariable

    def __call__(self, points: Array) -> Array:
        """Values (n, 1)."""
        return self.function.jet(points, [self.variable])
