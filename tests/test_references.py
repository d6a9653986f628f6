"""Grid references: rates of convergence, Newton's method, time, conditions of all kinds, and what they refuse."""

import importlib

import numpy as np
import pytest
import sympy as sp
from cases import NAMES, load

import kanpde as kp
from kanpde.errors import ProblemError
from kanpde.references import best_conventional, reference
from kanpde.references.axes import ChebyshevAxis, DifferenceAxis
from kanpde.references.grid import Grid
from kanpde.references.layout import layout
from kanpde.references.linear import LinearSolver, gmres
from kanpde.references.reference import Order
from kanpde.references.separable import separable_solver
from kanpde.references.system import grid_jet, linearise

x, y, z, t, k = sp.symbols("x y z t k", real=True)
square = kp.Box({x: (0, 1), y: (0, 1)})
evolution = kp.Box({x: (0, 1)}) * kp.Time(t, (0, 1))
u = sp.Function("u")(x, y)
w, v = sp.Function("u")(x, t), sp.Function("v")(x, t)
SMOOTH = sp.sin(2 * x + 1) * sp.exp(y)


def laplacian_of(f: sp.Expr) -> sp.Expr:
    return f.diff(x, 2) + f.diff(y, 2)


def fluxes(f: sp.Expr, unknown: sp.Expr = u) -> list[kp.Neumann]:
    """∂u/∂n on the four sides of the square."""
    sides = ((x, -1, square.lower(x)), (x, 1, square.upper(x)), (y, -1, square.lower(y)), (y, 1, square.upper(y)))
    return [kp.Neumann(unknown, sign * f.diff(c), on=side) for c, sign, side in sides]


def manufactured(equation: sp.Expr, conditions: list, domain: kp.Box = square, exact: sp.Expr = SMOOTH) -> kp.Problem:
    """L(u) = L(exact), for an expression L(u)."""
    unknown = next(iter(equation.atoms(sp.core.function.AppliedUndef)))
    return kp.Problem(domain, sp.Eq(equation, equation.subs(unknown, exact).doit()), conditions, exact={unknown: exact})


def rate(problem: kp.Problem, coarse: tuple[int, ...], fine: tuple[int, ...], order: Order) -> float:
    errors = [reference(problem, shape, order).relative_l2 for shape in (coarse, fine)]
    return float(np.log2(errors[0] / errors[1]))


@pytest.mark.parametrize("order", [2, 4, 6, 8])
@pytest.mark.parametrize("name", ["poisson_robin", "nonlinear_poisson", "coupled"])
def test_differences_converge_with_their_order(name: str, order: int) -> None:
    assert rate(load(name), (25, 25), (49, 49), order) > order - 0.5


@pytest.mark.parametrize("order", [2, 4, 6, 8])
def test_differences_of_a_beam_converge_with_their_order(order: int) -> None:
    shapes = ((21,), (41,)) if order == 8 else ((49,), (97,))
    assert rate(load("biharmonic_1d"), *shapes, order) > order - 0.6


@pytest.mark.parametrize("order", [2, 4, 6, 8])
@pytest.mark.parametrize("name", ["heat_1d", "wave_1d"])
def test_space_and_time_together_converge_with_the_order(name: str, order: int) -> None:
    assert rate(load(name), (25, 13), (49, 25), order) > order - 0.5


@pytest.mark.parametrize("order", [2, 4])
def test_steps_in_time_converge_faster_than_the_differences_in_space(order: int) -> None:
    exact = x * (1 - x) * sp.cos(3 * t)
    problem = manufactured(
        w.diff(t) - w.diff(x, 2), [kp.Dirichlet(w, 0), kp.Initial(w, exact.subs(t, 0))], evolution, exact
    )
    ends = [
        np.abs(reference(problem, (13, n), order).values[:, -1, 0] - np.cos(3) * _bubble(13)).max() for n in (9, 17)
    ]
    assert np.log2(ends[0] / ends[1]) > order + 0.6


def _bubble(n: int) -> np.ndarray:
    nodes = np.linspace(0, 1, n)
    return nodes * (1 - nodes)


@pytest.mark.parametrize("name", NAMES)
def test_collocation_solves_every_problem_to_rounding_and_knows_it(name: str) -> None:
    result = reference(load(name), order="chebyshev")
    assert result.relative_l2 < 1e-10
    assert result.relative_l2 / 3 < result.error_estimate < 1e-10


