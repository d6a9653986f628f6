"""The functions of frames against SymPy and SciPy, their least squares against an orthogonal factorisation."""

import numpy as np
import pytest
import sympy as sp
from perturbed import differentiated

from kanpde.errors import StoreError
from kanpde.expression import Program
from kanpde.operator import JetVariable
from kanpde.references.frame import FrameFunction
from kanpde.references.frame.basis import Basis, Polynomials, chebyshev, trigonometric, truncated
from kanpde.references.frame.leastsquares import LeastSquares
from kanpde.references.frame.powers import Powers, corner, laurent

x, y = sp.symbols("x y", real=True)
NO_OTHERS = np.zeros((1, 0), dtype=int)
ORDERS = [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2), (2, 1)]


def points(n: int = 7) -> np.ndarray:
    return np.random.default_rng(0).uniform(0.2, 0.9, (n, 2))


@pytest.mark.parametrize("order", range(5))
def test_chebyshev_against_numpy(order: int) -> None:
    nodes = np.linspace(-1, 1, 9)
    table = chebyshev(nodes, 6, order)
    for k in range(7):
        series = np.polynomial.chebyshev.Chebyshev.basis(k)
        np.testing.assert_allclose(table[:, k], (series.deriv(order) if order else series)(nodes), atol=1e-9)


@pytest.mark.parametrize("order", range(5))
def test_trigonometric_against_sympy(order: int) -> None:
    angles = np.linspace(0, 6, 8)
    table = trigonometric(angles, 6, order)
    for j in range(7):
        k = (j + 1) // 2
        form = sp.S.One if j == 0 else (sp.cos(k * x) if j % 2 else sp.sin(k * x))
        (values,) = Program.compile([sp.diff(form, x, order)], (x,))([angles], np)
        np.testing.assert_allclose(table[:, j], np.broadcast_to(values, 8), atol=1e-12 * max(k, 1) ** order)


def symbolic(powers: Powers, column: int) -> sp.Expr:
    """The function of one column as SymPy writes it."""
    cx, cy = powers.centre
    r = sp.sqrt((x - cx) ** 2 + (y - cy) ** 2) / powers.radius
    theta = sp.atan2(y - cy, x - cx) - powers.angle
    a, b = powers.exponents[column]
    real, imaginary = sp.cos((a - b) * theta), sp.sin((a - b) * theta)
    if powers.logarithmic[column]:
        logarithm = sp.log(r)
        real, imaginary = logarithm * real - theta * imaginary, logarithm * imaginary + theta * real
    return r ** (a + b) * (imaginary if powers.imaginary[column] else real)


@pytest.mark.parametrize("alpha", ORDERS)
@pytest.mark.parametrize(
    "powers",
    [
        laurent(np.array([0.1, 0.05]), 0.3, 3, NO_OTHERS),
        corner(np.array([0.0, 0.1]), 0.7, 0.4, 1.5 * np.pi, 2, NO_OTHERS),
        corner(np.array([0.0, 0.1]), 0.7, 0.4, 0.5 * np.pi, 2, NO_OTHERS),
    ],
    ids=["hole", "re-entrant corner", "right angle"],
)
def test_powers_against_sympy(powers: Powers, alpha: tuple[int, int]) -> None:
    at = points()
    table = powers.table(at, alpha)
    assert table.shape == (len(at), powers.size)
    for column in (0, 3, powers.size - 1):
        form = differentiated(symbolic(powers, column), (x, y), alpha)
        (values,) = Program.compile([form], (x, y))(list(at.T), np)
        np.testing.assert_allclose(table[:, column], values, rtol=1e-8, atol=1e-8)


def test_a_hole_is_missing_no_function_and_has_none_twice() -> None:
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    rings = [r * np.stack([np.cos(angles), np.sin(angles)], axis=1) for r in np.linspace(0.4, 1, 12)]
    table = laurent(np.zeros(2), 0.4, 4, NO_OTHERS).table(np.concatenate(rings), (0, 0))
    assert np.linalg.matrix_rank(table) == table.shape[1] == 1 + sum(n + 1 for n in range(1, 5))


@pytest.mark.parametrize(("power", "count"), [(1.0, 15), (2.0, 17)])
def test_truncation(power: float, count: int) -> None:
    indices = truncated((4, 4), power)
    assert len(indices) == count
    assert (np.sum((indices / 4) ** power, axis=1) <= 1 + 1e-9).all()
    assert indices[0].tolist() == [0, 0]


