"""Programs against SymPy's own evaluation, NumPy against torch; trees there and back."""

import json
import subprocess
import sys
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy as sp
import torch

from kanpde.errors import ProblemError
from kanpde.expression import (
    Eigenvalue,
    Parameter,
    Program,
    UnknownField,
    UnknownFieldFunction,
    as_expression,
    from_tree,
    to_tree,
)

x, y, z = sp.symbols("x y z", real=True)
X = np.array([-0.93, -0.4, -0.05, 0.21, 0.66, 0.98])
Y = np.array([0.31, -0.77, 0.5, -0.02, 0.9, -0.6])

ELEMENTARY = (sp.sin, sp.cos, sp.tan, sp.asin, sp.acos, sp.atan, sp.sinh, sp.cosh, sp.tanh, sp.asinh, sp.atanh, sp.exp)
ROUGH = (sp.Abs, sp.sign, sp.floor, sp.ceiling, sp.Heaviside, sp.frac)
RECIPROCAL = (sp.cot, sp.sec, sp.csc, sp.coth, sp.sech, sp.csch, sp.acot, sp.sinc)
SPECIAL = (sp.erf, sp.erfc, lambda a: sp.gamma(a + 3), lambda a: sp.loggamma(a + 3), lambda a: sp.polygamma(1, a + 3))
BESSEL = tuple((lambda a, f=f: f(2, a + 3)) for f in (sp.besselj, sp.bessely, sp.besseli, sp.besselk))

EXPRESSIONS = [
    *(f(x) for f in (*ELEMENTARY, *ROUGH, *RECIPROCAL, *SPECIAL, *BESSEL)),
    sp.acosh(x + 3),
    sp.acos(x / 2) + sp.asec(x + 3) - sp.acsc(x + 3),
    sp.log(x + 2),
    sp.sqrt(x + 2) / sp.sqrt(y + 3),
    (x + 2) ** sp.Rational(3, 2) + (x + 2) ** sp.Rational(-1, 3) + 2**x + (x + 2) ** y,
    x**5 / y**3 - x**40 + x**-2,
    sp.atan2(y, x),
    sp.Mod(x, sp.Rational(1, 3)),
    sp.Max(x, 0, y) - sp.Min(x, y, sp.Rational(1, 7)),
    sp.Piecewise((sp.Rational(1, 10), x < 0), (sp.Rational(3, 10), True)),
    sp.Piecewise((1, sp.And(x < 0, y > 0)), (x, sp.Or(x > sp.Rational(1, 2), sp.Not(y < 0))), (y, True)),
    sp.Piecewise((x, sp.Ne(x, 0)), (2, True)) + sp.Heaviside(x, 1),
    sp.Rational(1, 3) + sp.pi * sp.E * x - sp.GoldenRatio * y / 3 - x * y,
    -x,
    -(x**2) * y,
    3 * x / (2 * y * (x**2 + 1)),
    sp.exp(sp.sin(sp.pi * x) + y**2) * sp.cos(sp.pi * x) ** 2,
]


def slow_values(expression: sp.Expr) -> np.ndarray:
    """The slow twin: substitute exact rationals and evaluate with 40 digits."""
    points = [{x: sp.Rational(float(a)), y: sp.Rational(float(b))} for a, b in zip(X, Y, strict=True)]
    return np.array([float(sp.re(expression.subs(p).evalf(40))) for p in points])


@pytest.mark.parametrize("expression", EXPRESSIONS, ids=str)
def test_program_equals_sympy(expression: sp.Expr) -> None:
    (values,) = Program.compile([expression], [x, y])([X, Y], np)
    np.testing.assert_allclose(values, slow_values(expression), rtol=2e-14, atol=1e-15)


@pytest.mark.parametrize("expression", EXPRESSIONS, ids=str)
def test_torch_equals_numpy(expression: sp.Expr) -> None:
    program = Program.compile([expression], [x, y])
    (values,) = program([torch.tensor(X), torch.tensor(Y)], torch)
    assert values.dtype == torch.float64
    np.testing.assert_allclose(values.numpy(), program([X, Y], np)[0], rtol=1e-14, atol=1e-15)


def test_torch_keeps_the_dtype_of_its_values() -> None:
    program = Program.compile([sp.Piecewise((0.1, x < 0), (0.3, True)), sp.S(2)], [x])
    for dtype in (torch.float32, torch.float64):
        values = program([torch.tensor(X, dtype=dtype)], torch)
        assert [v.dtype for v in values] == [dtype, dtype]
        assert values[0].tolist() == [torch.tensor(0.1 if a < 0 else 0.3, dtype=dtype).item() for a in X]


def test_torch_gradients_flow_through_a_program() -> None:
    expression = sp.exp(x * y) / (1 + x**2) + sp.erf(x)
    leaf = torch.tensor(X, requires_grad=True)
    (values,) = Program.compile([expression], [x, y])([leaf, torch.tensor(Y)], torch)
    values.sum().backward()
    np.testing.assert_allclose(leaf.grad.numpy(), slow_values(expression.diff(x)), rtol=1e-13)


