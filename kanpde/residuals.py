"""The residual system: equations at collocation points, as a vector r(θ) and a structured Jacobian.

A pointwise residual at a point depends on the network at that point alone, so one reverse sweep per equation gives the
adjoint of every layer's output at every point, and a layer's block of J is features × adjoint summed over channels.
Rows are scaled by the square roots of their quadrature weights: |r|² approximates the integral of F².
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kanpde.collocation import PointSet
from kanpde.expression import BoundProgram, Parameter
from kanpde.field import Ansatz, Frame
from kanpde.lowering import Lowered, derivative_set
from kanpde.multiindex import DerivativeSet
from kanpde.network import Swept, Trainable
from kanpde.network.products import RowProducts, Rows
from kanpde.optim.objective import Products
from kanpde.sparsity import PenalisedProducts, Penalty

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
    target: Tensor
    programs: tuple[BoundProgram, ...]
    scalars: tuple[tuple[int, ...], ...]
    ansatz: Ansatz
    frame: Frame
    cache: list[Any] = field(default_factory=list)

    def prepared(self, network: Trainable, keep: bool) -> Any:
        """The first layer at these points, kept where memory allows."""
        if self.cache:
            return self.cache[0]
        tape = self.ansatz.prepare(network, self.points, self.derivatives)
        if keep:
            self.cache.append(tape)
        return tape

    def residual(self, jet: Tensor, scalars: Tensor) -> Tensor:
        """(equations · n,) from the jet of the unknowns (c, unknowns, n) and the unknown scalars (k,)."""
        rows = [self._outputs(k, jet, scalars)[0] for k in range(len(self.equations))]
        return torch.cat([(row - self.target) * self.scale for row in rows])

    def linearized(self, jet: Tensor, scalars: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """For each equation r (n,), its adjoint with respect to the jet (c, unknowns, n), and to the scalars (k, n)."""
        for k, lowered in enumerate(self.equations):
            outputs = self._outputs(k, jet, scalars)
            adjoint, slopes = torch.zeros_like(jet), jet.new_zeros((len(scalars), jet.shape[-1]))
            count = len(lowered.channels)
            for (unknown, channel), slope in zip(lowered.channels, outputs[1 : 1 + count], strict=True):
                adjoint[self.derivatives.index(channel), unknown] = slope * self.scale
            for position, slope in zip(self.scalars[k], outputs[1 + count :], strict=True):
                slopes[position] = slope * self.scale
            yield (outputs[0] - self.target) * self.scale, adjoint, slopes

    def _outputs(self, k: int, jet: Tensor, scalars: Tensor) -> list[Tensor]:
        rows = [jet[self.derivatives.index(channel), unknown] for unknown, channel in self.equations[k].channels]
        return self.programs[k]([*rows, *(scalars[p : p + 1] for p in self.scalars[k])])


@dataclass(frozen=True, eq=False)
class Block:
    """Equations on a region: the same points, the same jet.

    Attributes:
        label: for histories and messages.
        equations: lowered normal forms.
        points: where, with quadrature weights.
        weight: factor on the squared residual, 1 unless a condition is balanced against the equations.
        target: what F must equal at each point (n,), zero by default.
        gather: S (m, n), for conditions that join many points, such as integrals: the rows are S F - target, with a
            target (m,), instead of sqrt(weight) (F - target).
        fixed: whether the weight is not to be balanced, as that of measurements.
        sigma: standard error of each measured value (n,), None where it is not known.
        measured: whether the targets are measurements.
    """

    label: str
    equations: tuple[Lowered, ...]
    points: PointSet
    weight: float = 1.0
    target: np.ndarray | None = None
    gather: np.ndarray | None = None
    fixed: bool = False
    sigma: np.ndarray | None = None
    measured: bool = False

    @cached_property
    def derivatives(self) -> DerivativeSet:
        """Channels needed."""
        return derivative_set(self.equations)

    @property
    def rows(self) -> int:
        """Entries of the residual."""
        return len(self.equations) * (len(self.points) if self.gather is None else len(self.gather))

    def chunks(self, ansatz: Ansatz, size: int, like: Tensor, parameters: Sequence[Parameter]) -> list[Chunk]:
        """Slices of at most `size` points, on the device and in the precision of `like`."""
        x = like.new_tensor(self.points.x)
        step = size if self.gather is None else len(x)
        slices = [slice(start, min(start + step, len(x))) for start in range(0, len(x), step)]
        return [self._chunk(x, part, ansatz, parameters) for part in slices]

    def _chunk(self, x: Tensor, part: slice, ansatz: Ansatz, parameters: Sequence[Parameter]) -> Chunk:
        points = x[part]
        weights = points.new_tensor(self.points.weights[part])
        normals = None if self.points.normals is None else torch.as_tensor(self.points.normals[part]).to(points)
        programs = tuple(bind(lowered, points, normals) for lowered in self.equations)
        plain = self.gather is not None
        target = 0.0 if plain or self.target is None else points.new_tensor(self.target[part])
        scale = torch.ones_like(weights) if plain else (self.weight * weights).sqrt()
        scalars = tuple(tuple(parameters.index(p) for p in e.operator.parameters) for e in self.equations)
        frame = ansatz.frame(points, self.derivatives)
        zero = torch.zeros_like(weights)
        return Chunk(self.equations, self.derivatives, points, scale, zero + target, programs, scalars, ansatz, frame)


def bind(lowered: Lowered, points: Tensor, normals: Tensor | None) -> BoundProgram:
    """F and its gradient with all that depends on the points alone computed."""
    columns = list(points.T)
    if lowered.operator.normal:
        assert normals is not None
        columns += list(normals.T)
    return lowered.program.bind(dict(enumerate(columns)), torch)


@dataclass(frozen=True, eq=False)
class _Join:
    """What makes rows of the points of a chunk: nothing, or S with its scale and target."""

    matrix: Tensor
    target: Tensor
    scale: float

    @classmethod
    def of(cls, block: Block, like: Tensor) -> _Join | None:
        """The join of a block, None where each point has its row."""
        if block.gather is None:
            return None
        matrix = torch.as_tensor(block.gather).to(like)
        target = matrix.new_zeros(len(matrix)) if block.target is None else like.new_tensor(block.target)
        return cls(matrix, target, math.sqrt(block.weight))

    def rows(self, values: Tensor) -> Tensor:
        """(m,) from values at the points (n,)."""
        return self.scale * (self.matrix @ values - self.target)


class ResidualSystem:
    """r(θ) and J(θ) for a network in an ansatz on a list of blocks: the `Objective` of every optimiser.

    θ is (P + k,): the coefficients of the network, then the unknown scalars.

    Args:
        blocks: equations and soft conditions with their points.
        network: structure; its coefficients are the template for θ.
        ansatz: g + b N.
        memory: bytes that J and the tables of one chunk may take. Beyond it J is accumulated, never kept.
        parameters: the unknown scalars, in the order of the end of θ.

    Attributes:
        penalty: whose rows come after those of the blocks; none unless `penalised`.
    """

    penalty: Penalty | None = None

    def __init__(
        self,
        blocks: Sequence[Block],
        network: Trainable,
        ansatz: Ansatz,
        memory: int = MEMORY,
        parameters: Sequence[Parameter] = (),
    ) -> None:
        self.blocks = tuple(blocks)
        self.network = network
        self.ansatz = ansatz
        self.memory = memory
        self.parameters = tuple(parameters)
        self.rows = sum(block.rows for block in blocks)
        self.keeps_jacobian = 8 * self.rows * network.n_parameters <= memory // 2
        like = network.theta
        self._chunks = [
            (chunk, _Join.of(b, like))
            for b in blocks
            for chunk in b.chunks(ansatz, self._chunk_size(b), like, self.parameters)
        ]
        self._jacobian_points = max(FEWEST_POINTS, memory // (4 * 8 * max(1, network.n_parameters)))
        living = sum(layer.living for layer in network.layers[:1])
        table = sum(len(b.points) * len(b.derivatives) * living for b in blocks)
        self._keep_tables = 3 * 8 * table <= memory // 4
        sizes = np.cumsum([self._sweep_size(chunk) for chunk, _ in self._chunks])
        self._kept = int(np.searchsorted(sizes, 5 * memory // 8, side="right"))  # chunks whose sweeps products keep
        living, columns = (sum(getattr(layer, name) for layer in network.layers) for name in ("living", "columns"))
        self._vectors = max(1, living // max(columns, 1))  # so many take no more room than a sweep

    def _chunk_size(self, block: Block) -> int:
        """Points in a sweep: memory goes to the functions alive at them, or to the graph of a user's own module."""
        per_point = sum(layer.living for layer in self.network.layers) or max(1, self.network.n_parameters)
        return max(FEWEST_POINTS, self.memory // (4 * 8 * COPIES * len(block.derivatives) * per_point))

    def _sweep_size(self, chunk: Chunk) -> int:
        """Bytes of what products keep of a sweep: the features and each equation's adjoints."""
        features = sum(layer.living for layer in self.network.layers)
        adjoints = len(chunk.equations) * sum(layer.columns for layer in self.network.layers)
        return 8 * len(chunk.points) * len(chunk.derivatives) * (features + adjoints)

    def penalised(self, penalty: Penalty | None) -> ResidualSystem:
        """The same rows and those of a penalty, or without it, for the same network."""
        system = copy.copy(self)
        system.penalty = penalty
        system.rows = sum(block.rows for block in self.blocks) + (0 if penalty is None else penalty.rows)
        system.keeps_jacobian = 8 * system.rows * self.network.n_parameters <= self.memory // 2
        return system

    @property
    def theta(self) -> Tensor:
        """θ as the network has it now."""
        theta = self.network.theta
        return torch.cat([theta, theta.new_tensor(self.network.scalars)]) if self.parameters else theta

    def adopt(self, theta: Tensor) -> None:
        """Writes a θ into the network."""
        coefficients, scalars = self.apart(theta)
        self.network.set_theta(coefficients)
        self.network.scalars = tuple(scalars.tolist())

    def apart(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """The coefficients of the network (P,) and the unknown scalars (k,) of a θ."""
        count = len(theta) - len(self.parameters)
        return theta[:count], theta[count:]

    def _sweeps(
        self, theta: Tensor, chunks: Sequence[tuple[Chunk, _Join | None]], reverse: bool = True
    ) -> Iterator[tuple[Chunk, _Join | None, Swept]]:
        coefficients = self.network.split(self.apart(theta)[0])
        for chunk, join in chunks:
            prepared = chunk.prepared(self.network, self._keep_tables)
            yield chunk, join, self.network.sweep(prepared, chunk.derivatives, coefficients, reverse)

    def residual(self, theta: Tensor) -> Tensor:
        """r(θ), (N,)."""
        own = [] if self.penalty is None else [self.penalty.residual(theta)]
        return torch.cat([*self._residuals(theta, self._chunks), *own])

    def _residuals(self, theta: Tensor, chunks: Sequence[tuple[Chunk, _Join | None]]) -> Iterator[Tensor]:
        scalars = self.apart(theta)[1]
        for chunk, join, sweep in self._sweeps(theta, chunks, reverse=False):
            values = chunk.residual(chunk.frame.constrain(sweep.output), scalars)
            yield values if join is None else join.rows(values)

    def linearized(self, theta: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Row blocks (r (n,), Jᵀ (P + k, n)), in the order of `residual`."""
        scalars = self.apart(theta)[1]
        for chunk, join, sweep in self._sweeps(theta, self._chunks):
            for residual, adjoint, slopes in chunk.linearized(chunk.frame.constrain(sweep.output), scalars):
                blocks = sweep.jacobian_blocks(chunk.frame.adjoint(adjoint), self._jacobian_points)
                parts = self._with_scalars(residual, blocks, slopes)
                if join is None:
                    yield from parts
                else:
                    yield join.rows(residual), join.scale * self._gathered(parts, join.matrix)
        if self.penalty is not None:
            yield from self.penalty.linearized(theta).blocks(self._jacobian_points)

    def _with_scalars(
        self, residual: Tensor, blocks: Iterator[Tensor], slopes: Tensor
    ) -> Iterator[tuple[Tensor, Tensor]]:
        size = self._jacobian_points
        for part, block, own in zip(residual.split(size), blocks, slopes.split(size, dim=1), strict=True):
            yield part, torch.cat([block, own]) if self.parameters else block

    def _gathered(self, parts: Iterator[tuple[Tensor, Tensor]], matrix: Tensor) -> Tensor:
        """Jᵀ Sᵀ, (P + k, m), strip by strip."""
        total, start = matrix.new_zeros(()), 0
        for values, block in parts:
            total = total + block @ matrix[:, start : start + len(values)].T
            start += len(values)
        return total

    def products(self, theta: Tensor) -> Products:
        """r(θ) with J v and Jᵀ w; sweeps that do not fit the memory setting are made anew for each product."""
        kept, rest = list(self._rows(theta, self._chunks[: self._kept], flat=True)), self._chunks[self._kept :]

        def rows() -> Iterator[Rows]:
            yield from (each for each, _ in kept)
            yield from (each for each, _ in self._rows(theta, rest, flat=False))

        residual = torch.cat([*(r for _, r in kept), *self._residuals(theta, rest)])
        products = RowProducts(residual, self.network, rows, self._vectors)
        return products if self.penalty is None else PenalisedProducts(products, self.penalty.linearized(theta))

    def _rows(
        self, theta: Tensor, chunks: Sequence[tuple[Chunk, _Join | None]], flat: bool
    ) -> Iterator[tuple[Rows, Tensor]]:
        """The linearised rows of chunks and their residual."""
        scalars = self.apart(theta)[1]
        for chunk, join, sweep in self._sweeps(theta, chunks):
            values, adjoints, slopes = zip(*chunk.linearized(chunk.frame.constrain(sweep.output), scalars), strict=True)
            linear = tuple(sweep.linear_adjoints(chunk.frame.adjoint(adjoint)) for adjoint in adjoints)
            if join is None:
                yield Rows(sweep.maps(flat), linear, slopes), torch.cat(values)
            else:
                yield Rows(sweep.maps(flat), linear, slopes, join.scale * join.matrix), join.rows(torch.cat(values))

    def loss_and_gradient(self, theta: Tensor) -> tuple[float, Tensor]:
        """½ |r|² and Jᵀr, one reverse sweep a chunk."""
        coefficients, scalars = self.apart(theta)
        loss, gradient, slope = 0.0, torch.zeros_like(coefficients), torch.zeros_like(scalars)
        for chunk, join, sweep in self._sweeps(theta, self._chunks):
            total = torch.zeros_like(sweep.output)
            for values, adjoint, slopes in chunk.linearized(chunk.frame.constrain(sweep.output), scalars):
                rows = values if join is None else join.rows(values)
                pull = values if join is None else join.scale * (rows @ join.matrix)
                total += adjoint * pull
                slope += slopes @ pull
                loss += 0.5 * float(rows @ rows)
            parts = sweep.gradient(chunk.frame.adjoint(total))
            gradient += torch.cat([part.reshape(-1) for part in parts])
        gradient = torch.cat([gradient, slope])
        if self.penalty is None:
            return loss, gradient
        own = self.penalty.linearized(theta)
        return loss + 0.5 * float(own.residual @ own.residual), gradient + own.adjoint(own.residual)

    def block_norms(self, theta: Tensor) -> dict[str, float]:
        """sqrt(mean F²) of every block, its balancing weight taken out: what a user calls the residual."""
        squares: dict[str, float] = {}
        residual, start = self.residual(theta), 0
        for block in self.blocks:
            part = residual[start : start + block.rows]
            measure = float(block.points.weights.sum()) if block.gather is None else len(block.gather)
            squares[block.label] = math.sqrt(float(part @ part) / (block.weight * measure))
            start += block.rows
        return squares
