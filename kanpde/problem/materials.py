"""Materials: a coefficient inside a divergence that jumps cuts the domain into parts with smooth fields of their own.

Where two of them meet, the unknowns and the normal component of each flux are continuous.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, cast

import numpy as np
import sympy as sp
from sympy.core.function import AppliedUndef
from sympy.core.relational import Relational

from ..domain import N_MEASURE, Domain, Piece, Region, halton, level_set
from ..domain.predicate import comparisons, holds
from ..errors import ProblemError
from ..expression import Program, as_expression
from ..operator import dot, normal_derivative, split_complex
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
        """The part of a region that lies in a material; pieces of the boundary that do so wholly stay what they are."""
        shares = [self._share(k, piece, when) for piece, when in region.parts]
        if all(share == 1.0 for share in shares):
            return region
        own = [(part, share) for part, share in zip(region.parts, shares, strict=True) if share > 0.0]
        parts = tuple((p, w if share == 1.0 else sp.And(w, self.predicates[k])) for (p, w), share in own)
        return replace(region, parts=parts, name=f"{region.name} where {self.predicates[k]}")

    def _share(self, k: int, piece: Piece, when: sp.Basic) -> float:
        """The part of a piece next to which a material lies; between 0 and 1 for pieces inside, which are cut."""
        points = piece.points(halton(N_MEASURE if piece.dimension else 1, piece.dimension))
        if piece.dimension:
            points = points[piece.contains(points) & holds(when, self.domain.coordinates, points)]
        normals = piece.normals(points)
        if normals is None and piece.dimension:
            return 0.5
        if normals is not None:
            points = points - moved(normals, self.domain)
        return float(np.mean(holds(self.predicates[k], self.domain.coordinates, points))) if len(points) else 0.0

    def quadrature(self, domain: Domain, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Points and weights of a rule for the domain, or for its factor in space, that does not cross interfaces."""
        pieces = [piece for p in self.predicates for piece in domain.interior.where(p).pieces()]
        rules = [rule for rule in (piece.rule(n) for piece in pieces) if rule is not None]
        if len(rules) < len(pieces):
            return domain.quadrature(n)
        return np.concatenate([x for x, _ in rules]), np.concatenate([w for _, w in rules])

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


def with_branches(equation: object) -> object:
    """An equation with the steps inside its divergences written as branches: Heaviside(x), sign(x)."""
    if not isinstance(equation, sp.Basic):
        return equation
    steps = {s for d in equation.atoms(Divergence) for s in d.atoms(sp.Heaviside, sp.sign) if not s.atoms(AppliedUndef)}
    low = {sp.Heaviside: sp.S.Zero, sp.sign: sp.S.NegativeOne}
    return equation.xreplace({s: sp.Piecewise((low[s.func], s.args[0] < 0), (1, True)) for s in steps})


def materials_of(equations: Sequence[object], domain: Domain) -> Materials | None:
    """The materials of some equations; None where no coefficient inside a divergence jumps.

    Raises:
        ProblemError: a coefficient that is not defined everywhere.
    """
    cells: list[sp.Basic] = [sp.true]
    for piecewise in _coefficients(equations, domain):
        branches = _disjoint(piecewise)
        _check_covered(piecewise, branches, domain)
        cells = [_tight(sp.And(cell, branch)) for cell in cells for branch in branches]
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
    return [_tight(sp.And(c, *(sp.Not(before) for before in conditions[:i]))) for i, c in enumerate(conditions)]


def _tight(predicate: sp.Basic) -> sp.Basic:
    """A conjunction without bounds of a coordinate that another one implies: x >= 2 for x >= 1 and x >= 2."""
    if not isinstance(predicate, sp.And):
        return predicate
    bounds: dict[tuple[sp.Basic, bool], sp.Basic] = {}
    others = []
    for part in sorted(predicate.args, key=sp.default_sort_key):
        relation = cast(Any, part).canonical if isinstance(part, Relational) else part
        below = isinstance(relation, sp.StrictLessThan | sp.LessThan)
        if isinstance(relation, Relational) and relation.lhs.is_Symbol and relation.rhs.is_number:
            known = cast(Any, bounds.get((relation.lhs, below)))
            if known is None or _implies(relation, known, below):
                bounds[relation.lhs, below] = relation
        else:
            others.append(part)
    return sp.And(*others, *bounds.values())


