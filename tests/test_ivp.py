"""Integrators: ordinary differential equations, the method of lines, the exponential integrator, coarse solutions."""

from pathlib import Path

import numpy as np
import pytest
import sympy as sp
from cases import load
from scipy import linalg

import kanpde as kp
from kanpde.errors import ProblemError
from kanpde.references import GridFunction
from kanpde.references.axes import ChebyshevAxis, DifferenceAxis, FourierAxis
from kanpde.references.function import distance
from kanpde.references.grid import Grid
from kanpde.references.ivp import integrate_ode
from kanpde.references.ivp_coarse import coarse_solution, with_numbers
from kanpde.references.ivp_exponential import PeriodicSystem, is_semilinear, phi_functions
from kanpde.references.ivp_lines import Lines
from kanpde.references.ivp_method import graded_axis, method_of_lines
from kanpde.references.reference import relative_l2

x, y, t = sp.symbols("x y t", real=True)
u, v = sp.Function("u")(x, t), sp.Function("v")(x, t)
f, g = sp.Function("f")(t), sp.Function("g")(t)
span = kp.Box({t: (0, 2)})
rod = kp.Box({x: (0, 1)}) * kp.Time(t, (0, 1))

# One end of an interval of time has no condition, which Problem remarks for a coordinate of space.
pytestmark = pytest.mark.filterwarnings("ignore::kanpde.errors.ProblemWarning")


def at_start(unknown: sp.Expr, value: float, order: int = 0, box: kp.Box = span) -> kp.Condition:
    return kp.Condition(sp.Eq(unknown.diff(t, order), value), on=box.lower(t))


# ---- ordinary differential equations

ORDINARY = {
    "oscillator": ([f.diff(t, 2) + f], [at_start(f, 0), at_start(f, 1, 1)], {f: sp.sin(t)}),
    "third order": (
        [f.diff(t, 3) + f.diff(t)],
        [at_start(f, 1), at_start(f, 1, 1), at_start(f, -1, 2)],
        {f: sp.cos(t) + sp.sin(t)},
    ),
    "system": (
        [f.diff(t) - g, g.diff(t) + f],
        [at_start(f, 0), at_start(g, 1)],
        {f: sp.sin(t), g: sp.cos(t)},
    ),
    "logistic": ([f.diff(t) - f * (1 - f)], [at_start(f, sp.Rational(1, 2))], {f: 1 / (1 + sp.exp(-t))}),
    "implicit": (
        [f.diff(t) ** 3 + f.diff(t) - sp.cos(t) ** 3 - sp.cos(t)],
        [at_start(f, 0)],
        {f: sp.sin(t)},
    ),
    "backwards": ([f.diff(t) - f], [kp.Dirichlet(f, sp.exp(2), on=span.upper(t))], {f: sp.exp(t)}),
    "boundary values": ([f.diff(t, 2) + f], [kp.Dirichlet(f, sp.sin(t))], {f: sp.sin(t)}),
    "slopes at both ends": (
        [f.diff(t, 2) - f],
        [kp.Neumann(f, -1, on=span.lower(t)), kp.Neumann(f, sp.exp(2), on=span.upper(t))],
        {f: sp.exp(t)},
    ),
}


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_differential_equations_of_all_kinds(name: str) -> None:
    equations, conditions, exact = ORDINARY[name]
    solution = integrate_ode(kp.Problem(span, equations, conditions, exact=exact), 1e-11)
    assert solution.relative_l2 < 1e-10
    assert solution.relative_l2 < 10 * solution.error_estimate


def test_stiffness_is_left_to_the_implicit_method() -> None:
    equation = f.diff(t) + 100_000 * (f - sp.cos(t)) + sp.sin(t)
    problem = kp.Problem(span, equation, at_start(f, 1), exact={f: sp.cos(t)})
    assert integrate_ode(problem, 1e-8).relative_l2 < 1e-6


def test_missing_initial_values_are_counted() -> None:
    problem = kp.Problem(span, f.diff(t, 2) + f, [at_start(f, 1), at_start(f, 0, 1)])
    object.__setattr__(problem, "conditions", problem.conditions[:1])
    with pytest.raises(ProblemError, match="has 1 conditions at 0 for 2 initial values"):
        integrate_ode(problem)


def test_a_solution_that_blows_up_is_an_error() -> None:
    with pytest.raises(ProblemError, match=r"stops at|steps"):
        integrate_ode(kp.Problem(span, f.diff(t) - f**2, at_start(f, 1)), 1e-6)


# ---- the exponential integrator


