"""The compiler: normal forms of equations, their derivatives, and what it refuses."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
import sympy as sp
import torch

from kanpde.errors import ProblemError
from kanpde.expression import Parameter
from kanpde.operator import (
    PASSES,
    DifferentialOperator,
    JetSymbol,
    JetVariable,
    Normal,
    Scope,
    compile_operator,
    divergence,
    dot,
    gradient,
    laplacian,
    normal_derivative,
    unknowns_of,
)

x, y, t, z = sp.symbols("x y t z", real=True)
u, v = (sp.Function(name)(x, y) for name in "uv")
w = sp.Function("w")(x, t)
nu = Parameter("nu", 0.1)
PLANE = Scope((x, y), (x, y), (u, v))
BOUNDARY = Scope((x, y), (x, y), (u, v), on_boundary=True, label="the condition")
MOVING = Scope((x, t), (x,), (w,))


def jet_of(operator: DifferentialOperator) -> dict[str, sp.Expr]:
    """Name of each jet variable, with ∂F by it."""
    return {s.name: g for s, g in zip(operator.symbols, operator.gradient, strict=True)}


@pytest.mark.parametrize(
    ("equation", "jet", "order", "linear"),
    [
        (sp.Eq(laplacian(u), sp.sin(x)), {"u_xx": 1, "u_yy": 1}, 2, True),
        (laplacian(laplacian(u)), {"u_xxxx": 1, "u_xxyy": 2, "u_yyyy": 1}, 4, True),
        (divergence((1 + x**2) * gradient(u)), {"u_x": 2 * x, "u_xx": x**2 + 1, "u_yy": x**2 + 1}, 2, True),
        (
            divergence(sp.Matrix([[1, x], [x, 2]]) * gradient(u)),
            {"u_xx": 1, "u_xy": 2 * x, "u_y": 1, "u_yy": 2},
            2,
            True,
        ),
        (divergence(sp.Matrix([[1, 0], [0, 3]]) @ gradient(u)), {"u_xx": 1, "u_yy": 3}, 2, True),
        (divergence([u, x * v]), {"u_x": 1, "v_y": x}, 1, True),
        (divergence(gradient(u) + 2 * gradient(v)), {"u_xx": 1, "u_yy": 1, "v_xx": 2, "v_yy": 2}, 2, True),
        (gradient(u).dot(gradient(u)) - 1, {"u_x": None, "u_y": None}, 1, False),
        (dot([1, 2], gradient(u)), {"u_x": 1, "u_y": 2}, 1, True),
        (gradient(u)[1] + u.diff(x, y, y), {"u_xyy": 1, "u_y": 1}, 3, True),
        (laplacian(u).diff(x), {"u_xxx": 1, "u_xyy": 1}, 3, True),
        (gradient(u.diff(x))[-1], {"u_xy": 1}, 2, True),
        (sp.Derivative(u**2, x), {"u": None, "u_x": None}, 1, False),
        (sp.diff(sp.exp(x) * u.diff(x), x), {"u_x": sp.exp(x), "u_xx": sp.exp(x)}, 2, True),
        (laplacian(u) - sp.exp(u), {"u": None, "u_xx": 1, "u_yy": 1}, 2, False),
        (u - sp.sin(x), {"u": 1}, 0, True),
        (laplacian(x * y), {}, 0, True),
    ],
    ids=str,
)
def test_normal_forms(equation: sp.Basic, jet: dict[str, sp.Expr | None], order: int, linear: bool) -> None:
    operator = compile_operator(equation, PLANE)
    assert set(jet_of(operator)) == set(jet)
    assert all(sp.expand(jet_of(operator)[name] - g) == 0 for name, g in jet.items() if g is not None)
    assert (operator.order, operator.is_linear) == (order, linear)


def test_time_is_no_direction_of_the_laplacian() -> None:
    operator = compile_operator(sp.Eq(w.diff(t), laplacian(w)), MOVING)
    assert jet_of(operator) == {"w_t": 1, "w_xx": -1}
    assert (operator.order_in(0), operator.order_in(1)) == (2, 1)


def test_multi_indices_count_the_coordinates_of_the_domain_whatever_the_order_of_arguments() -> None:
    swapped = sp.Function("w")(t, x)
    operator = compile_operator(swapped.diff(t, 2) - swapped.diff(x), Scope((x, t), (x,), (swapped,)))
    assert operator.jet == (JetVariable(0, (0, 2)), JetVariable(0, (1, 0)))


def test_systems() -> None:
    operator = compile_operator(u * laplacian(v) + v.diff(x) ** 2 - u.diff(y), PLANE)
    assert operator.derivatives(0) == ((0, 0), (0, 1))
    assert (operator.order_of(0), operator.order_of(1)) == (1, 2)
    assert (operator.order_in(0, 0), operator.order_in(1, 0), operator.order_in(0, 1)) == (0, 1, 2)
    assert (operator.linear_in(0), operator.linear_in(1), operator.is_linear) == (True, False, False)


@pytest.mark.parametrize(
    ("equation", "jet"),
    [
        ((x + 1) * u - x * u, {"u": 1}),
        (u * sp.sin(x) ** 2 + u * sp.cos(x) ** 2, {"u": 1}),
        ((u + x) ** 2 - u**2, {"u": 2 * x}),
        ((u + v) ** 2 - (u - v) ** 2 - 4 * u * v + u.diff(x), {"u_x": 1}),
        ((u.diff(x) + 1) * v - v * u.diff(x), {"v": 1}),
        (sp.Heaviside(x) * u + sp.sign(v), {"u": sp.Heaviside(x)}),
    ],
    ids=str,
)
def test_what_cancels_leaves_the_jet(equation: sp.Expr, jet: dict[str, sp.Expr]) -> None:
    found = jet_of(compile_operator(equation, PLANE))
    assert {name: sp.expand(g) for name, g in found.items() if g != 0} == jet


@pytest.mark.parametrize("real", [True, False])
def test_derivatives_of_rough_functions_take_the_coordinates_as_real(real: bool) -> None:
    a, b = sp.symbols("x y", real=True) if real else sp.symbols("x y")
    f = sp.Function("u")(a, b)
    operator = compile_operator(sp.Derivative(sp.Abs(a * f), a) + sp.sqrt(a**2) * f, Scope((a, b), (a, b), (f,)))
    points, jet = np.array([[-2.0, 0.5], [3.0, 0.5]]), np.array([[-5.0, 4.0], [0.7, 0.2]])
    expected = np.sign(points[:, 0] * jet[0]) * (jet[0] + points[:, 0] * jet[1]) + np.abs(points[:, 0]) * jet[0]
    np.testing.assert_allclose(operator.evaluate(points, jet, np), expected, rtol=1e-14)
    assert operator.coordinates == (a, b)
    assert operator.expression.free_symbols <= {a, b, *operator.symbols}


EQUATIONS = [
    laplacian(u) * (1 + u**2) + sp.exp(x * u.diff(y)) - sp.Max(u, v) + sp.Abs(v.diff(x)),
    divergence(sp.exp(-u) * gradient(v)) + nu * u * u.diff(x) - sp.sin(x * y) + nu**2,
    sp.Piecewise((u**2, x < 0), (sp.sinh(u), True)) * v.diff(x, y),
]


@pytest.mark.parametrize("equation", EQUATIONS, ids=str)
def test_gradient_against_differences(equation: sp.Expr) -> None:
    """The symbolic derivatives against central differences of F, which must converge with order 2."""
    operator = compile_operator(equation, PLANE)
    generator = np.random.default_rng(0)
    points = generator.uniform(-1, 1, (20, 2))
    jet = generator.uniform(-1, 1, (len(operator.jet), 20))
    values = [*points.T, *jet, *(np.full(20, 0.3) for _ in operator.parameters)]
    exact = operator.program(values, np)[1:]

    def differences(step: float) -> np.ndarray:
        slopes = []
        for k in range(2, len(values)):
            up, down = ([a + s * step * (i == k) for i, a in enumerate(values)] for s in (1, -1))
            slopes.append((operator.program(up, np)[0] - operator.program(down, np)[0]) / (2 * step))
        return np.abs(np.array(slopes) - np.array(exact)).max()

    assert len(exact) == len(values) - 2
    assert differences(1e-4) < 1e-6
    assert differences(1e-3) < 1e-4


def test_parameters_are_kept_apart() -> None:
    operator = compile_operator(nu * laplacian(u) + u * u.diff(x), PLANE)
    assert operator.parameters == (nu,)
    assert [str(g) for g in operator.parameter_gradient] == ["u_xx + u_yy"]
    points, jet = np.zeros((1, 2)), np.array([[1.0], [2.0], [3.0], [4.0]])
    by_name = dict(zip((s.name for s in operator.symbols), jet[:, 0], strict=True))
    value = operator.evaluate(points, jet, np, parameters=(0.5,))
    assert value == pytest.approx(0.5 * (by_name["u_xx"] + by_name["u_yy"]) + by_name["u"] * by_name["u_x"])


def test_the_normal_enters_conditions() -> None:
    operator = compile_operator(normal_derivative(u) + 3 * u - x, BOUNDARY)
    assert [s.name for s in operator.normal] == ["n_x", "n_y"]
    assert {name: str(g) for name, g in jet_of(operator).items()} == {"u": "3", "u_x": "n_x", "u_y": "n_y"}
    points, normals = np.array([[1.0, 0.2]]), np.array([[0.6, 0.8]])
    jet = np.array([[1.0], [10.0], [100.0]])
    order = [s.name for s in operator.symbols]
    assert order == ["u", "u_y", "u_x"]
    assert operator.evaluate(points, jet, np, normals)[0] == pytest.approx(0.8 * 10 + 0.6 * 100 + 3 - 1)
    same = compile_operator(Normal().dot(gradient(u)) + 3 * u - x, BOUNDARY)
    assert same.text == operator.text


def test_conditions_without_the_normal_do_not_ask_for_it() -> None:
    assert compile_operator(u - x, BOUNDARY).normal == ()
    assert compile_operator(Normal()[0] * u, BOUNDARY).normal != ()


def test_evaluation_in_torch() -> None:
    operator = compile_operator(EQUATIONS[0], PLANE)
    generator = np.random.default_rng(1)
    points, jet = generator.uniform(-1, 1, (9, 2)), generator.uniform(-1, 1, (len(operator.jet), 9))
    values = operator.evaluate(torch.tensor(points), torch.tensor(jet), torch)
    np.testing.assert_allclose(values.numpy(), operator.evaluate(points, jet, np), rtol=1e-14)


def test_a_constant_equation_still_has_one_value_a_point() -> None:
    operator = compile_operator(u * 0 + v.diff(x) * 0 + 2, PLANE)
    assert operator.evaluate(np.zeros((5, 2)), np.zeros((0, 5)), np).tolist() == [2.0] * 5


def test_linear_operators_are_source_plus_gradient_times_jet() -> None:
    operator = compile_operator((1 + x) * laplacian(u) + y * u.diff(x) - sp.cos(x), PLANE)
    total = operator.source + sum(g * s for g, s in zip(operator.gradient, operator.symbols, strict=True))
    assert sp.expand(total - operator.expression) == 0


def test_equal_mathematics_has_equal_text() -> None:
    forms = [
        sp.Eq(2 * laplacian(u) + u, x),
        2 * u.diff(x, 2) + 2 * u.diff(y, 2) + u - x,
        sp.Eq(u - x, -2 * divergence(gradient(u))),
        sp.Eq(2 * laplacian(u), x - u),
    ]
    assert len({compile_operator(f, PLANE).text for f in forms}) == 1
    assert compile_operator(forms[0], PLANE).text != compile_operator(sp.Eq(2 * laplacian(u) + u, y), PLANE).text


def test_operators_are_values() -> None:
    for equation in EQUATIONS:
        operator = compile_operator(equation, PLANE)
        assert operator == compile_operator(equation, PLANE)
        assert hash(operator) == hash(compile_operator(equation, PLANE))
        again = pickle.loads(pickle.dumps(operator))
        assert again == operator
        assert again.text == operator.text


def test_text_is_the_same_in_every_process() -> None:
    script = (
        "import sympy as sp; from kanpde.operator import *; x, y = sp.symbols('x y'); u = sp.Function('u')(x, y);"
        "e = laplacian(u)*u + sp.sin(x*y)*u.diff(x) - sp.Max(u, x, y);"
        "print(compile_operator(e, Scope((x, y), (x, y), (u,))).text)"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    }
    assert len(texts) == 1


def test_jet_symbols_never_meet_those_of_the_user() -> None:
    namesake = sp.Symbol("u_x", real=True)
    assert JetSymbol("u_x", JetVariable(0, (1, 0))) != namesake
    f = sp.Function("u")(namesake)
    operator = compile_operator(namesake * f.diff(namesake) + f, Scope((namesake,), (namesake,), (f,)))
    assert operator.evaluate(np.array([[2.0]]), np.array([[3.0], [5.0]]), np)[0] == 13.0


def test_names_of_long_coordinates_are_separated() -> None:
    a, b = sp.symbols("x1 x12", real=True)
    f = sp.Function("u")(a, b)
    operator = compile_operator(f.diff(a, 2) + f.diff(a, b), Scope((a, b), (a, b), (f,)))
    assert [s.name for s in operator.symbols] == ["u_x1_x12", "u_x1_x1"]


def test_vector_operators_stay_as_written() -> None:
    assert str(laplacian(u)) == "Laplacian(u(x, y))"
    assert sp.Eq(laplacian(u), 0).lhs == laplacian(u)
    assert laplacian(u).diff(x).args[0] == laplacian(u)


def test_passes_are_named() -> None:
    names = [name for name, _ in PASSES]
    assert names == ["difference", "reals", "vectors", "evaluate", "jets", "symbols", "functions"]
    assert all(run.__doc__ for _, run in PASSES)


def test_unknowns_are_sorted_by_name() -> None:
    b, a = sp.Function("b")(x), sp.Function("a")(x)
    assert unknowns_of([sp.Eq(b.diff(x), a), a.diff(x)]) == (a, b)


@pytest.mark.parametrize(
    ("equation", "message"),
    [
        (sp.Eq(u, u), "collapsed to True: .*cancels out"),
        (u == v, "collapsed to False"),
        (gradient(u), "one equation a component"),
        (gradient(u) ** 2, r"vector where a scalar"),
        (gradient(u) * gradient(v), r"use dot\(a, b\)"),
        (gradient(u) + 1, "adds a scalar to a vector"),
        (sp.sin(gradient(u)), "vector where a scalar"),
        (divergence(u), "scalar where a vector"),
        (divergence([u]), "1 components in 2 space dimensions"),
        (divergence(sp.eye(3) * gradient(u)), r"shape \(3, 3\) cannot multiply"),
        (gradient(u)[2], "counted from 0"),
        (normal_derivative(u), "normal of a boundary"),
        (Normal()[0] * u, "normal of a boundary"),
        (sp.zeta(u), "function zeta"),
        (u + z, "contains z, which is no coordinate"),
        (u + sp.Symbol("x", positive=True), "namesake of a coordinate"),
        (sp.Function("f")(x, y) + u, r"contains f\(x, y\), which no equation determines"),
        (u.subs(x, 0) + u, r"contains u\(0, y\); an unknown is always written u\(x, y\)"),
        (sp.Integral(u, (x, 0, 1)), "Integral"),
        (sp.Subs(u.diff(x), x, 0) + u, "Subs"),
        (u + sp.I, "complex_unknown"),
        ("u", "not a SymPy expression"),
        (u < 0, "write sp.Eq"),
        (sp.Heaviside(u).diff(x), "DiracDelta"),
    ],
    ids=str,
)
def test_mistakes_are_named(equation: object, message: str) -> None:
    with pytest.raises(ProblemError, match=message) as caught:
        compile_operator(equation, PLANE)
    assert "\n" not in str(caught.value)


def test_one_name_with_two_arguments_is_refused() -> None:
    with pytest.raises(ProblemError, match="same arguments everywhere"):
        unknowns_of([u.diff(x) + sp.Function("u")(x)])