def _implies(relation: Any, known: Any, below: bool) -> bool:
    """Whether one bound of a coordinate is at least as tight as another."""
    if relation.rhs == known.rhs:
        return isinstance(relation, sp.StrictLessThan | sp.StrictGreaterThan)
    return bool(relation.rhs < known.rhs) == below


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
    program = Program.compile(_real_parts(piecewise, domain), domain.coordinates)
    relations = [r for _, condition in cast(Any, piecewise.args) for r in comparisons(condition)]
    return any(_changes(program, level(r), domain) for r in relations)


def _real_parts(piecewise: sp.Basic, domain: Domain) -> list[sp.Basic]:
    """A Piecewise of complex numbers as two of real ones."""
    branches = [(split_complex(value, domain.coordinates), when) for value, when in cast(Any, piecewise.args)]
    return [sp.Piecewise(*((parts[k], when) for parts, when in branches)) for k in (0, 1)]


def _changes(program: Program, g: sp.Expr, domain: Domain) -> bool:
    try:
        region = level_set(domain, g)
    except ProblemError:
        return False
    for piece in region.pieces():
        points = piece.points(halton(N_TRACE if piece.dimension else 1, piece.dimension))
        aside = moved(cast(np.ndarray, piece.normals(points)), domain)
        sides = (program(list((points + s * aside).T), np) for s in (-1, 1))
        pairs = [np.broadcast_arrays(*pair) for pair in zip(*sides, strict=True)]
        size = np.max(np.abs(pairs), axis=(0, 1))
        if not all(np.all(np.abs(above - below) <= JUMP * size) for below, above in pairs):
            return True
    return False


def moved(normals: np.ndarray, domain: Domain) -> np.ndarray:
    """A small step (n, d) along normals (n, d_space)."""
    n_space = len(domain.space)
    size = STEP * float(np.ptp(domain.bounds[:n_space], axis=1).max())
    return size * np.pad(normals, ((0, 0), (0, domain.dimension - n_space)))


def _sample(region: Region, count: int) -> np.ndarray:
    found = []
    for piece in region.pieces():
        points = piece.points(halton(count, piece.dimension))
        # What a small piece was measured with hits it at least once.
        points = points if piece.contains(points).any() else piece.points(halton(N_MEASURE, piece.dimension))
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


def conormal(equation: object, space: Sequence[sp.Symbol]) -> sp.Expr:
    """The flux of an equation of second order through a surface: n·v for div v, ∂u/∂n for Δu; zero without any.

    Raises:
        ProblemError: several second derivatives with factors that jump, whose joint flux is not clear.
    """
    expression = as_expression(equation)
    if isinstance(expression, sp.Equality):
        expression = expression.lhs - expression.rhs
    spread = sp.expand(expression, deep=False, power_base=False, power_exp=False, log=False)
    found = [pair for term in sp.Add.make_args(spread) for pair in _fluxes(term, space) if pair[1] != 0]
    if len(found) == 1:
        # Whatever stands before it, what is inside the only divergence is the flux that is conserved.
        return found[0][1]
    if any(factor.has(sp.Piecewise) for factor, _ in found):
        raise ProblemError(
            f"the equation {equation} has several second derivatives, and factors before them that jump; divide by the "
            "factor, so that it stands on the other side."
        )
    return sp.Add(*(factor * flux for factor, flux in found))


def _fluxes(term: sp.Basic, space: Sequence[sp.Symbol]) -> Iterator[tuple[sp.Expr, sp.Expr]]:
    factors = sp.Mul.make_args(term)
    for k, factor in enumerate(factors):
        rest = sp.Mul(*(f for i, f in enumerate(factors) if i != k))
        if isinstance(factor, Divergence):
            yield rest, dot(factor.args[0], Normal())
        elif isinstance(factor, Laplacian):
            yield rest, normal_derivative(factor.args[0])
        elif isinstance(factor, sp.Derivative):
            yield rest, _of_derivative(factor, space)


def _of_derivative(derivative: sp.Derivative, space: Sequence[sp.Symbol]) -> sp.Expr:
    """∂_x v gives n_x v where v holds a derivative of its own; zero for others and in time."""
    first, *rest = derivative.variables
    if first not in space or not (rest or derivative.expr.has(sp.Derivative)):
        return sp.S.Zero
    return Normal()[space.index(first)] * (sp.Derivative(derivative.expr, *rest) if rest else derivative.expr)


def pairs(materials: Materials) -> Iterator[tuple[int, int, Region]]:
    """Every two materials that meet, and where."""
    for k, m in itertools.combinations(range(len(materials.predicates)), 2):
        for region in materials.meeting(k, m):
            yield k, m, region
