"""Materials: what splits a domain, the fields on its parts, and what holds where they meet."""

import warnings
from collections.abc import Callable

import cases
import numpy as np
import pytest
import sympy as sp

import kanpde as kp
from kanpde.domain import halton
from kanpde.errors import ProblemError, ProblemWarning
from kanpde.lifting import impose
from kanpde.plan import blocks, integral_rows
from kanpde.problem import CompiledCondition
from kanpde.problem.compiling import compile_condition

x, y, t = sp.symbols("x y t", real=True)
u, v = (sp.Function(name)(x, y) for name in "uv")
s, w = sp.Function("s")(x), sp.Function("w")(x, t)
SQUARE = kp.Box({x: (-1, 1), y: (-1, 1)})
HALVES = sp.Piecewise((400, x < 0), (1.38, True))


def halves(**changes: object) -> kp.Problem:
    """Two conducting halves of a square, with changes."""
    given: dict[str, object] = {
        "domain": SQUARE,
        "equations": sp.Eq(kp.divergence(HALVES * kp.gradient(u)), 1),
        "conditions": kp.Dirichlet(u, 0),
    }
    return kp.Problem(**(given | changes))


def inclusion() -> kp.Problem:
    """A disk that conducts ten times as well; the solution is a paraboloid in each part."""
    inside, square = x**2 + y**2 < sp.Rational(1, 4), x**2 + y**2
    exact = sp.Piecewise((sp.Rational(31, 40) - square / 10, inside), (1 - square, True))
    equation = sp.Eq(-kp.divergence(sp.Piecewise((10, inside), (1, True)) * kp.gradient(u)), 4)
    return kp.Problem(SQUARE, equation, kp.Dirichlet(u, exact), exact={u: exact}, name="inclusion")


def layers() -> kp.Problem:
    """Three layers with a flux of one."""
    conductivity = sp.Piecewise((1, x < 1), (2, x < 2), (4, True))
    exact = sp.Piecewise((x, x < 1), ((x + 1) / 2, x < 2), (x / 4 + 1, True))
    equation = sp.Eq(kp.divergence(conductivity * kp.gradient(s)), 0)
    return kp.Problem(kp.Box({x: (0, 3)}), equation, kp.Dirichlet(s, exact), exact={s: exact}, name="layers")


def heated() -> kp.Problem:
    """Heat in a rod of two metals: slopes 1 and 1/4 at the joint carry the same flux."""
    exact = sp.exp(-t) * sp.Piecewise((sp.sin(x), x < 0), (sp.sin(x / 2) / 2, True))
    equation = sp.Eq(w.diff(t), kp.divergence(sp.Piecewise((1, x < 0), (4, True)) * kp.gradient(w)))
    conditions = [kp.Dirichlet(w, exact), kp.Initial(w, exact)]
    domain = kp.Box({x: (-1, 2)}) * kp.Time(t, (0, 1))
    return kp.Problem(domain, equation, conditions, exact={w: exact}, name="heated")


MAKERS: dict[str, Callable[[], kp.Problem]] = {
    "two_materials": lambda: cases.load("two_materials"),
    "inclusion": inclusion,
    "layers": layers,
    "heated": heated,
}


def of_kind(problem: kp.Problem, kind: str) -> list[CompiledCondition]:
    return [c for c in problem.conditions if c.kind == kind]


@pytest.mark.parametrize("name", MAKERS)
def test_residuals_of_all_blocks_vanish_on_the_exact_solution(name: str) -> None:
    problem = MAKERS[name]()
    rows = blocks(problem, impose(problem, exact=False), 300, 0)
    expected = len(problem.context.cells.predicates) + len(problem.conditions)
    assert len(rows) == expected
    for block in rows:
        assert len(block.points) >= 1
        for lowered in block.equations:
            jet = problem.exact_jet(block.points.x, lowered.operator.jet)
            values = lowered.operator.evaluate(block.points.x, jet, np, block.points.normals)
            assert np.abs(values).max() <= 1e-10, block.label


@pytest.mark.parametrize("name", MAKERS)
def test_equations_are_asked_only_where_their_material_is(name: str) -> None:
    problem = MAKERS[name]()
    for block in blocks(problem, impose(problem, exact=False), 300, 0):
        if block.label.startswith("equations"):
            (field,) = {v.unknown for lowered in block.equations for v in lowered.operator.jet}
            assert set(problem.layout.number(block.points.x)) == {problem.layout.material_of(field)}


