"""The verb and its result: `solve(problem, rtol)` gives a `Solution`, which evaluates, judges, saves and draws itself."""

from __future__ import annotations

import dataclasses
import importlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import sympy as sp
import torch

from kanpde import store
from kanpde.errors import ProblemError
from kanpde.estimate import TrainedField, relative_l2
from kanpde.expression import from_tree, to_tree
from kanpde.field import Ansatz, SymbolicField
from kanpde.lifting import impose
from kanpde.network import Network, network_from_spec, network_spec, restarted
from kanpde.operator import Scope, compile_operator
from kanpde.plan import Stage, check_weights, Ladder, default_network, fitted
from kanpde.problem import Problem
from kanpde.provenance import provenance
from kanpde.record import Record
from kanpde.references import GridFunction
from kanpde.references.correction import DefectEstimate
from kanpde.tables import Edge, PlotTables, tabulate
from kanpde.training import Progress, Row, Run, Wishes

EDGE_POINTS = 201


@dataclass(frozen=True, eq=False)
class Solution:
    """A trained field with what is known about it. Call it on points (n, d) to get values (n, c).

    Attributes:
        record: everything in plain values; it is what `save` writes.
        field: the network in its ansatz.
        problem: what it solves; None for a solution loaded without its problem.
        correction: the estimate's grid function e, so that u + e is closer to the truth; None where there is none.
    """

    record: Record
    field: TrainedField
    problem: Problem | None = None
    correction: GridFunction | None = None

    def __call__(self, points: Any) -> np.ndarray:
        """Values (n, c) at points (n, d), the unknowns in alphabetical order."""
        return self.field.values(_points(points, len(self.record.coordinates)))

    def derivative(self, expression: Any) -> Callable[[Any], np.ndarray]:
        """A function of points for any expression of the unknowns, such as `u.diff(x)` or `laplacian(u)`.

        Returns:
            A callable: points (n, d) -> (n,).

        Raises:
            ProblemError: the expression contains something that is neither a coordinate nor an unknown.
        """
        operator = compile_operator(expression, self._scope())

        def evaluate(points: Any) -> np.ndarray:
            x = _points(points, len(self.record.coordinates))
            jet = self.field.jet(x, operator.jet)
            return np.asarray(operator.evaluate(x, jet.T, np))

        return evaluate

    def _scope(self) -> Scope:
        if self.problem is not None:
            return self.problem.scope("the expression")
        coordinates = tuple(self.field.ansatz.lift.coordinates)
        unknowns = tuple(sp.Function(name)(*coordinates) for name in self.record.unknowns)
        space = coordinates[: int(self.record.points.get("space", len(coordinates)))]
        return Scope(coordinates, space, unknowns, label="the expression")

    def compare(self, reference: GridFunction) -> float:
        """Relative L2 distance from a reference on a grid, by the quadrature of its grid.

        Raises:
            ProblemError: the reference solves another problem.
        """
        if reference.signature and reference.signature != self.record.signature:
            raise ProblemError(f"the reference solves another problem than {self.record.problem_name}; make it anew")
        lines, weights = reference.grid.quadrature
        points = np.stack([g.ravel() for g in np.meshgrid(*lines, indexing="ij")], axis=1)
        truth = reference(points)
        shares = np.asarray(weights).reshape(-1)
        gap = ((self(points) - truth) ** 2).sum(1) @ shares
        return float(np.sqrt(gap / ((truth**2).sum(1) @ shares)))

    def corrected(self) -> Callable[[Any], np.ndarray]:
        """u + e, with e from the linearised operator: as good as the estimate is right.

        Raises:
            ProblemError: there is no trusted correction.
        """
        correction = self.correction
        if correction is None:
            raise ProblemError(f"{self.record.problem_name} has no correction: {self.record.status}")

        def evaluate(points: Any) -> np.ndarray:
            x = _points(points, len(self.record.coordinates))
            return self.field.values(x) + correction(x)

        return evaluate

    @property
    def relative_l2(self) -> float | None:
        """True relative L2 error, None without an exact solution."""
        return self.record.relative_l2

    @property
    def error_estimate(self) -> float | None:
        """Estimate of the relative L2 error, None where none can be trusted."""
        return self.record.error_estimate

    @property
    def converged(self) -> bool:
        """Whether 1.5 · error_estimate ≤ rtol."""
        return self.record.converged

    @property
    def status(self) -> str:
        """Why the solve ended, with the cure where it did not converge."""
        return self.record.status

    @property
    def seconds(self) -> float:
        """Wall time of the solve, over all resumes."""
        return self.record.seconds

    @property
    def n_parameters(self) -> int:
        """Coefficients of the network."""
        return self.record.n_parameters

    @property
    def iterations(self) -> int:
        """Steps of the optimisers."""
        return self.record.iterations

    @property
    def identified(self) -> dict[str, float]:
        """Unknown scalars that were found."""
        return self.record.identified

    @property
    def history(self) -> tuple[Row, ...]:
        """One row an iteration."""
        return self.record.history

    @property
    def network(self) -> Network:
        """The trained network N of u = g + b N."""
        return self.field.network

    @cached_property
    def tables(self) -> PlotTables:
        """The arrays of the figures."""
        names, count = self.record.coordinates, len(self.record.unknowns)
        bounds = np.array(self.record.points["bounds"], dtype=float)
        exact = self.problem.exact_values if self.problem is not None and self.problem.exact is not None else None
        truth = "exact solution" if exact is not None else ""
        if exact is None and self.correction is not None:
            corrected, truth = self.corrected(), "estimate"
            exact = corrected
        space = int(self.record.points.get("space", len(names)))
        slices = tabulate(self, names, bounds, space=space, exact=exact)
        assert count
        return PlotTables(self.record.unknowns, names, slices, truth, tuple(edges(self.network, bounds)))

    def save(self, path: str | Path) -> Path:
        """Writes everything to one HDF5 file, atomically."""
        return store.save(path, self.record, self.tables)

    def plot(self, path: str | Path) -> Path:
        """Draws solution, error, convergence and edges to a png, pdf or svg file."""
        from_plots = _plots()
        return from_plots.plot_record(self.record, self.tables, path)

    def __str__(self) -> str:
        return describe(self.record)


