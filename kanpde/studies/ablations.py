"""What each choice is worth: one network, and everything else about it changed in turn.

The base is a spline KAN in the spirit of the KAN paper, with a grid that is extended; every variant changes one thing:
the basis and its degree, the base function, fixed activations in place of splines, extension, bounds of hidden
coordinates, the way of the conditions. Three signatures that critics name are measured on problems of their own:
plainly linear targets, degrees that are too high for noisy data, and the cost of a spline against its complexity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import sympy as sp

from kanpde.domain import Box
from kanpde.problem import Problem
from kanpde.studies.ablations_report import ablation_page
from kanpde.studies.cases import Case, exact_case
from kanpde.studies.continual import Continual, continual_trials
from kanpde.studies.engine import Job, Listener, Workers
from kanpde.studies.nets import Net, widened_to
from kanpde.studies.study import Setting, Study, cases_of, check_positive, check_words
from kanpde.studies.trial import Trial

FACTORS = ("basis", "degree", "silu", "activation", "extension", "squash", "conditions", "products", "signatures")
FACTORS_ALL = (*FACTORS, "continual")
BASE = Net("kan", (5,), "bspline", 5, 4)
LEVELS = (8, 16)  # that the base's grid is extended to
SIZE = 315  # parameters of the base at the end: 3 · 5 edges of 16 + 5 functions
DENSITY = 3
DEGREES = (1, 2, 3, 4, 5, 6, 7, 8, 9)
NOISE = 0.1  # of data with values of order one
NOISY_POINTS = 60
COST_INTERVALS = (4, 16, 64, 256)
COST_DEGREES = (3, 5, 9)
LINEAR, NOISY, SMOOTH = "linear_target", "noisy_data", "cost_target"


@dataclass(frozen=True)
class Ablation:
    """What is varied.

    Attributes:
        factors: some of FACTORS_ALL.
        seeds: starts and point sets of each variant.
        seconds: of training of a run.
        optimizer: the same for all.
        points: collocation points, three a parameter by default.
        device: of the networks.

    Raises:
        ProblemError: a word or a number that means nothing.
    """

    factors: tuple[str, ...] = FACTORS_ALL
    seeds: int = 3
    seconds: float = 8.0
    optimizer: str = "lm"
    points: int | None = None
    device: str = "cpu"

    def __post_init__(self) -> None:
        check_words("--factors", self.factors, FACTORS_ALL)
        check_positive("--seeds", self.seeds)
        check_positive("--seconds", self.seconds)
        check_positive("--points", 1 if self.points is None else self.points)


def ablation(
    problem: Problem | Sequence[Problem],
    *,
    ablation: Ablation | None = None,
    out: str | Path | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    fresh: bool = False,
    listen: Listener | None = None,
) -> Study:
    """Measures what each choice about a KAN is worth, on one or several problems.

    Starts processes: call it under `if __name__ == "__main__"`, or with `workers=0`.

    Args:
        problem: with an exact solution, or with a reference stored in `out`.
        ablation: what is varied; `Ablation()` by default.
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
    asked = ablation or Ablation()
    problems = [problem] if isinstance(problem, Problem) else list(problem)
    setting = Setting(None if out is None else Path(out), Workers(workers, scheduler), fresh, listen)
    cases = cases_of(problems, setting.out)
    name = "ablation-" + "-".join(cases)
    signatures = {case.name: case for case in signature_cases()} if "signatures" in asked.factors else {}
    with setting.book(name) as book:
        jobs: list[Job] = [job for case in cases.values() for job in variants(asked, case)]
        jobs += signature_runs(asked) if signatures else []
        jobs += [ContinualRun(own) for own in continual_trials(asked.seeds)] if "continual" in asked.factors else []
        rows = setting.executed(jobs, cases | signatures, book)
        page = ablation_page(list(cases.values()), asked.seeds, asked.seconds, rows, book.about)
        return setting.written(book, rows, page)


def variants(asked: Ablation, case: Case) -> list[Trial]:
    """The base, then each variant, for every seed."""
    base = Trial(
        case.name,
        "base",
        BASE,
        asked.optimizer,
        resolutions=LEVELS,
        points=asked.points or DENSITY * _size(BASE, LEVELS[-1], case),
        seconds=asked.seconds,
        device=asked.device,
        answers=False,
        note="base: B-splines of degree 5, grid extended 4, 8, 16",
    )
    makers = {
        "basis": _bases,
        "degree": _degrees,
        "silu": _base_functions,
        "activation": _activations,
        "extension": _extensions,
        "squash": _squashes,
        "conditions": _conditions,
        "products": _products,
    }
    found = [base]
    for factor in asked.factors:
        if factor in makers:
            found += [replace(variant, study=factor) for variant in makers[factor](base, case)]
    return [replace(trial, seed=seed) for trial in found for seed in range(asked.seeds)]


def _size(net: Net, resolution: int, case: Case) -> int:
    fine = replace(net, resolution=resolution)
    return fine.parameters(case.problem.domain.dimension, len(case.problem.fields))


def _fitted(net: Net, case: Case) -> Net:
    """With about as many parameters as the base has at the end."""
    problem = case.problem
    return widened_to(net, problem.domain.dimension, len(problem.fields), _size(BASE, LEVELS[-1], case))


