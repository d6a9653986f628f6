"""A problem as plain values: JSON and back gives the same problem, whatever it is made of; damage is an error."""

import copy
import functools
import json
import warnings
from collections.abc import Callable
from typing import Any

import cases
import numpy as np
import pytest
import sympy as sp

import kanpde as kp
from kanpde.domain import halton
from kanpde.errors import ProblemError, ProblemWarning
from kanpde.expression import from_tree, to_tree
from kanpde.problem import problem_from_tree, problem_to_tree

x, y, z, t = sp.symbols("x y z t", real=True)
k = sp.Symbol("k", positive=True)
plain = sp.Symbol("p")
u = sp.Function("u")(x, y)
SQUARE = kp.Box({x: (-1, sp.pi), y: (0, sp.Rational(1, 3))})


def heat() -> kp.Problem:
    w = sp.Function("w", real=True)(x, t)
    domain = kp.Box({x: (0, 1)}) * kp.Time(t, (0.1, 0.7))
    return kp.Problem(domain, w.diff(t) - w.diff(x, 2), [kp.Periodic(w, x), kp.Initial(w, sp.sin(2 * sp.pi * x))])


def wave_family() -> kp.Problem:
    w = sp.Function("w")(x, t, k)
    space = kp.Box({x: (0, 1)})
    domain = space * kp.Time(t, (0, 1)) * kp.ParameterRange(k, (1, 4))
    conditions = [
        kp.Dirichlet(w, 0, on=space.boundary),
        kp.Initial(w, sp.sin(sp.pi * x)),
        kp.Initial(w.diff(t), k * x * (1 - x)),
    ]
    return kp.Problem(domain, sp.Eq(w.diff(t, 2), k**2 * w.diff(x, 2)), conditions, name="a family")


def predicates() -> kp.Problem:
    edge = SQUARE.lower(y).where(sp.And(x < 1, sp.Or(x > 0.1, sp.sin(x) < -0.3)))
    rest = SQUARE.boundary - edge
    conditions = [kp.Dirichlet(u, x, on=rest.where(sp.Ne(x, 2))), kp.Neumann(u, y, on=edge)]
    return kp.Problem(SQUARE, kp.laplacian(u) + u - 1, conditions)


def robin() -> kp.Problem:
    a = sp.Piecewise((1, x < 0), (2 + sp.Abs(y), True))
    conditions = [
        kp.Robin(u, 1 + x**2, 0.1, sp.exp(-y), on=SQUARE.lower(x) | SQUARE.upper(x)),
        kp.Condition(kp.dot(kp.Normal(), kp.gradient(u)) * kp.Normal()[1] - u**2, on=SQUARE.upper(y)),
        kp.Dirichlet(u, 0, on=SQUARE.lower(y)),
    ]
    return kp.Problem(SQUARE, kp.divergence(a * kp.gradient(u)) - sp.Max(u, 0) ** 3, conditions)


def pressure() -> kp.Problem:
    v, p = sp.Function("v")(x, y), sp.Function("p")(x, y)
    equations = [kp.laplacian(v) - p.diff(x), v.diff(x) * v + p.diff(y, 2) + p.diff(x, 2), u.diff(x, y) + u - v]
    data = [kp.Dirichlet(v, 0), kp.Dirichlet(u, 1), kp.Neumann(p, 0), kp.Dirichlet(p, 0, on=kp.Point({x: -1, y: 0}))]
    return kp.Problem(SQUARE, equations, data)


def unevaluated() -> kp.Problem:
    """An expression too long to be expanded for the signature, with sums that SymPy would multiply out."""
    long = sp.Add(
        *(sp.cos(sp.Mul(2, x + j * y, evaluate=False), evaluate=False) * sp.sin(j * x + 0.1) for j in range(1, 60))
    )
    return kp.Problem(SQUARE, kp.laplacian(u) * (3 + sp.cos(long)) - long, kp.Dirichlet(u, 0))


def without_assumptions() -> kp.Problem:
    w = sp.Function("w", positive=True)(plain)
    return kp.Problem(
        kp.Box({plain: (-1, 1)}), w.diff(plain, 2) - sp.sqrt(plain**2) * w, kp.Dirichlet(w, 1), exact=None
    )


def remarkable() -> kp.Problem:
    return kp.Problem(SQUARE, kp.laplacian(u), kp.Dirichlet(u, 0), exact={u: x**2})


