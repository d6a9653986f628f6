"""The problems A, H and R on [-1, 1]² as plain formulae, for libraries that know nothing of SymPy or kanpde.

Each is Δu + shift · u = source in the square and u = exact on its sides; tests compare the formulae with problems/*.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

GAUSS = 64  # Gauss-Legendre points an axis, on which every error is measured
Array = Any  # of numpy, torch or jax
Function = Callable[[Array, Array], Array]


@dataclass(frozen=True)
class Formulae:
    """Δu + shift · u = source, u = exact on the boundary.

    Attributes:
        file: the problem's file in problems/, without suffix.
        shift: the factor of u in the equation.
        exact: the solution at x and y; NumPy arrays of one shape.
        source: the right-hand side there.
        lifting: a function with the solution's boundary values, of sums and products alone: for arrays of any library.
        waves: wavelengths along the livelier side; one where the solution does not oscillate.
    """

    file: str
    shift: float
    exact: Function
    source: Function
    lifting: Function
    waves: int


def sines(kx: int, ky: int) -> Function:
    """sin(kx π x) sin(ky π y)."""
    return lambda x, y: np.sin(kx * np.pi * x) * np.sin(ky * np.pi * y)


def scaled(factor: float, function: Function) -> Function:
    """A multiple of a function."""
    return lambda x, y: factor * function(x, y)


def rational(x: Array, y: Array) -> Array:
    """1 / q with q = 1 + 4 (x² + 2 y² + x y)."""
    return 1 / (1 + 4 * (x * x + 2 * y * y + x * y))


def rational_source(x: Array, y: Array) -> Array:
    """Δ(1/q) = 2 |∇q|² / q³ - Δq / q², with Δq = 24."""
    u = rational(x, y)
    gx, gy = 4 * (2 * x + y), 4 * (4 * y + x)
    return 2 * (gx * gx + gy * gy) * u**3 - 24 * u**2


def zero(x: Array, y: Array) -> Array:
    """Nothing, in the type of its arguments."""
    return 0 * x * y


def transfinite(u: Function) -> Function:
    """A function with the values of u on the four sides: blended along x, corrected along y (Gordon and Hall 1973)."""

    def along_x(x: Array, y: Array) -> Array:
        return ((1 - x) * u(0 * x - 1, y) + (1 + x) * u(0 * x + 1, y)) / 2

    def blended(x: Array, y: Array) -> Array:
        low, high = 0 * y - 1, 0 * y + 1
        below, above = u(x, low) - along_x(x, low), u(x, high) - along_x(x, high)
        return along_x(x, y) + ((1 - y) * below + (1 + y) * above) / 2

    return blended


PROBLEMS = {
    "A": Formulae("poisson", 0.0, sines(1, 1), scaled(-2 * np.pi**2, sines(1, 1)), zero, 1),
    "H": Formulae("helmholtz", 1.0, sines(1, 4), scaled(1 - 17 * np.pi**2, sines(1, 4)), zero, 4),
    "R": Formulae("rational", 0.0, rational, rational_source, transfinite(rational), 1),
}


def bubble(x: Array, y: Array) -> Array:
    """(1 - x²)(1 - y²): zero on the boundary alone."""
    return (1 - x * x) * (1 - y * y)


def quadrature() -> tuple[np.ndarray, np.ndarray]:
    """Points (n, 2) and weights (n,) of the Gauss-Legendre rule of the square."""
    nodes, weights = np.polynomial.legendre.leggauss(GAUSS)
    x, y = np.meshgrid(nodes, nodes, indexing="ij")
    return np.stack([x.ravel(), y.ravel()], axis=1), np.outer(weights, weights).ravel()


def relative_l2(problem: Formulae, predict: Callable[[np.ndarray], Any]) -> float:
    """sqrt(∫|u - exact|² / ∫|exact|²) of a function from points (n, 2) to n values."""
    points, weights = quadrature()
    exact = problem.exact(points[:, 0], points[:, 1])
    error = np.asarray(predict(points), dtype=np.float64).reshape(-1) - exact
    return float(np.sqrt((weights @ error**2) / (weights @ exact**2)))
