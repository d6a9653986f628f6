"""The comparison with other libraries: its formulae, its clock, its environments, its runs that fail, its report."""

import csv
import functools
import itertools
import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

import kanpde as kp
from benchmarks import runs
from benchmarks.peers import __main__ as driver
from benchmarks.peers import environments, kanpde_run, measure, problems, report, tracing
from benchmarks.peers.problems import PROBLEMS
from benchmarks.peers.table import PEERS, Peer
from benchmarks.stored import Stored

SIDES = [(0, -1.0), (0, 1.0), (1, -1.0), (1, 1.0)]


@pytest.fixture(autouse=True)
def digest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Source files may change while tests run."""
    monkeypatch.setattr(measure, "source_digest", lambda: "source")


@functools.cache
def problem_of(letter: str) -> kp.Problem:
    return runs.problem_named(PROBLEMS[letter].file)


def points(number: int = 50) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (number, 2))


# ---- formulae


@pytest.mark.parametrize("letter", PROBLEMS)
def test_solutions_are_those_of_the_problem_files(letter: str) -> None:
    problem = problem_of(letter)
    ((_, exact),) = problem.exact.items()
    where = points()
    theirs = [float(exact.subs(dict(zip(problem.coordinates, point, strict=True)))) for point in where]
    ours = PROBLEMS[letter].exact(where[:, 0], where[:, 1])
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-14)


def trial(x: torch.Tensor) -> torch.Tensor:
    """A function that solves none of the problems."""
    return kp.KAN([2, 3, 1], seed=1)(x)[:, 0]


def laplacian(function: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    x = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(function(x).sum(), x, create_graph=True)
    second = [torch.autograd.grad(g.sum(), x, retain_graph=True)[0][:, k] for k, g in enumerate(gradient.T)]
    return sum(second, torch.zeros(len(x), dtype=x.dtype))


@pytest.mark.parametrize("letter", PROBLEMS)
def test_equations_are_those_of_the_problem_files(letter: str) -> None:
    """Both leave the same residual of a function that solves neither."""
    formulae, x = PROBLEMS[letter], torch.as_tensor(points())
    theirs = kp.residual(problem_of(letter), kp.KAN([2, 3, 1], seed=1), x)[:, 0]
    source = torch.as_tensor(formulae.source(*points().T))
    ours = laplacian(trial, x) + formulae.shift * trial(x) - source
    torch.testing.assert_close(ours.detach(), theirs.detach(), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("letter", PROBLEMS)
@pytest.mark.parametrize(("axis", "side"), SIDES)
def test_conditions_are_those_of_the_problem_files(letter: str, axis: int, side: float) -> None:
    """u is prescribed on the whole boundary, as the solution's own values."""
    where = points()
    where[:, axis] = side
    x, problem = torch.as_tensor(where), problem_of(letter)
    prescribed = trial(x) - kp.residual(problem, kp.KAN([2, 3, 1], seed=1), x, condition=0)[:, 0]
    np.testing.assert_allclose(PROBLEMS[letter].exact(*where.T), prescribed.detach(), atol=1e-14)


@pytest.mark.parametrize("letter", PROBLEMS)
@pytest.mark.parametrize(("axis", "side"), SIDES)
def test_exact_conditions_hold_on_every_side(letter: str, axis: int, side: float) -> None:
    where = points()
    where[:, axis] = side
    x, y = torch.as_tensor(where).T
    ansatz = PROBLEMS[letter].lifting(x, y) + problems.bubble(x, y) * torch.exp(x - y)
    np.testing.assert_allclose(ansatz, PROBLEMS[letter].exact(where[:, 0], where[:, 1]), atol=1e-14)


def test_the_bubble_leaves_the_inside_free() -> None:
    x, y = points().T
    assert problems.bubble(x, y).min() > 0


def test_quadrature_is_that_of_the_square() -> None:
    where, weights = problems.quadrature()
    assert weights.sum() == pytest.approx(4)
    assert weights @ (where[:, 0] ** 2 * where[:, 1] ** 4) == pytest.approx(4 / 15)


@pytest.mark.parametrize("letter", PROBLEMS)
def test_relative_error_of_a_known_error(letter: str) -> None:
    exact = PROBLEMS[letter].exact
    assert problems.relative_l2(PROBLEMS[letter], lambda p: 1.25 * exact(p[:, 0], p[:, 1])[:, None]) == pytest.approx(
        0.25
    )


