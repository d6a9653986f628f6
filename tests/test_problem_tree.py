"""A problem as plain values: JSON and back gives the same problem, whatever it is made of; damage is an error."""

import copy
import json
import warnings
from collections.abc import Callable
from typing import Any

import cases
import pytest
import sympy as sp

import kanpde as kp
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
    )
}


def problem_of(name: str) -> kp.Problem:
    if name in cases.NAMES:
        return cases.load(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ProblemWarning)
        return MAKERS[name]()


def through_json(problem: kp.Problem) -> kp.Problem:
    return problem_from_tree(json.loads(json.dumps(problem_to_tree(problem))))


@pytest.mark.parametrize("name", [*cases.NAMES, *MAKERS])
def test_the_same_problem_comes_back(name: str, recwarn: pytest.WarningsRecorder) -> None:
    before = problem_of(name)
    after = through_json(before)
    assert after.signature == before.signature
    assert after.text == before.text
    assert (after.name, after.exact) == (before.name, before.exact)
    assert after.unknowns == before.unknowns
    assert after.domain == before.domain
    assert after.operators == before.operators
    assert after.conditions == before.conditions
    assert not recwarn.list, "what is remarkable about a problem is said when it is made, not when it is read"


def test_stored_expressions_are_settled() -> None:
    """What the compiler makes is what comes back from a tree, so a signature does not depend on where it was taken."""
    operator = problem_of("unevaluated").operators[0]
    bare = operator.expression.xreplace({s: sp.Symbol(s.name, real=True) for s in operator.symbols})
    assert from_tree(to_tree(bare)) == bare


def paths(tree: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where the leaves and the inner nodes of a tree are."""
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [here, *(path for key, value in inner for path in paths(value, (*here, key)))]


@pytest.mark.parametrize("value", [None, 7, "sin", [], {}, ["Integer", "no number"], ["eval", "1/0"]])
def test_damage_is_one_error(value: Any) -> None:
    """Anything in the place of anything is either refused in one line or still a problem."""
    whole, refused = problem_to_tree(problem_of("exact_system")), []
    for path in paths(whole)[1::3]:
        tree = copy.deepcopy(whole)
        node = tree
        for key in path[:-1]:
            node = node[key]
        node[path[-1]] = value
        try:
            assert isinstance(problem_from_tree(tree), kp.Problem)
        except ProblemError as error:
            refused.append(str(error))
    assert len(refused) > 10
    assert not any("\n" in message for message in refused)