def exact_system() -> kp.Problem:
    a, b = sp.Function("a")(x), sp.Function("b")(x)
    found = {b: sp.cos(x), a: sp.sin(x)}
    return kp.Problem(
        kp.Box({x: (0, 1)}),
        [a.diff(x) - b, b.diff(x) + a],
        [kp.Dirichlet(u, g) for u, g in found.items()],
        exact=found,
        name="rotation",
    )


def composed() -> kp.Problem:
    """Shapes to the third depth, regions of components, of predicates, of one side, and a point."""
    disk, hole = kp.Disk((x, y), (0, 0), 1), kp.Ellipse((x, y), (0.2, 0.1), (0.3, 0.1), angle=sp.pi / 6)
    square = kp.Polygon((x, y), [(0, 0), (2, 0), (2, 1), (0, 1)])
    other = kp.Disk((x, y), (1.6, 0.5), 0.2)
    domain = (disk | square) - (hole | other)
    conditions = [
        kp.Dirichlet(u, 0, on=disk.boundary),
        kp.Neumann(u, x, on=square.boundary.where(x < sp.Rational(3, 2))),
        kp.Neumann(u, y, on=square.boundary.where(x > sp.Rational(3, 2)) - square.upper(x)),
        kp.Robin(u, 1, 2, y, on=domain.upper(x)),
        kp.Dirichlet(u, 1, on=(hole | other).boundary),
        kp.Condition(u.diff(x) + u.diff(y), on=kp.Point({x: 0.5, y: 0.5})),
    ]
    return kp.Problem(domain, kp.laplacian(u) - 1, conditions)


def solid() -> kp.Problem:
    ball = kp.Sphere((x, y, z), (0, 0, 0), 1)
    pipe = kp.Cylinder((x, y, z), (0, 0, -2), 0.3, 4, axis=z)
    w = sp.Function("w")(x, y, z)
    conditions = [kp.Dirichlet(w, x, on=ball.boundary), kp.Neumann(w, 0, on=pipe.boundary)]
    return kp.Problem(ball - pipe, kp.laplacian(w), conditions)


def meshed() -> kp.Problem:
    nodes = [[0, 0], [1, 0], [1, 1], [0, 1], [0.5, 0.4]]
    cells = [[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]]
    mesh = kp.Mesh.from_arrays((x, y), nodes, cells, {"inlet": [[3, 0]], "wall": [[0, 1], [1, 2], [2, 3]]}, {})
    conditions = [kp.Dirichlet(u, 1, on=mesh.region("inlet")), kp.Neumann(u, 0, on=mesh.region("wall").where(x < 0.9))]
    return kp.Problem(
        mesh, kp.laplacian(u) - u, [*conditions, kp.Dirichlet(u, 0, on=mesh.region("wall").where(x > 0.9))]
    )


def moving() -> kp.Problem:
    """A shape through time and a family."""
    v = sp.Function("v")(x, y, t, k)
    disk = kp.Disk((x, y), (0, 0), 1)
    domain = disk * kp.Time(t, (0, 2)) * kp.ParameterRange(k, (1, 2))
    conditions = [kp.Dirichlet(v, t, on=disk.boundary.where(x > 0)), kp.Neumann(v, 0, on=disk.boundary.where(x < 0))]
    return kp.Problem(domain, v.diff(t) - k * kp.laplacian(v), [*conditions, kp.Initial(v, x**2)])


def pure_neumann() -> kp.Problem:
    conditions = [kp.Neumann(u, 0), kp.Integral(u, sp.pi / 7, on=SQUARE.interior.where(x < 0))]
    return kp.Problem(SQUARE, kp.laplacian(u) - x + (sp.pi - 1) / 2, conditions)


def identified() -> kp.Problem:
    a, nu = kp.UnknownField("a", x, y), kp.Parameter("nu", initial=0.3)
    points = [[0.5, 0.1], [1 / 3, 0.2], [-0.7, 0.3]]
    data = [
        kp.Observations(u, points, [0.1, 0.2, 1 / 3], sigma=[0.1, 0.2, 0.1]),
        kp.Observations(u.diff(x), points[:1], [2.0], sigma=1e-3),
        kp.Observations(a, points[1:], [2.0, 1e-300]),
    ]
    return kp.Problem(SQUARE, kp.divergence(a * kp.gradient(u)) - nu * u, [kp.Dirichlet(u, 0), *data])


def tones() -> kp.Problem:
    lam = kp.Eigenvalue("lam", near=55)
    return kp.Problem(SQUARE, kp.laplacian(u) + lam * u, kp.Dirichlet(u, 0))


