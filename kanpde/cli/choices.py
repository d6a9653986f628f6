"""What the options of `kanpde solve` decide in the driver's place."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import torch

from kanpde.continuation import factors_for
from kanpde.errors import ProblemError, ProblemWarning
from kanpde.problem import Problem
from kanpde.stages import Pinned


@dataclass(frozen=True)
class Choices:
    """Choices of the user; None leaves them to the driver.

    Attributes:
        windows: of time, solved one after the other.
        continuation: lead the problem from easy to hard, by factors that the operator suggests.
        device: "cpu" or a CUDA device.
        exact: conditions exactly where that is possible, or all of them by soft rows.
        basis: of the edges.
        depth: hidden layers.
        seeds: random starts that compete.

    Raises:
        ProblemError: a number, a device or a word that means nothing.
    """

    windows: int | None = None
    continuation: bool = False
    device: str | None = None
    exact: bool | None = None
    basis: str | None = None
    depth: int | None = None
    seeds: int | None = None

    def __post_init__(self) -> None:
        """Checks at the door what the solver would find out later."""
        for option, value, least in (
            ("--windows", self.windows, 1),
            ("--depth", self.depth, 0),
            ("--seeds", self.seeds, 1),
        ):
            if value is not None and value < least:
                raise ProblemError(f"{option} {value} is too small: give {least} or more.")
        if self.device is not None:
            check_device(self.device)
        _ = self.pinned

    @property
    def pinned(self) -> Pinned:
        """What is pinned of the network and its starts."""
        return Pinned(basis=self.basis, depth=self.depth, candidates=self.seeds)

    def arguments(self, problem: Problem) -> dict[str, Any]:
        """What `solve` is given for a problem; a choice that changes nothing there is warned of."""
        if self.continuation and not factors_for(problem):
            warnings.warn(
                f"--continuation changes nothing: {problem.name} is not dominated by transport.",
                ProblemWarning,
                stacklevel=2,
            )
        return {
            "windows": self.windows,
            "continuation": self.continuation or None,
            "device": self.device,
            "exact_conditions": self.exact,
            "pinned": self.pinned,
        }


def check_device(device: str) -> None:
    """Puts one number there, for which name, driver and float64 have to be right.

    Raises:
        ProblemError: it cannot be used.
    """
    try:
        place = torch.device(device)
    except RuntimeError as error:
        raise ProblemError(f"--device {device} names no device: give cpu, cuda, or cuda:1 for the second.") from error
    try:
        torch.zeros((), dtype=torch.float64, device=place).item()
    except (RuntimeError, AssertionError, TypeError) as error:
        reason = str(error).splitlines()[0].partition(". ")[0]
        raise ProblemError(f"--device {device} cannot be used here: {reason}. Give cpu.") from error
