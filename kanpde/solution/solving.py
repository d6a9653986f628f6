"""`solve`: from a problem and a tolerance to a solution."""

from __future__ import annotations

import dataclasses
import math
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from kanpde.eigen import has_eigenvalue, inverse_iteration
from kanpde.errors import ProblemError, ProblemWarning
from kanpde.features import features_of
from kanpde.field import Ansatz
from kanpde.files import check_writable
from kanpde.lifting import impose
from kanpde.network import Network, Trainable, restarted
from kanpde.plan import Ladder, Stage, check_weights, default_network, fitted
from kanpde.problem import Problem
from kanpde.references.resonance import resonance
from kanpde.residuals import MEMORY
from kanpde.scaling import needs_scaling, scaled, scales_of
from kanpde.solution.files import joined, load, progress_of, saved, solution_of
from kanpde.solution.solution import Solution
from kanpde.solution.units import Units
from kanpde.solution.windows import can_march, edges_of, window_problem, windows_for
from kanpde.start import CoarseStart
from kanpde.training import Progress, Row, Run, Wishes

EVERY = 10  # iterations between two lines of `progress=True`


def solve(
    problem: Problem,
    rtol: float = 1e-6,
    *,
    network: torch.nn.Module | None = None,
    stages: Sequence[Stage] | None = None,
    seed: int = 0,
    max_seconds: float | None = None,
    progress: bool = False,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    initial_guess: Solution | None = None,
    exact_conditions: bool | None = None,
    device: str | torch.device | None = None,
    weights: Sequence[float] | None = None,
    callback: Callable[[Row], None] | None = None,
    memory: int = MEMORY,
    windows: int | None = None,
) -> Solution:
    """Solves a problem to a relative L2 accuracy, or says why it could not.

    Args:
        problem: what to solve.
        rtol: relative L2 error to reach; met when 1.5 · error_estimate ≤ rtol.
        network: KAN(...), MLP(...) or your own module with as many inputs as coordinates; chosen by default.
        stages: `Stage`s from coarse to fine; chosen from the network by default.
        seed: of everything random. The same seed gives the same result.
        max_seconds: stop after this wall time with what was reached; a resumed run gets it anew.
        progress: print a line now and then.
        checkpoint: file that keeps the state between stages, and the solution in the end.
        resume: go on from `checkpoint` if it exists; a finished run is returned as it is.
        initial_guess: a solution of a similar problem whose network is the start.
        exact_conditions: True or False to impose conditions exactly or by soft rows; None lets the problem decide.
        device: "cpu" or a CUDA device.
        weights: one positive factor for each soft condition, instead of balancing.
        callback: called once an iteration with a dictionary of plain values.
        memory: bytes for the Jacobian and its tables; a larger system is accumulated in blocks, never kept whole.
        windows: of time, solved one after the other; by default as many as a coarse solution asks for, mostly one.

    Returns:
        The solution, converged or not; `status` says which and why. Ctrl-C keeps what was reached.

    Raises:
        ProblemError: arguments that make no solve, or a checkpoint of another problem.
        StoreError: a checkpoint that is damaged or cannot be written.
    """
    started = time.perf_counter()
    _check(problem, rtol, seed, max_seconds)
    check_weights(problem, weights)
    earlier = _earlier(problem, checkpoint, resume, network)
    if earlier is not None and (answer := earlier.record.answer(rtol)) is not None:
        return dataclasses.replace(earlier, record=answer)
    count = windows or _windows(problem, network, stages, initial_guess, seed)
    if count > 1:
        done = _marched(
            problem,
            count,
            rtol,
            seed=seed,
            max_seconds=max_seconds,
            progress=progress,
            memory=memory,
            exact_conditions=exact_conditions,
            device=device,
            callback=callback,
            network=network,
            stages=stages,
        )
        if checkpoint is not None:
            saved(done, checkpoint)
        return done
    warn_of_resonance(problem)
    units = _units(problem)
    problem = problem if units is None else scaled(problem, units.scales)
    ansatz = _ansatz(problem, exact_conditions, network) if earlier is None else earlier.field.ansatz
    candidates = _candidates(problem, ansatz, network, earlier or initial_guess, seed, device)
    start = Progress(candidates[0]) if earlier is None else _continued(earlier, candidates[0])
    if has_eigenvalue(problem) and earlier is None and initial_guess is None and isinstance(candidates[0], Network):
        candidates = [inverse_iteration(problem, ansatz, candidates[0], seed)]
    chosen = tuple(stages) if stages is not None else Ladder()
    wishes = Wishes(rtol, seed, max_seconds, weights, memory=memory)
    run = Run(problem, ansatz, chosen, wishes, start, _announcer(progress, callback), started=started)
    run.units = units
    if network is None and stages is None and earlier is None and initial_guess is None:
        run.rescue = CoarseStart(problem, ansatz, seed)
    if checkpoint is not None:
        check_writable(checkpoint)
        run.checkpoint = lambda state: _keep(checkpoint, run, state)
    solution = solution_of(run, run.go(candidates))
    if checkpoint is not None:
        saved(solution, checkpoint)
    return solution


