"""Interfaces within domains, similar domains, and domains and regions as plain values."""

import json

import numpy as np
import pytest
import sympy as sp
from scipy.special import ellipe
from test_mesh_domain import MESH

from kanpde.collocation import collocate
from kanpde.domain import (
    Box,
    BoxPiece,
    Cylinder,
    Disk,
    Domain,
    Ellipse,
    ParameterRange,
    Point,
    Polygon,
    Region,
    Sphere,
    Time,
    domain_from_tree,
    domain_to_tree,
    level_set,
    region_from_tree,
    region_to_tree,
)
from kanpde.errors import ProblemError
from kanpde.expression import Program

x, y, z, t, k = sp.symbols("x y z t k", real=True)
S = (x, y)
half, third = sp.Rational(1, 2), sp.Rational(1, 3)
SQUARE = Box({x: (-1, 1), y: (-1, 1)})
CUBE = Box({x: (-1, 1), y: (-1, 1), z: (-1, 1)})
DISK, BALL = Disk(S, (0, 0), 1), Sphere((x, y, z), (0, 0, 0), 1)
HOLED = SQUARE - Disk(S, (0, 0), 0.25)

# domain, expression, measure of its zero set inside, relative error allowed
LEVELS: dict[str, tuple[Domain, sp.Expr, float, float]] = {
    "side of a square": (SQUARE, x - third, 2.0, 1e-12),
    "falling": (SQUARE, third - x, 2.0, 1e-12),
    "chord": (DISK, x, 2.0, 1e-12),
    "diagonal": (SQUARE, x + y, np.sqrt(8), 1e-12),
    "circle": (SQUARE, x**2 + y**2 - half**2, np.pi, 1e-12),
    "ellipse that touches": (SQUARE, 1 - x**2 - 4 * y**2, 4 * ellipe(0.75), 1e-12),
    "arc": (DISK, (x - 1) ** 2 + y**2 - 1, 2 * np.pi / 3, 1e-12),
    "two lines": (SQUARE, (x - half) * (x + half), 4.0, 1e-12),
    "through a hole": (HOLED, x * y, 3.0, 1e-12),
    "square": (SQUARE, sp.Max(sp.Abs(x), sp.Abs(y)) - half, 4.0, 5e-3),
    "parabola": (SQUARE, y - x**2, np.sqrt(5) + np.arcsinh(2) / 2, 1e-4),
    "moving": (DISK * Time(t, (0, 2)), x - y, 4.0, 1e-12),
    "mesh": (MESH, x - third, 1.0, 1e-4),
    "plane": (CUBE, z - third, 4.0, 1e-12),
    "disk": (BALL, z, np.pi, 1e-12),
    "sphere": (CUBE, x**2 + y**2 + z**2 - half**2, np.pi, 1e-12),
    "sphere inwards": (CUBE, half**2 - x**2 - y**2 - z**2, np.pi, 1e-12),
    "hexagon": (CUBE, x + y + z, 3 * np.sqrt(3), 2e-3),
    "tube": (CUBE, x**2 + y**2 - half**2, 2 * np.pi, 2e-3),
    "line": (Box({x: (0, 3)}), sp.sin(3 * x), 2.0, 1e-12),
}


@pytest.mark.parametrize("name", LEVELS)
def test_interfaces(name: str) -> None:
    domain, g, measure, allowed = LEVELS[name]
    region = level_set(domain, g)
    assert region.domain == domain
    assert region.measure == pytest.approx(measure, rel=allowed)
    points = collocate(region, 150)
    space = len(domain.space)
    program = Program.compile([g], domain.space)
    on, beyond = (
        np.broadcast_to(program(list((points.x[:, :space] + step * points.normals).T), np)[0], len(points))
        for step in (0.0, 1e-5)
    )
    np.testing.assert_allclose(on, 0.0, atol=1e-9)
    # In the corners of a square one point in many sits on the edge of two slopes.
    assert np.mean(beyond > 0) > 0.99
    np.testing.assert_allclose(np.linalg.norm(points.normals, axis=1), 1.0)
    assert domain.contains(points.x).all()
    assert region.contains(points.x).all()


