"""Continual learning: five peaks learnt one after the other, and what of the earlier ones is left.

f = Σ_c exp(−300 (x − c)²) on [−1, 1], c = −0.8, −0.4, …, 0.8. In each of five phases a network is trained on 100 evenly
spaced points about one peak alone. (Liu et al. 2024, arXiv 2404.19756, section 3.5, which gives no numbers; these are
those of its authors' code, pykan, example "Continual Learning": cubic B-splines on 200 intervals. The weight of its
base function is held fixed there; here it is left out, or trained like the others.)

A basis function that is zero at all points of a phase has a zero column in J and a zero gradient, so no optimiser that
begins afresh moves its coefficient. One that is nearly zero is another matter: a lightly damped Gauss-Newton step moves
it as far as it likes. Therefore points are midpoints of equal cells here, and not at the ends of the region as in that
code: an end is a knot, rounding puts it in the span beyond, and a function of size 1e-16 there was enough to raise the
first peak's error from 9e-6 to 6e-4.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import sympy as sp

from kanpde.collocation import PointSet
from kanpde.domain import Box
from kanpde.errors import ProblemError
from kanpde.estimate import TrainedField
from kanpde.field import Ansatz
from kanpde.lifting import impose
from kanpde.lowering import lower
from kanpde.network import KAN, MLP, Network
from kanpde.optim import Adam, Optimizer, Status
from kanpde.optim.adam import Cosine
from kanpde.problem import Problem
from kanpde.residuals import Block, ResidualSystem
from kanpde.stages import OPTIMIZERS
from kanpde.studies.page import Curve, Plot, Section, Table
from kanpde.studies.statistics import Quartiles, quartiles

CENTRES = (-0.8, -0.4, 0.0, 0.4, 0.8)
HALF_WIDTH = 0.2  # of the region about each peak; together the regions are [−1, 1]
SHARPNESS = 300
POINTS = 100  # of each phase
NODES = 200  # of the quadrature of a region, at which nothing is trained
DEGREE, INTERVALS = 3, 200
SIZE = INTERVALS + DEGREE  # coefficients of one edge
RATE, LAST = 1e-2, 0.01  # Adam's learning rate at first, and the share of it at the end of a phase
ITERATIONS = {"lm": 100, "adam": 2000}  # of a phase
KEPT = 0.01  # growth of an error up to which a peak counts as kept
FAMILIES = ("kan", "mlp")
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Continual:
    """One network that learns the peaks in turn; the same values give the same row, but for times.

    Attributes:
        family: "kan" or "mlp".
        basis: of a KAN's edges, or the activation of an MLP.
        degree: of B-splines or Chebyshev edges, None for others.
        intervals: of B-splines, modes or centres of other edges; 1 where there is no such thing.
        widths: nodes of each layer, from 1 to 1.
        base: "silu" adds the paper's base function to every edge.
        optimizer: a word of `stages.OPTIMIZERS`; each phase begins it afresh.
        seed: of the start.
        iterations: at most, of each phase.

    Raises:
        ProblemError: a family or an optimiser that does not exist, or nothing to do.
    """

    family: str
    basis: str
    degree: int | None
    intervals: int
    widths: tuple[int, ...]
    base: str | None
    optimizer: str
    seed: int
    iterations: int

    def __post_init__(self) -> None:
        """Checks the words; `KAN` and `MLP` check the rest."""
        if self.family not in FAMILIES:
            raise ProblemError(f"no network is called {self.family!r}; use one of {', '.join(FAMILIES)}")
        if self.optimizer not in OPTIMIZERS:
            raise ProblemError(f"no optimizer is called {self.optimizer!r}; use one of {', '.join(OPTIMIZERS)}")
        if self.iterations < 1:
            raise ProblemError(f"{self.iterations} iterations a phase learn nothing; give 1 or more")

    @property
    def values(self) -> dict[str, Any]:
        """The description of the row, flat and plain."""
        return asdict(self) | {"widths": list(self.widths)}

    @property
    def label(self) -> str:
        """As tables call the network: B-splines 3, 200 intervals."""
        return label(self.values)

    def built(self) -> Network:
        """The network at its random start, over [−1, 1]."""
        bounds = [(-1.0, 1.0)]
        if self.family == "mlp":
            return MLP(self.widths, self.basis, seed=self.seed, bounds=bounds)
        return KAN(
            self.widths,
            self.basis,
            degree=self.degree,
            intervals=self.intervals,
            seed=self.seed,
            base=self.base,
            bounds=bounds,
        )

    @property
    def engine(self) -> Optimizer:
        """The optimiser; Adam's learning rate falls along a cosine in each phase."""
        if self.optimizer == "adam":
            return Adam(rate=RATE, schedule=Cosine(self.iterations, LAST))
        return OPTIMIZERS[self.optimizer]

    def perform(self) -> dict[str, Any]:
        """Learns the peaks in turn.

        Returns:
            A row of plain values: `errors`, a list of phases, each the relative L2 error on the region of every peak
            (also of those that come later); `retained`, the relative L2 error on all of them at the end; `forgotten`,
            the largest growth of the error of a peak after the phase that learnt it, 0 where none grew; `parameters`;
            `seconds` of training; `status`.
        """
        problem, network = peaks(), self.built()
        ansatz = impose(problem)
        errors, seconds, status = [], 0.0, Status.RUNNING
        for peak in range(len(CENTRES)):
            begun = time.perf_counter()
            status = self._learnt(phase(problem, network, ansatz, peak))
            seconds += time.perf_counter() - begun
            errors.append(region_errors(problem, TrainedField(network, ansatz)))
            if status is Status.NOT_FINITE:
                break
        return {
            "errors": [row.tolist() for row in errors],
            "retained": retained(problem, errors[-1]),
            "forgotten": forgotten(np.array(errors)),
            "parameters": network.n_parameters,
            "seconds": seconds,
            "status": status.value if status is Status.NOT_FINITE else "finished",
        }

    def _learnt(self, system: ResidualSystem) -> Status:
        """One phase; the system's network has what it learnt."""
        state = self.engine.init(system, system.theta)
        for _ in range(self.iterations):
            if state.status is not Status.RUNNING:
                break
            state = self.engine.step(system, state)
        system.adopt(state.theta)
        return state.status


