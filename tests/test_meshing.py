"""Meshes of domains: what they cover, how they follow curves, corners and materials, and how they are refined."""

import numpy as np
import pytest
import sympy as sp

from kanpde import meshing
from kanpde.domain import Box, Cylinder, Disk, Ellipse, Mesh, Polygon, Sphere, Time
from kanpde.errors import ProblemError
from kanpde.meshing import mesh_of, meshes_of, split, with_middles
from kanpde.references.fem.space import CellTable, FacetTable, Geometry

x, y, z, t = sp.symbols("x y z t", real=True)
SQUARE = Box({x: (-1, 1), y: (-1, 1)})
HOLES = [Disk((x, y), (a, b), 0.2) for a in (-0.5, 0.5) for b in (-0.5, 0.5)]
L_SHAPE = Polygon((x, y), [(0, 0), (1, 0), (1, 1), (-1, 1), (-1, -1), (0, -1)])

SHAPES = {
    "interval": (Box({x: (0, 2)}), 2.0, 2.0),
    "square": (SQUARE, 4.0, 8.0),
    "disk": (Disk((x, y), (0.3, -0.1), 1.0), np.pi, 2 * np.pi),
    "ellipse": (Ellipse((x, y), (0.3, 0), (1, 2)), 2 * np.pi, None),
    "square minus disks": (SQUARE - HOLES[0] - HOLES[1] - HOLES[2] - HOLES[3], 4 - 0.16 * np.pi, 8 + 1.6 * np.pi),
    "half disk": (Disk((x, y), (0, 0), 1.0) & Box({x: (0, 2), y: (-2, 2)}), np.pi / 2, np.pi + 2),
    "polygon": (L_SHAPE, 3.0, 8.0),
}


def measures(mesh: meshing.TriMesh) -> tuple[float, float]:
    """Volume and surface, curved cells taken as curved."""
    geometry = Geometry(mesh)
    cells = CellTable(geometry, np.arange(len(mesh.cells)), 4)
    return float(cells.weights.sum()), float(FacetTable(geometry, geometry.boundary, 4).weights.sum())


@pytest.mark.parametrize("name", SHAPES)
def test_a_mesh_covers_its_domain(name: str) -> None:
    domain, area, length = SHAPES[name]
    mesh = mesh_of(domain)
    found = measures(mesh)
    assert found[0] == pytest.approx(area, rel=1e-4)
    assert length is None or found[1] == pytest.approx(length, rel=1e-4)
    assert domain.contains(mesh.points[mesh.corners].mean(axis=1)).all()


def test_curved_sides_converge_with_the_fourth_power() -> None:
    errors = [abs(measures(mesh)[0] - np.pi) for mesh in meshes_of(Disk((x, y), (0, 0), 1.0), 0.5, 3)]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(4, abs=0.2)
    assert np.log2(errors[1] / errors[2]) == pytest.approx(4, abs=0.2)


def test_straight_cells_converge_with_the_second_power() -> None:
    errors = [abs(measures(mesh_of(Disk((x, y), (0, 0), 1.0), h, order=1))[0] - np.pi) for h in (0.4, 0.2, 0.1)]
    assert np.log2(errors[0] / errors[2]) / 2 == pytest.approx(2, abs=0.3)


def test_refinement_keeps_new_nodes_on_the_circle() -> None:
    for mesh in meshes_of(Disk((x, y), (0, 0), 1.0), 0.4, 3):
        middles = Geometry(mesh).boundary_middles[0]
        assert np.linalg.norm(middles, axis=1) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_a_split_cell_is_covered_by_congruent_volumes(dimension: int) -> None:
    corners = np.vstack([np.zeros(dimension), np.eye(dimension)])
    mesh = meshing.TriMesh(corners, np.arange(dimension + 1)[None], np.zeros(1, dtype=int))
    parts = split(mesh)
    spread = parts.points[parts.cells[:, 1:]] - parts.points[parts.cells[:, :1]]
    volumes = np.abs(np.linalg.det(spread))
    assert len(volumes) == 2**dimension
    assert volumes == pytest.approx(np.full(2**dimension, 0.5**dimension))
    assert len(with_middles(mesh).cells[0]) == (dimension + 1) * (dimension + 2) // 2


