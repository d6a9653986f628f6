"""The benchmark of optimisers: states in time only, all files, equal starts."""

import csv
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from benchmarks import optimizers
from kanpde.cli.userfile import load_problem
from kanpde.network import KAN
from kanpde.optim import Status

TINY = optimizers.Case("A, tiny", "poisson", lambda seed: KAN([2, 2, 1], "chebyshev", degree=4, seed=seed), 0.4)


@dataclass(frozen=True)
class Slow:
    """A method whose third step takes longer than there is time."""

    clock: list[float]
    status: Status = Status.RUNNING

    def init(self, _: object, theta: Tensor) -> "Slow":
        assert len(theta)
        return self

    def step(self, _: object, state: "Slow") -> "Slow":
        self.clock[0] += 9.0 if self.clock[0] > 1.5 else 1.0
        return replace(state, status=Status.RUNNING)


def test_a_step_that_is_late_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(optimizers.time, "perf_counter", lambda: clock[0])
    system = optimizers.system_of(load_problem(optimizers.common.ROOT / "problems" / "poisson.py"), TINY.network(0))
    _, steps, when = optimizers.reached(Slow(clock), system, 5.0)
    assert (steps, when) == (2, 2.0)


def test_all_methods_are_measured_and_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optimizers, "CASES", (TINY,))
    threads = torch.get_num_threads()
    assert optimizers.main(["--results", str(tmp_path), "--rounds", "2", "--share", "0.5"]) == 0
    torch.set_num_threads(threads)
    with (tmp_path / "optimizers.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["method"] for row in rows] == 2 * list(optimizers.METHODS)
    assert {row["seed"] for row in rows} == {"0", "1"}
    start = optimizers.system_of(load_problem(optimizers.common.ROOT / "problems" / "poisson.py"), TINY.network(0))
    first = 0.5 * float(start.residual(start.theta).square().sum())
    assert all(0 < float(row["loss"]) <= first for row in rows if row["seed"] == "0")
    assert any(float(row["loss"]) < 0.1 * first for row in rows if row["seed"] == "0")
    text = (tmp_path / "optimizers.md").read_text(encoding="utf-8")
    assert "A, tiny: 0.2 s" in text
    assert all(method in text for method in optimizers.METHODS)
