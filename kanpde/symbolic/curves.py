"""Curves of one coordinate, the space that they span, and atoms: functions of a family with their numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import sympy as sp
from scipy.optimize import least_squares

from kanpde.symbolic.families import Family

NEW = 1e-4  # share of an atom that must be outside the span of those before it
APART = 1e-3  # the same in sums of few
RESOLVED = 100.0  # times the tolerance that a function must be from a straight line
MOST_CALLS = 80  # of a residual


@dataclass(frozen=True)
class Atom:
    """A function of a family with its numbers.

    Attributes:
        family: f.
        a, b: its numbers.
        distance: of f − mean f from the space of curves, relative.
    """

    family: Family
    a: float
    b: float
    distance: float

    def values(self, x: np.ndarray) -> np.ndarray:
        """At x (n,)."""
        return self.family(x, np.array([self.a]), np.array([self.b]))[0]

    def written(self, x: sp.Expr) -> sp.Expr:
        """As SymPy has it."""
        return self.family.written(x, self.a, self.b)


@dataclass(frozen=True, eq=False)
class Curves:
    """Curves that span a space.

    Attributes:
        x: abscissae, (n,).
        values: orthonormal, (n, r).
        noise: of each of them, relative, (r,).
    """

    x: np.ndarray
    values: np.ndarray
    noise: np.ndarray

    @property
    def space(self) -> np.ndarray:
        """Orthonormal, constants included, (n, r + 1) at most."""
        return orthonormal(np.column_stack([np.ones(len(self.x)), self.values]))

    @property
    def tolerance(self) -> float:
        """Distance of what may be in the space."""
        return float(self.noise.max())

    def covered(self, atoms: Sequence[Atom]) -> bool:
        """Whether constants and the atoms span all curves."""
        inside = orthonormal(np.column_stack([np.ones(len(self.x)), *(atom.values(self.x) for atom in atoms)]))
        gaps = np.linalg.norm(self.values - inside @ (inside.T @ self.values), axis=0)
        return bool((gaps <= self.noise).all())


def orthonormal(columns: np.ndarray) -> np.ndarray:
    """A basis of the space that some columns span, (n, r)."""
    left, singular, _ = np.linalg.svd(columns / np.linalg.norm(columns, axis=0), full_matrices=False)
    return left[:, singular > 1e-12 * singular[0]]


def thinned(curves: Curves, atoms: Sequence[Atom]) -> list[Atom]:
    """Without those that are not needed, the last of them first: what came late was needed."""
    kept = list(atoms)
    for atom in atoms:
        rest = [other for other in kept if other is not atom]
        if curves.covered(rest):
            kept = rest
    return kept


def is_new(x: np.ndarray, others: Sequence[np.ndarray], values: np.ndarray, share: float = NEW) -> bool:
    """Whether a function is outside the span of others and the constants, by a share of what varies in it."""
    inside = orthonormal(np.column_stack([np.ones(len(x)), *others]))
    gap = values - inside @ (inside.T @ values)
    return bool(np.linalg.norm(gap) > share * np.linalg.norm(values - values.mean()))


def are_apart(curves: Curves, atoms: Sequence[Atom]) -> bool:
    """Whether none is nearly a straight line, nor nearly a combination of the others: what cancels explains nothing."""
    x = curves.x
    if any(is_flat(atom, x, RESOLVED * curves.tolerance) for atom in atoms):
        return False
    rows = [atom.values(x) for atom in atoms]
    return all(is_new(x, rows[:k] + rows[k + 1 :], row, APART) for k, row in enumerate(rows))


def is_flat(atom: Atom, x: np.ndarray, least: float) -> bool:
    """Whether it can hardly be told from a straight line without being one; `least` is the relative distance."""
    values = atom.values(x)
    line = orthonormal(np.column_stack([np.ones(len(x)), x]))
    gap, size = values - line @ (line.T @ values), values - values.mean()
    return not atom.family.power and bool(np.linalg.norm(gap) < least * np.linalg.norm(size))


def least_residual(residual: Callable[[np.ndarray], np.ndarray], theta: np.ndarray) -> np.ndarray:
    """Numbers near a start (k,) at which a residual has the least norm; the start where that makes no sense."""
    scale = np.maximum(np.abs(theta), 1e-2)
    options = {"xtol": 1e-15, "ftol": 1e-15, "gtol": 1e-15, "max_nfev": MOST_CALLS, "x_scale": scale}
    try:
        return np.asarray(least_squares(residual, theta, **options).x)
    except (ValueError, np.linalg.LinAlgError):
        return theta
