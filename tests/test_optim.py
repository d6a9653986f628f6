"""Optimisers: the contract, Levenberg-Marquardt against SciPy and its rates, the line search, Adam against torch."""

import dataclasses
import itertools

import numpy as np
import pytest
import scipy.optimize
import torch
from contracts import (
    EXPONENTIALS_MINIMUM,
    EXPONENTIALS_START,
    LeastSquares,
    assert_close,
    check_optimizer,
    exponentials,
)

from kanpde.optim import LBFGS, Adam, Constant, Cosine, Exponential, LevenbergMarquardt, MatrixFree, SSBroyden, Status
from kanpde.optim.factors import Dual, damped, linear_model, reach
from kanpde.optim.lbfgs import direction
from kanpde.optim.nielsen import raised
from kanpde.optim.objective import linearize
from kanpde.optim.ssbroyden import scaling, updated
from kanpde.optim.wolfe import Probe, Wolfe, cubic_step

OPTIMIZERS = {
    "lm": LevenbergMarquardt(),
    "lm, plain": LevenbergMarquardt(geodesic=False),
    "lm, cholesky": LevenbergMarquardt(orthogonal_below=0.0),
    "lm, qr": LevenbergMarquardt(orthogonal_below=np.inf),
    "lm, probes": LevenbergMarquardt(probes=3),
    "lbfgs": LBFGS(),
    "lbfgs, short memory": LBFGS(memory=2),
    "ssbroyden": SSBroyden(),
    "matrix-free": MatrixFree(),
    "matrix-free, no sketch": MatrixFree(rank=0),
    "adam": Adam(1e-2),
    "adam, cosine": Adam(1e-2, Cosine(100)),
}
DAMPED = {name: optimizer for name, optimizer in OPTIMIZERS.items() if name.startswith("lm")}


def rosenbrock(theta):
    """10 (θ_{k+1} − θ_k²) and 1 − θ_k: zero at ones."""
    return torch.cat([10 * (theta[1:] - theta[:-1] ** 2), 1 - theta[:-1]])


def wavy(seed, rows=40, count=7):
    """A random fit without an exact solution: r = A sin(B θ) + 0.1 C θ − y."""
    generator = torch.Generator().manual_seed(seed)
    a, b, c, y = (
        torch.randn(shape, generator=generator, dtype=torch.float64)
        for shape in ((rows, count), (count, count), (rows, count), (rows,))
    )
    return lambda theta: a @ torch.sin(b @ theta / 2) + 0.1 * c @ theta - y


def run(optimizer, function, theta, steps, **options):
    """States from the start on, until one does not run."""
    objective = LeastSquares(function, **options)
    states = [optimizer.init(objective, theta)]
    while len(states) <= steps and states[-1].status is Status.RUNNING:
        states.append(optimizer.step(objective, states[-1]))
    return states


def start(count, value=-1.2):
    return torch.full((count,), value, dtype=torch.float64)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_contract(name):
    check_optimizer(OPTIMIZERS[name])


@pytest.mark.parametrize("name", DAMPED)
def test_levenberg_marquardt_reaches_scipys_minimum(name):
    for seed in range(4):
        function, theta = wavy(seed), start(7, 0.3)
        found = scipy.optimize.least_squares(
            lambda p, f=function: f(torch.as_tensor(p)).numpy(), theta.numpy(), method="lm", xtol=1e-15, ftol=1e-15
        )
        last = run(DAMPED[name], function, torch.as_tensor(found.x) + 0.05, 60)[-1]
        assert last.loss == pytest.approx(found.cost, rel=1e-10)
        np.testing.assert_allclose(last.theta.numpy(), found.x, atol=1e-5)


@pytest.mark.parametrize("name", DAMPED)
@pytest.mark.parametrize("count", [2, 6])
def test_levenberg_marquardt_walks_rosenbrocks_valley(name, count):
    states = run(DAMPED[name], rosenbrock, start(count), 100)
    assert states[-1].loss < 1e-25
    assert all(later.loss < earlier.loss for earlier, later in itertools.pairwise(states[:-1]))
    assert_close(states[-1].theta, torch.ones(count, dtype=torch.float64), 1e-12)