@pytest.mark.parametrize("order", [2, 4])
@pytest.mark.parametrize("name", [name for name in NAMES if name != "regression"])
def test_the_estimate_of_differences_is_close_to_the_error(name: str, order: int) -> None:
    problem = load(name)
    shape = (
        tuple(21 if c == problem.domain.time else 41 for c in problem.coordinates)
        if name != "poisson_3d"
        else (25,) * 3
    )
    result = reference(problem, shape, order)
    assert 0.5 < result.error_estimate / result.relative_l2 < 5.0


VARIABLE = ((1 + x * y) * u.diff(x)).diff(x) + sp.exp(x * y) * u.diff(y, 2) + u.diff(x, y) / 4 + u.diff(x) - u
KINDS = {
    "variable coefficients": (VARIABLE, [kp.Dirichlet(u, SMOOTH)]),
    "flux on all sides": (kp.laplacian(u) - u, fluxes(SMOOTH)),
    "flux and a pinned value": (
        kp.laplacian(u),
        [*fluxes(SMOOTH), kp.Dirichlet(u, SMOOTH.subs({x: 0.3, y: 0.4}), on=kp.Point({x: 0.3, y: 0.4}))],
    ),
    "a side of two parts": (
        kp.laplacian(u),
        [
            kp.Dirichlet(u, SMOOTH, on=square.lower(x) | square.upper(x) | square.upper(y)),
            kp.Dirichlet(u, SMOOTH, on=square.lower(y).where(x < 0.5)),
            kp.Neumann(u, -SMOOTH.diff(y), on=square.lower(y).where(x >= 0.5)),
        ],
    ),
    "an oblique derivative": (
        kp.laplacian(u),
        [
            kp.Dirichlet(u, SMOOTH, on=square.lower(x) | square.upper(x) | square.upper(y)),
            kp.Condition(sp.Eq(u.diff(y) + u.diff(x) / 2, SMOOTH.diff(y) + SMOOTH.diff(x) / 2), on=square.lower(y)),
        ],
    ),
    "advection": (
        u.diff(x) + (1 + x) * u.diff(y),
        [kp.Dirichlet(u, SMOOTH, on=square.lower(x) | square.lower(y))],
    ),
    "a clamped plate": (kp.laplacian(kp.laplacian(u)), [kp.Dirichlet(u, SMOOTH), *fluxes(SMOOTH)]),
}


@pytest.mark.filterwarnings("ignore::kanpde.errors.ProblemWarning")
@pytest.mark.parametrize("order", [2, 4, "chebyshev"])
@pytest.mark.parametrize("kind", KINDS)
def test_kinds_of_operators_and_conditions(kind: str, order: Order) -> None:
    problem = manufactured(*KINDS[kind])
    if order == "chebyshev":
        assert reference(problem, (18, 18), order).relative_l2 < 1e-10
    else:
        assert rate(problem, (17, 17), (33, 33), int(order)) > int(order) - 0.5


@pytest.mark.parametrize("order", [2, 4, 8, "chebyshev"])
def test_periodic_coordinates_wrap(order: Order) -> None:
    exact = sp.exp(sp.sin(2 * sp.pi * x)) * sp.sin(y + 1)
    conditions = [kp.Periodic(u, x), kp.Dirichlet(u, exact, on=square.lower(y) | square.upper(y))]
    problem = manufactured(kp.laplacian(u) - u, conditions, exact=exact)
    if order == "chebyshev":
        assert reference(problem, order=order).relative_l2 < 1e-11
    else:
        assert rate(problem, (32, 17), (64, 33), int(order)) > int(order) - 0.5


@pytest.mark.filterwarnings("ignore::kanpde.errors.ProblemWarning")
@pytest.mark.parametrize("order", [2, 4, "chebyshev"])
def test_initial_value_problems_on_a_spatial_axis(order: Order) -> None:
    line, q, p = kp.Box({x: (0, 2)}), sp.Function("q")(x), sp.Function("p")(x)
    start = line.lower(x)
    swing = kp.Problem(
        line, sp.Eq(q.diff(x, 2), -q), [kp.Dirichlet(q, 0, on=start), kp.Neumann(q, -1, on=start)], exact={q: sp.sin(x)}
    )
    pair = kp.Problem(
        line,
        [sp.Eq(q.diff(x), p), sp.Eq(p.diff(x), -q)],
        [kp.Dirichlet(q, 0, on=start), kp.Dirichlet(p, 1, on=start)],
        exact={q: sp.sin(x), p: sp.cos(x)},
    )
    for problem in (swing, pair):
        result = reference(problem, (41,), order)
        assert result.relative_l2 < {2: 1e-3, 4: 1e-5}.get(order, 1e-12)


