"""Problems: every problem file against its exact solution, signatures, and what is refused at the door."""

import json
import pickle
import subprocess
import sys
import warnings

import cases
import numpy as np
import pytest
import sympy as sp

import kanpde as kp
from kanpde.domain import Region, halton
from kanpde.errors import ProblemError, ProblemWarning
from kanpde.expression import Parameter
from kanpde.operator import DifferentialOperator, JetVariable
from kanpde.problem import CompiledCondition

x, y, t, k = sp.symbols("x y t k", real=True)
u, v, p = (sp.Function(name)(x, y) for name in "uvp")
w = sp.Function("w")(x, t)
s, q = sp.Function("s")(x), sp.Function("q")(x)
SQUARE = kp.Box({x: (-1, 1), y: (-1, 1)})
LINE = kp.Box({x: (-1, 1)})
MOVING = LINE * kp.Time(t, (0, 1))


def poisson(**changes: object) -> kp.Problem:
    """A membrane, with changes."""
    given: dict[str, object] = {
        "domain": SQUARE,
        "equations": sp.Eq(kp.laplacian(u), 1),
        "conditions": kp.Dirichlet(u, 0),
    }
    return kp.Problem(**(given | changes))


def operators_with_regions(problem: kp.Problem) -> list[tuple[DifferentialOperator, kp.domain.Region]]:
    """All normal forms, with the regions where they hold."""
    inside = [(operator, problem.domain.interior) for operator in problem.operators]
    return inside + [(c.operator, c.region) for c in problem.conditions if c.operator is not None]


def residual(problem: kp.Problem, operator: DifferentialOperator, region: kp.domain.Region) -> float:
    """The largest |F| on the exact jet."""
    sizes = []
    for piece in region.pieces():
        points = piece.points(halton(100, piece.dimension))
        values = operator.evaluate(points, problem.exact_jet(points, operator.jet), np, piece.normals(points))
        assert values.shape == (100,)
        sizes.append(np.abs(values).max())
    return max(sizes)


@pytest.mark.parametrize("name", cases.NAMES)
def test_problem_files_vanish_on_their_exact_jets(name: str) -> None:
    problem = cases.load(name)
    assert problem.name == name
    assert problem.exact is not None
    for operator, region in operators_with_regions(problem):
        assert residual(problem, operator, region) <= 1e-12


@pytest.mark.parametrize("name", cases.NAMES)
def test_problem_files_are_short(name: str) -> None:
    lines = cases.FILES[name].read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 42
    assert lines[-1] == "    print(kp.solve(problem, rtol=1e-6))"


def test_the_problems_of_the_issue_are_there() -> None:
    expected = {
        "poisson",
        "poisson_paper",
        "helmholtz",
        "poisson_1d",
        "poisson_3d",
        "poisson_robin",
        "heat_1d",
        "wave_1d",
    }
    expected |= {"nonlinear_poisson", "biharmonic_1d", "coupled", "regression", "rational", "rational_helmholtz"}
    assert expected <= set(cases.NAMES)


def test_groups_of_cases() -> None:
    problems = {name: cases.load(name) for name in cases.NAMES}
    assert {n for n, q in problems.items() if q.domain.time is not None} == set(cases.TIME_DEPENDENT)
    assert {n for n, q in problems.items() if len(q.unknowns) > 1} == set(cases.SYSTEMS)
    assert {n for n, q in problems.items() if not q.is_linear} == set(cases.NONLINEAR)
    assert set(cases.CHEAP) <= set(cases.STEADY) <= set(cases.NAMES)


def test_a_wrong_factor_is_noticed_by_the_compile_test() -> None:
    with pytest.warns(ProblemWarning, match=r"does not satisfy equation 1: its residual is -?1 at x ="):
        problem = poisson(conditions=kp.Dirichlet(u, x * y), exact={u: x * y})
    assert residual(problem, problem.operators[0], SQUARE.interior) == 1.0


def test_exact_jets_against_differences() -> None:
    problem = cases.load("coupled")
    points = problem.domain.interior.pieces()[0].points(halton(30, 2))
    step = 1e-4
    shift = step * np.eye(2)
    variables = [JetVariable(1, (0, 0)), JetVariable(1, (1, 0)), JetVariable(1, (0, 2))]
    value, dx, dyy = problem.exact_jet(points, variables)
    at = lambda q: problem.exact_values(q)[:, 1]  # noqa: E731
    np.testing.assert_array_equal(value, at(points))
    np.testing.assert_allclose(dx, (at(points + shift[0]) - at(points - shift[0])) / (2 * step), atol=1e-6)
    second = (at(points + shift[1]) - 2 * at(points) + at(points - shift[1])) / step**2
    np.testing.assert_allclose(dyy, second, atol=1e-5)


