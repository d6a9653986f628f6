"""A solution: its values and what is computed from them, and that its file is as good as the original."""

import dataclasses
import json
import sys
from functools import cache
from pathlib import Path

import h5py
import meshio
import numpy as np
import pytest
import sympy as sp
import torch
from cases import load as problem_file

import kanpde as kp
from kanpde import hdf5
from kanpde.errors import ProblemError, StoreError
from kanpde.estimate import Estimator
from kanpde.features import Clustering, features_of, with_clusterings
from kanpde.lifting import impose
from kanpde.plan import default_network, fitted
from kanpde.problem import Problem
from kanpde.solution.files import saved, solution_of
from kanpde.training import Progress, Run, Wishes

x, y, t = sp.symbols("x y t", real=True)
FEW = [kp.Stage(iterations=3)]
# Kinds of problems that differ in what a file must hold: systems, soft conditions, time, periodic inputs.
SAVED = ("poisson_1d", "coupled", "poisson_robin", "heat_1d", "ring")


def ring() -> Problem:
    """A source on a circle: periodic in x, no exact solution given."""
    u = sp.Function("u")(x, y)
    box = kp.Box({x: (0, 2), y: (0, 1)})
    source = sp.exp(sp.sin(sp.pi * x)) * y
    return Problem(box, sp.Eq(kp.laplacian(u) - u, source), [kp.Periodic(u, x), *walls(u, box)], name="ring")


def walls(u: sp.Expr, box: kp.Box) -> list[kp.Dirichlet]:
    return [kp.Dirichlet(u, 0, on=box.lower(y)), kp.Dirichlet(u, 1, on=box.upper(y))]


@cache
def solved(name: str) -> kp.Solution:
    """A solution after a few steps; not a good one, which its estimate must notice."""
    return kp.solve(ring() if name == "ring" else problem_file(name), rtol=1e-3, stages=FEW)


def inside(problem: Problem, count: int = 40) -> np.ndarray:
    low, high = problem.domain.bounds.T
    return np.random.default_rng(3).uniform(low, high, (count, len(low)))


@pytest.mark.parametrize("name", SAVED)
def test_file_is_as_good_as_the_original(name: str, tmp_path: Path) -> None:
    one = solved(name)
    two = kp.load(one.save(tmp_path / "s.h5"))
    points, u = inside(one.problem), one.problem.unknowns[0]
    assert one(points).shape == (40, len(one.problem.unknowns))
    np.testing.assert_array_equal(two(points), one(points))
    np.testing.assert_array_equal(two.corrected()(points), one.corrected()(points))
    for expression in (u.diff(one.problem.coordinates[0]), kp.laplacian(u) * u):
        np.testing.assert_array_equal(two.derivative(expression)(points), one.derivative(expression)(points))
    assert two.integrate(u**2) == one.integrate(u**2)
    assert (two.problem.signature, two.problem.text) == (one.problem.signature, one.problem.text)
    np.testing.assert_equal(plain(two), plain(one))


def plain(solution: kp.Solution) -> dict[str, object]:
    return json.loads(json.dumps(dataclasses.asdict(solution.record), default=lambda a: a.tolist()))


@pytest.mark.parametrize("name", ["poisson_robin", "ring"])
def test_estimates_and_references_need_the_file_alone(name: str, tmp_path: Path) -> None:
    loaded = kp.load(solved(name).save(tmp_path / "s.h5"))
    again = Estimator(loaded.problem)(loaded.field)
    assert again is not None
    assert again.relative == pytest.approx(loaded.error_estimate, rel=1e-9)
    distance = loaded.compare(kp.reference(loaded.problem, order="chebyshev"))
    assert distance == pytest.approx(loaded.error_estimate, rel=0.05)


@pytest.mark.parametrize("name", ["poisson_1d", "coupled", "poisson_robin", "heat_1d"])
def test_corrected_is_better(name: str) -> None:
    solution = solved(name)
    points = inside(solution.problem, 400)
    exact = solution.problem.exact_values(points)
    before, after = (np.abs(f(points) - exact).max() for f in (solution, solution.corrected()))
    assert after < 0.03 * before


def test_no_correction_says_why() -> None:
    with pytest.raises(ProblemError, match=r"poisson_1d has no correction.*status"):
        dataclasses.replace(solved("poisson_1d"), correction=None).corrected()


def test_problem_may_be_given_and_must_be_the_same(tmp_path: Path) -> None:
    path = solved("poisson_1d").save(tmp_path / "s.h5")
    own = problem_file("poisson_1d")
    assert kp.load(path, own).problem is own
    with pytest.raises(ProblemError, match="belongs to another problem than ring"):
        kp.load(path, ring())


