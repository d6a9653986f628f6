"""`residual` for users' own loops, and users' own modules as an ansatz."""

import cases
import numpy as np
import pytest
import torch
from torch import Tensor

import kanpde as kp
from kanpde.errors import ProblemError
from kanpde.expression import Program
from kanpde.lifting import impose
from kanpde.multiindex import Collapsed, DerivativeSet
from kanpde.network import ModuleNetwork, module_jet
from kanpde.optim import LevenbergMarquardt
from kanpde.plan import assemble, fitted
from kanpde.stages import Stage

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")


class Exact(torch.nn.Module):
    """sin πx sin πy times a parameter that is one."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones((), dtype=torch.float64))

    def forward(self, points: Tensor) -> Tensor:
        return self.scale * torch.sin(np.pi * points).prod(1, keepdim=True)


def perceptron(inputs: int = 2, width: int = 8) -> torch.nn.Module:
    torch.manual_seed(0)
    layers = (torch.nn.Linear(inputs, width), torch.nn.Tanh(), torch.nn.Linear(width, 1))
    return torch.nn.Sequential(*layers).double()


def spread(n: int, d: int = 2) -> Tensor:
    return torch.as_tensor(np.random.default_rng(0).uniform(-1, 1, (n, d)))


def test_residual_of_the_exact_solution_vanishes() -> None:
    module = Exact()
    rows = kp.residual(cases.load("poisson"), module, spread(50))
    assert rows.shape == (50, 1)
    assert float(rows.detach().abs().max()) < 1e-12


def test_residual_can_be_differentiated() -> None:
    """F is linear in the scale: dF/dscale = Δu."""
    module, points = Exact(), spread(20)
    kp.residual(cases.load("poisson"), module, points).sum().backward()
    laplacian = -2 * np.pi**2 * torch.sin(np.pi * points).prod(1)
    torch.testing.assert_close(module.scale.grad, laplacian.sum())


def test_jets_and_nested_differentiation_agree() -> None:
    problem, points = cases.load("coupled"), spread(30)
    network = kp.KAN([2, 3, 2], "chebyshev", degree=5)

    class Plain(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = network

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(x)

    fast, slow = kp.residual(problem, network, points), kp.residual(problem, Plain(), points)
    torch.testing.assert_close(fast, slow, rtol=1e-11, atol=1e-11)
    gradients = [torch.autograd.grad((r**2).sum(), list(network.parameters())) for r in (fast, slow)]
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("k", [0, 1, 2, 3])
def test_residual_of_a_condition_uses_the_normal(k: int) -> None:
    """The exact solution satisfies every condition, another function none."""
    problem = cases.load("poisson_robin")
    piece = problem.conditions[k].region.pieces()[0]
    points = torch.as_tensor(piece.points(np.linspace(0.1, 0.9, 9)[:, None]))
    good, bad = Evaluated(problem, 1.0), Evaluated(problem, 1.1)
    assert float(kp.residual(problem, good, points, condition=k).detach().abs().max()) < 1e-12
    assert float(kp.residual(problem, bad, points, condition=k).detach().abs().max()) > 1e-3


class Evaluated(torch.nn.Module):
    """The exact solution of a problem in torch, plus a multiple of (2 + x)(2 + y)."""

    def __init__(self, problem: kp.Problem, factor: float) -> None:
        super().__init__()
        (exact,) = problem.exact.values()
        self.program = Program.compile([exact], problem.coordinates)
        self.shift = torch.nn.Parameter(torch.tensor(factor - 1.0, dtype=torch.float64))

    def forward(self, points: Tensor) -> Tensor:
        (values,) = self.program(list(points.T), torch)
        return (values + self.shift * (2 + points[:, 0]) * (2 + points[:, 1]))[:, None]


@pytest.mark.parametrize(
    ("points", "condition", "message"),
    [(torch.zeros(3), None, "shape"), (torch.zeros(3, 1), None, "shape"), (spread(3), 9, "condition 9")],
)
def test_residual_refuses(points: Tensor, condition: int | None, message: str) -> None:
    with pytest.raises(ProblemError, match=message):
        kp.residual(cases.load("poisson"), Exact(), points, condition=condition)


def test_a_module_sweeps_like_the_same_mlp() -> None:
    """Jet, Jacobian and gradient of a torch perceptron against kanpde's own with the same weights."""
    derivatives = DerivativeSet.closure(2, [Collapsed((1.0, 2.0)), (1, 1)])
    module, points = perceptron(), spread(12)
    own = kp.MLP([2, 8, 1])
    first, last = module[0], module[2]
    weights = [torch.cat([layer.weight, layer.bias[:, None]], 1).reshape(-1) for layer in (first, last)]
    own.set_theta(torch.cat(weights))
    wrapped = ModuleNetwork(module, 2)
    a = wrapped.sweep(wrapped.prepare(points, derivatives), derivatives)
    b = own.sweep(own.prepare(points, derivatives), derivatives)
    torch.testing.assert_close(a.output, b.output, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(module_jet(module, points, derivatives).detach(), a.output)
    adjoint = torch.randn(a.output.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    rows = a.jacobian(adjoint)
    gradient = torch.cat([g.reshape(-1) for g in a.gradient(adjoint)])
    torch.testing.assert_close(rows.sum(1), gradient)
    bias = slice(16, 24)  # of the first layer: the same entries in both orders but for their place
    torch.testing.assert_close(rows[bias], b.jacobian(adjoint)[:24].view(8, 3, -1)[:, 2])


def test_a_module_is_trained_by_gauss_newton() -> None:
    problem = cases.load("poisson")
    network = fitted(perceptron(), problem)
    system = assemble(problem, network, impose(problem), Stage(points=60), 0, None)
    optimizer = LevenbergMarquardt()
    state = optimizer.init(system, network.theta)
    start = state.loss
    for _ in range(16):
        state = optimizer.step(system, state)
    assert state.loss < 1e-2 * start


def test_solve_takes_a_module() -> None:
    solution = kp.solve(cases.load("poisson"), 1e-1, network=perceptron(), stages=[kp.Stage(points=80, iterations=25)])
    assert solution.converged
    assert solution.relative_l2 < 1e-1
    assert solution.n_parameters == 33


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (torch.nn.Tanh(), "no parameters"),
        (torch.nn.Linear(3, 1).double(), "does not take points"),
        (torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.Flatten(0)).double(), "give|must be"),
        (torch.nn.Linear(2, 2).double(), "2 outputs"),
    ],
)
def test_modules_that_cannot_be_an_ansatz(module: torch.nn.Module, message: str) -> None:
    with pytest.raises(ProblemError, match=message):
        kp.solve(cases.load("poisson"), network=module)


