"""Eigenvalues: K u = λ M u from a weak form that is linear in an unknown scalar, by shift and invert."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse import linalg

from kanpde.errors import ProblemError
from kanpde.expression import Parameter
from kanpde.problem import Problem
from kanpde.references.fem.discrete import Discretisation
from kanpde.references.fem.imposed import imposed

Array = np.ndarray

SHIFT = 1e-3
# How many modes are looked at to find those that share an eigenvalue, and how near that is.
CLUSTER = 4
SAME = 1e-3


@dataclass(frozen=True, eq=False)
class Eigenpair:
    """λ and the degrees of freedom of its function, normalised as the problem says."""

    value: float
    state: Array


def eigenvalue_of(problem: Problem) -> Parameter | None:
    """The unknown scalar of an eigenvalue problem, None for any other problem."""
    found = [p for p in problem.parameters if getattr(p, "near", None) is not None]
    return found[0] if len(found) == 1 and len(problem.parameters) == 1 else None


def eigenpairs(system: Discretisation, count: int) -> list[Eigenpair]:
    """The eigenvalues nearest to `near`, nearest first.

    Raises:
        ProblemError: equations that are not linear and homogeneous in the fields and in the eigenvalue.
    """
    problem = system.problem
    parameter = eigenvalue_of(problem)
    if parameter is None:
        raise ProblemError(f"{problem.name} has no Eigenvalue.")
    near = float(parameter.near)
    zero = np.zeros(system.size)
    (r0, at0), (r1, at1), (_, at2) = (system.assemble(zero, (value,)) for value in (0.0, 1.0, 2.0))
    assert at0 is not None
    assert at1 is not None
    assert at2 is not None
    held = imposed(system)
    bent = abs(at2 - 2 * at1 + at0).max() > 1e-9 * abs(at1 - at0).max()
    if bent or np.any(np.abs([*r0, *r1]) > 1e-12 * abs(at0).max()) or held.offset.any() or len(held.values):
        raise ProblemError(
            f"{problem.name}: an eigenvalue problem must be linear and homogeneous in unknowns and eigenvalue."
        )
    k = sparse.csc_array(held.transfer.T @ at0 @ held.transfer)
    m = sparse.csc_array(held.transfer.T @ (at0 - at1) @ held.transfer)
    symmetric = abs(k - k.T).max() < 1e-9 * abs(k).max() and abs(m - m.T).max() < 1e-9 * abs(m).max()
    # Of -Δu = λu the forms come with the sign of Δ; a definite M is what the symmetric solver needs.
    if symmetric and m.diagonal().sum() < 0:
        k, m = -k, -m
    shift = near * (1 + SHIFT) + SHIFT * (near == 0)
    start = np.random.default_rng(0).standard_normal(k.shape[0])
    run = linalg.eigsh if symmetric else linalg.eigs
    values, vectors = run(k, k=count, M=m, sigma=shift, v0=start)
    nearest = np.argsort(np.abs(values - near), kind="stable")
    return [
        Eigenpair(float(np.real(values[j])), _normalised(system, held.transfer @ np.real(vectors[:, j])))
        for j in nearest
    ]


def nearest_mode(system: Discretisation, wanted: Array | None) -> Eigenpair:
    """The mode nearest to `near`; of an eigenspace of several dimensions the function nearest to a wanted one."""
    pairs = eigenpairs(system, CLUSTER)
    value = pairs[0].value
    same = [p for p in pairs if abs(p.value - value) <= SAME * max(abs(value), abs(pairs[-1].value - value))]
    if wanted is None or len(same) == 1:
        first = same[0]
        turn = 1.0 if wanted is None else float(np.sign(first.state @ wanted)) or 1.0
        return Eigenpair(value, turn * first.state)
    modes = np.stack([p.state for p in same], axis=1)
    share = np.linalg.lstsq(modes, wanted, rcond=None)[0]
    # The modes are orthogonal and equally long.
    return Eigenpair(value, modes @ (share / np.linalg.norm(share)))


def _normalised(system: Discretisation, state: Array) -> Array:
    """Σ ∫ u² as the problem's own integral condition wants it (1 without one), the largest value being positive."""
    total = 0.0
    for g, (_, table) in enumerate(system.groups):
        for c in range(system.components.count):
            fields = [f for f, own in enumerate(system.components.of_field) if own == c]
            values = np.einsum("enb,eb->en", system.basis(g, c)[:, :, 0], state[system.dofs(fields[0], table.cells)])
            total += float(np.sum(values**2 * table.weights))
    wanted = 1.0
    for condition in system.problem.conditions:
        if condition.kind == "integral" and condition.value is not None and not condition.operator.is_linear:
            wanted = float(condition.value)
    sign = np.sign(state[np.argmax(np.abs(state) > 0.999 * np.abs(state).max())])
    return np.asarray(state * sign * np.sqrt(wanted / total))
