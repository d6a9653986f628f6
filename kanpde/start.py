"""A start near the solution, for problems that random starts do not solve: steep fronts, stiff and nonlinear ones.

A coarse grid solution (a second of work) tells where the solution is steep and what it looks like. Its steep places
become inputs of the network, ξ = asinh((x - c)/δ), in which a front of width δ is smooth; the network is fitted to its
values; then the equations take over. The coarse solution decides nothing but where the iteration begins.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np

from kanpde.collocation import PointSet, collocate
from kanpde.corners import conflicts
from kanpde.errors import ProblemError
from kanpde.features import Clustering, Course, clustered, inputs_of, with_clusterings
from kanpde.field import Ansatz
from kanpde.kinks import kinks
from kanpde.lowering import lower
from kanpde.network import KAN, Network
from kanpde.network.basis import Basis
from kanpde.operator import JetVariable, compile_operator
from kanpde.optim import LevenbergMarquardt
from kanpde.plan import fitted, tempered
from kanpde.problem import Problem
from kanpde.references.fem import fem_reference
from kanpde.references.ivp_coarse import coarse_solution
from kanpde.residuals import Block, ResidualSystem

NODES = {1: 801, 2: 301, 3: 61}  # per axis, on which the coarse solution is looked at
STEEP = 8.0  # times the mean slope, from where on a place is steep
FRONT = 1.5  # widths of a front (range of u over its slope) that δ takes
WIDEST = 0.25  # part of an axis that is steep beyond which steepness is no local matter
MOST = 4  # steep places an axis
NEAR = 0.05  # part of the axis about a centre in which its front is looked for at every instant
CHANGING = 3.0  # factor between the widths of a front in time, from where on the input follows it
COURSE = 8  # degree of the polynomial that does
WIDTH = 6  # nodes in each of two hidden layers
DEGREES = (8, 12, 16)  # of the edges while the network is fitted
STEPS = 25  # at each degree
POINTS = 4.0  # rows a parameter
LARGEST = 1500  # parameters up to which a fit is cheap


Approximation = Callable[[np.ndarray], np.ndarray]


@dataclass(eq=False)
class CoarseStart:
    """A network fitted to a coarse grid solution, for one problem; called once, and only where it may be needed.

    Args:
        problem: what to solve.
        ansatz: exact conditions, without features.
        seed: of the network and the points.
    """

    problem: Problem
    ansatz: Ansatz
    seed: int

    @cached_property
    def coarse(self) -> Approximation | None:
        """The coarse solution; None where no grid takes the problem."""
        problem = self.problem
        if problem.parameters or problem.domain.dimension > 3:
            return None
        for solver in (coarse_solution, fem_reference):
            try:
                function = solver(problem)
                sample = function(collocate(problem.domain.interior, 64).x)
            except (NotImplementedError, ProblemError):  # a slab of time has no values between its instants
                continue
            if np.all(np.isfinite(sample)):
                return function
        return None

    @cached_property
    def places(self) -> tuple[Clustering, ...]:
        """Where it is steep."""
        features = self.ansatz.features
        only_kinks = features is None or bool(kinks(self.problem))
        if self.coarse is None or not self.problem.domain.is_box or not only_kinks:
            return ()
        return steep_places(self.problem, self.coarse)

    @property
    def wanted(self) -> bool:
        """Whether a random start is not even tried: nonlinear, with steep fronts or data that jump at corners."""
        problem = self.problem
        if problem.is_linear:
            return False
        return bool(self.places) if problem.domain.time is not None else bool(conflicts(problem))

    def __call__(self) -> tuple[Network, Ansatz] | None:
        """The fitted network and its ansatz."""
        problem = self.problem
        # A linear problem without steep places has no other minimum to fall into: finer edges will do.
        if self.coarse is None or (problem.is_linear and not self.places):
            return None
        plain = replace(self.ansatz, features=None) if self.places else self.ansatz
        placed = with_clusterings(problem, plain, self.places)
        width, inputs = WIDTH + len(problem.fields) - 1, len(inputs_of(problem, placed.features))
        network = KAN([inputs, width, width, len(problem.fields)], "chebyshev", degree=DEGREES[0], seed=self.seed)
        start = fitted(network, problem, placed.features, placed.clusterings)
        assert isinstance(start, Network)
        return fit(problem, placed, start, self.coarse, self.seed), placed


def steep_places(problem: Problem, coarse: Approximation) -> tuple[Clustering, ...]:
    """Where the coarse solution is steep across an axis, at the same place throughout."""
    bounds, d = problem.domain.bounds, problem.domain.dimension
    lines = [np.linspace(a, b, NODES.get(d, 31)) for a, b in bounds]
    grids = np.meshgrid(*lines, indexing="ij")
    values = coarse(np.stack([g.ravel() for g in grids], axis=1)).reshape(*grids[0].shape, -1)
    spread = np.ptp(values.reshape(-1, values.shape[-1]), axis=0)
    scaled = values / np.where(spread > 0, spread, 1.0)
    periodic = {c.axis for c in problem.conditions if c.kind == "periodic"}
    places = [_places(k, lines[k], scaled, float(np.ptp(bounds[k])) if k in periodic else None) for k in range(d)]
    found = tuple(place for place in places if place is not None)
    if problem.domain.time is None or d != 2:
        return found
    time = problem.coordinates.index(problem.domain.time)
    return tuple(
        _followed(place, lines[place.axis], lines[time], scaled) if place.axis != time else place for place in found
    )


def _followed(place: Clustering, line: np.ndarray, instants: np.ndarray, values: np.ndarray) -> Clustering:
    """The clustering with widths that follow the fronts in time, where they change much."""
    slope = np.abs(np.gradient(values, line, axis=place.axis)).max(axis=-1)
    slope = slope if place.axis == 0 else slope.T
    extent = float(line[-1] - line[0])
    s = 2 * (instants - instants[0]) / (instants[-1] - instants[0]) - 1
    rows = []
    for centre, width in zip(place.centres, place.widths, strict=True):
        near = np.abs(line - centre) <= NEAR * extent
        profile = np.clip(FRONT / np.maximum(slope[near].max(axis=0), 1e-12), width, WIDEST * extent)
        if profile.max() < CHANGING * profile.min():
            profile = np.full_like(profile, width)
        series = np.polynomial.Chebyshev.fit(s, np.log(profile), COURSE, domain=[-1, 1])
        rows.append(tuple(series.convert(kind=np.polynomial.Polynomial, domain=[-1, 1]).coef.tolist()))
    if all(max(abs(c) for c in row[1:]) < 1e-9 for row in rows):
        return place
    return replace(place, course=Course(float(instants[0]), float(instants[-1]), tuple(rows)))


def _places(axis: int, line: np.ndarray, values: np.ndarray, period: float | None) -> Clustering | None:
    """The peaks of the largest slope along an axis, None where it has none, or is steep everywhere."""
    slope = np.abs(np.gradient(values, line, axis=axis))
    profile = np.moveaxis(slope, axis, 0).reshape(len(line), -1).max(axis=1)
    steep = profile * (line[-1] - line[0]) > STEEP
    if not steep.any() or steep.mean() > WIDEST:
        return None
    centres: list[float] = []
    widths: list[float] = []
    for k in np.argsort(-profile):
        if not steep[k] or len(centres) == MOST:
            break
        if all(abs(line[k] - c) > 4 * w for c, w in zip(centres, widths, strict=True)):
            centres.append(float(line[k]))
            widths.append(float(FRONT / profile[k]))
    return Clustering(axis, tuple(centres), tuple(widths), period)


def fit(problem: Problem, ansatz: Ansatz, network: Network, coarse: Approximation, seed: int) -> Network:
    """The network with values as near to the coarse solution as least squares brings them, degree by degree."""
    d = problem.domain.dimension
    engine = LevenbergMarquardt()
    for degree in DEGREES:
        scalars = network.scalars
        finer = network.grown(partial(_resolution, degree))
        if finer.n_parameters > LARGEST:
            break
        network, finer.scalars = finer, scalars
        count = round(POINTS * network.n_parameters / len(problem.fields))
        points = tempered(problem, clustered(problem, ansatz, collocate(problem.domain.interior, count, "sobol", seed)))
        system = ResidualSystem(_rows(problem, points, coarse(points.x), d), network, ansatz)
        state = engine.init(system, system.theta)
        for _ in range(STEPS):
            state = engine.step(system, state)
        system.adopt(state.theta)
    return network


def _resolution(degree: int, basis: Basis) -> int:  # noqa: ARG001 - every basis gets the same
    return degree


def _rows(problem: Problem, points: PointSet, values: np.ndarray, d: int) -> list[Block]:
    """One block a field: its value must equal the coarse one."""
    blocks = []
    for k, field in enumerate(problem.fields):
        operator = compile_operator(field, problem.scope("the fit"))
        assert operator.jet == (JetVariable(k, (0,) * d),)
        blocks.append(Block(f"equations of {field.func}", (lower(operator),), points, target=values[:, k]))
    return blocks