@pytest.mark.parametrize("predicate", [x < 0.3, x + 2 * y < 0.1, x**2 + y**2 < 0.25, x**2 + 2 * y**2 + x * y < 0.2])
def test_edges_follow_interfaces(predicate: sp.Basic) -> None:
    for domain in (SQUARE, Disk((x, y), (0, 0), 1.0)):
        mesh = mesh_of(domain, 0.2, interfaces=(predicate,))
        level = sp.lambdify((x, y), predicate.lhs - predicate.rhs, "numpy")
        values = level(*np.moveaxis(mesh.points[mesh.corners], -1, 0))
        assert values[mesh.materials == 1].max() <= 1e-9
        assert values[mesh.materials == 0].min() >= -1e-9
        assert set(mesh.materials) == {0, 1}


def test_cells_shrink_at_reentrant_corners_and_at_given_points() -> None:
    def smallest(mesh: meshing.TriMesh, point: tuple[float, float]) -> float:
        ends = mesh.points[mesh.corners]
        near = np.linalg.norm(ends.mean(axis=1) - point, axis=1).argmin()
        return float(np.ptp(ends[near], axis=0).max())

    assert smallest(mesh_of(L_SHAPE, 0.2), (0, 0)) < 1e-3 < 0.05 < smallest(mesh_of(L_SHAPE, 0.2), (-1, 1))
    assert smallest(mesh_of(L_SHAPE, 0.2, refine_near=()), (0, 0)) > 0.05
    assert smallest(mesh_of(SQUARE, 0.2, refine_near=[(0.3, 1.0)]), (0.3, 1.0)) < 1e-3


def test_small_units_and_products_with_time_make_no_difference() -> None:
    small = mesh_of(Disk((x, y), (0, 0), 1e-6) * Time(t, (0, 1)), 1e-7)
    assert measures(small)[0] == pytest.approx(np.pi * 1e-12, rel=1e-6)


def test_a_mesh_from_arrays_is_split_but_never_coarsened() -> None:
    given = mesh_of(SQUARE, 0.5)
    domain = Mesh.from_arrays((x, y), given.points, given.cells)
    assert len(mesh_of(domain, 10.0).cells) == len(given.cells)
    assert len(mesh_of(domain, 0.3).cells) == 4 * len(given.cells)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("domain", "volume"),
    [
        (Sphere((x, y, z), (0, 0, 0), 1.0), 4 / 3 * np.pi),
        (Cylinder((x, y, z), (0, 0, 0), 0.5, 2.0), np.pi / 2),
        (Box({x: (-1, 1), y: (-1, 1), z: (-1, 1)}) - Sphere((x, y, z), (0, 0, 0), 0.5), 8 - np.pi / 6),
    ],
)
def test_solids(domain: object, volume: float) -> None:
    coarse, fine = meshes_of(domain, 0.5, 2)
    assert measures(fine)[0] == pytest.approx(volume, rel=1e-3)
    assert abs(measures(coarse)[0] - volume) > 8 * abs(measures(fine)[0] - volume)


def test_what_cannot_be_meshed_is_said() -> None:
    w = sp.Symbol("w", real=True)
    with pytest.raises(ProblemError, match="meshes have up to three"):
        mesh_of(Box({x: (0, 1), y: (0, 1), z: (0, 1), w: (0, 1)}))
    with pytest.raises(ProblemError, match="give a positive one"):
        mesh_of(SQUARE, -1.0)


def test_a_missing_library_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> object:
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(meshing.importlib, "import_module", missing)
    with pytest.raises(ProblemError, match=r"pip install 'kanpde\[fem\]'"):
        mesh_of(Disk((x, y), (0, 0), 1.0))
