"""Newton's method for the discrete weak form, and the sparse factorisation below it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse import linalg

from kanpde.errors import ProblemError
from kanpde.references.fem.constraints import Constraints
from kanpde.references.fem.discrete import Base, Discretisation
from kanpde.references.fem.ordering import dissection

Array = np.ndarray

STEPS = 30
HALVINGS = 8
# A pivot on the diagonal may be this much smaller than the largest entry of its column.
PIVOT = 1e-2
# Part of a solution that a factorisation may get wrong.
LOST = 1e-5


@dataclass(frozen=True, eq=False)
class Factor:
    """A factorised bordered system [TᵀKT, s TᵀWᵀ; s WT, 0].

    Attributes:
        lu: SciPy's factorisation.
        order: the elimination order.
        free: how many rows belong to free values; those below are constraints.
        scale: s, which makes the constraints as large as the rest.
    """

    lu: Any
    order: Array
    free: int
    scale: float

    def solve(self, right: Array) -> Array:
        """The solution for a right-hand side of the system without s; multipliers come divided by s."""
        scaled = np.concatenate([right[: self.free], self.scale * right[self.free :]])
        result = np.empty_like(scaled)
        result[self.order] = self.lu.solve(scaled[self.order])
        return result


def factorised(
    system: Discretisation, matrix: sparse.csr_array, held: Constraints, order: Array | None = None
) -> Factor:
    """Factorise the system that the constraints leave; an order from an earlier state saves the search for one.

    Raises:
        ProblemError: it is singular.
    """
    reduced = held.transfer.T @ matrix @ held.transfer
    rows, scale = held.rows @ held.transfer, 1.0
    if rows.shape[0]:
        # The size of a row must not matter: it is a constraint.
        scale = np.abs(reduced.data).max(initial=1.0) / max(np.abs(rows.data).max(initial=0.0), 1e-300)
        reduced = sparse.block_array([[reduced, scale * rows.T], [scale * rows, None]])
    reduced = sparse.csc_array(reduced)
    if order is None:
        order = _order(system, reduced, held)
    return Factor(factorisation(sparse.csc_array(reduced[order][:, order]), _plain(system)), order, held.free, scale)


def _plain(system: Discretisation) -> bool:
    """Whether minimum degree serves: for one function in the plane. Elsewhere dissection has half of its fill."""
    return system.components.count == 1 and system.mesh.dimension < 3


def _order(system: Discretisation, reduced: sparse.csc_array, held: Constraints) -> Array:
    if _plain(system):
        return np.arange(reduced.shape[0])
    return dissection(reduced, system.places[held.masters], system.low[held.masters])


def factorisation(matrix: sparse.csc_array, reorder: bool) -> Any:
    """SuperLU with little pivoting, in the given order or by minimum degree; with full pivoting where that fails.

    Raises:
        ProblemError: it is singular.
    """
    probe = np.random.default_rng(0).standard_normal(matrix.shape[0])
    right = matrix @ probe
    try:
        spec = "MMD_AT_PLUS_A" if reorder else "NATURAL"
        lu = linalg.splu(matrix, permc_spec=spec, diag_pivot_thresh=PIVOT, options={"SymmetricMode": True})
        if _accurate(lu.solve(right), probe):
            return lu
    except RuntimeError:
        # A zero pivot on the diagonal says nothing about the matrix.
        pass
    try:
        lu = linalg.splu(matrix)
    except RuntimeError as error:
        raise ProblemError(f"the finite element system is singular ({error}); a condition is missing.") from error
    if not _accurate(lu.solve(right), probe):
        raise ProblemError("the finite element system is singular up to rounding; a condition is missing.")
    return lu


def _accurate(found: Array, wanted: Array) -> bool:
    return bool(np.linalg.norm(found - wanted) <= LOST * np.linalg.norm(wanted))


@dataclass(frozen=True, eq=False)
class Solved:
    """A state with its multipliers, and how it was reached.

    Attributes:
        state: degrees of freedom.
        multipliers: of the constraints that have some.
        last_step: relative size of the last Newton step, 0 for a linear problem.
        factor: the factorisation at the last but one state.
    """

    state: Array
    multipliers: Array
    last_step: float
    factor: Factor


def solve(
    system: Discretisation,
    held: Constraints,
    start: Array | None = None,
    parameters: tuple[float, ...] = (),
    tolerance: float = 1e-10,
    base: Base | None = None,
    factor: Factor | None = None,
) -> Solved:
    """Newton's method, with shorter steps where the residual would grow; a linear problem takes one step.

    Args:
        system: the weak forms on a mesh.
        held: the constraints.
        start: the first state, zero by default.
        parameters: values of unknown scalars.
        tolerance: relative size of the last step.
        base: a field that the state is added to.
        factor: of an earlier solve: of the same matrix if the problem is linear, else only its order is used.

    Raises:
        ProblemError: singular, not finite, or no convergence.
    """
    state = held.admissible(np.zeros(system.size) if start is None else start)
    multipliers = np.zeros(len(held.values))
    linear = system.problem.is_linear
    last, size = np.inf, 0.0
    for _ in range(1 if linear else STEPS):
        residual, matrix = system.assemble(state, parameters, not (linear and factor), base)
        right = _reduced(held, residual, state, multipliers)
        if not np.all(np.isfinite(right)) or not (matrix is None or np.all(np.isfinite(matrix.data))):
            raise ProblemError(
                f"{system.problem.name}: the equations are not finite on the mesh; check the coefficients."
            )
        if matrix is not None:
            factor = factorised(system, matrix, held, None if factor is None else factor.order)
        assert factor is not None
        step = factor.solve(-right)
        move, turn = held.transfer @ step[: held.free], step[held.free :] * factor.scale
        lacking = float(np.linalg.norm(right))
        trial = _Trial(system, held, parameters, base)
        length = 1.0 if linear else trial.length(state, multipliers, move, turn, lacking)
        state, multipliers = state + length * move, multipliers + length * turn
        last, size = float(np.linalg.norm(move)), float(np.linalg.norm(state))
        if last <= tolerance * size:
            break
    else:
        if not linear:
            raise ProblemError(
                f"{system.problem.name}: Newton's method did not converge on the mesh; take a finer one."
            )
    assert factor is not None
    return Solved(state, multipliers, 0.0 if linear else last / size if size else 0.0, factor)


def _reduced(held: Constraints, residual: Array, state: Array, multipliers: Array) -> Array:
    """What the free rows and the constraints lack."""
    return np.concatenate([held.transfer.T @ (residual + held.rows.T @ multipliers), held.rows @ state - held.values])


@dataclass(frozen=True, eq=False)
class _Trial:
    """What a step is judged by."""

    system: Discretisation
    held: Constraints
    parameters: tuple[float, ...]
    base: Base | None

    def length(self, state: Array, multipliers: Array, move: Array, turn: Array, size: float) -> float:
        """The first of 1, ½, ¼, ... at which the residual is finite and not much larger than before."""
        length = 1.0
        for _ in range(HALVINGS):
            trial = state + length * move
            residual, _ = self.system.assemble(trial, self.parameters, False, self.base)
            lacking = np.linalg.norm(_reduced(self.held, residual, trial, multipliers + length * turn))
            if np.isfinite(lacking) and lacking <= max(2.0 * size, 1e-12):
                return length
            length *= 0.5
        return length