@pytest.mark.parametrize("name", DAMPED)
def test_convergence_near_a_zero_residual_is_superlinear(name):
    """The error shrinks faster and faster, as λ falls with it."""
    states = run(DAMPED[name], exponentials, EXPONENTIALS_MINIMUM + 0.05, 40)
    errors = np.array([float((s.theta - EXPONENTIALS_MINIMUM).norm()) for s in states])
    slowest = float(torch.linalg.svdvals(torch.func.jacrev(exponentials)(EXPONENTIALS_MINIMUM))[-1])
    assert errors.min() < 1e3 * np.finfo(float).eps / slowest  # what rounding of the residual leaves
    shrinking = errors[1:] / errors[:-1]
    useful = shrinking[errors[1:] > 1e-9]
    assert useful[-1] < 0.03
    assert useful[-1] < 0.3 * useful[0]


def test_gauss_newton_converges_quadratically():
    """Without damping the error of a zero-residual problem is squared in every step; with the acceleration, more."""
    bare = LevenbergMarquardt(damping=1e-20, smallest=1e-20, geodesic=False)
    states = run(bare, exponentials, EXPONENTIALS_MINIMUM + 0.02, 4)
    errors = [float((s.theta - EXPONENTIALS_MINIMUM).norm()) for s in states[:4]]
    order = np.log(errors[3] / errors[2]) / np.log(errors[2] / errors[1])
    assert order == pytest.approx(2.0, abs=0.4)


def test_geodesic_acceleration_saves_factorisations_in_a_curved_valley():
    def trials(optimizer):
        def banana(theta):
            return torch.stack([1000 * (theta[1] - theta[0] ** 2), 1 - theta[0]])

        states = run(optimizer, banana, start(2, -1.0), 400)
        assert states[-1].loss < 1e-15
        return sum(s.trials for s in states if s.loss > 1e-15)  # below, rounding decides

    assert 2 * trials(LevenbergMarquardt()) < trials(LevenbergMarquardt(geodesic=False))


def ill_conditioned(seed=0, rows=60, count=12, span=5):
    """A linear problem whose singular values fall to 10^-span; the solution is ones."""
    generator = torch.Generator().manual_seed(seed)
    u = torch.linalg.qr(torch.randn((rows, count), generator=generator, dtype=torch.float64))[0]
    v = torch.linalg.qr(torch.randn((count, count), generator=generator, dtype=torch.float64))[0]
    matrix = u * torch.logspace(0, -span, count, dtype=torch.float64) @ v.T
    right = matrix @ torch.ones(count, dtype=torch.float64)
    return lambda theta: matrix @ theta - right


@pytest.mark.parametrize("damping", [1e-1, 1e-4, 1e-7])
def test_cholesky_and_qr_take_the_same_step(damping):
    function, theta = wavy(5), start(7, 0.2)
    objective = LeastSquares(function)
    residual, jacobian = function(theta), torch.func.jacrev(function)(theta)
    scale = jacobian.norm(dim=0)
    expected = -torch.linalg.solve(jacobian.T @ jacobian + damping * torch.diag(scale**2), jacobian.T @ residual)
    decrease = 0.5 * float(residual @ residual - (residual + jacobian @ expected).square().sum())
    for orthogonal in (False, True):
        factor = damped(linearize(objective, theta, orthogonal), damping)
        assert_close(factor.velocity, expected, 1e-9)
        assert_close(factor.solve(jacobian.T @ residual), -expected, 1e-9)
        assert factor.predicted == pytest.approx(decrease, rel=1e-9)


def test_only_qr_sees_small_singular_values():
    """Cholesky freezes what lies below 1e-8 of the largest singular value; QR goes on to 1e-15."""
    function = ill_conditioned(span=10)
    lengths = {}
    for orthogonal in (False, True):
        factor = damped(linearize(LeastSquares(function), start(12, 0.0), orthogonal), 1e-26 if orthogonal else 1e-13)
        lengths[orthogonal] = float((factor.velocity - 1).norm())
    assert lengths[True] < 1e-4
    assert lengths[False] > 1e-2


