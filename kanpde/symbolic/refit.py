"""Gauss-Newton on the equations and conditions of a problem, or on values, for what has few numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import sympy as sp
import torch

from kanpde.collocation import PointSet
from kanpde.domain import Box
from kanpde.field import Ansatz
from kanpde.lifting import impose
from kanpde.lowering import lower
from kanpde.network.trainable import Trainable
from kanpde.optim import LevenbergMarquardt, Status
from kanpde.plan import balanced, blocks
from kanpde.problem import Problem
from kanpde.residuals import Block, ResidualSystem
from kanpde.symbolic.formulas import FormulaNetwork
from kanpde.symbolic.target import Target

STEPS = 60
FEWEST = 120  # points of the equations
DENSITY = 4  # points a number
SEED = 5
WAVES, LARGEST_TURN, AMPLITUDE = 8, 4, 0.05  # of the functions by which rows are weighed
CALM = 1e-3  # a step that gains less than this, relatively, is the last but a few
LAST = 4  # of such steps in a row
BLIND = 1e-11  # of the largest singular value: what is smaller no row sees


def free(problem: Problem) -> Ansatz:
    """No condition imposed: the formula itself is the unknown, and conditions are rows."""
    return replace(impose(problem, exact=False), features=None, clusterings=())


def on_equations(problem: Problem, network: Trainable) -> ResidualSystem:
    """The rows of equations and conditions, none of them kept by construction, conditions as heavy as equations.

    What they weigh is judged by what waves across the domain would change in them, not by the numbers of the network:
    a + b x satisfies Laplace's equation for all a and b, and its conditions would be weighed against nothing.
    """
    ansatz = free(problem)
    parts = blocks(problem, ansatz, max(FEWEST, DENSITY * network.n_parameters), SEED)
    waves = _waves(problem)
    waves.scalars = network.scalars
    judge = ResidualSystem(parts, waves, ansatz, parameters=problem.parameters)
    weighed = balanced(judge, judge.theta).blocks
    return ResidualSystem(weighed, network, ansatz, parameters=problem.parameters)


def _waves(problem: Problem) -> FormulaNetwork:
    """A constant and waves of about the size of the domain, in each unknown, none of them too long or too short."""
    rng, bounds = np.random.default_rng(SEED), problem.domain.bounds
    reduced = [
        (x - (low + high) / 2) / (high - low) for x, (low, high) in zip(problem.coordinates, bounds, strict=True)
    ]
    expressions, symbols = [], list[sp.Symbol]()
    for _ in problem.fields:
        own = [sp.Symbol(f"wave_{len(symbols) + k}", real=True) for k in range(WAVES)]
        turns = rng.integers(-LARGEST_TURN, LARGEST_TURN + 1, size=(WAVES, len(reduced)))
        phases = rng.uniform(0, 2 * np.pi, WAVES)
        parts = [
            c * sp.cos(sp.Add(*[int(k) * x for k, x in zip(turn, reduced, strict=True)]) + sp.Float(phase))
            for c, turn, phase in zip(own, turns, phases, strict=True)
        ]
        expressions.append(sp.Add(sp.S.One, *parts))
        symbols += own
    return FormulaNetwork(expressions, problem.coordinates, symbols, [AMPLITUDE] * len(symbols))


def on_values(target: Target, network: Trainable, points: np.ndarray) -> ResidualSystem:
    """The rows network − values, relative, at points (n, d) of a target's box."""
    box = Box({x: (low, high) for x, (low, high) in zip(target.coordinates, target.bounds.tolist(), strict=True)})
    plain = Problem(box, sp.Function("value")(*target.coordinates), (), name="values")
    where = PointSet(points, np.full(len(points), 1.0 / len(points)), None)
    equations = tuple(lower(operator) for operator in plain.operators)
    block = Block("equations", equations, where, weight=target.size**-2, target=target.values(points))
    return ResidualSystem([block], network, free(plain))


def idle(system: ResidualSystem) -> float:
    """The norm of the residual of vanishing unknowns, targets of values included: what others are measured by."""
    rest = FormulaNetwork([sp.S.Zero] * system.network.outputs, _coordinates(system), (), ())
    rest.scalars = system.network.scalars
    parts = ResidualSystem(system.blocks, rest, system.ansatz, system.memory, system.parameters)
    size = float(parts.residual(parts.theta).norm())
    return size if np.isfinite(size) and size > 0 else 1.0


def _coordinates(system: ResidualSystem) -> tuple[sp.Symbol, ...]:
    return system.ansatz.lift.coordinates


def refitted(system: ResidualSystem, steps: int = STEPS, damping: float = 1e-3) -> float:
    """Trains the network of a system where it is; the norm of the residual relative to that of vanishing unknowns."""
    engine = LevenbergMarquardt(damping=damping)
    state = engine.init(system, system.theta)
    calm = 0
    for _ in range(steps):
        if state.status is not Status.RUNNING or calm == LAST:
            break
        state = engine.step(system, state)
        calm = calm + 1 if state.gain < CALM else 0
    system.adopt(state.theta)
    return float(np.sqrt(2 * state.loss)) / idle(system) if np.isfinite(state.loss) else np.inf


@dataclass(frozen=True)
class Spread:
    """What is known of numbers after a fit.

    Attributes:
        values: (P + k,), unknown scalars of the problem last.
        errors: their standard errors by the covariance of the fit; infinite where no row sees them.
    """

    values: tuple[float, ...]
    errors: tuple[float, ...]


def spread(system: ResidualSystem) -> Spread:
    """Standard errors of the numbers of a system where it is, from σ² (JᵀJ)⁺ with σ² the mean squared residual."""
    theta = system.theta
    parts = list(system.linearized(theta))
    jacobian = torch.cat([transposed for _, transposed in parts], dim=1).T.numpy()
    residual = torch.cat([values for values, _ in parts]).numpy()
    return Spread(tuple(theta.tolist()), tuple(_errors(jacobian, residual)))


def _errors(jacobian: np.ndarray, residual: np.ndarray) -> list[float]:
    if not (np.isfinite(jacobian).all() and np.isfinite(residual).all()):
        return [np.inf] * jacobian.shape[1]
    size = np.linalg.norm(jacobian, axis=0)
    _, singular, vectors = np.linalg.svd(jacobian / np.where(size > 0, size, 1.0), full_matrices=False)
    sigma = float(np.sqrt(np.mean(np.square(residual)))) + np.finfo(float).eps * float(np.abs(size).max(initial=0.0))
    seen = singular > BLIND * singular.max(initial=0.0)
    inverse = np.where(seen, 1 / np.where(seen, singular, 1.0), 0.0)
    errors = sigma * np.sqrt(((vectors.T * inverse) ** 2).sum(1))
    blind = (np.square(vectors[~seen]).sum(0) > BLIND) | (size == 0)
    return np.where(blind, np.inf, errors / np.where(size > 0, size, 1.0)).tolist()


def relative(found: np.ndarray, known: np.ndarray) -> float:
    """Root mean square of a difference over that of what is known; infinite where something is not a number."""
    gap = float(np.sqrt(np.mean(np.square(found - known))))
    size = float(np.sqrt(np.mean(np.square(known)))) or 1.0
    return gap / size if np.isfinite(gap) else np.inf
