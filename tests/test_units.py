"""Fields trained in dimensionless form: values and derivatives in the user's units, and through a file."""

import dataclasses
from pathlib import Path

import cases
import numpy as np
import pytest
import sympy as sp

import kanpde as kp
from kanpde import store
from kanpde.dimensionless import Scales, needs_scaling, scales_of
from kanpde.estimate import TrainedField
from kanpde.field import SymbolicField, differentiated
from kanpde.operator import JetVariable
from kanpde.problem import Problem
from kanpde.solution.units import ScaledField, scales_from_tree, scales_tree

x, y, t = sp.symbols("x y t", real=True)
u = sp.Function("u")(x, t)
SCALES = Scales(
    ("x", "t"),
    np.array([2.0, 0.0]),
    np.array([1 / 1024, 4096.0]),
    np.array([64.0, 0.125]),
    np.array([2.0]),
    np.array([1.0, 4.0]),
    {"k": 256.0, "lam": 1.0},
)
INNER = (sp.exp(x) * sp.cos(t), x**2 * t + 1)  # what is there in dimensionless coordinates
OUTER = (
    64 * INNER[0].subs({x: 1024 * (x - 2), t: t / 4096}, simultaneous=True),
    INNER[1].subs({x: 1024 * (x - 2), t: t / 4096}, simultaneous=True) / 8,
)


class Known(TrainedField):
    """A field whose jet is that of expressions."""

    def __init__(self) -> None:
        """No network is needed."""

    @property
    def parameters(self) -> tuple[float, ...]:
        """Two scalars."""
        return (0.5, 3.0)

    def jet(self, points: np.ndarray, variables: list[JetVariable]) -> np.ndarray:
        """By SymPy."""
        expressions = tuple(differentiated(INNER[v.unknown], (x, t), v.derivative) for v in variables)
        return SymbolicField((x, t), expressions).values(points)

    def values(self, points: np.ndarray) -> np.ndarray:
        """Both fields."""
        return SymbolicField((x, t), INNER).values(points)


def near(count: int = 20) -> np.ndarray:
    return np.random.default_rng(0).uniform((2.0, 0.0), (2.0 + 1e-3, 5000.0), (count, 2))


def test_values_and_derivatives_are_in_the_users_units() -> None:
    field, points = ScaledField(Known(), SCALES), near()
    np.testing.assert_allclose(field.values(points), SymbolicField((x, t), OUTER).values(points), rtol=1e-12)
    variables = [JetVariable(0, (1, 0)), JetVariable(1, (2, 1)), JetVariable(0, (0, 2)), JetVariable(1, (0, 0))]
    wanted = (OUTER[0].diff(x), OUTER[1].diff(x, 2, t), OUTER[0].diff(t, 2), OUTER[1])
    np.testing.assert_allclose(
        field.jet(points, variables), SymbolicField((x, t), wanted).values(points), rtol=1e-11, atol=1e-18
    )
    assert field.parameters == (128.0, 3.0)


def test_there_and_back() -> None:
    points, values = near(), np.random.default_rng(1).normal(size=(20, 2))
    np.testing.assert_array_equal(SCALES.values_in(SCALES.values_out(values)), values)
    np.testing.assert_allclose(SCALES.points_out(SCALES.points_in(points)), points, rtol=1e-15)
    found = {"k": 300.0, "lam": 2.0}
    assert SCALES.parameters_out(SCALES.parameters_in(found)) == found


def test_sizes_survive_plain_values() -> None:
    again = scales_from_tree(scales_tree(SCALES))
    assert again.coordinates == SCALES.coordinates
    assert again.parameters == SCALES.parameters
    for name in ("origin", "length", "unknowns", "equations", "conditions"):
        np.testing.assert_array_equal(getattr(again, name), getattr(SCALES, name))


