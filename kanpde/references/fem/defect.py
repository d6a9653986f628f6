"""The error estimate with finite elements: the linearised weak form against the weak residual of a field.

a'(u; e, v) = -a(u, v) with values and first derivatives of u only, so the corners of a domain do no harm: the residual
of a singular solution need not be square integrable, its functional is bounded. Prescribed values are imposed on e at
the nodes, jumps between glued materials are lifted. Two meshes must agree, and prescribed values hold between nodes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from kanpde.errors import ProblemError
from kanpde.meshing import TriMesh
from kanpde.operator import JetVariable
from kanpde.problem import Problem
from kanpde.problem.conditions import CompiledCondition
from kanpde.references.correction import DefectEstimate
from kanpde.references.fem.constraints import Constraints
from kanpde.references.fem.discrete import Base, Discretisation
from kanpde.references.fem.function import FemFunction, Part, distance
from kanpde.references.fem.imposed import imposed
from kanpde.references.fem.newton import Factor, solve
from kanpde.references.fem.reference import edge_of, fitted_meshes, function_of
from kanpde.references.fem.space import FacetTable
from kanpde.references.fem.weak import unit

Array = np.ndarray
Jet = Callable[[Array, Sequence[JetVariable]], Array]

DEGREE = {1: 4, 2: 3, 3: 2}
# Nested meshes: the first two are compared, each next one with the one before, while they do not agree.
LEVELS = 3
# Degrees of freedom of the finest mesh.
FINEST = {1: 4000, 2: 60000, 3: 40000}
AGREEMENT = 0.15
# Part of the error of prescribed values that the corrected field may keep between the nodes.
KEPT = 0.25
NEWTON_TOLERANCE = 1e-2
N_CHECK = 3


@dataclass(eq=False)
class _Level:
    """One mesh; a linear problem keeps its factorisation."""

    problem: Problem
    mesh: TriMesh
    factor: Factor | None = None

    @cached_property
    def system(self) -> Discretisation:
        """The weak forms."""
        degree = DEGREE[self.mesh.dimension] if self.mesh.dimension > 1 else 2
        return Discretisation(self.problem, self.mesh, degree)

    def correct(self, jet: Jet) -> tuple[FemFunction, float, str]:
        """The e for which the weak form vanishes at u + e, |u + e|, and what speaks against it."""
        lift = _jumps(self.system, jet)
        held = imposed(self.system, _defects(jet))
        base = self.system.sampled(lambda points: _first_jet(self.problem, jet, points))
        base = _lifted(self.system, base, lift)
        if not all(np.all(np.isfinite(values)) for values in (*base.cells, *base.facets, held.offset)):
            raise ProblemError("the field is not finite")
        solved = solve(self.system, held, None, (), NEWTON_TOLERANCE, base, self.factor)
        self.factor = solved.factor
        correction = _separated(self.system, function_of(self.system, solved.state), lift)
        return correction, self._norm(base, solved.state), self._unmet(jet, correction, held)

    def _norm(self, base: Base, state: Array) -> float:
        """|u + e|."""
        total = 0.0
        for g, (equations, table) in enumerate(self.system.groups):
            fields = [self.system.pairing.field[i] for i in equations]

            def basis(component: int, g: int = g) -> Array:
                return self.system.basis(g, component)

            def dofs(c: int, cells: Array = table.cells) -> Array:
                return self.system.dofs(c, cells)

            jets = self.system.jets(state, fields, dofs, basis, base.cells[g])
            total += sum(float(np.sum(table.weights * jets[c][..., 0] ** 2)) for c in fields)
        return float(np.sqrt(total))

    def _unmet(self, jet: Jet, correction: FemFunction, held: Constraints) -> str:
        """Prescribed values between the nodes, where an aliased error of the field would show."""
        del held
        lacking, kept, size = 0.0, 0.0, float(np.sqrt(np.mean(np.sum(correction.at_quadrature**2, axis=1))))
        for patch in self.system.patches:
            table = FacetTable(self.system.geometry, patch.facets, N_CHECK)
            points = table.points.reshape(-1, self.mesh.dimension)
            for q in patch.essential:
                condition = self.problem.conditions[q]
                operator = condition.operator
                assert operator is not None
                if operator.normal:
                    continue
                f = _value(condition, jet, points)
                cells, reference = np.repeat(table.cells, table.weights.shape[1]), _reference(table)
                change = _at(correction, [v.unknown for v in operator.jet], cells, reference)
                slopes = operator.program([*points.T, *change.T * 0.0], np)[1 : 1 + len(operator.jet)]
                after = f + sum(s * change[:, k] for k, s in enumerate(slopes))
                lacking = max(lacking, float(np.sqrt(np.mean(f**2))))
                kept = max(kept, float(np.sqrt(np.mean(after**2))))
        if kept <= max(KEPT * lacking, 0.05 * size):
            return ""
        return f"the corrected field keeps {kept / lacking:.0%} of the error of prescribed values"


@dataclass(eq=False)
class FemDefectSolver:
    """Estimates the error of any number of fields for one problem; meshes and factorisations are kept between calls.

    Args:
        problem: as for `fem_reference`, without unknown scalars.

    Raises:
        ProblemError: a problem that finite elements do not take.
    """

    problem: Problem
    _levels: list[_Level] = field(default_factory=list, init=False, repr=False)
    _start: int = field(default=0, init=False, repr=False)

    def __post_init__(self) -> None:
        problem = self.problem
        if problem.parameters:
            raise ProblemError(f"{problem.name} has unknown scalars; finite elements estimate without them.")
        if problem.domain.time is not None or problem.domain.parameters:
            raise ProblemError(
                f"{problem.name} has more than spatial coordinates; finite elements take stationary problems."
            )
        if problem.domain.dimension > 3:
            raise ProblemError(
                f"{problem.name} has {problem.domain.dimension} coordinates; finite elements take up to three."
            )
        d = problem.domain.dimension
        edge = edge_of(problem, None, DEGREE[d] if d > 1 else 2, FINEST[d])
        self._levels = [_Level(problem, mesh) for mesh in fitted_meshes(problem, edge, LEVELS)]
        # What the weak forms cannot take is said at once.
        assert self._levels[0].system.boundary_terms is not None
        imposed(self._levels[0].system)

    def estimate(self, jet: Jet, parameters: Sequence[float] = ()) -> DefectEstimate:
        """Estimate the error of the field whose jet is given.

        Args:
            jet: (points (n, d), variables) -> (n, len(variables)), values and first derivatives of the field.
            parameters: values of unknown scalars; there are none.
        """
        clock = time.perf_counter()
        if len(parameters):
            raise ProblemError(f"{self.problem.name} is estimated without unknown scalars.")
        tried: list[FemFunction] = []
        norm, gap, reason = 0.0, np.inf, ""
        for level in self._levels[self._start :]:
            try:
                correction, norm, reason = level.correct(jet)
            except ProblemError as error:
                reason = str(error).rstrip(".")
                break
            gap = distance(tried[-1], correction) if tried else np.inf
            tried.append(correction)
            if gap <= AGREEMENT and not reason:
                break
        estimate = _estimate(tried, norm, gap, reason)
        return replace(estimate, seconds=time.perf_counter() - clock)


def _estimate(tried: Sequence[FemFunction], norm: float, gap: float, reason: str) -> DefectEstimate:
    shapes = tuple((len(function.mesh.cells),) for function in tried)
    if not tried:
        return DefectEstimate(None, float("nan"), None, False, reason, shapes, 0.0, method="elements")
    trusted = gap <= AGREEMENT and not reason
    if not trusted and not reason:
        reason = f"two meshes differ by {gap:.0%} of the correction at {shapes[-1][0]} cells"
    absolute = tried[-1].norm
    relative = absolute / norm if norm else None
    return DefectEstimate(tried[-1], absolute, relative, trusted, reason, shapes, 0.0, method="elements")


def _first_jet(problem: Problem, jet: Jet, points: Array) -> Array:
    """(n, n_fields, 1 + d) values and first derivatives."""
    d, m = problem.domain.dimension, len(problem.fields)
    variables = [JetVariable(c, unit(d, *axes)) for c in range(m) for axes in ((), *((k,) for k in range(d)))]
    return np.asarray(jet(points, variables), dtype=float).reshape(len(points), m, 1 + d)


def _defects(jet: Jet) -> Callable[[CompiledCondition, Array], Array]:
    """What a condition lacks at a field."""
    return lambda condition, points: _value(condition, jet, points)


def _value(condition: CompiledCondition, jet: Jet, points: Array) -> Array:
    operator = condition.operator
    assert operator is not None
    values = np.asarray(jet(points, operator.jet), dtype=float).T
    return np.asarray(operator.evaluate(points, values, np, np.zeros((len(points), len(operator.normal)))))


def _reference(table: FacetTable) -> Array:
    """(f n, d) reference coordinates of a facet table's points in their cells."""
    return table.reference.reshape(-1, table.geometry.dimension)