def test_where_cholesky_breaks_down_the_same_step_comes_from_qr():
    function = ill_conditioned(span=10)
    objective = LeastSquares(function)
    bold = LevenbergMarquardt(damping=1e-28, orthogonal_below=0.0, geodesic=False)
    first = bold.init(objective, start(12, 0.0))
    assert damped(linearize(objective, first.theta, orthogonal=False), 1e-28) is None
    state = bold.step(objective, first)
    assert state.trials == 1
    assert state.loss < 1e-20 * first.loss


@pytest.mark.parametrize("name", DAMPED)
def test_row_blocks_and_a_jacobian_that_is_not_kept_change_nothing(name):
    whole = run(DAMPED[name], wavy(2), start(7, 0.3), 5)
    sliced = run(DAMPED[name], wavy(2), start(7, 0.3), 5, rows=9, keeps_jacobian=False)
    for one, other in zip(whole, sliced, strict=True):
        assert_close(other.theta, one.theta, 1e-8)
        assert one.trials == other.trials


def thin(theta):
    """Three rows."""
    return torch.stack([theta.sum() - 3, theta[0] * theta[1] - 1, torch.sin(3 * theta[2]) + theta[3] ** 2 - 0.3])


def test_fewer_rows_than_unknowns_give_a_damped_step():
    for name in DAMPED:
        assert run(DAMPED[name], thin, start(5, 0.5), 40)[-1].loss < 1e-20


@pytest.mark.parametrize("orthogonal", [False, True])
@pytest.mark.parametrize("damping", [10.0, 1e-2, 1e-5, 1e-7])
def test_the_dual_step_is_the_primal_one(orthogonal, damping):
    """Every number that the method asks a factor for, with rows on either side and a column of zeros."""
    objective, theta = LeastSquares(thin), start(5, 0.4)
    primal, dual = linearize(objective, theta, orthogonal), linear_model(objective, theta, orthogonal)
    assert isinstance(dual, Dual)
    assert not isinstance(linear_model(LeastSquares(wavy(1)), start(7), orthogonal), Dual)
    assert not isinstance(linear_model(LeastSquares(thin, keeps_jacobian=False), theta, orthogonal), Dual)
    one, other = damped(primal, damping), damped(dual, damping)
    weights = torch.tensor([0.3, -1.0, 2.0], dtype=torch.float64)
    assert_close(dual.gradient, primal.gradient, 1e-13)
    assert_close(other.velocity, one.velocity, 1e-8)
    assert_close(other.pulled(weights), one.pulled(weights), 1e-8)
    assert other.predicted == pytest.approx(one.predicted, rel=1e-8)
    assert other.reduction == pytest.approx(one.reduction, rel=1e-8)
    assert other.length(theta) == pytest.approx(one.length(theta), rel=1e-13)
    assert other.damping == one.damping == damping
    v = torch.cos(torch.arange(5, dtype=torch.float64))
    assert_close(dual.products.forward(v), primal.products.forward(v), 1e-13)
    assert_close(dual.products.adjoint(weights), primal.products.adjoint(weights), 1e-13)
    assert_close(dual.products.normal(v), primal.products.normal(v), 1e-13)
    twin, some = objective.products(theta), torch.stack([v, theta, -v])
    for products in (primal.products, dual.products):
        assert_close(products.forward(some), twin.forward(some), 1e-13)
        assert_close(products.normal(some), twin.normal(some), 1e-12)


def test_the_dual_endgame_sees_small_singular_values():
    """Cholesky of J D⁻²Jᵀ breaks down where its QR factor goes on."""
    plain = ill_conditioned(rows=12, span=10)
    wide = LeastSquares(lambda theta: plain(theta[:12] + torch.linspace(-1, 1, 30, dtype=torch.float64) @ theta[12:]))
    theta = start(42, 0.0)
    assert damped(linear_model(wide, theta, orthogonal=False), 1e-28) is None
    state = LevenbergMarquardt(damping=1e-28, orthogonal_below=0.0, geodesic=False)
    first = state.init(wide, theta)
    assert state.step(wide, first).loss < 1e-13 * first.loss


