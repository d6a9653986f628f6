"""The residual system: values and Jacobian against nested forward mode and jacrev, chunks, accumulation, labels."""

import cases
import numpy as np
import pytest
import sympy as sp
import torch
from contracts import assert_close, nested

import kanpde as kp
from kanpde.collocation import collocate
from kanpde.expression import Program
from kanpde.lifting import impose
from kanpde.lowering import lower
from kanpde.network import KAN, MLP, ModuleNetwork
from kanpde.operator import compile_operator
from kanpde.optim.objective import linearize
from kanpde.residuals import Block, ResidualSystem

x, t = sp.symbols("x t", real=True)
RING = kp.Problem(
    kp.Box({x: (0, 2)}) * kp.Time(t, (0, 1)),
    sp.Eq(sp.Function("u")(x, t).diff(t), sp.Function("u")(x, t).diff(x, 2)),
    [kp.Periodic(sp.Function("u")(x, t), x), kp.Initial(sp.Function("u")(x, t), x)],
)
PROBLEMS = {**{name: cases.load(name) for name in cases.NAMES}, "ring": RING}


def network(problem, kind="kan"):
    d, count, bounds = len(problem.coordinates), len(problem.unknowns), problem.domain.bounds
    if kind == "mlp":
        return MLP([d, 5, count], bounds=bounds)
    periodic = [c.axis for c in problem.conditions if c.kind == "periodic"]
    return KAN([d, (2, 1), count], degree=6, intervals=2, bounds=bounds, periodic=periodic)


def blocks(problem, ansatz, count=14, weight=3.0):
    """The equations, and every condition that the ansatz does not keep."""
    inside = Block("equations", tuple(lower(o) for o in problem.operators), collocate(problem.domain.interior, count))
    soft = [
        Block(f"condition {k}", (lower(c.operator),), collocate(c.region, 6), weight)
        for k, c in enumerate(problem.conditions)
        if k not in ansatz.imposed and c.operator is not None
    ]
    return [inside, *soft]


def system(problem, kind="kan", exact=None, count=14, **options):
    ansatz = impose(problem, exact)
    return ResidualSystem(blocks(problem, ansatz, count), network(problem, kind), ansatz, **options)


def slow_residual(system, problem, theta):
    """r(θ), each derivative of u = g + b N by nested forward mode of the module's own forward."""
    coordinates = problem.coordinates
    expressions = (*system.ansatz.lift.expressions, *system.ansatz.factor.expressions)
    framing = Program.compile(expressions, coordinates)
    names = [name for name, _ in system.network.named_parameters()]
    parameters = dict(zip(names, system.network.split(theta), strict=True))

    def u(points):
        values = torch.func.functional_call(system.network, parameters, (points,))
        parts = [part + 0.0 * points[:, 0] for part in framing(list(points.T), torch)]
        lift, factor = torch.stack(parts, dim=1).split(len(problem.unknowns), dim=1)
        return lift + factor * values

    rows = []
    for block in system.blocks:
        points = torch.as_tensor(block.points.x)
        scale = torch.as_tensor(block.weight * block.points.weights).sqrt()
        for operator in (equation.operator for equation in block.equations):
            jet = [nested(u, v.derivative)(points)[:, v.unknown] for v in operator.jet]
            normals = list(torch.as_tensor(block.points.normals).T) if operator.normal else []
            rows.append(scale * operator.program([*points.T, *normals, *jet], torch)[0])
    return torch.cat(rows)


def assembled(system, theta):
    """r and J, (N,) and (N, P)."""
    parts = list(system.linearized(theta))
    return torch.cat([r for r, _ in parts]), torch.cat([j for _, j in parts], dim=1).T


@pytest.fixture(params=[(name, kind) for name in PROBLEMS for kind in ("kan", "mlp")], ids="-".join)
def case(request):
    name, kind = request.param
    problem = PROBLEMS[name]
    if kind == "mlp" and name == "ring":
        pytest.skip("an MLP is not periodic")
    return system(problem, kind), problem


def test_the_residual_is_that_of_nested_forward_mode(case):
    fast, problem = case
    assert_close(fast.residual(fast.network.theta), slow_residual(fast, problem, fast.network.theta).detach(), 1e-9)


