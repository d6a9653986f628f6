"""The gallery: settings, rows that are true, files that are whole, and the command from end to end."""

import csv
import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import sympy as sp
from synthetic import record

import kanpde as kp
from kanpde.cli import gallery as command
from kanpde.cli import main
from kanpde.domain import Disk
from kanpde.errors import ProblemError, StoreError
from kanpde.gallery import (
    Entry,
    Files,
    Settings,
    distance,
    entry_of,
    failed,
    load_entries,
    read_settings,
    refreshed,
    save_entries,
)
from kanpde.gallery.entry import domain_words, quantities
from kanpde.gallery.table import markdown, quantity_words
from kanpde.references.suited import judge

x, y = sp.symbols("x y", real=True)
u = sp.Function("u")(x, y)

TINY = """
import sympy as sp
import kanpde as kp

x = sp.Symbol("x", real=True)
u = sp.Function("u")(x)
exact = sp.sin({wave} * x)
problem = kp.Problem(
    name="{name}",
    domain=kp.Box({{x: (0, 1)}}),
    equations=sp.Eq(u.diff(x, 2), exact.diff(x, 2)),
    conditions=kp.Dirichlet(u, exact),
    exact={{u: exact}},
)
"""


def square(exact: bool = True) -> kp.Problem:
    truth = x * y
    return kp.Problem(
        name="square",
        domain=kp.Box({x: (0, 1), y: (0, 1)}),
        equations=kp.laplacian(u),
        conditions=kp.Dirichlet(u, truth),
        exact={u: truth} if exact else None,
    )


class Made:
    """A solution made up: the exact one plus an error of our own."""

    def __init__(self, problem: kp.Problem, error: Any = 0.0, **changes: Any) -> None:
        self.problem, self.error = problem, error
        self.record = record(problem_name=problem.name, signature=problem.signature, **changes)
        self.relative_l2, self.status = self.record.relative_l2, self.record.status
        self.identified, self.identified_stderr = self.record.identified, {}

    def __call__(self, points: np.ndarray) -> np.ndarray:
        error = self.error(points) if callable(self.error) else self.error
        return (points[:, 0] * points[:, 1] * (1 + error))[:, None]

    def integrate(self, expression: Any) -> float:
        assert expression == u
        return 0.25


def write(directory: Path, **texts: str) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (directory / f"{name}.py").write_text(text, encoding="utf-8")
    return directory


@pytest.fixture
def problems(tmp_path: Path) -> Path:
    """Two tiny problems and their settings."""
    directory = write(tmp_path / "p", **{n: TINY.format(name=n, wave=k) for n, k in (("slow_wave", 1), ("wave", 3))})
    (directory / "gallery.toml").write_text('[wave]\nclass = "elliptic"\nrtol = 1e-4\ntarget = 1e-4\nwithin = 60\n')
    return directory


def run(*words: object) -> int:
    return main([str(word) for word in words])


# --- settings ------------------------------------------------------------------------------------------------------


def test_settings_are_read_with_their_defaults(tmp_path: Path) -> None:
    assert read_settings(tmp_path) == {"defaults": Settings()}
    own = '[a]\nclass = "k"\ntruth = { nu = 0.5 }\naway = [[0, 1]]\ndistance = 0.1\n'
    (tmp_path / "gallery.toml").write_text(f"[defaults]\nrtol = 1e-3\n{own}[b]\nrtol = 1\n")
    read = read_settings(tmp_path)
    assert read["a"] == Settings("k", rtol=1e-3, truth={"nu": 0.5}, away=((0.0, 1.0),), distance=0.1)
    assert (read["b"].rtol, read["defaults"].rtol) == (1, 1e-3)
    assert read["a"].changed(1e-6, None) == dataclasses.replace(read["a"], rtol=1e-6)
    assert read["a"].changed(None, 7.0).max_seconds == 7


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[a\n", "is no TOML file"),
        ("[a]\ntolerance = 1\n", r"\[a\] has tolerance; it may have class"),
        ("[a]\nrtol = -1\n", "rtol = -1 must be a positive number"),
        ("[a]\nrtol = nan\n", "must be a positive number"),
        ("[a]\nrtol = inf\n", "must be a positive number"),
        ("[a]\ntruth = { nu = nan }\n", "must be a table of numbers"),
        ("[a]\ntarget = true\n", "must be a positive number"),
        ("[a]\ntruth = { nu = 'x' }\n", "must be a table of numbers"),
        ("a = 1\n", r"a is no table; write \[a\]"),
    ],
)
def test_settings_refuse(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "gallery.toml").write_text(text)
    with pytest.raises(ProblemError, match=words):
        read_settings(tmp_path)


