"""`pruned`: a solution with as few nodes and as coarse edges as its accuracy allows."""

from __future__ import annotations

import math
from collections.abc import Callable

from kanpde.errors import ProblemError
from kanpde.pruning.importance import network_of
from kanpde.pruning.moves import thinned
from kanpde.pruning.search import Attempt, Row, Search
from kanpde.solution import Solution


def pruned(
    solution: Solution,
    rtol: float | None = None,
    *,
    threshold: float | None = None,
    max_seconds: float | None = None,
    progress: bool = False,
    callback: Callable[[Row], None] | None = None,
    tell: Callable[[Attempt], None] | None = None,
) -> Solution:
    """A smaller network for the same accuracy, trained again; the solution itself where there is none.

    First hidden nodes go, the least important ones first (`kanpde.network.attribution`), as many at once as can be
    spared; then inputs that do not matter get straight lines for edges; then edges get coarser. After each change all
    that is left is trained, and the change stays if 1.5 · error_estimate ≤ rtol. What was tried is in
    `attempts(solution)`, and in its file.

    Args:
        solution: of one network; converged or not.
        rtol: relative L2 error that the result must reach, that of the solution by default.
        threshold: share of its layer's scores that a node must be below to go; None lets all of them try.
        max_seconds: stop after this wall time with what was reached.
        progress: print a line for each network that is tried.
        callback: called once an iteration, as by `solve`.
        tell: called with each `Attempt`.

    Raises:
        ProblemError: a network without nodes, or a tolerance that is none.
    """
    goal = solution.record.rtol if rtol is None else rtol
    network_of(solution)
    check(goal, max_seconds, threshold)
    search = Search(solution, goal, max_seconds, telling(tell, progress), callback)
    thinned(search, threshold)
    return search.result()


def check(rtol: float, max_seconds: float | None, threshold: float | None = None) -> None:
    """Whether the numbers mean something.

    Raises:
        ProblemError: otherwise.
    """
    if not (math.isfinite(rtol) and rtol > 0):
        raise ProblemError(f"rtol must be a positive number, got {rtol}")
    if max_seconds is not None and not max_seconds > 0:
        raise ProblemError(f"max_seconds must be positive, got {max_seconds}")
    if threshold is not None and not 0 < threshold <= 1:
        raise ProblemError(f"threshold={threshold} is no share of a layer's scores; give a number up to 1")


def telling(tell: Callable[[Attempt], None] | None, progress: bool) -> Callable[[Attempt], None] | None:
    """Whom to tell of each attempt."""
    if not progress:
        return tell

    def told(attempt: Attempt) -> None:
        print(attempt, flush=True)
        if tell is not None:
            tell(attempt)

    return told
