"""Inputs of networks: jets through features, clusterings of steep places, what holes and corners add."""

from functools import partial

import cases
import numpy as np
import pytest
import sympy as sp
import torch
from contracts import Function, assert_close, slow_channel, slow_jet

import kanpde as kp
from kanpde.collocation import PointSet, collocate
from kanpde.features import (
    Clustering,
    clustered,
    features_of,
    input_bounds,
    inputs_of,
    periodic_inputs,
    with_clusterings,
)
from kanpde.field import Ansatz, SymbolicField
from kanpde.lowering import lower
from kanpde.multiindex import Collapsed, DerivativeSet
from kanpde.network import KAN
from kanpde.plan import default_network, fitted
from kanpde.residuals import Block, ResidualSystem

x, y, t = sp.symbols("x y t", real=True)
u, v = sp.Function("u")(x, y), sp.Function("v")(x, t)
FRONTS = Clustering(0, (-0.3, 0.4), (0.05, 0.01))
RING = Clustering(0, (0.4, 1.7), (0.05, 0.02), 2.0)
PLAIN = Ansatz(SymbolicField((x, y), (sp.S.Zero,)), SymbolicField((x, y), (sp.S.One,)))
SQUARE = kp.Problem(kp.Box({x: (-1, 1), y: (-1, 1)}), sp.Eq(kp.laplacian(u), 1), kp.Dirichlet(u, 0), name="square")
INPUTS = (x, sp.log(x**2 + y**2), sp.asinh((y - sp.Rational(1, 2)) / sp.Rational(1, 10)))


def points(n: int = 7) -> torch.Tensor:
    return torch.as_tensor(np.random.default_rng(0).uniform(0.2, 0.9, (n, 2)))


def composed(network: Function, p: torch.Tensor) -> torch.Tensor:
    """N of INPUTS, written in torch."""
    a, b = p[:, 0], p[:, 1]
    return network(torch.stack([a, torch.log(a**2 + b**2), torch.asinh((b - 0.5) / 0.1)], dim=1))


def test_a_network_of_features_has_the_derivatives_of_the_composition() -> None:
    network = KAN([3, (3, 2), 1], "chebyshev", degree=6, bounds=[(-1, 1), (-4, 1), (-4, 4)], arity=2)
    ansatz = Ansatz(PLAIN.lift, PLAIN.factor, features=SymbolicField((x, y), INPUTS))
    derivatives = DerivativeSet.closure(2, [(2, 1), Collapsed((1.0, 2.0))])
    with torch.no_grad():
        jet = network.sweep(ansatz.prepare(network, points(), derivatives), derivatives).output
        assert_close(jet, slow_jet(lambda p: composed(network, p), derivatives, points()), 1e-12)


def test_the_jacobian_of_a_network_of_features_is_that_of_the_composition() -> None:
    network = KAN([3, (3, 2), 1], "chebyshev", degree=4, bounds=[(-1, 1), (-9, 1), (-4, 4)], arity=2)
    features = SymbolicField((x, y), INPUTS)
    block = Block("equations", (lower(SQUARE.operators[0]),), PointSet(points().numpy(), np.ones(7), None))
    system = ResidualSystem([block], network, Ansatz(PLAIN.lift, PLAIN.factor, features=features))
    names = [name for name, _ in network.named_parameters()]

    def laplacian(theta: torch.Tensor) -> torch.Tensor:
        parameters = dict(zip(names, network.split(theta), strict=True))
        inner = partial(torch.func.functional_call, network, parameters)
        return slow_channel(partial(composed, lambda z: inner((z,))), Collapsed((1.0, 1.0)), points())[0]

    jacobian = torch.cat([j for _, j in system.linearized(network.theta)], dim=1).T
    slow = torch.func.jacrev(laplacian)(network.theta)
    sign = float(torch.sign((jacobian * slow).sum()))  # that of the normal form
    assert_close(sign * jacobian, slow, 1e-11)
    gradient = system.loss_and_gradient(network.theta)[1]
    assert_close(gradient, jacobian.T @ system.residual(network.theta), 1e-12)


def test_clusterings_are_the_sum_of_inverse_sines() -> None:
    line = np.linspace(-1, 1, 11)
    values = SymbolicField((x,), (FRONTS.feature(x),)).values(line[:, None])[:, 0]
    np.testing.assert_allclose(values, np.arcsinh((line + 0.3) / 0.05) + np.arcsinh((line - 0.4) / 0.01), rtol=1e-13)
    assert FRONTS.range(-1.0, 1.0) == (values[0], values[-1])


