"""Complex unknowns: real and imaginary parts of equations, conditions and exact solutions."""

from __future__ import annotations

import json
import warnings
from typing import Any

import numpy as np
import pytest
import sympy as sp

import kanpde as kp
from kanpde.errors import ProblemError, ProblemWarning
from kanpde.expression import Program
from kanpde.operator import split_complex
from kanpde.problem import problem_from_tree, problem_to_tree

x, y, t = sp.symbols("x y t", real=True)
a, b = sp.symbols("a b", real=True)
z = a + sp.I * b
u = kp.complex_unknown("u", x, y)
SQUARE = kp.Box({x: (0, 1), y: (0, 1)})
WAVE = sp.exp(3 * sp.I * (sp.Rational(3, 5) * x + sp.Rational(4, 5) * y))
PLACE = {x: 0.7, y: 0.4, a: 0.3, b: -0.8}

SPLIT: list[Any] = [
    sp.sqrt(1 + sp.I * x),
    (x + sp.I * y) ** sp.Rational(1, 3),
    sp.tanh(x * (1 + sp.I)),
    sp.tan(z),
    sp.sin(z) * sp.cos(z) / sp.sinh(z),
    sp.exp(3 * sp.I * sp.sqrt(x**2 + y**2)),
    sp.E ** (sp.I * x),
    2 ** (sp.I * x),
    (x + sp.I) ** (sp.I + y),
    1 / (1 + sp.I * x),
    z**-3,
    sp.Abs(z) ** 4 * z,
    sp.conjugate(z) * z**2 * sp.I,
    sp.log(x + sp.I * y),
    sp.conjugate(sp.sqrt(z)),
    sp.Piecewise((1, x < 0.5), (1 + sp.I * x, True)) * z,
    sp.hankel1(0, sp.sqrt(x**2 + y**2)),
    sp.hankel2(2, 3 * x),
    sp.arg(z),
    sp.sign(z),
    sp.re(sp.I * z) + sp.im(x * z) * sp.I,
    sp.cos(sp.Abs(z)),
]


@pytest.mark.parametrize("expression", SPLIT, ids=str)
def test_parts_are_those_of_sympys_arithmetic(expression: sp.Expr) -> None:
    values = [np.array([float(PLACE[s])]) for s in (x, y, a, b)]
    parts = Program.compile(split_complex(expression, (x, y)), [x, y, a, b])(values, np)
    wanted = complex(expression.subs(PLACE).evalf())
    assert complex(parts[0][0], parts[1][0]) == pytest.approx(wanted, rel=1e-12)


def test_symbols_without_assumptions_are_real() -> None:
    """The coordinates of a problem are, whatever their maker said."""
    plain = sp.Symbol("x")
    assert split_complex(sp.exp(sp.I * plain), (plain,)) == (sp.cos(plain), sp.sin(plain))


def test_an_unknown_function_of_a_complex_argument_is_refused() -> None:
    with pytest.raises(ProblemError, match="real and the imaginary part of gamma"):
        split_complex(sp.gamma(1 + sp.I * x), (x,))


def impedance(**changes: Any) -> kp.Problem:
    given = kp.Condition(sp.Eq(kp.normal_derivative(u) - 3 * sp.I * u, kp.normal_derivative(WAVE) - 3 * sp.I * WAVE))
    exact = None if changes else {u: WAVE}
    return kp.Problem(SQUARE, sp.Eq(kp.laplacian(u) + 9 * u, 0), changes.get("conditions", given), exact=exact)


def test_one_unknown_has_two_fields_and_two_equations() -> None:
    problem = impedance()
    assert [f.name for f in problem.fields] == ["u_im", "u_re"]
    assert problem.unknowns == (u,)
    assert len(problem.operators) == len(problem.conditions) == 2
    assert problem.is_linear


def test_the_exact_solution_is_complex_and_satisfies_everything() -> None:
    problem = impedance()
    points = np.random.default_rng(0).uniform(0, 1, (20, 2))
    wanted = np.exp(3j * (0.6 * points[:, 0] + 0.8 * points[:, 1]))
    assert np.allclose(problem.exact_values(points)[:, 0], wanted, rtol=1e-14)
    for operator in problem.operators:
        residual = operator.evaluate(points, problem.exact_jet(points, operator.jet), np)
        assert np.abs(residual).max() < 1e-12


def test_a_wrong_wave_is_noticed() -> None:
    with pytest.warns(ProblemWarning, match="does not satisfy equation"):
        kp.Problem(SQUARE, sp.Eq(kp.laplacian(u) + 8 * u, 0), kp.Dirichlet(u, WAVE), exact={u: WAVE})