def test_columns_of_zeros_stay_where_they_are():
    states = run(
        LevenbergMarquardt(), lambda theta: exponentials(theta[:4]), torch.cat([EXPONENTIALS_START, start(2)]), 30
    )
    assert torch.equal(states[-1].theta[4:], start(2))
    assert states[-1].loss < 1e-20


def test_damping_follows_the_gain_ratio():
    """A step that the linear model foretells well divides λ by three, so on a linear problem all do."""
    states = run(LevenbergMarquardt(geodesic=False), ill_conditioned(span=2), start(12, 0.0), 3)
    assert [s.damping for s in states] == pytest.approx([1e-3 / 3**k for k in range(4)])
    assert states[1].gain > 0.9
    floored = LevenbergMarquardt(smallest=1e-4)
    assert run(floored, exponentials, EXPONENTIALS_START, 10)[-1].damping >= 1e-4


@pytest.mark.parametrize("theta", [0.3, 0.6, 0.95, 1.0, 1.15, 2.0])
def test_damping_is_nielsens(theta):
    """λ₊ = λ max(1/3, 1 − (2ρ − 1)³), here with one unknown, where all is known by hand."""
    function, damping = (lambda p: torch.sin(1.5 * p) + 0.2), 0.5
    p = torch.tensor([theta], dtype=torch.float64)
    residual, slope = float(function(p)), 1.5 * np.cos(1.5 * theta)
    step = -residual / (slope * (1 + damping))
    decrease = 0.5 * residual**2 - 0.5 * float(function(p + step)) ** 2
    ratio = decrease / (0.5 * residual**2 - 0.5 * (residual + slope * step) ** 2)
    state = run(LevenbergMarquardt(damping=damping, geodesic=False), function, p, 1)[-1]
    assert state.trials == 1
    assert float(state.theta) == pytest.approx(theta + step)
    assert state.damping == pytest.approx(damping * max(1 / 3, 1 - (2 * min(ratio, 1) - 1) ** 3))
    assert state.gain == pytest.approx(decrease / (0.5 * residual**2))


def projection_share(jacobian, residual, damping=0.0, scale=None):
    """|P r|²/|r|² by the singular value decomposition of J with columns of length one, damped or not."""
    u, s, _ = torch.linalg.svd(jacobian / (jacobian.norm(dim=0) if scale is None else scale), full_matrices=False)
    share = s**2 / (s**2 + damping) if damping else (s > 1e-12 * s[0]).to(s)
    return float((share * (u.T @ residual) ** 2).sum() / (residual @ residual))


@pytest.mark.parametrize("doubled", [False, True])
def test_reach_is_the_share_of_the_residual_in_the_tangent_space(doubled):
    """Of the orthogonal factor to rounding, redundant columns or not; of Cholesky's what its λ leaves of it."""
    plain, count = wavy(3, rows=16), 7
    function = (lambda theta: plain(theta[:count] - 2 * theta[count:])) if doubled else plain
    theta = start(2 * count if doubled else count, 0.2)
    residual, jacobian = function(theta), torch.func.jacrev(function)(theta)
    share = projection_share(jacobian, residual)
    assert 0.3 < share < 0.95
    for damping in (1e-2, 1e-13):
        endgame = LevenbergMarquardt(damping=damping, orthogonal_below=np.inf)
        assert run(endgame, function, theta, 1)[-1].reach == pytest.approx(share, rel=1e-10)
    gram = linearize(LeastSquares(function), theta, orthogonal=False)
    assert reach(gram, damped(gram, 1e-2)) == pytest.approx(projection_share(jacobian, residual, 1e-2), rel=1e-10)
    state = run(LevenbergMarquardt(damping=1e-2, geodesic=False), function, theta, 1)[-1]
    used = 1e-2 if state.trials == 1 else 2e-2
    assert state.trials <= 2
    assert state.reach == pytest.approx(projection_share(jacobian, residual, used), rel=1e-9)


