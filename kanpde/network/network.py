"""A network is layers and their coefficients. It yields jets and adjoints of jets; it knows no equation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from kanpde.errors import ProblemError
from kanpde.jet import coordinates_jet
from kanpde.multiindex import DerivativeSet
from kanpde.network import layer as rules
from kanpde.network.basis import Activation, Basis
from kanpde.network.flat import FlatEdges, LinearEdges
from kanpde.network.layer import Layer, Tape


class Network(torch.nn.Module):
    """Layers in a row, with one coefficient matrix (columns, rows) each.

    `network(x)` maps points (n, d) to values (n, outputs) and can be differentiated any number of times by autograd.
    `network.sweep(...)` is the fast way: the whole jet in one pass, and its reverse by hand.

    Args:
        layers: the structure.
        coefficients: one matrix a layer; they become the module's parameters.
        title: how it was made, for messages ("KAN [2, 5, 1], ...").

    Attributes:
        scalars: values of a problem's unknown scalars, found together with the coefficients.
    """

    def __init__(self, layers: Sequence[Layer], coefficients: Sequence[Tensor], title: str = "network") -> None:
        super().__init__()
        self.layers = tuple(layers)
        self.title = title
        self.scalars: tuple[float, ...] = ()
        self.coefficients = torch.nn.ParameterList([torch.nn.Parameter(c.detach().clone()) for c in coefficients])

    @property
    def inputs(self) -> int:
        """Number of coordinates d."""
        return self.layers[0].inputs

    @property
    def outputs(self) -> int:
        """Number of components."""
        return self.layers[-1].outputs

    @property
    def n_parameters(self) -> int:
        """Number of coefficients."""
        return sum(c.numel() for c in self.coefficients)

    @property
    def device(self) -> torch.device:
        """Where the coefficients are."""
        return self.coefficients[0].device

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the coefficients."""
        return self.coefficients[0].dtype

    @property
    def theta(self) -> Tensor:
        """A copy of all coefficients, flat (P,)."""
        return torch.cat([c.detach().reshape(-1) for c in self.coefficients])

    def set_theta(self, theta: Tensor) -> None:
        """Overwrites the coefficients from a flat vector (P,)."""
        parts = theta.detach().split([c.numel() for c in self.coefficients])
        with torch.no_grad():
            for coefficient, part in zip(self.coefficients, parts, strict=True):
                coefficient.copy_(part.view_as(coefficient))

    def forward(self, points: Tensor) -> Tensor:
        """Values (n, outputs) at points (n, d), through operations that autograd and torch.func can follow."""
        data = points.T
        for layer, coefficient in zip(self.layers, self.coefficients, strict=True):
            data = _values(layer, coefficient, data)
        return data.T

    def jet(self, points: Tensor, derivatives: DerivativeSet) -> Tensor:
        """All channels at points (n, d): (c, outputs, n), differentiable once with respect to the coefficients."""
        return _SweepFunction.apply(self, derivatives, points, *self.coefficients)

    def prepare(self, points: Tensor, derivatives: DerivativeSet, inputs: Tensor | None = None) -> Tape:
        """The first layer's edges at fixed points: they depend on no coefficient, so prepare them once.

        Args:
            points: (n, d).
            derivatives: the channels.
            inputs: jet of what the network is a function of (c, inputs, n), the coordinates themselves by default.
        """
        data = coordinates_jet(points, derivatives) if inputs is None else inputs
        return rules.expand(self.layers[0], data, derivatives, reverse=False)

    def sweep(
        self,
        prepared: Tape,
        derivatives: DerivativeSet,
        coefficients: Sequence[Tensor] | None = None,
        reverse: bool = True,
    ) -> Sweep:
        """One forward pass of the jet from prepared points, and what its reverse needs.

        Args:
            prepared: by `prepare`, for the same channels.
            derivatives: the channels.
            coefficients: in place of the network's own.
            reverse: whether adjoints will be asked for; values alone are cheaper.
        """
        used = [c.detach() for c in (self.coefficients if coefficients is None else coefficients)]
        output, tape = rules.mix(self.layers[0], used[0], prepared, derivatives)
        tapes = [tape]
        for layer, coefficient in zip(self.layers[1:], used[1:], strict=True):
            tape = rules.expand(layer, output, derivatives, reverse)
            output, tape = rules.mix(layer, coefficient, tape, derivatives)
            tapes.append(tape)
        return Sweep(self.layers, tuple(used), derivatives, tuple(tapes), output)

    def split(self, theta: Tensor) -> list[Tensor]:
        """A flat vector (P,) as coefficient matrices."""
        parts = theta.split([c.numel() for c in self.coefficients])
        return [part.view_as(c) for part, c in zip(parts, self.coefficients, strict=True)]

    def refined(self, *, intervals: int | None = None, degree: int | None = None, modes: int | None = None) -> Network:
        """The same function in a finer basis (grid extension, arXiv 2404.19756 section 2.5; here without a refit).

        Splines get knots inserted, Chebyshev and Fourier series zero-padded coefficients; an RBF basis is refitted.

        Args:
            intervals: new number of spline intervals (rounded up to a multiple of the old) or RBF centres.
            degree: new degree of Chebyshev edges.
            modes: new number of Fourier modes.

        Raises:
            ProblemError: for an argument that no edge of this network grows by.
        """
        grows = {"bspline": "intervals", "rbf": "intervals", "chebyshev": "degree", "fourier": "modes"}
        given = {"intervals": intervals, "degree": degree, "modes": modes}
        possible = {grows.get(_family(e.basis), "nothing") for layer in self.layers for e in layer.expansions}
        for name in (name for name, value in given.items() if value is not None):
            if name not in possible:
                raise ProblemError(f"{self.title} does not grow by {name}, but by {' and '.join(sorted(possible))}")
        return self.grown(lambda basis: given.get(grows.get(_family(basis), "")))

    def grown(self, resolution: Callable[[Basis], int | None]) -> Network:
        """Every basis at the resolution that `resolution(basis)` names; None or less than today leaves it alone."""
        layers, coefficients = [], []
        for layer, coefficient in zip(self.layers, self.coefficients, strict=True):
            finer, embedding = rules.grown(layer, resolution)
            layers.append(finer)
            coefficients.append(coefficient.detach() @ embedding.to(coefficient).T)
        return Network(layers, coefficients, self.title)


