"""Domains and their regions: boxes, time intervals and parameter ranges, their products, and parts of them."""

from .box import Box, ParameterRange, Product, Time
from .core import Domain, Point, Region
from .piece import N_MEASURE, BoxPiece, Piece, halton

__all__ = [
    "N_MEASURE",
    "Box",
    "BoxPiece",
    "Domain",
    "ParameterRange",
    "Piece",
    "Point",
    "Product",
    "Region",
    "Time",
    "halton",
]
