"""Frames with every kind of rows: interfaces, integrals, measurements, eigenvalues, complex and overdetermined ones.

Each problem is solved as a reference, and the error of a known field is estimated.
"""

from collections.abc import Callable

import numpy as np
import pytest
import sympy as sp
from perturbed import Known
from scipy.special import jn_zeros

import kanpde as kp
from kanpde.operator import JetVariable
from kanpde.references.frame import FrameDefectSolver, FrameFunction, FrameSolver, frame_reference

x, y, t = sp.symbols("x y t", real=True)
u, v = (sp.Function(name)(x, y) for name in "uv")
f = sp.Function("f")(x)
DISK = kp.Disk((x, y), (0, 0), 1)
pytestmark = pytest.mark.filterwarnings("ignore::kanpde.errors.ProblemWarning")


def neumann() -> kp.Problem:
    """Only the integral fixes the level."""
    exact = x * y + x**2 - sp.Rational(1, 4)
    flux = kp.Condition(sp.Eq(kp.normal_derivative(u), 2 * x * y + 2 * x**2))
    return kp.Problem(DISK, sp.Eq(kp.laplacian(u), 2), [flux, kp.Integral(u, 0)], exact={u: exact}, name="neumann")


def line() -> kp.Problem:
    """Two materials on an interval."""
    a = sp.Piecewise((1, x < 0.3), (10, True))
    left = sp.Rational(3, 10)
    exact = sp.Piecewise((10 * (x - left) + sp.sin(x - left), x < 0.3), ((x - left) + sp.sin(x - left) / 10, True))
    source = -sp.sin(x - left)
    domain = kp.Box({x: (-1, 1)})
    return kp.Problem(domain, sp.Eq(kp.divergence([a * f.diff(x)]), source), kp.Dirichlet(f, exact), exact={f: exact})


def plates() -> kp.Problem:
    """Two materials side by side."""
    a = sp.Piecewise((1, x < 0), (5, True))
    exact = sp.Piecewise(((5 * x + 1) * sp.cos(y), x < 0), ((x + 1) * sp.cos(y), True))
    source = sp.Piecewise((-(5 * x + 1) * sp.cos(y), x < 0), (-5 * (x + 1) * sp.cos(y), True))
    flux = [a * u.diff(x), a * u.diff(y)]
    domain = kp.Box({x: (-1, 1), y: (0, 1)})
    return kp.Problem(domain, sp.Eq(kp.divergence(flux), source), kp.Dirichlet(u, exact), exact={u: exact}, name="mat")


def waves() -> kp.Problem:
    """A plane wave: complex, two fields."""
    w = kp.complex_unknown("w", x, y)
    exact = sp.exp(3 * sp.I * x)
    return kp.Problem(DISK, kp.laplacian(w) + 9 * w, kp.Dirichlet(w, exact), exact={w: exact}, name="wave")


def overdetermined() -> kp.Problem:
    """A stream without rotation and divergence, given on the whole boundary, and once more at a point."""
    exact = {u: sp.exp(x) * sp.cos(y), v: -sp.exp(x) * sp.sin(y)}
    equations = [u.diff(x) + v.diff(y), v.diff(x) - u.diff(y), kp.laplacian(u)]
    more = kp.Dirichlet(u, 1, on=kp.Point({x: 0, y: 0}))
    conditions = [kp.Dirichlet(u, exact[u]), kp.Dirichlet(v, exact[v]), more]
    return kp.Problem(DISK, equations, conditions, exact=exact, name="stream")


def periodic() -> kp.Problem:
    """Fourier functions along x."""
    exact = sp.exp(sp.cos(x)) * y
    domain = kp.Box({x: (0, 2 * sp.pi), y: (0, 1)})
    ends = [kp.Dirichlet(u, exact, on=domain.lower(y)), kp.Dirichlet(u, exact, on=domain.upper(y))]
    source = sp.diff(exact, x, 2)
    return kp.Problem(domain, sp.Eq(kp.laplacian(u), source), [*ends, kp.Periodic(u, x)], exact={u: exact})


MAKERS: dict[str, Callable[[], kp.Problem]] = {
    "neumann": neumann,
    "line": line,
    "plates": plates,
    "waves": waves,
    "overdetermined": overdetermined,
    "periodic": periodic,
}


@pytest.mark.parametrize("name", MAKERS)
def test_references_are_exact(name: str) -> None:
    reference = frame_reference(MAKERS[name]())
    assert reference.relative_l2 < 1e-9
    assert reference.error_estimate < 1e-8


@pytest.mark.parametrize("name", MAKERS)
def test_estimates(name: str) -> None:
    problem = MAKERS[name]()
    along = sum(problem.coordinates)
    bump = sp.cos(2 * problem.coordinates[0]) if name == "periodic" else sp.cos(2 * along)
    field = Known(problem, [bump + c for c in range(len(problem.fields))])
    estimate = FrameDefectSolver(problem).estimate(field)
    assert estimate.trusted, estimate.reason
    assert estimate.relative == pytest.approx(field.relative_error, rel=0.02)


def drum(near: float) -> kp.Problem:
    """Modes of a round membrane."""
    return kp.Problem(DISK, sp.Eq(-kp.laplacian(u), kp.Eigenvalue("lam", near=near) * u), kp.Dirichlet(u, 0), name="d")