@dataclass(frozen=True)
class Sweep:
    """A forward pass and its reverse rules. `output` is the jet, (c, outputs, n)."""

    layers: tuple[Layer, ...]
    coefficients: tuple[Tensor, ...]
    derivatives: DerivativeSet
    tapes: tuple[Tape, ...]
    output: Tensor

    def linear_adjoints(self, adjoint: Tensor) -> list[Tensor]:
        """The adjoint of every layer's linear outputs, from that of `output` (c, outputs, n)."""
        adjoints: list[Tensor] = []
        for k in range(len(self.layers) - 1, -1, -1):
            own = rules.linear_adjoint(self.layers[k], adjoint, self.tapes[k], self.derivatives)
            adjoints.insert(0, own)
            if k:
                adjoint = rules.input_adjoint(self.layers[k], self.coefficients[k], own, self.tapes[k])
        return adjoints

    def jacobian(self, adjoint: Tensor) -> Tensor:
        """Rows of Jᵀ: (P, n), derivative of the pointwise scalar Σ_co A[c, o, n] · output[c, o, n] by coefficients."""
        return next(self.jacobian_blocks(adjoint, adjoint.shape[-1]))

    def jacobian_blocks(self, adjoint: Tensor, size: int) -> Iterator[Tensor]:
        """The same for at most `size` points at a time, in their order."""
        adjoints, n = self.linear_adjoints(adjoint), adjoint.shape[-1]
        for start in range(0, n, size):
            part = slice(start, min(start + size, n))
            out = adjoint.new_empty((sum(c.numel() for c in self.coefficients), part.stop - start))
            blocks = out.split([c.numel() for c in self.coefficients])
            for layer, tape, own, c, block in zip(
                self.layers, self.tapes, adjoints, self.coefficients, blocks, strict=True
            ):
                rules.jacobian(layer, own, tape, part, block.view(*c.shape, -1))
            yield out

    def gradient(self, adjoint: Tensor) -> list[Tensor]:
        """The same summed over points: one (columns, rows) matrix a layer."""
        return self.maps(flat=False).collected(self.linear_adjoints(adjoint))

    def maps(self, flat: bool) -> LayerMaps:
        """The layers' linear maps at these points and nothing else of the sweep; `flat` where many products follow."""
        edges = ([some.flat() if flat else some for some in tape.edges] for tape in self.tapes)
        return LayerMaps(self.layers, tuple(tuple(each) for each in edges))