def test_an_exact_solution_given_later_is_the_one_that_counts(tmp_path: Path) -> None:
    path = solved("poisson_1d").save(tmp_path / "s.h5")
    known = problem_file("poisson_1d")
    unknown = Problem(known.domain, known.equations, known.conditions, name=known.name)
    blind = kp.load(path, unknown)
    assert blind.relative_l2 is None
    assert kp.load(blind.save(tmp_path / "b.h5")).relative_l2 is None
    seeing = kp.load(tmp_path / "b.h5", known)
    assert seeing.relative_l2 == pytest.approx(solved("poisson_1d").relative_l2)


@pytest.mark.parametrize("part", ["problem", "field", "network", "correction"])
def test_damage_behind_the_checksum_is_an_error(part: str, tmp_path: Path) -> None:
    path = solved("poisson_1d").save(tmp_path / "s.h5")
    with h5py.File(path, "a") as file:
        tree = hdf5.read_tree(file, "record")
        tree[part] = {"something": "else"}
        del file["record"]
        hdf5.write_tree(file, "record", tree)
        file.attrs["digest"] = hdf5.digest(file)
    with pytest.raises(StoreError, match=r"s\.h5 is damaged"):
        kp.load(path)


def test_derivatives_are_those_of_the_exact_solution() -> None:
    solution = solved("poisson_1d")
    (u,), (s,) = solution.problem.unknowns, solution.problem.coordinates
    points, exact = inside(solution.problem), solution.problem.exact
    for expression in (u, u.diff(s), u.diff(s, 3), s * u.diff(s) ** 2):
        truth = sp.lambdify(s, expression.subs(u, exact[u]).doit())(points[:, 0])
        found = solution.derivative(expression)(points)
        assert np.abs(found - truth).max() < 1e-5 * np.abs(truth).max()


def test_derivative_of_something_else() -> None:
    with pytest.raises(ProblemError, match="the expression contains k, which is no coordinate"):
        solved("poisson_1d").derivative(sp.Symbol("k"))


def test_points() -> None:
    solution = solved("poisson_1d")
    line = np.linspace(-1, 1, 5)
    np.testing.assert_array_equal(solution(line), solution(torch.as_tensor(line[:, None])))
    assert solution(np.zeros((0, 1))).shape == (0, 1)
    for wrong in (0.5, np.zeros((3, 2)), np.zeros((1, 3, 1))):
        with pytest.raises(ProblemError, match=r"points must have shape \(n, 1\)"):
            solution(wrong)


def test_divergence_theorem() -> None:
    solution = solved("poisson_robin")
    (u,), box = solution.problem.unknowns, solution.problem.domain
    flux = solution.integrate(kp.normal_derivative(u), on=box.boundary)
    assert flux == pytest.approx(solution.integrate(kp.laplacian(u)), rel=1e-11)
    sides = [solution.integrate(kp.normal_derivative(u), on=side(s)) for s in (x, y) for side in (box.lower, box.upper)]
    assert sum(sides) == pytest.approx(flux, rel=1e-12)
    part, rest = box.lower(y).where(x < 0.3), box.lower(y).where(x >= 0.3)
    both = solution.integrate(u, on=part) + solution.integrate(u, on=rest)
    assert both == pytest.approx(solution.integrate(u, on=box.lower(y)), rel=1e-12)


def test_integrals_of_known_functions() -> None:
    solution = solved("heat_1d")
    s, when = solution.problem.coordinates
    domain = solution.problem.domain
    assert solution.integrate(1) == pytest.approx(1.0, rel=1e-14)
    assert solution.integrate(sp.exp(s) * when**3) == pytest.approx((np.e - 1) / 4, rel=1e-13)
    assert solution.integrate(when, on=domain.upper(s)) == pytest.approx(0.5, rel=1e-13)
    disk = solved("coupled").problem.domain.interior.where(x**2 + y**2 < 1)
    assert solved("coupled").integrate(2, on=disk) == pytest.approx(2 * np.pi, rel=3e-3)


def test_integral_over_a_point_is_the_value() -> None:
    solution = solved("coupled")
    u, v = solution.problem.unknowns
    at = kp.Point({x: 0.25, y: -0.5})
    np.testing.assert_allclose([solution.integrate(f, on=at) for f in (u, v)], solution([[0.25, -0.5]])[0], rtol=1e-14)