def test_interfaces_are_named() -> None:
    assert level_set(SQUARE, x - third, "between a and b").name == "between a and b"
    (piece,) = level_set(SQUARE, third - x).pieces()
    assert isinstance(piece, BoxPiece)
    assert piece.normal == (-1.0, 0.0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: level_set(SQUARE, x - 5), "does not pass through"),
        (lambda: level_set(SQUARE, z - 1), "spatial coordinates x, y alone"),
        (lambda: level_set(DISK * Time(t, (0, 1)), x - t), "spatial coordinates x, y alone"),
        (lambda: level_set(SQUARE, 1), "spatial coordinates"),
        (lambda: domain_from_tree({"kind": "Disk"}), "stored domain is damaged"),
        (lambda: domain_from_tree({"kind": "Blob"}), "stored domain is damaged"),
        (lambda: domain_from_tree(3), "stored domain is damaged"),
        (lambda: region_from_tree({"name": "a", "parts": [[{}, []]]}, SQUARE), "stored region is damaged"),
    ],
)
def test_mistakes_are_named(make, message: str) -> None:
    with pytest.raises(ProblemError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


POLYGON = Polygon(S, [(0, 0), (0, 1), (1, 1), (1, 0)], [[(0.2, 0.2), (0.4, 0.2), (0.4, 0.4)]])
MIXED = (HOLED - Ellipse(S, (1, 1), (0.3, 0.2), 0.4) | POLYGON) * Time(t, (0, 1)) * ParameterRange(k, (1, 2))
SOLID = CUBE - Cylinder((x, y, z), (0, 0, -1), 0.5, 2, axis=z)
REGIONS: dict[str, Region] = {
    "sides": SQUARE.boundary,
    "masked": MIXED.boundary.where(x < 0),
    "interior": MIXED.interior.where(x + y < third),
    "start": MIXED.initial,
    "component": MIXED.adopt(Disk(S, (0, 0), 0.25).boundary),
    "point": MIXED.at(Point({x: 0.9, y: -0.9})),
    "mesh": MESH.boundary.where(x < half),
    "tag": (MESH * Time(t, (0, 1))).adopt(MESH.region("inlet")),
    "side": POLYGON.side(0),
    "faces": SOLID.boundary,
    "volume": (CUBE - BALL | BALL).interior,
    "sphere": BALL.boundary.where(x + y < 0),
    "chord": level_set(MIXED, x - y),
    "level": level_set(SOLID, sp.sin(x) - y),
}


@pytest.mark.parametrize("name", REGIONS)
def test_storage(name: str) -> None:
    region = REGIONS[name]
    domain = domain_from_tree(json.loads(json.dumps(domain_to_tree(region.domain))))
    assert domain == region.domain
    assert domain.text == region.domain.text
    again = region_from_tree(json.loads(json.dumps(region_to_tree(region))), domain)
    assert again == region
    assert again.text == region.text
    assert again.measure == region.measure
    assert [piece.implicit for piece in again.pieces()] == [piece.implicit for piece in region.pieces()]


@pytest.mark.parametrize("name", [n for n in REGIONS if n != "point"])
def test_similar_regions(name: str) -> None:
    """Lengths in thousandths, moved: measures follow, points of one are points of the other."""
    region = REGIONS[name]
    factors, shifts = {x: 1e3, y: 1e3, z: 1e3, t: 10.0}, {x: 0.5, t: 1.0}
    scaled = region.scaled(factors, shifts)
    assert scaled.domain == region.domain.scaled(factors, shifts)
    piece, new = region.pieces()[0], scaled.pieces()[0]
    free = [s for s, a, b in zip(piece.coordinates, piece.lower, piece.upper, strict=True) if s == t and a < b]
    lengths = piece.dimension - len(free) - sum(s == k for s in piece.coordinates)
    # The share of a level inside is counted among 4096 points, and rounding moves those on the boundary.
    allowed = 1e-3 if name == "level" else 1e-6
    assert scaled.measure == pytest.approx(region.measure / 1e3**lengths / 10.0 ** len(free), rel=allowed)
    points = collocate(region, 30, seed=2).x
    factor = np.array([factors.get(s, 1.0) for s in piece.coordinates])
    moved = (points - np.array([shifts.get(s, 0.0) for s in piece.coordinates])) / factor
    assert scaled.contains(moved).all()
    assert (new.normal is None) == (piece.normal is None)


def test_boxes_may_have_a_factor_for_each_direction() -> None:
    scaled = SQUARE.scaled({x: 2.0, y: 4.0})
    assert scaled == Box({x: (-0.5, 0.5), y: (-0.25, 0.25)})
    lower = SQUARE.lower(x).scaled({x: 2.0, y: 4.0}).pieces()[0]
    assert lower.implicit is not None
    assert float(lower.implicit.subs(x, 0.5)) == 1.0


@pytest.mark.parametrize(
    ("domain", "predicate", "measure"),
    [
        (SQUARE, x**2 + y**2 < half**2, np.pi / 4),
        (SQUARE, x**2 + y**2 > half**2, 4 - np.pi / 4),
        (SQUARE, sp.And(x < y, x > -y), 1.0),
        (SQUARE * Time(t, (0, 2)), sp.And(x**2 + y**2 < 1, t < 1), np.pi),
        (DISK, sp.Or(x < 0, y < 0), 0.75 * np.pi),
        (DISK, x < 5, np.pi),
        (CUBE, x**2 + y**2 + z**2 > 1, 8 - 4 / 3 * np.pi),
        (BALL, sp.And(x < 0, y < 0), np.pi / 3),
        (Box({x: (0, 2), y: (0, 1)}) | Box({x: (0, 1), y: (0, 2)}), x > y, 1.5),
    ],
    ids=str,
)
def test_materials_have_exact_regions(domain: Domain, predicate: sp.Basic, measure: float) -> None:
    region = domain.interior.where(predicate)
    assert region.measure == pytest.approx(measure, rel=1e-10)
    points = collocate(region, 500, "gauss")
    assert points.weights.sum() == pytest.approx(measure, rel=1e-6)
    assert domain.contains(points.x).all()
    if domain.time is None:
        rest = domain.interior - region
        assert rest.measure + region.measure == pytest.approx(domain.measure, rel=1e-8)


def test_other_predicates_mask() -> None:
    region = SQUARE.interior.where(sp.sin(x) > y)
    assert region.measure == pytest.approx(2.0, rel=5e-3)
    assert np.all(np.sin(collocate(region, 100).x[:, 0]) > collocate(region, 100).x[:, 1])
