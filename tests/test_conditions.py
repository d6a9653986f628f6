"""Conditions beyond sides: integrals, measurements, eigenvalues, unknown coefficients, gauges, conditions on shapes."""

import numpy as np
import pytest
import sympy as sp

import kanpde as kp
from kanpde.errors import ProblemError, ProblemWarning
from kanpde.problem import CompiledCondition

x, y, t, k = sp.symbols("x y t k", real=True)
u, v, p = (sp.Function(name)(x, y) for name in "uvp")
w = sp.Function("w")(x, t)
SQUARE = kp.Box({x: (-1, 1), y: (-1, 1)})
RING = kp.Disk((x, y), (0, 0), 2) - kp.Disk((x, y), (0, 0), 1)
MOVING = kp.Box({x: (0, 2)}) * kp.Time(t, (0, 1))
POINTS = [[0.5, 0.5], [-0.5, 0.0], [0.0, 0.25]]


def membrane(**changes: object) -> kp.Problem:
    """A membrane on a square, with changes."""
    given: dict[str, object] = {
        "domain": SQUARE,
        "equations": sp.Eq(kp.laplacian(u), 1),
        "conditions": kp.Dirichlet(u, 0),
    }
    return kp.Problem(**(given | changes))


def observed(*arguments: object, **changes: object) -> CompiledCondition:
    """The measurements of a membrane, compiled."""
    seen = kp.Observations(*arguments)
    (found,) = [c for c in membrane(conditions=[kp.Dirichlet(u, 0), seen], **changes).conditions if c.data is not None]
    return found


def of_kind(problem: kp.Problem, kind: str) -> list[CompiledCondition]:
    return [c for c in problem.conditions if c.kind == kind]


# ---- measurements


def test_measurements_are_kept_as_they_are() -> None:
    found = observed(u.diff(x), POINTS, [1, 2, 3], [0.1, 0.2, 0.3])
    assert found.kind == "observations"
    assert found.operator is not None
    assert found.data is not None
    assert str(found.operator.expression) == "u_x"
    np.testing.assert_array_equal(found.data.points, POINTS)
    np.testing.assert_array_equal(found.data.values, [1.0, 2.0, 3.0])
    np.testing.assert_array_equal(found.data.sigma, [0.1, 0.2, 0.3])


def test_a_column_of_values_is_one_value_a_point() -> None:
    found = observed(u, POINTS, [[1], [2], [3]], 0.1)
    assert found.data is not None
    assert found.data.values.shape == (3,)
    assert found.data.sigma == 0.1


def test_measurements_count_in_the_signature() -> None:
    texts = {observed(u, POINTS, values, sigma).text for values in ([1, 2, 3], [1, 2, 4]) for sigma in (None, 0.1)}
    assert len(texts) == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((u, POINTS, [1, 2]), r"3 points need values of shape \(3,\), not \(2,\)"),
        ((u, POINTS, [[1, 2, 3]]), r"3 points need values of shape \(3,\), not \(1, 3\)"),
        ((u, POINTS, [[1, 2], [3, 4], [5, 6]]), r"not \(3, 2\)"),
        ((u, POINTS, 1.0), r"not \(\)"),
        ((u, POINTS, [1.0]), r"not \(1,\)"),
        ((u, [0.5, 0.5], [1.0]), r"points must have shape \(n, 2\) for x, y, not \(2,\)"),
        ((u, [[0.5], [0.5]], [1, 2]), r"points must have shape \(n, 2\)"),
        ((u, [[0.5, 0.5, 0.0]], [1]), r"points must have shape \(n, 2\)"),
        ((u, np.zeros((0, 2)), []), "has no data"),
        ((u, POINTS, [1, np.nan, 3]), "values contain values that are not finite"),
        ((u, [[0.5, np.inf]], [1]), "points contain values that are not finite"),
        ((u, [[0.5, 0.5], [0, 3]], [1, 2]), r"the point \(0, 3\) lies outside the domain"),
        ((u, POINTS, ["a", "b", "c"]), "values must be numbers"),
        ((u, POINTS, [1, 2, 3], 0.0), "sigma must be positive"),
        ((u, POINTS, [1, 2, 3], [0.1, -0.1, 0.1]), "sigma must be positive"),
        ((u, POINTS, [1, 2, 3], [0.1, 0.2]), r"sigma must be one number or have shape \(3,\), not \(2,\)"),
        ((u, POINTS, [1, 2, 3], [[0.1], [0.2], [0.3]]), "sigma must be one number"),
        ((u, POINTS, [1, 2, 3], [0.1, np.nan, 0.1]), "sigma contain values that are not finite"),
        ((u, POINTS, [1, 2, 3j]), "complex values of a real unknown"),
        ((x, POINTS, [1, 2, 3]), "contains no unknown"),
        ((v, POINTS, [1, 2, 3]), r"contains v\(x, y\), which no equation determines"),
    ],
)
def test_data_that_do_not_fit_are_never_broadcast(arguments: tuple[object, ...], message: str) -> None:
    with pytest.raises(ProblemError, match=message):
        observed(*arguments)


