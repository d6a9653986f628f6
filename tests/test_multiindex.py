"""Multi-indices: partitions against Bell numbers, Leibniz against SymPy, closures that are closed."""

import itertools
import math

import pytest
import sympy as sp

from kanpde.multiindex import Collapsed, DerivativeSet, below, binomial, minus, partitions, unit, zero

BELL = (1, 1, 2, 5, 15, 52, 203)
SETS = {
    "value": (2, []),
    "first": (3, [(0, 1, 0)]),
    "laplacian": (2, [(2, 0), (0, 2)]),
    "collapsed": (3, [Collapsed((1.0, 1.0, 1.0))]),
    "wave": (2, [Collapsed((1.0, -4.0))]),
    "mixed": (2, [(2, 2), (0, 3), Collapsed((0.0, 1.0))]),
    "high": (1, [(6,)]),
}


@pytest.mark.parametrize("order", range(7))
def test_partitions_are_counted_by_bell_numbers(order):
    assert sum(partitions((order,)).values()) == BELL[order]
    # Distinguishable or not, a derivative has as many blocks: the count depends on the order alone.
    for alpha in ((order, 0), (order - 1, 1)) if order else ((0, 0),):
        assert sum(partitions(alpha).values()) == BELL[order]


@pytest.mark.parametrize("alpha", [(3,), (2, 1), (1, 1, 1), (2, 2), (0, 4)])
def test_blocks_add_up_to_the_derivative(alpha):
    for blocks in partitions(alpha):
        assert tuple(map(sum, zip(*blocks, strict=True))) == alpha
        assert all(any(block) for block in blocks)


def test_below_minus_and_binomial_agree_with_the_binomial_theorem():
    alpha = (3, 1, 2)
    assert len(below(alpha)) == 4 * 2 * 3
    assert all(all(c >= 0 for c in minus(alpha, beta)) for beta in below(alpha))
    assert sum(binomial(alpha, beta) for beta in below(alpha)) == 2 ** sum(alpha)
    assert minus(alpha, alpha) == zero(3)
    assert unit(1, 3, 2) == (0, 2, 0)


@pytest.mark.parametrize("name", SETS)
def test_a_set_is_closed_and_its_tables_stay_inside(name):
    dimension, wanted = SETS[name]
    derivatives = DerivativeSet.closure(dimension, wanted)
    assert derivatives.channels[0] == zero(dimension)
    assert len(set(derivatives.channels)) == len(derivatives)
    for channel in wanted:
        assert channel in derivatives
    for channel in derivatives.channels:
        assert derivatives.channels[derivatives.index(channel)] == channel
        lower = [unit(a, dimension) for a in channel.axes] if isinstance(channel, Collapsed) else below(channel)
        assert all(beta in derivatives for beta in lower)


@pytest.mark.parametrize("name", SETS)
def test_leibniz_is_sympys_product_rule(name):
    dimension, wanted = SETS[name]
    derivatives = DerivativeSet.closure(dimension, wanted)
    x = sp.symbols(f"x:{dimension}")
    f, g = sp.exp(sum((k + 1) * s for k, s in enumerate(x))), sp.prod([s**3 for s in x])
    point = dict(zip(x, (sp.Rational(1, 2), sp.Rational(2, 3), sp.Rational(3, 5)), strict=False))

    def at(expression, channel):
        if isinstance(channel, Collapsed):
            return sum(channel.weights[a] * at(expression, unit(a, dimension, 2)) for a in channel.axes)
        return float(sp.diff(expression, *zip(x, channel, strict=True)).subs(point))

    left = [at(f, channel) for channel in derivatives.channels]
    right = [at(g, channel) for channel in derivatives.channels]
    for channel, terms in zip(derivatives.channels, derivatives.leibniz, strict=True):
        got = sum(term.coefficient * left[term.left] * right[term.right] for term in terms)
        assert got == pytest.approx(at(f * g, channel), rel=1e-12)


@pytest.mark.parametrize("dimension", [1, 2, 3, 7])
def test_a_collapsed_laplacian_needs_d_plus_two_channels(dimension):
    collapsed = DerivativeSet.closure(dimension, [Collapsed((1.0,) * dimension)])
    assert len(collapsed) == dimension + 2
    assert collapsed.order == 2
    assert len(DerivativeSet.closure(dimension, [unit(k, dimension, 2) for k in range(dimension)])) == 2 * dimension + 1


def test_the_channels_of_a_full_set_are_all_below_its_order():
    wanted = [alpha for alpha in itertools.product(range(5), repeat=2) if sum(alpha) == 4]
    derivatives = DerivativeSet.closure(2, wanted)
    assert len(derivatives) == math.comb(6, 2)
    assert derivatives.order == 4
