"""Finite elements through scikit-fem: references on any domain, from the same normal form as everything else."""

from .defect import FemDefectSolver
from .eigen import Eigenpair, eigenpairs
from .function import FemFunction
from .reference import fem_eigenvalues, fem_reference
from .weak import has_pressure

__all__ = [
    "Eigenpair",
    "FemDefectSolver",
    "FemFunction",
    "eigenpairs",
    "fem_eigenvalues",
    "fem_reference",
    "has_pressure",
]
