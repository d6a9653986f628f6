"""Sparsity: the penalty against sizes edge by edge, its Jacobian against autograd, and networks that it thins out."""

import math

import numpy as np
import pytest
import torch
from cases import load as problem_file
from contracts import assert_close
from test_resume import Case, goes_on

import kanpde as kp
from kanpde import estimate
from kanpde.collocation import collocate
from kanpde.errors import ProblemError
from kanpde.features import features_of
from kanpde.lifting import impose
from kanpde.network import KAN, MLP
from kanpde.network.attribution import VALUES, activations, attribution, edge_jets
from kanpde.plan import assemble, fitted
from kanpde.sparsity import Sparsity
from kanpde.stages import Stage

SOME = Sparsity(0.03, 0.02)
NETWORKS = {
    "chebyshev": lambda d, c: KAN([d, 3, c], "chebyshev", degree=5, seed=1),
    "splines and products": lambda d, c: KAN([d, (2, 2), c], degree=4, intervals=3, arity=3, seed=1),
    "deep, two bases": lambda d, c: KAN([d, 2, (1, 1), c], "chebyshev", degree=4, base="silu", seed=1),
    "perceptron": lambda d, c: MLP([d, 4, c], seed=1),
}
PROBLEMS = ("regression", "coupled", "identify_viscosity")


def system(problem, kind, sparsity=SOME):
    features = features_of(problem)
    network = fitted(NETWORKS[kind](len(problem.coordinates), len(problem.fields)), problem, features)
    stage = Stage(points=60, sparsity=sparsity)
    return assemble(problem, network, impose(problem, None), stage, 0, None)