def test_exact_values_are_ordered_by_name() -> None:
    problem = kp.Problem(
        SQUARE,
        [sp.Eq(v, x), sp.Eq(u, y)],
        exact={v: x, u: y},
    )
    assert problem.unknowns == (u, v)
    np.testing.assert_array_equal(problem.exact_values(np.array([[1.0, 2.0]])), [[2.0, 1.0]])


def test_exact_derivatives_take_coordinates_as_real() -> None:
    a = sp.Symbol("x")
    f = sp.Function("u")(a)
    problem = kp.Problem(kp.Box({a: (-1, 1)}), sp.Eq(f, sp.Abs(a) * a), exact={f: sp.Abs(a) * a})
    jet = problem.exact_jet(np.array([[-0.5], [0.5]]), [JetVariable(0, (1,))])
    np.testing.assert_array_equal(jet, [[1.0, 1.0]])


def test_no_exact_solution_no_exact_jet() -> None:
    with pytest.raises(ProblemError, match="has no exact solution"):
        poisson().exact_jet(np.zeros((1, 2)), [JetVariable(0, (0, 0))])


# --- conditions -------------------------------------------------------------------------------------------------------


def condition_of(condition: object, **changes: object) -> CompiledCondition:
    """The first condition of a membrane, compiled; the membrane is held where it says nothing."""
    own = getattr(condition, "on", None)
    on_sides = isinstance(own, Region) and own.domain == SQUARE and bool((SQUARE.boundary - own).pieces())
    rest = [kp.Dirichlet(u, 0, on=SQUARE.boundary - own if on_sides else None)]
    return poisson(conditions=[condition, *rest], **changes).conditions[0]


@pytest.mark.filterwarnings("ignore:.*where the two meet")
def test_dirichlet() -> None:
    condition = condition_of(kp.Dirichlet(u, x * y, on=SQUARE.lower(x)))
    assert (condition.kind, condition.target, condition.value) == ("dirichlet", JetVariable(0, (0, 0)), x * y)
    assert condition.region.name == "x = -1"
    assert str(condition) == "u - x*y = 0 on x = -1"


def test_the_default_region_is_the_boundary() -> None:
    assert poisson().conditions[0].region == SQUARE.boundary


@pytest.mark.filterwarnings("ignore:.*where the two meet")
def test_a_general_condition_on_the_value_is_a_dirichlet_condition() -> None:
    condition = condition_of(kp.Condition(sp.Eq(2 * u, x), on=SQUARE.upper(y)))
    assert (condition.kind, condition.target, condition.value) == ("dirichlet", JetVariable(0, (0, 0)), x / 2)
    assert condition_of(kp.Condition(sp.Eq(u.diff(x) + u, x), on=SQUARE.upper(y))).kind == "condition"
    assert condition_of(kp.Condition(u**2 - 1, on=SQUARE.upper(y))).kind == "condition"
    assert condition_of(kp.Condition(u - 1, on=SQUARE.interior.where(x < 0))).kind == "condition"


def test_neumann_and_robin() -> None:
    neumann = condition_of(kp.Neumann(u, x, on=SQUARE.upper(y)))
    robin = condition_of(kp.Robin(u, 2, x + 3, y, on=SQUARE.upper(y)))
    assert (neumann.kind, robin.kind) == ("neumann", "robin")
    points, normals = np.array([[0.5, 1.0]]), np.array([[0.0, 1.0]])
    values = {"u": 7.0, "u_x": 11.0, "u_y": 13.0}
    for condition, expected in ((neumann, 13.0 - 0.5), (robin, 2 * 7.0 + 3.5 * 13.0 - 1.0)):
        assert condition.operator is not None
        jet = np.array([[values[symbol.name]] for symbol in condition.operator.symbols])
        assert condition.operator.evaluate(points, jet, np, normals)[0] == pytest.approx(expected)
        assert condition.target is None


def test_initial_values_and_velocities() -> None:
    problem = cases.load("wave_1d")
    value, velocity = problem.conditions[1:]
    assert (value.kind, value.target) == ("initial", JetVariable(0, (0, 0)))
    assert (velocity.kind, velocity.target) == ("initial", JetVariable(0, (0, 1)))
    assert velocity.region == problem.domain.initial
    assert sp.simplify(velocity.value - sp.pi * sp.sin(2 * sp.pi * problem.coordinates[0])) == 0


