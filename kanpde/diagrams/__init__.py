"""Diagrams of networks: nodes in rows from the inputs up to the outputs, and on every edge its curve.

For print as SVG, PDF or PNG, and for the screen as one HTML file in which each edge can be looked at. Like all figures
they are made from stored tables alone.
"""

from kanpde.diagrams.diagram import Diagram, Link, Node, diagram_of
from kanpde.diagrams.page import Candidates, html
from kanpde.diagrams.writing import FORMATS, check_format, write

__all__ = ["FORMATS", "Candidates", "Diagram", "Link", "Node", "check_format", "diagram_of", "html", "write"]
