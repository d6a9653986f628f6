"""A run in plain values: what a checkpoint holds beside the solution, and the run that it becomes again."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from kanpde.expression import from_tree, to_tree, with_code
from kanpde.features import Clustering, Course
from kanpde.field import Ansatz, SymbolicField
from kanpde.network import Trainable
from kanpde.problem import Problem
from kanpde.record import Record
from kanpde.references import GridFunction
from kanpde.references.correction import DefectEstimate
from kanpde.references.storage import grid_facts, grid_of
from kanpde.snapshot import Arrays, Inside, Snapshot, Tree, packed, packed_network, unpacked, unpacked_network
from kanpde.sparsity import Sparsity
from kanpde.stages import OPTIMIZERS, Stage
from kanpde.training import Progress

PLAIN = ("absolute", "relative", "trusted", "reason", "seconds", "method")  # of an estimate
Stored = Mapping[str, np.ndarray]


class Solved(Protocol):
    """A solution, as far as a run needs it to go on."""

    @property
    def record(self) -> Record:
        """What it left."""
        ...

    @property
    def network(self) -> Trainable:
        """Its network."""
        ...


def snapshot_tree(left: Snapshot, arrays: Arrays) -> Tree:
    """A run as a tree; its numbers go to `arrays`."""
    progress = left.progress
    own = {name: getattr(progress, name) for name in ("stage", "damping", "iterations", "seconds")}
    return {
        "progress": {
            **own,
            "network": packed_network(progress.network, arrays),
            "rows": len(progress.history),
            "estimate": _estimate_tree(progress.estimate, arrays),
        },
        "ansatz": ansatz_tree(left.ansatz),
        "best": None
        if left.best is None
        else [packed_network(left.best[0], arrays), _estimate_tree(left.best[1], arrays)],
        "spare": [packed_network(network, arrays) for network in left.spare],
        "doubtful": [[loss, packed_network(network, arrays)] for loss, network in left.doubtful],
        "numbers": {name: packed(float(value), arrays) for name, value in left.numbers.items()},
        "rescued": left.rescued,
        "hints": left.hints,
        "inside": None if left.inside is None else _inside_tree(left.inside, arrays),
        "waiting": [[packed_network(each, arrays), ansatz_tree(own)] for each, own in left.waiting],
        "noise": None if left.noise is None else [left.noise[0], dict(left.noise[1])],
    }


def snapshot_from_tree(tree: Tree, arrays: Stored, solution: Solved, problem: Problem) -> Snapshot:
    """The run again, with the history and the device of the solution that was stored with it."""
    like = solution.network
    told = dict(tree["progress"])
    network = _network(told.pop("network"), arrays, like)
    history = solution.record.history[: told.pop("rows")]
    estimate = _estimate(told.pop("estimate"), arrays, problem)
    best = tree["best"]
    found = None if best is None else _estimate(best[1], arrays, problem)
    return Snapshot(
        progress=Progress(network, history=history, estimate=estimate, **told),
        ansatz=ansatz_from_tree(tree["ansatz"], problem),
        best=None if found is None else (_network(best[0], arrays, like), found),
        spare=tuple(_network(each, arrays, like) for each in tree["spare"]),
        doubtful=tuple((float(loss), _network(each, arrays, like)) for loss, each in tree["doubtful"]),
        numbers={name: float(unpacked(value, arrays, 0.0)) for name, value in tree["numbers"].items()},
        rescued=bool(tree["rescued"]),
        hints=tree["hints"],
        inside=None if tree["inside"] is None else _inside(tree["inside"], arrays, like),
        waiting=tuple((_network(each, arrays, like), ansatz_from_tree(own, problem)) for each, own in tree["waiting"]),
        noise=None if tree.get("noise") is None else (tree["noise"][0], tree["noise"][1]),
    )


def _network(tree: Tree, arrays: Stored, like: Trainable) -> Trainable:
    return unpacked_network(tree, arrays, copy.deepcopy(like))


def _inside_tree(inside: Inside, arrays: Arrays) -> Tree:
    stage = {f.name: getattr(inside.stage, f.name) for f in dataclasses.fields(inside.stage)}
    if not isinstance(stage["optimizer"], str):  # the user's own settings come back with the user's stages
        stage["optimizer"] = None
    if inside.stage.sparsity is not None:
        stage["sparsity"] = dataclasses.asdict(inside.stage.sparsity)
    return {
        "stage": stage,
        "opening": packed_network(inside.opening, arrays),
        "state": packed(inside.state, arrays),
        "losses": list(inside.losses),
    }


def _inside(tree: Tree, arrays: Stored, like: Trainable) -> Inside:
    words = dict(tree["stage"])
    words["optimizer"] = words["optimizer"] or next(iter(OPTIMIZERS))
    words["sparsity"] = None if words.get("sparsity") is None else Sparsity(**words["sparsity"])
    opening = _network(tree["opening"], arrays, like)
    return Inside(Stage(**words), opening, tree["state"], tuple(tree["losses"]), arrays)


def _estimate_tree(estimate: DefectEstimate | None, arrays: Arrays) -> Tree | None:
    """An estimate; of corrections those on grids are kept."""
    if estimate is None:
        return None
    tree: Tree = {name: packed(getattr(estimate, name), arrays) for name in PLAIN}
    tree["shapes"], tree["scalars"] = [list(shape) for shape in estimate.shapes], list(estimate.scalars)
    if isinstance(estimate.correction, GridFunction):
        name = f"run{len(arrays):04d}"
        arrays[name] = estimate.correction.values
        tree["correction"] = {"axes": grid_facts(estimate.correction.grid), "array": name}
    return tree


def _estimate(tree: Tree | None, arrays: Stored, problem: Problem) -> DefectEstimate | None:
    if tree is None:
        return None
    plain = {name: unpacked(tree[name], arrays, 0.0) for name in PLAIN}
    correction = None
    if "correction" in tree:
        names = tuple(u.func.__name__ for u in problem.fields)
        grid = grid_of(tree["correction"]["axes"])
        correction = GridFunction(
            grid, arrays[tree["correction"]["array"]], names, tuple(map(str, problem.coordinates))
        )
    shapes = tuple(tuple(shape) for shape in tree["shapes"])
    return DefectEstimate(correction, shapes=shapes, scalars=tuple(tree["scalars"]), **plain)


def ansatz_tree(ansatz: Ansatz) -> dict[str, Any]:
    """Exact conditions, inputs and steep places, expressions as trees."""
    features = () if ansatz.features is None else ansatz.features.expressions
    trees = {"lift": ansatz.lift.expressions, "factor": ansatz.factor.expressions, "features": features}
    steep = [
        [c.axis, list(c.centres), list(c.widths), c.period, None if c.course is None else dataclasses.astuple(c.course)]
        for c in ansatz.clusterings
    ]
    expressions = {k: [to_tree(e) for e in v] for k, v in trees.items()}
    return expressions | {"imposed": list(ansatz.imposed), "clusterings": steep}


def _clustering(axis: int, centres: list[float], widths: list[float], period: float | None, *more: Any) -> Clustering:
    """A steep place again; files of earlier versions have no course."""
    told = more[0] if more else None
    course = None if told is None else Course(told[0], told[1], tuple(tuple(row) for row in told[2]))
    return Clustering(int(axis), tuple(centres), tuple(widths), period, course)


def ansatz_from_tree(tree: Mapping[str, Any], problem: Problem) -> Ansatz:
    """The ansatz of a problem again."""
    trees = {k: tree.get(k, []) for k in ("lift", "factor", "features")}
    own = [o.expression for o in (*problem.operators, *(c.operator for c in problem.conditions if c.operator))]
    read = {k: tuple(with_code(from_tree(t), own) for t in v) for k, v in trees.items()}
    fields = {k: SymbolicField(problem.coordinates, v) for k, v in read.items()}
    imposed = tuple(int(k) for k in tree["imposed"])
    features = fields["features"] if trees["features"] else None
    steep = tuple(_clustering(*each) for each in tree.get("clusterings", []))
    return Ansatz(fields["lift"], fields["factor"], imposed, features, steep)
