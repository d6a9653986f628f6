"""Conditions on the boundary: which are imposed on the functions, and what the others say about n·Φ.

At a point of the boundary the conormal derivative of equation i is Σ C_i,(c,j) D_j u_c. The natural conditions there
are Σ b_q,(c,j) D_j u_c + β_q = 0. If C_i = Σ_q M_iq b_q, then n·Φ_i = -Σ_q M_iq β_q, which is what the weak form needs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy as sp

from kanpde.errors import ProblemError
from kanpde.expression import Program
from kanpde.operator import DifferentialOperator, JetSymbol
from kanpde.problem import Problem
from kanpde.problem.conditions import CompiledCondition
from kanpde.references.fem.space import FacetTable, Geometry
from kanpde.references.fem.weak import Key, Pairing, WeakForm, free_shares, weak_form

Array = np.ndarray

# A conormal derivative that is this much of its size off the span of the conditions is not determined by them.
MISFIT = 1e-6
# Digits of the places of facets, relative to the domain.
DIGITS = 12
# Relative step of central differences.
DIFFERENCE = 1e-6


@dataclass(frozen=True, eq=False)
class Patch:
    """Facets on which the same conditions hold for the same equations.

    Attributes:
        facets: their numbers.
        equations: those of second order that hold beside them.
        essential: conditions without derivatives, numbers in `problem.conditions`.
        natural: those with derivatives.
    """

    facets: Array
    equations: tuple[int, ...]
    essential: tuple[int, ...]
    natural: tuple[int, ...]


def is_point(condition: CompiledCondition, n_space: int) -> bool:
    """Whether a condition holds at a point within the domain or on its boundary, not on a facet."""
    pieces = condition.region.pieces()
    return all(p.normals(_some(p)) is None and p.dimension == 0 for p in pieces) and n_space > 0


def _some(piece: object) -> Array:
    return piece.points(np.full((1, piece.dimension), 0.5))  # type: ignore[attr-defined]


def on_boundary(condition: CompiledCondition, n_space: int) -> bool:
    """Whether a condition speaks of facets."""
    kinds = ("dirichlet", "neumann", "robin", "condition")
    return condition.kind in kinds and not is_point(condition, n_space)


def projected(problem: Problem, geometry: Geometry) -> Array:
    """Middles of the boundary facets, moved onto the boundary of the domain."""
    points, normals = geometry.boundary_middles
    distance = getattr(problem.domain, "signed_distance", None)
    if geometry.mesh.order == 2 and distance is not None:
        for _ in range(2):
            points = points - np.asarray(distance(points))[:, None] * normals
    # Sides must hold their facets in spite of rounding, also those at 0, where no rounding is relative to anything.
    lower, extent = problem.domain.bounds[:, 0], np.ptp(problem.domain.bounds, axis=1)
    return np.asarray(lower + np.round((points - lower) / extent, DIGITS) * extent)


def patches(problem: Problem, geometry: Geometry, pairing: Pairing, active: Array) -> tuple[Patch, ...]:
    """Group the facets of the boundary.

    Args:
        problem: the problem.
        geometry: its mesh.
        pairing: equations and fields.
        active: (n_equations, n_cells) where each equation holds.
    """
    facets, middles = geometry.boundary, projected(problem, geometry)
    n_space = len(problem.domain.space)
    cells = geometry.topology.f2t[0, facets]
    elliptic = [i for i, c in enumerate(pairing.field) if c not in pairing.multipliers]
    used = [k for k, c in enumerate(problem.conditions) if on_boundary(c, n_space)]
    periodic = np.zeros(len(facets), dtype=bool)
    for condition in problem.conditions:
        if condition.kind == "periodic":
            periodic |= condition.region.contains(middles)
    holds = [np.asarray(problem.conditions[k].region.contains(middles), dtype=bool) for k in used]
    if not elliptic and not used:
        raise ProblemError(f"{problem.name} has neither second derivatives nor conditions; finite elements need some.")
    flags = np.array([*(active[i][cells] for i in elliptic), *holds]).reshape(len(elliptic) + len(used), -1)
    kinds, member = np.unique(flags[:, ~periodic], axis=1, return_inverse=True)
    result = []
    for k, kind in enumerate(kinds.T):
        held = [q for q, on in zip(used, kind[len(elliptic) :], strict=True) if on]
        essential = tuple(q for q in held if _operator(problem, q).order == 0)
        natural = tuple(q for q in held if q not in essential)
        equations = tuple(i for i, on in zip(elliptic, kind, strict=False) if on)
        result.append(Patch(facets[~periodic][member.ravel() == k], equations, essential, natural))
    _check_used(problem, used, holds)
    return tuple(result)


def _check_used(problem: Problem, used: Sequence[int], holds: Sequence[Array]) -> None:
    for q, held in zip(used, holds, strict=True):
        if not held.any():
            raise ProblemError(f"{problem.conditions[q].label} holds on no facet of the mesh; take a smaller h.")


def _operator(problem: Problem, q: int) -> DifferentialOperator:
    operator = problem.conditions[q].operator
    assert operator is not None
    return operator


@dataclass(frozen=True, eq=False)
class Conormal:
    """Coefficients of conormal derivatives and of conditions at points of a patch.

    Attributes:
        problem, patch, pairing: what is discretised, and where.
        forms: the weak forms of the patch's equations.
        moved: fields whose values belong to the conormal derivative (pressures).
    """

    problem: Problem
    patch: Patch
    pairing: Pairing
    forms: Mapping[int, WeakForm]
    moved: frozenset[int] = frozenset()

    @property
    def axes(self) -> tuple[int, ...]:
        """Positions of the spatial coordinates."""
        return tuple(self.problem.coordinates.index(s) for s in self.problem.domain.space)

    @property
    def width(self) -> int:
        """Columns: for each field its derivatives and its value."""
        return len(self.problem.fields) * (len(self.axes) + 1)

    def column(self, field: int, axis: int) -> int:
        """The column of a derivative; axis -1 is the value."""
        return field * (len(self.axes) + 1) + (axis if axis >= 0 else len(self.axes))

    @cached_property
    def _programs(self) -> dict[int, tuple[list[tuple[int, int, int]], Program, list[JetSymbol]]]:
        programs = {}
        for i in self.patch.equations:
            form = self.forms[i]
            keys = list(form.conormal)
            symbols = sorted(
                {s for e in form.conormal.values() for s in e.free_symbols if isinstance(s, JetSymbol)},
                key=lambda s: s.variable,
            )
            arguments = (*form.operator.coordinates, *symbols, *form.parameters)
            programs[i] = keys, Program.compile(list(form.conormal.values()), arguments), symbols
        return programs

    def conormal(self, points: Array, normals: Array, values: Array, parameters: Sequence[float]) -> Array:
        """C (P, equations, width) at points (P, d) where the fields have values (P, m)."""
        result = np.zeros((len(points), len(self.patch.equations), self.width))
        for row, i in enumerate(self.patch.equations):
            keys, program, symbols = self._programs[i]
            if not keys:
                continue
            jet = [values[:, s.variable.unknown] for s in symbols]
            scalars = [np.full(len(points), p) for p in parameters[: len(self.forms[i].parameters)]]
            for (c, k, j), a in zip(keys, program([*points.T, *jet, *scalars], np), strict=True):
                result[:, row, self.column(c, j)] += a * normals[:, k]
        return result

    def conditions(
        self, points: Array, normals: Array, values: Array, which: Sequence[int]
    ) -> tuple[Array, Array, Array]:
        """The coefficients b (Q, P, width), β (Q, P) and ∂β/∂values (Q, P, m) of conditions."""
        m = len(self.problem.fields)
        b, rest = np.zeros((len(which), len(points), self.width)), np.zeros((len(which), len(points)))
        slopes = np.zeros((len(which), len(points), m))
        for row, q in enumerate(which):
            operator = _operator(self.problem, q)
            zero = np.zeros(len(points))
            jet = [zero if sum(v.derivative) or v.unknown in self.moved else values[:, v.unknown] for v in operator.jet]
            normal = normals.T if operator.normal else ()
            scalars = [zero] * len(operator.parameters)
            f, *gradient = operator.program([*points.T, *normal, *jet, *scalars], np)[: 1 + len(operator.jet)]
            rest[row] = f
            for v, g in zip(operator.jet, gradient, strict=True):
                if sum(v.derivative) == 1:
                    b[row, :, self.column(v.unknown, self.axes.index(v.derivative.index(1)))] = g
                elif v.unknown in self.moved:
                    b[row, :, self.column(v.unknown, -1)] = g
                else:
                    slopes[row, :, v.unknown] = g
        return b, rest, slopes

    def tangent(self, points: Array, normals: Array, values: Array) -> Array:
        """Projection (P, E, E) onto the test functions that the essential conditions leave free."""
        n = len(self.patch.equations)
        identity = np.broadcast_to(np.eye(n), (len(points), n, n))
        if not self.patch.essential:
            return identity
        _, _, slopes = self.conditions(points, normals, values, self.patch.essential)
        fields = [self.pairing.field[i] for i in self.patch.equations]
        g = np.moveaxis(slopes, 0, 1)[:, :, fields]
        return identity - np.linalg.pinv(g) @ g

    def weights(self, points: Array, normals: Array, values: Array, parameters: Sequence[float]) -> tuple[Array, float]:
        """M (P, E, Q) with P_t C = M b, and by how much that misses, relative to C."""
        c = self.tangent(points, normals, values) @ self.conormal(points, normals, values, parameters)
        b = np.moveaxis(self.conditions(points, normals, values, self.patch.natural)[0], 0, 1)
        m = c @ np.linalg.pinv(b) if b.shape[1] else np.zeros((*c.shape[:2], 0))
        size = float(np.abs(c).max(initial=0.0))
        return m, float(np.abs(c - m @ b).max(initial=0.0)) / size if size else 0.0

    @property
    def nonlinear(self) -> tuple[int, ...]:
        """Fields on whose values the conormal derivatives depend."""
        found = {s.variable.unknown for _, _, symbols in self._programs.values() for s in symbols}
        return tuple(sorted(found))

    def slope(self, points: Array, normals: Array, values: Array, parameters: Sequence[float], field: int) -> Array:
        """∂M/∂u_field (P, E, Q), by central differences."""
        step = np.zeros(values.shape[1])
        step[field] = DIFFERENCE * max(1.0, float(np.abs(values[:, field]).max(initial=0.0)))
        upper, _ = self.weights(points, normals, values + step, parameters)
        lower, _ = self.weights(points, normals, values - step, parameters)
        return (upper - lower) / (2 * step[field])


def natural_shares(problem: Problem, geometry: Geometry, pairing: Pairing, found: Sequence[Patch]) -> dict[Key, float]:
    """The shares for which the conditions determine the conormal derivatives, nearest to the symmetric ones."""
    free = free_shares(problem, pairing)
    if not free:
        return {}
    default = {key: value for key, (value, _) in free.items()}
    forms = {i: weak_form(problem, i, pairing, default) for i, _, _, _ in free}
    rows, rights = [], []
    for patch in found:
        forms |= {i: weak_form(problem, i, pairing, default) for i in patch.equations if i not in forms}
        table = FacetTable(geometry, patch.facets[:: max(1, len(patch.facets) // 16)], 2)
        points, normals = table.points.reshape(-1, geometry.dimension), table.normals.reshape(-1, geometry.dimension)
        values = np.ones((len(points), len(problem.fields)))
        conormal = Conormal(problem, patch, pairing, forms, pairing.multipliers)
        base = conormal.conormal(points, normals, values, ())
        slopes = [_slope(conormal, key, free[key][1], points, normals) for key in free]
        b = np.moveaxis(conormal.conditions(points, normals, values, patch.natural)[0], 0, 1)
        tangent = conormal.tangent(points, normals, values)
        open_ = [tangent @ c for c in (base, *slopes)]
        if b.shape[1]:
            off = np.eye(conormal.width) - np.linalg.pinv(b) @ b
            open_ = [c @ off for c in open_]
        rows.append(np.stack(open_[1:], axis=-1).reshape(-1, len(free)))
        rights.append(-open_[0].reshape(-1))
    step = np.linalg.lstsq(np.concatenate(rows), np.concatenate(rights), rcond=1e-9)[0]
    return {key: round(default[key] + float(s), 12) for key, s in zip(free, step, strict=True)}


def _slope(conormal: Conormal, key: Key, coefficient: sp.Expr, points: Array, normals: Array) -> Array:
    """∂C/∂share (P, E, width)."""
    number, field, j, k = key
    result = np.zeros((len(points), len(conormal.patch.equations), conormal.width))
    if number not in conormal.patch.equations:
        return result
    row = conormal.patch.equations.index(number)
    symbols = sorted((s for s in coefficient.free_symbols if isinstance(s, JetSymbol)), key=lambda s: s.variable)
    one = [np.ones(len(points))] * len(symbols)
    (a,) = Program.compile([coefficient], (*conormal.problem.coordinates, *symbols))([*points.T, *one], np)
    if j == k:
        result[:, row, conormal.column(field, -1)] = a * normals[:, k]
    else:
        result[:, row, conormal.column(field, j)] = a * normals[:, k]
        result[:, row, conormal.column(field, k)] = -a * normals[:, j]
    return result
