"""Fields: symbolic ones against SymPy and the contract; exact conditions on boxes, whatever the network is."""

import cases
import numpy as np
import pytest
import sympy as sp
import torch
from contracts import assert_close, check_field, slow_jet

import kanpde as kp
from kanpde.collocation import collocate
from kanpde.expression import Program
from kanpde.field import Ansatz, SymbolicField
from kanpde.lifting import impose
from kanpde.lowering import derivative_set, lower
from kanpde.multiindex import Collapsed, DerivativeSet, unit
from kanpde.network import KAN, with_bounds

x, y, z, t = sp.symbols("x y z t", real=True)
u, v, w = sp.Function("u")(x, y), sp.Function("v")(x, y), sp.Function("w")(x, t)
SQUARE = kp.Box({x: (-1, 1), y: (0, 2)})
STRING = kp.Box({x: (0, 1)}) * kp.Time(t, (0, 2))
EXACT = sp.exp(x) * sp.cos(y) + x * y**2


def points(d, n=6):
    return torch.as_tensor(np.random.default_rng(0).uniform(0.1, 0.9, (n, d)))


def symbolic():
    return SymbolicField((x, y), (EXACT, sp.sin(x * y), sp.S(3)))


def test_symbolic_fields_keep_the_contract():
    check_field(symbolic(), points(2), [(2, 1), (0, 3), Collapsed((1.0, -2.0))], 3)


def test_symbolic_fields_differentiate_as_forward_mode_does():
    derivatives = DerivativeSet.closure(2, [(1, 2), Collapsed((1.0, 2.0))])

    def plain(p):
        a, b = p[:, 0], p[:, 1]
        return torch.stack([torch.exp(a) * torch.cos(b) + a * b**2, torch.sin(a * b), 3 + 0 * a**3 * b**3], dim=1)

    assert_close(symbolic().jet(points(2), derivatives), slow_jet(plain, derivatives, points(2)))


def constrained(problem, ansatz, x, derivatives, seed=0):
    """The jet of g + b N at points for a random network N, periodic where the problem is."""
    periodic = [c.axis for c in problem.conditions if c.kind == "periodic"]
    d, count = len(problem.coordinates), len(problem.unknowns)
    network = KAN(
        [d, 3, count], degree=6, intervals=3, seed=seed, scale=2.0, periodic=periodic, bounds=problem.domain.bounds
    )
    network = with_bounds(network, problem.domain.bounds)
    with torch.no_grad():
        return ansatz.frame(x, derivatives).constrain(network.jet(x, derivatives))


def violation(problem, ansatz, condition, seed=0):
    """The largest |F| of a condition for a random network."""
    chosen = collocate(condition.region, 60)
    x, lowered = torch.as_tensor(chosen.x), lower(condition.operator)
    derivatives = derivative_set([lowered])
    jet = constrained(problem, ansatz, x, derivatives, seed)
    rows = [jet[derivatives.index(channel), unknown] for unknown, channel in lowered.channels]
    normals = [] if chosen.normals is None or not lowered.operator.normal else list(torch.as_tensor(chosen.normals).T)
    return float(lowered.program([*x.T, *normals, *rows], torch)[0].abs().max())


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", cases.NAMES)
def test_imposed_conditions_hold_for_every_network(name, seed):
    problem = cases.load(name)
    ansatz = impose(problem)
    for k, condition in enumerate(problem.conditions):
        if condition.operator is not None:
            size = violation(problem, ansatz, condition, seed)
            assert (size < 1e-12) == (k in ansatz.imposed), f"{condition} is violated by {size:.1e}"


@pytest.mark.parametrize(
    ("name", "imposed"),
    [
        ("poisson", (0,)),
        ("wave_1d", (0, 1, 2)),
        ("heat_1d", (0, 1)),
        ("poisson_robin", (0,)),
        ("coupled", (0, 1)),
        ("regression", ()),
    ],
)
def test_what_can_be_imposed_is(name, imposed):
    assert impose(cases.load(name)).imposed == imposed


@pytest.mark.parametrize("name", ["poisson_1d", "rational", "wave_1d", "coupled", "poisson_3d"])
def test_the_ansatz_can_reach_the_exact_solution(name):
    """(u − g)/b must be bounded and smooth inside: b vanishes nowhere but on its faces, and to no higher order."""
    problem = cases.load(name)
    ansatz = impose(problem)
    bounds = problem.domain.bounds
    for scale in (1e-3, 1e-5):
        near = bounds[:, 0] + scale * (bounds[:, 1] - bounds[:, 0])
        difference = [e - g for e, g in zip(problem.exact.values(), ansatz.lift.expressions, strict=True)]
        values = Program.compile([*difference, *ansatz.factor.expressions], problem.coordinates)(
            list(near[:, None]), np
        )
        top, bottom = np.array(values).reshape(2, -1)
        assert np.all(bottom > 0)
        assert np.all(np.abs(top / bottom) < 100)


def problem_on_square(*conditions, equation=None):
    return kp.Problem(SQUARE, equation if equation is not None else sp.Eq(kp.laplacian(u), 1), list(conditions))


@pytest.mark.filterwarnings("ignore:.*the solution jumps there:kanpde.errors.ProblemWarning")
def test_data_that_disagree_in_a_corner_stay_soft_on_the_later_axis():
    problem = problem_on_square(
        kp.Dirichlet(u, 0, on=SQUARE.lower(x) | SQUARE.upper(x)),
        kp.Dirichlet(u, 1, on=SQUARE.lower(y) | SQUARE.upper(y)),
    )
    assert impose(problem).trivial  # b would make the jump a singularity of N: left to rows with an angle as input
    ansatz = impose(problem, exact=True)
    assert ansatz.imposed == (0,)
    assert violation(problem, ansatz, problem.conditions[0]) < 1e-13
    assert violation(problem, ansatz, problem.conditions[1]) > 1e-2


