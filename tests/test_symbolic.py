"""Candidates on curves whose formula is known, constants that are and are not what they seem, and proofs."""

import cases
import numpy as np
import pytest
import sympy as sp

import kanpde as kp
from kanpde.errors import ProblemError
from kanpde.symbolic import (
    LIBRARY,
    Candidate,
    candidates_for,
    claims,
    fitted,
    library,
    pareto,
    proof,
    ranked,
    recognised,
    vanishes,
)

X = np.linspace(-1, 1, 301)
NAMES = {c.name: c for c in LIBRARY}


def curve(candidate: Candidate) -> tuple[np.ndarray, np.ndarray]:
    """c f(a x + b) + d where the candidate is smooth and not nearly a straight line."""
    places = {
        "log": (1.0, 1.4), "sqrt": (1.0, 1.3), "inverse": (1.0, 1.8), "inverse_square": (1.0, 2.0),
        "inverse_sqrt": (1.0, 1.5), "power3/2": (1.0, 1.2), "asin": (0.6, 0.3), "atanh": (0.6, 0.2), "tan": (0.9, 0.2),
        "z*log": (1.3, 2.0), "cbrt": (1.0, 1.6), "linear": (1.0, 0.0),
    }  # fmt: skip
    a, b = places.get(candidate.name, (1.7, 0.4))
    a, b = a if candidate.scale else 1.0, b if candidate.shift else 0.0
    return X, 1.3 * candidate(a * X + b) - 0.7


# ---- candidates


def test_library_is_large_enough_and_has_the_hyperbolic_functions() -> None:
    assert len(LIBRARY) >= 25
    assert {"sin", "exp", "sinh", "cosh", "tanh", "log", "sqrt", "besselj0"} <= NAMES.keys()
    assert len(NAMES) == len(LIBRARY)


@pytest.mark.parametrize("name", NAMES)
def test_candidate_is_fitted_to_its_own_curve(name: str) -> None:
    fit = fitted(NAMES[name], *curve(NAMES[name]))
    assert fit is not None
    assert fit.error < 1e-7


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("sin", lambda x: np.sin(np.pi * x)),
        ("sin", lambda x: np.cos(4 * np.pi * x) / 3),
        ("square", lambda x: 2 * x * x - 1),
        ("exp", lambda x: 3 * np.exp(-x)),
        ("cosh", lambda x: np.cosh(2 * x) - 1),
        ("lorentz", lambda x: 1 / (1 + 4 * x * x)),
        ("log", lambda x: np.log(2.5 - x)),
        ("linear", lambda x: 3 * x + 1),
        ("besselj0", lambda x: np.sin(x) * 0 + fitted_bessel(x)),
    ],
)
def test_the_right_candidate_is_the_simplest_of_the_good_ones(name: str, function: object) -> None:
    fits = ranked(X, function(X), most=10)  # type: ignore[operator]
    good = [fit for fit in pareto(fits) if fit.error < 1e-6]
    assert good[0].candidate.name == name


def fitted_bessel(x: np.ndarray) -> np.ndarray:
    return NAMES["besselj0"](20 * x)


def test_pareto_front_falls() -> None:
    front = pareto(ranked(X, np.tanh(3 * X + 0.5), most=10))
    assert [f.complexity for f in front] == sorted({f.complexity for f in front})
    assert [f.error for f in front] == sorted((f.error for f in front), reverse=True)
    assert front[-1].candidate.name == "tanh"


@pytest.mark.parametrize("size", [0.5, 2.0])
def test_ends_that_bend_do_not_mislead(size: float) -> None:
    """A spline is free where there are no data: a twentieth of the curve at each end is off by up to its own size."""
    bent = np.sin(3 * X) + size * np.clip(np.abs(X) - 0.95, 0, None) * 20
    fit = fitted(NAMES["sin"], X, bent)
    assert fit is not None
    assert fit.a == pytest.approx(3, rel=1e-6)
    assert fit.error > 0.05  # the error is that of the whole curve
    weighed = fitted(NAMES["sin"], X, bent, weights=(np.abs(X) < 0.95).astype(float))
    assert weighed is not None
    assert weighed.a == pytest.approx(3, rel=1e-9)


def test_a_candidate_that_is_not_defined_on_the_data_has_no_fit() -> None:
    alone = Candidate("far", lambda z: sp.log(z - 100), 3, scale=False, shift=False)
    assert fitted(alone, X, X) is None
    assert fitted(NAMES["sin"], X, np.ones_like(X)) is None


