"""Functions of one linear combination of the coordinates: travelling waves, fronts, solitons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import sympy as sp

from kanpde.symbolic.fits import ranked
from kanpde.symbolic.library import Candidate
from kanpde.symbolic.target import Target

POINTS = 400
STEP = 1e-3  # of a central difference, in units of the box
STRAIGHT = 0.03  # second singular value of the gradients, of the first, up to which there is one direction
POOR = 1e-2  # relative error of a candidate that is worth a try
TRIED = 4
PROMISING = 14
SIMPLER = 30.0  # times the best error that a candidate may have for each unit of complexity that it saves


def direction(target: Target) -> np.ndarray | None:
    """The one direction along which the target changes, (d,), its largest part one; None where there are several."""
    width = np.ptp(target.bounds, axis=1)
    centre = target.bounds.mean(axis=1)
    points = centre + (target.points(POINTS) - centre) * (1 - 2 * STEP)
    shifts = np.diag(width * STEP)
    gradients = np.stack([(target.values(points + h) - target.values(points - h)) / (2 * STEP) for h in shifts], axis=1)
    if not np.isfinite(gradients).all():
        return None
    _, singular, vectors = np.linalg.svd(gradients, full_matrices=False)
    if singular[1] > STRAIGHT * singular[0]:
        return None
    found = vectors[0] / width
    return found / found[np.argmax(np.abs(found))]


def ridges(target: Target, candidates: Sequence[Candidate]) -> Iterator[sp.Expr]:
    """Expressions c f(k · x + b) + d with numbers, the likely ones first."""
    along = direction(target) if target.dimension > 1 else None
    if along is None:
        return
    points = target.points(POINTS)
    s, u = points @ along, target.values(points)
    order = np.argsort(s)
    fits = [fit for fit in ranked(s[order], u[order], candidates, most=PROMISING) if fit.error < POOR]
    if not fits:
        return
    floor, simplest = max(fits[0].error, 1e-6), min(fit.complexity for fit in fits)
    fits.sort(key=lambda fit: max(fit.error, floor) * SIMPLER ** (fit.complexity - simplest))
    for fit in fits[:TRIED]:
        inner = sp.Add(*[sp.Float(fit.a * k, 15) * x for k, x in zip(along, target.coordinates, strict=True)])
        offset = sp.Float(fit.b, 15) if fit.candidate.shift else sp.S.Zero
        yield sp.Float(fit.c, 15) * fit.candidate.make(inner + offset) + sp.Float(fit.d, 15)
