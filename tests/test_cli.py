"""The command line: what it says, where, and with which exit status. The solver is made up; the files are real."""

import dataclasses
import io
import json
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from synthetic import history, plots, record

from kanpde import store
from kanpde.cli import app as cli_app
from kanpde.cli import commands, main, results
from kanpde.cli.conventional import beside
from kanpde.cli.progress import live, news
from kanpde.cli.userfile import load_problem
from kanpde.errors import ProblemError, ProblemWarning
from kanpde.problem import Problem
from kanpde.record import Record
from kanpde.references import reference, suited
from kanpde.solution import solve
from kanpde.stages import Pinned
from kanpde.tables import PlotTables

PROBLEM = """
import sympy as sp
import kanpde as kp

x, y = sp.symbols("x y", real=True)
u = sp.Function("u")(x, y)
exact = sp.sin(sp.pi * x) * sp.sin(sp.pi * y)
problem = kp.Problem(
    name="poisson",
    domain=kp.Box({x: (-1, 1), y: (-1, 1)}),
    equations=sp.Eq(kp.laplacian(u), -2 * sp.pi**2 * exact),
    conditions=kp.Dirichlet(u, 0),
    exact={u: exact},
)

def helper():
    raise RuntimeError("called back")

if __name__ == "__main__":
    raise SystemExit("the command line runs no main block")
"""
PINNED = {
    "problem",
    "status",
    "converged",
    "relative_l2",
    "error_estimate",
    "seconds",
    "parameters",
    "iterations",
    "seed",
}


@dataclasses.dataclass
class FakeSolution:
    problem: Problem
    record: Record
    tables: PlotTables | None = None

    def save(self, path: Path) -> None:
        store.save(path, self.record, self.tables, {"state": np.arange(3.0)})

    def compare(self, grid: Any) -> float:
        return 0.25 if grid.signature == self.problem.signature else 1.0


