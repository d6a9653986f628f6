"""Shapes of the plane and their algebra: measures, outlines, normals, regions of components, quadrature."""

import numpy as np
import pytest
import sympy as sp
from scipy.special import ellipe

from kanpde.collocation import collocate
from kanpde.domain import Box, Disk, Domain, Ellipse, ParameterRange, Polygon, Shape, Time, halton
from kanpde.domain.outline import outline
from kanpde.errors import ProblemError
from kanpde.expression import Program

x, y, z, t, k = sp.symbols("x y z t k", real=True)
S = (x, y)
SQUARE = Box({x: (-1, 1), y: (-1, 1)})
HOLES = [Disk(S, (a, b), 0.2) for a in (-0.5, 0.5) for b in (-0.5, 0.5)]
PERFORATED = SQUARE - HOLES[0] - HOLES[1] - HOLES[2] - HOLES[3]
LENS = 2 * np.pi / 3 - np.sqrt(3) / 2  # the common part of two unit disks at the distance 1
UNIT, MOVED = Disk(S, (0, 0), 1), Disk(S, (1, 0), 1)
ARROW = Polygon(S, [(0, 0), (2, 1), (0, 2), (0.5, 1)])

# name: shape, area, length of the boundary
SHAPES: dict[str, tuple[Shape, float, float]] = {
    "disk": (Disk(S, (1, 2), 0.5), np.pi / 4, np.pi),
    "ellipse as a disk": (Ellipse(S, (0, 0), (2, 2), 1.0), 4 * np.pi, 4 * np.pi),
    "arrow": (ARROW, 1.5, 2 * np.hypot(2, 1) + 2 * np.hypot(0.5, 1)),
    "clockwise": (Polygon(S, [(0, 1), (1, 0), (0, 0)]), 0.5, 2 + np.sqrt(2)),
    "frame": (Polygon(S, [(0, 0), (3, 0), (3, 3), (0, 3)], [[(1, 1), (2, 1), (2, 2), (1, 2)]]), 8.0, 16.0),
    "L by union": (Box({x: (0, 2), y: (0, 1)}) | Box({x: (0, 1), y: (0, 2)}), 3.0, 8.0),
    "L by difference": (SQUARE - Box({x: (0, 1), y: (0, 1)}), 3.0, 8.0),
    "two boxes side by side": (Box({x: (0, 1), y: (0, 1)}) | Box({x: (1, 2), y: (0, 1)}), 2.0, 6.0),
    "annulus": (Disk(S, (0, 0), 2) - UNIT, 3 * np.pi, 6 * np.pi),
    "union of disks": (UNIT | MOVED, 2 * np.pi - LENS, 8 * np.pi / 3),
    "lens": (UNIT & MOVED, LENS, 4 * np.pi / 3),
    "moon": (UNIT - MOVED, np.pi - LENS, 2 * np.pi),
    "touching from inside": (UNIT - Disk(S, (0.5, 0), 0.5), 0.75 * np.pi, 3 * np.pi),
    "quarter": (UNIT & Box({x: (0, 1), y: (0, 1)}), np.pi / 4, 2 + np.pi / 2),
    "perforated": (PERFORATED, 4 - 0.16 * np.pi, 8 + 1.6 * np.pi),
}


@pytest.mark.parametrize("name", SHAPES)
def test_measures(name: str) -> None:
    shape, area, length = SHAPES[name]
    assert shape.measure == pytest.approx(area, rel=1e-12)
    assert shape.boundary.measure == pytest.approx(length, rel=1e-8)
    _, weights = shape.quadrature(32)
    assert weights.sum() == pytest.approx(area, rel=1e-9)