def test_values_are_given_part_by_part() -> None:
    problem = impedance(conditions=kp.Dirichlet(u, WAVE))
    phase = 3 * (sp.Rational(3, 5) * x + sp.Rational(4, 5) * y)
    assert [c.kind for c in problem.conditions] == ["dirichlet"] * 2
    found = {problem.fields[c.target.unknown].name: c.value for c in problem.conditions}
    assert found == {"u_re": sp.cos(phase), "u_im": sp.sin(phase)}


def test_a_robin_condition_couples_the_parts() -> None:
    problem = impedance(conditions=kp.Robin(u, -3 * sp.I, 1, kp.Normal()[0] * 0))
    assert [{v.unknown for v in c.operator.jet} for c in problem.conditions] == [{0, 1}, {0, 1}]


def test_the_nonlinear_schroedinger_equation() -> None:
    """i ψ_t + ψ_xx / 2 + |ψ|² ψ = 0 has the soliton sech(x) exp(i t / 2)."""
    psi = kp.complex_unknown("psi", x, t)
    soliton = sp.sech(x) * sp.exp(sp.I * t / 2)
    problem = kp.Problem(
        kp.Box({x: (-3, 3)}) * kp.Time(t, (0, 1)),
        sp.I * psi.diff(t) + psi.diff(x, 2) / 2 + sp.Abs(psi) ** 2 * psi,
        [kp.Dirichlet(psi, soliton), kp.Initial(psi, sp.sech(x))],
        exact={psi: soliton},
    )
    assert not problem.is_linear
    points = np.random.default_rng(1).uniform(0, 1, (20, 2))
    for operator in problem.operators:
        assert np.abs(operator.evaluate(points, problem.exact_jet(points, operator.jet), np)).max() < 1e-13


def test_conjugates_are_differentiated() -> None:
    """conj(u)_x u = F has the parts of (u_re - i u_im)_x (u_re + i u_im)."""
    problem = kp.Problem(SQUARE, kp.laplacian(u) + sp.conjugate(u).diff(x) * u, kp.Dirichlet(u, 0))
    operator = problem.operators[1]
    slope = dict(zip(map(str, operator.symbols), operator.gradient, strict=True))
    assert str(slope["u_im_x"]) == "-u_re"


def test_periodic_sides_pair_both_parts() -> None:
    problem = kp.Problem(SQUARE, kp.laplacian(u) - u, [kp.Periodic(u, x), kp.Periodic(u, y)])
    assert sorted((c.target.unknown, c.axis) for c in problem.conditions) == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_real_unknowns_stay_single_beside_complex_ones() -> None:
    w = sp.Function("w")(x, y)
    problem = kp.Problem(
        SQUARE, [kp.laplacian(u) - sp.I * w, kp.laplacian(w) - sp.Abs(u) ** 2], [kp.Dirichlet(u, 0), kp.Dirichlet(w, 0)]
    )
    assert [f.name for f in problem.fields] == ["u_im", "u_re", "w"]
    assert len(problem.operators) == 3
    values = problem.readout(np.zeros((1, 2)), np.array([[1.0, 2.0, 3.0]]))
    assert values.tolist() == [[2 + 1j, 3]]


def test_complex_data_are_split_and_real_ones_of_a_real_part_are_not() -> None:
    points = np.array([[0.5, 0.5], [0.2, 0.1]])
    measured = kp.Observations(u, points, np.array([1 + 2j, 3 - 1j]), sigma=0.1)
    only = kp.Observations(sp.re(u), points, [1.0, 2.0])
    problem = impedance(conditions=[kp.Dirichlet(u, 0), measured, only])
    data = [c.data.values.tolist() for c in problem.conditions if c.kind == "observations"]
    assert data == [[1.0, 3.0], [2.0, -1.0], [1.0, 2.0]]


@pytest.mark.parametrize(
    "make",
    [
        lambda w: sp.Eq(kp.laplacian(w) + sp.I * w, 0),
        lambda w: sp.Eq(kp.laplacian(w), sp.exp(sp.I * x)),
    ],
)
def test_complex_equations_for_real_unknowns_name_the_cure(make: Any) -> None:
    w = sp.Function("w")(x, y)
    with pytest.raises(ProblemError, match="complex_unknown"):
        kp.Problem(SQUARE, make(w), kp.Dirichlet(w, 0))


def test_missing_conditions_are_those_of_the_unknown() -> None:
    with pytest.raises(ProblemError, match="Periodic for u"):
        kp.Problem(SQUARE, kp.laplacian(u) + u, kp.Dirichlet(u, 0, on=SQUARE.lower(x)))


def test_a_complex_problem_comes_back_from_its_tree() -> None:
    before = impedance()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        after = problem_from_tree(json.loads(json.dumps(problem_to_tree(before))))
    assert (after.signature, after.text, after.exact) == (before.signature, before.text, before.exact)
    assert after.unknowns == before.unknowns
    assert after.fields == before.fields
