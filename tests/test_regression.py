"""Regression: the functions of the KAN paper as problems without derivatives, and what studies are told of them."""

import itertools
import math
import runpy
import warnings
from functools import cache
from pathlib import Path

import mpmath
import numpy as np
import pytest
import scipy.special

import kanpde as kp
from kanpde.errors import ProblemError
from kanpde.network import KAN
from kanpde.studies.settings import StudySettings, read_study_settings

DIRECTORY = Path(__file__).parents[1] / "problems" / "regression"
FILES = {path.stem: path for path in sorted(DIRECTORY.glob("*.py"))}
TOYS = ("bessel", "exp_sine", "product", "hundred", "four")
PAPERS = (3, 5, 10, 20, 50, 100, 200, 500, 1000)


def harmonic(order: int, degree: int):
    """Y(azimuth, polar angle) as SciPy's sph_harm(order, degree, x, y) had it, which the paper calls."""
    return lambda x, y: scipy.special.sph_harm_y(degree, order, y, x).real


# Written again, with SciPy throughout; the problems have SymPy where they can.
EXPECTED = {
    "bessel": lambda x: scipy.special.jv(0, 20 * x),
    "exp_sine": lambda x, y: np.exp(np.sin(np.pi * x) + y**2),
    "product": lambda x, y: x * y,
    "hundred": lambda *x: np.exp(np.mean(np.sin(np.pi * np.array(x) / 2) ** 2, axis=0)),
    "four": lambda a, b, c, d: np.exp(0.5 * (np.sin(np.pi * (a**2 + b**2)) + np.sin(np.pi * (c**2 + d**2)))),
    "elliptic_sn": lambda x, y: scipy.special.ellipj(x, y)[0],
    "elliptic_first": scipy.special.ellipkinc,
    "elliptic_second": scipy.special.ellipeinc,
    "bessel_j": scipy.special.jv,
    "bessel_y": scipy.special.yv,
    "bessel_i": scipy.special.iv,
    "bessel_k": scipy.special.kv,
    **{f"legendre_{m}": lambda x, y, m=m: scipy.special.lpmv(m, x, y) for m in range(3)},
    **{f"harmonic_{m}_{n}": harmonic(m, n) for m, n in ((0, 1), (1, 1), (0, 2), (1, 2), (2, 2))},
}
# The same by other code, digit by digit.
INDEPENDENT = {
    "bessel": lambda x: mpmath.besselj(0, 20 * x),
    "elliptic_sn": lambda x, y: mpmath.ellipfun("sn", x, m=y),
    "elliptic_first": mpmath.ellipf,
    "elliptic_second": mpmath.ellipe,
    "bessel_j": mpmath.besselj,
    "bessel_y": mpmath.bessely,
    "bessel_i": mpmath.besseli,
    "bessel_k": mpmath.besselk,
    **{f"legendre_{m}": lambda x, y, m=m: mpmath.legenp(x, m, y) for m in range(3)},
    **{
        f"harmonic_{m}_{n}": lambda x, y, m=m, n=n: mpmath.spherharm(n, m, y, x)
        for m, n in ((0, 1), (1, 1), (0, 2), (1, 2), (2, 2))
    },
}


