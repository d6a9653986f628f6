"""One row of the gallery: what a solve returned, how far that is from the truth, and the conventional solver beside."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from kanpde.domain import Combination, Domain
from kanpde.domain.shape import SIGNS
from kanpde.expression import Eigenvalue
from kanpde.gallery.settings import Settings
from kanpde.problem import Problem
from kanpde.provenance import provenance
from kanpde.record import UNFINISHED
from kanpde.solution import Solution

# Points of the quadrature along each coordinate, by the number of coordinates.
NODES = {1: 2000, 2: 80, 3: 24, 4: 10}
FAILED = "failed"

Function = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Entry:
    """One row. Every number is what `solve` returned or what was measured on that; None is unknown.

    Attributes:
        problem, kind, unknowns, domain: what was solved.
        error: relative L2 error of the solution, against `truth`.
        truth: "exact", or the conventional solver whose solution stands for it, or nothing.
        truth_error: what is known of the error of that solver's solution.
        estimate, effectivity: the solver's own estimate of its error, and its ratio to the error.
        seconds, parameters, iterations, converged, status, network, rtol, max_seconds, seed: the solve.
        quantities: scalars with their value, truth and error, a standard error where there is one.
        conventional, conventional_error, conventional_seconds: the conventional solver beside it.
        target, within, met, reason, note: what was asked, whether it was reached, and why not.
        signature: the problem's; commit, machine, date, command: where the row comes from.
    """

    problem: str
    kind: str = ""
    unknowns: tuple[str, ...] = ()
    domain: str = ""
    error: float | None = None
    truth: str = ""
    truth_error: float | None = None
    estimate: float | None = None
    effectivity: float | None = None
    seconds: float | None = None
    parameters: int | None = None
    iterations: int | None = None
    converged: bool = False
    status: str = ""
    network: str = ""
    rtol: float | None = None
    max_seconds: float | None = None
    seed: int = 0
    quantities: tuple[dict[str, Any], ...] = ()
    conventional: str = ""
    conventional_error: float | None = None
    conventional_seconds: float | None = None
    target: float | None = None
    within: float | None = None
    met: bool | None = None
    reason: str = ""
    note: str = ""
    signature: str = ""
    commit: str = ""
    machine: str = ""
    date: str = ""
    command: str = ""

    @property
    def complete(self) -> bool:
        """Whether there is nothing to do again for it: the solve ended by itself or at its time."""
        return bool(self.status) and not self.status.startswith(FAILED) and self.status not in UNFINISHED[:2]

    def answers(self, problem: Problem, settings: Settings, seed: int) -> bool:
        """Whether it is the row of this very problem, solved as asked now."""
        own = (self.signature, self.rtol, self.max_seconds, self.seed)
        return self.complete and own == (problem.signature, settings.rtol, settings.max_seconds, seed)


def entry_of(
    problem: Problem, solution: Solution, settings: Settings, beside: Mapping[str, Any], reference: Function | None
) -> Entry:
    """The row of a solve.

    Args:
        problem: what was solved.
        solution: what `solve` returned.
        settings: what was asked.
        beside: the conventional solver in plain values, as `kanpde solve` keeps it.
        reference: its solution, where there is one.
    """
    record = solution.record
    error, truth, truth_error = _error(problem, solution, settings, beside, reference)
    estimate = record.error_estimate
    row = Entry(
        problem=problem.name,
        unknowns=tuple(map(str, problem.unknowns)),
        domain=domain_words(problem.domain),
        error=error,
        truth=truth,
        truth_error=truth_error,
        estimate=estimate,
        effectivity=estimate / error if estimate is not None and error else None,
        seconds=record.seconds,
        parameters=record.n_parameters,
        iterations=record.iterations,
        converged=record.converged,
        status=record.status,
        network=str(record.network.get("title", "network")),
        max_seconds=settings.max_seconds,
        rtol=record.rtol,
        seed=record.seed,
        quantities=tuple(quantities(solution, settings)),
        conventional=str(beside.get("name", "")),
        conventional_error=beside["error"] if beside.get("error") is not None else beside.get("estimate"),
        conventional_seconds=beside.get("seconds"),
        signature=problem.signature,
    )
    return refreshed(dated(row), settings)


def refreshed(row: Entry, settings: Settings) -> Entry:
    """The row judged by the targets as they stand now: they are no part of the solve."""
    asked: dict[str, Any] = {
        "kind": settings.kind,
        "target": settings.target,
        "within": settings.within,
        "note": settings.note,
    }
    row = dataclasses.replace(row, **asked)
    missed = [word for word in (_missed_error(row), _missed_time(row), _missed_scalars(row, settings)) if word]
    wanted = settings.target is not None or settings.deviations is not None
    failure = row.status.startswith(FAILED)
    met = not missed if wanted else None
    return dataclasses.replace(row, met=met, reason="; ".join(missed) if wanted and not failure else "")


def failed(problem: str, settings: Settings, seed: int, message: str) -> Entry:
    """The row of a problem that could not be solved: the reason, on one line."""
    row = Entry(
        problem=problem,
        status=f"{FAILED}: {' '.join(message.split())}",
        rtol=settings.rtol,
        max_seconds=settings.max_seconds,
        seed=seed,
    )
    return refreshed(dated(row), settings)


def dated(row: Entry) -> Entry:
    """The row with commit, machine, date and command of now."""
    origin = provenance()
    return dataclasses.replace(
        row, commit=origin["commit"], machine=origin["machine"], date=origin["date"], command=origin["command"]
    )


def domain_words(domain: Domain) -> str:
    """The domain in a few words.

    Example:
        >>> import sympy as sp
        >>> from kanpde.domain import Box, Disk, Time
        >>> x, y, t = sp.symbols("x y t", real=True)
        >>> domain_words((Box({x: (0, 1), y: (0, 1)}) - Disk((x, y), (0, 0), 0.5)) * Time(t, (0, 1)))
        '2-D Box - Disk, time'
    """
    time = () if domain.time is None else ("time",)
    families = (f"family in {symbol}" for symbol in domain.parameters)
    return ", ".join((f"{len(domain.space)}-D {_shape_words(domain.shapes)}", *time, *families))


def _shape_words(shape: Domain) -> str:
    if not isinstance(shape, Combination):
        return type(shape).__name__
    first, *others = (_shape_words(operand) for operand in shape.operands)
    tally = Counter(others)
    return SIGNS[shape.operation].join([first, *(w if n == 1 else f"{n} {w}" for w, n in tally.items())])


def quantities(solution: Solution, settings: Settings) -> list[dict[str, Any]]:
    """Identified scalars and integrals, each with its truth where that is known."""
    found = []
    for name, value in solution.identified.items():
        found.append(_quantity(name, value, settings.truth.get(name), solution.identified_stderr.get(name)))
    for unknown in solution.problem.unknowns:
        name = unknown.func.__name__
        if name in settings.integral:
            found.append(_quantity(f"∫{name}", solution.integrate(unknown), settings.integral[name], None))
    return found


def _quantity(name: str, value: float, truth: float | None, deviation: float | None) -> dict[str, Any]:
    row: dict[str, Any] = {"name": name, "value": float(value)}
    if truth is not None:
        row |= {"truth": float(truth), "error": abs(value - truth) / abs(truth) if truth else abs(value)}
    if deviation is not None and np.isfinite(deviation):
        row["stderr"] = float(deviation)
        if truth is not None and deviation > 0:
            row["deviations"] = abs(value - truth) / deviation
    return row


def _error(
    problem: Problem, solution: Solution, settings: Settings, beside: Mapping[str, Any], reference: Function | None
) -> tuple[float | None, str, float | None]:
    """The error, what it is measured against, and what is known of the error of that."""
    if solution.relative_l2 is not None and not settings.away:
        return solution.relative_l2, "exact", None
    if problem.exact is not None:
        return distance(problem, solution, problem.exact_values, settings), "exact", None
    if reference is None:
        return None, "", None
    return distance(problem, solution, reference, settings), str(beside["name"]), beside.get("estimate")


def distance(problem: Problem, solution: Function, truth: Function, settings: Settings) -> float:
    """Relative L2 distance from the truth, farther than `distance` from the points `away`."""
    points, weights = problem.domain.quadrature(NODES[len(problem.coordinates)])
    space = points[:, : len(problem.domain.space)]
    for centre in settings.away:
        far = np.linalg.norm(space - np.asarray(centre), axis=1) > settings.distance
        points, weights, space = points[far], weights[far], space[far]
    exact, found = truth(points), solution(points)
    # A mode times -1 is the same mode.
    signs = (1, -1) if any(isinstance(p, Eigenvalue) for p in problem.parameters) else (1,)
    gap = min(_square(found - sign * exact, weights) for sign in signs)
    size = _square(exact, weights)
    return float(np.sqrt(gap / size)) if size > 0 else float(np.sqrt(gap))


def _square(values: np.ndarray, weights: np.ndarray) -> float:
    return float(weights @ (np.abs(values) ** 2).sum(axis=1))


def _missed_error(row: Entry) -> str:
    if row.target is None:
        return ""
    if row.error is None:
        return "the error is unknown"
    return "" if row.error <= row.target else f"error {row.error:.1e} above {row.target:.0e}"


def _missed_time(row: Entry) -> str:
    late = row.within is not None and row.seconds is not None and row.seconds > row.within
    return f"{row.seconds:.0f} s instead of {row.within:.0f} s" if late else ""


def _missed_scalars(row: Entry, settings: Settings) -> str:
    if settings.deviations is None:
        return ""
    far = [q for q in row.quantities if "truth" in q and q.get("deviations", np.inf) > settings.deviations]
    words = [f"{q['name']} {q['deviations']:.1f} standard errors off" for q in far if "deviations" in q]
    words += [f"{q['name']} has no standard error" for q in far if "deviations" not in q]
    return ", ".join(words) if row.quantities else "nothing was identified"
