"""Finite elements: measured rates on every class of problem, known values, conditions, and clear refusals."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import sympy as sp
from scipy import special

import kanpde as kp
from kanpde.errors import ProblemError
from kanpde.problem import Problem
from kanpde.references import best_conventional, find_reference, reference
from kanpde.references.fem import FemFunction, fem_eigenvalues
from kanpde.references.fem.discrete import Discretisation
from kanpde.references.fem.eigen import eigenpairs
from kanpde.references.fem.imposed import imposed
from kanpde.references.fem.newton import factorised
from kanpde.references.fem.reference import fitted_meshes, relative_l2, solved

x, y, z = sp.symbols("x y z", real=True)
u, v, p = (sp.Function(name)(x, y) for name in "uvp")
EXACT = sp.exp(x) * sp.sin(2 * y) + x**3
DISK = kp.Disk((x, y), (0.2, 0.1), 1.0)
SQUARE = kp.Box({x: (-1, 1), y: (-1, 1)})
L_SHAPE = kp.Polygon((x, y), [(0, 0), (1, 0), (1, 1), (-1, 1), (-1, -1), (0, -1)])
# ∫u for -Δu = 1 on the L of three unit squares: from a fitted series of singular functions.
L_INTEGRAL = 0.2140758036


def laplacian_of(e: sp.Expr) -> sp.Expr:
    return sp.expand(sum(sp.diff(e, s, 2) for s in (x, y, z)))


def outward(e: sp.Expr) -> sp.Expr:
    """∂e/∂n with the normal that the condition has."""
    return sp.diff(e, x) * kp.Normal()[0] + sp.diff(e, y) * kp.Normal()[1]


def errors(problem: Problem, h: float, degree: int, levels: int = 3) -> list[float]:
    """Relative errors on nested meshes, the finest with edges h."""
    return [relative_l2(problem, solved(problem, mesh, degree)) for mesh in fitted_meshes(problem, h, levels)]


def rate(values: Sequence[float]) -> float:
    return float(np.log2(values[-2] / values[-1]))


# ---- scalar equations


def advection(conditions: object) -> Problem:
    a = 1 + x**2 / 2
    flux = [sp.diff(a * sp.diff(EXACT, s), s) for s in (x, y)]
    right = sp.expand(sum(flux) + sp.diff(EXACT, x) + x * EXACT)
    left = kp.divergence(a * kp.gradient(u)) + u.diff(x) + x * u
    return Problem(DISK, sp.Eq(left, right), conditions, exact={u: EXACT})


def mixed_conditions() -> list[object]:
    left, right = DISK.boundary.where(x < 0), DISK.boundary.where(x >= 0)
    return [
        kp.Dirichlet(u, EXACT, on=left),
        kp.Condition(sp.Eq(kp.normal_derivative(u), outward(EXACT)), on=right.where(y > 0)),
        kp.Condition(
            sp.Eq(2 * u + (3 + x) * kp.normal_derivative(u), 2 * EXACT + (3 + x) * outward(EXACT)),
            on=right.where(y <= 0),
        ),
    ]


@pytest.mark.parametrize(("degree", "order"), [(2, 3), (3, 4), (4, 5)])
def test_degree_k_converges_with_power_k_plus_1_on_a_disk(degree: int, order: int) -> None:
    found = errors(advection(kp.Dirichlet(u, EXACT)), 0.15, degree)
    assert rate(found) == pytest.approx(order, abs=0.35)


@pytest.mark.parametrize(("degree", "order"), [(2, 3), (3, 4)])
def test_neumann_and_robin_parts_keep_the_rate(degree: int, order: int) -> None:
    found = errors(advection(mixed_conditions()), 0.2, degree, 2)
    assert rate(found) == pytest.approx(order, abs=0.35)


def test_nonlinear_coefficients_and_sources() -> None:
    a = 1 + EXACT**2 / 4
    right = sp.expand(sum(sp.diff(a * sp.diff(EXACT, s), s) for s in (x, y)) - EXACT**3)
    left = kp.divergence((1 + u**2 / 4) * kp.gradient(u)) - u**3
    problem = Problem(DISK, sp.Eq(left, right), kp.Dirichlet(u, EXACT), exact={u: EXACT})
    assert rate(errors(problem, 0.15, 2, 2)) == pytest.approx(3, abs=0.35)


def test_an_interval() -> None:
    w, e = sp.Function("u")(x), sp.exp(x) * sp.sin(3 * x)
    box = kp.Box({x: (0, 2)})
    conditions = [kp.Dirichlet(w, e, on=box.lower(x)), kp.Neumann(w, e.diff(x), on=box.upper(x))]
    problem = Problem(box, sp.Eq(w.diff(x, 2) + x * w.diff(x), e.diff(x, 2) + x * e.diff(x)), conditions, exact={w: e})
    assert rate(errors(problem, 0.02, 2)) == pytest.approx(3, abs=0.1)


@pytest.mark.slow
def test_a_ball() -> None:
    w, e = sp.Function("u")(x, y, z), sp.exp(x) * sp.sin(y) * z + x * z
    ball = kp.Sphere((x, y, z), (0, 0, 0), 1.0)
    problem = Problem(ball, sp.Eq(kp.laplacian(w) - w, laplacian_of(e) - e), kp.Dirichlet(w, e), exact={w: e})
    found = errors(problem, 0.2, 2)
    assert found[-1] < 2e-3
    assert rate(found) > 2.5


def test_the_corner_of_the_l_shape_costs_no_accuracy() -> None:
    problem = Problem(L_SHAPE, sp.Eq(-kp.laplacian(u), 1), kp.Dirichlet(u, 0))
    function = solved(problem, fitted_meshes(problem, 0.06, 2)[-1], 3)
    points, weights = function.quadrature
    assert weights @ function(points)[:, 0] == pytest.approx(L_INTEGRAL, rel=1e-5)


@pytest.mark.filterwarnings("ignore:.*the solution jumps there:kanpde.errors.ProblemWarning")
def test_a_jump_of_prescribed_values_is_met_by_small_cells() -> None:
    box = kp.Box({x: (0, 1), y: (0, 1)})
    others = box.lower(x) | box.upper(x) | box.lower(y)
    problem = Problem(
        box, sp.Eq(kp.laplacian(u), 0), [kp.Dirichlet(u, 1, on=box.upper(y)), kp.Dirichlet(u, 0, on=others)]
    )
    function = solved(problem, fitted_meshes(problem, 0.06, 2)[-1], 2)
    # The four turned problems add up to the constant 1.
    assert function(np.array([[0.5, 0.5]]))[0, 0] == pytest.approx(0.25, abs=1e-4)
    near = np.abs(function.mesh.points - [0, 1]).max(axis=1)
    assert np.sort(near)[1] < 1e-2


def test_pure_neumann_problems_take_the_mean() -> None:
    disk, e = kp.Disk((x, y), (0, 0), 1.0), sp.exp(x) * sp.cos(y) + x * y
    conditions = [kp.Neumann(u, e.diff(x) * x + e.diff(y) * y), kp.Integral(u, sp.pi)]
    problem = Problem(disk, sp.Eq(kp.laplacian(u), 0), conditions, exact={u: e})
    assert rate(errors(problem, 0.15, 2, 2)) == pytest.approx(3, abs=0.4)


def test_periodic_sides() -> None:
    box, e = kp.Box({x: (0, 1), y: (0, 1)}), sp.sin(2 * sp.pi * x) * sp.exp(y)
    sides = kp.Dirichlet(u, e, on=box.lower(y) | box.upper(y))
    problem = Problem(box, sp.Eq(kp.laplacian(u), laplacian_of(e)), [kp.Periodic(u, x), sides], exact={u: e})
    assert rate(errors(problem, 0.06, 2, 2)) == pytest.approx(3, abs=0.2)


def test_complex_helmholtz_with_an_impedance() -> None:
    w, k = kp.complex_unknown("u", x, y), 4
    wave = sp.exp(sp.I * k * (3 * x + 4 * y) / 5)
    ring = kp.Disk((x, y), (0, 0), 1.0) - kp.Disk((x, y), (0, 0), 0.4)
    g = sp.diff(wave, x) * x + sp.diff(wave, y) * y - sp.I * k * wave
    conditions = [
        kp.Dirichlet(w, wave, on=ring.boundary.where(x**2 + y**2 < 0.5)),
        kp.Condition(sp.Eq(kp.normal_derivative(w) - sp.I * k * w, g), on=ring.boundary.where(x**2 + y**2 > 0.5)),
    ]
    problem = Problem(ring, sp.Eq(kp.laplacian(w) + k**2 * w, 0), conditions, exact={w: wave})
    assert rate(errors(problem, 0.12, 2, 2)) == pytest.approx(3, abs=0.4)


# ---- materials


@pytest.mark.parametrize(("degree", "order"), [(2, 3), (3, 4)])
def test_a_disk_in_a_disk_of_another_material(degree: int, order: int) -> None:
    inner, outer, radius = 5, 1, sp.Rational(1, 2)
    a, b, c = sp.symbols("a b c")
    matching = [a * radius - b * radius - c / radius, inner * a - outer * (b - c / radius**2), b + c - 1]
    s = sp.solve(matching, [a, b, c])
    inside = x**2 + y**2 < radius**2
    exact = sp.Piecewise((s[a] * x, inside), (s[b] * x + s[c] * x / (x**2 + y**2), True))
    coefficient = sp.Piecewise((inner, inside), (outer, True))
    disk = kp.Disk((x, y), (0, 0), 1.0)
    problem = Problem(disk, sp.Eq(kp.divergence(coefficient * kp.gradient(u)), 0), kp.Dirichlet(u, x), exact={u: exact})
    found = errors(problem, 0.12, degree, 2)
    assert found[-1] < 3e-4
    assert rate(found) == pytest.approx(order, abs=0.5)


def test_conduction_through_copper_and_glass_is_exact() -> None:
    box, copper, glass = kp.Box({x: (0, 1), y: (0, 1)}), 400, sp.Rational(138, 100)
    resistance = sp.Rational(3, 10) / copper + sp.Rational(7, 10) / glass
    exact = sp.Piecewise((1 - x / copper / resistance, x < 0.3), ((1 - x) / glass / resistance, True))
    conductivity = sp.Piecewise((copper, x < 0.3), (glass, True))
    conditions = [
        kp.Dirichlet(u, 1, on=box.lower(x)),
        kp.Dirichlet(u, 0, on=box.upper(x)),
        kp.Neumann(u, 0, on=box.lower(y) | box.upper(y)),
    ]
    problem = Problem(box, sp.Eq(kp.divergence(conductivity * kp.gradient(u)), 0), conditions, exact={u: exact})
    assert errors(problem, 0.2, 2, 1)[0] < 1e-11


# ---- systems


def stress(a: sp.Expr, b: sp.Expr, la: sp.Expr, mu: sp.Expr) -> list[list[sp.Expr]]:
    trace, shear = la * (a.diff(x) + b.diff(y)), mu * (a.diff(y) + b.diff(x))
    return [[trace + 2 * mu * a.diff(x), shear], [shear, trace + 2 * mu * b.diff(y)]]


@pytest.mark.parametrize("case", ["traction", "sides", "roller", "slip"])
def test_plane_elasticity(case: str) -> None:
    la, mu = sp.Rational(13, 10), sp.Rational(7, 10)
    eu, ev, n = sp.sin(x + y) + x**2, sp.cos(x - 2 * y) * x, kp.Normal()
    s, e = stress(u, v, la, mu), stress(eu, ev, la, mu)
    equations = [sp.Eq(s[i][0].diff(x) + s[i][1].diff(y), e[i][0].diff(x) + e[i][1].diff(y)) for i in (0, 1)]

    def across(t: list[list[sp.Expr]], i: int) -> sp.Expr:
        return t[i][0] * n[0] + t[i][1] * n[1]

    ring = kp.Disk((x, y), (0, 0), 1.0) - kp.Disk((x, y), (0.2, 0.1), 0.3)
    inner, outer = (ring.boundary.where(c) for c in ((x - 0.2) ** 2 + (y - 0.1) ** 2 < 0.2, x**2 + y**2 > 0.9))
    box = kp.Box({x: (0, 1), y: (0, 1)})
    fixed = [kp.Dirichlet(u, eu, on=outer), kp.Dirichlet(v, ev, on=outer)]
    pulled = [
        *(kp.Condition(sp.Eq(s[i][0], e[i][0]), on=box.upper(x)) for i in (0, 1)),
        *(kp.Condition(sp.Eq(s[i][1], e[i][1]), on=box.upper(y)) for i in (0, 1)),
    ]
    below = [
        kp.Dirichlet(u, eu, on=box.lower(y)),
        kp.Dirichlet(v, ev, on=box.lower(y)),
        kp.Dirichlet(u, eu, on=box.lower(x)),
    ]
    along = [-n[1] * across(t, 0) + n[0] * across(t, 1) for t in (s, e)]
    conditions = {
        "traction": [*fixed, *(kp.Condition(sp.Eq(across(s, i), across(e, i)), on=inner) for i in (0, 1))],
        "sides": [*pulled, *below, kp.Dirichlet(v, ev, on=box.lower(x))],
        "roller": [*pulled, *below, kp.Condition(sp.Eq(s[1][0], e[1][0]), on=box.lower(x))],
        "slip": [
            *fixed,
            kp.Condition(sp.Eq(u * n[0] + v * n[1], eu * n[0] + ev * n[1]), on=inner),
            kp.Condition(sp.Eq(along[0], along[1]), on=inner),
        ],
    }
    domain = box if case in ("sides", "roller") else ring
    problem = Problem(domain, equations, conditions[case], exact={u: eu, v: ev})
    found = errors(problem, 0.12, 2, 2)
    assert found[-1] < 2e-4
    assert rate(found) == pytest.approx(3, abs=0.4)


RE = 20
DECAY = sp.Rational(RE, 2) - sp.sqrt(sp.Rational(RE**2, 4) + 4 * sp.pi**2)
KOVASZNAY = {
    u: 1 - sp.exp(DECAY * x) * sp.cos(2 * sp.pi * y),
    v: DECAY / (2 * sp.pi) * sp.exp(DECAY * x) * sp.sin(2 * sp.pi * y),
    p: (1 - sp.exp(2 * DECAY * x)) / 2,
}


def kovasznay(outflow: str) -> Problem:
    box = kp.Box({x: (-0.5, 0.5), y: (-0.5, 0.5)})
    eu, ev, ep = (KOVASZNAY[f] for f in (u, v, p))
    equations = [
        sp.Eq(u * u.diff(x) + v * u.diff(y) + p.diff(x), kp.laplacian(u) / RE),
        sp.Eq(u * v.diff(x) + v * v.diff(y) + p.diff(y), kp.laplacian(v) / RE),
        sp.Eq(u.diff(x) + v.diff(y), 0),
    ]
    walls = box.lower(x) | box.lower(y) | box.upper(y)
    mean = sp.integrate(ep, (x, -0.5, 0.5))
    conditions = {
        "mean": [kp.Dirichlet(u, eu), kp.Dirichlet(v, ev), kp.Integral(p, mean)],
        "pressure": [kp.Dirichlet(u, eu), kp.Dirichlet(v, ev), kp.Dirichlet(p, ep, on=box.upper(x))],
        "traction": [
            kp.Dirichlet(u, eu, on=walls),
            kp.Dirichlet(v, ev, on=walls),
            kp.Condition(sp.Eq(u.diff(x) / RE - p, eu.diff(x) / RE - ep), on=box.upper(x)),
            kp.Condition(sp.Eq(v.diff(x), ev.diff(x)), on=box.upper(x)),
        ],
    }
    return Problem(box, equations, conditions[outflow], exact=KOVASZNAY)


@pytest.mark.filterwarnings("ignore:.*is there no inflow:kanpde.errors.ProblemWarning")
@pytest.mark.parametrize("outflow", ["mean", "pressure", "traction"])
def test_kovasznay_flow_with_taylor_hood_elements(outflow: str) -> None:
    found = errors(kovasznay(outflow), 0.05, 2, 2)
    # Of second order, which is that of the pressure.
    assert found[-1] < 4e-3
    assert rate(found) == pytest.approx(2, abs=0.6)


@pytest.mark.slow
def test_velocities_converge_with_the_third_power() -> None:
    problem = kovasznay("mean")
    gaps = []
    for mesh in fitted_meshes(problem, 0.03, 3):
        function = solved(problem, mesh, 2)
        points, weights = function.quadrature
        gaps.append(np.sqrt(weights @ (function(points)[:, 1:] - problem.exact_values(points)[:, 1:]) ** 2))
    assert np.log2(gaps[-2] / gaps[-1]) == pytest.approx([3, 3], abs=0.4)


# ---- eigenvalues


def drum(near: float) -> Problem:
    lam = kp.Eigenvalue("lam", near=near)
    return Problem(kp.Disk((x, y), (0, 0), 1.0), sp.Eq(-kp.laplacian(u), lam * u), kp.Dirichlet(u, 0))


def test_modes_of_a_drum() -> None:
    problem = drum(15.0)
    exact = sorted([special.jn_zeros(m, 1)[0] ** 2 for m in (0, 1, 1, 2)])
    gaps = []
    for mesh in fitted_meshes(problem, 0.12, 2):
        values = sorted(pair.value for pair in eigenpairs(Discretisation(problem, mesh, 2), 4))
        gaps.append(np.abs(np.array(values) - exact))
    # Eigenvalues have twice the order of the energy norm, and those of multiplicity two come twice.
    assert np.log2(gaps[0] / gaps[1]) == pytest.approx(np.full(4, 4), abs=0.5)
    assert gaps[1] / exact == pytest.approx(np.zeros(4), abs=2e-4)


@pytest.mark.slow
def test_a_mode_of_multiplicity_two_has_an_estimate() -> None:
    function = reference(drum(14.0), shape=0.08)
    assert function.parameters["lam"] == pytest.approx(special.jn_zeros(1, 1)[0] ** 2, rel=1e-5)
    assert function.rate == pytest.approx(3, abs=0.3)
    points, weights = function.quadrature
    norms = [weights @ mode(points)[:, 0] ** 2 for mode in fem_eigenvalues(drum(6.0), 2, shape=0.1)]
    assert norms == pytest.approx([weights.sum()] * 2, rel=1e-3)


# ---- what a reference knows and keeps


def test_the_estimate_is_near_the_error() -> None:
    problem = advection(kp.Dirichlet(u, EXACT))
    for order in (2, 3):
        function = reference(problem, shape=0.15, order=order)
        assert isinstance(function, FemFunction)
        assert function.rate == pytest.approx(order + 1, abs=0.3)
        assert function.relative_l2 is not None
        assert function.error_estimate is not None
        assert 0.7 < function.error_estimate / function.relative_l2 < 1.6


def test_stored_functions_come_back_bit_identical(tmp_path: Path) -> None:
    problem = advection(kp.Dirichlet(u, EXACT))
    function = reference(problem, shape=0.4)
    path = function.save(tmp_path / "disk.h5")
    back = FemFunction.load(path)
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (50, 2))
    assert np.array_equal(back(points), function(points))
    assert (back.error_estimate, back.signature, back.unknowns) == (
        function.error_estimate,
        problem.signature,
        ("u",),
    )
    found = find_reference(tmp_path, problem)
    assert isinstance(found, FemFunction)
    assert find_reference(tmp_path, advection(mixed_conditions())) is None


def test_values_gradients_and_points_outside() -> None:
    function = solved(advection(kp.Dirichlet(u, EXACT)), fitted_meshes(advection(kp.Dirichlet(u, EXACT)), 0.1, 1)[0], 3)
    points = np.random.default_rng(0).uniform(-0.5, 0.6, (200, 2))
    numbers = sp.lambdify((x, y), [EXACT, EXACT.diff(x), EXACT.diff(y)])(*points.T)
    assert function(points)[:, 0] == pytest.approx(numbers[0], abs=1e-5)
    assert function.derivative((1, 0))(points)[:, 0] == pytest.approx(numbers[1], abs=1e-3)
    assert function.derivative((0, 1))(points)[:, 0] == pytest.approx(numbers[2], abs=1e-3)
    assert function(function.points)[:, 0] == pytest.approx(function.values[:, 0], abs=1e-12)
    edge = np.array([[0.2 + np.cos(0.3), 0.1 + np.sin(0.3)]]) * 1.0001
    assert function(edge)[0, 0] == pytest.approx(float(EXACT.subs({x: edge[0, 0], y: edge[0, 1]})), abs=1e-4)
    with pytest.raises(ProblemError, match="first derivatives only"):
        function.derivative((2, 0))(points)


def test_boxes_keep_their_grids() -> None:
    box = Problem(SQUARE, sp.Eq(kp.laplacian(u), laplacian_of(EXACT)), kp.Dirichlet(u, EXACT), exact={u: EXACT})
    assert isinstance(reference(box, shape=(21, 21)), kp.GridFunction)


@pytest.mark.slow
def test_the_best_solver_off_grids() -> None:
    best = best_conventional(advection(kp.Dirichlet(u, EXACT)), 1e-3)
    assert isinstance(best, FemFunction)
    assert best.relative_l2 < 1e-6
    assert best.seconds < 10


def test_dissection_solves_the_same_system_as_minimum_degree() -> None:
    problem = kovasznay("mean")
    system = Discretisation(problem, fitted_meshes(problem, 0.15, 1)[0], 2)
    held = imposed(system)
    residual, matrix = system.assemble(np.zeros(system.size))
    factor = factorised(system, matrix, held)
    assert sorted(factor.order) == list(range(held.free + len(held.values)))
    right = np.concatenate([held.transfer.T @ residual, held.values])
    found = factor.solve(right)
    reduced = (held.transfer.T @ matrix @ held.transfer).toarray()
    rows = (held.rows @ held.transfer).toarray()
    full = np.block([[reduced, factor.scale * rows.T], [rows, np.zeros((1, 1))]])
    assert found == pytest.approx(np.linalg.solve(full, right), abs=1e-8)


def test_the_jacobian_is_the_derivative_of_the_residual() -> None:
    problem = Problem(
        DISK,
        sp.Eq(kp.divergence((1 + u**2) * kp.gradient(u)) + sp.exp(u) * u.diff(x), 1),
        [
            kp.Dirichlet(u, 0, on=DISK.boundary.where(x < 0)),
            kp.Condition(sp.Eq(kp.normal_derivative(u) + u**4, x), on=DISK.boundary.where(x >= 0)),
        ],
    )
    system = Discretisation(problem, fitted_meshes(problem, 0.4, 1)[0], 2)
    state, direction = np.random.default_rng(0).standard_normal((2, system.size)) * 0.3
    step = 1e-5
    ahead, behind = (system.assemble(state + s * direction, (), False)[0] for s in (step, -step))
    assert system.assemble(state)[1] @ direction == pytest.approx((ahead - behind) / (2 * step), rel=1e-6, abs=1e-6)


# ---- refusals


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: reference(advection(kp.Dirichlet(u, EXACT)), order=8), "take 2, 3 or 4"),
        (lambda: reference(advection(kp.Dirichlet(u, EXACT)), shape=(3, 3)), r"\(number of cells,\)"),
        (lambda: reference(advection(kp.Dirichlet(u, EXACT)), shape=-1.0), "give a positive one"),
        (
            lambda: reference(Problem(DISK, sp.Eq(u.diff(x, 4) + u.diff(y, 4), 1), kp.Dirichlet(u, 0))),
            "derivatives of order 4",
        ),
        (
            lambda: reference(
                Problem(DISK, sp.Eq(kp.divergence((1 + u.diff(x) ** 2) * kp.gradient(u)), 1), kp.Dirichlet(u, 0))
            ),
            "multiplies second derivatives with derivatives",
        ),
        (
            lambda: reference(Problem(DISK, sp.Eq(kp.laplacian(u), 1), kp.Condition(sp.Eq(u.diff(x) + u, 0)))),
            "do not give the conormal",
        ),
        (
            lambda: reference(Problem(DISK, sp.Eq(kp.laplacian(u), 1), [kp.Dirichlet(u, 0), kp.Neumann(u, 0)])),
            "in excess",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore::kanpde.errors.ProblemWarning")
def test_what_cannot_be_solved_is_said(make: object, message: str) -> None:
    with pytest.raises(ProblemError, match=message):
        make()
