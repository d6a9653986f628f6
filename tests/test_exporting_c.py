"""Solutions as C files: compiled without a warning, they have the values and the derivatives of the solution."""

import ctypes
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sympy as sp
import torch
from exported import NETWORKS, PROBLEMS, assert_equal, parts, points_of, solution, solved, values_of, x, y
from onnx.reference import ReferenceEvaluator

import kanpde as kp
from kanpde.errors import ProblemError
from kanpde.exporting import Composition, c_source, exported_program, onnx_model
from kanpde.exporting.traced import ComposedModule
from kanpde.field import Ansatz, SymbolicField
from kanpde.network import MLP, ModuleNetwork
from kanpde.solution.composing import composed
from kanpde.solution.windows import WindowedField

COMPILER = shutil.which("cc")
STRICT = ["-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror", "-O2"]
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="there is no C compiler")


def compiled(source: Path, *options: str) -> Path:
    target = source.with_suffix("")
    command = [str(COMPILER), *STRICT, *options, str(source), "-o", str(target), "-lm"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return target


def called(library: Path, name: str, points: np.ndarray, columns: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values (n, c), slopes (n, c, d), and values where no slopes are asked for."""
    function = getattr(ctypes.CDLL(str(library)), name)
    doubles = ctypes.POINTER(ctypes.c_double)
    function.argtypes, function.restype = [doubles] * 3, None
    values, alone = np.full((2, len(points), columns), np.nan)
    slopes = np.full((len(points), columns, points.shape[1]), np.nan)
    for point, own, slope, again in zip(np.ascontiguousarray(points), values, slopes, alone, strict=True):
        function(*(a.ctypes.data_as(doubles) for a in (point, own, slope)))
        function(point.ctypes.data_as(doubles), again.ctypes.data_as(doubles), None)
    return values, slopes, alone


def slopes_of(found: kp.Solution, points: np.ndarray) -> np.ndarray:
    """(n, c, d)."""
    problem = found.problem
    rows = [[found.derivative(unknown.diff(s))(points) for s in problem.coordinates] for unknown in problem.unknowns]
    return np.stack([np.stack(p, axis=1) for row in rows for p in zip(*map(parts, row), strict=True)], axis=1)


@needs_compiler
@pytest.mark.parametrize("name", [*NETWORKS, *PROBLEMS])
def test_values_and_derivatives_are_those_of_the_solution(name: str, tmp_path: Path) -> None:
    whole = solution(name)
    composition, points = composed(whole.field, whole.problem), points_of(whole.problem)
    source = tmp_path / "s.c"
    source.write_text(c_source(composition, "s"))
    library = compiled(source, "-shared", "-fPIC")
    values, slopes, alone = called(library, "s", points, len(composition.columns))
    np.testing.assert_array_equal(alone, values)
    assert_equal(values, values_of(whole, points))
    assert_equal(slopes, slopes_of(whole, points))


@needs_compiler
def test_the_program_prints_values_and_derivatives(tmp_path: Path) -> None:
    whole = solution("mixed")
    points = points_of(whole.problem, 4)
    program = compiled(whole.export(tmp_path / "flow-2.c"), "-DFLOW_2_MAIN")
    lines = "\n".join(" ".join(map(repr, point)) for point in points.tolist())
    result = subprocess.run([program], input=lines, capture_output=True, text=True, check=True)
    rows = np.array([line.split() for line in result.stdout.splitlines()], dtype=float)
    assert_equal(rows, np.hstack([values_of(whole, points), slopes_of(whole, points).reshape(len(points), -1)]))
    for damaged in ("1.0", "1.0 nonsense", "1 2 3"):
        assert subprocess.run([program], input=damaged, capture_output=True, text=True, check=False).returncode == 1


@needs_compiler
@pytest.mark.parametrize(
    ("name", "function"),
    [("sin", "sin_"), ("layer_0", "layer_0_"), ("D", "D_"), ("x", "x_"), ("2 Größen", "u_2_Gr__en"), ("int", "int_")],
)
def test_names_that_c_has_already(name: str, function: str, tmp_path: Path) -> None:
    whole = solution("tanh")
    composition, source = composed(whole.field, whole.problem), tmp_path / "file.c"
    source.write_text(c_source(composition, name))
    assert f"\nvoid {function}(const double *x, double *u, double *du)\n{{" in source.read_text()
    points = points_of(whole.problem, 3)
    values, _, _ = called(compiled(source, "-shared", "-fPIC"), function, points, 1)
    assert_equal(values, whole(points))
    compiled(source, f"-D{function.upper()}_MAIN")


def test_the_comment_cannot_be_left() -> None:
    network = NETWORKS["tanh"]()
    network.title = "a */ b /* c"
    text = c_source(Composition.of(network), "f")
    assert text.startswith("/*\n * a * / b / * c: values and first derivatives at one point.\n")


SMOOTH = (
    sum(f((x + 2) / 5) for f in (sp.sin, sp.cos, sp.tan, sp.asin, sp.acos, sp.atan, sp.sinh, sp.cosh, sp.tanh))
    + sp.asinh(x) * sp.atanh((x + 2) / 5) * sp.exp(y) * sp.log(x + 3) * sp.sqrt(x + 4)
    + sp.acosh(y + 2) * sp.atan2(y + 1, x - 5) * (y + 1) ** sp.Rational(1, 3)
    + 1 / (x + 4) ** 3
)
FUNCTIONS = {
    "smooth": SMOOTH,
    "branches": sp.Piecewise(
        (x**2, (x < 0) & (y <= 0.5)), (sp.Min(x, y), (x > 1) | ~(y >= 0.25)), (sp.Max(y, 0.1), sp.Ne(x, 0.5)), (1, True)
    ),
    "a constant": sp.Integer(3),
}


def with_lift(lift: sp.Expr) -> Composition:
    """u = lift + 0.5 N."""
    fields = [SymbolicField((x, y), (e,)) for e in (lift, sp.Rational(1, 2))]
    return replace(Composition.of(NETWORKS["tanh"]()), ansatz=Ansatz(*fields))


def truth(lift: sp.Expr, points: np.ndarray) -> np.ndarray:
    network = NETWORKS["tanh"]()(torch.as_tensor(points)).detach().numpy()
    return SymbolicField((x, y), (lift,)).values(points) + 0.5 * network


def assert_all_equal(composition: Composition, points: np.ndarray, wanted: np.ndarray, directory: Path) -> None:
    """In C, in ONNX, and in torch."""
    source = directory / "f.c"
    source.write_text(c_source(composition, "f"))
    assert_equal(called(compiled(source, "-shared", "-fPIC"), "f", points, wanted.shape[1])[0], wanted)
    assert_equal(ReferenceEvaluator(onnx_model(composition)).run(None, {"points": points})[0], wanted)
    assert_equal(ComposedModule(composition)(torch.as_tensor(points)).detach().numpy(), wanted)


@needs_compiler
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_of_the_ansatz_are_those_of_numpy(name: str, tmp_path: Path) -> None:
    points = np.random.default_rng(1).uniform((-1, 0), (2, 1), (200, 2))
    points[:2] = [[0, 0.5], [0.5, 0.5]]
    assert_all_equal(with_lift(FUNCTIONS[name]), points, truth(FUNCTIONS[name], points), tmp_path)


STEPS = {
    "floor": sp.floor(3 * x),
    "ceiling": sp.ceiling(2 * x) - 1,
    "remainder": sp.Mod(x, sp.Rational(7, 10)) - sp.Rational(1, 4),
    "negative divisor": sp.Mod(y, -sp.Rational(3, 10)) + sp.Rational(1, 8),
    "sign": sp.sign(x - y),
    "step": sp.Heaviside(x, 1) - sp.Rational(1, 2),
}


@needs_compiler
def test_materials_are_those_of_numpy(tmp_path: Path) -> None:
    """The first material that holds, the first of all where none does; whatever a predicate is made of."""
    network = MLP([2, 3, len(STEPS) + 1], seed=1)
    predicates = (x < -2, *(sp.And(e > 0, y > k / 8, y < (k + 1) / 8) for k, e in enumerate(STEPS.values())))
    shares = tuple((k,) for k in range(len(predicates)))
    whole = replace(Composition.of(network), columns=("u",), shares=shares, predicates=predicates, symbols=(x, y))
    points = np.random.default_rng(2).uniform((-1, 0), (2, 1), (400, 2))
    points[0] = [0, 5.5 / 8]
    held = SymbolicField((x, y), tuple(sp.Piecewise((1, p), (0, True)) for p in predicates)).values(points)
    number = np.argmax(held, axis=1)
    assert len(set(number)) == len(STEPS) + 1
    values = network(torch.as_tensor(points)).detach().numpy()
    assert_all_equal(whole, points, values[np.arange(len(points)), number][:, None], tmp_path)


GIVEN = kp.Given("q", lambda a: a, derivatives={(1,): lambda a: 0 * a})


@pytest.mark.parametrize(
    ("lift", "message"),
    [
        (sp.besselj(0, x), "C99 has no function besselj; solve with exact_conditions=False"),
        (sp.loggamma(x + 3), "C99 has no function polygamma; solve with"),
        (GIVEN(x), "C99 cannot hold q, which is no formula; solve with"),
    ],
)
def test_what_c_cannot_hold(lift: sp.Expr, message: str) -> None:
    with pytest.raises(ProblemError, match=message):
        c_source(with_lift(lift), "f")


@pytest.mark.parametrize("make", [onnx_model, exported_program])
def test_what_the_others_cannot_hold(make: Callable[[Composition], object]) -> None:
    with pytest.raises(ProblemError, match="has no function besselj; solve with exact_conditions=False"):
        make(with_lift(sp.besselj(0, x)))
    with pytest.raises(ProblemError, match="cannot hold q, which is no formula"):
        make(with_lift(GIVEN(x)))


def test_onnx_has_no_error_function_with_all_digits() -> None:
    with pytest.raises(ProblemError, match="ONNX in float64 has no function erf; solve with"):
        onnx_model(with_lift(sp.erf(x)))


@needs_compiler
def test_the_error_function_in_c(tmp_path: Path) -> None:
    lift, source, points = sp.erf(x) * sp.erfc(y), tmp_path / "f.c", np.random.default_rng(3).random((20, 2))
    source.write_text(c_source(with_lift(lift), "f"))
    assert_equal(called(compiled(source, "-shared", "-fPIC"), "f", points, 1)[0], truth(lift, points))


@pytest.mark.parametrize("suffix", ["c", "onnx", "pt2"])
def test_windows_of_time_are_refused(suffix: str, tmp_path: Path) -> None:
    warm = solution("warm")
    whole = solved(warm.problem, WindowedField((warm.field, warm.field), (1.0, 1.5, 2.0), 2))
    with pytest.raises(ProblemError, match=r"warm was solved in 2 windows of time.*windows=1, or export to \.npz"):
        whole.export(tmp_path / f"s.{suffix}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("make", "what"), [(lambda c: c_source(c, "f"), "C code"), (onnx_model, "an ONNX model")])
def test_modules_of_users_are_refused(make: Callable[[Composition], object], what: str) -> None:
    module = ModuleNetwork(torch.nn.Linear(2, 1).double(), 2)
    with pytest.raises(ProblemError, match=f"{what} cannot be made of your own module Linear; export to .pt2"):
        make(Composition.of(module))


@pytest.mark.parametrize("make", [lambda c: c_source(c, "f"), onnx_model, exported_program])
def test_coefficients_that_are_no_numbers_are_refused(make: Callable[[Composition], object]) -> None:
    network = NETWORKS["tanh"]()
    network.set_theta(network.theta * np.inf)
    with pytest.raises(ProblemError, match="has coefficients that are not finite; solve again"):
        make(Composition.of(network))
