"""Which nodes and inputs of a solution's network matter least."""

from __future__ import annotations

import numpy as np
import torch

from kanpde.collocation import collocate
from kanpde.errors import ProblemError
from kanpde.estimate import TrainedField
from kanpde.network import Network
from kanpde.network.attribution import Attribution, attribution
from kanpde.pruning.surgery import Node
from kanpde.solution import Solution
from kanpde.solution.units import ScaledField

SAMPLE = 2048  # points over which attribution is taken


def network_of(solution: Solution) -> Network:
    """The layered network of a solution.

    Raises:
        ProblemError: a module of the user's own, or several windows of time.
    """
    name, field = solution.record.problem_name, solution.field
    if not isinstance(field, TrainedField | ScaledField):
        raise ProblemError(f"{name} has a network for each of several windows of time; solve it with windows=1")
    if not isinstance(field.network, Network):
        raise ProblemError(f"{name} is solved by a {field.network.title}, which has no nodes; use KAN or MLP")
    return field.network


def scores(solution: Solution) -> Attribution:
    """The scores of nodes and edges, with points drawn from the domain alike."""
    network, field = network_of(solution), solution.field
    x = collocate(solution.problem.domain.interior, SAMPLE).x
    x = field.scales.points_in(x) if isinstance(field, ScaledField) else x
    features = field.ansatz.features
    values = x if features is None else features.values(x)
    finite = values[np.isfinite(values).all(1)]  # a logarithm is not at the singularity that it is for
    return attribution(network, torch.as_tensor(finite, dtype=network.dtype, device=network.device))


def ranked(solution: Solution) -> list[tuple[Node, float]]:
    """The hidden nodes and their shares of their layers' scores, the least important one first."""
    found = []
    for k, nodes in enumerate(scores(solution).nodes[1:-1]):
        shares = nodes / (nodes.sum() or 1.0)
        found += [((k, node), float(share)) for node, share in enumerate(shares)]
    return sorted(found, key=lambda pair: pair[1])


def idle_inputs(solution: Solution, share: float) -> list[int]:
    """The inputs with less than a share of all inputs' scores."""
    nodes = scores(solution).nodes[0]
    return [i for i, score in enumerate(nodes) if score < share * nodes.sum()]
