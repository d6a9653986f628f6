"""The conventional solution of a problem on a shape, with an estimate of its own error from several meshes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import sympy as sp

from kanpde.errors import ProblemError
from kanpde.meshing import TriMesh, meshes_of
from kanpde.problem import Problem
from kanpde.provenance import provenance
from kanpde.references.fem.discrete import Discretisation
from kanpde.references.fem.eigen import eigenpairs, eigenvalue_of, nearest_mode
from kanpde.references.fem.function import FemFunction, Part, distance, distances
from kanpde.references.fem.imposed import imposed, nodal
from kanpde.references.fem.newton import solve
from kanpde.references.fem.singular import singular_points

Array = np.ndarray

LEVELS = 3
# Degrees of freedom of the finest mesh, by the dimension of space: about a second.
DEFAULT_SIZE = {1: 2000, 2: 24000, 3: 14000}
# Volume of the simplex with edges of length 1, and degrees of freedom a cell of degree 1.
_CELL = {1: (1.0, 1.0), 2: (0.433, 0.5), 3: (0.118, 0.18)}
ROUNDING = 1e-12


def fem_reference(problem: Problem, shape: Sequence[int] | float | None = None, order: int | str = 2) -> FemFunction:
    """Solve a problem with continuous finite elements on three nested meshes.

    Args:
        problem: stationary, of second order, with as many equations as unknowns, in one to three dimensions.
        shape: the length of edges of the finest mesh, or (number of its cells,); by default what takes about a second.
        order: degree of the polynomials, 2 to 4; pressures have one less.

    Returns:
        The solution on the finest mesh, with `error_estimate` from the three.

    Raises:
        ProblemError: a problem beyond these limits, with the reason.
    """
    clock = time.perf_counter()
    degree = _degree(problem, order)
    meshes = fitted_meshes(problem, edge_of(problem, shape, degree), LEVELS)
    solutions: list[FemFunction] = []
    for mesh in meshes:
        solutions.append(solved(problem, mesh, degree, solutions[-1] if solutions else None))
    result = with_estimate(solutions, degree)
    seconds = time.perf_counter() - clock
    return replace(
        result,
        relative_l2=None if problem.exact is None else relative_l2(problem, result),
        name=problem.name,
        text=problem.text,
        signature=problem.signature,
        provenance=provenance(),
        n_space=len(problem.domain.space),
        seconds=seconds,
    )


def fem_eigenvalues(
    problem: Problem, count: int, shape: Sequence[int] | float | None = None, order: int | str = 2
) -> tuple[FemFunction, ...]:
    """The modes with eigenvalues nearest to `near`, nearest first, each with `parameters` and without an estimate.

    Raises:
        ProblemError: as `fem_reference`; not an eigenvalue problem.
    """
    degree = _degree(problem, order)
    mesh = fitted_meshes(problem, edge_of(problem, shape, degree), LEVELS)[-1]
    system = Discretisation(problem, mesh, degree)
    name = problem.parameters[0].name if problem.parameters else ""
    return tuple(function_of(system, p.state, parameters={name: p.value}) for p in eigenpairs(system, count))


def _degree(problem: Problem, order: int | str) -> int:
    """The degree of the polynomials, checked together with the rest of the problem."""
    if order not in (2, 3, 4):
        raise ProblemError(
            f"order={order!r} is not offered with finite elements, which {problem.name} needs; take 2, 3 or 4."
        )
    if problem.domain.time is not None or problem.domain.parameters:
        raise ProblemError(
            f"{problem.name} has more than spatial coordinates; finite elements take stationary problems."
        )
    if problem.parameters and eigenvalue_of(problem) is None:
        raise ProblemError(f"{problem.name} has unknown scalars; a reference needs numbers for them.")
    return int(order)


def edge_of(problem: Problem, shape: Sequence[int] | float | None, order: int, size: int | None = None) -> float:
    """Length of the edges of the finest mesh, for about `size` degrees of freedom unless the shape says more."""
    d = len(problem.domain.space)
    volume, per_cell = _CELL[d]
    if isinstance(shape, int | float):
        if not shape > 0:
            raise ProblemError(f"h = {shape:g} is no length of edges; give a positive one.")
        return float(shape)
    measure = float(problem.domain.measure)
    if shape is not None:
        if len(shape) != 1 or shape[0] < 1:
            raise ProblemError("on shapes `shape` is the length of edges or (number of cells,); give one of them.")
        return float((measure / (volume * shape[0])) ** (1 / d))
    cells = (size or DEFAULT_SIZE[d]) / (len(problem.fields) * per_cell * order**d)
    return float((measure / (volume * cells)) ** (1 / d))


def fitted_meshes(problem: Problem, edge: float, levels: int) -> tuple[TriMesh, ...]:
    """Nested meshes that follow the materials and shrink towards singular points; `edge` is that of the finest."""
    coarse = edge * 2 ** (levels - 1)
    return meshes_of(problem.domain, coarse, levels, singular_points(problem, coarse), interfaces_of(problem))


def interfaces_of(problem: Problem) -> tuple[sp.Basic, ...]:
    """Predicates that tell materials apart, which the mesh follows."""
    whole = problem.domain.interior
    found = {p for region in problem.regions if region != whole for p in _predicates(region)}
    return tuple(sorted(found, key=sp.default_sort_key))


def _predicates(region: object) -> list[sp.Basic]:
    return [predicate for _, predicate in region.parts if predicate != sp.true]  # type: ignore[attr-defined]


def solved(problem: Problem, mesh: TriMesh, degree: int, coarse: FemFunction | None = None) -> FemFunction:
    """The solution on one mesh; a coarser one is Newton's first guess."""
    system = Discretisation(problem, mesh, degree)
    start = None
    if coarse is not None and not (problem.is_linear and not problem.parameters):
        start = nodal(system, range(len(problem.fields)), coarse(system.places))
    if eigenvalue_of(problem) is not None:
        pair = nearest_mode(system, start)
        return function_of(system, pair.state, parameters={problem.parameters[0].name: pair.value})
    result = solve(system, imposed(system), start)
    return function_of(system, result.state, tolerance=result.last_step)