# --- rows ----------------------------------------------------------------------------------------------------------


def test_a_row_says_what_solve_returned() -> None:
    problem = square()
    row = entry_of(problem, Made(problem), Settings("elliptic"), {"name": "C", "error": 1e-14, "seconds": 0.1}, None)
    assert (row.error, row.truth, row.estimate) == (3.1e-9, "exact", 2.9e-9)
    assert row.effectivity == pytest.approx(2.9 / 3.1)
    assert (row.seconds, row.parameters, row.iterations, row.converged) == (3.25, 360, 12, True)
    assert (row.conventional, row.conventional_error, row.conventional_seconds) == ("C", 1e-14, 0.1)
    assert (row.domain, row.unknowns, row.signature) == ("2-D Box", ("u(x, y)",), problem.signature)
    assert row.met is None
    assert row.date
    assert row.commit


def test_without_a_closed_solution_the_reference_judges() -> None:
    problem = square(exact=False)
    made = Made(problem, 0.01, relative_l2=None)
    beside = {"name": "FEM", "error": None, "estimate": 1e-6}
    row = entry_of(problem, made, Settings(), beside, lambda p: (p[:, 0] * p[:, 1])[:, None])
    assert row.error == pytest.approx(0.01, rel=1e-12)
    assert (row.truth, row.truth_error, row.conventional_error) == ("FEM", 1e-6, 1e-6)
    bare = entry_of(problem, made, Settings(), {"name": "none"}, None)
    assert (bare.error, bare.truth, bare.effectivity) == (None, "", None)


def test_errors_are_measured_away_from_points() -> None:
    problem = square()
    near = Made(problem, lambda p: np.where(np.hypot(1 - p[:, 0], 1 - p[:, 1]) < 0.2, 1.0, 0.0))
    assert distance(problem, near, problem.exact_values, Settings()) > 0.1
    away = Settings(away=((1.0, 1.0),), distance=0.2)
    assert distance(problem, near, problem.exact_values, away) == 0.0
    assert entry_of(problem, near, away, {}, None).error == 0.0


def test_a_mode_has_no_sign() -> None:
    problem = kp.Problem(
        name="tone",
        domain=kp.Box({x: (0, 1), y: (0, 1)}),
        equations=sp.Eq(-kp.laplacian(u), kp.Eigenvalue("lam", near=20) * u),
        conditions=kp.Dirichlet(u, 0),
    )
    made = Made(problem, 0.01)
    for sign in (1, -1):
        gap = distance(problem, made, lambda p, sign=sign: sign * (p[:, 0] * p[:, 1])[:, None], Settings())
        assert gap == pytest.approx(0.01, rel=1e-12)
    assert distance(square(), made, lambda p: -(p[:, 0] * p[:, 1])[:, None], Settings()) == pytest.approx(2.01)


def test_scalars_stand_beside_their_truth() -> None:
    problem = square()
    made = Made(problem, identified={"nu": 0.06, "rho": 2.0})
    made.identified_stderr = {"nu": 0.005}
    nu, rho, integral = quantities(made, Settings(truth={"nu": 0.05}, integral={"u": 0.2}))
    assert (nu["value"], nu["truth"], nu["stderr"]) == (0.06, 0.05, 0.005)
    assert nu["deviations"] == pytest.approx(2.0)
    assert nu["error"] == pytest.approx(0.2)
    assert rho == {"name": "rho", "value": 2.0}
    assert (integral["name"], integral["value"]) == ("∫u", 0.25)
    assert integral["error"] == pytest.approx(0.25)
    assert quantity_words(nu) == "nu = 0.06 ± 0.005 (2.0 standard errors off 0.05)"
    assert quantity_words(rho) == "rho = 2"
    assert quantity_words(integral) == "∫u = 0.25 (2e-01 off)"