def _at(function: FemFunction, fields: Sequence[int], cells: Array, reference: Array) -> Array:
    """(n, len(fields)) values at points of cells."""
    return function.in_cells(cells, reference)[:, list(fields)]


# ---- materials


def _jumps(system: Discretisation, jet: Jet) -> dict[int, Array]:
    """For each field that is glued to an earlier one: a state with u_earlier - u at the nodes that they share."""
    lifts: dict[int, Array] = {}
    for c in range(system.components.count):
        fields = [f for f, own in enumerate(system.components.of_field) if own == c]
        for k, later in enumerate(fields[1:], 1):
            lift = np.zeros(system.size)
            for earlier in fields[:k]:
                shared = _shared(system, earlier, later)
                if not len(shared):
                    continue
                zero = (0,) * system.mesh.dimension
                pair = [JetVariable(earlier, zero), JetVariable(later, zero)]
                values = np.asarray(jet(system.places[shared], pair), dtype=float)
                lift[shared] = values[:, 0] - values[:, 1] + (lifts[earlier][shared] if earlier in lifts else 0.0)
            lifts[later] = lift
    return lifts


def _shared(system: Discretisation, first: int, second: int) -> Array:
    """Degrees of freedom in cells of both fields."""
    own, other = (system.active[system.pairing.equation(f)] for f in (first, second))
    return np.intersect1d(system.dofs(first, own), system.dofs(first, other))