# ---- integrals


def test_an_integral_holds_at_each_time() -> None:
    conditions = [kp.Neumann(w, 0), kp.Initial(w, 1), kp.Integral(w**2, 2 * sp.exp(-t))]
    (found,) = of_kind(kp.Problem(MOVING, w.diff(t) - w.diff(x, 2), conditions), "integral")
    assert found.value == 2 * sp.exp(-t)
    assert found.operator is not None
    assert str(found.operator.expression) == "w**2"


def test_an_integral_over_a_part_of_the_boundary_may_use_the_normal() -> None:
    flux = kp.Integral(kp.normal_derivative(u), 3, on=SQUARE.upper(x))
    (found,) = of_kind(membrane(conditions=[kp.Dirichlet(u, 0), flux]), "integral")
    assert found.region.name == "x = 1"
    assert found.operator is not None
    assert len(found.operator.normal) == 2


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (kp.Integral(u, x), "the value depends on x, over which is integrated"),
        (kp.Integral(u, v), "contains an unknown"),
        (kp.Integral(x, 1), "contains no unknown"),
        (kp.Integral(kp.normal_derivative(u), 1), "needs the normal of a boundary"),
        (kp.Integral(u, 1, on="left"), "is not a region"),
    ],
)
def test_integrals_that_say_nothing(condition: object, message: str) -> None:
    with pytest.raises(ProblemError, match=message):
        membrane(conditions=[kp.Dirichlet(u, 0), condition])


def test_an_integral_inside_an_equation_is_refused_with_a_cure() -> None:
    with pytest.raises(ProblemError, match=r"contains an integral of the unknown, .*: use the condition Integral"):
        membrane(equations=kp.laplacian(u) - sp.Integral(u, (x, -1, 1)))


# ---- eigenvalues


def eigen(*conditions: object, scale: object = 1) -> kp.Problem:
    equation = kp.laplacian(u) + kp.Eigenvalue("lam", near=5) * scale * u
    return membrane(equations=equation, conditions=[kp.Dirichlet(u, 0), *conditions])


def test_an_eigenfunction_is_normalised_by_itself() -> None:
    (norm,) = of_kind(eigen(), "integral")
    assert norm.operator is not None
    assert str(norm.operator.expression) == "u**2"
    assert norm.value == 4.0


def test_a_norm_that_is_given_is_the_only_one() -> None:
    (norm,) = of_kind(eigen(kp.Integral(u**2, 1)), "integral")
    assert norm.value == 1


def test_a_mean_is_no_norm() -> None:
    assert len(of_kind(eigen(kp.Integral(u * x, 0)), "integral")) == 2


def test_a_parameter_alone_implies_no_norm() -> None:
    equation = kp.laplacian(u) + kp.Parameter("lam", initial=5) * u - 1
    problem = membrane(equations=equation, conditions=[kp.Dirichlet(u, 0), kp.Observations(u, POINTS, [1, 2, 3])])
    assert not of_kind(problem, "integral")


def test_the_norm_of_a_complex_mode_counts_both_parts() -> None:
    c = kp.complex_unknown("c", x, y)
    equation = kp.laplacian(c) + kp.Eigenvalue("lam", near=5) * c
    (norm,) = of_kind(membrane(equations=equation, conditions=kp.Dirichlet(c, 0)), "integral")
    assert norm.operator is not None
    assert sp.expand(norm.operator.expression) == sp.Add(*(s**2 for s in norm.operator.symbols))
    assert len(norm.operator.symbols) == 2