def _windows(problem: Problem, network: Any, stages: Sequence[Stage] | None, guess: Solution | None, seed: int) -> int:
    """How many windows of time a nonlinear evolution takes; one where the user chose the network."""
    chosen = network is not None or stages is not None or guess is not None
    if chosen or problem.is_linear or not problem.domain.is_box or not can_march(problem):
        return 1
    coarse = CoarseStart(problem, impose(problem, exact=False), seed).coarse
    return 1 if coarse is None else windows_for(problem, coarse)


def _marched(problem: Problem, count: int, rtol: float, **options: Any) -> Solution:
    """Window after window, each to half the tolerance, within what is left of the time.

    Raises:
        ProblemError: a problem that cannot be cut.
    """
    if not can_march(problem):
        raise ProblemError(
            f"{problem.name} cannot be solved in windows: that takes Time, Initial conditions and real unknowns; "
            "leave windows out"
        )
    found: list[Solution] = []
    edges, limit, begun = edges_of(problem, count), options.pop("max_seconds"), time.perf_counter()
    for k in range(count):
        left = None if limit is None else max(1.0, (limit - (time.perf_counter() - begun)) / (count - k))
        own = window_problem(problem, edges[k], edges[k + 1], found[-1].field if found else None)
        found.append(solve(own, rtol / 2, max_seconds=left, windows=1, **options))
    return joined(problem, found, edges, rtol)


def _units(problem: Problem) -> Units | None:
    """Sizes by which a problem in physical units becomes dimensionless; None where it is so already."""
    return Units(problem, scales_of(problem)) if needs_scaling(problem) else None


def warn_of_resonance(problem: Problem) -> None:
    """Warns where a frequency is near an eigenvalue of the domain, with the distance.

    Raises:
        ProblemError: it is one, to rounding.
    """
    found = resonance(problem)
    if found is not None and found.near:
        warnings.warn(f"{problem.name}: {found.message}", ProblemWarning, stacklevel=3)


def _ansatz(problem: Problem, exact: bool | None, network: torch.nn.Module | None) -> Ansatz:
    """Exact conditions; a network of the user's is a function of the coordinates, ours of what the shape asks for."""
    ansatz = impose(problem, exact)
    return ansatz if network is not None else dataclasses.replace(ansatz, features=features_of(problem))


def _check(problem: Problem, rtol: float, seed: int, max_seconds: float | None) -> None:
    if not isinstance(problem, Problem):
        raise ProblemError(f"solve takes a Problem, got {type(problem).__name__}")
    if not (math.isfinite(rtol) and rtol > 0):
        raise ProblemError(f"rtol must be a positive number, got {rtol}")
    if seed < 0:
        raise ProblemError(f"seed must not be negative, got {seed}")
    if max_seconds is not None and not max_seconds > 0:
        raise ProblemError(f"max_seconds must be positive, got {max_seconds}")


def _earlier(
    problem: Problem, checkpoint: str | Path | None, resume: bool, network: torch.nn.Module | None
) -> Solution | None:
    """What an earlier run left at the checkpoint, if it is to be resumed.

    Raises:
        ProblemError: it solved another problem, or there is no place to look for it.
        StoreError: it cannot be read.
    """
    if resume and checkpoint is None:
        raise ProblemError("resume=True needs checkpoint=, the file that the earlier run kept")
    if not resume or checkpoint is None or not Path(checkpoint).exists():
        return None
    own = network if network is not None and not isinstance(network, Network) else None
    return load(checkpoint, problem, own)


def _candidates(
    problem: Problem,
    ansatz: Ansatz,
    network: torch.nn.Module | None,
    guess: Solution | None,
    seed: int,
    device: str | torch.device | None,
) -> list[Trainable]:
    """The networks that compete at the coarse level: one where there is a guess, else several starts."""
    if guess is not None:
        return [_on(device, fitted(_module(guess.network), problem, ansatz.features, ansatz.clusterings))]
    chosen = network if network is not None else default_network(problem, seed, ansatz.features)
    first = fitted(chosen, problem, ansatz.features)
    if not isinstance(first, Network) or len(first.layers) == 1:
        return [_on(device, first)]
    others = [restarted(first, seed + 100_003 * k) for k in range(1, Wishes.candidates)]
    for other in others:
        other.scalars = first.scalars
    return [_on(device, n) for n in (first, *others)]


def _module(network: Any) -> torch.nn.Module:
    return network if isinstance(network, Network) else network.module


def _on(device: str | torch.device | None, network: Any) -> Any:
    return network if device is None else network.to(device)


def _continued(earlier: Solution, network: Trainable) -> Progress:
    return dataclasses.replace(progress_of(earlier), network=network)


def _announcer(progress: bool, callback: Callable[[Row], None] | None) -> Callable[[Row], None] | None:
    if not progress:
        return callback

    def announce(row: Row) -> None:
        if row["iteration"] % EVERY == 0:
            print(f"stage {row['stage']}  iteration {row['iteration']}  residual {row['residual']:.2e}", flush=True)
        if callback is not None:
            callback(row)

    return announce


def _keep(path: str | Path, run: Run, progress: Progress) -> None:
    """Writes a state between stages, for a later process to go on from."""
    saved(solution_of(run, progress), path, status="running")
