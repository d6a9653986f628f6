"""What a trained solution is made of, in the order in which its values are computed.

    ξ = (x − x₀)/L,    N = network(features(ξ)),    u_k = U_k (g_k(ξ) + b_k(ξ) N_k),    columns chosen from the u_k

Everything that is written for other programs is written from this: plain numbers, SymPy expressions and a network.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import sympy as sp
import torch

from kanpde.errors import ProblemError
from kanpde.expression import Program
from kanpde.expression.functions import FUNCTIONS
from kanpde.field import Ansatz, SymbolicField, differentiated
from kanpde.multiindex import unit
from kanpde.network import Basis, Joined, ModuleNetwork, Network

Array = np.ndarray
NAMES = {operation: kind.__name__ for kind, operation in FUNCTIONS.items()}
CURE = "solve with exact_conditions=False, which keeps it out of the ansatz, or export to .npz"


@dataclass(frozen=True, eq=False)
class Composition:
    """A solution as plain parts, d coordinates to c columns through m fields.

    Attributes:
        title: what it is, in one line.
        coordinates: names of the d columns of points.
        columns: names of the c columns of values; a complex unknown has two, its real and its imaginary part.
        network: N.
        ansatz: g, b and the features, in ξ.
        origin, length: x₀ and L, (d,).
        sizes: U, (m,).
        shares: the field of each column, one tuple a material.
        predicates: where each material is, in x; () where there is but one.
        symbols: the coordinates in the predicates.
    """

    title: str
    coordinates: tuple[str, ...]
    columns: tuple[str, ...]
    network: Network | ModuleNetwork
    ansatz: Ansatz | None
    origin: Array
    length: Array
    sizes: Array
    shares: tuple[tuple[int, ...], ...]
    predicates: tuple[sp.Basic, ...] = ()
    symbols: tuple[sp.Symbol, ...] = ()

    @classmethod
    def of(cls, network: Network | ModuleNetwork) -> Composition:
        """A network alone: u = N(x)."""
        d, m = network.inputs, network.outputs
        return cls(
            title=network.title,
            coordinates=tuple(f"x{k}" for k in range(d)),
            columns=tuple(f"u{k}" for k in range(m)),
            network=network,
            ansatz=None,
            origin=np.zeros(d),
            length=np.ones(d),
            sizes=np.ones(m),
            shares=(tuple(range(m)),),
        )

    @property
    def in_own_units(self) -> bool:
        """Whether ξ = x and U = 1."""
        return not self.origin.any() and bool(np.all(self.length == 1)) and bool(np.all(self.sizes == 1))

    @property
    def features(self) -> SymbolicField | None:
        """What the network is a function of, None for ξ itself; a module of the user's takes the coordinates alone."""
        if self.ansatz is None or isinstance(self.network, ModuleNetwork):
            return None
        return self.ansatz.features

    @property
    def frame(self) -> SymbolicField | None:
        """The expressions g of all fields, then all b; None for u = N."""
        if self.ansatz is None or self.ansatz.trivial:
            return None
        lift, factor = self.ansatz.lift, self.ansatz.factor
        return SymbolicField(lift.coordinates, lift.expressions + factor.expressions)

    @cached_property
    def materials_program(self) -> Program:
        """One truth value a material, of x."""
        return Program.compile(self.predicates, self.symbols)

    @property
    def values_programs(self) -> list[Program]:
        """All expressions that values take."""
        fields = [field for field in (self.features, self.frame) if field is not None]
        return [*map(values_program, fields), self.materials_program]

    @property
    def slopes_programs(self) -> list[Program]:
        """All expressions that first derivatives take besides."""
        return [slopes_program(field) for field in (self.features, self.frame) if field is not None]


class Composed(Protocol):
    """What has values that can be written down: a solution."""

    @property
    def composition(self) -> Composition:
        """Its parts."""
        ...


def values_program(field: SymbolicField) -> Program:
    """The expressions of a field."""
    return Program.compile(field.expressions, field.coordinates)


def slopes_program(field: SymbolicField) -> Program:
    """Their first derivatives: those of one expression by all coordinates together, expression after expression."""
    axes = [unit(axis, len(field.coordinates)) for axis in range(len(field.coordinates))]
    slopes = [differentiated(e, field.coordinates, axis) for e in field.expressions for axis in axes]
    return Program.compile(slopes, field.coordinates)


def check_operations(programs: Iterable[Program], known: Set[str], language: str) -> None:
    """Makes sure that another language has every function of some programs.

    Args:
        programs: of expressions.
        known: names of the operations that it has.
        language: how the message calls it.

    Raises:
        ProblemError: a function that it lacks, or a known field, which is code or a table.
    """
    for node in (node for program in programs for node in program.nodes):
        if node.known is not None:
            raise ProblemError(f"{language} cannot hold {node.known.label}, which is no formula; {CURE}")
        if node.operation not in known | {"argument", "constant"}:
            raise ProblemError(f"{language} has no function {NAMES.get(node.operation, node.operation)}; {CURE}")


@dataclass(frozen=True, eq=False)
class Segment:
    """Some inputs of a layer in one basis.

    Attributes:
        inputs: positions among the layer's inputs.
        basis: a single one, not two that are joined.
        coefficients: (inputs, size, columns).
    """

    inputs: tuple[int, ...]
    basis: Basis
    coefficients: Array


def segments(network: Network, layer: int) -> Iterator[Segment]:
    """The parts of a layer's linear map y = Σ C B(z) + bias; joined bases are taken apart.

    Raises:
        ProblemError: a coefficient that is not a finite number.
    """
    matrix = matrix_of(network, layer)
    start = 0
    for expansion in network.layers[layer].expansions:
        block = matrix[:, start : start + expansion.rows].reshape(len(matrix), len(expansion.inputs), -1)
        start += expansion.rows
        first = 0
        for basis in single(expansion.basis):
            own = block[:, :, first : first + basis.size]
            yield Segment(expansion.inputs, basis, np.ascontiguousarray(np.moveaxis(own, 0, 2)))
            first += basis.size


def matrix_of(network: Network, layer: int) -> Array:
    """The coefficients (columns, rows) of a layer in float64; the bias is the last row, where there is one.

    Raises:
        ProblemError: one of them is not a finite number.
    """
    matrix = network.coefficients[layer].detach().to("cpu", torch.float64).numpy()
    if not np.isfinite(matrix).all():
        raise ProblemError(f"{network.title} has coefficients that are not finite; solve again from another seed")
    return matrix


def single(basis: Basis) -> Iterator[Basis]:
    """A basis, or the parts of one that is joined, in the order of their coefficients."""
    if isinstance(basis, Joined):
        yield from single(basis.first)
        yield from single(basis.second)
    else:
        yield basis


def layered(composition: Composition, what: str) -> Network:
    """The network, where it is one of ours.

    Raises:
        ProblemError: a module of the user's.
    """
    network = composition.network
    if isinstance(network, ModuleNetwork):
        raise ProblemError(f"{what} cannot be made of your own {network.title}; export to .pt2, or to .npz")
    return network