def test_an_unknown_coefficient_is_no_part_of_the_norm() -> None:
    a = kp.UnknownField("a", x, y)
    equation = kp.laplacian(u) + kp.Eigenvalue("lam", near=5) * a * u
    problem = membrane(equations=equation, conditions=[kp.Dirichlet(u, 0), kp.Observations(u, POINTS, [1, 2, 3])])
    (norm,) = of_kind(problem, "integral")
    assert norm.operator is not None
    assert str(norm.operator.expression) == "u**2"


def test_over_time_the_norm_is_that_of_space() -> None:
    equation = w.diff(t) - w.diff(x, 2) - kp.Eigenvalue("lam", near=5) * w
    problem = kp.Problem(MOVING, equation, [kp.Dirichlet(w, 0), kp.Initial(w, sp.sin(sp.pi * x / 2))])
    (norm,) = of_kind(problem, "integral")
    assert norm.value == 2.0


# ---- inverse problems


def test_an_unknown_coefficient_needs_no_equation_of_its_own() -> None:
    a = kp.UnknownField("a", x, y)
    problem = membrane(
        equations=sp.Eq(kp.divergence(a * kp.gradient(u)), 1),
        conditions=[kp.Dirichlet(u, 0), kp.Observations(u, POINTS, [1, 2, 3])],
    )
    assert [f.name for f in problem.fields] == ["a", "u"]
    assert problem.coefficients == (0,)
    assert len(problem.operators) == 1


@pytest.mark.parametrize("sought", [kp.Parameter("a", initial=1), kp.UnknownField("a", x, y)], ids=["scalar", "field"])
def test_nothing_is_identified_without_data(sought: sp.Expr) -> None:
    with pytest.raises(ProblemError, match=r"a.* cannot be identified without data; add Observations"):
        membrane(equations=sp.Eq(kp.divergence(sought * kp.gradient(u)), 1))


def test_two_unknowns_need_two_equations_whatever_is_sought() -> None:
    a = kp.UnknownField("a", x, y)
    with pytest.raises(ProblemError, match="1 equation"):
        membrane(
            equations=sp.Eq(kp.divergence(a * kp.gradient(u)), v),
            conditions=[kp.Dirichlet(u, 0), kp.Observations(u, POINTS, [1, 2, 3])],
        )


# ---- what fixes the level


def stokes(*gauge: object) -> kp.Problem:
    momentum = [kp.laplacian(u) - p.diff(x), kp.laplacian(v) - p.diff(y)]
    walls = [kp.Dirichlet(u, 0), kp.Dirichlet(v, 0)]
    return membrane(equations=[*momentum, u.diff(x) + v.diff(y)], conditions=[*walls, *gauge])


def test_a_pressure_without_a_gauge_is_an_error_that_names_the_integral() -> None:
    with pytest.raises(ProblemError, match=r"p.*Integral\(p, 0\)"):
        stokes()


@pytest.mark.parametrize(
    "gauge",
    [
        kp.Integral(p, 0),
        kp.Dirichlet(p, 0, on=kp.Point({x: 0, y: 0})),
        kp.Observations(p, [[0.0, 0.0]], [1.0]),
        kp.Dirichlet(p, 0, on=SQUARE.upper(x)),
    ],
    ids=["mean", "point", "measured", "outflow"],
)
def test_gauges_of_a_pressure(gauge: object) -> None:
    assert len(stokes(gauge).fields) == 3


def test_convection_is_no_gauge() -> None:
    momentum = [u * q.diff(x) + v * q.diff(y) - kp.laplacian(q) + p.diff(s) for q, s in ((u, x), (v, y))]
    walls = [kp.Dirichlet(u, 0), kp.Dirichlet(v, 0)]
    with pytest.raises(ProblemError, match=r"Integral\(p, 0\)"):
        membrane(equations=[*momentum, u.diff(x) + v.diff(y)], conditions=walls)


@pytest.mark.parametrize(
    ("gauge", "accepted"),
    [
        ([], False),
        ([kp.Integral(u, 0)], True),
        ([kp.Observations(u, [[0.0, 0.0]], [1.0])], True),
        ([kp.Observations(u.diff(x), [[0.0, 0.0]], [1.0])], False),
        ([kp.Dirichlet(u, 0, on=kp.Point({x: 0, y: 0}))], True),
    ],
    ids=["none", "mean", "measured", "slope measured", "point"],
)
def test_fluxes_all_around_leave_a_constant(gauge: list[object], accepted: bool) -> None:
    source = sp.Eq(kp.laplacian(u), x)
    if accepted:
        membrane(equations=source, conditions=[kp.Neumann(u, 0), *gauge])
    else:
        with pytest.raises(ProblemError, match=r"Integral\(u, 0\)"):
            membrane(equations=source, conditions=[kp.Neumann(u, 0), *gauge])