def describe(record: Record) -> str:
    """One paragraph: what, how well, how expensive."""
    lines = [
        f"{record.problem_name}: {record.status}",
        f"  relative L2 error   {_number(record.relative_l2)}",
        f"  error estimate      {_number(record.error_estimate)}   (asked for {record.rtol:.1e})",
        f"  {record.network.get('title', 'network')}: {record.n_parameters} parameters",
        f"  {record.seconds:.1f} s, {record.iterations} iterations, seed {record.seed}",
    ]
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2e}"


def _points(points: Any, dimension: int) -> np.ndarray:
    x = np.asarray(points.detach().cpu() if isinstance(points, torch.Tensor) else points, dtype=float)
    x = x[:, None] if x.ndim == 1 and dimension == 1 else x
    if x.ndim != 2 or x.shape[1] != dimension:
        raise ProblemError(f"points must have shape (n, {dimension}), got {x.shape}")
    return x


def edges(network: Network, bounds: np.ndarray) -> list[Edge]:
    """The curve of every edge of a KAN over the range that it uses; none for an MLP."""
    curves: list[Edge] = []
    for k, (layer, matrix) in enumerate(zip(network.layers, network.coefficients, strict=True)):
        start = 0
        for expansion in layer.expansions:
            size = expansion.basis.size
            if size == 1:
                return []
            z = torch.linspace(-1, 1, EDGE_POINTS, dtype=network.dtype, device=network.device)
            table = expansion.basis.tables(z[None], 0)[0, 0]
            for source in expansion.inputs:
                values = (matrix[:, start : start + size].detach() @ table).cpu().numpy()
                low, high = bounds[source] if k == 0 else (-1.0, 1.0)
                x = np.linspace(low, high, EDGE_POINTS)
                curves += [Edge(k, source, target, x, y) for target, y in enumerate(values)]
                start += size
    return curves


