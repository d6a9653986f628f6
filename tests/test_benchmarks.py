"""The benchmarks' own machinery: conventional solvers of their declared order, tables that can be made and resumed."""

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import skfem
from matplotlib.figure import Figure
from scipy.special import fresnel
from skfem.models.poisson import laplace

from benchmarks import accuracy, accuracy_report, evolution, runs, spline_rates
from benchmarks.conventional import Coefficients, FiniteElements, LagrangeSimplex, conical_rule
from benchmarks.ladder import FRONTS, ladder, methods, suitable
from benchmarks.stored import Stored
from benchmarks.targets import TARGETS, Target
from kanpde.references.ivp_periodic import Size
from kanpde.store import load_table


@pytest.mark.parametrize("order", [2, 4, 6, 8])
@pytest.mark.parametrize("problem", ["poisson", "rational_helmholtz"])
def test_differences_converge_at_their_order(problem: str, order: int) -> None:
    """At least: where all derivatives of even order vanish at the boundary, it is more."""
    coarse, fine = (methods()[f"differences of order {order}"](runs.problem_named(problem), n) for n in (33, 65))
    assert order - 0.7 < np.log2(coarse.error / fine.error) < order + 3


@pytest.mark.parametrize("degree", [2, 3, 4])
@pytest.mark.parametrize("problem", ["poisson", "rational_helmholtz"])
def test_elements_converge_on_triangles(problem: str, degree: int) -> None:
    coarse, fine = (methods()[f"scikit-fem P{degree}"](runs.problem_named(problem), n) for n in (12, 24))
    assert degree + 0.8 < np.log2(coarse.error / fine.error) < degree + 1.3


@pytest.mark.parametrize("degree", [2, 3, 4])
def test_elements_converge_on_tetrahedra(degree: int) -> None:
    coarse, fine = (methods()[f"scikit-fem P{degree}"](runs.problem_named("poisson_3d"), n) for n in (3, 6))
    assert degree + 0.5 < np.log2(coarse.error / fine.error) < degree + 2


