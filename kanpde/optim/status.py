"""Why an iteration goes on or stopped."""

from __future__ import annotations

from enum import Enum


class Status(Enum):
    """The state of an optimiser; the value is what a user reads."""

    RUNNING = "running"
    STALLED = "no step lowers the loss any more: refine the network or take more points"
    FLAT = "the loss has stopped falling: refine the network"
    NOT_FINITE = "the residual is not finite: start from smaller coefficients or check the equation's domain"
