"""Scaling laws: the error against intervals, parameters, width, depth and points, with the exponents that theory has.

Along the intervals a run extends its grid from level to level, as the KAN paper does (arXiv 2404.19756, section 2.4),
and leaves a result at each; the MLPs beside it have as many parameters. Every other axis is one network a run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kanpde.problem import Problem
from kanpde.studies.cases import Case
from kanpde.studies.engine import Listener, Workers
from kanpde.studies.nets import Net, widened_to
from kanpde.studies.scaling_report import scaling_page
from kanpde.studies.settings import StudySettings
from kanpde.studies.study import Setting, Study, cases_of, check_positive, check_words
from kanpde.studies.trial import Trial

AXES = ("intervals", "width", "depth", "points", "threshold")
LEVELS = (4, 8, 16, 32)  # nested, so that the grid is extended without a refit
WIDTHS = (1, 2, 4, 8, 12)
KAN_DEPTHS, MLP_DEPTHS = (1, 2, 3), (1, 2, 3, 4, 5)
SHARES = (0.5, 1.0, 2.0, 4.0, 8.0)  # points a parameter
THRESHOLD_POINTS = 200
THRESHOLD_LEVELS = (2, 4, 8, 16, 32, 64)
DENSITY = 3
LEAST_POINTS = 400
MIDDLE = 200  # parameters of networks along depth and points


@dataclass(frozen=True)
class Scaling:
    """What is varied.

    Attributes:
        axes: "intervals", "width", "depth", "points", "threshold".
        degrees: of the B-splines along the intervals; those too rough for the equation are refused, and are rows.
        levels: intervals.
        hidden: hidden nodes of the KAN along the intervals.
        points: collocation points; by default three for each parameter of the largest network of an axis.
        seeds: starts and point sets of each.
        seconds: of training of a run; along the intervals of each level.
        optimizer: of the KANs, "auto" for Gauss-Newton.
        mlp_optimizers: of the MLPs, each a curve.
        exact: conditions exactly, by soft rows, or (None) as the problem has it.
        device: of the networks.

    Raises:
        ProblemError: a word or a number that means nothing.
    """

    axes: tuple[str, ...] = AXES
    degrees: tuple[int, ...] = (3, 5)
    levels: tuple[int, ...] = LEVELS
    hidden: tuple[int, ...] = (5,)
    points: int | None = None
    seeds: int = 3
    seconds: float = 8.0
    optimizer: str = "auto"
    mlp_optimizers: tuple[str, ...] = ("auto", "ssbroyden")
    exact: bool | None = None
    device: str = "cpu"

    def __post_init__(self) -> None:
        check_words("--axes", self.axes, AXES)
        check_positive("--degrees", *self.degrees)
        check_positive("--levels", *self.levels)
        check_positive("--seeds", self.seeds)
        check_positive("--seconds", self.seconds)
        check_positive("--points", 1 if self.points is None else self.points)

    def suited(self, settings: StudySettings) -> Scaling:
        """With what the settings beside a problem's file say of its network, points and levels."""
        changes = {
            "hidden": None if settings.widths is None else tuple(settings.widths[1:-1]),
            "levels": settings.intervals,
            "degrees": None if settings.degree is None else (settings.degree,),
            "points": settings.points,
        }
        return replace(self, **{key: value for key, value in changes.items() if value is not None})  # type: ignore[arg-type]


def scaling(
    problem: Problem | Sequence[Problem],
    *,
    scaling: Scaling | None = None,
    settings: Sequence[StudySettings] = (),
    out: str | Path | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    fresh: bool = False,
    listen: Listener | None = None,
) -> Study:
    """Measures how the error scales on one or several problems.

    Starts processes: call it under `if __name__ == "__main__"`, or with `workers=0`.

    Args:
        problem: with an exact solution, or with a reference stored in `out`; an equation of order 0 is a regression.
        scaling: what is varied; `Scaling()` by default.
        settings: for each problem, what differs from it.
        out: directory for rows, table, figures and report; finished runs that it has are not repeated.
        workers: processes, as many as cores by default; 0 for this one.
        scheduler: address of a Dask scheduler, in place of local processes.
        fresh: begin anew.
        listen: told after each run.

    Returns:
        The rows and the report.

    Raises:
        ProblemError: no truth to compare with, an unknown word, or a scheduler that does not answer.
        StoreError: files that cannot be written or are of another version.
    """
    asked = scaling or Scaling()
    problems = [problem] if isinstance(problem, Problem) else list(problem)
    setting = Setting(None if out is None else Path(out), Workers(workers, scheduler), fresh, listen)
    cases = cases_of(problems, setting.out)
    plans = [asked.suited(own) for own in settings] or [asked] * len(cases)
    name = "scaling-" + ("-".join(cases) if len(cases) < 4 else f"{len(cases)}-problems")
    with setting.book(name) as book:
        jobs = [job for case, plan in zip(cases.values(), plans, strict=True) for job in runs(plan, case)]
        rows = setting.executed(jobs, cases, book)
        page = scaling_page(list(zip(cases.values(), plans, strict=True)), rows, book.about)
        return setting.written(book, rows, page)


