"""Conditions that are imposed on the functions themselves: U = T V + g with free V, and rows with multipliers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Constraints:
    """U = T V + g, and W U = w with one multiplier a row.

    Attributes:
        transfer: T, (n, n_free).
        offset: g, (n,).
        rows: W, (r, n).
        values: w, (r,).
        masters: which U each free value is, (n_free,).
    """

    transfer: sparse.csr_array
    offset: Array
    rows: sparse.csr_array
    values: Array
    masters: Array

    @property
    def free(self) -> int:
        """The number of free values."""
        return int(self.transfer.shape[1])

    def admissible(self, state: Array) -> Array:
        """A state that keeps T and g, with the free values of another one."""
        return np.asarray(self.transfer @ state[self.masters] + self.offset)


@dataclass(frozen=True, eq=False)
class Slave:
    """U_number = Σ coefficient · U_master + value."""

    number: int
    masters: tuple[int, ...]
    coefficients: tuple[float, ...]
    value: float


def constraints(
    size: int,
    fixed: dict[int, float],
    slaves: list[Slave],
    same: Array,
    rows: sparse.csr_array,
    values: Array,
) -> Constraints:
    """Put together what holds.

    Args:
        size: number of unknowns n.
        fixed: values of some of them.
        slaves: combinations; a master must not be a slave, but may be fixed.
        same: (n,) representative of each unknown, itself unless identified with another.
        rows: (r, n) rows with multipliers.
        values: (r,) what they must give.
    """
    offset = np.zeros(size)
    held = np.zeros(size, dtype=bool)
    for number, value in fixed.items():
        held[same[number]], offset[same[number]] = True, value
    slave = {int(same[s.number]): s for s in slaves if not held[same[s.number]]}
    bound = held.copy()
    bound[list(slave)] = True
    independent = (same == np.arange(size)) & ~bound
    column = np.cumsum(independent) - 1
    first = np.flatnonzero(independent)
    entries = [(first, column[first], np.ones(len(first)))]
    for number, s in slave.items():
        offset[number] = s.value
        for master, coefficient in zip(s.masters, s.coefficients, strict=True):
            m = int(same[master])
            if held[m]:
                offset[number] += coefficient * offset[m]
            else:
                entries.append((np.array([number]), column[[m]], np.array([coefficient])))
    i, j, v = (np.concatenate(part) for part in zip(*entries, strict=True))
    base = sparse.csr_array((v, (i, j)), shape=(size, int(independent.sum())))
    return Constraints(base[same], offset[same], rows, values, first)