def impedance() -> kp.Problem:
    w = kp.complex_unknown("w", x, y)
    conditions = [
        kp.Robin(w, -2 * sp.I, 1, sp.exp(2 * sp.I * x), on=SQUARE.upper(x)),
        kp.Dirichlet(w, 1 + sp.I * y, on=SQUARE.boundary - SQUARE.upper(x)),
        kp.Observations(w, [[0.5, 0.1]], [1 + 2j], sigma=0.1),
    ]
    return kp.Problem(SQUARE, kp.laplacian(w) + 4 * w, conditions)


def materials() -> kp.Problem:
    a = sp.Piecewise((400, x**2 + y**2 < sp.Rational(1, 4)), (sp.Rational(138, 100), True))
    domain = kp.Box({x: (-1, 1), y: (-1, 1)})
    return kp.Problem(domain, kp.divergence(a * kp.gradient(u)) + a, kp.Dirichlet(u, x))


def three_materials() -> kp.Problem:
    """Complex, in layers, with a source of its own in each."""
    w, a = kp.complex_unknown("w", x), sp.Piecewise((1, x < 0), (3, x < sp.Rational(1, 2)), (7, True))
    ends = [kp.Dirichlet(w, 1), kp.Dirichlet(w, sp.I)]
    box = kp.Box({x: (-1, 1)})
    sides = [kp.Dirichlet(w, d.value, on=side) for d, side in zip(ends, (box.lower(x), box.upper(x)), strict=True)]
    return kp.Problem(box, kp.divergence(a * kp.gradient(w)) + sp.I * a * w, sides)


def tabulated() -> kp.Problem:
    nodes = np.linspace(-2, 4, 9)
    a = kp.Tabulated("a", {x: nodes, y: nodes}, 2 + np.sin(nodes[:, None] + nodes / 3))
    law = kp.Tabulated("K", [nodes], np.exp(nodes / 9), degree=3)
    return kp.Problem(SQUARE, kp.divergence(law(u) * a * kp.gradient(u)) - a.diff(x), kp.Dirichlet(u, a), exact={u: a})


def from_code() -> kp.Problem:
    q = kp.Given("q", lambda a, b: np.sin(a) * b, {(1, 0): lambda a, b: np.cos(a) * b})(x, y)
    w = kp.complex_unknown("w", x, y)
    c = kp.Given("c", lambda a, b: np.exp(1j * a) * b, complex=True)(x, y)
    return kp.Problem(SQUARE, kp.laplacian(w) + q * w - q.diff(x), kp.Dirichlet(w, c), exact={w: c})


MAKERS: dict[str, Callable[[], kp.Problem]] = {
    function.__name__: function
    for function in (
        heat,
        wave_family,
        predicates,
        robin,
        pressure,
        unevaluated,
        without_assumptions,
        remarkable,
        exact_system,
        composed,
        solid,
        meshed,
        moving,
        pure_neumann,
        identified,
        tones,
        impedance,
        materials,
        three_materials,
        tabulated,
        from_code,
    )
}


@functools.cache
def problem_of(name: str) -> kp.Problem:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ProblemWarning)
        return cases.load(name) if name in cases.FILES else MAKERS[name]()


def through_json(problem: kp.Problem) -> kp.Problem:
    return problem_from_tree(json.loads(json.dumps(problem_to_tree(problem))))


def facts(problem: kp.Problem) -> list[Any]:
    """All of a problem but for code, which files do not hold."""
    conditions = [(c.kind, c.label, c.target, str(c.value), c.axis, c.unknowns, c.text) for c in problem.conditions]
    return [
        *(problem.name, problem.signature, problem.text, problem.domain, problem.unknowns, problem.fields),
        *(problem.layout, problem.coefficients, problem.parameters, problem.order, problem.is_linear),
        *([o.text for o in problem.operators], [r.text for r in problem.regions], conditions),
        problem_to_tree(problem),
    ]


OTHERS = [pytest.param(name, marks=pytest.mark.slow) for name in cases.FILES if name not in cases.NAMES]


@pytest.mark.parametrize("name", [*cases.NAMES, *MAKERS, *OTHERS])
def test_the_same_problem_comes_back(name: str, recwarn: pytest.WarningsRecorder) -> None:
    before = problem_of(name)
    after = through_json(before)
    for found, expected in zip(facts(after), facts(before), strict=True):
        assert found == expected
    assert not recwarn.list, "what is remarkable about a problem is said when it is made, not when it is read"