@pytest.mark.parametrize("scale", [1e-6, 1.0, 30.0])
def test_phi_functions_are_those_of_the_augmented_exponential(scale: float) -> None:
    generator = np.random.default_rng(0)
    matrices = scale * (generator.standard_normal((4, 2, 2)) + 1j * generator.standard_normal((4, 2, 2)))
    matrices[0] = [[0.0, 1.0], [0.0, 0.0]]
    for matrix, *phi in zip(matrices, *phi_functions(matrices), strict=True):
        exponential = linalg.expm(matrix)
        np.testing.assert_allclose(phi[0], exponential, rtol=1e-10, atol=1e-12 * np.abs(exponential).max())
        for k, factorial in ((1, 1.0), (2, 1.0), (3, 0.5)):
            left = matrix @ phi[k] + factorial * np.eye(2)
            np.testing.assert_allclose(left, phi[k - 1], atol=1e-10 * np.abs(exponential).max())


def plane_wave() -> kp.Problem:
    """i ψ_t + ψ_xx / 2 + |ψ|² ψ = 0 with ψ = u + i v of constant size."""
    circle = kp.Box({x: (0, 2 * sp.pi)}) * kp.Time(t, (0, 1))
    size, phase = u**2 + v**2, 2 * x - sp.Rational(7, 4) * t
    equations = [-v.diff(t) + u.diff(x, 2) / 2 + size * u, u.diff(t) + v.diff(x, 2) / 2 + size * v]
    exact = {u: sp.cos(phase) / 2, v: sp.sin(phase) / 2}
    conditions = [kp.Periodic(u, x), kp.Periodic(v, x)]
    conditions += [kp.Initial(w, exact[w].subs(t, 0)) for w in (u, v)]
    return kp.Problem(circle, equations, conditions, exact=exact)


def test_the_exponential_integrator_has_order_four() -> None:
    system, errors = PeriodicSystem(plane_wave(), (16,)), []
    for steps in (8, 16, 32):
        _, values = system.march(steps, steps)
        nodes = system.grid.axes[0].nodes
        errors.append(np.abs(values[-1, 0] - np.cos(2 * nodes - 1.75) / 2).max())
    rates = np.log2(np.array(errors[:-1]) / errors[1:])
    assert np.all(rates > 3.7)
    assert np.all(rates < 5.0)


def test_a_schroedinger_equation_in_two_real_fields() -> None:
    problem = plane_wave()
    assert is_semilinear(problem)
    solution = method_of_lines(problem, rtol=1e-6)
    assert solution.relative_l2 < 1e-6
    assert solution.relative_l2 < 10 * solution.error_estimate


def test_second_derivatives_in_time_and_a_mean_that_drifts() -> None:
    ring = kp.Box({x: (0, 1)}) * kp.Time(t, (0, 1))
    exact = t + sp.sin(2 * sp.pi * x) * sp.cos(2 * sp.pi * t)
    conditions = [kp.Periodic(u, x), kp.Initial(u, exact.subs(t, 0)), kp.Initial(u.diff(t), 1)]
    problem = kp.Problem(ring, u.diff(t, 2) - u.diff(x, 2), conditions, exact={u: exact})
    assert method_of_lines(problem, rtol=1e-6).relative_l2 < 1e-6


def test_two_spatial_coordinates() -> None:
    w = sp.Function("w")(x, y, t)
    torus = kp.Box({x: (0, 2 * sp.pi), y: (0, 2 * sp.pi)}) * kp.Time(t, (0, 1))
    exact = sp.exp(-2 * t) * sp.sin(x) * sp.cos(y)
    conditions = [kp.Periodic(w, x), kp.Periodic(w, y), kp.Initial(w, exact.subs(t, 0))]
    problem = kp.Problem(torus, w.diff(t) - kp.laplacian(w), conditions, exact={w: exact})
    system = PeriodicSystem(problem, (8, 8))
    _, values = system.march(4, 4)
    expected = problem.exact_values(np.insert(system.grid.points, 2, 1.0, axis=1)).reshape(8, 8)
    np.testing.assert_allclose(values[-1, 0], expected, atol=1e-13)


@pytest.mark.parametrize(
    "equation", [u.diff(t) - (u * u.diff(x)).diff(x), u.diff(t) - (2 + sp.sin(2 * sp.pi * x)) * u.diff(x, 2)]
)
def test_diffusion_that_is_not_constant_is_no_case_for_it(equation: sp.Expr) -> None:
    problem = kp.Problem(rod, equation, [kp.Periodic(u, x), kp.Initial(u, 2 + sp.sin(2 * sp.pi * x))])
    assert not is_semilinear(problem)


# ---- the method of lines