def test_a_complex_unknown_without_a_gauge_is_named_as_the_user_named_it() -> None:
    c = kp.complex_unknown("c", x, y)
    with pytest.raises(ProblemError, match=r"Integral\(c, 0\)"):
        membrane(equations=sp.Eq((1 + sp.I) * kp.laplacian(c), x), conditions=kp.Neumann(c, 0))
    assert len(membrane(equations=kp.laplacian(c), conditions=[kp.Neumann(c, 0), kp.Integral(c, 0)]).conditions) == 4


# ---- conditions on shapes


def test_a_missing_part_of_a_boundary_is_named_by_where_it_is() -> None:
    outer = RING.boundary.where(x**2 + y**2 > 2)
    with pytest.raises(
        ProblemError, match=r"u\(x, y\) has no condition on the part of the boundary near x = "
    ) as caught:
        membrane(domain=RING, conditions=kp.Dirichlet(u, 0, on=outer))
    place = str(caught.value).split("near x = ")[1].split(";")[0].split(", y = ")
    assert np.hypot(*map(float, place)) == pytest.approx(1.0, rel=1e-2)
    membrane(domain=RING, conditions=[kp.Dirichlet(u, 0, on=outer), kp.Neumann(u, 0, on=RING.boundary - outer)])


def test_a_region_that_selects_nothing_is_an_error() -> None:
    with pytest.raises(ProblemError, match="is empty; check its predicate"):
        membrane(domain=RING, conditions=kp.Dirichlet(u, 0, on=RING.boundary.where(x > 3)))


def test_a_region_of_another_shape_is_an_error() -> None:
    with pytest.raises(ProblemError, match="belongs to another domain"):
        membrane(domain=RING, conditions=kp.Dirichlet(u, 0, on=SQUARE.lower(x)))


def test_an_exact_solution_is_checked_on_curved_walls() -> None:
    exact = sp.log(x**2 + y**2)
    membrane(domain=RING, equations=kp.laplacian(u), conditions=kp.Dirichlet(u, exact), exact={u: exact})
    # The normal points out of the ring, so into its hole: the slope there is -2, not 2.
    outer = RING.boundary.where(x**2 + y**2 > 2)
    conditions = [kp.Dirichlet(u, exact, on=outer), kp.Neumann(u, 2, on=RING.boundary - outer)]
    with pytest.warns(ProblemWarning, match="the exact solution does not satisfy Neumann"):
        membrane(domain=RING, equations=kp.laplacian(u), conditions=conditions, exact={u: exact})


def test_data_must_be_finite_on_curved_walls_and_need_not_be_in_holes() -> None:
    membrane(domain=RING, conditions=kp.Dirichlet(u, 1 / sp.sqrt(x**2 + y**2)))
    with pytest.raises(ProblemError, match="is not finite at"):
        membrane(domain=RING, conditions=kp.Dirichlet(u, 1 / sp.sqrt(x**2 + y**2 - 2)))


def test_both_parts_of_a_complex_equation_have_its_number() -> None:
    c = kp.complex_unknown("c", x, y)
    given = {"equations": [kp.laplacian(c) + sp.I * c, sp.Eq(u, x + 1)], "conditions": kp.Dirichlet(c, 0)}
    with pytest.warns(ProblemWarning, match=r"does not satisfy equation 2: its residual is -?1"):
        membrane(**given, exact={c: sp.S.Zero, u: x})


def test_a_name_that_a_part_of_a_complex_unknown_has_is_refused() -> None:
    c, taken = kp.complex_unknown("c", x, y), sp.Function("c_re")(x, y)
    with pytest.raises(ProblemError, match="two unknowns have a part that is called c_re"):
        membrane(equations=[kp.laplacian(c) + sp.I * c, sp.Eq(taken, x)], conditions=kp.Dirichlet(c, 0))


def test_a_complex_value_of_a_real_integral_is_refused() -> None:
    c = kp.complex_unknown("c", x, y)
    conditions = [kp.Dirichlet(c, 0), kp.Integral(sp.Abs(c) ** 2, 1 + sp.I)]
    with pytest.raises(ProblemError, match="the expression is real and the value is not"):
        membrane(equations=kp.laplacian(c) + sp.I * c, conditions=conditions)
