"""Curves as sums: polynomials times a wave or an exponential, damped waves, or two or three atoms together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from kanpde.symbolic.curves import APART, Atom, Curves, are_apart, least_residual, orthonormal, thinned
from kanpde.symbolic.families import NONE, Family, modulations

PAIRS = 12  # sums that are followed
MOST_POWERS = 4  # of x before a wave or an exponential
MOST_COLUMNS = 6  # functions for each curve that they may take
ROUNDING = 1e-11  # of a column that is new
HOPELESS_GAP = 1e3  # of functions that are not defined
MINIMA = 4  # of what they leave that are followed
SIMPLE = 3  # complexity of the families that sums are made of first
BEST = 4000  # pairs of the grid that are looked at


def modulated(curves: Curves, allowed: Sequence[Family]) -> Iterator[list[Atom]]:
    """Σ x^k f(a x) for one a, f an exponential, or sine and cosine, or damped waves: the fewest functions first."""
    for group in modulations({family.name for family in allowed}, MOST_POWERS):
        if len(group) > MOST_COLUMNS * curves.values.shape[1]:
            continue
        grid = np.stack(group[0].grid(curves.x), axis=1)
        gaps = np.linalg.norm(_residuals(curves, group, grid), axis=1)
        for k in np.argsort(gaps)[:MINIMA]:
            atoms = _tuned(curves, group, grid[k])
            needed = thinned(curves, atoms[::-1]) if curves.covered(atoms) else []
            if needed and are_apart(curves, needed):
                yield needed
                break


def _tuned(curves: Curves, group: Sequence[Family], start: np.ndarray) -> list[Atom]:
    """A group with the numbers that leave least of the curves."""
    count = group[0].tier

    def residual(theta: np.ndarray) -> np.ndarray:
        return _residuals(curves, group, np.append(theta, start[count:])[None])[0]

    found = np.append(least_residual(residual, start[:count]), start[count:])
    return [Atom(family, float(found[0]), float(found[1]), 0.0) for family in group]


def _residuals(curves: Curves, group: Sequence[Family], numbers: np.ndarray) -> np.ndarray:
    """What constants and the functions of a group leave of the curves, for k pairs of numbers, (k, n r)."""
    a, b = numbers.T
    columns = np.stack([np.ones((len(a), len(curves.x))), *(family(curves.x, a, b) for family in group)], axis=2)
    good = np.isfinite(columns).all(axis=(1, 2))
    sizes = np.linalg.norm(columns, axis=1, keepdims=True)
    scaled = np.where(good[:, None, None], columns / np.where(sizes > 0, sizes, 1.0), 0.0)
    inside, triangular = np.linalg.qr(scaled)
    diagonal = np.abs(np.einsum("kpp->kp", triangular))
    inside = inside * (diagonal > ROUNDING * np.maximum(diagonal.max(axis=1, keepdims=True), 1e-300))[:, None, :]
    gaps = curves.values - np.einsum("knp,kmp,mr->knr", inside, inside, curves.values, optimize=True)
    return np.where(good[:, None], gaps.reshape(len(a), -1), HOPELESS_GAP)


def sums(curves: Curves, allowed: Sequence[Family]) -> Iterator[list[Atom]]:
    """Two or three atoms whose sum a single curve is."""
    simple = [family for family in allowed if family.tier < 2 and family.complexity <= SIMPLE]
    single = [family for family in allowed if family.tier < 2]
    for some in filter(None, (simple, single)):
        table = _Table.of(curves, some)
        pairs = [_together(table.atoms(group), curves) for group in table.pairs()[:PAIRS]]
        triples = (_together([*pair, table.next(pair)], curves) for pair in pairs)
        for found in (*pairs, *triples):
            if curves.covered(found) and are_apart(curves, found):
                yield found
                return


@dataclass(frozen=True, eq=False)
class _Table:
    """Atoms on a grid.

    Attributes:
        families: of each, by position.
        a, b: (k,).
        rows: centred, of norm one, (k, n).
        x: abscissae, (n,).
        target: the curve, centred, of norm one.
    """

    families: tuple[Family, ...]
    a: np.ndarray
    b: np.ndarray
    rows: np.ndarray
    x: np.ndarray
    target: np.ndarray

    @classmethod
    def of(cls, curves: Curves, allowed: Sequence[Family]) -> _Table:
        """Those of few numbers."""
        owners: list[Family] = []
        parts, firsts, seconds = [], [], []
        for family in allowed:
            a, b = family.grid(curves.x)
            values = family(curves.x, a, b)
            values = values - values.mean(axis=1, keepdims=True)
            sizes = np.linalg.norm(values, axis=1)
            good = np.isfinite(sizes) & (sizes > 0)
            owners += [family] * int(good.sum())
            parts.append(values[good] / sizes[good, None])
            firsts.append(a[good])
            seconds.append(b[good])
        y = curves.values[:, 0] - curves.values[:, 0].mean()
        numbers = np.concatenate(firsts), np.concatenate(seconds)
        return cls(tuple(owners), *numbers, np.concatenate(parts), curves.x, y / np.linalg.norm(y))

    def atoms(self, group: Sequence[int]) -> list[Atom]:
        """Those at some positions."""
        return [Atom(self.families[k], float(self.a[k]), float(self.b[k]), 0.0) for k in group]

    def pairs(self) -> list[tuple[int, ...]]:
        """The best pairs, no two of them of the same families, best first."""
        overlap, own = self.rows @ self.rows.T, self.rows @ self.target
        with np.errstate(all="ignore"):
            rest = 1 - np.square(overlap)
            share = (own[:, None] ** 2 + own[None] ** 2 - 2 * own[:, None] * own[None] * overlap) / rest
        share[rest < APART] = -np.inf
        share[np.tril_indices(len(share))] = -np.inf
        count = min(BEST, share.size)
        best = np.argpartition(share, -count, axis=None)[-count:]
        order = best[np.argsort(-share.ravel()[best])]
        return self._distinct([divmod(int(k), len(share)) for k in order])

    def next(self, atoms: Sequence[Atom]) -> Atom:
        """The one that helps most beside some others."""
        inside = orthonormal(np.column_stack([np.ones(len(self.x)), *(atom.values(self.x) for atom in atoms)]))
        rest = self.rows - (self.rows @ inside) @ inside.T
        left = self.target - inside @ (inside.T @ self.target)
        sizes = np.square(rest).sum(axis=1)
        with np.errstate(all="ignore"):
            gain = np.where(sizes > APART, np.square(rest @ left) / sizes, 0.0)
        return self.atoms([int(np.argmax(gain))])[0]

    def _distinct(self, groups: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
        seen, found = set(), []
        for group in groups:
            kinds = tuple(sorted(id(self.families[k]) for k in group))
            if kinds not in seen:
                seen.add(kinds)
                found.append(group)
        return found


def _together(group: Sequence[Atom], curves: Curves) -> list[Atom]:
    """The numbers of several atoms at once, what they are multiplied by projected out."""
    kinds = [atom.family for atom in group]
    free = [(n, k) for n, f in enumerate(kinds) for k, kind in enumerate((f.first, f.second)) if kind != NONE]
    start = [(atom.a, atom.b) for atom in group]

    def atoms(theta: np.ndarray) -> list[Atom]:
        numbers = [list(pair) for pair in start]
        for (n, k), value in zip(free, theta, strict=True):
            numbers[n][k] = float(value)
        return [Atom(f, a, b, 0.0) for f, (a, b) in zip(kinds, numbers, strict=True)]

    def gap(theta: np.ndarray) -> np.ndarray:
        columns = np.column_stack([np.ones(len(curves.x)), *(atom.values(curves.x) for atom in atoms(theta))])
        if not np.isfinite(columns).all() or not np.abs(columns).max(axis=0).all():
            return np.full(len(curves.x), 1e3)
        inside = orthonormal(columns)
        return curves.values[:, 0] - inside @ (inside.T @ curves.values[:, 0])

    theta = np.array([start[n][k] for n, k in free])
    return atoms(least_residual(gap, theta) if free else theta)
