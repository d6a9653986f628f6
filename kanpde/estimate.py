"""How good a trained field is: the defect equation's estimate, and the true error where the solution is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import torch

from kanpde import sampling
from kanpde.collocation import PointSet, collocate
from kanpde.corners import conflicts
from kanpde.domain import BoxPiece, Domain
from kanpde.errors import ProblemError
from kanpde.features import clustered
from kanpde.field import Ansatz
from kanpde.multiindex import DerivativeSet
from kanpde.network import Trainable
from kanpde.operator import DifferentialOperator, JetVariable
from kanpde.problem import CompiledCondition, Problem
from kanpde.references.checks import Jet
from kanpde.references.correction import DefectEstimate, DefectSolver
from kanpde.references.difference import ReferenceDifference
from kanpde.references.fem import FemDefectSolver
from kanpde.references.frame import FrameDefectSolver

CHUNK = 8192  # points evaluated at once
GAUSS = {1: 400, 2: 64, 3: 24}  # Gauss-Legendre points per axis, by dimension: an even number, so no symmetry points
ROUGH = 2e4  # residual over error, in units of the domain, beyond which the meshes must have missed something
ROUGH_SAMPLE = 4096
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
        x = torch.as_tensor(np.array(points), dtype=self.network.dtype, device=self.network.device)
        prepared = self.ansatz.prepare(self.network, x, derivatives)
        sweep = self.network.sweep(prepared, derivatives, reverse=False)
        return self.ansatz.frame(x, derivatives).constrain(sweep.output).cpu().numpy()


class Differentiated(Protocol):
    """What has derivatives and unknown scalars: a trained field, in one window of time or in several."""

    @property
    def parameters(self) -> tuple[float, ...]:
        """Values of the unknown scalars."""
        ...

    def jet(self, points: np.ndarray, variables: Sequence[JetVariable]) -> np.ndarray:
        """Derivatives of the fields at points (n, d): (n, len(variables))."""
        ...


class Evaluated(Protocol):
    """What has values: a trained field, in any units."""

    def values(self, points: np.ndarray) -> np.ndarray:
        """The fields of the problem at points (n, d): (n, m)."""
        ...


def _slices(points: np.ndarray) -> list[np.ndarray]:
    return [points[start : start + CHUNK] for start in range(0, len(points), CHUNK)]


class Solver(Protocol):
    """A way to estimate the error of fields for one problem."""

    def estimate(self, jet: Jet, parameters: Sequence[float] = ()) -> DefectEstimate:
        """The estimate for a field given by its jet, with its unknown scalars."""


@dataclass(eq=False)
class Estimator:
    """Estimates the error of any number of fields for one problem; a problem beyond its reach gets the reason.

    The grid goes first where it fits, being fastest there; then frames, which take any domain and any rows;
    then elements, for solutions that are not smooth.
    """

    problem: Problem
    reason: str = ""
    solvers: list[Solver] = field(default_factory=list)
    pending: list[Callable[[Problem], Solver]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Finds out at once whether there can be an estimate."""
        if conflicts(self.problem):
            self.reason = "the data disagree at a corner, where no method of ours resolves the error"
            return
        self.pending = list(methods(self.problem))
        while self.pending and not self.solvers:
            self._prepare()

    def _prepare(self) -> None:
        """Make the next solver, if it takes the problem; some of them make meshes, so none is made before its turn."""
        try:
            self.solvers.append(self.pending.pop(0)(self.problem))
        except ProblemError as error:
            self.reason = str(error)

    def _in_turn(self) -> Iterator[Solver]:
        done = 0
        while done < len(self.solvers) or self.pending:
            if done == len(self.solvers):
                self._prepare()
            yield from self.solvers[done:]
            done = len(self.solvers)

    @property
    def hints(self) -> list[dict[str, Any]]:
        """Where each solver begins its search, in their order, and which are still pending: plain values."""
        prepared = [{"method": type(s).__name__, "hint": getattr(s, "hint", None)} for s in self.solvers]
        return [*prepared, *({"pending": getattr(m, "__name__", "")} for m in self.pending)]

    def take_up(self, hints: Sequence[dict[str, Any]]) -> None:
        """The state that `hints` told: the same order, the same beginnings of each search."""
        known = {getattr(m, "__name__", ""): m for m in (*methods(self.problem), *self.pending)}
        names = [h["method"] for h in hints if "method" in h]
        ready = {type(s).__name__: s for s in self.solvers}
        self.solvers = [ready[n] if n in ready else known[n](self.problem) for n in names if n in known]
        for solver, told in zip(self.solvers, hints, strict=False):
            if told["hint"] is not None:
                solver.take_up(told["hint"])  # type: ignore[attr-defined]
        self.pending = [known[h["pending"]] for h in hints if h.get("pending") in known]

    def expect_fronts(self) -> None:
        """Asks first what resolves steep fronts: polynomials on a whole box do not."""
        if ReferenceDifference in self.pending:
            self.pending.remove(ReferenceDifference)
            self.pending.insert(0, ReferenceDifference)
            self._prepare()
        self.solvers.sort(key=lambda solver: not isinstance(solver, ReferenceDifference))

    def __call__(self, field: Differentiated) -> DefectEstimate | None:
        """The estimate, untrusted ones included; None where the problem is beyond reach."""
        found: DefectEstimate | None = None
        for solver in self._in_turn():
            estimate = solver.estimate(field.jet, field.parameters)
            if isinstance(solver, FemDefectSolver) and estimate.trusted and _too_rough(self.problem, field, estimate):
                estimate = replace(estimate, trusted=False, reason="the residual is too rough for the meshes to see it")
            if found is None or estimate.trusted:
                found = estimate
            if estimate.trusted:
                # What succeeded is asked first the next time.
                self.solvers.sort(key=lambda other: other is not solver)
                break
        if found is not None:
            self.reason = found.reason
        return found


