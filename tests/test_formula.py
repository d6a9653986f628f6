"""From values with an error to formulas with a proof; nothing is called exact without one."""

import ctypes
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy as sp
from scipy.special import airy

import kanpde as kp
from kanpde.errors import ProblemError
from kanpde.expression import Program
from kanpde.symbolic import Candidate, Choice, Formula, library, symbolic
from kanpde.symbolic.target import largest_box

x, y, z, t = sp.symbols("x y z t", real=True)
u = sp.Function("u")(x, y)
NOISE = 1e-8
Values = Callable[[np.ndarray], np.ndarray]


def noisy(exact: list[sp.Expr], coordinates: tuple[sp.Symbol, ...], noise: float = NOISE) -> Values:
    """Values as a solver leaves them: right but for a smooth error."""
    program = Program.compile(exact, coordinates)

    def values(points: np.ndarray) -> np.ndarray:
        columns = [np.broadcast_to(column, (len(points),)) for column in program(list(points.T), np)]
        found = np.stack(columns, axis=1)
        return found + noise * np.sin(37 * points.sum(axis=1))[:, None] * np.abs(found).max(axis=0)

    return values


FEW = Choice(
    library(
        only=[
            "linear",
            "square",
            "cube",
            "exp",
            "sin",
            "sinh",
            "tanh",
            "inverse",
            "sqrt",
            "log",
            "asin",
            "inverse_sqrt",
        ]
    )
)


def found(problem: kp.Problem, *exact: sp.Expr, **options: Any) -> Formula:
    """With a dozen candidates: the tests of the whole library are in test_symbolic.py and further below."""
    return symbolic(problem, noisy(list(exact), problem.coordinates), NOISE, **{"choice": FEW} | options)


def poisson(exact: sp.Expr, domain: Any = None) -> kp.Problem:
    load = sp.diff(exact, x, 2) + sp.diff(exact, y, 2)
    domain = kp.Box({x: (-1, 1), y: (-1, 1)}) if domain is None else domain
    return kp.Problem(domain, sp.Eq(kp.laplacian(u), load), kp.Dirichlet(u, exact), name="poisson")


def regression(exact: sp.Expr, box: dict[sp.Symbol, tuple[float, float]]) -> kp.Problem:
    return kp.Problem(kp.Box(box), sp.Eq(sp.Function("u")(*box), exact), (), name="regression")


SQUARE = {x: (0.1, 0.9), y: (0.1, 0.9)}
SOLUTIONS = {
    "one product": sp.sin(sp.pi * x) * sp.sin(sp.pi * y),
    "polynomial": x**2 * y - y**3 / 3 + x,
    "two products": sp.sin(sp.pi * x) * sp.sinh(y) + x * y,
    "ratio": 1 / (1 + x**2 + y**2),
    "outer function": sp.log((x + 2) ** 2 + y**2),
    "wave": sp.tanh(x + y),
    "roots": sp.sqrt(2) * sp.exp(x / 3) * y,
}
REGRESSIONS = {
    "root": sp.sqrt(1 + x**2 + y**2),
    "relativity": (x + y) / (1 + x * y),
    "arc": sp.asin(x * sp.sin(y)),
    "quotient": x / (1 + y),
}


@pytest.mark.parametrize("exact", SOLUTIONS.values(), ids=SOLUTIONS.keys())
def test_solutions_of_an_equation_are_found_and_proved(exact: sp.Expr) -> None:
    formula = found(poisson(exact), exact)
    assert formula.proved, str(formula)
    assert formula.expression is not None
    assert not formula.expression.has(sp.Float)
    assert sp.simplify(formula.expression - exact) == 0
    assert formula.error < 1e-6
    assert formula.open == ()


def test_the_whole_library_finds_the_solution_of_problem_a() -> None:
    exact = SOLUTIONS["one product"]
    formula = found(poisson(exact), exact, choice=None)
    assert formula.proved
    assert formula.expression == exact


@pytest.mark.parametrize("exact", REGRESSIONS.values(), ids=REGRESSIONS.keys())
def test_functions_are_found_from_values_alone(exact: sp.Expr) -> None:
    formula = found(regression(exact, SQUARE), exact)
    assert formula.proved, str(formula)
    assert sp.simplify(formula.expression - exact) == 0


def test_three_coordinates_and_a_factor_of_one() -> None:
    exact = z / sp.sqrt(1 + (x - y) ** 2)
    box = {x: (0.0, 1.0), y: (0.0, 2.0), z: (1.0, 2.0)}
    formula = found(regression(exact, box), exact)
    assert formula.proved, str(formula)
    assert sp.simplify(formula.expression - exact) == 0


def test_a_damped_oscillation_of_one_coordinate() -> None:
    v = sp.Function("v")(t)
    exact = sp.exp(-t) * sp.cos(3 * t)
    equation = sp.Eq(v.diff(t, 2) + 2 * v.diff(t) + 10 * v, 0)
    problem = kp.Problem(kp.Box({t: (0, 3)}), equation, kp.Dirichlet(v, exact), name="damped")
    formula = found(problem, exact)
    assert formula.proved, str(formula)
    assert sp.simplify(formula.expression - exact) == 0


