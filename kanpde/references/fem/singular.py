"""Points of the boundary at which the solution of a plane problem is singular, so that the cells must shrink there.

Corners above 180 degrees; points where the kind of condition changes on a smooth or blunt boundary (u ~ r^(1/2) between
Dirichlet and Neumann); points where prescribed values jump, as at the lid of a cavity.
"""

from __future__ import annotations

import numpy as np

from kanpde.meshing import mesh_of, space_of
from kanpde.problem import Problem
from kanpde.references.fem.discrete import Discretisation
from kanpde.references.fem.imposed import essential_values

# Between conditions of different kinds a corner of 90 degrees is harmless, one of 108 is not: cosine of the normals.
BLUNT = 0.3
# A jump of prescribed values, relative to the largest one.
JUMP = 1e-6


def singular_points(problem: Problem, h: float) -> list[tuple[float, ...]]:
    """The points, none outside the plane."""
    if len(problem.domain.space) != 2:
        return []
    space = space_of(problem.domain)
    found = [(x, y) for x, y, angle in getattr(space, "corners", ()) if angle > np.pi * 1.001]
    system = Discretisation(problem, mesh_of(problem.domain, h, refine_near=()), 2)
    return list(dict.fromkeys([*found, *_changes(system), *_jumps(system)]))


def _changes(system: Discretisation) -> list[tuple[float, ...]]:
    """Vertices between facets of different kinds."""
    fields, facets, normals = [], [], []
    position = {int(f): k for k, f in enumerate(system.geometry.boundary)}
    for patch in system.patches:
        jets = [system.problem.conditions[q].operator for q in patch.essential]
        kind = tuple(sorted({v.unknown for o in jets if o is not None for v in o.jet}))
        fields += [kind] * len(patch.facets)
        facets += patch.facets.tolist()
        normals += [system.geometry.boundary_middles[1][position[int(f)]] for f in patch.facets]
    ends: dict[int, list[int]] = {}
    for k, facet in enumerate(facets):
        for vertex in system.geometry.topology.facets[:, facet].tolist():
            ends.setdefault(vertex, []).append(k)
    points = system.geometry.topology.p.T
    return [
        tuple(points[vertex].tolist())
        for vertex, (a, b) in ((v, k) for v, k in ends.items() if len(k) == 2)
        if fields[a] != fields[b] and normals[a] @ normals[b] > BLUNT
    ]


def _jumps(system: Discretisation) -> list[tuple[float, ...]]:
    """Vertices at which conditions prescribe different values."""
    values, _ = essential_values(system, None)
    largest = max((abs(v) for held in values.values() for v in held), default=0.0)
    return [
        tuple(system.places[number].tolist())
        for number, held in values.items()
        if max(held) - min(held) > JUMP * max(largest, 1e-300)
    ]
