"""Trees of functions and formulas as ansatz functions: jets, Jacobians, products, snaps, normal forms."""

import numpy as np
import pytest
import sympy as sp
import torch

import kanpde as kp
from kanpde.errors import ProblemError
from kanpde.multiindex import DerivativeSet
from kanpde.symbolic.formulas import FormulaNetwork, freed
from kanpde.symbolic.library import ARGUMENT, library
from kanpde.symbolic.normal import expression_of
from kanpde.symbolic.refit import on_equations, refitted, spread
from kanpde.symbolic.snapping import snapped, values
from kanpde.symbolic.tree import Coordinate, Edge, Node, Product, Series, Sum, TreeNetwork, Written, edges

x, y = sp.symbols("x y", real=True)
u = sp.Function("u")(x, y)
exact = sp.exp(x * y / 2)
k = sp.symbols("k_a k_b k_c", real=True)
POINTS = np.random.default_rng(1).uniform(-0.9, 0.9, (40, 2))


def poisson(solution: sp.Expr = exact) -> kp.Problem:
    load = sp.diff(solution, x, 2) + sp.diff(solution, y, 2)
    box = kp.Box({x: (-1, 1), y: (-1, 1)})
    return kp.Problem(box, sp.Eq(kp.laplacian(u), load), kp.Dirichlet(u, solution), name="poisson")


def wave(axis: int, numbers: list[float]) -> Edge:
    return Edge(Written(k[2] * sp.sin(k[0] * ARGUMENT + k[1]), k), np.array(numbers), Coordinate(axis))


def series(inner: Node, seed: int) -> Edge:
    numbers = np.random.default_rng(seed).normal(size=7) * 0.5 ** np.arange(7)
    return Edge(Series(6, 0.1, 1.3), numbers, inner)


def mixed() -> Node:
    """All kinds of nodes, three functions deep."""
    return Sum(
        (
            Product((wave(0, [2.0, 0.3, 0.7]), series(Coordinate(1), 0))),
            series(Sum((series(Coordinate(0), 1), wave(1, [1.0, 0.2, 0.4]))), 2),
        )
    )


def as_expression(node: Node) -> sp.Expr:
    """The slow twin: a tree as SymPy has it, series by their polynomials."""
    if isinstance(node, Coordinate):
        return (x, y)[node.axis]
    if isinstance(node, Edge):
        inner = as_expression(node.inner)
        if isinstance(node.curve, Written):
            return node.curve.expression.xreplace(
                dict(zip(node.curve.symbols, map(sp.Float, node.numbers), strict=True)) | {ARGUMENT: inner}
            )
        z = (inner - node.curve.centre) / node.curve.half
        return sum(float(c) * sp.chebyshevt(n, z) for n, c in enumerate(node.numbers))
    parts = [as_expression(part) for part in node.parts]
    return sp.Add(*parts) if isinstance(node, Sum) else sp.Mul(*parts)


def test_the_jet_of_a_tree_is_that_of_its_expression() -> None:
    wanted = [(0, 0), (1, 0), (2, 0), (1, 1), (0, 3)]
    derivatives = DerivativeSet.closure(2, wanted)
    jet = TreeNetwork([mixed()], 2).sweep(torch.as_tensor(POINTS), derivatives).output[:, 0].numpy()
    whole = as_expression(mixed())
    for alpha in wanted:
        slow = sp.lambdify((x, y), sp.diff(whole, x, alpha[0], y, alpha[1]))(*POINTS.T)
        assert np.allclose(jet[derivatives.index(alpha)], slow, rtol=1e-11, atol=1e-11), alpha
    assert np.allclose(values(mixed(), POINTS), jet[0], rtol=1e-13)


def formula() -> FormulaNetwork:
    """Numbers and functions that stand in several places, a function of a number, and powers with numbers in them."""
    c, k_, p = sp.Float(0.7), sp.Float(1.3), sp.Float(2.5)
    wave = sp.sin(k_ * x)
    whole = c * wave * sp.exp(sp.Float(0.4) * y) + k_ * x * wave**2 + sp.exp(sp.Float(0.2)) * (2 + x) ** p / (3 + c * y)
    expressions, symbols, start = freed([whole])
    hidden = sp.Symbol("hidden", real=True)
    named = expressions[0] + sp.sin(hidden) * y
    return FormulaNetwork([named], (x, y), (*symbols, hidden), (*start, 0.6))


def test_the_jet_of_a_formula_is_that_of_its_expression() -> None:
    wanted = [(0, 0), (1, 0), (2, 1), (0, 4)]
    derivatives = DerivativeSet.closure(2, wanted)
    network = formula()
    jet = network.sweep(torch.as_tensor(POINTS), derivatives).output[:, 0].numpy()
    (whole,) = network.written()
    for alpha in wanted:
        slow = sp.lambdify((x, y), sp.diff(whole, x, alpha[0], y, alpha[1]))(*POINTS.T)
        assert np.allclose(jet[derivatives.index(alpha)], slow, rtol=1e-10, atol=1e-10), alpha
    assert np.allclose(network.values(POINTS)[:, 0], jet[0], rtol=1e-13)


def test_what_is_no_formula_of_functions_is_refused() -> None:
    piecewise = sp.Piecewise((x, x > 0), (0, True))
    with pytest.raises(ProblemError, match="is no sum, product, power or function of one argument"):
        FormulaNetwork([piecewise], (x, y), (), ()).values(POINTS)
    with pytest.raises(ProblemError, match="is no real number"):
        FormulaNetwork([sp.I * x], (x, y), (), ()).values(POINTS)


