"""Local evaluation of splines against its slow twin, the dense features; and that its cost ignores the intervals."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from contracts import assert_close
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from kanpde.jet import chain_factors, narrowed
from kanpde.multiindex import Collapsed, DerivativeSet
from kanpde.network import KAN, BSpline, Chebyshev, Expansion, Fourier, GaussianRBF, Joined, Layer, Network, layer
from kanpde.network.basis import Activation, Basis
from kanpde.network.curves import CurveEdges
from kanpde.network.edges import Edges, FeatureEdges, JoinedEdges, edges_at

TOLERANCE = 1e-12
BREAKS = (-1.0, -0.7, -0.1, 0.05, 0.8, 1.0)
SETS = {
    "value": DerivativeSet.closure(2, [(0, 0)]),
    "gradient": DerivativeSet.closure(2, [(1, 0), (0, 1)]),
    "laplacian": DerivativeSet.closure(2, [Collapsed((1.0, 1.0))]),
    "mixed": DerivativeSet.closure(2, [(2, 1)]),
    "fourth": DerivativeSet.closure(2, [(4, 0), (2, 2), (0, 4)]),
}
BASES = {
    "linear": BSpline(1, 4),
    "quadratic, uneven": BSpline(2, BREAKS),
    "cubic": BSpline(3, 7),
    "cubic, one interval": BSpline(3, 1),
    "cubic, uneven": BSpline(3, BREAKS),
    "degree 5": BSpline(5, 6),
    "degree 8, uneven": BSpline(8, BREAKS),
    "cubic and SiLU": Joined(BSpline(3, 5), Activation("silu")),
    "chebyshev": Chebyshev(6),
    "fourier": Fourier(3),
    "rbf": GaussianRBF(5),
}
WIDTHS = {"narrow": (1, 1), "tall": (5, 2), "wide": (3, 11)}


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def jet(derivatives: DerivativeSet, inputs: int, points: int = 700) -> Tensor:
    """Random derivatives of an argument that leaves [−1, 1] at some points, and has a point on every break."""
    data = random(len(derivatives), inputs, points)
    data[0] *= 0.6
    data[0, :, : len(BREAKS)] = torch.tensor(BREAKS, dtype=torch.float64)
    return data


@pytest.fixture(params=BASES.values(), ids=BASES.keys())
def basis(request: pytest.FixtureRequest) -> Basis:
    return request.param


@pytest.fixture(params=SETS.values(), ids=SETS.keys())
def derivatives(request: pytest.FixtureRequest) -> DerivativeSet:
    return request.param


@pytest.fixture(params=WIDTHS.values(), ids=WIDTHS.keys())
def pair(request: pytest.FixtureRequest, basis: Basis, derivatives: DerivativeSet) -> tuple[Edges, Edges, int, int]:
    """The edges as a layer has them, their twin of features, and how many inputs and outputs there are."""
    inputs, outputs = request.param
    data = jet(derivatives, inputs)
    twin = FeatureEdges(data, chain_factors(data, derivatives), basis.tables(data[0], derivatives.order + 1))
    return edges_at(basis, data, derivatives, reverse=True), twin, inputs, outputs


def test_edges_equal_their_features(pair: tuple[Edges, Edges, int, int], basis: Basis, derivatives: DerivativeSet):
    edges, twin, inputs, outputs = pair
    coefficients, adjoint = random(outputs, inputs, basis.size), random(len(derivatives), outputs, 700, seed=1)
    assert not isinstance(edges, FeatureEdges)
    assert_close(edges.mix(coefficients), twin.mix(coefficients), TOLERANCE)
    assert_close(edges.gradient(adjoint), twin.gradient(adjoint), TOLERANCE)
    assert_close(edges.input_adjoint(coefficients, adjoint), twin.input_adjoint(coefficients, adjoint), TOLERANCE)
    part, shape = slice(100, 250), (outputs, inputs, basis.size, 150)
    fast, slow = torch.full(shape, torch.nan, dtype=torch.float64), torch.empty(shape, dtype=torch.float64)
    edges.jacobian(adjoint, part, fast)
    twin.jacobian(adjoint, part, slow)
    assert_close(fast, slow, TOLERANCE)


@pytest.mark.parametrize("basis", [BSpline(3, 7), BSpline(5, BREAKS), Chebyshev(6)], ids=str)
def test_blocks_do_not_show(basis: Basis, monkeypatch: pytest.MonkeyPatch):
    derivatives = SETS["laplacian"]
    edges = edges_at(basis, jet(derivatives, 6), derivatives, reverse=True)
    coefficients, adjoint = random(9, 6, basis.size), random(len(derivatives), 9, 700, seed=1)

    def everything() -> list[Tensor]:
        return [edges.mix(coefficients), edges.gradient(adjoint), edges.input_adjoint(coefficients, adjoint)]

    whole = everything()
    monkeypatch.setattr("kanpde.network.curves.BLOCK", 4000)
    monkeypatch.setattr("kanpde.network.curves.FEWEST_POINTS", 64)
    assert isinstance(edges, CurveEdges)
    assert len(list(edges._blocks(9))) > 20
    for block, one in zip(everything(), whole, strict=True):
        assert_close(block, one, TOLERANCE)


def test_inputs_without_a_derivative_are_left_out():
    """∂/∂y of a function of x is zero: the first layer skips it, and nothing changes."""
    derivatives, basis = SETS["laplacian"], BSpline(4, 5)
    data = torch.zeros(len(derivatives), 2, 90, dtype=torch.float64)
    data[0], data[1, 0], data[2, 1] = random(2, 90).tanh(), 1.0, 1.0
    coefficients, adjoint = random(3, 2, basis.size), random(len(derivatives), 3, 90, seed=1)
    first, hidden = (edges_at(basis, data, derivatives, reverse) for reverse in (False, True))
    spans = [factor.features for factor in narrowed(chain_factors(data, derivatives)) if factor.channel in (1, 2)]
    assert spans == [slice(0, 1), slice(1, 2)]
    assert_close(first.mix(coefficients), hidden.mix(coefficients), TOLERANCE)
    assert_close(first.gradient(adjoint), hidden.gradient(adjoint), TOLERANCE)


def twin_of(network: Network, monkeypatch: pytest.MonkeyPatch, run) -> list[Tensor]:
    """What `run` gives when every layer works on dense features."""

    def features(basis: Basis, data: Tensor, derivatives: DerivativeSet, reverse: bool) -> Edges:
        tables = basis.tables(data[0], derivatives.order + int(reverse))
        return FeatureEdges(data, chain_factors(data, derivatives), tables)

    with monkeypatch.context() as patch:
        patch.setattr(layer, "edges_at", features)
        return run(network)


NETWORKS = {
    "plain": lambda: KAN([2, 10, 1], degree=3, intervals=10),
    "free": lambda: KAN([2, 5, 1], degree=5, intervals=4, squash=None),
    "products": lambda: KAN([2, (3, 4), 2], degree=4, intervals=5, arity=3),
    "base": lambda: KAN([2, 4, 3, 2], degree=5, intervals=4, base="silu", bounds=[(0, 2), (-3, 1)]),
    "periodic": lambda: KAN([2, (2, 3), 1], degree=5, intervals=6, periodic=[1], bounds=[(0, 2), (-3, 1)]),
    "uneven": lambda: uneven(),
}


def uneven() -> Network:
    """Inputs in an order of their own, two bases, breaks that are not equidistant."""
    parts = (Expansion((2, 0), BSpline(5, BREAKS)), Expansion((1,), Joined(BSpline(3, 4), Activation("silu"))))
    structure = KAN([2, 3, 1], degree=5, intervals=5)
    last = Layer(parts, sums=2, squash="tanh")
    return Network([structure.layers[0], last], [structure.coefficients[0], random(last.columns, last.rows)])


@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS.keys())
@pytest.mark.parametrize("name", ["laplacian", "mixed", "fourth"])
def test_networks_equal_their_dense_twins(make, name: str, monkeypatch: pytest.MonkeyPatch):
    network, derivatives = make(), SETS[name]
    x = torch.rand(300, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def run(network: Network) -> list[Tensor]:
        sweep = network.sweep(network.prepare(x, derivatives), derivatives)
        adjoint = random(*sweep.output.shape)
        rows = torch.cat(list(sweep.jacobian_blocks(adjoint, 77)), dim=1)
        return [network.jet(x, derivatives).detach(), rows, *sweep.gradient(adjoint)]

    for fast, slow in zip(run(network), twin_of(network, monkeypatch, run), strict=True):
        assert_close(fast, slow, TOLERANCE)


class Counter(TorchDispatchMode):
    """Adds up the elements that operations return: work, on any machine, without a clock."""

    elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor) and not func.is_view:
            self.elements += result.numel()
        return result


@contextmanager
def counted() -> Iterator[Counter]:
    with Counter() as counter:
        yield counter


def work(intervals: int, breaks: bool) -> int:
    """Elements for a jet and its gradient."""
    basis: Basis = BSpline(3, intervals)
    if breaks:
        edges = torch.linspace(-1, 1, intervals + 1, dtype=torch.float64)
        basis = BSpline(3, tuple((edges + 0.1 * (1 - edges**2)).tolist()))
    layers = [Layer((Expansion((0, 1), basis),), 10), Layer((Expansion(tuple(range(10)), basis),), 1, squash="tanh")]
    network = Network(layers, [random(s.columns, s.rows) for s in layers])
    x = torch.rand(2000, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    derivatives = SETS["laplacian"]
    network.jet(x, derivatives)  # what is cached for a basis is made
    with counted() as counter:
        sweep = network.sweep(network.prepare(x, derivatives), derivatives)
        sweep.gradient(torch.ones_like(sweep.output))
    return counter.elements


@pytest.mark.parametrize("breaks", [False, True], ids=["even", "uneven"])
def test_work_does_not_grow_with_intervals(breaks: bool):
    assert work(100, breaks) < 1.1 * work(10, breaks)


def test_joined_edges_have_one_local_part():
    derivatives = SETS["laplacian"]
    edges = edges_at(BASES["cubic and SiLU"], jet(derivatives, 2), derivatives, reverse=True)
    assert isinstance(edges, JoinedEdges)
    assert isinstance(edges.first, CurveEdges)
    assert isinstance(edges.second, FeatureEdges)


def test_a_sweep_has_the_same_points_at_any_number_of_intervals():
    """What a point costs, by which residual systems choose their chunks, is the number of living functions."""
    few, many = KAN([2, 10, 1], degree=3, intervals=10), KAN([2, 10, 1], degree=3, intervals=100)
    assert [s.living for s in few.layers] == [s.living for s in many.layers] == [8, 40]


def test_inputs_in_any_order_get_their_own_adjoints():
    """Both twins share the layer's book-keeping, so this one is compared with autograd."""
    network, x = uneven(), random(40, 2).tanh()
    derivatives = SETS["value"]
    sweep = network.sweep(network.prepare(x, derivatives), derivatives)
    adjoint = random(*sweep.output.shape)
    slow = torch.autograd.grad((network(x).T * adjoint[0]).sum(), list(network.coefficients))
    for own, expected in zip(sweep.gradient(adjoint), slow, strict=True):
        assert_close(own, expected, TOLERANCE)
