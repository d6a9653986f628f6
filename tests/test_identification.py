"""Standard errors of unknown scalars: against closed forms, SciPy, and what scatters from data to data."""

import functools

import numpy as np
import pytest
import sympy as sp
from scipy.optimize import curve_fit

import kanpde as kp
from kanpde.estimate import TrainedField
from kanpde.identification import Uncertainty, uncertainty
from kanpde.plan import assemble
from kanpde.problem import Problem
from kanpde.stages import Stage

t = sp.Symbol("t", real=True)
u = sp.Function("u")(t)
START = kp.Dirichlet(u, 1, on=kp.Box({t: (0, 2)}).lower(t))
RATE = kp.Parameter("k", initial=1.0)
TIMES = np.linspace(0.05, 2, 40)
SIGMA = 0.01


def decay(seed: int = 0, sigma: float | np.ndarray | None = SIGMA, noise: float = SIGMA) -> Problem:
    """u' = -k u, u(0) = 1, measured with noise; the truth is k = 1.5."""
    values = np.exp(-1.5 * TIMES) + np.random.default_rng(seed).normal(0, noise, len(TIMES))
    data = kp.Observations(u, TIMES[:, None], values, sigma=sigma)
    return Problem(kp.Box({t: (0, 2)}), sp.Eq(u.diff(t), -RATE * u), [START, data], name="decay")


@functools.cache
def solved(seed: int = 0, known: bool = True) -> kp.Solution:
    problem = decay(seed) if known else decay(seed, None)
    return kp.solve(problem, 1e-9, network=kp.KAN([1, 1], "chebyshev", degree=16), stages=[Stage(iterations=40)])


def fit(seed: int = 0, known: bool = True) -> tuple[float, float]:
    """The same by SciPy, from the closed solution."""
    data = decay(seed).conditions[-1].data
    assert data is not None
    sigma = np.full(len(TIMES), SIGMA) if known else None
    found, covariance = curve_fit(
        lambda s, k: np.exp(-k * s), TIMES, data.values, 1.0, sigma=sigma, absolute_sigma=known
    )
    return float(found[0]), float(np.sqrt(covariance[0, 0]))


@pytest.mark.parametrize("known", [True, False], ids=["sigma given", "sigma from the misfit"])
@pytest.mark.parametrize("seed", [0, 1])
def test_rate_and_standard_error_are_those_of_curve_fit(seed: int, known: bool) -> None:
    """The equation is exact to the data, so the network leaves the statistics of the closed solution."""
    solution, (rate, error) = solved(seed, known), fit(seed, known)
    assert solution.identified["k"] == pytest.approx(rate, abs=0.01 * error)
    assert solution.identified_stderr["k"] == pytest.approx(error, rel=0.03)


def test_rates_scatter_as_their_standard_error_says() -> None:
    """The linear model about the truth: 200 sets of noise through the sensitivity -t exp(-kt)."""
    slope = -TIMES * np.exp(-1.5 * TIMES)
    noise = np.random.default_rng(3).normal(0, SIGMA, (4000, len(TIMES)))
    scatter = float(np.std(noise @ slope / (slope @ slope)))
    assert solved().identified_stderr["k"] == pytest.approx(scatter, rel=0.05)


def system_of(problem: Problem, solution: kp.Solution) -> Uncertainty | None:
    field = solution.field
    assert isinstance(field, TrainedField)
    return uncertainty(problem, field, assemble(problem, field.network, field.ansatz, Stage(), 5, None))


def test_the_fields_error_is_the_propagated_one() -> None:
    """du = -t exp(-kt) dk, relative to the size of u."""
    found = system_of(decay(), solved())
    assert found is not None
    s = np.linspace(0, 2, 4001)
    size = np.sqrt(np.mean((s * np.exp(-1.5 * s)) ** 2) / np.mean(np.exp(-3 * s)))
    assert found.relative == pytest.approx(size * found.scalars["k"], rel=0.05)


def test_twice_the_noise_is_twice_the_error_and_points_of_their_own_sigma() -> None:
    plain, double = (system_of(decay(0, s), solved()) for s in (SIGMA, 2 * SIGMA))
    mixed = np.where(np.arange(len(TIMES)) % 2 == 0, SIGMA, 1e3 * SIGMA)  # only every other measurement counts
    half = system_of(decay(0, mixed), solved())
    assert plain is not None
    assert double is not None
    assert half is not None
    assert double.scalars["k"] == pytest.approx(2 * plain.scalars["k"], rel=1e-3)
    slope = (TIMES * np.exp(-1.5 * TIMES))[::2]
    assert half.scalars["k"] == pytest.approx(SIGMA / np.sqrt(slope @ slope), rel=0.03)


def test_nothing_measured_nothing_uncertain() -> None:
    problem = Problem(kp.Box({t: (0, 2)}), sp.Eq(u.diff(t), -u), START, name="known")
    solution = kp.solve(problem, 1e-8)
    assert solution.identified == {}
    assert solution.identified_stderr == {}
    assert system_of(problem, solution) is None


def test_noise_ends_a_run_with_a_reason() -> None:
    solution = kp.solve(decay(), 1e-9, max_seconds=60)
    assert not solution.converged
    assert solution.status.startswith("finished: the noise of the observations leaves an error of")
    assert abs(solution.identified["k"] - 1.5) < 4 * solution.identified_stderr["k"]
