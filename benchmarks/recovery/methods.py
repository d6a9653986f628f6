"""The methods that are compared: what each is run as, and in which environment."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.peers.environments import OWN, made
from benchmarks.recovery.case import Case
from benchmarks.recovery.judge import sample, values

LEARNT, TESTED = 1, 2  # seeds of the points that a peer learns from and tests at; the judge has another one


@dataclass(frozen=True)
class Method:
    """A way from a problem to a formula.

    Attributes:
        library: names the environment, and the script LIBRARY_run.
        options: of the script.
        seconds: limit of wall time for a problem, starting of the process included.
        rounds: whether its constants are decimals, which the judge rounds.
    """

    library: str
    options: tuple[str, ...] = ()
    seconds: float = 120.0
    rounds: bool = False

    @property
    def module(self) -> str:
        """What `python -m` runs."""
        return f"benchmarks.recovery.{self.library}_run"

    def command(self, case: Case, seed: int, solving: float, environments: Path, scratch: Path) -> Sequence[str]:
        """What is run for a case.

        Args:
            case: of the suite.
            seed: of everything random.
            solving: seconds for the solve, of a method that solves.
            environments: directory with those of the peers.
            scratch: directory for the table of values, for a method that is given one.

        Raises:
            CalledProcessError: the environment cannot be made.
        """
        start = [str(made(self.library, environments)), "-m", self.module]
        own = [case.name, "--seconds", str(solving)] if self.library == OWN else [str(tabulated(case, scratch))]
        return [*start, *own, "--seed", str(seed), *self.options]


METHODS = {
    "kanpde": Method(OWN),
    "pykan": Method("pykan", ("--width", "5"), 180.0, rounds=True),
    "pykan-small": Method("pykan", ("--width", "2"), 180.0, rounds=True),
}


def channels(case: Case, points: np.ndarray) -> np.ndarray:
    """The closed forms at points, (n, c): of a complex unknown its real and its imaginary part."""
    columns = []
    for formula, is_complex in zip(case.formulas, complexes(case), strict=True):
        found = values(formula, case.problem.coordinates, points)
        columns += [found.real, found.imag] if is_complex else [found.real]
    return np.stack(columns, axis=1)


def complexes(case: Case) -> list[bool]:
    """Which unknowns are complex."""
    return [not unknown.is_real and len(case.problem.fields) > len(case.problem.unknowns) for unknown in case.exact]


def tabulated(case: Case, scratch: Path) -> Path:
    """A file with the values of the closed forms at random points."""
    arrays: dict[str, np.ndarray] = {}
    for name, seed in (("train", LEARNT), ("test", TESTED)):
        points = sample(case, seed=seed)
        arrays |= {f"{name}_input": points, f"{name}_label": channels(case, points)}
    with tempfile.NamedTemporaryFile(suffix=".npz", dir=scratch, delete=False) as file:
        np.savez(file, names=[symbol.name for symbol in case.problem.coordinates], **arrays)
    return Path(file.name)