@pytest.mark.slow
def test_the_recipe_of_the_kan_paper() -> None:
    """Grids 5, 10, 20 and L-BFGS on interior and boundary means (arXiv 2404.19756, section 3.4), through `residual`."""
    problem = cases.load("poisson")
    network = kp.KAN([2, 10, 1], "bspline", degree=3, intervals=5, base="silu", bounds=[(-1, 1)] * 2)
    interior, side = spread(1000), torch.linspace(-1, 1, 50, dtype=torch.float64)
    one = torch.ones_like(side)
    faces = ((side, one), (side, -one), (one, side), (-one, side))
    boundary = torch.cat([torch.stack(face, 1) for face in faces])
    test = spread(4000)
    errors = []
    for intervals in (5, 10, 20):
        network = network.refined(intervals=intervals)
        _lbfgs(problem, network, interior, boundary, steps=15)
        gap = network(test).detach().numpy() - problem.exact_values(test.numpy())
        errors.append(float(np.linalg.norm(gap) / np.linalg.norm(problem.exact_values(test.numpy()))))
    assert errors[2] < errors[0]
    assert errors[2] < 1e-2


def _lbfgs(problem: kp.Problem, network: torch.nn.Module, interior: Tensor, boundary: Tensor, steps: int) -> None:
    optimizer = torch.optim.LBFGS(network.parameters(), history_size=10, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        equation = (kp.residual(problem, network, interior) ** 2).mean()
        loss = 0.01 * equation + (network(boundary) ** 2).mean()
        loss.backward()
        return loss

    for _ in range(steps):
        optimizer.step(closure)
