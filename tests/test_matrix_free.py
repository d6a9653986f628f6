"""Gauss-Newton without J: the sketch, conjugate gradients, the step beside the dense one, and the choice by size."""

import cases
import pytest
import torch
from torch import Tensor

import kanpde as kp
from kanpde.lifting import impose
from kanpde.optim import LevenbergMarquardt, MatrixFree, Status, chosen
from kanpde.optim.matrix_free import SHARE, conjugate_gradients, nystrom
from kanpde.plan import assemble, fitted
from kanpde.residuals import MEMORY, ResidualSystem

SIZE = 30


def positive(decay: float) -> Tensor:
    """A positive matrix whose eigenvalues fall by so many orders of magnitude."""
    generator = torch.Generator().manual_seed(1)
    vectors = torch.linalg.qr(torch.randn(SIZE, SIZE, generator=generator, dtype=torch.float64))[0]
    return vectors @ torch.diag(10.0 ** -torch.linspace(0, decay, SIZE, dtype=torch.float64)) @ vectors.T


def start(rank: int) -> Tensor:
    return torch.randn(SIZE, rank, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def test_a_sketch_is_near_the_matrix_and_below_it() -> None:
    """U Λ Uᵀ ≤ A, and off by about the eigenvalues that it leaves out."""
    matrix = positive(12)
    vectors, values = nystrom(lambda many: many @ matrix, start(15))
    torch.testing.assert_close(vectors.T @ vectors, torch.eye(15, dtype=torch.float64))
    gap = torch.linalg.eigvalsh(matrix - vectors @ torch.diag(values) @ vectors.T)
    left_out = float(torch.linalg.eigvalsh(matrix).flip(0)[15])
    assert float(gap.min()) > -1e-12
    assert left_out / 2 < float(gap.max()) < 300 * left_out


def test_conjugate_gradients_solve_and_know_their_gain() -> None:
    matrix, right = positive(2), start(1)[:, 0]
    x, count, gain = conjugate_gradients(lambda v: matrix @ v, right, lambda v: v, 0.0, 5, 200)
    torch.testing.assert_close(x, torch.linalg.solve(matrix, right), rtol=1e-6, atol=1e-8)
    assert gain == pytest.approx(float(x @ matrix @ x), rel=1e-6)
    rough, fewer, less = conjugate_gradients(lambda v: matrix @ v, right, lambda v: v, 0.3, 3, 200)
    assert fewer < count
    assert 0.3 * gain < less < gain
    assert less == pytest.approx(float(rough @ matrix @ rough), rel=1e-6)


def test_a_preconditioner_from_a_sketch_saves_products() -> None:
    matrix, right, damping = positive(8), start(1)[:, 0], 1e-8
    vectors, values = nystrom(lambda many: many @ matrix, start(20))
    factors = (values[-1] + damping) / (values + damping) - 1.0
    counts = [
        conjugate_gradients(lambda v: matrix @ v + damping * v, right, conditioner, 1e-6, 3, 400)[1]
        for conditioner in (lambda v: v, lambda v: v + vectors @ (factors * (vectors.T @ v)))
    ]
    assert counts[1] < counts[0] / 2


def system_of(degree: int = 6) -> ResidualSystem:
    problem = cases.load("poisson")
    network = fitted(kp.KAN([2, (2, 2), 1], "chebyshev", degree=degree, seed=1), problem)
    return assemble(problem, network, impose(problem), kp.Stage(points=300), 0, None)


def test_a_step_solved_to_the_end_is_the_dense_one() -> None:
    """With D of the dense method the two systems are the same; its estimate only changes the damping's metric."""
    system = system_of()
    theta = system.theta
    engine = MatrixFree(damping=1e-2, forcing=0.0, iterations=2000, window=50, probes=4000, rank=0)
    dense = LevenbergMarquardt(damping=1e-2, geodesic=False)
    free, exact = (o.step(system, o.init(system, theta)) for o in (engine, dense))
    change = exact.theta - theta
    assert float((free.theta - exact.theta).norm()) < 0.1 * float(change.norm())
    assert free.loss == pytest.approx(exact.loss, rel=0.1)
    assert free.damping == pytest.approx(exact.damping, rel=0.1)


def test_steps_go_down_and_repeat() -> None:
    engine, system = MatrixFree(rank=20), system_of()
    state = first = engine.init(system, system.theta)
    losses = [state.loss]
    for _ in range(12):
        state = engine.step(system, state)
        losses.append(state.loss)
        assert 0.0 < state.reach <= 1.0
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 1e-2 * losses[0]
    assert state.sketches > 1
    assert state.vectors.shape == (len(state.theta), 20)
    again = first
    for _ in range(12):
        again = engine.step(system, again)
    assert torch.equal(again.theta, state.theta)


def test_the_first_steps_need_no_sketch() -> None:
    """It is made once the iterations beyond those of the first solves have cost as much."""
    engine, system = MatrixFree(rank=20), system_of()
    state = engine.step(system, engine.init(system, system.theta))
    assert state.vectors.shape == (len(state.theta), 0)
    extra = [state.extra]
    while not state.vectors.shape[1]:
        state = engine.step(system, state)
        extra.append(state.extra)
    assert extra[:-1] == sorted(extra[:-1])
    assert extra[-2] > SHARE * 20
    assert extra[-1] < extra[-2]


def test_a_residual_that_is_not_finite_is_said() -> None:
    system = system_of()
    state = MatrixFree().init(system, system.theta * float("nan"))
    assert state.status is Status.NOT_FINITE


@pytest.mark.parametrize(
    ("parameters", "rows", "memory", "kind"),
    [
        (500, 1500, MEMORY, LevenbergMarquardt),
        (3000, 9000, MEMORY, LevenbergMarquardt),
        (50_000, 150_000, MEMORY, MatrixFree),
        (50_000, 1000, MEMORY, LevenbergMarquardt),
        (3000, 9000, 1 << 20, MatrixFree),
    ],
)
def test_size_decides(parameters: int, rows: int, memory: int, kind: type) -> None:
    assert isinstance(chosen(parameters, rows, memory), kind)


def test_a_stage_may_ask_for_it() -> None:
    stages = [kp.Stage("matrix-free", points=300, iterations=25)]
    solution = kp.solve(cases.load("poisson"), 1e-9, network=kp.KAN([2, 3, 1], "chebyshev", degree=5), stages=stages)
    assert {row["optimizer"] for row in solution.history} == {"matrix-free"}
    assert solution.history[-1]["loss"] < 0.5 * solution.history[0]["loss"]