def test_integral_over_a_foreign_region() -> None:
    with pytest.raises(ProblemError, match="belongs to another domain"):
        solved("poisson_robin").integrate(1, on=kp.Box({x: (0, 1), y: (0, 1)}).boundary)
    with pytest.raises(ProblemError, match="needs the normal"):
        solved("poisson_robin").integrate(kp.normal_derivative(solved("poisson_robin").problem.unknowns[0]))


def test_compare_with_a_reference_of_another_problem() -> None:
    with pytest.raises(ProblemError, match="make it anew"):
        solved("poisson_1d").compare(kp.reference(ring(), shape=(8, 8)))


def test_npz_holds_axes_and_values(tmp_path: Path) -> None:
    solution = solved("coupled")
    with np.load(solution.export(tmp_path / "s.npz")) as file:
        assert set(file) == {"x", "y", *(f"{n}{part}" for n in "uv" for part in ("", "_gradient", "_correction"))}
        points = np.stack(np.meshgrid(file["x"], file["y"], indexing="ij"), axis=-1).reshape(-1, 2)
        np.testing.assert_array_equal(file["v"].reshape(-1), solution(points)[:, 1])
        np.testing.assert_allclose((file["u"] + file["u_correction"]).reshape(-1), solution.corrected()(points)[:, 0])


@pytest.mark.parametrize(
    ("name", "suffix"), [("poisson_1d", "vtu"), ("poisson_robin", "vtu"), ("poisson_robin", "xdmf")]
)
def test_meshes_hold_the_values_at_their_points(name: str, suffix: str, tmp_path: Path) -> None:
    solution = solved(name)
    path = solution.export(tmp_path / f"s.{suffix}")
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    mesh = read_last(path) if suffix == "xdmf" else meshio.read(path)
    d = len(solution.problem.coordinates)
    values = solution(mesh.points[:, :d])[:, 0]
    np.testing.assert_allclose(mesh.point_data["u"], values, rtol=1e-13, atol=1e-13)
    assert set(mesh.point_data) == {"u", "u_gradient", "u_error"}
    assert covered(mesh) == pytest.approx(solution.problem.domain.measure)


def read_last(path: Path) -> meshio.Mesh:
    """The mesh of a series with the fields of the last instant."""
    with meshio.xdmf.TimeSeriesReader(path) as reader:
        points, cells = reader.read_points_cells()
        _, data, _ = reader.read_data(reader.num_steps - 1)
    return meshio.Mesh(points, cells, point_data=data)


def covered(mesh: meshio.Mesh) -> float:
    """Length, area or volume: the sum over cells of the determinant at their first corner, with its sign."""
    (block,) = mesh.cells
    corners = mesh.points[block.data]
    neighbours = {"line": (1,), "quad": (1, 3), "hexahedron": (1, 3, 4)}[block.type]
    edges = np.stack([corners[:, k] - corners[:, 0] for k in neighbours], axis=1)[:, :, : len(neighbours)]
    for base in (0, 4)[: 1 if block.type == "quad" else 2] if block.type != "line" else ():
        a, b, c, d = (corners[:, base + k] for k in range(4))
        np.testing.assert_allclose(c - b, d - a, atol=1e-12, err_msg="corners go around a face")
    return float(np.linalg.det(edges).sum())


def test_time_is_a_series(tmp_path: Path) -> None:
    solution = solved("heat_1d")
    path = solution.export(tmp_path / "s.xdmf")
    with meshio.xdmf.TimeSeriesReader(path) as reader:
        assert reader.read_points_cells()[1][0].type == "line"
        times = [reader.read_data(k)[0] for k in range(reader.num_steps)]
    assert (times[0], times[-1]) == (0.0, 1.0)
    mesh = read_last(path)
    late = np.stack([mesh.points[:, 0], np.ones(len(mesh.points))], axis=1)
    np.testing.assert_allclose(mesh.point_data["u"], solution(late)[:, 0], rtol=1e-13, atol=1e-13)


def test_cells_of_a_cube_stand_upright(tmp_path: Path) -> None:
    cube = kp.Box({x: (0, 1), y: (0, 2), t: (0, 3)})
    u = sp.Function("u")(x, y, t)
    problem = Problem(cube, sp.Eq(u, x + 2 * y - t), name="fit")
    mesh = meshio.read(kp.solve(problem, stages=[kp.Stage(iterations=1)]).export(tmp_path / "s.vtu"))
    assert covered(mesh) == pytest.approx(6.0)