@pytest.mark.parametrize("name", [*cases.NAMES, *(name for name in MAKERS if name != "from_code")])
def test_without_code_the_expressions_are_equal(name: str) -> None:
    before = problem_of(name)
    after = through_json(before)
    assert after.exact == before.exact
    assert after.operators == before.operators
    assert [c.operator for c in after.conditions] == [c.operator for c in before.conditions]
    assert [c.value for c in after.conditions] == [c.value for c in before.conditions]
    assert [c.region for c in after.conditions] == [c.region for c in before.conditions]


@pytest.mark.parametrize("name", ["identified", "impedance"])
def test_measurements_come_back(name: str) -> None:
    before = problem_of(name)
    pairs = zip(through_json(before).conditions, before.conditions, strict=True)
    data = [(a.data, b.data) for a, b in pairs if b.data is not None]
    assert len(data) >= 2
    for after, own in data:
        assert after is not None
        np.testing.assert_array_equal(after.points, own.points)
        np.testing.assert_array_equal(after.values, own.values)
        np.testing.assert_array_equal(np.array(after.sigma, dtype=float), np.array(own.sigma, dtype=float))


@pytest.mark.parametrize("name", ["composed", "meshed", "moving", "materials", "impedance", "three_materials"])
def test_what_comes_back_works(name: str) -> None:
    """Points, normals and the fields behind the unknowns are the same."""
    before = problem_of(name)
    after = through_json(before)
    for one, two in zip(after.conditions, before.conditions, strict=True):
        for piece, own in zip(one.region.pieces(), two.region.pieces(), strict=True):
            unit = halton(16, own.dimension)
            points = own.points(unit)
            np.testing.assert_array_equal(piece.points(unit), points)
            np.testing.assert_array_equal(piece.contains(points), own.contains(points))
            if own.normal is not None:
                np.testing.assert_array_equal(piece.normals(points), own.normals(points))
    points = before.domain.quadrature(4)[0]
    values = np.random.default_rng(3).standard_normal((len(points), len(before.fields)))
    np.testing.assert_array_equal(after.readout(points, values), before.readout(points, values))


def test_code_is_asked_for_when_it_is_needed() -> None:
    after = through_json(problem_of("from_code"))
    with pytest.raises(ProblemError, match="files do not hold; give problem= to load"):
        after.exact_values(np.zeros((1, 2)))
    with pytest.raises(ProblemError, match="files do not hold"):
        after.operators[0].evaluate(np.zeros((3, 2)), np.zeros((len(after.operators[0].jet), 3)), np)


def test_stored_expressions_are_settled() -> None:
    """What the compiler makes is what comes back from a tree, so a signature does not depend on where it was taken."""
    operator = problem_of("unevaluated").operators[0]
    bare = operator.expression.xreplace({s: sp.Symbol(s.name, real=True) for s in operator.symbols})
    assert from_tree(to_tree(bare)) == bare


def paths(tree: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where the leaves and the inner nodes of a tree are."""
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [here, *(path for key, value in inner for path in paths(value, (*here, key)))]


def damaged(name: str, value: Any, start: int, step: int) -> list[str]:
    """The errors of a tree with a value in the place of each of some of its nodes."""
    whole, refused = problem_to_tree(problem_of(name)), []
    for path in paths(whole)[start::step]:
        tree = copy.deepcopy(whole)
        node = tree
        for key in path[:-1]:
            node = node[key]
        node[path[-1]] = value
        try:
            assert isinstance(problem_from_tree(tree), kp.Problem)
        except ProblemError as error:
            refused.append(str(error))
    return refused


@pytest.mark.parametrize("value", [None, 7, "sin", [], {}, ["Integer", "no number"], ["eval", "1/0"]])
def test_damage_is_one_error(value: Any) -> None:
    """Anything in the place of anything is either refused in one line or still a problem."""
    refused = damaged("exact_system", value, 1, 3)
    assert len(refused) > 10
    assert not any("\n" in message for message in refused)


@pytest.mark.parametrize(
    "name", ["composed", "meshed", "materials", "identified", "impedance", "tabulated", "from_code"]
)
@pytest.mark.parametrize("value", [None, -1, "x", [[]]])
def test_damage_of_any_kind_of_problem_is_one_error(name: str, value: Any) -> None:
    count = len(paths(problem_to_tree(problem_of(name))))
    refused = damaged(name, value, 1, max(1, count // 15))
    assert len(refused) > 3
    assert not any("\n" in message for message in refused)
