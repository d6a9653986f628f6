"""Known fields that code computes, with the derivatives that come with it; and what a file keeps of them."""

from __future__ import annotations

import inspect
import itertools
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import ProblemError
from .content import content_digest

MultiIndex = tuple[int, ...]
Values = Callable[..., Any]
#: Which part of the values a function stands for: all of a real one, or one part of a complex one.
PARTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"": np.asarray, "re": np.real, "im": np.imag}


@dataclass(frozen=True, eq=False)
class Code:
    """A callable of coordinates, one NumPy array (n,) each, that returns (n,) or a number.

    Attributes:
        name: what texts call it.
        function: the callable.
        derivatives: callables for its derivatives, by multi-index.
        part: "" for a real one, "re" or "im" for the parts of a complex one.
    """

    name: str
    function: Values
    derivatives: Mapping[MultiIndex, Values]
    part: str = ""

    @property
    def label(self) -> str:
        """How texts name it: q, re q or im q."""
        return f"{self.part} {self.name}".lstrip()

    @property
    def order(self) -> int:
        """All derivatives up to this order are given."""
        count = len(next(iter(self.derivatives), ()))
        given = Counter(sum(orders) for orders in self.derivatives)
        return next(k for k in itertools.count() if given[k + 1] < max(math.comb(count + k, k + 1), 1))

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the content of all callables."""
        return content_digest([self.function, dict(self.derivatives)], self.name)

    def evaluate(self, orders: MultiIndex, points: Sequence[np.ndarray]) -> np.ndarray:
        """Return a derivative at points, one array (n,) a coordinate, as (n,).

        Raises:
            ProblemError: a derivative that was not given, a callable that fails or returns something else.
        """
        if len(points[0]) == 0:
            return np.zeros(0)
        values = self._called(self._callable(orders), points)
        if values.shape not in ((), points[0].shape):
            raise ProblemError(
                f"{self.name} returned shape {values.shape} for coordinates of shape {points[0].shape}; "
                "return one number a point, or a single number."
            )
        if values.dtype.kind not in ("biufc" if self.part else "biuf"):
            cure = "give complex=True" if values.dtype.kind == "c" else "return real numbers"
            raise ProblemError(f"{self.name} returned values of type {values.dtype}; {cure}.")
        return np.array(np.broadcast_to(PARTS[self.part](values), points[0].shape), dtype=float)

    def _callable(self, orders: MultiIndex) -> Values:
        if not any(orders):
            return self.function
        if orders not in self.derivatives:
            raise ProblemError(f"{self.name} has no derivative {orders}: give derivatives={{{orders}: ...}}.")
        return self.derivatives[orders]

    def _called(self, function: Values, points: Sequence[np.ndarray]) -> np.ndarray:
        try:
            # Copies: what a callable does to its arguments is its own affair.
            return np.asarray(function(*(np.array(p) for p in points)))
        except ProblemError:
            raise
        except Exception as error:
            lines = str(error).splitlines() or [""]
            raise ProblemError(f"{self.name}: the callable failed: {type(error).__name__}: {lines[0]}") from error

    def check_count(self, count: int) -> None:
        """Raise an error unless the callable takes so many coordinates, as far as it tells."""
        try:
            signature = inspect.signature(self.function)
        except (TypeError, ValueError):
            return
        try:
            signature.bind(*range(count))
        except TypeError as error:
            raise ProblemError(f"{self.name} is applied to {count} coordinates, but its callable: {error}.") from error

    @property
    def plain(self) -> list[Any]:
        """Name and hash: a file holds no code."""
        return ["Given", self.name, self.digest, self.part]


@dataclass(frozen=True)
class StoredCode:
    """What a file keeps of a field that code computes: the same text, but nothing that can be evaluated."""

    name: str
    digest: str
    part: str

    order = 0

    @property
    def label(self) -> str:
        """How texts name it."""
        return f"{self.part} {self.name}".lstrip()

    def evaluate(self, orders: MultiIndex, points: Sequence[np.ndarray]) -> np.ndarray:  # noqa: ARG002
        """There are no values.

        Raises:
            ProblemError: always.
        """
        raise ProblemError(f"{self.name} is given by code, which files do not hold; give problem= to load().")

    def check_count(self, count: int) -> None:
        """Any number may be right."""

    @property
    def plain(self) -> list[Any]:
        """What was read."""
        return ["Given", self.name, self.digest, self.part]


def checked_code(name: str, function: object, derivatives: Mapping[Any, Any] | None, part: str) -> Code:
    """Return a field that code computes.

    Raises:
        ProblemError: something that cannot be called, derivatives that are not {(1, 0): callable, ...}.
    """
    if not callable(function):
        raise ProblemError(f"{name}: {function!r} cannot be called; give a function of the coordinates.")
    given = dict(derivatives or {})
    for orders, own in given.items():
        whole = isinstance(orders, tuple) and all(isinstance(k, int) and k >= 0 for k in orders) and any(orders)
        if not whole or not callable(own):
            raise ProblemError(f"{name}: derivatives are {{(1, 0): callable, ...}}; {orders!r}: {own!r} is not.")
    if len({len(orders) for orders in given}) > 1:
        raise ProblemError(f"{name}: the multi-indices of the derivatives have different lengths: {list(given)}.")
    code = Code(name, function, given, part)
    # Now, and not when someone asks: what the callable refers to may change.
    assert code.digest
    return code
