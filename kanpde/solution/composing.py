"""A trained field taken apart into what other programs can be given."""

from __future__ import annotations

import numpy as np

from kanpde.errors import ProblemError
from kanpde.estimate import TrainedField
from kanpde.exporting import Composition
from kanpde.network import ModuleNetwork, Network
from kanpde.problem import Problem
from kanpde.solution.units import ScaledField
from kanpde.solution.windows import WindowedField


def composed(field: TrainedField | ScaledField | WindowedField, problem: Problem) -> Composition:
    """The parts of a field, in the user's units.

    Raises:
        ProblemError: windows of time, each of which has a network of its own.
    """
    if isinstance(field, WindowedField):
        raise ProblemError(
            f"{problem.name} was solved in {len(field.fields)} windows of time, and one formula holds one network; "
            "solve with windows=1, or export to .npz or .xdmf"
        )
    d, m, layout = problem.domain.dimension, len(problem.fields), problem.layout
    scales = field.scales if isinstance(field, ScaledField) else None
    network = field.network
    assert isinstance(network, Network | ModuleNetwork)
    return Composition(
        title=f"{problem.name} by {network.title}",
        coordinates=tuple(map(str, problem.coordinates)),
        columns=_columns(problem),
        network=network,
        ansatz=field.ansatz,
        origin=np.zeros(d) if scales is None else scales.origin,
        length=np.ones(d) if scales is None else scales.length,
        sizes=np.ones(m) if scales is None else scales.unknowns,
        shares=tuple(tuple(k for part in share for k in part) for share in layout.shares),
        predicates=layout.materials,
        symbols=layout.coordinates,
    )


def _columns(problem: Problem) -> tuple[str, ...]:
    """The unknowns, in two parts where they are complex."""
    pairs = zip(problem.unknowns, problem.layout.parts, strict=True)
    return tuple(
        u.func.__name__ + suffix for u, part in pairs for suffix in (("_re", "_im") if len(part) == 2 else ("",))
    )