def _too_rough(problem: Problem, field: Differentiated, estimate: DefectEstimate) -> bool:
    """Whether the residual is out of proportion to the error that two meshes found: a front that both have missed.

    |F| L² / |a| would be the error of a smooth residual, a the coefficients of the second derivatives; that of a
    trained network oscillates, and its error was up to 10³ times smaller.
    """
    points = collocate(problem.domain.interior, ROUGH_SAMPLE, "sobol", 11).x
    extent = float(np.max(np.ptp(problem.domain.bounds[: len(problem.domain.space)], axis=1)))
    worst = 0.0
    for operator, region in zip(problem.operators, problem.regions, strict=True):
        if operator.normal or operator.order < 2:
            continue
        inside = points[region.contains(points)]
        jet = np.ascontiguousarray(field.jet(inside, operator.jet).T)
        residual, *slopes = operator.program([*inside.T, *jet, *_scalars(operator, problem, field, inside)], np)
        second = [s for s, v in zip(slopes, operator.jet, strict=False) if sum(v.derivative) == operator.order]
        size = max(float(np.sqrt(np.mean(np.square(s)))) for s in second)
        worst = max(worst, float(np.sqrt(np.mean(np.square(residual)))) * extent**operator.order / size)
    return estimate.absolute > 0 and worst > ROUGH * estimate.absolute


def _scalars(
    operator: DifferentialOperator, problem: Problem, field: Differentiated, points: np.ndarray
) -> list[np.ndarray]:
    known = dict(zip(problem.parameters, field.parameters, strict=True))
    return [np.full(len(points), known[p]) for p in operator.parameters]


