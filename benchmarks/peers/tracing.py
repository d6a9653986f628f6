"""A training's clock, which stands still while errors are measured, and the lines that it prints for the driver."""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

FACTOR, LEAST = 1.08, 0.25  # between two measurements: the larger of eight per cent and a quarter of a second


@dataclass(frozen=True)
class Request:
    """What the driver asks of a script: a problem, a budget in seconds of training, a seed, a variant of the method."""

    problem: str
    seconds: float
    seed: int
    variant: str


def requested(arguments: Sequence[str] | None = None) -> Request:
    """The request on the command line; from then on the process keeps to one core, where the system can."""
    parser = argparse.ArgumentParser()
    parser.add_argument("problem")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--variant", default="")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    return Request(**vars(parser.parse_args(arguments)))


def say(**values: object) -> None:
    """One JSON object on a line of its own."""
    print(json.dumps(values), flush=True)


class Trace:
    """Seconds of training, and errors that are measured now and then.

    Seconds are those of the processor, so other work on the machine does not count; with one thread they are those of
    a clock on an idle machine.

    Args:
        seconds: the budget.
        state: loss and relative L2 error of the network as it is.
    """

    def __init__(self, seconds: float, state: Callable[[], tuple[float, float]]) -> None:
        self.seconds, self.state = seconds, state
        self.iterations, self.measured, self.paused, self.due = 0, -1, 0.0, 0.0
        self.started = time.process_time()

    def spent(self) -> float:
        """Seconds of training so far."""
        return time.process_time() - self.started - self.paused

    def over(self, share: float = 1.0) -> bool:
        """Whether the budget, or a share of it, is used up."""
        return self.spent() >= share * self.seconds

    def after(self, iterations: int = 1) -> None:
        """Counts what was done, and measures if that is due."""
        self.iterations += iterations
        if self.spent() >= self.due or self.over():
            self.measure()

    def measure(self) -> None:
        """Prints a point of the trace, off the clock, unless nothing has been done since the last one.

        Raises:
            FloatingPointError: there is nothing left to train.
        """
        if self.iterations == self.measured:
            return
        spent, self.measured = self.spent(), self.iterations
        loss, error = self.state()
        say(seconds=spent, iteration=self.iterations, loss=loss, relative_l2=error)
        if not math.isfinite(error):
            raise FloatingPointError(f"the error is {error} after {self.iterations} iterations")
        self.due = max(FACTOR * spent, spent + LEAST)
        self.paused += self.spent() - spent