def evolution(equation: sp.Expr, exact: sp.Expr, conditions: list) -> kp.Problem:
    """A problem with the given solution: L(u) = L(exact)."""
    source = equation.subs(u, exact).doit()
    initial = [
        kp.Initial(u.diff(t, k), exact.diff(t, k).subs(t, 0))
        for k in range(1 + ((u.diff(t, 2)) in equation.atoms(sp.Derivative)))
    ]
    return kp.Problem(rod, sp.Eq(equation, source), [*conditions, *initial], exact={u: exact})


MOVING = sp.sin(2 * x + t) * sp.exp(-t / 2)
left, right = rod.lower(x), rod.upper(x)
LINES = {
    "values that move": (u.diff(t) - u.diff(x, 2), MOVING, [kp.Dirichlet(u, MOVING)]),
    "fluxes": (
        u.diff(t) - u.diff(x, 2),
        MOVING,
        [kp.Neumann(u, -MOVING.diff(x), on=left), kp.Neumann(u, MOVING.diff(x), on=right)],
    ),
    "Robin, nonlinear": (
        u.diff(t) - u.diff(x, 2) + u * u.diff(x),
        MOVING,
        [kp.Robin(u, 1, 2, MOVING - 2 * MOVING.diff(x), on=left), kp.Dirichlet(u, MOVING, on=right)],
    ),
    "nonlinear condition": (
        u.diff(t) - u.diff(x, 2),
        MOVING,
        [
            kp.Condition(sp.Eq(u.diff(x) - u**3, MOVING.diff(x) - MOVING**3), on=left),
            kp.Dirichlet(u, MOVING, on=right),
        ],
    ),
    "wave, driven ends": (u.diff(t, 2) - u.diff(x, 2), sp.sin(2 * x + 3 * t), [kp.Dirichlet(u, sp.sin(2 * x + 3 * t))]),
    "damped beam": (
        u.diff(t) + u.diff(x, 4) / 100,
        MOVING,
        [kp.Dirichlet(u, MOVING), kp.Neumann(u, -MOVING.diff(x), on=left), kp.Neumann(u, MOVING.diff(x), on=right)],
    ),
    "waves that leave": (
        u.diff(t, 2) - u.diff(x, 2),
        sp.sin(3 * (x - t)),
        [kp.Dirichlet(u, sp.sin(-3 * t), on=left), kp.Condition(u.diff(t) + u.diff(x), on=right)],
    ),
}


@pytest.mark.parametrize("name", LINES)
def test_lines_with_conditions_of_all_kinds(name: str) -> None:
    solution = method_of_lines(evolution(*LINES[name]), nodes=12, rtol=1e-6)
    assert solution.relative_l2 < 1e-5
    assert solution.relative_l2 < 10 * solution.error_estimate


@pytest.mark.parametrize("name", ["fluxes", "Robin, nonlinear", "wave, driven ends"])
@pytest.mark.parametrize("spectral", [True, False])
def test_the_jacobian_is_the_derivative_of_the_rates(name: str, spectral: bool) -> None:
    axis = ChebyshevAxis(0.0, 1.0, 9) if spectral else DifferenceAxis(np.linspace(0, 1, 12), 4)
    lines = Lines(evolution(*LINES[name]), Grid((axis,)))
    state, h = lines.start(), 1e-6
    matrix = lines.jacobian(0.0, state).toarray()
    for k in range(len(state)):
        step = h * (np.arange(len(state)) == k)
        slope = (lines.rates(0.0, state + step) - lines.rates(0.0, state - step)) / (2 * h)
        np.testing.assert_allclose(matrix[:, k], slope, atol=1e-6 * np.abs(matrix).max())


@pytest.mark.parametrize("name", ["heat_1d", "wave_1d"])
def test_lines_agree_with_marching_in_slabs(name: str) -> None:
    problem = load(name)
    solution = method_of_lines(problem, nodes=20, rtol=1e-8)
    assert solution.relative_l2 < 1e-7
    assert distance(kp.reference(problem, (24, 24), "chebyshev"), solution) < 1e-7


def test_periodic_along_one_axis_only() -> None:
    w = sp.Function("w")(x, y, t)
    tube = kp.Box({x: (0, 2 * sp.pi), y: (0, 1)}) * kp.Time(t, (0, sp.Rational(1, 2)))
    exact = sp.exp(-(1 + sp.pi**2) * t) * sp.sin(x) * sp.sin(sp.pi * y)
    conditions = [
        kp.Periodic(w, x),
        kp.Dirichlet(w, 0, on=tube.lower(y) | tube.upper(y)),
        kp.Initial(w, exact.subs(t, 0)),
    ]
    problem = kp.Problem(tube, w.diff(t) - kp.laplacian(w), conditions, exact={w: exact})
    solution = method_of_lines(problem, nodes=12, rtol=1e-6)
    assert isinstance(solution.grid.axes[0], FourierAxis)
    assert solution.relative_l2 < 1e-5