def function_of(
    system: Discretisation, state: Array, tolerance: float = 0.0, parameters: dict[str, float] | None = None
) -> FemFunction:
    """A state as a function."""
    problem = system.problem
    ends = zip(system.offsets[:-1], system.offsets[1:], strict=True)
    parts = tuple(
        Part(space.degree, space.of_cells, np.ascontiguousarray(state[a:b]))
        for space, (a, b) in zip(system.spaces, ends, strict=True)
    )
    return FemFunction(
        system.mesh,
        parts,
        system.components.of_field,
        system.active[list(map(system.pairing.equation, range(len(problem.fields))))],
        tuple(u.func.__name__ for u in problem.fields),
        tuple(map(str, problem.coordinates)),
        system.degree,
        tolerance=tolerance,
        parameters=parameters or {},
        n_space=system.mesh.dimension,
    )


def with_estimate(solutions: Sequence[FemFunction], degree: int) -> FemFunction:
    """The finest function with Richardson's estimate |u_h - u_2h| / (2^p - 1), p the measured rate or degree + 1."""
    *_, coarse, middle, fine = solutions
    gaps, before = np.sqrt(distances(middle, fine)), distance(coarse, middle)
    sizes = np.sqrt(np.sum(fine.weights * fine.at_quadrature**2, axis=0))
    gap = float(np.linalg.norm(gaps)) / fine.norm if fine.norm else float(np.linalg.norm(gaps))
    rate = float(np.log2(before / gap)) if gap > 0 and before > 0 else float("nan")
    used = min(rate, degree + 1.0) if np.isfinite(rate) else degree + 1.0
    factor = 1.0 / max(2.0**used - 1.0, 0.5)
    each = tuple((factor * gaps / np.where(sizes > 0, sizes, 1.0)).tolist())
    return replace(fine, error_estimate=max(factor * gap, ROUNDING), rate=rate, field_estimates=each)


def relative_l2(problem: Problem, function: FemFunction) -> float:
    """sqrt(Σ_c ∫|u_c - e_c|² / Σ_c ∫|e_c|²) against the exact solution, by quadrature on the mesh."""
    points, weights = function.quadrature
    exact = problem.exact_values(points)
    gap = problem.readout(points, function.at_quadrature) - exact
    total = float(np.sum(weights[:, None] * np.abs(exact) ** 2))
    return float(np.sqrt(np.sum(weights[:, None] * np.abs(gap) ** 2) / total)) if total else float("nan")
