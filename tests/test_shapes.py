"""Shapes of the plane and their algebra: measures, outlines, normals, regions of components, quadrature."""

import numpy as np
import pytest
import sympy as sp
from test_domain import check_domain

from kanpde.collocation import collocate
from kanpde.domain import Box, Disk, Domain, Ellipse, ParameterRange, Polygon, Shape, Time

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


def test_contracts_of_domains() -> None:
    domains: list[Domain] = [PERFORATED, ARROW, PERFORATED * Time(t, (0, 1))]
    for domain in domains:
        assert domain.bounds.shape == (domain.dimension, 2)
    check_domain(SHAPES["L by union"][0])
