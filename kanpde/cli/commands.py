"""What the commands do, in the order in which they do it: check, work, keep, report."""

from __future__ import annotations

import dataclasses
import math
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from kanpde import store
from kanpde.cli import report
from kanpde.cli.choices import Choices
from kanpde.cli.conventional import beside
from kanpde.cli.progress import live
from kanpde.cli.results import Files, find_results, previous
from kanpde.cli.story import told
from kanpde.cli.telling import print_story
from kanpde.cli.userfile import load_problem, spoken_warnings, users_code
from kanpde.diagrams import check_format as check_diagram
from kanpde.diagrams import diagram_of
from kanpde.diagrams import write as write_diagram
from kanpde.errors import ProblemError
from kanpde.hdf5 import kind_of
from kanpde.plots import check_format, plot_part, plot_record, plot_tables
from kanpde.problem import Problem
from kanpde.record import Record
from kanpde.references import GridFunction, find_reference, reference
from kanpde.references.library import load_reference
from kanpde.references.reference import fits_grid
from kanpde.references.suited import Reference, facts, method
from kanpde.solution import Solution, solve
from kanpde.symbolic import candidates_for
from kanpde.tables import PlotTables, tabulate

DIAGRAM = "diagram"  # the part of a figure that can be an HTML file, too
LONG = 120  # letters of a cell that `show` leaves out: traces and stages of a study


@dataclass(frozen=True)
class Wish:
    """The options of `kanpde solve`.

    Attributes:
        rtol: relative L2 error to reach.
        seed: what the random numbers begin with; that of the earlier run where one is resumed.
        max_seconds: time limit.
        resume: go on with what an earlier run left.
        choices: what is decided in the driver's place.

    Raises:
        ProblemError: a tolerance, a seed or a time that means nothing.
    """

    rtol: float
    seed: int | None
    max_seconds: float | None
    resume: bool
    choices: Choices = dataclasses.field(default_factory=Choices)

    def __post_init__(self) -> None:
        if not (math.isfinite(self.rtol) and self.rtol > 0):
            raise ProblemError(f"--rtol {self.rtol:g} is no tolerance: give a positive number such as 1e-6.")
        if self.seed is not None and self.seed < 0:
            raise ProblemError(f"--seed {self.seed} is negative: give 0, 1, 2, ...")
        if self.max_seconds is not None and not self.max_seconds > 0:
            raise ProblemError(f"--max-seconds {self.max_seconds:g} leaves no time: give a positive number.")


def solve_file(file: Path, wish: Wish, out: Path, as_json: bool) -> int:
    """Solves the problem of a file; an earlier run that is complete is only told again."""
    console = Console()
    with spoken_warnings():
        problem = load_problem(file)
        files = Files(out, problem.name)
        earlier = previous(files, problem, wish.seed) if wish.resume else None
        if earlier is not None and (answer := earlier.answer(wish.rtol)) is not None:
            return _tell(console, files, answer, as_json)
        files.check(files.solution, files.figure(), files.checkpoint)
        if earlier is not None and not files.checkpoint.exists():
            shutil.copyfile(files.solution, files.checkpoint)
        stored = find_reference(out, problem)
        with users_code(file), live(console, problem.name) as callback:
            solution = solve(
                problem,
                wish.rtol,
                seed=_seed(wish, earlier),
                max_seconds=wish.max_seconds,
                checkpoint=files.checkpoint,
                resume=earlier is not None,
                callback=callback,
                **wish.choices.arguments(problem),
            )
            record = _keep(problem, solution, files, stored)
            if record.finished:  # else it holds the state that --resume goes on from
                files.checkpoint.unlink(missing_ok=True)
    return _tell(console, files, record, as_json)


def _seed(wish: Wish, earlier: Record | None) -> int:
    if wish.seed is not None:
        return wish.seed
    return 0 if earlier is None else earlier.seed


def _keep(problem: Problem, solution: Solution, files: Files, stored_reference: Reference | None) -> Record:
    """Writes the solution first, then what stands beside it: nothing that comes later can lose it."""
    solution.save(files.solution)
    stored = store.load(files.solution)
    record = stored.record
    if record.status != "interrupted":
        record = dataclasses.replace(record, conventional=beside(problem, solution, stored_reference))
        store.save(files.solution, record, stored.tables, stored.arrays)
    if stored.tables is not None:
        plot_record(record, stored.tables, files.figure())
    return record


def _tell(console: Console, files: Files, record: Record, as_json: bool) -> int:
    report.print_result(console, record)
    report.print_line(console, f"{files.solution}  {files.figure()}")
    if as_json:
        report.print_json(report.summary(record))
    return report.exit_status(record)


def reference_file(file: Path, order: str, shape: str | None, out: Path, as_json: bool) -> int:
    """Solves the problem of a file on a grid and keeps it."""
    console = Console()
    with spoken_warnings():
        problem = load_problem(file)
        files = Files(out, problem.name)
        nodes, degree = _shape(shape, problem), _order(order, problem)
        files.check(files.reference)
        with users_code(file):
            found = reference(problem, shape=nodes, order=degree)
        found.save(files.reference)
    report.print_pairs(console, f"reference of {problem.name}", _reference_pairs(found))
    report.print_line(console, str(files.reference))
    if as_json:
        report.print_json(_reference_summary(found))
    return 0


