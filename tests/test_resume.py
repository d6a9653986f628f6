"""Runs that are stopped, killed or out of time go on bit by bit; no file is damaged on the way."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import contracts  # noqa: F401 - torch warns in the first forward mode of a process, which this is for own modules
import numpy as np
import pytest
import sympy as sp
import torch
from cases import load as problem_file

import kanpde as kp
from kanpde import estimate, judge, start, store, training
from kanpde.cli import commands, main
from kanpde.cli.results import find_results
from kanpde.errors import StoreError
from kanpde.identification import Uncertainty
from kanpde.references import DefectEstimate
from kanpde.solution import Solution, solving
from kanpde.stages import Ladder

ROOT = Path(__file__).parents[1]
x = sp.Symbol("x", real=True)


class Stopper:
    """A callback that stops the run in an iteration, as Ctrl-C does."""

    def __init__(self, iteration: int) -> None:
        self.iteration = iteration

    def __call__(self, row: dict[str, Any]) -> None:
        if row["iteration"] == self.iteration:
            raise KeyboardInterrupt


class Copier:
    """A callback that keeps what a process would leave that is killed in some iterations.

    Checkpoints are written inside stages where one of these is the next.
    """

    def __init__(self, path: Path, iterations: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = path
        self.iterations = iterations
        self.monkeypatch = monkeypatch

    def at(self, iteration: int) -> Path:
        return self.path.with_name(f"killed-{iteration}.h5")

    def __call__(self, row: dict[str, Any]) -> None:
        if row["iteration"] in self.iterations:
            shutil.copyfile(self.path, self.at(row["iteration"]))
        soon = row["iteration"] + 1 in self.iterations
        self.monkeypatch.setattr(training, "KEEPING", -1.0 if soon else 1e9)


def told(solution: Solution) -> dict[str, Any]:
    """All that a run says of itself, but for the time that it took."""
    record = solution.record
    rows = [{key: value for key, value in row.items() if key != "seconds"} for row in record.history]
    names = (
        "status",
        "converged",
        "error_estimate",
        "relative_l2",
        "iterations",
        "n_parameters",
        "identified",
        "identified_stderr",
    )
    return {"history": rows, "network": record.network} | {name: getattr(record, name) for name in names}


def assert_same(one: Solution, other: Solution) -> None:
    """The same to the last bit."""
    assert told(one) == told(other)
    assert one.record.theta.tobytes() == other.record.theta.tobytes()


@dataclass(frozen=True)
class Case:
    """A run, and the iterations at which it ends before its time."""

    problem: str
    wish: dict[str, Any] = field(default_factory=dict)
    rtol: float = 1e-12
    kills: tuple[int, ...] = (2,)
    stop: int | None = None
    estimates: bool = True


def own_module() -> torch.nn.Module:
    """A network of the user's, with the same numbers in every call."""
    random = np.random.default_rng(0)
    module = torch.nn.Sequential(torch.nn.Linear(1, 6), torch.nn.Tanh(), torch.nn.Linear(6, 1)).double()
    for parameter in module.parameters():
        parameter.data = torch.as_tensor(random.normal(size=parameter.shape))
    return module


def solved(case: Case, **more: Any) -> Solution:
    """A run of a case; a user's module is made anew, since a loaded file sets its numbers."""
    wish = {
        key: value() if callable(value) and not isinstance(value, torch.nn.Module) else value
        for key, value in case.wish.items()
    }
    return kp.solve(problem_file(case.problem), case.rtol, **wish, **more)


