"""From the conditions of a problem to constraints on the degrees of freedom of a mesh."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy import sparse
from scipy.spatial import cKDTree

from kanpde.errors import ProblemError
from kanpde.operator import DifferentialOperator
from kanpde.problem.conditions import CompiledCondition
from kanpde.references.fem.boundary import is_point
from kanpde.references.fem.constraints import Constraints, Slave, constraints
from kanpde.references.fem.discrete import Discretisation
from kanpde.references.fem.location import Locator

Array = np.ndarray
# (condition, points (n, d)) -> (n,): what the condition lacks at a given field, in place of its source.
Source = Callable[[CompiledCondition, Array], Array]


def imposed(system: Discretisation, source: Source | None = None) -> Constraints:
    """All constraints of a problem.

    Args:
        system: the discretisation.
        source: F of a condition at a known field, for corrections; by default at vanishing fields.

    Raises:
        ProblemError: conditions that finite elements cannot impose.
    """
    problem = system.problem
    same = _identified(system)
    fixed, slaves = _essential(system, source)
    fixed |= _unused(system)
    rows: list[Array] = []
    values: list[float] = []
    for condition in problem.conditions:
        if condition.kind == "integral":
            if condition.operator is not None and condition.operator.is_linear:
                row, value = _integral(system, condition, source)
                rows.append(row)
                values.append(value)
        elif condition.kind in ("initial", "observations"):
            raise ProblemError(f"{condition.label} of {problem.name}: finite elements take no conditions of this kind.")
        elif condition.kind != "interface" and is_point(condition, len(problem.domain.space)):
            row, value = _at_point(system, condition, source)
            rows.append(row)
            values.append(value)
    matrix = sparse.csr_array(np.array(rows).reshape(-1, system.size))
    return constraints(system.size, fixed, slaves, same, matrix, np.array(values))


def _unused(system: Discretisation) -> dict[int, float]:
    """Degrees of freedom of components that have no equation in their cells."""
    used = np.zeros(system.size, dtype=bool)
    for i, field in enumerate(system.pairing.field):
        used[system.dofs(field, system.active[i])] = True
    return dict.fromkeys(np.flatnonzero(~used).tolist(), 0.0)


def _source(condition: CompiledCondition, points: Array, normals: Array | None, source: Source | None) -> Array:
    """F of a condition at vanishing fields, or what is to be used instead."""
    return _evaluated(condition, points, normals)[0] if source is None else source(condition, points)


def _evaluated(condition: CompiledCondition, points: Array, normals: Array | None) -> list[Array]:
    """F at vanishing fields, and its gradient by the jet."""
    operator = condition.operator
    assert operator is not None
    zero = np.zeros(len(points))
    normal = normals.T if operator.normal and normals is not None else [zero] * len(operator.normal)
    values = [*points.T, *normal, *([zero] * (len(operator.jet) + len(operator.parameters)))]
    with np.errstate(all="ignore"):
        results = operator.program(values, np)[: 1 + len(operator.jet)]
    return [np.broadcast_to(np.asarray(r, dtype=float), (len(points),)) for r in results]


# ---- on the boundary


Claim = tuple[Array, Array, CompiledCondition]


def _essential(system: Discretisation, source: Source | None) -> tuple[dict[int, float], list[Slave]]:
    """Nodes on facets with conditions of order zero; the mean where conditions meet in a node."""
    values, several = essential_values(system, source)
    fixed = {number: float(np.mean(v)) for number, v in values.items()}
    return fixed, [s for claim in several for s in _slaves(system, *claim, source, fixed)]


def essential_values(system: Discretisation, source: Source | None) -> tuple[dict[int, list[float]], list[Claim]]:
    """All values that are prescribed at each degree of freedom, and the claims of conditions of several fields."""
    sums: dict[int, list[float]] = {}
    several: list[Claim] = []
    for patch in system.patches:
        for q in patch.essential:
            condition = system.problem.conditions[q]
            operator = condition.operator
            assert operator is not None
            if not operator.is_linear:
                raise ProblemError(f"{condition.label} is not linear; finite elements impose linear values only.")
            fields = sorted({v.unknown for v in operator.jet})
            nodes = np.unique(system.spaces[system.components.of_field[fields[0]]].of_facets(patch.facets))
            if len(fields) > 1:
                several.append((nodes, patch.facets, condition))
                continue
            offset = system.offsets[system.components.of_field[fields[0]]]
            places = system.places[nodes + offset]
            f = _source(condition, places, None, source)
            (slope,) = _evaluated(condition, places, None)[1:]
            for number, value in zip((nodes + offset).tolist(), (-f / slope).tolist(), strict=True):
                sums.setdefault(number, []).append(value)
    return sums, several


def _slaves(
    system: Discretisation,
    nodes: Array,
    facets: Array,
    condition: CompiledCondition,
    source: Source | None,
    fixed: dict[int, float],
) -> list[Slave]:
    """The largest coefficient's field follows the others, such as u_n = 0 on a slippery wall."""
    operator = condition.operator
    assert operator is not None
    offsets = [int(system.offsets[system.components.of_field[v.unknown]]) for v in operator.jet]
    degrees = {system.spaces[system.components.of_field[v.unknown]].degree for v in operator.jet}
    if len(degrees) > 1:
        raise ProblemError(f"{condition.label} mixes a pressure with other unknowns; finite elements cannot impose it.")
    space = system.spaces[system.components.of_field[operator.jet[0].unknown]]
    normals = _node_normals(system, space.of_facets(facets), facets, nodes)
    places = space.places[nodes]
    f = _source(condition, places, normals, source)
    gradient = np.array(_evaluated(condition, places, normals)[1:])
    result = []
    for k, node in enumerate(nodes.tolist()):
        numbers = [node + o for o in offsets]
        free = [c for c in range(len(numbers)) if numbers[c] not in fixed]
        if not free:
            continue
        pivot = max(free, key=lambda c: abs(gradient[c, k]))
        if abs(gradient[pivot, k]) < 1e-10 * np.abs(gradient[:, k]).max():
            continue
        rest = [c for c in range(len(numbers)) if c != pivot]
        factors = tuple(float(-gradient[c, k] / gradient[pivot, k]) for c in rest)
        value = float(-f[k] / gradient[pivot, k])
        result.append(Slave(numbers[pivot], tuple(numbers[c] for c in rest), factors, value))
    return result