TIME = {
    "reaction and diffusion": (
        [w.diff(t) - w.diff(x, 2) / 10 + w * v, v.diff(t) - v.diff(x, 2) / 20 - w**2],
        [kp.Dirichlet(w, sp.sin(x + t)), kp.Dirichlet(v, sp.cos(2 * x - t))],
    ),
    "a constraint": (
        [w.diff(t) - v.diff(x, 2) / 10, v.diff(x) - w.diff(x) + v - w],
        [kp.Dirichlet(w, sp.sin(x + t)), kp.Dirichlet(v, sp.cos(2 * x - t))],
    ),
    "a mixed derivative": ([w.diff(t) - w.diff(t, x, x) / 10 - w.diff(x, 2), v.diff(x, 2) + v], None),
}


@pytest.mark.filterwarnings("ignore::kanpde.errors.ProblemWarning")
@pytest.mark.parametrize("order", [2, "chebyshev"])
@pytest.mark.parametrize("kind", TIME)
def test_systems_in_time(kind: str, order: Order) -> None:
    exact = {w: sp.sin(x + t), v: sp.cos(2 * x - t)}
    left, conditions = TIME[kind]
    conditions = conditions or [kp.Dirichlet(f, e) for f, e in exact.items()]
    equations = [sp.Eq(e, e.subs(exact).doit()) for e in left]
    initial = [kp.Initial(w, exact[w].subs(t, 0)), kp.Initial(v, exact[v].subs(t, 0))]
    used = initial if kind.startswith("reaction") else initial[:1]
    if kind == "a constraint":
        conditions = [conditions[0], kp.Dirichlet(v, exact[v], on=kp.Box({x: (0, 1)}).lower(x))]
    problem = kp.Problem(evolution, equations, [*conditions, *used], exact=exact)
    assert reference(problem, (17, 9) if order == 2 else (14, 12), order).relative_l2 < (5e-3 if order == 2 else 1e-9)


def test_a_family_of_problems_is_solved_at_once() -> None:
    family = kp.Box({x: (0, 1)}) * kp.ParameterRange(k, (1, 4))
    f, exact = sp.Function("u")(x, k), sp.sin(k * x)
    problem = kp.Problem(
        family, sp.Eq(f.diff(x, 2) + k * f, exact.diff(x, 2) + k * exact), kp.Dirichlet(f, exact), exact={f: exact}
    )
    assert reference(problem, order="chebyshev").relative_l2 < 1e-11
    assert rate(problem, (17, 17), (33, 33), 4) > 3.5


def test_two_and_three_space_dimensions_with_time_and_without() -> None:
    f, exact = sp.Function("u")(x, y, t), sp.exp(-t) * sp.sin(sp.pi * x) * sp.sin(2 * y) + x * y * t
    equation = sp.Eq(f.diff(t) - kp.laplacian(f), exact.diff(t) - laplacian_of(exact))
    problem = kp.Problem(
        square * kp.Time(t, (0, 1)),
        equation,
        [kp.Dirichlet(f, exact), kp.Initial(f, exact.subs(t, 0))],
        exact={f: exact},
    )
    assert rate(problem, (13, 13, 9), (25, 25, 17), 4) > 3.2
    assert reference(problem, (16, 16, 14), "chebyshev").relative_l2 < 1e-8
    g, exact = sp.Function("u")(x, y, z), sp.exp(x + y) * sp.sin(z)
    left = ((1 + x * y) * g.diff(x)).diff(x) + g.diff(y, 2) + sp.exp(x * z) * g.diff(z, 2)
    cube = kp.Box({x: (0, 1), y: (0, 1), z: (0, 1)})
    problem = kp.Problem(cube, sp.Eq(left, left.subs(g, exact).doit()), kp.Dirichlet(g, exact), exact={g: exact})
    assert rate(problem, (9, 9, 9), (17, 17, 17), 4) > 3.3
    assert reference(problem, (12, 12, 12), "chebyshev").relative_l2 < 1e-9


