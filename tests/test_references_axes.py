"""Axes, stencils and tensor grids: every method has a declared order, and these tests measure it."""

import numpy as np
import pytest

from kanpde.references import stencils
from kanpde.references.axes import Axis, ChebyshevAxis, DifferenceAxis, FourierAxis, RadauAxis, StageAxis
from kanpde.references.grid import Grid, outer, tensor_points

ORDERS = (2, 4, 6, 8)
SPECTRAL = (ChebyshevAxis(0.5, 2.0, 24), FourierAxis(0.5, 2.0, 24), FourierAxis(0.5, 2.0, 25), RadauAxis(0.5, 1.5, 22))


def rate(errors: list[float]) -> float:
    """Exponent of the error over a row of grids, each with half the distance of the nodes."""
    return float(np.polyfit(np.arange(len(errors)), -np.log2(errors), 1)[0])


def wave(x: np.ndarray, derivative: int = 0) -> np.ndarray:
    """A function of period 1.5 with all its derivatives."""
    w = 2 * np.pi / 1.5
    return w**derivative * np.sin(w * x + derivative * np.pi / 2)


def difference_axis(kind: str, intervals: int, order: int) -> DifferenceAxis:
    nodes = np.linspace(0.5, 2.0, intervals + 1)
    if kind == "periodic":
        return DifferenceAxis(nodes[:-1], order, 1.5)
    return DifferenceAxis(nodes + 0.02 * np.sin(4 * nodes) * (kind == "stretched"), order)


@pytest.mark.parametrize("kind", ["uniform", "stretched", "periodic"])
@pytest.mark.parametrize("derivative", [1, 2, 3, 4])
@pytest.mark.parametrize("order", ORDERS)
def test_differences_have_their_order(order: int, derivative: int, kind: str) -> None:
    errors = []
    for intervals in (20, 40) if order == 8 else (40, 80):
        axis = difference_axis(kind, intervals, order)
        error = axis.matrix(derivative) @ wave(axis.nodes) - wave(axis.nodes, derivative)
        errors.append(np.abs(error).max())
    # Order 8 on few nodes, for on many the fourth derivative is at rounding.
    assert rate(errors) > order - (1.1 if order == 8 else 0.6)


@pytest.mark.parametrize("kind", ["uniform", "stretched", "periodic"])
@pytest.mark.parametrize("order", ORDERS)
def test_interpolation_is_of_a_higher_order_than_the_differences(order: int, kind: str) -> None:
    points = np.random.default_rng(0).uniform(0.55, 1.95, 200)
    errors = []
    for intervals in (24, 48):
        axis = difference_axis(kind, intervals, order)
        errors.append(
            np.abs(axis.interpolation(points).matrix(len(axis.nodes)) @ wave(axis.nodes) - wave(points)).max()
        )
    assert rate(errors) > order + 1.4


@pytest.mark.parametrize("axis", SPECTRAL, ids=lambda axis: f"{axis.kind}-{len(axis.nodes)}")
def test_spectral_axes_are_exact_to_rounding(axis: Axis) -> None:
    points = np.append(np.random.default_rng(0).uniform(0.5, 2.0, 50), axis.nodes[3])
    values = wave(axis.nodes)
    interpolation = axis.interpolation(points)
    np.testing.assert_allclose(interpolation.weights @ values, wave(points), atol=1e-11)
    for derivative in (1, 2, 3):
        np.testing.assert_allclose(axis.matrix(derivative) @ values, wave(axis.nodes, derivative), atol=1e-6)


@pytest.mark.parametrize("axis", [*SPECTRAL, difference_axis("uniform", 30, 4), difference_axis("periodic", 30, 4)])
def test_quadrature_integrates_the_square_of_the_interpolant(axis: Axis) -> None:
    points, weights = axis.quadrature()
    np.testing.assert_allclose(weights @ wave(points) ** 2, 0.75, rtol=1e-6)
    assert np.isin(points, axis.nodes).mean() < 0.1


def test_fornberg_weights_differentiate_polynomials_exactly() -> None:
    rng = np.random.default_rng(1)
    nodes, targets = np.sort(rng.uniform(-1, 1, (5, 7)), axis=1), rng.uniform(-1, 1, 5)
    polynomial = np.polynomial.Polynomial(rng.standard_normal(7))
    for derivative in range(4):
        weights = stencils.fornberg_weights(targets, nodes, derivative)
        expected = polynomial.deriv(derivative)(targets) if derivative else polynomial(targets)
        np.testing.assert_allclose((weights * polynomial(nodes)).sum(1), expected, rtol=1e-7)


