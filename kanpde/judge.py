"""The judgement of a run: error estimates when they are worth their cost, the best network so far, and the verdict.

An estimate costs as much as many iterations, so it is asked for when the residual foretells one below the tolerance:
the ratio of error to residual is known from the last one. Where no solver of the defect equation takes the problem,
as above three coordinates, two networks of one run estimate each other (`Witness`).
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, field, replace

import numpy as np

from kanpde.collocation import collocate
from kanpde.estimate import Estimator, TrainedField, quadrature
from kanpde.field import Ansatz
from kanpde.identification import Uncertainty, uncertainty
from kanpde.network import Trainable
from kanpde.problem import Problem
from kanpde.record import SAFETY
from kanpde.references.correction import DefectEstimate
from kanpde.residuals import Block, ResidualSystem

CHECK = 20  # steps between estimates while the ratio of error to residual is unknown
PROMISING = 0.05  # of the first residual: above it no error estimate is worth its cost
DENIED = 0.1  # of the loss after which an estimate was refused: the next one waits until then
LIMITED = 1.2  # an estimate within this factor of the uncertainty from noise cannot be lowered
WITNESS = 0.2  # of a network's residual, that a later network may keep to be its witness
WAITING = 5  # networks that wait for a witness at most
SAMPLE = 256  # points at which a field is looked at
VANISHING = 1e-12  # size of a field that is zero
RESOLVED = 3  # coordinates that solvers of the defect equation resolve
DEAR = 30_000  # nodes of a grid, cells or functions, from where on a refused estimate was dear

Best = tuple[Trainable, DefectEstimate]


@dataclass(eq=False)
class Judge:
    """Estimates the errors of one run.

    Args:
        problem: what is solved.
        rtol: the tolerance.

    Attributes:
        ratio: error over residual at the last trusted estimate, inf while there is none.
        hurdle: loss above which no estimate is asked for, since a dear one was refused.
        first: size that the loss is compared with: that of the start, or that of u = 0.
        best: the network with the best trusted estimate, and that estimate.
        noise: what noisy measurements leave undetermined.
    """

    problem: Problem
    rtol: float
    ratio: float = math.inf
    hurdle: float = math.inf
    first: float = math.inf
    best: Best | None = None
    noise: Uncertainty | None = None
    estimator: Estimator = field(init=False)
    waiting: tuple[Witness, ...] = ()

    def __post_init__(self) -> None:
        """The estimator keeps its factorisations for the whole run."""
        self.estimator = Estimator(self.problem)

    def __call__(
        self, network: Trainable, ansatz: Ansatz, loss: float, system: ResidualSystem | None
    ) -> DefectEstimate | None:
        """The estimate of a network; keeps error / residual to foresee the next one, and the best network.

        Args:
            network: trained.
            ansatz: its exact conditions.
            loss: ½ |r|² there; 0 where it is not known.
            system: the rows, for the uncertainty that measurements leave.
        """
        trained = TrainedField(network, ansatz)
        estimate = self._with_noise(trained, self.estimator(trained), system)
        now = trusted(estimate)
        if now is None and loss > 0:
            self.hurdle = DENIED * loss if self._dear(estimate) else math.inf
        self.ratio = now / math.sqrt(2 * loss) if now is not None and loss > 0 else math.inf
        self.keep(network, estimate)
        return estimate

    def keep(self, network: Trainable, estimate: DefectEstimate | None) -> None:
        """Remembers a copy of a network if its trusted estimate is the best."""
        now = trusted(estimate)
        if estimate is not None and now is not None and (self.best is None or now < (trusted(self.best[1]) or 0.0)):
            self.best = copy.deepcopy(network), estimate

    @staticmethod
    def _dear(estimate: DefectEstimate | None) -> bool:
        """Whether a refused estimate went up to large grids; the clock is not asked, so that runs repeat."""
        if estimate is None:
            return False
        return any(math.prod(shape) > DEAR or len(shape) > RESOLVED for shape in estimate.shapes)

    def promising(self, loss: float) -> bool:
        """Whether the residual has fallen so far that an estimate can mean something."""
        return loss <= min(PROMISING**2 * self.first, self.hurdle)

    def worth(self, loss: float, steps: int) -> bool:
        """Whether the residual foretells an error below the tolerance; now and then where no estimate says how."""
        if math.isinf(self.ratio):
            return steps % CHECK == 0 and self.promising(loss)
        return self.ratio * math.sqrt(2 * loss) * SAFETY <= self.rtol

    def satisfied(self, estimate: DefectEstimate | None) -> bool:
        """Whether an estimate meets the tolerance."""
        now = trusted(estimate)
        return now is not None and SAFETY * now <= self.rtol

    def limited(self, estimate: DefectEstimate | None) -> bool:
        """Whether what is left of the error is the noise of the measurements."""
        now = trusted(estimate)
        return self.noise is not None and now is not None and now <= LIMITED * self.noise.relative

    def vanishing(self, network: Trainable, ansatz: Ansatz) -> bool:
        """Whether the field is zero to rounding."""
        points = collocate(self.problem.domain.interior, SAMPLE, "sobol", 3).x
        return bool(np.abs(TrainedField(network, ansatz).values(points)).max() < VANISHING)

    @property
    def unresolved(self) -> bool:
        """Whether networks of the run have to estimate each other: above three coordinates."""
        return not self.problem.parameters and self.problem.domain.dimension > RESOLVED

    def witnessed(self, network: Trainable, ansatz: Ansatz, blocks: list[Block]) -> None:
        """Lets this network be the witness of the latest one whose residual it undercuts, then waits for its own.

        Args:
            network: as it is now.
            ansatz: its exact conditions.
            blocks: rows at points that training has not seen.
        """
        own = Witness(copy.deepcopy(network), ansatz, self.problem)
        size, kept = own.residual(blocks), self.waiting
        for k in range(len(kept) - 1, -1, -1):
            if size <= WITNESS * kept[k].residual(blocks):
                self.keep(kept[k].network, kept[k].judged_by(own))
                kept = kept[k + 1 :]
                break
        self.waiting = (*kept, own)[-WAITING:]

    def _with_noise(
        self, trained: TrainedField, estimate: DefectEstimate | None, system: ResidualSystem | None
    ) -> DefectEstimate | None:
        """The estimate with the error that noisy measurements leave in the fields, which no network can lower."""
        if estimate is None or system is None or system.network is not trained.network:
            return estimate
        self.noise = uncertainty(self.problem, trained, system)
        if self.noise is None or estimate.relative is None:
            return estimate
        certain = estimate.trusted or estimate.relative <= self.noise.relative
        relative = math.hypot(estimate.relative, self.noise.relative)
        return replace(estimate, relative=relative, trusted=certain)


@dataclass(frozen=True, eq=False)
class Witness:
    """A network that a later one of the same run judges.

    Where the later one keeps a fifth of its residual, the difference of the two is its error up to about a fifth.

    Attributes:
        network: a copy.
        ansatz: its exact conditions.
        problem: what both solve.
    """

    network: Trainable
    ansatz: Ansatz
    problem: Problem

    def judged_by(self, later: Witness) -> DefectEstimate:
        """|u_later − u| / |u_later|, for a later one with a much smaller residual."""
        own, truth = TrainedField(self.network, self.ansatz), TrainedField(later.network, later.ansatz)
        points, weights = quadrature(self.problem.domain)
        values = truth.values(points)
        gap, size = (
            float(np.sqrt((np.abs(self.problem.readout(points, v)) ** 2).sum(1) @ weights))
            for v in (values - own.values(points), values)
        )
        relative = gap / size if size > 0 else None
        correction = Difference(own, truth, gap)
        return DefectEstimate(correction, gap, relative, relative is not None, "", (), 0.0, method="network")

    def residual(self, blocks: list[Block]) -> float:
        """|r| on given rows."""
        system = ResidualSystem(blocks, self.network, self.ansatz, parameters=self.problem.parameters)
        return float(system.residual(system.theta).norm())


@dataclass(frozen=True, eq=False)
class Difference:
    """The difference of two trained fields, a correction of the first, with its L2 norm."""

    field: TrainedField
    later: TrainedField
    norm: float

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """The fields (n, m) at points (n, d)."""
        return self.later.values(points) - self.field.values(points)


def trusted(estimate: DefectEstimate | None) -> float | None:
    """The number of a trusted estimate."""
    return None if estimate is None or not estimate.trusted else estimate.relative
