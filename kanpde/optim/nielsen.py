"""Nielsen's rule for the damping λ (Nielsen 1999, IMM-REP-1999-05): it follows how well the linear model foretold."""

from __future__ import annotations

import sys
from collections.abc import Iterator


def raised(damping: float, smallest: float) -> Iterator[float]:
    """The dampings to try in turn, the first as it is, then 2, 8, 64, ... times it."""
    growth = 2.0
    while True:
        yield damping
        damping, growth = max(damping * growth, smallest), 2.0 * growth


def lowered(damping: float, decrease: float, predicted: float, smallest: float) -> float:
    """λ max(1/3, 1 − (2ρ − 1)³) with ρ = decrease / predicted, after a step that lowered the loss."""
    ratio = decrease / max(predicted, sys.float_info.min)
    return max(damping * max(1.0 / 3.0, 1.0 - (2.0 * min(ratio, 1.0) - 1.0) ** 3), smallest)