def flat(theta):
    """Four rows, the last without a slope: the residual is never all within reach."""
    parts = [theta.sum() - 3, theta[0] * theta[1] - 1, torch.sin(theta[2]), 2.0 * theta[0] ** 0]
    return torch.stack(parts)


@pytest.mark.parametrize("damping", [1e-2, 1e-13])
def test_reach_of_fewer_rows_than_parameters_is_that_within_the_damping(damping):
    theta = start(9, 0.7)
    jacobian = torch.func.jacrev(flat)(theta)
    scale = jacobian.norm(dim=0).clamp_min(1e-8 * float(jacobian.norm(dim=0).max()))
    expected = projection_share(jacobian, flat(theta), damping, scale)
    assert 0.3 < expected < 0.999
    for orthogonal in (False, True):
        linear = linear_model(LeastSquares(flat), theta, orthogonal)
        if factor := damped(linear, damping):
            assert reach(linear, factor) == pytest.approx(expected, rel=1e-10)
    assert factor is not None


def test_reach_vanishes_where_the_space_is_exhausted():
    states = run(LevenbergMarquardt(), wavy(2), start(7, 0.3), 60)
    assert states[0].reach == 1.0
    assert states[1].reach > 0.1
    assert states[-1].loss > 1e-3
    assert states[-1].reach < 1e-12


def test_rejected_dampings_grow_ever_faster():
    assert list(itertools.islice(raised(3.0, 1e-28), 5)) == [3.0, 6.0, 24.0, 192.0, 3072.0]
    assert list(itertools.islice(raised(1e-30, 1e-3), 3)) == [1e-30, 1e-3, 4e-3]


def test_the_plain_step_is_taken_where_the_acceleration_drowns_in_rounding():
    objective = LeastSquares(lambda theta: (theta + 1e6) - 1e6)  # rounds to 1e-10, so r_vv is noise for small steps
    optimizer = LevenbergMarquardt(damping=1e-14)
    first = optimizer.init(objective, 1e-9 * torch.arange(1, 8, dtype=torch.float64))
    state = optimizer.step(objective, first)
    assert state.trials > 1  # the bend of the noise was taken seriously first
    assert state.loss < 1e-3 * first.loss


def test_probes_take_smaller_dampings_where_the_loss_falls_further():
    linear = ill_conditioned(span=4)
    plain, probing = (run(LevenbergMarquardt(probes=k), linear, start(12, 0.0), 1)[-1] for k in (0, 3))
    assert probing.loss < 0.1 * plain.loss
    assert probing.damping == pytest.approx(1e-3 * plain.damping)


def test_without_j_the_minimum_of_a_curved_fit_is_found():
    """Rank and rows that leave singular sketches included."""
    for name in ("matrix-free", "matrix-free, no sketch"):
        assert run(OPTIMIZERS[name], rosenbrock, start(6), 300)[-1].loss < 1e-20
        assert run(OPTIMIZERS[name], thin, start(5, 0.5), 40)[-1].loss < 1e-20


def test_a_stalled_iteration_says_so():
    """Every step raises the loss of a function whose derivative lies."""
    objective = LeastSquares(lambda theta: 2 + (theta.detach() * 2 - theta).abs())
    for optimizer in (LevenbergMarquardt(), LBFGS(), SSBroyden(), MatrixFree()):
        first = optimizer.init(objective, start(2, 0.7))
        state = optimizer.step(objective, first)
        assert state.status is Status.STALLED
        assert "refine" in state.status.value
        assert torch.equal(state.theta, first.theta)
        assert state.loss == first.loss


@pytest.mark.parametrize("memory", [2, 5, 20])
@pytest.mark.parametrize("count", [2, 8])
def test_lbfgs_walks_rosenbrocks_valley(memory, count):
    states = run(LBFGS(memory=memory), rosenbrock, start(count), 300)
    assert states[-1].loss < 1e-18
    assert all(later.loss < earlier.loss for earlier, later in itertools.pairwise(states[:-1]))
    assert max(len(s.pairs) for s in states) == memory or len(states) <= memory


