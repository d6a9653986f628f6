"""Measured data, checked at the door: never broadcast, never not-a-number."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from ..domain import Domain
from ..errors import ProblemError


@dataclass(frozen=True, eq=False)
class Data:
    """Values of an expression at points.

    Attributes:
        points: (n, d), in the order of the coordinates of the domain.
        values: (n,).
        sigma: standard error of the values, a number or (n,); None where it is not known.
    """

    points: np.ndarray
    values: np.ndarray
    sigma: np.ndarray | float | None = None

    def chosen(self, kept: np.ndarray) -> Data:
        """Return some of the measurements."""
        sigma = self.sigma[kept] if isinstance(self.sigma, np.ndarray) else self.sigma
        return Data(self.points[kept], self.values[kept], sigma)

    @property
    def text(self) -> str:
        """A hash of the content, for signatures."""
        digest = hashlib.sha256()
        for array in (self.points, self.values, np.asarray(-1.0 if self.sigma is None else self.sigma)):
            digest.update(np.ascontiguousarray(array, dtype=float).tobytes())
        return digest.hexdigest()


def checked_data(points: object, values: object, sigma: object, domain: Domain, label: str) -> Data:
    """Points, values and errors as arrays; complex values stay complex.

    Raises:
        ProblemError: wrong shapes, values that are not finite, points outside the domain, errors that are not positive.
    """
    x, v = _array(points, f"{label}: points"), _array(values, f"{label}: values", np.complex128)
    names = ", ".join(map(str, domain.coordinates))
    if x.ndim != 2 or x.shape[1] != domain.dimension:
        raise ProblemError(f"{label}: points must have shape (n, {domain.dimension}) for {names}, not {x.shape}.")
    if v.shape == (len(x), 1):
        v = v[:, 0]
    if v.shape != (len(x),):
        raise ProblemError(f"{label}: {len(x)} points need values of shape ({len(x)},), not {v.shape}.")
    if len(x) == 0:
        raise ProblemError(f"{label} has no data; give at least one point.")
    outside = ~domain.contains(x.real)
    if outside.any():
        where = ", ".join(f"{c:.4g}" for c in x[int(np.argmax(outside))])
        raise ProblemError(f"{label}: the point ({where}) lies outside the domain; leave it out or enlarge the domain.")
    v = v if np.any(v.imag) else v.real.copy()
    for array in (x, v):
        array.setflags(write=False)
    return Data(x, v, _sigma(sigma, len(x), label))


def _array(value: object, what: str, dtype: type = np.float64) -> np.ndarray:
    try:
        array: np.ndarray = np.array(value, dtype=dtype)
    except (TypeError, ValueError) as error:
        raise ProblemError(f"{what} must be numbers: {error}.") from error
    if not np.all(np.isfinite(array)):
        raise ProblemError(f"{what} contain values that are not finite; leave those out.")
    return array


def _sigma(sigma: object, count: int, label: str) -> np.ndarray | float | None:
    if sigma is None:
        return None
    array = _array(sigma, f"{label}: sigma")
    if array.shape not in ((), (count,)):
        raise ProblemError(f"{label}: sigma must be one number or have shape ({count},), not {array.shape}.")
    if not np.all(array > 0):
        raise ProblemError(f"{label}: sigma must be positive; leave it out where the error is not known.")
    return float(array) if array.ndim == 0 else array
