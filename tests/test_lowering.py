"""Lowering: the same residual with and without collapsed channels, and as few channels as can be."""

import numpy as np
import pytest
import sympy as sp
import torch
from contracts import assert_close

import kanpde as kp
from kanpde.field import SymbolicField
from kanpde.lowering import derivative_set, lower
from kanpde.multiindex import Collapsed, DerivativeSet

x, y, z, t = sp.symbols("x y z t", real=True)
u, v = sp.Function("u")(x, y, z), sp.Function("v")(x, y, z)
w = sp.Function("w")(x, y, t)
CUBE = kp.Box({x: (0, 1), y: (0, 1), z: (0, 1)})
PLATE = kp.Box({x: (0, 1), y: (0, 1)}) * kp.Time(t, (0, 1))
TRIAL = {u: sp.sin(x + 2 * y) * sp.exp(z), v: x * y**2 * sp.cos(z), w: sp.exp(-t) * sp.sin(2 * x) * (1 + y**3)}
ONE = Collapsed((1.0, 1.0, 1.0))
FLAT = Collapsed((1.0, 1.0, 0.0))

# Equation, and the collapsed channel of each unknown that must appear (None where none may).
EQUATIONS = {
    "poisson": (kp.laplacian(u) - x, ONE),
    "weighted": (2 * u.diff(x, 2) + 3 * u.diff(y, 2) - u.diff(z, 2), Collapsed((1.0, 1.5, -0.5))),
    "common coefficient": ((1 + x**2) * kp.laplacian(u) + u * u.diff(x), ONE),
    "divergence form": (kp.divergence(sp.exp(x * y) * kp.gradient(u)) - 1, ONE),
    "nonlinear in the sum": (sp.sin(kp.laplacian(u)) + kp.laplacian(u) ** 2 - u, ONE),
    "with a mixed derivative": (kp.laplacian(u) + u.diff(x, y), ONE),
    "heat": (w.diff(t) - kp.laplacian(w), FLAT),
    "wave": (w.diff(t, 2) - 4 * kp.laplacian(w), Collapsed((1.0, 1.0, -0.25))),
    "two ratios": (kp.laplacian(u) + x * u.diff(x, 2), None),
    "product": (u.diff(x, 2) * u.diff(y, 2) - u.diff(x, y) ** 2, None),
    "one second derivative": (u.diff(x, 2) + u.diff(y) - u, None),
    "biharmonic": (kp.laplacian(kp.laplacian(u)) + kp.laplacian(u), None),
    "third order": (kp.laplacian(u) + u.diff(x, 3), None),
}


def compiled(expression):
    """The normal form, from a problem with as many conditions as its order asks for."""
    unknown = next(f for f in TRIAL if expression.has(f))
    domain = PLATE if unknown is w else CUBE
    conditions = [kp.Dirichlet(unknown, 0)]
    if expression.doit().has(sp.Derivative(u, (x, 3))) or expression.has(kp.laplacian(kp.laplacian(u))):
        conditions.append(kp.Neumann(unknown, 0))
    if unknown is w:
        conditions += [kp.Initial(w, 0), *([kp.Initial(w.diff(t), 0)] if expression.has(w.diff(t, 2)) else [])]
    return kp.Problem(domain, expression, conditions).operators[0]


def outputs(lowered, points, unknowns):
    """F and its gradient on the jet of the trial functions."""
    field = SymbolicField(lowered.operator.coordinates, tuple(TRIAL[f] for f in unknowns))
    derivatives = derivative_set([lowered])
    jet = field.jet(points, derivatives)
    rows = [jet[derivatives.index(channel), unknown] for unknown, channel in lowered.channels]
    return lowered.program([*points.T, *rows], torch)


@pytest.fixture(params=EQUATIONS)
def case(request):
    expression, channel = EQUATIONS[request.param]
    return compiled(expression), channel


def test_collapsed_channels_appear_where_they_can(case):
    operator, channel = case
    found = [c for _, c in lower(operator).channels if isinstance(c, Collapsed)]
    assert found == ([] if channel is None else [channel])
    assert not any(isinstance(c, Collapsed) for _, c in lower(operator, collapse=False).channels)


def test_the_residual_is_the_same_either_way(case):
    operator, _ = case
    points = torch.as_tensor(np.random.default_rng(0).uniform(size=(20, 3)))
    fast, slow = (outputs(lower(operator, collapse), points, operator.unknowns)[0] for collapse in (True, False))
    assert_close(fast, slow, 1e-12)
    assert_close(torch.tensor(operator.evaluate(points.numpy(), exact_rows(operator, points), np).copy()), slow, 1e-12)


def exact_rows(operator, points):
    field = SymbolicField(operator.coordinates, tuple(TRIAL[f] for f in operator.unknowns))
    derivatives = DerivativeSet.closure(3, [v.derivative for v in operator.jet])
    jet = field.jet(points, derivatives)
    return np.stack([jet[derivatives.index(v.derivative), v.unknown].numpy() for v in operator.jet])


def test_gradients_are_slopes_of_the_residual(case):
    """∂F/∂Λ along a change of one channel, by central differences of order four."""
    operator, _ = case
    lowered = lower(operator)
    points = torch.as_tensor(np.random.default_rng(1).uniform(size=(5, 3)))
    rows = [torch.full((5,), 0.3 + 0.1 * k, dtype=torch.float64) for k in range(len(lowered.channels))]
    gradient = lowered.program([*points.T, *rows], torch)[1:]
    assert len(gradient) == len(lowered.gradient) == len(rows)
    for k, slope in enumerate(gradient):

        def moved(h, k=k):
            changed = [row + h * (j == k) for j, row in enumerate(rows)]
            return lowered.program([*points.T, *changed], torch)[0]

        h = 1e-3
        expected = (8 * (moved(h) - moved(-h)) - (moved(2 * h) - moved(-2 * h))) / (12 * h)
        assert float((slope - expected).abs().max()) < 1e-9 * (1 + float(expected.abs().max()))


def test_a_laplacian_needs_d_plus_two_channels():
    lowered = lower(compiled(kp.laplacian(u) - x))
    assert len(derivative_set([lowered])) == 3 + 2
    assert len(derivative_set([lower(lowered.operator, collapse=False)])) == 2 * 3 + 1


def test_every_unknown_of_a_system_collapses_on_its_own():
    equations = [kp.laplacian(u) + v.diff(x, 2) - v, kp.laplacian(v) + 2 * kp.laplacian(u)]
    problem = kp.Problem(CUBE, equations, [kp.Dirichlet(u, 0), kp.Dirichlet(v, 0)])
    first, second = (lower(operator) for operator in problem.operators)
    assert set(first.channels) == {(0, ONE), (1, (0, 0, 0)), (1, (2, 0, 0))}
    assert set(second.channels) == {(0, ONE), (1, ONE)}
    assert len(derivative_set([first, second])) == 5 + 1