@pytest.mark.parametrize("name", SHAPES)
def test_green(name: str) -> None:
    """∮ x³ y n_x = ∫ 3 x² y: points, weights and normals of the boundary against the rule of the inside."""
    shape = SHAPES[name][0]
    inside, weights = shape.quadrature(40)
    edge = collocate(shape.boundary, 40 * len(shape.boundary.pieces()) * 8, "gauss")
    flux = np.sum(edge.weights * edge.normals[:, 0] * edge.x[:, 0] ** 3 * edge.x[:, 1])
    assert flux == pytest.approx(np.sum(weights * 3 * inside[:, 0] ** 2 * inside[:, 1]), abs=1e-7)


def test_regions_of_components() -> None:
    whole = PERFORATED * Time(t, (0, 2)) * ParameterRange(k, (0, 3))
    hole = PERFORATED.adopt(HOLES[0].boundary)
    assert hole.measure == pytest.approx(0.4 * np.pi)
    assert whole.adopt(HOLES[0].boundary).measure == pytest.approx(2.4 * np.pi)
    assert (PERFORATED.boundary - hole).measure == pytest.approx(PERFORATED.boundary.measure - 0.4 * np.pi)
    points = collocate(hole, 20)
    assert np.all(np.sum(points.normals * (points.x + 0.5), axis=1) < 0)  # into the hole
    assert PERFORATED.adopt(SQUARE.lower(x)).text == PERFORATED.lower(x).text


@pytest.mark.parametrize("name", SHAPES)
def test_contract_of_a_shape(name: str) -> None:
    """Points of the boundary lie on it, normals are unit vectors out of the shape, texts and values are stable."""
    shape = SHAPES[name][0]
    check_spatial(shape)
    for piece in shape.boundary.pieces():
        points = piece.points(halton(25, 1))
        assert piece.contains(points).all()
        assert not piece.contains(points + 1e-3).all()
        assert np.all((points >= np.array(piece.lower) - 1e-12) & (points <= np.array(piece.upper) + 1e-12))


def check_spatial(shape: Domain) -> None:
    """What every shape promises."""
    edge = collocate(shape.boundary, 100)
    size = float(np.ptp(shape.bounds, axis=1).max())
    np.testing.assert_allclose(np.linalg.norm(edge.normals, axis=1), 1.0)
    assert shape.contains(edge.x).all()
    # But for a few in a cusp, thinner than the step.
    assert np.mean(shape.contains(edge.x + 1e-6 * size * edge.normals)) < 0.03
    assert np.mean(shape.contains(edge.x - 1e-6 * size * edge.normals)) > 0.97
    np.testing.assert_allclose(shape.signed_distance(edge.x), 0.0, atol=1e-9 * size)
    inside = collocate(shape.interior, 100)
    assert shape.contains(inside.x).all()
    assert (shape.signed_distance(inside.x) <= 1e-12).all()
    assert np.all((inside.x >= shape.bounds[:, 0]) & (inside.x <= shape.bounds[:, 1]))
    np.testing.assert_allclose(shape.bounds[:, 0], edge.x.min(axis=0), atol=0.15 * size)
    assert inside.normals is None
    assert {shape: 1}[shape] == 1


@pytest.mark.parametrize("name", SHAPES)
def test_signed_distance(name: str) -> None:
    """Against the nearest of many points of the boundary."""
    shape = SHAPES[name][0]
    edge = np.concatenate([p.points(np.linspace(0, 1, 500)[:, None]) for p in shape.boundary.pieces()])
    size = np.ptp(shape.bounds, axis=1)
    points = shape.bounds[:, 0] - 0.3 * size + 1.6 * size * halton(80, 2)
    nearest = np.linalg.norm(points[:, None] - edge[None], axis=-1).min(axis=1)
    found = shape.signed_distance(points)
    np.testing.assert_allclose(np.abs(found), nearest, atol=1e-2 * size.max())
    clear = np.abs(found) > 1e-9
    assert np.array_equal(found[clear] < 0, shape.contains(points)[clear])
    assert np.all(np.abs(found) <= nearest + 1e-12)


