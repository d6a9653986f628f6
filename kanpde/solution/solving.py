"""`solve`: from a problem and a tolerance to a solution."""

from __future__ import annotations

import dataclasses
import glob
import math
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from kanpde.continuation import factors_for, path_to
from kanpde.dimensionless import needs_scaling, scaled, scales_of
from kanpde.eigen import has_eigenvalue, inverse_iteration
from kanpde.errors import ProblemError, ProblemWarning
from kanpde.features import features_of
from kanpde.field import Ansatz
from kanpde.files import check_writable
from kanpde.lifting import impose
from kanpde.network import Network, Trainable, restarted
from kanpde.plan import check_weights, default_network, fitted
from kanpde.plots.history import begins_stage, stage_words
from kanpde.problem import Problem
from kanpde.record import UNFINISHED
from kanpde.references.resonance import resonance
from kanpde.residuals import MEMORY
from kanpde.snapshot import Snapshot
from kanpde.solution.files import joined, load, progress_of, saved, snapshot_of, solution_of
from kanpde.solution.solution import Solution
from kanpde.solution.units import Units
from kanpde.solution.windows import can_march, edges_of, window_problem, windows_for
from kanpde.stages import LARGEST_NETWORK, Ladder, Pinned, Stage
from kanpde.start import CoarseStart
from kanpde.training import Progress, Row, Run, Wishes