class FakeSolver:
    """Stands in the place of `solve`: returns a made-up record and remembers how it was asked."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.changes: dict[str, Any] = {}
        self.before: Callable[[], None] = lambda: None
        self.tables: PlotTables | None = None

    def __call__(self, problem: Problem, rtol: float, **options: Any) -> FakeSolution:
        self.calls.append({"rtol": rtol, **options})
        self.before()
        for row in history() if options["callback"] else ():
            options["callback"](row)
        changes = {"signature": problem.signature, "problem_name": problem.name, "seed": options["seed"], "rtol": rtol}
        return FakeSolution(problem, record(**changes | self.changes), self.tables)


@pytest.fixture
def solver(monkeypatch: pytest.MonkeyPatch) -> FakeSolver:
    fake = FakeSolver()
    monkeypatch.setattr(commands, "solve", fake)
    monkeypatch.setattr(commands, "beside", lambda *_: {"name": "Chebyshev 9 x 9", "error": 1e-14, "seconds": 0.001})
    return fake


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return written(tmp_path, PROBLEM)


def written(directory: Path, text: str) -> Path:
    path = directory / "case.py"
    path.write_text(text, encoding="utf-8")
    return path


def run(*words: object) -> int:
    return main([str(word) for word in words])


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """Runs a command that must end with status 2, one line on standard error and nothing else; returns the line."""
    assert run(*words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("kanpde: ")
    assert "Traceback" not in err
    return err.removeprefix("kanpde: ").strip()


def last_json(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    out, err = capsys.readouterr()
    assert err == ""
    return json.loads(out.splitlines()[-1])


# --- solve ---------------------------------------------------------------------------------------------------------


def test_solve_keeps_solution_and_figure(solver: FakeSolver, file: Path, tmp_path: Path, capsys: Any) -> None:
    solver.tables = plots()
    assert run("solve", file, "--out", tmp_path / "r") == 0
    out, err = capsys.readouterr()
    assert err == ""
    for words in ("poisson: converged", "KAN [2, 5, 1]", "3.1e-09", "2.9e-09", "360", "Chebyshev 9 x 9", "1.0e-14"):
        assert words in out
    assert sorted(p.name for p in (tmp_path / "r").iterdir()) == ["poisson.h5", "poisson.png"]
    stored = store.load(tmp_path / "r" / "poisson.h5")
    assert stored.record.conventional["name"] == "Chebyshev 9 x 9"
    np.testing.assert_array_equal(stored.arrays["state"], np.arange(3.0))
    assert solver.calls[0]["callback"] is None


def test_options_reach_the_solver(solver: FakeSolver, file: Path, tmp_path: Path) -> None:
    run("solve", file, "--rtol", "1e-3", "--seed", 5, "--max-seconds", 7.5, "--out", tmp_path / "r")
    asked = solver.calls[0]
    assert (asked["rtol"], asked["seed"], asked["max_seconds"], asked["resume"]) == (1e-3, 5, 7.5, False)
    assert asked["checkpoint"] == tmp_path / "r" / "poisson-checkpoint.h5"


def test_choices_reach_the_solver(solver: FakeSolver, file: Path, tmp_path: Path) -> None:
    words = ["--windows", 3, "--device", "cpu", "--soft", "--basis", "bspline", "--depth", 2, "--seeds", 5]
    assert run("solve", file, "--out", tmp_path / "r", *words) == 0
    asked = solver.calls[0]
    assert (asked["windows"], asked["device"], asked["exact_conditions"]) == (3, "cpu", False)
    assert asked["pinned"] == Pinned(basis="bspline", depth=2, candidates=5)
    run("solve", file, "--out", tmp_path / "r", "--exact")
    assert solver.calls[1]["exact_conditions"] is True


def test_without_options_the_driver_chooses(solver: FakeSolver, file: Path, tmp_path: Path) -> None:
    run("solve", file, "--out", tmp_path / "r")
    asked = solver.calls[0]
    open_ = ("windows", "device", "exact_conditions", "continuation")
    assert [asked[name] for name in open_] == [None] * 4
    assert asked["pinned"] == Pinned()


def test_continuation_is_led_by_the_operator_or_warned_of(
    solver: FakeSolver, file: Path, tmp_path: Path, capsys: Any
) -> None:
    steep = PROBLEM.replace("kp.laplacian(u), -2", "kp.laplacian(u) - 1e4 * u.diff(x), -2").replace(
        "exact={u: exact},", ""
    )
    assert run("solve", file, "--out", tmp_path / "r", "--continuation") == 0
    assert "--continuation changes nothing: poisson is not dominated" in capsys.readouterr().err
    assert run("solve", written(tmp_path, steep), "--out", tmp_path / "r", "--continuation") == 0
    assert capsys.readouterr().err == ""
    assert [asked["continuation"] for asked in solver.calls] == [True, True]


def test_json_is_the_last_line(solver: FakeSolver, file: Path, tmp_path: Path, capsys: Any) -> None:
    solver.changes = {"identified": {"nu": 0.125}, "relative_l2": None, "error_estimate": float("nan")}
    run("solve", file, "--out", tmp_path / "r", "--json")
    said = last_json(capsys)
    assert said.keys() >= PINNED | {"identified"}
    assert (said["problem"], said["converged"], said["parameters"], said["seed"]) == ("poisson", True, 360, 0)
    assert (said["relative_l2"], said["error_estimate"], said["identified"]) == (None, None, {"nu": 0.125})
    assert "reference_l2" not in said


@pytest.mark.parametrize(
    ("changes", "status"),
    [({}, 0), ({"converged": False, "status": "stalled"}, 3), ({"converged": False, "status": "interrupted"}, 130)],
)
def test_exit_status(solver: FakeSolver, file: Path, tmp_path: Path, changes: dict[str, Any], status: int) -> None:
    solver.changes = changes
    assert run("solve", file, "--out", tmp_path) == status
    kept = store.load(tmp_path / "poisson.h5").record
    assert kept.status == changes.get("status", "converged")
    assert (kept.conventional is None) == (status == 130)


def test_interrupt_before_the_first_iteration(solver: FakeSolver, file: Path, tmp_path: Path, capsys: Any) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    solver.before = interrupt
    assert run("solve", file, "--out", tmp_path / "r") == 130
    assert "Traceback" not in capsys.readouterr().err
    assert list((tmp_path / "r").iterdir()) == []


def test_stored_reference_stands_beside(file: Path) -> None:
    problem = load_problem(file)
    grid = reference(problem, shape=(9, 9), order=2)
    fake = FakeSolution(problem, record())
    told = beside(problem, fake, grid)
    assert told["reference_l2"] == 0.25
    assert told["name"] == "differences of order 2, 9 x 9"
    assert "reference_l2" not in beside(problem, fake, None)
    assert beside(problem, fake, None)["name"].startswith("Chebyshev")


def test_problem_beyond_conventional_solvers(file: Path, monkeypatch: Any) -> None:
    def impossible(*_: Any) -> None:
        raise ProblemError("a grid needs a box.")

    monkeypatch.setattr(suited, "solvers", lambda _: (impossible, impossible))
    problem = load_problem(file)
    assert beside(problem, FakeSolution(problem, record()), None) == {
        "name": "no conventional solver: a grid needs a box."
    }


@pytest.mark.usefixtures("solver")
def test_reference_for_another_problem_is_not_used(file: Path, tmp_path: Path, monkeypatch: Any) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(commands, "beside", lambda *a: seen.append(a[-1]) or {"name": "none"})
    assert run("reference", file, "--shape", "9", "--out", tmp_path) == 0
    run("solve", file, "--out", tmp_path)
    run("solve", written(tmp_path, PROBLEM.replace("x: (-1, 1)", "x: (-2, 2)")), "--out", tmp_path)
    assert [grid is None for grid in seen] == [False, True]


# --- resume --------------------------------------------------------------------------------------------------------


def test_resume_in_an_empty_directory_starts_afresh(solver: FakeSolver, file: Path, tmp_path: Path) -> None:
    assert run("solve", file, "--out", tmp_path / "r", "--resume") == 0
    assert solver.calls[0]["resume"] is False


@pytest.mark.parametrize("status", ["converged", "stalled"])
def test_resume_of_a_finished_run_tells_it_again(
    solver: FakeSolver, file: Path, tmp_path: Path, capsys: Any, status: str
) -> None:
    solver.changes = {"status": status, "converged": status == "converged"}
    if status != "converged":
        solver.changes["error_estimate"] = None
    first = run("solve", file, "--out", tmp_path, "--json")
    before = last_json(capsys)
    bytes_before = (tmp_path / "poisson.h5").read_bytes()
    assert run("solve", file, "--out", tmp_path, "--json", "--resume") == first
    assert last_json(capsys) == before
    assert len(solver.calls) == 1
    assert (tmp_path / "poisson.h5").read_bytes() == bytes_before


def test_resume_goes_on_when_interrupted_or_asked_for_more(solver: FakeSolver, file: Path, tmp_path: Path) -> None:
    solver.changes = {"status": "interrupted", "converged": False, "error_estimate": None}
    run("solve", file, "--out", tmp_path, "--seed", 3)
    solver.changes = {"error_estimate": 1e-8}
    run("solve", file, "--out", tmp_path, "--resume")
    run("solve", file, "--out", tmp_path, "--resume", "--rtol", "1e-9")
    assert [(call["resume"], call["seed"]) for call in solver.calls] == [(False, 3), (True, 3), (True, 3)]


def test_a_looser_tolerance_may_be_reached_already(solver: FakeSolver, file: Path, tmp_path: Path, capsys: Any) -> None:
    solver.changes = {"status": "stalled", "converged": False, "error_estimate": 1e-4}
    assert run("solve", file, "--out", tmp_path) == 3
    capsys.readouterr()
    assert run("solve", file, "--out", tmp_path, "--resume", "--rtol", "1e-3", "--json") == 0
    assert last_json(capsys)["converged"] is True


def test_resume_refuses_a_changed_problem_and_seed(solver: FakeSolver, file: Path, tmp_path: Path, capsys: Any) -> None:
    run("solve", file, "--out", tmp_path)
    capsys.readouterr()
    assert "seed 0, not 1" in refused(capsys, "solve", file, "--out", tmp_path, "--resume", "--seed", 1)
    changed = written(tmp_path, PROBLEM.replace("x: (-1, 1)", "x: (-2, 2)"))
    assert "the problem has changed" in refused(capsys, "solve", changed, "--out", tmp_path, "--resume")
    (tmp_path / "poisson.h5").write_bytes(b"damaged")
    assert "damaged or no HDF5" in refused(capsys, "solve", file, "--out", tmp_path, "--resume")
    assert len(solver.calls) == 1


def test_a_run_that_dies_leaves_the_earlier_solution_and_its_own_state(
    solver: FakeSolver, file: Path, tmp_path: Path
) -> None:
    run("solve", file, "--out", tmp_path)
    kept = (tmp_path / "poisson.h5").read_bytes()

    def die() -> None:
        store.save(solver.calls[-1]["checkpoint"], record(status="running", converged=False, error_estimate=None))
        raise RuntimeError("killed")

    solver.before = die
    assert run("solve", file, "--out", tmp_path, "--seed", 7) == 1
    assert (tmp_path / "poisson.h5").read_bytes() == kept
    assert (tmp_path / "poisson-checkpoint.h5").exists()


def test_resume_starts_from_the_state_and_removes_it(solver: FakeSolver, file: Path, tmp_path: Path) -> None:
    solver.changes = {"status": "interrupted", "converged": False, "error_estimate": None}
    run("solve", file, "--out", tmp_path)
    found: list[bool] = []
    solver.before = lambda: found.append(solver.calls[-1]["checkpoint"].exists())
    solver.changes = {}
    run("solve", file, "--out", tmp_path, "--resume")
    assert found == [True]
    assert not (tmp_path / "poisson-checkpoint.h5").exists()


# --- bad input -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1\n", "defines no `problem`"),
        ("problem = 'poisson'\n", "`problem` is of type str"),
        ("x = 1\n\nproblem = x / 0\n", "case.py:3: ZeroDivisionError: division by zero"),
        ("x = (1,\n", "case.py:1: SyntaxError: "),
        ("import no_such_module\n", "case.py:1: ModuleNotFoundError: No module named 'no_such_module'"),
        ("import sys\nsys.exit(0)\n", "ends the program itself"),
        ("def f():\n    raise ValueError('two\\nlines')\n\nf()\n", "case.py:2: ValueError: two lines"),
        ("raise ValueError\n", "case.py:1: ValueError"),
        (PROBLEM.replace("(-1, 1), y", "(1, -1), y"), "case.py:"),
        ("\0", "case.py"),
    ],
)
def test_mistakes_in_the_file_are_one_line(
    solver: FakeSolver, tmp_path: Path, capsys: Any, text: str, words: str
) -> None:
    path = written(tmp_path, text)
    assert words in refused(capsys, "solve", path, "--out", tmp_path / "r")
    assert not (tmp_path / "r").exists()
    assert solver.calls == []


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["--rtol", "-1e-3"], "no tolerance"),
        (["--rtol", "0"], "no tolerance"),
        (["--rtol", "nan"], "no tolerance"),
        (["--rtol", "small"], "rtol"),
        (["--seed", "-1"], "negative"),
        (["--max-seconds", "0"], "leaves no time"),
        (["--max-seconds", "nan"], "leaves no time"),
        (["--quick"], "--quick"),
        (["--windows", "0"], "--windows 0 is too small: give 1 or more"),
        (["--depth", "-1"], "--depth -1 is too small"),
        (["--seeds", "0"], "--seeds 0 is too small"),
        (["--basis", "wavelets"], "use one of bspline, chebyshev"),
        (["--device", "gpu"], "--device gpu names no device"),
        (["--device", "meta"], "--device meta cannot be used here"),
    ],
)
def test_bad_arguments(solver: FakeSolver, file: Path, tmp_path: Path, capsys: Any, words: list, answer: str) -> None:
    assert answer in refused(capsys, "solve", file, "--out", tmp_path / "r", *words)
    assert not (tmp_path / "r").exists()
    assert solver.calls == []


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["solve"], "FILE"),
        (["solve", "nowhere.py"], "nowhere.py: no such file"),
        (["dissolve"], "dissolve"),
        ([], "command"),
        (["show", "nowhere.h5"], "nowhere.h5: no such file"),
        (["plot", "nowhere.h5", "--format", "docx"], "png, pdf or svg"),
    ],
)
def test_missing_things(tmp_path: Path, capsys: Any, monkeypatch: Any, words: list, answer: str) -> None:
    monkeypatch.chdir(tmp_path)
    assert answer in refused(capsys, *words)
    assert list(tmp_path.iterdir()) == []


def test_output_is_checked_before_the_solve(solver: FakeSolver, file: Path, tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "taken").touch()
    assert "cannot be written" in refused(capsys, "solve", file, "--out", tmp_path / "taken")
    (tmp_path / "r" / "poisson.png").mkdir(parents=True)
    assert "is a directory" in refused(capsys, "solve", file, "--out", tmp_path / "r")
    assert solver.calls == []


def test_users_code_called_back_has_its_line(solver: FakeSolver, tmp_path: Path, capsys: Any) -> None:
    """What a file defines may be called during the solve; its mistakes are the user's, not faults of kanpde."""
    path = written(tmp_path, PROBLEM + "\nimport builtins\nbuiltins.called_back = helper\n")
    solver.before = lambda: sys.modules["builtins"].called_back()
    try:
        assert "case.py:17: RuntimeError: called back" in refused(capsys, "solve", path, "--out", tmp_path)
    finally:
        del sys.modules["builtins"].called_back