@pytest.mark.parametrize(
    ("changes", "settings", "met", "reason"),
    [
        ({}, Settings(), None, ""),
        ({}, Settings(target=1e-3), True, ""),
        ({"error": 2e-3}, Settings(target=1e-3), False, "error 2.0e-03 above 1e-03"),
        ({"error": None}, Settings(target=1e-3), False, "the error is unknown"),
        ({"seconds": 70.0}, Settings(target=1e-3, within=60), False, "70 s instead of 60 s"),
        ({}, Settings(deviations=3), False, "nothing was identified"),
        ({"quantities": ({"name": "a", "truth": 1, "deviations": 2.9},)}, Settings(deviations=3), True, ""),
        ({"quantities": ({"name": "a", "truth": 1, "deviations": 3.1},)}, Settings(deviations=3), False, "a 3.1 stan"),
        ({"quantities": ({"name": "a", "truth": 1},)}, Settings(deviations=3), False, "a has no standard error"),
    ],
)
def test_targets(changes: dict[str, Any], settings: Settings, met: bool | None, reason: str) -> None:
    plain = Entry("a", error=1e-4, seconds=10.0, status="stalled")
    row = refreshed(dataclasses.replace(plain, **changes), settings)
    assert row.met is met
    assert row.reason.startswith(reason)
    assert bool(row.reason) == bool(reason)


def test_a_failed_row_is_incomplete_and_misses_its_target() -> None:
    row = failed("a", Settings(target=1.0), 0, "two\nlines")
    assert row.status == "failed: two lines"
    assert row.met is False
    assert not row.complete
    assert not dataclasses.replace(row, status="").complete
    assert dataclasses.replace(row, status="out of time").complete


def test_rows_answer_the_same_question_only() -> None:
    problem, asked = square(), Settings(rtol=1e-6)
    row = entry_of(problem, Made(problem), asked, {}, None)
    assert row.answers(problem, asked, 0)
    assert row.answers(problem, dataclasses.replace(asked, target=1e-9), 0)
    assert not row.answers(problem, asked, 1)
    assert not row.answers(problem, dataclasses.replace(asked, rtol=1e-7), 0)
    assert not row.answers(problem, dataclasses.replace(asked, max_seconds=1.0), 0)
    assert not row.answers(SimpleNamespace(signature="other"), asked, 0)


def test_domains_in_words() -> None:
    t, k = sp.symbols("t k", real=True)
    box = kp.Box({x: (0, 1), y: (0, 1)})
    assert domain_words(box) == "2-D Box"
    assert domain_words(box * kp.Time(t, (0, 1)) * kp.ParameterRange(k, (1, 2))) == "2-D Box, time, family in k"
    holes = [Disk((x, y), (a, a), 0.1) for a in (0.2, 0.8)]
    assert domain_words(box - holes[0] - holes[1]) == "2-D Box - 2 Disk"


# --- files ---------------------------------------------------------------------------------------------------------