def test_users_may_choose_forbid_and_add() -> None:
    own = Candidate("bump", lambda z: sp.exp(-(z**4)), 3)
    assert library(only=["sin", "exp"]) == (NAMES["sin"], NAMES["exp"])
    assert NAMES["tan"] not in library(without=["tan"])
    found = ranked(X, np.exp(-((1.5 * X) ** 4)), library(extra=[own]))
    assert found[0].candidate is own
    with pytest.raises(ProblemError, match="no candidate function is called 'sine'"):
        library(only=["sine"])
    with pytest.raises(ProblemError, match="no candidate function is called 'sine'"):
        library(without=["sine"])


def test_texts_for_diagrams() -> None:
    (text, error), *_ = candidates_for(X, np.sin(2 * X), count=2)
    assert text == "1.0*sin(2.0*x)"
    assert error < 1e-9
    assert len(candidates_for(X, np.sin(2 * X), count=2)) <= 2


def test_only_the_most_promising_are_fitted() -> None:
    some = ranked(X, np.tanh(3 * X + 0.5), most=6)
    assert len(some) == 6
    assert some[0].candidate.name == "tanh"
    assert ranked(X, np.ones_like(X)) == []


def test_fit_as_an_expression() -> None:
    fit = fitted(NAMES["exp"], X, 3 * np.exp(-X) + 1)
    assert fit is not None
    x = sp.Symbol("x", real=True)
    expression = fit.expression(x)
    values = [float(expression.subs(x, float(v))) for v in X[::50]]
    assert np.allclose(values, fit(X[::50]))


# ---- constants


@pytest.mark.parametrize(
    "exact",
    [
        sp.pi, 2 * sp.pi, -sp.pi / 2, sp.Rational(1, 3), sp.Integer(-7), sp.sqrt(2), sp.sqrt(3) / 2, sp.pi**2,
        1 / sp.pi, sp.Rational(22, 7), sp.E, sp.log(2), sp.Rational(5, 24),
    ],
)  # fmt: skip
def test_constants_are_recognised(exact: sp.Expr) -> None:
    found = recognised(float(exact) * (1 + 3e-13), 1e-11)
    assert found.known
    assert found.value == exact
    assert found.error < 1e-11


def test_22_over_7_is_not_pi_and_few_digits_are_not_enough() -> None:
    assert recognised(22 / 7, 1e-11).value == sp.Rational(22, 7)
    assert recognised(float(sp.pi), 1e-9).value == sp.pi
    loose = recognised(0.73 + 1e-4, 1e-3)
    assert not loose.known


def test_arbitrary_numbers_stay_numbers() -> None:
    """Of a thousand random ones hardly any may be taken for a constant."""
    numbers = np.random.default_rng(0).uniform(0.1, 10, 1000)
    assert sum(recognised(float(v), 1e-9).known for v in numbers) <= 2


def test_zero_and_the_users_own_constants() -> None:
    assert recognised(3e-13, 1e-12).value == 0
    wavenumber = sp.sqrt(19 + sp.pi)
    assert recognised(float(2 * wavenumber), 1e-11, [wavenumber]).value == 2 * wavenumber
    assert not recognised(float(2 * wavenumber), 1e-11).known


# ---- proofs

PROVED = ["poisson", "poisson_paper", "helmholtz", "rational", "heat_1d", "klein_gordon", "poisson_robin", "wave_1d"]


@pytest.mark.parametrize("name", [*PROVED, "coupled"])
def test_exact_solutions_are_proved(name: str) -> None:
    problem = cases.load(name)
    found = proof(problem, problem.exact_fields)
    assert found.proved, found.open


@pytest.mark.parametrize("name", PROVED[:3])
def test_wrong_solutions_are_not(name: str) -> None:
    problem = cases.load(name)
    x = problem.coordinates[0]
    (exact,) = problem.exact_fields
    assert proof(problem, [exact + x * 0 + sp.Rational(1, 10**9) * sp.sin(3 * sp.pi * x)]).open
    assert proof(problem, [2 * exact]).open == ("equation 1",)


def test_what_satisfies_the_equation_but_not_the_conditions() -> None:
    problem = cases.load("poisson")
    x, y = problem.coordinates
    (exact,) = problem.exact_fields
    found = proof(problem, [exact + x * y])
    assert not found.proved
    assert "equation 1" not in found.open


def test_floating_point_proves_nothing() -> None:
    problem = cases.load("poisson")
    (exact,) = problem.exact_fields
    assert not proof(problem, [exact.xreplace({sp.pi: sp.Float(sp.pi, 15)})]).proved
    x = sp.Symbol("x", real=True)
    assert vanishes((x + 1) ** 2 - x**2 - 2 * x - 1)
    assert not vanishes((x + 1.0) ** 2 - x**2 - 2 * x - 1)


