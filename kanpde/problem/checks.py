"""Checks of a whole problem at the door: what makes it unsolvable is an error, what is unusual is a warning."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .problem import Problem


def check(problem: Problem) -> list[str]:
    """Return the warnings about a problem.

    Raises:
        ProblemError: the problem cannot have one solution.
    """
    return []
