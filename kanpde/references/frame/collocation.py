"""The least-squares system of one problem at one degree: rows, columns, and the jet of what the columns stand for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from kanpde.multiindex import MultiIndex
from kanpde.operator import JetVariable
from kanpde.problem import Problem
from kanpde.references.frame.basis import Basis
from kanpde.references.frame.function import FrameFunction
from kanpde.references.frame.leastsquares import LeastSquares
from kanpde.references.frame.points import Cloud
from kanpde.references.frame.rows import Rows, rows_of
from kanpde.references.frame.spaces import Space, bases_of

Array = np.ndarray
Jet = Callable[[Array, Sequence[JetVariable]], Array]

# Conditions weigh at least so much more than equations; the degree, where that is larger.
CONDITIONS = 10.0
# Measurements weigh so little that they never move a solution off its equations.
MEASUREMENTS = 1e-4
# Degrees above this part of the largest are the tail.
HIGH = 0.6
MEMORY = 1 << 28  # bytes of tables that a nonlinear problem keeps


@dataclass(frozen=True, eq=False)
class State:
    """A field at all rows: its jet (len(operator.jet), n) in each block, and the unknown scalars."""

    jets: tuple[Array, ...]
    scalars: Array

    def __add__(self, other: State) -> State:
        return State(tuple(a + b for a, b in zip(self.jets, other.jets, strict=True)), self.scalars + other.scalars)


@dataclass(frozen=True, eq=False)
class Collocation:
    """Columns are the functions of every field, then the unknown scalars.

    Attributes:
        problem: what is solved.
        space: degrees along the axes, degree of the functions about holes and corners.
        sizes: (m,) typical size of each field, by which rows are balanced.
    """

    problem: Problem
    space: Space
    sizes: Array = field(default_factory=lambda: np.ones(1))

    @cached_property
    def bases(self) -> tuple[Basis, ...]:
        """The functions of each field."""
        return bases_of(self.problem, self.space)

    @cached_property
    def rows(self) -> tuple[Rows, ...]:
        """All blocks of rows."""
        least = 3 * self.space.powers + 8 if self.space.powers else 6
        return rows_of(self.problem, [b.size for b in self.bases], self.space.degrees, least)

    @cached_property
    def _tables(self) -> _Tables:
        return _Tables(self.bases)

    @cached_property
    def offsets(self) -> Array:
        """Where the columns of each field begin, and where the last ones end."""
        return np.cumsum([0, *(b.size for b in self.bases)])

    @property
    def n_columns(self) -> int:
        """Functions of all fields, and scalars."""
        return int(self.offsets[-1]) + len(self.problem.parameters)

    def sampled(self, jet: Jet, scalars: Sequence[float]) -> State:
        """A field given by its jet, at all rows."""
        jets: list[Array] = []
        last: tuple[Cloud | None, tuple[JetVariable, ...]] = (None, ())
        for rows in self.rows:
            if last[0] is rows.cloud and last[1] == rows.operator.jet:
                jets.append(jets[-1])
                continue
            last = (rows.cloud, rows.operator.jet)
            table = np.asarray(jet(rows.cloud.points, rows.operator.jet), dtype=float)
            jets.append(np.ascontiguousarray(table.T).reshape(len(rows.operator.jet), len(rows.cloud)))
        return State(tuple(jets), np.asarray(scalars, dtype=float))

    def nothing(self) -> State:
        """The zero field with vanishing scalars."""
        jets = tuple(np.zeros((len(r.operator.jet), len(r.cloud))) for r in self.rows)
        return State(jets, np.zeros(len(self.problem.parameters)))

    def state(self, x: Array) -> State:
        """The field of some coefficients (n_columns,)."""
        jets = []
        for rows in self.rows:
            values = [self._tables.at(rows.cloud, v) @ x[self._columns(v.unknown)] for v in rows.operator.jet]
            jets.append(np.array(values).reshape(len(values), len(rows.cloud)))
        return State(tuple(jets), x[self.offsets[-1] :])

    def _columns(self, unknown: int) -> slice:
        return slice(int(self.offsets[unknown]), int(self.offsets[unknown + 1]))

    def _scalars(self, rows: Rows) -> list[int]:
        return [self.problem.parameters.index(p) for p in rows.operator.parameters]

    def evaluate(self, state: State) -> list[tuple[Array, list[Array], list[Array]]]:
        """F - target, ∂F/∂jet, ∂F/∂κ of every block."""
        return [r.evaluate(jet, state.scalars[self._scalars(r)]) for r, jet in zip(self.rows, state.jets, strict=True)]

    def residual(self, state: State, factors: Sequence[Array]) -> Array:
        """Weighted F - target (rows,)."""
        parts = [values * factor for (values, *_), factor in zip(self.evaluate(state), factors, strict=True)]
        return np.concatenate(parts)

    def factors(self, state: State) -> list[Array]:
        """What each row is multiplied with, (size,) a block: a quadrature weight over the scale of its operator."""
        extent = 0.5 * np.ptp(self.problem.domain.bounds, axis=1)
        emphasis = max(CONDITIONS, float(max(self.space.degrees)))
        values = [
            (r, r.scale(slopes, self.sizes, extent))
            for r, (_, slopes, _) in zip(self.rows, self.evaluate(state), strict=True)
        ]
        sharpest = max((scale / r.sigma.min() for r, scale in values if r.sigma is not None), default=1.0)
        factors = []
        for rows, scale in values:
            if rows.sigma is not None:
                factors.append(MEASUREMENTS / (sharpest * rows.sigma * np.sqrt(rows.size)))
            elif rows.gather is not None:
                factors.append(np.full(rows.size, emphasis / (scale * np.sqrt(rows.size))))
            else:
                share = np.sqrt(rows.cloud.weights / rows.cloud.weights.sum())
                factors.append(share / scale * (emphasis if rows.kind == "condition" else 1.0))
        return factors

    def matrix(self, state: State, factors: Sequence[Array]) -> Array:
        """The linearised rows (rows, n_columns) at a state."""
        matrix = np.zeros((sum(r.size for r in self.rows), self.n_columns))
        start = 0
        for rows, factor, (_, slopes, slides) in zip(self.rows, factors, self.evaluate(state), strict=True):
            part = matrix[start : start + rows.size]
            for slope, variable in zip(slopes, rows.operator.jet, strict=True):
                if np.any(slope):
                    part[:, self._columns(variable.unknown)] += rows.joined(
                        slope[:, None] * self._tables.at(rows.cloud, variable)
                    )
            for slide, position in zip(slides, self._scalars(rows), strict=True):
                part[:, self.offsets[-1] + position] += rows.joined(slide[:, None])[:, 0]
            part *= factor[:, None]
            start += rows.size
        return matrix

    def function(self, x: Array) -> FrameFunction:
        """The field of some coefficients (n_columns,)."""
        problem, offsets = self.problem, self.offsets
        return FrameFunction(
            self.bases,
            tuple(np.split(x, offsets[1:])[: len(offsets) - 1]),
            tuple(u.func.__name__ for u in problem.fields),
            tuple(map(str, problem.coordinates)),
            identified={p.name: float(v) for p, v in zip(problem.parameters, x[offsets[-1] :], strict=True)},
            degrees=self.space.degrees,
        )

    def tails(self, scaled: Array) -> Array:
        """For each axis the share of the highest degrees in what coefficients, times the norms of their columns, do."""
        total, norm = np.zeros(len(self.space.degrees)), 0.0
        for start, basis in zip(self.offsets, self.bases, strict=False):
            energy = scaled[start : start + basis.polynomials.size] ** 2
            norm += energy.sum()
            for k, degree in enumerate(self.space.degrees):
                total[k] += energy[basis.polynomials.indices[:, k] > HIGH * degree].sum()
        return np.sqrt(total / norm) if norm else total

    def slides(self, state: State, factors: Sequence[Array], position: int) -> Array:
        """∂F/∂κ (rows,) for one scalar: its column of the matrix."""
        parts = []
        for rows, factor, (_, _, slides) in zip(self.rows, factors, self.evaluate(state), strict=True):
            own = dict(zip(self._scalars(rows), slides, strict=True))
            part = rows.joined(own[position][:, None])[:, 0] if position in own else np.zeros(rows.size)
            parts.append(part * factor)
        return np.concatenate(parts)

    def factorised(self, state: State, factors: Sequence[Array]) -> LeastSquares:
        """The linearised rows, ready to be solved."""
        system = LeastSquares.of(self.matrix(state, factors))
        if self.problem.is_linear and not self.problem.parameters:
            # The matrix is made once, and only it is needed from now on.
            self._tables.forget()
        return system


@dataclass(eq=False)
class _Tables:
    """Derivatives of the functions at clouds, each computed once as far as memory allows."""

    bases: tuple[Basis, ...]
    known: dict[tuple[int, int, MultiIndex], Array] = field(default_factory=dict)
    room: int = MEMORY

    def forget(self) -> None:
        """Give the memory back."""
        self.known.clear()
        self.room = MEMORY

    def at(self, cloud: Cloud, variable: JetVariable) -> Array:
        """(n, functions)."""
        basis = self.bases[variable.unknown]
        key = (id(cloud), id(basis), variable.derivative)
        if key in self.known:
            return self.known[key]
        table = basis.table(cloud.points, variable.derivative)
        if table.nbytes <= self.room:
            self.room -= table.nbytes
            self.known[key] = table
        return table