@pytest.mark.parametrize(
    ("element", "twin"),
    [
        (LagrangeSimplex(2, 2), skfem.ElementTriP2()),
        (LagrangeSimplex(2, 3), skfem.ElementTriP3()),
        (LagrangeSimplex(2, 4), skfem.ElementTriP4()),
        (LagrangeSimplex(3, 2), skfem.ElementTetP2()),
    ],
)
def test_shape_functions_are_those_of_scikit_fem(element: LagrangeSimplex, twin: skfem.Element) -> None:
    points, _ = conical_rule(element.refdom.dim(), 3)
    for i in range(len(twin.doflocs)):
        for ours, theirs in zip(element.lbasis(points, i), twin.lbasis(points, i), strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_our_assembly_is_that_of_scikit_fem() -> None:
    problem = runs.problem_named("poisson")
    discrete = FiniteElements(problem, 3, 4)
    basis = skfem.Basis(discrete.mesh, skfem.ElementTriP3())
    theirs = laplace.assemble(basis)
    ours = discrete.matrix(Coefficients.of(problem))
    np.testing.assert_array_equal(discrete.dofs.element_dofs, basis.element_dofs)
    np.testing.assert_allclose(ours.toarray(), theirs.toarray(), atol=1e-11)


@pytest.mark.parametrize("dimension", [2, 3])
def test_conical_rules_integrate_polynomials(dimension: int) -> None:
    points, weights = conical_rule(dimension, 3)
    # ∫ x^5 over the reference simplex is 5! d! / (5 + d)! times its volume 1/d!.
    exact = 120 / np.prod(np.arange(1, 6 + dimension))
    assert np.sum(points[-1] ** 5 * weights) == pytest.approx(exact, rel=1e-13)
    assert np.sum(points[0] ** 5 * weights) == pytest.approx(exact, rel=1e-13)


def test_ladders_end_at_their_accuracy() -> None:
    solves = list(ladder(runs.problem_named("poisson"), "Chebyshev", seconds=1.0, accuracy=1e-6))
    assert solves[-1].error <= 1e-6 < solves[-2].error


@pytest.mark.parametrize("parameters", [100, 416, 728])
def test_the_mlp_is_as_large_as_the_default_network(parameters: int) -> None:
    case = replace(runs.CASES[0], row="mlp")
    (network, *_) = runs.networks_of(case, runs.problem_named("poisson"), 0, parameters)
    assert abs(network.n_parameters - parameters) <= 0.1 * parameters


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """One second a network, in this process."""
    cases = [runs.Case("poisson", row, 1e-3, 1.0) for row in ("default", "mlp")]
    monkeypatch.setattr(accuracy, "CASES", cases)
    monkeypatch.setattr(accuracy, "fresh", lambda function, *arguments: function(*arguments))
    monkeypatch.setattr(runs, "CONVENTIONAL_SECONDS", {2: 0.01})
    monkeypatch.setattr(accuracy, "suitable", lambda _: ("Chebyshev", "scikit-fem P2"))
    monkeypatch.setattr(accuracy, "source_digest", lambda: "now")


@pytest.mark.usefixtures("tiny")
def test_a_benchmark_writes_its_tables_and_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--problems", "poisson", "--seeds", "1", "--results", str(tmp_path)]
    accuracy.main([*arguments, "--rows", "default", "conventional"])
    first, _ = load_table(tmp_path / "accuracy.h5")
    capsys.readouterr()
    accuracy.main(arguments)
    shown = capsys.readouterr().out
    second, about = load_table(tmp_path / "accuracy.h5")
    assert second[: len(first)] == first
    assert "poisson, default" not in shown
    assert [row["row"] for row in second[len(first) :]] == ["mlp"]
    assert {"commit", "machine", "command", "date", "threads"} <= set(about)
    assert (tmp_path / "accuracy.png").stat().st_size > 10_000
    with (tmp_path / "accuracy.csv").open(encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == len(second)


def test_rows_of_earlier_code_are_measured_anew(tmp_path: Path) -> None:
    path = tmp_path / "accuracy.h5"
    Stored(path, "now").add([{"problem": "poisson", "row": "default", "seed": 0}])
    assert Stored(path, "now").has(problem="poisson", seed=0)
    assert not Stored(path, "later").has(problem="poisson", seed=0)
    assert Stored(path, "later", keep=True).has(problem="poisson", seed=0)


def solve_row(method: str, unknowns: int, error: float, seconds: float) -> dict[str, object]:
    return {"method": method, "unknowns": unknowns, "relative_l2": error, "seconds": seconds}


def test_cheapest_takes_the_coarsest_grid_and_then_the_fastest_method() -> None:
    rows = [
        solve_row("a", 10, 1e-2, 0.1),
        solve_row("a", 20, 1e-4, 0.3),
        solve_row("a", 40, 1e-6, 0.2),
        solve_row("b", 30, 1e-5, 0.25),
    ]
    assert accuracy_report.cheapest(rows, 1e-3) == rows[3]
    assert accuracy_report.cheapest(rows[:3], 1e-3) == rows[1]
    assert accuracy_report.cheapest(rows, 1e-9) == rows[2]
    assert accuracy_report.cheapest([], 1e-9) is None
    rows = [{**row, "resolution": 5} for row in rows]
    assert accuracy_report.told(rows[2], 1e-9).startswith("not reached")
    assert accuracy_report.told(rows[2], 1e-3).startswith("a, n = 5: 1.0e-06")


# ---- targets


ASKED = Target("poisson", 1e-6, 10.0, "somebody: 1e-3, a week", "a remark")


def seed_row(error: float, seconds: float, seed: int = 0, target: Target = ASKED) -> dict[str, object]:
    return {
        "problem": target.problem,
        "row": "default",
        "rtol": target.error,
        "budget": target.seconds,
        "seed": seed,
        "title": "KAN",
        "relative_l2": error,
        "error_estimate": None if seed else error,
        "seconds": seconds,
        "parameters": 100 + seed,
        "iterations": 5,
        "converged": True,
        "status": "converged",
        "trace": [[0.1, 1.0], [seconds, 0.1]],
        "threads": 1,
        "workers": 2,
    }


def grid_row(problem: str, method: str, error: float, seconds: float) -> dict[str, object]:
    own = {"problem": problem, "row": "conventional", "method": method, "resolution": 9, "unknowns": 81}
    return {**own, "relative_l2": error, "seconds": seconds, "threads": 1, "workers": 2}


def test_a_target_takes_accuracy_and_time_from_more_than_half_of_the_seeds() -> None:
    """Accurate but late counts as little as in time but wrong, or unknown."""
    runs_of = [(5e-7, 9.0), (9e-7, 10.0), (2e-6, 1.0), (1e-9, 10.1), (float("nan"), 1.0)]
    rows = [seed_row(*run, seed=k) for k, run in enumerate(runs_of)]
    line = accuracy_report.target_line(ASKED, rows)
    assert line["target met"] == "**missed**: 2 of 5 seeds"
    assert line["target"] == "**1e-06 in 10 s**"
    assert line["true error"] == "**7.0e-07 (2.0e-06, 4 of 5)**"
    line = accuracy_report.target_line(ASKED, rows[:3])
    assert line["target met"] == "met: 2 of 3 seeds"
    assert line["target"] == "1e-06 in 10 s"
    assert line["true error"] == "9.0e-07 (2.0e-06)"
    assert line["estimate"] == "5.0e-07 (5.0e-07, 1 of 3)"
    assert line["seconds"] == "9.0 (10.0)"
    assert line["parameters"] == "101"
    assert line["best published"] == "somebody: 1e-3, a week"
    assert line["conventional"] == "not run"
    target = replace(ASKED, problem="poisson_5d")
    assert accuracy_report.target_line(target, [seed_row(1e-9, 1.0, target=target)])["conventional"] == "none of ours"


def test_a_target_is_judged_by_its_own_runs_alone() -> None:
    later, looser, other = replace(ASKED, seconds=300.0), replace(ASKED, error=1e-3), replace(ASKED, problem="rational")
    rows = [seed_row(1e-7, 1.0, target=t) for t in (ASKED, later, looser, other)]
    rows += [{**rows[0], "row": "mlp"}, grid_row("poisson", "Chebyshev", 2e-7, 0.5)]
    assert accuracy_report.asked(ASKED, rows) == rows[:1]
    assert accuracy_report.target_line(ASKED, rows)["conventional"] == "Chebyshev, n = 9: 2.0e-07 in 0.500 s"


def test_the_report_begins_with_the_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    unrun = Target("rational", 1e-7, 60.0, remark="of no run")
    monkeypatch.setattr(accuracy_report, "TARGETS", (ASKED, unrun))
    rows = [seed_row(1e-4, 1.0), *(grid_row("poisson", m, 1e-8, 0.1) for m in ("Chebyshev", "scikit-fem P2"))]
    text = accuracy_report.report(rows, {"commit": "abc"})
    head, details = text.split("## All runs")
    assert "commit abc; 2 run(s) at a time, 1 thread(s) each" in head
    assert "**missed**: 0 of 1 seeds" in head
    assert "1e-06: a remark." in head
    assert "of no run" not in text
    assert "Chebyshev, n = 9" in details
    assert details.rstrip().endswith("(no runs)")  # by family: differences have not run
    rows.append(grid_row("poisson", "differences of order 8", 1e-8, 0.1))
    assert "differences of order 8, n = 9" in accuracy_report.report(rows, {}).split("## All runs")[1]


def test_the_figure_has_a_panel_for_every_problem_and_its_targets() -> None:
    rows = [seed_row(target.error, target.seconds / 2, target=target) for target in TARGETS]
    rows += [grid_row(name, method, 1e-8, 0.1) for name, method in FRONTS.items()]
    figure = Figure()
    accuracy_report.draw(figure, rows)
    drawn = [axis for axis in figure.axes if axis.get_visible()]
    assert [axis.get_title() for axis in drawn] == list(accuracy_report.NAMES.values())
    targets = [sum(line.get_label() == "target" for line in axis.lines) for axis in drawn]
    assert sum(targets) == len(TARGETS)
    assert min(targets) == 1


def test_every_target_is_a_case_with_a_name_and_a_solver_beside_it() -> None:
    cases = {(case.problem, case.row, case.rtol, case.seconds) for case in runs.CASES}
    assert len(cases) == len(runs.CASES)
    for target in TARGETS:
        assert (target.problem, "default", target.error, target.seconds) in cases
        found = suitable(runs.problem_named(target.problem))
        assert set(found) <= set(methods())
        assert bool(found) == (target.problem not in accuracy_report.GRIDLESS)
    assert set(accuracy_report.NAMES) == set(accuracy.PROBLEMS)


def test_slow_problems_have_seeds_of_their_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cases = [runs.Case(name, "default", 1e-3, 1.0) for name in ("poisson", "burgers")]
    monkeypatch.setattr(accuracy, "CASES", cases)
    stored = Stored(tmp_path / "accuracy.h5", "now")
    stored.add(
        [{"problem": "poisson", "row": "default", "rtol": 1e-3, "budget": b, "seed": s} for b, s in ((1, 1), (2, 0))]
    )
    names = [name for name, _ in accuracy.tasks(stored, ["poisson", "burgers"], ["default"], seeds=3, slow=1)]
    assert names == [
        f"{name}, default, 1e-03, seed {k}" for name, k in (("poisson", 0), ("poisson", 2), ("burgers", 0))
    ]


def test_runs_say_how_many_were_at_work(tmp_path: Path) -> None:
    stored = Stored(tmp_path / "accuracy.h5", "now")
    row = {"problem": "poisson", "relative_l2": 1e-3, "seconds": 1.0}
    accuracy.run_all(stored, [(str(k), lambda k=k: [{**row, "seed": k}]) for k in range(3)], workers=2)
    rows = load_table(tmp_path / "accuracy.h5")[0]
    assert sorted(row["seed"] for row in rows) == [0, 1, 2]
    assert {row["workers"] for row in rows} == {2}


def test_a_run_is_told_to_stop_before_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, float] = {}

    def solve(_: object, rtol: float, *, max_seconds: float, **__: object) -> None:
        asked.update(rtol=rtol, max_seconds=max_seconds)
        raise KeyboardInterrupt

    monkeypatch.setattr(runs, "solve", solve)
    with pytest.raises(KeyboardInterrupt):
        runs.network_run(runs.Case("poisson", "default", 1e-3, 100.0), 0, None)
    assert asked["rtol"] == 1e-3
    assert asked["max_seconds"] == pytest.approx(95, abs=1)


# ---- evolutions


def test_lines_converge_at_a_high_order() -> None:
    """Eight, until the tolerance of the steps."""
    coarse, fine = (methods()["method of lines"](runs.problem_named("heat_1d"), n) for n in (49, 97))
    assert fine.error > 1e-9
    assert np.log2(coarse.error / fine.error) > 6


@pytest.fixture
def rough_truth(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fewer modes, for seconds count."""
    monkeypatch.setattr(evolution, "TRUTH", Size(2048, 256))
    evolution.truth.cache_clear()
    yield
    evolution.truth.cache_clear()


@pytest.mark.usefixtures("rough_truth")
def test_modes_converge_to_the_truth() -> None:
    coarse, fine = (methods()["exponential integrator"](runs.problem_named("allen_cahn"), n) for n in (256, 512))
    assert fine.error < 1e-4
    assert 1.5 < np.log2(coarse.error / fine.error) < 2.5


@pytest.mark.usefixtures("rough_truth")
def test_without_a_closed_solution_the_error_is_the_distance_from_the_truth() -> None:
    problem = runs.problem_named("allen_cahn")

    class Made(SimpleNamespace):
        def __call__(self, points: np.ndarray) -> np.ndarray:
            return 1.001 * evolution.truth(problem)(points)

    assert evolution.deviation(Made(problem=problem)) == pytest.approx(1e-3, rel=1e-6)


# ---- rates of splines


def rate_rows(rate: float, seed: int = 0, name: str = "product, Gauss") -> list[dict[str, object]]:
    """Errors that fall like parameters^rate, from 1e-2 at 100 parameters."""
    own = {"series": name, "seed": seed, "points": 400, "residual": 1.0, "iterations": 9, "seconds": 1.0}
    sizes = [(4, 100), (8, 400), (16, 1600)]
    return [{**own, "intervals": g, "parameters": n, "relative_l2": 1e-2 * (n / 100) ** rate} for g, n in sizes]


def test_rates_are_slopes_against_parameters_and_against_intervals() -> None:
    rows = rate_rows(-4.0)
    assert spline_rates.slope(rows, "parameters") == pytest.approx(-4)
    assert spline_rates.slope(rows, "intervals") == pytest.approx(-8)
    runs_of = [rate_rows(rate, k) for k, rate in enumerate((-4.0, -3.6, -3.0))]
    line = spline_rates.rate_line("product, Gauss", runs_of)
    assert line["slope in parameters"] == "-3.60 (-3.00)"
    assert line["at most -3.5 in parameters"] == "yes"
    assert spline_rates.rate_line("product, Gauss", runs_of[1:])["at most -3.5 in parameters"] == "**no**"


def test_the_budget_takes_the_finest_grid_within_it() -> None:
    whole, area = spline_rates.size()
    assert area == pytest.approx(4)
    line = spline_rates.budget_line("product, Gauss", [rate_rows(-4.0)])
    assert line["parameters"] == "400"
    assert float(line["its square"].split()[0]) == pytest.approx((1e-2 * 4.0**-4) ** 2, rel=0.05)
    assert float(line["mean e²"].split()[0]) == pytest.approx(float(line["∫ e²"].split()[0]) / 4, rel=0.1)
    assert float(line["∫ e²"].split()[0]) == pytest.approx(whole * float(line["its square"].split()[0]), rel=0.1)
    assert line["all three at most 5e-09"] == "yes"
    assert spline_rates.budget_line("product, Gauss", [rate_rows(-3.0)])["all three at most 5e-09"] == "**no**"


def test_the_size_of_the_papers_solution() -> None:
    """∫ sin² πx = 1, and ∫ sin² πy² = 1 − ½ ∫ cos 2πy² with a Fresnel integral."""
    _, cosine = fresnel(2.0)
    assert spline_rates.size()[0] == pytest.approx(1 - cosine / 2, rel=1e-9)


def test_rates_are_written_from_rows(tmp_path: Path) -> None:
    rows = [row for k in range(2) for s in spline_rates.SERIES for row in rate_rows(-4.0 + k, k, s.name)]
    about = dict.fromkeys(("command", "commit", "machine", "threads", "date"), "x")
    text = spline_rates.write(tmp_path, rows, about)
    assert all(text.count(f"| {series.title} |") == 5 for series in spline_rates.SERIES)
    with (tmp_path / "spline_rates.csv").open(encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == len(rows)
    assert (tmp_path / "spline_rates.png").stat().st_size > 10_000


def test_a_series_goes_on_from_its_best_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two grids and two starts of few iterations: exact refinement, so the error falls from grid to grid."""
    starts: list[float] = []
    started = spline_rates._started

    def watched(*given: object) -> object:
        solution = started(*given)
        starts.append(solution.history[-1]["residual"])
        return solution

    monkeypatch.setattr(spline_rates, "_started", watched)
    series = replace(spline_rates.SERIES[1], grids=(4, 8), iterations=(16, 4), density=5)
    coarse, fine = spline_rates.measured(series, seed=0, starts=2)
    assert len(set(starts)) == 2
    assert coarse["residual"] == min(starts)
    assert (coarse["points"], fine["points"]) == (400, 1600)
    assert (coarse["intervals"], fine["intervals"]) == (4, 8)
    assert coarse["parameters"] < fine["parameters"]
    assert fine["relative_l2"] < coarse["relative_l2"]
    assert fine["residual"] < coarse["residual"]
