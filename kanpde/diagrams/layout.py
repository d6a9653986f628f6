"""Where everything in a diagram stands, in inches from its lower left corner."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from kanpde.diagrams.diagram import Diagram, Link, Node

COLUMN, PAGE = 3.4, 7.2  # widths of one and of two columns of a journal
PITCH, LEAST_PITCH = 0.335, 0.2  # of boxes side by side: wished for, and at least
LARGEST = 0.62  # side of a box
BELOW, ABOVE, MARGIN = 0.42, 0.3, 0.08
NOTE = 0.115  # height of a line of notes
RANGES = 0.32  # pitch from which the ranges of boxes can be read
FACTOR = (0.1, 0.17)  # from a product to its factors: between two, and down

Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """The place of an edge's curve: its centre and half its side."""

    link: Link
    centre: Point
    half: float


@dataclass(frozen=True, eq=False)
class Layout:
    """The places of nodes and curves.

    Attributes:
        diagram: of what.
        lines: of notes below.
    """

    diagram: Diagram
    lines: int = 0

    @cached_property
    def width(self) -> float:
        """As narrow as the boxes allow."""
        return min(max(COLUMN, PITCH * self._most + 2 * MARGIN), PAGE)

    @cached_property
    def height(self) -> float:
        """All rows, with names above and below."""
        return self._heights[-1] + ABOVE

    @cached_property
    def pitch(self) -> float:
        """From one box to the next where they are closest; equal in all layers, so that boxes are, too."""
        return (self.width - 2 * MARGIN) / min(self._most, self._fit)

    @property
    def has_ranges(self) -> bool:
        """Whether there is room for the ranges of boxes."""
        return self.pitch >= RANGES

    def place(self, node: Node) -> Point:
        """The centre of a node."""
        count = len(self.diagram.rows[node.row])
        return MARGIN + (self.width - 2 * MARGIN) * (node.index + 0.5) / count, self._heights[node.row]

    def end(self, link: Link) -> Point:
        """Where an edge ends: at its node, or at one of the factors below it."""
        x, y = self.place(link.node)
        if link.node.factors < 2:
            return x, y
        spread = min(FACTOR[0], 0.8 * self._spacing(link.node.row) / link.node.factors)
        return x + spread * (link.factor - (link.node.factors - 1) / 2), y - FACTOR[1]

    @cached_property
    def boxes(self) -> tuple[Box, ...]:
        """One for each link, in their order."""
        return tuple(box for k in range(len(self.diagram.rows) - 1) for box in self._layer(k))

    @cached_property
    def _most(self) -> int:
        """Edges of the layer with most of them."""
        return max(len(self.diagram.layer(k)) for k in range(len(self.diagram.rows) - 1)) or 1

    @property
    def _fit(self) -> int:
        return int((PAGE - 2 * MARGIN) / LEAST_PITCH)

    @property
    def _half(self) -> float:
        return min(0.8 * self.pitch, LARGEST) / 2

    @property
    def _step(self) -> float:
        """From one line of boxes to the next above it."""
        return 2.6 * self._half

    def _spacing(self, row: int) -> float:
        return (self.width - 2 * MARGIN) / len(self.diagram.rows[row])

    def _storeys(self, links: Sequence[Link]) -> int:
        """Lines of boxes that a layer needs."""
        return max(1, math.ceil(len(links) / self._fit))

    @cached_property
    def _heights(self) -> tuple[float, ...]:
        """Of the rows of nodes: boxes between them, and lines that grow with the width, so that none is too flat."""
        line = 0.26 + 0.045 * (self.width - COLUMN)
        found = [BELOW + NOTE * self.lines]
        for k in range(len(self.diagram.rows) - 1):
            factors = FACTOR[1] if any(node.factors > 1 for node in self.diagram.rows[k + 1]) else 0.0
            ranges = 0.2 if self.has_ranges else 0.0
            boxes = 2 * self._half + (self._storeys(self.diagram.layer(k)) - 1) * self._step
            found.append(found[-1] + 2 * line + boxes + factors + ranges)
        return tuple(found)

    def _layer(self, k: int) -> Iterator[Box]:
        links = self.diagram.layer(k)
        storeys = self._storeys(links)
        factors = FACTOR[1] if any(node.factors > 1 for node in self.diagram.rows[k + 1]) else 0.0
        middle = (self._heights[k] + self._heights[k + 1] - factors) / 2
        for place, link in enumerate(links):
            x = MARGIN + (self.width - 2 * MARGIN) * (place + 0.5) / len(links)
            yield Box(link, (x, middle + (place % storeys - (storeys - 1) / 2) * self._step), self._half)
