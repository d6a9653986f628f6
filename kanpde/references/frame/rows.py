"""The rows of a frame: every equation and condition at collocation points, joined sums of integrals, measurements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kanpde.domain import Product
from kanpde.expression import Program
from kanpde.operator import DifferentialOperator
from kanpde.problem import CompiledCondition, Problem
from kanpde.references.frame.points import Cloud, clustered, quadrature, traced

Array = np.ndarray

OVERSAMPLING = 2.0  # equations a function of the frame
INSTANTS = 16  # along each further axis at which an integral over space is asked for
INTEGRAL_POINTS = {1: 64, 2: 1024, 3: 4096}


@dataclass(frozen=True, eq=False)
class Rows:
    """One operator on a cloud of points.

    Attributes:
        kind: "equation", "condition", "integral" or "data".
        operator: the normal form.
        cloud: where.
        target: what F, or the joined sum of F, must equal: (n,) or (m,).
        gather: S (m, n) for rows S F - target; None for F - target itself.
        sigma: (n,) error of measurements; None otherwise.
    """

    kind: str
    operator: DifferentialOperator
    cloud: Cloud
    target: Array
    gather: Array | None = None
    sigma: Array | None = None

    @property
    def size(self) -> int:
        """How many rows."""
        return len(self.target)

    def evaluate(self, jet: Array, scalars: Sequence[float] | Array) -> tuple[Array, list[Array], list[Array]]:
        """F - target (size,), ∂F/∂jet and ∂F/∂κ at the points, (n,) each.

        Args:
            jet: (len(operator.jet), n).
            scalars: the parameters of this operator.
        """
        columns = [*self.cloud.points.T, *self._normals, *jet]
        n = len(self.cloud)
        with np.errstate(all="ignore"):
            results = self.operator.program([*columns, *(np.full(n, s) for s in scalars)], np)
        values, *slopes = [np.broadcast_to(np.asarray(r, dtype=float), (n,)) for r in results]
        count = len(self.operator.jet)
        residual = (values if self.gather is None else self.gather @ values) - self.target
        return residual, slopes[:count], slopes[count:]

    @property
    def _normals(self) -> Array:
        """(d_space, n) where the operator uses them."""
        normals = self.cloud.normals
        return normals.T if self.operator.normal and normals is not None else np.zeros((0, len(self.cloud)))

    def joined(self, table: Array) -> Array:
        """Rows (size, p) of a table (n, p) at the points."""
        return table if self.gather is None else self.gather @ table

    def scale(self, slopes: Sequence[Array], sizes: Array, extent: Array) -> float:
        """What this operator makes of fields of these sizes that vary over the extent of the domain."""
        terms = [
            float(np.sqrt(np.mean(g**2))) * sizes[v.unknown] / float(np.prod(extent ** np.array(v.derivative)))
            for g, v in zip(slopes, self.operator.jet, strict=True)
        ]
        factor = 1.0 if self.gather is None else float(np.abs(self.gather).sum(axis=1).max())
        largest = max(terms, default=0.0) * factor
        return largest if np.isfinite(largest) and largest > 0 else 1.0


def rows_of(problem: Problem, sizes: Sequence[int], degrees: Sequence[int], least: int) -> tuple[Rows, ...]:
    """Equations, then conditions.

    Args:
        problem: whose rows.
        sizes: how many functions each field has.
        degrees: of the polynomials along each axis.
        least: points along an axis of any piece of a boundary.
    """
    return (*_equations(problem, sizes, degrees), *_conditions(problem, max(degrees), least))


def _equations(problem: Problem, sizes: Sequence[int], degrees: Sequence[int]) -> list[Rows]:
    clouds: dict[str, Cloud] = {}
    result = []
    for operator, region in zip(problem.operators, problem.regions, strict=True):
        if region.text not in clouds:
            own = [
                sizes[v.unknown]
                for o, r in zip(problem.operators, problem.regions, strict=True)
                for v in o.jet
                if r.text == region.text
            ]
            clouds[region.text] = clustered(region, round(OVERSAMPLING * max(own)), degrees)
        cloud = clouds[region.text]
        result.append(Rows("equation", operator, cloud, np.zeros(len(cloud))))
    return result


def _conditions(problem: Problem, degree: int, least: int) -> list[Rows]:
    extent = np.ptp(problem.domain.bounds, axis=1)
    result = []
    for condition in problem.conditions:
        if condition.operator is None:
            continue
        if condition.kind == "observations":
            result.append(_observed(condition))
        elif condition.kind == "integral":
            result.append(_integral(problem, condition))
        else:
            cloud = traced(condition.region, degree, extent, least)
            result.append(Rows("condition", condition.operator, cloud, np.zeros(len(cloud))))
    return result


def _observed(condition: CompiledCondition) -> Rows:
    data, operator = condition.data, condition.operator
    assert data is not None
    assert operator is not None
    values = np.asarray(data.values, dtype=float)
    spread = float(np.std(values)) or float(np.abs(values).max(initial=0.0)) or 1.0
    sigma = np.broadcast_to(np.asarray(spread if data.sigma is None else data.sigma, dtype=float), values.shape)
    cloud = Cloud(np.asarray(data.points, dtype=float), np.full(len(values), 1.0 / len(values)), None)
    return Rows("data", operator, cloud, values, None, sigma)


def _integral(problem: Problem, condition: CompiledCondition) -> Rows:
    """Sums over space at some instants and parameters."""
    assert condition.operator is not None
    space = len(problem.domain.space)
    base = space_rule(problem, condition)
    extra = problem.domain.bounds[space:]
    count = INSTANTS if len(extra) else 1
    angles = np.pi * (np.arange(count) + 0.5) / count
    line = 0.5 * (1 - np.cos(angles))
    axes = np.meshgrid(*[line] * len(extra), indexing="ij")
    unit = np.stack([a.ravel() for a in axes], axis=1) if len(extra) else np.zeros((1, 0))
    moments = extra[:, 0] + unit * np.ptp(extra, axis=1) if len(extra) else unit
    m, n = len(moments), len(base)
    points = np.concatenate([np.tile(base.points[:, :space], (m, 1)), np.repeat(moments, n, axis=0)], axis=1)
    normals = None if base.normals is None else np.tile(base.normals, (m, 1))
    (values,) = Program.compile([condition.value], problem.coordinates)(list(points[::n].T), np)
    target = np.broadcast_to(np.asarray(values, dtype=float), (m,)).copy()
    cloud = Cloud(points, np.tile(base.weights, m), normals)
    return Rows("integral", condition.operator, cloud, target, np.kron(np.eye(m), base.weights[None]))


def space_rule(problem: Problem, condition: CompiledCondition) -> Cloud:
    """A quadrature of a region in space alone."""
    domain, space = problem.domain, len(problem.domain.space)
    count = INTEGRAL_POINTS.get(space, 4096)
    if condition.region.text == domain.interior.text:
        factor = domain.factor if isinstance(domain, Product) else domain
        return quadrature(factor, count)
    duration = float(np.prod(np.ptp(domain.bounds[space:], axis=1)))
    cloud = clustered(condition.region, count)
    return Cloud(cloud.points, cloud.weights / duration, cloud.normals)