EVERY = 10  # iterations between two lines of `progress=True`
LED_RTOL = 1e-2  # to which the easier problems of a continuation are solved
LED_LARGEST = 800  # parameters that they may take


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
    continuation: bool | Sequence[float] | Sequence[Problem] | None = None,
    pinned: Pinned | None = None,
) -> Solution:
    """Solves a problem to a relative L2 accuracy, or says why it could not.

    Args:
        problem: what to solve.
        rtol: relative L2 error to reach; met when 1.5 · error_estimate ≤ rtol.
        network: KAN(...), MLP(...) or your own module with as many inputs as coordinates; chosen by default.
        stages: `Stage`s from coarse to fine; chosen from the network by default.
        seed: of everything random. The same seed gives the same result.
        max_seconds: stop after this wall time with what was reached; a resumed run gets it anew.
        progress: print a line for each stage and one now and then.
        checkpoint: file that keeps the run while it goes on, and the solution in the end.
        resume: go on from `checkpoint` if it exists, bit by bit; a finished run is returned as it is.
        initial_guess: a solution of a similar problem whose network is the start.
        exact_conditions: True or False to impose conditions exactly or by soft rows; None lets the problem decide.
        device: "cpu" or a CUDA device.
        weights: one positive factor for each soft condition, instead of balancing.
        callback: called once an iteration with a dictionary of plain values.
        memory: bytes for the Jacobian and its tables; a larger system is accumulated in blocks, never kept whole.
        windows: of time, solved one after the other; by default as many as a coarse solution asks for, mostly one.
        continuation: lead the problem from easy to hard: True by factors on the derivatives of highest order that the
            operator suggests, or such factors from large to small, or problems. None does so for transport-dominated
            problems that have no coarse solution to start from.
        pinned: choices made in the driver's place: `Pinned(basis=..., depth=..., ...)`.

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
    if earlier is not None and not earlier.iterations:
        earlier = None  # stopped before its first step: it begins again
    order = Order(
        problem,
        rtol,
        network=network,
        stages=stages,
        seed=seed,
        max_seconds=max_seconds,
        progress=progress,
        checkpoint=checkpoint,
        resume=resume,
        guess=initial_guess,
        exact=exact_conditions,
        device=device,
        weights=weights,
        callback=callback,
        memory=memory,
        pinned=pinned or Pinned(),
    )
    count = windows or _windows(order)
    if count > 1:
        return _marched(order, count)
    path = () if earlier is not None else _path(order, continuation)
    return _led(order, path, started) if path else _trained(order, earlier, started)


@dataclass(frozen=True)
class Order:
    """The arguments of `solve`, in one piece."""

    problem: Problem
    rtol: float
    network: torch.nn.Module | None
    stages: Sequence[Stage] | None
    seed: int
    max_seconds: float | None
    progress: bool
    checkpoint: str | Path | None
    resume: bool
    guess: Solution | None
    exact: bool | None
    device: str | torch.device | None
    weights: Sequence[float] | None
    callback: Callable[[Row], None] | None
    memory: int
    pinned: Pinned

    @property
    def chosen(self) -> bool:
        """Whether the user decided what a run starts from."""
        return self.network is not None or self.stages is not None or self.guess is not None

    def part(self, name: str) -> Path | None:
        """The file of a part of the run, beside that of the whole."""
        return None if self.checkpoint is None else Path(self.checkpoint).with_suffix(f".{name}.h5")

    def cleared(self, kind: str) -> None:
        """Removes the files of parts, when that of the whole has all that they had."""
        if self.checkpoint is not None:
            path = Path(self.checkpoint)
            for file in path.parent.glob(f"{glob.escape(path.stem)}.{kind}*.h5"):
                file.unlink(missing_ok=True)

    def solved(self, problem: Problem, rtol: float, name: str, left: float | None, **changes: Any) -> Solution:
        """A part of the run, solved by itself and kept in a file of its own until the whole is done."""
        options = {
            "network": self.network,
            "stages": self.stages,
            "exact_conditions": self.exact,
            "device": self.device,
            "callback": self.callback,
            "memory": self.memory,
            "pinned": self.pinned,
        } | changes
        return solve(
            problem,
            rtol,
            seed=self.seed,
            max_seconds=left,
            progress=self.progress,
            checkpoint=self.part(name),
            resume=self.resume and self.checkpoint is not None,
            windows=1,
            continuation=False,
            **options,
        )


def _trained(order: Order, earlier: Solution | None, started: float) -> Solution:
    """One run of the driver."""
    problem, checkpoint = order.problem, order.checkpoint
    warn_of_resonance(problem)
    units = _units(problem)
    problem = problem if units is None else scaled(problem, units.scales)
    left = None if earlier is None or checkpoint is None else snapshot_of(checkpoint, earlier, problem)
    if left is not None and not left.progress.history:
        earlier = left = None  # time ran out while starts competed: they compete again
    guess = earlier or order.guess
    ansatz = _ansatz(problem, order) if earlier is None else earlier.field.ansatz
    candidates = _candidates(problem, ansatz, order, guess)
    start = Progress(candidates[0]) if earlier is None else _continued(earlier, candidates[0], left)
    if has_eigenvalue(problem) and guess is None and isinstance(candidates[0], Network):
        candidates = [inverse_iteration(problem, ansatz, candidates[0], order.seed)]
    pins = order.pinned
    chosen = Ladder(pins.largest or LARGEST_NETWORK) if order.stages is None else tuple(order.stages)
    wishes = Wishes(order.rtol, order.seed, order.max_seconds, order.weights, memory=order.memory, pinned=pins)
    rescue = CoarseStart(problem, ansatz, order.seed) if not order.chosen and pins == Pinned() else None
    announce = _announcer(order.progress, order.callback)
    run = Run(problem, ansatz, chosen, wishes, start, announce, rescue=rescue, started=started, snapshot=left)
    run.units = units
    if checkpoint is not None:
        check_writable(checkpoint)
        run.checkpoint = lambda state: _keep(checkpoint, run, state)
    solution = solution_of(run, run.go(candidates))
    if checkpoint is not None:
        saved(solution, checkpoint, run.left)
        if solution.iterations:
            order.cleared("step")
    return solution


def _led(order: Order, path: Sequence[Problem], started: float) -> Solution:
    """The problems of a continuation one after the other, each from the solution of the one before."""
    guess, status = order.guess, ""
    small = dataclasses.replace(order.pinned, largest=min(LED_LARGEST, order.pinned.largest or LED_LARGEST))
    for k, step in enumerate(path):
        left = None if order.max_seconds is None else order.max_seconds - (time.perf_counter() - started)
        status = "out of time" if left is not None and left <= 0 else ""
        if status:
            break
        share = None if left is None else left / (len(path) - k + 1)
        changes = {"initial_guess": guess, "pinned": small, "stages": None}
        guess = order.solved(step, max(order.rtol, LED_RTOL), f"step{k}", share, **changes)
        status = "interrupted" if guess.status == "interrupted" else ""
        if status:
            break
    final = dataclasses.replace(order, guess=guess, network=None)
    return _reached(final, status, started) if status else _trained(final, None, started)


def _reached(order: Order, status: str, started: float) -> Solution:
    """What a continuation has reached that was stopped on its way; the files of its steps keep the rest."""
    found = _trained(dataclasses.replace(order, stages=(), checkpoint=None), None, started)
    return dataclasses.replace(found, record=dataclasses.replace(found.record, status=status))


def _path(order: Order, wanted: bool | Sequence[float] | Sequence[Problem] | None) -> tuple[Problem, ...]:
    """The easier problems on the way; by default for what is dominated by transport and has no coarse solution."""
    if wanted is not None:
        return path_to(order.problem, wanted)
    if order.chosen or has_eigenvalue(order.problem) or not factors_for(order.problem):
        return ()
    known = CoarseStart(order.problem, impose(order.problem, exact=False), order.seed).coarse is not None
    return () if known else path_to(order.problem, True)


def _windows(order: Order) -> int:
    """How many windows of time a nonlinear evolution takes; one where the user chose the network."""
    problem = order.problem
    if order.chosen or problem.is_linear or not problem.domain.is_box or not can_march(problem):
        return 1
    coarse = CoarseStart(problem, impose(problem, exact=False), order.seed).coarse
    return 1 if coarse is None else windows_for(problem, coarse)


def _marched(order: Order, count: int) -> Solution:
    """Window after window, each to half the tolerance, within what is left of the time.

    Every window is kept in a file beside the checkpoint until all are done, so that a resumed run repeats none.

    Raises:
        ProblemError: a problem that cannot be cut.
    """
    problem = order.problem
    if not can_march(problem):
        raise ProblemError(
            f"{problem.name} cannot be solved in windows: that takes Time, Initial conditions and real unknowns; "
            "leave windows out"
        )
    found: list[Solution] = []
    edges, limit, begun = edges_of(problem, count), order.max_seconds, time.perf_counter()
    for k in range(count):
        left = None if limit is None else max(1.0, (limit - (time.perf_counter() - begun)) / (count - k))
        own = window_problem(problem, edges[k], edges[k + 1], found[-1].field if found else None)
        found.append(order.solved(own, order.rtol / 2, f"window{k}", left))
        if found[-1].status == "interrupted":
            break
    done = joined(problem, found, edges[: len(found) + 1], order.rtol)
    if order.checkpoint is not None and done.status not in UNFINISHED:
        saved(done, order.checkpoint)
        order.cleared("window")
    return done


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


def _ansatz(problem: Problem, order: Order) -> Ansatz:
    """Exact conditions; a network of the user's is a function of the coordinates, ours of what the shape asks for.

    A guess brings its own inputs: its network is a function of them.
    """
    ansatz = impose(problem, order.exact)
    if order.guess is not None:
        own = order.guess.field.ansatz
        return dataclasses.replace(ansatz, features=own.features, clusterings=own.clusterings)
    return ansatz if order.network is not None else dataclasses.replace(ansatz, features=features_of(problem))


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


def _candidates(problem: Problem, ansatz: Ansatz, order: Order, guess: Solution | None) -> list[Trainable]:
    """The networks that compete at the coarse level: one where there is a guess, else several starts."""
    seed = order.seed
    if guess is not None:
        return [_on(order.device, fitted(_module(guess.network), problem, ansatz.features, ansatz.clusterings))]
    chosen = order.network
    if chosen is None:
        chosen = default_network(problem, seed, ansatz.features, order.pinned)
    first = fitted(chosen, problem, ansatz.features)
    if not isinstance(first, Network) or len(first.layers) == 1:
        return [_on(order.device, first)]
    count = order.pinned.candidates or Wishes.candidates
    others = [restarted(first, seed + 100_003 * k) for k in range(1, count)]
    for other in others:
        other.scalars = first.scalars
    return [_on(order.device, n) for n in (first, *others)]


def _module(network: Any) -> torch.nn.Module:
    return network if isinstance(network, Network) else network.module


def _on(device: str | torch.device | None, network: Any) -> Any:
    return network if device is None else network.to(device)


def _continued(earlier: Solution, network: Trainable, left: Snapshot | None) -> Progress:
    """Where a resumed run begins: between two iterations where the file tells, else with the network it holds."""
    if left is not None:
        return dataclasses.replace(left.progress, seconds=earlier.seconds, status="running")
    return dataclasses.replace(progress_of(earlier), network=network)


def _announcer(progress: bool, callback: Callable[[Row], None] | None) -> Callable[[Row], None] | None:
    if not progress:
        return callback

    before: Row | None = None

    def announce(row: Row) -> None:
        nonlocal before
        if before is None or begins_stage(before, row):
            print(stage_words(row), flush=True)
        before = row
        if row["iteration"] % EVERY == 0:
            print(f"stage {row['stage']}  iteration {row['iteration']}  residual {row['residual']:.2e}", flush=True)
        if callback is not None:
            callback(row)

    return announce


def _keep(path: str | Path, run: Run, progress: Progress) -> None:
    """Writes a state of a run, for a later process to go on from."""
    saved(solution_of(run, progress), path, run.left, status="running")