@pytest.mark.parametrize("name", SHAPES)
def test_implicit_functions(name: str) -> None:
    """They vanish on their piece alone, are positive inside and about as large as one."""
    shape = SHAPES[name][0]
    inside = collocate(shape.interior, 500).x
    for piece in shape.boundary.pieces():
        if piece.implicit is None:
            continue
        program, points = Program.compile([piece.implicit], S), piece.points(halton(25, 1))
        values, edge = (np.broadcast_to(program(list(p.T), np)[0], len(p)) for p in (inside, points))
        assert values.min() > 0
        assert 0.2 < values.max() < 2.0
        np.testing.assert_allclose(edge, 0.0, atol=1e-12)


def test_which_pieces_have_an_implicit_function() -> None:
    corner = SHAPES["L by difference"][0]
    assert sum(piece.implicit is None for piece in corner.boundary.pieces()) == 2  # the sides that re-enter
    assert all(piece.implicit is not None for piece in PERFORATED.boundary.pieces())
    assert all(piece.implicit is None for piece in (UNIT | MOVED).boundary.pieces())
    assert sum(piece.implicit is None for piece in ARROW.boundary.pieces()) == 2


@pytest.mark.parametrize("name", ["perforated", "arrow", "disk", "union of disks", "annulus", "frame"])
def test_interior_points_are_uniform(name: str) -> None:
    """χ² of uniform points against the exact areas of the shape within 6 x 6 cells."""
    shape = SHAPES[name][0]
    points = collocate(shape.interior, 6000, "uniform", seed=3).x
    edges = [np.linspace(a, b, 7) for a, b in shape.bounds]
    expected, counted = [], []
    for i in range(6):
        for j in range(6):
            cell = Box({x: edges[0][i : i + 2], y: edges[1][j : j + 2]})
            try:
                area = (shape & cell).measure
            except ProblemError:
                continue
            expected.append(6000 * area / shape.measure)
            counted.append(np.sum(cell.contains(points)))
    large = np.array(expected) > 5
    chi2 = np.sum((np.array(counted) - expected)[large] ** 2 / np.array(expected)[large])
    assert sum(expected) == pytest.approx(6000, rel=1e-9)
    assert chi2 < 36 + 4 * np.sqrt(72)


@pytest.mark.parametrize("rule", ["uniform", "sobol"])
def test_boundary_points_follow_the_length(rule: str) -> None:
    shape = SQUARE - Disk(S, (-0.4, 0), 0.05) - Ellipse(S, (0.3, 0), (0.5, 0.1), 0.4)
    points = collocate(shape.boundary, 4000, rule, seed=1).x
    for component in shape.primitives:
        share = shape.adopt(component.boundary).measure / shape.boundary.measure
        counted = np.sum(np.abs(component.signed_distance(points)) < 1e-9)
        assert abs(counted - 4000 * share) <= 4
    ellipse = shape.adopt(Ellipse(S, (0.3, 0), (0.5, 0.1), 0.4).boundary)
    tip = ellipse.where(x > 0.7)
    counted = np.sum((np.abs(shape.primitives[2].signed_distance(points)) < 1e-9) & (points[:, 0] > 0.7))
    assert counted == pytest.approx(4000 * tip.measure / shape.boundary.measure, abs=40 if rule == "uniform" else 6)


def test_arcs_are_uniform_in_length() -> None:
    """Against chords, which are shorter by (κ s)² / 24 = 4e-4 at the tips, where the curvature is 3 / 0.3²."""
    (piece,) = Ellipse(S, (0, 0), (3, 0.3)).boundary.pieces()
    points = piece.points(np.linspace(0, 1, 4001)[:, None])
    chords = np.linalg.norm(np.diff(points, axis=0), axis=1)
    np.testing.assert_allclose(chords, piece.measure / 4000, rtol=5e-4)
    assert piece.measure == pytest.approx(12 * ellipe(1 - 0.1**2), rel=1e-12)