def test_radau_nodes_are_those_of_hairer_and_wanner() -> None:
    root = np.sqrt(6)
    np.testing.assert_allclose(stencils.radau_nodes(2), [1 / 3, 1], rtol=1e-14)
    np.testing.assert_allclose(stencils.radau_nodes(3), [(4 - root) / 10, (4 + root) / 10, 1], rtol=1e-14)


@pytest.mark.parametrize("stages", [1, 2, 3])
def test_a_slab_has_order_2q_minus_1_for_a_second_order_equation(stages: int) -> None:
    errors = []
    for steps in (8, 16, 32):
        axis = StageAxis(0.0, 1 / steps, stages)
        u, rate_of_u = 1.0, 0.0
        for _ in range(steps):
            rhs = -axis.history(2, 0) * u - axis.history(2, 1) * rate_of_u
            stage_values = np.linalg.solve(axis.matrix(2) + 4 * np.eye(stages), rhs)
            rates = axis.matrix(1) @ stage_values + axis.history(1, 0) * u
            u, rate_of_u = stage_values[-1], rates[-1]
        errors.append(abs(u - np.cos(2.0)))
    assert rate(errors) > 2 * stages - 1.3


def test_one_slab_has_no_resonances_of_its_own() -> None:
    axis = StageAxis(0.0, 1.0, 40)
    gains = [
        np.sqrt(stiffness) * np.linalg.norm(np.linalg.inv(axis.matrix(2) + stiffness * np.eye(40)), 2)
        for stiffness in np.logspace(0, 6, 100)
    ]
    assert max(gains) < 1.0


@pytest.mark.parametrize("order", [6, 8])
def test_stable_nodes_give_real_negative_eigenvalues(order: int) -> None:
    for count in (21, 60, 121):
        clustered = DifferenceAxis(stencils.stable_nodes(0.0, 1.0, count, order), order)
        eigenvalues = np.linalg.eigvals(clustered.matrix(2).toarray()[1:-1, 1:-1])
        assert np.abs(eigenvalues.imag).max() == 0.0
        assert eigenvalues.real.max() < 0.0
    uniform = DifferenceAxis(np.linspace(0, 1, 60), order).matrix(2).toarray()[1:-1, 1:-1]
    assert np.abs(np.linalg.eigvals(uniform).imag).max() > 1.0


MIXED = Grid((ChebyshevAxis(0.0, 1.0, 14), DifferenceAxis(np.linspace(0, 2, 41), 6), FourierAxis(0.0, 1.0, 8)))
LOCAL = Grid((DifferenceAxis(np.linspace(0, 1, 31), 6), DifferenceAxis(np.linspace(0, 2, 41), 6)))


def smooth(points: np.ndarray) -> np.ndarray:
    """Two functions of the first two coordinates, one of them times a function of a periodic third."""
    first = np.sin(points[:, 0] + 2 * points[:, 1])
    return np.stack(
        [first, np.exp(points[:, 0]) * np.cos(2 * np.pi * points[:, -1]) if points.shape[1] > 2 else first], 1
    )


@pytest.mark.parametrize("grid", [MIXED, LOCAL], ids=["mixed", "local"])
def test_tensor_interpolation(grid: Grid) -> None:
    values = smooth(grid.points).reshape(*grid.shape, 2)
    points = np.random.default_rng(2).uniform(0, 1, (30, len(grid.shape)))
    np.testing.assert_allclose(grid.interpolate(values, points), smooth(points), atol=1e-8)
    lines = [np.array([0.1, 0.7]), np.array([0.3, 0.9, 1.4]), np.array([0.25])][: len(grid.shape)]
    np.testing.assert_allclose(
        grid.resample(values, lines).reshape(-1, 2), grid.interpolate(values, tensor_points(lines)), atol=1e-12
    )
    assert grid.interpolate(values, np.zeros((0, len(grid.shape)))).shape == (0, 2)


@pytest.mark.parametrize("alpha", [(0, 0, 0), (1, 0, 0), (0, 2, 1), (2, 1, 0)])
def test_the_assembled_matrix_is_the_derivative_along_the_axes(alpha: tuple[int, ...]) -> None:
    values = smooth(MIXED.points)[:, 0]
    np.testing.assert_allclose(MIXED.matrix(alpha) @ values, MIXED.differentiate(alpha, values), atol=1e-9)


def test_norm_is_that_of_the_interpolant() -> None:
    values = np.sin(np.pi * LOCAL.points[:, :1]).reshape(*LOCAL.shape, 1)
    np.testing.assert_allclose(LOCAL.norm(values), 1.0, rtol=1e-7)
    assert outer([np.ones(2), np.ones(3)]).shape == (2, 3)
