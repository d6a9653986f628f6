"""Multi-indices, derivative sets, and the two rules by which a jet travels: Faà di Bruno and Leibniz (pure Python)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

MultiIndex = tuple[int, ...]


@dataclass(frozen=True, order=True)
class Collapsed:
    """The single channel Σ_i w_i ∂²/∂x_i², carried through a network as one quantity.

    It closes with the first derivatives alone: Λφ(y) = φ'(y) Λy + φ''(y) Σ_i w_i (D_i y)², so a Laplacian in d
    dimensions needs d + 2 channels instead of 2d + 1 (the collapsed Taylor mode of arXiv 2505.13644).

    Args:
        weights: one number per coordinate; zero where the coordinate does not take part.
    """

    weights: tuple[float, ...]

    @property
    def axes(self) -> tuple[int, ...]:
        """The coordinates that take part."""
        return tuple(axis for axis, weight in enumerate(self.weights) if weight)


Channel = MultiIndex | Collapsed


@dataclass(frozen=True)
class ChainTerm:
    """One term of Faà di Bruno's formula: coefficient · φ^(order)(y) · Π_f y_f over channel positions f."""

    coefficient: float
    order: int
    factors: tuple[int, ...]


@dataclass(frozen=True)
class ProductTerm:
    """One term of Leibniz' formula: coefficient · f_left · g_right (channel positions)."""

    coefficient: float
    left: int
    right: int


def zero(dimension: int) -> MultiIndex:
    """The multi-index of the value itself."""
    return (0,) * dimension


def unit(axis: int, dimension: int, times: int = 1) -> MultiIndex:
    """The multi-index of the `times`-th derivative along one axis."""
    return tuple(times * int(k == axis) for k in range(dimension))


def below(alpha: MultiIndex) -> list[MultiIndex]:
    """All β ≤ α, componentwise."""
    return list(itertools.product(*(range(a + 1) for a in alpha)))


def minus(alpha: MultiIndex, beta: MultiIndex) -> MultiIndex:
    """α − β."""
    return tuple(a - b for a, b in zip(alpha, beta, strict=True))


def binomial(alpha: MultiIndex, beta: MultiIndex) -> int:
    """Π_i C(α_i, β_i)."""
    return math.prod(math.comb(a, b) for a, b in zip(alpha, beta, strict=True))


@dataclass(frozen=True)
class DerivativeSet:
    """An ordered, downward closed set of derivatives: the channels of a jet. The value is always channel 0.

    Args:
        dimension: number of coordinates d.
        channels: multi-indices by order, then collapsed sums. Use `DerivativeSet.closure`.
    """

    dimension: int
    channels: tuple[Channel, ...]

    @classmethod
    def closure(cls, dimension: int, wanted: Iterable[Channel]) -> DerivativeSet:
        """The smallest set that holds `wanted` and lets a jet pass through compositions and products."""
        indices: set[MultiIndex] = {zero(dimension)}
        collapsed: set[Collapsed] = set()
        for channel in wanted:
            if isinstance(channel, Collapsed):
                collapsed.add(channel)
                indices.update(unit(axis, dimension) for axis in channel.axes)
            else:
                indices.update(below(channel))
        ordered = sorted(indices, key=lambda alpha: (sum(alpha), tuple(-a for a in alpha)))
        return cls(dimension, (*ordered, *sorted(collapsed)))

    def __len__(self) -> int:
        return len(self.channels)

    def __contains__(self, channel: object) -> bool:
        return channel in self._position

    @cached_property
    def _position(self) -> Mapping[Channel, int]:
        return {channel: k for k, channel in enumerate(self.channels)}

    def index(self, channel: Channel) -> int:
        """Position of a channel."""
        return self._position[channel]

    @cached_property
    def order(self) -> int:
        """The highest derivative that the set holds."""
        return max(2 if isinstance(channel, Collapsed) else sum(channel) for channel in self.channels)

    @cached_property
    def chain(self) -> tuple[tuple[ChainTerm, ...], ...]:
        """Faà di Bruno: for each channel the terms of D^α φ(y) in the channels of y."""
        return tuple(self._chain_terms(channel) for channel in self.channels)

    @cached_property
    def leibniz(self) -> tuple[tuple[ProductTerm, ...], ...]:
        """Leibniz: for each channel the terms of D^α (f g) in the channels of f and g."""
        return tuple(self._product_terms(channel) for channel in self.channels)

    def _chain_terms(self, channel: Channel) -> tuple[ChainTerm, ...]:
        if isinstance(channel, Collapsed):
            first = [self.index(unit(axis, self.dimension)) for axis in channel.axes]
            squares = [ChainTerm(channel.weights[a], 2, (f, f)) for a, f in zip(channel.axes, first, strict=True)]
            return (ChainTerm(1.0, 1, (self.index(channel),)), *squares)
        return tuple(
            ChainTerm(float(count), len(blocks), tuple(self.index(block) for block in blocks))
            for blocks, count in sorted(partitions(channel).items())
        )

    def _product_terms(self, channel: Channel) -> tuple[ProductTerm, ...]:
        if isinstance(channel, Collapsed):
            own = self.index(channel)
            first = [self.index(unit(axis, self.dimension)) for axis in channel.axes]
            mixed = [ProductTerm(2 * channel.weights[a], f, f) for a, f in zip(channel.axes, first, strict=True)]
            return (ProductTerm(1.0, own, 0), ProductTerm(1.0, 0, own), *mixed)
        return tuple(
            ProductTerm(float(binomial(channel, beta)), self.index(beta), self.index(minus(channel, beta)))
            for beta in below(channel)
        )


def partitions(alpha: MultiIndex) -> dict[tuple[MultiIndex, ...], int]:
    """Ways to split D^α into blocks: {sorted blocks: count}, so D^α φ(y) = Σ count φ^(len(blocks)) Π D^block y.

    Built one derivative at a time: a new ∂_i either opens a block of its own or joins one that is there.
    (Constantine & Savits 1996, Trans. AMS 348, give the closed form.)
    """
    terms: dict[tuple[MultiIndex, ...], int] = {(): 1}
    for axis, times in enumerate(alpha):
        for _ in range(times):
            terms = _one_more(terms, unit(axis, len(alpha)))
    return terms


def _one_more(terms: dict[tuple[MultiIndex, ...], int], step: MultiIndex) -> dict[tuple[MultiIndex, ...], int]:
    grown: dict[tuple[MultiIndex, ...], int] = {}
    for blocks, count in terms.items():
        choices = [(*blocks, step)]
        for k, block in enumerate(blocks):
            joined = tuple(b + s for b, s in zip(block, step, strict=True))
            choices.append((*blocks[:k], joined, *blocks[k + 1 :]))
        for choice in choices:
            key = tuple(sorted(choice))
            grown[key] = grown.get(key, 0) + count
    return grown
