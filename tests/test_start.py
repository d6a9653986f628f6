"""Starts fitted to a coarse solution: where it is steep, how well the fit follows it, when it is wanted."""

import cases
import numpy as np
import pytest
import sympy as sp

import kanpde as kp
from kanpde.estimate import TrainedField
from kanpde.features import Clustering, with_clusterings
from kanpde.lifting import impose
from kanpde.plan import fitted
from kanpde.problem import Problem
from kanpde.start import FRONT, CoarseStart, fit, steep_places

x, t = sp.symbols("x t", real=True)
u = sp.Function("u")(x, t)
LINE = kp.Box({x: (-1, 1)}) * kp.Time(t, (0, 1))


def burgers(nu: float = 0.02, *conditions: kp.Dirichlet) -> Problem:
    equation = sp.Eq(u.diff(t) + u * u.diff(x), nu * u.diff(x, 2))
    sine = kp.Initial(u, -sp.sin(sp.pi * x))
    return Problem(LINE, equation, [*(conditions or (kp.Dirichlet(u, 0),)), sine], name="burgers")


def ring() -> Problem:
    return burgers(0.02, kp.Periodic(u, x))


@pytest.mark.parametrize("width", [0.02, 0.05])
@pytest.mark.parametrize("centre", [0.0, 0.35])
def test_a_front_is_found_with_its_place_and_width(centre: float, width: float) -> None:
    """tanh((x - c)/δ) has a range of 2 and a slope of 1/δ: its clustering has the width 2 δ · FRONT."""
    (place,) = steep_places(burgers(), lambda p: np.tanh((p[:, :1] - centre) / width))
    assert (place.axis, place.period) == (0, None)
    assert len(place.centres) == 1
    assert place.centres[0] == pytest.approx(centre, abs=2 / 300)
    assert place.widths[0] == pytest.approx(2 * width * FRONT, rel=0.1)


def test_two_fronts_on_a_ring() -> None:
    (place,) = steep_places(
        ring(), lambda p: np.tanh((p[:, :1] - 0.5) / 0.02) - np.tanh((p[:, :1] + 0.4) / 0.03) + 0 * p[:, 1:]
    )
    assert place.period == 2.0
    np.testing.assert_allclose(place.centres, [0.5, -0.4], atol=2 / 300)
    assert place.widths[0] < place.widths[1]


def test_fronts_that_grow_count_where_they_are_steepest() -> None:
    (place,) = steep_places(burgers(), lambda p: -np.tanh(p[:, :1] / (0.03 + 0.3 * (1 - p[:, 1:]))))
    assert place.axis == 0
    assert place.centres[0] == pytest.approx(0.0, abs=2 / 300)


@pytest.mark.parametrize(
    "values",
    [
        lambda p: np.sin(np.pi * p[:, :1]) * np.exp(-p[:, 1:]),
        lambda p: np.tanh((p[:, :1] - 1.2 * p[:, 1:] + 0.6) / 0.04),  # it passes everywhere: no place is its own
        lambda p: np.sin(30 * p[:, :1]),
        lambda p: 0 * p[:, :1] + 3,
    ],
    ids=["smooth", "moving", "waves", "constant"],
)
def test_what_is_steep_nowhere_or_everywhere_has_no_places(values: object) -> None:
    assert steep_places(burgers(), values) == ()


def front(p: np.ndarray) -> np.ndarray:
    """A sine that becomes a front."""
    x, t = p[:, :1], p[:, 1:]
    return (1 - x**2) * (np.tanh(x / 0.004) * t - np.sin(np.pi * x) * (1 - t))


def fitted_gap(places: list[Clustering]) -> float:
    """The root mean square of network minus front, half of it near the front."""
    problem = burgers()
    ansatz = with_clusterings(problem, impose(problem), places)
    first = fitted(kp.KAN([2, 3, 3, 1], "chebyshev", degree=8), problem, ansatz.features, ansatz.clusterings)
    network = fit(problem, ansatz, first, front, 0)
    points = np.random.default_rng(1).uniform((-1, 0), (1, 1), (500, 2))
    points[:250, 0] *= 0.02
    gap = TrainedField(network, ansatz).values(points) - front(points)
    return float(np.sqrt(np.mean(gap**2)))


def test_a_fit_follows_a_front() -> None:
    assert fitted_gap([Clustering(0, (0.0,), (0.012,))]) < 0.05


@pytest.mark.parametrize(("name", "places", "wanted"), [("poisson", False, False), ("nonlinear_poisson", False, False)])
def test_plain_problems_want_no_start(name: str, places: bool, wanted: bool) -> None:
    problem = cases.load(name)
    rescue = CoarseStart(problem, impose(problem), 0)
    assert rescue.wanted == wanted
    assert bool(rescue.places) == places


def test_linear_problems_without_steep_places_get_no_network() -> None:
    problem = cases.load("heat_1d")
    assert CoarseStart(problem, impose(problem), 0)() is None


def test_unknown_scalars_have_no_coarse_solution() -> None:
    problem = cases.load("identify_viscosity")
    rescue = CoarseStart(problem, impose(problem), 0)
    assert rescue.coarse is None
    assert rescue() is None
    assert not rescue.wanted


@pytest.mark.filterwarnings("ignore:.*the solution jumps there:kanpde.errors.ProblemWarning")
def test_the_cavity_wants_one() -> None:
    problem = cases.load("cavity")
    rescue = CoarseStart(problem, impose(problem), 0)
    assert rescue.wanted


@pytest.mark.slow
def test_a_shock_is_found_by_the_coarse_grid_and_started_from() -> None:
    problem = burgers(0.005)
    rescue = CoarseStart(problem, impose(problem), 0)
    assert rescue.wanted
    (place,) = rescue.places
    assert (place.axis, place.period) == (0, None)
    assert place.centres[0] == pytest.approx(0.0, abs=0.01)
    started = rescue()
    assert started is not None
    network, ansatz = started
    points = np.random.default_rng(1).uniform((-1, 0), (1, 1), (500, 2))
    gap = TrainedField(network, ansatz).values(points) - rescue.coarse(points)
    assert np.sqrt(np.mean(gap**2)) < 0.02
