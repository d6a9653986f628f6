"""The trust benchmark: its problems are problems and vary as they should; its report counts right; it goes on."""

import csv
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy as sp

import kanpde as kp
from benchmarks import trust, trust_report
from benchmarks.manufactured import Instance, mean_zero, mixture, poisson, value, x, y
from benchmarks.stored import Stored
from benchmarks.trust_cases import INSTANCES
from kanpde.collocation import collocate
from kanpde.errors import ProblemWarning
from kanpde.lifting import impose
from kanpde.store import load_table, save_table


# The value at the end of a motion is what its equation is to tell.
@pytest.mark.filterwarnings("ignore:oscillator. u.t. has no condition on t = 4")
@pytest.mark.parametrize("instance", INSTANCES, ids=[instance.name for instance in INSTANCES])
def test_every_instance_is_a_problem_that_its_solution_solves_and_its_data_do_not_tell(instance: Instance) -> None:
    problem = instance.problem()
    assert problem.name == instance.name
    assert len(problem.coordinates) == instance.dimension
    # What an untrained network begins with: ten times as far from the solution as the loosest tolerance at least.
    points = collocate(problem.domain.interior, 200, "sobol", 3).x
    told, truth = impose(problem).lift.values(points), problem.exact_values(points)
    assert np.linalg.norm(told - truth) > 10 * max(trust.RTOLS) * np.linalg.norm(truth)


def test_the_suite_varies() -> None:
    names = [instance.name for instance in INSTANCES]
    assert len(set(names)) == len(names) >= 66
    assert sum(instance.smooth for instance in INSTANCES) >= 60
    assert sum(not instance.smooth for instance in INSTANCES) >= 5
    dimensions = Counter(instance.dimension for instance in INSTANCES)
    assert set(dimensions) == {1, 2, 3}
    assert min(dimensions.values()) >= 10
    conditions = {type(condition) for instance in INSTANCES for condition in instance.conditions}
    assert {kp.Dirichlet, kp.Neumann, kp.Robin, kp.Periodic, kp.Initial, kp.Integral, kp.Condition} <= conditions
    assert len({instance.kind for instance in INSTANCES}) >= 12
    assert sum(not instance.domain.is_box for instance in INSTANCES) >= 10


def test_equations_and_data_are_those_of_the_solution() -> None:
    square = kp.Box({x: (0, 1), y: (0, 1)})
    solution = x**2 * y
    instance = Instance(
        "known", "", square, poisson, solution, [mixture(2, 3, square.upper(x)), value(square.upper(y))]
    )
    (equation,), (robin, dirichlet), (u,) = instance.equations, instance.conditions, instance.unknowns
    assert equation == sp.Eq(-kp.laplacian(u), -kp.laplacian(solution))
    assert (robin.a, robin.b, robin.g) == (2, 3, 2 * solution + 3 * kp.normal_derivative(solution))
    assert dirichlet.value == solution


def test_a_level_that_is_not_the_solution_s_is_noticed() -> None:
    instance = Instance("level", "", kp.Box({x: (0, 1)}), poisson, x**2, [value(), mean_zero])
    with pytest.warns(ProblemWarning, match="does not satisfy"):
        instance.problem()


# ---- the report


def run(instance: str, rtol: float, true: float | None, estimate: float | None, **other: Any) -> dict[str, Any]:
    """A row as the benchmark stores it."""
    row = {
        "instance": instance,
        "class": "Poisson",
        "smooth": True,
        "dimension": 2,
        "rtol": rtol,
        "seed": 4,
        "max_seconds": 60.0,
        "converged": estimate is not None and 1.5 * estimate <= rtol,
        "status": "converged",
        "relative_l2": true,
        "error_estimate": estimate,
        "effectivity": estimate / true if estimate is not None and true else None,
        "seconds": 2.0,
        "parameters": 100,
        "iterations": 20,
        "title": "[2,4,1]",
        "source": "now",
        "date": "today",
    }
    return {**row, **other}


def failed(instance: str, rtol: float, **other: Any) -> dict[str, Any]:
    """A row without what only a solution has."""
    row = run(instance, rtol, None, None, status="failed: BrokenProcessPool", **other)
    missing = ("relative_l2", "error_estimate", "effectivity", "parameters", "iterations", "title")
    return {key: value for key, value in row.items() if key not in missing}


ROWS = (
    run("a", 1e-4, 5e-5, 5e-5),
    run("b", 1e-4, 1.9e-4, 5e-5, smooth=False),  # too far off for its estimate, within twice the tolerance
    run("c", 1e-4, 2.1e-4, 6e-5),  # a lie
    run("d", 1e-4, 5e-5, None, status="out of time", seconds=60.0),
    run("e", 1e-4, 9e-4, 1e-3, status="not converged: | above 1e-4", smooth=False),
    run("a", 1e-6, 5e-7, 6e-7, dimension=1),
    failed("b", 1e-6, smooth=False),
    run("c", 1e-6, float("nan"), 1e-7, effectivity=None),
)


def counted(words: str) -> tuple[int, int]:
    (found,) = (share for share in trust_report.shares(ROWS) if share.words == words)
    return found.good, found.total


def test_shares_are_counted() -> None:
    assert counted("converged: true error within 2 rtol") == (3, 5)
    assert counted("converged: true error within 2 rtol at 1e-04") == (2, 3)
    assert counted("smooth: converged") == (4, 5)
    assert counted("smooth: converged at 1e-04") == (2, 3)
    assert counted("estimate 0.7 to 1.4 of the truth") == (3, 5)
    assert counted("estimate 0.7 to 1.4 of the truth at 1e-06") == (1, 1)


