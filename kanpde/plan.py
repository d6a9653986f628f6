"""What a solve starts from when the user leaves it open: network, stages, blocks of the residual and their weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from kanpde.collocation import RULES, PointSet, collocate
from kanpde.corners import conflicts
from kanpde.domain import Product, halton
from kanpde.errors import ProblemError
from kanpde.expression import Program
from kanpde.features import Clustering, clustered, input_bounds, inputs_of, periodic_inputs
from kanpde.field import Ansatz, SymbolicField
from kanpde.lowering import lower
from kanpde.network import KAN, ModuleNetwork, Network, Trainable, with_bounds, with_periodic
from kanpde.network.basis import Basis, Chebyshev
from kanpde.optim import LBFGS, Adam, LevenbergMarquardt, Optimizer
from kanpde.problem import CompiledCondition, Problem
from kanpde.residuals import MEMORY, Block, ResidualSystem

OPTIMIZERS: dict[str, Optimizer] = {"lm": LevenbergMarquardt(), "lbfgs": LBFGS(), "adam": Adam()}
POINTS_PER_PARAMETER = 3.0  # fewer, and the knots catch up with the points (Liu et al. 2024, appendix E)
LEAST_POINTS = 400
LARGEST_NETWORK = 3000  # parameters, where one orthogonal step takes a few seconds
LADDER = (5, 8, 12, 16, 20, 25, 30, 36, 42, 48, 56, 64)  # degrees of the default network, stage by stage
LINE_LADDER = (12, 24, 48, 96, 192, 384)  # the same in one dimension, where the network is one edge
WORTHWHILE = 3.0  # finer edges must lower the residual by this factor, or nodes are added
CANDIDATES = 3  # seeds tried at the coarse level
FEWEST = 50  # points in a region with equations of its own
OBSERVED = 1e-3  # size of all measurements' rows together, in units of their error
UNSTATED = 1e-2  # the error that measurements without a stated one are weighted by, of their spread
INSTANTS = 24  # at which an integral condition holds where the domain has a time or parameters
RULE_NODES = {1: 64, 2: 24, 3: 12}  # quadrature nodes along each axis of an integral condition
RULE_POINTS = 400  # the same on parts of the boundary


@dataclass(frozen=True)
class Stage:
    """One stage of training.

    Args:
        optimizer: "lm", "lbfgs", "adam", or an optimiser with its own settings.
        points: interior collocation points; three a parameter by default.
        intervals: resolution of the edges in this stage: spline intervals, Chebyshev degree or Fourier modes.
        iterations: at most so many steps.
        widen: nodes of each kind to add to every hidden layer when the stage begins.
        sampling: rule of the points: "sobol", "latin", "uniform", "grid" or "gauss".
    """

    optimizer: Optimizer | str = "lm"
    points: int | None = None
    intervals: int | None = None
    iterations: int = 60
    widen: int = 0
    sampling: str = "sobol"

    def __post_init__(self) -> None:
        """Checks the words."""
        if isinstance(self.optimizer, str) and self.optimizer not in OPTIMIZERS:
            raise ProblemError(f"no optimizer is called {self.optimizer!r}; use one of {', '.join(OPTIMIZERS)}")
        if self.sampling not in RULES:
            raise ProblemError(f"no sampling rule is called {self.sampling!r}; use one of {', '.join(RULES)}")
        if self.iterations < 1 or (self.points is not None and self.points < 1):
            raise ProblemError(f"{self} does nothing; give at least one iteration and one point")

    @property
    def engine(self) -> Optimizer:
        """The optimiser."""
        return OPTIMIZERS[self.optimizer] if isinstance(self.optimizer, str) else self.optimizer


def default_network(problem: Problem, seed: int, features: SymbolicField | None = None) -> Network:
    """A Chebyshev KAN: one edge in one dimension, else one hidden layer of sums and products.

    The products (KAN 2.0) make separable parts cheap, the sums what is left; measured in docs/numerics.md.
    """
    d, c = len(inputs_of(problem, features)), len(problem.fields)
    if d == 1:
        return KAN([1, c], "chebyshev", degree=LINE_LADDER[0], seed=seed)
    width = 3 + c
    arity = d if features is None else 2
    return KAN([d, (width, width), c], "chebyshev", degree=LADDER[0], seed=seed, arity=arity)


@dataclass(frozen=True)
class Ladder:
    """Stages that are chosen as the run goes: finer edges while they pay, else more nodes, until the budget is used up.

    Args:
        largest: parameters beyond which no stage may go.
    """

    largest: int = LARGEST_NETWORK

    def following(self, network: Trainable, residuals: Sequence[float], widened: bool) -> Stage | None:
        """The next stage, None where nothing is left to enlarge.

        Args:
            network: as the last stage left it.
            residuals: norm at the end of each stage so far.
            widened: whether the last stage added nodes.
        """
        finer = self._finer(network, first=not residuals)
        if finer is None and not residuals:
            return Stage(iterations=500)
        slow = len(residuals) > 1 and residuals[-2] < WORTHWHILE * residuals[-1]
        wider = self._wider(network)
        options = (wider, finer) if slow and not widened else (finer, wider)
        return next((stage for stage in options if stage is not None), None)

    def _finer(self, network: Trainable, first: bool) -> Stage | None:
        bases = [e.basis for layer in network.layers for e in layer.expansions]
        growing = [b for b in bases if _grows(b)]
        if not growing:
            return None
        today = max(b.resolution for b in growing)
        rungs = [today] if first else [r for r in _rungs(growing[0], single=len(bases) == 1) if r > today]
        affordable = [r for r in rungs if _parameters(network, r) <= self.largest]
        return Stage(intervals=affordable[0]) if affordable else None

    def _wider(self, network: Trainable) -> Stage | None:
        """Half as many nodes again."""
        if len(network.layers) < 2:
            return None
        more = max(1, network.layers[0].sums // 2)
        share = 1.0 + more / network.layers[0].sums if network.layers[0].sums else 2.0
        fits = network.n_parameters * share <= self.largest
        return Stage(widen=more) if fits and all(_grows(e.basis) for e in network.layers[0].expansions) else None


def _grows(basis: Basis) -> bool:
    return basis.refined(2 * basis.resolution) != basis


def _rungs(basis: Basis, single: bool) -> list[int]:
    """Resolutions to go through: degrees of a polynomial basis by a list, intervals and modes by doubling."""
    if isinstance(basis, Chebyshev):
        return list(LINE_LADDER if single else LADDER)
    return [basis.resolution * 2**k for k in range(1, 8)]


def _parameters(network: Trainable, resolution: int) -> int:
    """Parameters after growing, without building it."""
    total = 0
    for layer in network.layers:
        grown = [e.basis.refined(max(resolution, e.basis.resolution)).size * len(e.inputs) for e in layer.expansions]
        total += layer.columns * (sum(grown) + int(layer.bias))
    return total


def fitted(
    network: torch.nn.Module,
    problem: Problem,
    features: SymbolicField | None = None,
    clusterings: Sequence[Clustering] = (),
) -> Trainable:
    """The network over the problem's domain, periodic where the problem is; a user's own module is wrapped as it is.

    Raises:
        ProblemError: wrong numbers of inputs or outputs, or edges too rough for the order of the equations.
    """
    d, c = len(problem.coordinates), len(problem.fields)
    own = network if isinstance(network, Network) else ModuleNetwork(network, d)
    inputs = inputs_of(problem, features)
    if (own.inputs, own.outputs) != (len(inputs), c):
        raise ProblemError(
            f"{own.title} maps {own.inputs} inputs to {own.outputs} outputs; "
            f"{problem.name} needs {len(inputs)} ({', '.join(map(str, inputs))}) to {c}"
        )
    axes = periodic_inputs(problem, features, clusterings)
    scalars = own.scalars or tuple(p.initial for p in problem.parameters)
    if isinstance(own, ModuleNetwork):
        if axes:
            raise ProblemError(f"{own.title} cannot be made periodic; use KAN or MLP, whose first layer can")
        own.scalars = scalars
        return own
    _check_smoothness(own, problem)
    placed = with_bounds(own, input_bounds(problem, features, clusterings))
    placed = with_periodic(placed, axes) if axes else placed
    placed.scalars = scalars
    return placed


def _check_smoothness(network: Network, problem: Problem) -> None:
    order = max(operator.order for operator in problem.operators)
    for basis in (e.basis for layer in network.layers for e in layer.expansions):
        if basis.smoothness < order:
            raise ProblemError(
                f"{problem.name} takes derivatives of order {order}; a degree-{int(basis.smoothness) + 1} spline has "
                f"{int(basis.smoothness)} continuous ones. Use degree >= {order + 1}"
            )


def point_count(network: Trainable, stage: Stage, density: float = POINTS_PER_PARAMETER) -> int:
    """Interior points of a stage: the user's, or `density` for each parameter."""
    return stage.points or max(LEAST_POINTS, round(density * network.n_parameters))


