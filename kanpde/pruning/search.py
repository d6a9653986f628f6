"""A search among smaller networks: each is trained from what is left of a larger one, and kept if it is good enough."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from kanpde.enlarging import bases_of
from kanpde.estimate import TrainedField
from kanpde.lifting import impose
from kanpde.network import Network, network_from_spec, network_spec
from kanpde.network.architecture import layer_from_spec
from kanpde.pruning.importance import network_of
from kanpde.pruning.surgery import fingerprint
from kanpde.record import SAFETY, Record
from kanpde.solution import Solution, solve
from kanpde.solution.files import saved
from kanpde.solution.units import ScaledField
from kanpde.stages import Stage

STEPS = 150  # of each network that is tried, at most
KEY = "search"  # where a record keeps the attempts, and how their search ended
LEAST = 1e-3  # seconds that an attempt gets, for `solve` takes no less than something
COMPLETE, LATE, INTERRUPTED = "complete", "out of time", "interrupted"

Row = dict[str, Any]


@dataclass(frozen=True)
class Attempt:
    """One network that was tried.

    Attributes:
        change: what was changed, in words.
        network: its title, with the nodes of each layer.
        edges: bases and their resolutions.
        parameters: of the network.
        error_estimate: of the relative L2 error, None where none can be trusted.
        seconds: of its training.
        kept: whether it met the tolerance.
        key: a name of the network that was trained, by which a search knows it again.
    """

    change: str
    network: str
    edges: str
    parameters: int
    error_estimate: float | None
    seconds: float
    kept: bool
    key: str

    def __str__(self) -> str:
        error = "unknown" if self.error_estimate is None else f"{self.error_estimate:.1e}"
        verdict = "kept" if self.kept else "not good enough"
        return f"{self.change}: {self.network} ({self.edges}), {self.parameters} parameters, error {error}, {verdict}"


@dataclass(frozen=True)
class Candidate:
    """A network to be tried.

    Attributes:
        change: what was changed, in words.
        network: the start of its training.
        resolution: to which its edges grow on the way, stage by stage; 0 for none.
    """

    change: str
    network: Network
    resolution: int = 0

    @property
    def key(self) -> str:
        """By which a search knows that it has tried it."""
        return fingerprint(self.network) + (f" to {self.resolution}" if self.resolution else "")

    @property
    def stages(self) -> list[Stage]:
        """From coarse edges to fine ones, each half again as fine: random starts on fine edges go astray."""
        rungs, today = [], max(e.basis.resolution for layer in self.network.layers for e in layer.expansions)
        while today < self.resolution:
            today = min(self.resolution, today + max(1, today // 2))
            rungs.append(Stage(intervals=today, iterations=STEPS))
        return [Stage(iterations=STEPS), *rungs]


@dataclass(eq=False)
class Search:
    """What a search has found so far.

    Args:
        best: the smallest solution that is good enough.
        rtol: relative L2 error that all have to reach.
        max_seconds: time limit for this call, None without one.
        tell: is called with each attempt.
        callback: is called once an iteration, as by `solve`.
        checkpoint: file that keeps the best solution and the attempts.
        attempts: all that were tried, in order.
        large: the network that the search began with; its structure is what counts.
    """

    best: Solution
    rtol: float
    max_seconds: float | None = None
    tell: Callable[[Attempt], None] | None = None
    callback: Callable[[Row], None] | None = None
    checkpoint: Path | None = None
    attempts: list[Attempt] = field(default_factory=list)
    started: float = field(default_factory=time.perf_counter)
    interrupted: bool = False
    large: Network | None = None

    def __post_init__(self) -> None:
        """The first row of the table is what the search begins with."""
        self.before = self.best.seconds
        if not self.attempts:
            self.attempts.append(_attempt(Candidate("as solved", self.network), self.best, self.good))
        self.known = {attempt.key for attempt in self.attempts}
        self.large = self.large or self.network

    @property
    def network(self) -> Network:
        """That of the best solution."""
        return network_of(self.best)

    @property
    def left(self) -> float | None:
        """Seconds that are left, None without a limit."""
        return None if self.max_seconds is None else self.max_seconds - (time.perf_counter() - self.started)

    @property
    def good(self) -> bool:
        """Whether the best solution meets the tolerance."""
        error = self.best.error_estimate
        return error is not None and SAFETY * error <= self.rtol

    @property
    def over(self) -> bool:
        """Whether time is up, or the user has stopped the search."""
        return self.interrupted or (self.left is not None and self.left <= 0)

    def succeeds(self, candidate: Candidate) -> bool:
        """Trains a candidate that was not tried before; a smaller one that is good enough is the best from now on."""
        smaller = candidate.network.n_parameters < self.network.n_parameters
        if self.over or not smaller or candidate.key in self.known:
            return False
        try:
            found = trained(self, candidate)
        except KeyboardInterrupt:
            self.interrupted = True
            return False
        if not found.record.finished:  # nothing is known of this one: a resumed search tries it again
            self.interrupted = found.status == INTERRUPTED
            return False
        kept = found.converged and found.n_parameters < self.network.n_parameters
        self._noted(_attempt(candidate, found, kept), found)
        return kept

    def _noted(self, attempt: Attempt, found: Solution) -> None:
        self.attempts.append(attempt)
        self.known.add(attempt.key)
        self.best = found if attempt.kept else self.best
        if self.tell is not None:
            self.tell(attempt)
        if self.checkpoint is not None:
            saved(self.result(), self.checkpoint)

    @property
    def ending(self) -> str:
        """Whether the search is complete, and if not, why."""
        return INTERRUPTED if self.interrupted else LATE if self.over else COMPLETE

    def result(self) -> Solution:
        """The best solution with the table of what was tried, and with the time of the whole search."""
        record = self._answer()
        table = [dataclasses.asdict(attempt) for attempt in self.attempts]
        spent = self.before + time.perf_counter() - self.started
        large = network_spec(self.large or self.network)
        points = {**record.points, KEY: {"ending": self.ending, "attempts": table, "large": large}}
        return dataclasses.replace(self.best, record=dataclasses.replace(record, points=points, seconds=spent))

    def _answer(self) -> Record:
        """The best record, as the answer to this search's tolerance."""
        record = self.best.record
        answer = record.answer(self.rtol)
        if answer is not None or not record.converged:
            return answer or record
        error = f"the estimated error {record.error_estimate:.1e} is above {self.rtol:.1e}/{SAFETY}"
        status = f"not converged: {error}, and no smaller network does better; solve to this tolerance first"
        return dataclasses.replace(record, rtol=self.rtol, converged=False, status=status)