def test_what_cannot_be_integrated_stays_open() -> None:
    x, y = sp.symbols("x y", real=True)
    u = sp.Function("u")(x, y)
    disk = kp.Disk((x, y), (0, 0), 1)
    problem = kp.Problem(
        disk, sp.Eq(kp.laplacian(u), sp.exp(x)), [kp.Dirichlet(u, sp.exp(x)), kp.Integral(u, 3)], name="open"
    )
    found = proof(problem, [sp.exp(x)])
    assert not found.proved
    assert {c.label for c in claims(problem, [sp.exp(x)]) if c.expression is None} == {problem.conditions[1].label}
    assert problem.conditions[1].label in found.open
    assert "equation 1" not in found.open


def test_normals_and_integrals_of_a_disk_are_shown() -> None:
    problem = cases.load("neumann")
    assert proof(problem, problem.exact_fields).proved
    shifted = proof(problem, [problem.exact_fields[0] + sp.Rational(1, 7)])
    assert shifted.open == (problem.conditions[1].label,)
    tilted = proof(problem, [problem.exact_fields[0] + problem.coordinates[0]])
    assert tilted.open == (problem.conditions[0].label,)


def test_sides_and_holes_are_shown() -> None:
    """A triangle with a slanting side, a tilted ellipse, a ball, and a hole, whose normal points inwards."""
    x, y, z = sp.symbols("x y z", real=True)
    u, w = sp.Function("u")(x, y), sp.Function("w")(x, y, z)
    exact = x**2 + 3 * x * y
    triangle = kp.Polygon((x, y), [(0, 0), (2, 0), (0, 1)])
    ring = kp.Disk((x, y), (0, 0), 2) - kp.Disk((x, y), (sp.Rational(1, 2), 0), 1)
    slope = sp.diff(exact, x) * kp.Normal()[0] + sp.diff(exact, y) * kp.Normal()[1]
    for domain in (triangle, ring, kp.Ellipse((x, y), (1, 0), (2, 1), angle=0.3)):
        for sign in (1, -1):
            condition = kp.Condition(sp.Eq(kp.normal_derivative(u), sign * slope))
            problem = kp.Problem(domain, sp.Eq(kp.laplacian(u), 2), [condition, kp.Dirichlet(u, exact)], name="sides")
            assert proof(problem, [exact]).proved == (sign == 1), domain
    ball = kp.Sphere((x, y, z), (0, 0, 1), 2)
    radial = x**2 + y**2 + (z - 1) ** 2
    problem = kp.Problem(ball, sp.Eq(kp.laplacian(w), 6), [kp.Robin(w, 1, 1, 8)], name="ball")
    assert proof(problem, [radial]).proved
    assert not proof(problem, [radial + 1]).proved


def test_integrals_over_boxes_at_each_time() -> None:
    x, t = sp.symbols("x t", real=True)
    u = sp.Function("u")(x, t)
    exact = sp.exp(-t) * (1 + sp.cos(sp.pi * x) ** 2 * x)
    value = sp.exp(-t) * sp.integrate(1 + sp.cos(sp.pi * x) ** 2 * x, (x, 0, 1))
    rod = kp.Box({x: (0, 1)}) * kp.Time(t, (0, 1))
    source = sp.diff(exact, t) - sp.diff(exact, x, 2)
    ends = [
        kp.Neumann(u, sign * sp.diff(exact, x).subs(x, end), on=side)
        for end, sign, side in ((0, -1, rod.lower(x)), (1, 1, rod.upper(x)))
    ]
    conditions = [kp.Initial(u, exact.subs(t, 0)), *ends, kp.Integral(u, value)]
    problem = kp.Problem(rod, sp.Eq(u.diff(t) - u.diff(x, 2), source), conditions, name="rod")
    assert proof(problem, [exact]).proved
    assert proof(problem, [2 * exact]).open[-1] == problem.conditions[-1].label


def test_periodic_conditions() -> None:
    x, y = sp.symbols("x y", real=True)
    u = sp.Function("u")(x, y)
    exact = sp.sin(2 * sp.pi * x) * sp.sin(sp.pi * y)
    square = kp.Box({x: (0, 1), y: (0, 1)})
    problem = kp.Problem(
        square,
        sp.Eq(kp.laplacian(u), -5 * sp.pi**2 * exact),
        [kp.Periodic(u, x), kp.Dirichlet(u, 0, on=square.lower(y)), kp.Dirichlet(u, 0, on=square.upper(y))],
        name="strip",
    )
    assert proof(problem, [exact]).proved
    assert not proof(problem, [exact.subs(x, x / 2)]).proved