def test_nodes_crowd_where_a_rough_solution_is_steep() -> None:
    nodes = np.linspace(-1, 1, 101)
    grid = Grid((DifferenceAxis(nodes, 4), DifferenceAxis(np.linspace(0, 1, 12), 4)))
    values = np.tanh(20 * nodes)[:, None, None] * np.ones((1, 12, 1))
    gaps = np.diff(graded_axis(GridFunction(grid, values, ("u",), ("x", "t")), 0, 81, [-1.0, 1.0], False).nodes)
    assert gaps[40] < 0.2 * gaps[5]
    assert np.all(np.maximum(gaps[1:] / gaps[:-1], gaps[:-1] / gaps[1:]) < 2.5)


def test_what_no_integrator_takes_names_the_other_solver() -> None:
    conditions = [kp.Dirichlet(u, 0), kp.Initial(u, 0)]
    with pytest.raises(ProblemError, match=r"reference\(\)"):
        method_of_lines(kp.Problem(rod, u.diff(t) - u.diff(x, 2) - u.diff(x, 2, t), conditions), nodes=12)


def test_a_stored_solution_is_the_same(tmp_path: Path) -> None:
    solution = method_of_lines(load("heat_1d"), nodes=12, rtol=1e-5)
    again = GridFunction.load(solution.save(tmp_path / "heat.h5"))
    assert np.array_equal(again.values, solution.values)
    assert again.error_estimate == solution.error_estimate


# ---- coarse solutions


@pytest.mark.parametrize("name", ["poisson", "nonlinear_poisson", "heat_1d", "wave_1d", "coupled", "poisson_1d"])
def test_coarse_solutions_are_good_to_a_per_cent(name: str) -> None:
    problem = load(name)
    assert relative_l2(problem, coarse_solution(problem)) < 1e-2


def test_unknown_scalars_take_their_initial_values() -> None:
    from kanpde.expression import Parameter

    rate = Parameter("rate", initial=0.1)
    exact = sp.exp(-(sp.pi**2) * t / 10) * sp.sin(sp.pi * x)
    measured = kp.Observations(u, np.array([[0.5, 0.5]]), np.array([0.6]), sigma=0.01)
    conditions = [kp.Dirichlet(u, 0), kp.Initial(u, sp.sin(sp.pi * x)), measured]
    problem = kp.Problem(rod, u.diff(t) - rate * u.diff(x, 2), conditions, exact={u: exact})
    assert with_numbers(problem).parameters == ()
    assert relative_l2(problem, coarse_solution(problem)) < 1e-2


# ---- the problems that these are for


def burgers_exact(points: np.ndarray, viscosity: float) -> np.ndarray:
    """Cole and Hopf: a quotient of two integrals, by Gauss-Hermite quadrature."""
    nodes, weights = np.polynomial.hermite.hermgauss(200)
    place = points[:, :1] - 2 * np.sqrt(viscosity * points[:, 1:]) * nodes
    exponent = -np.cos(np.pi * place) / (2 * np.pi * viscosity)
    factor = np.exp(exponent - exponent.max(axis=1, keepdims=True)) * weights
    return -(np.sin(np.pi * place) * factor).sum(axis=1) / factor.sum(axis=1)


@pytest.mark.slow
def test_burgers_against_cole_and_hopf() -> None:
    wide = kp.Box({x: (-1, 1)}) * kp.Time(t, (0, 1))
    conditions = [kp.Dirichlet(u, 0), kp.Initial(u, -sp.sin(sp.pi * x))]
    equation = u.diff(t) + u * u.diff(x) - sp.Rational(1, 100) / sp.pi * u.diff(x, 2)
    solution = method_of_lines(kp.Problem(wide, equation, conditions))
    points = np.random.default_rng(0).uniform((-1, 0), (1, 1), (2000, 2))
    exact = burgers_exact(points, 0.01 / np.pi)
    error = np.linalg.norm(solution(points)[:, 0] - exact) / np.linalg.norm(exact)
    assert error < 1e-7
    assert error < 3 * solution.error_estimate


@pytest.mark.slow
def test_a_soliton_of_korteweg_and_de_vries() -> None:
    line = kp.Box({x: (-20, 20)}) * kp.Time(t, (0, 2))
    exact = 2 / sp.cosh(x - 4 * t + 5) ** 2
    equation = u.diff(t) + 6 * u * u.diff(x) + u.diff(x, 3)
    problem = kp.Problem(line, equation, [kp.Periodic(u, x), kp.Initial(u, exact.subs(t, 0))], exact={u: exact})
    solution = method_of_lines(problem)
    assert solution.relative_l2 < 1e-7
    assert solution.relative_l2 < 3 * solution.error_estimate
