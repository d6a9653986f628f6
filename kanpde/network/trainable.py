"""What a residual system needs of a network, layered or a user's own module."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from kanpde.multiindex import DerivativeSet


class LinearMaps(Protocol):
    """How coefficients enter at some points, to first order. Directions and adjoints are given B at a time."""

    def parts(self, points: int) -> Iterator[tuple[slice, LinearMaps]]:
        """The same at about so many points after the other, where that can be had without a copy."""
        ...

    def tangents(self, directions: Sequence[Tensor]) -> list[Tensor]:
        """The change of what they enter, (c, B · columns, n) each, along directions (B, ...) shaped like them."""
        ...

    def collected(self, adjoints: Sequence[Tensor]) -> list[Tensor]:
        """The adjoints of the coefficients, B times as many as these, from `linear_adjoints` (c, B · columns, n)."""
        ...


class Swept(Protocol):
    """A jet at some points with its reverse rules."""

    @property
    def output(self) -> Tensor:
        """The jet, (c, outputs, n)."""
        ...

    def jacobian(self, adjoint: Tensor) -> Tensor:
        """Rows of Jᵀ, (P, n), for the pointwise scalar Σ_co A[c, o, n] · output[c, o, n]."""
        ...

    def jacobian_blocks(self, adjoint: Tensor, size: int) -> Iterator[Tensor]:
        """The same for at most `size` points at a time, in their order."""
        ...

    def gradient(self, adjoint: Tensor) -> list[Tensor]:
        """The same summed over points, shaped like the coefficients."""
        ...

    def linear_adjoints(self, adjoint: Tensor) -> list[Tensor]:
        """The adjoints of all that the coefficients enter linearly, (c, columns, n) each."""
        ...

    def maps(self, flat: bool) -> LinearMaps:
        """What the coefficients do at these points; `flat` where many products follow."""
        ...


class Trainable(Protocol):
    """A map from points to unknowns with flat parameters θ, jets, and adjoints of jets."""

    title: str
    scalars: tuple[float, ...]

    @property
    def layers(self) -> tuple[Any, ...]:
        """The layers; none for a module."""
        ...

    @property
    def inputs(self) -> int:
        """Number of coordinates d."""
        ...

    @property
    def outputs(self) -> int:
        """Number of unknowns."""
        ...

    @property
    def n_parameters(self) -> int:
        """Number of coefficients P."""
        ...

    @property
    def device(self) -> torch.device:
        """Where they are."""
        ...

    @property
    def dtype(self) -> torch.dtype:
        """Their precision."""
        ...

    @property
    def theta(self) -> Tensor:
        """A copy of all of them, flat (P,)."""
        ...

    def set_theta(self, theta: Tensor) -> None:
        """Overwrites them."""
        ...

    def split(self, theta: Tensor) -> list[Tensor]:
        """A flat vector (P,) in the shapes of the coefficients."""
        ...

    def prepare(self, points: Tensor, derivatives: DerivativeSet, inputs: Tensor | None = None) -> Any:
        """What can be computed from points (n, d) and the jet of the inputs there, the coordinates by default."""
        ...

    def sweep(
        self,
        prepared: Any,
        derivatives: DerivativeSet,
        coefficients: Sequence[Tensor] | None = None,
        reverse: bool = True,
    ) -> Swept:
        """One forward pass of the jet from prepared points."""
        ...
