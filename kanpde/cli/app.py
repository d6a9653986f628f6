"""The commands, their options, and the way from an error to one line and an exit status."""

from __future__ import annotations

import importlib.metadata
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from kanpde.cli import commands
from kanpde.cli.choices import Choices
from kanpde.cli.exporting import export_results
from kanpde.cli.gallery import GalleryWish, run_gallery
from kanpde.cli.pruning import SearchWish, prune_results, smallest_file
from kanpde.cli.reading import read_file, show_formulas
from kanpde.cli.report import BAD_INPUT, FAULT, INTERRUPTED
from kanpde.cli.studies import (
    StudyWish,
    ablation_files,
    compare_files,
    files_of,
    given,
    numbers,
    scaling_files,
    words,
)
from kanpde.errors import KanpdeError
from kanpde.studies import Ablation, Comparison, Scaling
from kanpde.symbolic import SECONDS

app = typer.Typer(
    name="kanpde",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

File = Annotated[Path, typer.Argument(metavar="FILE", help="Python file that defines `problem`.", show_default=False)]
Result = Annotated[
    str | None, typer.Argument(help="A result's file, a directory, or a name in DIR.", show_default="DIR")
]
Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Directory of the results.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")]
Rtol = Annotated[float, typer.Option(metavar="R", help="Relative L2 error to reach, judged by the error estimate.")]
SameRtol = Annotated[
    float | None, typer.Option("--rtol", metavar="R", help="Relative L2 error.", show_default="that of the result")
]
Seed = Annotated[int | None, typer.Option(metavar="S", help="What the random numbers begin with.", show_default="0")]
Seconds = Annotated[float | None, typer.Option(metavar="T", help="Stop after this time.", show_default="no limit")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with what an earlier run left in DIR.")]
INSTEAD = "In the driver's place"  # heading of these options in the help
Windows = Annotated[
    int | None,
    typer.Option(metavar="N", help="Windows of time, solved in turn.", show_default="auto", rich_help_panel=INSTEAD),
]
Continuation = Annotated[
    bool,
    typer.Option("--continuation", help="Lead the problem from wide fronts to its own.", rich_help_panel=INSTEAD),
]
Device = Annotated[
    str | None, typer.Option(metavar="D", help="cpu, cuda, cuda:1.", show_default="cpu", rich_help_panel=INSTEAD)
]
Exact = Annotated[
    bool | None,
    typer.Option(
        "--exact/--soft",
        help="Conditions exactly where possible, or by least squares.",
        show_default="auto",
        rich_help_panel=INSTEAD,
    ),
]
Basis = Annotated[
    str | None,
    typer.Option(
        metavar="B", help="Of the edges: chebyshev, bspline, ...", show_default="auto", rich_help_panel=INSTEAD
    ),
]
Depth = Annotated[
    int | None, typer.Option(metavar="N", help="Hidden layers.", show_default="auto", rich_help_panel=INSTEAD)
]
Seeds = Annotated[
    int | None,
    typer.Option(metavar="N", help="Random starts that compete.", show_default="3", rich_help_panel=INSTEAD),
]
Shape = Annotated[
    str | None, typer.Option(metavar="N,N,...", help="Nodes along each coordinate, or cells.", show_default="auto")
]
Order = Annotated[str, typer.Option(metavar="P", help="2, 4, 6, 8 or chebyshev; 2, 3, 4 on a mesh.")]
Format = Annotated[str, typer.Option("--format", metavar="EXT", help="png, pdf or svg; html for a diagram.")]
Target = Annotated[str, typer.Option("--to", metavar="EXT", help="c, onnx, pt2, npz, vtu, vtk or xdmf.")]
AsFormula = Annotated[bool, typer.Option("--formula", help="Look for a formula and put it to the proof.")]
Reading = Annotated[float, typer.Option("--seconds", metavar="T", help="Of the search for a formula.")]
Language = Annotated[str, typer.Option("--as", metavar="FORM", help="Of the formula: text, latex, numpy or c.")]
Part = Annotated[
    str | None,
    typer.Option(metavar="PART", help="solution, error, history, edges or diagram alone.", show_default="all"),
]

Names = Annotated[
    list[str] | None, typer.Argument(metavar="NAME", help="Problems of the directory.", show_default="all")
]
Problems = Annotated[Path, typer.Option("--problems", metavar="DIR", help="Directory of problem files.")]
OwnRtol = Annotated[float | None, typer.Option("--rtol", metavar="R", help="Tolerance.", show_default="gallery.toml")]
OwnSeconds = Annotated[
    float | None, typer.Option("--max-seconds", metavar="T", help="Time for each.", show_default="gallery.toml")
]
OwnSeed = Annotated[int, typer.Option("--seed", metavar="S", help="What the random numbers begin with.")]
Fresh = Annotated[bool, typer.Option("--fresh/--resume", help="Solve again, or keep the rows that still hold.")]

StudyFiles = Annotated[
    list[Path], typer.Argument(metavar="FILE...", help="Python files that define `problem`, or directories of them.")
]
Networks = Annotated[str | None, typer.Option(metavar="A,B", help="kan, multkan, mlp.", show_default="kan,mlp")]
Optimizers = Annotated[
    str | None, typer.Option(metavar="A,B", help="lm, ssbroyden, lbfgs, adam.", show_default="all of them")
]
Sizes = Annotated[str | None, typer.Option(metavar="N,N", help="Parameters, about.", show_default="100,300,900")]
Axes = Annotated[
    str | None,
    typer.Option(metavar="A,B", help="intervals, width, depth, points, threshold.", show_default="all of them"),
]
Degrees = Annotated[str | None, typer.Option(metavar="N,N", help="Of the splines.", show_default="3,5")]
Levels = Annotated[str | None, typer.Option(metavar="N,N", help="Intervals of the grid.", show_default="4,8,16,32")]
Factors = Annotated[
    str | None,
    typer.Option(
        metavar="A,B",
        help="basis, degree, silu, activation, extension, squash, conditions, products, signatures, continual.",
        show_default="all of them",
    ),
]
StudySeeds = Annotated[
    int | None, typer.Option("--seeds", metavar="N", help="Starts and point sets of each.", show_default="3")
]
RunSeconds = Annotated[
    float | None, typer.Option("--seconds", metavar="T", help="Training time of one run.", show_default="12 or 8")
]
Points = Annotated[
    int | None, typer.Option(metavar="N", help="Collocation points.", show_default="3 a parameter of the largest")
]
Workers = Annotated[
    int | None, typer.Option(metavar="N", help="Processes; 0 for this one.", show_default="as many as cores")
]
Scheduler = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="Of a Dask scheduler, tcp://host:8786.", show_default="none")
]
StudyDevice = Annotated[str, typer.Option("--device", metavar="D", help="cpu, cuda, cuda:1.")]
StudyFresh = Annotated[bool, typer.Option("--fresh/--resume", help="Begin anew, or keep the runs that are there.")]
Own = Annotated[bool, typer.Option("--settings/--no-settings", help="Heed studies.toml beside the files.")]

