"""A user's own `torch.nn.Module` as an ansatz: jets by nested forward-mode differentiation, slower but general."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call, grad, jvp, vmap

from kanpde.errors import ProblemError
from kanpde.multiindex import Channel, Collapsed, DerivativeSet, MultiIndex, unit

PointMap = Callable[[Tensor], Tensor]


def module_jet(module: torch.nn.Module, points: Tensor, derivatives: DerivativeSet) -> Tensor:
    """All channels of a module that maps (n, d) to (n, outputs): (c, outputs, n), differentiable by its parameters."""
    return _jet(module, points, derivatives)


def _jet(function: PointMap, points: Tensor, derivatives: DerivativeSet) -> Tensor:
    known: dict[MultiIndex, Tensor] = {}
    return torch.stack([_channel(function, points, channel, known).T for channel in derivatives.channels])


def _channel(function: PointMap, points: Tensor, channel: Channel, known: dict[MultiIndex, Tensor]) -> Tensor:
    if isinstance(channel, Collapsed):
        parts = (
            channel.weights[a] * _channel(function, points, unit(a, points.shape[1], 2), known) for a in channel.axes
        )
        return torch.stack(list(parts)).sum(0)
    if channel not in known:
        known[channel] = _differentiated(function, channel)(points)
    return known[channel]


def _differentiated(function: PointMap, alpha: MultiIndex) -> PointMap:
    """D^α of a pointwise map, one nested jvp a derivative."""
    for axis, times in enumerate(alpha):
        for _ in range(times):
            function = _along(function, axis)
    return function


def _along(function: PointMap, axis: int) -> PointMap:
    def derivative(points: Tensor) -> Tensor:
        direction = torch.zeros_like(points)
        direction[:, axis] = 1.0
        return jvp(function, (points,), (direction,))[1]

    return derivative


class ModuleNetwork(torch.nn.Module):
    """Wraps a module so that residual systems, optimisers and estimates take it for a network without layers.

    Args:
        module: maps points (n, d) to values (n, outputs), each point on its own (no batch statistics).
        inputs: d.

    Raises:
        ProblemError: the module has no parameters, or does not map (n, d) to (n, outputs).
    """

    layers: tuple[Any, ...] = ()

    def __init__(self, module: torch.nn.Module, inputs: int) -> None:
        super().__init__()
        self.module = module
        self.inputs = inputs
        self.title = f"module {type(module).__name__}"
        self.scalars: tuple[float, ...] = ()
        self.names = [name for name, p in module.named_parameters() if p.requires_grad]
        if not self.names:
            raise ProblemError(f"{self.title} has no parameters to train; give a module with some")
        self.outputs = self._outputs()

    def _outputs(self) -> int:
        probe = torch.zeros((2, self.inputs), dtype=self.dtype, device=self.device)
        try:
            values = self.module(probe)
        except (RuntimeError, ValueError) as error:
            raise ProblemError(f"{self.title} does not take points of shape (n, {self.inputs}): {error}") from error
        if values.ndim != 2 or len(values) != len(probe):
            raise ProblemError(
                f"{self.title} maps (2, {self.inputs}) to {tuple(values.shape)}; it must be (2, outputs)"
            )
        return int(values.shape[1])

    @property
    def coefficients(self) -> list[Tensor]:
        """The trainable tensors."""
        named = dict(self.module.named_parameters())
        return [named[name] for name in self.names]

    @property
    def n_parameters(self) -> int:
        """Number of trainable scalars."""
        return sum(p.numel() for p in self.coefficients)

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next(self.module.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the parameters."""
        return next(self.module.parameters()).dtype

    @property
    def theta(self) -> Tensor:
        """A copy of all parameters, flat (P,)."""
        return torch.cat([p.detach().reshape(-1) for p in self.coefficients])

    def set_theta(self, theta: Tensor) -> None:
        """Overwrites the parameters from a flat vector (P,)."""
        with torch.no_grad():
            for parameter, part in zip(self.coefficients, self.split(theta), strict=True):
                parameter.copy_(part)

    def split(self, theta: Tensor) -> list[Tensor]:
        """A flat vector (P,) as tensors of the parameters' shapes."""
        parts = theta.detach().split([p.numel() for p in self.coefficients])
        return [part.view_as(p) for part, p in zip(parts, self.coefficients, strict=True)]

    def forward(self, points: Tensor) -> Tensor:
        """Values (n, outputs) at points (n, d)."""
        return self.module(points)

    def prepare(self, points: Tensor, derivatives: DerivativeSet, inputs: Tensor | None = None) -> Tensor:  # noqa: ARG002 - as of a Network
        """Nothing of a module is known before its parameters are; it is a function of the coordinates alone."""
        return points

    def sweep(
        self,
        prepared: Tensor,
        derivatives: DerivativeSet,
        coefficients: Sequence[Tensor] | None = None,
        reverse: bool = True,  # noqa: ARG002 - as of a Network
    ) -> ModuleSweep:
        """The jet at prepared points; `coefficients` replace the module's own, `reverse` is for layered networks."""
        used = self.coefficients if coefficients is None else coefficients
        parameters = {name: p.detach() for name, p in zip(self.names, used, strict=True)}
        output = _jet(lambda x: functional_call(self.module, parameters, (x,)), prepared, derivatives)
        return ModuleSweep(self.module, parameters, derivatives, prepared, output.detach())