def test_periodic() -> None:
    problem = kp.Problem(
        SQUARE,
        sp.Eq(kp.laplacian(u) - u, sp.sin(sp.pi * x)),
        [kp.Periodic(u, x), kp.Dirichlet(u, 0, on=SQUARE.lower(y) | SQUARE.upper(y))],
    )
    condition = problem.conditions[0]
    assert (condition.kind, condition.target, condition.axis) == ("periodic", JetVariable(0, (0, 0)), 0)
    assert condition.operator is None
    assert condition.region.text == (SQUARE.lower(x) | SQUARE.upper(x)).text
    assert "Periodic(u(x, y), x)" in problem.text


def test_regions_of_a_factor_and_points() -> None:
    problem = kp.Problem(
        MOVING,
        sp.Eq(w.diff(t), kp.laplacian(w)),
        [kp.Dirichlet(w, 0, on=LINE.boundary), kp.Initial(w, 0), kp.Dirichlet(w, 0, on=kp.Point({x: 0}))],
    )
    assert problem.conditions[0].region.text == MOVING.boundary.text
    (piece,) = problem.conditions[2].region.pieces()
    assert (piece.dimension, piece.normal) == (1, None)


def test_a_pinned_neumann_problem_is_accepted() -> None:
    poisson(conditions=[kp.Neumann(u, 0.5), kp.Dirichlet(u, 0, on=kp.Point({x: 0, y: 0}))])


def test_unknown_scalars_are_collected() -> None:
    nu, b = Parameter("nu", 0.1), Parameter("b")
    data = kp.Observations(u, [[0.0, 0.0], [0.5, 0.5]], [1.0, 2.0], sigma=0.1)
    problem = poisson(equations=sp.Eq(nu * kp.laplacian(u), 1), conditions=[kp.Dirichlet(u, b * x), data])
    assert problem.parameters == (b, nu)


def test_what_is_sought_needs_data() -> None:
    with pytest.raises(ProblemError, match="nu cannot be identified without data; add Observations"):
        poisson(equations=sp.Eq(Parameter("nu", 0.1) * kp.laplacian(u), 1))


# --- signature and text -----------------------------------------------------------------------------------------------


def test_signature_sees_the_mathematics() -> None:
    changed = [
        poisson(equations=sp.Eq(kp.laplacian(u), 2)),
        poisson(equations=sp.Eq(kp.laplacian(u) + u, 1)),
        poisson(conditions=kp.Dirichlet(u, 1)),
        poisson(
            conditions=[kp.Dirichlet(u, 0, on=SQUARE.boundary - SQUARE.lower(x)), kp.Neumann(u, 0, on=SQUARE.lower(x))]
        ),
        poisson(domain=kp.Box({x: (-1, 1), y: (-1, 2)})),
        poisson(conditions=[kp.Dirichlet(u, 0), kp.Periodic(u, x)]),
    ]
    assert len({problem.signature for problem in (poisson(), *changed)}) == len(changed) + 1


def test_signature_ignores_how_it_is_written() -> None:
    sides = [SQUARE.lower(x), SQUARE.upper(x), SQUARE.boundary - SQUARE.lower(x) - SQUARE.upper(x)]
    first = [kp.Dirichlet(u, 0, on=side) for side in sides]
    same = [
        poisson(name="other"),
        poisson(equations=[u.diff(x, 2) + u.diff(y, 2) - 1]),
        poisson(equations=sp.Eq(kp.divergence(kp.gradient(u)), 1)),
        poisson(conditions=kp.Condition(sp.Eq(u, 0))),
        poisson(conditions=[kp.Dirichlet(u, 0, on=sides[0] | sides[2] | sides[1])]),
    ]
    assert {problem.signature for problem in same} == {poisson().signature}
    assert poisson(conditions=first).signature == poisson(conditions=first[::-1]).signature


def test_signature_ignores_the_order_of_equations() -> None:
    equations = [sp.Eq(kp.laplacian(u), v), sp.Eq(kp.laplacian(v), u)]
    conditions = [kp.Dirichlet(u, 0), kp.Dirichlet(v, 1)]
    signatures = {kp.Problem(SQUARE, e, conditions).signature for e in (equations, equations[::-1])}
    assert len(signatures) == 1


