"""What an optimiser sees of the world: a residual vector, its Jacobian in row blocks, a loss and its gradient."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import torch
from torch import Tensor

from kanpde.optim.status import Status

STRIP = 128  # rows of a Gram matrix at a time: enough for a matrix product at full speed


class Products(Protocol):
    """J at one θ, known by what it does to vectors, one or many at a time: (P,) or (B, P), (N,) or (B, N)."""

    @property
    def residual(self) -> Tensor:
        """r(θ), (N,)."""
        ...

    def forward(self, direction: Tensor) -> Tensor:
        """J v, (N,), for v (P,)."""
        ...

    def adjoint(self, weights: Tensor) -> Tensor:
        """Jᵀ w, (P,), for w (N,)."""
        ...

    def normal(self, direction: Tensor) -> Tensor:
        """JᵀJ v, (P,), for v (P,): where J is made anew for each product, half as dear as one after the other."""
        ...


class Objective(Protocol):
    """L(θ) = ½ |r(θ)|² with r (N,) already scaled by the square roots of its weights, θ flat (P,)."""

    def residual(self, theta: Tensor) -> Tensor:
        """r(θ), (N,)."""
        ...

    def linearized(self, theta: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Row blocks (r (n,), Jᵀ (P, n)); their size is bounded by the memory that the objective was given."""
        ...

    def loss_and_gradient(self, theta: Tensor) -> tuple[float, Tensor]:
        """L(θ) and Jᵀr, without forming J."""
        ...

    def products(self, theta: Tensor) -> Products:
        """J v and Jᵀ w at θ, without forming J."""
        ...

    @property
    def keeps_jacobian(self) -> bool:
        """Whether all of J fits the memory setting, so that it may be kept between uses."""
        ...


class State(Protocol):
    """What every optimiser's state tells a driver; the rest of it is the optimiser's own."""

    @property
    def theta(self) -> Tensor:
        """Coefficients, (P,)."""
        ...

    @property
    def loss(self) -> float:
        """½ |r|² there."""
        ...

    @property
    def damping(self) -> float:
        """λ of a damped method, 0 of the others."""
        ...

    @property
    def gain(self) -> float:
        """Relative decrease of the loss in the last step."""
        ...

    @property
    def status(self) -> Status:
        """Whether to go on, and if not, why."""
        ...


class Optimizer(Protocol):
    """Settings with two methods; all state is outside, so a refined network just takes a new `init`."""

    def init(self, objective: Objective, theta: Tensor) -> Any:
        """The state at θ (P,)."""
        ...

    def step(self, objective: Objective, state: Any) -> Any:
        """The state after one step."""
        ...


@dataclass(frozen=True, eq=False)
class BlockProducts:
    """Products with a J that is kept, as row blocks Jᵀ (P, n)."""

    residual: Tensor
    blocks: tuple[Tensor, ...]

    def forward(self, direction: Tensor) -> Tensor:
        """J v, (N,)."""
        return torch.cat([direction @ block for block in self.blocks], dim=-1)

    def adjoint(self, weights: Tensor) -> Tensor:
        """Jᵀ w, (P,)."""
        parts = weights.split([block.shape[1] for block in self.blocks], dim=-1)
        return torch.stack([part @ block.T for block, part in zip(self.blocks, parts, strict=True)]).sum(0)

    def normal(self, direction: Tensor) -> Tensor:
        """JᵀJ v, (P,)."""
        return self.adjoint(self.forward(direction))


@dataclass(frozen=True, eq=False)
class Linearization:
    """r and J at one θ, kept as row blocks, or reduced at once to the triangle R of [J r] where J is too large.

    Attributes:
        objective: whose.
        theta: where.
        residual: (N,).
        blocks: Jᵀ row blocks (P, n), or () when J is not kept.
        reduced: with a Gram matrix [J r]ᵀ[J r] (orthogonal=False) or the triangle R of [J r], (P + 1, P + 1).
        orthogonal: which of the two.
    """

    objective: Objective
    theta: Tensor
    residual: Tensor
    blocks: tuple[Tensor, ...]
    reduced: Tensor
    orthogonal: bool

    @property
    def columns(self) -> Tensor:
        """Norms of J's columns, (P,)."""
        if self.orthogonal:
            return self.reduced[:-1, :-1].norm(dim=0)
        return self.reduced.diagonal()[:-1].clamp_min(0.0).sqrt()

    @property
    def gradient(self) -> Tensor:
        """Jᵀr, (P,)."""
        if self.orthogonal:
            return self.reduced[:-1, :-1].T @ self.reduced[:-1, -1]
        return self.reduced[:-1, -1]

    @cached_property
    def products(self) -> Products:
        """J v and Jᵀ w, from the blocks where they are kept."""
        return BlockProducts(self.residual, self.blocks) if self.blocks else self.objective.products(self.theta)


def linearize(objective: Objective, theta: Tensor, orthogonal: bool) -> Linearization:
    """Accumulates the row blocks: by QR of [R; block] (TSQR) where `orthogonal`, else by summing Gram matrices."""
    return reduced(objective, theta, objective.linearized(theta), orthogonal)


def reduced(
    objective: Objective, theta: Tensor, rows: Iterable[tuple[Tensor, Tensor]], orthogonal: bool
) -> Linearization:
    """The same from row blocks (r (n,), Jᵀ (P, n)) that are there already."""
    residuals, blocks, total = [], [], None
    for residual, transposed in rows:
        residuals.append(residual)
        total = _reduce(total, transposed, residual, orthogonal)
        if objective.keeps_jacobian:
            blocks.append(transposed)
    assert total is not None
    return Linearization(objective, theta, torch.cat(residuals), tuple(blocks), total, orthogonal)


def _reduce(total: Tensor | None, transposed: Tensor, residual: Tensor, orthogonal: bool) -> Tensor:
    """Accumulation is apart from the solve, so that ranks of a parallel run could each do their own rows."""
    if not orthogonal:
        gram = gram_matrix(transposed, residual)
        return gram if total is None else total + gram
    joined = torch.cat([transposed, residual[None]])
    rows = joined.T if total is None else torch.cat([total, joined.T])
    triangle = torch.linalg.qr(rows, mode="r")[1]
    missing = joined.shape[0] - triangle.shape[0]
    return torch.nn.functional.pad(triangle, (0, 0, 0, missing)) if missing > 0 else triangle


def gram_matrix(transposed: Tensor, residual: Tensor) -> Tensor:
    """[J r]ᵀ[J r], (P + 1, P + 1), from Jᵀ (P, n) and r (n,): the lower triangle by strips of rows, then its mirror.

    Symmetry saves a third of the time of the whole product, and J is not copied to stand beside r.
    """
    count = len(transposed)
    gram = transposed.new_empty((count + 1, count + 1))
    for start in range(0, count, STRIP):
        rows = slice(start, min(start + STRIP, count))
        gram[rows, : rows.stop] = transposed[rows] @ transposed[: rows.stop].T
        gram[:start, rows] = gram[rows, :start].T
    gram[:count, count] = gram[count, :count] = transposed @ residual
    gram[count, count] = residual @ residual
    return gram
