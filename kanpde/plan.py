"""What a solve starts from when the user leaves it open: network, stages, blocks of the residual and their weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from kanpde.adaptive import ADAPTIVE_RULES, adapted
from kanpde.causal import causal, epsilon_for
from kanpde.collocation import PointSet, collocate, guarded
from kanpde.corners import conflicts
from kanpde.domain import Product, halton
from kanpde.errors import ProblemError
from kanpde.expression import Program
from kanpde.features import Clustering, clustered, input_bounds, inputs_of, periodic_inputs
from kanpde.field import Ansatz, SymbolicField
from kanpde.lowering import lower
from kanpde.network import KAN, BSpline, ModuleNetwork, Network, Trainable, with_bounds, with_periodic
from kanpde.oscillation import oscillation
from kanpde.problem import CompiledCondition, Problem
from kanpde.residuals import MEMORY, Block, ResidualSystem
from kanpde.sparsity import penalty
from kanpde.stages import LADDER, LINE_LADDER, Pinned, Stage

POINTS_PER_PARAMETER = 3.0  # fewer, and the knots catch up with the points (Liu et al. 2024, appendix E)
LEAST_POINTS = 400
CANDIDATES = 3  # seeds tried at the coarse level
MOST_FACTORS = 3  # of a multiplication node
CALM = 20  # degree that the data ask for, up to which a network begins at the bottom of its ladder
MOST_FIRST = 36  # degree that a network begins with at most
SPLINE_START = 4  # intervals of spline edges where only the basis was asked for
SPLINE_DEGREE = 7  # the same, their degree
UNSEEN = 500_009  # what is added to the seed of points that training must not see
FEWEST = 50  # points in a region with equations of its own
OBSERVED = 1e-3  # size of all measurements' rows together, in units of their error
UNSTATED = 1e-2  # the error that measurements without a stated one are weighted by, of their spread
INSTANTS = 24  # at which an integral condition holds where the domain has a time or parameters
RULE_NODES = {1: 64, 2: 24, 3: 12}  # quadrature nodes along each axis of an integral condition
RULE_POINTS = 400  # the same on parts of the boundary


def default_network(
    problem: Problem, seed: int, features: SymbolicField | None = None, pinned: Pinned | None = None
) -> Network:
    """A Chebyshev KAN: one edge in one dimension, else one hidden layer of sums and products.

    The products (KAN 2.0) make separable parts cheap, the sums what is left; measured in docs/numerics.md. A product
    has as many factors as there are coordinates, two above three: what depends on all of many coordinates is rare.
    """
    given = pinned or Pinned()
    d, c = len(inputs_of(problem, features)), len(problem.fields)
    basis = given.basis or "chebyshev"
    intervals = given.intervals or SPLINE_START
    depth = given.depth if given.depth is not None else int(d > 1)
    if depth == 0:
        degree = given.degree or _first_degree(problem, basis, LINE_LADDER if d == 1 else LADDER)
        return KAN([d, c], basis, degree=degree, intervals=intervals, seed=seed)
    width = 3 + c
    sums, products = given.sums, given.products
    nodes = (width if sums is None else sums, width if products is None else products)
    arity = d if features is None and d <= MOST_FACTORS else 2
    degree = given.degree or _first_degree(problem, basis, LADDER)
    hidden = [nodes] * depth
    return KAN([d, *hidden, c], basis, degree=degree, intervals=intervals, seed=seed, arity=arity)


def _first_degree(problem: Problem, basis: str, ladder: Sequence[int]) -> int | None:
    """The first rung that resolves what the equations and conditions are given; the default degree of splines."""
    if basis != "chebyshev":
        return None if basis != "bspline" else SPLINE_DEGREE
    wanted = min(oscillation(problem), MOST_FIRST)
    return ladder[0] if wanted <= CALM else next(rung for rung in ladder if rung >= wanted)


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
    adaptive = stage.sampling in ADAPTIVE_RULES
    rule = "sobol" if adaptive else stage.sampling
    parts = blocks(problem, ansatz, point_count(network, stage, density), seed, rule, weights or ())
    if adaptive or stage.causal:
        parts = [_focused(problem, network, ansatz, stage, part, seed) for part in parts]
    if ansatz.features is None:
        parts = [_with_points_everywhere(problem, network, part, seed) for part in parts]
    system = ResidualSystem(parts, network, ansatz, memory, problem.parameters)
    system = system if weights is not None else balanced(system, system.theta)
    if stage.sparsity is None:
        return system
    points = np.concatenate([b.points.x for b in system.blocks if b.label.startswith("equations")])
    return system.penalised(penalty(stage.sparsity, network, ansatz, system.theta.new_tensor(points)))


def _focused(problem: Problem, network: Trainable, ansatz: Ansatz, stage: Stage, block: Block, seed: int) -> Block:
    """Equations at points that follow the network's residual, and at late times as far as earlier ones hold."""
    if not block.label.startswith("equations"):
        return block
    points = block.points
    if stage.sampling in ADAPTIVE_RULES:
        known = dict(zip(problem.operators, problem.regions, strict=True))
        drawn = adapted(
            known[block.equations[0].operator],
            len(points),
            lambda even: _magnitude(problem, network, ansatz, block, even),
            stage.sampling,
            seed=seed,
            moved=lambda even: clustered(problem, ansatz, even),
        )
        points = tempered(problem, drawn)
    if stage.causal and problem.domain.time is not None:
        squares = _magnitude(problem, network, ansatz, block, points) ** 2
        mean = float(points.weights @ squares / points.weights.sum())
        axis = problem.coordinates.index(problem.domain.time)
        points = causal(points, axis, squares, epsilon_for(mean, stage.causal))
    return replace(block, points=points)


