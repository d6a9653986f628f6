"""Domains and regions: measures, normals, containment, and what they refuse."""

import itertools

import numpy as np
import pytest
import sympy as sp

from kanpde.domain import Box, BoxPiece, Domain, ParameterRange, Piece, Point, Region, Time, halton
from kanpde.errors import ProblemError

x, y, z, t, k = sp.symbols("x y z t k", real=True)
SQUARE = Box({x: (-1, 1), y: (0, 3)})
CUBE = Box({x: (0, 1), y: (0, 2), z: (-1, 1)})
LINE = Box({x: (0, sp.pi)})
HYPER = Box({s: (0, 1) for s in sp.symbols("a:5", real=True)})
MOVING = LINE * Time(t, (1, 3))
FAMILY = SQUARE * ParameterRange(k, (1, 4)) * Time(t, (0, 2))

MEASURES = {
    "square": (SQUARE, 6.0, 10.0),
    "cube": (CUBE, 4.0, 16.0),
    "line": (LINE, np.pi, 2.0),
    "hyper": (HYPER, 1.0, 10.0),
    "moving": (MOVING, 2 * np.pi, 4.0),
    "family": (FAMILY, 36.0, 60.0),
}
DOMAINS = {name: domain for name, (domain, _, _) in MEASURES.items()}


@pytest.mark.parametrize("name", MEASURES)
def test_measures(name: str) -> None:
    domain, interior, boundary = MEASURES[name]
    assert domain.measure == pytest.approx(interior, rel=1e-14)
    assert domain.interior.measure == pytest.approx(interior, rel=1e-14)
    assert domain.boundary.measure == pytest.approx(boundary, rel=1e-14)


@pytest.mark.parametrize("name", DOMAINS)
def test_contract_of_a_domain(name: str) -> None:
    check_domain(DOMAINS[name])


def check_domain(domain: Domain) -> None:
    """What every domain promises."""
    d = domain.dimension
    assert len(domain.coordinates) == d
    assert domain.bounds.shape == (d, 2)
    for region in (domain.interior, domain.boundary):
        for piece in region.pieces():
            check_piece(piece, domain)
    for piece in domain.interior.pieces():
        assert piece.dimension == d
        assert piece.normals(piece.points(halton(3, d))) is None
    for piece in domain.boundary.pieces():
        assert piece.dimension == d - 1


def check_piece(piece: Piece, domain: Domain) -> None:
    """Points fill the piece uniformly, lie in the domain, and normals are unit vectors that point out of it."""
    assert isinstance(piece, Piece)
    points = piece.points(halton(50, piece.dimension))
    assert points.shape == (50, domain.dimension)
    assert piece.contains(points).all()
    assert domain.contains(points).all()
    normals = piece.normals(points)
    if normals is not None:
        assert normals.shape == (50, len(domain.space))
        np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1.0)
        step = np.zeros_like(points)
        step[:, : len(domain.space)] = 1e-6 * normals
        assert not domain.contains(points + step).any()
        assert domain.contains(points - step).all()


def test_divergence_theorem() -> None:
    """∫ div v = ∮ v·n, with v = (x², xy, z): every normal and every measure enters."""
    gauss, weights = np.polynomial.legendre.leggauss(4)
    unit, weights = (gauss + 1) / 2, weights / 2

    def integral(piece: Piece, function) -> float:
        points = piece.points(np.array(list(itertools.product(unit, repeat=piece.dimension))))
        w = np.array([np.prod(c) for c in itertools.product(weights, repeat=piece.dimension)])
        return piece.measure * float(w @ function(points, piece.normals(points)))

    flux = sum(
        integral(p, lambda q, n: n[:, 0] * q[:, 0] ** 2 + n[:, 1] * q[:, 0] * q[:, 1] + n[:, 2] * q[:, 2])
        for p in CUBE.boundary.pieces()
    )
    inside = sum(integral(p, lambda q, _: 3 * q[:, 0] + 1) for p in CUBE.interior.pieces())
    assert flux == pytest.approx(inside, rel=1e-13)


def test_order_of_coordinates_is_space_time_parameters() -> None:
    assert FAMILY.coordinates == (x, y, t, k)
    assert FAMILY.space == (x, y)
    assert FAMILY.time == t
    assert FAMILY.parameters == (k,)
    np.testing.assert_array_equal(FAMILY.bounds, [[-1, 1], [0, 3], [0, 2], [1, 4]])


def test_sides() -> None:
    (side,) = SQUARE.upper(y).pieces()
    assert (side.lower, side.upper, side.normal) == ((-1.0, 3.0), (1.0, 3.0), (0.0, 1.0))
    assert SQUARE.upper(y).name == "y = 3"
    (moving,) = MOVING.lower(x).pieces()
    assert (moving.lower, moving.upper, moving.normal) == ((0.0, 1.0), (0.0, 3.0), (-1.0,))


