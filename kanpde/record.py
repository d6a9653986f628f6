"""What a solve leaves behind, in plain values: enough to rebuild the solution, to judge it and to repeat it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

SAFETY = 1.5  # converged means SAFETY · estimate ≤ rtol
# A run with one of these words can be resumed; any other status ends it.
UNFINISHED = ("running", "interrupted", "out of time")


@dataclass(frozen=True, eq=False)
class Record:
    """One solve. Everything here is a float, an int, a bool, a text, a NumPy array, or a list or dictionary of these.

    Args:
        problem_name: name of the problem, which names its files.
        signature: hash of the problem's normal forms, domain and conditions.
        problem_text: the problem as one reads it.
        unknowns: names, in the order of the columns of values.
        coordinates: names, in the order of the columns of points.
        network: structure of the network, as its `spec()` says it.
        theta: all coefficients, flat (P,), float64.
        field: how the network is wrapped (exact conditions), expressions as trees.
        history: one row an iteration: stage, iteration, loss, seconds, damping, parameters, and what else there is.
        status: why it stopped, in words.
        converged: 1.5 · error_estimate ≤ rtol.
        relative_l2: relative L2 error against the exact solution, None without one.
        error_estimate: estimate of that number, None where none can be had.
        seconds: wall time of the solve, the estimate included, over all resumes.
        n_parameters: P.
        iterations: steps of the optimisers, over all stages.
        seed: what the random numbers began with.
        rtol: the tolerance asked for.
        identified: unknown scalars, by name.
        identified_stderr: their standard errors, by name; none for eigenvalues.
        points: settings of the collocation.
        provenance: versions, commit, command, date, machine.
        conventional: the conventional solver beside it: name, error, seconds.
        problem: the problem as `problem_to_tree` writes it, so that the file alone is enough.
        correction: the grid of the estimate's correction; None where there is none.
    """

    problem_name: str
    signature: str
    problem_text: str
    unknowns: tuple[str, ...]
    coordinates: tuple[str, ...]
    network: dict[str, Any]
    theta: np.ndarray
    field: dict[str, Any]
    history: tuple[dict[str, Any], ...]
    status: str
    converged: bool
    relative_l2: float | None
    error_estimate: float | None
    seconds: float
    n_parameters: int
    iterations: int
    seed: int
    rtol: float
    identified: dict[str, float] = dataclasses.field(default_factory=dict)
    points: dict[str, Any] = dataclasses.field(default_factory=dict)
    provenance: dict[str, str] = dataclasses.field(default_factory=dict)
    conventional: dict[str, Any] | None = None
    problem: dict[str, Any] = dataclasses.field(default_factory=dict)
    correction: dict[str, Any] | None = None
    identified_stderr: dict[str, float] = dataclasses.field(default_factory=dict)

    def answer(self, rtol: float) -> Record | None:
        """This record as the answer to a tolerance, or None where there is something left to do for it."""
        reached = self.error_estimate is not None and SAFETY * self.error_estimate <= rtol
        if not reached and not (self.finished and self.rtol <= rtol):
            return None
        status = "converged" if reached else self.status
        return dataclasses.replace(self, rtol=rtol, converged=reached, status=status)

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to resume."""
        return self.status not in UNFINISHED

    @property
    def summary(self) -> dict[str, Any]:
        """The numbers that programs read, as `kanpde solve --json` prints them."""
        return {
            "problem": self.problem_name,
            "status": self.status,
            "converged": self.converged,
            "relative_l2": self.relative_l2,
            "error_estimate": self.error_estimate,
            "seconds": self.seconds,
            "parameters": self.n_parameters,
            "iterations": self.iterations,
            "seed": self.seed,
            "rtol": self.rtol,
            "identified": dict(self.identified),
            "identified_stderr": dict(self.identified_stderr),
        }
