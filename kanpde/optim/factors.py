"""The damped equations (JᵀJ + λD²) d = −Jᵀr in factored form, from whichever side is the smaller one.

D² = diag(JᵀJ) with a floor: columns are scaled to one, so λ is a pure number. With at least as many rows as parameters
the factor is that of JᵀJ + λD², by Cholesky or, where that cannot tell small singular values from rounding, by QR of
[J; √λ D]. With fewer rows it is that of JD⁻²Jᵀ + λI, for (JᵀJ + λD²)⁻¹Jᵀ = D⁻²Jᵀ(JD⁻²Jᵀ + λI)⁻¹: the same step for
N²P + N³/3 operations instead of NP² + P³/3.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from kanpde.optim.objective import Linearization, Objective, linearize, reduced

COLUMN_FLOOR = 1e-8  # of the largest column of J: dead basis functions give zero columns
REDUNDANT = 1e-12  # of a column of J: what is left of it beside those before it is rounding, if no more


class Factor(Protocol):
    """The damped equations at one λ, solved."""

    @property
    def damping(self) -> float:
        """λ."""
        ...

    @property
    def velocity(self) -> Tensor:
        """The step d, (P,)."""
        ...

    @property
    def reduction(self) -> float:
        """|r|² less the least |J d + r|² + λ|D d|²: dᵀ(JᵀJ + λD²)d, free of cancellation."""
        ...

    @property
    def predicted(self) -> float:
        """The decrease of the loss in the linear model, ½ dᵀ(λD²d − g)."""
        ...

    def length(self, direction: Tensor) -> float:
        """|D d|."""
        ...

    def pulled(self, weights: Tensor) -> Tensor:
        """(JᵀJ + λD²)⁻¹Jᵀ w, (P,), for w (N,)."""
        ...


@dataclass(frozen=True, eq=False)
class Damped:
    """The factor of the normal equations: UᵀU = D⁻¹JᵀJD⁻¹ + λI; `Factor` says what its methods mean.

    Attributes:
        linear: r and J.
        triangle: U, (P, P).
        right: c = −U⁻ᵀD⁻¹g, (P,).
        scale: the diagonal of D, (P,).
        damping: λ.
    """

    linear: Linearization
    triangle: Tensor
    right: Tensor
    scale: Tensor
    damping: float

    @cached_property
    def velocity(self) -> Tensor:
        """By back substitution."""
        return torch.linalg.solve_triangular(self.triangle, self.right[:, None], upper=True)[:, 0] / self.scale

    @property
    def reduction(self) -> float:
        """|c|²."""
        return float(self.right @ self.right)

    @property
    def predicted(self) -> float:
        """½ (λ|Dd|² + |c|²)."""
        return 0.5 * (self.damping * self.length(self.velocity) ** 2 + self.reduction)

    def length(self, direction: Tensor) -> float:
        """|D d|."""
        return float((self.scale * direction).norm())

    def pulled(self, weights: Tensor) -> Tensor:
        """By the semi-normal equations."""
        return self.solve(self.linear.products.adjoint(weights))

    def solve(self, vector: Tensor) -> Tensor:
        """(JᵀJ + λD²)⁻¹ of a vector (P,)."""
        return solved(self.triangle, vector / self.scale) / self.scale


@dataclass(frozen=True, eq=False)
class Dual:
    """r and J at one θ, with fewer rows than parameters.

    Attributes:
        residual: (N,).
        scaled: D⁻¹Jᵀ, (P, N).
        scale: the diagonal of D, (P,).
        orthogonal: whether the factor is to be made by QR.
    """

    residual: Tensor
    scaled: Tensor
    scale: Tensor
    orthogonal: bool

    @property
    def gradient(self) -> Tensor:
        """Jᵀr, (P,)."""
        return self.adjoint(self.residual)

    @property
    def products(self) -> Dual:
        """J v and Jᵀ w."""
        return self

    def forward(self, direction: Tensor) -> Tensor:
        """J v, (N,)."""
        return (self.scale * direction) @ self.scaled

    def adjoint(self, weights: Tensor) -> Tensor:
        """Jᵀ w, (P,)."""
        return self.scale * (weights @ self.scaled.T)

    def normal(self, direction: Tensor) -> Tensor:
        """JᵀJ v, (P,)."""
        return self.adjoint(self.forward(direction))


@dataclass(frozen=True, eq=False)
class DualDamped:
    """The factor of the dual equations: UᵀU = JD⁻²Jᵀ + λI; `Factor` says what its methods mean.

    y = (UᵀU)⁻¹w takes no Q: with U from a QR factorisation the error of D⁻²Jᵀy grows like the condition number, not its
    square (Paige 1973, SIAM J. Numer. Anal. 10, 283).
    """

    linear: Dual
    triangle: Tensor
    damping: float

    @cached_property
    def velocity(self) -> Tensor:
        """−D⁻²Jᵀy."""
        return -self.pulled(self.linear.residual)

    @property
    def reduction(self) -> float:
        """|Jd|² + λ|Dd|²."""
        step = self.velocity
        return float(self.linear.forward(step).square().sum()) + self.damping * self.length(step) ** 2

    @property
    def predicted(self) -> float:
        """½ (λ|Dd|² + |Jd|² + λ|Dd|²)."""
        return 0.5 * (self.damping * self.length(self.velocity) ** 2 + self.reduction)

    def length(self, direction: Tensor) -> float:
        """|D d|."""
        return float((self.linear.scale * direction).norm())

    def pulled(self, weights: Tensor) -> Tensor:
        """D⁻²Jᵀ(JD⁻²Jᵀ + λI)⁻¹w."""
        return self.linear.scaled @ solved(self.triangle, weights) / self.linear.scale


Linear = Linearization | Dual


def solved(triangle: Tensor, vector: Tensor) -> Tensor:
    """(UᵀU)⁻¹ of a vector."""
    half = torch.linalg.solve_triangular(triangle.T, vector[:, None], upper=False)
    return torch.linalg.solve_triangular(triangle, half, upper=True)[:, 0]


def linear_model(objective: Objective, theta: Tensor, orthogonal: bool) -> Linear:
    """R and J at θ, from the side that has fewer of rows and parameters; only J's own side where it cannot be kept."""
    if not objective.keeps_jacobian:
        return linearize(objective, theta, orthogonal)
    rows = list(objective.linearized(theta))
    residual = torch.cat([part for part, _ in rows])
    if len(residual) >= len(theta):
        return reduced(objective, theta, rows, orthogonal)
    transposed = torch.cat([block for _, block in rows], dim=1)
    scale = floored(transposed.norm(dim=1))
    return Dual(residual, transposed.div_(scale[:, None]), scale, orthogonal)