def test_files_hold_all_and_come_back(tmp_path: Path) -> None:
    problem = square()
    beside = {"name": "a | b", "error": 1e-14, "seconds": 0.1}
    row = entry_of(
        problem, Made(problem, identified={"nu": 0.06}), Settings("k", target=1e-9, note="why"), beside, None
    )
    files = Files(tmp_path)
    save_entries(files, [row, failed("other", Settings(), 0, "no")], {"command": "kanpde gallery"})
    read = load_entries(files)
    assert list(read) == ["other", "square"]
    assert read["square"] == row
    with files.csv.open(newline="") as text:
        rows = list(csv.DictReader(text))
    assert rows[1]["error"] == "3.1e-09"
    assert rows[1]["quantities"] == "nu = 0.06"
    assert rows[0]["error"] == ""
    text = files.markdown.read_text()
    assert "| square | k | u(x, y) | 2-D Box | 3.1e-09 | 2.9e-09 | 0.94 | nu = 0.06 |" in text
    assert "a \\| b: 1.0e-14, 0.1 s" in text
    assert "- square: error 3.1e-09 above 1e-09; why" in text
    assert "2 problems, 1 converged by their own estimate, 0 of 1 targets met." in text
    assert sorted(p.name for p in tmp_path.iterdir()) == ["gallery.csv", "gallery.h5", "gallery.md"]


def test_no_file_is_no_row_and_damage_is_told(tmp_path: Path) -> None:
    assert load_entries(Files(tmp_path)) == {}
    Files(tmp_path).table.write_bytes(b"damaged")
    with pytest.raises(StoreError, match="damaged or no HDF5"):
        load_entries(Files(tmp_path))


def test_one_order_of_the_conventional_solver_alone() -> None:
    beside, values = judge(square(), 1e-30, order=4)
    assert beside["name"].startswith("differences of order 4")
    assert values is not None
    np.testing.assert_allclose(values(np.array([[0.3, 0.7]])), [[0.21]], rtol=1e-9)


def test_errors_against_a_reference_are_marked() -> None:
    text = markdown([Entry("a", error=1e-3, truth="FEM", status="s" * 100)], {})
    assert "| 1.0e-03 ~ |" in text
    assert "s" * 59 + "… |" in text


def test_rows_of_removed_problems_go_with_a_full_run(problems: Path, tmp_path: Path) -> None:
    words = ("gallery", "--problems", problems, "--out", tmp_path / "r")
    run(*words)
    (problems / "slow_wave.py").unlink()
    run(*words, "wave")
    assert set(load_entries(Files(tmp_path / "r"))) == {"wave", "slow_wave"}
    run(*words)
    assert set(load_entries(Files(tmp_path / "r"))) == {"wave"}


# --- the command ---------------------------------------------------------------------------------------------------