def test_lbfgs_is_as_quick_as_scipys():
    evaluations = sum(s.trials for s in run(LBFGS(), rosenbrock, start(8), 300))
    objective = LeastSquares(rosenbrock)

    def both(p):
        loss, gradient = objective.loss_and_gradient(torch.as_tensor(p))
        return loss, gradient.numpy()

    found = scipy.optimize.minimize(
        both, start(8).numpy(), jac=True, method="L-BFGS-B", options={"maxcor": 20, "ftol": 0, "gtol": 1e-9}
    )
    assert evaluations < 1.5 * found.nfev


def test_two_loops_are_the_dense_bfgs_inverse():
    generator = torch.Generator().manual_seed(0)
    root = torch.randn((6, 6), generator=generator, dtype=torch.float64)
    hessian = root @ root.T + torch.eye(6)
    steps = torch.randn((3, 6), generator=generator, dtype=torch.float64)
    pairs = tuple((s, hessian @ s) for s in steps)
    s, y = pairs[-1]
    inverse = torch.eye(6, dtype=torch.float64) * (s @ y) / (y @ y)
    for s, y in pairs:
        keep = torch.eye(6, dtype=torch.float64) - torch.outer(s, y) / (s @ y)
        inverse = keep @ inverse @ keep.T + torch.outer(s, s) / (s @ y)
    gradient = torch.randn(6, generator=generator, dtype=torch.float64)
    assert_close(direction(gradient, pairs), -inverse @ gradient, 1e-12)
    assert torch.equal(direction(gradient, ()), -gradient)


