"""The defect equation with finite elements: the estimate against the true error of fields with known errors."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import sympy as sp

import kanpde as kp
from kanpde.errors import ProblemError
from kanpde.operator import JetVariable
from kanpde.problem import Problem
from kanpde.references.correction import DefectEstimate
from kanpde.references.fem import FemDefectSolver
from kanpde.references.fem import defect as module

x, y, t = sp.symbols("x y t", real=True)
u, v, p = (sp.Function(name)(x, y) for name in "uvp")
EXACT = sp.exp(x) * sp.sin(2 * y) + x**3
DISK = kp.Disk((x, y), (0.2, 0.1), 1.0)
SQUARE = kp.Box({x: (-1, 1), y: (-1, 1)})
PIERCED = SQUARE - kp.Disk((x, y), (-0.4, 0.3), 0.3) - kp.Disk((x, y), (0.5, -0.2), 0.2)
L_SHAPE = kp.Polygon((x, y), [(0, 0), (1, 0), (1, 1), (-1, 1), (-1, -1), (0, -1)])

Jet = Callable[[np.ndarray, Sequence[JetVariable]], np.ndarray]


@pytest.fixture(autouse=True)
def small_meshes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FINEST", {1: 2000, 2: 12000, 3: 8000})


def plus(jet: Jet, bumps: Sequence[sp.Expr]) -> Jet:
    """A field with known errors added, one a field of the problem."""

    def perturbed(points: np.ndarray, variables: Sequence[JetVariable]) -> np.ndarray:
        columns = []
        for variable in variables:
            e = bumps[variable.unknown]
            for s, order in zip((x, y), variable.derivative, strict=True):
                e = sp.diff(e, s, order)
            columns.append(np.broadcast_to(sp.lambdify((x, y), e, "numpy")(*points.T), (len(points),)))
        return jet(points, variables) + np.stack(columns, axis=1)

    return perturbed


def exact_jet(problem: Problem) -> Jet:
    return lambda points, variables: problem.exact_jet(points, list(variables)).T


def norm(solver: FemDefectSolver, bumps: Sequence[sp.Expr]) -> float:
    """L2 norm of the known errors, each on the cells of its field."""
    system, total = solver._levels[0].system, 0.0
    for equations, table in system.groups:
        points, weights = table.points.reshape(-1, 2), table.weights.ravel()
        for i in equations:
            values = sp.lambdify((x, y), bumps[system.pairing.field[i]], "numpy")(*points.T)
            total += float(np.sum(weights * values**2))
    return float(np.sqrt(total))


def effectivity(problem: Problem, jet: Jet, bumps: Sequence[sp.Expr]) -> tuple[float, DefectEstimate]:
    solver = FemDefectSolver(problem)
    estimate = solver.estimate(plus(jet, bumps))
    return estimate.absolute / norm(solver, bumps), estimate


def wave(size: float, k: int) -> sp.Expr:
    return size * sp.sin(k * x + 1) * sp.cos((k - 1) * y)


def poisson(domain: object) -> Problem:
    right = sp.expand(EXACT.diff(x, 2) + EXACT.diff(y, 2))
    return Problem(domain, sp.Eq(kp.laplacian(u), right), kp.Dirichlet(u, EXACT), exact={u: EXACT})


@pytest.mark.parametrize("domain", [DISK, PIERCED], ids=["disk", "square minus disks"])
@pytest.mark.parametrize("k", [2, 9])
def test_poisson(domain: object, k: int) -> None:
    problem = poisson(domain)
    ratio, estimate = effectivity(problem, exact_jet(problem), [wave(1e-6, k)])
    assert estimate.trusted
    assert estimate.method == "elements"
    assert ratio == pytest.approx(1.0, abs=0.03)
    assert estimate.correction is not None
    points = np.random.default_rng(0).uniform(-0.1, 0.1, (20, 2))
    found = estimate.correction(points)[:, 0]
    wanted = -sp.lambdify((x, y), wave(1e-6, k), "numpy")(*points.T)
    assert found == pytest.approx(wanted, abs=5e-8)


def test_nonlinear_with_a_robin_part() -> None:
    normal = EXACT.diff(x) * kp.Normal()[0] + EXACT.diff(y) * kp.Normal()[1]
    conditions = [
        kp.Dirichlet(u, EXACT, on=DISK.boundary.where(x < 0)),
        kp.Condition(sp.Eq(kp.normal_derivative(u) + u, normal + EXACT), on=DISK.boundary.where(x >= 0)),
    ]
    right = sp.expand(EXACT.diff(x, 2) + EXACT.diff(y, 2) - EXACT**3)
    problem = Problem(DISK, sp.Eq(kp.laplacian(u) - u**3, right), conditions, exact={u: EXACT})
    ratio, estimate = effectivity(problem, exact_jet(problem), [wave(1e-5, 4)])
    assert estimate.trusted
    assert ratio == pytest.approx(1.0, abs=0.03)


def corner(points: np.ndarray, variables: Sequence[JetVariable]) -> np.ndarray:
    """Values and first derivatives of r^(2/3) sin(2θ/3), which vanishes on both sides of the corner."""
    r = np.maximum(np.hypot(*points.T), 1e-14)
    angle = np.arctan2(points[:, 1], points[:, 0]) % (2 * np.pi)
    known = {
        (0, 0): r ** (2 / 3) * np.sin(2 * angle / 3),
        (1, 0): -2 / 3 * r ** (-1 / 3) * np.sin(angle / 3),
        (0, 1): 2 / 3 * r ** (-1 / 3) * np.cos(angle / 3),
    }
    return np.stack([known[variable.derivative] for variable in variables], axis=1)


def singular_problem() -> Problem:
    angle = sp.Piecewise((sp.atan2(y, x), y >= 0), (sp.atan2(y, x) + 2 * sp.pi, True))
    exact = (x**2 + y**2) ** sp.Rational(1, 3) * sp.sin(2 * angle / 3)
    return Problem(L_SHAPE, sp.Eq(kp.laplacian(u), 0), kp.Dirichlet(u, exact))


@pytest.mark.filterwarnings("ignore::kanpde.errors.ProblemWarning")
def test_the_corner_of_the_l_shape() -> None:
    ratio, estimate = effectivity(singular_problem(), corner, [wave(1e-4, 3)])
    assert estimate.trusted
    assert ratio == pytest.approx(1.0, abs=0.03)


@pytest.mark.filterwarnings("ignore::kanpde.errors.ProblemWarning")
def test_a_missing_part_of_the_singularity_is_seen() -> None:
    solver = FemDefectSolver(singular_problem())
    estimate = solver.estimate(lambda points, variables: 0.99 * corner(points, variables))
    assert estimate.trusted
    assert estimate.relative == pytest.approx(0.01, rel=0.02)


@pytest.mark.parametrize("glued", [True, False], ids=["continuous error", "jumping error"])
def test_two_materials(glued: bool) -> None:
    inner, outer, radius = 5, 1, sp.Rational(1, 2)
    a, b, c = sp.symbols("a b c")
    matching = [a * radius - b * radius - c / radius, inner * a - outer * (b - c / radius**2), b + c - 1]
    s = sp.solve(matching, [a, b, c])
    inside = x**2 + y**2 < radius**2
    exact = sp.Piecewise((s[a] * x, inside), (s[b] * x + s[c] * x / (x**2 + y**2), True))
    coefficient = sp.Piecewise((inner, inside), (outer, True))
    disk = kp.Disk((x, y), (0, 0), 1.0)
    problem = Problem(disk, sp.Eq(kp.divergence(coefficient * kp.gradient(u)), 0), kp.Dirichlet(u, x), exact={u: exact})
    bumps = [wave(1e-5, 3)] * 2 if glued else [wave(1e-5, 3), wave(2e-5, 4)]
    ratio, estimate = effectivity(problem, exact_jet(problem), bumps)
    assert estimate.trusted
    assert ratio == pytest.approx(1.0, abs=0.03)


def test_a_flow_with_its_pressure() -> None:
    re = 20
    decay = sp.Rational(re, 2) - sp.sqrt(sp.Rational(re**2, 4) + 4 * sp.pi**2)
    exact = {
        u: 1 - sp.exp(decay * x) * sp.cos(2 * sp.pi * y),
        v: decay / (2 * sp.pi) * sp.exp(decay * x) * sp.sin(2 * sp.pi * y),
        p: (1 - sp.exp(2 * decay * x)) / 2,
    }
    equations = [
        sp.Eq(u * u.diff(x) + v * u.diff(y) + p.diff(x), kp.laplacian(u) / re),
        sp.Eq(u * v.diff(x) + v * v.diff(y) + p.diff(y), kp.laplacian(v) / re),
        sp.Eq(u.diff(x) + v.diff(y), 0),
    ]
    box = kp.Box({x: (-0.5, 0.5), y: (-0.5, 0.5)})
    mean = sp.integrate(exact[p], (x, -0.5, 0.5))
    conditions = [kp.Dirichlet(u, exact[u]), kp.Dirichlet(v, exact[v]), kp.Integral(p, mean)]
    problem = Problem(box, equations, conditions, exact=exact)
    ratio, estimate = effectivity(problem, exact_jet(problem), [wave(1e-5, 3), wave(1e-5, 4), wave(1e-5, 5)])
    assert estimate.trusted
    assert ratio == pytest.approx(1.0, abs=0.05)


def test_errors_between_the_nodes_are_not_certified() -> None:
    problem = poisson(SQUARE)
    _, estimate = effectivity(problem, exact_jet(problem), [wave(1e-6, 150)])
    assert not estimate.trusted
    assert estimate.reason


def test_a_linear_problem_keeps_its_factorisation(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = poisson(DISK)
    solver = FemDefectSolver(problem)
    first = solver.estimate(plus(exact_jet(problem), [wave(1e-6, 2)]))
    monkeypatch.setattr("kanpde.references.fem.newton.factorised", None)
    second = solver.estimate(plus(exact_jet(problem), [wave(2e-6, 2)]))
    assert second.absolute == pytest.approx(2 * first.absolute, rel=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Problem(DISK, sp.Eq(kp.laplacian(u) + kp.Eigenvalue("lam", near=5) * u, 0), kp.Dirichlet(u, 0)),
            "unknown scalars",
        ),
        (
            lambda: Problem(
                DISK * kp.Time(t, (0, 1)),
                sp.Eq(sp.Function("w")(x, y, t).diff(t), kp.laplacian(sp.Function("w")(x, y, t))),
                [kp.Dirichlet(sp.Function("w")(x, y, t), 0), kp.Initial(sp.Function("w")(x, y, t), 1)],
            ),
            "stationary",
        ),
        (lambda: Problem(DISK, sp.Eq(u.diff(x, 4) + u.diff(y, 4), 1), kp.Dirichlet(u, 0)), "order 4"),
    ],
)
@pytest.mark.filterwarnings("ignore::kanpde.errors.ProblemWarning")
def test_what_has_no_estimate_is_said_at_once(make: Callable[[], Problem], message: str) -> None:
    with pytest.raises(ProblemError, match=message):
        FemDefectSolver(make())