@pytest.mark.parametrize("kind", ["tree", "formula"])
def test_jacobian_and_products_agree_with_differences(kind: str) -> None:
    problem = poisson()
    if kind == "tree":
        network: TreeNetwork | FormulaNetwork = TreeNetwork([mixed()], 2)
    else:
        network = formula()
    system = on_equations(problem, network)
    theta = system.theta
    parts = list(system.linearized(theta))
    jacobian = torch.cat([transposed for _, transposed in parts], dim=1).T
    direction = torch.as_tensor(np.random.default_rng(2).normal(size=len(theta)))
    step = 1e-6
    slope = (system.residual(theta + step * direction) - system.residual(theta - step * direction)) / (2 * step)
    assert torch.allclose(jacobian @ direction, slope, rtol=1e-6, atol=1e-8 * float(slope.norm()))
    products, weights = system.products(theta), torch.as_tensor(np.random.default_rng(3).normal(size=len(jacobian)))
    assert torch.allclose(products.forward(direction), jacobian @ direction, rtol=1e-12)
    assert torch.allclose(products.adjoint(weights), jacobian.T @ weights, rtol=1e-10, atol=1e-12)
    loss, gradient = system.loss_and_gradient(theta)
    residual = system.residual(theta)
    assert loss == pytest.approx(0.5 * float(residual @ residual))
    assert torch.allclose(gradient, jacobian.T @ residual, rtol=1e-10, atol=1e-12)


def test_gauss_newton_finds_numbers_and_says_how_well_they_are_known() -> None:
    guess, symbols, start = freed([sp.Float(0.9) * sp.exp(sp.Float(0.45) * x * y)])
    system = on_equations(poisson(), FormulaNetwork(guess, (x, y), symbols, start))
    assert refitted(system) < 1e-13
    found = spread(system)
    assert found.values == pytest.approx((1.0, 0.5), abs=1e-12)
    assert max(found.errors) < 1e-12


def test_a_number_that_no_row_sees_has_no_error_bar() -> None:
    root = sp.sqrt(1 + x * y / 2)
    guess, symbols, start = freed([sp.Float(1.1) * sp.sqrt(sp.Float(0.9) + sp.Float(0.4) * x * y)])
    system = on_equations(poisson(root), FormulaNetwork(guess, (x, y), symbols, start))
    assert refitted(system) < 1e-12
    assert spread(system).errors == (np.inf, np.inf, np.inf)
    pinned, symbols, start = freed([sp.sqrt(sp.Float(0.9) + sp.Float(0.4) * x * y)])
    system = on_equations(poisson(root), FormulaNetwork(pinned, (x, y), symbols, start))
    refitted(system)
    assert max(spread(system).errors) < 1e-10


def test_equal_numbers_are_one_number() -> None:
    _, symbols, values_ = freed([sp.Float(2.5) * sp.sin(sp.Float(2.5) * x) + sp.Float(1.5)])
    assert len(symbols) == len(values_) == 2


def test_edges_are_snapped_and_the_equation_refuses_what_only_looks_alike() -> None:
    """sech and a gaussian are alike on a short range; the equation tells them apart."""
    truth = 1 / sp.cosh(x)
    v = sp.Function("v")(x)
    problem = kp.Problem(
        kp.Box({x: (-1, 1)}), sp.Eq(v.diff(x, 2), sp.diff(truth, x, 2)), kp.Dirichlet(v, truth), name="sech"
    )
    points = np.linspace(-1, 1, 101)[:, None]
    z = np.cos(np.pi * (np.arange(15) + 0.5) / 15)
    numbers = np.polynomial.chebyshev.chebfit(z, 1 / np.cosh(z), 14)
    tree = Edge(Series(14), numbers, Coordinate(0))
    judge = lambda network: on_equations(problem, network)  # noqa: E731
    right = snapped(tree, judge, points, 1e-9, library(only=["gaussian", "sech"]))
    assert right.complete
    assert right.residual < 1e-12
    assert right.steps[-1].candidate == "sech"
    wrong = snapped(tree, judge, points, 1e-9, library(only=["gaussian"]))
    assert not wrong.complete
    assert not any(step.accepted for step in wrong.steps)
    assert expression_of(wrong.tree, (x,)) is None


def test_the_normal_form_says_nothing_twice() -> None:
    linear = Edge(Written(k[0] * ARGUMENT + k[1], k[:2]), np.array([2.0, 0.5]), Coordinate(0))
    outer = Edge(Written(k[2] * sp.sin(k[0] * ARGUMENT + k[1]), k), np.array([3.0, 1.0, 4.0]), linear)
    found = expression_of(outer, (x,))
    assert found is not None
    assert len(found.atoms(sp.Float)) == 3
    assert sp.simplify(found - 4.0 * sp.sin(6.0 * x + 2.5)) == 0
    factors = Product((outer, Edge(linear.curve, linear.numbers, Coordinate(1))))
    whole = expression_of(factors, (x, y))
    assert whole is not None
    expected = 4 * np.sin(6 * POINTS[:, 0] + 2.5) * (2 * POINTS[:, 1] + 0.5)
    assert np.allclose(sp.lambdify((x, y), whole)(*POINTS.T), expected)
    assert np.allclose(values(factors, POINTS), expected)
    assert len(edges(factors)) == 3
