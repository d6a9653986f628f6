"""B-splines of any degree on any breakpoints: local evaluation, and knot insertion by blossoming.

On breakpoints x_0 < … < x_G of [−1, 1] a degree-k basis has G + k functions, k + 1 of them alive in each interval. The
k knots beyond either end continue the first and last spacing, so uniform breakpoints give one and the same local
matrix everywhere. Outside [−1, 1] the end pieces go on as polynomials.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kanpde.network.basis import Basis


@dataclass(frozen=True)
class BSpline(Basis):
    """Splines of one degree with degree − 1 continuous derivatives; grow by intervals, by inserting knots.

    Args:
        degree: polynomial degree k ≥ 1.
        breaks: G + 1 increasing breakpoints from −1 to 1; an int G means G equal intervals.
    """

    degree: int
    breaks: tuple[float, ...] | int

    @property
    def intervals(self) -> int:
        """Number of intervals G."""
        return self.breaks if isinstance(self.breaks, int) else len(self.breaks) - 1

    @property
    def uniform(self) -> bool:
        """Whether all intervals are equal."""
        return isinstance(self.breaks, int)

    @property
    def size(self) -> int:
        return self.intervals + self.degree

    @property
    def resolution(self) -> int:
        return self.intervals

    @property
    def living(self) -> int:
        return self.degree + 1

    @property
    def smoothness(self) -> float:
        return self.degree - 1

    def breakpoints(self) -> np.ndarray:
        """x_0 … x_G."""
        return np.linspace(-1.0, 1.0, self.breaks + 1) if isinstance(self.breaks, int) else np.array(self.breaks)

    def knots(self) -> np.ndarray:
        """All G + 2k + 1 knots."""
        x, k = self.breakpoints(), self.degree
        before = x[0] - (x[1] - x[0]) * np.arange(k, 0, -1)
        after = x[-1] + (x[-1] - x[-2]) * np.arange(1, k + 1)
        return np.concatenate([before, x, after])

    def spans(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Interval index s, local coordinate t = (z − x_s)/h_s, and 1/h_s, each shaped like z."""
        if self.uniform:
            scaled = (z + 1.0) * (0.5 * self.intervals)
            span = scaled.detach().floor().clamp(0, self.intervals - 1)
            return span.long(), scaled - span, torch.full_like(z, 0.5 * self.intervals)
        x = torch.as_tensor(self.breakpoints(), dtype=z.dtype, device=z.device)
        span = torch.bucketize(z.detach(), x, right=True).sub_(1).clamp_(0, self.intervals - 1)
        scale = 1.0 / (x[1:] - x[:-1])[span]
        return span, (z - x[span]) * scale, scale

    def local_tables(self, z: Tensor, order: int) -> tuple[Tensor, Tensor]:
        """Spans (i, n) and the k + 1 living functions' derivatives there, (order + 1, i, k + 1, n)."""
        span, t, scale = self.spans(z)
        matrix = torch.as_tensor(local_matrices(self), dtype=z.dtype, device=z.device)
        powers = _power_derivatives(t, self.degree, order)
        local = matrix[0] @ powers if self.uniform else torch.einsum("inlp,mipn->miln", matrix[span], powers)
        for m in range(1, order + 1):
            local[m:] *= scale[:, None]
        return span, local

    def tables(self, z: Tensor, order: int) -> Tensor:
        span, local = self.local_tables(z, order)
        rows = span[:, None] + torch.arange(self.degree + 1, device=z.device)[:, None]
        table = z.new_zeros((order + 1, z.shape[0], self.size, z.shape[1]))
        return table.scatter_(2, rows.expand_as(local), local)

    def values(self, z: Tensor) -> Tensor:
        span, t, _ = self.spans(z)
        powers = torch.stack([t**p for p in range(self.degree + 1)], dim=1)
        matrix = torch.as_tensor(local_matrices(self), dtype=z.dtype, device=z.device)
        local = matrix[0] @ powers if self.uniform else torch.einsum("inlp,ipn->iln", matrix[span], powers)
        rows = span[:, None] + torch.arange(self.degree + 1, device=z.device)[:, None]
        return torch.zeros_like(z)[:, None].repeat(1, self.size, 1).scatter(1, rows, local)

    def refined(self, resolution: int) -> BSpline:
        """Splits intervals evenly; `resolution` is rounded up to a multiple, so that old knots stay."""
        parts = -(-resolution // self.intervals)
        if isinstance(self.breaks, int):
            return BSpline(self.degree, self.breaks * parts)
        x = self.breakpoints()
        inner = [np.linspace(a, b, parts, endpoint=False) for a, b in itertools.pairwise(x)]
        return BSpline(self.degree, (*np.concatenate(inner).tolist(), float(x[-1])))

    def embedding(self, finer: Basis) -> np.ndarray:
        if isinstance(finer, BSpline) and finer.degree == self.degree and _contains(finer, self):
            return insertion_matrix(self, finer)
        return super().embedding(finer)

    def spec(self) -> dict[str, Any]:
        return {"family": "bspline", "degree": self.degree, "breaks": self.breaks}


def _contains(finer: BSpline, coarse: BSpline) -> bool:
    gaps = np.abs(finer.breakpoints()[:, None] - coarse.breakpoints())
    return bool(np.all(gaps.min(axis=0) < 1e-12))


def _power_derivatives(t: Tensor, degree: int, order: int) -> Tensor:
    """d^m/dt^m t^p for p ≤ degree: (order + 1, i, degree + 1, n)."""
    powers = [torch.ones_like(t)]
    for _ in range(degree):
        powers.append(powers[-1] * t)
    table = t.new_zeros((order + 1, t.shape[0], degree + 1, t.shape[1]))
    for m in range(min(order, degree) + 1):
        for p in range(m, degree + 1):
            torch.mul(powers[p - m], float(np.prod(np.arange(p - m + 1, p + 1))), out=table[m, :, p])
    return table


@cache
def local_matrices(basis: BSpline) -> np.ndarray:
    """Local B-splines as polynomials in t: (G or 1 if uniform, k + 1 functions, k + 1 powers), by Cox-de Boor."""
    k, knots = basis.degree, basis.knots()
    spans = np.arange(k, k + (1 if basis.uniform else basis.intervals))
    start, width = knots[spans], knots[spans + 1] - knots[spans]
    rows = np.zeros((len(spans), 1, k + 1))
    rows[:, 0, 0] = 1.0
    for degree in range(1, k + 1):
        rows = _raise_degree(rows, degree, knots, spans, start, width)
    return rows


def _raise_degree(
    rows: np.ndarray, degree: int, knots: np.ndarray, spans: np.ndarray, start: np.ndarray, width: np.ndarray
) -> np.ndarray:
    raised = np.zeros((rows.shape[0], degree + 1, rows.shape[2]))
    for i in range(degree):  # B_{j, degree−1} with j = span − degree + 1 + i feeds functions i and i + 1
        left, right = knots[spans - degree + 1 + i], knots[spans + 1 + i]
        offset, slope = ((start - left) / (right - left))[:, None], (width / (right - left))[:, None]
        times_t = np.roll(rows[:, i], 1, axis=1)  # the highest power is still zero here
        raised[:, i + 1] += offset * rows[:, i] + slope * times_t
        raised[:, i] += (1 - offset) * rows[:, i] - slope * times_t
    return raised


def insertion_matrix(coarse: BSpline, fine: BSpline) -> np.ndarray:
    """(fine.size, coarse.size): a fine coefficient is the coarse piece's blossom at the fine spline's inner knots.

    Ramshaw 1989, "Blossoms are polar forms"; for nested breakpoints the function does not change at all.
    """
    k, knots = coarse.degree, fine.knots()
    centres = 0.5 * (fine.breakpoints()[:-1] + fine.breakpoints()[1:])
    matrix = np.zeros((fine.size, coarse.size))
    for row in range(fine.size):
        alive = np.clip(np.arange(row - k, row + 1), 0, fine.intervals - 1)
        inside = centres[alive[len(alive) // 2]]
        span = int(np.clip(np.searchsorted(coarse.breakpoints(), inside) - 1, 0, coarse.intervals - 1))
        matrix[row, span : span + k + 1] = _blossom(coarse, span, knots[row + 1 : row + k + 1])
    return matrix


def _blossom(basis: BSpline, span: int, arguments: np.ndarray) -> np.ndarray:
    """Weights of the k + 1 living coefficients in the polar form of one piece at k arguments (de Boor's triangle)."""
    k, knots = basis.degree, basis.knots()
    weights = np.eye(k + 1)
    for r, u in enumerate(arguments, start=1):
        for j in range(k, r - 1, -1):
            i = span + j
            alpha = (u - knots[i]) / (knots[i + k + 1 - r] - knots[i])
            weights[j] = (1 - alpha) * weights[j - 1] + alpha * weights[j]
    return weights[k]