def _order(text: str, problem: Problem) -> int | str:
    """The order of a reference as the library takes it: of differences, or of finite elements where no grid fits."""
    orders = ("2", "4", "6", "8", "chebyshev") if fits_grid(problem) else ("2", "3", "4")
    if text not in orders:
        raise ProblemError(f"--order {text} is unknown: give {', '.join(orders[:-1])} or {orders[-1]}.")
    return text if text == "chebyshev" else int(text)


def _shape(text: str | None, problem: Problem) -> tuple[int, ...] | None:
    """Nodes along each coordinate, one number for all of them; where no grid fits, how many cells a mesh has."""
    if text is None:
        return None
    if not fits_grid(problem):
        if not text.strip().isdigit():
            raise ProblemError(f"--shape {text}: give the number of cells of a mesh.")
        return (int(text),)
    words, dimension = text.split(","), len(problem.coordinates)
    if not all(word.strip().isdigit() for word in words) or len(words) not in (1, dimension):
        raise ProblemError(
            f"--shape {text}: give {dimension} numbers of nodes with commas between them, or one for all."
        )
    nodes = tuple(int(word) for word in words)
    return nodes * dimension if len(nodes) == 1 else nodes


def _reference_summary(grid: Reference) -> dict[str, Any]:
    return {"problem": grid.name, "status": "reference", "shape": list(grid.values.shape[:-1]), "order": grid.order} | {
        key: getattr(grid, key) for key in ("relative_l2", "error_estimate", "seconds")
    }


def _reference_pairs(grid: Reference) -> list[tuple[str, Any]]:
    beside_it = facts(grid)
    return [
        ("method", method(grid)),
        ("relative L2 error", report.number(beside_it["error"])),
        ("estimate", report.number(beside_it["estimate"])),
        ("seconds", report.seconds(beside_it["seconds"])),
    ]


def show_results(result: str | None, out: Path, as_json: bool) -> int:
    """Says what each result is."""
    console = Console()
    for path in find_results(result, out):
        _SHOW[kind_of(path)](console, path, as_json)
    return 0


def _show_solution(console: Console, path: Path, as_json: bool) -> None:
    record = store.load(path).record
    report.print_line(console, record.problem_text)
    report.print_result(console, record)
    report.print_pairs(console, str(path), {"signature": record.signature, **record.provenance}.items())
    report.print_line(console, "")
    print_story(console, record, path)
    if as_json:
        report.print_json(report.summary(record) | {"story": told(record)})


def _show_reference(console: Console, path: Path, as_json: bool) -> None:
    grid = load_reference(path)
    report.print_line(console, grid.text)
    report.print_pairs(console, f"reference of {grid.name}", _reference_pairs(grid))
    report.print_pairs(console, str(path), {"signature": grid.signature, **grid.provenance}.items())
    if as_json:
        report.print_json(_reference_summary(grid))


def _show_table(console: Console, path: Path, as_json: bool) -> None:
    rows, about = store.load_table(path)
    report.print_pairs(console, str(path), about.items())
    for row in rows:
        told = (f"{key}={value}" for key, value in row.items() if value is not None and not isinstance(value, dict))
        report.print_line(console, "  ".join(text for text in told if len(text) < LONG))
    if as_json:
        report.print_json({"about": about, "rows": list(rows)})


_SHOW = {"solution": _show_solution, "reference": _show_reference, "table": _show_table}


def plot_results(result: str | None, part: str | None, form: str, out: Path) -> int:
    """Draws every result that can be drawn."""
    console = Console()
    (check_diagram if part == DIAGRAM else check_format)(f"figure.{form}")
    drawn = [path for source in find_results(result, out) if (path := _plot(source, part, form, out)) is not None]
    for path in drawn:
        report.print_line(console, str(path))
    return 0


def _plot(source: Path, part: str | None, form: str, out: Path) -> Path | None:
    """The figure of a solution or a reference; a table has none."""
    kind = kind_of(source)
    if kind == "reference":
        grid = load_reference(source)
        return plot_tables(f"{grid.name}: {method(grid)}", grid_tables(grid), out / f"{source.stem}.{form}")
    if kind != "solution":
        return None
    stored = store.load(source)
    if stored.tables is None:
        raise ProblemError(f"{source} has no tables for figures. Solve it again, or use Solution.plot.")
    target = Files(out, stored.record.problem_name)
    if part is None:
        return plot_record(stored.record, stored.tables, target.figure(form))
    path = out / f"{target.figure().stem}-{part}.{form}"
    if part == DIAGRAM:
        return write_diagram(diagram_of(stored.record.problem_name, stored.tables), path, candidates_for)
    return plot_part(part, stored.record, stored.tables, path)


def grid_tables(grid: Reference) -> PlotTables:
    """The arrays of a reference's figure, interpolated on the grid; off a mesh its nearest cells go on."""
    lines = grid.axes if isinstance(grid, GridFunction) else grid.points.T
    bounds = np.array([(nodes.min(), nodes.max()) for nodes in lines])
    return PlotTables(grid.unknowns, grid.coordinates, tabulate(grid, grid.coordinates, bounds, space=grid.n_space))