# ---- slow twins


def systems() -> dict[str, object]:
    q = sp.Function("q")(x, y)
    robin = kp.Problem(square, sp.Eq(kp.laplacian(u) - u, 1), [kp.Robin(u, 2, 1, 0)])
    grids = {
        "chebyshev": Grid((ChebyshevAxis(0, 1, 9), ChebyshevAxis(0, 1, 10))),
        "differences": Grid((DifferenceAxis(np.linspace(0, 1, 12), 4), DifferenceAxis(np.linspace(0, 1, 13), 2))),
    }
    problems = {
        "dirichlet": kp.Problem(square, sp.Eq(kp.laplacian(u) + x * u, 1), kp.Dirichlet(u, 0)),
        "robin": robin,
        "variable": manufactured(*KINDS["variable coefficients"]),
        "coupled": kp.Problem(
            square,
            [sp.Eq(kp.laplacian(u) - 2 * q, 1), sp.Eq(kp.laplacian(q) + u.diff(x), x)],
            [kp.Dirichlet(u, y), kp.Dirichlet(q, 0)],
        ),
    }
    return {f"{p}, {g}": (problems[p], grids[g]) for p in problems for g in grids}


@pytest.mark.parametrize("name", systems())
def test_applying_the_system_is_multiplying_with_its_matrix(name: str) -> None:
    rows = layout(*systems()[name])
    system = linearise(rows, grid_jet(rows, np.zeros(rows.size)))
    vector = np.random.default_rng(0).standard_normal(rows.size)
    np.testing.assert_allclose(system.apply(vector), system.matrix() @ vector, atol=1e-8)


@pytest.mark.parametrize("name", [name for name in systems() if not name.startswith(("variable", "coupled"))])
def test_fast_diagonalisation_is_the_dense_solution(name: str) -> None:
    rows = layout(*systems()[name])
    system = linearise(rows, grid_jet(rows, np.zeros(rows.size)))
    rhs = np.random.default_rng(0).standard_normal(rows.size)
    solver = separable_solver(system, 0)
    assert solver is not None
    dense = np.linalg.solve(system.matrix().toarray(), rhs)
    fast = solver.solve(rhs)
    inner = np.ones(rows.grid.shape, dtype=bool)
    # Corners where two Robin sides meet are averaged in the rows, and left to the iteration here.
    inner[np.ix_([0, -1], [0, -1])] = name.startswith("dirichlet")
    np.testing.assert_allclose(fast[inner.ravel()], dense[inner.ravel()], atol=1e-8 * np.abs(dense).max())


@pytest.mark.parametrize("name", systems())
def test_the_iteration_ends_at_the_dense_solution(name: str) -> None:
    rows = layout(*systems()[name])
    system = linearise(rows, grid_jet(rows, np.zeros(rows.size)))
    rhs = -system.residual
    iterated = LinearSolver(system)._iterate(rhs)
    dense = np.linalg.solve(system.matrix().toarray(), rhs)
    np.testing.assert_allclose(iterated, dense, atol=1e-7 * np.abs(dense).max())


def test_gmres_gives_up_in_words_of_none() -> None:
    matrix = np.roll(np.eye(20), 1, axis=0)
    rhs = np.eye(20)[0]
    assert gmres(lambda b: matrix @ b, rhs, 10, 1e-8) is None
    np.testing.assert_allclose(matrix @ gmres(lambda b: matrix @ b, rhs, 20, 1e-8), rhs, atol=1e-8)
    assert not gmres(lambda b: matrix @ b, 0 * rhs, 5, 1e-8).any()


# ---- what a reference is


def test_a_reference_is_callable_between_its_nodes_and_says_how_it_was_made() -> None:
    problem = load("coupled")
    result = reference(problem, (33, 33), 4)
    points = np.random.default_rng(0).uniform(-1, 1, (100, 2))
    assert result(points).shape == (100, 2)
    np.testing.assert_allclose(result(points), problem.exact_values(points), atol=1e-4)
    assert result.unknowns == ("u", "v")
    assert result.coordinates == ("x", "y")
    assert result.signature == problem.signature
    assert result.spacing == (0.0625, 0.0625)
    assert result.seconds > 0
    assert "numpy" in result.provenance
    slope = result.derivative((1, 0), 1)(points)[:, 0]
    np.testing.assert_allclose(slope, (np.exp(points[:, 0]) * np.sin(np.pi * points[:, 1])), atol=1e-2)


