"""Networks described by values, so that a table can name them and another process can build them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from kanpde.errors import ProblemError
from kanpde.network import KAN, MLP, Network
from kanpde.network.architecture import BASES
from kanpde.network.basis import ACTIVATIONS

FAMILIES = ("kan", "multkan", "mlp")
WIDEST = 4096


@dataclass(frozen=True)
class Net:
    """The structure of a network between its inputs and its outputs.

    Attributes:
        family: "kan", "multkan" (half of the nodes multiply, KAN 2.0) or "mlp".
        hidden: nodes of each hidden layer; none for one layer of edges.
        basis: of a KAN's edges, or the activation of an MLP.
        degree: of splines; Chebyshev edges take theirs from `resolution`.
        resolution: intervals, degree, modes or centres of the edges at first; 1 for an MLP.
        base: "silu" adds the KAN paper's residual function.
        squash: bounds hidden coordinates; None leaves them free.

    Raises:
        ProblemError: a family or a basis that does not exist.
    """

    family: str = "kan"
    hidden: tuple[int, ...] = (5,)
    basis: str = "chebyshev"
    degree: int | None = None
    resolution: int = 8
    base: str | None = None
    squash: str | None = "tanh"

    def __post_init__(self) -> None:
        known = ACTIVATIONS if self.family == "mlp" else BASES
        if self.family not in FAMILIES:
            raise ProblemError(f"no network is called {self.family!r}; use one of {', '.join(FAMILIES)}")
        if self.basis not in known:
            raise ProblemError(f"{self.family} has no {self.basis!r} edges; use one of {', '.join(known)}")

    def built(self, inputs: int, outputs: int, seed: int, device: str | torch.device = "cpu") -> Network:
        """The network from a random start."""
        if self.family == "mlp":
            return MLP([inputs, *self.hidden, outputs], self.basis, seed=seed, device=device)
        nodes = [(n - n // 2, n // 2) if self.family == "multkan" else n for n in self.hidden]
        chebyshev = self.basis == "chebyshev"
        return KAN(
            [inputs, *nodes, outputs],
            self.basis,
            degree=self.resolution if chebyshev else self.degree,
            intervals=8 if chebyshev else self.resolution,
            seed=seed,
            base=self.base,
            squash=self.squash,
            device=device,
        )

    def parameters(self, inputs: int, outputs: int) -> int:
        """Coefficients in all."""
        return self.built(inputs, outputs, 0).n_parameters

    @property
    def label(self) -> str:
        """As figures call it: KAN, chebyshev; MLP, tanh."""
        names = {"kan": "KAN", "multkan": "MultKAN", "mlp": "MLP"}
        degree = f" {self.degree}" if self.basis == "bspline" and self.degree else ""
        extra = "" if self.base is None else f" + {self.base}"
        return f"{names[self.family]}, {self.basis}{degree}{extra}"

    @property
    def text(self) -> str:
        """With its size: KAN 2-5-1 would need the inputs, so only the hidden nodes are told."""
        nodes = "-".join(map(str, self.hidden)) or "no hidden nodes"
        detail = "" if self.family == "mlp" else f" × {self.resolution}"
        return f"{self.label}{detail}, {nodes}"


def widened_to(net: Net, inputs: int, outputs: int, parameters: int) -> Net:
    """The net with the width, the same in all hidden layers, that comes nearest to a number of parameters."""
    if not net.hidden:
        return net
    count = _counter(net, inputs, outputs)
    low, high = 1, 2
    while count(high) < parameters and high < WIDEST:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(middle) < parameters else (low, middle)
    best = min((low, high), key=lambda width: abs(count(width) - parameters))
    return _of_width(net, best)


def _of_width(net: Net, width: int) -> Net:
    return replace(net, hidden=(width,) * len(net.hidden))


def _counter(net: Net, inputs: int, outputs: int) -> Callable[[int], int]:
    """Parameters by width; a quadratic, so three counts are enough."""
    counts = [_of_width(net, width).parameters(inputs, outputs) for width in (2, 4, 6)]
    second = (counts[2] - 2 * counts[1] + counts[0]) / 8
    first = (counts[1] - counts[0]) / 2 - 6 * second
    constant = counts[0] - 2 * first - 4 * second
    return lambda width: round(constant + first * width + second * width**2)
