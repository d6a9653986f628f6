"""Which equation or condition is imposed at which node of a grid: one row for every unknown at every node.

A condition on a face replaces the equation in the node on the face, a second condition on the same face (the slope of
a clamped beam) replaces it in the neighbour of that node. Where faces meet, a prescribed value wins over an initial
value, that over an initial rate, that over conditions with derivatives; equals are averaged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.optimize import linear_sum_assignment

from kanpde.domain.piece import BoxPiece
from kanpde.errors import ProblemError
from kanpde.operator import DifferentialOperator, JetVariable
from kanpde.problem import CompiledCondition, Problem
from kanpde.references.grid import Grid

Array = np.ndarray
EQUATION, VALUE, INITIAL_VALUE, INITIAL_RATE, DERIVATIVE = -1, 0, 1, 2, 3


class Face(NamedTuple):
    """One end of one axis: side 0 is the lower, side 1 the upper end."""

    axis: int
    side: int


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of the system that impose one operator.

    rows: (m,) row numbers; nodes: (m,) flat grid nodes where the operator is evaluated, replaced by `sampling` (m, N)
    for points that are no nodes; weights: (m,) share of the row; rank and face say what kind of row it is.
    """

    operator: DifferentialOperator
    rows: Array
    nodes: Array
    weights: Array
    rank: int = EQUATION
    face: Face | None = None
    sampling: sparse.csr_array | None = None
    condition: int = -1

    def sample(self, values: Array) -> Array:
        """Values (..., m) of grid values (..., N) where the rows are imposed."""
        return values[..., self.nodes] if self.sampling is None else (self.sampling @ values.T).T

    def normals(self, n_space: int) -> Array | None:
        """(m, n_space) outer normals, None off the spatial boundary."""
        if self.face is None or self.face.axis >= n_space:
            return None
        normals = np.zeros((len(self.rows), n_space))
        normals[:, self.face.axis] = 2.0 * self.face.side - 1.0
        return normals


class Entries(NamedTuple):
    """Entries of a sparse matrix: rows, columns and weights, and which of a block's coefficients multiplies each."""

    rows: Array
    columns: Array
    weights: Array
    line: Array


@dataclass(frozen=True, eq=False)
class Layout:
    """All rows of a problem on a grid; the unknown values are ordered unknown by unknown, each (N,) in C order."""

    problem: Problem
    grid: Grid
    blocks: tuple[Rows, ...]

    @property
    def n_unknowns(self) -> int:
        """Number of unknown functions."""
        return len(self.problem.fields)

    @property
    def size(self) -> int:
        """Number of rows, equal to the number of unknown values."""
        return self.n_unknowns * self.grid.size

    @cached_property
    def entries(self) -> list[list[Entries]]:
        """For each block and each of its derivatives the stencil entries, to be multiplied by the coefficients."""
        return [[self._entries(rows, variable) for variable in rows.operator.jet] for rows in self.blocks]

    def _entries(self, rows: Rows, variable: JetVariable) -> Entries:
        stencil = self.grid.matrix(variable.derivative)
        sampled = (stencil[rows.nodes] if rows.sampling is None else rows.sampling @ stencil).tocoo()
        line = sampled.coords[0]
        return Entries(rows.rows[line], variable.unknown * self.grid.size + sampled.coords[1], sampled.data, line)

    def shifted(self, grid: Grid) -> Layout:
        """The same rows on a grid that differs in its position only: what was assembled is shared."""
        moved = Layout(self.problem, grid, self.blocks)
        if "entries" in self.__dict__:
            moved.__dict__["entries"] = self.entries
        return moved

    @property
    def steady(self) -> bool:
        """Whether every condition off the first instant holds at all times: then all slabs have the same rows."""
        domain = self.problem.domain
        position = domain.coordinates.index(domain.time) if domain.time is not None else 0
        pieces = [p for c in self.problem.conditions if c.kind != "initial" for p in c.region.pieces()]
        whole = tuple(domain.bounds[position])
        return all(
            (p.lower[position], p.upper[position]) == whole and domain.time not in p.predicate.free_symbols
            for p in pieces
        )


