"""A trial: one network on one problem, trained on fixed points for a given time, and everything measured on it.

The loop is plain on purpose: every network gets the same points, the same conditions and the same seconds, whatever the
optimiser; nothing of the driver's judgement (more points, other starts, estimates) helps one of them. The clock counts
processor seconds of training alone: compiling, measuring errors and writing are not in it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np

from kanpde.collocation import collocate
from kanpde.errors import ProblemError
from kanpde.estimate import TrainedField
from kanpde.lifting import impose
from kanpde.network import Network
from kanpde.network.basis import Basis
from kanpde.optim import Adam, LevenbergMarquardt, Optimizer, SSBroyden, Status, chosen
from kanpde.optim.adam import Cosine, Exponential
from kanpde.plan import balanced, blocks, fitted
from kanpde.problem import Problem
from kanpde.residuals import MEMORY, Block, ResidualSystem
from kanpde.stages import OPTIMIZERS
from kanpde.studies.cases import Case, Errors
from kanpde.studies.meters import Clock, PeakMemory, latency
from kanpde.studies.nets import Net

FIRST_MARK, SPACING = 0.05, 1.25  # seconds of training at which errors are measured: the first, and the ratio of two
PATIENCE = (40, 1.2)  # a damped stage that a finer one follows ends when the loss fell by less in so many steps
REOPENING = 10.0  # a stage begins with so many times the damping that the one before ended with
LARGEST_MATRIX = 8000  # parameters up to which an optimiser may keep P × P numbers, half a gigabyte
HALVED = 2000  # steps after which Adam's rate has halved
DAMPED = ("lm", "matrix-free", "auto")
UNSEEN = 500_009  # added to the seed of points that training must not see
BATCHES = (1, 1_000, 1_000_000)  # points whose inference is timed
ANSWERS = ("latency_1", "latency_1k", "latency_1m")


@dataclass(frozen=True)
class Trial:
    """A run described by values; the same values and the same case give the same row, but for times.

    Attributes:
        case: name of the problem.
        study: what it belongs to: "tuning", "compare", "intervals", ...
        net: the network at first.
        optimizer: "lm", "ssbroyden", "lbfgs", "adam", "matrix-free", or "auto", Gauss-Newton by the network's size.
        rate: learning rate of Adam.
        resolutions: of the edges in further stages: grid extension. Empty for one stage.
        points: collocation points of the equations.
        exact: conditions exactly (True, where the geometry allows), by soft rows (False), or as the problem has it.
        seconds: of training, shared evenly by the stages; a damped stage that stalls leaves its rest to the next.
        iterations: at most so many steps a stage, None without a limit.
        seed: of the points, and with it of the start.
        device: "cpu" or a CUDA device.
        noise: standard deviation of an error added to the right-hand side at each point, for overfitting.
        answers: whether inference is timed.
    """

    case: str
    study: str
    net: Net
    optimizer: str = "lm"
    rate: float = 1e-2
    resolutions: tuple[int, ...] = ()
    points: int = 1000
    exact: bool | None = None
    seconds: float = 20.0
    iterations: int | None = None
    seed: int = 0
    device: str = "cpu"
    noise: float = 0.0
    answers: bool = True
    note: str = ""

    @property
    def values(self) -> dict[str, Any]:
        """Plain values, flat: the description of the row."""
        own = asdict(self)
        net = own.pop("net")
        return own | net | {"net": self.net.label, "hidden": list(self.net.hidden)} | _listed(own)

    @property
    def kind(self) -> str:
        """What rows of this kind are called."""
        return "trial"

    @property
    def limit(self) -> float:
        """Seconds that it takes at most, roughly."""
        return 1.1 * self.seconds + 2.0

    def perform(self, case: Case) -> dict[str, Any]:
        """Trains and measures.

        Returns:
            A row of plain values: `parameters, rows, steps, seconds_trained, loss, residual, relative_l2,
            relative_h1, maximum, memory_mb, latency_*, status`, with `stages` (one dictionary a stage) and `trace`
            (lists by time).
        """
        _warmed(case, self.optimizer, self.device)
        memory = PeakMemory()
        run = _Run(self, case)
        run.go()
        row = run.row() | {"memory_mb": memory.megabytes}
        return row | (answers(run.trained, case.problem) if self.answers else {})


def _listed(own: dict[str, Any]) -> dict[str, Any]:
    return {key: list(value) for key, value in own.items() if isinstance(value, tuple)}


@lru_cache(maxsize=32)
def _warmed(case: Case, optimizer: str, device: str) -> None:
    """Libraries load their parts when first used: that belongs to no run."""
    net = Net("kan", (1,))
    _Run(Trial(case.name, "warm-up", net, optimizer, points=100, seconds=0.1, iterations=2, device=device), case).go()


def engine_of(trial: Trial, system: ResidualSystem) -> Optimizer:
    """The optimiser for a system: Adam has its rate, and a decay that a limit on its steps makes a cosine."""
    if trial.optimizer == "auto":
        return chosen(system.network.n_parameters, system.rows, MEMORY)
    if trial.optimizer != "adam":
        return OPTIMIZERS[trial.optimizer]
    schedule = Exponential(0.5, HALVED) if trial.iterations is None else Cosine(trial.iterations, 0.01)
    return Adam(rate=trial.rate, schedule=schedule)


@dataclass(eq=False)
class _Run:
    """The state of a trial while it goes."""

    trial: Trial
    case: Case
    trace: dict[str, list[Any]] = field(default_factory=dict)
    stages: list[dict[str, Any]] = field(default_factory=list)
    steps: int = 0
    mark: float = FIRST_MARK
    status: str = ""

    def __post_init__(self) -> None:
        trial, problem = self.trial, self.case.problem
        self.ansatz = impose(problem, trial.exact)
        built = trial.net.built(problem.domain.dimension, len(problem.fields), trial.seed, trial.device)
        self.network: Network = fitted(built, problem)  # type: ignore[assignment]
        self.clock = Clock(self.network.device)
        self.damping = LevenbergMarquardt.damping

    @property
    def trained(self) -> TrainedField:
        """The network in its ansatz."""
        return TrainedField(self.network, self.ansatz)

    def go(self) -> None:
        """All stages, one after the other."""
        levels = self.trial.resolutions
        count = len(levels) + 1
        for k in range(count):
            if k:
                self.network = finer(self.network, levels[k - 1])
            self._stage(self.trial.seconds * (k + 1) / count, k + 1 == count)
            if self.status == Status.NOT_FINITE.name.lower():
                return

    def _stage(self, until: float, last: bool) -> None:
        system = self._system()
        engine = self._engine(system)
        with self.clock.running():
            state = engine.init(system, system.theta)
        self._measured(system, state)
        losses = [float(state.loss)]
        while not self._over(state, losses, until, last):
            with self.clock.running():
                state = engine.step(system, state)
            losses.append(float(state.loss))
            self.steps += 1
            if self.clock.seconds >= self.mark:
                self._measured(system, state)
        self._measured(system, state)
        self.damping = min(1e-3, max(1e-20, REOPENING * float(state.damping)))
        self.network = system.network  # type: ignore[assignment]
        self._closed(system, state)

    def _engine(self, system: ResidualSystem) -> Optimizer:
        engine, size = engine_of(self.trial, system), system.network.n_parameters
        if size > LARGEST_MATRIX and isinstance(engine, LevenbergMarquardt | SSBroyden):
            raise ProblemError(
                f"{self.trial.optimizer} keeps matrices of {size} parameters squared; use auto or lbfgs."
            )
        return replace(engine, damping=self.damping) if isinstance(engine, LevenbergMarquardt) else engine

    def _over(self, state: Any, losses: list[float], until: float, last: bool) -> bool:
        most = self.trial.iterations
        if state.status is not Status.RUNNING or self.clock.seconds >= until:
            return True
        if most is not None and len(losses) > most:
            return True
        window, factor = PATIENCE
        damped = self.trial.optimizer in DAMPED
        return not last and damped and len(losses) > window and losses[-1 - window] < factor * losses[-1]

    def _system(self) -> ResidualSystem:
        trial, problem = self.trial, self.case.problem
        parts = blocks(problem, self.ansatz, trial.points, trial.seed)
        if trial.noise:
            parts = [_noisy(block, trial) for block in parts]
        system = ResidualSystem(parts, self.network, self.ansatz, parameters=problem.parameters)
        return balanced(system, system.theta)

    def _measured(self, system: ResidualSystem, state: Any) -> None:
        """A row of the trace; the clock stands still."""
        system.adopt(state.theta)
        self.network = system.network  # type: ignore[assignment]
        self.mark = max(self.mark, SPACING * self.clock.seconds)
        found = self._errors()
        row = {"seconds": self.clock.seconds, "steps": self.steps, "loss": float(state.loss), **asdict(found)}
        for key, value in row.items():
            self.trace.setdefault(key, []).append(value)

    def _errors(self) -> Errors:
        return self.case.errors(self.trained.jet)

    def _closed(self, system: ResidualSystem, state: Any) -> None:
        """A row of the stages."""
        self.status = state.status.name.lower()
        basis = self.network.layers[-1].expansions[0].basis
        last = {key: values[-1] for key, values in self.trace.items()}
        self.stages.append(
            last
            | {
                "resolution": basis.resolution,
                "parameters": self.network.n_parameters,
                "rows": system.rows,
                "residual": self._residual(system),
                "status": self.status,
            }
        )

    def _residual(self, system: ResidualSystem) -> float:
        """Norm of the residual at unseen points, over that of the ansatz with a vanishing network."""
        parts = blocks(self.case.problem, self.ansatz, self.trial.points, self.trial.seed + UNSEEN)
        fresh = [replace(b, weight=own.weight) for b, own in zip(parts, system.blocks, strict=True)]
        other = ResidualSystem(fresh, self.network, self.ansatz, parameters=self.case.problem.parameters)
        size = float(other.residual(0.0 * other.theta).norm())
        return float(other.residual(other.theta).norm()) / (size or 1.0)

    def row(self) -> dict[str, Any]:
        """The result."""
        final = dict(self.stages[-1])
        final["seconds_trained"] = final.pop("seconds")
        final["status"] = _told(self.status, self.clock.seconds >= self.trial.seconds)
        return final | {"stages": self.stages, "trace": self.trace}


def _told(status: str, late: bool) -> str:
    """How a trial ended, in a word or two."""
    if status == "running":
        return "time" if late else "nothing gained any more"
    return status.replace("_", " ")


def _noisy(block: Block, trial: Trial) -> Block:
    """Normal errors on what the equations must equal."""
    generator = np.random.default_rng((trial.seed, 77))
    return replace(block, target=generator.normal(0.0, trial.noise, len(block.points)))


def finer(network: Network, resolution: int) -> Network:
    """Grid extension: every edge at a resolution, the function unchanged (a refit where bases are not nested)."""
    grown = network.grown(lambda basis: resolution if _resolves(basis) else None)
    grown.scalars = network.scalars
    return grown


def _resolves(basis: Basis) -> bool:
    return basis.refined(2 * basis.resolution) != basis


def answers(field: TrainedField, problem: Problem) -> dict[str, float]:
    """Seconds for the values at one point, a thousand and a million, as a user calls them."""
    region = problem.domain.interior
    drawn = collocate(region, BATCHES[1], "uniform", 3).x[: BATCHES[1]]
    batches = (drawn[:1], drawn, np.tile(drawn, (BATCHES[2] // len(drawn), 1)))
    device = field.network.device
    return {name: latency(_call(field, x), device) for name, x in zip(ANSWERS, batches, strict=True)}


def _call(field: TrainedField, points: np.ndarray) -> Callable[[], object]:
    return lambda: field.values(points)