def spd(seed, count=6):
    """A symmetric positive definite matrix."""
    root = torch.randn((count, count), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    product = root @ root.T + 0.1 * torch.eye(count)
    return 0.5 * (product + product.T)


def broyden_hessian(hessian, s, y, tau, theta):
    """B₊ of Broyden's scaled family, as Al-Baali writes it."""
    own = hessian @ s
    w = y / (y @ s) - own / (s @ own)
    kept = hessian - torch.outer(own, own) / (s @ own) + theta * (s @ own) * torch.outer(w, w)
    return tau * kept + torch.outer(y, y) / (y @ s)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("fresh", [False, True])
def test_ssbroyden_is_the_inverse_of_al_baalis_update(seed, fresh):
    inverse = None if fresh else spd(seed)
    s, noise = torch.randn((2, 6), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    y = 10.0 ** (seed - 3) * (spd(seed + 10) @ s) + 0.01 * noise
    assert float(s @ y) > 0
    hessian = torch.eye(6, dtype=torch.float64) * (y @ y) / (s @ y) if fresh else torch.linalg.inv(inverse)
    own, h = float(s @ hessian @ s), float(y @ torch.linalg.inv(hessian) @ y / (s @ y))
    result = updated(inverse, s, y, own)
    tau, phi = scaling(h, own / float(s @ y), 6)
    a = h * own / float(s @ y) - 1
    theta = (1 - phi) / (1 + phi * a)  # φ as a function of θ is its own inverse
    assert_close(result, torch.linalg.inv(broyden_hessian(hessian, s, y, tau, theta)), 1e-9)
    assert_close(result @ y, s, 1e-9)
    assert torch.equal(result, result.T)
    assert float(torch.linalg.eigvalsh(result)[0]) > 0


def published_scaling(h, b, n):
    """τ and φ, letter by letter from equations 13 to 23 of arXiv 2405.04230."""
    a = b * h - 1
    c = np.sqrt(abs(a) / (1 + a))
    rho = min(1, h * (1 - c))
    theta = max((rho - 1) / a, min(1 / rho, (1 - b) / b))
    sigma = 1 + theta * a
    sigma_n = abs(sigma) ** (1 / (1 - n))
    tau = min(min(1, 1 / b) * sigma_n, sigma) if theta <= 0 else min(1, 1 / b) * min(sigma_n, 1 / theta)
    return tau, (1 - theta) / (1 + a * theta)


@pytest.mark.parametrize("h", [1e-3, 0.3, 0.9, 1.1, 40.0])
@pytest.mark.parametrize("excess", [1e-3, 0.2, 3.0, 500.0])
def test_the_scaling_is_the_published_one(h, excess):
    b = (1 + excess) / h
    assert scaling(h, b, 50) == pytest.approx(published_scaling(h, b, 50), rel=1e-9)


@pytest.mark.parametrize("h", [1e-200, 1e-8, 1.0, 1e8])
@pytest.mark.parametrize("count", [1, 2, 50])
def test_the_scaling_stays_finite_and_positive_at_the_ends(h, count):
    for product in (1 - 1e-16, 1.0, 1e20):
        tau, phi = scaling(h, product / h, count)
        assert 0 < tau <= 1
        assert np.isfinite(phi)


@pytest.mark.parametrize("count", [2, 8])
def test_ssbroyden_walks_rosenbrocks_valley(count):
    states = run(SSBroyden(), rosenbrock, start(count), 300)
    assert states[-1].loss < 1e-18
    assert all(later.loss < earlier.loss for earlier, later in itertools.pairwise(states[:-1]))


def test_ssbroyden_needs_fewer_gradients_than_lbfgs_where_the_problem_is_hard():
    def evaluations(optimizer):
        states = run(optimizer, ill_conditioned(span=3), start(12, 0.0), 2000)
        return sum(s.trials for s in states if s.loss > 1e-20)

    assert 2 * evaluations(SSBroyden()) < evaluations(LBFGS(memory=5))


def test_ssbroyden_begins_again_where_its_memory_leads_uphill():
    objective = LeastSquares(exponentials)
    first = SSBroyden().init(objective, EXPONENTIALS_START)
    bad = dataclasses.replace(first, inverse=-torch.eye(4, dtype=torch.float64))
    state, plain = SSBroyden().step(objective, bad), SSBroyden().step(objective, first)
    assert torch.equal(state.theta, plain.theta)
    assert torch.equal(state.inverse, plain.inverse)
    assert state.trials == plain.trials + Wolfe().patience


def test_ssbroyden_leaves_a_memory_that_is_not_definite_any_more():
    """Rounding does that to H in long runs; powers of its negative forms would be complex."""
    generator = torch.Generator().manual_seed(0)
    s, y = torch.rand(2, 4, generator=generator, dtype=torch.float64) + 0.1
    fresh = updated(None, s, y, 0.0)
    assert torch.equal(updated(-torch.eye(4, dtype=torch.float64), s, y, 1.0), fresh)
    assert torch.equal(updated(torch.eye(4, dtype=torch.float64), s, y, -1.0), fresh)
    assert not torch.equal(updated(torch.eye(4, dtype=torch.float64), s, y, 1.0), fresh)


def test_ssbroyden_makes_one_matrix_a_step():
    """The memory that its module promises: H₊ beside H, nothing else of that size."""
    count = 600
    inverse, s = torch.eye(count, dtype=torch.float64), torch.linspace(1, 2, count, dtype=torch.float64)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        updated(inverse, s, 2 * s, 1.0)
    events = [e for e in profile.profiler.kineto_results.events() if e.name() == "[memory]"]
    peak = np.cumsum([e.nbytes() for e in sorted(events, key=lambda e: e.start_ns())]).max()
    assert 8 * count**2 <= peak < 1.1 * 8 * count**2


def one_dimensional(function, slope):
    """A ray along which φ and φ' are given."""
    empty = torch.zeros(1, dtype=torch.float64)
    return lambda length: Probe(length, function(length), slope(length), empty, empty)


# Moré & Thuente 1994, functions of section 5: a distant minimum, one of width 1e-3, and one in a noisy wall.
LINES = {
    "5.1": (lambda a: -a / (a**2 + 2), lambda a: (a**2 - 2) / (a**2 + 2) ** 2),
    "5.2": (lambda a: (a + 0.004) ** 5 - 2 * (a + 0.004) ** 4, lambda a: (a + 0.004) ** 3 * (5 * (a + 0.004) - 8)),
    "pole": (
        lambda a: np.inf if a >= 2 else a**2 - a + 0.01 / (2 - a),
        lambda a: 2 * a - 1 + 0.01 / (2 - a) ** 2 if a < 2 else np.nan,
    ),
}


@pytest.mark.parametrize("name", LINES)
@pytest.mark.parametrize("length", [1e-3, 1e-1, 1.0, 10.0, 1000.0])
def test_the_line_search_ends_with_the_strong_wolfe_conditions(name, length):
    ray = one_dimensional(*LINES[name])
    found, count = Wolfe(decrease=1e-4, curvature=0.5)(ray, length)
    origin = ray(0.0)
    assert found.value <= origin.value + 1e-4 * found.length * origin.slope
    assert abs(found.slope) <= 0.5 * abs(origin.slope)
    assert count <= 20


def test_cubic_steps_find_the_minimum_of_cubics_and_stay_inside():
    ray = one_dimensional(lambda a: a**3 - 2 * a, lambda a: 3 * a**2 - 2)
    for low, high in ((0.0, 2.0), (2.0, 0.0), (0.5, 1.5)):
        assert cubic_step(ray(low), ray(high)) == pytest.approx(np.sqrt(2 / 3))
    assert cubic_step(ray(0.8), ray(100.0)) == pytest.approx(0.8 + 0.1 * 99.2)  # safeguarded
    broken = dataclasses.replace(ray(2.0), value=np.nan)
    assert cubic_step(ray(0.0), broken) == 1.0
    assert cubic_step(ray(0.0), dataclasses.replace(ray(2.0), value=1e250)) == 1.0


def test_a_line_search_without_a_lower_point_gives_none():
    found, count = Wolfe(patience=10)(one_dimensional(lambda a: a, lambda _: -1.0), 1.0)
    assert found is None
    assert count == 10


@pytest.mark.parametrize("schedule", [Constant(), Exponential(0.5, 7), Cosine(40, 0.1)])
def test_adam_is_torchs(schedule):
    theta = EXPONENTIALS_START.clone().requires_grad_()
    twin = torch.optim.Adam([theta], lr=0.03)
    scheduler = torch.optim.lr_scheduler.LambdaLR(twin, schedule)
    states = run(Adam(0.03, schedule), exponentials, EXPONENTIALS_START, 50)
    for state in states[1:]:
        twin.zero_grad()
        (0.5 * exponentials(theta).square().sum()).backward()
        twin.step()
        scheduler.step()
        assert_close(state.theta, theta.detach(), 1e-12)
    assert states[-1].loss < 0.2 * states[0].loss


def test_schedules():
    assert [Constant()(k) for k in (0, 10)] == [1.0, 1.0]
    assert [Exponential(0.5, 10)(k) for k in (0, 10, 20)] == [1.0, 0.5, 0.25]
    assert [Cosine(10, 0.2)(k) for k in (0, 5, 10, 99)] == pytest.approx([1.0, 0.6, 0.2, 0.2])


def test_adam_stays_where_the_next_point_is_not_finite():
    objective = LeastSquares(lambda theta: torch.sqrt(theta) + 1)
    bold = Adam(1.0)
    first = bold.init(objective, start(1, 0.5))
    state = bold.step(objective, first)
    assert state.status is Status.NOT_FINITE
    assert torch.equal(state.theta, first.theta)


def test_a_jacobian_that_is_not_finite_is_not_a_step():
    objective = LeastSquares(lambda theta: theta.abs().sqrt() + 1)
    optimizer = LevenbergMarquardt()
    first = optimizer.init(objective, torch.tensor([0.0, 1.0], dtype=torch.float64))
    assert first.status is Status.RUNNING
    assert optimizer.step(objective, first).status is Status.NOT_FINITE