PROBLEMS = Path("problems")
RESULTS = Path("results")


def _say_version(wanted: bool) -> None:
    if wanted:
        print(f"kanpde {importlib.metadata.version('kanpde')}")
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Say the version.")]


@app.callback()
def entrance(version: Version = False) -> None:
    """Solve partial differential equations, written in SymPy, with Kolmogorov-Arnold networks."""
    del version  # its callback has answered


@app.command()
def solve(
    file: File,
    rtol: Rtol = 1e-6,
    seed: Seed = None,
    max_seconds: Seconds = None,
    out: Out = RESULTS,
    resume: Resume = False,
    json: Json = False,
    windows: Windows = None,
    continuation: Continuation = False,
    device: Device = None,
    exact: Exact = None,
    basis: Basis = None,
    depth: Depth = None,
    seeds: Seeds = None,
) -> int:
    """Solve the problem of a file and keep the solution and its figure."""
    choices = Choices(windows, continuation, device, exact, basis, depth, seeds)
    return commands.solve_file(file, commands.Wish(rtol, seed, max_seconds, resume, choices), out, json)


@app.command()
def reference(file: File, order: Order = "2", shape: Shape = None, out: Out = RESULTS, json: Json = False) -> int:
    """Solve the problem of a file on a grid, with an estimate of its error, and keep it as the reference."""
    return commands.reference_file(file, order, shape, out, json)


@app.command()
def show(
    result: Result = None,
    formula: AsFormula = False,
    language: Language = "text",
    seconds: Reading = SECONDS,
    out: Out = RESULTS,
    json: Json = False,
) -> int:
    """Say what a result is: the problem, its accuracy, and where it comes from; or its formula."""
    if formula or language != "text":
        return show_formulas(result, out, language, seconds, json)
    return commands.show_results(result, out, json)


@app.command()
def read(
    file: File,
    rtol: Rtol = 1e-6,
    seed: Seed = None,
    max_seconds: Seconds = None,
    out: Out = RESULTS,
    resume: Resume = False,
    seconds: Reading = SECONDS,
    json: Json = False,
) -> int:
    """Solve the problem of a file, draw its network as a diagram, and look for a formula that the equation confirms."""
    return read_file(file, commands.Wish(rtol, seed, max_seconds, resume, Choices()), out, seconds, json)


@app.command()
def plot(result: Result = None, part: Part = None, form: Format = "png", out: Out = RESULTS) -> int:
    """Draw the figures of a result from its file alone."""
    return commands.plot_results(result, part, form, out)


@app.command()
def export(result: Result = None, to: Target = "c", out: Out = RESULTS) -> int:
    """Write a result for other programs: as a function in C, ONNX or PyTorch, or on a grid or mesh."""
    return export_results(result, to, out)