def test_internal_fault_shows_its_traceback(solver: FakeSolver, file: Path, tmp_path: Path, capsys: Any) -> None:
    def fault() -> None:
        raise RuntimeError("inside")

    solver.before = fault
    assert run("solve", file, "--out", tmp_path) == 1
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert err.splitlines()[-1].startswith("kanpde: this is a fault of kanpde")


def test_warnings_are_lines(solver: FakeSolver, file: Path, tmp_path: Path, capsys: Any) -> None:
    def warn_twice() -> None:
        for _ in "ab":
            warnings.warn("no condition\non x = 1", ProblemWarning, stacklevel=1)

    solver.before = warn_twice
    assert run("solve", file, "--out", tmp_path) == 0
    assert capsys.readouterr().err == "kanpde: warning: no condition on x = 1\n"


def test_an_error_speaks_alone(solver: FakeSolver, file: Path, tmp_path: Path, capsys: Any) -> None:
    def warn_and_fail() -> None:
        warnings.warn("no condition", ProblemWarning, stacklevel=1)
        raise ProblemError("no solution")

    solver.before = warn_and_fail
    assert refused(capsys, "solve", file, "--out", tmp_path) == "no solution"


def test_interrupt_while_starting(monkeypatch: Any, capsys: Any) -> None:
    def interrupted(**_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli_app, "app", interrupted)
    assert run("show") == 130
    assert capsys.readouterr().err == "kanpde: interrupted\n"


