"""Solving the linearised system: fast diagonalisation, checked; GMRES with it; then a direct factorisation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import linalg
from scipy.sparse import linalg as sparse_linalg

from kanpde.errors import ProblemError
from kanpde.references.separable import SeparableSolver, separable_solver
from kanpde.references.system import Linearised

Array = np.ndarray

# A dense factorisation of 2,500 unknowns takes half a second and 50 MB.
DENSE_LIMIT = 2500
SPARSE_LIMIT = {1: 2_000_000, 2: 150_000, 3: 30_000}
KRYLOV_STEPS = 60
# Relative residual of a direct solution above which the matrix is called singular.
SINGULAR = 1e-3


class LinearSolveError(ProblemError):
    """The linear system is singular or beyond the size that can be solved."""


@dataclass(frozen=True, eq=False)
class LinearSolver:
    """Solves A δ = b for one linearised system, with whatever was factored kept for the next right-hand side.

    tolerance: relative accuracy of δ that the iteration aims at.
    """

    system: Linearised
    tolerance: float = 1e-11

    def solve(self, rhs: Array) -> Array:
        """The solution (size,) for a right-hand side (size,).

        Raises:
            LinearSolveError: singular, or too large for a direct solve after the iteration failed.
        """
        if not np.any(rhs):
            return np.zeros_like(rhs)
        if self._small:
            return self._direct(rhs)
        solution = self._iterate(rhs)
        return self._direct(rhs) if solution is None else solution

    @property
    def _small(self) -> bool:
        """Whether a factorisation is the fastest way: on a line, and up to some hundred or thousand unknowns."""
        return len(self.system.grid.axes) == 1 or self.system.layout.size <= (400 if self._spectral else 3000)

    @cached_property
    def _spectral(self) -> bool:
        return any(axis.order == 0 for axis in self.system.grid.axes)

    @cached_property
    def _separable(self) -> list[SeparableSolver] | None:
        solvers = [separable_solver(self.system, c) for c in range(self.system.layout.n_unknowns)]
        usable = [s for s in solvers if s is not None and s.is_regular]
        return usable if len(usable) == len(solvers) else None

    def _precondition(self, rows: Array) -> Array:
        assert self._separable is not None
        parts = rows.reshape(len(self._separable), -1)
        return np.concatenate([s.solve(part) for s, part in zip(self._separable, parts, strict=True)])

    def _iterate(self, rhs: Array) -> Array | None:
        """Fast diagonalisation, and GMRES on what it leaves out; None where that does not converge."""
        if self._separable is None:
            return None
        solution = self._precondition(rhs)
        for _ in range(3):
            defect = self._precondition(rhs - self.system.apply(solution))
            if not np.all(np.isfinite(defect)):
                return None
            if np.linalg.norm(defect) <= self.tolerance * np.linalg.norm(solution):
                return solution + defect
            correction = gmres(
                lambda v: self._precondition(self.system.apply(v)),
                defect,
                KRYLOV_STEPS,
                0.5 * self.tolerance * float(np.linalg.norm(solution)),
            )
            if correction is None:
                return None
            solution = solution + correction
        return solution

    @cached_property
    def _factor(self) -> Callable[[Array], Array]:
        size, dimension = self.system.layout.size, len(self.system.grid.axes)
        if self._spectral and size <= 2 * DENSE_LIMIT:
            factor = linalg.lu_factor(self.system.matrix().toarray(), check_finite=False)
            return lambda b: linalg.lu_solve(factor, b)
        if size > SPARSE_LIMIT.get(dimension, 20_000) or self._spectral:
            raise LinearSolveError(
                f"the grid system of {size} unknowns is too large for a direct solve, and its iteration does not"
                " converge; use a smaller shape."
            )
        try:
            return sparse_linalg.splu(self.system.matrix()).solve
        except RuntimeError as error:
            raise LinearSolveError(_SINGULAR) from error

    def _direct(self, rhs: Array) -> Array:
        """LU with one step of iterative refinement.

        Of a singular matrix LU makes a huge solution that leaves a residual by rounding alone; but so do the fourth
        derivatives of a spectral grid, whose solutions are right all the same.
        """
        solution = self._factor(rhs)
        if not np.all(np.isfinite(solution)):
            raise LinearSolveError(_SINGULAR)
        defect = rhs - self.system.apply(solution)
        if self.system.layout.problem.order <= 2 and np.linalg.norm(defect) > SINGULAR * np.linalg.norm(rhs):
            raise LinearSolveError(_SINGULAR)
        return np.asarray(solution + self._factor(defect))


_SINGULAR = "the problem has no unique solution on the grid: a condition is missing, or it is at resonance."


def gmres(apply: Callable[[Array], Array], rhs: Array, steps: int, tolerance: float) -> Array | None:
    """GMRES without restart from zero (Saad and Schultz 1986); None unless |rhs - A x| <= tolerance."""
    norm = float(np.linalg.norm(rhs))
    if norm <= tolerance:
        return np.zeros_like(rhs)
    basis, hessenberg = [rhs / norm], np.zeros((steps + 1, steps))
    for k in range(steps):
        vector = apply(basis[k])
        for _ in range(2):
            projection = np.array([b @ vector for b in basis])
            hessenberg[: k + 1, k] += projection
            vector = vector - sum(p * b for p, b in zip(projection, basis, strict=True))
        length = float(np.linalg.norm(vector))
        if not np.isfinite(length):
            return None
        hessenberg[k + 1, k] = length
        first = np.zeros(k + 2)
        first[0] = norm
        weights, *_ = np.linalg.lstsq(hessenberg[: k + 2, : k + 1], first, rcond=None)
        if np.linalg.norm(first - hessenberg[: k + 2, : k + 1] @ weights) <= tolerance:
            return np.asarray(sum(w * b for w, b in zip(weights, basis, strict=True)))
        basis.append(vector / max(length, 1e-300))
    return None
