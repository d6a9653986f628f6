"""Functions that span a space of curves: what a separable solution is made of along one coordinate.

The factors of u = Σ_k A_k(x) B_k(y) are known only up to a mixing of the A_k, but the space that they span is known. A
candidate is recognised by its distance from that space, with constants added to it, whatever it is mixed with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import sympy as sp
from scipy.optimize import least_squares

from kanpde.symbolic.families import NONE, RATE, Family

STARTS = 6  # minima of the distance that are followed, a family
PROMISING = 24  # families that are, a tier
HOPELESS = 0.6  # distance on the grid
NEAR = 1e-9  # relative distance of two functions that are the same one
NEW = 1e-4  # share of an atom that must be outside the span of those before it
STEPS = 80
FLATTEST = 3e-3  # relative distance from a straight line
PAIRS = 12  # sums that are followed
APART = 1e-3  # 1 − ρ² of two atoms in a sum
SIMPLE = 3  # complexity of the families that sums are made of first
BEST = 4000  # pairs of the grid that are looked at


@dataclass(frozen=True)
class Atom:
    """A function of a family with its numbers.

    Attributes:
        family: f.
        a, b: its numbers.
        distance: of f − mean f from the space of curves, relative.
    """

    family: Family
    a: float
    b: float
    distance: float

    def values(self, x: np.ndarray) -> np.ndarray:
        """At x (n,)."""
        return self.family(x, np.array([self.a]), np.array([self.b]))[0]

    def written(self, x: sp.Expr) -> sp.Expr:
        """As SymPy has it."""
        return self.family.written(x, self.a, self.b)


@dataclass(frozen=True, eq=False)
class Curves:
    """Curves that span a space.

    Attributes:
        x: abscissae, (n,).
        values: orthonormal, (n, r).
        noise: of each of them, relative, (r,).
    """

    x: np.ndarray
    values: np.ndarray
    noise: np.ndarray

    @property
    def space(self) -> np.ndarray:
        """Orthonormal, constants included, (n, r + 1) at most."""
        return _orthonormal(np.column_stack([np.ones(len(self.x)), self.values]))

    @property
    def tolerance(self) -> float:
        """Distance of what may be in the space."""
        return float(self.noise.max())

    def covered(self, atoms: Sequence[Atom]) -> bool:
        """Whether constants and the atoms span all curves."""
        inside = _orthonormal(np.column_stack([np.ones(len(self.x)), *(atom.values(self.x) for atom in atoms)]))
        gaps = np.linalg.norm(self.values - inside @ (inside.T @ self.values), axis=0)
        return bool((gaps <= self.noise).all())


def _orthonormal(columns: np.ndarray) -> np.ndarray:
    left, singular, _ = np.linalg.svd(columns / np.linalg.norm(columns, axis=0), full_matrices=False)
    return left[:, singular > 1e-12 * singular[0]]


def spanning(curves: Curves, allowed: Sequence[Family]) -> Iterator[list[Atom]]:
    """Sets of atoms that span the curves together with constants, the simplest first.

    Args:
        curves: what is to be explained.
        allowed: families to try, in tiers.
    """
    powers = [_atom(family) for family in allowed if family.power]
    powers = _thinned(curves, powers[::-1]) if curves.covered(powers) else []
    short = bool(powers) and len(powers) <= curves.values.shape[1] + 1
    if short or curves.covered([]):
        yield powers
    known: list[Atom] = []
    for tier in range(3):
        known += _near(curves, [family for family in allowed if family.tier == tier])
        chosen = _chosen(curves, known)
        if curves.covered(chosen):
            yield chosen
            known = [atom for atom in known if atom not in chosen]
    if powers and not short:
        yield powers
    if curves.values.shape[1] == 1:
        yield from _sums(curves, allowed)


def _atom(family: Family) -> Atom:
    return Atom(family, 1.0, 0.0, 0.0)


def _chosen(curves: Curves, atoms: Sequence[Atom]) -> list[Atom]:
    """Greedily, the simple and near ones first, each only if it is new, as many as are needed."""
    floor = 1e-2 * curves.tolerance
    order = sorted(atoms, key=lambda atom: np.log10(max(atom.distance, floor)) + atom.family.complexity)
    chosen: list[Atom] = []
    for atom in order:
        if _is_new(curves.x, [other.values(curves.x) for other in chosen], atom.values(curves.x)):
            chosen.append(atom)
        if curves.covered(chosen):
            return _thinned(curves, chosen)
    return chosen


def _thinned(curves: Curves, atoms: Sequence[Atom]) -> list[Atom]:
    """Without those that are not needed, the last of them first: what came late was needed."""
    kept = list(atoms)
    for atom in atoms:
        rest = [other for other in kept if other is not atom]
        if curves.covered(rest):
            kept = rest
    return kept


def _is_new(x: np.ndarray, others: Sequence[np.ndarray], values: np.ndarray) -> bool:
    inside = _orthonormal(np.column_stack([np.ones(len(x)), *others]))
    gap = values - inside @ (inside.T @ values)
    return bool(np.linalg.norm(gap) > NEW * np.linalg.norm(values - values.mean()))


def _near(curves: Curves, some: Sequence[Family]) -> list[Atom]:
    """Atoms that lie in the space, as far as that is known."""
    space, begun = curves.space, []
    for family in some:
        a, b = family.grid(curves.x)
        distances = _distances(family(curves.x, a, b), space)
        order = np.argsort(distances)
        order = order[distances[order] < (HOPELESS if family.tier else np.inf)]
        if len(order):
            begun.append((float(distances[order[0]]), family, [(float(a[k]), float(b[k])) for k in order]))
    begun.sort(key=lambda item: item[0])
    found = []
    for _, family, starts in begun[: PROMISING if some and some[0].tier else None]:
        found += _followed(family, _apart(starts), curves, space)
    return [atom for atom in found if atom.distance <= curves.tolerance]


def _apart(starts: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The first few of them that are not neighbours."""
    chosen: list[tuple[float, float]] = []
    for a, b in starts:
        if all(abs(a - p) > 0.15 * abs(p) or abs(b - q) > 0.3 * max(abs(q), 1.0) for p, q in chosen):
            chosen.append((a, b))
        if len(chosen) == STARTS:
            break
    return chosen


