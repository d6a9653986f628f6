"""Domains and their regions: boxes, time intervals and parameter ranges, their products, and parts of them."""

from .box import Box, ParameterRange, Product, Time
from .core import Domain, Point
from .piece import BoxPiece, Piece, halton
from .region import Region

__all__ = ["Box", "BoxPiece", "Domain", "ParameterRange", "Piece", "Point", "Product", "Region", "Time", "halton"]