SHORT = [kp.Stage(iterations=3, points=150), kp.Stage(intervals=7, iterations=3, points=150)]
CASES = {
    # Stages of 30 and 34 iterations; the first estimates come at 20 and after.
    "ladder": Case("poisson", {"pinned": kp.Pinned(sums=2, products=2, degree=4)}, 1e-5, (45,), 20),
    "nonlinear": Case("nonlinear_poisson", {"pinned": kp.Pinned(sums=2, products=2)}, 1e-3, (9,)),
    "shape": Case("disk", {"stages": SHORT}, kills=(5,)),
    "features": Case("annulus", {"stages": SHORT}, kills=(5,), estimates=False),
    "splines": Case(
        "poisson_1d",
        {
            "network": kp.KAN([1, 1], degree=5, intervals=4),
            "stages": [kp.Stage(iterations=3), kp.Stage(intervals=8, knots=True, iterations=3), kp.Stage(deepen=True)],
        },
        1e-7,
        (5,),
        9,
    ),
    "lbfgs": Case(
        "poisson_1d",
        {"network": kp.MLP([1, 8, 1]), "stages": [kp.Stage("lbfgs", iterations=12), kp.Stage(widen=1, iterations=3)]},
        kills=(3, 14),
        stop=9,
    ),
    "own lbfgs": Case(
        "poisson_1d",
        {"network": kp.MLP([1, 8, 1]), "stages": [kp.Stage(kp.LBFGS(memory=3), iterations=12)]},
        kills=(7,),
        stop=5,
    ),
    "ssbroyden": Case(
        "poisson_1d",
        {"network": kp.MLP([1, 8, 1]), "stages": [kp.Stage("ssbroyden", iterations=15)]},
        kills=(2, 9),
        stop=9,
    ),
    "adam": Case(
        "poisson_1d",
        {"network": kp.MLP([1, 8, 1]), "stages": [kp.Stage("adam", iterations=15)]},
        kills=(9,),
        stop=4,
    ),
    "focused": Case(
        "heat_1d",
        {"stages": [kp.Stage(iterations=3, points=150, sampling="r3", causal=0.1)] * 2, "network": kp.KAN([2, 2, 1])},
        kills=(2, 5),
        estimates=False,
    ),
    "own module": Case(
        "poisson_1d",
        {"network": lambda: own_module(), "stages": [kp.Stage(iterations=3), kp.Stage(iterations=3)]},
        kills=(5,),
    ),
    "units": Case("micrometres", {"stages": SHORT}, kills=(5,)),
    "scalars": Case("identify_viscosity", {"stages": SHORT}, kills=(2,), estimates=False),
}


