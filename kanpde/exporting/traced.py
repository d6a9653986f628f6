"""A trained solution as a program of torch.export: values at points, for C++, servers and compilers without kanpde."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from kanpde.exporting.composition import Composed, Composition, check_operations, matrix_of, values_program
from kanpde.expression import Program
from kanpde.expression.functions import OPERATIONS, Backend
from kanpde.field import SymbolicField
from kanpde.network import ModuleNetwork, Network

# Evaluated by SciPy, which no traced program can call.
UNTRACED = {"gamma", "polygamma", "jv", "yv", "iv", "kv"}


class ComposedModule(torch.nn.Module):
    """Values (n, c) at points (n, d), by operations of torch alone, so that it can be traced and differentiated.

    Args:
        composition: what it computes.

    Raises:
        ProblemError: a function in the ansatz that torch lacks.
    """

    origin: Tensor
    length: Tensor
    sizes: Tensor

    def __init__(self, composition: Composition) -> None:
        super().__init__()
        check_operations(composition.values_programs, set(OPERATIONS) - UNTRACED, "torch.export")
        self.composition = composition
        self.network = _in_doubles(composition.network)
        for name in ("origin", "length", "sizes"):
            self.register_buffer(name, torch.as_tensor(getattr(composition, name), dtype=torch.float64))

    def forward(self, points: Tensor) -> Tensor:
        """u(x), the columns of the composition."""
        parts = self.composition
        places = points if parts.in_own_units else (points - self.origin) / self.length
        inputs = places if parts.features is None else _stacked(parts.features, places)
        fields = self.network(inputs)
        if parts.frame is not None:
            lift, factor = _stacked(parts.frame, places).chunk(2, dim=1)
            fields = lift + factor * fields
        return self._columns(points, fields if parts.in_own_units else fields * self.sizes)

    def _columns(self, points: Tensor, fields: Tensor) -> Tensor:
        """The fields of the first material whose predicate holds, of the first one of all where none does."""
        shares = self.composition.shares
        found = fields[:, list(shares[0])]
        held = run(self.composition.materials_program, list(points.T)) if self.composition.predicates else []
        for share, holds in reversed(list(zip(shares, held, strict=False))):
            found = torch.where(holds[:, None], fields[:, list(share)], found)
        return found


def exported_program(of: Composition | Composed | Network | ModuleNetwork) -> torch.export.ExportedProgram:
    """The values of a solution, exact conditions included, or of a network alone, for any number of points.

    The program maps float64 points (n, d) to values (n, c): the unknowns in alphabetical order, of a complex one its
    real and its imaginary part in two columns. `program.module()` can be called and differentiated as any module.

    Args:
        of: a solution, or a network.

    Raises:
        ProblemError: windows of time, or a function in the ansatz that torch lacks.
    """
    composition = composition_of(of)
    points = torch.zeros((3, len(composition.coordinates)), dtype=torch.float64)
    shapes = ({0: torch.export.Dim("points")},)
    return torch.export.export(ComposedModule(composition), (points,), dynamic_shapes=shapes)


def composition_of(of: Composition | Composed | Network | ModuleNetwork) -> Composition:
    """The parts of a solution or of a network."""
    if isinstance(of, Network | ModuleNetwork):
        return Composition.of(of)
    return of if isinstance(of, Composition) else of.composition


def _in_doubles(network: Network | ModuleNetwork) -> torch.nn.Module:
    """A copy on the CPU in float64; a module of the user's as it is."""
    if isinstance(network, ModuleNetwork):
        return network.module
    matrices = [torch.as_tensor(matrix_of(network, k)) for k in range(len(network.layers))]
    return Network(network.layers, matrices, network.title)


def _stacked(field: SymbolicField, points: Tensor) -> Tensor:
    """The expressions at points (n, d): (n, len(expressions))."""
    return torch.stack(run(values_program(field), list(points.T)), dim=1)


def run(program: Program, columns: Sequence[Tensor]) -> list[Tensor]:
    """All outputs on columns (n,) each, as by the program itself, but with no shape that a trace would fix."""
    backend = Backend.of(torch, columns)
    slots: list[Tensor | float] = []
    for node in program.nodes:
        if node.operation == "argument":
            slots.append(columns[int(node.value)])
        elif node.operation == "constant":
            slots.append(node.value)
        else:
            slots.append(node.function(backend, *(slots[i] for i in node.operands)))
    return [backend.array(slots[i]).expand(columns[0].shape) for i in program.outputs]