def continual_trials(seeds: int) -> list[Continual]:
    """Local and global bases, a base function, a hidden layer and an MLP, with Gauss-Newton and with Adam.

    All have about as many coefficients: single edges 203, the MLP 193, the KAN with a hidden layer 230. (With 200
    intervals on each of its edges, 2,030 coefficients for 100 points, that one is not even right between the points.)

    Args:
        seeds: starts of each.
    """
    line, tail = (1, 1), (1, 5, 1)
    networks: list[tuple[str, str, int | None, int, tuple[int, ...], str | None]] = [
        ("kan", "bspline", DEGREE, INTERVALS, line, None),
        ("kan", "bspline", DEGREE, INTERVALS, line, "silu"),
        ("kan", "rbf", None, SIZE, line, None),
        ("kan", "chebyshev", SIZE - 1, 1, line, None),
        ("kan", "fourier", None, SIZE // 2, line, None),
        ("kan", "bspline", DEGREE, INTERVALS // 10, tail, None),
        ("mlp", "tanh", None, 1, (1, 12, 12, 1), None),
    ]
    return [
        Continual(*network, optimizer, seed, iterations)
        for network in networks
        for optimizer, iterations in ITERATIONS.items()
        for seed in range(seeds)
    ]


def peaks() -> Problem:
    """The equation u = f, of order 0."""
    x = sp.Symbol("x", real=True)
    u = sp.Function("u")(x)
    exact = sum(sp.exp(-SHARPNESS * (x - sp.Rational(str(c))) ** 2) for c in CENTRES)
    return Problem(Box({x: (-1, 1)}), sp.Eq(u, exact), (), exact={u: exact}, name="peaks")


def phase(problem: Problem, network: Network, ansatz: Ansatz, peak: int) -> ResidualSystem:
    """The equation at the points of one peak; the network is the one given, not a copy."""
    cells = (2.0 * np.arange(POINTS) + 1.0) / POINTS - 1.0
    points = PointSet((CENTRES[peak] + HALF_WIDTH * cells)[:, None], np.full(POINTS, 2 * HALF_WIDTH / POINTS), None)
    block = Block("equations", tuple(lower(operator) for operator in problem.operators), points)
    return ResidualSystem([block], network, ansatz)


def _rule() -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre points (peaks, nodes) of all regions, and the weights (nodes,) that each has."""
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    return np.array(CENTRES)[:, None] + HALF_WIDTH * nodes, HALF_WIDTH * weights


def _norms(values: np.ndarray) -> np.ndarray:
    """L2 norms on the regions, (peaks,), of values at the rule's points (peaks, nodes)."""
    return np.sqrt(values**2 @ _rule()[1])


def _truth(problem: Problem) -> np.ndarray:
    points = _rule()[0]
    return problem.exact_values(points.reshape(-1, 1)).reshape(points.shape)


def region_errors(problem: Problem, field: TrainedField) -> np.ndarray:
    """Relative L2 errors on the regions, (peaks,)."""
    points, truth = _rule()[0], _truth(problem)
    found = field.values(points.reshape(-1, 1)).reshape(points.shape)
    return _norms(found - truth) / _norms(truth)


def retained(problem: Problem, errors: np.ndarray) -> float:
    """The relative L2 error on all regions from those on each (peaks,)."""
    sizes = _norms(_truth(problem))
    return float(np.linalg.norm(errors * sizes) / np.linalg.norm(sizes))


def forgotten(errors: np.ndarray) -> float:
    """The largest difference of a peak's error after a later phase and after the one that learnt it.

    Args:
        errors: (phases, peaks).
    """
    return float(np.max([(errors[k:, k] - errors[k, k]).max() for k in range(len(errors))]))


def continual_section(rows: Sequence[Row]) -> Section:
    """A table of what was kept and forgotten, and the error on the first peak from phase to phase.

    Args:
        rows: `Continual.values` with the result of `perform`; rows of runs that failed have a status alone.
    """
    groups = _groups(rows)
    optimizers = list(dict.fromkeys(row["optimizer"] for row in rows))
    plots = [_plot(optimizer, [g for g in groups if g[0]["optimizer"] == optimizer]) for optimizer in optimizers]
    table = Table(
        "What is left of five peaks learnt in turn",
        ("network", "optimiser", "parameters", "error at the end", "forgotten", "largest forgotten", "seconds", "runs"),
        tuple(_line(group) for group in groups),
        "Medians over the starts. The error is relative, in L2, on all five regions after the last phase; forgotten is "
        "the largest growth of the error of a peak after the phase that learnt it, and the largest of all starts.",
    )
    return Section("Continual learning", (_ABOUT, *_verdict(groups)), (table, *plots))


_ABOUT = (
    "Five Gaussian peaks on [−1, 1], learnt one after the other: each phase has 100 points about one peak and none "
    "elsewhere (Liu et al. 2024, section 3.5). An error of 1 is that of a function that vanishes."
)
_NAMES = {"bspline": "B-splines", "rbf": "Gaussians", "chebyshev": "Chebyshev", "fourier": "Fourier"}
_OPTIMIZERS = {"lm": "Gauss-Newton", "adam": "Adam"}


def label(row: Row) -> str:
    """The network of a row in words: B-splines 3, 200 intervals; MLP [1, 12, 12, 1], tanh."""
    widths = "" if list(row["widths"]) == [1, 1] else f" {list(row['widths'])}"
    if row["family"] == "mlp":
        return f"MLP{widths}, {row['basis']}"
    degree = "" if row["degree"] is None else f" {row['degree']}"
    counted = {"bspline": "intervals", "rbf": "centres", "fourier": "modes"}.get(row["basis"])
    count = "" if counted is None else f", {row['intervals']} {counted}"
    base = "" if row["base"] is None else f" + {row['base']}"
    return f"{_NAMES.get(row['basis'], row['basis'])}{degree}{count}{base}{widths}"


def _groups(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows of one network and optimiser together, in the order in which they come."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((label(row), row["optimizer"]), []).append(row)
    return list(groups.values())


def _of(group: Sequence[Row], key: str) -> Quartiles | None:
    """Over the runs that have it."""
    return quartiles(row.get(key) for row in group)


def _optimizer(name: str) -> str:
    return _OPTIMIZERS.get(name, name)


def _line(group: Sequence[Row]) -> tuple[Any, ...]:
    """A row of the table."""
    known = [row["forgotten"] for row in group if "forgotten" in row]
    found = {key: _of(group, key) for key in ("parameters", "retained", "forgotten", "seconds")}
    median = {key: None if q is None else q.median for key, q in found.items()}
    size = median["parameters"]
    return (
        label(group[0]),
        _optimizer(group[0]["optimizer"]),
        None if size is None else int(size),
        median["retained"],
        median["forgotten"],
        float(np.max(known)) if known else None,
        median["seconds"],
        len(known),
    )


def _verdict(groups: Sequence[Sequence[Row]]) -> list[str]:
    """Which networks kept every peak in every run, and which did not."""
    kept: dict[bool, list[str]] = {True: [], False: []}
    for group in groups:
        grown = [row["forgotten"] for row in group if "forgotten" in row]
        if grown:
            kept[all(g <= KEPT for g in grown)].append(f"{label(group[0])} ({_optimizer(group[0]['optimizer'])})")
    told = {True: "Every peak was kept in every run by", False: "At least one peak was lost in part or whole by"}
    return [f"{told[good]}: {'; '.join(names)}." for good, names in kept.items() if names]


def _plot(optimizer: str, groups: Sequence[Sequence[Row]]) -> Plot:
    return Plot(
        f"The first peak, {_optimizer(optimizer)}",
        "phase",
        "relative L2 error on the first peak",
        tuple(_curve(group) for group in groups),
        "Only the first phase has data there. Medians and quartiles over the starts.",
        log="y",
    )


def _curve(group: Sequence[Row]) -> Curve:
    """The first peak's error after each phase; phases without a finite value in any run are left out."""
    histories = [row["errors"] for row in group if "errors" in row]
    count = max(map(len, histories), default=0)
    spread = [quartiles(h[k][0] for h in histories if k < len(h)) for k in range(count)]
    known = [(float(k + 1), q) for k, q in enumerate(spread) if q is not None]
    return Curve(
        label(group[0]),
        tuple(k for k, _ in known),
        tuple(q.median for _, q in known),
        tuple(q.low for _, q in known),
        tuple(q.high for _, q in known),
    )
