"""Domains and their regions: shapes and their algebra, time intervals and parameter ranges, products, and parts."""

from .box import Box
from .core import Domain, Point, Region
from .interface import level_set
from .interval import Interval, ParameterRange, Time
from .mesh import Mesh
from .patch import ShapePiece
from .piece import N_MEASURE, BoxPiece, Piece, halton
from .polygon import Polygon
from .product import Product
from .shape import Combination, Shape
from .shapes import Cylinder, Disk, Ellipse, Sphere
from .tree import domain_from_tree, domain_to_tree, region_from_tree, region_to_tree

__all__ = [
    "N_MEASURE",
    "Box",
    "BoxPiece",
    "Combination",
    "Cylinder",
    "Disk",
    "Domain",
    "Ellipse",
    "Interval",
    "Mesh",
    "ParameterRange",
    "Piece",
    "Point",
    "Polygon",
    "Product",
    "Region",
    "Shape",
    "ShapePiece",
    "Sphere",
    "Time",
    "domain_from_tree",
    "domain_to_tree",
    "halton",
    "level_set",
    "region_from_tree",
    "region_to_tree",
]
