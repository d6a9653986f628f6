"""Solutions that were never trained: random networks of every kind in the ansatz of their problems."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import cases
import numpy as np
import sympy as sp
from synthetic import record

import kanpde as kp
from kanpde.collocation import collocate
from kanpde.dimensionless import scaled, scales_of
from kanpde.estimate import TrainedField
from kanpde.features import Clustering, features_of, input_bounds, with_clusterings
from kanpde.lifting import impose
from kanpde.network import KAN, MLP, Network, with_breaks
from kanpde.solution.units import ScaledField

x, y, t = sp.symbols("x y t", real=True)
u, v, w = (sp.Function(name)(x, y) for name in "uvw")
heat = sp.Function("u")(x, y, t)
BOUNDS = [(-1, 2), (0, 1)]
BOX = kp.Box({x: BOUNDS[0], y: BOUNDS[1]})
DISK = kp.Disk((x, y), (0.5, 0), 1.5)
RING = DISK - kp.Disk((x, y), (0.5, 0), 0.4)
ELL = kp.Polygon((x, y), [(0, 0), (2, 0), (2, 1), (1, 1), (1, 2), (0, 2)])
WAVE = sp.exp(x / 2) * sp.cos(2 * y)
DATA = WAVE + sp.Max(x, y - 1) ** 3  # too rough for the exact conditions of a box


def uneven(network: Network) -> Network:
    """Other knots for each input of the first layer."""
    return with_breaks(network, [np.array([-1, -0.9, 0, 0.5, 1.0]), np.array([-1, 0, 0.1, 1.0])])


NETWORKS: dict[str, Callable[[], Network]] = {
    "bspline": lambda: KAN([2, (3, 2), 1], degree=3, intervals=4, bounds=BOUNDS, seed=1),
    "uneven": lambda: uneven(KAN([2, 3, 1], degree=3, intervals=2, bounds=BOUNDS, seed=2)),
    "chebyshev": lambda: KAN([2, (2, 2), (0, 2), 1], "chebyshev", arity=3, bounds=BOUNDS, seed=3),
    "unsquashed": lambda: KAN([2, 3, 1], "chebyshev", degree=3, squash=None, bounds=BOUNDS, seed=4),
    "fourier": lambda: KAN([2, 3, 1], "fourier", intervals=3, bounds=BOUNDS, seed=5),
    "periodic": lambda: KAN([2, 3, 1], degree=3, intervals=3, bounds=BOUNDS, periodic=[0], seed=6),
    "rbf": lambda: KAN([2, 3, 1], "rbf", intervals=6, bounds=BOUNDS, seed=7),
    "silu": lambda: KAN([2, 3, 1], degree=3, intervals=3, base="silu", squash="sin", bounds=BOUNDS, seed=8),
    "tanh": lambda: MLP([2, 5, 4, 1], "tanh", bounds=BOUNDS, seed=9),
    "sine": lambda: MLP([2, 5, 1], "sin", seed=10),
    "perceptron": lambda: MLP([2, 5, 1], "silu", bounds=BOUNDS, seed=11),
}


def poisson(domain: kp.Box, *conditions: kp.Dirichlet, name: str = "poisson") -> kp.Problem:
    return kp.Problem(domain, sp.Eq(kp.laplacian(u), 1), list(conditions), name=name)


def mixed() -> kp.Problem:
    """Two unknowns, one of them with data on two sides."""
    equations = [sp.Eq(kp.laplacian(u), v), sp.Eq(kp.laplacian(v), u)]
    insulated = [kp.Neumann(v, 0, on=side) for side in (BOX.upper(x), BOX.lower(y), BOX.upper(y))]
    return kp.Problem(BOX, equations, [kp.Dirichlet(u, WAVE), kp.Dirichlet(v, y, on=BOX.lower(x)), *insulated])


def wave() -> kp.Problem:
    a = kp.complex_unknown("a", x, y)
    return kp.Problem(BOX, sp.Eq(kp.laplacian(a), sp.I * a), kp.Dirichlet(a, x + sp.I * y), name="wave")


def warm() -> kp.Problem:
    conditions = [kp.Dirichlet(heat, x * (1 + t)), kp.Initial(heat, x + (1.5**2 - (x - 0.5) ** 2 - y**2) * y)]
    return kp.Problem(DISK * kp.Time(t, (1, 2)), sp.Eq(heat.diff(t), kp.laplacian(heat)), conditions, name="warm")


def far() -> kp.Problem:
    """In metres and kelvins, far from one."""
    box = kp.Box({x: (2000, 2000.001), y: (0, 0.001)})
    return kp.Problem(box, sp.Eq(kp.laplacian(u), 0), kp.Dirichlet(u, 300 + 1e6 * y), name="far")


PROBLEMS: dict[str, Callable[[], kp.Problem]] = {
    "square": lambda: poisson(BOX, kp.Dirichlet(u, WAVE)),
    "soft": lambda: poisson(BOX, kp.Dirichlet(u, DATA), name="soft"),
    "mixed": mixed,
    "wave": wave,
    "disk": lambda: poisson(DISK, kp.Dirichlet(u, DATA)),
    "ring": lambda: poisson(RING, kp.Dirichlet(u, DATA)),
    "ell": lambda: poisson(ELL, kp.Dirichlet(u, 0)),
    "warm": warm,
    "fronts": lambda: poisson(BOX, kp.Dirichlet(u, WAVE), name="fronts"),
    "far": far,
    "materials": lambda: cases.load("two_materials"),
}


def solved(problem: kp.Problem, field: TrainedField | ScaledField) -> kp.Solution:
    """A solution with that field."""
    names = tuple(f.func.__name__ for f in problem.unknowns)
    facts = record(unknowns=names, coordinates=tuple(map(str, problem.coordinates)), problem_name=problem.name)
    return kp.Solution(facts, field, problem)


@cache
def solution(name: str) -> kp.Solution:
    """The solution of PROBLEMS[name], or of the plain square by NETWORKS[name]."""
    if name in NETWORKS:
        problem = PROBLEMS["square"]()
        return solved(problem, TrainedField(NETWORKS[name](), impose(problem)))
    problem = PROBLEMS[name]()
    if name != "far":
        return solved(problem, untrained(problem))
    scales = scales_of(problem)
    return solved(problem, ScaledField(untrained(scaled(problem, scales)), scales))


def untrained(problem: kp.Problem) -> TrainedField:
    """A random network of whatever the problem's own would be a function of."""
    features, ansatz = features_of(problem), impose(problem, False if problem.name == "soft" else None)
    fronts = (Clustering(0, (0.1, 0.6), (0.05, 0.01)),) if problem.name == "fronts" else ()
    ansatz = with_clusterings(problem, replace(ansatz, features=features), fronts)
    bounds = input_bounds(problem, ansatz.features if features is not None else None, fronts)
    network = KAN([len(bounds), (2, 2), len(problem.fields)], "chebyshev", degree=4, bounds=bounds, seed=12)
    return TrainedField(network, ansatz)


def points_of(problem: kp.Problem, count: int = 40) -> np.ndarray:
    """In and around the domain, and on its boundary."""
    low, high = np.asarray(problem.domain.bounds, dtype=float).T
    around = low + (high - low) * (1.8 * np.random.default_rng(0).random((count, len(low))) - 0.4)
    return np.concatenate([around, collocate(problem.domain.boundary, count // 2).x])


def parts(of: np.ndarray) -> list[np.ndarray]:
    return [of.real, of.imag] if np.iscomplexobj(of) else [of]


def values_of(found: kp.Solution, points: np.ndarray) -> np.ndarray:
    """(n, c)."""
    return np.stack([part for column in found(points).T for part in parts(column)], axis=1)


def assert_equal(found: np.ndarray, wanted: np.ndarray) -> None:
    """To 1e-12 of the largest; what is infinite or no number at a singular point is so in both."""
    finite = np.isfinite(wanted)
    assert finite.mean() > 0.9
    np.testing.assert_allclose(found[finite], wanted[finite], rtol=1e-12, atol=1e-12 * np.abs(wanted[finite]).max())
