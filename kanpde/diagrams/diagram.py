"""What a diagram shows, before anything has a place: rows of nodes and the edges between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kanpde.errors import ProblemError
from kanpde.tables import Edge, PlotTables

MOST = 200  # edges of one diagram; the most important ones are shown
LONGEST = 10  # letters of a name that stands at a node; longer ones are explained below


@dataclass(frozen=True)
class Node:
    """A place where edges meet.

    Attributes:
        row: 0 for the inputs.
        index: from left to right.
        factors: 0 for an input, 1 for a sum, else how many sums are multiplied there.
        name: of inputs and outputs; empty for hidden nodes.
        range: smallest and largest value in the domain, where an edge that is shown leaves the node.
    """

    row: int
    index: int
    factors: int
    name: str = ""
    range: tuple[float, float] | None = None

    @property
    def spoken(self) -> str:
        """What it is, in words: its name, or its number in its row."""
        return self.name or f"{'product' if self.factors > 1 else 'sum'} {self.index + 1} of row {self.row}"


@dataclass(frozen=True, eq=False)
class Link:
    """An edge that is shown.

    Attributes:
        source, node: where it begins and ends.
        factor: which sum of the end node it goes into, from 0; there is one only, unless these are multiplied.
        edge: its curve.
        importance: in [0, 1], its score as a share of the largest score in its layer.
    """

    source: Node
    node: Node
    factor: int
    edge: Edge
    importance: float

    @property
    def spoken(self) -> str:
        """Where it goes, in words."""
        part = f", factor {self.factor + 1}" if self.node.factors > 1 else ""
        return f"{self.source.spoken} → {self.node.spoken}{part}"


@dataclass(frozen=True, eq=False)
class Diagram:
    """A network as one sees it.

    Attributes:
        title: of what.
        rows: nodes from the inputs up.
        links: layer by layer, in each by source and then by target.
        total: how many edges the network has.
        notes: what must be said besides: names that are too long for a node, what the values are.
    """

    title: str
    rows: tuple[tuple[Node, ...], ...]
    links: tuple[Link, ...]
    total: int
    notes: tuple[str, ...] = ()

    def layer(self, k: int) -> tuple[Link, ...]:
        """The links from row k to row k + 1."""
        return tuple(link for link in self.links if link.source.row == k)

    @property
    def omission(self) -> str:
        """Which edges are left out, in words; empty where none is."""
        shown = len(self.links)
        return f"the {shown} most important of {self.total} edges" if shown < self.total else ""


def diagram_of(title: str, tables: PlotTables, most: int = MOST) -> Diagram:
    """The diagram of the network whose edges are in `tables`.

    Args:
        title: of what.
        tables: with edges; where these have no scores, as in older files, the ranges of their values stand for them.
        most: how many edges to show.

    Raises:
        ProblemError: there are no edges.
    """
    if not tables.edges:
        raise ProblemError(f"{title}: the network has no edges to show; a module of one's own has no diagram.")
    columns = _columns(tables)
    inputs, notes = _input_names(tables, _width(tables, 0))
    rows = _rows(tables, columns, inputs)
    shares = _importances(tables.edges)
    kept = sorted(range(len(shares)), key=lambda k: -shares[k])[:most]
    order = sorted(kept, key=lambda k: (tables.edges[k].layer, tables.edges[k].source, tables.edges[k].target))
    links = tuple(_link(tables.edges[k], shares[k], rows, columns) for k in order)
    total = sum(len(row) * len(targets) for row, targets in zip(rows, columns, strict=False))
    return Diagram(title, rows, links, total, (*notes, *filter(None, [tables.about])))


def _columns(tables: PlotTables) -> tuple[tuple[int, ...], ...]:
    """For each layer the node into which each of its sums goes."""
    layers = sorted({edge.layer for edge in tables.edges})
    return tables.nodes or tuple(tuple(range(1 + max(e.target for e in tables.edges if e.layer == k))) for k in layers)


def _width(tables: PlotTables, layer: int) -> int:
    """How many nodes the edges of a layer come from, as far as one sees."""
    return max(len(tables.inputs), *(1 + edge.source for edge in tables.edges if edge.layer == layer), 1)


def _input_names(tables: PlotTables, count: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of the inputs, numbers for those that are too long, and what the numbers stand for."""
    full = tables.inputs or tables.coordinates
    if len(full) != count:
        full = tuple(f"x_{k + 1}" for k in range(count))
    names: list[str] = []
    notes: list[str] = []
    for name in full:
        short = name if len(name) <= LONGEST else f"ξ_{len(notes) + 1}"
        notes += [f"{short} = {name}"] if short != name else []
        names.append(short)
    return tuple(names), tuple(notes)


def _rows(tables: PlotTables, columns: Sequence[Sequence[int]], inputs: Sequence[str]) -> tuple[tuple[Node, ...], ...]:
    ranges = {(e.layer, e.source): (float(e.x[0]), float(e.x[-1])) for e in tables.edges}
    outputs = tables.fields or tables.unknowns
    rows = [tuple(Node(0, k, 0, name, ranges.get((0, k))) for k, name in enumerate(inputs))]
    for row, targets in enumerate(columns, 1):
        shares = Counter(targets)
        named = row == len(columns) and len(outputs) == len(shares)
        rows.append(
            tuple(
                Node(row, node, shares[node], outputs[node] if named else "", ranges.get((row, node)))
                for node in range(len(shares))
            )
        )
    return tuple(rows)


def _link(edge: Edge, share: float, rows: Sequence[Sequence[Node]], columns: Sequence[Sequence[int]]) -> Link:
    targets = columns[edge.layer]
    node = targets[edge.target]
    factor = targets[: edge.target].count(node)
    return Link(rows[edge.layer][edge.source], rows[edge.layer + 1][node], factor, edge, share)


def _importances(edges: Sequence[Edge]) -> list[float]:
    """Scores as shares of the largest one of each layer."""
    scores = [_range(edge.y) if edge.score is None else edge.score for edge in edges]
    largest: dict[int, float] = {}
    for edge, score in zip(edges, scores, strict=True):
        largest[edge.layer] = max(score, largest.get(edge.layer, 0.0))
    return [score / (largest[edge.layer] or 1.0) for edge, score in zip(edges, scores, strict=True)]


def _range(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(np.ptp(finite)) if finite.size else 0.0
