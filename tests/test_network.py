"""Networks of every kind: jets and reverse sweeps against nested forward mode and jacrev; exact refinement."""

import functools
import itertools

import numpy as np
import pytest
import torch
from contracts import assert_close, check_field, slow_jet

from kanpde.errors import ProblemError
from kanpde.multiindex import Collapsed, DerivativeSet, unit
from kanpde.network import (
    KAN,
    MLP,
    Activation,
    BSpline,
    Chebyshev,
    Fourier,
    Joined,
    deepened,
    network_from_spec,
    network_spec,
    widened,
    with_bounds,
    with_breaks,
    with_periodic,
)

# Every kind of network, as a function of its numbers of inputs and outputs.
NETWORKS = {
    "bspline": lambda d, c: KAN([d, 3, c], degree=5, intervals=4),
    "bspline, deep": lambda d, c: KAN([d, 2, 3, c], degree=[6, 5, 4], intervals=[3, 2, 4]),
    "bspline, free": lambda d, c: KAN([d, 3, c], degree=4, intervals=3, squash=None),
    "chebyshev": lambda d, c: KAN([d, 3, c], "chebyshev", degree=6),
    "fourier": lambda d, c: KAN([d, 3, c], "fourier", intervals=2),
    "rbf": lambda d, c: KAN([d, 3, c], "rbf", intervals=5),
    "base": lambda d, c: KAN([d, 3, c], degree=5, intervals=3, base="silu"),
    "products": lambda d, c: KAN([d, (2, 1), (0, 2), c], "chebyshev", degree=4),
    "triple products": lambda d, c: KAN([d, (1, 2), c], degree=5, intervals=2, arity=3),
    "periodic": lambda d, c: KAN([d, 3, c], degree=5, intervals=3, periodic=[d - 1], bounds=[(-1, 2)] * d),
    "tanh": lambda d, c: MLP([d, 4, 4, c], "tanh"),
    "sin": lambda d, c: MLP([d, 4, c], "sin", bounds=[(-1, 2)] * d),
    "silu": lambda d, c: MLP([d, 4, c], "silu"),
    "linear": lambda d, c: MLP([d, c]),
    "one edge": lambda d, c: KAN([d, c], degree=5, intervals=6),
}
SETS = {
    1: DerivativeSet.closure(1, [(3,)]),
    2: DerivativeSet.closure(2, [(2, 1), Collapsed((1.0, 2.0))]),
    3: DerivativeSet.closure(3, [(0, 1, 1), Collapsed((1.0, 1.0, -1.0))]),
}


HIGH = {1: (5,), 2: (2, 2), 3: (1, 2, 1)}  # the slow twin of such an order takes a second, so for some networks only


