"""Points that fill the unit cube evenly: scrambled Sobol sequences and Latin hypercubes; samples of points by chance.

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


def systematic(probabilities: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Positions of a sample without repetition, in which each of m things is with exactly its own probability.

    One random number u places the teeth u, u + 1, u + 2, … of a comb on the line along which the probabilities are laid
    end to end (Madow 1949). Whatever is smooth along that line is sampled evenly.

    Args:
        probabilities: (m,) from 0 to 1, their sum n a whole number up to rounding.
        generator: of u.
    """
    ends = np.cumsum(probabilities)
    teeth = generator.random() + np.arange(round(float(ends[-1])))
    return np.minimum(np.searchsorted(ends, teeth, side="right"), len(ends) - 1)


def curve_order(points: np.ndarray) -> np.ndarray:
    """The order (n,) in which Morton's curve passes through points (n, d): neighbours on it are neighbours in space."""
    lower, extent = points.min(axis=0), np.ptp(points, axis=0)
    dimension = points.shape[1]
    bits = min(20, 62 // dimension)
    unit = (points - lower) / np.where(extent > 0, extent, 1.0)
    cells = np.minimum(unit * 2**bits, 2**bits - 1).astype(np.int64)
    keys = np.zeros(len(points), dtype=np.int64)
    for bit in range(bits):
        for axis in range(dimension):
            keys |= (cells[:, axis] >> bit & 1) << (bit * dimension + axis)
    return np.argsort(keys, kind="stable")


def _qmc() -> Any:
    return importlib.import_module("scipy.stats.qmc")
