"""Levenberg-Marquardt without J: conjugate gradients on products with it, for networks whose J fits no memory.

The step solves (JᵀJ + λD²) d = −Jᵀr to a part of its own size, in the coordinates y = D d in which λ is a pure number.
D² = diag(JᵀJ) is estimated by E[(Jᵀw)²], w random signs (Bekas, Kokiopoulou & Saad 2007). The preconditioner is that of
the randomised Nyström approximation of D⁻¹JᵀJD⁻¹ (Frangella, Tropp & Udell, arXiv 2110.02820, algorithms 2.1 and 5.1).
Both are made anew when conjugate gradients have taken as many more products as that would cost, the first sketch too:
while λ is large none is needed. λ follows Nielsen's rule, as in the dense method. Unlike there, what the iterations do
not reach stays where it is: the dense step gets lower, and it is the better choice as long as it is affordable.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from kanpde.optim.factors import floored
from kanpde.optim.nielsen import lowered, raised
from kanpde.optim.objective import Objective, Products
from kanpde.optim.status import Status, status_at

SEED = 0x5EED  # of the first sketch; each further one has the next
REGULAR = 2.2  # times ε √P |Y|: the shift by which a Nyström sketch is kept positive (algorithm 2.1)

SHARE = 0.6  # of a product, as which each of a sketch counts: they are made together

Map = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class MatrixFreeState:
    """Where the iteration stands.

    Attributes:
        theta: (P,).
        loss: ½ |r|² there.
        damping: λ.
        scale: the diagonal of D, (P,); empty before the first step.
        vectors: U of the sketch U Λ Uᵀ, (P, rank).
        values: Λ, (rank,).
        sketches: made so far.
        base: iterations of the first solve with the present sketch, 0 before it.
        extra: iterations beyond `base` since then.
        status: `Status.RUNNING` until nothing helps.
        trials: systems solved in the last step.
        gain: relative decrease of the loss in the last step.
        reach: share of |r|² that the last step's linear model removes, a lower bound of that in the tangent space.
    """

    theta: Tensor
    loss: float
    damping: float
    scale: Tensor
    vectors: Tensor
    values: Tensor
    sketches: int = 0
    base: int = 0
    extra: int = 0
    status: Status = Status.RUNNING
    trials: int = 0
    gain: float = 1.0
    reach: float = 1.0


@dataclass(frozen=True)
class MatrixFree:
    """The optimiser's settings; `init` and `step` keep all state outside. Memory 8 P (rank + 6) bytes.

    Args:
        damping: first λ, larger than in the dense method, where a rejected step is not a whole iteration lost.
        smallest: λ never falls below.
        patience: trials with growing λ before the step gives up.
        rank: of the sketch; 0 without a preconditioner. At 3,024 parameters 150 left a ninth of the loss that 50 did.
        probes: random signs by which D is estimated.
        forcing: the iteration ends when the last `window` steps gained less than this part of all.
        window: see `forcing` (Nash 1984 ends truncated Newton steps by such a test).
        iterations: of conjugate gradients at most.
    """

    damping: float = 1.0
    smallest: float = 1e-28
    patience: int = 12
    rank: int = 150
    probes: int = 10
    forcing: float = 0.1
    window: int = 10
    iterations: int = 300

    def init(self, objective: Objective, theta: Tensor) -> MatrixFreeState:
        """The state at θ (P,)."""
        residual = objective.residual(theta)
        status = Status.RUNNING if bool(torch.isfinite(residual).all()) else Status.NOT_FINITE
        none = theta.new_zeros(0)
        return MatrixFreeState(theta, _loss(residual), self.damping, none, none[:, None], none, status=status)

    def step(self, objective: Objective, state: MatrixFreeState) -> MatrixFreeState:
        """One accepted step (λ raised until the loss falls), or a status that says why there is none."""
        products = objective.products(state.theta)
        gradient = products.adjoint(products.residual)
        status = status_at(state.loss, gradient)
        if status is not Status.RUNNING:
            return replace(state, status=status, trials=0)
        state = self._prepared(products, state)
        dampings = raised(state.damping, self.smallest)
        for trial in range(1, self.patience + 1):
            damping = next(dampings)
            y, count, reduction = self._solved(products, state, gradient, damping)
            state = _counted(state, count)
            theta = state.theta + y / state.scale
            loss = _loss(objective.residual(theta))
            if loss < state.loss:
                predicted = 0.5 * (damping * float(y @ y) + reduction)
                return replace(
                    state,
                    theta=theta,
                    loss=loss,
                    damping=lowered(damping, state.loss - loss, predicted, self.smallest),
                    trials=trial,
                    gain=(state.loss - loss) / state.loss,
                    reach=min(1.0, reduction / (2.0 * state.loss)),
                )
        return replace(state, damping=next(dampings), status=Status.STALLED, trials=self.patience)

    def _prepared(self, products: Products, state: MatrixFreeState) -> MatrixFreeState:
        """With D alone at first, where λ is large and few iterations are needed; with a sketch once it would pay."""
        if not len(state.scale):
            return replace(self._sketched(products, state, 0), base=self.window)
        return self._sketched(products, state, self.rank) if state.extra > SHARE * self.rank else state

    def _sketched(self, products: Products, state: MatrixFreeState, rank: int) -> MatrixFreeState:
        """D and the Nyström approximation at the present θ."""
        generator = torch.Generator().manual_seed(SEED + state.sketches)
        theta, rows = state.theta, len(products.residual)
        signs = torch.randint(0, 2, (self.probes, rows), generator=generator).to(theta) * 2 - 1
        scale = floored(products.adjoint(signs).square().mean(0).sqrt())
        vectors, values = theta.new_zeros((len(theta), 0)), theta.new_zeros(0)
        if rank:
            start = torch.randn(len(theta), min(rank, len(theta)), generator=generator, dtype=torch.float64).to(theta)
            vectors, values = nystrom(lambda many: products.normal(many / scale) / scale, start)
        sketches = state.sketches + 1
        return replace(state, scale=scale, vectors=vectors, values=values, sketches=sketches, base=0, extra=0)

    def _solved(
        self, products: Products, state: MatrixFreeState, gradient: Tensor, damping: float
    ) -> tuple[Tensor, int, float]:
        """The step y ≈ −(D⁻¹JᵀJD⁻¹ + λ)⁻¹ D⁻¹g, the iterations, and yᵀ(D⁻¹JᵀJD⁻¹ + λ)y."""
        scale = state.scale

        def system(v: Tensor) -> Tensor:
            return products.normal(v / scale) / scale + damping * v

        def preconditioner(v: Tensor) -> Tensor:
            if not len(state.values):
                return v
            factors = (state.values[-1] + damping) / (state.values + damping) - 1.0
            return v + state.vectors @ (factors * (state.vectors.T @ v))

        return conjugate_gradients(
            system, -gradient / scale, preconditioner, self.forcing, self.window, self.iterations
        )


def nystrom(matrix: Map, start: Tensor) -> tuple[Tensor, Tensor]:
    """U (P, k) and Λ (k,), falling, with U Λ Uᵀ near a positive matrix (P, P), from a random start (P, k).

    All products (k, P) with the matrix are asked for at once.
    """
    basis = torch.linalg.qr(start)[0]
    image = matrix(basis.T).T
    shift = REGULAR * torch.finfo(start.dtype).eps * math.sqrt(len(start)) * float(image.norm())
    image = image + shift * basis
    core = basis.T @ image
    lower, failed = torch.linalg.cholesky_ex(0.5 * (core + core.T))
    if int(failed):  # rounding has won: no preconditioner is better than a wrong one
        return start.new_zeros((len(start), 0)), start.new_zeros(0)
    root = torch.linalg.solve_triangular(lower, image.T, upper=False).T
    vectors, sizes, _ = torch.linalg.svd(root, full_matrices=False)
    return vectors, (sizes**2 - shift).clamp_min(0.0)


def conjugate_gradients(
    system: Map, right: Tensor, preconditioner: Map, forcing: float, window: int, most: int
) -> tuple[Tensor, int, float]:
    """The solution x ≈ A⁻¹b, the iterations taken, and xᵀAx, for positive A (Hestenes & Stiefel 1952).

    Ends when the quadratic model gained less than `forcing` of all its gain in the last `window` iterations.
    """
    x, residual = torch.zeros_like(right), right.clone()
    direction = preconditioner(residual)
    square, gains = float(residual @ direction), [0.0]
    for count in range(1, most + 1):
        image = system(direction)
        length = square / float(direction @ image)
        x, residual = x + length * direction, residual - length * image
        gains.append(gains[-1] + length * square)
        late = count >= window and gains[-1] - gains[-1 - window] <= forcing * gains[-1]
        conditioned = preconditioner(residual)
        following = float(residual @ conditioned)
        if late or following <= 0.0 or not math.isfinite(following):
            return x, count, gains[-1]
        direction, square = conditioned + (following / square) * direction, following
    return x, most, gains[-1]


def _counted(state: MatrixFreeState, count: int) -> MatrixFreeState:
    """The state after a solve of so many iterations."""
    base = state.base or count
    return replace(state, base=base, extra=state.extra + max(0, count - base))


def _loss(residual: Tensor) -> float:
    return 0.5 * float(residual @ residual)
