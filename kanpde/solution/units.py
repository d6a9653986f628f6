"""A field trained on the dimensionless form of a problem, in the user's units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kanpde.dimensionless import Scales
from kanpde.estimate import TrainedField
from kanpde.field import Ansatz
from kanpde.network import Trainable
from kanpde.operator import JetVariable
from kanpde.problem import Problem


@dataclass(frozen=True, eq=False)
class ScaledField:
    """u(x) = U û((x - x0)/L), with the derivatives that follow."""

    inner: TrainedField
    scales: Scales

    @property
    def network(self) -> Trainable:
        """The network of û."""
        return self.inner.network

    @property
    def ansatz(self) -> Ansatz:
        """Its exact conditions, in dimensionless coordinates."""
        return self.inner.ansatz

    @property
    def parameters(self) -> tuple[float, ...]:
        """Unknown scalars in the user's units."""
        sizes = self.scales.parameters.values()
        return tuple(value * size for value, size in zip(self.inner.parameters, sizes, strict=True))

    def jet(self, points: np.ndarray, variables: Sequence[JetVariable]) -> np.ndarray:
        """Derivatives of the unknowns at points (n, d): (n, len(variables))."""
        factors = np.array([self.scales.factor(v) for v in variables])
        return self.inner.jet(self.scales.points_in(points), variables) * factors

    def values(self, points: np.ndarray) -> np.ndarray:
        """The fields at points (n, d): (n, m)."""
        return self.scales.values_out(self.inner.values(self.scales.points_in(points)))


@dataclass(frozen=True, eq=False)
class Units:
    """What the user stated, and the sizes by which it was made dimensionless."""

    problem: Problem
    scales: Scales


def scales_tree(scales: Scales) -> dict[str, Any]:
    """The sizes as plain values."""
    names = ("origin", "length", "unknowns", "equations", "conditions")
    arrays = {name: np.asarray(getattr(scales, name), dtype=float).tolist() for name in names}
    return {"coordinates": list(scales.coordinates), **arrays, "parameters": dict(scales.parameters)}


def scales_from_tree(tree: dict[str, Any]) -> Scales:
    """The sizes of `scales_tree`."""
    names = ("origin", "length", "unknowns", "equations", "conditions")
    arrays = {name: np.array(tree[name], dtype=float) for name in names}
    return Scales(coordinates=tuple(tree["coordinates"]), parameters=dict(tree["parameters"]), **arrays)