def test_agreeing_data_on_all_sides_are_blended():
    ansatz = impose(problem := problem_on_square(kp.Dirichlet(u, EXACT)))
    assert ansatz.imposed == (0,)
    assert violation(problem, ansatz, problem.conditions[0]) < 1e-13
    assert not ansatz.trivial


def test_parts_of_sides_and_derivatives_stay_soft():
    problem = problem_on_square(
        kp.Dirichlet(u, 0, on=SQUARE.lower(x).where(y < 1)),
        kp.Neumann(u, 0, on=SQUARE.lower(x).where(y > 1)),
        kp.Neumann(u, 1, on=SQUARE.lower(y)),
        kp.Dirichlet(u, EXACT, on=SQUARE.upper(x) | SQUARE.upper(y)),
    )
    assert impose(problem).imposed == (3,)


def test_each_unknown_has_its_own_lifting():
    equations = [sp.Eq(kp.laplacian(u), v), sp.Eq(kp.laplacian(v), u)]
    problem = problem_on_square(
        kp.Dirichlet(u, x),
        kp.Dirichlet(v, 0, on=SQUARE.lower(y)),
        kp.Neumann(v, 0, on=SQUARE.lower(x) | SQUARE.upper(x) | SQUARE.upper(y)),
        equation=equations,
    )
    ansatz = impose(problem)
    assert ansatz.imposed == (0, 1)
    assert ansatz.lift.expressions[1] == 0
    assert ansatz.factor.expressions[0] != ansatz.factor.expressions[1]


def test_the_user_can_force_either():
    problem = cases.load("poisson")
    soft = impose(problem, exact=False)
    assert soft.imposed == ()
    assert soft.trivial
    coordinates = sp.symbols("a b c d", real=True)
    h = sp.Function("h")(*coordinates)
    four = kp.Problem(kp.Box(dict.fromkeys(coordinates, (0, 1))), sp.Eq(kp.laplacian(h), 0), kp.Dirichlet(h, 0))
    assert impose(four).imposed == ()
    assert impose(four, exact=True).imposed == (0,)


def wave(*conditions):
    return kp.Problem(STRING, sp.Eq(w.diff(t, 2), w.diff(x, 2)), list(conditions))


def test_initial_data_to_second_order():
    problem = wave(kp.Dirichlet(w, sp.sin(t)), kp.Initial(w, x * (1 - x)), kp.Initial(w.diff(t), 1))
    ansatz = impose(problem)
    assert ansatz.imposed == (0, 1, 2)
    for condition in problem.conditions:
        assert violation(problem, ansatz, condition) < 1e-12


@pytest.mark.filterwarnings("ignore:.*the solution jumps there:kanpde.errors.ProblemWarning")
def test_initial_data_that_jump_at_the_ends_stay_soft():
    problem = wave(kp.Dirichlet(w, 0), kp.Initial(w, 1), kp.Initial(w.diff(t), 0))
    ansatz = impose(problem)
    assert 0 in ansatz.imposed
    assert 1 not in ansatz.imposed


@pytest.mark.parametrize(
    ("start", "kept"),
    [(sp.sin(2 * sp.pi * x), True), (x * (1 - x), False), (x, False), (sp.exp(sp.cos(2 * sp.pi * x)), True)],
)
def test_a_lifting_of_a_periodic_problem_is_periodic(start, kept):
    """x (1 − x) is continuous on the ring, but its slope jumps and would go on jumping for all times."""
    problem = kp.Problem(STRING, sp.Eq(w.diff(t), w.diff(x, 2)), [kp.Periodic(w, x), kp.Initial(w, start)])
    ansatz = impose(problem)
    assert (1 in ansatz.imposed) == kept
    ends = torch.tensor([[0.0, 0.7], [1.0, 0.7], [0.0, 1.9], [1.0, 1.9]], dtype=torch.float64)
    jet = constrained(problem, ansatz, ends, DerivativeSet.closure(2, [(2, 1)]))
    assert_close(jet[..., 0::2], jet[..., 1::2], 1e-11)


def test_adjoints_of_a_frame_are_transposed():
    ansatz = Ansatz(SymbolicField((x, y), (EXACT, x)), SymbolicField((x, y), (x * y, 1 + x**2)))
    derivatives = DerivativeSet.closure(2, [(2, 1)])
    frame = ansatz.frame(points(2), derivatives)
    generator = torch.Generator().manual_seed(0)
    n, a = (torch.randn((len(derivatives), 2, 6), generator=generator, dtype=torch.float64) for _ in range(2))
    linear = frame.constrain(n) - frame.constrain(torch.zeros_like(n))
    assert float((a * linear).sum()) == pytest.approx(float((frame.adjoint(a) * n).sum()), rel=1e-12)


def test_frames_of_a_trivial_ansatz_change_nothing():
    ansatz = Ansatz(SymbolicField((x,), (sp.S.Zero,)), SymbolicField((x,), (sp.S.One,)))
    derivatives = DerivativeSet.closure(1, [unit(0, 1, 2)])
    jet = torch.ones((3, 1, 4), dtype=torch.float64)
    frame = ansatz.frame(torch.zeros((4, 1), dtype=torch.float64), derivatives)
    assert frame.constrain(jet) is jet
    assert frame.adjoint(jet) is jet