# ---- the clock


def test_the_clock_stands_still_while_errors_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(tracing, "time", SimpleNamespace(process_time=lambda: now[0]))

    def slow() -> tuple[float, float]:
        now[0] += 100.0
        return 1.0, 0.5

    trace = tracing.Trace(10.0, slow)
    now[0] += 3.0
    trace.after()
    assert trace.spent() == pytest.approx(3.0)
    assert not trace.over()
    assert trace.over(share=0.3)
    now[0] += 7.0
    assert trace.over()


def test_errors_are_measured_when_due_and_at_the_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr(tracing, "time", SimpleNamespace(process_time=lambda: now[0]))
    trace = tracing.Trace(20.0, lambda: (1.0, 0.5))
    for _ in range(200):
        now[0] += 0.1
        trace.after(2)
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    seconds = [line["seconds"] for line in said]
    assert said[-1] == pytest.approx({"seconds": 20.0, "iteration": 400, "loss": 1.0, "relative_l2": 0.5})
    assert all(later - earlier > tracing.LEAST - 0.01 for earlier, later in itertools.pairwise(seconds[:-1]))
    assert 30 < len(said) < 60


def test_nothing_is_measured_twice(capsys: pytest.CaptureFixture[str]) -> None:
    trace = tracing.Trace(10.0, lambda: (1.0, 0.5))
    trace.after()
    trace.measure()
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_a_network_that_is_lost_ends_its_run() -> None:
    with pytest.raises(FloatingPointError, match="nan after 1 iterations"):
        tracing.Trace(10.0, lambda: (1.0, math.nan)).after()


def test_a_request_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing.os, "sched_setaffinity", lambda *_: None, raising=False)
    request = tracing.requested(["R", "--seconds", "5", "--seed", "3", "--variant", "soft"])
    assert request == tracing.Request("R", 5.0, 3, "soft")


# ---- environments


@pytest.mark.parametrize("library", sorted({peer.library for peer in PEERS.values()} - {"kanpde"}))
def test_an_environment_holds_pinned_versions_alone(library: str, tmp_path: Path) -> None:
    make, install = environments.commands(library, tmp_path)
    assert make == [sys.executable, "-m", "venv", "--clear", str(tmp_path / library)]
    assert install[0] == str(tmp_path / library / "bin" / "python")
    assert install[1:] == ["-m", "pip", "install", "--quiet", "--no-deps", "--requirement", install[-1]]
    lines = Path(install[-1]).read_text(encoding="utf-8").splitlines()
    assert all(line.count("==") == 1 for line in lines)
    assert library in [line.split("==")[0].lower() for line in lines]
    assert not [line for line in lines if "nvidia" in line.lower() or "cuda" in line.lower()]
    assert library == "jaxkan" or "torch==2.13.0" in lines


def test_our_own_environment_is_the_present_one(tmp_path: Path) -> None:
    assert environments.commands("kanpde", tmp_path) == []
    assert environments.made("kanpde", tmp_path) == Path(sys.executable)