def test_the_error_is_taken_between_the_nodes() -> None:
    # Exact at its nodes, the reference of u = f still has the error of its interpolant.
    assert 1e-7 < reference(load("regression"), (65, 65), 2).relative_l2 < 1e-3


def test_a_problem_without_exact_solution_has_an_estimate_only() -> None:
    result = reference(kp.Problem(square, sp.Eq(kp.laplacian(u), 1), kp.Dirichlet(u, 0)), (17, 17))
    assert result.relative_l2 is None
    assert 1e-4 < result.error_estimate < 1e-1


def test_the_default_refines_time_until_space_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    grids = importlib.import_module("kanpde.references.reference")
    monkeypatch.setattr(grids, "DEFAULT_NODES_IN_TIME", {1: 41})
    monkeypatch.setattr(grids, "DEFAULT_INSTANTS", {1: 9})
    result = reference(load("wave_1d"), order=4)
    assert result.grid.shape[0] == 41
    assert result.grid.shape[1] > 9
    assert result.relative_l2 < reference(load("wave_1d"), (41, 9), 4).relative_l2 / 5


@pytest.mark.parametrize("target", [1e-3, 1e-9])
def test_the_best_conventional_solver_reaches_its_target(target: float) -> None:
    assert best_conventional(load("poisson"), target).relative_l2 <= target


def test_the_best_conventional_solver_falls_back_to_the_most_accurate() -> None:
    kink = kp.Box({x: (-1, 1)})
    f = sp.Function("u")(x)
    problem = kp.Problem(kink, sp.Eq(f, sp.Abs(x - sp.Rational(1, 7))), (), exact={f: sp.Abs(x - sp.Rational(1, 7))})
    assert 0 < best_conventional(problem, 1e-9).relative_l2 < 1e-2


# ---- what a reference refuses


def refuse(match: str, problem: kp.Problem, shape: tuple[int, ...] | None = None, order: Order = 2) -> None:
    with pytest.raises(ProblemError, match=match):
        reference(problem, shape, order)


def test_bad_shapes_and_orders_are_refused_with_the_cure() -> None:
    problem = load("poisson")
    refuse("take one of 2, 4, 6, 8, 'chebyshev'", problem, order=3)
    refuse("one a coordinate", problem, (33,))
    refuse("at least 12 nodes", problem, (11, 33), 8)


def test_newton_says_when_it_finds_no_solution() -> None:
    f = sp.Function("u")(x)
    bratu = kp.Problem(kp.Box({x: (0, 1)}), sp.Eq(f.diff(x, 2) + 20 * sp.exp(f), 0), kp.Dirichlet(f, 0))
    refuse("Newton's method on the grid", bratu, (41,))


def test_a_first_guess_out_of_range_is_named_with_its_place() -> None:
    f = sp.Function("u")(x)
    line = kp.Box({x: (0, 2)})
    problem = kp.Problem(line, sp.Eq(f.diff(x), sp.log(f - 1)), kp.Dirichlet(f, 2, on=line.lower(x)))
    refuse("not finite at x = 0", problem, (41,))


@pytest.mark.filterwarnings("ignore::kanpde.errors.ProblemWarning")
def test_more_equations_than_unknowns_are_refused() -> None:
    f, line = sp.Function("f")(x), kp.Box({x: (0, 1)})
    problem = kp.Problem(line, [sp.Eq(f.diff(x), 1), sp.Eq(f.diff(x, 2), 0)], kp.Dirichlet(f, x))
    refuse("2 equations for 1 unknowns", problem, (21,))


@pytest.mark.filterwarnings("ignore::kanpde.errors.ProblemWarning")
@pytest.mark.parametrize("order", [2, "chebyshev"])
def test_a_singular_problem_is_refused(order: Order) -> None:
    # 1 + x satisfies these conditions, so it can be added to any solution.
    f = sp.Function("u")(x)
    line = kp.Box({x: (0, 1)})
    conditions = [kp.Robin(f, 1, 1, 0, on=line.lower(x)), kp.Robin(f, 1, -2, 0, on=line.upper(x))]
    refuse("no unique solution", kp.Problem(line, sp.Eq(f.diff(x, 2), 1), conditions), (21,), order)
