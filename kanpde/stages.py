"""Stages of training: what a user may ask for, what a run may choose for itself, and the ladder that chooses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Protocol

from kanpde.adaptive import ADAPTIVE_RULES
from kanpde.collocation import RULES
from kanpde.errors import ProblemError
from kanpde.network import Trainable
from kanpde.network.architecture import BASES
from kanpde.network.basis import Basis, Chebyshev, Fourier
from kanpde.network.bspline import BSpline
from kanpde.optim import LBFGS, Adam, LevenbergMarquardt, MatrixFree, Optimizer, SSBroyden, chosen
from kanpde.sparsity import Sparsity

OPTIMIZERS: dict[str, Optimizer] = {
    "lm": LevenbergMarquardt(),
    "matrix-free": MatrixFree(),
    "ssbroyden": SSBroyden(),
    "lbfgs": LBFGS(),
    "adam": Adam(),
}


class Sized(Protocol):
    """What decides among optimisers: parameters, rows, and the memory that they may take."""

    network: Trainable
    rows: int
    memory: int


LARGEST_NETWORK = 3000  # parameters, where one orthogonal step takes a few seconds
LADDER = (5, 8, 12, 16, 20, 25, 30, 36, 42, 48, 56, 64)  # degrees of the default network, stage by stage
LINE_LADDER = (12, 24, 48, 96, 192, 384)  # the same in one dimension, where the network is one edge
WORTHWHILE = 3.0  # finer edges must lower the residual by this factor, or nodes are added
DEEPEST = 3  # hidden layers that the ladder goes up to


@dataclass(frozen=True)
class Stage:
    """One stage of training.

    Args:
        optimizer: "auto" (by the size of the network), "lm", "matrix-free", "ssbroyden", "lbfgs", "adam", or an
            optimiser with its own settings.
        points: interior collocation points; three a parameter by default.
        intervals: resolution of the edges in this stage: spline intervals, Chebyshev degree or Fourier modes.
        iterations: at most so many steps.
        widen: nodes of each kind to add to every hidden layer when the stage begins.
        sampling: rule of the points: "sobol", "latin", "uniform", "grid" or "gauss"; or, drawn to where the residual
            of the network is large, "rad", "rar-d" or "r3".
        deepen: add a hidden layer when the stage begins; the function stays.
        knots: insert the new knots of B-splines where the residual is, not evenly.
        causal: factor in (0, 1) with which the last instants of an evolution count when the stage begins, as the
            equations do not hold at earlier ones yet (Wang et al., arXiv 2203.07404); 0 for all times alike.
        sparsity: a penalty on the edges, so that few of them are left; the error is estimated at the stage's end only.
    """

    optimizer: Optimizer | str = "auto"
    points: int | None = None
    intervals: int | None = None
    iterations: int = 60
    widen: int = 0
    sampling: str = "sobol"
    deepen: bool = False
    knots: bool = False
    causal: float = 0.0
    sparsity: Sparsity | None = None

    def __post_init__(self) -> None:
        """Checks the words."""
        words, rules = ("auto", *OPTIMIZERS), (*RULES, *ADAPTIVE_RULES)
        if isinstance(self.optimizer, str) and self.optimizer not in words:
            raise ProblemError(f"no optimizer is called {self.optimizer!r}; use one of {', '.join(words)}")
        if self.sampling not in rules:
            raise ProblemError(f"no sampling rule is called {self.sampling!r}; use one of {', '.join(rules)}")
        if self.iterations < 1 or (self.points is not None and self.points < 1):
            raise ProblemError(f"{self} does nothing; give at least one iteration and one point")
        if not 0 <= self.causal <= 1:
            raise ProblemError(f"causal={self.causal} is no factor of the last instants; give a number from 0 to 1")

    @property
    def engine(self) -> Optimizer:
        """The optimiser; a dense one where the choice is left open."""
        if isinstance(self.optimizer, str):
            return OPTIMIZERS.get(self.optimizer, LevenbergMarquardt())
        return self.optimizer

    def engine_for(self, system: Sized) -> Optimizer:
        """The optimiser for a system of this size."""
        if self.optimizer != "auto":
            return self.engine
        return chosen(system.network.n_parameters, system.rows, system.memory)

    @property
    def change(self) -> str:
        """What the stage changes first, in words."""
        parts = [
            "deeper" if self.deepen else "",
            "wider" if self.widen else "",
            "" if self.intervals is None else ("knots where the residual is" if self.knots else "finer"),
            "" if self.sparsity is None else "sparser",
        ]
        return ", ".join(part for part in parts if part) or "as it is"


@dataclass(frozen=True)
class Pinned:
    """What the user decides in the driver's place; None leaves the choice to it.

    Args:
        basis: of the edges of the default network: "chebyshev", "bspline", "fourier" or "rbf".
        degree: of Chebyshev edges in the first stage, or of the splines throughout.
        intervals: of spline edges in the first stage (modes, centres).
        sums: ordinary nodes in each hidden layer.
        products: multiplication nodes in each hidden layer.
        depth: hidden layers.
        points_per_parameter: collocation points.
        candidates: random starts that compete.
        largest: parameters up to which the driver refines.
        optimizer: as in `Stage`.
        sampling: as in `Stage`.
        causal: as in `Stage`.
    """

    basis: str | None = None
    degree: int | None = None
    intervals: int | None = None
    sums: int | None = None
    products: int | None = None
    depth: int | None = None
    points_per_parameter: float | None = None
    candidates: int | None = None
    largest: int | None = None
    optimizer: Optimizer | str | None = None
    sampling: str | None = None
    causal: float | None = None

    def __post_init__(self) -> None:
        """Checks that the numbers mean something; `Stage` checks the words."""
        for field in fields(self):
            value = getattr(self, field.name)
            least = 0 if field.name in ("sums", "products", "depth", "causal") else 1
            if isinstance(value, int | float) and not value >= least:
                raise ProblemError(f"pinned {field.name}={value} is too small; give {least} or more")
        if self.basis is not None and self.basis not in BASES:
            raise ProblemError(f"no basis is called {self.basis!r}; use one of {', '.join(BASES)}")
        if self.sums == 0 and self.products == 0:
            raise ProblemError("pinned sums=0 and products=0 leave a hidden layer empty; give one of them")
        self.applied(Stage())

    def applied(self, stage: Stage) -> Stage:
        """The stage with what is pinned of it."""
        own = {"optimizer": self.optimizer, "sampling": self.sampling, "causal": self.causal}
        kept = {f.name: getattr(stage, f.name) for f in fields(stage)}
        return Stage(**kept | {name: value for name, value in own.items() if value is not None})


@dataclass(frozen=True)
class End:
    """How a stage ended.

    Attributes:
        residual: norm at its end.
        change: the stage's first change, `Stage.change`.
    """

    residual: float
    change: str = "finer"


@dataclass(frozen=True)
class Ladder:
    """Stages that are chosen as the run goes: finer edges while they pay, else nodes, else a layer, up to a budget.

    Args:
        largest: parameters beyond which no stage may go.
        deepest: hidden layers beyond which none is added.
    """

    largest: int = LARGEST_NETWORK
    deepest: int = DEEPEST

    def following(self, network: Trainable, ends: Sequence[End]) -> Stage | None:
        """The next stage, None where nothing is left to enlarge.

        Args:
            network: as the last stage left it.
            ends: of the stages so far.
        """
        finer = self._finer(network, first=not ends)
        if finer is None and not ends:
            return Stage(iterations=500)
        slow = len(ends) > 1 and ends[-2].residual < WORTHWHILE * ends[-1].residual
        wider, deeper = self._wider(network), self._deeper(network)
        order = {"wider": (finer, wider, deeper), "deeper": (finer, wider)}
        options = order.get(ends[-1].change if ends else "", (wider, finer, deeper) if slow else (finer, wider, deeper))
        return next((stage for stage in options if stage is not None), None)

    def _finer(self, network: Trainable, first: bool) -> Stage | None:
        bases = [e.basis for layer in network.layers for e in layer.expansions]
        growing = [b for b in bases if _grows(b)]
        if not growing:
            return None
        today = max(b.resolution for b in growing)
        rungs = [today] if first else [r for r in _rungs(growing[0], single=len(bases) == 1) if r > today]
        affordable = [r for r in rungs if _parameters(network, r) <= self.largest]
        splines = any(isinstance(b, BSpline) for b in growing) and not first
        return Stage(intervals=affordable[0], knots=splines) if affordable else None

    def _wider(self, network: Trainable) -> Stage | None:
        """Half as many nodes again."""
        if len(network.layers) < 2 or not _hidden_grows(network):
            return None
        more = max(1, network.layers[0].sums // 2)
        share = 1.0 + more / network.layers[0].sums if network.layers[0].sums else 2.0
        return Stage(widen=more) if network.n_parameters * share <= self.largest else None

    def _deeper(self, network: Trainable) -> Stage | None:
        """One layer more before the last."""
        hidden = len(network.layers) - 1
        if not 1 <= hidden < self.deepest or not _hidden_grows(network):
            return None
        last = network.layers[-1]
        more = last.inputs * sum(e.basis.size * len(e.inputs) for e in last.expansions)
        return Stage(deepen=True) if network.n_parameters + more <= self.largest else None


def _hidden_grows(network: Trainable) -> bool:
    return all(_grows(e.basis) for e in network.layers[-1].expansions)


def _grows(basis: Basis) -> bool:
    return basis.refined(2 * basis.resolution) != basis


def _rungs(basis: Basis, single: bool) -> list[int]:
    """Resolutions to go through: degrees and modes by a list, intervals by doubling, so that old knots stay knots."""
    if isinstance(basis, Chebyshev | Fourier):
        return list(LINE_LADDER if single else LADDER)
    return [basis.resolution * 2**k for k in range(1, 8)]


def _parameters(network: Trainable, resolution: int) -> int:
    """Parameters after growing, without building it."""
    total = 0
    for layer in network.layers:
        grown = [e.basis.refined(max(resolution, e.basis.resolution)).size * len(e.inputs) for e in layer.expansions]
        total += layer.columns * (sum(grown) + int(layer.bias))
    return total