def test_every_kind_of_miss_is_named() -> None:
    assert [trust_report.faults(row) for row in ROWS] == [
        [],
        ["estimate is off"],
        ["converged, but is not", "estimate is off"],
        ["smooth, not converged"],
        [],
        [],
        ["failed"],
        ["converged, but is not"],
    ]


@pytest.mark.parametrize(
    ("good", "total", "interval"),
    # R's prop.test(good, total, correct = FALSE)
    [(9, 10, (0.5958, 0.9821)), (10, 10, (0.7225, 1.0)), (0, 4, (0.0, 0.4899)), (0, 0, (0.0, 1.0))],
)
def test_intervals_are_wilson_s(good: int, total: int, interval: tuple[float, float]) -> None:
    assert trust_report.Share("", good, total).interval == pytest.approx(interval, abs=1e-4)


@pytest.mark.parametrize(("good", "met"), [(49, "yes"), (48, "no")])
def test_a_goal_is_met_or_not(good: int, met: str) -> None:
    assert trust_report.Share("", good, 50, 0.98).line["met"] == met


def test_the_last_run_counts() -> None:
    again = run("a", 1e-4, 1e-5, 1e-5)
    found = trust_report.latest([*ROWS, again])
    assert len(found) == len(ROWS)
    assert again in found
    assert ROWS[0] not in found


def test_a_report_is_made_of_the_file_alone(tmp_path: Path) -> None:
    save_table(tmp_path / "trust.h5", ROWS, {"command": "python -m benchmarks.trust", "commit": "abc", "machine": "m"})
    shown = trust_report.write(tmp_path)
    text = (tmp_path / "trust.md").read_text(encoding="utf-8")
    assert shown in text
    assert "| 4 of 5 | 80.0 % |" in shown
    assert "5 instances (3 smooth; in 1, 2, 3 dimensions: 1, 4, 0), 8 runs, 5 converged" in shown
    assert "command python -m benchmarks.trust; commit abc; machine m" in text
    misses = text.split("## Misses")[1].split("## All runs")[0]
    assert [name for name in "abcde" if f"| {name} |" in misses] == ["b", "c", "d"]
    assert "not converged: \\| above 1e-4" in text
    with (tmp_path / "trust.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["status"] for row in rows] == [row["status"] for row in ROWS]
    assert rows[0]["commit"] == "abc"
    assert (tmp_path / "trust.png").stat().st_size > 10_000


def test_a_report_of_nothing_but_failures(tmp_path: Path) -> None:
    save_table(tmp_path / "trust.h5", [ROWS[6]], {})
    assert "0 of 0" in trust_report.write(tmp_path)


# ---- the runs


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs in this process, and no more threads or fewer for it."""
    monkeypatch.setattr(trust, "fresh", lambda function, *arguments: function(*arguments))
    monkeypatch.setattr(trust, "single_threaded", lambda: None)
    monkeypatch.setattr(trust, "source_digest", lambda: "now")


@pytest.mark.usefixtures("here")
def test_a_benchmark_goes_on_where_it_ended(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    arguments = ["--rtols", "1e-3", "--workers", "1", "--results", str(tmp_path), "--instances", "line_sines"]
    trust.main(arguments)
    first, _ = load_table(tmp_path / "trust.h5")
    assert "1 of 1, line_sines at 1e-03: converged" in capfd.readouterr().out
    trust.main([*arguments, "decay"])
    second, about = load_table(tmp_path / "trust.h5")
    assert "line_sines at" not in capfd.readouterr().out
    assert second[0] == first[0]
    assert [row["instance"] for row in second] == ["line_sines", "decay"]
    assert {"commit", "machine", "command", "date", "threads"} <= set(about)
    (row, _) = second
    assert row["converged"]
    assert row["effectivity"] == row["error_estimate"] / row["relative_l2"]
    assert row["relative_l2"] <= 1e-3
    assert row["iterations"] > 0
    assert (row["class"], row["smooth"], row["dimension"], row["source"]) == ("Poisson", True, 1, "now")
    assert set(trust_report.ASKED) | set(trust_report.OUTCOME) | {"title", "date", "source"} == set(row)


@pytest.mark.usefixtures("here")
def test_a_run_that_fails_is_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object, task: trust.Task) -> None:
        raise MemoryError(f"no memory\nfor {task.instance}")

    monkeypatch.setattr(trust, "fresh", broken)
    trust.main(["--rtols", "1e-3", "--workers", "1", "--results", str(tmp_path), "--instances", "decay"])
    ((row,), _) = load_table(tmp_path / "trust.h5")
    assert row["status"] == "failed: MemoryError: no memory for decay"
    assert not row["converged"]
    assert "smooth, not converged" in (tmp_path / "trust.md").read_text(encoding="utf-8")


def test_loose_tolerances_come_first_and_no_two_runs_share_a_seed(tmp_path: Path) -> None:
    pending = list(trust.tasks(Stored(tmp_path / "trust.h5", "now"), trust.NAMES, trust.RTOLS, 120.0))
    assert [task.rtol for task in pending] == [rtol for rtol in trust.RTOLS for _ in trust.NAMES]
    assert len({task.seed for task in pending}) == len(pending) == 3 * len(INSTANCES)


def test_a_run_with_another_time_limit_is_another_run(tmp_path: Path) -> None:
    stored = Stored(tmp_path / "trust.h5", "now")
    stored.add([run("decay", 1e-4, 1e-5, 1e-5, max_seconds=60.0)])
    assert not list(trust.tasks(stored, ["decay"], [1e-4], 60.0))
    assert [task.seed for task in trust.tasks(stored, ["decay"], [1e-4], 120.0)] == [
        100 * trust.NAMES.index("decay") + 4
    ]
