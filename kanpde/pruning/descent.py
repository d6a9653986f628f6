"""`smallest`: from the solution of a problem down to the network with the fewest parameters that is good enough."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from kanpde.errors import ProblemError
from kanpde.network import Network, restarted
from kanpde.problem import Problem
from kanpde.pruning.importance import network_of
from kanpde.pruning.moves import (
    FINEST,
    affordable,
    at_least,
    at_resolution,
    coarser_edges,
    droppable,
    fewer_nodes,
    finer_within,
    finest,
    straighter,
    thinned,
)
from kanpde.pruning.search import INTERRUPTED, Attempt, Candidate, Row, Search, attempts, begun_with
from kanpde.pruning.smaller import check, telling
from kanpde.pruning.surgery import Node, hidden_nodes, without_nodes
from kanpde.solution import Solution, load, solve

TINY = ((1, 0), (0, 1), (2, 0), (1, 1), (0, 2))  # sums and products that are tried first, the smallest first
RESTARTS = 4  # random starts of each network that has no larger one to begin from
COARSE = 6  # resolution that every other start begins with; what oscillates is lost on coarse edges
FURTHER = 7919  # what is added to the seed for each of them


def smallest(
    problem: Problem,
    rtol: float = 1e-6,
    *,
    start: Solution | None = None,
    seed: int = 0,
    max_seconds: float | None = None,
    progress: bool = False,
    callback: Callable[[Row], None] | None = None,
    tell: Callable[[Attempt], None] | None = None,
    checkpoint: str | Path | None = None,
    resume: bool = False,
) -> Solution:
    """The smallest network that was found to solve a problem, with the table of all that were tried.

    What `solve` finds is made smaller as by `pruned`. Then networks with one or two nodes a layer are tried from random
    starts. Then nodes go in exchange for finer edges, as long as parameters get fewer, and edges get coarser again,
    round after round. Where nothing helps any more, the next smaller network begins from random starts, so that a poor
    minimum does not pass for a limit of the network. What the search ends with is a smallest network among its
    neighbours; a still smaller one further away is not ruled out.

    Args:
        problem: what to solve.
        rtol: relative L2 error to reach, judged by the error estimate.
        start: a solution to begin with, instead of that of `solve`.
        seed: of everything random.
        max_seconds: stop after this wall time with what was reached; a resumed search gets it anew.
        progress: print a line for each network that is tried.
        callback: called once an iteration, as by `solve`.
        tell: called with each `Attempt`.
        checkpoint: file that keeps the smallest solution so far and the attempts.
        resume: go on from `checkpoint` if it exists; no network is tried twice.

    Returns:
        The solution; `attempts(solution)` is the table. It did not converge where `solve` did not.

    Raises:
        ProblemError: a network without nodes, or arguments that make no search.
        StoreError: a checkpoint that is damaged or cannot be written.
    """
    check(rtol, max_seconds)
    if resume and checkpoint is None:
        raise ProblemError("resume=True needs checkpoint=, the file that the earlier search kept")
    begun = time.perf_counter()
    path = None if checkpoint is None else Path(checkpoint)
    first = load(path, problem) if resume and path is not None and path.exists() else start
    if first is None:
        first = solve(problem, rtol, seed=seed, max_seconds=max_seconds, callback=callback, windows=1)
    network_of(first)
    known = list(attempts(first))
    search = Search(first, rtol, max_seconds, telling(tell, progress), callback, path, known, begun)
    search.large = begun_with(first) or search.network
    search.interrupted = first.status == INTERRUPTED
    if search.good:
        thinned(search)
        from_below(search, search.large)
        descend(search)
    return search.result()


def descend(search: Search) -> None:
    """Smaller and smaller, until neither what is left of a larger network nor a random start helps."""
    while not search.over:
        better = fewer_nodes(search, grown=finer_within)
        better = straighter(search) or better
        better = coarser_edges(search) or better
        if not better and not afresh(search):
            break


def afresh(search: Search) -> bool:
    """Random starts for the next smaller network: with a node less, or else with coarser edges."""
    network = search.network
    nodes = [node for node, _ in droppable(search.best)[:1]]
    return _begins(search, without_nodes(network, nodes), finest(network) - (0 if nodes else 1))


def from_below(search: Search, large: Network) -> bool:
    """Random starts for networks like a large one, but with one or two nodes in each hidden layer."""
    for sums, products in TINY:
        kept = [min(sums, layer.sums) + min(products, layer.products) for layer in large.layers[:-1]]
        if all(count == sums + products for count in kept) and kept:
            tiny = without_nodes(large, [node for node in hidden_nodes(large) if _beyond(large, node, sums, products)])
            if _begins(search, tiny, int(FINEST * finest(large))):
                return True
    return False


def _beyond(network: Network, node: Node, sums: int, products: int) -> bool:
    """Whether a node is not among the first so many of its kind."""
    layer, position = network.layers[node[0]], node[1]
    return position >= sums if position < layer.sums else position - layer.sums >= products


def _begins(search: Search, network: Network, limit: int) -> bool:
    """Whether a network is good enough from one of a few random starts, with edges up to a resolution."""
    coarse = at_resolution(network, range(len(network.layers)), COARSE)
    resolution = affordable(coarse, search.network.n_parameters - 1, limit)
    for k in range(1, RESTARTS + 1):
        start = coarse if k % 2 else at_least(coarse, 2 * resolution // 3)
        other = restarted(start, search.best.record.seed + FURTHER * k)
        other.scalars = network.scalars
        if search.succeeds(Candidate(f"random start {k}", other, resolution)):
            return True
    return False