def test_sobol_points_stay_even_under_rejection() -> None:
    """The error of an integral falls faster than that of random points, 1 / sqrt(n)."""

    def error(n: int) -> float:
        sets = [collocate(PERFORATED.interior, n, "sobol", seed) for seed in range(8)]
        values = [p.weights @ np.exp(p.x[:, 0] + p.x[:, 1] / 2) for p in sets]
        return float(np.sqrt(np.mean((np.array(values) - exact) ** 2)))

    nodes, weights = PERFORATED.quadrature(40)
    exact = weights @ np.exp(nodes[:, 0] + nodes[:, 1] / 2)
    assert np.log(error(64) / error(4096)) / np.log(64) > 0.65


@pytest.mark.parametrize("name", ["disk", "L by union", "perforated", "moon", "lens"])
def test_moments(name: str) -> None:
    """∫ x² + y² inside by the rule against Green's theorem on the boundary with many nodes."""
    shape = SHAPES[name][0]
    nodes, weights = shape.quadrature(32)
    edge = collocate(shape.boundary, 64 * len(shape.boundary.pieces()), "gauss")
    flux = np.sum(edge.weights * np.sum(edge.normals * edge.x**3, axis=1)) / 3
    assert weights @ np.sum(nodes**2, axis=1) == pytest.approx(flux, rel=1e-10)


def test_predicates_cut_curves_exactly() -> None:
    assert UNIT.boundary.where(x + y < 0).measure == pytest.approx(np.pi, rel=1e-12)
    assert UNIT.boundary.where(x**2 < sp.Rational(1, 4)).measure == pytest.approx(2 * np.pi / 3, rel=1e-12)
    assert UNIT.interior.where(x > sp.Rational(1, 2)).measure == pytest.approx(np.pi / 3 - np.sqrt(3) / 4, rel=1e-12)
    assert UNIT.boundary.where(x > 3).pieces() == ()
    moving = UNIT * Time(t, (0, 4))
    assert moving.boundary.where(sp.And(x < 0, t < 1)).measure == pytest.approx(np.pi, rel=1e-12)
    assert moving.boundary.where(x < t - 2).measure == pytest.approx(4 * np.pi, rel=5e-3)
    points = collocate(moving.boundary.where(x < t - 2), 200)
    assert np.all(points.x[:, 0] < points.x[:, 2] - 2)
    masked = collocate(UNIT.interior.where(x + y > sp.Rational(1, 2)), 100)
    assert masked.x.sum(axis=1).min() > 0.5


def test_sides_of_composed_shapes() -> None:
    corner = SHAPES["L by difference"][0]
    assert corner.upper(x).measure == pytest.approx(1.0)
    assert corner.lower(y).pieces()[0].normal == (0.0, -1.0)
    with pytest.raises(ProblemError, match="no flat side at x = -1"):
        UNIT.lower(x)


def test_flush_boxes_leave_no_seam() -> None:
    whole = Box({x: (0, 1), y: (0, 1)}) | Box({x: (1, 2), y: (0, 1)})
    assert not whole.boundary.where(sp.And(x > sp.Rational(1, 2), x < sp.Rational(3, 2), y > 0, y < 1)).pieces()
    assert whole.contains(np.array([[1.0, 0.5]])).all()
    rest = SQUARE - Box({x: (-1, 0), y: (-1, 1)})
    assert rest.measure == pytest.approx(2.0)
    assert not rest.contains(np.array([[-1.0, 0.0]])).any()
    assert rest.contains(np.array([[0.0, 0.0]])).all()


def test_intervals_join_the_algebra() -> None:
    line = Box({x: (0, 1)}) | Box({x: (2, 3)})
    assert line.measure == 2.0
    assert [p.normal for p in line.boundary.pieces()] == [(-1.0,), (1.0,), (-1.0,), (1.0,)]
    gap = Box({x: (0, 3)}) - Box({x: (1, 2)})
    assert gap.boundary.text == line.boundary.text
    assert gap.contains(np.array([[0.5], [1.5]])).tolist() == [True, False]
    assert gap.adopt(Box({x: (1, 2)}).lower(x)).pieces()[0].lower == (1.0,)