def moved(theta):
    return theta + 0.1 * torch.randn(len(theta), dtype=theta.dtype, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("kind", NETWORKS)
def test_penalty_is_that_of_edges_one_by_one(kind):
    made = system(problem_file("regression"), kind)
    points = torch.cat([torch.as_tensor(b.points.x) for b in made.blocks])
    network, value = made.network, 0.0
    for layer, matrix, entering in zip(
        network.layers, network.coefficients, activations(network, points), strict=False
    ):
        sizes = np.array([v[0].std(1, correction=0).numpy() for v in edge_jets(layer, matrix, entering[None], VALUES)])
        shares = sizes / sizes.sum()
        value += SOME.l1 * sizes.sum() - SOME.entropy * (shares * np.log(shares)).sum()
    half_square = 0.5 * float(made.penalty.residual(made.theta).square().sum())
    assert half_square == pytest.approx(value, rel=1e-3)  # the corner of the norm is rounded off


@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("kind", NETWORKS)
def test_rows_have_the_jacobian_of_autograd(kind, name):
    made = system(problem_file(name), kind)
    theta = moved(made.theta)
    own = made.penalty.rows
    jacobian = torch.autograd.functional.jacobian(made.penalty.residual, theta)
    rows, blocks = zip(*made.linearized(theta), strict=True)
    assert_close(torch.cat(rows), made.residual(theta), 1e-13)
    whole = torch.cat(blocks, dim=1).T
    assert whole.shape == (made.rows, len(theta))
    assert_close(whole[-own:], jacobian, 1e-10)
    assert bool((jacobian.abs().sum(1) > 0).any())


@pytest.mark.parametrize("name", PROBLEMS)
def test_gradient_and_products_see_the_penalty(name):
    made = system(problem_file(name), "splines and products")
    theta = moved(made.theta)
    rows, blocks = zip(*made.linearized(theta), strict=True)
    residual, jacobian = torch.cat(rows), torch.cat(blocks, dim=1).T
    loss, gradient = made.loss_and_gradient(theta)
    assert loss == pytest.approx(0.5 * float(residual @ residual), rel=1e-13)
    assert_close(gradient, jacobian.T @ residual, 1e-11)
    products, some = made.products(theta), torch.stack([theta, gradient])
    assert_close(products.residual, residual, 1e-13)
    for directions in (theta, some):
        assert_close(products.forward(directions), directions @ jacobian.T, 1e-11)
        assert_close(products.normal(directions), directions @ jacobian.T @ jacobian, 1e-11)
    assert_close(products.adjoint(residual), jacobian.T @ residual, 1e-11)


def test_gradient_is_that_of_finite_differences():
    made = system(problem_file("poisson"), "deep, two bases")
    theta = moved(made.theta)
    gradient = made.loss_and_gradient(theta)[1]
    direction, step = moved(0 * theta), 1e-5
    ahead, behind = (made.loss_and_gradient(theta + sign * step * direction)[0] for sign in (1, -1))
    assert float(gradient @ direction) == pytest.approx((ahead - behind) / (2 * step), rel=1e-6)


def test_an_edge_of_no_size_breaks_nothing():
    made = system(problem_file("regression"), "chebyshev")
    theta = 0 * made.theta
    rows, blocks = zip(*made.linearized(theta), strict=True)
    assert all(bool(torch.isfinite(part).all()) for part in (*rows, *blocks))
    assert float(made.penalty.residual(theta).norm()) == 0.0


def test_penalised_leaves_the_rest_alone():
    made = system(problem_file("coupled"), "chebyshev")
    plain = made.penalised(None)
    assert made.penalty is not None
    assert plain.penalty is None
    assert made.rows == plain.rows + made.penalty.rows
    assert_close(made.residual(made.theta)[: plain.rows], plain.residual(made.theta), 1e-15)
    assert plain.block_norms(made.theta) == made.block_norms(made.theta)


def important(network, points):
    """Edges with more than a hundredth of their layer's scores."""
    return sum(int((edges / edges.sum() > 0.01).sum()) for edges in attribution(network, points).edges)


@pytest.mark.parametrize(
    ("optimizer", "steps"), [("lm", 40), ("matrix-free", 40), ("lbfgs", 150), (kp.Adam(rate=2e-2), 300)], ids=str
)
def test_edges_get_fewer(optimizer, steps):
    """E^(sin πx + y²) takes one hidden node; five of them share it, unless they are told not to."""
    problem = problem_file("regression")
    network = KAN([2, 5, 1], "chebyshev", degree=6, seed=0)
    points, pinned = torch.as_tensor(collocate(problem.domain.interior, 500).x), kp.Pinned(candidates=1)
    found = []
    for sparsity in (None, Sparsity(0.1, 0.1)):
        stage = kp.Stage(optimizer, iterations=steps, points=300, sparsity=sparsity)
        found.append(kp.solve(problem, 1e-9, network=network, stages=[stage], pinned=pinned))
    before, after = (important(solution.network, points) for solution in found)
    assert before >= 12
    assert after <= 8
    assert found[1].relative_l2 < (0.6 if optimizer == "matrix-free" else 0.1)
    row = found[1].history[-1]
    assert row["loss"] == pytest.approx(0.5 * row["residual"] ** 2 + row["penalty"], rel=1e-9)
    assert (row["l1"], row["entropy"], row["change"]) == (0.1, 0.1, "sparser")


def test_a_later_stage_forgets_the_penalty():
    problem = problem_file("regression")
    stages = [kp.Stage("lm", iterations=10, sparsity=Sparsity()), kp.Stage("lm", iterations=40)]
    solution = kp.solve(problem, 1e-3, network=KAN([2, 5, 1], "chebyshev", degree=8), stages=stages)
    assert solution.converged
    assert "penalty" in solution.history[0]
    assert solution.history[-1].get("penalty") is None or math.isnan(solution.history[-1]["penalty"])


def test_a_sparse_stage_goes_on_bit_by_bit(tmp_path, monkeypatch):
    monkeypatch.setattr(estimate, "methods", lambda _: ())
    stages = [kp.Stage("lm", iterations=4, points=100, sparsity=SOME), kp.Stage("lm", iterations=2, points=100)]
    case = Case("poisson", {"network": kp.KAN([2, 3, 1]), "stages": stages}, kills=(3,), stop=2)
    whole = goes_on(case, tmp_path, monkeypatch)
    assert whole.history[2]["l1"] == SOME.l1


@pytest.mark.parametrize(
    "wrong", [(0.0, 1.0), (-1.0, 0.0), (1.0, -1.0), (math.inf, 0.0), (math.nan, 0.0), (1.0, math.nan)]
)
def test_factors_that_punish_nothing_are_refused(wrong):
    with pytest.raises(ProblemError, match="is no penalty; give l1 > 0"):
        Sparsity(*wrong)


def test_a_module_has_no_edges():
    problem = problem_file("poisson")
    module = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1)).double()
    with pytest.raises(ProblemError, match="has no edges to be made sparse; use KAN or MLP"):
        kp.solve(problem, network=module, stages=[kp.Stage("adam", sparsity=Sparsity())])
