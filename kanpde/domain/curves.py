"""Curves in the plane: segments and arcs of ellipses, with a body on their left.

A curve runs from `at(0)` to `at(1)` in its own parameter. A closed boundary runs counter-clockwise around what it
bounds, so the outward normal is on the right of the tangent.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

# Panels of a full turn and Gauss nodes in each, for lengths of elliptic arcs: 1e-14 up to axes as 1 : 50.
PANELS, NODES = 256, 10
# Places on an elliptic arc among which the nearest one is looked for first.
SAMPLES = 513
_X, _W = np.polynomial.legendre.leggauss(NODES)
Pair = tuple[float, float]


@dataclass(frozen=True)
class Segment:
    """A straight line from `start` to `end`."""

    start: Pair
    end: Pair

    @property
    def vector(self) -> np.ndarray:
        """From start to end."""
        return np.array(self.end) - np.array(self.start)

    @cached_property
    def length(self) -> float:
        """The distance of the ends."""
        return float(np.hypot(*self.vector))

    @property
    def bounds(self) -> np.ndarray:
        """The smallest box, (2, 2)."""
        return np.sort(np.array([self.start, self.end]).T, axis=1)

    @property
    def flux(self) -> float:
        """∫ (x dy - y dx) / 2 along the curve, its share of the area."""
        (a, b), (c, d) = self.start, self.end
        return 0.5 * (a * d - b * c)

    def at(self, s: np.ndarray | float) -> np.ndarray:
        """Points (n, 2) at parameters (n,)."""
        s = np.atleast_1d(np.asarray(s, dtype=float))[:, None]
        # Both ends are hit exactly.
        return np.array(self.start) * (1.0 - s) + np.array(self.end) * s

    def tangent(self, s: np.ndarray | float) -> np.ndarray:
        """Unit tangents (n, 2)."""
        return np.tile(self.vector / self.length, (np.size(s), 1))

    def uniform(self, u: np.ndarray) -> np.ndarray:
        """Parameters at the fractions `u` of the length."""
        return u

    def locate(self, points: np.ndarray) -> np.ndarray:
        """Parameters (n,) of the nearest points, clipped to the curve."""
        s = (points - np.array(self.start)) @ self.vector / self.length**2
        return np.clip(s, 0.0, 1.0)

    def part(self, a: float, b: float) -> Segment:
        """Return the curve from parameter a to b; reversed if b < a."""
        first, last = self.at(np.array([a, b])).tolist()
        return Segment((first[0], first[1]), (last[0], last[1]))

    def extremes(self, axis: int) -> list[float]:  # noqa: ARG002 (an arc has some)
        """Parameters inside where a coordinate turns."""
        return []

    def heights(self, x: np.ndarray) -> np.ndarray:
        """Y at the given x, for a curve that is monotone in x and not vertical."""
        (a, b), (c, d) = self.start, self.end
        return b + (d - b) * (x - a) / (c - a)

    def same_carrier(self, other: Curve, tolerance: float) -> bool:
        """Whether both lie on one line."""
        if not isinstance(other, Segment):
            return False
        normal = np.array([-self.vector[1], self.vector[0]]) / self.length
        away = (np.array([other.start, other.end]) - np.array(self.start)) @ normal
        return bool(np.all(np.abs(away) <= tolerance))

    def scaled(self, factor: float, shift: np.ndarray) -> Segment:
        """Return factor * curve + shift."""
        first, last = (np.array([self.start, self.end]) * factor + shift).tolist()
        return Segment((first[0], first[1]), (last[0], last[1]))


@dataclass(frozen=True)
class Arc:
    """A part of an ellipse: centre + R(angle) (a cos θ, b sin θ), θ from `start` to `end`, clockwise if end < start."""

    center: Pair
    axes: Pair
    angle: float
    start: float
    end: float

    @property
    def is_circular(self) -> bool:
        """Whether both axes agree."""
        return self.axes[0] == self.axes[1]

    @property
    def is_closed(self) -> bool:
        """Whether it is a whole ellipse."""
        return abs(self.end - self.start) >= 2 * np.pi - 1e-12

    @cached_property
    def rotation(self) -> np.ndarray:
        """The rotation by `angle`, (2, 2)."""
        c, s = np.cos(self.angle), np.sin(self.angle)
        return np.array([[c, -s], [s, c]])

    @property
    def matrix(self) -> np.ndarray:
        """The map from the unit circle, less the centre, (2, 2)."""
        return self.rotation * np.array(self.axes)

    @cached_property
    def _table(self) -> tuple[np.ndarray, np.ndarray]:
        """Parameters s and the length up to there."""
        panels = max(8, int(np.ceil(PANELS * abs(self.end - self.start) / (2 * np.pi))))
        s = np.linspace(0.0, 1.0, panels + 1)
        return s, np.concatenate([[0.0], np.cumsum(self._lengths(s[:-1], s[1:]))])

    def _lengths(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        middle, half = 0.5 * (a + b), 0.5 * (b - a)
        return half * (self.speed(middle[:, None] + half[:, None] * _X) @ _W)

    @cached_property
    def length(self) -> float:
        """The arc length."""
        if self.is_circular:
            return abs(self.end - self.start) * self.axes[0]
        return float(self._table[1][-1])

    @cached_property
    def bounds(self) -> np.ndarray:
        """The smallest box, (2, 2)."""
        turns = [s for axis in (0, 1) for s in self.extremes(axis)]
        points = self.at(np.array([0.0, 1.0, *turns]))
        return np.stack([points.min(axis=0), points.max(axis=0)], axis=1)

    @property
    def flux(self) -> float:
        """∫ (x dy - y dx) / 2 along the curve, its share of the area."""
        first, last = self.at(np.array([0.0, 1.0]))
        c, chord = np.array(self.center), last - first
        return 0.5 * (self.axes[0] * self.axes[1] * (self.end - self.start) + c[0] * chord[1] - c[1] * chord[0])

    def _theta(self, s: np.ndarray | float) -> np.ndarray:
        return self.start + np.asarray(s, dtype=float) * (self.end - self.start)

    def at(self, s: np.ndarray | float) -> np.ndarray:
        """Points (n, 2) at parameters (n,)."""
        theta = np.atleast_1d(self._theta(s))
        return np.array(self.center) + np.stack([np.cos(theta), np.sin(theta)], axis=1) @ self.matrix.T

    def speed(self, s: np.ndarray) -> np.ndarray:
        """|dx/ds|, of the shape of s."""
        theta = self._theta(s)
        a, b = self.axes
        return abs(self.end - self.start) * np.hypot(a * np.sin(theta), b * np.cos(theta))

    def tangent(self, s: np.ndarray | float) -> np.ndarray:
        """Unit tangents (n, 2)."""
        theta = np.atleast_1d(self._theta(s))
        t = np.sign(self.end - self.start) * np.stack([-np.sin(theta), np.cos(theta)], axis=1) @ self.matrix.T
        return t / np.linalg.norm(t, axis=1, keepdims=True)

    def uniform(self, u: np.ndarray) -> np.ndarray:
        """Parameters at the fractions `u` of the length: a table, then two steps of Newton with exact panels."""
        if self.is_circular:
            return u
        s_table, lengths = self._table
        wanted = np.asarray(u) * self.length
        s = np.interp(wanted, lengths, s_table)
        for _ in range(3):
            panel = np.clip(np.searchsorted(s_table, s, side="right") - 1, 0, len(s_table) - 2)
            found = lengths[panel] + self._lengths(s_table[panel], s)
            s = np.clip(s - (found - wanted) / self.speed(s), 0.0, 1.0)
        return s

    def parameters(self, points: np.ndarray) -> np.ndarray:
        """Parameters (n,) of the rays from the centre, in the affine frame; outside [0, 1] off the arc."""
        unit = np.linalg.solve(self.matrix, (points - np.array(self.center)).T)
        turn = self.end - self.start
        away = np.sign(turn) * (np.arctan2(unit[1], unit[0]) - self.start)
        # The gap of an open arc is shared by its two ends.
        gap = max(2 * np.pi - abs(turn), 0.0)
        return (np.mod(away + gap / 2, 2 * np.pi) - gap / 2) / abs(turn)

    def locate(self, points: np.ndarray) -> np.ndarray:
        """Parameters (n,) of the nearest points: exact on circles, Newton's method with bisection on ellipses."""
        s = np.clip(self.parameters(points), 0.0, 1.0)
        if self.is_circular or not len(points):
            return s
        samples = np.linspace(0.0, 1.0, SAMPLES)
        best = cKDTree(self.at(samples)).query(points)[1]
        s, step = samples[best], samples[1]
        low, high = (s - step, s + step) if self.is_closed else (np.maximum(s - step, 0), np.minimum(s + step, 1))
        for _ in range(12):
            s = self._newton(points, s, low, high)
        return np.mod(s, 1.0) if self.is_closed else s

    def _newton(self, points: np.ndarray, s: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        theta, turn = self._theta(s), self.end - self.start
        away = self.at(s) - points
        first = np.stack([-np.sin(theta), np.cos(theta)], axis=1) @ self.matrix.T
        second = np.array(self.center) - self.at(s)
        slope = (away * first).sum(axis=1)
        curvature = (first**2).sum(axis=1) + (away * second).sum(axis=1)
        return np.clip(s - slope / np.maximum(curvature, 0.1 * (first**2).sum(axis=1)) / turn, low, high)

    def part(self, a: float, b: float) -> Arc:
        """Return the curve from parameter a to b; reversed if b < a."""
        first, last = self._theta(np.array([a, b])).tolist()
        return Arc(self.center, self.axes, self.angle, first, last)

    def extremes(self, axis: int) -> list[float]:
        """Parameters inside where a coordinate turns."""
        m = self.matrix[axis]
        top = np.arctan2(m[1], m[0])
        turn = self.end - self.start
        low, high = sorted((self.start, self.end))
        k = np.arange(np.floor((low - top) / np.pi), np.ceil((high - top) / np.pi) + 1)
        s = (top + k * np.pi - self.start) / turn
        return [float(v) for v in s if 1e-12 < v < 1 - 1e-12]

    def heights(self, x: np.ndarray) -> np.ndarray:
        """Y at the given x, for a curve that is monotone in x."""
        m = self.matrix
        reach = np.hypot(*m[0])
        top = np.arctan2(m[0, 1], m[0, 0])
        swing = np.arccos(np.clip((x - self.center[0]) / reach, -1.0, 1.0))
        middle = self._theta(0.5)
        theta = top + (1.0 if np.sin(middle - top) >= 0 else -1.0) * swing
        return self.center[1] + m[1, 0] * np.cos(theta) + m[1, 1] * np.sin(theta)

    def same_carrier(self, other: Curve, tolerance: float) -> bool:
        """Whether both lie on one ellipse."""
        if not isinstance(other, Arc):
            return False
        near = np.allclose(self.center, other.center, rtol=0, atol=tolerance)
        form, wanted = (c.matrix @ c.matrix.T for c in (self, other))
        return near and np.allclose(form, wanted, rtol=0, atol=2 * tolerance * max(self.axes))

    def scaled(self, factor: float, shift: np.ndarray) -> Arc:
        """Return factor * curve + shift."""
        center = (np.array(self.center) * factor + shift).tolist()
        return Arc((center[0], center[1]), (self.axes[0] * factor, self.axes[1] * factor), *self._turn())

    def _turn(self) -> tuple[float, float, float]:
        return self.angle, self.start, self.end


Curve = Segment | Arc


def normals(curve: Curve, s: np.ndarray | float) -> np.ndarray:
    """Unit normals (n, 2) on the right of the curve: out of the body."""
    t = curve.tangent(s)
    return np.stack([t[:, 1], -t[:, 0]], axis=1)


def distance(curve: Curve, points: np.ndarray) -> np.ndarray:
    """The distance of points (n, 2) from a curve."""
    if isinstance(curve, Arc) and not curve.is_closed:
        ends = np.linalg.norm(points[:, None] - curve.at(np.array([0.0, 1.0]))[None], axis=-1).min(axis=1)
    else:
        ends = np.full(len(points), np.inf)
    return np.minimum(ends, np.linalg.norm(curve.at(curve.locate(points)) - points, axis=1))


def monotone(curve: Curve, axis: int) -> list[Curve]:
    """Cut a curve into parts along which a coordinate only grows or only falls."""
    cuts = [0.0, *sorted(curve.extremes(axis)), 1.0]
    return [curve.part(a, b) for a, b in itertools.pairwise(cuts)]


def polygon_curves(loop: Sequence[Pair]) -> list[Curve]:
    """The sides of a closed polygon."""
    return [Segment(a, b) for a, b in zip(loop, [*loop[1:], loop[0]], strict=True)]


def plain(curve: Curve) -> list[Any]:
    """Canonical values of a curve, for texts."""
    if isinstance(curve, Segment):
        return ["segment", *curve.start, *curve.end]
    return ["arc", *curve.center, *curve.axes, curve.angle, curve.start, curve.end]