def test_corners() -> None:
    angles = sorted(angle / np.pi for _, _, angle in SHAPES["L by difference"][0].corners)
    np.testing.assert_allclose(angles, [0.5] * 5 + [1.5])
    assert UNIT.corners == []
    lower, upper = sorted((UNIT & MOVED).corners, key=lambda corner: corner[1])
    np.testing.assert_allclose(upper, [0.5, np.sqrt(3) / 2, 2 * np.pi / 3])
    np.testing.assert_allclose(lower, [0.5, -np.sqrt(3) / 2, 2 * np.pi / 3])


def test_holes() -> None:
    assert set(PERFORATED.holes) == set(HOLES)
    assert (SQUARE - (HOLES[0] | HOLES[1])).holes == (HOLES[0], HOLES[1])
    assert (SQUARE - MOVED).holes == ()
    assert (PERFORATED * Time(t, (0, 1))).holes == PERFORATED.holes


def test_shapes_are_values() -> None:
    assert UNIT | MOVED == MOVED | UNIT
    assert (SQUARE - HOLES[0] - HOLES[1]).text == (SQUARE - HOLES[1] - HOLES[0]).text
    assert Disk(S, (0, 0), 1) == UNIT
    assert hash(Disk(S, (0, 0), 1)) == hash(UNIT)
    assert UNIT & UNIT == UNIT
    texts = {shape.text for shape, _, _ in SHAPES.values()}
    assert len(texts) == len(SHAPES)


def test_sides_of_a_polygon() -> None:
    triangle = Polygon(S, [(0, 1), (1, 0), (0, 0)])
    assert triangle.side(0).measure == pytest.approx(np.sqrt(2))
    assert triangle.side(1).text == triangle.lower(y).text
    cut = triangle - Disk(S, (0, 0), 0.5)
    assert cut.adopt(triangle.side(1)).measure == pytest.approx(0.5)
    assert (cut.boundary - cut.adopt(triangle.side(0))).measure == pytest.approx(1.0 + np.pi / 4)


def test_regions_of_components_overlap_by_parts() -> None:
    """The left side of the L belongs to one box up to y = 1 only; regions are cut to fit each other."""
    low, high = Box({x: (0, 2), y: (0, 1)}), Box({x: (0, 1), y: (0, 2)})
    whole = low | high
    left = whole.adopt(low.lower(x))
    assert left.measure == pytest.approx(1.0)
    assert (whole.lower(x) - left).measure == pytest.approx(1.0)
    assert (whole.lower(x) | left).measure == pytest.approx(2.0)
    assert (whole.boundary - left).measure == pytest.approx(7.0)
    assert (whole.boundary & left).measure == pytest.approx(1.0)
    assert (low | high).adopt(low.interior).measure == pytest.approx(2.0)


@pytest.mark.parametrize("seed", range(8))
def test_random_compositions(seed: int) -> None:
    """Exact areas, the sliced rule and a lattice agree; the outline closes."""
    generator = np.random.default_rng(seed)
    shape = random_shape(generator, depth=2, lattice=seed % 2 == 0)
    curves = outline(shape.body)
    ends = np.concatenate([np.concatenate([c.at(0.0), -c.at(1.0)]) for c in curves])
    np.testing.assert_allclose(ends.sum(axis=0), 0.0, atol=1e-6)
    lines = [np.linspace(a, b, 201)[:-1] + (b - a) / 400 for a, b in shape.bounds]
    lattice = np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1).reshape(-1, 2)
    box = np.prod(np.ptp(shape.bounds, axis=1))
    assert np.mean(shape.contains(lattice)) * box == pytest.approx(shape.measure, abs=2e-2 * box)
    assert shape.quadrature(48)[1].sum() == pytest.approx(shape.measure, rel=1e-6)
    check_spatial(shape)