@pytest.mark.parametrize(("near", "order", "zero"), [(5.5, 0, 1), (14.5, 1, 1), (30, 0, 2)])
def test_eigenvalues_near_a_guess(near: float, order: int, zero: int) -> None:
    mode = frame_reference(drum(near))
    assert mode.identified["lam"] == pytest.approx(jn_zeros(order, zero)[-1] ** 2, rel=1e-9)
    assert mode.norm == pytest.approx(np.sqrt(np.pi), rel=1e-6)


def test_the_error_of_a_mode_and_of_its_eigenvalue() -> None:
    problem = drum(5.5)
    mode = frame_reference(problem)
    bump = Known(neumann(), [sp.cos(2 * x + y)], eps=1e-4)
    solver = FrameDefectSolver(problem)

    def wrong(points: np.ndarray, variables: list) -> np.ndarray:
        return mode.jet(points, variables) + bump(points, variables) - bump.problem.exact_jet(points, variables).T

    estimate = solver.estimate(wrong, (mode.identified["lam"] + 1e-3,))
    assert estimate.trusted, estimate.reason
    assert estimate.scalars[0] == pytest.approx(-1e-3, rel=1e-3)
    points, weights = problem.domain.quadrature(40)
    gap = bump(points, [_value()]) - bump.problem.exact_jet(points, [_value()]).T
    assert estimate.absolute == pytest.approx(np.sqrt(weights @ gap[:, 0] ** 2), rel=0.02)


def _value() -> JetVariable:
    return JetVariable(0, (0, 0))


def inverse(noise: float) -> kp.Problem:
    """A coefficient from measurements inside."""
    exact = sp.exp(x) * sp.cos(sp.sqrt(2) * y)
    rng = np.random.default_rng(0)
    points = rng.uniform(-0.5, 0.5, (40, 2))
    values = np.exp(points[:, 0]) * np.cos(np.sqrt(2) * points[:, 1]) + noise * rng.standard_normal(40)
    nu = kp.Parameter("nu", initial=0.5)
    data = kp.Observations(u, points, values, sigma=max(noise, 1e-3))
    return kp.Problem(DISK, sp.Eq(kp.laplacian(u), nu * u), [kp.Dirichlet(u, exact), data], exact={u: exact})


def test_an_identified_coefficient() -> None:
    problem = inverse(0.0)
    reference = frame_reference(problem)
    assert reference.identified["nu"] == pytest.approx(-1.0, abs=1e-8)
    field = Known(problem, [sp.cos(2 * x + y)])
    estimate = FrameDefectSolver(problem).estimate(field, (-0.999,))
    assert estimate.trusted, estimate.reason
    assert estimate.relative == pytest.approx(field.relative_error, rel=0.02)
    assert estimate.scalars[0] == pytest.approx(-0.001, rel=0.02)


def test_noise_moves_the_coefficient_and_not_the_equations() -> None:
    problem = inverse(0.01)
    reference = frame_reference(problem)
    nu = reference.identified["nu"]
    assert 1e-5 < abs(nu + 1) < 0.1
    points = problem.domain.quadrature(20)[0]
    xx, yy, value = (reference.derivative(alpha)(points)[:, 0] for alpha in ((2, 0), (0, 2), (0, 0)))
    assert np.abs(xx + yy - nu * value).max() < 1e-4


def test_a_reference_at_one_degree_and_grown() -> None:
    problem = waves()
    solver = FrameSolver(problem)
    coarse = solver.solve(8)
    fine = solver.solve(16, coarse)
    assert isinstance(fine, FrameFunction)
    assert fine.relative_l2 < 1e-3 * coarse.relative_l2
    assert solver.distance(coarse, fine) == pytest.approx(coarse.relative_l2, rel=0.01)
    assert fine.name == "wave"
    assert fine.signature == problem.signature


def test_corners_of_a_polygon_cost_no_accuracy() -> None:
    """-Δu = 1 on a square: r² log r at the corners. The integral of u by Fourier series."""
    square = kp.Polygon((x, y), [(-1, -1), (1, -1), (1, 1), (-1, 1)])
    problem = kp.Problem(square, sp.Eq(kp.laplacian(u), -1), kp.Dirichlet(u, 0), name="torsion")
    membrane = FrameSolver(problem).solve(14)
    odd = np.arange(1, 400, 2) * np.pi / 2
    series = 4 / 3 - 8 * np.sum(np.tanh(odd) / odd**5)
    points, weights = square.quadrature(60)
    assert weights @ membrane(points)[:, 0] == pytest.approx(series, rel=1e-9)


def test_a_re_entrant_corner() -> None:
    """The L-shaped membrane's first eigenvalue (Trefethen & Betcke 2006)."""
    domain = kp.Polygon((x, y), [(-1, -1), (0, -1), (0, 0), (1, 0), (1, 1), (-1, 1)])
    lam = kp.Eigenvalue("lam", near=9.5)
    problem = kp.Problem(domain, sp.Eq(-kp.laplacian(u), lam * u), kp.Dirichlet(u, 0), name="membrane")
    assert FrameSolver(problem).solve(14).identified["lam"] == pytest.approx(9.6397238440219, rel=1e-6)


def test_no_solution_is_no_reference() -> None:
    """Bratu's equation beyond its fold: least squares find something, and it has no error estimate."""
    domain = kp.Box({x: (0, 1)})
    problem = kp.Problem(domain, sp.Eq(f.diff(x, 2), -50 * sp.exp(f)), kp.Dirichlet(f, 0), name="explosion")
    assert frame_reference(problem, largest=100).error_estimate is None
