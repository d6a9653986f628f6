"""Nested dissection by coordinates: an elimination order with little fill for matrices of meshes (George 1973).

The nodes are halved along their longest extent again and again; nodes of the lower half with a neighbour in the upper
one separate the two and are eliminated after both.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

Array = np.ndarray

LEAF = 24
LEVELS = 24


def dissection(matrix: sparse.csc_array, places: Array, late: Array) -> Array:
    """An order of the rows and columns of a matrix.

    Args:
        matrix: (n, n); its pattern counts, made symmetric.
        places: (k, d) of the first k rows; the others (constraints) come last.
        late: (k,) bool: rows with small diagonals (pressures), eliminated after those that they belong to.
    """
    # Degrees of freedom of one place are one node.
    scale = np.max(np.ptp(places, axis=0), initial=1e-300)
    _, node = np.unique(
        np.round((places - places.min(axis=0)) / scale * 1e9).astype(np.int64), axis=0, return_inverse=True
    )
    node = node.ravel()
    count = int(node.max()) + 1
    centre = np.zeros((count, places.shape[1]))
    centre[node] = places
    coo = matrix.tocoo()
    inner = (coo.coords[0] < len(places)) & (coo.coords[1] < len(places))
    i, j = node[coo.coords[0][inner]], node[coo.coords[1][inner]]
    pairs = np.unique(np.concatenate([i[i != j] * count + j[i != j], j[i != j] * count + i[i != j]]))
    rank = _ranked(centre, pairs // count, pairs % count)
    order = np.lexsort((late, rank[node]))
    return np.concatenate([order, np.arange(len(places), matrix.shape[0])])


def _ranked(centre: Array, i: Array, j: Array) -> Array:
    """A number for each node by which they are eliminated; equal ones belong to one leaf or separator."""
    n = len(centre)
    part = np.zeros(n, dtype=np.int64)
    # In base 3: lower half 0, upper half 1, separator 2; digits of a finished node stay 2.
    key = np.zeros(n)
    open_ = np.ones(n, dtype=bool)
    for level in range(LEVELS):
        members = np.flatnonzero(open_)
        if not len(members):
            break
        groups, part[members], sizes = np.unique(part[members], return_inverse=True, return_counts=True)
        upper = np.zeros(n, dtype=bool)
        upper[members] = _upper_half(centre[members], part[members], len(groups))
        open_[members[sizes[part[members]] <= LEAF]] = False
        across = open_[i] & open_[j] & (part[i] == part[j]) & ~upper[i] & upper[j]
        separator = np.zeros(n, dtype=bool)
        separator[i[across]] = True
        weight = 3.0 ** -(level + 1)
        key += weight * np.where(separator, 2.0, np.where(open_ & upper, 1.0, 0.0))
        open_ &= ~separator
        part = 2 * part + upper
        keep = open_[i] & open_[j]
        i, j = i[keep], j[keep]
    return key


def _upper_half(centre: Array, part: Array, count: int) -> Array:
    """Which members lie above the median of their part along its longest extent."""
    low = np.full((count, centre.shape[1]), np.inf)
    high = -low
    np.minimum.at(low, part, centre)
    np.maximum.at(high, part, centre)
    along = np.argmax(high - low, axis=1)[part]
    value = centre[np.arange(len(centre)), along]
    order = np.lexsort((value, part))
    starts = np.searchsorted(part[order], np.arange(count + 1))
    position = np.empty(len(part), dtype=np.int64)
    position[order] = np.arange(len(part)) - starts[part[order]]
    return position >= (starts[1:] - starts[:-1])[part] // 2
