"""The studies: what they run, what they report of rows whose answers are known, and how they go on when killed."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import cases
import pytest

import kanpde as kp
from kanpde.cli import main
from kanpde.errors import ProblemError
from kanpde.store import load_table
from kanpde.studies.ablations import Ablation, signature_cases, signature_runs, variants
from kanpde.studies.ablations_report import ablation_page
from kanpde.studies.cases import exact_case
from kanpde.studies.comparison import CANDIDATES, Comparison, Driver, chosen, runs, tuning
from kanpde.studies.comparison_report import best_size, comparison_page, reached
from kanpde.studies.page import html
from kanpde.studies.scaling_laws import Scaling, along_intervals, towards_threshold
from kanpde.studies.scaling_laws import runs as scaling_runs
from kanpde.studies.scaling_report import levels_of, scaling_page
from kanpde.studies.settings import StudySettings
from kanpde.studies.study import Study, cases_of
from kanpde.studies.trial import Trial

ROOT = Path(__file__).parents[1]
ABOUT = {"command": "c", "commit": "1", "machine": "m", "date": "d", "kanpde": "0"}
TINY = Comparison(optimizers=("lm",), sizes=(40,), seeds=1, seconds=0.05, points=60)


@pytest.fixture(scope="module")
def case():
    return exact_case(cases.load("poisson"))


def trace(errors: list[float], times: list[float]) -> dict[str, list[float]]:
    return {"seconds": times, "steps": [0, 1, 2], "loss": errors, "relative_l2": errors, "relative_h1": errors}


def row(family: str, optimizer: str, parameters: int, seed: int, errors: list[float], **more: Any) -> dict[str, Any]:
    """A row of a comparison as a run leaves it."""
    basis = "tanh" if family == "mlp" else "chebyshev"
    return {
        "kind": "trial",
        "case": "poisson",
        "study": "compare",
        "family": family,
        "optimizer": optimizer,
        "basis": basis,
        "degree": None,
        "resolution": 12,
        "hidden": [3],
        "net": f"{family}, {basis}",
        "note": str(parameters),
        "parameters": parameters,
        "seed": seed,
        "rate": 1e-2,
        "relative_l2": errors[-1],
        "relative_h1": 2 * errors[-1],
        "maximum": errors[-1],
        "residual": errors[-1],
        "steps": 10,
        "seconds_trained": 4.0,
        "memory_mb": 1.0,
        "latency_1": 1e-3,
        "latency_1k": 2e-3,
        "latency_1m": 0.5,
        "trace": trace(errors, [0.5, 1.0, 4.0]),
        "status": "time",
        **more,
    }


ROWS = [
    row("kan", "lm", 100, 0, [1.0, 1e-2, 1e-4]),
    row("kan", "lm", 100, 1, [1.0, 2e-2, 3e-4]),
    row("kan", "lm", 100, 2, [1.0, 3e-2, 2e-4]),
    row("kan", "lm", 300, 0, [1.0, 0.5, 1e-6]),
    row("kan", "lm", 300, 1, [1.0, 0.5, 1e-6]),
    row("kan", "lm", 300, 2, [1.0, 0.5, 5e-2]),
    row("mlp", "adam", 100, 0, [1.0, 0.9, 0.8]),
    {"kind": "trial", "case": "poisson", "family": "mlp", "optimizer": "lm", "status": "failed: no"},
    {
        "kind": "conventional",
        "case": "poisson",
        "method": "Chebyshev",
        "nodes": 16,
        "parameters": 256,
        "relative_l2": 1e-9,
        "seconds_trained": 0.01,
        "status": "solved",
    },
]


@pytest.fixture(scope="module")
def page(case):
    asked = {"networks": ("kan", "mlp"), "seeds": 3, "seconds": 4.0}
    return comparison_page(asked, [case], ROWS[:1], ROWS, ABOUT)


def table(page: Any, title: str) -> list[dict[str, Any]]:
    return Study("s", (), page).tables[title]


# ---- comparison


def test_equal_parameters(page) -> None:
    lines = table(page, "Equal parameters")
    first = next(line for line in lines if line["parameters"] == 100 and line["network"] == "KAN")
    assert first["relative L2 (quartiles)"] == "2.0e-04 (1.5e-04 to 2.5e-04)"
    assert first["relative H1"] == 4e-4
    assert len(lines) == 3


def test_equal_time_takes_the_best_size_of_each_time(page) -> None:
    (kan, mlp) = table(page, "Relative L2 error at equal training time")
    assert kan["method"] == "KAN, Gauss-Newton"
    assert (kan["0.5 s"], kan["1 s"], kan["2.5 s"]) == (1.0, 2e-2, 2e-2)
    assert mlp["1 s"] == 0.9


def test_equal_accuracy_asks_all_seeds(page) -> None:
    """Of the larger network one seed never gets below 1e-2: only the smaller one counts."""
    kan = table(page, "Seconds of training (parameters) to an accuracy")[0]
    assert kan["1e-02"] == "4 s (100)"
    assert kan["1e-03"] == "4 s (100)"
    assert kan["1e-04"] is None
    assert reached([r for r in ROWS[:6] if r["seed"] < 2], 1e-5) == (4.0, 300)


def test_best_size_is_that_of_the_median() -> None:
    assert {r["parameters"] for r in best_size(ROWS[:6])} == {300}


def test_summary_says_the_best_of_each_and_the_conventional_solver(page) -> None:
    text = " ".join(page.summary)
    assert "KAN: the least median error is 1.0e-06, with Gauss-Newton and 300 parameters" in text
    assert "MLP: the least median error is 8.0e-01" in text
    assert "Chebyshev, n = 16: 1.0e-09 in 0.01 s" in text
    assert html(page).count("<svg") == 5


def test_tuning_is_the_same_for_both_networks(case) -> None:
    trials = tuning(Comparison(), case)
    for optimizer in Comparison().optimizers:
        own = [t for t in trials if t.optimizer == optimizer]
        counts = {family: sum(t.net.family == family for t in own) for family in ("kan", "mlp")}
        assert counts["kan"] == counts["mlp"] > 0
    assert {t.seconds for t in trials} == {0.25 * Comparison().seconds}
    assert {t.points for t in trials} == {2700}
    assert {t.seed for t in trials}.isdisjoint(range(100))


def test_tuning_takes_the_least_residual_not_the_least_error() -> None:
    net = CANDIDATES["mlp"][1]
    own = {"basis": net.basis, "degree": None, "resolution": 1, "hidden": [4, 4]}
    tuned = [
        row("mlp", "adam", 100, 0, [1.0, 1.0, 1e-9], residual=0.5, resolution=1, hidden=[4, 4, 4]),
        row("mlp", "adam", 100, 0, [1.0, 1.0, 1e-1], residual=0.1, rate=3e-3) | own,
        row("kan", "adam", 100, 0, [1.0, 1.0, 1e-1], residual=0.01),
    ]
    assert chosen(tuned, "poisson", "mlp", "adam") == (net, 3e-3)
    assert chosen([], "poisson", "mlp", "adam")[0] == CANDIDATES["mlp"][0]


def test_runs_share_points_and_differ_by_seed(case) -> None:
    jobs = runs(replace(TINY, seeds=2), case, [])
    trials = [job for job in jobs if isinstance(job, Trial)]
    assert {(t.net.family, t.seed) for t in trials} == {("kan", 0), ("kan", 1), ("mlp", 0), ("mlp", 1)}
    assert {t.points for t in trials} == {60}
    assert {job.rtol for job in jobs if isinstance(job, Driver)} == {1e-4, 1e-6, 1e-8}


def test_driver_is_the_default_solve(case) -> None:
    found = Driver("poisson", 1e-3, 0, 30.0).perform(case)
    assert found["relative_l2"] < 1e-3
    assert found["status"] == "converged"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"networks": ("kan", "cnn")}, "--networks has no 'cnn': give some of kan, multkan, mlp"),
        ({"optimizers": ()}, "--optimizers is empty"),
        ({"sizes": (0,)}, "--sizes 0 means nothing"),
        ({"seconds": float("inf")}, "--seconds inf means nothing"),
        ({"seeds": 0}, "--seeds 0"),
    ],
)
def test_comparison_refuses_what_means_nothing(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ProblemError, match=message):
        Comparison(**change)


# ---- scaling


def test_levels_and_sizes_along_the_intervals(case) -> None:
    asked = Scaling(levels=(2, 4), degrees=(3, 5))
    trials = along_intervals(asked, case, Trial("poisson", "intervals", CANDIDATES["kan"][0]))
    kans = [t for t in trials if t.net.family == "kan"]
    assert [(t.net.degree, t.net.resolution, t.resolutions) for t in kans] == [(3, 2, (4,)), (5, 2, (4,))]
    mlps = [t for t in trials if t.net.family == "mlp" and t.optimizer == "ssbroyden"]
    sizes = [kans[0].net.parameters(2, 1), 15 * 7]
    assert [abs(m.net.parameters(2, 1) - p) < 0.25 * p for m, p in zip(mlps, sizes, strict=True)] == [True, True]


def test_settings_beside_a_file_count() -> None:
    asked = Scaling().suited(StudySettings(widths=(2, 1, 1), intervals=(3, 5), degree=3, points=500))
    assert (asked.hidden, asked.levels, asked.degrees, asked.points) == ((1,), (3, 5), (3,), 500)
    assert Scaling().suited(StudySettings()) == Scaling()


def test_threshold_runs_keep_the_points_and_the_smoothness(case) -> None:
    trials = towards_threshold(Scaling(degrees=(1,)), case, Trial("poisson", "threshold", CANDIDATES["kan"][0]))
    assert {t.net.degree for t in trials} == {3}  # for a second-order equation
    assert len({t.points for t in trials}) == 1
    extended, *fresh = trials
    assert [extended.net.resolution, *extended.resolutions] == [t.net.resolution for t in fresh]
    sizes = [t.net.parameters(2, 1) for t in fresh]
    assert min(sizes) < extended.points < max(sizes)


def test_every_axis_has_runs_for_each_seed(case) -> None:
    trials = scaling_runs(Scaling(seeds=2), case)
    assert {t.study for t in trials} == set(Scaling().axes)
    assert sum(t.seed == 0 for t in trials) == sum(t.seed == 1 for t in trials)


def stages(degree: int, sizes: list[int], errors: list[float], rows: int) -> list[dict[str, Any]]:
    return [
        {
            "resolution": n,
            "parameters": n,
            "rows": rows,
            "relative_l2": e,
            "relative_h1": e,
            "residual": e,
            "degree": degree,
        }
        for n, e in zip(sizes, errors, strict=True)
    ]


def spline(study: str, seed: int, sizes: list[int], errors: list[float], **more: Any) -> dict[str, Any]:
    own = {"study": study, "basis": "bspline", "degree": 3, "net": "KAN, bspline 3", "points": 100}
    base = row("kan", "auto", sizes[-1], seed, [1.0, 1.0, errors[-1]])
    return base | own | {"stages": stages(3, sizes, errors, 100)} | more


def test_report_finds_exponent_plateau_and_threshold(case) -> None:
    sizes = [8, 16, 32, 64, 128]
    falling = [float(n) ** -4 for n in (8, 16, 32)] + [32.0**-4, 32.0**-4]
    rows = [spline("intervals", s, sizes, falling) for s in range(3)]
    rows += [spline("threshold", s, sizes, [1e-1, 1e-2, 1e-4, 1e-2, 1.0]) for s in range(3)]
    page = scaling_page([(case, Scaling(axes=("intervals", "threshold")))], rows, ABOUT)
    text = " ".join(page.summary)
    assert "exponent in the intervals -4.00 (-4.00 to -4.00), in theory −4; exponent in the parameters -4.00" in text
    assert "then a plateau at 9.5e-07" in text
    assert "on 100 points the error is least, 1.0e-04, at 32 parameters, 3.1 points a parameter" in text
    (line,) = table(page, "Intervals of the grid: Exponents against parameters")
    assert line["L2"] == line["intervals, L2"] == "-4.00 (-4.00 to -4.00)"
    assert line["theory in intervals, L2"] == "−4"
    plots = [item for section in page.sections for item in section.items if hasattr(item, "curves")]
    theory = {c.label for p in plots for c in p.curves if c.style == "theory"}
    assert theory == {"−4", "−3", "−2"}  # values, slopes, second derivatives
    (dashed,) = [c for c in plots[0].curves if c.style == "theory"]
    assert dashed.y[1] / dashed.y[0] == pytest.approx((dashed.x[1] / dashed.x[0]) ** -4)
    assert any(p.marks for p in plots)


def test_levels_are_one_row_a_stage() -> None:
    levels = levels_of([spline("intervals", 0, [4, 8], [1.0, 0.1]), {"status": "failed: x", "stages": None}])
    assert [(level["parameters"], level["relative_l2"], level["density"]) for level in levels] == [
        (4, 1.0, 25.0),
        (8, 0.1, 12.5),
    ]


# ---- ablation


def test_variants_change_one_thing(case) -> None:
    trials = [t for t in variants(Ablation(seeds=1), case) if t.seed == 0]
    base, *others = trials
    assert base.study == "base"
    notes = [t.note for t in trials]
    assert len(set(notes)) == len(notes)
    assert {t.points for t in trials} == {base.points}
    assert {t.study for t in others} == {
        "basis", "degree", "silu", "activation", "extension", "squash", "conditions", "products"
    }  # fmt: skip
    soft = next(t for t in others if t.study == "conditions")
    assert replace(soft, exact=None, study="base", note=base.note) == base
    for trial in others:
        count = trial.net.parameters(2, 1)
        assert count > 0


def test_signatures_are_problems_with_exact_solutions() -> None:
    found = {case.name: case for case in signature_cases()}
    own = signature_runs(Ablation(seeds=1))
    assert {t.case for t in own} == set(found)
    assert {t.study for t in own} == {"linear", "overfitting", "cost"}


def test_report_of_an_ablation_has_what_was_refused(case) -> None:
    base = spline("base", 0, [8, 16], [1e-2, 1e-4], note="base")
    other = spline("degree", 0, [8, 16], [1e-1, 1e-3], note="B-splines of degree 2", degree=2)
    refused = {
        "kind": "trial", "case": "poisson", "study": "degree", "note": "degree 1", "degree": 1, "status": "refused: no"
    }  # fmt: skip
    page = ablation_page([case], 1, 1.0, [base, other, refused], ABOUT)
    lines = {line["variant"]: line for line in table(page, "Variants on poisson")}
    assert lines["B-splines of degree 2"]["over the base"] == pytest.approx(10)
    assert lines["degree 1"]["refused"] == "refused: no"
    assert "best variant: B-splines of degree 2, 1.0e-03" in " ".join(page.summary)


def test_ablation_refuses_unknown_factors() -> None:
    with pytest.raises(ProblemError, match="--factors has no 'size'"):
        Ablation(factors=("size",))


# ---- from end to end


@pytest.mark.slow
def test_compare_in_this_process(tmp_path: Path) -> None:
    study = kp.compare(cases.load("poisson_1d"), comparison=TINY, out=tmp_path, workers=0)
    assert {r["kind"] for r in study} == {"trial", "driver", "conventional"}
    assert not study.failed
    assert {p.suffix for p in study.files} >= {".h5", ".csv", ".html", ".md", ".svg"}
    assert len(load_table(study.files[0])[0]) == len(study)
    again = kp.compare(cases.load("poisson_1d"), comparison=TINY, out=tmp_path, workers=0)
    assert [r["date"] for r in again] == [r["date"] for r in study]


def test_study_without_a_directory_leaves_nothing() -> None:
    asked = Scaling(axes=("threshold",), seeds=1, seconds=0.05)
    study = kp.scaling(cases.load("poisson_1d"), scaling=asked, workers=0)
    assert study.files == ()
    assert len(study) == 7


def test_two_problems_of_one_name_are_refused() -> None:
    problem = cases.load("poisson")
    with pytest.raises(ProblemError, match="two problems are called poisson"):
        cases_of([problem, problem], None)
    with pytest.raises(ProblemError, match="a study needs a problem"):
        cases_of([], None)


def run(*words: str) -> int:
    return main([*words, "--workers", "0"])


def test_command_keeps_rows_and_says_what_it_found(tmp_path: Path, capsys: Any) -> None:
    words = ("compare", str(ROOT / "problems" / "poisson_1d.py"), "--out", str(tmp_path), "--optimizers", "lm")
    options = ("--sizes", "40", "--seeds", "1", "--seconds", "0.05", "--points", "60", "--json")
    assert run(*words, *options) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["failed"] == 0
    assert (tmp_path / "compare-poisson_1d.html").exists()
    assert main(["show", "--out", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "study" in shown
    assert "trace=" not in shown


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("compare", "{poisson_1d}", "--optimizers", "magic"), "--optimizers has no 'magic'"),
        (("compare", "{poisson_1d}", "--sizes", "small"), "--sizes small: give whole numbers"),
        (("compare", "{l_shape}",), "l_shape has no exact solution"),
        (("scaling", "{poisson_1d}", "--axes", "time"), "--axes has no 'time'"),
        (("ablation", "{poisson_1d}", "--factors", "luck"), "--factors has no 'luck'"),
        (("compare", "{poisson_1d}", "--device", "abacus"), "--device abacus names no device"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(words: tuple[str, ...], message: str, tmp_path: Path, capsys: Any) -> None:
    filled = [word.format_map(Files()) if word.startswith("{") else word for word in words]
    assert run(*filled, "--out", str(tmp_path)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


class Files(dict[str, str]):
    """Problem files by name."""

    def __missing__(self, name: str) -> str:
        return str(ROOT / "problems" / f"{name}.py")


@pytest.mark.slow
def test_killed_command_resumes_to_the_same_table(tmp_path: Path) -> None:
    """Iterations, not seconds, would be needed for equal errors: what is compared is which rows there are, and that
    those of before the kill are the very same."""
    words = [
        "scaling", str(ROOT / "problems" / "poisson_1d.py"), "--axes", "points", "--seeds", "2", "--seconds", "0.3"
    ]  # fmt: skip
    command = [sys.executable, "-c", "import sys; from kanpde.cli import main; sys.exit(main(sys.argv[1:]))", *words]
    path = tmp_path / "scaling-poisson_1d.h5"
    with subprocess.Popen([*command, "--out", str(tmp_path), "--workers", "2"], start_new_session=True) as process:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and not (path.exists() and len(load_table(path)[0]) > 3):
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
    before = load_table(path)[0]
    assert run(*words, "--out", str(tmp_path)) == 0
    after = load_table(path)[0]
    assert after[: len(before)] == before
    whole = kp.scaling(cases.load("poisson_1d"), scaling=Scaling(axes=("points",), seeds=2, seconds=0.3), workers=0)
    assert {r["key"] for r in after} == {r["key"] for r in whole}
    assert len(after) == len(whole)