def blocks(
    problem: Problem, ansatz: Ansatz, count: int, seed: int, rule: str = "sobol", weights: Sequence[float] = ()
) -> list[Block]:
    """The equations, region by region, then each condition that the ansatz does not keep."""
    result = [
        replace(block, points=tempered(problem, clustered(problem, ansatz, block.points)))
        for block in equation_blocks(problem, count, rule, seed)
    ]
    for k, condition in enumerate(problem.conditions):
        if k not in ansatz.imposed and condition.operator is not None:
            weight = weights[k] if k < len(weights) else 1.0
            result.append(condition_block(problem, condition, count, rule, seed + 1 + k, weight))
    return result


def tempered(problem: Problem, points: PointSet) -> PointSet:
    """Equations count less where the data of a corner disagree."""
    weights = points.weights
    for conflict in {c.corner: c for c in conflicts(problem)}.values():
        weights = weights * conflict.weight(points.x)
    return PointSet(points.x, weights, points.normals)


def equation_blocks(problem: Problem, count: int, rule: str, seed: int) -> list[Block]:
    """One block for each region on which equations hold: all of the interior, or a material each."""
    grouped: dict[str, list[int]] = {}
    for k, region in enumerate(problem.regions):
        grouped.setdefault(region.text, []).append(k)
    total = sum(problem.regions[group[0]].measure for group in grouped.values())
    result = []
    for n, group in enumerate(grouped.values()):
        region = problem.regions[group[0]]
        points = collocate(region, max(FEWEST, round(count * region.measure / total)), rule, seed + 31 * n)
        label = "equations" if len(grouped) == 1 else f"equations in {region.name}"
        result.append(Block(label, tuple(lower(problem.operators[k]) for k in group), points))
    return result