def random_shape(generator: np.random.Generator, depth: int, lattice: bool) -> Shape:
    """Random shapes, on a lattice so that sides touch and coincide, or in general position."""
    if depth == 0:
        c, h = generator.uniform(-1, 1, 2), generator.uniform(0.3, 1, 2)
        c, h = (np.round(4 * c) / 4, np.round(4 * h) / 4 + 0.25) if lattice else (c, h)
        kind = generator.integers(3)
        if kind == 0:
            return Box({x: (c[0] - h[0], c[0] + h[0]), y: (c[1] - h[1], c[1] + h[1])})
        return Disk(S, c, h[0]) if kind == 1 else Ellipse(S, c, h, 0 if lattice else 1.0)
    while True:
        a, b = (random_shape(generator, depth - 1, lattice) for _ in range(2))
        try:
            return [a.__or__, a.__and__, a.__sub__][generator.integers(3)](b)
        except ProblemError:
            continue


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Disk(S, (0, 0), 0), "radius is 0; it must be above zero"),
        (lambda: Disk(S, (0, 0), -1), "must be above zero"),
        (lambda: Disk(S, (0, 0), float("nan")), "finite number"),
        (lambda: Disk(S, (0, sp.oo), 1), "finite number"),
        (lambda: Disk(S, (0, 0, 0), 1), "needs 2 numbers"),
        (lambda: Disk((x, x), (0, 0), 1), "called x"),
        (lambda: Disk((x, y, z), (0, 0), 1), "coordinates first"),
        (lambda: Disk(x, (0, 0), 1), "coordinates first"),
        (lambda: Disk(("x", "y"), (0, 0), 1), "sp.symbols"),
        (lambda: Ellipse(S, (0, 0), (1, 0)), "half axis"),
        (lambda: Ellipse(S, (0, 0), 1), "needs 2 numbers"),
        (lambda: Polygon(S, [(0, 0), (1, 1)]), "at least three"),
        (lambda: Polygon(S, [(0, 0), (1, 1), (0, 0)]), "at least three"),
        (lambda: Polygon(S, [(0, 0), (1, 1), (1, 0), (0, 1)]), r"meets the side from vertex 2 at \(0.5, 0.5\)"),
        (lambda: Polygon(S, [(0, 0), (1, 0), (2, 0)]), "meets|on one line"),
        (lambda: Polygon(S, [(0, 0), (0, 0), (1, 0), (1, 1)]), "are the same"),
        (lambda: Polygon(S, [(0, 0), (1, 0), (0, float("nan"))]), "finite"),
        (lambda: Polygon(S, 3), "list of vertices"),
        (lambda: Polygon(S, [(0, 0), (1, 0), (1, 1)], [[(2, 2), (3, 2), (3, 3)]]), "hole 0 .* does not lie inside"),
        (lambda: UNIT & Disk(S, (5, 5), 1), "intersection of .* is empty"),
        (lambda: UNIT & Disk(S, (2, 0), 1), "is empty"),
        (lambda: HOLES[0] - SQUARE, "difference of .* is empty"),
        (lambda: UNIT - UNIT, "is empty"),
        (lambda: UNIT | Disk((y, x), (0, 0), 1), "same coordinates, in the same order"),
        (lambda: UNIT | Box({x: (0, 1)}), "same coordinates"),
        (lambda: UNIT | 3, "needs a shape"),
        (lambda: UNIT - UNIT * Time(t, (0, 1)), "needs a shape"),
        (lambda: ARROW.side(7), "sides 0 to 3"),
        (lambda: UNIT.adopt(MOVED.boundary), "another domain"),
        (lambda: collocate(PERFORATED.boundary.where(x > 5), 10), "0 pieces"),
        (lambda: UNIT.scaled({x: 2.0}), "one factor in all of x, y"),
    ],
)
def test_mistakes_are_named(make, message: str) -> None:
    with pytest.raises(ProblemError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)
