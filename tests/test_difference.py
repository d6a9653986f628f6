"""The error as the distance from a solution by the method of lines."""

from collections.abc import Callable

import numpy as np
import pytest
import sympy as sp

import kanpde as kp
from kanpde.errors import ProblemError
from kanpde.operator import JetVariable
from kanpde.problem import Problem
from kanpde.references import difference
from kanpde.references.difference import ReferenceDifference, _thinned
from kanpde.references.function import GridFunction

x, t, y = sp.symbols("x t y", real=True)
u = sp.Function("u")(x, t)
LINE = kp.Box({x: (-1, 1)}) * kp.Time(t, (0, 1))
WAVE = 1 / (1 + sp.exp((x - t / 2) / sp.Rational(1, 5)))  # travelling front at nu = 0.1


def burgers() -> Problem:
    equation = sp.Eq(u.diff(t) + u * u.diff(x), u.diff(x, 2) / 10)
    return Problem(LINE, equation, [kp.Dirichlet(u, WAVE), kp.Initial(u, WAVE.subs(t, 0))], {u: WAVE}, "burgers")


def off_by(problem: Problem, size: float) -> Callable[[np.ndarray, list[JetVariable]], np.ndarray]:
    """The jet of the exact solution times 1 + size."""
    return lambda points, variables: (1 + size) * problem.exact_jet(points, variables).T


@pytest.fixture(scope="module")
def solver() -> ReferenceDifference:
    return ReferenceDifference(burgers())


def test_the_test_problem_is_right() -> None:
    residual = u.diff(t) + u * u.diff(x) - u.diff(x, 2) / 10
    value = residual.subs(u, WAVE).doit().subs({x: 0.3, t: 0.4})
    assert abs(float(value)) < 1e-14


@pytest.mark.parametrize("size", [1e-2, 1e-4])
def test_the_distance_is_the_error(solver: ReferenceDifference, size: float) -> None:
    found = solver.estimate(off_by(solver.problem, size))
    assert found.trusted
    assert found.relative == pytest.approx(size, rel=0.02)
    assert found.correction is None


def test_it_is_never_below_what_the_reference_knows(solver: ReferenceDifference) -> None:
    found = solver.estimate(off_by(solver.problem, 0.0))
    assert found.trusted
    assert found.relative is not None
    assert 0 < found.relative < 1e-5
    assert solver._function is not None
    assert found.relative >= solver._function.error_estimate


def test_the_reference_is_computed_once(solver: ReferenceDifference, monkeypatch: pytest.MonkeyPatch) -> None:
    solver.estimate(off_by(solver.problem, 0.1))
    monkeypatch.setattr(difference, "method_of_lines", None)
    assert solver.estimate(off_by(solver.problem, 0.1)).relative == pytest.approx(0.1, rel=1e-3)


def test_what_fails_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> GridFunction:
        raise ProblemError("too stiff for this test")

    monkeypatch.setattr(difference, "method_of_lines", refuse)
    found = ReferenceDifference(burgers()).estimate(off_by(burgers(), 0.1))
    assert (found.trusted, found.relative, found.reason) == (False, None, "too stiff for this test")


def test_what_it_does_not_take() -> None:
    v = sp.Function("v")(x, y)
    still = Problem(kp.Box({x: (0, 1), y: (0, 1)}), sp.Eq(kp.laplacian(v), 1), kp.Dirichlet(v, 0), name="still")
    with pytest.raises(ProblemError, match="still is no initial value problem on a box with known coefficients"):
        ReferenceDifference(still)
    frozen = Problem(LINE, sp.Eq(u.diff(x, 2), t), kp.Dirichlet(u, 0), name="frozen")
    with pytest.raises(ProblemError, match="frozen has no derivative in time"):
        ReferenceDifference(frozen)
    w = sp.Function("w")(x, y, t)
    disk = kp.Disk((x, y), (0, 0), 1) * kp.Time(t, (0, 1))
    round_one = Problem(disk, sp.Eq(w.diff(t), kp.laplacian(w)), [kp.Dirichlet(w, 0), kp.Initial(w, 0)], name="round")
    with pytest.raises(ProblemError, match="round is no initial value problem on a box"):
        ReferenceDifference(round_one)


def test_thinning_keeps_the_other_axis_and_the_order_of_weights() -> None:
    lines = [np.linspace(0, 1, 50), np.linspace(0, 2, 4000)]
    weights = np.outer(np.full(50, 0.02), np.full(4000, 2 / 4000))
    few, thin = _thinned(lines, weights)
    assert thin.shape == (50, 800)
    assert [len(line) for line in few] == [50, 800]
    assert thin.sum() * 5 == pytest.approx(weights.sum(), rel=1e-12)
    mean = (few[1] ** 2 * thin).sum() / thin.sum()
    assert mean == pytest.approx(4 / 3, rel=1e-3)
    same, all_of_them = _thinned([lines[0], lines[1][:100]], weights[:, :100])
    assert all_of_them.shape == (50, 100)
    assert len(same[1]) == 100