def condition_block(
    problem: Problem, condition: CompiledCondition, count: int, rule: str, seed: int, weight: float
) -> Block:
    """The rows of one condition: at points of its region, at measured points, or joined to integrals."""
    assert condition.operator is not None
    equations = (lower(condition.operator),)
    if condition.kind == "observations":
        return _observed(problem, condition, weight)
    if condition.kind == "integral":
        points, gather, target = integral_rows(problem, condition, seed)
        return Block(condition.label, equations, points, weight / len(gather), target, gather)
    d = len(problem.coordinates)
    share = max(8 * len(condition.region.pieces()), round(4 * count ** ((d - 1) / d)))
    return Block(condition.label, equations, collocate(condition.region, share, rule, seed), weight)


def _observed(problem: Problem, condition: CompiledCondition, weight: float) -> Block:
    """Measurements: rows (F - value) / sigma, their sum of squares small beside the equations.

    The equations are exact and the measurements are not, so the network must satisfy the former first.
    """
    data = condition.data
    assert data is not None
    assert condition.operator is not None
    total = sum(len(c.data.points) for c in problem.conditions if c.data is not None)
    n = len(data.points)
    sigma = np.full(n, UNSTATED * _spread(data.values)) if data.sigma is None else np.broadcast_to(data.sigma, (n,))
    points = PointSet(np.asarray(data.points), OBSERVED**2 / (total * sigma**2), None)
    known = data.sigma is not None
    lowered = (lower(condition.operator),)
    return Block(
        condition.label,
        lowered,
        points,
        weight,
        np.asarray(data.values),
        fixed=True,
        sigma=sigma if known else None,
        measured=True,
    )