def test_a_periodic_clustering_goes_once_round_smoothly() -> None:
    """ξ(x + L) = ξ(x) + L with all derivatives equal, ξ' > 0, and steep at each centre."""
    feature = RING.feature(x)
    derivatives = [sp.diff(feature, x, k) for k in range(4)]
    field = SymbolicField((x,), tuple(derivatives))
    start = np.linspace(0, 2, 50)
    here, there = field.values(start[:, None]), field.values(start[:, None] + 2.0)
    np.testing.assert_allclose(there[:, 0] - here[:, 0], 2.0, atol=1e-12)
    size = np.abs(here[:, 1:]).max(axis=0)
    np.testing.assert_allclose(there[:, 1:] / size, here[:, 1:] / size, atol=1e-9)
    line = np.linspace(0, 2, 4001)
    slope = SymbolicField((x,), (derivatives[1],)).values(line[:, None])[:, 0]
    assert slope.min() > 0
    for centre, width in zip(RING.centres, RING.widths, strict=True):
        peak = line[np.abs(line - centre) < 0.3][np.argmax(slope[np.abs(line - centre) < 0.3])]
        assert abs(peak - centre) <= width
    low, high = RING.range(0.0, 2.0)
    assert high - low == 2.0
    np.testing.assert_allclose(low, here[0, 0], rtol=1e-14)


@pytest.mark.parametrize("clustering", [FRONTS, RING], ids=["fronts", "ring"])
def test_spread_points_have_the_weights_of_their_density(clustering: Clustering) -> None:
    """∫ f dx = mean f(moved) · factor · length, f a wave; and half of the points are where ξ is steep."""
    lower, upper = (-1.0, 1.0) if clustering.period is None else (0.0, 2.0)
    n = 20_000
    uniform = lower + (upper - lower) * (np.arange(n) + 0.5) / n
    moved, factor = clustering.spread(uniform, lower, upper)
    assert np.all(np.diff(moved) > 0)
    assert lower <= moved[0] < moved[-1] <= upper
    for f, integral in ((np.ones_like, 2.0), (lambda s: s**2, (upper**3 - lower**3) / 3), (np.cos, None)):
        expected = np.sin(upper) - np.sin(lower) if integral is None else integral
        assert float(np.mean(f(moved) * factor)) * 2.0 == pytest.approx(expected, rel=1e-4)
    # The density is half uniform, half ξ'/(ξ(b) - ξ(a)); 1/factor is that density over the uniform one.
    share = np.searchsorted(moved, moved) / n
    np.testing.assert_allclose(share, np.arange(n) / n, atol=1e-12)
    near = np.abs(moved - clustering.centres[0]) < 3 * clustering.widths[0]
    values = clustering._values(
        np.array([clustering.centres[0] - 3 * clustering.widths[0], clustering.centres[0] + 3 * clustering.widths[0]])
    )
    low, high = clustering.range(lower, upper)
    wanted = 0.5 * 6 * clustering.widths[0] / 2.0 + 0.5 * (values[1] - values[0]) / (high - low)
    assert near.mean() == pytest.approx(wanted, rel=0.02)


def test_only_axes_with_fronts_are_spread_and_sides_stay_where_they_are() -> None:
    ansatz = with_clusterings(SQUARE, PLAIN, [FRONTS])
    inside = collocate(SQUARE.domain.interior, 256)
    moved = clustered(SQUARE, ansatz, inside)
    np.testing.assert_array_equal(moved.x[:, 1], inside.x[:, 1])
    assert np.abs(moved.x[:, 0] - inside.x[:, 0]).max() > 0.1
    assert float(moved.weights.sum()) == pytest.approx(4.0, rel=0.02)
    side = PointSet(np.stack([np.full(9, 1.0), np.linspace(-1, 1, 9)], axis=1), np.ones(9), None)
    np.testing.assert_array_equal(clustered(SQUARE, ansatz, side).x, side.x)
    np.testing.assert_array_equal(clustered(SQUARE, ansatz, side).weights, side.weights)
    assert clustered(SQUARE, PLAIN, inside) is inside


def test_a_clustered_input_replaces_its_coordinate() -> None:
    ansatz = with_clusterings(SQUARE, PLAIN, [FRONTS])
    assert ansatz.features is not None
    assert inputs_of(SQUARE, ansatz.features) == (FRONTS.feature(x), y)
    assert input_bounds(SQUARE, ansatz.features, ansatz.clusterings) == [FRONTS.range(-1.0, 1.0), (-1.0, 1.0)]
    assert with_clusterings(SQUARE, PLAIN, []) is PLAIN


