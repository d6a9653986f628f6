"""Non-dimensionalisation: the sizes of lengths, times, unknowns and equations, and the problem in units of them.

x = x0 + L ξ, u = U û, κ = K κ̂ and F = S F̂, so D^α u = U / L^α D^α û. All sizes are powers of two: nothing is rounded.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sympy as sp

from kanpde.domain import Box, BoxPiece, Domain, Interval, Product, Region, halton
from kanpde.errors import ProblemError
from kanpde.expression import Parameter
from kanpde.operator import DifferentialOperator, JetVariable, Scope, operator_of
from kanpde.problem import CompiledCondition, NormalForms, Problem

Array = np.ndarray

N_POINTS = 64
# Within these factors a network copes by itself: its inputs are mapped to [-1, 1], its output weights adapt.
USUAL_SIZE = 1e3
USUAL_EQUATION = 1e5
# A field much smaller than this beside the largest one is rounding.
BALANCE_ROUNDS = 4


@dataclass(frozen=True, eq=False)
class Scales:
    """The sizes of a problem, and the maps between its units and dimensionless ones.

    Attributes:
        coordinates: names of the coordinates; origin, length: x0 and L, (d,) each.
        unknowns: U, one a field; equations, conditions: S of each; parameters: K of each unknown scalar, by name.
    """

    coordinates: tuple[str, ...]
    origin: Array
    length: Array
    unknowns: Array
    equations: Array
    conditions: Array
    parameters: dict[str, float]

    def points_in(self, x: Array) -> Array:
        """Dimensionless points (n, d) of points in the user's units."""
        return (np.asarray(x, dtype=float) - self.origin) / self.length

    def points_out(self, xi: Array) -> Array:
        """Points (n, d) in the user's units."""
        return self.origin + self.length * np.asarray(xi, dtype=float)

    def values_in(self, values: Array) -> Array:
        """Dimensionless values (n, c)."""
        return np.asarray(values) / self.unknowns

    def values_out(self, values: Array) -> Array:
        """Values (n, c) in the user's units."""
        return np.asarray(values) * self.unknowns

    def factor(self, variable: JetVariable) -> float:
        """U / L^α: the size of D^α u."""
        return float(self.unknowns[variable.unknown] / np.prod(self.length ** np.array(variable.derivative)))

    def derivative_out(self, values: Array, variable: JetVariable) -> Array:
        """D^α u in the user's units from D^α û."""
        return np.asarray(values) * self.factor(variable)

    def parameters_out(self, found: dict[str, float]) -> dict[str, float]:
        """Unknown scalars, or their standard errors, in the user's units."""
        return {name: value * self.parameters.get(name, 1.0) for name, value in found.items()}

    def parameters_in(self, found: dict[str, float]) -> dict[str, float]:
        """Dimensionless values of unknown scalars."""
        return {name: value / self.parameters.get(name, 1.0) for name, value in found.items()}

    @property
    def spread(self) -> float:
        """How far the largest of the sizes is from what a network copes with; 1 or less is usual."""
        sizes = np.concatenate([self.unknowns, self.length, [self.unknowns.max() / self.unknowns.min()]])
        usual = np.abs(np.log(sizes)).max() / math.log(USUAL_SIZE)
        return float(max(usual, np.abs(np.log(self.equations)).max(initial=0.0) / math.log(USUAL_EQUATION)))


def needs_scaling(problem: Problem) -> bool:
    """Whether extents, coefficients or data are so far from one that a network would suffer."""
    return _is_supported(problem) and scales_of(problem).spread > 1.0


def _is_supported(problem: Problem) -> bool:
    return problem.context.cells is None and len(problem.fields) == len(problem.unknowns)


def scales_of(problem: Problem) -> Scales:
    """The sizes of a problem: lengths from its domain, unknowns from data, sources and the balance of the equations."""
    origin, length = _extents(problem.domain)
    sizes = _Sizes(problem, length, _parameter_sizes(problem))
    unknowns = sizes.unknowns()
    conditions = [1.0 if c.operator is None else sizes.of_condition(c, unknowns) for c in problem.conditions]
    return Scales(
        coordinates=tuple(map(str, problem.coordinates)),
        origin=origin,
        length=length,
        unknowns=unknowns,
        equations=np.array([sizes.of_operator(o, problem.domain.interior, unknowns) for o in problem.operators]),
        conditions=np.array(conditions),
        parameters={p.name: k for p, k in _parameter_sizes(problem).items()},
    )


