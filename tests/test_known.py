"""Known fields from code and from tables: values, derivatives, identity, hashes, trees, and every mistake."""

import functools
import json
import math
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.special
import sympy as sp
import torch

import kanpde as kp
from kanpde.errors import ProblemError
from kanpde.expression import Given, Program, Tabulated, derivative_order, from_tree, to_tree, with_code
from kanpde.expression.content import content_digest
from kanpde.problem import problem_from_tree, problem_to_tree

x, y, z = sp.symbols("x y z", real=True)
X = np.linspace(-0.9, 1.0, 7)
Y = np.linspace(0.8, -0.7, 7)
NODES = np.array([-1.0, -0.8, -0.55, -0.1, 0.2, 0.45, 0.7, 1.0])
EVEN = np.linspace(-1.0, 1.0, 21)


def wave(a: Any, b: Any) -> Any:
    return np.sin(2 * a) * b


WAVE = {(1, 0): lambda a, b: 2 * np.cos(2 * a) * b, (0, 1): lambda a, b: np.sin(2 * a) + 0 * b}


def values(expression: sp.Expr, *points: np.ndarray) -> np.ndarray:
    symbols = (x, y, z)[: len(points)]
    return Program.compile([expression], symbols)(list(points), np)[0]


# ---- from code


def test_code_is_called_with_the_coordinates() -> None:
    q = Given("q", wave)
    np.testing.assert_array_equal(values(q(x, y), X, Y), wave(X, Y))
    np.testing.assert_array_equal(values(q(y, x) * x + 1, X, Y), wave(Y, X) * X + 1)
    np.testing.assert_array_equal(values(q(x**2, 3), X, Y), wave(X**2, 3.0))