def test_jacobian_and_gradient_agree_with_differences(case):
    fast, _ = case
    theta = fast.network.theta
    residual, jacobian = assembled(fast, theta)
    assert_close(residual, fast.residual(theta), 1e-14)
    assert jacobian.shape == (fast.rows, fast.network.n_parameters)
    direction = torch.cos(torch.arange(len(theta), dtype=theta.dtype))
    h = 1e-3
    first, second = (
        fast.residual(theta + k * h * direction) - fast.residual(theta - k * h * direction) for k in (1, 2)
    )
    assert_close(jacobian @ direction, (8 * first - second) / (12 * h), 1e-7)
    loss, gradient = fast.loss_and_gradient(theta)
    assert loss == pytest.approx(0.5 * float(residual @ residual), rel=1e-13)
    assert_close(gradient, jacobian.T @ residual, 1e-12)


@pytest.mark.parametrize("name", ["poisson", "poisson_robin", "coupled", "nonlinear_poisson", "wave_1d", "ring"])
def test_the_jacobian_is_jacrev_of_the_plain_forward(name):
    problem = PROBLEMS[name]
    fast = system(problem, count=5)
    theta = fast.network.theta
    slow = torch.func.jacrev(lambda p: slow_residual(fast, problem, p))(theta)
    assert_close(assembled(fast, theta)[1], slow, 1e-9)


@pytest.mark.parametrize("name", ["poisson", "poisson_robin", "coupled"])
def test_collapsed_channels_change_nothing(name):
    problem = PROBLEMS[name]
    fast = system(problem)
    plain = [
        Block(b.label, tuple(lower(e.operator, collapse=False) for e in b.equations), b.points, b.weight)
        for b in fast.blocks
    ]
    slow = ResidualSystem(plain, fast.network, fast.ansatz)
    for one, other in zip(assembled(fast, fast.network.theta), assembled(slow, fast.network.theta), strict=True):
        assert_close(one, other, 1e-12)


@pytest.mark.parametrize("name", ["poisson_robin", "coupled"])
def test_chunks_give_the_same_system(name):
    """A megabyte cuts the points into many slices, and J is no longer kept."""
    whole = system(PROBLEMS[name], count=1500)
    sliced = system(PROBLEMS[name], count=1500, memory=1 << 20)
    theta = whole.network.theta
    assert whole.keeps_jacobian
    assert not sliced.keeps_jacobian
    assert len(list(sliced.linearized(theta))) > len(list(whole.linearized(theta)))
    for one, other in zip(rows_in_order(whole, theta), rows_in_order(sliced, theta), strict=True):
        assert_close(one, other, 1e-12)
    assert_close(sliced.loss_and_gradient(theta)[1], whole.loss_and_gradient(theta)[1], 1e-12)


def rows_in_order(system, theta):
    """r and J with rows sorted: chunks of several equations interleave."""
    residual, jacobian = assembled(system, theta)
    order = torch.argsort(residual)
    return residual[order], jacobian[order]


@pytest.mark.parametrize("orthogonal", [False, True])
def test_accumulation_is_the_assembled_system(orthogonal):
    """The sum of Gram matrices, or the triangle of stacked triangles, is that of all rows at once."""
    sliced = system(PROBLEMS["poisson_robin"], count=1500, memory=1 << 20)
    theta = sliced.network.theta
    residual, jacobian = assembled(sliced, theta)
    linear = linearize(sliced, theta, orthogonal)
    joined = torch.cat([jacobian, residual[:, None]], dim=1)
    gram = linear.reduced.T @ linear.reduced if orthogonal else linear.reduced
    assert_close(gram, joined.T @ joined, 1e-12)
    assert_close(linear.gradient, jacobian.T @ residual, 1e-11)
    assert_close(linear.columns, jacobian.norm(dim=0), 1e-12)
    assert linear.blocks == ()