@pytest.mark.parametrize("name", MAKERS)
def test_exact_values_are_read_out_of_the_material_at_each_point(name: str) -> None:
    problem = MAKERS[name]()
    lower, upper = problem.domain.bounds.T
    points = lower + halton(200, len(lower)) * (upper - lower)
    (expression,) = problem.exact.values()
    direct = sp.lambdify(problem.coordinates, expression, "numpy")(*points.T)
    np.testing.assert_allclose(problem.exact_values(points)[:, 0], direct, rtol=1e-12, atol=1e-14)


def test_the_normal_of_an_interface_points_from_the_first_material_into_the_second() -> None:
    problem = inclusion()
    value, flux = of_kind(problem, "interface")
    assert value.operator is not None
    assert {str(v) for v in value.operator.symbols} == {"u_1", "u_2"}
    (piece,) = flux.region.pieces()
    points = piece.points(halton(50, 1))
    np.testing.assert_allclose(np.hypot(*points.T), 0.5, atol=1e-12)
    np.testing.assert_allclose(piece.normals(points), 2 * points, atol=1e-9)
    assert piece.measure == pytest.approx(np.pi, rel=1e-9)


def test_the_sign_of_a_flux_is_seen() -> None:
    """A solution whose flux jumps satisfies the equations and the continuity, but not the interface."""
    exact = sp.Piecewise((x, x < 0), (2 * x, True))
    with pytest.warns(
        ProblemWarning, match="does not satisfy the jump of flux 1 at the interface of materials 1 and 2"
    ):
        halves(
            equations=kp.divergence(sp.Piecewise((1, x < 0), (3, True)) * kp.gradient(u)),
            conditions=kp.Dirichlet(u, exact),
            exact={u: exact},
        )


def test_one_normal_in_one_dimension() -> None:
    found = {c.region.pieces()[0].lower: c.region.pieces()[0].normal for c in of_kind(layers(), "interface")}
    assert found == {(1.0,): (1.0,), (2.0,): (1.0,)}


def test_the_statement_is_readable() -> None:
    text = layers().text
    assert [c.region.name for c in of_kind(layers(), "dirichlet")] == ["boundary where x < 1", "boundary where x >= 2"]
    assert "2*s_2_xx = 0 on interior where (x >= 1) & (x < 2)" in text
    assert "s_1 - s_2 = 0 on the interface of materials 1 and 2" in text
    assert "2*s_2_x*n_x - 4*s_3_x*n_x = 0 on the interface of materials 2 and 3" in text
    assert [r.name for r in layers().regions] == [
        f"interior where {p}" for p in ("x < 1", "(x >= 1) & (x < 2)", "x >= 2")
    ]


def test_signatures_are_the_same_each_time_and_tell_coefficients_apart() -> None:
    assert halves().signature == halves().signature
    other = sp.Piecewise((400, x < 0), (1.39, True))
    assert halves(equations=sp.Eq(kp.divergence(other * kp.gradient(u)), 1)).signature != halves().signature


@pytest.mark.parametrize(
    "equation",
    [
        sp.Eq(kp.laplacian(u), sp.Piecewise((1, x < 0), (2, True))),
        sp.Eq(kp.divergence(sp.Piecewise((400, x < 3), (1.38, True)) * kp.gradient(u)), 1),
        sp.Eq(kp.divergence((1 + x**2) * kp.gradient(u)) + sp.Piecewise((1, x < 0), (2, True)) * u, 1),
    ],
    ids=["source", "elsewhere", "reaction"],
)
def test_what_does_not_split(equation: sp.Basic) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        problem = halves(equations=equation)
    assert problem.fields == (u,)
    assert not of_kind(problem, "interface")


def test_a_coefficient_that_is_continuous_does_not_split_and_is_no_reason_for_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        problem = halves(equations=kp.divergence(sp.Piecewise((2 + x, x < 0), (2, True)) * kp.gradient(u)))
    assert problem.fields == (u,)


def test_a_jump_outside_of_a_divergence_is_warned_of() -> None:
    with pytest.warns(ProblemWarning, match="highest derivatives jumps"):
        problem = halves(equations=HALVES * u.diff(x, 2) + HALVES * u.diff(y, 2))
    assert problem.fields == (u,)