@pytest.mark.parametrize("name", CASES)
def test_a_run_goes_on_bit_by_bit(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From any checkpoint, and from Ctrl-C: the same coefficients, estimate and history as without a break."""
    if not CASES[name].estimates:
        monkeypatch.setattr(estimate, "methods", lambda _: ())  # they cost more than these few steps
    goes_on(CASES[name], tmp_path, monkeypatch)


def goes_on(case: Case, directory: Path, monkeypatch: pytest.MonkeyPatch) -> Solution:
    """The run without a break, to which all runs with one are equal."""
    path = directory / "c.h5"
    copier = Copier(path, case.kills, monkeypatch)
    whole = solved(case, checkpoint=path, callback=copier)
    for iteration in case.kills:
        killed = copier.at(iteration)
        assert_left(killed, case, "running", iteration - 1)
        assert_same(solved(case, checkpoint=killed, resume=True), whole)
    if case.stop is None:
        return whole
    path = directory / "stopped.h5"
    solved(case, checkpoint=path, callback=Stopper(case.stop))
    assert_left(path, case, "interrupted", case.stop)
    assert_same(solved(case, checkpoint=path, resume=True), whole)
    return whole


def assert_left(path: Path, case: Case, status: str, iterations: int) -> None:
    record = store.load(path).record
    assert (record.problem_name, record.status, record.iterations) == (case.problem, status, iterations)


def ladder_of(monkeypatch: pytest.MonkeyPatch, *stages: kp.Stage) -> None:
    """These stages in place of those that the driver chooses."""
    monkeypatch.setattr(
        Ladder,
        "following",
        lambda self, network, ends: stages[len(ends)] if len(ends) < len(stages) else None,  # noqa: ARG005
    )


def test_a_rescued_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network fitted to a coarse solution, with clustered inputs that no later process fits again."""
    monkeypatch.setattr(estimate, "methods", lambda _: ())
    for name, value in {"DEGREES": (5,), "STEPS": 2, "WIDTH": 3}.items():
        monkeypatch.setattr(start, name, value)
    ladder_of(monkeypatch, kp.Stage(iterations=3, points=150), kp.Stage(intervals=6, iterations=3, points=150))
    case = Case("burgers", {"windows": 1, "continuation": False}, kills=(5,), stop=2)
    whole = goes_on(case, tmp_path, monkeypatch)
    assert whole.field.ansatz.clusterings
    assert whole.history[-1]["steep"] == 1


def test_starts_in_doubt_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No first stage is trusted, so one start after the other is tried, then the best one goes on."""
    monkeypatch.setattr(judge, "PROMISING", 0.0)
    ladder_of(monkeypatch, kp.Stage(iterations=2), kp.Stage(iterations=2))
    case = Case("poisson", {"pinned": kp.Pinned(sums=2, products=2)}, kills=(4,), stop=7)
    whole = goes_on(case, tmp_path, monkeypatch)
    assert [row["stage"] for row in whole.history] == [0] * 6 + [1] * 2


class Worsening(estimate.Estimator):
    """Finds larger networks worse, whatever they are."""

    def __call__(self, field: estimate.TrainedField) -> DefectEstimate:
        found = super().__call__(field)
        return dataclasses.replace(found, trusted=True, relative=1e-6 * field.network.n_parameters**2)


def test_a_setback_is_given_up_by_a_resumed_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "Estimator", Worsening)
    monkeypatch.setattr(judge, "PROMISING", 1.0)
    ladder_of(monkeypatch, *(kp.Stage(intervals=k, iterations=2) for k in (5, 9, 5)))
    case = Case("poisson", {"pinned": kp.Pinned(sums=2, products=2)}, kills=(4, 5), stop=3)
    whole = goes_on(case, tmp_path, monkeypatch)
    assert [row["density"] for row in whole.history] == [3.0] * 4 + [6.0] * 2
    assert whole.history[-1]["parameters"] == whole.history[0]["parameters"]


def test_a_witness_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above three coordinates a network of an earlier stage is judged by one of a later process."""
    monkeypatch.setattr(estimate, "methods", lambda _: ())
    monkeypatch.setattr(judge, "WITNESS", 1e9)
    stages = [kp.Stage(iterations=2, points=60), kp.Stage(iterations=2, points=60)]
    case = Case(
        "poisson_5d", {"network": kp.KAN([5, 2, 1], "chebyshev", degree=3), "stages": stages}, kills=(4,), stop=3
    )
    assert goes_on(case, tmp_path, monkeypatch).error_estimate is not None


@pytest.mark.parametrize("spent", [0, 4])
def test_a_run_out_of_time_goes_on(spent: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where time ends while starts compete: they compete anew, for those that stopped early might have won."""
    case = Case("poisson", {"pinned": kp.Pinned(sums=2, products=2), "stages": [kp.Stage(iterations=6)]})
    whole = solved(case)
    with monkeypatch.context() as clock:
        clock.setattr(training.Run, "late", property(lambda run: run.progress.iterations >= spent))
        first = solved(case, checkpoint=tmp_path / "c.h5")
    assert (first.status, first.iterations) == ("out of time", max(1, spent))
    assert_same(solved(case, checkpoint=tmp_path / "c.h5", resume=True), whole)


def test_a_run_stopped_before_its_first_step_begins_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case, path = (
        Case("poisson", {"pinned": kp.Pinned(sums=2, products=2), "stages": [kp.Stage(iterations=2)]}),
        tmp_path / "c.h5",
    )

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as key:
        key.setattr(training.Run, "_raced", stop)
        first = solved(case, checkpoint=path)
    assert (first.status, first.iterations) == ("interrupted", 0)
    assert_same(solved(case, checkpoint=path, resume=True), solved(case))


def test_all_that_a_run_has_learnt_is_taken_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also what changes no bit of these short runs: thresholds, and where the estimators begin their search."""
    learnt: list[dict[str, Any]] = []

    class Telling(training.Run):
        def __post_init__(self) -> None:
            super().__post_init__()
            learnt.append(self.learnt)

        @property
        def learnt(self) -> dict[str, Any]:
            left = self._snapshot(None)
            return {**left.numbers, "hints": left.hints}

        def _leave(self, inside: Any) -> None:
            super()._leave(inside)
            if len(learnt) == 1:
                learnt[0] = self.learnt

    monkeypatch.setattr(solving, "Run", Telling)
    monkeypatch.setattr(judge, "DENIED", 1e6)
    monkeypatch.setattr(judge, "DEAR", 0)
    monkeypatch.setattr(judge.Judge, "satisfied", lambda *_: False)
    stages = [kp.Stage(iterations=22, points=200), kp.Stage(intervals=20, iterations=3, points=200)]
    case = Case("poisson_1d", {"network": kp.KAN([1, 2, 1], "chebyshev", degree=6), "stages": stages}, 1e-16)
    for iteration in (24, 25):
        solved(case, checkpoint=tmp_path / "c.h5", callback=Stopper(iteration), resume=True)
    assert learnt[1] == learnt[0]
    assert all(np.isfinite(learnt[0][name]) for name in ("ratio", "first", "rounding", "idle"))
    assert learnt[0]["overfit"] != 1.0


def test_a_run_killed_after_its_last_stage_says_why_it_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What its words rest on is in the file: rounding, points, and the noise of measurements."""
    monkeypatch.setattr(judge, "uncertainty", lambda *_: Uncertainty({"nu": 0.1}, 1e-30))
    case, path, killed = Case("poisson_1d", rtol=1e-16), tmp_path / "c.h5", tmp_path / "killed.h5"
    settle = training.Run._settle

    def settled(run: training.Run, *margin: float) -> None:
        if path.exists() and not killed.exists():
            shutil.copyfile(path, killed)
        settle(run, *margin)

    case = dataclasses.replace(case, wish={"pinned": kp.Pinned(degree=40, largest=41)})
    monkeypatch.setattr(training.Run, "_settle", settled)
    whole = solved(case, checkpoint=path)
    assert "the floor of float64" in whole.status
    assert whole.identified_stderr == {"nu": 0.1}
    assert_left(killed, case, "running", whole.iterations)
    assert_same(solved(case, checkpoint=killed, resume=True), whole)


def test_checkpoints_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "KEEPING", -1.0)
    case = Case("poisson_1d", {"stages": SHORT}, 1e-9)
    assert_same(solved(case, checkpoint=tmp_path / "c.h5"), solved(case))


def test_a_checkpoint_saved_elsewhere_goes_on_from_its_network(tmp_path: Path) -> None:
    """A solution alone holds no optimiser's state; it says nothing of one either."""
    case = Case("poisson_1d", {"stages": SHORT})
    first = solved(case, checkpoint=tmp_path / "c.h5", callback=Stopper(4))
    copy = kp.load(tmp_path / "c.h5").save(tmp_path / "copy.h5")
    second = solved(case, checkpoint=copy, resume=True)
    assert second.history[:4] == first.history
    assert second.history[4]["loss"] < first.history[3]["loss"]


def test_a_failing_disk_leaves_the_last_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever happens while a file is written, the one before stays whole, and nothing lies beside it."""
    case, path = Case("poisson_1d", {"stages": [kp.Stage(iterations=6)]}), tmp_path / "c.h5"
    monkeypatch.setattr(training, "KEEPING", -1.0)
    whole, replace, calls = solved(case), os.replace, []

    def full(source: str, target: str) -> None:
        calls.append(target)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        replace(source, target)

    with monkeypatch.context() as disk:
        disk.setattr(os, "replace", full)
        with pytest.raises(StoreError, match="No space left on device"):
            solved(case, checkpoint=path)
    assert [file.name for file in tmp_path.iterdir()] == ["c.h5"]
    assert_left(path, case, "running", 2)
    (tmp_path / ".c.h5.1.part").write_bytes(b"half of a file")  # what SIGKILL leaves
    assert_same(solved(case, checkpoint=path, resume=True), whole)


# --- runs in parts --------------------------------------------------------------------------------------------------


class Counter:
    """A callback that counts its calls over all parts of a run, stops it, and keeps what SIGKILL would leave."""

    def __init__(self, stop: int = 0, copy: tuple[int, Path, Path] | None = None) -> None:
        self.stop = stop
        self.copy = copy
        self.rows: list[dict[str, Any]] = []

    def __call__(self, row: dict[str, Any]) -> None:
        self.rows.append(row)
        if self.copy is not None and len(self.rows) == self.copy[0]:
            shutil.copytree(*self.copy[1:])
        if len(self.rows) == self.stop:
            raise KeyboardInterrupt


def test_windows_go_on_where_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second window goes on inside; the first is not repeated; in the end one file is left."""
    monkeypatch.setattr(estimate, "methods", lambda _: ())
    t, u = sp.Symbol("t", real=True), sp.Function("u")(x, sp.Symbol("t", real=True))
    domain = kp.Box({x: (0, 2 * sp.pi)}) * kp.Time(t, (0, 2))
    conditions = [kp.Periodic(u, x), kp.Initial(u, sp.sin(x))]
    decay = kp.Problem(domain, sp.Eq(u.diff(t), u.diff(x, 2)), conditions, name="decay")
    network, stages = kp.KAN([2, (1, 1), 1], "chebyshev", degree=4), [kp.Stage(iterations=4, points=100)]
    wish = {"windows": 2, "network": network, "stages": stages, "checkpoint": tmp_path / "c.h5"}
    whole = kp.solve(decay, **wish)
    assert os.listdir(tmp_path) == ["c.h5"]
    (tmp_path / "c.h5").unlink()
    first = kp.solve(decay, **wish, callback=Counter(stop=6))
    assert first.status == "interrupted"
    assert sorted(os.listdir(tmp_path)) == ["c.window0.h5", "c.window1.h5"]
    counter = Counter()
    assert_same(kp.solve(decay, **wish, resume=True, callback=counter), whole)
    assert [row["iteration"] for row in counter.rows] == [3, 4]
    assert os.listdir(tmp_path) == ["c.h5"]


def layer() -> kp.Problem:
    """A steady front of Burgers' equation."""
    u = sp.Function("u")(x)
    equation = sp.Rational(1, 10) * u.diff(x, 2) - u * u.diff(x)
    return kp.Problem(kp.Box({x: (-1, 1)}), equation, kp.Dirichlet(u, -x), name="layer")


def test_a_continuation_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped in its second step, or killed in the last problem: nothing is repeated, one file is left."""
    wish = {"rtol": 1e-9, "continuation": (4.0, 2.0), "stages": [kp.Stage(iterations=3)] * 2}
    monkeypatch.setattr(training, "KEEPING", -1.0)
    monkeypatch.setattr(solving, "LED_RTOL", 1e-6)  # what meets its tolerance when it is stopped goes on no more
    counter = Counter()
    path, killed = tmp_path / "a" / "c.h5", tmp_path / "b" / "c.h5"
    whole = kp.solve(layer(), **wish, checkpoint=path, callback=counter)
    assert os.listdir(path.parent) == ["c.h5"]
    path.unlink()
    count = len(counter.rows)
    starts = [k for k, row in enumerate(counter.rows) if row["iteration"] == 1]
    assert len(starts) == 3

    first = kp.solve(layer(), **wish, checkpoint=path, callback=Counter(stop=starts[1] + 2))
    assert (first.status, first.iterations, first.problem.name) == ("interrupted", 0, "layer")
    assert sorted(os.listdir(path.parent)) == ["c.step0.h5", "c.step1.h5"]
    first.save(path)  # as the command line does: a solution without a step has nothing to go on from
    counter = Counter(copy=(starts[2] - starts[1] - 2 + 4, path.parent, killed.parent))
    assert_same(kp.solve(layer(), **wish, checkpoint=path, resume=True, callback=counter), whole)
    assert len(counter.rows) == count - starts[1] - 2
    assert os.listdir(path.parent) == ["c.h5"]

    assert "c.step1.h5" in os.listdir(killed.parent)
    counter = Counter()
    assert_same(kp.solve(layer(), **wish, checkpoint=killed, resume=True, callback=counter), whole)
    assert len(counter.rows) == 6 - 3
    assert os.listdir(killed.parent) == ["c.h5"]


# --- the command line -----------------------------------------------------------------------------------------------

FILE = """
import sympy as sp
import kanpde as kp
x = sp.symbols("x", real=True)
u = sp.Function("u")(x)
right = sp.sin(3 * x) - sp.sin(3 * x) ** 3
problem = kp.Problem(kp.Box({x: (0, 2)}), u.diff(x, 2) - u**3 + right, kp.Dirichlet(u, 0), name="line")
"""
# What a process does that writes a checkpoint in every step, slowly enough to be killed among them.
SLOW = """
import sys, time
from kanpde import training
from kanpde.cli import main
training.KEEPING = -1.0
training.Run.late = property(lambda run: time.sleep(0.2))
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "line.py"
    path.write_text(FILE)
    return path


def command(file: Path, out: Path, *words: str) -> int:
    try:
        return main(["solve", str(file), "--out", str(out), "--rtol", "1e-10", *words])
    except SystemExit as end:
        return int(end.code or 0)


def kept(out: Path) -> Solution:
    return kp.load(out / "line.h5")


@pytest.mark.parametrize("how", ["interrupted", "out of time"])
def test_commands_go_on_bit_by_bit(how: str, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The state of an unfinished run survives beside its solution, and goes with the finished one."""
    monkeypatch.setattr(commands, "plot_record", lambda *_: None)
    monkeypatch.setattr(commands, "beside", lambda *_: None)
    assert command(file, tmp_path / "whole") in (0, 3)
    out = tmp_path / "parts"
    with monkeypatch.context() as stop:
        if how == "interrupted":
            stop.setattr(commands, "live", lambda *_: contextlib.nullcontext(Stopper(7)))
        else:
            stop.setattr(training.Run, "late", property(lambda run: run.progress.iterations >= 7))
        assert command(file, out) == (130 if how == "interrupted" else 3)
    assert (kept(out).status, kept(out).iterations) == (how, 7)
    assert (out / "line-checkpoint.h5").exists()
    assert [path.name for path in find_results(None, out)] == ["line.h5"]
    assert command(file, out, "--resume") in (0, 3)
    assert_same(kept(out), kept(tmp_path / "whole"))
    assert not (out / "line-checkpoint.h5").exists()


@pytest.mark.slow
def test_a_killed_process_loses_no_more_than_its_last_step(file: Path, tmp_path: Path) -> None:
    """SIGKILL in the middle: the checkpoint is whole, and what goes on from it ends as if nothing had happened."""
    out, script = tmp_path / "killed", tmp_path / "slow.py"
    script.write_text(SLOW)
    words = [sys.executable, str(script), "solve", str(file), "--out", str(out), "--rtol", "1e-10"]
    process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    checkpoint, seen = out / "line-checkpoint.h5", set()
    while len(seen) < 4 and process.poll() is None:
        with contextlib.suppress(FileNotFoundError):
            seen.add(checkpoint.stat().st_mtime_ns)
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    left = store.load(checkpoint).record
    assert left.status == "running"
    assert left.iterations >= 3
    assert not (out / "line.h5").exists()
    assert command(file, out, "--resume") in (0, 3)
    assert command(file, tmp_path / "whole") in (0, 3)
    assert kept(out).history[: left.iterations] == left.history
    assert_same(kept(out), kept(tmp_path / "whole"))
