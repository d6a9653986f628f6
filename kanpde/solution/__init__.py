"""The verb and its result: `solve(problem, rtol)` gives a `Solution`, which evaluates, saves and draws itself."""

from kanpde.solution.deflation import modes
from kanpde.solution.files import load
from kanpde.solution.solution import Solution, describe
from kanpde.solution.solving import solve

__all__ = ["Solution", "describe", "load", "modes", "solve"]
