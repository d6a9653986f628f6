"""Ordinary differential equations by SciPy's integrators: initial values at one end, or conditions at both."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import integrate

from kanpde.errors import ProblemError
from kanpde.operator import JetVariable
from kanpde.problem import CompiledCondition, Problem
from kanpde.provenance import provenance
from kanpde.references.axes import DifferenceAxis
from kanpde.references.function import GridFunction, distance
from kanpde.references.grid import Grid
from kanpde.references.ivp_evolution import Evolution
from kanpde.references.ivp_steps import Integrator, TooManySteps, Trajectory, thinned
from kanpde.references.layout import operator_of
from kanpde.references.reference import relative_l2
from kanpde.references.system import evaluate

Array = np.ndarray

# Interpolation between the steps is of a higher order than the integrators, so that it adds nothing to the error.
ORDER_BETWEEN = 10
NODES = 4001
NEWTON_STEPS = 50
# More explicit steps than these at a loose tolerance mean stiffness: the implicit method takes over.
EXPLICIT_BUDGET = 2_000
# A step of DOP853 reaches this far times the largest eigenvalue.
STABLE = 5.0
# Its order is 5: at the same tolerance its steps would be too many.
IMPLICIT = 100
ROUGH = 1e-6
STEPS = 20_000
ROUNDING = 1e-14
COLLOCATION_NODES = 200_000


@dataclass(frozen=True, eq=False)
class OrdinarySystem:
    """y' = f(t, y), y the fields and their derivatives below the highest, field by field."""

    problem: Problem

    @cached_property
    def evolution(self) -> Evolution:
        """The equations solved for the highest derivatives."""
        return Evolution(self.problem, 0)

    @cached_property
    def variables(self) -> tuple[JetVariable, ...]:
        """What the components of y are."""
        return tuple(JetVariable(c, (k,)) for c, m in enumerate(self.evolution.orders) for k in range(m))

    def rates(self, t: Array, y: Array) -> Array:
        """The rates y' (size, n) at times (n,) for y (size, n)."""
        jet = dict(zip(self.variables, y, strict=True))
        highest = self.evolution.rates(np.asarray(t, dtype=float).reshape(-1, 1), jet)
        jet |= dict(zip(self.evolution.leading, highest, strict=True))
        return np.stack([jet[JetVariable(v.unknown, (v.derivative[0] + 1,))] for v in self.variables])

    def jacobian(self, t: float, y: Array) -> Array:
        """∂f/∂y (size, size)."""
        jet = dict(zip(self.variables, y[:, None], strict=True))
        _, gradient = self.evolution.linearised(np.array([[t]]), jet)
        matrix = np.zeros((len(y), len(y)))
        for row, v in enumerate(self.variables):
            above = JetVariable(v.unknown, (v.derivative[0] + 1,))
            if above in self.variables:
                matrix[row, self.variables.index(above)] = 1.0
            else:
                columns = [self.variables.index(w) for w in self.evolution.lower]
                matrix[row, columns] = gradient[v.unknown, :, 0]
        return matrix

    def conditions(self) -> dict[float, list[CompiledCondition]]:
        """The conditions by the instant at which they hold."""
        found: dict[float, list[CompiledCondition]] = {}
        for condition in self.problem.conditions:
            for piece in condition.region.pieces():
                if condition.operator is None or piece.dimension:
                    raise ProblemError(
                        f"{condition.label} is no condition at an instant; solve {self.problem.name} with reference()."
                    )
                found.setdefault(float(piece.points(np.zeros((1, 0)))[0, 0]), []).append(condition)
        return found

    def residual(self, t: float, conditions: list[CompiledCondition], y: Array) -> tuple[Array, Array]:
        """What conditions at an instant miss (k,), and its derivatives (k, size)."""
        values, rows = [], []
        normal = np.array([[-1.0 if t == self.problem.domain.bounds[0, 0] else 1.0]])
        for condition in conditions:
            operator = operator_of(condition)
            if any(v not in self.variables for v in operator.jet):
                raise ProblemError(f"{condition.label} has a higher derivative than the equations allow; lower it.")
            index = [self.variables.index(v) for v in operator.jet]
            f, *gradient = evaluate(operator, np.array([[t]]), y[index, None], normal)
            row = np.zeros(len(y))
            np.add.at(row, index, [float(g[0]) for g in gradient])
            values.append(float(f[0]))
            rows.append(row)
        return np.array(values), np.array(rows)

    def initial_state(self, t: float, conditions: list[CompiledCondition]) -> Array:
        """The y (size,) with which all conditions hold.

        Raises:
            ProblemError: they do not determine it.
        """
        y = np.zeros(len(self.variables))
        for _ in range(NEWTON_STEPS):
            f, matrix = self.residual(t, conditions, y)
            if matrix.shape[0] != len(y) or np.linalg.matrix_rank(matrix) < len(y):
                raise ProblemError(
                    f"{self.problem.name} has {len(f)} conditions at {t:g} for {len(y)} initial values; give each field"
                    " and its derivatives below the highest one value."
                )
            step = np.linalg.solve(matrix, -f)
            y = y + step
            if np.abs(step).max() <= 1e-15 * max(np.abs(y).max(), 1e-300):
                break
        return y


