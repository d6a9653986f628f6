"""Meshes as domains: files, tags as regions, uniform points, quadrature, and what they refuse."""

import itertools
from pathlib import Path

import meshio
import numpy as np
import pytest
import sympy as sp

from kanpde.collocation import collocate
from kanpde.domain import Disk, Mesh, Time
from kanpde.errors import ProblemError

x, y, z, t = sp.symbols("x y z t", real=True)
S = (x, y)
INLET, WALL, FLUID = 1, 2, 3


def grid(n: int) -> tuple[np.ndarray, np.ndarray]:
    """The unit square in 2 n² triangles."""
    line = np.linspace(0, 1, n + 1)
    nodes = np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1).reshape(-1, 2)
    corner = [i * (n + 1) + j for i in range(n) for j in range(n)]
    cells = [(k, k + n + 1, k + n + 2) for k in corner] + [(k, k + n + 2, k + 1) for k in corner]
    return nodes, np.array(cells)


def cube(n: int) -> tuple[np.ndarray, np.ndarray]:
    """The unit cube in 6 n³ tetrahedra."""
    line = np.linspace(0, 1, n + 1)
    nodes = np.stack(np.meshgrid(line, line, line, indexing="ij"), axis=-1).reshape(-1, 3)
    steps = np.array([(n + 1) ** 2, n + 1, 1])
    cells = []
    for corner in itertools.product(range(n), repeat=3):
        for order in itertools.permutations(range(3)):
            path = np.cumsum([np.array(corner) @ steps, *(steps[axis] for axis in order)])
            cells.append(path)
    return nodes, np.array(cells)


