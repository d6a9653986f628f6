"""Corners where data disagree: found where they are, counted less, an angle as an input."""

import cases
import numpy as np
import pytest
import sympy as sp

import kanpde as kp
from kanpde.collocation import collocate
from kanpde.corners import Conflict, conflicts
from kanpde.features import features_of
from kanpde.field import SymbolicField
from kanpde.lifting import impose
from kanpde.plan import tempered

x, y, t = sp.symbols("x y t", real=True)
u, w = sp.Function("u")(x, y), sp.Function("w")(x, t)
BOX = kp.Box({x: (0, 2), y: (-1, 0)})


def poisson(*conditions: kp.Dirichlet) -> kp.Problem:
    return kp.Problem(BOX, sp.Eq(kp.laplacian(u), 1), list(conditions), name="jumps")


@pytest.mark.filterwarnings("ignore::kanpde.errors.ProblemWarning")
def test_the_lid_of_a_cavity_meets_its_walls() -> None:
    problem = cases.load("cavity")
    found = conflicts(problem)
    velocity = [f.func.__name__ for f in problem.fields].index("u")
    assert [(c.field, c.corner, c.inward) for c in found] == [
        (velocity, (0.0, 1.0), (1.0, -1.0)),
        (velocity, (1.0, 1.0), (-1.0, -1.0)),
    ]
    assert {c.radius for c in found} == {0.1}


@pytest.mark.parametrize("name", ["poisson", "coupled", "poisson_robin", "heat_1d", "disk", "l_shape", "poisson_3d"])
def test_data_that_agree_are_no_conflict(name: str) -> None:
    assert conflicts(cases.load(name)) == ()


@pytest.mark.filterwarnings("ignore::kanpde.errors.ProblemWarning")
def test_values_are_compared_at_the_corner_and_not_elsewhere() -> None:
    """Data that differ everywhere but at the corners agree; a jump at one corner is one conflict."""
    sides = BOX.lower(x) | BOX.upper(x)
    floors = BOX.lower(y) | BOX.upper(y)
    assert conflicts(poisson(kp.Dirichlet(u, sp.sin(sp.pi * y), on=sides), kp.Dirichlet(u, 0, on=floors))) == ()
    bent = poisson(kp.Dirichlet(u, x, on=floors), kp.Dirichlet(u, 1 + sp.Abs(x - 1) + x * (y + 1), on=sides))
    # At x = 0 the sides have 2 against 0; at x = 2, y = -1 both are 2; at x = 2, y = 0 it is 4 against 2.
    assert [c.corner for c in conflicts(bent)] == [(0.0, -1.0), (0.0, 0.0), (2.0, 0.0)]
    assert {c.radius for c in conflicts(bent)} == {0.1}


@pytest.mark.filterwarnings("ignore::kanpde.errors.ProblemWarning")
def test_time_and_neumann_data_are_no_corner() -> None:
    box = kp.Box({x: (0, 1)}) * kp.Time(t, (0, 1))
    jump = kp.Problem(box, sp.Eq(w.diff(t), w.diff(x, 2)), [kp.Dirichlet(w, 0), kp.Initial(w, 1)], name="jump")
    assert conflicts(jump) == ()
    sides, floors = BOX.lower(x) | BOX.upper(x), BOX.lower(y) | BOX.upper(y)
    assert conflicts(poisson(kp.Dirichlet(u, 1, on=sides), kp.Neumann(u, 0, on=floors))) == ()


def test_weights_vanish_at_the_corner_and_leave_the_rest() -> None:
    conflict = Conflict(0, (0.0, 1.0), (1.0, -1.0), 0.1)
    spots = np.array([[0.0, 1.0], [0.1, 1.0], [0.0, 0.8], [0.9, 0.1]])
    far = 1.62 / (1.62 + 0.01)
    np.testing.assert_allclose(conflict.weight(spots), [0.0, 0.25, 0.64, far**2], rtol=1e-12)


def test_the_angle_goes_from_zero_to_one() -> None:
    conflict = Conflict(0, (2.0, 0.0), (-1.0, -1.0), 0.1)
    angle = SymbolicField((x, y), (conflict.angle((x, y)),))
    spots = np.array([[1.5, 0.0], [1.5, -0.5], [2.0, -0.5], [2 - np.cos(0.3), -np.sin(0.3)]])
    np.testing.assert_allclose(angle.values(spots)[:, 0], [0.0, 0.5, 1.0, 0.6 / np.pi], atol=1e-14)


@pytest.mark.filterwarnings("ignore::kanpde.errors.ProblemWarning")
def test_fields_with_conflicts_are_left_soft_and_get_the_angles() -> None:
    problem = cases.load("cavity")
    names = [f.func.__name__ for f in problem.fields]
    ansatz = impose(problem)
    assert ansatz.factor.expressions[names.index("u")] == 1
    assert ansatz.factor.expressions[names.index("v")] != 1
    features = features_of(problem)
    assert features is not None
    assert features.expressions == (x, y, *(c.angle((x, y)) for c in conflicts(problem)))
    inside = collocate(problem.domain.interior, 50)
    expected = inside.weights * np.prod([c.weight(inside.x) for c in conflicts(problem)], axis=0)
    np.testing.assert_allclose(tempered(problem, inside).weights, expected, rtol=1e-13)


def test_points_of_plain_problems_keep_their_weights() -> None:
    problem = cases.load("poisson")
    inside = collocate(problem.domain.interior, 50)
    np.testing.assert_array_equal(tempered(problem, inside).weights, inside.weights)