def methods(problem: Problem) -> tuple[Callable[[Problem], Solver], ...]:
    """The ways that suit a problem, the most promising first."""
    domain = problem.domain
    if not fits_grid(problem):
        # In the plane weak residuals on a mesh cost less than a second, and take what a polynomial cannot follow.
        plane = not domain.is_box and domain.dimension == 2
        return (FemDefectSolver, FrameDefectSolver) if plane else (FrameDefectSolver, FemDefectSolver)
    grids: tuple[Callable[[Problem], Solver], ...] = (DefectSolver,)
    if len(problem.fields) > 1:
        grids = (*grids, FrameDefectSolver)
    # A solution of its own is dear: only where nothing else resolves the residual.
    return (*grids, ReferenceDifference) if problem.domain.time is not None and not problem.is_linear else grids


def fits_grid(problem: Problem) -> bool:
    """Whether collocation on a grid gives as many rows as columns, none of them of a saddle point."""
    domain, operators = problem.domain, problem.operators
    square = domain.is_box and domain.dimension <= max(GAUSS) and len(operators) == len(problem.fields)
    if not square or problem.parameters or any(r.text != domain.interior.text for r in problem.regions):
        return False
    orders = {max(o.order_of(c) for o in operators) for c in range(len(problem.fields))}
    return len(orders) == 1 and all(_on_sides(condition, domain.dimension) for condition in problem.conditions)


def _on_sides(condition: CompiledCondition, dimension: int) -> bool:
    """Whether a condition holds at each point of some sides."""
    whole = all(isinstance(p, BoxPiece) and p.dimension == dimension - 1 for p in condition.region.pieces())
    return whole and condition.kind not in ("integral", "observations", "interface")


def quadrature(domain: Domain) -> tuple[np.ndarray, np.ndarray]:
    """Points (n, d) of a domain and their weights (n,): Gauss-Legendre, scattered ones above three dimensions."""
    dimension, bounds = domain.dimension, domain.bounds
    if dimension not in GAUSS:
        inside = quadrature_by_sampling(bounds)
        kept = np.asarray(domain.contains(inside[0]), dtype=bool)
        return inside[0][kept], inside[1][kept]
    if not domain.is_box:
        return domain.quadrature(GAUSS[dimension])
    low, width = bounds[:, 0], bounds[:, 1] - bounds[:, 0]
    nodes, weights = np.polynomial.legendre.leggauss(GAUSS[dimension])
    grids = np.meshgrid(*[0.5 * (nodes + 1)] * dimension, indexing="ij")
    shares = np.prod([g.ravel() for g in np.meshgrid(*[0.5 * weights] * dimension, indexing="ij")], axis=0)
    return low + np.stack([g.ravel() for g in grids], axis=1) * width, shares * np.prod(width)


def quadrature_by_sampling(bounds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sobol points (n, d) of a box with equal weights."""
    width = np.ptp(bounds, axis=1)
    unit = sampling.sobol(SCATTERED, len(bounds), 12345)
    return bounds[:, 0] + unit * width, np.full(SCATTERED, np.prod(width) / SCATTERED)


def relative_l2(problem: Problem, field: Evaluated, ansatz: Ansatz | None = None) -> float | None:
    """sqrt(Σ_c ∫|u_c − e_c|² / Σ_c ∫|e_c|²) by quadrature on points that training never used; None without exact.

    Args:
        problem: with an exact solution, or without.
        field: what is judged.
        ansatz: where it is steep, the quadrature crowds.
    """
    if problem.exact is None:
        return None
    points, weights = quadrature(problem.domain)
    if ansatz is not None and ansatz.clusterings:
        near = clustered(problem, ansatz, PointSet(points, weights, None))
        points, weights = near.x, near.weights
    zero = (0,) * problem.domain.dimension
    variables = [JetVariable(c, zero) for c in range(len(problem.fields))]
    exact = problem.exact_jet(points, variables).T
    gap, truth = (problem.readout(points, values) for values in (field.values(points) - exact, exact))
    error, norm = ((np.abs(v) ** 2).sum(1) @ weights for v in (gap, truth))
    return float(np.sqrt(error / norm)) if norm > 0 else float(np.sqrt(error))