def test_what_cannot_be_exported(tmp_path: Path) -> None:
    with pytest.raises(ProblemError, match=r"no format to export to; end the name with \.npz, \.vtu, \.vtk, \.xdmf"):
        solved("poisson_1d").export(tmp_path / "s.csv")
    with pytest.raises(ProblemError, match=r"\.vtu cannot hold a solution over x, t; export to \.xdmf or \.npz"):
        solved("heat_1d").export(tmp_path / "s.vtu")
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="directory"):
        solved("poisson_1d").export(tmp_path / "file" / "s.npz")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_meshio_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "meshio", None)
    with pytest.raises(ProblemError, match=r"pip install 'kanpde\[mesh\]'"):
        solved("poisson_1d").export(tmp_path / "s.vtu")


def test_plot_and_tables(tmp_path: Path) -> None:
    solution = solved("ring")
    assert solution.plot(tmp_path / "s.png").stat().st_size > 10_000
    tables = solution.tables
    assert tables.truth == "estimate"
    assert solved("coupled").tables.truth == "exact solution"
    layers = solution.network.layers
    assert [len(nodes) for nodes in tables.nodes] == [layer.columns for layer in layers]
    assert [len(set(nodes)) for nodes in tables.nodes] == [layer.outputs for layer in layers]


def test_an_edge_is_the_function_that_the_network_adds() -> None:
    """In one dimension with one edge, the curve is N itself."""
    tables, network = solved("poisson_1d").tables, solved("poisson_1d").network
    (edge,) = tables.edges
    with torch.no_grad():
        np.testing.assert_allclose(edge.y, network(torch.as_tensor(edge.x[:, None]))[:, 0], rtol=1e-12)
    mlp = kp.solve(problem_file("poisson_1d"), network=kp.MLP([1, 5, 1]), stages=FEW)
    assert mlp.tables.fixed
    assert not mlp.tables.has_curves


def test_what_programs_read_is_plain() -> None:
    solution = solved("poisson_robin")
    kinds = {"relative_l2": float, "error_estimate": float, "converged": bool, "status": str, "seconds": float}
    kinds |= {"n_parameters": int, "iterations": int, "identified": dict, "history": tuple}
    assert {name: type(getattr(solution, name)) for name in kinds} == kinds
    assert solution.n_parameters == solution.network.n_parameters == len(solution.record.theta)
    assert solution.error_estimate == pytest.approx(solution.relative_l2, rel=0.2)
    text = str(solution)
    assert all(part in text for part in ("poisson_robin", "KAN", solution.status, f"{solution.relative_l2:.2e}"))


class Wave(torch.nn.Module):
    def __init__(self, width: int = 6, dtype: torch.dtype = torch.float64) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.inner = torch.nn.Parameter(torch.randn(1, width, dtype=dtype, generator=generator))
        self.outer = torch.nn.Parameter(torch.randn(width, 1, dtype=dtype, generator=generator))

    def forward(self, points: torch.Tensor) -> torch.Tensor:
        return torch.sin(points @ self.inner + 1) @ self.outer


# The first forward mode of a process compiles torch's own rules with torch's own deprecated torch.jit.script.
@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")
def test_a_module_of_ones_own_is_needed_to_load_it(tmp_path: Path) -> None:
    solution = kp.solve(problem_file("poisson_1d"), network=Wave(), stages=FEW)
    path, points = solution.save(tmp_path / "s.h5"), inside(solution.problem)
    np.testing.assert_array_equal(kp.load(path, network=Wave())(points), solution(points))
    with pytest.raises(ProblemError, match="holds the numbers of a module Wave; give it as network="):
        kp.load(path)
    with pytest.raises(ProblemError, match="has 12 parameters, the network 14"):
        kp.load(path, network=Wave(7))


def test_single_precision_comes_back_as_it_was(tmp_path: Path) -> None:
    network = kp.KAN([1, 1], "chebyshev", degree=8, dtype=torch.float32)
    solution = kp.solve(problem_file("poisson_1d"), rtol=0.1, network=network, stages=FEW)
    loaded, points = kp.load(solution.save(tmp_path / "s.h5")), inside(solution.problem)
    assert loaded.network.dtype == torch.float32
    np.testing.assert_array_equal(loaded(points), solution(points))


def lens() -> Problem:
    """A complex wave on a disk with a hole."""
    wave = kp.complex_unknown("w", x, y)
    ring = kp.Disk((x, y), (0, 0), 1) - kp.Disk((x, y), (0, 0), sp.Rational(2, 5))
    return Problem(ring, kp.laplacian(wave) + 4 * wave, kp.Dirichlet(wave, sp.exp(2 * sp.I * x)), name="lens")