@dataclass(frozen=True, eq=False)
class LayerMaps:
    """The linear maps of all layers, each on its own features, whatever these are made of."""

    layers: tuple[Layer, ...]
    edges: tuple[tuple[LinearEdges, ...], ...]

    def parts(self, points: int) -> Iterator[tuple[slice, LayerMaps]]:
        """The same at so many points after the other, where all edges are flat; else at all of them."""
        flat = [[some for some in edges if isinstance(some, FlatEdges)] for edges in self.edges]
        if [len(edges) for edges in flat] != [len(edges) for edges in self.edges]:
            yield slice(None), self
            return
        for start in range(0, flat[0][0].features.shape[-1], points):
            part = slice(start, start + points)
            yield part, LayerMaps(self.layers, tuple(tuple(some.part(part) for some in edges) for edges in flat))

    def tangents(self, directions: Sequence[Tensor]) -> list[Tensor]:
        """How each layer's linear outputs change with its coefficients, (c, B · columns, n), its inputs held fixed.

        Their products with `linear_adjoints` add up to the derivative of the scalar that these are of: what a layer
        does to those above it is in the adjoints.
        """
        flattened = [direction.flatten(0, 1) for direction in directions]
        return [rules.linear_outputs(*each) for each in zip(self.layers, flattened, self.edges, strict=True)]

    def collected(self, adjoints: Sequence[Tensor]) -> list[Tensor]:
        """The adjoints of the coefficients, (B · columns, rows) a layer, from those of the linear outputs."""
        return [rules.gradient(*each) for each in zip(self.layers, adjoints, self.edges, strict=True)]


class _SweepFunction(torch.autograd.Function):
    """A sweep for autograd: forward is the jet, backward the hand-written adjoint."""

    @staticmethod
    def forward(
        ctx: Any, network: Network, derivatives: DerivativeSet, points: Tensor, *coefficients: Tensor
    ) -> Tensor:
        prepared = network.prepare(points.detach(), derivatives)
        ctx.sweep = network.sweep(prepared, derivatives, coefficients)
        return ctx.sweep.output

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *adjoints: Tensor) -> tuple[Tensor | None, ...]:
        return (None, None, None, *ctx.sweep.gradient(adjoints[0].contiguous()))


def _values(layer: Layer, coefficient: Tensor, data: Tensor) -> Tensor:
    if layer.centre is not None and layer.half_width is not None:
        data = (data - data.new_tensor(layer.centre)[:, None]) / data.new_tensor(layer.half_width)[:, None]
    if layer.squash is not None:
        data = Activation(layer.squash).values(data).squeeze(1)
    blocks = [e.basis.values(data[list(e.inputs)]).flatten(0, 1) for e in layer.expansions]
    if layer.bias:
        blocks.append(torch.ones_like(data[:1]))
    linear = coefficient @ torch.cat(blocks)
    if not layer.products:
        return linear
    nodes = linear[layer.sums :].unflatten(0, (layer.arity, layer.products)).prod(0)
    return torch.cat([linear[: layer.sums], nodes])


def _family(basis: Basis) -> str:
    return str(basis.spec().get("first", basis.spec())["family"])
