"""Marching in windows of time, and several modes by deflation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import sympy as sp

import kanpde as kp
from kanpde.errors import ProblemError
from kanpde.solution.deflation import deflated
from kanpde.solution.windows import WindowedField, can_march, edges_of, window_problem, windows_for

x, t = sp.symbols("x t", real=True)
u = sp.Function("u")(x, t)
EXACT = sp.exp(-t) * sp.sin(x)


def decay(**changes: object) -> kp.Problem:
    parts = {
        "domain": kp.Box({x: (0, 2 * sp.pi)}) * kp.Time(t, (0, 2)),
        "equations": sp.Eq(u.diff(t), u.diff(x, 2)),
        "conditions": [kp.Periodic(u, x), kp.Initial(u, sp.sin(x))],
        "exact": {u: EXACT},
        "name": "decay",
    }
    return kp.Problem(**(parts | changes))


def test_swings_of_a_coarse_solution_decide_how_many_windows() -> None:
    problem = decay()
    assert windows_for(problem, lambda p: np.sin(p[:, :1]) * np.exp(-p[:, 1:])) == 1
    # sin 12 t swings through its range 12 · 2 / π ≈ 7.6 times on (0, 2), there and back.
    assert windows_for(problem, lambda p: np.sin(p[:, :1]) * np.sin(24 * p[:, 1:])) == 2
    assert windows_for(problem, lambda p: np.sin(p[:, :1]) * np.sin(96 * p[:, 1:])) > 5


def test_windows_partition_the_time() -> None:
    assert edges_of(decay(), 4) == (0.0, 0.5, 1.0, 1.5, 2.0)


def test_a_window_begins_where_the_last_one_ended() -> None:
    class Field:
        network = kp.KAN([2, 1, 1])  # what tells one window from another

        def jet(self, points: np.ndarray, variables: object) -> np.ndarray:  # noqa: ARG002 - as of a trained field
            return np.cos(points[:, :1]) * points[:, 1:]

    own = window_problem(decay(), 1.0, 2.0, Field())
    (initial,) = [c for c in own.conditions if c.kind == "initial"]
    points = np.array([[0.3, 1.0], [2.0, 1.0]])
    assert own.domain.bounds[1].tolist() == [1.0, 2.0]
    np.testing.assert_allclose(initial.operator.evaluate(points, np.zeros((1, 2)), np), -np.cos(points[:, 0]))


def test_a_window_is_told_by_the_numbers_of_the_one_before(tmp_path: Path) -> None:
    """So that a later process knows it again; what evaluations have left in caches does not count."""
    first = kp.solve(decay(), 1e-1, stages=[kp.Stage(iterations=1, points=60)], network=kp.KAN([2, 1, 1]))
    signature = window_problem(decay(), 1.0, 2.0, first.field).signature
    again = kp.load(first.save(tmp_path / "first.h5"))
    assert window_problem(decay(), 1.0, 2.0, again.field).signature == signature
    again.field.network.set_theta(again.field.network.theta * (1 + 1e-15))
    assert window_problem(decay(), 1.0, 2.0, again.field).signature != signature


def test_what_cannot_be_cut_is_refused() -> None:
    stationary = kp.Problem(kp.Box({x: (0, 1)}), sp.Function("v")(x).diff(x, 2), kp.Dirichlet(sp.Function("v")(x), 0))
    assert can_march(decay())
    assert not can_march(stationary)
    with pytest.raises(ProblemError, match="cannot be solved in windows"):
        kp.solve(stationary, windows=2)


@pytest.mark.slow
def test_two_windows_are_one_solution_that_survives_its_file(tmp_path: Path) -> None:
    solution = kp.solve(decay(), rtol=1e-2, windows=2, max_seconds=20)
    assert isinstance(solution.field, WindowedField)
    assert solution.relative_l2 is not None
    assert solution.relative_l2 < 1e-2
    points = np.random.default_rng(0).uniform(0, 2, (40, 2))
    again = kp.load(solution.save(tmp_path / "decay.h5"))
    assert np.array_equal(again(points), solution(points))
    assert again.n_parameters == solution.n_parameters == sum(f.network.n_parameters for f in solution.field.fields)
    assert {row["window"] for row in again.history} == {0, 1}


@pytest.mark.slow
def test_modes_of_a_string_come_one_by_one() -> None:
    w = sp.Function("w")(x)
    tone = kp.Eigenvalue("lam", near=9)
    string = kp.Problem(kp.Box({x: (0, sp.pi)}), sp.Eq(-w.diff(x, 2), tone * w), kp.Dirichlet(w, 0), name="string")
    found = [solution.identified["lam"] for solution in kp.modes(string, 2, 1e-5, max_seconds=20)]
    roots = np.sqrt(found)
    np.testing.assert_allclose(roots, np.round(roots), rtol=1e-4)
    assert round(roots[0]) != round(roots[1])
    assert 3 in np.round(roots)


def test_a_deflated_problem_has_one_condition_more_a_mode() -> None:
    w = sp.Function("w")(x)
    tone = kp.Eigenvalue("lam", near=1)
    string = kp.Problem(kp.Box({x: (0, sp.pi)}), sp.Eq(-w.diff(x, 2), tone * w), kp.Dirichlet(w, 0), name="string")
    first = kp.solve(string, 1e-3, max_seconds=10)
    second = deflated(string, [first])
    kinds = [c.kind for c in second.conditions]
    assert kinds.count("integral") == 2
    with pytest.raises(ProblemError, match="0 eigenvalues"):
        kp.modes(decay(), 2)