def _spread(values: np.ndarray) -> float:
    """The size of data without a stated error."""
    return float(np.std(values)) or float(np.abs(values).max()) or 1.0


def integral_rows(problem: Problem, condition: CompiledCondition, seed: int) -> tuple[PointSet, np.ndarray, np.ndarray]:
    """Points, S (m, n) and the values (m,) of an integral over space, at each of m instants and parameters."""
    domain, space = problem.domain, len(problem.domain.space)
    base = _space_rule(problem, condition, seed)
    extra = domain.bounds[space:]
    instants = halton(INSTANTS, len(extra)) if len(extra) else np.zeros((1, 0))
    moments = extra[:, 0] + instants * (extra[:, 1] - extra[:, 0])
    m, n = len(moments), len(base)
    x = np.concatenate([np.tile(base.x[:, :space], (m, 1)), np.repeat(moments, n, axis=0)], axis=1)
    normals = None if base.normals is None else np.tile(base.normals, (m, 1))
    gather = np.kron(np.eye(m), base.weights[None])
    (values,) = Program.compile([condition.value], problem.coordinates)(list(x[::n].T), np)
    return PointSet(x, np.tile(base.weights, m), normals), gather, np.asarray(values, dtype=float)


def _space_rule(problem: Problem, condition: CompiledCondition, seed: int) -> PointSet:
    """A quadrature of the region in space alone."""
    domain, space = problem.domain, len(problem.domain.space)
    if condition.region.text == domain.interior.text:
        factor = domain.factor if isinstance(domain, Product) else domain
        cells, nodes = problem.context.cells, RULE_NODES.get(space, 8)
        x, weights = factor.quadrature(nodes) if cells is None else cells.quadrature(factor, nodes)
        return PointSet(x, weights, None)
    extent = float(np.prod(np.ptp(domain.bounds[space:], axis=1))) if domain.dimension > space else 1.0
    points = collocate(condition.region, RULE_POINTS, "gauss", seed)
    return PointSet(points.x, points.weights / extent, points.normals)


def balanced(system: ResidualSystem, theta: Tensor) -> ResidualSystem:
    """Soft conditions scaled so that each weighs as much in |J|² as the equations do; measurements keep their error."""
    if len(system.blocks) == 1:
        return system
    rows = torch.cat([transposed.square().sum(0) for _, transposed in system.linearized(theta)])
    parts = [float(part.sum()) for part in rows.split([b.rows for b in system.blocks])]
    equations = [part for b, part in zip(system.blocks, parts, strict=True) if b.label.startswith("equations")]
    share = sum(equations)
    reweighted = [
        b if b.fixed or b.label.startswith("equations") or not part else replace(b, weight=b.weight * share / part)
        for b, part in zip(system.blocks, parts, strict=True)
    ]
    return ResidualSystem(reweighted, system.network, system.ansatz, system.memory, system.parameters)


def assemble(
    problem: Problem,
    network: Trainable,
    ansatz: Ansatz,
    stage: Stage,
    seed: int,
    weights: Sequence[float] | None,
    memory: int = MEMORY,
    density: float = POINTS_PER_PARAMETER,
) -> ResidualSystem:
    """The residual system of a stage; conditions are balanced unless the user gave weights."""
    parts = blocks(problem, ansatz, point_count(network, stage, density), seed, stage.sampling, weights or ())
    system = ResidualSystem(parts, network, ansatz, memory, problem.parameters)
    return system if weights is not None else balanced(system, system.theta)


def check_weights(problem: Problem, weights: Sequence[float] | None) -> None:
    """One positive factor for each condition.

    Raises:
        ProblemError: otherwise.
    """
    if weights is None:
        return
    values = np.asarray(weights, dtype=float)
    if values.shape != (len(problem.conditions),) or not np.all(np.isfinite(values) & (values > 0)):
        raise ProblemError(
            f"weights must be {len(problem.conditions)} positive numbers, one for each condition; got {list(weights)}"
        )