def _distances(values: np.ndarray, space: np.ndarray) -> np.ndarray:
    """Of rows (k, n) from a space (n, r) that holds the constants, relative to what is not constant in them."""
    with np.errstate(all="ignore"):
        gaps = np.linalg.norm(values - (values @ space) @ space.T, axis=1)
        sizes = np.linalg.norm(values - values.mean(axis=1, keepdims=True), axis=1)
        found = gaps / np.where(sizes > 1e-9 * np.abs(values).max(axis=1), sizes, np.nan)
    return np.where(np.isfinite(found), found, np.inf)


def _followed(family: Family, starts: Sequence[tuple[float, float]], curves: Curves, space: np.ndarray) -> list[Atom]:
    """The minima of the distance near some starts, each once."""
    found: list[Atom] = []
    for start in starts if family.tier else starts[:1]:
        atom = _minimised(family, start, curves.x, space)
        if all(abs(atom.a - o.a) > 1e-5 * abs(o.a) or abs(atom.b - o.b) > 1e-5 for o in found):
            found.append(atom)
    return found


def _minimised(family: Family, start: tuple[float, float], x: np.ndarray, space: np.ndarray) -> Atom:
    free = [k for k, kind in enumerate((family.first, family.second)) if kind != NONE]

    def numbers(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values = list(start)
        for position, value in zip(free, theta, strict=True):
            values[position] = float(value)
        return np.array([values[0]]), np.array([values[1]])

    def gap(theta: np.ndarray) -> np.ndarray:
        values = family(x, *numbers(theta))[0]
        with np.errstate(all="ignore"):
            size = np.linalg.norm(values - values.mean())
            found = (values - space @ (space.T @ values)) / size if size > 0 else np.full_like(x, np.nan)
        return found if np.isfinite(found).all() else np.full_like(x, 1e3)

    theta = np.array([start[k] for k in free])
    if free:
        theta = _least(gap, theta)
    a, b = (float(v[0]) for v in numbers(theta))
    found = Atom(family, a, b, float(np.linalg.norm(gap(theta))))
    return replace(found, distance=np.inf) if _is_flat(found, x) else found


def _least(residual: Callable[[np.ndarray], np.ndarray], theta: np.ndarray) -> np.ndarray:
    scale = np.maximum(np.abs(theta), 1e-2)
    options = {"xtol": 1e-15, "ftol": 1e-15, "gtol": 1e-15, "max_nfev": STEPS, "x_scale": scale}
    try:
        return np.asarray(least_squares(residual, theta, **options).x)
    except (ValueError, np.linalg.LinAlgError):
        return theta


# --- a single curve as a sum of two or three atoms -------------------------------------------------------------------


def _sums(curves: Curves, allowed: Sequence[Family]) -> Iterator[list[Atom]]:
    """Two or three atoms whose sum a single curve is."""
    simple = [family for family in allowed if family.tier < 2 and family.complexity <= SIMPLE]
    single = [family for family in allowed if family.tier < 2]
    damped = [family for family in allowed if family.first == RATE]
    for some in filter(None, (simple, damped, single)):
        table = _Table.of(curves, some)
        pairs = [_together(table.atoms(group), curves) for group in table.pairs()[:PAIRS]]
        triples = (_together([*pair, table.next(pair)], curves) for pair in pairs)
        for found in (*pairs, *triples):
            if not any(_is_flat(atom, curves.x) for atom in found) and curves.covered(found):
                yield found
                return


def _is_flat(atom: Atom, x: np.ndarray) -> bool:
    """Whether it can hardly be told from a straight line without being one."""
    values = atom.values(x)
    line = _orthonormal(np.column_stack([np.ones(len(x)), x]))
    gap, size = values - line @ (line.T @ values), values - values.mean()
    return not atom.family.power and bool(np.linalg.norm(gap) < FLATTEST * np.linalg.norm(size))


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
        inside = _orthonormal(np.column_stack([np.ones(len(self.x)), *(atom.values(self.x) for atom in atoms)]))
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
        inside = _orthonormal(columns)
        return curves.values[:, 0] - inside @ (inside.T @ curves.values[:, 0])

    theta = np.array([start[n][k] for n, k in free])
    return atoms(_least(gap, theta) if free else theta)
