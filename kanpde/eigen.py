"""A start for eigenvalue problems: inverse iteration, so that the mode nearest to `near` stands out.

With the eigenvalue fixed at its first guess μ, (L - μ) v = s for a random smooth s has the components s_k / (λ_k - μ):
what is nearest is amplified most (Golub & Van Loan, section 8.2). One round leaves the choice to s where it has little
of that mode, so v becomes the next source where that makes it another; normalised, it is where Gauss-Newton begins.
"""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import torch

from kanpde.collocation import collocate
from kanpde.estimate import TrainedField
from kanpde.expression import Eigenvalue
from kanpde.field import Ansatz
from kanpde.network import Network
from kanpde.operator import DifferentialOperator
from kanpde.optim import LevenbergMarquardt
from kanpde.plan import balanced, blocks, point_count
from kanpde.problem import Problem
from kanpde.references.ivp_coarse import with_numbers
from kanpde.residuals import Block, ResidualSystem
from kanpde.stages import Stage

STEPS = 25
FURTHER = 2  # rounds after the first, where it was not enough
ALIKE = 0.8  # |cos| of two rounds' modes, above which the first stays: each round fits its points more than the mode
WAVES = 6  # in the random source
SAMPLE = 512


def has_eigenvalue(problem: Problem) -> bool:
    """Whether an unknown scalar is an eigenvalue."""
    return any(isinstance(p, Eigenvalue) for p in problem.parameters)


def inverse_iteration(problem: Problem, ansatz: Ansatz, network: Network, seed: int) -> Network:
    """The same network, made an approximate mode of mean square one; its scalars stay at their first guesses."""
    count = point_count(network, Stage())
    pairs = zip(*(blocks(p, ansatz, count, seed) for p in (with_numbers(problem), problem)), strict=True)
    kept = [(fixed, own) for fixed, own in pairs if not _normalises(fixed)]
    rows = [_with_waves(problem, fixed, seed) for fixed, _ in kept]
    network = _normalised(problem, ansatz, _solved(rows, network, ansatz))
    for k in range(FURTHER):
        mode = TrainedField(network, ansatz)
        rows = [row for fixed, own in kept for row in _with_mode(fixed, own, mode)]
        following = _normalised(problem, ansatz, _solved(rows, copy.deepcopy(network), ansatz))
        if k == 0 and _likeness(problem, mode, TrainedField(following, ansatz)) > ALIKE:
            break
        network.set_theta(following.theta)
    return network


def _likeness(problem: Problem, one: TrainedField, other: TrainedField) -> float:
    """|cos| of the angle between two modes."""
    points = collocate(problem.domain.interior, SAMPLE).x
    a, b = (field.values(points).ravel() for field in (one, other))
    return abs(float(a @ b)) / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-300)


def _solved(rows: list[Block], network: Network, ansatz: Ansatz) -> Network:
    """The network after some steps of Levenberg-Marquardt on these rows."""
    system = balanced(ResidualSystem(rows, network, ansatz), network.theta)
    engine = LevenbergMarquardt()
    state = engine.init(system, network.theta)
    for _ in range(STEPS):
        state = engine.step(system, state)
    network.set_theta(state.theta)
    return network


def _normalises(block: Block) -> bool:
    """Whether a block is an integral of squares: it fixes the size, which the source does here."""
    return block.gather is not None and not block.equations[0].operator.is_linear


def _with_waves(problem: Problem, block: Block, seed: int) -> Block:
    """The equations with a sum of random waves on the right."""
    if not block.label.startswith("equations"):
        return block
    generator, bounds = np.random.default_rng(seed), problem.domain.bounds
    place = (block.points.x - bounds[:, 0]) / np.ptp(bounds, axis=1)
    waves = generator.normal(size=(WAVES, bounds.shape[0])) * np.pi
    source = np.sin(place @ waves.T + generator.uniform(0, 2 * np.pi, WAVES)) @ generator.normal(size=WAVES)
    return replace(block, target=source)


def _with_mode(fixed: Block, own: Block, mode: TrainedField) -> list[Block]:
    """The equations with ∂F/∂λ at a mode on the right, one block each: its part M v of (L - λM) v, up to the sign."""
    if not fixed.label.startswith("equations"):
        return [fixed]
    sources = [_slope(equation.operator, own.points.x, mode) for equation in own.equations]
    return [replace(fixed, equations=(e,), target=s) for e, s in zip(fixed.equations, sources, strict=True)]


def _slope(operator: DifferentialOperator, points: np.ndarray, mode: TrainedField) -> np.ndarray:
    """∂F/∂λ (n,), summed over eigenvalues; zero where F has none."""
    jet, scalars = mode.jet(points, operator.jet).T, [np.full(len(points), p.initial) for p in operator.parameters]
    outputs = operator.program([*points.T, *jet, *scalars], np)
    slopes = zip(operator.parameters, outputs[1 + len(operator.jet) :], strict=True)
    return sum((np.asarray(v) for p, v in slopes if isinstance(p, Eigenvalue)), np.zeros(len(points)))


def _normalised(problem: Problem, ansatz: Ansatz, network: Network) -> Network:
    """The same mode with a mean square of one: the last linear map scaled."""
    points = collocate(problem.domain.interior, SAMPLE).x
    size = float(np.sqrt(np.mean(np.sum(TrainedField(network, ansatz).values(points) ** 2, axis=1))))
    with torch.no_grad():
        network.coefficients[-1].div_(size or 1.0)
    return network
