"""Between a run and its file: the record that it leaves, and the solution that a file holds."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from kanpde import store
from kanpde.errors import ProblemError, StoreError
from kanpde.estimate import Estimator, TrainedField, relative_l2
from kanpde.network import ModuleNetwork, Network, Trainable, network_from_spec, network_spec
from kanpde.problem import Problem, problem_from_tree, problem_to_tree
from kanpde.provenance import provenance
from kanpde.record import SAFETY, Record
from kanpde.references import GridFunction
from kanpde.references.correction import Correction
from kanpde.references.storage import grid_facts, grid_of
from kanpde.snapshot import Snapshot
from kanpde.solution.resuming import ansatz_from_tree, ansatz_tree, snapshot_from_tree, snapshot_tree
from kanpde.solution.solution import Solution
from kanpde.solution.units import ScaledField, scales_from_tree, scales_tree
from kanpde.solution.windows import WindowedField
from kanpde.training import Progress, Run


def solution_of(run: Run, progress: Progress) -> Solution:
    """What a run has reached, as its user gets it."""
    estimate = progress.estimate
    correction = estimate.correction if estimate is not None and estimate.trusted else None
    field, problem = _in_units(run, progress)
    kept = correction if run.units is None else None
    return Solution(_record(run, progress, kept), field, problem, kept)


def _in_units(run: Run, progress: Progress) -> tuple[TrainedField | ScaledField, Problem]:
    """The trained field and the problem as the user stated it."""
    field = TrainedField(progress.network, run.ansatz)
    return (field, run.problem) if run.units is None else (ScaledField(field, run.units.scales), run.units.problem)


def _record(run: Run, progress: Progress, correction: Correction | None) -> Record:
    network, estimate = progress.network, progress.estimate
    field, problem = _in_units(run, progress)
    sizes = {} if run.units is None else {"scales": scales_tree(run.units.scales)}
    errors = {} if run.noise is None else run.noise.scalars
    return Record(
        problem_name=problem.name,
        signature=problem.signature,
        problem_text=problem.text,
        unknowns=tuple(u.func.__name__ for u in problem.unknowns),
        coordinates=tuple(str(s) for s in problem.coordinates),
        network=network_spec(network) if isinstance(network, Network) else {"title": network.title, "module": True},
        theta=network.theta.cpu().numpy(),
        field=ansatz_tree(run.ansatz) | sizes | {"kept": _kept(run)},
        history=progress.history,
        status=progress.status,
        converged=run.converged,
        relative_l2=relative_l2(problem, field, run.ansatz if run.units is None else None),
        error_estimate=estimate.relative if estimate is not None and estimate.trusted else None,
        seconds=run.seconds,
        n_parameters=network.n_parameters,
        iterations=progress.iterations,
        seed=run.wishes.seed,
        rtol=run.wishes.rtol,
        points={"stage": progress.stage, "damping": progress.damping},
        provenance=provenance(),
        problem=problem_to_tree(problem),
        correction=_correction_facts(problem, correction),
        identified=dict(zip((p.name for p in problem.parameters), field.parameters, strict=True)),
        identified_stderr=errors if run.units is None else run.units.scales.parameters_out(errors),
    )


def joined(problem: Problem, windows: Sequence[Solution], edges: Sequence[float], rtol: float) -> Solution:
    """The solutions of successive windows of time as one, judged as a whole."""
    field = WindowedField(tuple(w.field for w in windows), tuple(edges), len(problem.domain.space))
    estimator = Estimator(problem)
    estimate = estimator(field)
    relative = estimate.relative if estimate is not None and estimate.trusted else None
    done = relative is not None and SAFETY * relative <= rtol
    records, last = [w.record for w in windows], windows[-1].record
    rows = [{**row, "window": k} for k, record in enumerate(records) for row in record.history]
    specs = [{"network": r.network, "field": r.field, "parameters": r.n_parameters} for r in records]
    record = dataclasses.replace(
        last,
        problem_name=problem.name,
        signature=problem.signature,
        problem_text=problem.text,
        network={"title": f"{last.network['title']} in {len(windows)} windows", "windows": specs, "edges": list(edges)},
        theta=np.concatenate([r.theta for r in records]),
        history=tuple(rows),
        status="converged" if done else _verdict(records, relative, estimator.reason, rtol),
        converged=done,
        relative_l2=relative_l2(problem, field),
        error_estimate=relative,
        seconds=sum(r.seconds for r in records),
        n_parameters=sum(r.n_parameters for r in records),
        iterations=sum(r.iterations for r in records),
        rtol=rtol,
        problem=problem_to_tree(problem),
        correction=None,
    )
    return Solution(record, field, problem)


def _verdict(records: Sequence[Record], relative: float | None, reason: str, rtol: float) -> str:
    """Why windows together did not converge; where one was stopped, the whole was."""
    stopped = [r.status for r in records if not r.finished]
    if stopped:
        return stopped[-1]
    worst = next((f"window {k}: {r.status}" for k, r in enumerate(records, 1) if not r.converged), "")
    if relative is None:
        return f"finished without an error estimate: {reason}; {worst}".rstrip("; ")
    return f"not converged: the estimated error {relative:.1e} stays above {rtol:.1e}/{SAFETY}; {worst}".rstrip("; ")


def _windowed(record: Record, problem: Problem) -> WindowedField:
    """The fields of all windows of a file."""
    fields: list[TrainedField] = []
    start = 0
    for window in record.network["windows"]:
        theta = torch.as_tensor(record.theta[start : start + window["parameters"]])
        start += window["parameters"]
        fields.append(
            TrainedField(network_from_spec(window["network"], theta), ansatz_from_tree(window["field"], problem))
        )
    return WindowedField(tuple(fields), tuple(record.network["edges"]), len(problem.domain.space))


def _correction_facts(problem: Problem, correction: Any) -> dict[str, Any] | None:
    """Only corrections on grids are kept in files."""
    if not isinstance(correction, GridFunction):
        return None
    return {"axes": grid_facts(correction.grid), "fields": [f.func.__name__ for f in problem.fields]}


def _kept(run: Run) -> list[int]:
    """How many conditions hold whatever the coefficients are, and how many there are."""
    conditions = run.problem.conditions
    periodic = {k for k, condition in enumerate(conditions) if condition.kind == "periodic"}
    return [len(periodic | set(run.ansatz.imposed)), len(conditions)]


def load(path: str | Path, problem: Problem | None = None, network: torch.nn.Module | None = None) -> Solution:
    """A saved solution, with bit-identical values. Nothing in the file is executed.

    Args:
        path: what `Solution.save` wrote, or the checkpoint of a solve.
        problem: the problem it solves, if you have it at hand; the file holds it too.
        network: your own module of the same shape, where the solution is of one: a file holds its numbers alone.

    Raises:
        StoreError: the file is damaged or foreign.
        ProblemError: `problem` is another one, or `network` is missing.
    """
    stored = store.load(path)
    record = _alone(stored.record)
    if problem is not None and problem.signature != record.signature:
        raise ProblemError(
            f"{path} belongs to another problem than {problem.name} is now; leave problem= out to get its own, "
            "or solve anew without resume"
        )
    module = _module(record, network, path)
    try:
        own = problem_from_tree(record.problem) if problem is None else problem
        if "windows" in record.network:
            windowed = _windowed(record, own)
            return Solution(_rejudged(record, windowed, own), windowed, own)
        trained = network_from_spec(record.network, torch.as_tensor(record.theta)) if module is None else module
        sizes = scales_from_tree(record.field["scales"]) if "scales" in record.field else None
        found = record.identified if sizes is None else sizes.parameters_in(record.identified)
        trained.scalars = tuple(found[p.name] for p in own.parameters)
        inner = TrainedField(trained, ansatz_from_tree(record.field, own))
        field = inner if sizes is None else ScaledField(inner, sizes)
        return Solution(_rejudged(record, field, own), field, own, _correction(stored))
    except (ProblemError, LookupError, TypeError, ValueError, RuntimeError) as error:
        raise StoreError(f"{path} is damaged: {error}") from error


def _alone(record: Record) -> Record:
    """The record without the run that a checkpoint holds beside it, whose arrays no solution carries along."""
    return dataclasses.replace(record, points={key: value for key, value in record.points.items() if key != "run"})


def _rejudged(record: Record, field: TrainedField | ScaledField | WindowedField, problem: Problem) -> Record:
    """The record with the error against the exact solution of `problem`, which is no part of its signature."""
    if problem_to_tree(problem)["exact"] == record.problem.get("exact"):
        return record
    error = relative_l2(problem, field)
    return dataclasses.replace(record, relative_l2=error, problem=problem_to_tree(problem), problem_text=problem.text)


def _module(record: Record, module: torch.nn.Module | None, path: str | Path) -> Trainable | None:
    """The user's own module with the numbers of the file; None where the file has a network of ours."""
    theta = torch.as_tensor(record.theta)
    if not record.network.get("module"):
        return None
    if module is None:
        raise ProblemError(f"{path} holds the numbers of a {record.network['title']}; give it as network=")
    wrapped = ModuleNetwork(module, len(record.coordinates))
    if wrapped.n_parameters != len(theta):
        raise ProblemError(f"{path} has {len(theta)} parameters, the network {wrapped.n_parameters}; give the same one")
    wrapped.set_theta(theta)
    return wrapped


