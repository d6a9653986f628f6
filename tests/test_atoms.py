"""Functions recognised by their distance from a space of curves, whatever they are mixed with."""

import numpy as np
import pytest
import sympy as sp

from kanpde.symbolic.atoms import spanning
from kanpde.symbolic.curves import Atom, Curves, are_apart, is_flat
from kanpde.symbolic.families import A, B, families, modulations
from kanpde.symbolic.library import LIBRARY, library

x = sp.Symbol("x", real=True)
X = -np.cos((np.arange(72) + 0.5) * np.pi / 72)
ALL = families(LIBRARY)
SOME = families(library(only=["linear", "square", "exp", "sin", "sinh", "tanh"]))


def curves(*functions: np.ndarray, noise: float = 1e-8) -> Curves:
    return Curves(X, np.linalg.qr(np.stack(functions, axis=1))[0], np.full(len(functions), noise))


def first(space: Curves, allowed: list) -> list[Atom]:
    return next(spanning(space, allowed), [])


def named(atoms: list[Atom]) -> list[sp.Expr]:
    return [sp.nsimplify(sp.N(atom.written(x), 6), rational=True) for atom in atoms]


def spans(atoms: list[Atom], space: Curves) -> bool:
    inside = np.linalg.qr(np.stack([np.ones(len(X)), *(atom.values(X) for atom in atoms)], axis=1))[0]
    return bool(np.linalg.norm(space.values - inside @ (inside.T @ space.values)) < 1e-6)


MIXED = {
    "sine": ([np.sin(np.pi * X)], 1),
    "sine and cosine": ([np.sin(2 * X) + np.cos(2 * X), np.sin(2 * X) - 3 * np.cos(2 * X)], 2),
    "modes": ([np.sin(np.pi * X) + 0.3 * np.sin(2 * np.pi * X), np.sin(2 * np.pi * X)], 2),
    "polynomial": ([1 - 2 * X + X**2], 2),
    "cubics": ([X + X**3, X - X**3], 2),
    "logistic": ([1 / (1 + np.exp(-3 * X - 0.2))], 1),
    "damped wave": ([np.exp(-X) * np.cos(5 * X + 0.3)], 2),
    "polynomial times a wave": ([X * (1 - X) * np.sin(3 * X)], 2),
    "polynomial times an exponential": ([(1 - X**2) * np.exp(X)], 2),
    "sum": ([np.exp(-X) + np.sin(4 * X)], 2),
    "forced oscillation": ([np.sin(3 * X) + np.exp(-X / 5) * np.cos(3 * X)], 2),
}


@pytest.mark.parametrize(("functions", "count"), MIXED.values(), ids=MIXED.keys())
def test_mixtures_are_taken_apart_into_as_few_functions_as_there_are(functions: list, count: int) -> None:
    space = curves(*functions)
    found = first(space, SOME)
    assert len(found) == count, found
    assert spans(found, space)


def test_the_whole_library_prefers_the_simple_function() -> None:
    assert named(first(curves(np.cosh(1.5 * X)), ALL)) == [sp.cosh(3 * x / 2)]
    assert named(first(curves(np.exp(-2 * X**2)), ALL)) == [sp.exp(-2 * x**2)]
    assert named(first(curves(3 + 2 * X), ALL)) == [x]


def test_a_space_is_covered_only_if_all_its_curves_are() -> None:
    """Of sin x and a curve of no library the first is found, and the pair is not explained."""
    space = curves(np.sin(X), np.sin(3 * X**2) * np.exp(X) * np.log(X + 1.1))
    assert list(spanning(space, SOME)) == []


def test_what_is_hardly_curved_is_no_function() -> None:
    """A hyperbolic tangent of 1e-6 x is a straight line: it explains nothing that a line does not."""
    tanh = next(f for f in SOME if f.name == "tanh" and f.tier == 1)
    assert is_flat(Atom(tanh, 1e-6, 0.0, 0.0), X, 1e-6)
    assert not is_flat(Atom(tanh, 1.0, 0.0, 0.0), X, 1e-6)
    line = next(f for f in SOME if f.power)
    assert not is_flat(Atom(line, 1.0, 0.0, 0.0), X, 1e-6)
    assert named(first(curves(X + X**2 * np.exp(X)), SOME)) == [x, x**2 * sp.exp(x)]


def test_sums_that_cancel_are_refused() -> None:
    """cos(3.001 x) − cos(3 x) is nearly x sin 3x: two functions that cancel are not apart."""
    cosine = next(f for f in SOME if f.name == "sin" and f.written(x, 2.0, 0.0) == sp.cos(2.0 * x))
    space = curves(X * np.sin(3 * X), noise=1e-3)
    assert not are_apart(space, [Atom(cosine, 3.0, 0.0, 0.0), Atom(cosine, 3.001, 0.0, 0.0)])
    assert are_apart(space, [Atom(cosine, 3.0, 0.0, 0.0), Atom(cosine, 2.0, 0.0, 0.0)])


def test_few_digits_are_enough_where_candidates_differ() -> None:
    rough = np.sin(np.pi * X) + 1e-4 * np.random.default_rng(0).normal(size=len(X))
    assert first(curves(rough, noise=1e-3), SOME) != []
    assert first(curves(rough, noise=1e-8), SOME) == []


def test_companions_use_no_function_that_is_forbidden() -> None:
    """Neither log(x² + b) where the logarithm is, nor damped waves and x² sin where exponentials and squares are."""
    assert not any(f.make(x, A, B).has(sp.log) for f in families(library(without=["log", "softplus", "z*log"])))
    waves = [f.make(x, A, B) for f in families(library(only=["sin"]))]
    assert waves == [sp.sin(A * x), sp.cos(A * x), sp.sin(A * x + B)]
    assert modulations({"sin"}, 4) == []
    assert [len(group) for group in modulations({"sin", "linear"}, 4)] == [4]
    assert [len(group) for group in modulations({"sin", "exp"}, 4)] == [2, 3, 4]
    assert len(modulations({"sin", "exp", "linear", "square", "cube", "power4"}, 4)) == 3 + 4 + 4