def sides(nodes: np.ndarray, cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The boundary edges of the square: those at x = 0, and the others."""
    facets = Mesh.from_arrays(S, nodes, cells).facets
    left = np.all(nodes[facets][:, :, 0] == 0, axis=1)
    return facets[left], facets[~left]


SQUARE = grid(8)
INLETS, WALLS = sides(*SQUARE)
MESH = Mesh.from_arrays(S, *SQUARE, tags={"inlet": INLETS, "wall": WALLS}, materials={"fluid": np.arange(64)})
CUBE = Mesh.from_arrays((x, y, z), *cube(3))


def written(path: Path, form: str | None) -> Path:
    """The square with an extra point, as a mesh generator writes it."""
    nodes, cells = SQUARE
    points = np.concatenate([[[5.0, 5.0, 0.0]], np.pad(nodes, ((0, 0), (0, 1)))])
    lines = np.concatenate([INLETS, WALLS])
    numbers = [np.full(len(cells), FLUID), np.repeat([INLET, WALL], [len(INLETS), len(WALLS)])]
    mesh = meshio.Mesh(
        points,
        [("triangle", cells + 1), ("line", lines + 1)],
        cell_data={"gmsh:physical": numbers, "gmsh:geometrical": numbers},
        field_data={"inlet": np.array([INLET, 1]), "wall": np.array([WALL, 1]), "fluid": np.array([FLUID, 2])},
    )
    mesh.write(path, file_format=form)
    return path


@pytest.mark.parametrize(("name", "form"), [("a.msh", "gmsh22"), ("a.vtu", "vtu"), ("a.xdmf", "xdmf")])
def test_files(tmp_path: Path, name: str, form: str) -> None:
    mesh = Mesh(S, written(tmp_path / name, form), tags={"inlet": INLET, "wall": WALL})
    assert (mesh.measure, mesh.boundary.measure) == pytest.approx((1.0, 4.0), rel=1e-12)
    assert mesh.region("inlet").measure == pytest.approx(1.0)
    assert mesh.region("wall").measure == pytest.approx(3.0)
    assert len(mesh.nodes) == len(SQUARE[0])
    if form == "gmsh22":
        assert mesh.region("fluid").measure == pytest.approx(1.0)


def test_numbers_are_names_where_there_are_no_others(tmp_path: Path) -> None:
    mesh = Mesh(S, written(tmp_path / "a.vtu", "vtu"))
    assert mesh.region(INLET).measure == pytest.approx(1.0)
    assert mesh.region("2").measure == pytest.approx(3.0)


def test_measures_and_sides() -> None:
    assert (CUBE.measure, CUBE.boundary.measure) == pytest.approx((1.0, 6.0))
    assert CUBE.upper(z).measure == pytest.approx(1.0)
    assert CUBE.upper(z).pieces()[0].normal == (0.0, 0.0, 1.0)
    assert MESH.lower(x).measure == pytest.approx(1.0)
    assert (MESH.boundary - MESH.region("inlet")).measure == pytest.approx(3.0)
    assert (MESH.boundary - MESH.lower(y)).measure == pytest.approx(3.0)
    assert MESH.boundary.where(sp.Eq(x, 1)).measure == pytest.approx(1.0)
    assert MESH.boundary.where(x <= sp.Rational(1, 2)).measure == pytest.approx(2.0)
    assert MESH.interior.where(x < sp.Rational(1, 2)).measure == pytest.approx(0.5)
    assert MESH.interior.where(x < 0.3).measure == pytest.approx(0.3, rel=3e-3)
    assert sorted(round(angle, 9) for _, _, angle in MESH.corners) == [round(np.pi / 2, 9)] * 4


def test_products() -> None:
    moving = MESH * Time(t, (0, 2))
    assert moving.measure == pytest.approx(2.0)
    assert moving.adopt(MESH.region("inlet")).measure == pytest.approx(2.0)
    assert moving.boundary.where(t < 1).measure == pytest.approx(4.0)
    points = collocate(moving.adopt(MESH.region("inlet")), 50)
    np.testing.assert_allclose(points.normals, np.tile([-1.0, 0.0], (len(points), 1)), atol=1e-15)


@pytest.mark.parametrize("mesh", [MESH, CUBE], ids=["square", "cube"])
def test_contract(mesh: Mesh) -> None:
    d = mesh.dimension
    edge = collocate(mesh.boundary, 300)
    assert mesh.contains(edge.x).all()
    assert mesh.boundary.contains(edge.x).all()
    assert not mesh.contains(edge.x + 1e-6 * edge.normals).any()
    exact = collocate(mesh.boundary, 300, "gauss")
    assert exact.weights @ np.sum(exact.normals * exact.x, axis=1) == pytest.approx(d * mesh.measure, rel=1e-9)
    inside = collocate(mesh.interior, 300).x
    expected = -np.minimum(inside, 1 - inside).min(axis=1)
    np.testing.assert_allclose(mesh.signed_distance(inside), expected, atol=1e-12)
    assert mesh.signed_distance(np.full((1, d), 2.0)) == pytest.approx(np.sqrt(d))
    nodes, weights = mesh.quadrature(40)
    assert weights @ np.exp(nodes.sum(axis=1)) == pytest.approx((np.e - 1) ** d, rel=1e-8)


# Two triangles and six tetrahedra: cells larger than the boxes of the test.
COARSE = [Mesh.from_arrays(S, *grid(1)), Mesh.from_arrays((x, y, z), *cube(1))]


@pytest.mark.parametrize("mesh", [MESH, CUBE, *COARSE], ids=["square", "cube", "two", "six"])
def test_points_are_uniform(mesh: Mesh) -> None:
    d = mesh.dimension
    points = collocate(mesh.interior, 4000, "uniform", seed=1).x
    counted = np.histogramdd(points, bins=[4] * d, range=[(0, 1)] * d)[0].ravel()
    mean = 4000 / 4**d
    assert np.sum((counted - mean) ** 2 / mean) < 4**d + 4 * np.sqrt(2 * 4**d)


def test_sobol_points_stay_even() -> None:
    sets = [collocate(MESH.interior, 2048, "sobol", seed) for seed in range(4)]
    errors = [p.weights @ np.exp(p.x.sum(axis=1)) - (np.e - 1) ** 2 for p in sets]
    assert np.sqrt(np.mean(np.square(errors))) < 0.2 * np.sqrt(0.7 / 2048)  # a fifth of what random points have


def test_meshes_are_values() -> None:
    again = Mesh.from_arrays(S, *SQUARE, tags={"inlet": INLETS, "wall": WALLS}, materials={"fluid": np.arange(64)})
    assert again == MESH
    assert hash(again) == hash(MESH)
    assert again.boundary == MESH.boundary
    assert Mesh.from_arrays(S, *SQUARE) != MESH
    assert Mesh.from_arrays(S, *SQUARE).text != MESH.text


@pytest.mark.parametrize("mesh", [MESH, CUBE], ids=["square", "cube"])
def test_cells_are_turned_to_positive_orientation(mesh: Mesh) -> None:
    turned = Mesh.from_arrays(mesh.space, mesh.nodes, mesh.cells[:, ::-1])
    for cells in (mesh.cells, turned.cells):
        assert np.all(np.linalg.det(mesh.nodes[cells[:, 1:]] - mesh.nodes[cells[:, :1]]) > 0)
    assert turned.boundary.measure == pytest.approx(mesh.boundary.measure)


def quads(path: Path) -> Path:
    meshio.Mesh(np.eye(4, 3), [("quad", np.array([[0, 1, 2, 3]]))]).write(path)
    return path


def lines(path: Path) -> Path:
    meshio.Mesh(np.eye(4, 3), [("line", np.array([[0, 1]]))]).write(path)
    return path


def garbage(path: Path) -> Path:
    path.write_text("<VTKFile>nonsense")
    return path


NODES, CELLS = SQUARE


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: Mesh(S, p / "none.msh"), "there is no mesh file"),
        (lambda p: Mesh(S, garbage(p / "a.vtu")), "not a mesh that meshio reads"),
        (lambda p: Mesh(S, garbage(p / "a.xyz")), "not a mesh that meshio reads"),
        (lambda p: Mesh(S, quads(p / "a.vtu")), "cells of the kind quad"),
        (lambda p: Mesh(S, lines(p / "a.vtu")), "no triangle cells"),
        (lambda p: Mesh((x, y, z), written(p / "a.vtu", "vtu")), "no tetra cells"),
        (lambda _: MESH.region("outlet"), "no tag 'outlet'; it has the tags inlet, wall and the materials fluid"),
        (lambda _: CUBE.region("outlet"), "it has none"),
        (lambda _: MESH | Disk(S, (0, 0), 1), "not composed"),
        (lambda _: Disk(S, (0, 0), 1) - MESH, "needs a shape"),
        (lambda _: Mesh.from_arrays(S, NODES * np.nan, CELLS), "not finite"),
        (lambda _: Mesh.from_arrays(S, NODES, CELLS + 1), "must number the 81 nodes"),
        (lambda _: Mesh.from_arrays(S, NODES, CELLS[:, :2]), r"cells \(k, 3\)"),
        (lambda _: Mesh.from_arrays(S, NODES, [[0, 0, 1], [0, 9, 1]]), "cell 0 has no extent"),
        (lambda _: Mesh.from_arrays(S, NODES, [[0, 9, 10], [0, 9, 1], [0, 9, 11]]), "belongs to 3 cells"),
        (lambda _: Mesh.from_arrays(S, NODES, CELLS, tags={"a": [1, 2]}), "the tag a needs"),
        (lambda _: MESH.scaled({x: 2.0}), "one factor"),
        (lambda _: MESH.adopt(CUBE.boundary), "another domain"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, make, message: str) -> None:
    with pytest.raises(ProblemError, match=message) as caught:
        make(tmp_path)
    assert "\n" not in str(caught.value)
