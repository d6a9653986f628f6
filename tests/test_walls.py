"""Exact conditions on shapes: whatever the network is, they hold; what does not fit is left to soft rows."""

import cases
import numpy as np
import pytest
import sympy as sp
import torch

import kanpde as kp
from kanpde.collocation import collocate
from kanpde.field import Ansatz
from kanpde.lifting import impose
from kanpde.lowering import derivative_set, lower
from kanpde.network import MLP
from kanpde.walls import APART, MOST_WALLS

x, y, t = sp.symbols("x y t", real=True)
u, w = sp.Function("u")(x, y), sp.Function("w")(x, y, t)
WAVE = sp.exp(x / 2) * sp.cos(2 * y)
DISK, RING_HOLE = kp.Disk((x, y), (0, 0), 1), kp.Disk((x, y), (0.1, 0), 0.4)
KITE = kp.Polygon((x, y), [(-1, 0), (0, -1), (1.2, 0), (0, 1)])
FAR = kp.Disk((x, y), (3, 1), 2)


def poisson(domain: kp.Disk, *conditions: kp.Dirichlet) -> kp.Problem:
    return kp.Problem(domain, sp.Eq(kp.laplacian(u), 1), list(conditions), name="on a shape")


def heat(*conditions: kp.Dirichlet | kp.Initial) -> kp.Problem:
    return kp.Problem(DISK * kp.Time(t, (0, 2)), sp.Eq(w.diff(t), kp.laplacian(w)), list(conditions), name="warm")


def violation(problem: kp.Problem, ansatz: Ansatz, k: int, seed: int = 0) -> float:
    """The largest |F| of a condition for a random network with values of size one."""
    condition = problem.conditions[k]
    chosen = collocate(condition.region, 80, seed=3)
    points, lowered = torch.as_tensor(chosen.x), lower(condition.operator)
    derivatives = derivative_set([lowered])
    network = MLP([len(problem.coordinates), 6, len(problem.fields)], bounds=problem.domain.bounds, seed=seed)
    with torch.no_grad():
        network.coefficients[-1].add_(1.0)
        jet = ansatz.frame(points, derivatives).constrain(network.jet(points, derivatives))
    rows = [jet[derivatives.index(channel), unknown] for unknown, channel in lowered.channels]
    normals = list(torch.as_tensor(chosen.normals).T) if lowered.operator.normal else []
    return float(lowered.program([*points.T, *normals, *rows], torch)[0].abs().max())


SHAPES = {
    "disk": poisson(DISK, kp.Dirichlet(u, WAVE)),
    "far disk": poisson(FAR, kp.Dirichlet(u, x * y)),
    "ellipse": poisson(kp.Ellipse((x, y), (0.5, 0), (1.5, 0.7)), kp.Dirichlet(u, WAVE)),
    "annulus, one value": poisson(DISK - RING_HOLE, kp.Dirichlet(u, WAVE)),
    "annulus, two values": poisson(
        DISK - RING_HOLE, kp.Dirichlet(u, WAVE, on=DISK.boundary), kp.Dirichlet(u, 2, on=RING_HOLE.boundary)
    ),
    "kite": poisson(KITE, kp.Dirichlet(u, WAVE)),
    "warm disk": heat(kp.Dirichlet(w, 0), kp.Initial(w, (1 - x**2 - y**2) * sp.exp(x))),
    "warm disk with data": heat(kp.Dirichlet(w, x * (1 + t)), kp.Initial(w, x + (1 - x**2 - y**2) * y)),
}


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", SHAPES)
def test_all_conditions_hold_whatever_the_network_is(name: str, seed: int) -> None:
    problem = SHAPES[name]
    ansatz = impose(problem)
    assert ansatz.imposed == tuple(range(len(problem.conditions)))
    for k in ansatz.imposed:
        assert violation(problem, ansatz, k, seed) < 1e-12
    inside = collocate(problem.domain.interior, 200, seed=1).x
    factor = ansatz.factor.values(inside)
    assert factor.min() > 0
    assert 0.01 < factor.max() < 4.0


def test_waves_on_a_disk_keep_both_initial_conditions() -> None:
    start, speed = (1 - x**2 - y**2) * x, (1 - x**2 - y**2) * sp.exp(y)
    conditions = [kp.Dirichlet(w, 0), kp.Initial(w, start), kp.Initial(w.diff(t), speed)]
    problem = kp.Problem(DISK * kp.Time(t, (1, 3)), sp.Eq(w.diff(t, 2), kp.laplacian(w)), conditions, name="drum")
    ansatz = impose(problem)
    assert ansatz.imposed == (0, 1, 2)
    assert max(violation(problem, ansatz, k) for k in range(3)) < 1e-12


