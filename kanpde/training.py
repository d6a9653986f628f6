"""The driver: sample, compile, iterate, estimate, refine, until the estimate is small enough or means run out."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from kanpde.errors import ProblemError
from kanpde.estimate import Estimator, TrainedField
from kanpde.field import Ansatz
from kanpde.identification import Uncertainty, uncertainty
from kanpde.network import Network, Trainable, widened
from kanpde.optim import LevenbergMarquardt, State, Status
from kanpde.plan import CANDIDATES, POINTS_PER_PARAMETER, Ladder, Stage, assemble
from kanpde.problem import Problem
from kanpde.record import SAFETY
from kanpde.references.correction import DefectEstimate
from kanpde.residuals import MEMORY, ResidualSystem
from kanpde.start import CoarseStart

SCOUTING = 12  # steps that each candidate gets before the best is kept
FEWEST = 15  # steps before a stage is judged: damping may have to rise first
PATIENCE = (8, 1.5)  # the loss must fall by this factor over so many steps, or the next stage begins
LAST_PATIENCE = (25, 1.1)  # the same where no finer stage follows
CHECK = 20  # steps between estimates while the ratio of error to residual is unknown
AFRESH = 1e-6  # damping after a stage in which no step helped any more
OVERFIT = 10.0  # by this factor the residual may rise at new points; beyond, the points were too few
MOST_POINTS = 12.0  # points a parameter that the driver goes up to
SETBACK = 2.0  # a stage whose estimate is this much worse than the best is given up
PROMISING = 0.05  # of the first residual: above it no error estimate is worth its cost
DEAR = 5.0  # seconds: after an estimate that took longer and gave nothing, the residual must fall before the next
LIMITED = 1.2  # an estimate within this factor of the uncertainty from noise cannot be lowered
REOPENING = 10.0  # a refined stage starts with this many times the damping that the last one ended with

Row = dict[str, Any]


@dataclass(frozen=True)
class Wishes:
    """What the user asked of a run.

    Attributes:
        rtol: relative L2 error to reach.
        seed: of candidates and points.
        max_seconds: time limit for this call, None without one; a resumed run gets it anew.
        weights: one factor a condition instead of balancing.
        candidates: seeds tried at the coarse level.
        memory: bytes for the Jacobian and its tables.
    """

    rtol: float
    seed: int = 0
    max_seconds: float | None = None
    weights: Sequence[float] | None = None
    candidates: int = CANDIDATES
    memory: int = MEMORY


@dataclass(frozen=True, eq=False)
class Progress:
    """Where a run stands between stages: all that a later process needs to go on."""

    network: Trainable
    stage: int = 0
    damping: float = 1e-3
    iterations: int = 0
    seconds: float = 0.0
    history: tuple[Row, ...] = ()
    estimate: DefectEstimate | None = None
    status: str = "running"


@dataclass(eq=False)
class Run:
    """One training run; `progress` is replaced, never changed, so whoever holds one holds a consistent state."""

    problem: Problem
    ansatz: Ansatz
    stages: tuple[Stage, ...] | Ladder
    wishes: Wishes
    progress: Progress
    callback: Callable[[Row], None] | None = None
    checkpoint: Callable[[Progress], None] | None = None
    rescue: CoarseStart | None = None
    started: float = field(default_factory=time.perf_counter)
    ratio: float = math.inf
    best: tuple[Trainable, DefectEstimate] | None = None
    spare: list[Trainable] = field(default_factory=list)
    doubtful: list[tuple[float, Trainable]] = field(default_factory=list)
    system: ResidualSystem | None = None
    units: Any = None
    noise: Uncertainty | None = None

    def __post_init__(self) -> None:
        """The estimator keeps its factorisations for the whole run; a resumed run its density of points."""
        self.estimator = Estimator(self.problem)
        self.before = self.progress.seconds
        rows = self.progress.history
        self.density = float(rows[-1]["density"]) if rows else POINTS_PER_PARAMETER
        self.expected = float(rows[-1]["residual"]) if rows else math.inf
        self.first = math.inf
        self.hurdle = math.inf

    @property
    def seconds(self) -> float:
        """Wall time, over all resumes."""
        return self.before + time.perf_counter() - self.started

    @property
    def converged(self) -> bool:
        """Whether the last trusted estimate is below the tolerance."""
        estimate = self.progress.estimate
        return (
            estimate is not None
            and estimate.trusted
            and estimate.relative is not None
            and SAFETY * estimate.relative <= self.wishes.rtol
        )

    @property
    def late(self) -> bool:
        """Whether the time is used up."""
        return self.wishes.max_seconds is not None and time.perf_counter() - self.started >= self.wishes.max_seconds

    @property
    def begun(self) -> bool:
        """Whether the stage that comes now was interrupted: its network has grown already."""
        history = self.progress.history
        return bool(history) and history[-1]["stage"] == self.progress.stage

    def go(self, candidates: Sequence[Trainable]) -> Progress:
        """Runs all stages that are left.

        Args:
            candidates: networks of which the best after a few steps is kept; ignored when the run is resumed.
        """
        status = "running"
        try:
            if not self.progress.history and self.rescue is not None and self.rescue.wanted:
                self._rescued()
            elif not self.progress.history and len(candidates) > 1:
                self._scout(candidates)
            while (stage := self._following()) is not None:
                self._stage(stage)
                if self.converged or self.late or self.limited:
                    break
                if self.checkpoint is not None:
                    self.checkpoint(self.progress)
            rows = self.progress.history
            if self.progress.estimate is None and rows and self._promising(rows[-1]["loss"]):
                self._estimated(rows[-1]["loss"])
            self._settle()
            status = self._verdict()
        except KeyboardInterrupt:
            status = "interrupted"
            self._estimate_again()
            self._settle(SETBACK)
        self.progress = dataclasses.replace(self.progress, status=status, seconds=self.seconds)
        return self.progress

    def _scout(self, candidates: Sequence[Trainable]) -> None:
        """A few coarse steps from several starts: final errors vary ten-thousand-fold with the seed."""
        stage, results = self._following(), []
        if stage is None:
            return
        for network in candidates:
            system = self._system(network, stage)
            state = stage.engine.init(system, system.theta)
            for _ in range(SCOUTING):
                if state.status is not Status.RUNNING or self.late:
                    break
                state = stage.engine.step(system, state)
            if math.isfinite(state.loss):
                system.adopt(state.theta)
                results.append((state.loss, network))
        ranked = [network for _, network in sorted(results, key=lambda result: result[0])] or list(candidates)
        self.progress = dataclasses.replace(self.progress, network=ranked[0])
        self.spare = ranked[1:]

    def _following(self) -> Stage | None:
        """The stage that comes now: the user's next one, or what the ladder makes of the run so far."""
        k = self.progress.stage
        if not isinstance(self.stages, Ladder):
            stage = self.stages[k] if k < len(self.stages) else None
            return dataclasses.replace(stage, widen=0) if stage is not None and self.begun else stage
        if self.begun:
            return self.stages.following(self.progress.network, [], widened=False)
        ends = {row["stage"]: row for row in self.progress.history}
        wider = k > 1 and ends[k - 1]["nodes"] > ends[k - 2]["nodes"]
        return self.stages.following(self.progress.network, [ends[j]["residual"] for j in sorted(ends)], wider)

    @property
    def _last(self) -> bool:
        """Whether no finer stage can follow."""
        if isinstance(self.stages, Ladder):
            return self.stages.following(self.progress.network, [1.0], widened=False) is None
        return self.progress.stage == len(self.stages) - 1

    def _system(self, network: Trainable, stage: Stage) -> ResidualSystem:
        seed = self.wishes.seed + 1000 * self.progress.stage
        wishes = self.wishes
        return assemble(self.problem, network, self.ansatz, stage, seed, wishes.weights, wishes.memory, self.density)

    def _sufficient(self, network: Trainable, stage: Stage) -> ResidualSystem:
        """The system of a stage; with more points where new ones show that the last stage had too few."""
        system = self._system(network, stage)
        if math.isinf(self.expected) or stage.points is not None:
            return system
        surprise = float(system.residual(system.theta).norm())
        if surprise > OVERFIT * self.expected and self.density < MOST_POINTS:
            self.density *= 2.0
            return self._system(network, stage)
        return system

    def _stage(self, stage: Stage) -> None:
        k, network = self.progress.stage, self._grown(stage)
        self.progress = dataclasses.replace(self.progress, network=network)
        system = self.system = self._sufficient(network, stage)
        patience = LAST_PATIENCE if self._last else PATIENCE
        engine = stage.engine
        damped = isinstance(engine, LevenbergMarquardt)
        if isinstance(engine, LevenbergMarquardt) and isinstance(stage.optimizer, str):
            engine = dataclasses.replace(engine, damping=self.progress.damping)
        state = engine.init(system, system.theta)
        if state.status is Status.NOT_FINITE:
            raise ProblemError(not_finite(system))
        if math.isinf(self.first):
            self.first = max(float(state.loss), 0.5 * float(system.residual(0.0 * system.theta).square().sum()))
        losses = [state.loss]
        for _ in range(stage.iterations):
            state = engine.step(system, state)
            losses.append(state.loss)
            self._record(k, system, state, math.sqrt(2 * state.loss))
            if state.status is not Status.RUNNING or self.late or (damped and _stalled(losses, *patience)):
                break
            if self._worth_estimating(state.loss, len(losses) if damped else 1) and self._estimated(state.loss):
                break
        if not self.converged:
            if self._promising(state.loss):
                self._estimated(state.loss)
            else:
                self.progress = dataclasses.replace(self.progress, estimate=None)
        damping = _reopened(state) if damped else self.progress.damping
        self.progress = dataclasses.replace(self.progress, stage=k + (not self.late), damping=damping)
        self.expected = math.sqrt(2 * state.loss)
        if isinstance(self.stages, Ladder):
            self._retreat()
            self._reconsider(state.loss)

    def _promising(self, loss: float) -> bool:
        """Whether the residual has fallen so far that an estimate can mean something."""
        return loss <= min(PROMISING**2 * self.first, self.hurdle)

    def _reconsider(self, loss: float) -> None:
        """No trusted estimate after the first stage: the residual is steep somewhere between points. Another start."""
        estimate = self.progress.estimate
        if self.progress.stage != 1 or not self.estimator.solvers or (estimate is not None and estimate.trusted):
            return
        if self.rescue is not None and not self._promising(loss) and self._rescued():
            return
        self.doubtful.append((loss, self.progress.network))
        self.expected = math.inf
        if self.spare:
            self.progress = dataclasses.replace(self.progress, network=self.spare.pop(0), stage=0, damping=1e-3)
        else:
            network = min(self.doubtful, key=lambda result: result[0])[1]
            self.progress = dataclasses.replace(self.progress, network=network)

    def _rescued(self) -> bool:
        """Goes on from a network fitted to a coarse solution, where there is one."""
        start = None if self.rescue is None else self.rescue()
        self.rescue = None
        if start is None:
            return False
        network, self.ansatz = start
        if self.ansatz.clusterings:
            self.estimator.expect_fronts()
        self.spare, self.doubtful, self.expected, self.first = [], [], math.inf, math.inf
        self.progress = dataclasses.replace(self.progress, network=network, damping=1e-3)
        return True

    def _retreat(self) -> None:
        """Gives up a stage that made things worse; the next one begins where the best ended, with more points."""
        now = self._last_estimate()
        if self.best is None or now is None or self.density >= MOST_POINTS:
            return
        network, estimate = self.best
        if estimate.relative is not None and now > SETBACK * estimate.relative:
            self.density, self.expected = 2.0 * self.density, math.inf
            self.progress = dataclasses.replace(self.progress, network=copy.deepcopy(network), estimate=estimate)

    def _settle(self, margin: float = 1.0) -> None:
        """The network with the best trusted estimate is what the run returns, unless the last is within a margin."""
        now = self._last_estimate()
        if self.best is not None and (now is None or now > margin * (self.best[1].relative or 0.0)):
            network, estimate = self.best
            self.progress = dataclasses.replace(self.progress, network=network, estimate=estimate)

    def _worth_estimating(self, loss: float, steps: int) -> bool:
        """Whether the residual foretells an error below the tolerance; now and then where no estimate says how."""
        if math.isinf(self.ratio):
            return steps % CHECK == 0 and self._promising(loss)
        return self.ratio * math.sqrt(2 * loss) * SAFETY <= self.wishes.rtol

    def _grown(self, stage: Stage) -> Trainable:
        network = self.progress.network
        if not isinstance(network, Network):
            return network
        scalars = network.scalars
        if stage.widen:
            network = widened(network, stage.widen, stage.widen, self.wishes.seed + 7919 * self.progress.stage)
        network = network if stage.intervals is None else network.grown(lambda _: stage.intervals)
        network.scalars = scalars
        return network

    def _record(self, k: int, system: ResidualSystem, state: Any, residual: float) -> None:
        network = system.network
        system.adopt(state.theta)
        row: Row = {
            "stage": k,
            "iteration": self.progress.iterations + 1,
            "loss": float(state.loss),
            "residual": residual,
            "damping": float(state.damping),
            "parameters": network.n_parameters,
            "nodes": sum(layer.outputs for layer in network.layers),
            "density": self.density,
            "seconds": self.seconds,
            "estimate": self._last_estimate(),
            "message": "" if state.status is Status.RUNNING else state.status.value,
        }
        self.progress = dataclasses.replace(
            self.progress,
            network=network,
            iterations=row["iteration"],
            seconds=row["seconds"],
            history=(*self.progress.history, row),
        )
        if self.callback is not None:
            self.callback(row)

    def _last_estimate(self) -> float | None:
        estimate = self.progress.estimate
        return None if estimate is None or not estimate.trusted else estimate.relative

    def _estimated(self, loss: float) -> bool:
        """Estimates the error now; True where that ends the run. Keeps error / residual to foresee the next one."""
        field = TrainedField(self.progress.network, self.ansatz)
        begun = time.perf_counter()
        estimate = self._with_noise(field, self.estimator(field))
        if (estimate is None or not estimate.trusted) and time.perf_counter() - begun > DEAR:
            self.hurdle = loss / 10.0
        self.progress = dataclasses.replace(self.progress, estimate=estimate)
        now = self._last_estimate()
        self.ratio = now / math.sqrt(2 * loss) if now is not None and loss > 0 else math.inf
        if estimate is not None and now is not None and (self.best is None or now < (self.best[1].relative or 0.0)):
            self.best = copy.deepcopy(self.progress.network), estimate
        return self.converged

    def _with_noise(self, field: TrainedField, estimate: DefectEstimate | None) -> DefectEstimate | None:
        """The estimate with the error that noisy measurements leave in the fields, which no network can lower."""
        system = self.system
        if estimate is None or system is None or system.network is not field.network:
            return estimate
        self.noise = uncertainty(self.problem, field, system)
        if self.noise is None or estimate.relative is None:
            return estimate
        trusted = estimate.trusted or estimate.relative <= self.noise.relative
        relative = math.hypot(estimate.relative, self.noise.relative)
        return dataclasses.replace(estimate, relative=relative, trusted=trusted)

    @property
    def limited(self) -> bool:
        """Whether what is left of the error is the noise of the measurements."""
        now = self._last_estimate()
        return self.noise is not None and now is not None and now <= LIMITED * self.noise.relative

    def _estimate_again(self) -> None:
        """What stands in `progress` may be older than its network; a second interrupt leaves no estimate at all."""
        self.progress = dataclasses.replace(self.progress, estimate=None)
        with contextlib.suppress(KeyboardInterrupt):
            self._estimated(0.0)

    def _verdict(self) -> str:
        estimate = self.progress.estimate
        if self.converged:
            return "converged"
        if self.late:
            return "out of time"
        if self.limited and self.noise is not None:
            return (
                f"finished: the noise of the observations leaves an error of {self.noise.relative:.1e}; "
                "give more or better data, or a larger rtol"
            )
        if estimate is None or not estimate.trusted or estimate.relative is None:
            reason = (
                self.estimator.reason or "the residual stays too large for one; give max_seconds or a finer network"
            )
            return f"finished without an error estimate: {reason}"
        return (
            f"not converged: the estimated error {estimate.relative:.1e} stays above {self.wishes.rtol:.1e}/{SAFETY}; "
            "give a wider network, more stages, or a larger rtol"
        )


def _reopened(state: State) -> float:
    """The damping with which the next stage begins."""
    if state.status is not Status.RUNNING:
        return AFRESH
    return min(1e-3, max(1e-20, REOPENING * float(state.damping)))


def _stalled(losses: Sequence[float], window: int, factor: float) -> bool:
    return len(losses) > max(window, FEWEST) and losses[-1 - window] < factor * losses[-1]


def not_finite(system: ResidualSystem) -> str:
    """Which equation is not finite, and where."""
    residual, start = system.residual(system.theta), 0
    for block in system.blocks:
        rows = block.rows
        bad = torch.nonzero(~torch.isfinite(residual[start : start + rows]))
        if len(bad):
            point = block.points.x[int(bad[0]) % len(block.points)]
            names = [str(s) for s in block.equations[0].operator.coordinates]
            place = ", ".join(f"{name} = {value:.4g}" for name, value in zip(names, point, strict=True))
            return f"the residual of {block.label} is not finite at {place}; check the expression or the domain there"
        start += rows
    return "the residual is not finite; start from smaller coefficients"
