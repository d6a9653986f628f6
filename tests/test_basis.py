"""Bases: the contract on all of them, B-splines against SciPy, and the rates at which splines approximate."""

import numpy as np
import pytest
import scipy.interpolate
import torch
from contracts import assert_close, check_basis

from kanpde.errors import ProblemError
from kanpde.network import Activation, BSpline, Chebyshev, Fourier, GaussianRBF, Joined
from kanpde.network.architecture import basis_from_spec

UNEVEN = (-1.0, -0.7, -0.6, 0.05, 0.3, 1.0)
BASES = {
    "bspline-1": BSpline(1, 4),
    "bspline-3": BSpline(3, 7),
    "bspline-5": BSpline(5, 1),
    "bspline-8": BSpline(8, 16),
    "uneven-2": BSpline(2, UNEVEN),
    "uneven-5": BSpline(5, UNEVEN),
    "chebyshev-0": Chebyshev(0),
    "chebyshev-1": Chebyshev(1),
    "chebyshev-12": Chebyshev(12),
    "fourier-3": Fourier(3),
    "rbf-6": GaussianRBF(6),
    "tanh": Activation("tanh"),
    "sin": Activation("sin"),
    "silu": Activation("silu"),
    "identity": Activation("identity"),
    "spline and silu": Joined(BSpline(3, 5), Activation("silu")),
}
SPLINES = {name: basis for name, basis in BASES.items() if isinstance(basis, BSpline)}


@pytest.mark.parametrize("name", BASES)
def test_contract(name):
    check_basis(BASES[name])


@pytest.mark.parametrize("name", SPLINES)
def test_splines_are_scipys(name):
    basis = SPLINES[name]
    coefficients = np.random.default_rng(0).normal(size=basis.size)
    z = np.linspace(-1.1, 1.1, 301)  # beyond the ends the pieces go on, in SciPy too
    z = z[np.abs(z[:, None] - basis.breakpoints()).min(axis=1) > 1e-9]  # where one-sided derivatives may differ
    tables = basis.tables(torch.as_tensor(z)[None], basis.degree + 1)[:, 0].numpy()
    spline = scipy.interpolate.BSpline(basis.knots(), coefficients, basis.degree)
    for m in range(basis.degree + 1):
        expected = spline(z, nu=m)
        np.testing.assert_allclose(coefficients @ tables[m], expected, atol=1e-10 * np.abs(expected).max())
    assert np.all(tables[basis.degree + 1] == 0)


def test_outer_knots_continue_the_end_spacings():
    gaps = np.diff(BSpline(2, UNEVEN).knots())
    np.testing.assert_allclose(gaps, [0.3, 0.3, 0.3, 0.1, 0.65, 0.25, 0.7, 0.7, 0.7], atol=1e-15)


@pytest.mark.parametrize("name", SPLINES)
def test_splines_sum_to_one_and_few_are_alive(name):
    basis = SPLINES[name]
    z = torch.linspace(-1, 1, 200, dtype=torch.float64)[None]
    table = basis.values(z)[0]
    assert_close(table.sum(0), torch.ones(200, dtype=torch.float64), 1e-13)
    assert int((table != 0).sum(0).max()) <= basis.degree + 1
    span, local = basis.local_tables(z, 2)
    assert local.shape == (3, 1, basis.degree + 1, 200)
    assert int(span.min()) == 0
    assert int(span.max()) == basis.intervals - 1


def test_equal_breaks_are_the_uniform_basis():
    z = torch.linspace(-1, 1, 57, dtype=torch.float64)[None]
    listed = BSpline(4, tuple(np.linspace(-1, 1, 7).tolist()))
    assert_close(listed.tables(z, 3), BSpline(4, 6).tables(z, 3), 1e-12)


@pytest.mark.parametrize("degree", [1, 3, 5])
def test_splines_have_one_continuous_derivative_less_than_their_degree(degree):
    basis = BSpline(degree, UNEVEN)
    inner = torch.as_tensor(basis.breakpoints()[1:-1])[None]
    left, right = basis.tables(inner - 1e-12, degree), basis.tables(inner + 1e-12, degree)
    assert basis.smoothness == degree - 1
    for m in range(degree):
        assert_close(left[m], right[m], 1e-7)
    assert float((left[degree] - right[degree]).abs().max()) > 1.0


@pytest.mark.parametrize("degree", [2, 3, 5])
def test_best_splines_converge_at_their_rates(degree):
    """Error h^(k+1) in u and h^(k−1) in u'' for the least-squares fit of a smooth function."""
    z = np.linspace(-1, 1, 4001)
    target, second = np.sin(np.pi * z), -(np.pi**2) * np.sin(np.pi * z)
    errors = []
    for intervals in (16, 32):
        table = BSpline(degree, intervals).tables(torch.as_tensor(z)[None], 2)[:, 0].numpy()
        fit = np.linalg.lstsq(table[0].T, target, rcond=None)[0]
        errors.append([np.linalg.norm(fit @ table[0] - target), np.linalg.norm(fit @ table[2] - second)])
    value_rate, second_rate = np.log2(np.divide(*errors))
    assert value_rate == pytest.approx(degree + 1, abs=0.25)
    assert second_rate == pytest.approx(degree - 1, abs=0.25)


def test_refining_rounds_up_to_a_multiple_and_keeps_the_knots():
    assert BSpline(3, 5).refined(12) == BSpline(3, 15)
    finer = BSpline(2, UNEVEN).refined(10)
    assert finer.intervals == 10
    assert set(UNEVEN) <= set(finer.breakpoints().tolist())


def test_spline_coefficients_come_from_other_bases_by_a_fit():
    z = torch.linspace(-1, 1, 101, dtype=torch.float64)[None]
    spline, cubic = BSpline(5, 4), BSpline(3, 2)
    exact = torch.as_tensor(cubic.embedding(BSpline(3, 6)))  # nested knots: by insertion
    assert_close(exact.T @ BSpline(3, 6).values(z)[0], cubic.values(z)[0], 1e-14)
    apart = torch.as_tensor(cubic.embedding(BSpline(3, 3)))  # other knots: only a fit, and a kink stays behind
    assert 1e-4 < float((apart.T @ BSpline(3, 3).values(z)[0] - cubic.values(z)[0]).abs().max()) < 0.1
    rbf = torch.as_tensor(GaussianRBF(4).embedding(spline))
    assert float((rbf.T @ spline.values(z)[0] - GaussianRBF(4).values(z)[0]).abs().max()) < 1e-2


def test_a_basis_that_nobody_knows_is_named():
    with pytest.raises(ProblemError, match="'wavelet'"):
        basis_from_spec({"family": "wavelet"})
