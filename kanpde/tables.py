"""What figures are made of: values on lines and planes, and the curves of a network's edges, as plain arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

Field = Callable[[np.ndarray], np.ndarray]

# Where the coordinates stand that a picture holds fixed. The middle would be a nodal plane of too many solutions.
HELD_AT = 0.75
# Snapshots along a coordinate that steps through pictures: its beginning, its middle, its end.
SNAPSHOTS = (0.0, 0.5, 1.0)
# Points so near to the boundary, relative to the extent, count as inside.
ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Slice:
    """Values of all unknowns on a line or a plane through the domain.

    Args:
        names: the one or two coordinates that vary.
        axes: their values, one 1-D array each.
        held: the other coordinates and where they stand.
        values: (*lengths of axes, c); NaN outside the domain.
        error: value minus truth, of the same shape, or None where the truth is not known.
        level: signed distance from the boundary of the domain, of the lengths of axes; None where it fills its bounds.
        equal: whether both coordinates are spatial, with one unit of length.
    """

    names: tuple[str, ...]
    axes: tuple[np.ndarray, ...]
    held: dict[str, float]
    values: np.ndarray
    error: np.ndarray | None = None
    level: np.ndarray | None = None
    equal: bool = False


@dataclass(frozen=True, eq=False)
class Edge:
    """One univariate function of a network: the curve y(x) from node `source` of layer `layer` to node `target`.

    Attributes:
        layer, source, target: where it is.
        x: arguments (n,), over the range that its source has in the domain.
        y: values (n,).
        slope, bend: first and second derivatives (n,), where they are known.
        score: how much it matters (`kanpde.network.attribution`), where that is known.
    """

    layer: int
    source: int
    target: int
    x: np.ndarray
    y: np.ndarray
    slope: np.ndarray | None = None
    bend: np.ndarray | None = None
    score: float | None = None


@dataclass(frozen=True, eq=False)
class PlotTables:
    """All arrays that the figures of one result need.

    Args:
        unknowns: names, in the order of the last axis of the slices' values.
        coordinates: names, in the order of the columns of points.
        slices: lines or planes.
        truth: what the error is against ("exact solution", "reference", "estimate"), empty without one.
        edges: the curves of the network, empty when it has none to show.
        nodes: for each layer, the node into which each target goes; targets that share one are multiplied there. Empty
            when every target is a node.
        fields: what the network's outputs are called; empty when they are the unknowns.
        inputs: what the network is a function of; empty when it is the coordinates.
        fixed: whether all edges are multiples of one fixed function (an MLP); only the most important ones are kept.
        about: how the network's values are to be understood, in words.
    """

    unknowns: tuple[str, ...]
    coordinates: tuple[str, ...]
    slices: tuple[Slice, ...]
    truth: str = ""
    edges: tuple[Edge, ...] = ()
    nodes: tuple[tuple[int, ...], ...] = ()
    fields: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    fixed: bool = False
    about: str = ""

    @property
    def has_curves(self) -> bool:
        """Whether there are learnt curves to show."""
        return bool(self.edges) and not self.fixed


def tabulate(
    values: Field,
    coordinates: Sequence[str],
    bounds: np.ndarray,
    *,
    space: int | None = None,
    exact: Field | None = None,
    level: Field | None = None,
    resolution: int = 129,
) -> tuple[Slice, ...]:
    """Evaluates a solution where figures show it.

    A line in one dimension, a plane in two. In more: with two spatial coordinates at most, planes of the first two at
    the beginning, the middle and the end of the third (of time, mostly); else the three coordinate planes.

    Args:
        values: (n, d) -> (n, c).
        coordinates: names, in the order of the columns of points.
        bounds: (d, 2).
        space: how many of the coordinates are spatial (all by default).
        exact: (n, d) -> (n, c), the truth where it is known.
        level: (n, d) -> (n,), the signed distance from the boundary, negative inside, for domains that do not fill
            their bounds; nothing is evaluated outside.
        resolution: points a coordinate in planes; lines have four times as many.

    Returns:
        The slices, in the order in which to show them.
    """
    bounds = np.asarray(bounds, dtype=np.float64)
    space = len(coordinates) if space is None else space
    plan = _planes(len(coordinates), space)
    return tuple(_slice(values, coordinates, bounds, held, space, exact, level, resolution) for held in plan)


def _planes(dimension: int, space: int) -> Iterator[dict[int, float]]:
    """For each picture, the coordinates that it holds fixed and where (as fractions of their ranges)."""
    if dimension <= 2:
        yield {}
    elif space <= 2:
        rest = {axis: HELD_AT for axis in range(3, dimension)}
        yield from ({2: fraction, **rest} for fraction in SNAPSHOTS)
    else:
        for pair in ((0, 1), (0, 2), (1, 2)):
            yield {axis: HELD_AT for axis in range(dimension) if axis not in pair}


def _slice(
    values: Field,
    coordinates: Sequence[str],
    bounds: np.ndarray,
    held: dict[int, float],
    space: int,
    exact: Field | None,
    level: Field | None,
    resolution: int,
) -> Slice:
    """One picture: its points, the values there, and what they miss."""
    free = [axis for axis in range(len(coordinates)) if axis not in held]
    count = resolution if len(free) == 2 else 4 * resolution
    axes = tuple(np.linspace(bounds[axis, 0], bounds[axis, 1], count) for axis in free)
    fixed = {axis: float(bounds[axis, 0] + part * np.ptp(bounds[axis])) for axis, part in held.items()}
    points = _points(len(coordinates), free, axes, fixed)
    lengths = tuple(map(len, axes))
    heights = None if level is None else np.asarray(level(points), dtype=np.float64)
    inside = np.ones(len(points), dtype=bool) if heights is None else heights <= ROUNDING * np.ptp(bounds[:space])
    table = _within(values, points, inside)
    return Slice(
        tuple(coordinates[axis] for axis in free),
        axes,
        {coordinates[axis]: at for axis, at in fixed.items()},
        table.reshape(*lengths, -1),
        None if exact is None else (table - _within(exact, points, inside)).reshape(*lengths, -1),
        None if heights is None else heights.reshape(lengths),
        len(free) == 2 and max(free) < space,
    )


def _within(function: Field, points: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Values (n, c) at the points inside, NaN at the others."""
    found = np.asarray(function(points[inside]), dtype=np.float64)
    table = np.full((len(points), found.shape[1]), np.nan)
    table[inside] = found
    return table


def _points(dimension: int, free: Sequence[int], axes: Sequence[np.ndarray], held: dict[int, float]) -> np.ndarray:
    """(n, d) points of a slice, the last free coordinate running fastest."""
    mesh = np.meshgrid(*axes, indexing="ij")
    points = np.empty((mesh[0].size, dimension))
    for axis, grid in zip(free, mesh, strict=True):
        points[:, axis] = grid.reshape(-1)
    for axis, at in held.items():
        points[:, axis] = at
    return points