def peak(action):
    """Bytes that torch holds at most at once during an action, beyond those that it held before."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        action()
    events = [e for e in profile.profiler.kineto_results.events() if e.name() == "[memory]"]
    return int(np.cumsum([e.nbytes() for e in sorted(events, key=lambda e: e.start_ns())]).max())


ACTIONS = {
    "gram": lambda s: linearize(s, s.network.theta, orthogonal=False),
    "triangle": lambda s: linearize(s, s.network.theta, orthogonal=True),
    "gradient": lambda s: s.loss_and_gradient(s.network.theta),
    "residual": lambda s: s.residual(s.network.theta),
}


@pytest.mark.parametrize("action", ACTIONS)
def test_memory_is_bounded_by_the_setting_and_not_by_the_points(action):
    memory = 1 << 21
    few, many = (system(PROBLEMS["poisson"], count=n, memory=memory) for n in (1000, 3000))
    assert 3000 * 8 * many.network.n_parameters > memory  # all of J would not fit
    used = [peak(lambda s=s: ACTIONS[action](s)) for s in (few, many)]
    assert max(used) < memory
    assert used[1] < used[0] + 10 * 8 * 3000  # vectors of all points are there, tables are not


def test_block_norms_are_root_mean_squares_without_the_balancing_weight():
    problem = PROBLEMS["poisson_robin"]
    light, heavy = system(problem), system(problem)
    heavy = ResidualSystem(
        [Block(b.label, b.equations, b.points, 100.0) for b in light.blocks], light.network, light.ansatz
    )
    theta = light.network.theta
    norms = light.block_norms(theta)
    assert norms == pytest.approx(heavy.block_norms(theta), rel=1e-12)
    block = light.blocks[0]
    part = light.residual(theta)[: len(block.points)] / torch.as_tensor(block.points.weights).sqrt()
    mean = np.average(part.numpy() ** 2, weights=block.points.weights)
    assert norms["equations"] == pytest.approx(np.sqrt(mean), rel=1e-12)


def test_the_squared_residual_is_an_integral():
    """|r|² → ∫F² at the rate of the quadrature, whatever the number of points."""
    small, large = (system(PROBLEMS["poisson"], count=n) for n in (256, 4096))
    theta = small.network.theta
    first, second = (s.loss_and_gradient(theta)[0] for s in (small, large))
    assert first == pytest.approx(second, rel=0.05)


def test_precision_follows_the_network():
    problem = PROBLEMS["poisson"]
    ansatz = impose(problem)
    single = KAN([2, 3, 1], degree=5, intervals=2, bounds=problem.domain.bounds, dtype=torch.float32)
    fast = ResidualSystem(blocks(problem, ansatz), single, ansatz)
    assert fast.residual(single.theta).dtype == torch.float32
    assert fast.loss_and_gradient(single.theta)[1].dtype == torch.float32


WEIGHT, DRIFT = kp.Parameter("a", initial=0.7), kp.Parameter("b", initial=-1.3)


def joined(problem, memory=1 << 30):
    """Rows of every kind: equations with two unknown scalars, a target, two integrals, a condition with a scalar."""
    domain, generator = problem.domain, np.random.default_rng(4)
    inside, sparse, ends = (
        collocate(r, n) for r, n in zip((domain.interior, domain.interior, domain.boundary), (150, 60, 2), strict=True)
    )
    equation, observed, integrand, side = (lower(o) for o in forms(problem))
    rule = np.stack([sparse.weights, sparse.weights * np.cos(sparse.x[:, 0])])
    rows = [
        Block("equations", (equation, observed), inside, 1.0, generator.normal(size=150)),
        Block("integrals", (integrand,), sparse, 2.5, np.array([0.3, -0.4]), rule),
        Block("one integral", (integrand,), sparse, 0.5, None, rule[:1]),
        Block("sides", (side,), ends, 4.0, np.array([1.0, -2.0])),
    ]
    network = KAN([1, 4, 1], "chebyshev", degree=6, bounds=domain.bounds)
    network.scalars = tuple(p.initial for p in problem.parameters)
    return ResidualSystem(rows, network, impose(problem, False), memory, problem.parameters)


def line():
    w = sp.Function("w")(x)
    equation = sp.Eq(WEIGHT * w.diff(x, 2) + sp.sin(DRIFT * w), WEIGHT**2)
    data = kp.Observations(w, np.array([[0.5]]), np.array([1.0]))
    return kp.Problem(kp.Box({x: (0, 2)}), equation, [kp.Dirichlet(w, 0), data], name="line")


def forms(problem):
    w = problem.unknowns[0]
    expressions = (None, DRIFT * w**2 - x, w**2 + WEIGHT * w.diff(x), w - DRIFT * WEIGHT)
    scope = problem.scope("a row")
    return [problem.operators[0], *(compile_operator(e, scope) for e in expressions[1:])]


def plain_rows(system, theta):
    """The same rows written by hand, with autograd's derivatives."""
    coefficients, (a, b) = theta[:-2], theta[-2:]
    if [p.name for p in system.parameters] == ["b", "a"]:
        a, b = b, a
    names = [name for name, _ in system.network.named_parameters()]
    parameters = dict(zip(names, system.network.split(coefficients), strict=True))

    def u(points):
        return torch.func.functional_call(system.network, parameters, (points,))

    rows = []
    for block in system.blocks:
        points = torch.as_tensor(block.points.x)
        value, slope, bend = (nested(u, (k,))(points)[:, 0] for k in range(3))
        values = {
            "equations": [a * bend + torch.sin(b * value) - a**2, b * value**2 - points[:, 0]],
            "sides": [value - a * b],
        }.get(block.label, [value**2 + a * slope])
        for f in values:
            if block.gather is None:
                scale = torch.as_tensor(block.weight * block.points.weights).sqrt()
                rows.append(scale * (f - torch.as_tensor(block.target)))
            else:
                target = 0.0 if block.target is None else torch.as_tensor(block.target)
                rows.append(block.weight**0.5 * (torch.as_tensor(block.gather) @ f - target))
    return torch.cat(rows)


