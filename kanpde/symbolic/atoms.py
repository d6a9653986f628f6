"""Functions that span a space of curves: what a separable solution is made of along one coordinate.

The factors of u = Σ_k A_k(x) B_k(y) are known only up to a mixing of the A_k, but the space that they span is known. A
candidate is recognised by its distance from that space, with constants added to it, whatever it is mixed with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import sympy as sp
from scipy.optimize import least_squares

from kanpde.symbolic.families import NONE, Family, modulations

STARTS = 6  # minima of the distance that are followed, a family
PROMISING = 24  # families that are, a tier
HOPELESS = 0.6  # distance on the grid
NEAR = 1e-9  # relative distance of two functions that are the same one
NEW = 1e-4  # share of an atom that must be outside the span of those before it
STEPS = 40
FIRST_DAMPING, LEAST_DAMPING, GIVEN_UP, TINY = 1e-3, 1e-10, 1e8, 1e-12
STILL = 1e-12  # relative change of numbers after which they are found
DIFFERENCE = 1e-7  # relative
MOST_CALLS = 80
RESOLVED = 100.0  # times the tolerance that a function must be from a straight line
PAIRS = 12  # sums that are followed
APART = 1e-3  # 1 − ρ² of two atoms in a sum
MOST_POWERS = 4  # of x before a wave or an exponential
MOST_COLUMNS = 6  # functions for each curve that they may take
ROUNDING = 1e-11  # of a column that is new
HOPELESS_GAP = 1e3  # of functions that are not defined
MINIMA = 4  # of what they leave that are followed
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
    yield from _modulated(curves, allowed)
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


def _is_new(x: np.ndarray, others: Sequence[np.ndarray], values: np.ndarray, share: float = NEW) -> bool:
    inside = _orthonormal(np.column_stack([np.ones(len(x)), *others]))
    gap = values - inside @ (inside.T @ values)
    return bool(np.linalg.norm(gap) > share * np.linalg.norm(values - values.mean()))


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
    return found


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
    begun = np.array(starts if family.tier else starts[:1])
    numbers = _minimised(family, begun, curves.x, space) if family.tier else begun
    distances = _distances(family(curves.x, *numbers.T), space)
    found: list[Atom] = []
    for (a, b), distance in zip(numbers.tolist(), distances.tolist(), strict=True):
        atom = Atom(family, a, b, distance)
        if distance > curves.tolerance or _is_flat(atom, curves.x, RESOLVED * curves.tolerance):
            continue
        if all(abs(a - o.a) > 1e-5 * abs(o.a) or abs(b - o.b) > 1e-5 for o in found):
            found.append(atom)
    return found


def _minimised(family: Family, starts: np.ndarray, x: np.ndarray, space: np.ndarray) -> np.ndarray:
    """Levenberg-Marquardt on the distance from all starts (k, 2) at once, slopes by differences."""
    free = [k for k, kind in enumerate((family.first, family.second)) if kind != NONE]
    numbers, damping = starts.copy(), np.full(len(starts), FIRST_DAMPING)
    gaps = _gaps(family, numbers, x, space)
    losses = np.square(gaps).sum(axis=1)
    for _ in range(STEPS):
        slopes = np.stack([_slope(family, numbers, k, gaps, x, space) for k in free], axis=2)
        gram = np.einsum("knp,knq->kpq", slopes, slopes)
        diagonal = np.einsum("kpp->kp", gram)
        gram = gram + damping[:, None, None] * np.einsum("kp,pq->kpq", diagonal + TINY, np.eye(len(free)))
        step = np.linalg.solve(gram, -np.einsum("knp,kn->kp", slopes, gaps)[..., None])[..., 0]
        trial = numbers.copy()
        trial[:, free] += step
        following = _gaps(family, trial, x, space)
        sizes = np.square(following).sum(axis=1)
        better = sizes < losses
        numbers[better], gaps[better], losses[better] = trial[better], following[better], sizes[better]
        damping = np.where(better, np.maximum(0.1 * damping, LEAST_DAMPING), 10 * damping)
        if (np.abs(step) <= STILL * np.maximum(np.abs(numbers[:, free]), 1e-2)).all() or not (damping < GIVEN_UP).any():
            break
    return numbers


def _gaps(family: Family, numbers: np.ndarray, x: np.ndarray, space: np.ndarray) -> np.ndarray:
    """What the space leaves of functions, relative to what is not constant in them, (k, n)."""
    values = family(x, *numbers.T)
    with np.errstate(all="ignore"):
        sizes = np.linalg.norm(values - values.mean(axis=1, keepdims=True), axis=1)
        found = (values - (values @ space) @ space.T) / sizes[:, None]
    return np.where(np.isfinite(found).all(axis=1, keepdims=True), found, 1e3)


def _slope(
    family: Family, numbers: np.ndarray, k: int, gaps: np.ndarray, x: np.ndarray, space: np.ndarray
) -> np.ndarray:
    """The derivative of the gaps by one of the numbers, (k, n)."""
    shifted, step = numbers.copy(), DIFFERENCE * np.maximum(np.abs(numbers[:, k]), 1e-2)
    shifted[:, k] += step
    return (_gaps(family, shifted, x, space) - gaps) / step[:, None]


def _least(residual: Callable[[np.ndarray], np.ndarray], theta: np.ndarray) -> np.ndarray:
    scale = np.maximum(np.abs(theta), 1e-2)
    options = {"xtol": 1e-15, "ftol": 1e-15, "gtol": 1e-15, "max_nfev": MOST_CALLS, "x_scale": scale}
    try:
        return np.asarray(least_squares(residual, theta, **options).x)
    except (ValueError, np.linalg.LinAlgError):
        return theta


# --- polynomials times a wave or an exponential -----------------------------------------------------------------------


def _modulated(curves: Curves, allowed: Sequence[Family]) -> Iterator[list[Atom]]:
    """Σ x^k f(a x) for one a, f an exponential, or sine and cosine, or damped waves: as few as span the curves."""
    for group in modulations({family.name for family in allowed}, MOST_POWERS):
        if len(group) > MOST_COLUMNS * curves.values.shape[1]:
            continue
        grid = np.stack(group[0].grid(curves.x), axis=1)
        gaps = np.linalg.norm(_residuals(curves, group, grid), axis=1)
        for k in np.argsort(gaps)[:MINIMA]:
            atoms = _tuned(curves, group, grid[k])
            if curves.covered(atoms):
                yield _thinned(curves, atoms[::-1])
                return


def _tuned(curves: Curves, group: Sequence[Family], start: np.ndarray) -> list[Atom]:
    """A group with the numbers that leave least of the curves."""
    count = group[0].tier

    def residual(theta: np.ndarray) -> np.ndarray:
        return _residuals(curves, group, np.append(theta, start[count:])[None])[0]

    found = np.append(_least(residual, start[:count]), start[count:])
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


# --- a single curve as a sum of two or three atoms -------------------------------------------------------------------


def _sums(curves: Curves, allowed: Sequence[Family]) -> Iterator[list[Atom]]:
    """Two or three atoms whose sum a single curve is."""
    simple = [family for family in allowed if family.tier < 2 and family.complexity <= SIMPLE]
    single = [family for family in allowed if family.tier < 2]
    for some in filter(None, (simple, single)):
        table = _Table.of(curves, some)
        pairs = [_together(table.atoms(group), curves) for group in table.pairs()[:PAIRS]]
        triples = (_together([*pair, table.next(pair)], curves) for pair in pairs)
        for found in (*pairs, *triples):
            if curves.covered(found) and _are_apart(curves, found):
                yield found
                return


def _are_apart(curves: Curves, atoms: Sequence[Atom]) -> bool:
    """Whether none is nearly a straight line, nor nearly a combination of the others: what cancels explains nothing."""
    x = curves.x
    if any(_is_flat(atom, x, RESOLVED * curves.tolerance) for atom in atoms):
        return False
    rows = [atom.values(x) for atom in atoms]
    return all(_is_new(x, rows[:k] + rows[k + 1 :], row, APART) for k, row in enumerate(rows))


def _is_flat(atom: Atom, x: np.ndarray, least: float) -> bool:
    """Whether it can hardly be told from a straight line without being one; `least` is the relative distance."""
    values = atom.values(x)
    line = _orthonormal(np.column_stack([np.ones(len(x)), x]))
    gap, size = values - line @ (line.T @ values), values - values.mean()
    return not atom.family.power and bool(np.linalg.norm(gap) < least * np.linalg.norm(size))


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
