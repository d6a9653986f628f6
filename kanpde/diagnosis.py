"""Why a run ended, in words that name the cure.

Each finding is one question to the run, asked in the order in which an answer makes the later ones pointless: rounding
before exhaustion, for at the floor every space looks exhausted; amplification before rounding, for where it is large
the floor of the residual is not that of the error; too few points before all three, for a residual that is small at its
own points alone says nothing about them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from kanpde.record import SAFETY
from kanpde.residuals import ResidualSystem

EPSILON = float(torch.finfo(torch.float64).eps)
FLOOR = 50.0  # times the change of the residual by rounding of the coefficients: below it there is only rounding
EXHAUSTED = 0.05  # share of |r|² in the tangent space, below which no step of this network lowers it by much
IDLE = 0.5  # of the residual of u = g: a network that keeps so much has done nothing
AMPLIFIED = 1e5  # relative error over relative residual, from where on small residuals say little


@dataclass(frozen=True)
class Findings:
    """What is known at the end of a run that did not converge.

    Attributes:
        rtol: the tolerance.
        relative: the estimated error, None without a trusted estimate.
        reason: why there is no estimate, in the estimator's words.
        residual: |r| at the end, over |r| of u = g, the exact conditions alone; 0 where that is no measure.
        rounding: |r| at the end over its change by rounding of the coefficients.
        overfit: rms residual at points that training has not seen over that at its own; 1 where not measured.
        reach: share of |r|² in the tangent space at the last step.
        parameters: of the network.
        grows: whether something larger could have followed.
        vanishing: whether the field is zero to rounding though the equations are homogeneous.
        noise: the error that noisy measurements leave, None without any.
        limited: whether that noise is what is left.
    """

    rtol: float
    relative: float | None
    reason: str
    residual: float
    rounding: float
    overfit: float
    reach: float
    parameters: int
    grows: bool
    vanishing: bool
    noise: float | None = None
    limited: bool = False


def verdict(found: Findings, most: float) -> str:
    """The status of a run that ended without meeting its tolerance.

    Args:
        found: what is known.
        most: overfitting ratio from where on points are too few.
    """
    if found.limited:
        return (
            f"finished: the noise of the observations leaves an error of {found.noise:.1e}; "
            "give more or better data, or a larger rtol"
        )
    cause = _cause(found, most)
    if found.vanishing:
        return f"finished without an error estimate: {cause}"
    if found.relative is None:
        reason = found.reason or "the residual stays too large for one; give max_seconds or a finer network"
        return f"finished without an error estimate: {reason}{'; ' + cause if cause else ''}"
    return (
        f"not converged: the estimated error {found.relative:.1e} stays above {found.rtol:.1e}/{SAFETY}; "
        f"{cause or 'give a wider network, more stages, or a larger rtol'}"
    )


def _cause(found: Findings, most: float) -> str:
    """The first finding that applies, with its cure; empty where none does."""
    if found.vanishing:
        return (
            "the field found is zero, which solves these homogeneous equations; "
            "give initial_guess= near the solution that is meant, or a condition that zero does not meet"
        )
    if found.residual > IDLE:
        return (
            "collapsed: the network does no better than the trivial field; give another seed, an initial_guess=, "
            "continuation=, windows= in time, or a network= with more nodes"
        )
    if found.overfit > most:
        return (
            f"too few points: at new ones the residual is {found.overfit:.0f} times as large; "
            "give stages with more points="
        )
    if found.relative is not None and found.relative > AMPLIFIED * found.residual:
        return (
            "ill-posed or nearly so: a residual this small leaves an error this large; "
            "check for a missing condition or a resonance, or give a larger rtol"
        )
    if found.rounding <= FLOOR:
        return (
            "the residual is at the floor of float64 rounding; no network of this kind gets lower, give a larger rtol"
        )
    if found.reach < EXHAUSTED and not found.grows:
        return (
            f"the space of {found.parameters} parameters is exhausted and none larger is affordable; "
            "give a network= with more nodes, another basis, or a larger rtol"
        )
    return ""


def rounding_of(system: ResidualSystem) -> float:
    """|r| over the change of r when every coefficient moves by its rounding, with random signs from a fixed seed.

    Near one the residual is nothing but rounding, and differences of losses mean nothing.
    """
    theta = system.theta
    generator = torch.Generator().manual_seed(0)
    signs = torch.randint(0, 2, theta.shape, generator=generator).to(theta) * 2 - 1
    residual = system.residual(theta)
    change = system.residual(theta * (1 + EPSILON * signs)) - residual
    size = float(change.norm())
    return float(residual.norm()) / size if size > 0 else float("inf")