def test_signature_is_the_same_in_every_process() -> None:
    script = "import cases, json; print(json.dumps([cases.load(n).signature for n in ('poisson_robin', 'coupled')]))"
    environment = {"PYTHONPATH": f"{cases.FILES['poisson'].parents[1]}:{cases.__file__.rsplit('/', 1)[0]}"}
    runs = {
        subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            check=True,
            env=environment | {"PYTHONHASHSEED": seed, "OMP_NUM_THREADS": "1"},
        ).stdout
        for seed in ("1", "2")
    }
    assert [json.loads(run) for run in runs] == [[cases.load(n).signature for n in ("poisson_robin", "coupled")]]


def test_text_and_representation() -> None:
    problem = poisson(name="membrane", exact=None)
    assert repr(problem) == "Problem('membrane': u(x, y); 1 equation, 1 condition)"
    assert problem.text == (
        "membrane\n"
        "  domain     x in [-1.0, 1.0], y in [-1.0, 1.0]\n"
        "  unknowns   u(x, y)\n"
        "  equation   u_xx + u_yy - 1 = 0\n"
        "  condition  u = 0 on boundary"
    )
    assert "exact      u(x, y) = sin(pi*x)*sin(pi*y)" in cases.load("poisson").text


def test_problems_are_frozen_and_can_be_sent_to_other_processes() -> None:
    problem = cases.load("poisson_robin")
    with pytest.raises(AttributeError):
        problem.name = "other"
    again = pickle.loads(pickle.dumps(problem))
    assert again.signature == problem.signature
    assert again.text == problem.text


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: poisson(equations=[kp.laplacian(u) - 1, kp.laplacian(v) - u]),
            r"v\(x, y\) is never constrained.*for v",
        ),
        (lambda: poisson(conditions=()), r"u\(x, y\) is never constrained"),
        (lambda: poisson(conditions=kp.Neumann(u, 0)), r"any constant can be added.*Dirichlet\(u, 0, on=Point"),
        (lambda: poisson(conditions=[kp.Periodic(u, x), kp.Periodic(u, y)]), "any constant can be added"),
        (
            lambda: poisson(conditions=kp.Dirichlet(u, 0, on=SQUARE.boundary - SQUARE.upper(x))),
            "no condition on x = 1;",
        ),
        (lambda: poisson(conditions=kp.Dirichlet(u, 0, on=SQUARE.boundary.where(x < 0))), "no condition on x = 1;"),
        (lambda: kp.Problem(LINE, s.diff(x, 4) - 1, kp.Dirichlet(s, 0)), "2 condition.*order 4 along x need 4"),
        (
            lambda: kp.Problem(MOVING, w.diff(t) - w.diff(x, 2), kp.Dirichlet(w, 0)),
            r"no initial value of order 0 in time; add Initial\(w, value\)",
        ),
        (
            lambda: kp.Problem(MOVING, w.diff(t, 2) - w.diff(x, 2), [kp.Dirichlet(w, 0), kp.Initial(w, 0)]),
            r"add Initial\(w.diff\(t\), value\)",
        ),
        (
            lambda: kp.Problem(
                SQUARE,
                [kp.laplacian(u) - p.diff(x), kp.laplacian(v) - p.diff(y), kp.divergence([u, v])],
                [kp.Dirichlet(u, 0), kp.Dirichlet(v, 0)],
            ),
            r"p\(x, y\) enters only through its derivatives",
        ),
        (lambda: poisson(conditions=[kp.Dirichlet(u, 0), kp.Initial(u, 0)]), "needs a domain with time"),
        (
            lambda: kp.Problem(MOVING, w.diff(t), [kp.Initial(w.diff(x), 0)]),
            r"must prescribe an unknown or its time derivative",
        ),
        (lambda: kp.Problem(MOVING, w.diff(t), [kp.Initial(w**2, 0)]), "must prescribe an unknown"),
        (lambda: poisson(equations=sp.Eq(kp.laplacian(u), kp.laplacian(v))), "1 equation.* for 2 unknowns"),
        (lambda: poisson(equations=[]), "no equation"),
        (lambda: poisson(equations=sp.Eq(x, y)), "equation 1 contains no unknown"),
        (lambda: poisson(equations=(u + 1) ** 2 - u**2 - 2 * u - x), "contains no unknown: it cancels out"),
        (lambda: poisson(equations=sp.Eq(kp.laplacian(u), kp.laplacian(u))), "equation 1 collapsed to True"),
        (lambda: poisson(equations=[sp.Eq(kp.laplacian(u), 1), u.diff(x) == 0]), "equation 2 collapsed to False"),
        (lambda: poisson(equations=sp.Eq(kp.laplacian(u), sp.zeta(x + 3))), "equation 1: the function zeta"),
        (lambda: poisson(equations=sp.Eq(kp.laplacian(u), k)), "contains k, which is no coordinate"),
        (lambda: poisson(equations=sp.Eq(kp.laplacian(u), sp.Symbol("x"))), "namesake of a coordinate"),
        (lambda: poisson(equations=sp.Eq(s.diff(x) + u.diff(x), 0)), r"s\(x\) must depend on all coordinates"),
        (lambda: poisson(domain=MOVING), r"u\(x, y\) must depend on all coordinates"),
        (lambda: poisson(domain={x: (0, 1)}), "the domain is .*; use a domain"),
        (lambda: poisson(conditions=0), "0 is not a condition"),
        (lambda: poisson(conditions=kp.Dirichlet(v, 0)), r"names v\(x, y\), but the unknowns .* are u\(x, y\)"),
        (lambda: poisson(conditions=kp.Condition(sp.Eq(v, 0))), r"contains v\(x, y\), which no equation determines"),
        (lambda: poisson(conditions=kp.Condition(sp.Eq(x, y))), "contains no unknown; it constrains nothing"),
        (lambda: poisson(conditions=kp.Dirichlet(u, u)), "the value u.* contains an unknown"),
        (lambda: poisson(conditions=kp.Dirichlet(u.diff(x), 0)), "names Derivative"),
        (lambda: poisson(conditions=kp.Dirichlet(u, 0, on="left")), "is not a region"),
        (lambda: poisson(conditions=kp.Dirichlet(u, 0, on=LINE.boundary)), "belongs to another domain"),
        (lambda: poisson(conditions=kp.Dirichlet(u, 0, on=SQUARE.boundary.where(x > 2))), "region .* is empty"),
        (lambda: poisson(conditions=kp.Dirichlet(u, 0, on=SQUARE.lower(x) & SQUARE.upper(x))), "region .* is empty"),
        (lambda: poisson(conditions=kp.Neumann(u, 0, on=kp.Point({x: 0, y: 0}))), "needs the normal of a boundary"),
        (lambda: poisson(conditions=[kp.Dirichlet(u, 0), kp.Periodic(u, t)]), "t is not a spatial coordinate"),
        (lambda: poisson(equations=sp.Eq(kp.laplacian(u), 1 / (x - sp.Rational(3, 10)))), r"not finite at x = 0.3,"),
        (lambda: poisson(equations=kp.laplacian(u) + u / (x**2 + y**2)), "not finite at x = 0, y = 0"),
        (lambda: poisson(equations=kp.laplacian(u) + sp.sqrt(x) * u), r"sqrt\(x\) is not finite at x = -"),
        (lambda: poisson(equations=kp.laplacian(u) + sp.tan(3 * x) * u), r"tan\(3\*x\) is not finite at x = -?0.5236"),
        (lambda: poisson(conditions=kp.Dirichlet(u, sp.log(x))), r"log\(x\) is not finite at x = -"),
        (
            lambda: poisson(
                conditions=[kp.Dirichlet(u, 0), kp.Condition(u - 1 / x, on=SQUARE.interior.where(x**2 + y**2 < 1e-3))]
            ),
            "not finite at x = 0",
        ),
        (lambda: poisson(exact={v: x}), r"exact names v\(x, y\)"),
        (lambda: poisson(exact={}), r"exact lacks u\(x, y\)"),
        (lambda: poisson(exact={u: k * x}), r"exact\[u\(x, y\)\] contains k"),
        (lambda: poisson(exact={u: u + 1}), r"exact\[u\(x, y\)\] contains u"),
    ],
)
def test_mistakes_are_named_in_one_line(make, message: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ProblemWarning)
        with pytest.raises(ProblemError, match=message) as caught:
            make()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: poisson(exact={u: x * y}, conditions=kp.Dirichlet(u, x * y)), "does not satisfy equation 1"),
        (
            lambda: poisson(equations=sp.Eq(kp.laplacian(u), 2), exact={u: x**2}),
            r"does not satisfy Dirichlet\(u\(x, y\), 0\): its residual is 1 at x = ",
        ),
        (
            lambda: kp.Problem(
                SQUARE, kp.laplacian(u) + u - x - 2, [kp.Periodic(u, x), kp.Periodic(u, y)], exact={u: x + 2}
            ),
            r"does not satisfy Periodic\(u\(x, y\), x\): its residual is 2",
        ),
        (
            lambda: kp.Problem(LINE, s.diff(x, 2) + s, [f(s, 1, on=LINE.lower(x)) for f in (kp.Dirichlet, kp.Neumann)]),
            r"s\(x\) has no condition on x = 1; that may be meant",
        ),
        (
            lambda: kp.Problem(
                kp.Box({x: (0, 1)}), x * s.diff(x, 2) + s.diff(x) - x, kp.Dirichlet(s, 0, on=kp.Point({x: 1}))
            ),
            r"s\(x\) has no condition on x = 0; that may be meant",
        ),
        (lambda: kp.Problem(MOVING, w.diff(t) + w.diff(x), kp.Initial(w, 0)), "is there no inflow"),
        (
            lambda: kp.Problem(SQUARE, [u.diff(x) - 1, u.diff(y) - 1], kp.Dirichlet(u, 0, on=kp.Point({x: 0, y: 0}))),
            "2 equations for 1 unknown",
        ),
        (lambda: kp.Problem(LINE, [s.diff(x) - q, q.diff(x) - 1], kp.Dirichlet(s, 0)), r"no condition mentions q\(x\)"),
    ],
)
def test_what_is_unusual_is_a_warning(make, message: str) -> None:
    with pytest.warns(ProblemWarning, match=message) as caught:
        make()
    assert all(warning.filename == __file__ for warning in caught)


