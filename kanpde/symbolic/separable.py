"""Sums of products of functions of one coordinate each, found by singular values and candidates in their spaces.

Along each coordinate the values of u are a matrix, coordinate against all others. Its rank says how many functions of
that coordinate there are, its left singular vectors span them. Once candidates span them as well, u is linear in their
products, and terms that are not needed are dropped, the least damage first.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import sympy as sp

from kanpde.symbolic.atoms import spanning
from kanpde.symbolic.curves import Atom, Curves
from kanpde.symbolic.families import Family
from kanpde.symbolic.target import Target

NODES = 72  # along a coordinate
ACROSS = 40  # points of all others
LARGEST_RANK = 4
RANK = 10.0  # times the noise: singular values below it are noise
LOOSE = 10.0  # times the noise of a curve that a candidate may be off
MOST_TERMS = 160
MOST_CHOICES = 6
ALLOWED = 20.0  # times the noise that the sum may be off
POINTS = 400


def curves_along(target: Target, axis: int) -> Curves | None:
    """The functions of one coordinate that the target is made of; None where there are too many."""
    low, high = target.bounds[axis]
    x = (low + high) / 2 - (high - low) / 2 * np.cos((np.arange(NODES) + 0.5) * np.pi / NODES)
    if target.dimension == 1:
        matrix = target.values(x[:, None])[:, None]
    else:
        others = target.points(ACROSS)
        grid = np.repeat(others[None], NODES, axis=0)
        grid[:, :, axis] = x[:, None]
        matrix = target.values(grid.reshape(-1, target.dimension)).reshape(NODES, ACROSS)
    if not np.isfinite(matrix).all():
        return None
    left, singular, _ = np.linalg.svd(matrix, full_matrices=False)
    rank = int((singular > RANK * target.noise * singular[0]).sum())
    if rank > LARGEST_RANK or not singular[0] > 0:
        return None
    return Curves(x, left[:, :rank], LOOSE * target.noise * singular[0] / singular[:rank])


def separated(target: Target, allowed: Sequence[Sequence[Family]]) -> Iterator[sp.Expr]:
    """Expressions with numbers that follow the target, if it is a short sum of products.

    Args:
        target: what is to be written down.
        allowed: families for each coordinate.
    """
    spaces = [curves_along(target, axis) for axis in range(target.dimension)]
    if any(space is None for space in spaces):
        return
    searches = [spanning(space, some) for space, some in zip(spaces, allowed, strict=True) if space is not None]
    choices = [list(itertools.islice(search, 1)) for search in searches]
    seen = 0
    while all(choices) and seen < MOST_CHOICES:
        for atoms in list(itertools.product(*choices))[seen:]:
            found = combined(target, atoms)
            if found is not None:
                yield found
        seen = int(np.prod([len(some) for some in choices]))
        choices = [[*some, *itertools.islice(search, 1)] for some, search in zip(choices, searches, strict=True)]
        if int(np.prod([len(some) for some in choices])) == seen:
            return


def combined(target: Target, atoms: Sequence[Sequence[Atom]]) -> sp.Expr | None:
    """The target as a sum of products of atoms, without those that are not needed; None where it is none."""
    terms = list(itertools.product(*[[None, *some] for some in atoms]))
    if len(terms) > MOST_TERMS:
        return None
    points = target.points(max(POINTS, 6 * len(terms)))
    values = target.values(points)
    columns = [[None, *(atom.values(points[:, k]) for atom in some)] for k, some in enumerate(atoms)]
    matrix = np.stack([_product(factors, len(points)) for factors in itertools.product(*columns)], axis=1)
    kept, numbers = _needed(matrix, values, ALLOWED * target.noise * target.size)
    if numbers is None:
        return None
    return sp.Add(
        *[sp.Float(c, 15) * _written(terms[k], target.coordinates) for k, c in zip(kept, numbers, strict=True)]
    )


def _product(factors: Sequence[np.ndarray | None], count: int) -> np.ndarray:
    return np.prod([np.ones(count), *(f for f in factors if f is not None)], axis=0)


def _written(term: Sequence[Atom | None], coordinates: Sequence[sp.Symbol]) -> sp.Expr:
    return sp.Mul(*[atom.written(x) for atom, x in zip(term, coordinates, strict=True) if atom is not None])


def _needed(matrix: np.ndarray, values: np.ndarray, allowed: float) -> tuple[list[int], np.ndarray | None]:
    """Columns that are needed and what they are multiplied by; those that matter least go first."""
    kept = list(range(matrix.shape[1]))
    numbers, gap = _least_squares(matrix, values)
    if not gap <= allowed:
        return [], None
    size = np.sqrt(np.mean(np.square(matrix), axis=0))
    for k in np.argsort(np.abs(numbers) * size).tolist():
        fewer = [j for j in kept if j != k]
        without, gap = _least_squares(matrix[:, fewer], values)
        if gap <= allowed:
            kept, numbers = fewer, without
    return kept, numbers


def _least_squares(matrix: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, float]:
    size = np.linalg.norm(matrix, axis=0)
    size = np.where(size > 0, size, 1.0)
    found = np.linalg.lstsq(matrix / size, values, rcond=1e-13)[0] / size
    return found, float(np.sqrt(np.mean(np.square(matrix @ found - values))))