@cache
def loaded(name: str) -> kp.Problem:
    """With every warning an error: the closed solution is checked as the problem is made."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return runpy.run_path(str(FILES[name]), run_name="problem_file")["problem"]


def drawn(problem: kp.Problem, count: int) -> np.ndarray:
    low, high = problem.domain.bounds.T
    return np.random.default_rng(7).uniform(low, high, (count, len(low)))


def test_the_papers_functions_are_there() -> None:
    assert set(FILES) == set(EXPECTED)
    assert set(TOYS) < set(FILES)
    assert len(FILES) == 20


@pytest.mark.parametrize("name", FILES)
def test_values_are_those_of_scipy(name: str) -> None:
    problem = loaded(name)
    points = drawn(problem, 200)
    expected = EXPECTED[name](*points.T)
    np.testing.assert_allclose(problem.exact_values(points)[:, 0], expected, rtol=1e-13, atol=1e-14)
    assert np.ptp(expected) > 0.1


@pytest.mark.parametrize("name", INDEPENDENT)
def test_values_are_those_of_other_code(name: str) -> None:
    problem = loaded(name)
    points = drawn(problem, 6)
    expected = [float(mpmath.re(INDEPENDENT[name](*map(float, point)))) for point in points]
    np.testing.assert_allclose(problem.exact_values(points)[:, 0], expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", FILES)
def test_values_are_finite_up_to_the_boundary(name: str) -> None:
    """At the ends of each axis, and between them where orders and degrees are no whole numbers."""
    problem = loaded(name)
    low, high = problem.domain.bounds.T
    shares = np.random.default_rng(3).choice([0.0, 0.37, 1.0], (60, len(low)))
    assert np.isfinite(problem.exact_values(low + shares * (high - low))).all()


@pytest.mark.parametrize("name", TOYS)
def test_toys_live_on_the_unit_intervals(name: str) -> None:
    assert (loaded(name).domain.bounds == [-1, 1]).all()


@pytest.mark.parametrize("name", FILES)
def test_settings_fit_their_problem(name: str) -> None:
    settings, problem = read_study_settings(FILES[name]), loaded(name)
    assert settings.widths is not None
    assert settings.widths[0] == len(problem.coordinates)
    assert settings.widths[-1] == 1
    assert settings.degree == 3
    assert settings.intervals is not None
    assert settings.intervals == PAPERS[: len(settings.intervals)]
    assert settings.points is not None
    assert settings.points >= 3000
    # Knots are inserted, so each grid is a multiple of the one before; no network may have more parameters than points.
    grid = 1
    for wanted in settings.intervals:
        grid *= -(-wanted // grid)
    assert settings.points > parameters(settings.widths, grid)


def parameters(widths: tuple[int, ...], grid: int) -> int:
    return (grid + 3) * sum(a * b for a, b in itertools.pairwise(widths))


def test_parameters_are_counted_as_networks_have_them() -> None:
    assert parameters((4, 4, 2, 1), 6) == KAN((4, 4, 2, 1), degree=3, intervals=6).n_parameters


def test_toys_have_the_papers_shapes() -> None:
    shapes = {name: read_study_settings(FILES[name]).widths for name in TOYS}
    assert shapes == {
        "bessel": (1, 1),
        "exp_sine": (2, 1, 1),
        "product": (2, 2, 1),
        "hundred": (100, 1, 1),
        "four": (4, 4, 2, 1),
    }
    for name in ("bessel", "exp_sine", "product"):
        assert read_study_settings(FILES[name]).intervals == PAPERS


def written(directory: Path, text: str) -> Path:
    (directory / "studies.toml").write_text(text, encoding="utf-8")
    return directory / "some.py"


def test_without_a_file_or_an_entry_nothing_is_said(tmp_path: Path) -> None:
    assert read_study_settings(tmp_path / "some.py") == StudySettings(None, None, None, None)
    assert read_study_settings(written(tmp_path, "[other]\npoints = 5\n")) == StudySettings()


def test_an_entry_goes_over_the_defaults(tmp_path: Path) -> None:
    text = "[defaults]\npoints = 5\ndegree = 4\n[some]\npoints = 9\nwidths = [2, 3, 1]\nintervals = [1, 4]\n"
    assert read_study_settings(written(tmp_path, text)) == StudySettings((2, 3, 1), 9, (1, 4), 4)
    assert read_study_settings(written(tmp_path, text).with_name("third.py")) == StudySettings(points=5, degree=4)


@pytest.mark.parametrize(
    ("text", "cure"),
    [
        ("some =", "is no TOML file"),
        ("some = 1", r"write \[some\]"),
        ("[some]\nwidth = [1, 1]", r"\[some\] has width; it may have widths, points, intervals, degree"),
        ("[some]\nwidths = [1]", r"widths = \[1\] must be a list of at least 2"),
        ("[some]\nwidths = [1, 0, 1]", "whole numbers above 0"),
        ("[some]\nwidths = 3", "must be a list"),
        ("[some]\nintervals = []", "must be a list of at least 1"),
        ("[some]\nintervals = [3, 3]", "must increase"),
        ("[some]\nintervals = [5, 3]", "must increase"),
        ("[some]\nintervals = [true]", "whole numbers"),
        ("[some]\npoints = 0", "points = 0 must be a whole number above 0"),
        ("[some]\npoints = 1.5", "must be a whole number"),
        ("[some]\ndegree = true", "must be a whole number"),
        ("[defaults]\ndegree = -1", r"\[defaults\] degree = -1"),
        ("[defaults]\nwidths = [1, 1]", "move them to the problem"),
    ],
)
def test_what_means_nothing_is_told_in_one_line(tmp_path: Path, text: str, cure: str) -> None:
    with pytest.raises(ProblemError, match=cure) as caught:
        read_study_settings(written(tmp_path, text))
    assert "studies.toml" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_mistakes_of_other_entries_are_their_own(tmp_path: Path) -> None:
    assert read_study_settings(written(tmp_path, "[other]\npoints = 0\n")) == StudySettings()


def test_a_regression_is_solved_to_its_tolerance() -> None:
    solution = kp.solve(loaded("bessel"), rtol=1e-6)
    assert solution.converged
    assert solution.relative_l2 < 1e-6
    points = np.linspace(-1, 1, 50)[:, None]
    np.testing.assert_allclose(solution(points)[:, 0], scipy.special.j0(20 * points[:, 0]), atol=1e-5)
    assert math.isclose(solution.error_estimate, solution.relative_l2, rel_tol=0.1)