def test_scipy_functions_refuse_to_lose_a_gradient() -> None:
    program = Program.compile([sp.besselj(0, x)], [x])
    with pytest.raises(ProblemError, match="cannot differentiate jv"):
        program([torch.tensor(X, requires_grad=True)], torch)


def test_constants_are_the_nearest_floats() -> None:
    constants = [sp.pi, sp.E, sp.Rational(1, 3), sp.sqrt(2) * sp.exp(-1), sp.S(10) ** 20 / 3, sp.besselj(1, 3)]
    program = Program.compile(constants, [x])
    with mpmath.workdps(40):
        expected = [float(c.evalf(40)) for c in constants]
    assert [program.constant(k) for k in range(len(constants))] == expected


def test_constants_have_the_shape_of_the_values() -> None:
    program = Program.compile([sp.S(3), sp.S.Zero, x], [x, y])
    for xp, values in ((np, [X, Y]), (torch, [torch.tensor(X), torch.tensor(Y)])):
        assert [tuple(v.shape) for v in program(values, xp)] == [(6,)] * 3
    assert [program.constant(k) for k in range(3)] == [3.0, 0.0, None]
    assert [program.is_zero(k) for k in range(3)] == [False, True, False]


def test_outputs_have_the_common_shape() -> None:
    values = Program.compile([x, x * y], [x, y])([X[:, None], Y[None, :3]], np)
    assert [v.shape for v in values] == [(6, 3), (6, 3)]
    np.testing.assert_array_equal(values[1], X[:, None] * Y[:3])


def test_common_subexpressions_are_shared() -> None:
    shared = sp.sin(x * y)
    alone = len(Program.compile([shared], [x, y]).nodes)
    both = len(Program.compile([shared, shared + 1, sp.exp(shared)], [x, y]).nodes)
    assert both == alone + 3


@pytest.mark.parametrize("known", [(0,), (1,), (0, 1), ()])
def test_bound_program_gives_the_same_values(known: tuple[int, ...]) -> None:
    program = Program.compile(EXPRESSIONS, [x, y])
    arrays = (X, Y)
    bound = program.bind({i: arrays[i] for i in known}, np)
    free = [arrays[i] for i in range(2) if i not in known]
    for bound_value, value in zip(bound(free), program([X, Y], np), strict=True):
        np.testing.assert_array_equal(bound_value, value)


def test_binding_evaluates_what_needs_only_the_known() -> None:
    u = sp.Symbol("u", real=True)
    program = Program.compile([u * sp.sin(x) * sp.cos(y) * u + sp.exp(x) + u], [x, y, u])
    bound = program.bind({0: X, 1: Y}, np)
    operations = [program.nodes[i].operation for i in bound.pending]
    # u * u, times the product of sine and cosine; plus u; plus the exponential.
    assert sorted(operations) == ["add", "add", "multiply", "multiply"]


def test_known_factors_come_together() -> None:
    u = sp.Symbol("u", real=True)
    program = Program.compile([sp.cos(x) * sp.exp(u) * sp.sin(x)], [x, u])
    operations = [program.nodes[i].operation for i in program.bind({0: X}, np).pending]
    assert sorted(operations) == ["exp", "multiply"]


def test_a_bound_program_counts_its_values() -> None:
    bound = Program.compile([x + y], [x, y]).bind({0: X}, np)
    with pytest.raises(ProblemError, match="takes 1 values, 2"):
        bound([X, Y])


def test_branches_that_are_not_taken_raise_no_warning() -> None:
    program = Program.compile([sp.Piecewise((sp.log(x), x > 0), (0, True)), sp.sinc(x)], [x])
    logarithm, sinc = program([np.array([-1.0, 0.0, 1.0])], np)
    np.testing.assert_array_equal(logarithm, 0.0)
    assert sinc[1] == 1.0


def test_a_piecewise_without_default_is_not_a_number_elsewhere() -> None:
    (values,) = Program.compile([sp.Piecewise((1, x > 0))], [x])([X], np)
    np.testing.assert_array_equal(np.isnan(values), X <= 0)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (sp.zeta(x), "function zeta"),
        (sp.Ei(x + 2), "function Ei"),
        (sp.DiracDelta(x), "function DiracDelta"),
        (sp.hankel1(0, x), "function hankel1"),
        (sp.I * x, "not real"),
        (x + z, "z is not one of x, y"),
        (sp.Function("f")(x), "f"),
        (sp.Derivative(sp.Function("f")(x), x), "Derivative"),
    ],
    ids=str,
)
def test_what_is_not_in_the_table_is_refused(expression: sp.Expr, message: str) -> None:
    with pytest.raises(ProblemError, match=message):
        Program.compile([expression], [x, y])