@dataclass(frozen=True, eq=False)
class ModuleSweep:
    """The jet of a module at some points and its adjoints, by autograd. `output` is (c, outputs, n)."""

    module: torch.nn.Module
    parameters: dict[str, Tensor]
    derivatives: DerivativeSet
    points: Tensor
    output: Tensor

    def jacobian(self, adjoint: Tensor) -> Tensor:
        """Rows of Jᵀ: (P, n), derivative of the pointwise scalar Σ_co A[c, o, n] · output[c, o, n]."""
        return next(self.jacobian_blocks(adjoint, adjoint.shape[-1]))

    def jacobian_blocks(self, adjoint: Tensor, size: int) -> Iterator[Tensor]:
        """The same for at most `size` points at a time, in their order."""
        rows = vmap(grad(self._scalar), in_dims=(None, 0, 0))
        for points, part in zip(self.points.split(size), adjoint.split(size, dim=-1), strict=True):
            parts = rows(self.parameters, points, part.permute(2, 0, 1))
            yield torch.cat([p.reshape(len(points), -1) for p in parts.values()], dim=1).T.contiguous()

    def _scalar(self, parameters: dict[str, Tensor], point: Tensor, adjoint: Tensor) -> Tensor:
        jet = _jet(lambda x: functional_call(self.module, parameters, (x,)), point[None], self.derivatives)
        return (jet[..., 0] * adjoint).sum()

    def gradient(self, adjoint: Tensor) -> list[Tensor]:
        """The same summed over points: one tensor a parameter."""
        return list(grad(lambda parameters: (self._of(parameters) * adjoint).sum())(self.parameters).values())

    def linear_adjoints(self, adjoint: Tensor) -> list[Tensor]:
        """Of a module only the whole jet is known, linearised."""
        return [adjoint]

    def maps(self, flat: bool) -> ModuleSweep:  # noqa: ARG002 - as of a Network
        """Nothing simpler than the module."""
        return self

    def parts(self, points: int) -> Iterator[tuple[slice, ModuleSweep]]:  # noqa: ARG002 - as of a Network
        """All points at once."""
        yield slice(None), self

    def tangents(self, directions: Sequence[Tensor]) -> list[Tensor]:
        """The derivatives of the jet along B directions in the parameters, (c, B · outputs, n)."""
        along = [dict(zip(self.parameters, direction, strict=True)) for direction in zip(*directions, strict=True)]
        return [torch.cat([jvp(self._of, (self.parameters,), (one,))[1] for one in along], dim=1)]

    def collected(self, adjoints: Sequence[Tensor]) -> list[Tensor]:
        """The gradients of each of B adjoints (c, outputs, n), (B, ...) each."""
        gradients = [self.gradient(one) for one in adjoints[0].split(self.output.shape[1], dim=1)]
        return [torch.stack(parts) for parts in zip(*gradients, strict=True)]

    def _of(self, parameters: dict[str, Tensor]) -> Tensor:
        return _jet(lambda x: functional_call(self.module, parameters, (x,)), self.points, self.derivatives)
