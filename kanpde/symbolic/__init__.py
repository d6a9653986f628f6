"""Formulas: candidate functions for the curves of edges, constants recognised, and proofs by substitution."""

from kanpde.symbolic.constants import Recognised, recognised
from kanpde.symbolic.fits import Fit, candidates_for, fitted, pareto, ranked
from kanpde.symbolic.library import LIBRARY, Candidate, library
from kanpde.symbolic.proof import Proof, claims, proof, vanishes

__all__ = [
    "LIBRARY",
    "Candidate",
    "Fit",
    "Proof",
    "Recognised",
    "candidates_for",
    "claims",
    "fitted",
    "library",
    "pareto",
    "proof",
    "ranked",
    "recognised",
    "vanishes",
]