def runs(asked: Scaling, case: Case) -> list[Trial]:
    """All runs of a problem."""
    makers = {
        "intervals": along_intervals,
        "width": along_width,
        "depth": along_depth,
        "points": along_points,
        "threshold": towards_threshold,
    }
    plain = Trial(
        case.name,
        "",
        Net(),
        asked.optimizer,
        exact=asked.exact,
        seconds=asked.seconds,
        device=asked.device,
        answers=False,
    )
    found = [trial for axis in asked.axes for trial in makers[axis](asked, case, replace(plain, study=axis))]
    return [replace(trial, seed=seed) for trial in found for seed in range(asked.seeds)]


def size(net: Net, case: Case) -> int:
    """Parameters of a network on a problem."""
    return net.parameters(case.problem.domain.dimension, len(case.problem.fields))


def fitted(net: Net, case: Case, parameters: int) -> Net:
    """The network with about so many parameters."""
    return widened_to(net, case.problem.domain.dimension, len(case.problem.fields), parameters)


def enough(asked: Scaling, parameters: int) -> int:
    """Collocation points for a network."""
    return asked.points or max(LEAST_POINTS, DENSITY * parameters)


def along_intervals(asked: Scaling, case: Case, plain: Trial) -> list[Trial]:
    """Splines of each degree through all levels, and MLPs with as many parameters as those of the first degree."""
    first, *rest = asked.levels
    found = []
    for degree in asked.degrees:
        net = Net("kan", asked.hidden, "bspline", degree, first)
        points = enough(asked, size(replace(net, resolution=asked.levels[-1]), case))
        seconds = asked.seconds * len(asked.levels)
        found.append(replace(plain, net=net, resolutions=tuple(rest), points=points, seconds=seconds))
    like = Net("kan", asked.hidden, "bspline", asked.degrees[0], first)
    sizes = [size(replace(like, resolution=level), case) for level in asked.levels]
    return [*found, *_mlps(asked, case, plain, sizes)]


def _mlps(asked: Scaling, case: Case, plain: Trial, sizes: Sequence[int]) -> list[Trial]:
    """MLPs of two hidden layers by size, on as many points as the KAN's largest."""
    points = enough(asked, sizes[-1])
    nets = [fitted(Net("mlp", (1, 1), "tanh", resolution=1), case, parameters) for parameters in sizes]
    return [
        replace(plain, net=net, optimizer=optimizer, points=points)
        for optimizer in asked.mlp_optimizers
        for net in nets
    ]


def along_width(asked: Scaling, case: Case, plain: Trial) -> list[Trial]:
    """Chebyshev and spline KANs by width, and MLPs with as many parameters as the splines."""
    splines = [Net("kan", (width,), "bspline", 5, 8) for width in WIDTHS]
    polynomials = [Net("kan", (width,), "chebyshev", resolution=12) for width in WIDTHS]
    points = enough(asked, max(size(splines[-1], case), size(polynomials[-1], case)))
    kans = [replace(plain, net=net, points=points) for net in (*splines, *polynomials)]
    return [*kans, *_mlps(asked, case, plain, [size(net, case) for net in splines])]


def along_depth(asked: Scaling, case: Case, plain: Trial) -> list[Trial]:
    """Both networks by depth at about the same number of parameters."""
    points = enough(asked, MIDDLE)
    kans = [Net("kan", (1,) * depth, "chebyshev", resolution=8) for depth in KAN_DEPTHS]
    mlps = [Net("mlp", (1,) * depth, "tanh", resolution=1) for depth in MLP_DEPTHS]
    found = [replace(plain, net=fitted(net, case, MIDDLE), points=points) for net in kans]
    return found + [
        replace(plain, net=fitted(net, case, MIDDLE), points=points, optimizer=optimizer)
        for net in mlps
        for optimizer in asked.mlp_optimizers
    ]


def along_points(asked: Scaling, case: Case, plain: Trial) -> list[Trial]:
    """Both networks on few to many points."""
    nets = [
        (fitted(Net("kan", (1,), "chebyshev", resolution=12), case, MIDDLE), plain.optimizer),
        (fitted(Net("kan", (1,), "bspline", 5, 8), case, MIDDLE), plain.optimizer),
        (fitted(Net("mlp", (1, 1), "tanh", resolution=1), case, MIDDLE), asked.mlp_optimizers[-1]),
    ]
    return [
        replace(plain, net=net, optimizer=optimizer, points=round(share * size(net, case)))
        for net, optimizer in nets
        for share in SHARES
    ]


def towards_threshold(asked: Scaling, case: Case, plain: Trial) -> list[Trial]:
    """Finer and finer edges on the same few points: the error falls, until the edges are free between the points.

    Once by extending one grid, and once from a random start at each level, where nothing is inherited.
    """
    first, *rest = THRESHOLD_LEVELS
    seconds = asked.seconds * len(THRESHOLD_LEVELS) / 2
    degree = max(asked.degrees[0], max(o.order for o in case.problem.operators) + 1)
    net = Net("kan", asked.hidden, "bspline", degree, first)
    few = replace(plain, net=net, points=THRESHOLD_POINTS)
    extended = replace(few, resolutions=tuple(rest), seconds=seconds, note="extended")
    fresh = [replace(few, net=replace(net, resolution=level), note="from scratch") for level in THRESHOLD_LEVELS]
    return [extended, *fresh]