def scaled(problem: Problem, scales: Scales) -> Problem:
    """The same problem for û(ξ): the same symbols, equations divided by their sizes.

    Raises:
        ProblemError: a domain that cannot be scaled, or fields that are no unknowns.
    """
    if not _is_supported(problem):
        raise ProblemError(f"{problem.name} has materials or complex unknowns; give it in units of its own size.")
    change = _Change(problem, scales)
    domain = change.domain(problem.domain)
    operators = tuple(change.operator(o, s) for o, s in zip(problem.operators, scales.equations, strict=True))
    conditions = tuple(
        change.condition(c, domain, s) for c, s in zip(problem.conditions, scales.conditions, strict=True)
    )
    forms = NormalForms(operators, replace(problem.context, domain=domain))
    return Problem(domain, forms, conditions, change.exact(problem), problem.name)


def _power(size: float) -> float:
    """The nearest power of two; one for what has no size."""
    return 2.0 ** round(math.log2(size)) if size > 0 and math.isfinite(size) else 1.0


def _extents(domain: Domain) -> tuple[Array, Array]:
    """x0 and L of each coordinate; space has one length, so that angles and normals stay. Only boxes are scaled."""
    bounds, n = np.asarray(domain.bounds, dtype=float), len(domain.space)
    extent = np.ptp(bounds, axis=1)
    extent[:n] = extent[:n].max(initial=0.0)
    far = np.abs(bounds).max(axis=1) > 10 * extent
    origin = np.where(far, bounds[:, 0], 0.0)
    if not domain.is_box:
        return np.zeros(len(bounds)), np.ones(len(bounds))
    # A coordinate of ordinary size stays.
    ordinary = (extent <= USUAL_SIZE) & (extent >= 1 / USUAL_SIZE) & ~far
    return origin, np.array([1.0 if usual else _power(e) for usual, e in zip(ordinary, extent, strict=True)])


def _parameter_sizes(problem: Problem) -> dict[Parameter, float]:
    return {p: _power(abs(p.initial)) if type(p) is Parameter else 1.0 for p in problem.parameters}