def test_neighbours_of_the_file_can_be_imported(tmp_path: Path) -> None:
    (tmp_path / "neighbour_of_case.py").write_text("value = 1\n")
    path = written(tmp_path, "import neighbour_of_case\n" + PROBLEM)
    before = list(sys.path)
    assert load_problem(path).name == "poisson"
    assert sys.path == before


# --- reference, show, plot -----------------------------------------------------------------------------------------


def test_reference_is_kept_and_shown(file: Path, tmp_path: Path, capsys: Any) -> None:
    assert run("reference", file, "--out", tmp_path, "--order", "chebyshev", "--shape", "17,19", "--json") == 0
    said = last_json(capsys)
    assert (said["problem"], said["shape"], said["order"]) == ("poisson", [17, 19], "chebyshev")
    assert said["relative_l2"] < 1e-8
    assert run("show", tmp_path / "poisson-reference.h5", "--json") == 0
    assert last_json(capsys) == said
    assert run("plot", tmp_path / "poisson-reference.h5", "--out", tmp_path / "f") == 0
    assert (tmp_path / "f" / "poisson-reference.png").stat().st_size > 10_000


DISK = PROBLEM.replace("kp.Box({x: (-1, 1), y: (-1, 1)})", "kp.Disk((x, y), (0, 0), 1)").replace("(u, 0)", "(u, exact)")


