"""How near a linear problem is to resonance: the eigenvalue of its operator that is nearest to zero, on a coarse grid.

Of L u + c u = f the solution grows like 1 / |λ|, λ the eigenvalue of L + c nearest to zero: next to it every error of
the residual is amplified, in it there is no solution.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.sparse import linalg as sparse_linalg

from kanpde.errors import ProblemError
from kanpde.problem import Problem
from kanpde.references.axes import Axis, ChebyshevAxis, DifferenceAxis, FourierAxis
from kanpde.references.grid import Grid
from kanpde.references.layout import EQUATION, Layout, layout
from kanpde.references.system import grid_jet, linearise

Array = np.ndarray

# Beside the largest coefficient of the unknowns themselves: nearer than this is worth a warning, or no problem at all.
NEAR = 0.01
SINGULAR = 1e-9
# Nodes along each axis: so many, and so many more a wavelength; above the first limit differences take over.
FIRST, A_WAVE = 12, 5
LARGEST_SPECTRAL = {1: 400, 2: 36, 3: 12}
LARGEST = {1: 2000, 2: 100, 3: 14}  # 24³ nodes took a minute to factorise
ORDER = 8


@dataclass(frozen=True)
class Resonance:
    """The distance of a problem from its nearest resonance.

    Attributes:
        distance: |λ| of the eigenvalue nearest to zero.
        scale: the largest coefficient of the unknowns themselves, k² of Helmholtz' equation.
        near: whether the distance is so small beside it that one should know.
    """

    distance: float
    scale: float

    @property
    def relative(self) -> float:
        """The distance beside the scale."""
        return self.distance / self.scale

    @property
    def near(self) -> bool:
        """Whether it is worth a warning."""
        return self.relative < NEAR

    @property
    def message(self) -> str:
        """The warning: the distance and the amplification."""
        return (
            f"the problem is near resonance: an eigenvalue of its operator is {self.distance:.3g} from zero, beside"
            f" coefficients of {self.scale:.4g}; errors of the residual are amplified about {1 / self.relative:.0f}"
            " times, so ask for a smaller rtol or move the frequency."
        )


def resonance(problem: Problem) -> Resonance | None:
    """The distance from resonance; None where the question does not arise, or where no grid can answer it.

    Raises:
        ProblemError: the operator is singular to rounding: the problem has no solution, or many.
    """
    scale = _scale(problem)
    if scale is None:
        return None
    try:
        rows = layout(problem, _grid(problem, scale))
        distance = nearest_eigenvalue(rows)
    except (ProblemError, RuntimeError, sparse_linalg.ArpackError):
        return None
    found = Resonance(distance, scale)
    if found.relative < SINGULAR:
        raise ProblemError(
            f"{problem.name} is in resonance: its operator has the eigenvalue zero (|λ| = {distance:.1e} beside"
            f" coefficients of {scale:.4g}), so there is no unique solution; move the frequency or change a condition."
        )
    return found


def _scale(problem: Problem) -> float | None:
    """The largest coefficient of an unknown that is not differentiated, beside derivatives of it; None without any."""
    domain = problem.domain
    if not domain.is_box or domain.time is not None or domain.parameters or domain.dimension not in LARGEST:
        return None
    if problem.parameters or not problem.is_linear or len(problem.operators) != len(problem.fields):
        return None
    points, sizes = domain.bounds.mean(axis=1)[None], []
    for operator in problem.operators:
        values = operator.program([*points.T, *np.zeros((len(operator.jet), 1))], np)[1:]
        if operator.order >= 2:
            sizes += [abs(float(g[0])) for v, g in zip(operator.jet, values, strict=False) if not any(v.derivative)]
    return max(sizes, default=0.0) or None


def _grid(problem: Problem, scale: float) -> Grid:
    """Enough nodes for the waves of this frequency: Chebyshev, or differences where that would be too many."""
    domain, periodic = problem.domain, {c.axis for c in problem.conditions if c.kind == "periodic"}
    leading = max(_leading(problem), 1e-300)
    axes: list[Axis] = []
    for k, (a, b) in enumerate(domain.bounds.tolist()):
        waves = (b - a) * (scale / leading) ** (1 / problem.order) / (2 * math.pi)
        count = FIRST + math.ceil(A_WAVE * waves)
        if k in periodic:
            axes.append(FourierAxis(a, b, count + count % 2))
        elif count <= LARGEST_SPECTRAL[domain.dimension]:
            axes.append(ChebyshevAxis(a, b, count))
        else:
            axes.append(DifferenceAxis(np.linspace(a, b, min(2 * count, LARGEST[domain.dimension])), ORDER))
    return Grid(tuple(axes))


def _leading(problem: Problem) -> float:
    points = problem.domain.bounds.mean(axis=1)[None]
    sizes = [0.0]
    for operator in problem.operators:
        values = operator.program([*points.T, *np.zeros((len(operator.jet), 1))], np)[1:]
        pairs = zip(operator.jet, values, strict=False)
        sizes += [abs(float(g[0])) for v, g in pairs if sum(v.derivative) == problem.order]
    return max(sizes)


def nearest_eigenvalue(rows: Layout) -> float:
    """|λ| of A u = λ B u nearest to zero, A all rows and B one in those of the equations: 1 / ρ(A⁻¹ B)."""
    system = linearise(rows, grid_jet(rows, np.zeros(rows.size)))
    equations = np.zeros(rows.size)
    for block in rows.blocks:
        if block.rank == EQUATION:
            equations[block.rows] = 1.0
    factor = sparse_linalg.splu(system.matrix())
    inverse = sparse_linalg.LinearOperator((rows.size,) * 2, lambda v: factor.solve(equations * v.ravel()), dtype=float)
    start = np.random.default_rng(0).standard_normal(rows.size)
    (largest,) = sparse_linalg.eigs(inverse, 1, v0=start, tol=1e-6, return_eigenvectors=False)
    return float(1.0 / abs(largest))