@pytest.mark.parametrize(
    "make",
    [
        lambda: kp.Problem(MOVING, w.diff(t) + w.diff(x), [kp.Initial(w, 0), kp.Dirichlet(w, 0, on=LINE.lower(x))]),
        lambda: kp.Problem(MOVING, w.diff(t) + w.diff(x), [kp.Initial(w, 0), kp.Periodic(w, x)]),
        lambda: kp.Problem(LINE, s.diff(x) + s, kp.Dirichlet(s, 1, on=LINE.lower(x))),
        lambda: poisson(equations=kp.laplacian(u) + u * sp.sin(x - 0.3) / (x - 0.3)),
        lambda: poisson(equations=kp.laplacian(u) - sp.Piecewise((1 / x, x > sp.Rational(1, 10)), (0, True))),
        lambda: poisson(equations=kp.laplacian(u) - u * sp.Piecewise((1 / x, x > sp.Rational(1, 10)), (u, True))),
        lambda: poisson(equations=kp.laplacian(u) - sp.log(u + 2) / (3 + u)),
        lambda: poisson(domain=SQUARE, equations=kp.laplacian(u) - u / (1 - x**2)),
        lambda: kp.Problem(SQUARE, [u - x, v + u - y]),
        lambda: poisson(
            equations=sp.Eq(1e8 * kp.laplacian(u), 0), conditions=kp.Dirichlet(u, 1e-9 * x), exact={u: 1e-9 * x}
        ),
    ],
)
def test_legitimate_problems_pass_in_silence(make) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make()


