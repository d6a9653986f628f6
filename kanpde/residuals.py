"""The residual system: equations at collocation points, as a vector r(θ) and a structured Jacobian.

A pointwise residual at a point depends on the network at that point alone, so one reverse sweep per equation gives the
adjoint of every layer's output at every point, and a layer's block of J is features × adjoint summed over channels.
Rows are scaled by the square roots of their quadrature weights: |r|² approximates the integral of F².
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from kanpde.collocation import PointSet
from kanpde.expression import BoundProgram
from kanpde.field import Ansatz, Frame
from kanpde.lowering import Lowered, derivative_set
from kanpde.multiindex import DerivativeSet
from kanpde.network import Swept, Trainable

MEMORY = 1 << 30  # bytes for the kept Jacobian and the tables of a chunk together
COPIES = 6  # arrays of the size of a layer's living functions that are there at once during a sweep
FEWEST_POINTS = 64  # in a chunk, however little memory there is


@dataclass(frozen=True, eq=False)
class Chunk:
    """Some equations at a slice of points: all that can be computed before any coefficient is known."""

    equations: tuple[Lowered, ...]
    derivatives: DerivativeSet
    points: Tensor
    scale: Tensor
    programs: tuple[BoundProgram, ...]
    frame: Frame
    cache: list[Any] = field(default_factory=list)

    def prepared(self, network: Trainable, keep: bool) -> Any:
        """The first layer at these points, kept where memory allows."""
        if self.cache:
            return self.cache[0]
        tape = network.prepare(self.points, self.derivatives)
        if keep:
            self.cache.append(tape)
        return tape

    def residual(self, jet: Tensor) -> Tensor:
        """(equations · n,) from the jet of the unknowns (c, unknowns, n)."""
        return torch.cat([self._outputs(k, jet)[0] * self.scale for k in range(len(self.equations))])

    def linearized(self, jet: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """For each equation r (n,) and its adjoint with respect to the jet of the unknowns (c, unknowns, n)."""
        for k, lowered in enumerate(self.equations):
            outputs = self._outputs(k, jet)
            adjoint = torch.zeros_like(jet)
            for (unknown, channel), slope in zip(lowered.channels, outputs[1:], strict=True):
                adjoint[self.derivatives.index(channel), unknown] = slope * self.scale
            yield outputs[0] * self.scale, adjoint

    def _outputs(self, k: int, jet: Tensor) -> list[Tensor]:
        rows = [jet[self.derivatives.index(channel), unknown] for unknown, channel in self.equations[k].channels]
        return self.programs[k](rows)


@dataclass(frozen=True, eq=False)
class Block:
    """Equations on a region: the same points, the same jet.

    Attributes:
        label: for histories and messages.
        equations: lowered normal forms.
        points: where, with quadrature weights.
        weight: factor on the squared residual, 1 unless a condition is balanced against the equations.
    """

    label: str
    equations: tuple[Lowered, ...]
    points: PointSet
    weight: float = 1.0

    @cached_property
    def derivatives(self) -> DerivativeSet:
        """Channels needed."""
        return derivative_set(self.equations)

    def chunks(self, ansatz: Ansatz, size: int, like: Tensor) -> list[Chunk]:
        """Slices of at most `size` points, on the device and in the precision of `like`."""
        x = torch.as_tensor(self.points.x, dtype=like.dtype, device=like.device)
        return [self._chunk(x, start, min(start + size, len(x)), ansatz) for start in range(0, len(x), size)]

    def _chunk(self, x: Tensor, start: int, stop: int, ansatz: Ansatz) -> Chunk:
        part = x[start:stop]
        weights = torch.as_tensor(self.points.weights[start:stop]).to(part)
        normals = None if self.points.normals is None else torch.as_tensor(self.points.normals[start:stop]).to(part)
        programs = tuple(bind(lowered, part, normals) for lowered in self.equations)
        frame = ansatz.frame(part, self.derivatives)
        return Chunk(self.equations, self.derivatives, part, (self.weight * weights).sqrt(), programs, frame)


def bind(lowered: Lowered, points: Tensor, normals: Tensor | None) -> BoundProgram:
    """F and its gradient with all that depends on the points alone computed."""
    columns = list(points.T)
    if lowered.operator.normal:
        assert normals is not None
        columns += list(normals.T)
    return lowered.program.bind(dict(enumerate(columns)), torch)


class ResidualSystem:
    """r(θ) and J(θ) for a network in an ansatz on a list of blocks: the `Objective` of every optimiser.

    Args:
        blocks: equations and soft conditions with their points.
        network: structure; its coefficients are the template for θ.
        ansatz: g + b N.
        memory: bytes that J and the tables of one chunk may take. Beyond it J is accumulated, never kept.
    """

    def __init__(self, blocks: Sequence[Block], network: Trainable, ansatz: Ansatz, memory: int = MEMORY) -> None:
        self.blocks = tuple(blocks)
        self.network = network
        self.ansatz = ansatz
        self.memory = memory
        self.rows = sum(len(block.points) * len(block.equations) for block in blocks)
        self.keeps_jacobian = 8 * self.rows * network.n_parameters <= memory // 2
        like = network.theta
        self._chunks = [c for b in blocks for c in b.chunks(ansatz, self._chunk_size(b), like)]
        self._jacobian_points = max(FEWEST_POINTS, memory // (4 * 8 * network.n_parameters))
        living = sum(layer.living for layer in network.layers[:1])
        table = sum(len(b.points) * len(b.derivatives) * living for b in blocks)
        self._keep_tables = 3 * 8 * table <= memory // 4

    def _chunk_size(self, block: Block) -> int:
        """Points in a sweep: memory goes to the functions alive at them, or to the graph of a user's own module."""
        per_point = sum(layer.living for layer in self.network.layers) or self.network.n_parameters
        return max(FEWEST_POINTS, self.memory // (4 * 8 * COPIES * len(block.derivatives) * per_point))

    def _sweeps(self, theta: Tensor, reverse: bool = True) -> Iterator[tuple[Chunk, Swept]]:
        coefficients = self.network.split(theta)
        for chunk in self._chunks:
            prepared = chunk.prepared(self.network, self._keep_tables)
            yield chunk, self.network.sweep(prepared, chunk.derivatives, coefficients, reverse)

    def residual(self, theta: Tensor) -> Tensor:
        """r(θ), (N,)."""
        sweeps = self._sweeps(theta, reverse=False)
        return torch.cat([chunk.residual(chunk.frame.constrain(sweep.output)) for chunk, sweep in sweeps])

    def linearized(self, theta: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Row blocks (r (n,), Jᵀ (P, n)), in the order of `residual`."""
        for chunk, sweep in self._sweeps(theta):
            for residual, adjoint in chunk.linearized(chunk.frame.constrain(sweep.output)):
                blocks = sweep.jacobian_blocks(chunk.frame.adjoint(adjoint), self._jacobian_points)
                yield from zip(residual.split(self._jacobian_points), blocks, strict=True)

    def loss_and_gradient(self, theta: Tensor) -> tuple[float, Tensor]:
        """½ |r|² and Jᵀr, one reverse sweep a chunk."""
        loss, gradient = 0.0, torch.zeros_like(theta)
        for chunk, sweep in self._sweeps(theta):
            total = torch.zeros_like(sweep.output)
            for residual, adjoint in chunk.linearized(chunk.frame.constrain(sweep.output)):
                total += adjoint * residual
                loss += 0.5 * float(residual @ residual)
            parts = sweep.gradient(chunk.frame.adjoint(total))
            gradient += torch.cat([part.reshape(-1) for part in parts])
        return loss, gradient

    def block_norms(self, theta: Tensor) -> dict[str, float]:
        """sqrt(mean F²) of every block, its balancing weight taken out: what a user calls the residual."""
        squares: dict[str, float] = {}
        residual, start = self.residual(theta), 0
        for block in self.blocks:
            rows = len(block.points) * len(block.equations)
            part = residual[start : start + rows]
            squares[block.label] = math.sqrt(float(part @ part) / (block.weight * float(block.points.weights.sum())))
            start += rows
        return squares