def test_a_richer_basis_holds_every_function_of_a_poorer_one() -> None:
    lower, upper = np.array([-1.0, 0.0]), np.array([1.0, 2.0])

    def basis(degree: int) -> Basis:
        box = Polynomials(lower, upper, (False, True), truncated((degree, degree), 2.0))
        return Basis(box, (laurent(np.array([0.0, 0.5]), 0.1, degree // 2, NO_OTHERS),))

    poor, rich = basis(6), basis(9)
    coefficients = np.random.default_rng(1).standard_normal(poor.size)
    same = rich.adopted(poor, coefficients)
    np.testing.assert_allclose(
        rich.table(points(), (1, 2)) @ same, poor.table(points(), (1, 2)) @ coefficients, rtol=1e-12
    )


def test_least_squares_of_nearly_dependent_columns() -> None:
    """Equispaced points of half of the interval: the frame of Adcock and Huybrechs."""
    nodes = np.linspace(-0.5, 0.5, 160)
    matrix = chebyshev(nodes, 60, 0)
    assert np.linalg.cond(matrix) > 1e15
    data = np.exp(3 * nodes) * np.cos(5 * nodes)
    system = LeastSquares.of(matrix.copy())
    found = system.solve(data)
    between = np.linspace(-0.5, 0.5, 999)
    values = chebyshev(between, 60, 0) @ found
    np.testing.assert_allclose(values, np.exp(3 * between) * np.cos(5 * between), atol=1e-11)
    assert np.abs(found).max() < 1e3


def test_least_squares_against_an_orthogonal_factorisation() -> None:
    rng = np.random.default_rng(3)
    matrix, rhs = rng.standard_normal((50, 20)) * 10.0 ** rng.uniform(-6, 6, 20), rng.standard_normal(50)
    twin = np.linalg.lstsq(matrix / np.linalg.norm(matrix, axis=0), rhs, rcond=None)[0]
    found = LeastSquares.of(matrix.copy()).solve(rhs)
    np.testing.assert_allclose(found * np.linalg.norm(matrix, axis=0), twin, atol=1e-12)


def test_a_column_of_zeros_gets_nothing() -> None:
    matrix = np.eye(4)
    matrix[:, 2] = 0.0
    np.testing.assert_allclose(LeastSquares.of(matrix).solve(np.ones(4)), [1, 1, 0, 1], atol=1e-12)


def function() -> FrameFunction:
    box = Polynomials(np.array([-1.0, 0.0]), np.array([1.0, 2.0]), (False, True), truncated((3, 4), 1.0))
    basis = Basis(box, (laurent(np.array([0.0, 0.5]), 0.1, 2, NO_OTHERS),))
    rng = np.random.default_rng(2)
    coefficients = tuple(rng.standard_normal(basis.size) for _ in range(2))
    return FrameFunction((basis, basis), coefficients, ("u", "v"), ("x", "y"), 1.5, {"nu": 0.25}, (3, 4), (0.1, 0.2))


def test_a_stored_function_is_the_same(tmp_path) -> None:
    first = function()
    second = FrameFunction.load(first.save(tmp_path / "f.h5"))
    np.testing.assert_array_equal(first(points()), second(points()))
    assert second.bases[0] is second.bases[1]
    for name in ("unknowns", "coordinates", "norm", "identified", "degrees", "tails", "error_estimate"):
        assert getattr(first, name) == getattr(second, name)
    third = FrameFunction.of(first.facts, first.arrays)
    np.testing.assert_array_equal(first(points()), third(points()))


def test_a_damaged_function_says_so(tmp_path) -> None:
    arrays = function().arrays
    del arrays["basis0.lower"]
    with pytest.raises(StoreError, match="damaged"):
        FrameFunction.of(function().facts, arrays)
    with pytest.raises(StoreError, match="no such file"):
        FrameFunction.load(tmp_path / "none.h5")


def test_derivatives_of_a_function() -> None:
    f, h = function(), 1e-5
    step = np.array([h, 0.0])
    along = (f(points() + step) - f(points() - step)) / (2 * h)
    np.testing.assert_allclose(f.derivative((1, 0), 1)(points())[:, 0], along[:, 1], rtol=1e-6)
    table = f.jet(points(), [JetVariable(0, (1, 0)), JetVariable(1, (1, 0))])
    np.testing.assert_allclose(table, along, rtol=1e-6)