def equation_of_unknown(problem: Problem) -> list[int]:
    """The equation whose rows belong to each unknown: an assignment that prefers the highest derivatives."""
    operators, n = problem.operators, len(problem.fields)
    if len(operators) != n:
        raise ProblemError(
            f"{problem.name} has {len(operators)} equations for {n} unknowns; a grid needs as many as unknowns."
        )
    orders = [[_order(operator, unknown) for unknown in range(n)] for operator in operators]
    equations, unknowns = linear_sum_assignment(-np.array(orders, dtype=float))
    return [int(equations[list(unknowns).index(c)]) for c in range(n)]


def _order(operator: DifferentialOperator, unknown: int) -> int:
    return max((sum(alpha) for alpha in operator.derivatives(unknown)), default=-1000)


def unknown_of_condition(condition: CompiledCondition) -> int:
    """The unknown whose equation a condition replaces: its target, or the one with the highest derivative."""
    if condition.target is not None:
        return condition.target.unknown
    return max(operator_of(condition).jet, key=lambda v: (sum(v.derivative), -v.unknown)).unknown


def operator_of(condition: CompiledCondition) -> DifferentialOperator:
    """The normal form of a condition that is not periodic."""
    assert condition.operator is not None, "a periodic condition has no rows"
    return condition.operator


def rank_of_condition(condition: CompiledCondition) -> int:
    """Precedence where faces meet."""
    if condition.kind == "initial":
        rate = condition.target is not None and sum(condition.target.derivative) > 0
        return INITIAL_RATE if rate else INITIAL_VALUE
    return VALUE if operator_of(condition).order == 0 else DERIVATIVE


@dataclass(eq=False)
class _Candidates:
    """The best-ranked conditions claimed for each node of one unknown, while a layout is built."""

    size: int
    claims: list[tuple[int, Face, int, Array, Array]] = field(default_factory=list)

    def add(self, condition: int, face: Face, rank: int, rows: Array, nodes: Array) -> None:
        self.claims.append((condition, face, rank, rows, nodes))

    def best(self) -> Array:
        """Rank that holds each node."""
        best = np.full(self.size, 99)
        for _, _, rank, rows, _ in self.claims:
            np.minimum.at(best, rows, rank)
        return best

    def winners(self) -> Iterator[tuple[int, Face, int, Array, Array, Array]]:
        """Claims that hold, with equal shares for equals."""
        best = self.best()
        share = np.zeros(self.size)
        for _, _, rank, rows, _ in self.claims:
            np.add.at(share, rows[best[rows] == rank], 1.0)
        for condition, face, rank, rows, nodes in self.claims:
            held = best[rows] == rank
            if held.any():
                yield condition, face, rank, rows[held], nodes[held], 1.0 / share[rows[held]]


def _plane(grid: Grid, face: Face, depth: int) -> Array:
    """Flat nodes of the plane `depth` nodes away from a face."""
    position = depth if face.side == 0 else grid.shape[face.axis] - 1 - depth
    return np.take(np.arange(grid.size).reshape(grid.shape), position, axis=face.axis).reshape(-1)


def face_of_piece(grid: Grid, piece: BoxPiece, bounds: Array) -> Face | None:
    """The face on which a flat piece of the boundary lies; None for a piece within the domain."""
    faces = []
    for axis in np.flatnonzero(np.asarray(piece.lower) == np.asarray(piece.upper)):
        ends = np.isclose(bounds[axis], piece.lower[axis], rtol=1e-12, atol=1e-12 * float(np.ptp(bounds[axis])))
        if not ends.any() or grid.axes[axis].period is not None:
            return None
        faces.append(Face(int(axis), int(np.argmax(ends))))
    return faces[0] if len(faces) == 1 else None


def layout(problem: Problem, grid: Grid) -> Layout:
    """Assign every row of the system: the conditions first, the equations to the nodes that are left.

    In a time slab the initial values are history, not rows.
    """
    equations = equation_of_unknown(problem)
    slab = any(axis.kind == "stages" for axis in grid.axes)
    order = sorted(
        (k for k, c in enumerate(problem.conditions) if c.kind != "periodic" and not (slab and c.kind == "initial")),
        key=lambda k: rank_of_condition(problem.conditions[k]),
    )
    blocks: list[Rows] = []
    for unknown in range(len(problem.fields)):
        own = [k for k in order if unknown_of_condition(problem.conditions[k]) == unknown]
        candidates, pins = _claim(problem, grid, own)
        blocks += _condition_rows(problem, grid, unknown, candidates)
        free = candidates.best() == 99
        pinned = _pin_rows(problem, grid, unknown, pins, free)
        blocks += pinned
        nodes = np.flatnonzero(free)
        if len(nodes):
            operator = problem.operators[equations[unknown]]
            blocks.append(Rows(operator, unknown * grid.size + nodes, nodes, np.ones(len(nodes))))
    return Layout(problem, grid, tuple(blocks))