def _plots() -> Any:
    """The plotting module, which alone needs matplotlib, loaded when a figure is asked for."""
    return importlib.import_module("kanpde.plots")


def solve(
    problem: Problem,
    rtol: float = 1e-6,
    *,
    network: Network | None = None,
    stages: Sequence[Stage] | None = None,
    seed: int = 0,
    max_seconds: float | None = None,
    progress: bool = False,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    initial_guess: Solution | None = None,
    exact_conditions: bool | None = None,
    device: str | torch.device | None = None,
    weights: Sequence[float] | None = None,
    callback: Callable[[Row], None] | None = None,
) -> Solution:
    """Solves a problem to a relative L2 accuracy, or says why it could not.

    Args:
        problem: what to solve.
        rtol: relative L2 error to reach; met when 1.5 · error_estimate ≤ rtol.
        network: KAN(...) or MLP(...) with as many inputs as coordinates; chosen from the problem by default.
        stages: `Stage`s from coarse to fine; chosen from the network by default.
        seed: of everything random. The same seed gives the same result.
        max_seconds: stop after this wall time with what was reached.
        progress: print a line now and then.
        checkpoint: file that keeps the state between stages.
        resume: go on from `checkpoint` if it exists.
        initial_guess: a solution of a similar problem whose network is the start.
        exact_conditions: True or False to impose conditions exactly or by soft rows; None lets the problem decide.
        device: "cpu" or a CUDA device.
        weights: one positive factor for each soft condition, instead of balancing.
        callback: called once an iteration with a dictionary of plain values.

    Returns:
        The solution, converged or not; `status` says which and why.

    Raises:
        ProblemError: arguments that make no solve.
    """
    _check(problem, rtol, seed, max_seconds)
    check_weights(problem, weights)
    ansatz = impose(problem, exact_conditions)
    candidates = _candidates(problem, network, initial_guess, seed, device)
    chosen = tuple(stages) if stages is not None else Ladder()
    start = Progress(candidates[0])
    if resume and checkpoint is not None and Path(checkpoint).exists():
        start = _resumed(checkpoint, problem, candidates[0])
    wishes = Wishes(rtol, seed, max_seconds, weights)
    run = Run(problem, ansatz, chosen, wishes, start, _announcer(progress, callback))
    if checkpoint is not None:
        run.checkpoint = lambda state: _save_progress(checkpoint, run, state)
    finished = run.go(candidates)
    return _solution(run, finished)


def _check(problem: Problem, rtol: float, seed: int, max_seconds: float | None) -> None:
    if not isinstance(problem, Problem):
        raise ProblemError(f"solve takes a Problem, got {type(problem).__name__}")
    if not (math.isfinite(rtol) and rtol > 0):
        raise ProblemError(f"rtol must be a positive number, got {rtol}")
    if seed < 0:
        raise ProblemError(f"seed must not be negative, got {seed}")
    if max_seconds is not None and not max_seconds > 0:
        raise ProblemError(f"max_seconds must be positive, got {max_seconds}")
    if problem.parameters:
        names = ", ".join(p.name for p in problem.parameters)
        raise ProblemError(f"{names} are unknown scalars; this version solves with given values: put numbers in")


def _candidates(
    problem: Problem,
    network: Network | None,
    guess: Solution | None,
    seed: int,
    device: str | torch.device | None,
) -> list[Network]:
    if guess is not None:
        found = [fitted(guess.network, problem)]
    else:
        first = fitted(network if network is not None else default_network(problem, seed), problem)
        count = Wishes.candidates if len(first.layers) > 1 else 1
        found = [first, *(restarted(first, seed + 100_003 * k) for k in range(1, count))]
    return [n.to(device) for n in found] if device is not None else found


