"""What users hold of a solve: a trained field with all that is known about it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import sympy as sp
import torch

from kanpde import store
from kanpde.collocation import PointSet, collocate
from kanpde.diagrams import Candidates, diagram_of
from kanpde.diagrams import write as write_diagram
from kanpde.domain import Point, Region
from kanpde.errors import ProblemError
from kanpde.estimate import GAUSS, SCATTERED, TrainedField, quadrature
from kanpde.export import WRITERS, Sample, export
from kanpde.exporting import FUNCTIONS, Composition, export_function
from kanpde.expression import as_expression, is_evaluable
from kanpde.network import Trainable
from kanpde.operator import DifferentialOperator, JetVariable
from kanpde.plots import plot_record
from kanpde.problem import Problem
from kanpde.record import Record
from kanpde.references import GridFunction
from kanpde.references.correction import Correction
from kanpde.solution.composing import composed
from kanpde.solution.curves import network_tables
from kanpde.solution.reading import Names, read
from kanpde.solution.units import ScaledField
from kanpde.solution.windows import WindowedField
from kanpde.symbolic import SECONDS, Candidate, Formula
from kanpde.tables import PlotTables, tabulate

LEAST_GAUSS = 10  # nodes along each axis of a rule in many dimensions

Values = Callable[[Any], np.ndarray]


class Reference(Protocol):
    """A conventional solution: on a grid, on a mesh, or of polynomials."""

    @property
    def signature(self) -> str:
        """The hash of the problem that it solves."""
        ...

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """The fields at points (n, d): (n, m)."""
        ...


@dataclass(frozen=True, eq=False)
class Solution:
    """A trained field with what is known about it. Call it on points (n, d) to get values (n, c).

    Attributes:
        record: everything in plain values; it is what `save` writes.
        field: the network in its ansatz.
        problem: what it solves.
        correction: the estimate's function e, so that u + e is closer to the truth; None where there is none.
    """

    record: Record
    field: TrainedField | ScaledField | WindowedField
    problem: Problem
    correction: Correction | None = None

    def __call__(self, points: Any) -> np.ndarray:
        """Values (n, c) at points (n, d), the unknowns in alphabetical order; complex where an unknown is."""
        x = self._points(points)
        return self.problem.readout(x, self.field.values(x))

    def derivative(self, expression: Any) -> Values:
        """A function of points for any expression of the unknowns, such as `u.diff(x)` or `laplacian(u)`.

        Returns:
            A callable: points (n, d) -> (n,).

        Raises:
            ProblemError: the expression contains something that is neither a coordinate nor an unknown.
        """
        context, inside, label = self.problem.context, self.problem.domain.interior, "the expression"
        kinds = (sp.re, sp.im) if any(len(part) == 2 for part in context.layout.parts) else (as_expression,)
        operators = [context.operators(kind(expression), inside, label)[0] for kind in kinds]

        def values(points: Any) -> np.ndarray:
            x = self._points(points)
            re, *im = (self._evaluated(operator, x) for operator in operators)
            return re + 1j * im[0] if im else re

        return values

    def integrate(self, expression: Any, on: Region | Point | None = None) -> float:
        """The integral of an expression of the unknowns: a mean, an energy, or a flux through a side.

        Gauss quadrature in up to three dimensions, quasi-random points in more and where a curved predicate cuts.

        Args:
            expression: such as `u**2`, or `normal_derivative(u)` on a part of the boundary.
            on: a region or a point of the domain, the whole domain by default.

        Raises:
            ProblemError: a region of another domain, or an expression with something unknown in it.
        """
        label = "the integrand"
        context = self.problem.context
        region = self.problem.domain.interior if on is None else context.region(on, label)
        operators = context.operators(expression, region, label)
        if len(operators) > 1:
            raise ProblemError(
                f"{label} is complex; integrate its real and its imaginary part, sp.re(...), sp.im(...)."
            )
        points = self._rule(region)
        return float(points.weights @ self._evaluated(operators[0], points.x, points.normals))

    def _rule(self, region: Region) -> PointSet:
        """The accurate rule of the domain, Gauss on its sides, scattered points where a predicate cuts."""
        domain, cells = self.problem.domain, self.problem.context.cells
        nodes = GAUSS.get(domain.dimension, LEAST_GAUSS)
        if region.text == domain.interior.text and cells is not None:
            return PointSet(*cells.quadrature(domain, nodes), None)
        if region.text == domain.interior.text and not domain.is_box:
            return PointSet(*domain.quadrature(nodes), None)
        parts = [Region.whole(region.domain, [piece], region.name) for piece in region.pieces()]
        rules = [_on_piece(part) for part in parts]
        normals = [rule.normals for rule in rules if rule.normals is not None]
        return PointSet(
            np.concatenate([rule.x for rule in rules]),
            np.concatenate([rule.weights for rule in rules]),
            np.concatenate(normals) if len(normals) == len(rules) else None,
        )

    def _evaluated(
        self, operator: DifferentialOperator, x: np.ndarray, normals: np.ndarray | None = None
    ) -> np.ndarray:
        scalars = [self.record.identified[p.name] for p in operator.parameters]
        return np.asarray(operator.evaluate(x, self.field.jet(x, operator.jet).T, np, normals, scalars))

    def _points(self, points: Any) -> np.ndarray:
        x = np.asarray(points.detach().cpu() if isinstance(points, torch.Tensor) else points, dtype=float)
        dimension = len(self.record.coordinates)
        x = x[:, None] if x.ndim == 1 and dimension == 1 else x
        if x.ndim != 2 or x.shape[1] != dimension:
            raise ProblemError(f"points must have shape (n, {dimension}), got {x.shape}")
        return x

    def compare(self, reference: Reference) -> float:
        """Relative L2 distance of the unknowns from a reference, by the quadrature of its grid, or of the domain.

        Raises:
            ProblemError: the reference solves another problem.
        """
        if reference.signature and reference.signature != self.record.signature:
            raise ProblemError(f"the reference solves another problem than {self.record.problem_name}; make it anew")
        if isinstance(reference, GridFunction):
            lines, weights = reference.grid.quadrature
            points = np.stack([g.ravel() for g in np.meshgrid(*lines, indexing="ij")], axis=1)
        else:
            points, weights = quadrature(self.problem.domain)
        truth, shares = self.problem.readout(points, reference(points)), np.asarray(weights).reshape(-1)
        gap, size = ((np.abs(v) ** 2).sum(1) @ shares for v in (self(points) - truth, truth))
        return float(np.sqrt(gap / size)) if size > 0 else float(np.sqrt(gap))

    def corrected(self) -> Values:
        """The field u + e, with e from the linearised operator: as good as the estimate is right.

        Raises:
            ProblemError: there is no trusted correction.
        """
        correction = self.correction
        if correction is None:
            raise ProblemError(
                f"{self.record.problem_name} has no correction, as no estimate gave one; status: {self.status}"
            )

        def values(points: Any) -> np.ndarray:
            x = self._points(points)
            return self.problem.readout(x, self.field.values(x) + correction(x))

        return values

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
    def identified_stderr(self) -> dict[str, float]:
        """Their standard errors, from the Gauss-Newton Hessian and the errors of the observations."""
        return self.record.identified_stderr

    @property
    def history(self) -> tuple[dict[str, Any], ...]:
        """One row an iteration."""
        return self.record.history

    @property
    def network(self) -> Trainable:
        """The trained network N of u = g + b N."""
        return self.field.network

    @cached_property
    def tables(self) -> PlotTables:
        """The arrays of the figures; complex unknowns as their real and imaginary parts."""
        problem, names = self.problem, self.record.coordinates
        exact: Values | None = None
        truth = ""
        if problem.exact is not None and all(map(is_evaluable, problem.exact.values())):
            exact, truth = problem.exact_values, "exact solution"
        elif self.correction is not None:
            exact, truth = self.corrected(), "estimate"
        domain, shown = problem.domain, None if exact is None else self._real(exact)
        slices = tabulate(
            self._real(self),
            names,
            domain.bounds,
            space=len(domain.space),
            exact=shown,
            level=None if domain.is_box else domain.signed_distance,
        )
        fields = tuple(f.func.__name__ for f in problem.fields)
        drawn = network_tables(self.field, problem)
        curves = {f.name: getattr(drawn, f.name) for f in dataclasses.fields(drawn)}
        return PlotTables(self._real_names, names, slices, truth, fields=fields, **curves)

    @property
    def _real_names(self) -> tuple[str, ...]:
        pairs = zip(self.record.unknowns, self._is_complex, strict=True)
        return tuple(name + part for name, split in pairs for part in (("_re", "_im") if split else ("",)))

    @property
    def _is_complex(self) -> tuple[bool, ...]:
        return tuple(len(part) == 2 for part in self.problem.layout.parts)

    def _real(self, function: Values) -> Values:
        """The same function with two columns for each complex unknown."""

        def values(points: Any) -> np.ndarray:
            found = function(points)
            pairs = zip(found.T, self._is_complex, strict=True)
            return np.stack([part for u, split in pairs for part in ((u.real, u.imag) if split else (u.real,))], axis=1)

        return values

    def save(self, path: str | Path) -> Path:
        """Writes everything to one HDF5 file, atomically.

        Raises:
            StoreError: it cannot be written.
        """
        return store.save(path, self.record, self.tables, self.arrays)

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """What is stored beside the record: the values of the correction."""
        # A correction in a frame or on a mesh is not kept; the estimate makes it again.
        return {"correction": self.correction.values} if isinstance(self.correction, GridFunction) else {}

    @property
    def composition(self) -> Composition:
        """The parts of which its values are computed, for exports.

        Raises:
            ProblemError: there are several windows of time.
        """
        return composed(self.field, self.problem)

    def export(self, path: str | Path) -> Path:
        """Writes the solution for other programs, as a function or on a mesh of its domain.

        `.c` (C99, values and first derivatives; the function has the name of the file), `.onnx` and `.pt2`
        (torch.export, values) hold the function itself, exact conditions included, everywhere and to rounding.

        The others hold its values on a grid in a box, else on triangles or tetrahedra.
        `.vtu`, `.vtk` and `.xdmf` (ParaView, through meshio) hold up to three spatial coordinates, `.xdmf` a time as
        well, as a series. Fields are named after the unknowns: u (u_re, u_im and u_abs of a complex one), u_gradient
        (spatial, three components), and u_error = |e| with the correction e = truth - u where it is known. `.npz`
        (NumPy) holds any problem: the axes of a box, or points and cells; u, u_gradient and u_correction = e.

        Raises:
            ProblemError: another suffix, a format that cannot hold the solution, or a library is missing.
            StoreError: it cannot be written.
        """
        suffix = Path(path).suffix
        if suffix in FUNCTIONS:
            return export_function(path, self.composition)
        if suffix not in WRITERS:
            formats = ", ".join([*WRITERS, *FUNCTIONS])
            raise ProblemError(f"{path} has no format to export to; end the name with {formats}")
        return export(path, self.problem.domain, self._sample, self.problem.layout.materials)

    def _sample(self, points: np.ndarray) -> Sample:
        correction = None if self.correction is None else self.problem.readout(points, self.correction(points))
        return Sample(self.record.unknowns, self._is_complex, self(points), self.gradient(points), correction)

    def gradient(self, points: Any) -> np.ndarray:
        """The spatial derivatives (n, c, s) of the unknowns at points (n, d)."""
        x = self._points(points)
        m, units = len(self.problem.fields), np.eye(x.shape[1], dtype=int).tolist()
        axes = units[: len(self.problem.domain.space)]
        jet = self.field.jet(x, [JetVariable(k, tuple(unit)) for unit in axes for k in range(m)])
        return np.stack([self.problem.readout(x, jet[:, k * m : (k + 1) * m]) for k in range(len(axes))], axis=2)

    def function(self, of: Any) -> Callable[..., Any]:
        """A function f(x, y, ...) of an unknown or of an expression, for integrators, optimisers and contour plots.

        It takes one argument a coordinate, in the order of `record.coordinates`, numbers or arrays that NumPy
        broadcasts, and gives a number for numbers: `scipy.integrate.quad(solution.function("u"), 0, 1)`, or with a
        jacobian `scipy.optimize.minimize(lambda p: f(*p), start)`. The solution itself takes points (n, d) and gives
        values (n, c), as SciPy's interpolators do.

        Args:
            of: the name of an unknown, or an expression as in `derivative`, such as `u.diff(x)`.

        Raises:
            ProblemError: no unknown has this name, or the expression contains something unknown.
        """
        named = {u.func.__name__: u for u in self.problem.unknowns}
        if isinstance(of, str) and of not in named:
            raise ProblemError(f"no unknown is called {of!r}; there are {', '.join(named)}.")
        values = self.derivative(named[of] if isinstance(of, str) else of)
        names = self.record.coordinates

        def function(*coordinates: Any) -> Any:
            if len(coordinates) != len(names):
                raise ProblemError(f"the function takes {', '.join(names)}, not {len(coordinates)} arguments.")
            arrays = np.broadcast_arrays(*(np.asarray(c, dtype=float) for c in coordinates))
            found = values(np.stack([a.ravel() for a in arrays], axis=1)).reshape(arrays[0].shape)
            return found if found.ndim else found[()]

        return function

    def plot(self, path: str | Path) -> Path:
        """Draws solution, error, convergence and edges to a png, pdf or svg file."""
        return plot_record(self.record, self.tables, path)

    def diagram(self, path: str | Path, candidates: Candidates | None = None) -> Path:
        """Draws the network: nodes from the inputs up to the outputs, and every edge as its curve.

        The stronger a curve, the more it matters (`kanpde.network.attribution`). Of large networks the 200 most
        important edges are shown.

        Args:
            path: a png, pdf or svg file for print; or an html file, in which one looks at each edge, its derivatives,
                its ranges and its candidates.
            candidates: (x, y) -> formulas that fit a curve, with their relative errors, best first, for the html file.

        Raises:
            ProblemError: no such format, or a module without layers.
            StoreError: it cannot be written.
        """
        return write_diagram(diagram_of(self.record.problem_name, self.tables), path, candidates)

    def symbolic(
        self,
        rtol: float | None = None,
        *,
        only: Names | None = None,
        without: Names = (),
        extra: Sequence[Candidate] = (),
        fixed: Mapping[sp.Symbol, Names] | None = None,
        propose: Mapping[sp.Expr, sp.Expr] | sp.Expr | None = None,
        seconds: float = SECONDS,
        seed: int = 0,
    ) -> Formula:
        """Looks for a formula of the solution, sets its numbers by the equation, and puts it to the proof.

        Args:
            rtol: how far the formula may be from the solution; 30 times its error estimate by default, at least 1e-6.
            only: names of the candidate functions to use, all of `kanpde.symbolic.LIBRARY` by default.
            without: names of those that are forbidden.
            extra: the user's own.
            fixed: by coordinate, the names of the only functions that may be on its edges.
            propose: formulas by unknown, or one, with symbols for the numbers that are to be found.
            seconds: after which no further guess is begun.
            seed: of random starts.

        Returns:
            `.expression` (of the first unknown, None where nothing was found), `.expressions`, `.proved` and more.

        Raises:
            ProblemError: a candidate or a coordinate that does not exist, or an rtol that is no tolerance.
        """
        return read(
            self.record,
            self.problem,
            self.field.values,
            rtol,
            only=only,
            without=without,
            extra=extra,
            fixed=fixed,
            propose=propose,
            seconds=seconds,
            seed=seed,
        )

    def __str__(self) -> str:
        return describe(self.record)


def _on_piece(piece: Region) -> PointSet:
    dimension = piece.pieces()[0].dimension
    known = dimension in GAUSS and piece.pieces()[0].fraction == 1.0
    return collocate(piece, GAUSS[dimension] ** dimension if known else SCATTERED, "gauss" if known else "sobol")


def _conditions(record: Record) -> str:
    """Which conditions the solution keeps exactly, whatever its coefficients are."""
    exact, count = record.field.get("kept", (0, 0))
    if not count:
        return ""
    names = {count: "all exact", 0: "all by weighted rows"}
    return names.get(exact, f"{exact} exact, {count - exact} by weighted rows")


def describe(record: Record) -> str:
    """One paragraph: what, how well, how expensive."""
    conditions = _conditions(record)
    lines = [
        f"{record.problem_name}: {record.status}",
        f"  relative L2 error   {_number(record.relative_l2)}",
        f"  error estimate      {_number(record.error_estimate)}   (asked for {record.rtol:.1e})",
        f"  {record.network.get('title', 'network')}: {record.n_parameters} parameters",
        *([f"  conditions          {conditions}"] if conditions else []),
        f"  {record.seconds:.1f} s, {record.iterations} iterations, seed {record.seed}",
    ]
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2e}"
