"""`kanpde show --formula` and `kanpde read`: solutions as formulas, networks as diagrams."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console

from kanpde.cli import report
from kanpde.cli.commands import Wish, solve_file
from kanpde.cli.results import Files, find_results
from kanpde.cli.userfile import load_problem
from kanpde.errors import ProblemError
from kanpde.hdf5 import kind_of
from kanpde.solution import Solution, load
from kanpde.symbolic import Formula

LANGUAGES = ("text", "latex", "numpy", "c")
COMMENTS = {"latex": "% {}", "numpy": "# {}", "c": "/* {} */"}
DIAGRAMS = ("svg", "html")  # for print, and to look at each edge


def show_formulas(result: str | None, out: Path, language: str, seconds: float, as_json: bool) -> int:
    """Looks for a formula of every solution that RESULT means.

    Args:
        result: a file, a directory, or a name within the directory.
        out: the directory.
        language: "text" with the proof, or "latex", "numpy" or "c".
        seconds: of the search, for each.
        as_json: print one JSON object a solution.

    Raises:
        ProblemError: none of them is a solution, or no such language.
    """
    if language not in LANGUAGES:
        raise ProblemError(f"formulas are not written as {language!r}; use one of {', '.join(LANGUAGES)}")
    found = find_results(result, out)
    solutions = [path for path in found if kind_of(path) == "solution"]
    if not solutions:
        raise ProblemError(f"{found[0]} is a {kind_of(found[0])}, not a solution. Name what kanpde solve has written.")
    console, missing = Console(), False
    for path in solutions:
        solution = load(path)
        formula = _searched(console, solution, seconds)
        missing |= formula.expressions is None
        _print(console, solution.record.problem_name, formula, language)
        if as_json:
            report.print_json({"problem": solution.record.problem_name, "formula": plain(formula)})
    return report.UNCONVERGED if missing else 0


def read_file(file: Path, wish: Wish, out: Path, seconds: float, as_json: bool) -> int:
    """Solves the problem of a file, draws its network, and looks for a formula; the status is that of the solve."""
    status = solve_file(file, wish, out, False)
    files = Files(out, load_problem(file).name)
    solution, console = load(files.solution), Console()
    for suffix in DIAGRAMS:
        if solution.tables.edges:
            path = files.solution.with_name(f"{files.solution.stem}-diagram.{suffix}")
            report.print_line(console, str(solution.diagram(path)))
    formula = _searched(console, solution, seconds)
    _print(console, solution.record.problem_name, formula, "text")
    if as_json:
        report.print_json(report.summary(solution.record) | {"formula": plain(formula)})
    return status


def _searched(console: Console, solution: Solution, seconds: float) -> Formula:
    with console.status(f"looking for a formula of {solution.record.problem_name}"):
        return solution.symbolic(seconds=seconds)


def _print(console: Console, name: str, formula: Formula, language: str) -> None:
    """The formula and its proof; in code that is a comment, and that there is none is said elsewhere."""
    if language == "text":
        report.print_line(console, str(formula))
    elif formula.expressions is None:
        report.print_line(Console(stderr=True), f"{name}: {formula}")
    else:
        report.print_line(console, COMMENTS[language].format(f"{name}, {formula.state}"))
        report.print_line(console, formula.latex if language == "latex" else formula.code(language).rstrip())


def plain(formula: Formula) -> dict[str, Any]:
    """A formula in values that JSON has."""
    pairs = zip(formula.unknowns, formula.expressions or (), strict=False)
    return {
        "expressions": {unknown.func.__name__: str(expression) for unknown, expression in pairs},
        "proved": formula.proved,
        "open": list(formula.open),
        "residual": formula.residual,
        "error": formula.error,
        "form": formula.form,
        "identified": {name: str(value) for name, value in formula.identified.items()},
        "latex": formula.latex,
        "seconds": formula.seconds,
        "reason": formula.reason,
    }
