"""What a solve starts from: default networks, blocks of the residual and their balance."""

import dataclasses

import cases
import numpy as np
import pytest
import sympy as sp
import torch
from cases import load as problem_file

import kanpde as kp
from kanpde.errors import ProblemError
from kanpde.lifting import impose
from kanpde.network import Network
from kanpde.plan import (
    INSTANTS,
    OBSERVED,
    UNSTATED,
    assemble,
    balanced,
    blocks,
    check_weights,
    condition_block,
    default_network,
    fitted,
    integral_rows,
    point_count,
)
from kanpde.problem import Problem

x, y, t = sp.symbols("x y t", real=True)


@pytest.mark.parametrize("name", cases.NAMES)
def test_default_networks_fit_their_problems(name: str) -> None:
    problem = problem_file(name)
    network = default_network(problem, seed=2)
    assert (network.inputs, network.outputs) == (len(problem.coordinates), len(problem.unknowns))
    placed = fitted(network, problem)
    corners = torch.as_tensor(problem.domain.bounds.T.copy())
    assert torch.equal(
        placed.layers[0].scaled(corners.T[None])[0].abs(), torch.ones(len(problem.coordinates), 2).double()
    )
    assert torch.equal(default_network(problem, 2).theta, network.theta)
    assert not torch.equal(default_network(problem, 3).theta, network.theta)


def test_periodic_inputs_get_fourier_edges() -> None:
    u = sp.Function("u")(x, y)
    box = kp.Box({x: (0, 2), y: (-1, 1)})
    conditions = [kp.Periodic(u, x), kp.Dirichlet(u, 0, on=box.lower(y) | box.upper(y))]
    problem = Problem(box, kp.laplacian(u) - 1, conditions)
    network = fitted(kp.KAN([2, 4, 1], degree=5), problem)
    points = torch.tensor([[0.0, 0.3], [2.0, 0.3], [1.0, -1.0], [1.0, 1.0]], dtype=torch.float64)
    values = network(points).detach()
    assert values[0] == pytest.approx(float(values[1]), abs=1e-14)
    assert values[2] != pytest.approx(float(values[3]), abs=1e-3)
    with pytest.raises(ProblemError, match="Linear cannot be made periodic; use KAN or MLP"):
        fitted(torch.nn.Linear(2, 1, dtype=torch.float64), problem)


@pytest.mark.parametrize(("degree", "name", "least"), [(2, "poisson", 3), (4, "biharmonic_1d", 5)])
def test_edges_must_be_smooth_enough(degree: int, name: str, least: int) -> None:
    problem = problem_file(name)
    d = len(problem.coordinates)
    with pytest.raises(
        ProblemError, match=rf"derivatives of order {least - 1}; a degree-{degree} .*Use degree >= {least}"
    ):
        fitted(kp.KAN([d, 3, 1], degree=degree), problem)
    fitted(kp.KAN([d, 3, 1], degree=least), problem)


def chebyshev(degree: int, width: int = 2) -> Network:
    return kp.KAN([2, (width, width), 1], "chebyshev", degree=degree)


def test_points_outnumber_parameters() -> None:
    network = kp.KAN([2, 10, 1], intervals=20)
    assert point_count(network, kp.Stage()) >= 3 * network.n_parameters
    assert point_count(network, kp.Stage(points=77)) == 77


def test_a_block_for_each_condition_that_is_not_kept() -> None:
    problem = problem_file("poisson_robin")
    hard = blocks(problem, impose(problem), 200, seed=0)
    soft = blocks(problem, impose(problem, exact=False), 200, seed=0, weights=[1, 2, 3, 4])
    assert len(hard) == 1 + 4 - len(impose(problem).imposed)
    assert [b.label for b in soft[1:]] == [c.label for c in problem.conditions]
    assert [b.weight for b in soft] == [1, 1, 2, 3, 4]
    for block in (*hard, *soft):
        measure = {"equations": problem.domain.measure}.get(block.label, 2.0)
        assert block.points.weights.sum() == pytest.approx(measure)


def test_balance_gives_each_condition_the_weight_of_the_equations() -> None:
    problem = problem_file("poisson_robin")
    network = fitted(chebyshev(6), problem)
    soft = impose(problem, exact=False)
    system = assemble(problem, network, soft, kp.Stage(points=300), 0, weights=None)
    sizes = [len(b.points) for b in system.blocks]
    rows = torch.cat([jacobian.square().sum(0) for _, jacobian in system.linearized(network.theta)])
    parts = [float(part.sum()) for part in rows.split(sizes)]
    np.testing.assert_allclose(parts, parts[0], rtol=1e-9)
    again = balanced(system, network.theta)
    np.testing.assert_allclose([b.weight for b in again.blocks], [b.weight for b in system.blocks], rtol=1e-9)
    plain = assemble(problem, network, soft, kp.Stage(points=300), 0, weights=[1.0] * 4)
    assert {b.weight for b in plain.blocks} == {1.0}


def test_weights_are_checked() -> None:
    problem = problem_file("poisson_robin")
    check_weights(problem, None)
    check_weights(problem, [1, 2.5, 3, 4])
    for wrong in ([1, 2, 3], [1, 2, 3, 0], [1, 2, 3, float("nan")]):
        with pytest.raises(ProblemError, match="weights must be 4 positive numbers, one for each condition"):
            check_weights(problem, wrong)