def _magnitude(problem: Problem, network: Trainable, ansatz: Ansatz, block: Block, points: PointSet) -> np.ndarray:
    """|F| (n,) of the equations of a block at other points."""
    even = PointSet(points.x, np.ones(len(points)), points.normals)
    squares = np.zeros(len(points))
    for equation in block.equations:
        own = replace(block, equations=(equation,), points=even, weight=1.0)
        system = ResidualSystem([own], network, ansatz, parameters=problem.parameters)
        squares += system.residual(system.theta).square().cpu().numpy()
    return np.sqrt(squares)


def _with_points_everywhere(problem: Problem, network: Trainable, block: Block, seed: int) -> Block:
    """No knot span of the first layer without points: there the edges would be free, and the residual blind."""
    spans = knot_spans(network, problem)
    if not block.label.startswith("equations") or spans is None:
        return block
    known = dict(zip(problem.operators, problem.regions, strict=True))
    return replace(block, points=guarded(block.points, known[block.equations[0].operator], spans, seed=seed))


def knot_spans(network: Trainable, problem: Problem) -> list[np.ndarray | None] | None:
    """Breakpoints of the B-splines on each coordinate; None where the first layer has none, or other inputs."""
    first = network.layers[0] if network.layers else None
    d = len(problem.coordinates)
    if first is None or first.inputs != d or first.centre is None or first.half_width is None:
        return None
    spans: list[np.ndarray | None] = [None] * d
    for expansion in first.expansions:
        for i in expansion.inputs:
            if isinstance(expansion.basis, BSpline):
                spans[i] = first.centre[i] + first.half_width[i] * expansion.basis.breakpoints()
    return spans if any(s is not None for s in spans) else None


def unseen(problem: Problem, ansatz: Ansatz, system: ResidualSystem, seed: int) -> list[Block]:
    """The rows of a system at half as many points, which its training has not seen, with the same weights."""
    count = max(FEWEST, len(system.blocks[0].points) // 2)
    fresh = blocks(problem, ansatz, count, seed + UNSEEN)
    return [replace(b, weight=own.weight) for b, own in zip(fresh, system.blocks, strict=True)]


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