def test_the_command_solves_keeps_and_resumes(problems: Path, tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    out = tmp_path / "r"
    assert run("gallery", "--problems", problems, "--out", out, "--json") == 0
    said, err = capsys.readouterr()
    assert err == ""
    summary = json.loads(said.splitlines()[-1])
    assert {k: summary[k] for k in ("problems", "converged", "failed", "targets", "met")} == {
        "problems": 2, "converged": 2, "failed": 0, "targets": 1, "met": 1,
    }  # fmt: skip
    rows = load_entries(Files(out))
    assert rows["wave"].rtol == 1e-4
    assert rows["wave"].error <= 1e-4
    assert rows["wave"].conventional.startswith("Chebyshev")
    before = {p.name: p.read_bytes() for p in out.iterdir() if p.suffix == ".csv"}

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("solved again")

    monkeypatch.setattr(command, "solve", never)
    assert run("gallery", "--problems", problems, "--out", out) == 0
    assert capsys.readouterr().out.count("kept: ") == 2
    assert {p.name: p.read_bytes() for p in out.iterdir() if p.suffix == ".csv"} == before


def test_a_changed_problem_setting_or_wish_is_solved_again(problems: Path, tmp_path: Path, monkeypatch: Any) -> None:
    asked: list[tuple[str, float]] = []
    solve = command.solve

    def counted(problem: kp.Problem, rtol: float, **options: Any) -> Any:
        asked.append((problem.name, rtol))
        return solve(problem, rtol, **options)

    monkeypatch.setattr(command, "solve", counted)
    words = ("gallery", "--problems", problems, "--out", tmp_path / "r")
    run(*words, "wave")
    run(*words)
    assert asked == [("wave", 1e-4), ("slow_wave", 1e-5)]
    write(problems, wave=TINY.format(name="wave", wave=2))
    run(*words)
    assert asked[2:] == [("wave", 1e-4)]
    run(*words, "--rtol", "1e-3", "slow_wave")
    run(*words, "--fresh", "slow_wave", "--rtol", "1e-3")
    assert asked[3:] == [("slow_wave", 1e-3)] * 2
    assert set(load_entries(Files(tmp_path / "r"))) == {"wave", "slow_wave"}
    run(*words, "--fresh")
    assert len(asked) == 7


def test_a_changed_target_judges_a_kept_row_anew(problems: Path, tmp_path: Path, monkeypatch: Any) -> None:
    words = ("gallery", "--problems", problems, "--out", tmp_path / "r", "wave")
    run(*words)
    monkeypatch.setattr(command, "solve", None)
    (problems / "gallery.toml").write_text("[wave]\nrtol = 1e-4\ntarget = 1e-30\n")
    run(*words)
    row = load_entries(Files(tmp_path / "r"))["wave"]
    assert row.met is False
    assert row.reason.endswith("above 1e-30")


def test_a_bad_problem_is_a_row_and_the_others_go_on(
    problems: Path, tmp_path: Path, capsys: Any, monkeypatch: Any
) -> None:
    write(problems, bad="problem = 1 / 0\n", empty="x = 1\n")
    assert run("gallery", "--problems", problems, "--out", tmp_path / "r", "--json") == 3
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["failed"] == 2
    rows = load_entries(Files(tmp_path / "r"))
    assert rows["bad"].status.endswith("bad.py:1: ZeroDivisionError: division by zero")
    assert "defines no `problem`" in rows["empty"].status
    assert rows["wave"].converged

    def broken(*_: Any, **__: Any) -> None:
        raise FloatingPointError("inside\nof it")

    monkeypatch.setattr(command, "solve", broken)
    assert run("gallery", "--problems", problems, "--out", tmp_path / "s", "wave") == 3
    status = load_entries(Files(tmp_path / "s"))["wave"].status
    assert status.startswith("failed: a fault of kanpde, FloatingPointError: inside of it (test_gallery.py:")


@pytest.mark.parametrize("at_once", [True, False])
def test_an_interrupt_keeps_the_rows_before(problems: Path, tmp_path: Path, monkeypatch: Any, at_once: bool) -> None:
    solve = command.solve

    def interrupted(problem: kp.Problem, rtol: float, **options: Any) -> Any:
        if problem.name == "slow_wave":
            return solve(problem, rtol, **options)
        if at_once:
            raise KeyboardInterrupt
        return SimpleNamespace(status="interrupted")

    monkeypatch.setattr(command, "solve", interrupted)
    assert run("gallery", "--problems", problems, "--out", tmp_path / "r") == 130
    assert list(load_entries(Files(tmp_path / "r"))) == ["slow_wave"]
    monkeypatch.setattr(command, "solve", solve)
    assert run("gallery", "--problems", problems, "--out", tmp_path / "r") == 0
    assert list(load_entries(Files(tmp_path / "r"))) == ["slow_wave", "wave"]


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["nothing"], "has no problem nothing; it has slow_wave, wave"),
        (["--rtol", "-1"], "--rtol -1 means nothing"),
        (["--max-seconds", "0"], "--max-seconds 0 means nothing"),
        (["--seed", "-1"], "negative"),
        (["--problems", "nowhere"], "nowhere is no directory"),
    ],
)
def test_the_command_refuses(problems: Path, tmp_path: Path, capsys: Any, words: list[str], answer: str) -> None:
    assert run("gallery", "--problems", problems, "--out", tmp_path / "r", *words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert answer in err
    assert not (tmp_path / "r").exists()


def test_an_empty_directory_and_a_taken_place_are_refused(problems: Path, tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "e").mkdir()
    assert run("gallery", "--problems", tmp_path / "e", "--out", tmp_path / "r") == 2
    assert "holds no problem files" in capsys.readouterr().err
    (tmp_path / "taken").touch()
    assert run("gallery", "--problems", problems, "--out", tmp_path / "taken") == 2
    assert "cannot be written" in capsys.readouterr().err