def test_sampling_rule_and_seed_of_a_stage() -> None:
    problem = problem_file("poisson")
    network, ansatz = fitted(chebyshev(5), problem), impose(problem)

    def points(stage: kp.Stage, seed: int) -> np.ndarray:
        return assemble(problem, network, ansatz, stage, seed, None).blocks[0].points.x

    sobol, grid = kp.Stage(points=64), kp.Stage(points=64, sampling="grid")
    np.testing.assert_array_equal(points(sobol, 1), points(sobol, 1))
    assert (points(sobol, 1) != points(sobol, 2)).any()
    np.testing.assert_array_equal(points(grid, 1), points(dataclasses.replace(grid, iterations=3), 2))


W = sp.Function("w")(x, y, t)
DRUM = kp.Disk((x, y), (0, 0), 1) * kp.Time(t, (0, 2))


def measured(*conditions: object) -> Problem:
    equation = sp.Eq(W.diff(t), kp.laplacian(W))
    return Problem(DRUM, equation, [kp.Dirichlet(W, 0), kp.Initial(W, 0), *conditions], name="measured")


def test_integrals_hold_at_every_instant() -> None:
    """S F approximates the integral over space, at each of the instants that the target belongs to."""
    problem = measured(kp.Integral(W, sp.exp(-t)))
    points, gather, target = integral_rows(problem, problem.conditions[-1], 0)
    assert gather.shape == (INSTANTS, len(points))
    assert target.shape == (INSTANTS,)
    instants = points.x[gather.argmax(axis=1), 2]
    np.testing.assert_allclose(target, np.exp(-instants), rtol=1e-13)
    moment = gather @ (points.x[:, 0] ** 2 * (1 + points.x[:, 2]))
    np.testing.assert_allclose(moment, np.pi / 4 * (1 + instants), rtol=1e-6)
    block = condition_block(problem, problem.conditions[-1], 400, "sobol", 0, 6.0)
    assert block.rows == INSTANTS
    assert block.weight == 6.0 / INSTANTS
    assert not block.fixed


def test_integrals_without_time_are_one_row_and_on_a_side_take_its_length() -> None:
    u = sp.Function("u")(x, y)
    box = kp.Box({x: (0, 2), y: (0, 3)})
    conditions = [kp.Neumann(u, 0), kp.Integral(u, 2), kp.Integral(u, x - x + 1, on=box.upper(x))]
    problem = Problem(box, sp.Eq(kp.laplacian(u), u), conditions, name="mean")
    inside, side = (integral_rows(problem, c, 0) for c in problem.conditions if c.kind == "integral")
    assert inside[1].shape[0] == side[1].shape[0] == 1
    assert (inside[2].tolist(), side[2].tolist()) == ([2.0], [1.0])
    assert inside[1] @ inside[0].x[:, 1] ** 3 == pytest.approx(2 * 81 / 4, rel=1e-10)
    assert side[1] @ side[0].x[:, 1] ** 2 == pytest.approx(9.0, rel=1e-6)
    np.testing.assert_array_equal(side[0].x[:, 0], 2.0)


def test_measurements_count_by_their_errors() -> None:
    """Rows (F - d) η/(σ √n): all of them together have the size η, and balancing leaves them alone."""
    spots = np.array([[0.1, 0.2, 0.5], [0.3, -0.2, 1.5], [0.0, 0.1, 1.0]])
    sigma = np.array([0.1, 0.2, 0.4])
    problem = measured(kp.Observations(W, spots, [1.0, 2.0, 4.0], sigma=sigma))
    block = condition_block(problem, problem.conditions[-1], 400, "sobol", 0, 1.0)
    np.testing.assert_array_equal(block.points.x, spots)
    np.testing.assert_array_equal(block.target, [1.0, 2.0, 4.0])
    np.testing.assert_allclose(np.sqrt(block.points.weights) * sigma * np.sqrt(3), OBSERVED, rtol=1e-13)
    assert (block.fixed, block.measured) == (True, True)
    network = fitted(default_network(problem, 0), problem)
    system = assemble(problem, network, impose(problem), kp.Stage(points=60), 0, None)
    kept = next(b for b in system.blocks if b.measured)
    assert kept.weight == 1.0


def test_measurements_without_an_error_count_by_their_spread() -> None:
    spots = np.array([[0.1, 0.2, 0.5], [0.3, -0.2, 1.5]])
    problem = measured(kp.Observations(W, spots, [1.0, 3.0]))
    block = condition_block(problem, problem.conditions[-1], 400, "sobol", 0, 1.0)
    assert block.sigma is None
    np.testing.assert_allclose(np.sqrt(block.points.weights * 2), OBSERVED / UNSTATED, rtol=1e-13)
    constant = measured(kp.Observations(W, spots, [3.0, 3.0]))
    block = condition_block(constant, constant.conditions[-1], 400, "sobol", 0, 1.0)
    np.testing.assert_allclose(np.sqrt(block.points.weights * 2), OBSERVED / (3 * UNSTATED), rtol=1e-13)


def test_materials_get_points_by_their_areas() -> None:
    problem = problem_file("two_materials")
    first, second = (b for b in blocks(problem, impose(problem), 300, 0) if b.label.startswith("equations"))
    assert np.all(first.points.x[:, 0] <= 0)
    assert np.all(second.points.x[:, 0] >= 0)
    assert len(first.points) == len(second.points) == 150
    assert float(first.points.weights.sum()) == pytest.approx(1.0, rel=1e-10)
