"""Attribution: scores on networks whose answer is known, against a slow twin, and what must not change them."""

import dataclasses

import numpy as np
import pytest
import torch
from test_network import NETWORKS, points, stirred

from kanpde.errors import ProblemError
from kanpde.multiindex import DerivativeSet
from kanpde.network import KAN, Network
from kanpde.network.attribution import Attribution, activations, attribution, edge_jets


def written(widths: list, edges: dict[tuple[int, int, int], list[float]], **options) -> Network:
    """A Chebyshev network whose edge (layer, source, column) has these coefficients; all others are zero."""
    network = KAN(widths, "chebyshev", degree=3, squash=None, **options)
    for k, (layer, matrix) in enumerate(zip(network.layers, network.coefficients, strict=True)):
        table = torch.zeros(layer.columns, layer.inputs, 4, dtype=torch.float64)
        for (at, source, column), values in edges.items():
            if at == k:
                table[column, source, : len(values)] = torch.tensor(values, dtype=torch.float64)
        with torch.no_grad():
            matrix.copy_(table.flatten(1))
    return network


def slow(network: Network, x: torch.Tensor) -> list[np.ndarray]:
    """Edge scores one edge at a time: the network's own layers, with all coefficients but those of an edge at zero."""
    data, ratios = x, []
    for layer, matrix in zip(network.layers, network.coefficients, strict=True):
        sizes = [e.basis.size for e in layer.expansions for _ in e.inputs]
        order = [i for e in layer.expansions for i in e.inputs]
        starts = dict(zip(order, np.cumsum([0, *sizes[:-1]]).tolist(), strict=True))
        flat = dataclasses.replace(layer, sums=layer.columns, products=0)
        total = Network([flat], [matrix])(data).detach().std(0, correction=0)
        ratio = np.zeros((layer.columns, layer.inputs))
        for i, size in zip(order, sizes, strict=True):
            alone = torch.zeros_like(matrix)
            alone[:, starts[i] : starts[i] + size] = matrix.detach()[:, starts[i] : starts[i] + size]
            ratio[:, i] = (Network([flat], [alone])(data).detach().std(0, correction=0) / total).numpy()
        ratios.append((layer, ratio))
        data = Network([layer], [matrix])(data).detach()
    scores, node = [], np.ones(network.outputs)
    for layer, ratio in reversed(ratios):
        column = [
            node[k if k < layer.sums else layer.sums + (k - layer.sums) % layer.products] for k in range(len(ratio))
        ]
        scores.insert(0, np.array(column)[:, None] * ratio)
        node = scores[0].sum(0)
    return scores


def scores(network: Network, n: int = 400) -> Attribution:
    return attribution(network, points(network.inputs, n))