def test_sides_make_up_the_boundary() -> None:
    sides = [side(s) for s in CUBE.space for side in (CUBE.lower, CUBE.upper)]
    union = sides[0]
    for side in sides[1:]:
        union = union | side
    assert union.text == CUBE.boundary.text


def test_the_first_instant() -> None:
    (piece,) = FAMILY.initial.pieces()
    assert piece.lower == (-1.0, 0.0, 0.0, 1.0)
    assert piece.upper == (1.0, 3.0, 0.0, 4.0)
    assert FAMILY.initial.measure == 6.0 * 3.0
    assert FAMILY.initial.name == "t = 0"


def test_ends_of_an_interval_are_points() -> None:
    (end,) = LINE.upper(x).pieces()
    assert (end.dimension, end.measure) == (0, 1.0)
    np.testing.assert_array_equal(end.points(np.zeros((2, 0))), [[np.pi], [np.pi]])


def test_algebra_of_regions() -> None:
    left, right = SQUARE.lower(x), SQUARE.upper(x)
    assert (left | right).measure == 6.0
    assert (SQUARE.boundary - left).measure == 7.0
    assert (SQUARE.boundary & left).text == left.text
    assert (left & right).pieces() == ()
    assert (left | left).text == left.text
    assert (SQUARE.boundary - SQUARE.boundary).pieces() == ()
    half = SQUARE.boundary.where(x < 0)
    assert ((half | SQUARE.boundary.where(x >= 0)).measure) == pytest.approx(10.0)
    assert (SQUARE.boundary - half).measure == pytest.approx(5.0)


@pytest.mark.parametrize(
    ("predicate", "measure"),
    [
        (x < 0, 5.0),
        (y < 1, 4.0),
        (sp.And(x > 0, y > 1), 3.0),
        (sp.Or(x < 0, y < 1), 7.0),
        (sp.Not(x < 0), 5.0),
        (2 * x + 1 > 0, 6.0),
        (sp.Eq(x, -1), 3.0),
        (sp.Ne(x, -1), 7.0),
        (sp.Eq(y, 3), 2.0),
        (x > 5, 0.0),
        (True, 10.0),
    ],
    ids=str,
)
def test_axis_aligned_predicates_are_cut_exactly(predicate: sp.Basic, measure: float) -> None:
    region = SQUARE.boundary.where(predicate)
    assert region.measure == pytest.approx(measure, rel=1e-14)
    assert all(piece.predicate == sp.true for piece in region.pieces() if not isinstance(predicate, sp.Ne))


def test_equality_holds_in_spite_of_rounding() -> None:
    domain = Box({x: (0.1 + 0.2, sp.pi)})
    assert domain.bounds[0, 0] != 0.3
    assert domain.boundary.where(sp.Eq(x, sp.Rational(3, 10))).text == domain.lower(x).text
    assert domain.boundary.where(sp.Eq(x, sp.pi)).text == domain.upper(x).text


def test_curved_predicates_mask_a_piece() -> None:
    region = SQUARE.interior.where(x**2 + (y - 1) ** 2 < 1)
    (piece,) = region.pieces()
    assert region.measure == pytest.approx(np.pi, rel=5e-3)
    points = piece.points(halton(1000, 2))
    inside = piece.contains(points)
    np.testing.assert_array_equal(inside, points[:, 0] ** 2 + (points[:, 1] - 1) ** 2 < 1)
    assert region.contains(np.array([[0.0, 1.0], [0.9, 0.1]])).tolist() == [True, False]


def test_predicates_compare_coordinates_with_each_other() -> None:
    assert SQUARE.upper(y).where(x + y < 3).measure == pytest.approx(1.0, rel=2e-3)


def test_regions_of_a_factor_extend_over_the_product() -> None:
    assert FAMILY.adopt(SQUARE.lower(x)).text == FAMILY.lower(x).text
    assert FAMILY.adopt((SQUARE * ParameterRange(k, (1, 4))).boundary).text == FAMILY.boundary.text
    assert FAMILY.adopt((SQUARE * Time(t, (0, 2))).initial).text == FAMILY.initial.text
    assert FAMILY.adopt(SQUARE.boundary.where(x < 0)).measure == pytest.approx(30.0)
    assert FAMILY.adopt(FAMILY.boundary) == FAMILY.boundary


def test_predicates_of_a_product_may_use_time() -> None:
    assert MOVING.boundary.where(t < 2).measure == pytest.approx(2.0)


def test_points() -> None:
    (piece,) = MOVING.at(Point({x: 1})).pieces()
    assert (piece.lower, piece.upper, piece.dimension, piece.normal) == ((1.0, 1.0), (1.0, 3.0), 1, None)
    (fixed,) = MOVING.at(Point({x: 1, t: 2})).pieces()
    assert (fixed.dimension, fixed.measure) == (0, 1.0)
    assert str(Point({x: 1, t: 2})) == "x = 1, t = 2"