def heat() -> Problem:
    """Copper, a tenth of a millimetre, kelvin and seconds; the diffusivity is sought."""
    k = kp.Parameter("k", initial=2e-4)
    box = kp.Box({x: (0, 1e-4)}) * kp.Time(t, (0, 2e-5))
    wave = 300 * sp.sin(10000 * sp.pi * x) * sp.exp(-1.1e-4 * (10000 * sp.pi) ** 2 * t)
    points = np.random.default_rng(2).uniform((0, 0), (1e-4, 2e-5), (50, 2))
    values = SymbolicField((x, t), (wave,)).values(points)[:, 0] + np.random.default_rng(3).normal(0, 0.1, 50)
    conditions = [kp.Dirichlet(u, 0), kp.Initial(u, wave.subs(t, 0)), kp.Observations(u, points, values, sigma=0.1)]
    return Problem(box, sp.Eq(u.diff(t), k * u.diff(x, 2)), conditions, {u: wave}, "copper")


@pytest.fixture(scope="module")
def copper() -> kp.Solution:
    assert needs_scaling(heat())
    network = kp.KAN([2, (2, 2), 1], "chebyshev", degree=8)
    return kp.solve(heat(), 1e-4, network=network, stages=[kp.Stage(iterations=25)])


def test_a_solution_in_physical_units(copper: kp.Solution) -> None:
    assert isinstance(copper.field, ScaledField)
    assert copper.relative_l2 is not None
    assert copper.relative_l2 < 1e-3
    error = copper.identified_stderr["k"]
    assert 1e-8 < error < 1e-6
    assert abs(copper.identified["k"] - 1.1e-4) < 5 * error
    points = np.array([[3e-5, 1e-5], [7e-5, 4e-6]])
    exact = copper.problem.exact
    assert exact is not None
    slope = SymbolicField((x, t), (exact[u].diff(x), exact[u].diff(t))).values(points).T
    np.testing.assert_allclose(copper.derivative(u.diff(x))(points), slope[0], rtol=0.02)
    np.testing.assert_allclose(copper.derivative(u.diff(t))(points), slope[1], rtol=0.02)
    mean = copper.integrate(u) / (1e-4 * 2e-5)
    truth = 600 / np.pi * -np.expm1(-1.1e-4 * (10000 * np.pi) ** 2 * 2e-5) / (1.1e-4 * (10000 * np.pi) ** 2 * 2e-5)
    assert mean == pytest.approx(truth, rel=1e-3)


def test_it_comes_back_from_its_file(copper: kp.Solution, tmp_path: Path) -> None:
    again = kp.load(copper.save(tmp_path / "s.h5"))
    points = np.random.default_rng(5).uniform((0, 0), (1e-4, 2e-5), (40, 2))
    np.testing.assert_array_equal(again(points), copper(points))
    np.testing.assert_array_equal(again.derivative(u.diff(x, 2))(points), copper.derivative(u.diff(x, 2))(points))
    assert again.identified == copper.identified
    assert again.identified_stderr == copper.identified_stderr
    assert again.field.parameters == copper.field.parameters


def test_a_run_in_physical_units_goes_on(tmp_path: Path) -> None:
    problem, path = cases.load("micrometres"), tmp_path / "c.h5"
    wish = {"network": kp.KAN([2, (2, 2), 1], "chebyshev", degree=6), "checkpoint": path}
    stages = [kp.Stage(iterations=4), kp.Stage(iterations=4)]
    whole = kp.solve(problem, 1e-12, stages=stages, network=wish["network"])
    first = kp.solve(problem, 1e-12, stages=stages[:1], **wish)
    middle = scales_of(problem).points_out(np.array([[0.2, 0.1]]))
    np.testing.assert_array_equal(kp.load(path)(middle), first(middle))
    stored = store.load(path)  # with the run that it came from, as a process leaves it that dies
    store.save(path, dataclasses.replace(stored.record, status="running"), stored.tables, stored.arrays)
    rest = kp.solve(problem, 1e-12, stages=stages, resume=True, **wish)
    assert rest.iterations == whole.iterations
    np.testing.assert_array_equal(rest.record.theta, whole.record.theta)
