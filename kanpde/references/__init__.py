"""References: grid differences and collocation from the same normal form, and the engine of the error estimate."""

from .correction import DefectEstimate, DefectSolver, correct
from .function import GridFunction
from .library import best_conventional, find_reference
from .reference import reference

__all__ = [
    "DefectEstimate",
    "DefectSolver",
    "GridFunction",
    "best_conventional",
    "correct",
    "find_reference",
    "reference",
]