def test_code_sees_one_row_of_points() -> None:
    shapes = []

    def spy(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        shapes.append((a.shape, b.shape, a.dtype, b.dtype))
        return a + b

    found = values(Given("q", spy)(x, y), X[:, None], Y[None, :3])
    assert shapes == [((21,), (21,), np.float64, np.float64)]
    np.testing.assert_array_equal(found, X[:, None] + Y[None, :3])


def test_a_number_holds_everywhere() -> None:
    np.testing.assert_array_equal(values(Given("q", lambda _: 3)(x), X), np.full(7, 3.0))


def test_code_may_overwrite_its_arguments() -> None:
    def careless(a: np.ndarray) -> np.ndarray:
        a *= 2
        return a

    before = X.copy()
    np.testing.assert_array_equal(values(Given("q", careless)(x) - x, X), before)
    np.testing.assert_array_equal(X, before)


def test_no_points_no_call() -> None:
    def never(_: np.ndarray) -> np.ndarray:
        raise AssertionError

    assert values(Given("q", never)(x), np.zeros(0)).shape == (0,)


def test_torch_equals_numpy() -> None:
    table = Tabulated("a", {x: EVEN, y: EVEN}, np.exp(EVEN[:, None] * EVEN))
    program = Program.compile([Given("q", wave)(x, y), table, table.diff(x), Given("c", lambda _: 2)(x)], [x, y])
    for dtype, rtol in ((torch.float64, 0.0), (torch.float32, 1e-5)):
        found = program([torch.tensor(X, dtype=dtype), torch.tensor(Y, dtype=dtype)], torch)
        assert [f.dtype for f in found] == [dtype] * 4
        for a, b in zip(found, program([X, Y], np), strict=True):
            np.testing.assert_allclose(a.numpy(), b, rtol=rtol)


def test_given_derivatives_follow_the_chain_rule() -> None:
    q = Given("q", wave, WAVE)
    found = values(q(x * y, x).diff(x), X, Y)
    np.testing.assert_allclose(found, WAVE[1, 0](X * Y, X) * Y + WAVE[0, 1](X * Y, X), rtol=1e-15)


def test_a_missing_derivative_is_an_error_where_it_is_needed() -> None:
    slope = Given("q", wave, WAVE)(x, y).diff(x, y)
    with pytest.raises(ProblemError, match=r"q has no derivative \(1, 1\): give derivatives=\{\(1, 1\): \.\.\.\}"):
        values(slope, X, Y)


def test_constants_are_evaluated() -> None:
    q = Given("q", wave)
    assert float(q(0.25, sp.Rational(1, 2)).evalf()) == wave(0.25, 0.5)
    assert Program.compile([q(0.25, 2)], [x]).constant(0) == wave(0.25, 2.0)
    assert q(x, 2).evalf() == q(x, 2)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda a: a[:2], r"q returned shape \(2,\) for coordinates of shape \(7,\); return one number a point"),
        (lambda a: a[:, None], r"returned shape \(7, 1\)"),
        (lambda a: a * 1j, "complex128; give complex=True"),
        (lambda a: np.array(["one"] * len(a)), "return real numbers"),
        (lambda a: a.nonsense, "q: the callable failed: AttributeError"),
        (lambda a: 1 / int(a[0] * 0), "ZeroDivisionError"),
    ],
)
def test_code_that_misbehaves_is_named(function: Callable[..., Any], message: str) -> None:
    expression = Given("q", function)(x)
    with pytest.raises(ProblemError, match=message) as caught:
        values(expression, X)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Given("", wave), "needs a name"),
        (lambda: Given(x, wave), "needs a name"),
        (lambda: Given("q", 3), "q: 3 cannot be called"),
        (lambda: Given("q", wave)(x), "q is applied to 1 coordinates, but its callable: missing"),
        (lambda: Given("q", wave)(x, y, z), "too many"),
        (lambda: Given("q", wave, {(1, 0): 3}), "derivatives are"),
        (lambda: Given("q", wave, {1: wave}), "derivatives are"),
        (lambda: Given("q", wave, {(0, 0): wave}), "derivatives are"),
        (lambda: Given("q", wave, {(1, 0): wave, (1,): wave}), "different lengths"),
        (lambda: Given("q", functools.partial(wave, threading.Lock())), "holds a lock, whose content"),
        (lambda: Tabulated("a", {x: [1, 0]}, [1, 2]), "a: axis 0 must increase"),
        (lambda: Tabulated("a", {x: [0, 0]}, [1, 2]), "must increase"),
        (lambda: Tabulated("a", {x: [0]}, [1]), "at least two nodes"),
        (lambda: Tabulated("a", {x: [[0, 1]]}, [1, 2]), r"not an array of shape \(1, 2\)"),
        (lambda: Tabulated("a", {x: [0, 1], y: [0, 1, 2]}, np.ones((3, 2))), r"shape \(2, 3\), not \(3, 2\)"),
        (lambda: Tabulated("a", {x: [0, 1]}, [1, np.nan]), "not finite"),
        (lambda: Tabulated("a", {x: [0, np.inf]}, [1, 2]), "not finite"),
        (lambda: Tabulated("a", {x: [0, 1]}, ["one", "two"]), "must be numbers"),
        (lambda: Tabulated("a", {x: [0, 1]}, [[1, 2], [3]]), "must be numbers"),
        (lambda: Tabulated("a", {"x": [0, 1]}, [1, 2]), "with SymPy symbols"),
        (lambda: Tabulated("a", {}, [1, 2]), "with SymPy symbols"),
        (lambda: Tabulated("a", 3, [1, 2]), "or \\[nodes, nodes\\]"),
        (lambda: Tabulated("a", [[0, 1]], [1, 2])(x, y), "a table of 1 coordinates, 2 are given"),
        (lambda: Tabulated("a", [[0, 1]], [1, 2], degree=0), "degree must be"),
        (lambda: Tabulated("a", [[0, 1]], [1, 2], degree=2.5), "degree must be"),
        (lambda: values(Tabulated("a", {x: [0, 1]}, [1, 2]).diff(x, 2), X), "has 1 derivatives along axis 0, 2 are"),
    ],
)
def test_mistakes_are_one_line(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ProblemError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


# ---- from tables


@pytest.mark.parametrize("orders", [(0, 0), (1, 0), (0, 1), (2, 0), (1, 2), (3, 3)], ids=str)
def test_polynomials_of_the_degree_are_exact(orders: tuple[int, int]) -> None:
    polynomial = (1 + x - 2 * x**3 + x**5) * (y**4 - y**2 / 3 + 2) + x**2 * y**5
    grid = values(polynomial, NODES[:, None], EVEN[None, :])
    table = Tabulated("a", {x: NODES, y: EVEN}, grid)
    found, expected = (values(e.diff(x, orders[0], y, orders[1]), X, Y) for e in (table, polynomial))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_tables_have_any_number_of_coordinates() -> None:
    grid = NODES[:, None, None] * EVEN[:, None] ** 2 + np.array([0.0, 1.0])
    table = Tabulated("a", {x: NODES, y: EVEN, z: [-1, 1]}, grid)
    found = values(table + table.diff(y), X, Y, X**2)
    np.testing.assert_allclose(found, X * Y**2 + (X**2 + 1) / 2 + 2 * X * Y, rtol=1e-12)


def test_values_at_the_nodes_are_kept() -> None:
    grid = np.random.default_rng(1).standard_normal((len(NODES), 21))
    a, b = (m.ravel() for m in np.meshgrid(NODES, EVEN, indexing="ij"))
    np.testing.assert_allclose(values(Tabulated("a", {x: NODES, y: EVEN}, grid), a, b), grid.ravel(), atol=1e-12)


def table_error(function: sp.Expr, count: int, degree: int, order: int = 0) -> float:
    nodes, fine = np.linspace(-1, 1, count), np.linspace(-1, 1, 501)
    table = Tabulated("a", {x: nodes}, values(function, nodes), degree)
    return float(np.abs(values(table.diff(x, order) - function.diff(x, order), fine)).max())


@pytest.mark.parametrize(("degree", "order"), [(5, 0), (5, 1), (5, 2), (3, 0), (3, 1), (1, 0)])
def test_measured_rates(degree: int, order: int) -> None:
    coarse, fine = (table_error(sp.sin(3 * x), n, degree, order) for n in (41, 81))
    assert math.log2(coarse / fine) > degree + 1 - order - 0.4


def test_quintic_splines_earn_their_place() -> None:
    smooth = [table_error(sp.exp(x), n, 5) / table_error(sp.exp(x), n, 3) for n in (8, 20, 40)]
    rough = [table_error(sp.tanh(20 * x), n, 5) / table_error(sp.tanh(20 * x), n, 3) for n in (12, 20, 40)]
    assert max(smooth) < 0.05
    assert max(rough) < 1.5


@pytest.mark.parametrize(("count", "degree"), [(2, 1), (3, 2), (4, 3), (5, 3), (6, 5), (40, 5)])
def test_few_nodes_lower_the_degree(count: int, degree: int) -> None:
    nodes = np.linspace(-1, 1, count)
    table = Tabulated("a", {x: nodes}, nodes**degree)
    assert derivative_order(table) == degree
    np.testing.assert_allclose(values(table, X), X**degree, atol=1e-13)


def test_straight_lines_keep_kinks() -> None:
    table = Tabulated("a", {x: [-1, 0, 1]}, [1, 0, 1], degree=1)
    np.testing.assert_allclose(values(table, X), np.abs(X), atol=1e-15)
    np.testing.assert_allclose(values(table.diff(x), X), np.sign(X), atol=1e-14)


def test_a_table_ends_at_its_last_nodes() -> None:
    table = Tabulated("a", {x: NODES}, NODES)
    found = values(table, np.array([-1.0001, -1 - 1e-12, 1.0, 1 + 1e-12, 1.0001, np.nan]))
    np.testing.assert_allclose(found, [np.nan, -1.0, 1.0, 1.0, np.nan, np.nan], rtol=1e-15)


def test_micrometres_are_no_trouble() -> None:
    table, usual = Tabulated("a", {x: 1e-6 * EVEN}, 1e8 * np.sin(EVEN)), Tabulated("a", {x: EVEN}, np.sin(EVEN))
    found, expected = values(table.diff(x, 2), 1e-6 * X), 1e20 * values(usual.diff(x, 2), X)
    np.testing.assert_allclose(found, expected, rtol=1e-11)


def test_tables_do_not_change_with_their_arrays() -> None:
    nodes, data = EVEN.copy(), EVEN**2
    table = Tabulated("a", {x: nodes}, data)
    same = Tabulated("a", {x: EVEN}, EVEN**2)
    data[:], nodes[:] = 7, 0
    assert table == same
    np.testing.assert_allclose(values(table, X), X**2, atol=1e-13)


# ---- calculus


def test_known_fields_are_no_unknowns() -> None:
    assert not Given("q", wave)(x, y).atoms(sp.core.function.AppliedUndef)
    assert Given("q", wave)(x, y).is_real
    assert Given("q", wave)(x, y).free_symbols == {x, y}


def test_complex_fields_come_apart() -> None:
    q = Given("q", lambda a: np.exp(3j * a), {(1,): lambda a: 3j * np.exp(3j * a)}, complex=True)(x)
    re, im = (q * sp.exp(sp.I * x)).expand(complex=True).as_real_imag()
    np.testing.assert_allclose(values(re, X), np.cos(4 * X), atol=1e-15)
    np.testing.assert_allclose(values(im, X), np.sin(4 * X), atol=1e-15)
    np.testing.assert_allclose(values(sp.im(sp.conjugate(q)), X), -np.sin(3 * X), atol=1e-15)
    np.testing.assert_allclose(values(sp.re(q.diff(x)), X), -3 * np.sin(3 * X), atol=1e-15)
    assert {str(f.func) for f in q.atoms(sp.Function)} == {"re q", "im q"}


def test_complex_tables_come_apart() -> None:
    table = Tabulated("a", {x: EVEN}, np.exp(1j * EVEN))
    np.testing.assert_allclose(values(sp.re(table), X) + 1j * values(sp.im(table), X), np.exp(1j * X), atol=1e-7)
    np.testing.assert_allclose(values(sp.im(table.diff(x)), X), np.cos(X), atol=1e-5)


def test_complex_and_real_are_never_taken_for_each_other() -> None:
    real, other = Given("q", wave)(x, y), Given("q", wave, complex=True)(x, y)
    assert real != other
    assert Given("q", wave)(x, y) == real
    assert Given("q", wave, complex=True)(x, y) == other


def test_torch_differentiates_by_the_derivatives() -> None:
    table = Tabulated("a", [EVEN, EVEN], np.exp(EVEN[:, None] * EVEN))
    program = Program.compile([table(x, y) * x], [x, y])
    columns = torch.tensor(0.9 * X, requires_grad=True), torch.tensor(Y[:2, None], requires_grad=True)
    assert torch.autograd.gradcheck(lambda *c: program(c, torch)[0], columns)
    assert torch.autograd.gradgradcheck(lambda *c: program(c, torch)[0], columns)


def test_torch_asks_for_the_derivative_that_is_missing() -> None:
    (found,) = Program.compile([Given("q", wave)(x, y)], [x, y])([torch.tensor(X, requires_grad=True)] * 2, torch)
    with pytest.raises(ProblemError, match=r"q has no derivative"):
        found.sum().backward()


@pytest.mark.parametrize(
    ("keys", "order"),
    [([], 0), ([(1, 0)], 0), ([(1, 0), (0, 1)], 1), ([(1, 0), (0, 1), (2, 0), (1, 1), (0, 2)], 2)],
    ids=str,
)
def test_how_often_code_can_be_differentiated(keys: list[tuple[int, int]], order: int) -> None:
    q = Given("q", wave, dict.fromkeys(keys, wave))(x, y)
    assert derivative_order(q + sp.sin(x)) == order
    assert derivative_order(q.diff(x)) == order - 1
    assert derivative_order(sp.sin(x)) == math.inf


@pytest.mark.parametrize("name", ["q", "Add", "sin", "Derivative", "a b"])
def test_names_are_printed_as_they_are(name: str) -> None:
    q = Given(name, wave, WAVE)
    assert (str(q), str(q(x, y)), str(q(x, y).diff(x))) == (name, f"{name}(x, y)", f"{name}[1, 0](x, y)")
    assert name in sp.latex(q(x, y) ** 2)
    assert name in sp.pretty(q(x, y))


# ---- identity


def test_equal_content_is_equal() -> None:
    one, two = Given("q", wave, WAVE), Given("q", wave, dict(reversed(WAVE.items())))
    assert one == two
    assert hash(one) == hash(two)
    assert one(x, y) - two(x, y) == 0
    assert one(x, y).has(two)
    table, same = (Tabulated("a", [NODES], NODES**2) for _ in range(2))
    assert table == same
    assert table(x).diff(x) == same(x).diff(x)


@pytest.mark.parametrize(
    "other",
    [
        Given("p", wave, WAVE),
        Given("q", wave),
        Given("q", lambda a, b: np.sin(2 * a) * b + 1, WAVE),
        Given("q", wave, WAVE, complex=True),
        Tabulated("q", [EVEN, EVEN], np.ones((21, 21))),
        sp.Function("q", real=True),
    ],
    ids=repr,
)
def test_different_content_is_different(other: Any) -> None:
    q = Given("q", wave, WAVE)
    assert q != other
    assert q(x, y) != other(x, y)
    assert q(x, y) - other(x, y) != 0


@pytest.mark.parametrize(
    "other",
    [
        lambda: Tabulated("a", [EVEN], EVEN**3),
        lambda: Tabulated("a", [2 * EVEN], EVEN**2),
        lambda: Tabulated("a", [EVEN], EVEN**2, degree=3),
        lambda: Tabulated("b", [EVEN], EVEN**2),
    ],
)
def test_different_tables_are_different(other: Callable[[], Any]) -> None:
    assert Tabulated("a", [EVEN], EVEN**2) != other()


def test_the_order_of_terms_depends_on_content_alone() -> None:
    one, two = Given("q", lambda a: a)(x), Given("q", lambda a: 2 * a)(x)
    assert one + two == two + one
    assert to_tree(one + two) == to_tree(two + one)
    assert (one + two) ** 2 - (two + one) ** 2 == 0


FACTOR = 2.0


def scaled(a: Any) -> Any:
    return FACTOR * a


def closure(value: Any) -> Callable[..., Any]:
    return lambda a: value * a


def default(value: Any) -> Callable[..., Any]:
    def function(a: Any, factor: Any = value) -> Any:
        return factor * a

    return function


def keyword(value: Any) -> Callable[..., Any]:
    def function(a: Any, *, factor: Any = value) -> Any:
        return factor * a

    return function


def nested(value: Any) -> Callable[..., Any]:
    inner = closure(value)
    return lambda a: inner(a) + 1


class Callable_:
    """A callable with data."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __call__(self, a: Any) -> Any:
        return self.helped(a)

    def helped(self, a: Any) -> Any:
        return self.value * a


class Other(Callable_):
    """The same, but for one method."""

    def helped(self, a: Any) -> Any:
        return self.value + a


def twice(value: Any) -> Callable[..., Any]:
    return functools.partial(np.multiply, value)


MAKERS = [closure, default, keyword, nested, Callable_, twice, lambda v: Callable_(v).helped, lambda v: {v: [v]}]
MAKERS += [lambda v: np.array([v, "text"], dtype=object), lambda v: functools.lru_cache(closure(v))]


@pytest.mark.parametrize("make", MAKERS)
def test_hashes_tell_data_apart(make: Callable[[Any], Any]) -> None:
    assert content_digest(make(2.0), "q") == content_digest(make(2.0), "q")
    assert content_digest(make(2.0), "q") != content_digest(make(3.0), "q")


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (lambda a: a + 1, lambda a: a + 2),
        (lambda a: a + 1, lambda a: a - 1),
        (lambda a: a + 1, lambda a: a + 1.0),
        (lambda a: np.sin(a), lambda a: np.cos(a)),
        (lambda a: [a for _ in range(2)], lambda a: [a for _ in range(3)]),
        (np.sin, np.cos),
        (math.sin, math.cos),
        (scipy.special.j0, scipy.special.j1),
        (np.trapezoid, np.gradient),
        (Callable_(1), Other(1)),
        (closure(np.zeros(2)), closure(np.zeros((2, 1)))),
        (closure(np.zeros(2)), closure(np.zeros(2, dtype=np.float32))),
        (closure({1, 2}), closure({1, 3})),
        (closure(x), closure(y)),
        (closure(np.float64(1.0)), closure(np.float64(2.0))),
        (closure(0.0), closure(-0.0)),
        ([1, [2]], [[1], 2]),
        (str.upper, str.lower),
        ([].append, [1].append),
        (lambda a, *b: (a, b), lambda a, b: (a, b)),
    ],
)
def test_hashes_tell_code_apart(one: Any, two: Any) -> None:
    assert content_digest(one, "q") == content_digest(one, "q")
    assert content_digest(one, "q") != content_digest(two, "q")


def test_hashes_do_not_depend_on_names_or_lines() -> None:
    def one(a: Any) -> Any:
        return a + 1

    def two(b: Any) -> Any:

        return b + 1

    assert content_digest(one, "q") == content_digest(two, "q")


def test_hashes_follow_globals(monkeypatch: pytest.MonkeyPatch) -> None:
    before = content_digest(scaled, "q")
    monkeypatch.setitem(globals(), "FACTOR", 3.0)
    assert content_digest(scaled, "q") != before


def test_functions_that_call_themselves_have_hashes() -> None:
    def down(a: float) -> float:
        return a if a < 1 else down(a - 1)

    loop: list[Any] = [1]
    loop.append(loop)
    assert content_digest(down, "q") == content_digest(down, "q")
    assert content_digest(loop, "q") == content_digest(loop, "q")


def test_hashes_are_the_same_in_every_process() -> None:
    script = (
        "import functools, json, numpy as np, sympy as sp\n"
        "from kanpde.expression import Given, Tabulated, to_tree\n"
        "x, y = sp.symbols('x y', real=True)\n"
        "names = {'a', 'b', 'c', 'd'}; rate = 3.0\n"
        "class Source:\n"
        "    def __init__(self, kinds): self.kinds = kinds; self.values = np.arange(3)\n"
        "    def __call__(self, a): return a * rate if 'a' in self.kinds else 0 * a\n"
        "def other(a, scale=2): return np.interp(a, [0, 1], [0, scale]) if len(names & {'a', 'z'}) else a\n"
        "fields = [Given('q', Source(names))(x), Given('q', other)(x), Given('q', lambda a: a)(x + y)]\n"
        "fields.append(Tabulated('a', {x: [0, 1]}, [1, 2]))\n"
        "fields.append(Given('q', functools.partial(other, scale=1))(x))\n"
        "print(json.dumps(to_tree(sp.Add(*fields) * fields[0])))\n"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    }
    assert len(texts) == 1


# ---- trees


def through_json(expression: sp.Basic) -> sp.Basic:
    return from_tree(json.loads(json.dumps(to_tree(expression))))


@pytest.mark.parametrize(
    "table",
    [
        Tabulated("a", {x: NODES, y: EVEN}, NODES[:, None] * EVEN),
        Tabulated("a", {x: NODES}, NODES / 3).diff(x),
        Tabulated("a", {x: NODES}, np.exp(1j * NODES)),
        Tabulated("a", [NODES], NODES, degree=3)(x * y + 1) ** 2,
    ],
    ids=str,
)
def test_tables_are_stored_whole(table: sp.Expr) -> None:
    again = through_json(table)
    assert again == table
    assert to_tree(again) == to_tree(table)
    found, expected = (values(sp.re(e), X, Y) for e in (again, table))
    np.testing.assert_array_equal(found, expected)


def test_code_is_stored_as_a_hash() -> None:
    expression = Given("q", wave, WAVE)(x, y).diff(x) + x * Given("c", wave, complex=True)(x, y)
    text = json.dumps(to_tree(expression))
    assert "lambda" not in text
    again = through_json(expression)
    assert to_tree(again) == to_tree(expression)
    assert str(again) == str(expression)
    assert again.diff(y) != 0
    with pytest.raises(ProblemError, match=r"given by code, which files do not hold; give problem= to load\(\)"):
        values(sp.re(again), X, Y)


def test_code_comes_back_from_the_problem() -> None:
    q, c = Given("q", wave, WAVE)(x, y), Given("c", wave, complex=True)(x, y)
    expression = q.diff(x) * sp.sin(q) + sp.re(c) - q.func(q, x)
    assert with_code(through_json(expression), [q + 1, sp.im(c), sp.re(c)]) == expression
    other = Given("q", lambda a, b: a * b, WAVE)(x, y)
    with pytest.raises(ProblemError, match="given by code"):
        values(with_code(through_json(q), [other]), X, Y)


def test_what_is_stored_is_not_taken_for_what_is_there() -> None:
    """SymPy caches by equality: were they equal, one could turn up in the place of the other."""
    q = Given("q", wave)(x, y)
    again = through_json(q)
    assert again != q
    np.testing.assert_array_equal(values(Given("q", wave)(x, y), X, Y), wave(X, Y))


@pytest.mark.parametrize(
    "tree",
    [
        ["Given", "q"],
        ["Given", "q", "00", "neither", [], ["Symbol", "x", {}]],
        ["Given", "q", "00", "", [-1], ["Symbol", "x", {}]],
        ["Given", "q", "00", "", "x", ["Symbol", "x", {}]],
        ["Tabulated", "a", 5, [], "", [], ["Symbol", "x", {}]],
        ["Tabulated", "a", 5, ["no base64!"], "AAAA", [], ["Symbol", "x", {}]],
        ["Tabulated", "a", 5, ["AAAA"], "AAAA", [], ["Symbol", "x", {}]],
        ["UnknownField", "a"],
        ["UnknownField", "a", ["Integer", "1"]],
        ["Eigenvalue", "lam", "near"],
    ],
    ids=str,
)
def test_damaged_trees_are_refused(tree: list[Any]) -> None:
    with pytest.raises(ProblemError):
        from_tree(tree)


# ---- in problems

u = sp.Function("u")(x, y)
SQUARE = kp.Box({x: (-1, 1), y: (-1, 1)})


def conduction(factor: float = 1.0, table: float = 1.0) -> kp.Problem:
    a = Tabulated("a", {x: EVEN, y: EVEN}, table * (2 + np.sin(EVEN[:, None]) * EVEN))
    q = Given("q", closure(factor))(x)
    return kp.Problem(SQUARE, kp.divergence(a * kp.gradient(u)) + q, kp.Dirichlet(u, Given("g", wave)(x, y)))


def test_signatures_follow_content() -> None:
    signatures = {conduction(*c).signature for c in ((), (), (2.0,), (1.0, 2.0))}
    assert len(signatures) == 3
    assert conduction().signature == conduction().signature


def test_problems_with_code_are_read_without_it() -> None:
    before = conduction()
    after = problem_from_tree(json.loads(json.dumps(problem_to_tree(before))))
    assert (after.signature, after.text) == (before.signature, before.text)
    assert problem_to_tree(after) == problem_to_tree(before)


def test_derivatives_inside_a_divergence() -> None:
    problem = conduction()
    points = np.stack([X, Y], axis=1)
    operator = problem.operators[0]
    slopes = dict(zip((v.derivative for v in operator.jet), operator.gradient, strict=True))
    found = {alpha: values(slope, X, Y) for alpha, slope in slopes.items()}
    np.testing.assert_allclose(found[2, 0], 2 + np.sin(X) * Y, rtol=1e-6)
    np.testing.assert_allclose(found[1, 0], np.cos(X) * Y, atol=1e-4)
    np.testing.assert_allclose(operator.evaluate(points, np.zeros((4, 7)), np), X, rtol=1e-15)


def test_tables_too_small_for_the_domain_are_noticed() -> None:
    a = Tabulated("a", {x: EVEN / 2, y: EVEN}, np.ones((21, 21)))
    with pytest.raises(ProblemError, match=r"a\(x, y\) is not finite at x = "):
        kp.Problem(SQUARE, kp.laplacian(u) - a, kp.Dirichlet(u, 0))


def test_tables_of_the_unknown() -> None:
    law = Tabulated("K", [2 * EVEN], np.exp(EVEN))
    (operator,) = kp.Problem(SQUARE, kp.divergence(law(u) * kp.gradient(u)), kp.Dirichlet(u, 0)).operators
    assert not operator.is_linear
    assert {v.derivative for v in operator.jet} == {(0, 0), (1, 0), (0, 1), (2, 0), (0, 2)}


def test_complex_problems_with_complex_data() -> None:
    w = kp.complex_unknown("w", x, y)
    q = Given("q", lambda a, b: np.exp(1j * a) + 0 * b, complex=True)(x, y)
    problem = kp.Problem(SQUARE, kp.laplacian(w) + q * w, kp.Dirichlet(w, q))
    assert [str(c.value) for c in problem.conditions] == ["re q(x, y)", "im q(x, y)"]
    first = problem.operators[0]
    jet = np.array([[1.0 if v.derivative == (0, 0) and v.unknown == 1 else 0.0] * 7 for v in first.jet])
    np.testing.assert_allclose(first.evaluate(np.stack([X, Y], axis=1), jet, np), np.cos(X), rtol=1e-15)


def test_data_from_code_are_soft_where_derivatives_are_missing() -> None:
    from_code = kp.Problem(SQUARE, kp.laplacian(u), kp.Dirichlet(u, Given("g", wave)(x, y)))
    from_table = kp.Problem(
        SQUARE, kp.laplacian(u), kp.Dirichlet(u, Tabulated("g", {x: EVEN, y: EVEN}, np.ones((21, 21))))
    )
    impose = pytest.importorskip("kanpde.lifting").impose
    assert impose(from_code).imposed == ()
    assert impose(from_table).imposed == (0,)
