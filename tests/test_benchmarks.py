"""The benchmarks' own machinery: conventional solvers of their declared order, tables that can be made and resumed."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import skfem
from skfem.models.poisson import laplace

from benchmarks import accuracy, accuracy_report, runs
from benchmarks.conventional import Coefficients, FiniteElements, LagrangeSimplex, conical_rule, ladder, methods
from benchmarks.stored import Stored
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
    monkeypatch.setattr(accuracy, "methods", lambda: {"Chebyshev": None, "scikit-fem P2": None})
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
