"""Equations solved for their highest derivatives along one coordinate: what every integrator of SciPy asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kanpde.errors import ProblemError
from kanpde.expression import Program
from kanpde.expression.program import BoundProgram
from kanpde.operator import DifferentialOperator, JetVariable
from kanpde.problem import Problem

Array = np.ndarray
Jet = Mapping[JetVariable, Array]

NEWTON_STEPS = 30
# A leading matrix of a larger condition number does not determine the rates.
SINGULAR = 1e12


@dataclass(frozen=True, eq=False)
class Evolution:
    """h_c = D_t^m u_c as functions of the jet below, from F_i(x, jet, h) = 0 at every point.

    position: the coordinate t that is integrated along.
    """

    problem: Problem
    position: int

    def __post_init__(self) -> None:
        name, fields = self.problem.name, self.problem.fields
        if len(self.problem.operators) != len(fields):
            raise ProblemError(
                f"{name} has {len(self.problem.operators)} equations for {len(fields)} fields; "
                "an integrator needs as many as fields."
            )
        if self.problem.parameters:
            raise ProblemError(f"{name} has unknown scalars; a reference needs numbers for them.")
        t = self.problem.coordinates[self.position]
        for c, order in enumerate(self.orders):
            if order == 0:
                raise ProblemError(f"{fields[c]} has no derivative along {t}; solve it with reference() instead.")
        if any(v.derivative[self.position] == self.orders[v.unknown] and v not in self.leading for v in self.variables):
            raise ProblemError(
                f"{name} mixes the highest derivative along {t} with others; solve it with reference() instead."
            )

    @cached_property
    def variables(self) -> tuple[JetVariable, ...]:
        """The jet of all equations."""
        return tuple(sorted({v for operator in self.operators for v in operator.jet}))

    @property
    def operators(self) -> tuple[DifferentialOperator, ...]:
        """The equations."""
        return self.problem.operators

    @cached_property
    def orders(self) -> tuple[int, ...]:
        """m, one for each field."""
        return tuple(
            max((v.derivative[self.position] for v in self.variables if v.unknown == c), default=0)
            for c in range(len(self.problem.fields))
        )

    @cached_property
    def leading(self) -> tuple[JetVariable, ...]:
        """D_t^m u_c, one for each field."""
        return tuple(self.at_level(c, m) for c, m in enumerate(self.orders))

    @cached_property
    def lower(self) -> tuple[JetVariable, ...]:
        """The rest of the jet."""
        return tuple(v for v in self.variables if v not in self.leading)

    def at_level(self, unknown: int, level: int) -> JetVariable:
        """D_t^level of a field."""
        return JetVariable(unknown, tuple(level * (k == self.position) for k in range(self.problem.domain.dimension)))

    @cached_property
    def _affine(self) -> bool:
        """Whether all equations are affine in the rates: one Newton step is exact."""
        rates = [{s for s, v in zip(o.symbols, o.jet, strict=True) if v in self.leading} for o in self.operators]
        return not any(
            g.free_symbols & own
            for o, own in zip(self.operators, rates, strict=True)
            for g, v in zip(o.gradient, o.jet, strict=True)
            if v in self.leading
        )

    def rates(self, points: Array, jet: Jet) -> Array:
        """The rates h (c, n) at points (n, d) for the lower jet, (n,) each."""
        if self._inverse is None:
            return self._solved(points, jet)[0]
        zero = np.zeros(len(points))
        values = {**jet, **dict.fromkeys(self.leading, zero)}
        pairs = zip(self.operators, self._residuals, strict=True)
        f = [program([*points.T, *(values[v] for v in operator.jet)])[0] for operator, program in pairs]
        return -self._inverse @ np.stack(f)

    def linearised(self, points: Array, jet: Jet) -> tuple[Array, Array]:
        """The rates h (c, n) and ∂h/∂jet (c, len(lower), n)."""
        h, matrix, gradients = self._solved(points, jet)
        if not self.lower:
            return h, np.zeros((len(h), 0, len(points)))
        below = np.stack([gradients[v] for v in self.lower], axis=-1)
        return h, -np.moveaxis(np.linalg.solve(matrix, below), 0, -1)

    def _solved(self, points: Array, jet: Jet) -> tuple[Array, Array, dict[JetVariable, Array]]:
        h = np.zeros((len(self.leading), len(points)))
        for _ in range(NEWTON_STEPS):
            f, gradients = self._evaluated(points, {**jet, **dict(zip(self.leading, h, strict=True))})
            matrix = np.stack([gradients[v] for v in self.leading], axis=-1)
            step = self._step(matrix, f)
            h = h + step
            if self._affine or np.abs(step).max() <= 1e-14 * np.abs(h).max():
                return h, matrix, gradients
        raise ProblemError(f"{self.problem.name}: Newton's method for the rates does not converge; solve for them.")

    def _step(self, matrix: Array, f: Array) -> Array:
        """-A⁻¹ F at every point, for a matrix (n, c, c)."""
        if matrix.shape[1] == 1 and np.all(matrix):
            return -f / matrix[:, 0].T
        try:
            return -np.linalg.solve(matrix, f.T[..., None])[..., 0].T
        except np.linalg.LinAlgError as error:
            raise ProblemError(
                f"{self.problem.name}: the equations do not determine all rates (a constraint, or a coefficient that"
                " vanishes); solve it with reference() instead."
            ) from error

    def _evaluated(self, points: Array, jet: Jet) -> tuple[Array, dict[JetVariable, Array]]:
        """F (c, n), and ∂F/∂v (n, c) for each variable."""
        n = len(points)
        values = np.zeros((len(self.operators), n))
        gradients = {v: np.zeros((n, len(self.operators))) for v in self.variables}
        for i, (operator, program) in enumerate(zip(self.operators, self._programs, strict=True)):
            values[i], *partial = program([*points.T, *(jet[v] for v in operator.jet)])
            for v, g in zip(operator.jet, partial, strict=True):
                gradients[v][:, i] = g
        return values, gradients

    @cached_property
    def _programs(self) -> tuple[BoundProgram, ...]:
        """F and its gradient of each equation: an integrator calls them a million times."""
        return tuple(operator.program.bind({}, np) for operator in self.operators)

    @cached_property
    def _residuals(self) -> tuple[BoundProgram, ...]:
        """F alone of each equation."""
        return tuple(Program.compile([o.expression], o.arguments).bind({}, np) for o in self.operators)

    @cached_property
    def _inverse(self) -> Array | None:
        """The inverse of ∂F/∂h where it is a matrix of numbers."""
        matrix = np.zeros((len(self.operators), len(self.leading)))
        for i, operator in enumerate(self.operators):
            for v, g in zip(operator.jet, operator.gradient, strict=True):
                if v in self.leading:
                    if not g.is_number:
                        return None
                    matrix[i, self.leading.index(v)] = float(g)
        return None if np.linalg.cond(matrix) > SINGULAR else np.linalg.inv(matrix)

    @cached_property
    def constant_part(self) -> dict[JetVariable, Array] | None:
        """∂h/∂v (c,) of each lower variable for which it is a number; None where the leading matrix is none."""
        if self._inverse is None:
            return None
        numbers = {v: np.zeros(len(self.operators)) for v in self.lower}
        for i, operator in enumerate(self.operators):
            for v, g in zip(operator.jet, operator.gradient, strict=True):
                if not g.is_number:
                    numbers.pop(v, None)
                elif v in numbers:
                    numbers[v][i] = float(g)
        return {v: -self._inverse @ g for v, g in numbers.items()}