def test_an_environment_is_made_once_for_its_requirements(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def pretend(command: list[str], **options: object) -> None:
        assert options["check"]
        asked.append(command)
        (tmp_path / "e" / "pykan").mkdir(parents=True, exist_ok=True)

    monkeypatch.setattr(environments.subprocess, "run", pretend)
    for _ in range(2):
        environments.made("pykan", tmp_path / "e")
    assert asked == environments.commands("pykan", tmp_path / "e")
    (tmp_path / "e" / "pykan" / environments.MARK).write_text("pykan==0.0.1\n", encoding="utf-8")
    environments.made("pykan", tmp_path / "e")
    assert len(asked) == 4


def test_an_environment_that_failed_is_not_taken_for_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(command: list[str], **_: object) -> None:
        (tmp_path / "pykan").mkdir(exist_ok=True)
        if "pip" in command:
            raise subprocess.CalledProcessError(1, command, stderr="ERROR: no network\n")

    monkeypatch.setattr(environments.subprocess, "run", broken)
    row = measure.measured(PEERS["pykan"], "A", 1.0, 0, tmp_path)
    assert row["status"] == "no environment: ERROR: no network"
    assert not environments.complete("pykan", tmp_path)


# ---- runs


def row(problem: str = "A", peer: str = "kanpde", seed: int = 0, **changes: Any) -> dict[str, Any]:
    trace = [[1.0, 10.0, math.nan, 1e-2], [12.0, 50.0, 1e-3, 1e-4], [120.0, 900.0, 1e-9, 1e-6 * (1 + seed)]]
    own = {"problem": problem, "peer": peer, "seed": seed, "budget": 120.0, "code": measure.code(PEERS[peer])}
    facts = {"status": "done", "importing": 1.5, "compiling": 0.0, "parameters": 100, "wall_seconds": 130.0}
    return {**own, **facts, "relative_l2": trace[-1][3], "seconds": 120.0, "iterations": 900, "trace": trace, **changes}


def script(text: str) -> list[str]:
    return [sys.executable, "-c", text]


def test_an_output_is_read_whatever_a_library_prints() -> None:
    point = {"seconds": 2.0, "iteration": 3, "loss": 0.1, "relative_l2": 0.2}
    lines = ["Using backend: pytorch", '{"parameters": 7}', "{not ours}", json.dumps(point), "5", '{"compiling": 1.5}']
    found = measure.parsed("\n".join(lines), "done")
    assert found == {
        "status": "done",
        "relative_l2": 0.2,
        "seconds": 2.0,
        "iterations": 3,
        "trace": [[2.0, 3.0, 0.1, 0.2]],
        "parameters": 7,
        "compiling": 1.5,
    }


def test_a_run_without_an_error_has_not_been_done() -> None:
    assert measure.parsed('{"parameters": 7}', "done")["status"] == "no error was measured"


def test_what_was_printed_before_a_failure_counts() -> None:
    text = "print('{\"a\": 1}', flush=True); raise FloatingPointError('the error is nan')"
    assert measure.ran(script(text), 60.0) == ('{"a": 1}\n', "FloatingPointError: the error is nan")


def test_a_run_that_hangs_is_stopped() -> None:
    text = "import time; print('{\"a\": 1}', flush=True); time.sleep(60)"
    output, status = measure.ran(script(text), 1.0)
    assert output == '{"a": 1}\n'
    assert status == "stopped after 1 s of wall time"


def test_a_run_has_one_thread_and_leaves_nothing_behind() -> None:
    text = "import os; print(os.environ['OMP_NUM_THREADS'], os.environ['MKL_NUM_THREADS']); print(os.getcwd())"
    threads, where = measure.ran(script(text), 60.0)[0].splitlines()
    assert threads == "1 1"
    assert not Path(where).exists()


def test_a_status_names_no_directory_of_this_machine() -> None:
    assert measure.last_line(f"Traceback\nIn {runs.ROOT}/x.py and {Path.home()}/y\n\n") == "In ./x.py and ~/y"


def test_the_scripts_are_there_and_called_with_their_request() -> None:
    for peer in PEERS.values():
        assert (environments.HERE / f"{peer.library}_run.py").exists()
        called = measure.command(Path("python"), peer, "H", 5.0, 2)
        assert called[:3] == ["python", "-m", peer.module]
        assert tracing.Request("H", 5.0, 2, peer.variant) == request_of(called[3:])


def request_of(arguments: list[str]) -> tracing.Request:
    problem, *options = arguments
    values = dict(zip(options[::2], options[1::2], strict=True))
    return tracing.Request(problem, float(values["--seconds"]), int(values["--seed"]), values["--variant"])


def test_kanpde_gets_twice_the_time_again_and_again() -> None:
    assert kanpde_run.budgets(120.0) == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 120.0]
    assert kanpde_run.budgets(1.0) == [1.0]


def test_kanpde_itself_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """Two short solves: the trace goes on, and its last error is that of the solution."""
    request = tracing.Request("A", 0.6, 0, "")
    solution, spent, stretch = kanpde_run.solved(request, 0.6, 1.0)
    assert 0.05 < spent < 10
    assert stretch >= 1.0
    error = problems.relative_l2(PROBLEMS["A"], solution)
    assert error == pytest.approx(solution.relative_l2, rel=1e-3)
    assert capsys.readouterr().out == ""


# ---- the driver


