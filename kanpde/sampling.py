"""Points that fill the unit cube evenly: scrambled Sobol sequences and Latin hypercubes.

This is the one place that loads scipy.stats, which takes longer to import than all else that kanpde needs of SciPy.
"""

from __future__ import annotations

import importlib
import math
from typing import Any

import numpy as np


def sobol(count: int, dimension: int, seed: int | np.random.Generator) -> np.ndarray:
    """The first points of a scrambled Sobol sequence, (count, dimension); best where `count` is a power of two."""
    engine = _qmc().Sobol(dimension, scramble=True, rng=seed)
    return engine.random_base2(max(0, math.ceil(math.log2(count))))[:count]


def latin_hypercube(count: int, dimension: int, seed: int | np.random.Generator) -> np.ndarray:
    """One point in every slab of every axis, (count, dimension)."""
    return _qmc().LatinHypercube(dimension, rng=seed).random(count)


def _qmc() -> Any:
    return importlib.import_module("scipy.stats.qmc")