def points(d, n=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.rand((n, d), generator=generator, dtype=torch.float64) - 1


def stirred(network, seed=3):
    """The network with other coefficients: biases and base functions start at zero."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(network.n_parameters, generator=generator, dtype=torch.float64)
    network.set_theta(network.theta + 0.2 * noise)
    return network


@pytest.fixture(params=itertools.product(NETWORKS, (1, 2, 3)), ids=lambda p: f"{p[0]}, {p[1]}-D")
def case(request):
    name, d = request.param
    return stirred(NETWORKS[name](d, 2)), points(d), SETS[d]


@pytest.fixture(params=NETWORKS)
def plane(request):
    """Every kind of network in two dimensions."""
    return stirred(NETWORKS[request.param](2, 2)), points(2), SETS[2]


def with_theta(network, theta, x):
    """The network's values (n, c) at another θ, through the module's own forward."""
    names = [name for name, _ in network.named_parameters()]
    return torch.func.functional_call(network, dict(zip(names, network.split(theta), strict=True)), (x,))


def test_jets_are_nested_derivatives_of_forward(case):
    network, x, derivatives = case
    assert_close(network.jet(x, derivatives).detach(), slow_jet(network, derivatives, x).detach(), 1e-9)


@pytest.mark.parametrize(("name", "d"), [("bspline", 1), ("products", 2), ("tanh", 3)])
def test_high_orders(name, d):
    network, x, derivatives = stirred(NETWORKS[name](d, 1)), points(d, n=3), DerivativeSet.closure(d, [HIGH[d]])
    assert_close(network.jet(x, derivatives)[-1].detach(), slow_jet(network, derivatives, x)[-1].detach(), 1e-9)


def test_the_jacobian_is_jacrev_of_the_jet(plane):
    network, x, _ = plane
    derivatives = DerivativeSet.closure(2, [(1, 1), Collapsed((0.0, 2.0))])
    sweep = network.sweep(network.prepare(x, derivatives), derivatives)
    adjoint = torch.cos(torch.arange(sweep.output.numel(), dtype=x.dtype)).view_as(sweep.output)

    def pointwise(theta):
        jet = slow_jet(functools.partial(with_theta, network, theta), derivatives, x)
        return (adjoint * jet).sum((0, 1))

    slow = torch.func.jacrev(pointwise)(network.theta)
    assert_close(sweep.jacobian(adjoint), slow.T, 1e-9)
    assert_close(torch.cat(list(sweep.jacobian_blocks(adjoint, 3)), dim=1), slow.T, 1e-9)
    assert_close(torch.cat([part.reshape(-1) for part in sweep.gradient(adjoint)]), slow.sum(0), 1e-9)


def test_autograd_goes_through_a_jet_once(plane):
    network, x, derivatives = plane
    loss = network.jet(x, derivatives).square().sum()
    slow = torch.autograd.grad(slow_jet(network, derivatives, x).square().sum(), list(network.parameters()))
    for fast, expected in zip(torch.autograd.grad(loss, list(network.parameters())), slow, strict=True):
        assert_close(fast, expected, 1e-9)


def test_networks_keep_the_contract_of_fields(plane):
    network, x, derivatives = plane
    with torch.no_grad():
        check_field(network, x, derivatives.channels, 2)


def test_a_sweep_takes_other_coefficients_and_skips_the_reverse(plane):
    network, x, derivatives = plane
    theta = torch.linspace(-0.3, 0.3, network.n_parameters, dtype=x.dtype)
    prepared = network.prepare(x, derivatives)
    got = network.sweep(prepared, derivatives, network.split(theta), reverse=False).output
    network.set_theta(theta)
    assert_close(got, network.jet(x, derivatives).detach(), 1e-13)


def test_theta_goes_out_and_in(plane):
    network, x, _ = plane
    theta, values = network.theta, network(x)
    assert theta.shape == (network.n_parameters,)
    network.set_theta(0 * theta)
    assert not torch.equal(network(x), values)
    network.set_theta(theta)
    assert torch.equal(network(x), values)
    theta.zero_()  # a copy
    assert torch.equal(network(x), values)


def test_plain_values_and_theta_are_the_whole_network(plane):
    network, x, _ = plane
    twin = network_from_spec(network_spec(network), network.theta)
    assert torch.equal(twin(x), network(x))
    assert twin.layers == network.layers
    assert twin.title == network.title


def test_refining_keeps_the_function_and_its_jet(plane):
    network, x, derivatives = plane
    exact = all(e.basis.nested for layer in network.layers for e in layer.expansions)
    finer = network.grown(lambda basis: 2 * basis.resolution + 1)
    if exact:
        assert_close(finer(x).detach(), network(x).detach(), 1e-13)
        assert_close(finer.jet(x, derivatives).detach(), network.jet(x, derivatives).detach(), 1e-11)
    else:
        assert_close(finer(x).detach(), network(x).detach(), 0.2)
    fixed = all(isinstance(e.basis, Activation) for layer in network.layers for e in layer.expansions)
    assert (finer.n_parameters > network.n_parameters) != fixed
    same = network.grown(lambda basis: None)  # noqa: ARG005
    assert torch.equal(same.theta, network.theta)


def with_random_breaks(network):
    """More knots in the splines of the first layer, others for each input; the first of several stays as it was."""
    random = np.random.default_rng(2)
    bases = dict(sorted((i, e.basis) for e in network.layers[0].expansions for i in e.inputs))
    lines = [
        np.union1d(b.breakpoints(), random.uniform(-1, 1, 5)) if isinstance(b, BSpline) else None
        for b in bases.values()
    ]
    return with_breaks(network, lines if len(lines) == 1 else [None, *lines[1:]])


# Every way to enlarge a network.
GROWTHS = {
    "finer": lambda network: network.grown(lambda basis: 2 * basis.resolution + 1),
    "wider": lambda network: widened(network, 2, 1, seed=4),
    "only sums": lambda network: widened(network, 1, 0, seed=4),
    "deeper": deepened,
    "knots": with_random_breaks,
    "all": lambda network: with_random_breaks(deepened(widened(network, 1, 1, seed=4))),
    "deeper twice": lambda network: deepened(deepened(network)),
    "knots, finer": lambda network: with_random_breaks(network).grown(lambda basis: basis.resolution + 3),
}


def test_growth_keeps_the_function_and_its_jet(case):
    network, x, _ = case
    nested = all(e.basis.nested for layer in network.layers for e in layer.expansions)
    derivatives = DerivativeSet.closure(x.shape[1], [unit(k, x.shape[1], 2) for k in range(x.shape[1])])
    outside = torch.cat([x, 1.1 * x.sign()])
    for name, growth in GROWTHS.items():
        if "finer" in name and not nested:
            continue
        larger = growth(network)
        assert_close(larger(outside).detach(), network(outside).detach(), 1e-13)
        assert_close(larger.jet(x, derivatives).detach(), network.jet(x, derivatives).detach(), 1e-11)
        assert (larger.inputs, larger.outputs) == (network.inputs, network.outputs)
        assert network_from_spec(network_spec(larger), larger.theta).layers == larger.layers


def test_growth_adds_what_it_says():
    network = KAN([2, (3, 2), 1], degree=4, intervals=3, seed=1, bounds=[(0, 2), (-1, 5)])
    wide = widened(network, 2, 1, seed=0).layers
    assert [(layer.sums, layer.products) for layer in wide] == [(5, 3), (1, 0)]
    deep = deepened(network).layers
    assert [layer.outputs for layer in deep] == [5, 5, 1]
    assert [layer.squash for layer in deep] == [None, "tanh", None]
    line = np.array([-1, -0.5, -1 / 3, 1 / 3, 0.9, 1])
    first = with_breaks(network, [None, line]).layers[0]
    assert [e.inputs for e in first.expansions] == [(0,), (1,)]
    assert first.expansions[0].basis == BSpline(4, 3)
    np.testing.assert_array_equal(first.expansions[1].basis.breakpoints(), line)


def test_new_nodes_are_random_but_named_by_the_seed():
    network = KAN([2, 3, 1], degree=4, intervals=3)
    one, same, other = (widened(network, 2, 2, seed=s).theta for s in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    old = network.n_parameters
    assert (one != 0).sum() > old  # the new nodes have edges, so their gradients do not vanish


def test_a_network_without_straight_lines_stays_as_deep():
    for network in (KAN([2, 3, 1], "fourier"), KAN([2, 3, 1], "rbf"), MLP([2, 3, 1])):
        assert deepened(network) is network


def test_a_single_layer_is_deepened_inside_its_bounds():
    """The new layer maps the inputs to the interval, so that its splines lie where the data are."""
    deep = deepened(KAN([1, 1], degree=4, intervals=3, bounds=[(3, 7)])).layers
    assert (deep[0].centre, deep[0].half_width) == ((5.0,), (2.0,))
    assert (deep[1].centre, deep[1].half_width) == (None, None)


@pytest.mark.parametrize(
    ("network", "arguments", "basis"),
    [
        (KAN([2, 3, 1], degree=3, intervals=4), {"intervals": 9}, BSpline(3, 12)),
        (KAN([2, 3, 1], "chebyshev", degree=5), {"degree": 9}, Chebyshev(9)),
        (KAN([2, 3, 1], "fourier", intervals=2), {"modes": 4}, Fourier(4)),
        (
            KAN([2, 3, 1], degree=3, intervals=4, base="silu"),
            {"intervals": 8},
            Joined(BSpline(3, 8), Activation("silu")),
        ),
    ],
)
def test_refined_grows_what_its_argument_names(network, arguments, basis):
    finer = network.refined(**arguments)
    assert {e.basis for layer in finer.layers for e in layer.expansions} == {basis}
    coarser = finer.refined(**dict.fromkeys(arguments, 1))
    assert coarser.layers == finer.layers


@pytest.mark.parametrize(
    ("network", "arguments"),
    [(KAN([1, 1]), {"degree": 7}), (KAN([1, 1], "chebyshev"), {"intervals": 7}), (MLP([1, 1]), {"modes": 3})],
)
def test_refined_refuses_what_would_change_nothing(network, arguments):
    with pytest.raises(ProblemError, match="does not grow by"):
        network.refined(**arguments)


def test_seeds_name_networks_and_leave_global_generators_alone():
    before = torch.random.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    first, again, other = KAN([2, 3, 1], seed=1), KAN([2, 3, 1], seed=1), KAN([2, 3, 1], seed=2)
    assert torch.equal(first.theta, again.theta)
    assert not torch.equal(first.theta, other.theta)
    assert not torch.equal(MLP([2, 3, 1], seed=1).theta, MLP([2, 3, 1], seed=2).theta)
    assert torch.equal(before[0], torch.random.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002


def test_random_starts_are_the_same_function_in_every_basis_that_can_hold_it():
    x = points(1)
    spline, series = KAN([1, 1], degree=7, intervals=3, seed=4), KAN([1, 1], "chebyshev", degree=9, seed=4)
    assert_close(spline(x).detach(), series(x).detach(), 1e-10)


def test_precision_is_an_argument():
    for network in (KAN([2, 3, 1], dtype=torch.float32), MLP([2, 3, 1], dtype=torch.float32)):
        x = points(2).to(torch.float32)
        assert network.dtype == network(x).dtype == network.jet(x, SETS[2]).dtype == torch.float32
    assert KAN([2, 3, 1]).dtype == torch.float64
    assert KAN([2, 3, 1]).device.type == "cpu"


def test_bounds_map_inputs_to_the_reference_interval():
    plain, moved = KAN([2, 3, 1], seed=5), KAN([2, 3, 1], seed=5, bounds=[(0, 4), (-3, -1)])
    x = points(2)
    y = torch.stack([2 + 2 * x[:, 0], x[:, 1] - 2], dim=1)
    assert_close(moved(y).detach(), plain(x).detach(), 1e-13)
    assert torch.equal(with_bounds(plain, [(0, 4), (-3, -1)])(y), moved(y))


@pytest.mark.parametrize("kind", ["argument", "afterwards"])
def test_periodic_inputs_close_with_all_derivatives(kind):
    bounds = [(0.0, 3.0), (-1.0, 1.0)]
    if kind == "argument":
        network = KAN([2, 3, 1], degree=5, periodic=[0], bounds=bounds)
    else:
        network = with_periodic(KAN([2, 3, 1], degree=5, bounds=bounds), [0])
    ends = torch.tensor([[0.0, 0.3], [3.0, 0.3], [1.0, -1.0], [1.0, 1.0]], dtype=torch.float64)
    jet = network.jet(ends, SETS[2]).detach()
    assert_close(jet[..., 0], jet[..., 1], 1e-12)
    assert float((jet[0, :, 2] - jet[0, :, 3]).abs()) > 1e-3  # the other input is free


def test_periodicity_added_later_keeps_the_other_edges_and_is_added_once():
    network = KAN([2, 3, 1], degree=5, seed=2)
    ring = with_periodic(network, [1])
    own, row = network.coefficients[0], network.layers[0].expansions[0].basis.size
    kept = ring.layers[0].expansions
    assert [e.inputs for e in kept] == [(1,), (0,)]
    assert torch.equal(ring.coefficients[0][:, -row:], own[:, :row])
    assert with_periodic(ring, [1]) is ring


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: KAN([2]), "widths"),
        (lambda: KAN([2, 0, 1]), "widths"),
        (lambda: KAN([2, (-1, 3), 1]), "widths"),
        (lambda: KAN([2, 3, 1], "wavelet"), "'wavelet'"),
        (lambda: KAN([2, 3, 1], degree=0), "degree 0"),
        (lambda: KAN([2, 3, 1], intervals=0), "0 intervals"),
        (lambda: KAN([2, 3, 1], degree=[3, 3, 3]), "one entry for each of the 2 layers"),
        (lambda: KAN([2, 3, 1], base="relu"), "'relu'"),
        (lambda: KAN([2, 3, 1], squash="clamp"), "'clamp'"),
        (lambda: KAN([2, (0, 3), 1], arity=1), "arity"),
        (lambda: KAN([2, 3, 1], periodic=[2]), "periodic"),
        (lambda: KAN([2, 3, 1], bounds=[(0, 1)]), "bounds"),
        (lambda: MLP([2, 3, 1], bounds=[(0, 1), (1, 1)]), "bounds"),
        (lambda: MLP([2, 3, 1], "relu"), "'relu'"),
    ],
)
def test_mistakes_are_named_where_they_enter(make, message):
    with pytest.raises(ProblemError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)