@app.command()
def prune(
    result: Result = None, rtol: SameRtol = None, max_seconds: Seconds = None, out: Out = RESULTS, json: Json = False
) -> int:
    """Make the network of a result smaller, within its tolerance."""
    return prune_results(result, SearchWish(rtol, max_seconds, out, json))


@app.command()
def smallest(
    file: File,
    rtol: Rtol = 1e-6,
    seed: Seed = None,
    max_seconds: Seconds = None,
    out: Out = RESULTS,
    resume: Resume = False,
    json: Json = False,
) -> int:
    """Search for the smallest network that solves the problem of a file."""
    return smallest_file(file, SearchWish(rtol, max_seconds, out, json, seed or 0, resume))


@app.command()
def gallery(
    names: Names = None,
    problems: Problems = PROBLEMS,
    rtol: OwnRtol = None,
    max_seconds: OwnSeconds = None,
    seed: OwnSeed = 0,
    fresh: Fresh = False,
    out: Out = RESULTS,
    json: Json = False,
) -> int:
    """Solve every problem of a directory and keep a table of how well; rows that still hold are not solved again."""
    wish = GalleryWish(tuple(names or ()), problems, rtol, max_seconds, seed, fresh)
    return run_gallery(wish, out, json)


@app.command("compare")
def compare_command(
    files: StudyFiles,
    networks: Networks = None,
    optimizers: Optimizers = None,
    sizes: Sizes = None,
    seeds: StudySeeds = None,
    seconds: RunSeconds = None,
    points: Points = None,
    exact: Exact = None,
    device: StudyDevice = "cpu",
    workers: Workers = None,
    scheduler: Scheduler = None,
    fresh: StudyFresh = False,
    out: Out = RESULTS,
    json: Json = False,
) -> int:
    """Compare KANs, MLPs and the conventional solver at equal parameters, equal time and equal accuracy."""
    asked = given(
        networks=words(networks),
        optimizers=words(optimizers),
        sizes=numbers("--sizes", sizes),
        seeds=seeds,
        seconds=seconds,
        points=points,
    )
    wish = StudyWish(files_of(files), out, workers, scheduler, fresh, device, json)
    return compare_files(wish, Comparison(exact=exact, device=device, **asked))


@app.command("scaling")
def scaling_command(
    files: StudyFiles,
    axes: Axes = None,
    degrees: Degrees = None,
    levels: Levels = None,
    seeds: StudySeeds = None,
    seconds: RunSeconds = None,
    points: Points = None,
    exact: Exact = None,
    settings: Own = True,
    device: StudyDevice = "cpu",
    workers: Workers = None,
    scheduler: Scheduler = None,
    fresh: StudyFresh = False,
    out: Out = RESULTS,
    json: Json = False,
) -> int:
    """Measure how the error falls with intervals, width, depth and points, with exponents beside those of theory."""
    asked = given(
        axes=words(axes),
        degrees=numbers("--degrees", degrees),
        levels=numbers("--levels", levels),
        seeds=seeds,
        seconds=seconds,
        points=points,
    )
    wish = StudyWish(files_of(files), out, workers, scheduler, fresh, device, json)
    return scaling_files(wish, Scaling(exact=exact, device=device, **asked), settings)


@app.command("ablation")
def ablation_command(
    files: StudyFiles,
    factors: Factors = None,
    seeds: StudySeeds = None,
    seconds: RunSeconds = None,
    points: Points = None,
    device: StudyDevice = "cpu",
    workers: Workers = None,
    scheduler: Scheduler = None,
    fresh: StudyFresh = False,
    out: Out = RESULTS,
    json: Json = False,
) -> int:
    """Measure what the basis, its degree, grid extension and other choices about a KAN are worth."""
    asked = given(factors=words(factors), seeds=seeds, seconds=seconds, points=points)
    wish = StudyWish(files_of(files), out, workers, scheduler, fresh, device, json)
    return ablation_files(wish, Ablation(device=device, **asked))


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
        arguments: the words after `kanpde`; those of the process by default.

    Returns:
        0 converged or done, 3 the tolerance was not reached, 2 bad input (one line on standard error), 1 a fault of
        kanpde, 130 interrupted.
    """
    try:
        words = None if arguments is None else list(arguments)
        return int(app(args=words, prog_name="kanpde", standalone_mode=False) or 0)
    except _USAGE as error:
        return _refuse(f"{error.format_message()} Try kanpde --help.", BAD_INPUT)
    except KanpdeError as error:
        return _refuse(str(error), BAD_INPUT)
    except (KeyboardInterrupt, typer.Abort):
        return _refuse("interrupted", INTERRUPTED)
    except Exception:
        traceback.print_exc()
        return _refuse("this is a fault of kanpde; please report the lines above with your file", FAULT)


# The class of all mistakes in arguments; Typer names only its subclass.
_USAGE: type[typer.TyperException] = typer.BadParameter.__mro__[1]


def _refuse(message: str, status: int) -> int:
    print(f"kanpde: {' '.join(message.split())}", file=sys.stderr, flush=True)
    return status
