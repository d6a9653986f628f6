"""Shapes of space: volumes, areas, normals, faces of components, against formulas and the divergence theorem."""

import numpy as np
import pytest
import sympy as sp

from kanpde.collocation import collocate
from kanpde.domain import Box, BoxPiece, Cylinder, Shape, Sphere, Time, halton
from kanpde.errors import ProblemError
from kanpde.expression import Program

x, y, z, t = sp.symbols("x y z t", real=True)
S = (x, y, z)
CUBE = Box({x: (-1, 1), y: (-1, 1), z: (-1, 1)})
BALL, HALF = Sphere(S, (0, 0, 0), 1), Sphere(S, (0, 0, 0), 0.5)
DRILL = Cylinder(S, (0, 0, -1), 0.5, 2)
CAP = np.pi * 0.25 * 2.5 / 3  # a cap of height 1/2 of the unit ball

# name: shape, volume, area
SOLIDS: dict[str, tuple[Shape, float, float]] = {
    "ball": (HALF, np.pi / 6, np.pi),
    "cylinder": (DRILL, np.pi / 2, 2.5 * np.pi),
    "cylinder along x": (Cylinder(S, (0, 0, 0), 0.5, 2, axis=x), np.pi / 2, 2.5 * np.pi),
    "cube without a ball": (CUBE - HALF, 8 - np.pi / 6, 24 + np.pi),
    "shell": (BALL - HALF, 7 / 6 * np.pi, 5 * np.pi),
    "two balls": (BALL | Sphere(S, (1, 0, 0), 1), 8 / 3 * np.pi - 2 * CAP, 6 * np.pi),
    "lens": (BALL & Sphere(S, (0, 0, 1), 1), 2 * CAP, 2 * np.pi),
    "drilled": (CUBE - DRILL, 8 - np.pi / 2, 24 + 1.5 * np.pi),
    "half a ball": (BALL & Box({x: (0, 2), y: (-2, 2), z: (-2, 2)}), 2 / 3 * np.pi, 3 * np.pi),
    "Steinmetz": (Cylinder(S, (-2, 0, 0), 1, 4, axis=x) & Cylinder(S, (0, 0, -2), 1, 4), 16 / 3, 16.0),
    "Fichera": (CUBE - Box({x: (0, 1), y: (0, 1), z: (0, 1)}), 7.0, 24.0),
    "capsule": (
        Cylinder(S, (0, 0, 0), 1, 1) | BALL | Sphere(S, (0, 0, 1), 1),
        7 / 3 * np.pi,
        6 * np.pi,
    ),
    "stacked": (Cylinder(S, (0, 0, 0), 1, 1) | Cylinder(S, (0, 0, 1), 1, 2), 3 * np.pi, 8 * np.pi),
}


@pytest.mark.parametrize("name", SOLIDS)
def test_measures(name: str) -> None:
    solid, volume, area = SOLIDS[name]
    assert solid.measure == pytest.approx(volume, rel=1e-7)
    assert solid.boundary.measure == pytest.approx(area, rel=1e-6)
    nodes, weights = solid.quadrature(16)
    assert weights.sum() == pytest.approx(volume, rel=1e-6)
    assert solid.contains(nodes).all()


@pytest.mark.parametrize("name", SOLIDS)
def test_divergence_theorem(name: str) -> None:
    """∮ v·n = ∫ div v, v = (x³, y z, z): faces by their rules, the inside by slices."""
    solid = SOLIDS[name][0]
    edge = collocate(solid.boundary, 400 * len(solid.boundary.pieces()), "gauss")
    v = np.stack([edge.x[:, 0] ** 3, edge.x[:, 1] * edge.x[:, 2], edge.x[:, 2]], axis=1)
    nodes, weights = solid.quadrature(16)
    inside = weights @ (3 * nodes[:, 0] ** 2 + nodes[:, 2] + 1)
    assert np.sum(edge.weights * np.sum(v * edge.normals, axis=1)) == pytest.approx(inside, rel=2e-5)


@pytest.mark.parametrize("name", SOLIDS)
def test_contract(name: str) -> None:
    solid = SOLIDS[name][0]
    for rule in ("sobol", "uniform"):
        edge = collocate(solid.boundary, 200, rule)
        np.testing.assert_allclose(np.linalg.norm(edge.normals, axis=1), 1.0)
        assert solid.contains(edge.x).all()
        assert not solid.contains(edge.x + 1e-5 * edge.normals).any()
        assert solid.contains(edge.x - 1e-5 * edge.normals).all()
        np.testing.assert_allclose(solid.signed_distance(edge.x), 0.0, atol=1e-9)
        np.testing.assert_allclose(edge.weights.sum(), solid.boundary.measure)
    inside = collocate(solid.interior, 200).x
    assert solid.contains(inside).all()
    assert np.all((inside >= solid.bounds[:, 0]) & (inside <= solid.bounds[:, 1]))


