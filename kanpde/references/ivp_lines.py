"""The method of lines: a grid in space, its boundary values eliminated by the conditions, and a sparse Jacobian."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

import numpy as np
import sympy as sp
from scipy import sparse
from scipy.sparse import linalg as sparse_linalg

from kanpde.errors import ProblemError
from kanpde.expression.program import BoundProgram
from kanpde.operator import DifferentialOperator, JetVariable, Scope, operator_of
from kanpde.problem import Problem
from kanpde.references.axes import StageAxis
from kanpde.references.grid import Grid
from kanpde.references.ivp_evolution import Evolution
from kanpde.references.layout import EQUATION, Rows, layout
from kanpde.references.marching import initial_instant, time_position

Array = np.ndarray
Level = tuple[int, int]

NEWTON_STEPS = 20
CHORD_STEPS = 10


@dataclass(frozen=True, eq=False)
class Held:
    """A condition that determines D_t^level of a field at some nodes, from what is known elsewhere.

    level: the highest time derivative of the field in the operator; rows are those of the layout.
    """

    unknown: int
    level: int
    operator: DifferentialOperator
    rows: Rows

    @property
    def nodes(self) -> Array:
        """The nodes whose values it determines."""
        return self.rows.rows

    @cached_property
    def program(self) -> BoundProgram:
        """F and its gradient."""
        return self.operator.program.bind({}, np)

    def points(self, grid: Grid, position: int, t: float) -> list[Array]:
        """Coordinates of its points at an instant, and the normal where F uses it."""
        columns = list(self._places(grid).T)
        normals = self.rows.normals(position)
        own = list(normals.T) if self.operator.normal and normals is not None else []
        return [*columns[:position], np.full(len(columns[0]), t), *columns[position:], *own]

    def _places(self, grid: Grid) -> Array:
        return np.asarray(self.rows.sample(grid.points.T).T)


@dataclass(frozen=True, eq=False)
class Lines:
    """y' = f(t, y): y are the values at the nodes that no condition determines, field by field, level by level."""

    problem: Problem
    grid: Grid
    evolution: Evolution = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "evolution", Evolution(self.problem, time_position(self.problem)))
        if self.problem.domain.parameters:
            raise ProblemError(f"{self.problem.name} is a family of problems; solve it with reference().")

    @property
    def position(self) -> int:
        """Which coordinate is the time."""
        return self.evolution.position

    @cached_property
    def levels(self) -> tuple[Level, ...]:
        """(field, time derivative), the blocks of the full state."""
        return tuple((c, k) for c, m in enumerate(self.evolution.orders) for k in range(m))

    @cached_property
    def held(self) -> tuple[Held, ...]:
        """The conditions in space at the nodes where they are imposed."""
        first, last = map(float, self.problem.domain.bounds[self.position])
        slab = layout(self.problem, Grid((*self.grid.axes, StageAxis(first, last - first, 1))))
        if not slab.steady:
            raise ProblemError(f"{self.problem.name} has a condition at some times only; solve it with reference().")
        result = []
        for rows in slab.blocks:
            if rows.rank == EQUATION:
                continue
            unknown = int(rows.rows[0]) // self.grid.size
            own = [v.derivative[self.position] for v in rows.operator.jet if v.unknown == unknown]
            moved = Rows(
                rows.operator, rows.rows - unknown * self.grid.size, rows.nodes, rows.weights, rows.rank, rows.face,
                rows.sampling, rows.condition,
            )  # fmt: skip
            result.append(Held(unknown, max(own), rows.operator, moved))
        return tuple(result)

    def imposed(self, level: int) -> list[Held]:
        """The conditions on D_t^level of the fields, those on lower ones differentiated in time."""
        found = []
        for held in self.held:
            operator = held.operator
            if level < held.level or level >= self.evolution.orders[held.unknown]:
                continue
            for _ in range(level - held.level):
                operator = rate_of(operator, self.position, self.problem)
            found.append(Held(held.unknown, level, operator, held.rows))
        return found

    @cached_property
    def conditions(self) -> dict[int, list[Held]]:
        """What is imposed at each level."""
        return {level: self.imposed(level) for level in range(max(self.evolution.orders))}

    @cached_property
    def dynamic(self) -> list[Held]:
        """Conditions on the highest time derivative: they take the place of the equation."""
        return [h for h in self.held if h.level == self.evolution.orders[h.unknown]]

    @cached_property
    def free(self) -> dict[Level, Array]:
        """Which nodes of each block no condition determines, (N,) bool."""
        free = {key: np.ones(self.grid.size, dtype=bool) for key in self.levels}
        for level, held in self.conditions.items():
            for h in held:
                free[h.unknown, level][h.nodes] = False
        return free

    @cached_property
    def _slices(self) -> dict[Level, slice]:
        ends = np.cumsum([0, *(int(self.free[key].sum()) for key in self.levels)])
        return {key: slice(ends[i], ends[i + 1]) for i, key in enumerate(self.levels)}

    def points(self, t: float) -> Array:
        """(N, d) nodes at an instant."""
        return np.insert(self.grid.points, self.position, t, axis=1)

    def start(self) -> Array:
        """The initial values at the free nodes."""
        first = float(self.problem.domain.bounds[self.position, 0])
        instant = initial_instant(self.problem, self.grid, first)
        return np.concatenate([instant[key][self.free[key]] for key in self.levels])

    def full(self, t: float, y: Array) -> dict[Level, Array]:
        """All blocks with the values that the conditions determine."""
        state = {key: np.zeros(self.grid.size) for key in self.levels}
        for key in self.levels:
            state[key][self.free[key]] = y[self._slices[key]]
        for level, held in self.conditions.items():
            self._impose(t, state, level, held)
        return state

    def _impose(self, t: float, state: dict[Level, Array], level: int, held: list[Held]) -> None:
        """Newton's method for the values at the nodes of a level's conditions; one step where they are affine."""
        if not held:
            return
        affine = all(h.operator.is_linear for h in held)
        for k in range(NEWTON_STEPS):
            residual = self._misses(t, state, level, held)
            # An older factorisation will do for the first steps of Newton's method.
            step = self._solver(t, state, level, held, affine or k >= CHORD_STEPS)(-residual)
            for (c, nodes), part in zip(self._slaves(level).items(), self._parts(level, step), strict=True):
                state[c, level][nodes] += part
            if affine or np.abs(step).max(initial=0.0) <= 1e-13 * max(np.abs(v).max() for v in state.values()):
                return
        raise ProblemError(f"{self.problem.name}: the conditions at {t:.6g} cannot be satisfied; check their data.")

    def _slaves(self, level: int) -> dict[int, Array]:
        """Nodes that the conditions of a level determine, by field."""
        return cast("dict[int, Array]", self._cached((level, "slaves"), self._determined))

    def _determined(self, level: int) -> dict[int, Array]:
        return {c: np.flatnonzero(~self.free[c, k]) for c, k in self.levels if k == level}

    def _parts(self, level: int, stacked: Array) -> list[Array]:
        sizes = [len(nodes) for nodes in self._slaves(level).values()]
        return list(np.split(stacked, np.cumsum(sizes)[:-1]))

    def _solver(
        self, t: float, state: Mapping[Level, Array], level: int, held: list[Held], fresh: bool = True
    ) -> Callable[[Array], Array]:
        """The inverse of what the conditions of a level say about the values that they determine."""
        key = (level, "factor")
        if key not in self._cache or (fresh and not self._cached((level, "constant"), lambda _: self._constant(held))):
            columns = self._columns(t, state, level, held)
            own = sparse.hstack([columns[c][:, nodes] for c, nodes in self._slaves(level).items()]).tocsc()
            self._cache[key] = sparse_linalg.splu(own).solve
        return cast("Callable[[Array], Array]", self._cache[key])

    @cached_property
    def _cache(self) -> dict[tuple[int, str], Any]:
        return {}

    def _constant(self, held: list[Held]) -> bool:
        """Whether the coefficients of conditions depend neither on time nor on the solution."""
        time = self.problem.domain.time
        return all(h.operator.is_linear and not any(time in g.free_symbols for g in h.operator.gradient) for h in held)

    def _lines(self, level: int) -> list[Array]:
        """The places of each condition among the values that a level determines."""
        slaves = self._slaves(level)
        first = dict(zip(slaves, np.cumsum([0, *map(len, slaves.values())]), strict=False))
        return [first[h.unknown] + np.searchsorted(slaves[h.unknown], h.nodes) for h in self.conditions[level]]

    def _misses(self, t: float, state: Mapping[Level, Array], level: int, held: list[Held]) -> Array:
        """What the conditions of a level miss."""
        residual = np.zeros(sum(map(len, self._slaves(level).values())))
        for h, lines in zip(held, self._cached((level, "lines"), self._lines), strict=True):
            np.add.at(residual, lines, h.rows.weights * self._evaluated(h, t, state)[0])
        return residual

    def _columns(
        self, t: float, state: Mapping[Level, Array], level: int, held: list[Held]
    ) -> dict[int, sparse.csr_array]:
        """The derivatives of that with respect to the values of the level, by field."""
        slaves = self._slaves(level)
        count = sum(map(len, slaves.values()))
        columns = {c: sparse.csr_array((count, self.grid.size)) for c in slaves}
        for h, lines in zip(held, self._lines(level), strict=True):
            _, gradient = self._evaluated(h, t, state)
            for v, g in zip(h.operator.jet, gradient, strict=True):
                if v.derivative[self.position] == level and v.unknown in columns:
                    entries = (h.rows.weights * g, (lines, np.arange(len(lines))))
                    weights = sparse.coo_array(entries, (count, len(lines))).tocsr()
                    columns[v.unknown] = columns[v.unknown] + weights @ self._stencil(h.rows, v)
        return columns

    def _cached(self, key: tuple[int, str], make: Callable[[int], Any]) -> Any:
        if key not in self._cache:
            self._cache[key] = make(key[0])
        return self._cache[key]

    def _stencil(self, rows: Rows, variable: JetVariable) -> sparse.csr_array:
        matrix = self.grid.matrix(self._spatial(variable))
        return matrix[rows.nodes] if rows.sampling is None else rows.sampling @ matrix

    def _spatial(self, variable: JetVariable) -> tuple[int, ...]:
        return variable.derivative[: self.position]

    def _derivative(self, state: Mapping[Level, Array], v: JetVariable) -> Array:
        return self.grid.differentiate(self._spatial(v), state[v.unknown, v.derivative[self.position]])

    def _evaluated(self, h: Held, t: float, state: Mapping[Level, Array]) -> tuple[Array, list[Array]]:
        jet = [
            h.rows.sample(self._derivative(state, v))
            if (v.unknown, v.derivative[self.position]) in state
            else np.zeros(len(h.nodes))
            for v in h.operator.jet
        ]
        f, *gradient = h.program([*h.points(self.grid, self.position, t), *jet])
        return f, gradient

    def jet(self, state: Mapping[Level, Array]) -> dict[JetVariable, Array]:
        """The lower jet of the equations at all nodes."""
        return {v: self._derivative(state, v) for v in self.evolution.lower}

    def rates(self, t: float, y: Array) -> Array:
        """f(t, y)."""
        state = self.full(t, y)
        highest = self.evolution.rates(self.points(t), self.jet(state))
        for h in self.dynamic:
            f, gradient = self._evaluated(h, t, state)
            own = h.operator.jet.index(self.evolution.leading[h.unknown])
            highest[h.unknown, h.nodes] = -f / gradient[own]
        above = {(c, k): state.get((c, k + 1), highest[c]) for c, k in self.levels}
        return np.concatenate([above[key][self.free[key]] for key in self.levels])

    def jacobian(self, t: float, y: Array) -> sparse.csc_array:
        """∂f/∂y; what conditions of one level owe to lower levels is left out, Newton's method forgives it."""
        state = self.full(t, y)
        _, gradient = self.evolution.linearised(self.points(t), self.jet(state))
        size = self.grid.size
        rows = []
        for c, k in self.levels:
            blocks = {key: sparse.csr_array((size, size)) for key in self.levels}
            if (c, k + 1) in blocks:
                blocks[c, k + 1] = sparse.csr_array(sparse.eye_array(size))
            else:
                for i, v in enumerate(self.evolution.lower):
                    key = (v.unknown, v.derivative[self.position])
                    weighted = sparse.diags_array(gradient[c, i]) @ self.grid.matrix(self._spatial(v))
                    blocks[key] = blocks[key] + weighted
            rows.append(sparse.hstack([blocks[key] for key in self.levels]).tocsr()[self.free[c, k]])
        return sparse.csc_array(sparse.vstack(rows).tocsr() @ self._expansion(t, state))

    def _expansion(self, t: float, state: Mapping[Level, Array]) -> sparse.csr_array:
        """The full state as a linear function of y, up to a constant."""
        parts = []
        total = sum(int(f.sum()) for f in self.free.values())
        dependent = {level: self._dependence(t, state, level) for level in self.conditions}
        for c, level in self.levels:
            free = self.free[c, level]
            entries = (np.ones(int(free.sum())), (np.flatnonzero(free), np.arange(total)[self._slices[c, level]]))
            block = sparse.coo_array(entries, (self.grid.size, total)).tocsr()
            slaved = dependent[level].get(c)
            parts.append(block if slaved is None else block + slaved)
        return sparse.vstack(parts).tocsr()

    def _dependence(self, t: float, state: Mapping[Level, Array], level: int) -> dict[int, sparse.csr_array]:
        """Values that conditions determine, as functions of the free ones of their level."""
        held = self.conditions[level]
        key = (level, "dependence")
        if not held or (key in self._cache and self._constant(held)):
            return self._cache.get(key, {})
        columns, solve = self._columns(t, state, level, held), self._solver(t, state, level, held)
        total = sum(int(f.sum()) for f in self.free.values())
        known = sparse.lil_array((columns[next(iter(columns))].shape[0], total))
        for c, column in columns.items():
            if column.nnz:
                known[:, self._slices[c, level]] = column[:, self.free[c, level]]
        known = known.tocsc()
        stacked = sparse.csr_array(-solve(known.toarray())) if known.nnz else sparse.csr_array(known.shape)
        result, first = {}, 0
        for c, nodes in self._slaves(level).items():
            spread = sparse.coo_array(
                (np.ones(len(nodes)), (nodes, np.arange(len(nodes)))), (self.grid.size, len(nodes))
            )
            result[c] = spread.tocsr() @ stacked[first : first + len(nodes)]
            first += len(nodes)
        self._cache[key] = result
        return result


def rate_of(operator: DifferentialOperator, position: int, problem: Problem) -> DifferentialOperator:
    """D_t F along a solution: ∂F/∂t + Σ ∂F/∂v · D_t v."""
    on_boundary = bool(operator.normal)
    scope = Scope(problem.coordinates, problem.domain.space, problem.fields, on_boundary)
    total = sp.diff(operator.expression, problem.coordinates[position])
    for v, gradient in zip(operator.jet, operator.gradient, strict=True):
        raised = tuple(n + (k == position) for k, n in enumerate(v.derivative))
        total += gradient * scope.jet_symbol(JetVariable(v.unknown, raised))
    return operator_of(total, scope)