def _announcer(progress: bool, callback: Callable[[Row], None] | None) -> Callable[[Row], None] | None:
    if not progress:
        return callback

    def announce(row: Row) -> None:
        if row["iteration"] % 10 == 0:
            print(f"stage {row['stage']}  iteration {row['iteration']}  residual {row['residual']:.2e}", flush=True)
        if callback is not None:
            callback(row)

    return announce


def _record(run: Run, progress: Progress) -> Record:
    problem, field, estimate = run.problem, TrainedField(progress.network, run.ansatz), progress.estimate
    trusted = estimate.relative if estimate is not None and estimate.trusted else None
    ansatz = run.ansatz
    trees = {"lift": ansatz.lift.expressions, "factor": ansatz.factor.expressions, "coordinates": problem.coordinates}
    return Record(
        problem_name=problem.name,
        signature=problem.signature,
        problem_text=problem.text,
        unknowns=tuple(u.func.__name__ for u in problem.unknowns),
        coordinates=tuple(str(s) for s in problem.coordinates),
        network=network_spec(progress.network),
        theta=progress.network.theta.cpu().numpy(),
        field={k: [to_tree(e) for e in v] for k, v in trees.items()} | {"imposed": list(ansatz.imposed)},
        history=progress.history,
        status=progress.status,
        converged=progress.status == "converged",
        relative_l2=relative_l2(problem, field),
        error_estimate=trusted,
        seconds=run.seconds,
        n_parameters=progress.network.n_parameters,
        iterations=progress.iterations,
        seed=run.wishes.seed,
        rtol=run.wishes.rtol,
        points={
            "bounds": problem.domain.bounds.tolist(),
            "space": len(problem.domain.space),
            "rule": "sobol",
            "stage": progress.stage,
            "damping": progress.damping,
        },
        provenance=provenance(),
    )


def _solution(run: Run, progress: Progress) -> Solution:
    field = TrainedField(progress.network, run.ansatz)
    estimate: DefectEstimate | None = progress.estimate
    correction = estimate.correction if estimate is not None and estimate.trusted else None
    return Solution(_record(run, progress), field, run.problem, correction)


def _save_progress(path: str | Path, run: Run, progress: Progress) -> None:
    record = _record(run, dataclasses.replace(progress, status="running", seconds=run.seconds))
    store.save(path, record, None)


def _resumed(path: str | Path, problem: Problem, like: Network) -> Progress:
    record = store.load(path).record
    if record.signature != problem.signature:
        raise ProblemError(f"{path} belongs to another problem; start afresh without resume, or use another file")
    network = _network(record).to(like.device)
    points = record.points
    return Progress(
        network, int(points["stage"]), float(points["damping"]), record.iterations, record.seconds, record.history
    )


def _network(record: Record) -> Network:
    return network_from_spec(record.network, torch.as_tensor(record.theta))


def load(path: str | Path, problem: Problem | None = None) -> Solution:
    """A saved solution, with bit-identical values. Nothing in the file is executed.

    Args:
        path: what `Solution.save` wrote.
        problem: the problem it solves, for what needs it (estimates, comparisons with the exact solution).

    Raises:
        StoreError: the file is damaged or foreign.
        ProblemError: `problem` is another one.
    """
    record = store.load(path).record
    if problem is not None and problem.signature != record.signature:
        raise ProblemError(f"{path} solves another problem than {problem.name}")
    coordinates = tuple(from_tree(t) for t in record.field["coordinates"])
    lift, factor = (tuple(from_tree(t) for t in record.field[k]) for k in ("lift", "factor"))
    imposed = tuple(int(k) for k in record.field["imposed"])
    ansatz = Ansatz(SymbolicField(coordinates, lift), SymbolicField(coordinates, factor), imposed)
    return Solution(record, TrainedField(_network(record), ansatz), problem)
