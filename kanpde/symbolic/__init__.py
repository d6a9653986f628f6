"""Formulas: candidate functions for the curves of edges, constants recognised, and proofs by substitution."""

from kanpde.symbolic.constants import Recognised, recognised
from kanpde.symbolic.fits import Fit, candidates_for, fitted, pareto, ranked
from kanpde.symbolic.formula import SECONDS, Formula, symbolic
from kanpde.symbolic.library import LIBRARY, Candidate, library
from kanpde.symbolic.proof import Proof, claims, proof, vanishes
from kanpde.symbolic.search import Choice

__all__ = [
    "LIBRARY",
    "SECONDS",
    "Candidate",
    "Choice",
    "Fit",
    "Formula",
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
    "symbolic",
    "vanishes",
]