def test_curved_boundaries_are_proved_too() -> None:
    exact = 1 - x**2 - y**2
    disk = kp.Disk((x, y), (0, 0), 1)
    problem = kp.Problem(disk, sp.Eq(kp.laplacian(u), -4), kp.Robin(u, 2, 1, -2), name="disk")
    formula = found(problem, exact)
    assert formula.proved, str(formula)
    assert formula.expression == 1 - x**2 - y**2
    wrong = kp.Problem(disk, sp.Eq(kp.laplacian(u), -4), kp.Robin(u, 2, 1, -1), name="disk")
    assert not found(wrong, exact, choice=Choice(library(only=["linear", "square"])), seconds=5.0).proved


def test_systems_are_judged_together() -> None:
    v, w = sp.Function("v")(x, y), sp.Function("w")(x, y)
    first, second = sp.sin(x) * sp.cos(y), -sp.cos(x) * sp.sin(y)
    equations = [
        sp.Eq(kp.laplacian(v) + v + w, -first + second),
        sp.Eq(kp.laplacian(w) + w - v, -second - first),
    ]
    conditions = [kp.Dirichlet(v, first), kp.Dirichlet(w, second)]
    problem = kp.Problem(kp.Box({x: (0, 2), y: (0, 2)}), equations, conditions, name="pair")
    formula = found(problem, first, second)
    assert formula.proved, str(formula)
    assert formula.expressions is not None
    assert [sp.simplify(e - f) for e, f in zip(formula.expressions, (first, second), strict=True)] == [0, 0]
    assert str(formula).startswith("v(x, y) = sin(x)*cos(y)\nw(x, y) = ")


def test_complex_unknowns_come_back_as_one_formula() -> None:
    psi = kp.complex_unknown("psi", x, t)
    exact = sp.exp(-sp.I * t / 2) * sp.cos(x)
    box = kp.Box({x: (0, 1)}) * kp.Time(t, (0, 1))
    equation = sp.Eq(sp.I * psi.diff(t) + psi.diff(x, 2) / 2, 0)
    problem = kp.Problem(box, equation, [kp.Initial(psi, sp.cos(x)), kp.Dirichlet(psi, exact)], name="free")
    formula = found(problem, -sp.sin(t / 2) * sp.cos(x), sp.cos(t / 2) * sp.cos(x))  # psi_im, psi_re
    assert formula.proved, str(formula)
    assert formula.expression is not None
    assert sp.simplify(sp.expand_complex(formula.expression - exact)) == 0


def test_unknown_scalars_are_found_with_the_formula() -> None:
    nu = kp.Parameter("nu", initial=0.3)
    v = sp.Function("v")(x)
    exact = sp.sin(2 * x)
    equation = sp.Eq(nu * v.diff(x, 2) + v, 0)
    box = kp.Box({x: (0, 1)})
    slope = kp.Condition(sp.Eq(v.diff(x), 2), on=box.lower(x))
    problem = kp.Problem(box, equation, [kp.Dirichlet(v, exact), slope], name="spring")
    formula = found(problem, exact, scalars=(0.26,))
    assert formula.proved, str(formula)
    assert formula.identified == {"nu": sp.Rational(1, 4)}
    assert "nu = 1/4" in str(formula)


def test_what_is_not_elementary_is_not_called_exact() -> None:
    """An Airy function is in no library: a formula may come near it, but nothing is proved."""
    v = sp.Function("v")(x)
    problem = kp.Problem(kp.Box({x: (0, 2)}), sp.Eq(v.diff(x, 2), x * v), kp.Dirichlet(v, 1), name="airy")
    grid = np.linspace(0, 2, 4001)
    left, right = (np.array([sp.N(f(s)) for s in (0, 2)], dtype=float) for f in (sp.airyai, sp.airybi))
    a, b = np.linalg.solve(np.stack([left, right], axis=1), [1.0, 1.0])
    truth = a * airy(grid)[0] + b * airy(grid)[2]
    formula = symbolic(problem, lambda p: np.interp(p[:, 0], grid, truth)[:, None], 1e-7, choice=FEW, seconds=3.0)
    assert not formula.proved
    assert "proved: satisfies" not in str(formula)


def test_a_formula_far_from_the_equation_is_left_open() -> None:
    """The values are those of another solution: no condition holds, and the residual says so."""
    problem = poisson(sp.sin(sp.pi * x) * sp.sin(sp.pi * y))
    formula = found(problem, x * y, choice=Choice(library(only=["linear", "sin"])), seconds=5.0)
    assert not formula.proved