@pytest.mark.parametrize("name", SOLIDS)
def test_implicit_functions(name: str) -> None:
    solid = SOLIDS[name][0]
    inside = collocate(solid.interior, 200).x
    for piece in solid.boundary.pieces():
        if piece.implicit is not None:
            program = Program.compile([piece.implicit], S)
            points = piece.points(halton(50, 2))
            points = points[piece.contains(points)]
            values, edge = (np.broadcast_to(program(list(p.T), np)[0], len(p)) for p in (inside, points))
            assert values.min() > 0
            assert values.max() < 2
            np.testing.assert_allclose(edge, 0.0, atol=1e-12)


def test_faces_of_boxes_stay_boxes() -> None:
    pieces = (CUBE - HALF).boundary.pieces()
    assert sum(isinstance(piece, BoxPiece) for piece in pieces) == 6
    assert all(piece.implicit is not None for piece in pieces)
    assert sum(piece.implicit is None for piece in SOLIDS["Fichera"][0].boundary.pieces()) == 9


def test_regions_of_components() -> None:
    solid = CUBE - DRILL
    assert solid.adopt(CUBE.upper(z)).measure == pytest.approx(4 - np.pi / 4)
    assert solid.adopt(DRILL.boundary).measure == pytest.approx(2 * np.pi)
    assert solid.adopt(CUBE.upper(z)).where(x < 0).measure == pytest.approx(2 - np.pi / 8)
    assert solid.lower(x).measure == 4.0
    assert (solid.boundary - solid.adopt(DRILL.boundary)).measure == pytest.approx(24 - np.pi / 2)
    assert (solid * Time(t, (0, 2))).adopt(DRILL.boundary).measure == pytest.approx(4 * np.pi)
    inner = solid.adopt(DRILL.boundary)
    points = collocate(inner, 50)
    assert np.all(np.sum(points.normals[:, :2] * points.x[:, :2], axis=1) < 0)


def test_points_of_a_ball_are_uniform() -> None:
    """χ² over shells and octants of equal volume."""
    points = collocate(BALL.interior, 4000, "uniform", seed=2).x
    shell = np.floor(5 * np.linalg.norm(points, axis=1) ** 3).clip(0, 4)
    octant = (points > 0) @ np.array([1, 2, 4])
    counted = np.histogram2d(shell, octant, bins=[5, 8])[0]
    assert np.sum((counted - 100) ** 2 / 100) < 40 + 4 * np.sqrt(80)
    surface = collocate(BALL.boundary, 4000, "uniform", seed=2).x
    slabs = np.histogram(surface[:, 2], bins=20, range=(-1, 1))[0]
    assert np.sum((slabs - 200) ** 2 / 200) < 20 + 4 * np.sqrt(40)


def test_points_of_composed_solids_are_uniform() -> None:
    """Shares of cells of the drilled cube, whose volumes are known."""
    points = collocate((CUBE - DRILL).interior, 4000, "sobol", seed=2).x
    near = np.max(np.abs(points[:, :2]), axis=1) < 0.5
    assert near.mean() == pytest.approx((2 - np.pi / 2) / (8 - np.pi / 2), abs=0.01)
    surface = collocate((CUBE - DRILL).boundary, 4000, "sobol", seed=2)
    on_drill = np.abs(np.hypot(surface.x[:, 0], surface.x[:, 1]) - 0.5) < 1e-9
    assert on_drill.mean() == pytest.approx(2 * np.pi / (24 + 1.5 * np.pi), abs=0.01)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Sphere(S, (0, 0, 0), 0), "above zero"),
        (lambda: Sphere(S, (0, 0), 1), "needs 3 numbers"),
        (lambda: Sphere((x, y), (0, 0), 1), "coordinates first"),
        (lambda: Cylinder(S, (0, 0, 0), 1, -1), "height is -1"),
        (lambda: Cylinder(S, (0, 0, 0), 1, 1, axis=t), "axis is one of"),
        (lambda: BALL & Sphere(S, (3, 0, 0), 1), "is empty"),
        (lambda: HALF - BALL, "is empty"),
        (lambda: BALL.upper(x), "no flat side at x = 1"),
        (lambda: BALL.adopt(HALF.boundary), "another domain"),
    ],
)
def test_mistakes_are_named(make, message: str) -> None:
    with pytest.raises(ProblemError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)