def integrate_ode(problem: Problem, rtol: float = 1e-12) -> GridFunction:
    """Solve ordinary differential equations of any order, on `Box({t: (0, T)})`.

    Conditions at one end make an initial value problem for DOP853 (Hairer, Nørsett and Wanner 1993), or for Radau IIA
    of order 5 where that takes too many steps; conditions at both ends one for `scipy.integrate.solve_bvp`.

    Args:
        problem: in one coordinate, with as many equations as fields and no unknown scalars.
        rtol: relative tolerance of a step.

    Returns:
        The solution on the steps of the integrator; `error_estimate` is the distance from one of a looser tolerance.

    Raises:
        ProblemError: more coordinates, conditions that do not fit, or a solution that ends before the interval.
    """
    clock = time.perf_counter()
    if problem.domain.dimension != 1:
        raise ProblemError(f"{problem.name} has {problem.domain.dimension} coordinates; use method_of_lines.")
    system = OrdinarySystem(problem)
    conditions = system.conditions()
    ends = {float(end) for end in problem.domain.bounds[0]}
    if set(conditions) - ends or not conditions:
        raise ProblemError(f"{problem.name} has conditions inside its interval; solve it with reference().")
    solve = _initial_value if len(conditions) == 1 else _boundary_value
    coarse, fine = (_function(system, solve(system, conditions, r), rtol) for r in (30 * rtol, rtol))
    estimate = max(distance(coarse, fine), ROUNDING)
    return finished(problem, fine, estimate, time.perf_counter() - clock)


def finished(problem: Problem, function: GridFunction, estimate: float, seconds: float) -> GridFunction:
    """A solution with what it knows about itself."""
    return replace(
        function,
        error_estimate=estimate,
        relative_l2=None if problem.exact is None else relative_l2(problem, function),
        name=problem.name,
        text=problem.text,
        signature=problem.signature,
        provenance=provenance(),
        n_space=len(problem.domain.space),
        seconds=seconds,
    )


def _function(system: OrdinarySystem, trajectory: Trajectory, rtol: float) -> GridFunction:
    problem = system.problem
    kept = thinned(trajectory, NODES)
    columns = [system.variables.index(JetVariable(c, (0,))) for c in range(len(problem.fields))]
    names = tuple(u.func.__name__ for u in problem.fields)
    axis = DifferenceAxis(kept.times, ORDER_BETWEEN)
    values = np.ascontiguousarray(kept.states[:, columns])
    return GridFunction(Grid((axis,)), values, names, (str(problem.coordinates[0]),), "integrator", tolerance=rtol)


def _initial_value(system: OrdinarySystem, conditions: dict[float, list[CompiledCondition]], rtol: float) -> Trajectory:
    start, own = next(iter(conditions.items()))
    lower, upper = map(float, system.problem.domain.bounds[0])
    interval = (lower, upper) if start == lower else (upper, lower)
    y = system.initial_state(start, own)
    return trajectory_of(system, y, interval, rtol)


def trajectory_of(system: OrdinarySystem, y: Array, interval: tuple[float, float], rtol: float) -> Trajectory:
    """Integrate explicitly, implicitly where that is too slow; the sizes of the components come from a rough run."""

    def rates(t: float, state: Array) -> Array:
        return system.rates(np.array([t]), state[:, None])[:, 0]

    def run(method: str, tolerance: float, scale: Array, budget: int) -> Trajectory:
        return Integrator(method, tolerance, scale, 0.01, budget).run(rates, y, interval, system.jacobian)

    rough = np.full(len(y), 1e-3 * max(float(np.abs(y).max()), 1e-3))
    fastest = float(np.abs(np.linalg.eigvals(system.jacobian(interval[0], y))).max())
    try:
        if fastest * abs(interval[1] - interval[0]) > STABLE * EXPLICIT_BUDGET:
            raise TooManySteps("too stiff")
        method, states = "DOP853", run("DOP853", ROUGH, rough, EXPLICIT_BUDGET).states
    except TooManySteps:
        method, rtol = "Radau", IMPLICIT * rtol
        states = run(method, ROUGH, rough, EXPLICIT_BUDGET).states
    sizes = np.abs(states).max(axis=0)
    return run(method, rtol, np.maximum(sizes, 1e-9 * max(float(sizes.max()), 1e-300)), STEPS)


def _boundary_value(
    system: OrdinarySystem, conditions: dict[float, list[CompiledCondition]], rtol: float
) -> Trajectory:
    lower, upper = map(float, system.problem.domain.bounds[0])
    count = sum(map(len, conditions.values()))
    if count != len(system.variables):
        raise ProblemError(f"{system.problem.name} has {count} conditions; it needs {len(system.variables)}.")

    def misses(at_lower: Array, at_upper: Array) -> Array:
        pairs = ((lower, at_lower), (upper, at_upper))
        return np.concatenate([system.residual(t, conditions[t], y)[0] for t, y in pairs])

    # Its collocation has order 4: beyond 1e-10 it would take more nodes than rounding allows.
    tolerance = max(100 * rtol, 1e-10)
    nodes = np.linspace(lower, upper, 101)
    guess = np.zeros((len(system.variables), len(nodes)))
    found = integrate.solve_bvp(system.rates, misses, nodes, guess, tol=tolerance, max_nodes=COLLOCATION_NODES)
    if not found.success:
        raise ProblemError(f"{system.problem.name}: solve_bvp gives up ({found.message}); use reference() instead.")
    return Trajectory(found.x, found.y.T)