@pytest.mark.parametrize(
    "flux",
    [
        [HALVES * u.diff(x), HALVES * u.diff(y)],
        (1.38 + 398.62 * sp.Heaviside(-x)) * kp.gradient(u),
        (2 - sp.sign(x)) * kp.gradient(u),
        sp.Piecewise((1 + u**2, x < 0), (3, True)) * kp.gradient(u),
    ],
    ids=["components", "step", "sign", "nonlinear"],
)
def test_other_ways_to_write_a_jump(flux: object) -> None:
    problem = halves(equations=sp.Eq(kp.divergence(flux), 1))
    assert [f.name for f in problem.fields] == ["u_1", "u_2"]
    assert len(of_kind(problem, "interface")) == 2


def test_the_same_conditions_are_the_same_materials_and_others_cut_further() -> None:
    same = sp.Piecewise((7, x < 0), (8, True))
    other = sp.Piecewise((7, y < 0), (8, True))
    first = sp.Eq(kp.divergence(HALVES * kp.gradient(u)), v)
    conditions = [kp.Dirichlet(u, 0), kp.Dirichlet(v, 0)]
    two = halves(equations=[first, sp.Eq(kp.divergence(same * kp.gradient(v)), 1)], conditions=conditions)
    four = halves(equations=[first, sp.Eq(kp.divergence(other * kp.gradient(v)), 1)], conditions=conditions)
    assert [f.name for f in two.fields] == ["u_1", "u_2", "v_1", "v_2"]
    assert len(four.fields) == 8
    # Four quarters meet along four half lines, u and v with their fluxes at each; diagonal ones do not meet.
    assert len(of_kind(four, "interface")) == 16
    assert {c.region.measure for c in of_kind(four, "interface")} == {1.0}


def test_factors_before_a_time_derivative_are_no_flux() -> None:
    equation = sp.Eq(sp.Piecewise((2, x < 0), (3, True)) * w.diff(t), kp.divergence(HALVES * kp.gradient(w)))
    domain = kp.Box({x: (-1, 1)}) * kp.Time(t, (0, 1))
    problem = kp.Problem(domain, equation, [kp.Dirichlet(w, 0), kp.Initial(w, 0)])
    assert str(problem.operators[1].expression) == "3*w_2_t - 1.38*w_2_xx"
    (flux,) = [c.operator for c in of_kind(problem, "interface") if "flux" in c.label]
    assert flux is not None
    assert str(flux.expression) == "400*w_1_x*n_x - 1.38*w_2_x*n_x"


def test_sides_that_lie_in_one_material_stay_whole_and_are_imposed_exactly() -> None:
    sides = of_kind(inclusion(), "dirichlet")
    assert len(sides) == 1
    assert all(piece.predicate == sp.true for piece in sides[0].region.pieces())
    parts = [SQUARE.lower(x), SQUARE.upper(x), SQUARE.lower(y), SQUARE.upper(y)]
    problem = halves(conditions=[kp.Dirichlet(u, 0, on=part) for part in parts])
    kept = {problem.conditions[k].region.name for k in impose(problem).imposed}
    # A side that the interface cuts is whole for each material's own field.
    cut = {f"y = {end} where x {part} 0" for end in (-1, 1) for part in ("<", ">=")}
    assert kept == {"x = -1", "x = 1"} | cut
    assert sum(c.region.measure for c in of_kind(problem, "dirichlet")) == pytest.approx(8.0)


def test_a_wall_that_lies_on_the_line_between_materials_belongs_to_the_one_beside_it() -> None:
    bend = SQUARE - kp.Box({x: (0, 1), y: (-1, 0)})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        problem = halves(domain=bend)
    left, right = of_kind(problem, "dirichlet")
    wall = np.array([[0.0, -0.5]])
    assert left.region.contains(wall).all()
    assert not right.region.contains(wall).any()
    assert [c.region.measure for c in of_kind(problem, "interface")] == pytest.approx([1.0, 1.0])


def test_an_integral_takes_the_field_of_each_material() -> None:
    problem = halves(
        conditions=[kp.Neumann(u, 0), kp.Integral(u + x, 2)], equations=kp.divergence(HALVES * kp.gradient(u))
    )
    (condition,) = of_kind(problem, "integral")
    assert condition.operator is not None
    points, gather, target = integral_rows(problem, condition, 0)
    # u = 5 on the left and 7 on the right.
    jet = np.array([[5.0], [7.0]]) * np.ones(len(points))
    (total,) = gather @ condition.operator.evaluate(points.x, jet, np)
    assert total == pytest.approx(24.0, rel=1e-10)
    assert target.tolist() == [2.0]