def test_dimensions_and_orders_are_open() -> None:
    """Five dimensions, and mixed derivatives of order six, compile and vanish on an exact solution."""
    coordinates = sp.symbols("a:5", real=True)
    f = sp.Function("f")(*coordinates)
    exact = sp.exp(sum(coordinates) / 5)
    box = kp.Box({c: (0, 1) for c in coordinates})
    problem = kp.Problem(box, sp.Eq(kp.laplacian(f), exact / 5), kp.Dirichlet(f, exact), exact={f: exact})
    assert residual(problem, problem.operators[0], box.interior) < 1e-14
    mixed = u.diff(x, 4, y, 2)
    high = kp.Problem(SQUARE, sp.Eq(mixed + u, 2 * sp.exp(x + y)), [kp.Periodic(u, x), kp.Periodic(u, y)])
    assert high.order == 6


def test_a_jump_before_the_divergence_is_warned_about() -> None:
    """Inside the divergence it makes materials; outside the flux is not known."""
    jump = sp.Piecewise((1, x < 0), (4, True))
    with pytest.warns(ProblemWarning, match="flux condition at the jump is not seen"):
        kp.Problem(kp.Box({x: (-1, 1), y: (-1, 1)}), sp.Eq(jump * kp.laplacian(u), 1), kp.Dirichlet(u, 0))