def _correction(stored: store.Stored) -> GridFunction | None:
    record = stored.record
    if record.correction is None:
        return None
    grid = grid_of(record.correction["axes"])
    names = tuple(record.correction.get("fields", record.unknowns))
    return GridFunction(grid, stored.arrays["correction"], names, record.coordinates)


def saved(solution: Solution, path: str | Path, left: Snapshot | None = None, **changes: Any) -> Path:
    """Writes a solution without the tables of its figures, and the run that it came from: a checkpoint."""
    record, arrays = dataclasses.replace(solution.record, **changes), dict(solution.arrays)
    if left is not None:
        tree = snapshot_tree(left, arrays)
        record = dataclasses.replace(record, points={**record.points, "run": tree})
    return store.save(path, record, None, arrays)


def progress_of(solution: Solution) -> Progress:
    """Where the run stood that left a solution."""
    record, points = solution.record, solution.record.points
    return Progress(
        solution.network,
        int(points["stage"]),
        float(points["damping"]),
        record.iterations,
        record.seconds,
        record.history,
    )


def snapshot_of(path: str | Path, solution: Solution, problem: Problem) -> Snapshot | None:
    """The run that a checkpoint holds, None where it holds a solution alone.

    Args:
        path: the checkpoint.
        solution: what `load` made of it.
        problem: what the run solves: the user's problem, or that in units of its sizes.

    Raises:
        StoreError: it is damaged.
    """
    stored = store.load(path)
    tree = stored.record.points.get("run")
    if tree is None:
        return None
    try:
        return snapshot_from_tree(tree, stored.arrays, solution, problem)
    except (LookupError, TypeError, ValueError, RuntimeError) as error:
        raise StoreError(f"{path} is damaged: {error}") from error
