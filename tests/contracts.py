"""What every basis, field and optimiser must keep, whatever it is: one function a protocol, called on tables of them.

The slow twins are here too: derivatives by nested forward mode, one direction at a time.
"""

import dataclasses
import warnings
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from kanpde.field import Field
from kanpde.multiindex import Channel, Collapsed, DerivativeSet, MultiIndex, unit
from kanpde.network import Basis
from kanpde.network.architecture import basis_from_spec
from kanpde.optim import Objective, Products, State, Status

Function = Callable[[Tensor], Tensor]

# The first forward mode of a process compiles torch's own rules with torch's own deprecated torch.jit.script.
with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    torch.func.jvp(torch.sin, (torch.zeros(()),), (torch.ones(()),))


def directional(function: Function, axis: int) -> Function:
    """∂/∂x_axis of a function of points (n, d)."""

    def derivative(x: Tensor) -> Tensor:
        tangent = torch.zeros_like(x)
        tangent[:, axis] = 1.0
        return torch.func.jvp(function, (x,), (tangent,))[1]

    return derivative


def nested(function: Function, alpha: MultiIndex) -> Function:
    """D^α of a function of points (n, d), by one forward mode inside the other."""
    for axis, times in enumerate(alpha):
        for _ in range(times):
            function = directional(function, axis)
    return function


def slow_channel(function: Function, channel: Channel, x: Tensor) -> Tensor:
    """D^α, or a collapsed sum, of a function (n, d) -> (n, c) at points: (c, n)."""
    if isinstance(channel, Collapsed):
        d = x.shape[1]
        return sum(channel.weights[a] * slow_channel(function, unit(a, d, 2), x) for a in channel.axes)
    return nested(function, channel)(x).T


def slow_jet(function: Function, derivatives: DerivativeSet, x: Tensor) -> Tensor:
    """The jet (c, w, n) of a function, channel by channel."""
    return torch.stack([slow_channel(function, channel, x) for channel in derivatives.channels])


def assert_close(fast: Tensor, slow: Tensor, rtol: float = 1e-10) -> None:
    """Equal to `rtol` of the largest value of the slow one."""
    assert fast.shape == slow.shape
    size = max(float(slow.abs().max()), 1e-300)
    gap = float((fast - slow).abs().max()) / size
    assert gap <= rtol, f"they differ by {gap:.1e} of the largest value, more than {rtol:.0e}"


def check_basis(basis: Basis, order: int = 4) -> None:
    """Tables are the derivatives of the values; plain values name the basis; refining keeps every function."""
    z = torch.linspace(-0.97, 0.96, 41, dtype=torch.float64)[None]
    tables = basis.tables(z, order)
    assert tables.shape == (order + 1, 1, basis.size, z.shape[1])
    slow = slow_jet(lambda x: basis.values(x.T)[0].T, DerivativeSet.closure(1, [(order,)]), z.T)
    for m in range(order + 1):
        assert_close(tables[m, 0], slow[m], 1e-11)
    assert basis_from_spec(basis.spec()) == basis
    assert basis.tables(z.to(torch.float32), 1).dtype == torch.float32
    finer = basis.refined(2 * basis.resolution + 1)
    if basis.nested:
        coefficients = torch.as_tensor(np.random.default_rng(0).normal(size=basis.size))
        moved = torch.as_tensor(basis.embedding(finer)) @ coefficients
        outside = torch.linspace(-1.05, 1.05, 200, dtype=torch.float64)[None]
        assert_close(moved @ finer.values(outside)[0], coefficients @ basis.values(outside)[0], 1e-13)


def check_field(field: Field, x: Tensor, wanted: Sequence[Channel], unknowns: int) -> None:
    """One jet, whatever else is asked for with it; and each channel is the derivative of the one below it."""
    d = x.shape[1]
    derivatives = DerivativeSet.closure(d, wanted)
    jet = field.jet(x, derivatives)
    assert jet.shape == (len(derivatives), unknowns, len(x))
    for channel in derivatives.channels:
        alone = DerivativeSet.closure(d, [channel])
        assert_close(field.jet(x, alone)[alone.index(channel)], jet[derivatives.index(channel)], 1e-12)
    for lower, axis, upper in _ladders(derivatives):
        slope = _difference(lambda y: field.jet(y, derivatives)[derivatives.index(lower)], x, axis)  # noqa: B023
        assert_close(jet[derivatives.index(upper)], slope, 1e-6)


def _ladders(derivatives: DerivativeSet) -> Iterator[tuple[MultiIndex, int, MultiIndex]]:
    d = derivatives.dimension
    for lower in derivatives.channels:
        for axis in range(d):
            if not isinstance(lower, Collapsed):
                upper = tuple(a + s for a, s in zip(lower, unit(axis, d), strict=True))
                if upper in derivatives:
                    yield lower, axis, upper


