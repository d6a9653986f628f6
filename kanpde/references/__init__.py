"""References: grid differences and collocation from the same normal form, and the estimate of a field's error (no torch)."""

from .correction import DefectEstimate, DefectSolver, correct
from .function import GridFunction
from .reference import reference

__all__ = ["DefectEstimate", "DefectSolver", "GridFunction", "correct", "reference"]