def test_networks_of_a_clustered_periodic_axis_are_periodic() -> None:
    box = kp.Box({x: (0, 2)}) * kp.Time(t, (0, 1))
    problem = kp.Problem(box, sp.Eq(v.diff(t), v.diff(x, 2)), [kp.Periodic(v, x), kp.Initial(v, sp.cos(sp.pi * x))])
    base = Ansatz(SymbolicField((x, t), (sp.S.Zero,)), SymbolicField((x, t), (sp.S.One,)))
    ansatz = with_clusterings(problem, base, [RING])
    assert periodic_inputs(problem, ansatz.features, ansatz.clusterings) == (0,)
    network = fitted(KAN([2, 4, 1], "chebyshev", degree=5), problem, ansatz.features, ansatz.clusterings)
    ends = torch.tensor([[0.0, 0.3], [2.0, 0.3], [1.0, 0.3]], dtype=torch.float64)
    derivatives = DerivativeSet.closure(2, [(2, 0)])
    jet = network.sweep(ansatz.prepare(network, ends, derivatives), derivatives).output
    assert_close(jet[..., 0], jet[..., 1], 1e-9)
    assert abs(float(jet[0, 0, 0] - jet[0, 0, 2])) > 1e-3


def test_plain_problems_need_no_features() -> None:
    for name in ("poisson", "heat_1d", "disk", "poisson_3d"):
        assert features_of(cases.load(name)) is None, name
    assert inputs_of(SQUARE, None) == (x, y)


def annulus() -> kp.Problem:
    return kp.Problem(
        kp.Disk((x, y), (0, 0), 2) - kp.Disk((x, y), (0.5, 0), sp.Rational(1, 2)),
        sp.Eq(kp.laplacian(u), 0),
        kp.Dirichlet(u, 0),
        name="ring",
    )


def test_a_hole_adds_the_logarithm_of_the_distance() -> None:
    features = features_of(annulus())
    assert features is not None
    assert features.expressions[:2] == (x, y)
    spots = np.array([[1.0, 0.0], [0.5, 1.5], [-1.2, 0.3]])
    values = features.values(spots)
    np.testing.assert_allclose(values[0, 2], 0.0, atol=1e-12)  # on the hole
    np.testing.assert_allclose(values[:, 2], np.log(((spots - [0.5, 0.0]) ** 2).sum(1) / 0.25), rtol=1e-12, atol=1e-12)
    assert sp.simplify(sp.diff(features.expressions[2], x, 2) + sp.diff(features.expressions[2], y, 2)) == 0
    assert default_network(annulus(), 0, features).inputs == 3


@pytest.mark.parametrize("turn", [0.0, 0.7])
def test_a_reentrant_corner_adds_its_singular_functions(turn: float) -> None:
    """Harmonic, of degree π/ω, and smooth up to the sides."""
    corners = np.array([(0, 0), (1, 0), (1, 1), (-1, 1), (-1, -1), (0, -1)], dtype=float)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    shape = kp.Polygon((x, y), [tuple(c) for c in corners @ rotation.T])
    features = features_of(kp.Problem(shape, sp.Eq(kp.laplacian(u), 1), kp.Dirichlet(u, 0), name="l"))
    assert features is not None
    assert len(features.expressions) == 4
    even, odd = features.expressions[2:]
    for radius in (0.1, 0.2):
        for expression in (even, odd):
            jet = SymbolicField((x, y), (expression, sp.diff(expression, x, 2) + sp.diff(expression, y, 2)))
            angles = np.linspace(-2.2, 2.2, 9) + 0.75 * np.pi + turn
            spots = radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
            value, laplacian = jet.values(spots).T
            doubled = jet.values(2 * spots)[:, 0]
            np.testing.assert_allclose(doubled, 2 ** (2 / 3) * value, rtol=1e-9, atol=1e-12)
            np.testing.assert_allclose(laplacian, 0.0, atol=1e-8)
    # One combination of the two vanishes on both sides of the corner, as the solution does.
    sides = np.array([[0.3, 0.0], [0.0, -0.3]]) @ rotation.T
    assert abs(np.linalg.det(SymbolicField((x, y), (even, odd)).values(sides))) < 1e-12


def test_ranges_cover_the_domain() -> None:
    problem = annulus()
    features = features_of(problem)
    assert features is not None
    (low, high) = input_bounds(problem, features)[2]
    values = features.values(collocate(problem.domain.interior, 500, seed=5).x)[:, 2]
    assert low <= values.min()
    assert values.max() <= high
    np.testing.assert_allclose([low, high], [0.0, np.log(2.5**2 / 0.25)], atol=0.05)
