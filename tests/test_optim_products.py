"""J v and Jᵀ w without J, against the explicit blocks of J that other tests compare with autograd."""

import pytest
import torch
from contracts import assert_close
from test_residual import PROBLEMS, assembled, blocks, joined, line, peak

from kanpde.lifting import impose
from kanpde.network import KAN, MLP, ModuleNetwork
from kanpde.network import products as network_products
from kanpde.residuals import ResidualSystem

NETWORKS = {
    "splines": lambda d, c, bounds: KAN([d, 3, c], degree=5, intervals=4, bounds=bounds),
    "chebyshev, products": lambda d, c, bounds: KAN([d, (2, 2), (1, 2), c], "chebyshev", degree=5, bounds=bounds),
    "silu": lambda d, c, bounds: KAN([d, 3, c], degree=4, intervals=3, base="silu", bounds=bounds),
    "mlp": lambda d, c, bounds: MLP([d, 6, 5, c], bounds=bounds),
}
SMALL = 1 << 19  # bytes, for which neither J nor sweeps are kept


def system(name, kind, memory=1 << 30, count=60):
    problem = PROBLEMS[name]
    ansatz = impose(problem, None)
    network = NETWORKS[kind](len(problem.coordinates), len(problem.unknowns), problem.domain.bounds)
    return ResidualSystem(blocks(problem, ansatz, count), network, ansatz, memory)


def own_module(memory):
    fast = joined(line(), memory)
    module = ModuleNetwork(torch.nn.Sequential(fast.network), 1)
    module.scalars = fast.network.scalars
    return ResidualSystem(fast.blocks, module, fast.ansatz, memory, fast.parameters)


SYSTEMS = {
    **{kind: lambda memory, kind=kind: system("poisson_robin", kind, memory) for kind in NETWORKS},
    "several equations": lambda memory: system("coupled", "chebyshev, products", memory),
    "integrals and unknown scalars": lambda memory: joined(line(), memory),
    "own module": own_module,
}


def check_products(fast, theta):
    """Both products and their composition are those of J."""
    residual, jacobian = assembled(fast, theta)
    products = fast.products(theta)
    assert_close(products.residual, fast.residual(theta), 1e-13)
    assert_close(products.residual, residual, 1e-13)
    generator = torch.Generator().manual_seed(1)
    direction = torch.randn(len(theta), generator=generator, dtype=torch.float64)
    weights = torch.randn(len(residual), generator=generator, dtype=torch.float64)
    assert_close(products.forward(direction), jacobian @ direction, 1e-11)
    assert_close(products.adjoint(weights), jacobian.T @ weights, 1e-11)
    assert_close(products.normal(direction), jacobian.T @ (jacobian @ direction), 1e-11)
    some = torch.randn((3, len(theta)), generator=generator, dtype=torch.float64)
    assert_close(products.forward(some), some @ jacobian.T, 1e-11)
    assert_close(products.adjoint(some @ jacobian.T), some @ jacobian.T @ jacobian, 1e-11)
    assert_close(products.normal(some), some @ jacobian.T @ jacobian, 1e-11)


@pytest.mark.parametrize("kind", SYSTEMS)
def test_products_are_those_of_the_jacobian(kind):
    fast = SYSTEMS[kind](1 << 30)
    assert fast._kept == len(fast._chunks)
    check_products(fast, 1.1 * fast.theta)


@pytest.mark.parametrize("kind", ["chebyshev, products", "several equations", "integrals and unknown scalars"])
def test_products_are_the_same_at_a_few_points_after_the_other(kind, monkeypatch):
    monkeypatch.setattr(network_products, "BLOCK", 1)
    monkeypatch.setattr(network_products, "FEWEST_POINTS", 7)
    fast = SYSTEMS[kind](1 << 30)
    check_products(fast, 1.1 * fast.theta)


@pytest.mark.parametrize("kind", ["chebyshev, products", "integrals and unknown scalars"])
def test_sweeps_that_do_not_fit_are_made_anew(kind):
    fast = joined(line(), 1 << 17) if "scalars" in kind else system("poisson_robin", kind, SMALL, count=900)
    assert 0 < fast._kept < len(fast._chunks)
    check_products(fast, 1.1 * fast.theta)
    fast._kept = 0
    check_products(fast, 1.1 * fast.theta)


def test_each_entry_of_theta_has_its_place():
    """Columns one by one: no layer, output or scalar is confused with another."""
    fast = joined(line())
    theta = fast.theta
    products, jacobian = fast.products(theta), assembled(fast, theta)[1]
    columns = torch.stack([products.forward(unit) for unit in torch.eye(len(theta), dtype=theta.dtype)], dim=1)
    assert_close(columns, jacobian, 1e-11)


def test_products_keep_to_the_memory_setting():
    """However many points there are; sweeps are kept only where they fit, and then really are."""
    memory = 1 << 20
    few, many = (system("poisson", "chebyshev, products", memory, count=n) for n in (600, 1200))
    assert few._kept < len(few._chunks)
    used = [peak(lambda s=s: s.products(s.theta).normal(s.theta)) for s in (few, many)]
    assert max(used) < memory
    assert used[1] < used[0] + 10 * 8 * 1200
    roomy = system("poisson", "chebyshev, products", 1 << 25, count=600)
    assert roomy._kept == len(roomy._chunks)
    held = peak(lambda: roomy.products(roomy.theta))
    assert held < 1 << 24