@dataclass(frozen=True, eq=False)
class _Sizes:
    """Sizes of terms, by sampling at points."""

    problem: Problem
    length: Array
    scalars: dict[Parameter, float]

    def unknowns(self) -> Array:
        """U of each field: from data and sources, else from the balance of an equation that it enters."""
        found = np.zeros(len(self.problem.fields))
        for condition in self.problem.conditions:
            if condition.operator is not None:
                for c, size in self._wanted(condition).items():
                    found[c] = max(found[c], size)
        for operator in self.problem.operators:
            for c, size in self._from_source(operator).items():
                found[c] = max(found[c], size)
        for _ in range(BALANCE_ROUNDS):
            if np.all(found):
                break
            found = self._balanced(found)
        return np.array([_power(size) for size in found])

    def _wanted(self, condition: CompiledCondition) -> dict[int, float]:
        """The sizes of the fields for which a condition's data balance its terms."""
        operator = condition.operator
        assert operator is not None
        data: Any = getattr(condition, "data", None)
        terms, source = self._terms(operator, condition.region, None)
        if data is not None:
            source = max(source, float(np.abs(data.values).max(initial=0.0)))
        elif condition.kind == "integral":
            return {}
        largest = max(terms.values(), default=0.0)
        return {v.unknown: source / largest for v in terms if largest > 0}

    def _from_source(self, operator: DifferentialOperator) -> dict[int, float]:
        """The sizes of the fields with the highest derivatives of an equation for which its source balances them."""
        terms, source = self._terms(operator, self.problem.domain.interior, None)
        principal = {v: size for v, size in terms.items() if sum(v.derivative) == operator.order}
        largest = max(terms.values(), default=0.0)
        return {v.unknown: source / largest for v in principal if largest > 0}

    def _balanced(self, found: Array) -> Array:
        """Fields without a size take that which balances the known terms of an equation."""
        result = found.copy()
        for operator in self.problem.operators:
            terms, source = self._terms(operator, self.problem.domain.interior, None)
            known = max([source, *(size * found[v.unknown] for v, size in terms.items())])
            for v, size in terms.items():
                if not found[v.unknown] and size > 0:
                    result[v.unknown] = max(result[v.unknown], known / size)
        return result

    def of_operator(self, operator: DifferentialOperator, region: Region, unknowns: Array) -> float:
        """S: the largest term for fields of these sizes; an exponential of a rough guess of them says nothing."""
        largest = [self._largest(operator, region, unknowns, jet) for jet in (None, unknowns)]
        return _power(largest[1] if not 0 < largest[0] < largest[1] / USUAL_SIZE else largest[0])

    def _largest(self, operator: DifferentialOperator, region: Region, unknowns: Array, jet: Array | None) -> float:
        terms, source = self._terms(operator, region, jet)
        return max([source, *(size * unknowns[v.unknown] for v, size in terms.items())])

    def of_condition(self, condition: CompiledCondition, unknowns: Array) -> float:
        """S of a condition."""
        assert condition.operator is not None
        return self.of_operator(condition.operator, condition.region, unknowns)

    def _terms(
        self, operator: DifferentialOperator, region: Region, unknowns: Array | None
    ) -> tuple[dict[JetVariable, float], float]:
        """|∂F/∂v| / L^α of each jet variable, and |F| at a vanishing jet: the sizes of coefficients and source.

        The coefficients of a nonlinear operator are taken at a vanishing jet, or for fields of given sizes.
        """
        points, normals = _sample(region)
        lengths = {v: float(np.prod(self.length ** np.array(v.derivative))) for v in operator.jet}
        jet = [0.0 if unknowns is None else unknowns[v.unknown] / lengths[v] for v in operator.jet]
        scalars = [self.scalars.get(p, 1.0) for p in operator.parameters]
        zero = points[:, 0] * 0
        columns = [*points.T, *(normals.T if operator.normal and normals is not None else ())]
        if operator.normal and normals is None:
            columns += [zero + 1.0] * len(operator.normal)
        with np.errstate(all="ignore"):
            _, *gradient = operator.program([*columns, *(zero + j for j in jet), *(zero + k for k in scalars)], np)
            source = operator.program([*columns, *[zero] * len(jet), *(zero + k for k in scalars)], np)[0]
        terms = {v: _size(g) / lengths[v] for v, g in zip(operator.jet, gradient, strict=False)}
        return terms, _size(source)


def _size(values: Array) -> float:
    """The largest |value| among those that are finite."""
    finite = np.abs(values[np.isfinite(values)])
    return float(finite.max(initial=0.0))


def _sample(region: Region) -> tuple[Array, Array | None]:
    points, normals = [], []
    for piece in region.pieces():
        own = piece.points(halton(N_POINTS, piece.dimension))
        inside = own[np.asarray(piece.contains(own), dtype=bool)]
        own = inside if len(inside) else own
        points.append(own)
        normal = piece.normals(own)
        normals += [] if normal is None else [normal]
    return np.concatenate(points), np.concatenate(normals) if len(normals) == len(points) else None