def test_initial_data_that_jump_on_the_wall_stay_soft() -> None:
    problem = heat(kp.Dirichlet(w, 0), kp.Initial(w, 1))
    ansatz = impose(problem)
    assert ansatz.imposed == (0,)
    assert violation(problem, ansatz, 0) < 1e-12
    assert violation(problem, ansatz, 1) > 1e-2


def test_touching_sides_with_other_data_are_left_out() -> None:
    """Two sides of a kite with another value: one group of the two is kept."""
    upper, below = KITE.boundary.where(y > 0), KITE.boundary.where(y < 0)
    problem = poisson(KITE, kp.Dirichlet(u, 1, on=upper), kp.Dirichlet(u, 0, on=below))
    ansatz = impose(problem)
    assert ansatz.imposed == (0,)
    assert violation(problem, ansatz, 0) < 1e-12
    assert violation(problem, ansatz, 1) > 1e-2


def test_rings_that_nearly_touch_are_not_blended() -> None:
    """With different values, the blend would be as steep as the gap is narrow."""
    near = kp.Disk((x, y), (0, 0), 1 - APART / 10)
    conditions = [kp.Dirichlet(u, 0, on=DISK.boundary), kp.Dirichlet(u, 1, on=near.boundary)]
    assert len(impose(poisson(DISK - near, *conditions)).imposed) == 1
    far = [kp.Dirichlet(u, 0, on=DISK.boundary), kp.Dirichlet(u, 1, on=RING_HOLE.boundary)]
    assert impose(poisson(DISK - RING_HOLE, *far)).imposed == (0, 1)


def test_few_walls_are_imposed_and_many_are_not() -> None:
    corners = [(float(np.cos(a)), float(np.sin(a))) for a in 2 * np.pi * np.arange(MOST_WALLS + 1) / (MOST_WALLS + 1)]
    many = poisson(kp.Polygon((x, y), corners), kp.Dirichlet(u, WAVE))
    soft = impose(many)
    assert soft.imposed == ()
    assert soft.trivial
    forced = impose(many, exact=True)
    assert forced.imposed == (0,)
    assert violation(many, forced, 0) < 1e-12
    assert impose(SHAPES["disk"], exact=False).trivial


def test_reentrant_corners_stay_soft() -> None:
    """The line of a side that goes on into the domain is no wall."""
    arrow = kp.Polygon((x, y), [(-1, -1), (0, -0.2), (1, -1), (0, 1)])
    problem = poisson(arrow, kp.Dirichlet(u, 0))
    ansatz = impose(problem)
    inside = collocate(arrow.interior, 400).x
    assert ansatz.imposed == () or ansatz.factor.values(inside).min() > 0
    assert impose(cases.load("l_shape")).imposed == ()


def test_fluxes_and_rough_data_stay_soft() -> None:
    assert impose(cases.load("annulus")).imposed == (0,)
    assert impose(cases.load("ellipse")).imposed == ()
    assert impose(poisson(DISK, kp.Dirichlet(u, sp.Abs(x)))).imposed == ()
    assert impose(poisson(DISK, kp.Dirichlet(u, sp.Piecewise((x, x > 0), (0, True))))).imposed == ()


def test_each_field_has_its_own_walls() -> None:
    v = sp.Function("v")(x, y)
    domain = DISK - RING_HOLE
    conditions = [
        kp.Dirichlet(u, WAVE),
        kp.Dirichlet(v, 0, on=RING_HOLE.boundary),
        kp.Neumann(v, 0, on=DISK.boundary),
    ]
    equations = [sp.Eq(kp.laplacian(u), v), sp.Eq(kp.laplacian(v), u)]
    problem = kp.Problem(domain, equations, conditions, name="two fields")
    ansatz = impose(problem)
    assert ansatz.imposed == (0, 1)
    assert max(violation(problem, ansatz, k) for k in (0, 1)) < 1e-12
    assert violation(problem, ansatz, 2) > 1e-3
    assert ansatz.lift.expressions[1] == 0


def test_the_ansatz_can_reach_smooth_solutions() -> None:
    """(u - g)/b stays bounded at the walls: b vanishes there to first order only."""
    for name in ("disk", "annulus, two values", "kite"):
        problem = SHAPES[name]
        ansatz = impose(problem)
        size = ansatz.factor.values(collocate(problem.domain.interior, 200).x).max()
        for k in ansatz.imposed:
            on = collocate(problem.conditions[k].region, 20, seed=2)
            assert on.normals is not None
            slopes = [ansatz.factor.values(on.x - h * on.normals)[:, 0] / (h * size) for h in (1e-3, 1e-5)]
            np.testing.assert_allclose(slopes[0], slopes[1], rtol=0.2, atol=0.02)
            assert np.median(slopes[1]) > 0.1