def test_reference_where_no_grid_fits(tmp_path: Path, capsys: Any) -> None:
    file, words = written(tmp_path, DISK), ("--out", tmp_path / "r", "--shape", "800")
    assert run("reference", file, *words, "--order", "3", "--json") == 0
    said = last_json(capsys)
    assert said["relative_l2"] < 1e-3
    assert run("show", tmp_path / "r" / "poisson-reference.h5", "--json") == 0
    out = capsys.readouterr().out
    assert json.loads(out.splitlines()[-1]) == said
    assert "finite elements of degree 3" in out
    assert "give 2, 3 or 4" in refused(capsys, "reference", file, *words, "--order", "8")
    assert "number of cells" in refused(capsys, "reference", file, "--shape", "9,9")


@pytest.mark.slow
def test_figures_of_references_on_meshes(tmp_path: Path) -> None:
    file = written(tmp_path, DISK)
    assert run("reference", file, "--shape", "200", "--out", tmp_path) == 0
    assert run("plot", tmp_path / "poisson-reference.h5", "--out", tmp_path / "f") == 0
    assert (tmp_path / "f" / "poisson-reference.png").stat().st_size > 10_000


def test_solutions_are_compared_with_finite_elements(tmp_path: Path) -> None:
    problem = load_problem(written(tmp_path, DISK))
    mesh = reference(problem, shape=(800,), order=3)
    told = beside(problem, lambda p: 1.01 * mesh(p), mesh)
    assert told["reference_l2"] == pytest.approx(0.01, rel=1e-9)
    assert told["name"].startswith("finite elements of degree 3")


