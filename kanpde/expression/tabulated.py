"""Tables of values, read between their nodes by splines."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy

from ..errors import ProblemError

# A quintic spline of smooth data has two to three digits more than a cubic one, and on rough data it is no worse by
# more than half (tests/test_known.py measures both).
DEGREE = 5
# Beyond the first and the last node by no more than this share of the length is rounding.
ROUNDING = 1e-9
STORED = np.dtype("<f8")


@dataclass(frozen=True, eq=False)
class Table:
    """Values on a grid of nodes, as an interpolating tensor product of splines; not a number outside.

    Attributes:
        name: what texts call it.
        axes: increasing nodes, one array (n_k,) a coordinate.
        values: (n_1, ..., n_d), real.
        degree: of the splines; along an axis of few nodes less.
    """

    name: str
    axes: tuple[np.ndarray, ...]
    values: np.ndarray
    degree: int = DEGREE

    @property
    def label(self) -> str:
        """How texts name it."""
        return self.name

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the content."""
        digest = hashlib.sha256(f"{self.degree} {self.values.shape} ".encode())
        for array in (*self.axes, self.values):
            digest.update(np.ascontiguousarray(array, STORED).tobytes())
        return digest.hexdigest()

    @property
    def degrees(self) -> tuple[int, ...]:
        """The degree along each axis: odd where the nodes suffice, for those splines have natural knots."""
        return tuple(_degree(self.degree, len(nodes)) for nodes in self.axes)

    @property
    def order(self) -> int:
        """How many derivatives the spline has along every axis, the last of them in steps."""
        return min(self.degrees)

    @cached_property
    def spline(self) -> Any:
        """The tensor product spline."""
        knots, coefficients = [], self.values
        for axis, (nodes, degree) in enumerate(zip(self.axes, self.degrees, strict=True)):
            line = scipy.interpolate.make_interp_spline(nodes, np.moveaxis(coefficients, axis, 0), degree)
            knots.append(line.t)
            coefficients = np.moveaxis(line.c, 0, axis)
        return scipy.interpolate.NdBSpline(tuple(knots), np.ascontiguousarray(coefficients), self.degrees)

    def evaluate(self, orders: tuple[int, ...], points: Sequence[np.ndarray]) -> np.ndarray:
        """Return a derivative at points, one array (n,) a coordinate, as (n,).

        Raises:
            ProblemError: the spline does not have so many derivatives.
        """
        for axis, (order, degree) in enumerate(zip(orders, self.degrees, strict=True)):
            if order > degree:
                raise ProblemError(
                    f"{self.name} has {degree} derivatives along axis {axis}, {order} are needed; "
                    "give more nodes or a higher degree."
                )
        x = np.stack(points, axis=1)
        lower, upper = np.array([[nodes[0], nodes[-1]] for nodes in self.axes]).T
        inside = np.clip(x, lower, upper)
        values = np.asarray(self.spline(inside, nu=orders), dtype=float)
        outside = np.any(~(np.abs(x - inside) <= ROUNDING * (upper - lower)), axis=1)
        return np.where(outside, np.nan, values)

    def check_count(self, count: int) -> None:
        """Raise an error unless the table has so many axes."""
        if count != len(self.axes):
            raise ProblemError(f"{self.name} is a table of {len(self.axes)} coordinates, {count} are given.")

    @cached_property
    def plain(self) -> list[Any]:
        """The whole table as JSON-able values: the numbers are little-endian and in base64."""
        return ["Tabulated", self.name, self.degree, [_packed(nodes) for nodes in self.axes], _packed(self.values)]


def _degree(wanted: int, count: int) -> int:
    degree = min(wanted, count - 1)
    return degree - 1 if degree < wanted and degree % 2 == 0 and degree > 2 else degree


def _packed(array: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(array, STORED).tobytes()).decode()


def unpacked_table(name: str, degree: int, axes: Sequence[str], values: str) -> Table:
    """Return the table of what `plain` wrote."""
    arrays = [np.frombuffer(base64.b64decode(text, validate=True), STORED) for text in (*axes, values)]
    nodes, flat = arrays[:-1], arrays[-1]
    return checked_table(name, nodes, flat.reshape([len(n) for n in nodes]), degree)


def checked_table(name: str, axes: Sequence[Any], values: Any, degree: int) -> Table:
    """Return a table of real values.

    Raises:
        ProblemError: nodes that do not increase, shapes that do not fit, numbers that are not finite, no degree.
    """
    if isinstance(degree, bool) or not isinstance(degree, int) or degree < 1:
        raise ProblemError(f"{name}: the degree must be a whole number above zero, not {degree!r}.")
    nodes = tuple(_nodes(f"{name}: axis {k}", axis) for k, axis in enumerate(axes))
    array = _array(f"{name}: values", values)
    shape = tuple(map(len, nodes))
    if array.shape != shape:
        raise ProblemError(
            f"{name}: the axes have {shape} nodes, so the values must have shape {shape}, not {array.shape}."
        )
    return Table(name, nodes, array, degree)


def _nodes(label: str, axis: Any) -> np.ndarray:
    nodes = _array(label, axis)
    if nodes.ndim != 1 or len(nodes) < 2:
        raise ProblemError(f"{label} must be a list of at least two nodes, not an array of shape {nodes.shape}.")
    if not np.all(np.diff(nodes) > 0):
        raise ProblemError(f"{label} must increase from node to node; sort the nodes, and the values with them.")
    return nodes


def _array(label: str, values: Any) -> np.ndarray:
    try:
        array = np.array(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise ProblemError(f"{label} must be numbers: {error}.") from error
    if not np.all(np.isfinite(array)):
        raise ProblemError(f"{label} contain numbers that are not finite; fill the gaps before.")
    array.flags.writeable = False
    return array