def _node_normals(system: Discretisation, dofs: Array, facets: Array, nodes: Array) -> Array:
    """Mean normals of the facets at nodes."""
    position = {int(f): k for k, f in enumerate(system.geometry.boundary)}
    own = system.geometry.boundary_middles[1][[position[int(f)] for f in facets]]
    sums = np.zeros((int(dofs.max()) + 1, own.shape[1]))
    for column in dofs.T:
        np.add.at(sums, column, own)
    normals = sums[nodes]
    return np.asarray(normals / np.linalg.norm(normals, axis=1, keepdims=True))


# ---- periodic sides


def _identified(system: Discretisation) -> Array:
    """The representative of each degree of freedom: its partner on the lower side of a periodic coordinate."""
    same = np.arange(system.size)
    for condition in system.problem.conditions:
        if condition.kind != "periodic" or condition.axis is None or condition.target is None:
            continue
        c = system.components.of_field[condition.target.unknown]
        low, high = system.problem.domain.bounds[condition.axis]
        space, offset = system.spaces[c], int(system.offsets[c])
        slack = 1e-9 * (high - low)
        lower = np.flatnonzero(np.abs(space.places[:, condition.axis] - low) < slack)
        upper = np.flatnonzero(np.abs(space.places[:, condition.axis] - high) < slack)
        shifted = space.places[upper].copy()
        shifted[:, condition.axis] = low
        distance, partner = cKDTree(space.places[lower]).query(shifted)
        if np.max(distance, initial=0.0) > 1e-6 * (high - low):
            raise ProblemError(f"{condition.label}: the mesh has other nodes on either side; use a box.")
        same[upper + offset] = lower[partner] + offset
    while not np.array_equal(same, same[same]):
        same = same[same]
    return same


# ---- rows with multipliers


def _integral(system: Discretisation, condition: CompiledCondition, source: Source | None) -> tuple[Array, float]:
    """∫ of an expression that is linear in the fields."""
    operator = condition.operator
    assert operator is not None
    row, constant = np.zeros(system.size), 0.0
    inside = condition.region == system.problem.domain.interior
    for _, table in system.groups:
        if not inside:
            raise ProblemError(f"{condition.label}: finite elements take integrals over the whole domain only.")
        points = table.points.reshape(-1, system.mesh.dimension)
        gradient = _evaluated(condition, points, None)[1:]
        f = _source(condition, points, None, source)
        constant += float(np.sum(f.reshape(table.weights.shape) * table.weights))
        for v, slope in zip(operator.jet, gradient, strict=True):
            space = system.spaces[system.components.of_field[v.unknown]]
            basis = table.basis(space.element)[:, :, system.slot(v)]
            weights = table.weights * slope.reshape(table.weights.shape)
            dofs = system.dofs(v.unknown, table.cells)
            row += np.bincount(dofs.ravel(), np.einsum("enb,en->eb", basis, weights).ravel(), system.size)
    target = 0.0 if condition.value is None else float(condition.value)
    return row, target - constant


def _at_point(system: Discretisation, condition: CompiledCondition, source: Source | None) -> tuple[Array, float]:
    """An expression at a point."""
    operator = _linear(condition)
    point = condition.region.pieces()[0].points(np.zeros((1, 0)))
    cells, reference = Locator(system.geometry).find(point)
    gradient = _evaluated(condition, point, None)[1:]
    row = np.zeros(system.size)
    for v, slope in zip(operator.jet, gradient, strict=True):
        space = system.spaces[system.components.of_field[v.unknown]]
        basis = Locator(system.geometry).basis(space.element, cells, reference)[0, system.slot(v)]
        row[system.dofs(v.unknown, cells)[0]] += slope[0] * basis
    return row, -float(_source(condition, point, None, source)[0])


def _linear(condition: CompiledCondition) -> DifferentialOperator:
    operator = condition.operator
    assert operator is not None
    if not operator.is_linear or operator.order > 1:
        raise ProblemError(f"{condition.label}: finite elements take linear conditions at points only.")
    return operator


def nodal(system: Discretisation, fields: Sequence[int], values: Array) -> Array:
    """A state from values (n_places, len(fields)) at `system.places`, each field where its component is."""
    state = np.zeros(system.size)
    for column, field in enumerate(fields):
        c = system.components.of_field[field]
        where = slice(int(system.offsets[c]), int(system.offsets[c + 1]))
        state[where] = values[where, column]
    return state
