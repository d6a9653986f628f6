"""The ways to a smaller network, each tried from large changes to small ones."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

from kanpde.network import Network
from kanpde.pruning.importance import idle_inputs, ranked
from kanpde.pruning.search import Candidate, Search
from kanpde.pruning.surgery import Node, coarsened, hidden_nodes, straightened, without_nodes
from kanpde.solution import Solution

FEW = 0.03  # share of its layer's scores, below which a node is dropped in the first attempt
OTHERS = 3  # nodes that are tried one by one when the least important one could not be spared
IDLE = 1e-3  # share of the inputs' scores, below which an input may do with straight lines
FINEST = 2.0  # times today's resolution: so much finer may edges get in exchange for nodes

Grown = Callable[[Network, int], Network]  # a network and the parameters that it may not exceed -> a finer one


def thinned(search: Search, threshold: float | None = None) -> None:
    """Fewer nodes, then straight lines where they do, then coarser edges: what needs no other start."""
    fewer_nodes(search, threshold)
    straighter(search)
    coarser_edges(search)


def fewer_nodes(search: Search, threshold: float | None = None, grown: Grown | None = None) -> bool:
    """Drops the least important nodes while the rest of the network can do without them.

    Half as many are tried when some could not be spared, down to one. The order is made anew after each success, for
    what is left takes over the work of what went.

    Args:
        search: changed in place.
        threshold: only nodes with less than this share of their layer's scores may go; None lets all of them try.
        grown: what makes edges finer in exchange.

    Returns:
        Whether any node went.
    """
    before, step = len(hidden_nodes(search.network)), None
    while not search.over and (order := droppable(search.best, threshold)):
        few = sum(share < FEW for _, share in order)
        step = min(len(order), step or few or (len(order) + 1) // 2)
        nodes = [node for node, _ in order]
        if _spared(search, nodes[:step], grown):
            continue
        if step > 1:
            step //= 2
        elif not any(_spared(search, [node], grown) for node in nodes[1 : 1 + OTHERS]):
            break
    return len(hidden_nodes(search.network)) < before


def _spared(search: Search, nodes: Collection[Node], grown: Grown | None) -> bool:
    count = len(nodes)
    smaller = without_nodes(search.network, nodes)
    if grown is not None:
        smaller = grown(smaller, search.network.n_parameters - 1)
    return search.succeeds(Candidate(f"{count} node{'s' if count > 1 else ''} fewer", smaller))


def droppable(solution: Solution, threshold: float | None = None) -> list[tuple[Node, float]]:
    """Hidden nodes in the order in which they can go, with their shares; each layer keeps its most important one."""
    found, most = [], {}
    for node, share in ranked(solution):
        most[node[0]] = node
        if threshold is None or share < threshold:
            found.append((node, share))
    return [(node, share) for node, share in found if node not in most.values()]


def straighter(search: Search) -> bool:
    """Straight lines for the edges of inputs that do not matter."""
    idle = idle_inputs(search.best, IDLE)
    if not idle or search.over:
        return False
    return search.succeeds(
        Candidate(f"straight lines for {len(idle)} of the inputs", straightened(search.network, idle))
    )


def coarser_edges(search: Search) -> bool:
    """Lower degrees, fewer intervals or modes: in all layers at once, then in each; by bisection.

    Returns:
        Whether any edge got coarser.
    """
    before = search.network.n_parameters
    layers = range(len(search.network.layers))
    for scope in [tuple(layers), *([(k,) for k in layers] if len(layers) > 1 else [])]:
        _bisected(search, scope)
    return search.network.n_parameters < before


def _bisected(search: Search, scope: Sequence[int]) -> None:
    low, high = 0, max(resolutions(search.network, scope), default=0)
    where = "all layers" if len(scope) > 1 else f"layer {scope[0]}"
    while high - low > 1 and not search.over:
        middle = (low + high) // 2
        smaller = at_resolution(search.network, scope, middle)
        if search.succeeds(Candidate(f"edges of {where} at resolution {middle}", smaller)):
            high = middle
        else:
            low = middle


def at_resolution(network: Network, scope: Collection[int], resolution: int) -> Network:
    """The network with no finer edges than this in some of its layers."""
    return coarsened(network, lambda k, basis: resolution if k in scope else basis.resolution)


def resolutions(network: Network, scope: Collection[int]) -> Iterator[int]:
    """Those of the bases in some layers."""
    return (e.basis.resolution for k in scope for e in network.layers[k].expansions)


def finer_within(network: Network, most: int) -> Network:
    """The same function with the finest edges that so many parameters allow, up to twice as fine as today."""
    finer = at_least(network, affordable(network, most, int(FINEST * finest(network))))
    finer.scalars = network.scalars
    return finer


def affordable(network: Network, most: int, limit: int) -> int:
    """The finest resolution up to a limit that so many parameters allow; 0 where today's is too fine already."""
    return max((r for r in range(1, limit + 1) if at_least(network, r).n_parameters <= most), default=0)


def at_least(network: Network, resolution: int) -> Network:
    """The same function with no coarser edges than this."""
    return network.grown(lambda _: resolution)


def finest(network: Network) -> int:
    """The resolution of its finest edges."""
    return max(resolutions(network, range(len(network.layers))))