def test_candidates_may_be_forbidden_fixed_and_added() -> None:
    exact = sp.exp(x) * sp.cos(y)
    problem = poisson(exact)
    values = noisy([exact], (x, y))
    fixed = Choice(library(), {x: library(only=["exp"]), y: library(only=["sin"])})
    assert symbolic(problem, values, NOISE, choice=fixed).proved
    crossed = Choice(library(), {x: library(only=["sin"]), y: library(only=["exp"])})
    assert not symbolic(problem, values, NOISE, choice=crossed, seconds=5.0).proved
    bare = Choice(library(only=["linear", "square"]))
    assert symbolic(problem, values, NOISE, choice=bare, seconds=5.0).expressions is None
    cusp = Candidate("bump", lambda s: sp.exp(-1 / (1 + s**2)), 4)
    bump = sp.exp(-1 / (1 + x**2)) * y
    own = Choice((*library(only=["linear"]), cusp))
    assert symbolic(poisson(bump), noisy([bump], (x, y)), NOISE, choice=own).proved


def test_a_proposed_formula_gets_its_numbers() -> None:
    a, b = sp.symbols("a b")
    exact = sp.exp(sp.sin(2 * x) * y)
    formula = found(poisson(exact), exact, propose={u: sp.exp(a * sp.sin(b * x) * y)})
    assert formula.proved, str(formula)
    assert sp.simplify(formula.expression - exact) == 0
    wrong = found(poisson(exact), exact, propose={u: a * x + b})
    assert wrong.expressions is None
    assert "no numbers make it satisfy the equation" in wrong.reason or "from the solution" in wrong.reason


def test_decimal_numbers_of_a_statement_are_meant_as_rationals() -> None:
    v = sp.Function("v")(x)
    exact = sp.exp(-x / 10)
    equation = sp.Eq(v.diff(x, 2) - 0.01 * v, 0)
    problem = kp.Problem(kp.Box({x: (0, 1)}), equation, kp.Dirichlet(v, exact), name="decay")
    formula = found(problem, exact)
    assert formula.proved, str(formula)
    assert formula.expression == exact


def test_code_and_latex(tmp_path: Path) -> None:
    exact = sp.sin(sp.pi * x) * sp.exp(-y) / 3
    formula = found(poisson(exact), exact)
    points = np.random.default_rng(0).uniform(-1, 1, (20, 2))
    wanted = np.sin(np.pi * points[:, 0]) * np.exp(-points[:, 1]) / 3
    space: dict[str, Any] = {}
    exec(formula.code("numpy"), space)
    assert np.allclose(space["u"](*points.T), wanted, rtol=1e-14)
    (tmp_path / "u.c").write_text(formula.code("c"))
    subprocess.run(["cc", "-shared", "-fPIC", "-o", tmp_path / "u.so", tmp_path / "u.c", "-lm"], check=True)
    function = ctypes.CDLL(str(tmp_path / "u.so")).u
    function.restype, function.argtypes = ctypes.c_double, [ctypes.c_double, ctypes.c_double]
    assert np.allclose([function(*point) for point in points], wanted, rtol=1e-14)
    assert formula.latex.startswith(r"u{\left(x,y \right)} = ")
    with pytest.raises(ProblemError, match="not written in 'fortran'; use one of numpy, c"):
        formula.code("fortran")


def test_nothing_found_has_a_reason_and_no_code() -> None:
    empty = Formula((u,), None, reason="because")
    assert (empty.expression, empty.latex, empty.code("c"), empty.code("numpy")) == (None, "", "", "")
    assert str(empty) == "no formula: because"


def test_the_box_inside_a_domain() -> None:
    disk = kp.Disk((x, y), (1, 0), 2)
    box = largest_box(disk)
    corners = np.array([[a, b] for a in box[0] for b in box[1]])
    assert disk.contains(corners).all()
    assert np.ptp(box, axis=1).min() > 2.0
    square = kp.Box({x: (0, 1), y: (2, 5)})
    assert np.array_equal(largest_box(square), square.bounds)


def test_code_of_constants_keywords_and_bessel_functions() -> None:
    lam = sp.Symbol("lambda", real=True)
    f = sp.Function("f")(lam, x)
    space: dict[str, Any] = {}
    exec(Formula((f,), (lam * sp.pi + x,)).code("numpy"), space)
    assert space["f"](1.0, 2.0) == np.pi + 2
    exec(Formula((f,), (sp.Rational(1, 2),)).code("numpy"), space)
    assert np.array_equal(space["f"](np.zeros(3), np.ones(3)), np.full(3, 0.5))
    assert "M_PI" not in Formula((f,), (lam * sp.pi,)).code("c")
    with pytest.raises(ProblemError, match="f has no C code"):
        Formula((f,), (sp.besselj(0, x),)).code("c")
    exec(Formula((f,), (sp.besselj(0, x) * lam,)).code("numpy"), space)
    assert space["f"](2.0, 0.0) == 2.0


def test_a_solution_that_is_not_finite_has_no_formula() -> None:
    problem = regression(x / (1 + y), SQUARE)
    formula = symbolic(problem, lambda p: np.full((len(p), 1), np.nan), 1e-8)
    assert (formula.expression, formula.reason) == (None, "the solution is not finite everywhere")


def test_the_time_is_heeded() -> None:
    exact = sp.tanh(x * y + sp.sin(z))
    problem = regression(exact, {x: (0.1, 1), y: (0.1, 1), z: (0.1, 1)})
    assert found(problem, exact, choice=None, seconds=0.0).seconds < 5.0