def _difference(function: Function, x: Tensor, axis: int, h: float = 1e-3) -> Tensor:
    """Central differences of order eight."""
    step = torch.zeros(x.shape[1], dtype=x.dtype)
    step[axis] = h
    weights = (4 / 5, -1 / 5, 4 / 105, -1 / 280)
    return sum(w * (function(x + k * step) - function(x - k * step)) for k, w in enumerate(weights, start=1)) / h


@dataclasses.dataclass(frozen=True)
class LeastSquares:
    """An `Objective` from a differentiable residual function, in row blocks of `rows` rows."""

    function: Function
    rows: int = 10**6
    keeps_jacobian: bool = True

    def residual(self, theta: Tensor) -> Tensor:
        return self.function(theta)

    def linearized(self, theta: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        residual, jacobian = self.function(theta), torch.func.jacrev(self.function)(theta)
        for start in range(0, len(residual), self.rows):
            part = slice(start, start + self.rows)
            yield residual[part], jacobian[part].T.contiguous()

    def loss_and_gradient(self, theta: Tensor) -> tuple[float, Tensor]:
        residual, pull = torch.func.vjp(self.function, theta)
        return 0.5 * float(residual @ residual), pull(residual)[0]

    def products(self, theta: Tensor) -> Products:
        residual, pull = torch.func.vjp(self.function, theta)

        def adjoint(weights: Tensor) -> Tensor:
            return pull(weights)[0] if weights.ndim == 1 else torch.stack([pull(one)[0] for one in weights])

        return FunctionProducts(self.function, theta, residual, adjoint)


@dataclasses.dataclass(frozen=True)
class FunctionProducts:
    """J v and Jᵀ w of a differentiable function, by forward and reverse mode."""

    function: Function
    theta: Tensor
    residual: Tensor
    adjoint: Function

    def forward(self, direction: Tensor) -> Tensor:
        if direction.ndim > 1:
            return torch.stack([self.forward(one) for one in direction])
        return torch.func.jvp(self.function, (self.theta,), (direction,))[1]

    def normal(self, direction: Tensor) -> Tensor:
        return self.adjoint(self.forward(direction))


def exponentials(theta: Tensor) -> Tensor:
    """A zero-residual fit of two decaying exponentials, with its minimum at (1, −1, 2, −0.3)."""
    t = torch.linspace(0, 3, 12, dtype=theta.dtype)
    return (
        theta[0] * torch.exp(theta[1] * t)
        + theta[2] * torch.exp(theta[3] * t)
        - torch.exp(-t)
        - 2 * torch.exp(-0.3 * t)
    )


EXPONENTIALS_START = torch.tensor([0.8, -1.3, 1.7, -0.2], dtype=torch.float64)
EXPONENTIALS_MINIMUM = torch.tensor([1.0, -1.0, 2.0, -0.3], dtype=torch.float64)


def check_optimizer(optimizer: object, steps: int = 30) -> None:
    """Steps are pure, states are plain, the loss falls in the end, and statuses say what happened."""
    objective: Objective = LeastSquares(exponentials)
    first = start = optimizer.init(objective, EXPONENTIALS_START)
    assert isinstance(first.loss, float)
    assert first.loss == 0.5 * float(exponentials(EXPONENTIALS_START).square().sum())
    for _ in range(steps):
        before = start.theta.clone()
        state, again = optimizer.step(objective, start), optimizer.step(objective, start)
        assert torch.equal(start.theta, before)
        assert torch.equal(state.theta, again.theta)
        _check_state(objective, state)
        start = state
    assert start.loss < first.loss
    assert torch.equal(EXPONENTIALS_START, torch.tensor([0.8, -1.3, 1.7, -0.2], dtype=torch.float64))
    _check_statuses(optimizer)


def _check_state(objective: Objective, state: State) -> None:
    assert isinstance(state.status, Status)
    assert isinstance(state.damping, float)
    assert isinstance(state.gain, float)
    residual = objective.residual(state.theta)
    assert abs(state.loss - 0.5 * float(residual @ residual)) <= 1e-14 * (1.0 + state.loss)


def _check_statuses(optimizer: object) -> None:
    undefined = LeastSquares(lambda theta: theta.log())
    lost = optimizer.init(undefined, torch.tensor([1.0, -1.0], dtype=torch.float64))
    assert lost.status is Status.NOT_FINITE
    assert optimizer.step(undefined, lost).status is Status.NOT_FINITE
    resting = LeastSquares(lambda theta: torch.stack([*theta, theta.sum()]))
    state = optimizer.init(resting, torch.zeros(2, dtype=torch.float64))
    assert optimizer.step(resting, state).status is Status.FLAT