@dataclass(frozen=True, eq=False)
class _Change:
    """The change of variables, applied to every part of a problem."""

    problem: Problem
    scales: Scales

    @property
    def _coordinates(self) -> dict[sp.Basic, sp.Basic]:
        pairs = zip(self.problem.coordinates, self.scales.origin, self.scales.length, strict=True)
        return {x: _exact(x0) + _exact(length) * x for x, x0, length in pairs}

    def _scalars(self, parameters: Sequence[Parameter]) -> dict[sp.Basic, sp.Basic]:
        sizes = self.scales.parameters
        return {
            p: _exact(sizes[p.name]) * Parameter(p.name, p.initial / sizes[p.name])
            for p in parameters
            if sizes[p.name] != 1.0
        }

    def expression(self, expression: Any) -> Any:
        """An expression or a predicate of the coordinates, in the new ones."""
        return expression.xreplace(self._coordinates)

    def operator(self, operator: DifferentialOperator, size: float) -> DifferentialOperator:
        """F of the new variables, divided by its size."""
        scope = Scope(operator.coordinates, self.problem.domain.space, operator.unknowns, bool(operator.normal))
        rules = {**self._coordinates, **self._scalars(operator.parameters)}
        for symbol, variable in zip(operator.symbols, operator.jet, strict=True):
            rules[symbol] = _exact(self.scales.factor(variable)) * symbol
        new = operator.expression.xreplace(rules) / _exact(size)
        return operator_of(sp.expand_mul(new, deep=False), scope)

    def domain(self, domain: Domain) -> Domain:
        """The domain in the new coordinates."""
        if not domain.is_box:
            return domain
        if isinstance(domain, Box):
            return Box({i.symbol: self._ends(k, i) for k, i in enumerate(domain.intervals)})
        assert isinstance(domain, Product)
        moved = self.domain(domain.factor)
        time, first = domain.time_interval, len(domain.space)
        start = first + (time is not None)
        ranges = tuple(self._moved(start + k, r) for k, r in enumerate(domain.ranges))
        return Product(moved, None if time is None else self._moved(first, time), ranges)

    def _moved(self, axis: int, interval: Interval) -> Interval:
        return Interval(interval.symbol, *self._ends(axis, interval))

    def _ends(self, axis: int, interval: Interval) -> tuple[float, float]:
        ends = (np.array([interval.lower, interval.upper]) - self.scales.origin[axis]) / self.scales.length[axis]
        return float(ends[0]), float(ends[1])

    def region(self, region: Region, domain: Domain) -> Region:
        """The region in the new coordinates."""
        if not domain.is_box:
            return region
        parts = tuple((self._piece(piece), self.expression(predicate)) for piece, predicate in region.parts)
        return Region(domain, parts, region.name)

    def _piece(self, piece: Any) -> BoxPiece:
        assert isinstance(piece, BoxPiece)
        lower, upper = (self.scales.points_in(np.array(end)).tolist() for end in (piece.lower, piece.upper))
        implicit = None if piece.implicit is None else self.expression(piece.implicit)
        return replace(
            piece,
            lower=tuple(lower),
            upper=tuple(upper),
            predicate=self.expression(piece.predicate),
            implicit=implicit,
        )

    def condition(self, condition: CompiledCondition, domain: Domain, size: float) -> CompiledCondition:
        """The condition in the new variables; a prescribed value by the size of what it prescribes."""
        region = self.region(condition.region, domain)
        if condition.operator is None:
            return replace(condition, region=region)
        changes: dict[str, Any] = {}
        data: Any = getattr(condition, "data", None)
        if condition.kind in ("dirichlet", "initial") and condition.target is not None:
            size = self.scales.factor(condition.target)
        if condition.kind == "integral" and condition.value is not None:
            measure = self._measure(condition.region)
            changes["value"] = condition.value / _exact(size * measure)
        elif condition.value is not None:
            changes["value"] = self.expression(condition.value) / _exact(size)
        if data is not None:
            sigma = None if data.sigma is None else data.sigma / size
            points = self.scales.points_in(data.points)
            changes["data"] = replace(data, points=points, values=np.asarray(data.values) / size, sigma=sigma)
        operator = self.operator(condition.operator, size)
        return replace(condition, region=region, operator=operator, **changes)

    def _measure(self, region: Region) -> float:
        """What dx becomes: L for each spatial direction of a region."""
        piece = region.pieces()[0]
        n = len(self.problem.domain.space)
        free = sum(1 for k in getattr(piece, "free", range(n)) if k < n)
        return float(self.scales.length[0] ** free)

    def exact(self, problem: Problem) -> dict[Any, Any] | None:
        """The exact solution for the new unknowns."""
        if problem.exact is None:
            return None
        sizes = zip(problem.unknowns, self.scales.unknowns, strict=True)
        return {u: self.expression(problem.exact[u]) / _exact(size) for u, size in sizes}


def _exact(number: float) -> sp.Expr:
    """A float as the ratio that it is: powers of two stay what they are in products."""
    return sp.Rational(*float(number).as_integer_ratio())