def test_points_reach_the_upper_bound_exactly() -> None:
    piece = BoxPiece((x,), (-0.1,), (0.2,))
    assert piece.points(np.array([[1.0]]))[0, 0] == 0.2


def test_halton_points_are_evenly_spread() -> None:
    points = halton(4096, 3)
    assert points.min() > 0.0
    assert points.max() < 1.0
    np.testing.assert_array_equal(halton(4, 2), [[1 / 2, 1 / 3], [1 / 4, 2 / 3], [3 / 4, 1 / 9], [1 / 8, 4 / 9]])
    errors = [abs(float(np.prod(halton(n, 3), axis=1).mean()) - 0.125) for n in (64, 4096)]
    assert errors[1] < errors[0] / 8


def test_domains_are_values() -> None:
    assert Box({x: (-1, 1), y: (0, 3)}) == SQUARE
    assert hash(Box({x: (-1, 1), y: (0, 3)})) == hash(SQUARE)
    assert LINE * Time(t, (1, 3)) == MOVING
    assert (LINE * Time(t, (1, 3))).boundary == MOVING.boundary


def test_texts_tell_domains_apart() -> None:
    domains = [SQUARE, LINE, MOVING, LINE * ParameterRange(t, (1, 3)), LINE * Time(t, (1, 2)), Box({x: (0, 1)})]
    assert len({d.text for d in domains}) == len(domains)
    assert repr(MOVING) == "Product(x in [0.0, 3.141592653589793]; time t in [1.0, 3.0])"
    assert repr(Box({x: (0, 1)})) == "Box(x in [0.0, 1.0])"
    assert repr(SQUARE.boundary.where(x < 0)) == "Region(boundary where x < 0)"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Box({x: (1, 0)}), r"\(1, 0\) of x is inverted; write \(0, 1\)"),
        (lambda: Box({x: (1, 1)}), "empty"),
        (lambda: Box({x: (0, sp.oo)}), "finite number, not oo"),
        (lambda: Box({x: (0, float("nan"))}), "finite number"),
        (lambda: Box({x: (0, k)}), "finite number, not k"),
        (lambda: Box({x: 3}), "two numbers"),
        (lambda: Box({x: (1, 2, 3)}), "two numbers"),
        (lambda: Box({x: ("0", "1")}), "not a SymPy expression or a number"),
        (lambda: Box({}), "coordinates and their intervals"),
        (lambda: Box([(0, 1)]), "coordinates and their intervals"),
        (lambda: Box({"x": (0, 1)}), "sp.symbols"),
        (lambda: Box({x: (0, 1), sp.Symbol("x"): (0, 1)}), "two coordinates .* called x"),
        (lambda: Time(t, (1, 0)), "Time: .*inverted"),
        (lambda: ParameterRange(k, (1, 1)), "ParameterRange: .*empty"),
        (lambda: SQUARE * Time(x, (0, 1)), "called x"),
        (lambda: MOVING * Time(k, (0, 1)), "time t already"),
        (lambda: SQUARE * 3, "multiplied by Time or ParameterRange"),
        (lambda: SQUARE.lower(k), "k is not a spatial coordinate"),
        (lambda: MOVING.lower(t), "t is not a spatial coordinate"),
        (lambda: SQUARE.initial, "has no time"),
        (lambda: SQUARE.boundary.where(k < 0), "uses k"),
        (lambda: SQUARE.boundary.where(x), "needs a condition"),
        (lambda: SQUARE.boundary.where("x < 0"), "not a SymPy expression"),
        (lambda: SQUARE.boundary | CUBE.boundary, "different domains"),
        (lambda: SQUARE.adopt(CUBE.boundary), "another domain"),
        (lambda: MOVING.adopt(SQUARE.boundary), "another domain"),
        (lambda: SQUARE.adopt(MOVING.boundary), "another domain"),
        (lambda: MOVING.adopt((LINE * Time(t, (0, 1))).boundary), "another domain"),
        (lambda: SQUARE.at(Point({x: 0})), "leaves y open"),
        (lambda: SQUARE.at(Point({x: 0, y: 9})), "outside the domain"),
        (lambda: SQUARE.at(Point({x: 0, y: 1, z: 0})), "names z"),
        (lambda: Point({"x": 0}), "sp.symbols"),
    ],
)
def test_mistakes_are_named(make, message: str) -> None:
    with pytest.raises(ProblemError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_regions_are_readable() -> None:
    region = SQUARE.lower(x) | SQUARE.upper(x)
    assert isinstance(region, Region)
    assert region.name == "x = -1 or x = 1"