def _claim(problem: Problem, grid: Grid, own: Sequence[int]) -> tuple[_Candidates, list[tuple[int, Array]]]:
    """Stack the conditions of one unknown on the faces, level by level, and find them nodes."""
    pins: list[tuple[int, Array]] = []
    counts: dict[Face, Array] = {}
    stacked: list[tuple[int, Face, Array, Array]] = []
    for k in own:
        for piece in problem.conditions[k].region.pieces():
            face = face_of_piece(grid, piece, problem.domain.bounds)
            if face is None:
                pins.append((k, np.asarray(piece.lower)))
                continue
            plane = _plane(grid, face, 0)
            inside = np.asarray(piece.contains(grid.points[plane]), dtype=bool)
            count = counts.setdefault(face, np.zeros(len(plane), dtype=int))
            # Where two parts of a side meet, both hold the node between them: the first one keeps it.
            inside &= (count == 0) | ~_cut_edge(piece, grid.points[plane], problem.domain.bounds)
            stacked.append((k, face, inside, count.copy()))
            count[inside] += 1
    candidates = _Candidates(grid.size)
    for k, face, inside, level in stacked:
        for where, depth, chosen in _places(face, inside, level, counts):
            rows, nodes = _plane(grid, where, depth)[chosen], _plane(grid, face, 0)[chosen]
            candidates.add(k, face, rank_of_condition(problem.conditions[k]), rows, nodes)
    return candidates, pins


def _places(face: Face, inside: Array, level: Array, counts: dict[Face, Array]) -> Iterator[tuple[Face, int, Array]]:
    """The end, the depth below it and the lines for the condition at each level of a face.

    Half of the conditions of a line take rows at either end, whichever end they speak of: centred differences are then
    imposed where they are centred, and an initial value problem on an axis stays solvable.
    """
    other = Face(face.axis, 1 - face.side)
    beyond = counts.get(other, np.zeros_like(level))
    half = counts[face] - np.maximum(counts[face] - beyond, 0) // 2
    depths = np.where(level < half, level, -1 - (beyond + level - half))
    for depth in np.unique(depths[inside]):
        chosen = inside & (depths == depth)
        yield (face, int(depth), chosen) if depth >= 0 else (other, int(-1 - depth), chosen)


def _cut_edge(piece: BoxPiece, points: Array, bounds: Array) -> Array:
    """Which points lie on an end of the piece that is no end of the box."""
    edge = np.zeros(len(points), dtype=bool)
    for axis in piece.free:
        slack = 1e-9 * float(np.ptp(bounds[axis]))
        for end, limit in zip((piece.lower[axis], piece.upper[axis]), bounds[axis], strict=True):
            edge |= (np.abs(points[:, axis] - end) <= slack) & (abs(end - limit) > slack)
    return edge


def _condition_rows(problem: Problem, grid: Grid, unknown: int, candidates: _Candidates) -> list[Rows]:
    offset = unknown * grid.size
    return [
        Rows(operator_of(problem.conditions[k]), offset + rows, nodes, weights, rank, face, condition=k)
        for k, face, rank, rows, nodes, weights in candidates.winners()
    ]


def _pin_rows(problem: Problem, grid: Grid, unknown: int, pins: list[tuple[int, Array]], free: Array) -> list[Rows]:
    """Conditions at single points take the row of the nearest free node and interpolate to the point."""
    rows = []
    for k, point in pins:
        distance = np.where(free, np.linalg.norm(grid.points - point, axis=1), np.inf)
        node = int(np.argmin(distance))
        free[node] = False
        factors = [axis.interpolation(point[i : i + 1]).matrix(grid.shape[i]) for i, axis in enumerate(grid.axes)]
        sampling = factors[0]
        for factor in factors[1:]:
            sampling = sparse.kron(sampling, factor, format="csr")
        where = np.array([unknown * grid.size + node])
        rows.append(
            Rows(
                operator_of(problem.conditions[k]),
                where,
                np.array([node]),
                np.ones(1),
                DERIVATIVE,
                sampling=sparse.csr_array(sampling),
                condition=k,
            )
        )
    return rows