def factored(objective: Objective, theta: Tensor, linear: Linear, damping: float) -> tuple[Linear, Factor]:
    """The factor at λ and what it is of: the orthogonal model at θ where Cholesky breaks down."""
    factor = damped(linear, damping)
    if factor is None:
        linear = linear_model(objective, theta, orthogonal=True)
        factor = damped(linear, damping)
    assert factor is not None
    return linear, factor


def damped(linear: Linear, damping: float) -> Factor | None:
    """The factor at λ; None where Cholesky breaks down."""
    if isinstance(linear, Dual):
        triangle = _upper(linear.scaled, damping, linear.orthogonal)
        return None if triangle is None else DualDamped(linear, triangle, damping)
    scale = floored(linear.columns)
    if linear.orthogonal:
        return _damped_triangle(linear, scale, damping)
    gram = linear.reduced[:-1, :-1] / scale / scale[:, None]
    triangle = _cholesky(gram, damping)
    if triangle is None:
        return None
    right = torch.linalg.solve_triangular(triangle.T, -(linear.gradient / scale)[:, None], upper=False)
    return Damped(linear, triangle, right[:, 0], scale, damping)


def floored(columns: Tensor) -> Tensor:
    """D's diagonal from the norms of J's columns, (P,)."""
    return columns.clamp_min(max(COLUMN_FLOOR * float(columns.max()), torch.finfo(columns.dtype).tiny))


def _damped_triangle(linear: Linearization, scale: Tensor, damping: float) -> Damped:
    """QR of [R D⁻¹, Qᵀr; √λ I, 0]: √λ enters as rows, for a Gram matrix would lose what lies below 1e-8."""
    count, total = scale.numel(), linear.reduced
    rows = total.new_zeros((total.shape[0] + count, count + 1))
    rows[: total.shape[0], :-1] = total[:, :-1] / scale
    rows[: total.shape[0], -1] = total[:, -1]
    rows[total.shape[0] :].fill_diagonal_(damping**0.5)
    triangle = torch.linalg.qr(rows, mode="r")[1]
    return Damped(linear, triangle[:count, :count], -triangle[:count, count], scale, damping)


def _upper(tall: Tensor, damping: float, orthogonal: bool) -> Tensor | None:
    """U of AᵀA + λI, (N, N), for A (P, N)."""
    if not orthogonal:
        return _cholesky(tall.T @ tall, damping)
    shift = damping**0.5 * torch.eye(tall.shape[1], dtype=tall.dtype, device=tall.device)
    return torch.linalg.qr(torch.cat([tall, shift]), mode="r")[1]


def _cholesky(gram: Tensor, damping: float) -> Tensor | None:
    """U of a Gram matrix with λ added to its diagonal; None where it is not positive definite to rounding."""
    gram.diagonal().add_(damping)
    lower, failed = torch.linalg.cholesky_ex(gram)
    return None if int(failed) else lower.T


def reach(linear: Linear, factor: Factor) -> float:
    """ρ_J of `LMState`: |Qᵀr|²/|r|² of the triangle of [J r], or Σ s²/(s² + λ) (uᵀr)²/|r|² of other factors.

    Redundant columns of J leave nothing but rounding on the diagonal of R, and then their columns of Q point anywhere.
    These are left out; else they would count about 1/(N − P) of the residual each as reachable.
    """
    square = max(float(linear.residual @ linear.residual), torch.finfo(linear.residual.dtype).tiny)
    if isinstance(linear, Dual) or not linear.orthogonal:
        return factor.reduction / square
    projected, own = linear.reduced[:-1, -1], linear.reduced.diagonal()[:-1].abs()
    return float(projected[own > REDUNDANT * linear.columns].square().sum()) / square
