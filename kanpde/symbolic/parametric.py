"""What formulas and half-formulas have in common as ansatz functions: few numbers, and their derivatives by hand.

A group of numbers enters the jet of one quantity; F holds the derivative of that jet with respect to each number. A
reverse sweep finds the adjoint A of each such quantity, and J has the rows Σ_c A_c F_ck.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from kanpde.multiindex import DerivativeSet


@dataclass(frozen=True, eq=False)
class ParametricSweep:
    """A jet at some points, what the numbers do to it, and its reverse.

    Attributes:
        output: the jet, (c, outputs, n).
        features: of each group of k numbers, (c, columns, k, n): the derivatives of the jet that they enter.
        reverse: adjoint of the output (c, outputs, n) -> adjoints of what the groups enter, (c, columns, n) each.
    """

    output: Tensor
    features: tuple[Tensor, ...]
    reverse: Callable[[Tensor], list[Tensor]]

    def jacobian(self, adjoint: Tensor) -> Tensor:
        """Rows of Jᵀ, (P, n), for the pointwise scalar Σ_co A[c, o, n] · output[c, o, n]."""
        parts = zip(self.linear_adjoints(adjoint), self.features, strict=True)
        rows = [torch.einsum("cmn,cmkn->kn", own, feature) for own, feature in parts]
        return torch.cat([adjoint.new_zeros((0, adjoint.shape[-1])), *rows])

    def jacobian_blocks(self, adjoint: Tensor, size: int) -> Iterator[Tensor]:
        """The same for at most `size` points at a time, in their order."""
        yield from self.jacobian(adjoint).split(size, dim=1)

    def gradient(self, adjoint: Tensor) -> list[Tensor]:
        """The same summed over points: (k,) a group."""
        return list(self.jacobian(adjoint).sum(1).split([feature.shape[2] for feature in self.features]))

    def linear_adjoints(self, adjoint: Tensor) -> list[Tensor]:
        """The adjoints of what the groups of numbers enter, (c, columns, n) each."""
        return self.reverse(adjoint)

    def maps(self, flat: bool) -> ParametricSweep:  # noqa: ARG002 - as of a Network
        """What the numbers do at these points."""
        return self

    def parts(self, points: int) -> Iterator[tuple[slice, ParametricSweep]]:  # noqa: ARG002 - as of a Network
        """All points at once."""
        yield slice(None), self

    def tangents(self, directions: Sequence[Tensor]) -> list[Tensor]:
        """The changes along B directions (B, k) of each group, (c, B · columns, n)."""
        parts = zip(directions, self.features, strict=True)
        return [torch.einsum("bk,cmkn->cbmn", some, feature).flatten(1, 2) for some, feature in parts]

    def collected(self, adjoints: Sequence[Tensor]) -> list[Tensor]:
        """The adjoints of the numbers, (B, k) a group, from those of what they enter, (c, B · columns, n)."""
        parts = zip(adjoints, self.features, strict=True)
        return [
            torch.einsum("cbmn,cmkn->bk", some.unflatten(1, (-1, feature.shape[1])), feature) for some, feature in parts
        ]


class Parametric:
    """A map from points to unknowns with few numbers θ in groups; a `Trainable` once it has a `sweep`.

    Args:
        inputs: number of coordinates.
        outputs: number of unknowns.
        groups: the numbers, (k,) each.
    """

    layers: tuple[Any, ...] = ()
    title = "formula"

    def __init__(self, inputs: int, outputs: int, groups: Sequence[Tensor]) -> None:
        self.inputs, self.outputs = inputs, outputs
        self.scalars: tuple[float, ...] = ()
        self._sizes = [len(group) for group in groups]
        empty = torch.zeros(0, dtype=torch.float64)
        self._theta = torch.cat([empty, *(group.detach() for group in groups)])

    @property
    def n_parameters(self) -> int:
        """How many numbers."""
        return len(self._theta)

    @property
    def device(self) -> torch.device:
        """Where they are."""
        return self._theta.device

    @property
    def dtype(self) -> torch.dtype:
        """Their precision."""
        return self._theta.dtype

    @property
    def theta(self) -> Tensor:
        """A copy of all of them, flat (P,)."""
        return self._theta.clone()

    def set_theta(self, theta: Tensor) -> None:
        """Overwrites them."""
        self._theta.copy_(theta.detach())

    def split(self, theta: Tensor) -> list[Tensor]:
        """A flat vector (P,) in groups."""
        return list(theta.detach().split(self._sizes))

    def prepare(self, points: Tensor, derivatives: DerivativeSet, inputs: Tensor | None = None) -> Tensor:  # noqa: ARG002 - as of a Network
        """Formulas are functions of the coordinates alone."""
        return points
