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

from kanpde.diagnosis import EXHAUSTED, Findings, rounding_of, verdict
from kanpde.enlarging import enlarged, facts
from kanpde.errors import ProblemError
from kanpde.field import Ansatz
from kanpde.identification import Uncertainty
from kanpde.judge import CHECK, Judge, Witness, trusted
from kanpde.network import Network, Trainable
from kanpde.optim import LevenbergMarquardt, State, Status
from kanpde.optim.polish import polished
from kanpde.plan import CANDIDATES, POINTS_PER_PARAMETER, assemble, unseen
from kanpde.problem import Problem
from kanpde.references.correction import DefectEstimate
from kanpde.residuals import MEMORY, Block, ResidualSystem
from kanpde.snapshot import Inside, Snapshot
from kanpde.stages import End, Ladder, Pinned, Stage
from kanpde.start import CoarseStart

ROUNDS = (4, 4, 4)  # steps of each round among the candidates; after each one the worse half goes
SCOUTING = sum(ROUNDS)  # steps that the best candidate gets
FEWEST = 15  # steps before a stage is judged: damping may have to rise first
PATIENCE = (8, 1.5)  # the loss must fall by this factor over so many steps, or the next stage begins
LAST_PATIENCE = (25, 1.1)  # the same where no finer stage follows
SPENT = 3  # steps in a row with next to nothing of the residual in the tangent space end a stage
AFRESH = 1e-6  # damping after a stage in which no step helped any more
OVERFIT = 10.0  # by this factor the residual may be larger at new points; beyond, the points were too few
MOST_POINTS = 12.0  # points a parameter that the driver goes up to
SETBACK = 2.0  # a stage whose estimate is this much worse than the best is given up
REOPENING = 10.0  # a refined stage starts with this many times the damping that the last one ended with
KEEPING = 20.0  # seconds between two checkpoints inside a stage

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
        pinned: choices that the user made in the driver's place.
    """

    rtol: float
    seed: int = 0
    max_seconds: float | None = None
    weights: Sequence[float] | None = None
    candidates: int = CANDIDATES
    memory: int = MEMORY
    pinned: Pinned = field(default_factory=Pinned)


@dataclass(frozen=True, eq=False)
class Progress:
    """Where a run stands: what its user is told, and what a later process begins with."""

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
    """One training run; `progress` is replaced, never changed, so whoever holds one holds a consistent state.

    Args:
        problem: what to solve.
        ansatz: exact conditions and inputs of the network.
        stages: the user's, or a ladder that chooses them.
        wishes: what the user asked for.
        progress: where it begins.
        callback: called once an iteration with a row of the history.
        checkpoint: called between stages, and inside them every now and then, to keep the run.
        rescue: a start from a coarse solution.
        snapshot: what an earlier process left, to go on bit by bit.
    """

    problem: Problem
    ansatz: Ansatz
    stages: tuple[Stage, ...] | Ladder
    wishes: Wishes
    progress: Progress
    callback: Callable[[Row], None] | None = None
    checkpoint: Callable[[Progress], None] | None = None
    rescue: CoarseStart | None = None
    started: float = field(default_factory=time.perf_counter)
    snapshot: Snapshot | None = None
    spare: list[Trainable] = field(default_factory=list)
    doubtful: list[tuple[float, Trainable]] = field(default_factory=list)
    system: ResidualSystem | None = None
    units: Any = None

    def __post_init__(self) -> None:
        """A run that goes on takes up what the earlier one had learnt."""
        self.judge = Judge(self.problem, self.wishes.rtol)
        self.before, self.kept = self.progress.seconds, time.perf_counter()
        rows = self.progress.history
        self.density = float(rows[-1]["density"]) if rows else self._first_density
        self.overfit, self.reach, self.rounding, self.idle = 1.0, 1.0, math.inf, math.inf
        self.left: Snapshot | None = None
        self.cut = False
        self.inside: Inside | None = None
        if self.snapshot is not None:
            self._take_up(self.snapshot)

    @property
    def _first_density(self) -> float:
        return float(self.wishes.pinned.points_per_parameter or POINTS_PER_PARAMETER)

    @property
    def seconds(self) -> float:
        """Wall time, over all resumes."""
        return self.before + time.perf_counter() - self.started

    @property
    def converged(self) -> bool:
        """Whether the last trusted estimate is below the tolerance."""
        return self.judge.satisfied(self.progress.estimate)

    @property
    def late(self) -> bool:
        """Whether the time is used up."""
        return self.wishes.max_seconds is not None and time.perf_counter() - self.started >= self.wishes.max_seconds

    @property
    def noise(self) -> Any:
        """What noisy measurements leave undetermined; None without any."""
        return self.judge.noise

    @property
    def limited(self) -> bool:
        """Whether what is left of the error is the noise of the measurements."""
        return self.judge.limited(self.progress.estimate)

    @property
    def vanished(self) -> bool:
        """Whether the field is zero, and the equations hold for zero: no finer network will find another one."""
        return self.idle == 0.0 and self.judge.vanishing(self.progress.network, self.ansatz)

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
        if not self.progress.history:
            self.left = self._snapshot(None)
        try:
            if not self.progress.history and self.rescue is not None and self.rescue.wanted:
                self._rescued()
            elif not self.progress.history and len(candidates) > 1:
                self._scout(candidates)
            while (stage := self._following()) is not None:
                self._stage(stage)
                if self.converged or self.late or self.limited or self.vanished:
                    break
                self._keep(between=True)
            rows = self.progress.history
            if self.progress.estimate is None and rows and self.judge.promising(rows[-1]["loss"]):
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
        """A few coarse steps from several starts, the worse half dropped after each round.

        Final errors vary ten-thousand-fold with the seed, and most bad starts show themselves in a few steps.
        """
        stage = self._following()
        if stage is None:
            return
        racing = [self._runner(network, stage) for network in candidates]
        out: list[tuple[ResidualSystem, State]] = []
        for steps in ROUNDS:
            racing = [self._raced(stage, *runner, steps) for runner in racing]
            racing.sort(key=lambda runner: runner[1].loss if math.isfinite(runner[1].loss) else math.inf)
            keep = max(1, (len(racing) + 1) // 2)
            out, racing = racing[keep:] + out, racing[:keep]
        ranked = [(s, state) for s, state in racing + out if math.isfinite(state.loss)]
        for system, state in ranked:
            system.adopt(state.theta)
        networks = [system.network for system, _ in ranked] or list(candidates)
        self.progress = dataclasses.replace(self.progress, network=networks[0])
        self.spare, self.cut = networks[1:], self.late

    def _runner(self, network: Trainable, stage: Stage) -> tuple[ResidualSystem, State]:
        system = self._system(network, stage)
        return system, stage.engine_for(system).init(system, system.theta)

    def _raced(self, stage: Stage, system: ResidualSystem, state: State, steps: int) -> tuple[ResidualSystem, State]:
        for _ in range(steps):
            if state.status is not Status.RUNNING or self.late:
                break
            state = stage.engine_for(system).step(system, state)
        return system, state

    def _following(self) -> Stage | None:
        """The stage that comes now: the user's next one, or what the ladder makes of the run so far."""
        k = self.progress.stage
        if self.inside is not None:
            return self._begun(self.inside.stage)
        if not isinstance(self.stages, Ladder):
            stage = self.stages[k] if k < len(self.stages) else None
            return dataclasses.replace(stage, widen=0, deepen=False) if stage is not None and self.begun else stage
        stage = self.stages.following(self.progress.network, [] if self.begun else self._ends())
        return None if stage is None else self.wishes.pinned.applied(stage)

    def _begun(self, stage: Stage) -> Stage:
        """A stage that was under way when a run was kept; an optimiser with the user's own settings is in no file."""
        k = self.progress.stage
        if isinstance(self.stages, Ladder):
            own = self.wishes.pinned.optimizer
        else:
            own = self.stages[k].optimizer if k < len(self.stages) else None
        return stage if own is None or isinstance(own, str) else dataclasses.replace(stage, optimizer=own)

    def _ends(self) -> list[End]:
        """How the stages so far ended."""
        ends = {row["stage"]: row for row in self.progress.history}
        return [End(ends[k]["residual"], ends[k].get("change", "finer")) for k in sorted(ends)]

    @property
    def _last(self) -> bool:
        """Whether no finer stage can follow."""
        if isinstance(self.stages, Ladder):
            return self.stages.following(self.progress.network, [End(1.0)]) is None
        return self.progress.stage == len(self.stages) - 1

    def _system(self, network: Trainable, stage: Stage) -> ResidualSystem:
        seed = self.wishes.seed + 1000 * self.progress.stage
        wishes = self.wishes
        return assemble(self.problem, network, self.ansatz, stage, seed, wishes.weights, wishes.memory, self.density)

    def _stage(self, stage: Stage) -> None:
        """Step, tell, judge, until the stage has given what it can.

        A snapshot is taken before a step is judged: who goes on from it judges it first, with the same outcome.
        """
        opening, system, state, losses = self._entered(stage)
        patience = LAST_PATIENCE if self._last else PATIENCE
        engine = stage.engine_for(system)
        damped = isinstance(engine, LevenbergMarquardt)
        while True:
            if len(losses) > 1 and self._judged(stage, system, state, losses, damped, patience):
                break
            if state.status is not Status.RUNNING:
                break
            state = engine.step(system, state)
            losses.append(float(state.loss))
            row = self._recorded(stage, system, state)
            self._leave(Inside(stage, opening, state, tuple(losses)))
            if self.callback is not None:
                self.callback(row)
        self._closed(stage, system, state, damped)

    def _judged(
        self,
        stage: Stage,
        system: ResidualSystem,
        state: Any,
        losses: list[float],
        damped: bool,
        patience: tuple[int, float],
    ) -> bool:
        """Whether a stage ends after this step."""
        spent = damped and len(losses) > FEWEST and all(map(_exhausted, self.progress.history[-SPENT:]))
        stalled = damped and _stalled(losses, *patience)
        if state.status is not Status.RUNNING or self.late or spent or stalled or len(losses) > stage.iterations:
            return True
        if stage.sparsity is None and self.judge.worth(state.loss, len(losses) if damped else 1):
            if self._estimated(self._polish(system, state, damped)):
                return True
            system.adopt(state.theta)
        if self.judge.unresolved and len(losses) % CHECK == 0:
            self._witnessed(system, self._fresh(system))
            if self.converged:
                return True
        self._keep(between=False)
        return False

    def _entered(self, stage: Stage) -> tuple[Trainable, ResidualSystem, Any, list[float]]:
        """A stage's first network, its rows, the optimiser's state and the losses; where it was interrupted, as then.

        Points and weights follow from the first network, so a resumed stage has the very same rows.
        """
        begun, self.inside = self.inside, None
        if begun is None:
            opening = enlarged(self.problem, self.ansatz, self.progress.network, stage, self._growth_seed)
        else:
            opening = begun.opening
        system = self.system = self._system(copy.deepcopy(opening), stage)
        engine = stage.engine_for(system)
        if isinstance(engine, LevenbergMarquardt) and isinstance(stage.optimizer, str):
            engine = dataclasses.replace(engine, damping=self.progress.damping)
        state = engine.init(system, system.theta)
        if state.status is Status.NOT_FINITE:
            raise ProblemError(not_finite(system))
        if math.isinf(self.judge.first):
            idle = 0.5 * float(system.residual(0.0 * system.theta).square().sum())
            self.judge.first = max(float(state.loss), idle)
        losses = [float(state.loss)]
        if begun is not None:
            state, losses = begun.resumed(state), list(begun.losses)
            system.adopt(state.theta)
        self.progress = dataclasses.replace(self.progress, network=system.network)
        return opening, system, state, losses

    @property
    def _growth_seed(self) -> int:
        return self.wishes.seed + 7919 * self.progress.stage

    def _polish(self, system: ResidualSystem, state: Any, damped: bool) -> float:
        """Gives the network the best last layer, which enters linear equations linearly, and returns the loss.

        The loss falls by per cents and the error, in most cases, by half: damping holds back what little the residual
        sees. Where the problem is not linear, this is one more step, taken if the loss falls. Estimates and what is
        returned have it; the training goes on without, for its large coefficients bend the path of later steps.
        """
        network = system.network
        if not damped or not isinstance(network, Network) or len(network.layers) < 2:
            return float(state.loss)
        size = network.coefficients[-1].numel()
        theta, loss = polished(system, state.theta, slice(network.n_parameters - size, network.n_parameters))
        system.adopt(theta)
        return loss

    def _closed(self, stage: Stage, system: ResidualSystem, state: Any, damped: bool) -> None:
        """The end of a stage: an estimate, the residual at new points, and whether the stage is to be given up."""
        if not self.converged:
            loss = self._polish(system, state, damped)
            if self.judge.promising(loss):
                self._estimated(loss)
            else:
                self.progress = dataclasses.replace(self.progress, estimate=None)
        damping = _reopened(state) if damped else self.progress.damping
        self.rounding, self.idle = rounding_of(system), float(system.residual(0.0 * system.theta).norm())
        if self.late and not self.converged:
            return
        self._examined(system, self._fresh(system), stage)
        if not self.converged:
            system.adopt(state.theta)
        self.progress = dataclasses.replace(self.progress, stage=self.progress.stage + 1, damping=damping)
        if isinstance(self.stages, Ladder):
            self._retreat()
            self._reconsider(state.loss)
        self._leave(None)

    def _examined(self, system: ResidualSystem, fresh: list[Block], stage: Stage) -> None:
        """The residual at points that training has not seen: far above its own, the points were too few."""
        own = [k for k, block in enumerate(system.blocks) if block.gather is None and not block.fixed]
        seen = [system.blocks[k] for k in own]
        sizes = [
            ResidualSystem(part, system.network, system.ansatz, system.memory, system.parameters)
            for part in (seen, [fresh[k] for k in own])
        ]
        before, after = (float(s.residual(s.theta).norm()) for s in sizes)
        self.overfit = after / before if before > 0 else 1.0
        if self.overfit > OVERFIT and self.density < MOST_POINTS and stage.points is None:
            self.density *= 2.0
        self._witnessed(system, fresh)

    def _witnessed(self, system: ResidualSystem, fresh: list[Block]) -> None:
        """Where nothing else estimates: an earlier network of the run, if this one shows that it is good enough."""
        judge = self.judge
        if not judge.unresolved:
            return
        judge.witnessed(system.network, self.ansatz, fresh)
        if judge.best is not None and judge.satisfied(judge.best[1]):
            self.progress = dataclasses.replace(self.progress, network=judge.best[0], estimate=judge.best[1])

    def _fresh(self, system: ResidualSystem) -> list[Block]:
        return unseen(self.problem, self.ansatz, system, self.wishes.seed + 1000 * self.progress.stage)

    def _reconsider(self, loss: float) -> None:
        """No trusted estimate after the first stage: the residual is steep somewhere between points. Another start."""
        if self.progress.stage != 1 or not self.judge.estimator.solvers or trusted(self.progress.estimate) is not None:
            return
        if self.rescue is not None and not self.judge.promising(loss) and self._rescued():
            return
        self.doubtful.append((loss, self.progress.network))
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
            self.judge.estimator.expect_fronts()
        self.spare, self.doubtful, self.judge.first = [], [], math.inf
        self.progress = dataclasses.replace(self.progress, network=network, damping=1e-3)
        return True

    def _retreat(self) -> None:
        """Gives up a stage that made things worse; the next one begins where the best ended, with more points."""
        now, best = trusted(self.progress.estimate), self.judge.best
        if best is None or now is None or self.density >= MOST_POINTS:
            return
        network, estimate = best
        if estimate.relative is not None and now > SETBACK * estimate.relative:
            self.density *= 2.0
            self.progress = dataclasses.replace(self.progress, network=copy.deepcopy(network), estimate=estimate)

    def _settle(self, margin: float = 1.0) -> None:
        """The network with the best trusted estimate is what the run returns, unless the last is within a margin."""
        now, best = trusted(self.progress.estimate), self.judge.best
        if best is not None and (now is None or now >= margin * (best[1].relative or 0.0)):
            self.progress = dataclasses.replace(self.progress, network=best[0], estimate=best[1])

    def _recorded(self, stage: Stage, system: ResidualSystem, state: Any) -> Row:
        """The row of a step, with the whole configuration in plain values; progress has it, too."""
        network = system.network
        system.adopt(state.theta)
        self.reach = float(getattr(state, "reach", 1.0))
        row: Row = {
            "stage": self.progress.stage,
            "iteration": self.progress.iterations + 1,
            "loss": float(state.loss),
            "residual": math.sqrt(2 * state.loss),
            "damping": float(state.damping),
            "reach": self.reach,
            "parameters": network.n_parameters,
            "density": self.density,
            "overfit": self.overfit,
            "rows": system.rows,
            **facts(stage, system),
            "seconds": self.seconds,
            "estimate": trusted(self.progress.estimate),
            "message": "" if state.status is Status.RUNNING else state.status.value,
        }
        self.progress = dataclasses.replace(
            self.progress,
            network=network,
            iterations=row["iteration"],
            seconds=row["seconds"],
            history=(*self.progress.history, row),
        )
        return row

    def _estimated(self, loss: float) -> bool:
        """Estimates the error now; True where that ends the run."""
        system = None if self.system is None else self.system.penalised(None)
        estimate = self.judge(self.progress.network, self.ansatz, loss, system)
        self.progress = dataclasses.replace(self.progress, estimate=estimate)
        return self.converged

    def _estimate_again(self) -> None:
        """What stands in `progress` may be older than its network; a second interrupt leaves no estimate at all."""
        self.progress = dataclasses.replace(self.progress, estimate=None)
        with contextlib.suppress(KeyboardInterrupt):
            self._estimated(0.0)

    def _verdict(self) -> str:
        if self.converged:
            return "converged"
        return "out of time" if self.late else verdict(self._findings(), OVERFIT)

    def _findings(self) -> Findings:
        """What is known at the end."""
        rows, noise = self.progress.history, self.noise
        size = rows[-1]["residual"] if rows else 0.0
        return Findings(
            rtol=self.wishes.rtol,
            relative=trusted(self.progress.estimate),
            reason=self.judge.estimator.reason,
            residual=size / self.idle if 0 < self.idle < math.inf else 0.0,
            rounding=self.rounding,
            overfit=self.overfit,
            reach=self.reach,
            parameters=self.progress.network.n_parameters,
            grows=not self._last,
            vanishing=self.vanished,
            noise=None if noise is None else noise.relative,
            limited=self.limited,
        )

    def _keep(self, between: bool) -> None:
        """Writes a checkpoint between stages, and inside them when the last one is some time ago.

        The clock decides when to write, never what is computed.
        """
        if self.checkpoint is not None and (between or time.perf_counter() - self.kept > KEEPING):
            self.checkpoint(self.progress)
            self.kept = time.perf_counter()

    def _leave(self, inside: Inside | None) -> None:
        """Has ready what a later process needs; where time cut the race of the starts, that it runs anew."""
        if not self.cut:
            self.left = self._snapshot(inside)

    def _snapshot(self, inside: Inside | None) -> Snapshot:
        judge = self.judge
        numbers = {
            "ratio": judge.ratio,
            "hurdle": judge.hurdle,
            "first": judge.first,
            "density": self.density,
            "overfit": self.overfit,
            "reach": self.reach,
            "rounding": self.rounding,
            "idle": self.idle,
        }
        return Snapshot(
            progress=self.progress,
            ansatz=self.ansatz,
            best=judge.best,
            spare=tuple(self.spare),
            doubtful=tuple(self.doubtful),
            numbers=numbers,
            rescued=self.rescue is None,
            hints=judge.estimator.hints,
            inside=inside,
            waiting=tuple((w.network, w.ansatz) for w in judge.waiting),
            noise=None if judge.noise is None else (judge.noise.relative, judge.noise.scalars),
        )

    def _take_up(self, left: Snapshot) -> None:
        """The state of a run that an earlier process left."""
        self.judge.best, numbers = left.best, left.numbers
        self.judge.ratio, self.judge.hurdle, self.judge.first = (numbers[k] for k in ("ratio", "hurdle", "first"))
        self.density, self.overfit, self.reach = (numbers[k] for k in ("density", "overfit", "reach"))
        self.rounding, self.idle = numbers.get("rounding", math.inf), numbers.get("idle", math.inf)
        self.ansatz, self.spare, self.doubtful = left.ansatz, list(left.spare), list(left.doubtful)
        self.rescue = None if left.rescued else self.rescue
        self.judge.estimator.take_up(left.hints)
        self.judge.waiting = tuple(Witness(*each, self.problem) for each in left.waiting)
        self.judge.noise = None if left.noise is None else Uncertainty(dict(left.noise[1]), left.noise[0])
        self.inside = left.inside


def _reopened(state: State) -> float:
    """The damping with which the next stage begins."""
    if state.status is not Status.RUNNING:
        return AFRESH
    return min(1e-3, max(1e-20, REOPENING * float(state.damping)))


def _exhausted(row: Row) -> bool:
    """Whether the tangent space holds next to nothing of the residual, as far as damping lets one see it."""
    return row["reach"] < EXHAUSTED and row["damping"] < LevenbergMarquardt.orthogonal_below


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
