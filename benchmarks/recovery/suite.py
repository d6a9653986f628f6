"""The problems of the study, fixed before any formula was looked for in them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

from benchmarks.recovery.case import Case
from benchmarks.recovery.diffusive import DIFFUSIVE
from benchmarks.recovery.feynman import FORMULAS, regression
from benchmarks.recovery.ordinary import ORDINARY
from benchmarks.recovery.stationary import STATIONARY
from benchmarks.recovery.systems import SYSTEMS
from benchmarks.recovery.waves import WAVES

# By name; a case is made when it is asked for, for a statement is compiled and checked, which takes a while.
SUITE: Mapping[str, Callable[[], Case]] = {
    **{make.__name__: make for make in (*ORDINARY, *STATIONARY, *DIFFUSIVE, *WAVES, *SYSTEMS)},
    **{name: functools.partial(regression, name) for name in FORMULAS},
}