def _bases(base: Trial, case: Case) -> list[Trial]:
    """Other functions on the edges, as many in all; each is extended as its kind can be."""
    kinds = {
        "Chebyshev, degree 5, 10, 20": (Net("kan", (5,), "chebyshev", resolution=5), (10, 20)),
        "Fourier, 3, 5, 10 modes": (Net("kan", (5,), "fourier", resolution=3), (5, 10)),
        "Gaussians, 6, 11, 21 centres": (Net("kan", (5,), "rbf", resolution=6), (11, 21)),
    }
    del case
    return [replace(base, net=net, resolutions=levels, note=note) for note, (net, levels) in kinds.items()]


def _degrees(base: Trial, case: Case) -> list[Trial]:
    del case
    return [
        replace(base, net=replace(BASE, degree=degree), note=f"B-splines of degree {degree}")
        for degree in DEGREES
        if degree != BASE.degree
    ]


def _base_functions(base: Trial, case: Case) -> list[Trial]:
    del case
    return [replace(base, net=replace(BASE, base="silu"), note="with the paper's SiLU on every edge")]


def _activations(base: Trial, case: Case) -> list[Trial]:
    """No splines: fixed functions between linear maps, as many parameters."""
    nets = {
        f"fixed {name}, 2 hidden layers": Net("mlp", (1, 1), name, resolution=1) for name in ("tanh", "sin", "silu")
    }
    return [replace(base, net=_fitted(net, case), resolutions=(), note=note) for note, net in nets.items()]


def _extensions(base: Trial, case: Case) -> list[Trial]:
    del case
    fine = replace(BASE, resolution=LEVELS[-1])
    return [replace(base, net=fine, resolutions=(), note="no extension: 16 intervals from the start")]


def _squashes(base: Trial, case: Case) -> list[Trial]:
    del case
    return [replace(base, net=replace(BASE, squash=None), note="hidden coordinates unbounded")]


def _conditions(base: Trial, case: Case) -> list[Trial]:
    del case
    return [replace(base, exact=False, note="conditions by soft rows")]


def _products(base: Trial, case: Case) -> list[Trial]:
    del case
    return [replace(base, net=replace(BASE, family="multkan", hidden=(5,)), note="two of five nodes multiply")]


def signature_cases() -> list[Case]:
    """The problems of the signatures: a plane, a wave with noise, a smooth function of two variables."""
    x, y = sp.symbols("x y", real=True)
    line, square = Box({x: (-1, 1)}), Box({x: (-1, 1), y: (-1, 1)})
    targets = (
        (LINEAR, square, (x, y), 2 * x - y / 2 + sp.Rational(1, 3)),
        (NOISY, line, (x,), sp.sin(2 * sp.pi * x)),
        (SMOOTH, square, (x, y), sp.exp(sp.sin(sp.pi * x) + y**2)),
    )
    found = []
    for name, domain, symbols, value in targets:
        unknown = sp.Function("u")(*symbols)
        found.append(exact_case(Problem(domain, sp.Eq(unknown, value), (), exact={unknown: value}, name=name)))
    return found


def signature_runs(asked: Ablation) -> list[Trial]:
    """Regressions that show how a KAN fails, or not."""
    plain = Trial("", "", BASE, asked.optimizer, seconds=asked.seconds / 2, device=asked.device, answers=False)
    linear = [
        replace(plain, case=LINEAR, study="linear", net=net, points=1000, note=note)
        for note, net in (
            ("B-splines of degree 5, [2, 5, 1]", BASE),
            ("B-splines of degree 5, no hidden layer", replace(BASE, hidden=())),
            ("Chebyshev, [2, 5, 1]", Net("kan", (5,), "chebyshev", resolution=8)),
            ("tanh MLP, two hidden layers", Net("mlp", (10, 10), "tanh", resolution=1)),
        )
    ]
    noisy = [
        replace(
            plain,
            case=NOISY,
            study="overfitting",
            net=Net("kan", (), "bspline", degree, intervals),
            points=NOISY_POINTS,
            noise=NOISE,
            iterations=60,
            note=f"degree {degree}, {intervals} intervals",
        )
        for degree in DEGREES
        for intervals in (4, 16, 48)
    ]
    cost = [
        replace(
            plain,
            case=SMOOTH,
            study="cost",
            net=Net("kan", (5,), "bspline", degree, intervals),
            optimizer="adam",
            points=4000,
            iterations=100,
            answers=True,
            note=f"degree {degree}, {intervals} intervals",
        )
        for degree in COST_DEGREES
        for intervals in COST_INTERVALS
    ]
    return [replace(trial, seed=seed) for trial in (*linear, *noisy, *cost) for seed in range(asked.seeds)]


@dataclass(frozen=True)
class ContinualRun:
    """A run of continual learning among the jobs of a study.

    Attributes:
        trial: what is learnt by which network.
    """

    trial: Continual

    @property
    def kind(self) -> str:
        """What rows of this kind are called."""
        return "continual"

    @property
    def case(self) -> str:
        """It brings its own data."""
        return ""

    @property
    def values(self) -> dict[str, object]:
        """Plain values."""
        return {"case": "", "study": "continual", **self.trial.values}

    @property
    def limit(self) -> float:
        """Seconds, roughly."""
        return 5.0

    def perform(self, case: object) -> dict[str, object]:
        """The row."""
        del case
        return self.trial.perform()
