"""Materials: a coefficient inside a divergence that jumps cuts the domain into parts with smooth fields of their own.

Where two of them meet, the unknowns and the normal component of each flux are continuous.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
import sympy as sp
from sympy.core.function import AppliedUndef

from ..domain import Domain, Region, halton, level_set
from ..domain.predicate import comparisons, holds
from ..errors import ProblemError
from ..expression import Program, as_expression
from ..operator import dot, normal_derivative
from ..operator.vector import Divergence, Laplacian, Normal

N_SAMPLES = 1024
N_TRACE = 64
# How far from an interface, relative to the domain, and by which part of its size a coefficient must change there.
STEP = 1e-6
JUMP = 1e-4


@dataclass(frozen=True)
class Materials:
    """A domain cut into materials.

    Attributes:
        domain: what is cut.
        predicates: conditions on the coordinates, of which exactly one holds at each point.
    """

    domain: Domain
    predicates: tuple[sp.Basic, ...]

    @cached_property
    def samples(self) -> list[np.ndarray]:
        """Points (n, d) in each material."""
        return [_sample(self.domain.interior.where(predicate), N_SAMPLES) for predicate in self.predicates]

    @cached_property
    def levels(self) -> list[sp.Expr]:
        """Functions whose zeros are where one material may end."""
        found: list[sp.Expr] = []
        for relation in (r for predicate in self.predicates for r in comparisons(predicate)):
            if all(_ratio(level(relation), g) is None for g in found):
                found.append(level(relation))
        return found

    def region(self, k: int, region: Region) -> Region:
        """The part of a region that lies in a material."""
        return region.where(self.predicates[k])

    def resolved(self, expression: sp.Basic, k: int) -> sp.Basic:
        """An expression in one material: of a Piecewise that jumps where materials end, the branch that holds there."""
        rules = {p: self._branch(p, k) for p in expression.atoms(sp.Piecewise)}
        known = {p: value for p, value in rules.items() if value is not None}
        return expression.xreplace(known) if known else expression

    def _branch(self, piecewise: sp.Basic, k: int) -> sp.Basic | None:
        if not _of(piecewise, self.domain):
            return None
        relations = [r for _, condition in cast(Any, piecewise.args) for r in comparisons(condition)]
        if any(all(_ratio(level(r), g) is None for g in self.levels) for r in relations):
            return None
        for value, condition in cast(Any, piecewise.args):
            held = holds(condition, self.domain.coordinates, self.samples[k])
            if held.all():
                return self.resolved(value, k)
            if held.any():
                return None
        return None

    def meeting(self, k: int, m: int) -> list[Region]:
        """Where two materials meet, with normals from the first into the second."""
        found = []
        for g in self.levels:
            for sign in (1, -1):
                where = sp.And(self._beside(k, g, -sign), self._beside(m, g, sign))
                if where != sp.false:
                    found += self._interface(sign * g, where, f"the interface of materials {k + 1} and {m + 1}")
        return found

    def _beside(self, k: int, g: sp.Expr, sign: int) -> sp.Basic:
        """What must hold next to g = 0, on one side of it, for a point to lie in a material."""
        rules = {}
        for relation in comparisons(self.predicates[k]):
            ratio = _ratio(level(relation), g)
            if ratio is not None:
                below = isinstance(relation, sp.StrictLessThan | sp.LessThan)
                rules[relation] = sp.true if (ratio * sign < 0) == below else sp.false
        return self.predicates[k].xreplace(rules)

    def _interface(self, g: sp.Expr, where: sp.Basic, name: str) -> list[Region]:
        try:
            region = level_set(self.domain, g, name)
        except ProblemError:
            return []
        region = region if where == sp.true else region.where(where)
        return [region] if region.pieces() else []


def materials_of(equations: Sequence[object], domain: Domain) -> Materials | None:
    """The materials of some equations; None where no coefficient inside a divergence jumps.

    Raises:
        ProblemError: a coefficient that is not defined everywhere.
    """
    cells: list[sp.Basic] = [sp.true]
    for piecewise in _coefficients(equations, domain):
        branches = _disjoint(piecewise)
        _check_covered(piecewise, branches, domain)
        cells = [sp.And(cell, branch) for cell in cells for branch in branches]
    filled = tuple(cell for cell in cells if len(cells) > 1 and domain.interior.where(cell).measure > 0)
    return Materials(domain, filled) if len(filled) > 1 else None


def _coefficients(equations: Sequence[object], domain: Domain) -> list[sp.Basic]:
    """The jumping coefficients, one for each list of conditions."""
    found: dict[tuple[sp.Basic, ...], sp.Basic] = {}
    for equation in equations:
        if not isinstance(equation, sp.Basic):
            continue
        nodes = sorted((p for d in equation.atoms(Divergence) for p in d.atoms(sp.Piecewise)), key=sp.default_sort_key)
        for piecewise in nodes:
            conditions = tuple(condition for _, condition in cast(Any, piecewise.args))
            if _of(piecewise, domain) and conditions not in found and jumps(piecewise, domain):
                found[conditions] = piecewise
    return list(found.values())


def _of(piecewise: sp.Basic, domain: Domain) -> bool:
    """Whether the conditions of a Piecewise speak of the spatial coordinates alone."""
    conditions = [condition for _, condition in cast(Any, piecewise.args)]
    return all(c.free_symbols <= set(domain.space) and not c.atoms(AppliedUndef) for c in conditions)


def _disjoint(piecewise: sp.Basic) -> list[sp.Basic]:
    """A predicate for each branch: its condition holds, and none before it."""
    conditions = [condition for _, condition in cast(Any, piecewise.args)]
    return [sp.And(c, *(sp.Not(before) for before in conditions[:i])) for i, c in enumerate(conditions)]


def _check_covered(piecewise: sp.Basic, branches: Sequence[sp.Basic], domain: Domain) -> None:
    points = _sample(domain.interior, N_SAMPLES)
    covered = np.any([holds(branch, domain.coordinates, points) for branch in branches], axis=0)
    if not covered.all():
        where = ", ".join(f"{s} = {v:.4g}" for s, v in zip(domain.coordinates, points[np.argmin(covered)], strict=True))
        raise ProblemError(f"the coefficient {piecewise} has no value at {where}; give it a last branch (value, True).")


def jumps(piecewise: sp.Basic, domain: Domain) -> bool:
    """Whether a Piecewise is not continuous somewhere inside a domain."""
    if any(value.free_symbols - set(domain.coordinates) for value, _ in cast(Any, piecewise.args)):
        return True
    if piecewise.atoms(AppliedUndef):
        return True
    program = Program.compile([piecewise], domain.coordinates)
    relations = [r for _, condition in cast(Any, piecewise.args) for r in comparisons(condition)]
    return any(_changes(program, level(r), domain) for r in relations)


def _changes(program: Program, g: sp.Expr, domain: Domain) -> bool:
    try:
        region = level_set(domain, g)
    except ProblemError:
        return False
    size = STEP * float(np.ptp(domain.bounds[: len(domain.space)], axis=1).max())
    for piece in region.pieces():
        points = piece.points(halton(N_TRACE if piece.dimension else 1, piece.dimension))
        aside = np.zeros_like(points)
        aside[:, : len(domain.space)] = size * cast(np.ndarray, piece.normals(points))
        below, above = (program(list((points + s * aside).T), np)[0] for s in (-1, 1))
        if np.any(np.abs(above - below) > JUMP * np.maximum(np.abs(above), np.abs(below))):
            return True
    return False


def _sample(region: Region, count: int) -> np.ndarray:
    found = []
    for piece in region.pieces():
        points = piece.points(halton(count, piece.dimension))
        found.append(points[piece.contains(points)])
    return np.concatenate(found)


def level(relation: sp.Basic) -> sp.Expr:
    """Left minus right side of a comparison; without the root where a distance is compared with a radius."""
    g = sp.expand(relation.args[0] - relation.args[1])
    number, rest = g.as_coeff_Add()
    sign = 1 if number < 0 else -1
    root = sp.expand(sign * rest)
    if number != 0 and isinstance(root, sp.Pow) and root.exp == sp.S.Half:
        return cast(sp.Expr, sp.expand(sign * (root.base - number**2)))
    return cast(sp.Expr, g)


def _ratio(first: sp.Expr, second: sp.Expr) -> float | None:
    """The constant factor between two functions; None where there is none."""
    if first.free_symbols != second.free_symbols:
        return None
    ratio = sp.cancel(first / second)
    return float(ratio) if ratio.is_number else None


# ---- fluxes


def conormal(equation: object) -> sp.Expr:
    """The flux of an equation of second order through a surface: n·v for div v, ∂u/∂n for Δu; zero without any.

    Raises:
        ProblemError: several second derivatives with factors that jump, whose joint flux is not clear.
    """
    expression = as_expression(equation)
    if isinstance(expression, sp.Equality):
        expression = expression.lhs - expression.rhs
    found = [pair for term in sp.Add.make_args(_spread(expression)) for pair in _fluxes(term)]
    bare = [(factor, flux) for factor, flux in found if not factor.has(sp.Piecewise)]
    if len(bare) < len(found):
        if len(found) > 1:
            raise ProblemError(
                f"the equation {equation} has several second derivatives, and jumping factors before them; divide by "
                "the factor, so that it stands inside the divergence or on the other side."
            )
        bare = [(sp.S.One, found[0][1])]
    return sp.Add(*(factor * flux for factor, flux in bare))


def _spread(expression: sp.Basic) -> sp.Basic:
    """Products of sums multiplied out, down to the terms."""
    return sp.expand(expression, deep=False, power_base=False, power_exp=False, log=False)


def _fluxes(term: sp.Basic) -> Iterator[tuple[sp.Expr, sp.Expr]]:
    factors = sp.Mul.make_args(term)
    for k, factor in enumerate(factors):
        for kind, flux in _CONORMALS.items():
            if isinstance(factor, kind):
                rest = sp.Mul(*(f for i, f in enumerate(factors) if i != k))
                yield rest, flux(factor)


def _of_derivative(derivative: sp.Basic) -> sp.Expr:
    """∂_x v gives n_x v, where v holds a derivative of its own."""
    node = cast(sp.Derivative, derivative)
    if len(node.variables) < 2 and not node.expr.has(sp.Derivative):
        return sp.S.Zero
    first, rest = node.variables[0], node.variables[1:]
    return _component(first) * (sp.Derivative(node.expr, *rest) if rest else node.expr)


def _component(symbol: sp.Symbol) -> sp.Expr:
    """A stand-in that `with_normals` replaces, for only the problem knows the order of the coordinates."""
    return sp.Symbol(f"normal along {symbol.name}", real=True)


def with_normals(expression: sp.Expr, space: Sequence[sp.Symbol]) -> sp.Expr:
    """Components of the normal in their place; derivatives by what is not a spatial coordinate have no flux."""
    rules: dict[sp.Basic, sp.Basic] = {_component(s): Normal()[i] for i, s in enumerate(space)}
    others = [s for s in expression.free_symbols if str(s).startswith("normal along ") and s not in rules]
    return cast(sp.Expr, expression.xreplace({**rules, **dict.fromkeys(others, sp.S.Zero)}))


_CONORMALS: dict[type, Callable[[Any], sp.Expr]] = {
    Divergence: lambda d: dot(d.args[0], Normal()),
    Laplacian: lambda d: normal_derivative(d.args[0]),
    sp.Derivative: _of_derivative,
}


def pairs(materials: Materials) -> Iterator[tuple[int, int, Region]]:
    """Every two materials that meet, and where."""
    for k, m in itertools.combinations(range(len(materials.predicates)), 2):
        for region in materials.meeting(k, m):
            yield k, m, region
