"""Smaller networks: what can be left out of a solution's, and the smallest one that solves a problem."""

from kanpde.pruning.descent import smallest
from kanpde.pruning.search import Attempt, attempts, ending
from kanpde.pruning.smaller import pruned

__all__ = ["Attempt", "attempts", "ending", "pruned", "smallest"]
