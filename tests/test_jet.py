"""Jets: compositions, products and linear maps against nested forward mode; every rule's adjoint against autograd."""

import pytest
import torch
from contracts import assert_close, slow_jet

from kanpde.jet import (
    Jet,
    chain_adjoint,
    chain_factors,
    compose,
    coordinates_jet,
    product,
    product_adjoint,
)
from kanpde.multiindex import Collapsed, DerivativeSet

SETS = {
    "1-D, order 5": DerivativeSet.closure(1, [(5,)]),
    "2-D, mixed": DerivativeSet.closure(2, [(2, 2), (0, 3)]),
    "2-D, collapsed": DerivativeSet.closure(2, [Collapsed((1.0, -3.0))]),
    "3-D, all": DerivativeSet.closure(3, [(1, 1, 1), (2, 0, 1), Collapsed((1.0, 1.0, 2.0))]),
}


@pytest.fixture(params=SETS)
def derivatives(request):
    return SETS[request.param]


def points(derivatives, n=5):
    generator = torch.Generator().manual_seed(1)
    return torch.rand((n, derivatives.dimension), generator=generator, dtype=torch.float64)


def waves(x):
    """Two functions of all coordinates, (n, 2)."""
    s = x @ torch.arange(1, x.shape[1] + 1, dtype=x.dtype)
    return torch.stack([torch.sin(s) + x[:, 0] ** 2, torch.exp(-0.3 * s) * x[:, -1]], dim=1)


def sine_tables(y, order):
    return torch.stack([torch.sin(y + m * torch.pi / 2) for m in range(order + 1)])


def test_coordinates(derivatives):
    x = points(derivatives)
    assert_close(coordinates_jet(x, derivatives), slow_jet(lambda z: z + 0.0 * z**2, derivatives, x))


def test_composition_is_faa_di_bruno(derivatives):
    x = points(derivatives)
    inner = slow_jet(waves, derivatives, x)
    factors = chain_factors(inner, derivatives)
    got = compose(factors, sine_tables(inner[0], derivatives.order), len(derivatives))
    assert_close(got, slow_jet(lambda z: torch.sin(waves(z)), derivatives, x))


def test_composition_with_many_functions_of_a_feature(derivatives):
    inner = slow_jet(waves, derivatives, points(derivatives))
    tables = sine_tables(inner[0], derivatives.order)
    factors = chain_factors(inner, derivatives)
    one = compose(factors, tables, len(derivatives))
    both = compose(factors, torch.stack([tables, -2 * tables], dim=2), len(derivatives))
    assert torch.equal(both, torch.stack([one, -2 * one], dim=2))


def test_product_is_leibniz(derivatives):
    x = points(derivatives)
    jet = slow_jet(waves, derivatives, x)
    expected = slow_jet(lambda z: waves(z)[:, :1] * waves(z)[:, 1:], derivatives, x)
    assert_close(product(jet[:, :1], jet[:, 1:], derivatives), expected)


def test_product_adjoint_is_the_transpose(derivatives):
    jet = slow_jet(waves, derivatives, points(derivatives))
    left, right = jet[:, :1], jet[:, 1:].clone().requires_grad_()
    weights = torch.linspace(-1, 1, right.numel(), dtype=torch.float64).view_as(right)
    # Autograd needs the product out of place: it is bilinear, so it is spelled out by its terms.
    total = sum(
        (weights[channel] * term.coefficient * left[term.left] * right[term.right]).sum()
        for channel, terms in enumerate(derivatives.leibniz)
        for term in terms
    )
    (expected,) = torch.autograd.grad(total, right)
    assert_close(product_adjoint(weights, left, derivatives), expected)


def test_chain_adjoint_is_the_transpose(derivatives):
    data = slow_jet(waves, derivatives, points(derivatives)).requires_grad_()
    factors = chain_factors(data, derivatives)
    values = [factor.value for factor in factors]
    weights = [None if v is None else torch.cos(torch.arange(v.numel(), dtype=v.dtype)).view_as(v) for v in values]
    total = sum((w * v).sum() for w, v in zip(weights, values, strict=True) if v is not None)
    (expected,) = torch.autograd.grad(total, data)
    assert_close(chain_adjoint(factors, weights, data.detach()), expected)


def test_the_jet_type_is_closed_under_its_operations(derivatives):
    x = points(derivatives)
    matrix = torch.tensor([[1.0, -2.0, 0.5][: derivatives.dimension]], dtype=torch.float64)
    y = Jet.of_coordinates(x, derivatives).linear(matrix)
    sine = y.compose(sine_tables(y.data[0], derivatives.order))
    made = (sine * sine + y) * y

    def plain(z):
        s = z @ matrix.T
        return (torch.sin(s) ** 2 + s) * s

    assert_close(made.data, slow_jet(plain, derivatives, x))
    last = derivatives.channels[-1]
    assert torch.equal(made[last], made.data[-1])