@pytest.mark.parametrize(
    ("words", "answer"),
    [(["--order", "3"], "2, 4, 6, 8"), (["--shape", "9,9,9"], "2 numbers"), (["--shape", "a"], "2 num")],
)
def test_reference_refuses(file: Path, tmp_path: Path, capsys: Any, words: list[str], answer: str) -> None:
    assert answer in refused(capsys, "reference", file, "--out", tmp_path / "r", *words)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Two solutions and a table."""
    store.save(tmp_path / "poisson.h5", record(), plots())
    store.save(tmp_path / "wave.h5", record(problem_name="wave", identified={"c": 2.0}), plots(2, space=1))
    store.save_table(tmp_path / "study.h5", [{"network": "KAN", "error": 1e-9}], {"command": "kanpde compare"})
    return tmp_path


def test_show_a_file_a_name_or_a_directory(directory: Path, capsys: Any) -> None:
    for words in ([directory / "wave.h5"], ["wave.h5", "--out", directory], ["wave", "--out", directory]):
        assert run("show", *words) == 0
        out = capsys.readouterr().out
        assert "wave: converged" in out
        assert "c = 2" in out
        assert "kanpde solve problems/poisson.py" in out
    assert run("show", directory) == run("show", "--out", directory) == 0
    out = capsys.readouterr().out
    assert out.count("poisson: converged") == out.count("network=KAN") == 2


def test_show_json(directory: Path, capsys: Any) -> None:
    run("show", directory / "poisson.h5", "--json")
    assert last_json(capsys)["relative_l2"] == 3.1e-9
    run("show", directory / "study.h5", "--json")
    assert last_json(capsys)["rows"] == [{"network": "KAN", "error": 1e-9}]


def test_show_tells_the_story(directory: Path, capsys: Any) -> None:
    run("show", directory / "poisson.h5")
    out = capsys.readouterr().out
    assert out.index("kanpde solve problems/poisson.py") < out.index("the story of this run") < out.index("verdict")
    run("show", directory / "poisson.h5", "--json")
    story = last_json(capsys)["story"]
    assert [(chapter["parameters"], chapter["steps"]) for chapter in story] == [(100, 6), (200, 6)]


def test_show_of_a_checkpoint_tells_how_to_go_on(directory: Path, capsys: Any) -> None:
    """Named explicitly; among the results of a directory it does not count."""
    state = record(status="running", converged=False, error_estimate=None)
    store.save(directory / "poisson-checkpoint.h5", state)
    assert run("show", directory / "poisson-checkpoint.h5") == 0
    out = capsys.readouterr().out
    assert "not finished; no error estimate yet" in out
    assert f"go on with kanpde solve FILE --out {directory} --resume\n" in out
    run("show", directory)
    assert "not finished" not in capsys.readouterr().out


def test_show_of_a_real_checkpoint(tmp_path: Path, capsys: Any) -> None:
    problem = load_problem(Path(__file__).parents[1] / "problems" / "poisson_1d.py")
    path = tmp_path / "poisson_1d-checkpoint.h5"

    def stop(row: dict[str, Any]) -> None:
        if row["iteration"] == 3:
            raise KeyboardInterrupt

    solve(problem, 1e-12, checkpoint=path, callback=stop)
    assert run("show", path, "--json") == 0
    out = capsys.readouterr().out
    (chapter,) = json.loads(out.splitlines()[-1])["story"]
    assert (chapter["stage"], chapter["steps"], chapter["basis"]) == (0, 3, "chebyshev 12")
    assert "--resume" in out


def test_show_refuses(tmp_path: Path, capsys: Any) -> None:
    assert "holds no results" in refused(capsys, "show", tmp_path)
    (tmp_path / "foreign.h5").write_bytes(b"no HDF5")
    assert "damaged or no HDF5" in refused(capsys, "show", tmp_path / "foreign.h5")
    assert "damaged or no HDF5" in refused(capsys, "plot", tmp_path / "foreign.h5")


def test_plot_from_the_file_alone(directory: Path, tmp_path: Path, capsys: Any) -> None:
    assert run("plot", directory, "--out", tmp_path / "f") == 0
    assert sorted(p.name for p in (tmp_path / "f").iterdir()) == ["poisson.png", "wave.png"]
    assert run("plot", "wave", "--out", directory, "--part", "history", "--format", "pdf") == 0
    assert (directory / "wave-history.pdf").read_bytes().startswith(b"%PDF")
    assert "wave-history.pdf" in capsys.readouterr().out


def test_plot_needs_tables(tmp_path: Path, capsys: Any) -> None:
    store.save(tmp_path / "bare.h5", record())
    assert "no tables for figures" in refused(capsys, "plot", tmp_path / "bare.h5")


# --- pieces --------------------------------------------------------------------------------------------------------


def test_live_line_on_a_terminal_only() -> None:
    watched, piped = io.StringIO(), io.StringIO()
    with live(Console(file=piped), "poisson") as callback:
        assert callback is None
    assert piped.getvalue() == ""
    with live(Console(file=watched, force_terminal=True, width=120), "poisson") as callback:
        assert callback is not None
        for row in history():
            callback(row | {"message": "restarted [bold] from 1e-3"})
    shown = watched.getvalue()
    assert "stage degree 12, iteration 11, loss 3.3e-12, error about 3.2e-06, 200 parameters, 0:00:01" in shown
    assert shown.count("poisson: restarted [bold] from 1e-3") == 1
    assert shown.count("poisson: stage degree 8: 100 parameters") == 1
    assert shown.count("poisson: stage degree 12: 200 parameters") == 1


def test_news_are_told_once() -> None:
    first = {"stage": 0, "iteration": 1, "basis": "chebyshev 5", "parameters": 192, "change": "finer", "message": ""}
    second = {**first, "iteration": 2}
    finer = {**first, "stage": 1, "iteration": 3, "basis": "chebyshev 8", "parameters": 288, "message": "no step helps"}
    assert news(None, first) == ["stage 0: start, chebyshev 5, 192 parameters"]
    assert news(first, second) == []
    assert news(second, finer) == ["stage 1: finer, chebyshev 8, 288 parameters", "no step helps"]
    assert news(finer, {**finer, "iteration": 4}) == []
    assert news(second, first) == ["stage 0: start, chebyshev 5, 192 parameters"]  # another window of time


@pytest.mark.parametrize(
    ("name", "file_name"), [("../../etc/x", "_.._etc_x"), ("heat 1-D", "heat_1-D"), (".", "problem")]
)
def test_names_of_problems_stay_in_the_directory(name: str, file_name: str) -> None:
    assert results.file_name(name) == file_name


def test_the_console_script_answers() -> None:
    script = "from kanpde.cli import main; raise SystemExit(main())"
    done = subprocess.run([sys.executable, "-c", script, "--help"], capture_output=True, text=True, check=True)
    for command in ("solve", "reference", "show", "plot"):
        assert command in done.stdout
    assert done.stderr == ""


def test_version(capsys: Any) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out.startswith("kanpde 0.")


def test_problem_error_needs_no_class_name(tmp_path: Path) -> None:
    path = written(tmp_path, "from kanpde.errors import ProblemError\nraise ProblemError('Use more.')\n")
    with pytest.raises(ProblemError, match=r"case\.py:2: Use more\.$"):
        load_problem(path)
