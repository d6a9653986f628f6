"""How good a trained field is: the defect equation's estimate, and the true error where the solution is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from kanpde import sampling
from kanpde.errors import ProblemError
from kanpde.field import Ansatz
from kanpde.multiindex import DerivativeSet
from kanpde.network import Trainable
from kanpde.operator import JetVariable
from kanpde.problem import Problem
from kanpde.references.correction import DefectEstimate, DefectSolver

CHUNK = 8192  # points evaluated at once
GAUSS = {1: 400, 2: 64, 3: 24}  # Gauss-Legendre points per axis, by dimension: an even number, so no symmetry points
SCATTERED = 1 << 15  # Sobol points in higher dimensions


@dataclass(frozen=True, eq=False)
class TrainedField:
    """g + b N in NumPy's terms: what estimates, plots and users evaluate."""

    network: Trainable
    ansatz: Ansatz

    @property
    def parameters(self) -> tuple[float, ...]:
        """Values of the unknown scalars, in the order of `problem.parameters`."""
        return self.network.scalars

    def jet(self, points: np.ndarray, variables: Sequence[JetVariable]) -> np.ndarray:
        """Derivatives of the unknowns at points (n, d): (n, len(variables))."""
        derivatives = DerivativeSet.closure(points.shape[1], [v.derivative for v in variables])
        rows = [derivatives.index(v.derivative) for v in variables]
        unknowns = [v.unknown for v in variables]
        parts = [self._channels(part, derivatives)[rows, unknowns].T for part in _slices(points)]
        return np.concatenate(parts) if parts else np.zeros((0, len(variables)))

    def values(self, points: np.ndarray) -> np.ndarray:
        """The fields of the problem at points (n, d): (n, m)."""
        zero = (0,) * points.shape[1]
        return self.jet(points, [JetVariable(k, zero) for k in range(self.network.outputs)])

    def _channels(self, points: np.ndarray, derivatives: DerivativeSet) -> np.ndarray:
        x = torch.as_tensor(points, dtype=self.network.dtype, device=self.network.device)
        prepared = self.ansatz.prepare(self.network, x, derivatives)
        sweep = self.network.sweep(prepared, derivatives, reverse=False)
        return self.ansatz.frame(x, derivatives).constrain(sweep.output).cpu().numpy()


def _slices(points: np.ndarray) -> list[np.ndarray]:
    return [points[start : start + CHUNK] for start in range(0, len(points), CHUNK)]


@dataclass(eq=False)
class Estimator:
    """Estimates the error of any number of fields for one problem; a problem beyond its reach gets the reason."""

    problem: Problem
    reason: str = ""
    solver: DefectSolver | None = None

    def __post_init__(self) -> None:
        """Finds out at once whether there can be an estimate."""
        try:
            self.solver = DefectSolver(self.problem)
        except ProblemError as error:
            self.reason = str(error)

    def __call__(self, field: TrainedField) -> DefectEstimate | None:
        """The estimate, untrusted ones included; None where the problem is beyond reach."""
        if self.solver is None:
            return None
        estimate = self.solver.estimate(field.jet)
        self.reason = estimate.reason
        return estimate


def quadrature(bounds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points (n, d) of a box and their weights (n,): tensor Gauss-Legendre, scattered ones above three dimensions."""
    dimension = len(bounds)
    low, width = bounds[:, 0], bounds[:, 1] - bounds[:, 0]
    if dimension not in GAUSS:
        unit = sampling.sobol(SCATTERED, dimension, 12345)
        return low + unit * width, np.full(SCATTERED, np.prod(width) / SCATTERED)
    nodes, weights = np.polynomial.legendre.leggauss(GAUSS[dimension])
    grids = np.meshgrid(*[0.5 * (nodes + 1)] * dimension, indexing="ij")
    shares = np.prod([g.ravel() for g in np.meshgrid(*[0.5 * weights] * dimension, indexing="ij")], axis=0)
    return low + np.stack([g.ravel() for g in grids], axis=1) * width, shares * np.prod(width)


def relative_l2(problem: Problem, field: TrainedField) -> float | None:
    """sqrt(Σ_c ∫|u_c − e_c|² / Σ_c ∫|e_c|²) by quadrature on points that training never used; None without exact."""
    if problem.exact is None:
        return None
    points, weights = quadrature(problem.domain.bounds)
    exact = problem.exact_values(points)
    error = ((field.values(points) - exact) ** 2).sum(1) @ weights
    norm = (exact**2).sum(1) @ weights
    return float(np.sqrt(error / norm)) if norm > 0 else float(np.sqrt(error))