@pytest.mark.parametrize("name", NETWORKS)
def test_scores_are_those_of_one_edge_after_the_other(name: str) -> None:
    network = stirred(NETWORKS[name](2, 2))
    found = attribution(network, points(2, 200))
    for one, other in zip(found.edges, slow(network, points(2, 200)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9)
    assert [len(nodes) for nodes in found.nodes] == [2, *(layer.outputs for layer in network.layers)]
    for nodes, edges in zip(found.nodes, found.edges, strict=False):
        np.testing.assert_allclose(nodes, edges.sum(0))


@pytest.mark.parametrize("name", ["bspline", "periodic", "products", "base", "tanh"])
def test_edges_add_up_to_the_layer(name: str) -> None:
    network = stirred(NETWORKS[name](2, 2))
    derivatives = DerivativeSet.closure(2, [(2, 0), (0, 1)])
    data = torch.stack([torch.sin(k + points(2, 7).T) for k in range(len(derivatives))])
    layer, matrix = network.layers[1], network.coefficients[1].detach()
    data = data[:, [k % 2 for k in range(layer.inputs)]]
    total = sum(edge_jets(layer, matrix, data, derivatives))
    if layer.bias:
        total[0] += matrix[:, -1:]
    linear = dataclasses.replace(layer, sums=layer.columns, products=0)
    sweep = Network([linear], [matrix])
    expected = sweep.sweep(sweep.prepare(points(2, 7), derivatives, data), derivatives).output
    torch.testing.assert_close(total, expected)


def test_shares_of_independent_terms() -> None:
    """u = 3 x + 4 y on points symmetric in x and y: deviations 3 : 4 : 5."""
    grid = torch.cartesian_prod(*[torch.linspace(-1, 1, 5, dtype=torch.float64)] * 2)
    found = attribution(written([2, 1], {(0, 0, 0): [7.0, 3.0], (0, 1, 0): [0.0, 4.0]}), grid)
    np.testing.assert_allclose(found.edges[0], [[0.6, 0.8]])
    np.testing.assert_allclose(found.nodes[0], [0.6, 0.8])
    np.testing.assert_array_equal(found.nodes[1], [1.0])


def test_what_does_not_matter_gets_nothing() -> None:
    """y enters a node that is large and that nobody reads; z enters by a constant; x alone is left."""
    edges = {(0, 0, 0): [0.0, 1.0], (0, 1, 1): [0.0, 100.0], (0, 2, 0): [5.0], (1, 0, 0): [0.0, 0.3], (1, 1, 0): [2.0]}
    found = scores(written([3, 2, 1], edges))
    np.testing.assert_allclose(found.nodes[0][0], 1.0, rtol=1e-12)
    np.testing.assert_array_equal(found.nodes[0][1:], [0.0, 0.0])
    np.testing.assert_array_equal(found.nodes[1][1], 0.0)


def test_a_constant_that_is_not_one_in_floating_point_gets_nothing() -> None:
    """B-splines that add up to 7 do so up to rounding; a sum of such edges, too."""
    network = KAN([2, 1], degree=5, intervals=7)
    with torch.no_grad():
        network.coefficients[0].fill_(7.0)
    assert float(network(points(2, 99)).detach().std()) > 0
    np.testing.assert_array_equal(scores(network).edges[0], [[0.0, 0.0]])
    with torch.no_grad():
        network.coefficients[0][0, : network.layers[0].rows // 2] = torch.arange(12.0)
    np.testing.assert_array_equal(scores(network).edges[0][:, 1], [0.0])


def test_factors_have_the_score_of_their_product() -> None:
    """u = x · (y + y) with a sum beside it that is not read."""
    edges = {(0, 0, 1): [0.0, 1.0], (0, 1, 2): [0.0, 2.0], (0, 0, 0): [0.0, 9.0], (1, 1, 0): [0.0, 1.0]}
    found = scores(written([2, (1, 1), 1], edges))
    np.testing.assert_allclose(found.edges[0], [[0, 0], [1, 0], [0, 1]], atol=1e-12)
    np.testing.assert_allclose(found.nodes[1], [0, 1])


def test_units_of_a_node_do_not_matter() -> None:
    """A node times 1e6 that is divided by 1e6 as it enters the next layer."""
    network = stirred(KAN([2, 3, 1], degree=5, intervals=3, squash=None))
    first, second = network.layers
    scaled = network.coefficients[0].detach().clone()
    scaled[1] *= 1e6
    other = Network([first, second.with_affine((0.0,) * 3, (1.0, 1e6, 1.0))], [scaled, network.coefficients[1]])
    for one, two in zip(scores(network).edges, scores(other).edges, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-9)


def test_a_number_added_to_a_node_and_taken_away_again_does_not_matter() -> None:
    network = stirred(KAN([2, 3, 1], "chebyshev", degree=4, squash=None))
    first, second = network.layers
    moved = network.coefficients[0].detach().clone()
    moved[1, 0] += 5.0
    other = Network([first, second.with_affine((0.0, 5.0, 0.0), (1.0,) * 3)], [moved, network.coefficients[1]])
    for one, two in zip(scores(network).edges, scores(other).edges, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-9)


def test_equal_points_give_equal_scores_bit_by_bit() -> None:
    network = stirred(NETWORKS["products"](3, 2))
    for one, two in zip(scores(network).edges, scores(network).edges, strict=True):
        np.testing.assert_array_equal(one, two)


def test_activations_end_with_the_values() -> None:
    network, x = stirred(NETWORKS["products"](2, 2)), points(2, 9)
    found = activations(network, x)
    assert [len(data) for data in found] == [2, 3, 2, 2]
    torch.testing.assert_close(found[0], x.T)
    torch.testing.assert_close(found[-1], network(x).detach().T)


@pytest.mark.parametrize("shape", [(1, 2), (9, 3), (9,)])
def test_other_points_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ProblemError, match="points must be"):
        attribution(KAN([2, 1]), torch.zeros(shape, dtype=torch.float64))
