"""Why an iteration goes on or stopped."""

from __future__ import annotations

import math
from enum import Enum

from torch import Tensor


class Status(Enum):
    """The state of an optimiser; the value is what a user reads."""

    RUNNING = "running"
    STALLED = "no step lowers the loss any more: refine the network or take more points"
    FLAT = "the gradient vanishes, the loss is at a minimum: refine the network"
    NOT_FINITE = "the residual is not finite: start from smaller coefficients or check the equation's domain"


def status_at(loss: float, gradient: Tensor) -> Status:
    """What a loss and its gradient (P,) say about going on."""
    size = float(gradient.norm())
    if not (math.isfinite(loss) and math.isfinite(size)):
        return Status.NOT_FINITE
    return Status.RUNNING if size > 0 else Status.FLAT
