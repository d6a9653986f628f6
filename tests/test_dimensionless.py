"""Non-dimensionalisation: sizes from symbols, exact changes of variables, and the way back."""

import warnings

import numpy as np
import pytest
import sympy as sp
from cases import load

import kanpde as kp
from kanpde.dimensionless import needs_scaling, scaled, scales_of
from kanpde.errors import ProblemWarning
from kanpde.operator import JetVariable

x, y, t = sp.symbols("x y t", real=True)
u, v, p = (sp.Function(name)(x, y) for name in "uvp")
w = sp.Function("u")(x, t)


def laplacian_of(f: sp.Expr) -> sp.Expr:
    return f.diff(x, 2) + f.diff(y, 2)


def conduction() -> kp.Problem:
    """A chip of a micrometre, coefficients of 1e8."""
    size = sp.Rational(1, 10**6)
    exact = 350 + 20 * sp.sin(sp.pi * x / size) * sp.exp(-y / size)
    chip = kp.Box({x: (0, size), y: (0, 2 * size)})
    equation = sp.Eq(10**8 * kp.laplacian(u), 10**8 * laplacian_of(exact))
    return kp.Problem(chip, equation, kp.Dirichlet(u, exact), exact={u: exact}, name="chip")


def elasticity() -> kp.Problem:
    """Steel in plane stress, displacements of micrometres."""
    length, young, poisson = 0.1, 2.1e11, 0.3
    shear, first = young / 2 / (1 + poisson), young * poisson / (1 - poisson**2)
    bump = sp.sin(sp.pi * x / length) * sp.sin(sp.pi * y / length)
    exact = {u: 1e-6 * bump, v: 2e-6 * x * y / length**2 * bump}

    def forces(u: sp.Expr, v: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
        across = shear * (u.diff(y) + v.diff(x))
        along = (first + 2 * shear) * u.diff(x) + first * v.diff(y), (first + 2 * shear) * v.diff(y) + first * u.diff(x)
        return along[0].diff(x) + across.diff(y), across.diff(x) + along[1].diff(y)

    pairs = zip(forces(u, v), forces(exact[u], exact[v]), strict=True)
    plate = kp.Box({x: (0, length), y: (0, length)})
    equations = [sp.Eq(a, b) for a, b in pairs]
    return kp.Problem(plate, equations, [kp.Dirichlet(u, 0), kp.Dirichlet(v, 0)], exact=exact, name="steel")


def slow_heat() -> kp.Problem:
    """A wall of a metre over ten hours."""
    exact = 300 + 50 * sp.exp(-1e-5 * sp.pi**2 * t) * sp.sin(sp.pi * x)
    wall = kp.Box({x: (0, 1)}) * kp.Time(t, (0, 36_000))
    equation = sp.Eq(w.diff(t), 1e-5 * w.diff(x, 2))
    conditions = [kp.Dirichlet(w, 300), kp.Initial(w, exact.subs(t, 0))]
    return kp.Problem(wall, equation, conditions, exact={w: exact}, name="wall")


PHYSICAL = {"chip": conduction, "steel": elasticity, "wall": slow_heat}


def points_of(problem: kp.Problem, n: int = 50) -> np.ndarray:
    bounds = problem.domain.bounds
    return bounds[:, 0] + np.random.default_rng(0).uniform(size=(n, len(bounds))) * np.ptp(bounds, axis=1)


@pytest.mark.parametrize("name", PHYSICAL)
def test_physical_units_ask_for_scaling(name: str) -> None:
    assert needs_scaling(PHYSICAL[name]())


@pytest.mark.parametrize(
    "name", ["poisson", "heat_1d", "wave_1d", "coupled", "poisson_robin", "biharmonic_1d", "nonlinear_poisson"]
)
def test_ordinary_problems_are_left_alone(name: str) -> None:
    assert not needs_scaling(load(name))


@pytest.mark.parametrize("name", PHYSICAL)
def test_the_exact_solution_satisfies_the_scaled_problem(name: str) -> None:
    problem = PHYSICAL[name]()
    scales = scales_of(problem)
    small = scaled(problem, scales)
    points = scales.points_in(points_of(problem))
    for operator in small.operators:
        residual = operator.evaluate(points, small.exact_jet(points, operator.jet), np)
        assert np.abs(residual).max() < 1e-12
    for condition in small.conditions:
        for piece in condition.region.pieces():
            on = piece.points(np.random.default_rng(1).uniform(size=(20, piece.dimension)))
            residual = condition.operator.evaluate(on, small.exact_jet(on, condition.operator.jet), np)
            assert np.abs(residual).max() < 1e-12


@pytest.mark.parametrize("name", PHYSICAL)
def test_values_and_derivatives_come_back_in_the_users_units(name: str) -> None:
    problem = PHYSICAL[name]()
    scales = scales_of(problem)
    small, points = scaled(problem, scales), points_of(problem)
    inner = scales.points_in(points)
    np.testing.assert_allclose(scales.values_out(small.exact_values(inner)), problem.exact_values(points), rtol=1e-12)
    variable = JetVariable(0, (2, 0))
    derivative = scales.derivative_out(small.exact_jet(inner, [variable]), variable)
    np.testing.assert_allclose(derivative, problem.exact_jet(points, [variable]), rtol=1e-9)


def test_points_and_values_go_there_and_back_bit_by_bit() -> None:
    problem = conduction()
    scales, points = scales_of(problem), points_of(problem)
    assert np.array_equal(scales.points_out(scales.points_in(points)), points)
    assert np.array_equal(scales.values_out(scales.values_in(points)), points)


@pytest.mark.parametrize("name", PHYSICAL)
def test_what_is_scaled_needs_no_scaling(name: str) -> None:
    problem = PHYSICAL[name]()
    assert not needs_scaling(scaled(problem, scales_of(problem)))


def test_a_flux_sets_the_size_of_what_it_drives() -> None:
    bar = kp.Box({x: (0, 0.1), y: (0, 0.1)})
    sides = bar.lower(x) | bar.upper(x)
    conditions = [kp.Dirichlet(u, 0, on=bar.lower(y)), kp.Neumann(u, 1e6, on=bar.upper(y)), kp.Neumann(u, 0, on=sides)]
    problem = kp.Problem(bar, sp.Eq(kp.laplacian(u), 0), conditions)
    # On lengths of ordinary size the flux itself is the size: L = 1.
    assert scales_of(problem).unknowns[0] == pytest.approx(1e6, rel=0.5)


def test_a_pressure_takes_the_size_that_balances_its_equation() -> None:
    channel = kp.Box({x: (0, 1), y: (0, 1)})
    viscosity, speed = 1e-3, 1e-2
    equations = [
        viscosity * kp.laplacian(u) - p.diff(x),
        viscosity * kp.laplacian(v) - p.diff(y),
        u.diff(x) + v.diff(y),
    ]
    inflow = speed * 4 * y * (1 - y)
    conditions = [kp.Dirichlet(u, inflow), kp.Dirichlet(v, 0), kp.Dirichlet(p, 0, on=kp.Point({x: 0, y: 0}))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ProblemWarning)
        problem = kp.Problem(channel, equations, conditions)
    assert scales_of(problem).unknowns[0] == pytest.approx(viscosity * speed, rel=0.5)


def test_regions_of_conditions_follow() -> None:
    size = 1e-6
    chip = kp.Box({x: (0, size), y: (0, size)})
    hot = chip.lower(y).where(x < 0.25 * size)
    conditions = [kp.Dirichlet(u, 1, on=hot), kp.Dirichlet(u, 0, on=chip.boundary - hot)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ProblemWarning)
        problem = kp.Problem(chip, sp.Eq(kp.laplacian(u), 0), conditions)
    scales = scales_of(problem)
    small = scaled(problem, scales)
    shares = [c.region.measure / small.domain.boundary.measure for c in small.conditions]
    assert shares == pytest.approx([1 / 16, 15 / 16])


@pytest.mark.slow
@pytest.mark.parametrize("name", PHYSICAL)
def test_solving_the_scaled_problem_solves_the_original(name: str) -> None:
    problem = PHYSICAL[name]()
    scales = scales_of(problem)
    solution = kp.solve(scaled(problem, scales), rtol=1e-6, max_seconds=120)
    points = points_of(problem, 400)
    exact = problem.exact_values(points)
    gap = scales.values_out(solution(scales.points_in(points))) - exact
    assert np.linalg.norm(gap) < 1e-6 * np.linalg.norm(exact)