def test_a_method_that_fails_is_a_row_and_the_others_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def pretend(peer: Peer, problem: str, seconds: float, seed: int, _: Path) -> dict[str, Any]:
        if peer.name == "pykan":
            return row(problem, peer.name, seed, budget=seconds, **measure.parsed("", "RuntimeError: lost"))
        return row(problem, peer.name, seed, budget=seconds)

    monkeypatch.setattr(driver, "measured", pretend)
    arguments = ["--problems", "A", "--peers", "pykan", "kanpde", "--seconds", "120", "--results", str(tmp_path)]
    driver.main(arguments)
    stored = Stored(tmp_path / "peers.h5", "peers", keep=True)
    assert [(r["peer"], r["status"]) for r in stored.rows] == [("pykan", "RuntimeError: lost"), ("kanpde", "done")]
    assert "RuntimeError: lost" in (tmp_path / "peers.md").read_text(encoding="utf-8")
    assert [task["peer"] for task in driver.tasks(stored, driver.parsed(arguments))] == ["pykan"]
    driver.main(arguments)
    again = Stored(tmp_path / "peers.h5", "peers", keep=True)
    assert sorted(r["peer"] for r in again.rows) == ["kanpde", "pykan"]


def test_runs_of_other_code_are_made_again(tmp_path: Path) -> None:
    stored = Stored(tmp_path / "peers.h5", "peers", keep=True)
    options = driver.parsed(["--problems", "A", "--peers", "kanpde", "jaxkan", "--seeds", "2"])
    stored.add([row(peer="kanpde"), row(peer="jaxkan", code="older")])
    pending = [(task["peer"], task["seed"]) for task in driver.tasks(stored, options)]
    assert pending == [("kanpde", 1), ("jaxkan", 0), ("jaxkan", 1)]


def test_the_code_of_a_run_depends_on_its_own_files_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    before = {name: measure.code(peer) for name, peer in PEERS.items()}
    monkeypatch.setattr(measure, "source_digest", lambda: "changed")
    changed = [name for name, peer in PEERS.items() if measure.code(peer) != before[name]]
    assert changed == ["kanpde"]


# ---- the report


def test_the_table_has_medians_at_shares_of_the_time() -> None:
    rows = [row(seed=seed) for seed in range(3)]
    (line,) = [report.line(group) for group in report.grouped(rows)]
    assert line["10% of the time"] == "1.0e-04"
    assert line["30% of the time"] == "1.0e-04"
    assert line["at the end"] == "2.0e-06"
    assert (line["importing"], line["compiling"]) == ("1.5 s", "0.0 s")


def test_a_run_without_points_has_no_error() -> None:
    failed = row(peer="pykan", **measure.parsed("", "RuntimeError: lost"))
    failed.pop("parameters")
    line = report.line([failed])
    assert (line["10% of the time"], line["at the end"], line["parameters"]) == ("none", "none", "–")
    assert line["status"] == "RuntimeError: lost"


def test_groups_come_in_the_order_of_the_tables() -> None:
    rows = [row("R", "pykan"), row("A", "pykan"), row("R", "kanpde"), row("A", "pykan", 1)]
    groups = [[(r["problem"], r["peer"], r["seed"]) for r in group] for group in report.grouped(rows)]
    assert groups == [[("A", "pykan", 0), ("A", "pykan", 1)], [("R", "kanpde", 0)], [("R", "pykan", 0)]]


def test_the_figure_has_a_line_a_run_and_a_cross_for_a_failure() -> None:
    rows = [
        row("A", "kanpde"),
        row("A", "pykan", status="RuntimeError: lost"),
        row("H", "jaxkan"),
        row("H", "jaxkan", 1),
    ]
    figure = Figure()
    report.draw(figure, rows)
    first, second = figure.axes
    assert [line.get_marker() for line in first.lines] == ["o", "", "x"]
    assert len(second.lines) == 2
    assert list(first.lines[0].get_ydata()) == [1e-2, 1e-4, 1e-6]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        PEERS[name].label for name in ("kanpde", "pykan", "jaxkan")
    ]


def test_results_are_a_table_of_points_a_report_and_a_picture(tmp_path: Path) -> None:
    stored = Stored(tmp_path / "peers.h5", "peers", keep=True)
    stored.add([row("A", "kanpde"), row("A", "pykan", **measure.parsed("", "RuntimeError: lost"))])
    text = report.write(tmp_path)
    with (tmp_path / "peers.csv").open(encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert [line["relative_l2"] for line in lines] == ["0.01", "0.0001", "1e-06", ""]
    assert lines[-1]["status"] == "RuntimeError: lost"
    assert (tmp_path / "peers.md").read_text(encoding="utf-8") == text
    assert (tmp_path / "peers.png").read_bytes().startswith(b"\x89PNG")