TREES = [
    *EXPRESSIONS,
    sp.Float("0.1", 50),
    sp.Float(0.1),
    sp.Float(-2.5e-300),
    sp.Integer(10) ** 40,
    sp.Symbol("a"),
    sp.Symbol("a", integer=True, positive=True),
    sp.Symbol("a", commutative=True, imaginary=True),
    sp.Function("u")(x, y).diff(x, 2, y),
    sp.Function("u", real=True)(x),
    sp.Function("u", complex=True)(x, y) * sp.I,
    sp.Symbol("a", complex=True),
    Parameter("nu", 0.1) * x,
    Eigenvalue("nu", 0.1) * x,
    UnknownField("a", x, y).diff(x) * sp.Function("a", real=True)(x, y),
    sp.oo,
    -sp.oo,
    sp.nan,
    sp.true,
    sp.And(x < 0, sp.Ne(y, 2)),
]


@pytest.mark.parametrize("expression", TREES, ids=str)
def test_tree_there_and_back(expression: sp.Basic) -> None:
    again = from_tree(json.loads(json.dumps(to_tree(expression))))
    assert again == expression
    assert type(again) is type(expression)


@pytest.mark.parametrize("kind", [sp.Add, sp.Mul, sp.Max, sp.And])
def test_trees_do_not_depend_on_the_order_of_terms(kind: type[sp.Basic]) -> None:
    a, b = (x < 0, y < 0) if kind is sp.And else (x, y)
    assert to_tree(kind(a, b, evaluate=False)) == to_tree(kind(b, a, evaluate=False))


def test_trees_are_the_same_in_every_process() -> None:
    script = (
        "import json, sympy as sp; from kanpde.expression import to_tree; a, b, c = sp.symbols('a b c');"
        "e = a*b + sp.sin(c)*b + sp.Max(a, b, c) + sp.Piecewise((a, (a < b) & (b < c)), (c, True));"
        "print(json.dumps(to_tree(e)))"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(texts) == 1


@pytest.mark.parametrize(
    "tree",
    [
        ["eval", "1"],
        ["Symbol"],
        ["Symbol", "x", 3],
        ["sin"],
        ["Integer", "x"],
        ["Add", "x"],
        [],
        {},
        "x",
        None,
        ["Constant", "i"],
        ["Piecewise", [1]],
        ["Float", "5", -2, -1],
        ["Float", "5", -2, 0],
        ["Float", "5", 10**9, 53],
        ["Float", "5", -2, 10**9],
        ["Pow", ["__import__", "os"], ["Integer", "1"]],
    ],
    ids=str,
)
def test_damaged_trees_are_refused(tree: object) -> None:
    with pytest.raises(ProblemError, match="damaged"):
        from_tree(tree)


def test_trees_refuse_what_the_table_lacks() -> None:
    with pytest.raises(ProblemError, match="zeta"):
        to_tree(sp.zeta(x))


def test_text_is_never_evaluated() -> None:
    with pytest.raises(ProblemError, match="not a SymPy expression"):
        as_expression("__import__('os').getcwd()")


def test_numbers_become_expressions() -> None:
    numbers = (1, 0.5, True, np.float64(0.5), np.int64(3), x)
    expected = [sp.Integer(1), sp.Float(0.5), sp.true, sp.Float(0.5), sp.Integer(3), x]
    assert [as_expression(n) for n in numbers] == expected


def test_parameters_are_symbols_of_their_own() -> None:
    assert Parameter("nu", 0.1) == Parameter("nu", 0.1)
    assert Parameter("nu", 0.1) != Parameter("nu", 0.2)
    assert Parameter("nu") != sp.Symbol("nu", real=True)
    assert Parameter("nu").is_real


def test_eigenvalues_are_parameters_of_their_own() -> None:
    tone = Eigenvalue("lam", near=20)
    assert isinstance(tone, Parameter)
    assert (tone.near, tone.initial, str(tone)) == (20.0, 20.0, "lam")
    assert tone == Eigenvalue("lam", 20)
    assert tone not in (Eigenvalue("lam", 21), Parameter("lam", 20), sp.Symbol("lam", real=True))


def test_unknown_fields_are_functions_of_their_own() -> None:
    a = UnknownField("a", x, y)
    assert a == UnknownField("a", x, y)
    assert hash(a) == hash(UnknownField("a", x, y))
    assert a not in (UnknownField("b", x, y), UnknownField("a", y, x), sp.Function("a", real=True)(x, y))
    assert isinstance(a.subs(x, z), UnknownFieldFunction)
    assert a.is_real
    assert not isinstance(sp.Function("a", real=True)(x, y), UnknownFieldFunction)


@pytest.mark.parametrize("arguments", [("a",), (x, y), ("a", 1), ("a", x + y), (3, x)], ids=str)
def test_unknown_fields_need_a_name_and_coordinates(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(ProblemError, match="needs a name and the coordinates"):
        UnknownField(*arguments)


def test_assumptions_are_written_briefly() -> None:
    """Signatures of stored problems rest on this text."""
    assert to_tree(x) == ["Symbol", "x", {"real": True}]
    assert to_tree(sp.Function("u", complex=True)(x)) == ["Function", "u", {"complex": True}, to_tree(x)]
