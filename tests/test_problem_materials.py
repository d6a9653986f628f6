"""What users see of materials: domains cut where a coefficient jumps, with continuity of unknowns and fluxes."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import sympy as sp

import kanpde as kp
from kanpde.errors import ProblemError, ProblemWarning
from kanpde.problem import problem_from_tree, problem_to_tree

x, y, t = sp.symbols("x y t", real=True)
u, v = sp.Function("u")(x, y), sp.Function("v")(x, y)
SQUARE = kp.Box({x: (-1, 1), y: (-1, 1)})
HALVES = sp.Piecewise((4, x < 0), (1, True))


def layered(coefficient: sp.Expr = HALVES, domain: Any = SQUARE, **changes: Any) -> kp.Problem:
    given = changes.pop("conditions", kp.Dirichlet(u, 0))
    return kp.Problem(domain, -kp.divergence(coefficient * kp.gradient(u)) - 1, given, **changes)


def of_kind(problem: kp.Problem, kind: str) -> list[Any]:
    return [c for c in problem.conditions if c.kind == kind]


def test_each_material_has_its_field_its_equation_and_its_region() -> None:
    problem = layered()
    assert [f.name for f in problem.fields] == ["u_1", "u_2"]
    assert problem.unknowns == (u,)
    assert [sorted({w.unknown for w in o.jet}) for o in problem.operators] == [[0], [1]]
    left, right = np.array([[-0.5, 0.3]]), np.array([[0.5, 0.3]])
    assert [r.contains(left)[0] for r in problem.regions] == [True, False]
    assert [r.contains(right)[0] for r in problem.regions] == [False, True]
    assert [str(o) for o in problem.operators] == ["-4*u_1_xx - 4*u_1_yy - 1 = 0", "-u_2_xx - u_2_yy - 1 = 0"]


def test_an_enclosed_material_needs_no_outer_condition() -> None:
    problem = layered(sp.Piecewise((10, sp.sqrt(x**2 + y**2) <= 0.5), (1, True)))
    (outer,) = of_kind(problem, "dirichlet")
    assert outer.target.unknown == 1
    assert outer.region.measure == pytest.approx(8.0)


def test_quadrants_meet_in_four_interfaces() -> None:
    quadrants = sp.Piecewise((1, (x < 0) & (y < 0)), (2, x < 0), (3, y < 0), (4, True))
    problem = layered(quadrants)
    values = [c for c in of_kind(problem, "interface") if c.operator.order == 0]
    assert sorted(sorted(c.unknowns) for c in values) == [[0, 1], [0, 2], [1, 3], [2, 3]]
    assert [c.region.measure for c in values] == [pytest.approx(1.0)] * 4


def test_shapes_have_materials_too() -> None:
    disk = kp.Disk((x, y), (0, 0), 1)
    problem = layered(sp.Piecewise((2, y > x), (1, True)), disk)
    assert of_kind(problem, "interface")[0].region.measure == pytest.approx(2.0)
    assert [r.measure for r in problem.regions] == [pytest.approx(np.pi / 2, rel=2e-3)] * 2


def test_an_exact_solution_is_resolved_in_each_material() -> None:
    """u = x/4 on the left and x on the right has the same flux, and kinks."""
    exact = sp.Piecewise((x / 4, x <= 0), (x, True))
    problem = kp.Problem(SQUARE, kp.divergence(HALVES * kp.gradient(u)), kp.Dirichlet(u, exact), exact={u: exact})
    assert problem.exact_fields == (x / 4, x)
    assert [c.value for c in of_kind(problem, "dirichlet")] == [x / 4, x]
    assert problem.exact_values(np.array([[-0.4, 0.0], [0.4, 0.0]])).tolist() == [[-0.1], [0.4]]


def test_a_flux_that_jumps_is_noticed() -> None:
    with pytest.warns(ProblemWarning, match="does not satisfy the jump of flux 1"):
        kp.Problem(SQUARE, kp.divergence(HALVES * kp.gradient(u)), kp.Dirichlet(u, x), exact={u: x})


def test_time_and_capacities() -> None:
    w = sp.Function("w")(x, t)
    capacity, conductivity = sp.Piecewise((2, x < 1), (1, True)), sp.Piecewise((1, x < 1), (5, True))
    problem = kp.Problem(
        kp.Box({x: (0, 2)}) * kp.Time(t, (0, 1)),
        capacity * w.diff(t) - kp.divergence(conductivity * kp.gradient(w)),
        [kp.Dirichlet(w, 0), kp.Initial(w, sp.sin(sp.pi * x / 2))],
    )
    assert [str(o) for o in problem.operators] == ["2*w_1_t - w_1_xx = 0", "w_2_t - 5*w_2_xx = 0"]
    assert [c.region.measure for c in of_kind(problem, "interface")] == [1.0, 1.0]
    assert [c.region.measure for c in of_kind(problem, "initial")] == [1.0, 1.0]


def test_tractions_are_continuous() -> None:
    stiffness = sp.Piecewise((1, x < 0), (3, True))
    normal, shear = stiffness * (u.diff(x) + v.diff(y) / 4), stiffness * (u.diff(y) + v.diff(x))
    other = stiffness * (v.diff(y) + u.diff(x) / 4)
    problem = kp.Problem(
        SQUARE,
        [kp.divergence([normal, shear]), kp.divergence([shear, other])],
        [kp.Dirichlet(u, 0), kp.Dirichlet(v, x)],
    )
    assert [c.operator.order for c in of_kind(problem, "interface")] == [0, 0, 1, 1]


def test_steps_are_materials() -> None:
    assert len(layered(1 + 3 * sp.Heaviside(x)).fields) == 2
    assert len(layered(2 + sp.sign(x - y)).fields) == 2


def test_a_missing_side_is_noticed_in_its_material() -> None:
    with pytest.raises(ProblemError, match=r"u_1.* has no condition on the part of the boundary.* for u\."):
        layered(conditions=kp.Dirichlet(u, 0, on=SQUARE.lower(x) | SQUARE.upper(x)))


def test_a_coefficient_with_a_gap_is_refused() -> None:
    with pytest.raises(ProblemError, match=r"no value at .* last branch"):
        layered(sp.Piecewise((1, x < 0), (2, x > sp.Rational(1, 2))))


def test_materials_of_fourth_order_are_refused() -> None:
    with pytest.raises(ProblemError, match="second order"):
        kp.Problem(SQUARE, kp.laplacian(kp.divergence(HALVES * kp.gradient(u))), kp.Dirichlet(u, 0))


def test_a_problem_with_materials_comes_back_from_its_tree() -> None:
    before = layered(sp.Piecewise((10, x**2 + y**2 < sp.Rational(1, 4)), (1, True)))
    after = problem_from_tree(json.loads(json.dumps(problem_to_tree(before))))
    assert (after.signature, after.text) == (before.signature, before.text)
    assert [r.text for r in after.regions] == [r.text for r in before.regions]
    assert after.signature != layered().signature
