"""A run as it stands between two iterations: everything that a later process needs to go on bit by bit.

A snapshot is a tree of plain values with arrays beside it. Optimisers keep their state in frozen dataclasses of
numbers, tensors and tuples, so one pair of functions, `packed` and `unpacked`, serves them all; nothing is pickled.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from kanpde.errors import StoreError
from kanpde.field import Ansatz
from kanpde.network import Network, Trainable, network_from_spec, network_spec
from kanpde.optim import Status
from kanpde.references.correction import DefectEstimate
from kanpde.stages import Stage

Arrays = dict[str, np.ndarray]
Tree = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Inside:
    """A stage that is under way.

    Attributes:
        stage: what was asked for.
        opening: the network with which the stage began; its points and weights follow from it.
        state: the optimiser's, or what `packed` made of it.
        losses: at the beginning and after each step.
        arrays: those of a packed state, None where it is not packed.
    """

    stage: Stage
    opening: Trainable
    state: Any
    losses: tuple[float, ...]
    arrays: Mapping[str, np.ndarray] | None = None

    def resumed(self, like: Any) -> Any:
        """The optimiser's state; `like` is another one of the same optimiser."""
        return self.state if self.arrays is None else unpacked(self.state, self.arrays, like)


@dataclass(frozen=True, eq=False)
class Snapshot:
    """What a run is between two iterations.

    Attributes:
        progress: what its user is told.
        ansatz: exact conditions and inputs; a start from a coarse solution changes them.
        best: the network with the best trusted estimate, and that estimate.
        spare: starts that were not taken.
        doubtful: starts whose first stage gave no estimate, with their losses.
        numbers: thresholds and expectations that the run has learnt, by name.
        rescued: whether the start from a coarse solution has been used or is none.
        hints: where the estimators begin their search.
        inside: the stage under way, None between stages.
        waiting: networks that later ones will judge, with their ansatz.
        noise: what noisy measurements leave undetermined: the error in the fields, and that of each unknown scalar.
    """

    progress: Any
    ansatz: Ansatz
    best: tuple[Trainable, DefectEstimate] | None
    spare: tuple[Trainable, ...]
    doubtful: tuple[tuple[float, Trainable], ...]
    numbers: Mapping[str, float]
    rescued: bool
    hints: Any
    inside: Inside | None
    waiting: tuple[tuple[Trainable, Ansatz], ...] = ()
    noise: tuple[float, Mapping[str, float]] | None = None


def packed(value: Any, arrays: Arrays) -> Any:
    """A value in plain terms; tensors go to `arrays` under the name that stands in their place."""
    if isinstance(value, torch.Tensor):
        name = f"run{len(arrays):04d}"
        arrays[name] = value.detach().cpu().numpy()
        return {"array": name}
    if isinstance(value, Status):
        return {"status": value.name}
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    if isinstance(value, tuple):
        return {"tuple": [packed(item, arrays) for item in value]}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: packed(getattr(value, f.name), arrays) for f in dataclasses.fields(value)}
        return {"fields": fields}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise StoreError(f"a {type(value).__name__} is no state of an optimiser; keep numbers, tensors and tuples in it")


def unpacked(tree: Any, arrays: Mapping[str, np.ndarray], like: Any) -> Any:
    """What `packed` was given; `like` is a value of the same kind, whose classes and device are taken."""
    if not isinstance(tree, dict):
        return tree
    (kind, content), *_ = tree.items()
    if kind == "array":
        device = like.device if isinstance(like, torch.Tensor) else "cpu"
        return torch.as_tensor(arrays[content]).clone().to(device)
    if kind == "status":
        return Status[content]
    if kind == "float":
        return float(content)
    if kind == "tuple":
        model = like[0] if isinstance(like, tuple) and like else like
        return tuple(unpacked(item, arrays, model) for item in content)
    known = {f.name for f in dataclasses.fields(like)}
    values = {name: unpacked(item, arrays, getattr(like, name)) for name, item in content.items() if name in known}
    return dataclasses.replace(like, **values)


def packed_network(network: Trainable, arrays: Arrays) -> Tree:
    """A network: its structure and numbers. Of a user's own module the numbers alone."""
    spec = network_spec(network) if isinstance(network, Network) else None
    return {"spec": spec, "theta": packed(network.theta, arrays), "scalars": list(network.scalars)}


def unpacked_network(tree: Tree, arrays: Mapping[str, np.ndarray], like: Trainable) -> Trainable:
    """The network again; `like` gives device and precision, and is the module where it is the user's own."""
    theta = unpacked(tree["theta"], arrays, like.theta).to(dtype=like.dtype)
    if tree["spec"] is None:
        like.set_theta(theta)
        return like
    network = network_from_spec(tree["spec"], theta)
    network.scalars = tuple(float(s) for s in tree["scalars"])
    return network
