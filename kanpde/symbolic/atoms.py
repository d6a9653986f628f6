"""Functions that span a space of curves: what a separable solution is made of along one coordinate.

The factors of u = Σ_k A_k(x) B_k(y) are known only up to a mixing of the A_k, but the space that they span is known. A
candidate is recognised by its distance from that space, with constants added to it, whatever it is mixed with.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from kanpde.symbolic.curves import RESOLVED, Atom, Curves, is_flat, is_new, thinned
from kanpde.symbolic.families import NONE, Family
from kanpde.symbolic.sums import modulated, sums

STARTS = 6  # minima of the distance that are followed, a family
PROMISING = 24  # families that are, a tier
HOPELESS = 0.6  # distance on the grid
STEPS = 40
FIRST_DAMPING, LEAST_DAMPING, GIVEN_UP, TINY = 1e-3, 1e-10, 1e8, 1e-12
STILL = 1e-12  # relative change of numbers after which they are found
DIFFERENCE = 1e-7  # relative


def spanning(curves: Curves, allowed: Sequence[Family]) -> Iterator[list[Atom]]:
    """Sets of atoms that span the curves together with constants, the simplest first.

    Args:
        curves: what is to be explained.
        allowed: families to try, in tiers.
    """
    powers = [_atom(family) for family in allowed if family.power]
    powers = thinned(curves, powers[::-1]) if curves.covered(powers) else []
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
    yield from modulated(curves, allowed)
    if curves.values.shape[1] == 1:
        yield from sums(curves, allowed)


def _atom(family: Family) -> Atom:
    return Atom(family, 1.0, 0.0, 0.0)


def _chosen(curves: Curves, atoms: Sequence[Atom]) -> list[Atom]:
    """Greedily, the simple and near ones first, each only if it is new, as many as are needed."""
    floor = 1e-2 * curves.tolerance
    order = sorted(atoms, key=lambda atom: np.log10(max(atom.distance, floor)) + atom.family.complexity)
    chosen: list[Atom] = []
    for atom in order:
        if is_new(curves.x, [other.values(curves.x) for other in chosen], atom.values(curves.x)):
            chosen.append(atom)
        if curves.covered(chosen):
            return thinned(curves, chosen)
    return chosen


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
        if distance > curves.tolerance or is_flat(atom, curves.x, RESOLVED * curves.tolerance):
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