def shaped(name: str) -> Problem:
    return lens() if name == "lens" else problem_file(name)


@cache
def untrained(name: str) -> kp.Solution:
    """What `solve` starts from, as a solution: a random network of the features of its shape."""
    problem = shaped(name)
    ansatz = dataclasses.replace(impose(problem), features=features_of(problem))
    run = Run(
        problem,
        ansatz,
        (),
        Wishes(1e-2),
        Progress(fitted(default_network(problem, 1, ansatz.features), problem, ansatz.features)),
    )
    return solution_of(run, run.progress)


def within(problem: Problem, count: int = 50) -> np.ndarray:
    points = inside(problem, 4 * count)
    return points[np.asarray(problem.domain.contains(points), dtype=bool)][:count]


@pytest.mark.parametrize("name", ["disk", "annulus", "l_shape", "heat_disk", "ball", "lens", "two_materials"])
def test_solutions_on_shapes_come_back_bit_by_bit(name: str, tmp_path: Path) -> None:
    """Domains, features, complex values, materials."""
    one = untrained(name)
    two = kp.load(saved(one, tmp_path / "s.h5"))
    points, u = within(one.problem), one.problem.unknowns[0]
    assert two.field.ansatz == one.field.ansatz
    np.testing.assert_array_equal(two(points), one(points))
    s = one.problem.coordinates[0]
    np.testing.assert_array_equal(two.derivative(u.diff(s))(points), one.derivative(u.diff(s))(points))
    assert two.problem.signature == one.problem.signature
    np.testing.assert_array_equal(two.problem.domain.contains(points), True)


def test_complex_values_derivatives_and_integrals() -> None:
    solution = untrained("lens")
    w, points, h = solution.problem.unknowns[0], within(solution.problem), 1e-5
    values = solution(points)
    assert values.dtype == np.complex128
    assert np.abs(values.imag).max() > 0.1
    step = np.array([h, 0.0])
    slope = (solution(points + step) - solution(points - step))[:, 0] / (2 * h)
    np.testing.assert_allclose(solution.derivative(w.diff(x))(points), slope, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(solution.derivative(sp.I * w)(points), 1j * values[:, 0], rtol=1e-13)
    np.testing.assert_allclose(
        np.real(solution.derivative(sp.Abs(w) ** 2)(points)), np.abs(values[:, 0]) ** 2, rtol=1e-12
    )
    nodes, weights = solution.problem.domain.quadrature(40)
    part = solution(nodes)[:, 0].imag @ weights
    assert solution.integrate(sp.im(w)) == pytest.approx(part, rel=1e-6)
    with pytest.raises(ProblemError, match="the integrand is complex; integrate its real and its imaginary part"):
        solution.integrate(w)


def test_materials_are_read_by_their_predicates() -> None:
    """Each side has the field of its material."""
    solution = untrained("two_materials")
    problem = solution.problem
    assert len(problem.fields) == 2
    points = within(problem)
    fields = solution.field.values(points)
    left = points[:, 0] < 0
    chosen = np.where(left, fields[:, 0], fields[:, 1])
    np.testing.assert_array_equal(solution(points)[:, 0], chosen)
    assert np.abs(fields[:, 0] - fields[:, 1]).max() > 1e-3


def test_areas_and_circumferences_by_integrals() -> None:
    solution = untrained("annulus")
    u = solution.problem.unknowns[0]
    assert solution.integrate(1 + 0 * u) == pytest.approx(3 * np.pi, rel=1e-10)
    outer = kp.Disk((x, y), (0, 0), 2)
    assert solution.integrate(1 + 0 * u, on=outer.boundary) == pytest.approx(4 * np.pi, rel=1e-3)


def test_clusterings_come_back(tmp_path: Path) -> None:
    """A front, whose input is drawn together."""
    problem = problem_file("burgers")
    place = Clustering(0, (0.0,), (0.02,))
    ansatz = with_clusterings(problem, impose(problem), [place])
    network = fitted(kp.KAN([2, 3, 1], "chebyshev", degree=5), problem, ansatz.features, ansatz.clusterings)
    run = Run(problem, ansatz, (), Wishes(1e-2), Progress(network))
    one = solution_of(run, run.progress)
    two = kp.load(saved(one, tmp_path / "s.h5"))
    assert two.field.ansatz.clusterings == (place,)
    np.testing.assert_array_equal(two(inside(problem)), one(inside(problem)))