def _lifted(system: Discretisation, base: Base, lifts: dict[int, Array]) -> Base:
    """The field plus its lifted jumps, which is continuous at the nodes."""
    if not lifts:
        return base
    cells = []
    for g, (_, table) in enumerate(system.groups):
        values = base.cells[g].copy()
        for later, lift in lifts.items():
            basis = system.basis(g, system.components.of_field[later])
            values[:, :, later] += np.einsum("enab,eb->ena", basis, lift[system.dofs(later, table.cells)])
        cells.append(values)
    facets = []
    for k, (_, side, _) in enumerate(system.boundary_terms):
        values = base.facets[k].copy()
        for later, lift in lifts.items():
            basis = side.basis(system.spaces[system.components.of_field[later]].element)
            values[:, :, later] += np.einsum("enab,eb->ena", basis, lift[system.dofs(later, side.cells)])
        facets.append(values)
    return Base(tuple(cells), tuple(facets))


def _separated(system: Discretisation, function: FemFunction, lifts: dict[int, Array]) -> FemFunction:
    """The correction with the lifted jumps, each of these fields being a part of its own."""
    parts, of_field = list(function.parts), list(function.of_field)
    for later, lift in lifts.items():
        c = system.components.of_field[later]
        own = slice(int(system.offsets[c]), int(system.offsets[c + 1]))
        of_field[later] = len(parts)
        parts.append(Part(parts[c].degree, parts[c].cells, parts[c].values + lift[own]))
    return replace(function, parts=tuple(parts), of_field=tuple(of_field))
