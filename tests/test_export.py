"""Solutions on meshes of their domains, read back, and as functions that SciPy takes."""

import dataclasses
import sys
from functools import cache
from pathlib import Path

import meshio
import numpy as np
import pytest
import scipy.integrate
import scipy.optimize
import sympy as sp
from synthetic import record

import kanpde as kp
from kanpde import export as exporting
from kanpde.errors import ProblemError
from kanpde.operator import JetVariable
from kanpde.plots import plot_part
from kanpde.store import load as stored

x, y, z, t, k = sp.symbols("x y z t k", real=True)
ANNULUS = kp.Disk((x, y), (0, 0), 1) - kp.Disk((x, y), (0, 0), 0.4)
L_SHAPE = kp.Polygon((x, y), [(0, 0), (2, 0), (2, 1), (1, 1), (1, 2), (0, 2)])
DOMAINS = {
    "annulus": ANNULUS,
    "l_shape": L_SHAPE,
    "ball": kp.Sphere((x, y, z), (0, 0, 0), 1),
    "cylinder": kp.Cylinder((x, y, z), (0, 0, 0), 1, 2),
    "mesh": kp.Mesh.from_arrays((x, y), [[0, 0], [1, 0], [1, 1], [0, 1]], [[0, 1, 2], [0, 2, 3]]),
    "square": kp.Box({x: (-1, 1), y: (0, 1)}),
    "disk_in_time": kp.Disk((x, y), (0, 0), 1) * kp.Time(t, (0, 2)),
    "family": kp.Disk((x, y), (0, 0), 1) * kp.ParameterRange(k, (1, 2)),
}