@pytest.mark.parametrize("memory", [1 << 30, 1 << 18], ids=["whole", "chunks"])
def test_scalars_joined_rows_and_targets_agree_with_autograd(memory):
    fast = joined(line(), memory)
    theta = fast.theta
    assert theta[-2:].tolist() == [p.initial for p in fast.parameters]
    assert fast.rows == 2 * 150 + 2 + 1 + 2
    assert (len(fast._chunks) > 4) == (memory == 1 << 18)
    slow, wanted = plain_rows(fast, theta).detach(), torch.func.jacrev(lambda p: plain_rows(fast, p))(theta)
    order = torch.argsort(slow)  # chunks of several equations interleave
    residual, jacobian = rows_in_order(fast, theta)
    assert_close(fast.residual(theta), assembled(fast, theta)[0], 1e-13)
    assert_close(residual, slow[order], 1e-12)
    assert_close(jacobian, wanted[order], 1e-11)
    assert_close(jacobian[:, -2:], wanted[order][:, -2:], 1e-11)
    loss, gradient = fast.loss_and_gradient(theta)
    assert loss == pytest.approx(0.5 * float(slow @ slow), rel=1e-12)
    assert_close(gradient, wanted.T @ slow, 1e-11)


def test_adopted_scalars_and_norms_of_joined_rows():
    fast = joined(line())
    theta = fast.theta + 0.25
    fast.adopt(theta)
    assert_close(fast.theta, theta, 1e-15)
    assert fast.network.scalars == tuple(theta[-2:].tolist())
    coefficients, scalars = fast.apart(theta)
    assert (len(coefficients), len(scalars)) == (fast.network.n_parameters, 2)
    norms, residual = fast.block_norms(theta), fast.residual(theta)
    assert norms["integrals"] == pytest.approx(float((residual[300:302] ** 2).mean() / 2.5) ** 0.5, rel=1e-12)
    assert norms["one integral"] == pytest.approx(abs(float(residual[302])) / 0.5**0.5, rel=1e-12)


def test_a_module_of_ones_own_takes_scalars_and_joined_rows():
    """The same rows as those of a network whose forward it is."""
    fast = joined(line())
    module = ModuleNetwork(torch.nn.Sequential(fast.network), 1)
    module.scalars = fast.network.scalars
    own = ResidualSystem(fast.blocks, module, fast.ansatz, parameters=fast.parameters)
    for one, other in zip(rows_in_order(own, own.theta), rows_in_order(fast, fast.theta), strict=True):
        assert_close(one, other, 1e-10)
    assert_close(own.loss_and_gradient(own.theta)[1], fast.loss_and_gradient(fast.theta)[1], 1e-10)