def integral(problem: kp.Problem, expression: sp.Expr) -> tuple[np.ndarray, np.ndarray]:
    """The integral of an expression of the exact solution as the rows of a condition have it, and at which times."""
    (condition,) = compile_condition(problem.context, kp.Integral(expression, 0))
    assert condition.operator is not None
    points, gather, _ = integral_rows(problem, condition, 0)
    jet = problem.exact_jet(points.x, condition.operator.jet)
    times = points.x[:: len(points) // len(gather), len(problem.domain.space) :].sum(axis=1)
    return gather @ condition.operator.evaluate(points.x, jet, np), times


def test_integrals_do_not_cross_interfaces() -> None:
    """31/40 - r²/10 over the disk and 1 - r² over the rest of the square; a rule for the whole has three digits."""
    rest = 4 - 8 / 3 - np.pi / 4 + np.pi / 32
    assert integral(inclusion(), u)[0][0] == pytest.approx(rest + np.pi * (31 / 160 - 1 / 320), rel=1e-7)


def test_integrals_at_each_time_do_not_cross_interfaces() -> None:
    """Squares of sin x on (-1, 0) and of sin(x/2)/2 on (0, 2), falling with exp(-2t)."""
    values, times = integral(heated(), w**2)
    assert len(set(times)) > 10
    space = 1 / 2 - np.sin(2) / 4 + (1 - np.sin(2) / 2) / 4
    np.testing.assert_allclose(values, space * np.exp(-2 * times), rtol=1e-10)


def test_observations_go_to_the_material_in_which_they_lie() -> None:
    seen = kp.Observations(u, [[-0.5, 0], [0.5, 0], [0.6, 0.1]], [1, 2, 3], sigma=[0.1, 0.2, 0.3])
    left, right = of_kind(halves(conditions=[kp.Dirichlet(u, 0), seen]), "observations")
    assert left.data is not None
    assert right.data is not None
    assert (left.data.values.tolist(), np.asarray(left.data.sigma).tolist()) == ([1.0], [0.1])
    assert (right.data.values.tolist(), np.asarray(right.data.sigma).tolist()) == ([2.0, 3.0], [0.2, 0.3])
    assert {str(v) for c in (left, right) for v in c.operator.symbols} == {"u_1", "u_2"}


def test_conditions_take_the_coefficient_of_their_material() -> None:
    flux = kp.Condition(sp.Eq(HALVES * kp.normal_derivative(u), u), on=SQUARE.lower(y))
    rest = kp.Dirichlet(u, 0, on=SQUARE.boundary - SQUARE.lower(y))
    left, right = of_kind(halves(conditions=[flux, rest]), "condition")
    assert left.operator is not None
    assert right.operator is not None
    assert not left.operator.expression.has(sp.Piecewise)
    assert left.operator.expression.has(sp.Integer(400))
    assert right.operator.expression.has(sp.Float(1.38))


def test_periodicity_along_and_across_materials() -> None:
    along = halves(conditions=[kp.Dirichlet(u, 0, on=SQUARE.lower(x) | SQUARE.upper(x)), kp.Periodic(u, y)])
    assert [c.region.measure for c in of_kind(along, "periodic")] == [2.0, 2.0]
    with pytest.raises(ProblemError, match="the materials differ on the two sides"):
        halves(conditions=[kp.Dirichlet(u, 0, on=SQUARE.lower(y) | SQUARE.upper(y)), kp.Periodic(u, x)])


def test_a_complex_unknown_in_materials() -> None:
    c = kp.complex_unknown("c", x, y)
    index = sp.Piecewise((1 + sp.I, x < 0), (2, True))
    problem = halves(
        equations=kp.divergence(index * kp.gradient(c)) + c, conditions=[kp.Dirichlet(c, sp.exp(sp.I * y))]
    )
    assert [f.name for f in problem.fields] == ["c_im_1", "c_im_2", "c_re_1", "c_re_2"]
    values = problem.readout(np.array([[-0.5, 0.0], [0.5, 0.0]]), np.array([[1.0, 2, 3, 4], [1, 2, 3, 4]]))
    assert values[:, 0].tolist() == [3 + 1j, 4 + 2j]
    assert len(of_kind(problem, "interface")) == 4


def test_a_pressure_inside_the_divergence_may_jump() -> None:
    """Two fluids: velocities and the traction are continuous, the pressure is not."""
    p = sp.Function("p")(x, y)
    nu = sp.Piecewise((1, x < 0), (2, True))
    a, b = kp.divergence([nu * u.diff(x) - p, nu * u.diff(y)]), kp.divergence([nu * v.diff(x), nu * v.diff(y) - p])
    problem = halves(
        equations=[a, b, u.diff(x) + v.diff(y)], conditions=[kp.Dirichlet(u, 0), kp.Dirichlet(v, 0), kp.Integral(p, 0)]
    )
    jumps = [c for c in of_kind(problem, "interface") if c.operator is not None and c.operator.order == 0]
    assert [c.label.split(" at ")[0] for c in jumps] == ["the jump of u(x, y)", "the jump of v(x, y)"]


def test_a_missing_gauge_and_a_missing_side_name_the_unknown_of_the_user() -> None:
    with pytest.raises(ProblemError, match=r"Integral\(u, 0\)"):
        halves(equations=kp.divergence(HALVES * kp.gradient(u)), conditions=kp.Neumann(u, 0))
    with pytest.raises(ProblemError, match=r"add Dirichlet, Neumann, Robin or Periodic for u\b"):
        halves(conditions=kp.Dirichlet(u, 0, on=SQUARE.boundary - SQUARE.upper(x)))


def test_an_eigenvalue_in_materials_is_normalised_once() -> None:
    problem = halves(equations=kp.divergence(HALVES * kp.gradient(u)) + kp.Eigenvalue("lam", near=3) * u)
    (norm,) = of_kind(problem, "integral")
    assert norm.operator is not None
    assert norm.operator.expression == sp.Piecewise(
        (norm.operator.symbols[0] ** 2, x < 0), (norm.operator.symbols[1] ** 2, True)
    )


def test_refusals() -> None:
    with pytest.raises(ProblemError, match=r"has no value at .*; give it a last branch"):
        halves(equations=kp.divergence(sp.Piecewise((2, x < 0)) * kp.gradient(u)))
    equation = kp.divergence(HALVES * kp.gradient(kp.laplacian(u)))
    with pytest.raises(ProblemError, match="materials that jump are for second order"):
        halves(equations=equation, conditions=[kp.Dirichlet(u, 0), kp.Neumann(u, 0)])


def test_expressions_are_taken_in_the_material_at_each_point() -> None:
    """Derivatives and integrals of a solution: 3 u_x with u = 5 x on the left and 7 x on the right."""
    problem = halves()
    (operator,) = problem.context.operators(3 * u.diff(x), problem.domain.interior, "the expression")
    jet = np.array([[5.0, 5.0], [7.0, 7.0]])
    assert operator.evaluate(np.array([[-0.5, 0.0], [0.5, 0.0]]), jet, np).tolist() == [15.0, 21.0]


def test_a_fault_is_named_by_the_equation_and_its_material() -> None:
    inside = x**2 + y**2 < sp.Rational(1, 4)
    exact = sp.Piecewise((0, inside), (1 - x**2 - y**2, True))
    equation = sp.Eq(-kp.divergence(sp.Piecewise((10, inside), (1, True)) * kp.gradient(u)), 4)
    with pytest.warns(ProblemWarning) as caught:
        halves(equations=equation, conditions=kp.Dirichlet(u, exact), exact={u: exact})
    said = [str(w.message) for w in caught]
    assert any("does not satisfy equation 1 in material 1: its residual is -4" in message for message in said)
    assert not any("material 2:" in message for message in said)


def test_the_mean_of_an_exact_solution_is_held_against_its_condition_material_by_material() -> None:
    problem = inclusion()
    (exact,) = problem.exact.values()
    mean = 4 - 8 / 3 - np.pi / 4 + np.pi / 32 + np.pi * (31 / 160 - 1 / 320)
    given = {"equations": problem.equations, "exact": problem.exact}
    halves(**given, conditions=[kp.Dirichlet(u, exact), kp.Integral(u, mean)])
    with pytest.warns(ProblemWarning, match="its integral is 1.24498"):
        halves(**given, conditions=[kp.Dirichlet(u, exact), kp.Integral(u, mean + 0.01)])


def test_an_integral_that_is_complex_in_one_material_only_is_refused() -> None:
    c = kp.complex_unknown("c", x, y)
    mixed = sp.Piecewise((c, x < 0), (sp.Abs(c) ** 2, True))
    equation = kp.divergence(HALVES * kp.gradient(c)) + c
    with pytest.raises(ProblemError, match="complex in one material and real in another"):
        halves(equations=equation, conditions=[kp.Dirichlet(c, 0), kp.Integral(mixed, 0)])
