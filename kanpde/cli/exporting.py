"""`kanpde export`: stored solutions for other programs."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from kanpde.cli import report
from kanpde.cli.results import file_name, find_results
from kanpde.errors import ProblemError
from kanpde.hdf5 import kind_of
from kanpde.solution import load


def export_results(result: str | None, form: str, out: Path) -> int:
    """Writes every solution that RESULT means, beside the other results; references and tables have no network.

    Args:
        result: a file, a directory, or a name within the directory.
        form: what the names of the files end with, such as c or onnx.
        out: the directory.

    Raises:
        ProblemError: none of them is a solution, or one cannot be exported.
        StoreError: a file cannot be read or written.
    """
    console = Console()
    found = find_results(result, out)
    solutions = [path for path in found if kind_of(path) == "solution"]
    if not solutions:
        raise ProblemError(f"{found[0]} is a {kind_of(found[0])}, not a solution. Name what kanpde solve has written.")
    for path in solutions:
        solution = load(path)
        target = out / f"{file_name(solution.record.problem_name)}.{form.lstrip('.')}"
        report.print_line(console, str(solution.export(target)))
    return 0