def attempts(solution: Solution) -> tuple[Attempt, ...]:
    """What `pruned` or `smallest` has tried, first what it began with; nothing where neither made the solution."""
    return tuple(Attempt(**row) for row in solution.record.points.get(KEY, {}).get("attempts", ()))


def ending(solution: Solution) -> str:
    """How their search ended: "complete", "out of time" or "interrupted"; "" where there was none."""
    return str(solution.record.points.get(KEY, {}).get("ending", ""))


def begun_with(solution: Solution) -> Network | None:
    """The structure that their search began with, without its coefficients; None where there was none."""
    spec = solution.record.points.get(KEY, {}).get("large")
    if spec is None:
        return None
    count = sum(layer.columns * layer.rows for layer in map(layer_from_spec, spec["layers"]))
    return network_from_spec(spec, torch.zeros(count, dtype=torch.float64))


def _attempt(candidate: Candidate, found: Solution, kept: bool) -> Attempt:
    return Attempt(
        candidate.change,
        network_of(found).title,
        bases_of(network_of(found)),
        found.n_parameters,
        found.error_estimate,
        found.seconds,
        kept,
        candidate.key,
    )


def trained(search: Search, candidate: Candidate) -> Solution:
    """A candidate in its solution's place, trained as it is: nothing grows."""
    best = search.best
    options: dict[str, Any] = {
        "stages": candidate.stages,
        "seed": best.record.seed,
        "max_seconds": None if search.left is None else max(search.left, LEAST),
        "exact_conditions": _exact(best),
        "callback": search.callback,
        "windows": 1,
        "continuation": False,
    }
    return solve(best.problem, search.rtol, initial_guess=_with(best, candidate.network), **options)


def _with(solution: Solution, network: Network) -> Solution:
    """The solution with another network in its field, as a guess."""
    inner = TrainedField(network, _trained_field(solution).ansatz)
    own = solution.field
    return dataclasses.replace(
        solution, field=dataclasses.replace(own, inner=inner) if isinstance(own, ScaledField) else inner
    )


def _trained_field(solution: Solution) -> TrainedField:
    """The network in its ansatz, without the units around it."""
    own = solution.field.inner if isinstance(solution.field, ScaledField) else solution.field
    assert isinstance(own, TrainedField)  # `network_of` has refused windows
    return own


def _exact(solution: Solution) -> bool | None:
    """How its conditions were kept, in the words of `solve`."""
    imposed = _trained_field(solution).ansatz.imposed
    return None if impose(solution.problem).imposed == imposed else bool(imposed)
