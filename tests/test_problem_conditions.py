"""Conditions that identify and normalise: what counts as data, and how all kinds are stored."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import sympy as sp

import kanpde as kp
from kanpde.errors import ProblemWarning
from kanpde.problem import problem_from_tree, problem_to_tree

x, y = sp.symbols("x y", real=True)
u, v, p = (sp.Function(name)(x, y) for name in "uvp")
SQUARE = kp.Box({x: (0, 1), y: (0, 1)})
POINTS = np.array([[0.25, 0.5], [0.5, 0.75], [0.9, 0.1]])
NU = kp.Parameter("nu", initial=0.3)


def measured(**changes: Any) -> kp.Problem:
    data = kp.Observations(u, POINTS, **{"values": [1.0, 2.0, 3.0], **changes})
    return kp.Problem(SQUARE, sp.Eq(NU * kp.laplacian(u), -1), [kp.Dirichlet(u, 0), data])


def flow(*gauge: Any) -> kp.Problem:
    equations = [kp.laplacian(u) - p.diff(x), kp.laplacian(v) - p.diff(y), u.diff(x) + v.diff(y)]
    return kp.Problem(SQUARE, equations, [kp.Dirichlet(u, 0), kp.Dirichlet(v, 0), *gauge])


def test_data_cannot_be_changed_afterwards() -> None:
    values = np.array([1.0, 2.0, 3.0])
    problem = measured(values=values)
    values[0] = 7.0
    data = problem.conditions[-1].data
    assert data.values[0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        data.points[0] = 0.0


@pytest.mark.parametrize("more", [kp.Integral(u, 1), kp.Neumann(u, 0, on=SQUARE.lower(x))], ids=["integral", "flux"])
def test_further_conditions_are_data(more: Any) -> None:
    problem = kp.Problem(SQUARE, sp.Eq(NU * kp.laplacian(u), -1), [kp.Dirichlet(u, 0), more])
    assert problem.parameters == (NU,)


def test_an_outflow_pressure_beside_all_velocities_is_accepted() -> None:
    assert len(flow(kp.Dirichlet(p, 0, on=SQUARE.upper(x))).conditions) == 3


def test_an_exact_solution_is_held_against_integrals() -> None:
    kp.Problem(SQUARE, kp.laplacian(u), [kp.Dirichlet(u, x), kp.Integral(u, 0.5)], exact={u: x})
    wrong = [kp.Dirichlet(u, x), kp.Integral(u, 1)]
    with pytest.warns(ProblemWarning, match=r"does not satisfy Integral\(u\(x, y\), 1\)"):
        kp.Problem(SQUARE, kp.laplacian(u), wrong, exact={u: x})


@pytest.mark.parametrize(
    "make",
    [
        lambda: measured(sigma=[0.1, 0.2, 0.3]),
        lambda: flow(kp.Integral(p, 0)),
        lambda: kp.Problem(SQUARE, sp.Eq(-kp.laplacian(u), kp.Eigenvalue("lam", near=20) * u), kp.Dirichlet(u, 0)),
        lambda: kp.Problem(
            SQUARE,
            kp.divergence(kp.UnknownField("a", x, y) * kp.gradient(u)) + 1,
            [kp.Dirichlet(u, 0), kp.Observations(u, POINTS, [1.0, 2.0, 3.0])],
        ),
        lambda: kp.Problem(
            kp.Box({x: (-2, 2), y: (-1, 1)}) - kp.Disk((x, y), (0, 0), 0.5), kp.laplacian(u) + 1, kp.Dirichlet(u, x)
        ),
    ],
    ids=["observations", "integral", "eigenvalue", "field", "shape"],
)
def test_all_kinds_come_back_from_their_trees(make: Any) -> None:
    before = make()
    after = problem_from_tree(json.loads(json.dumps(problem_to_tree(before))))
    assert (after.signature, after.text) == (before.signature, before.text)
    assert after.unknowns == before.unknowns
    assert after.parameters == before.parameters
    assert after.coefficients == before.coefficients
