"""`kanpde read` and `kanpde show --formula`, as typed, on real solutions; `Solution.symbolic` and its refusals."""

import json
from pathlib import Path
from typing import Any

import pytest
import sympy as sp

import kanpde as kp
from kanpde.cli import main
from kanpde.solution.reading import _proposal
from kanpde.symbolic import Formula

x = sp.Symbol("x", real=True)
u = sp.Function("u")(x)
TEXT = """
import sympy as sp
import kanpde as kp

x = sp.Symbol("x", real=True)
u = sp.Function("u")(x)
equation = sp.Eq(u.diff(x, 2) + 4 * u, 0)
problem = kp.Problem(
    kp.Box({x: (0, 1)}), equation, [kp.Dirichlet(u, sp.sin(2 * x) / 2)], name="spring", exact={u: sp.sin(2 * x) / 2}
)
"""


def spring() -> kp.Problem:
    equation = sp.Eq(u.diff(x, 2) + 4 * u, 0)
    return kp.Problem(kp.Box({x: (0, 1)}), equation, [kp.Dirichlet(u, sp.sin(2 * x) / 2)], name="spring")


@pytest.fixture(scope="module")
def solution() -> kp.Solution:
    return kp.solve(spring(), rtol=1e-8)


@pytest.fixture(scope="module")
def results(solution: kp.Solution, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("results")
    solution.save(directory / "spring.h5")
    return directory


def run(*words: object) -> int:
    return main([str(word) for word in words])


def test_read_solves_draws_and_finds_the_formula(tmp_path: Path, capsys: Any) -> None:
    file = tmp_path / "spring.py"
    file.write_text(TEXT)
    assert run("read", file, "--out", tmp_path, "--json") == 0
    *lines, last = capsys.readouterr().out.splitlines()
    assert "u(x) = sin(2*x)/2" in lines
    assert "  proved: satisfies every equation and condition exactly" in lines
    told = json.loads(last)
    assert told["converged"] is True
    assert told["formula"]["expressions"] == {"u": "sin(2*x)/2"}
    assert told["formula"]["proved"] is True
    assert "<svg" in (tmp_path / "spring-diagram.svg").read_text(encoding="utf-8")
    assert "<html" in (tmp_path / "spring-diagram.html").read_text(encoding="utf-8")
    assert kp.load(tmp_path / "spring.h5").converged


@pytest.mark.parametrize(
    ("language", "answer"),
    [
        ("text", "u(x) = sin(2*x)/2\n  proved"),
        ("latex", r"u{\left(x \right)} = \frac{\sin{\left(2 x \right)}}{2}"),
        ("numpy", "    return (1/2)*np.sin(2*x)"),
        ("c", "/* spring, proved: satisfies every equation and condition exactly */"),
        ("c", "    return (1.0/2.0)*sin(2*x);"),
    ],
)
def test_show_writes_formulas(results: Path, capsys: Any, language: str, answer: str) -> None:
    assert run("show", results, "--formula", "--as", language) == 0
    assert answer in capsys.readouterr().out


def test_show_formula_as_json(results: Path, capsys: Any) -> None:
    assert run("show", results / "spring.h5", "--formula", "--json") == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["problem"] == "spring"
    assert told["formula"]["proved"] is True
    assert told["formula"]["open"] == []


def test_show_formula_refuses(results: Path, tmp_path: Path, capsys: Any) -> None:
    assert run("show", results, "--formula", "--as", "fortran") == 2
    assert "formulas are not written as 'fortran'; use one of text, latex, numpy, c" in capsys.readouterr().err
    kp.reference(spring()).save(tmp_path / "spring-reference.h5")
    assert run("show", tmp_path, "--formula") == 2
    assert "not a solution. Name what kanpde solve has written" in capsys.readouterr().err


def test_code_of_what_is_not_found_is_no_code(results: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kp.Solution, "symbolic", lambda *_, **__: Formula((u,), None, reason="for a test"))
    assert run("show", results, "--as", "c") == 3
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "spring: no formula: for a test" in captured.err


def test_complex_proposals_are_taken_apart() -> None:
    t = sp.Symbol("t", real=True)
    psi = kp.complex_unknown("psi", x, t)
    box = kp.Box({x: (0, 1)}) * kp.Time(t, (0, 1))
    exact = sp.exp(-sp.I * t / 2) * sp.cos(x)
    conditions = [kp.Initial(psi, sp.cos(x)), kp.Dirichlet(psi, exact)]
    problem = kp.Problem(box, sp.Eq(sp.I * psi.diff(t) + psi.diff(x, 2) / 2, 0), conditions, name="free")
    k = sp.Symbol("k")
    given = _proposal(problem, sp.exp(-sp.I * k * t) * sp.cos(x))
    assert given is not None
    by_name = {field.func.__name__: part for field, part in given.items()}
    real = sp.Symbol("k", real=True)
    assert sp.simplify(by_name["psi_re"] - sp.cos(real * t) * sp.cos(x)) == 0
    assert sp.simplify(by_name["psi_im"] + sp.sin(real * t) * sp.cos(x)) == 0


def test_a_stored_solution_has_the_same_formula(solution: kp.Solution, results: Path) -> None:
    assert kp.load(results / "spring.h5").symbolic().expression == solution.symbolic().expression == sp.sin(2 * x) / 2


def test_without_the_function_nothing_is_claimed(solution: kp.Solution) -> None:
    formula = solution.symbolic(only=["linear", "square", "exp"], seconds=5)
    assert not formula.proved


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"only": ["sine"]}, "no candidate function is called 'sine'"),
        ({"without": ["sine"]}, "no candidate function is called 'sine'"),
        ({"fixed": {x: "sine"}}, "no candidate function is called 'sine'"),
        ({"fixed": {sp.Symbol("y"): "sin"}}, "fixed= names y, which is no coordinate; there are x"),
        ({"propose": {sp.Symbol("w"): x}}, r"propose= names w; propose formulas for u\(x\)"),
        ({"propose": sp.sin(sp.Symbol("x"))}, "propose= has a symbol x that is not the coordinate"),
        ({"propose": sp.Function("f")(x)}, r"propose= contains f\(x\); write known functions"),
        ({"rtol": 0}, "rtol=0 is no tolerance"),
    ],
)
def test_wishes_that_mean_nothing_are_refused(solution: kp.Solution, options: dict[str, Any], message: str) -> None:
    with pytest.raises(kp.errors.ProblemError, match=message):
        solution.symbolic(**options)


def test_a_tighter_tolerance_than_the_solution_bears_finds_nothing(solution: kp.Solution) -> None:
    formula = solution.symbolic(rtol=1e-18, only=["sin"], seconds=5)
    assert formula.expression is None
    assert "from the solution, not 1.0e-18" in formula.reason