@pytest.fixture(autouse=True)
def _coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few nodes: what they hold is tested, not how good it looks."""
    monkeypatch.setattr(exporting, "MESH_NODES", 400)
    monkeypatch.setattr(exporting, "INSTANTS", 4)
    monkeypatch.setattr(exporting, "NODES", {1: 31, 2: 11, 3: 5})


@dataclasses.dataclass(frozen=True)
class Exact:
    """In place of a trained field: the exact solution, whose numbers are known."""

    problem: kp.Problem
    network: object = None

    def jet(self, points: np.ndarray, variables: list[JetVariable]) -> np.ndarray:
        return self.problem.exact_jet(points, variables).T

    def values(self, points: np.ndarray) -> np.ndarray:
        zero = (0,) * points.shape[1]
        return self.jet(points, [JetVariable(c, zero) for c in range(len(self.problem.fields))])


def known(problem: kp.Problem) -> kp.Solution:
    names = tuple(u.func.__name__ for u in problem.unknowns)
    facts = record(unknowns=names, coordinates=tuple(map(str, problem.coordinates)))
    return kp.Solution(facts, Exact(problem), problem)


@cache
def fitted(name: str) -> kp.Solution:
    domain = DOMAINS[name]
    u = sp.Function("u")(*domain.coordinates)
    value = sum((j + 1) * s for j, s in enumerate(domain.coordinates)) + x * y
    return known(kp.Problem(domain, sp.Eq(u, value), exact={u: value}, name=name))


@cache
def complex_wave() -> kp.Solution:
    u, value = kp.complex_unknown("u", x, y), x + sp.I * (y + x * y)
    return known(kp.Problem(ANNULUS, sp.Eq(u, value), exact={u: value}, name="wave"))


def test_gradient_is_that_of_the_function() -> None:
    points = np.array([[0.5, 0.1], [-0.3, 0.6]])
    expected = np.stack([1 + points[:, 1], 2 + points[:, 0]], axis=1)
    np.testing.assert_allclose(fitted("annulus").gradient(points)[:, 0], expected, atol=1e-4)
    found = complex_wave().gradient(points)[:, 0]
    np.testing.assert_allclose(found, np.stack([1 + 1j * points[:, 1], 1j * (1 + points[:, 0])], axis=1), atol=1e-4)
    assert fitted("disk_in_time").gradient([[0.1, 0.2, 1.0]]).shape == (1, 1, 2)


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        *((name, suffix) for name in ("annulus", "l_shape", "mesh", "square") for suffix in ("vtu", "vtk")),
        ("ball", "vtk"),
        pytest.param("cylinder", "vtu", marks=pytest.mark.slow),
    ],
)
def test_meshes_hold_the_solution_on_its_domain(name: str, suffix: str, tmp_path: Path) -> None:
    solution = fitted(name)
    path = solution.export(tmp_path / f"s.{suffix}")
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    mesh, domain = meshio.read(path), solution.problem.domain
    points = mesh.points[:, : len(domain.space)]
    np.testing.assert_allclose(mesh.point_data["u"], solution(points)[:, 0], rtol=1e-12, atol=1e-12)
    gradient = mesh.point_data["u_gradient"]
    assert gradient.shape == (len(points), 3)
    np.testing.assert_allclose(gradient[:, : points.shape[1]], solution.gradient(points)[:, 0], atol=1e-12)
    assert not gradient[:, points.shape[1] :].any()
    assert domain.signed_distance(points).max() < 1e-6
    if name != "square":
        assert measure(mesh) == pytest.approx(domain.measure, rel=0.1)


def measure(mesh: meshio.Mesh) -> float:
    (block,) = mesh.cells
    dimension = {"triangle": 2, "tetra": 3}[block.type]
    corners = mesh.points[block.data][..., :dimension]
    sizes = np.linalg.det(corners[:, 1:] - corners[:, :1])
    return float(np.abs(sizes).sum()) / {2: 2, 3: 6}[dimension]


@pytest.mark.parametrize("name", ["annulus", pytest.param("ball", marks=pytest.mark.slow)])
def test_there_are_about_as_many_nodes_as_asked_for(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "MESH_NODES", 3000)
    assert 2000 < len(exporting.nodes_of(DOMAINS[name]).points) < 4500


def test_complex_unknowns_have_parts_and_absolute_values(tmp_path: Path) -> None:
    solution = complex_wave()
    mesh = meshio.read(solution.export(tmp_path / "s.vtu"))
    values, data = solution(mesh.points[:, :2])[:, 0], mesh.point_data
    np.testing.assert_allclose(data["u_re"] + 1j * data["u_im"], values, atol=1e-12)
    np.testing.assert_allclose(data["u_abs"], np.abs(values), atol=1e-12)
    gradient = solution.gradient(mesh.points[:, :2])[:, 0]
    np.testing.assert_allclose(data["u_im_gradient"][:, :2], gradient.imag, atol=1e-12)
    with np.load(solution.export(tmp_path / "s.npz")) as file:
        np.testing.assert_array_equal(file["u"], solution(file["points"])[:, 0])


def test_error_is_the_size_of_the_correction() -> None:
    values, correction = np.array([[1.0], [2.0]]), np.array([[3.0], [-4.0]])
    sample = exporting.Sample(("u",), (False,), values, np.zeros((2, 1, 2)), correction)
    np.testing.assert_array_equal(sample.fields["u_error"], [3, 4])
    np.testing.assert_array_equal(sample.arrays["u_correction"], [3, -4])
    sample = exporting.Sample(("u",), (True,), values, np.zeros((2, 1, 2)), correction * (3 + 4j))
    np.testing.assert_array_equal(sample.fields["u_error"], [15, 20])


def test_time_on_a_shape_is_a_series(tmp_path: Path) -> None:
    solution = fitted("disk_in_time")
    with meshio.xdmf.TimeSeriesReader(solution.export(tmp_path / "s.xdmf")) as reader:
        points, cells = reader.read_points_cells()
        found = [reader.read_data(n) for n in range(reader.num_steps)]
    assert cells[0].type == "triangle"
    np.testing.assert_allclose([instant for instant, _, _ in found], [0, 2 / 3, 4 / 3, 2])
    for instant, data, _ in found:
        at = np.column_stack([points[:, :2], np.full(len(points), instant)])
        np.testing.assert_allclose(data["u"], solution(at)[:, 0], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("name", "other"), [("disk_in_time", "t"), ("family", "k")])
def test_arrays_of_a_shape_have_the_nodes_first(name: str, other: str, tmp_path: Path) -> None:
    solution = fitted(name)
    with np.load(solution.export(tmp_path / "s.npz")) as file:
        points, axis = file["points"], file[other]
        assert file["u"].shape == (len(points), len(axis))
        assert file["u_gradient"].shape == (len(points), len(axis), 2)
        assert file["cells"].max() == len(points) - 1
        at = np.column_stack([points, np.full(len(points), axis[2])])
        np.testing.assert_allclose(file["u"][:, 2], solution(at)[:, 0], rtol=1e-12, atol=1e-12)


def test_what_a_format_cannot_hold(tmp_path: Path) -> None:
    with pytest.raises(ProblemError, match=r"\.vtk cannot hold a solution over x, y, t; export to \.xdmf or \.npz"):
        fitted("disk_in_time").export(tmp_path / "s.vtk")
    with pytest.raises(ProblemError, match=r"\.xdmf cannot hold a solution over x, y, k; export to \.npz"):
        fitted("family").export(tmp_path / "s.xdmf")
    assert not list(tmp_path.iterdir())


def test_meshes_of_shapes_need_netgen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "netgen.occ", None)
    with pytest.raises(ProblemError, match=r"pip install 'kanpde\[fem\]'"):
        fitted("annulus").export(tmp_path / "s.vtu")
    fitted("square").export(tmp_path / "s.vtu")


def test_scipy_integrates_and_minimises() -> None:
    solution = fitted("square")
    u = solution.problem.unknowns[0]
    f = solution.function("u")
    assert np.ndim(f(0.25, 0.5)) == 0
    assert scipy.integrate.quad(lambda s: f(s, 0.5), -1, 1)[0] == pytest.approx(2.0)
    assert scipy.integrate.dblquad(lambda b, a: f(a, b), -1, 1, 0, 1)[0] == pytest.approx(2.0)
    slopes = [solution.function(u.diff(s)) for s in (x, y)]

    def jac(p: np.ndarray) -> list[float]:
        return [slope(*p) for slope in slopes]

    found = scipy.optimize.minimize(lambda p: f(*p), [0.3, 0.5], jac=jac, bounds=[(-1, 1), (0, 1)])
    np.testing.assert_allclose(found.x, [-1, 0], atol=1e-6)
    root = scipy.optimize.brentq(lambda s: f(s, 0.5), -1, 1)
    assert root == pytest.approx(-2 / 3, rel=1e-5)


def test_functions_broadcast() -> None:
    f, s = fitted("square").function("u"), np.linspace(0, 1, 5)
    grid = np.stack(np.meshgrid(s, s[:3], indexing="ij"), axis=-1)
    np.testing.assert_array_equal(f(s[:, None], s[:3]), fitted("square")(grid.reshape(-1, 2)).reshape(5, 3))
    assert np.iscomplexobj(complex_wave().function("u")(0.5, 0.5))
    with pytest.raises(ProblemError, match="takes x, y, not 1 arguments"):
        f(0.5)
    with pytest.raises(ProblemError, match="no unknown is called 'w'; there are u"):
        fitted("square").function("w")


@pytest.mark.parametrize("name", ["annulus", "ball", "disk_in_time"])
def test_tables_of_shapes_are_blank_outside(name: str) -> None:
    domain = fitted(name).problem.domain
    for piece in fitted(name).tables.slices:
        inside = piece.level < -1e-6
        assert np.isfinite(piece.values[inside]).all()
        assert np.isnan(piece.values[piece.level > 1e-6]).all()
        names = [s.name for s in domain.coordinates]
        grid = dict(zip(piece.names, np.meshgrid(*piece.axes, indexing="ij"), strict=True))
        points = np.stack([np.broadcast_to(grid.get(n, piece.held.get(n)), inside.shape) for n in names], axis=-1)
        np.testing.assert_array_equal(domain.contains(points[inside]), True)
        assert not piece.error[inside].any()


def test_figures_of_files_are_those_of_the_solution(tmp_path: Path) -> None:
    solution = complex_wave()
    assert solution.tables.unknowns == ("u_re", "u_im")
    kept = stored(solution.save(tmp_path / "s.h5"))
    assert kept.tables is not None
    assert kept.tables.fields == ("u_im", "u_re")
    paths = [
        plot_part("solution", solution.record, tables, tmp_path / f"{n}.png")
        for n, tables in enumerate([solution.tables, kept.tables])
    ]
    assert paths[0].read_bytes() == paths[1].read_bytes()
