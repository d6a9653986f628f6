"""A problem on one mesh: components, residual and Jacobian of the weak forms, and the conditions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse

from kanpde.errors import ProblemError
from kanpde.meshing import TriMesh
from kanpde.operator import JetVariable
from kanpde.problem import Problem
from kanpde.references.fem.boundary import MISFIT, Conormal, Patch, natural_shares, patches
from kanpde.references.fem.space import CellTable, FacetTable, Geometry, Space
from kanpde.references.fem.weak import Pairing, Shares, WeakForm, paired, pressures, weak_form

Array = np.ndarray


@dataclass(frozen=True)
class Components:
    """Fields that are one continuous function: those that an interface glues together.

    Attributes:
        of_field: the component of each field.
        multiplier: whether each component is a pressure of a saddle point, one degree below the others.
    """

    of_field: tuple[int, ...]
    multiplier: tuple[bool, ...]

    @classmethod
    def of(cls, problem: Problem, pairing: Pairing) -> Components:
        """The components of a problem."""
        group = list(range(len(problem.fields)))
        for condition in problem.conditions:
            if condition.kind == "interface" and condition.operator is not None and condition.operator.order == 0:
                a, b = _glued(problem, condition)
                group = [group[a] if g == group[b] else g for g in group]
        names = sorted(set(group))
        saddle = pressures(problem, pairing)
        return cls(tuple(names.index(g) for g in group), tuple(g in saddle for g in names))

    @property
    def count(self) -> int:
        """How many."""
        return len(self.multiplier)


def _glued(problem: Problem, condition: Any) -> tuple[int, int]:
    """The two fields that an interface condition u_1 - u_2 = 0 equates."""
    operator = condition.operator
    gradient = [complex(g).real if g.is_number else np.nan for g in operator.gradient]
    if len(gradient) != 2 or gradient[0] + gradient[1] != 0.0 or operator.source != 0:
        raise ProblemError(
            f"{condition.label} of {problem.name} is a jump; finite elements take fields that are continuous."
        )
    return operator.jet[0].unknown, operator.jet[1].unknown


@dataclass(frozen=True, eq=False)
class Base:
    """A known field that the unknown state is added to, at the points of quadrature.

    Attributes:
        cells: for each group of cells its fields (m, n, n_fields, 1 + d), values and first derivatives.
        facets: for each boundary term the same.
    """

    cells: tuple[Array, ...]
    facets: tuple[Array, ...]


@dataclass(frozen=True, eq=False)
class Discretisation:
    """The weak forms of a problem on one mesh.

    Attributes:
        problem: what is solved.
        mesh: where.
        degree: of the polynomials; pressures have one less.
        shares: how second derivatives are shared, by default as the conditions need it.
    """

    problem: Problem
    mesh: TriMesh
    degree: int
    shares: Shares | None = None

    @cached_property
    def geometry(self) -> Geometry:
        """The cells."""
        return Geometry(self.mesh)

    @cached_property
    def pairing(self) -> Pairing:
        """Equations and test functions."""
        return paired(self.problem)

    @cached_property
    def components(self) -> Components:
        """What is continuous."""
        return Components.of(self.problem, self.pairing)

    @cached_property
    def spaces(self) -> tuple[Space, ...]:
        """One a component."""
        known = {
            k: Space(self.geometry, k) for k in {self.degree, *([self.degree - 1] * any(self.components.multiplier))}
        }
        return tuple(known[self.degree - 1 if low else self.degree] for low in self.components.multiplier)

    @cached_property
    def offsets(self) -> Array:
        """Where the degrees of freedom of each component start."""
        return np.cumsum([0, *(space.size for space in self.spaces)])

    @property
    def size(self) -> int:
        """Degrees of freedom."""
        return int(self.offsets[-1])

    def dofs(self, field: int, cells: Array | slice = slice(None)) -> Array:
        """(m, nb) global degrees of freedom of a field in cells."""
        c = self.components.of_field[field]
        return self.spaces[c].of_cells[cells] + self.offsets[c]

    @cached_property
    def places(self) -> Array:
        """(size, d) where the degrees of freedom are."""
        return np.concatenate([space.places for space in self.spaces])

    @cached_property
    def low(self) -> Array:
        """(size,) bool: degrees of freedom of pressures."""
        return np.repeat(self.components.multiplier, [space.size for space in self.spaces])

    @cached_property
    def active(self) -> Array:
        """(n_equations, n_cells) bool: where each equation holds."""
        middles = self.mesh.points[self.mesh.corners].mean(axis=1)
        whole = self.problem.domain.interior
        return np.array(
            [
                np.ones(len(middles), dtype=bool) if region == whole else region.contains(middles)
                for region in self.problem.regions
            ]
        )

    @cached_property
    def patches(self) -> tuple[Patch, ...]:
        """Facets of the boundary by what holds on them."""
        return patches(self.problem, self.geometry, self.pairing, self.active)

    @cached_property
    def forms(self) -> tuple[WeakForm, ...]:
        """The weak form of each equation."""
        shares = self.shares
        if shares is None:
            shares = natural_shares(self.problem, self.geometry, self.pairing, self.patches)
        return tuple(weak_form(self.problem, i, self.pairing, shares) for i in range(len(self.problem.operators)))

    # ---- tables

    @property
    def accuracy(self) -> int:
        """Degree of the quadrature."""
        return 2 * self.degree + (2 if self.mesh.dimension < 3 else 1)

    @cached_property
    def groups(self) -> tuple[tuple[tuple[int, ...], CellTable], ...]:
        """Cells in which the same equations hold."""
        kinds, member = np.unique(self.active, axis=1, return_inverse=True)
        return tuple(
            (
                tuple(np.flatnonzero(kind).tolist()),
                CellTable(self.geometry, np.flatnonzero(member.ravel() == k), self.accuracy),
            )
            for k, kind in enumerate(kinds.T)
        )

    @cached_property
    def _tables(self) -> dict[tuple[int, int], Array]:
        """Basis tables by group and degree."""
        return {
            (g, space.degree): table.basis(space.element)
            for g, (_, table) in enumerate(self.groups)
            for space in {s.degree: s for s in self.spaces}.values()
        }

    def basis(self, group: int, component: int) -> Array:
        """(m, n, 1 + d, nb) table of a component in a group of cells."""
        return self._tables[group, self.spaces[component].degree]

    def jets(
        self, state: Array, fields: Sequence[int], dofs: Any, basis: Any, known: Array | None = None
    ) -> dict[int, Array]:
        """Values and first derivatives (m, n, 1 + d) of fields, from tables of the basis, on top of known ones."""
        found: dict[int, Array] = {}
        by_component: dict[int, Array] = {}
        for field in fields:
            c = self.components.of_field[field]
            if c not in by_component:
                by_component[c] = np.einsum("enab,eb->ena", basis(c), state[dofs(field)], optimize=True)
            found[field] = by_component[c] if known is None else by_component[c] + known[:, :, field]
        return found

    def slot(self, variable: JetVariable) -> int:
        """0 for the value, 1 + k for the derivative along space axis k."""
        if not sum(variable.derivative):
            return 0
        return 1 + self.problem.domain.space.index(self.problem.coordinates[variable.derivative.index(1)])

    # ---- residual and Jacobian

    def assemble(
        self, state: Array, parameters: Sequence[float] = (), matrix: bool = True, base: Base | None = None
    ) -> tuple[Array, sparse.csr_array | None]:
        """∫ S v - Φ·∇v + ∮ (n·Φ) v for every test function, and its derivative by the state, at base + state."""
        sums = _Sums(self.size, matrix)
        for g, (equations, table) in enumerate(self.groups):
            known = None if base is None else base.cells[g]
            for i in equations:
                self._cells(sums, g, table, self.forms[i], state, parameters, known)
        for k, (patch, facets, conormal) in enumerate(self.boundary_terms):
            known = None if base is None else base.facets[k]
            self._facets(sums, patch, facets, conormal, state, parameters, known)
        return sums.result()

    def sampled(self, field: Callable[[Array], Array]) -> Base:
        """A field (n, d) -> (n, n_fields, 1 + d) at all points of quadrature."""

        def at(table: CellTable | FacetTable) -> Array:
            points = table.points
            values = field(points.reshape(-1, points.shape[-1]))
            return values.reshape(*points.shape[:2], *values.shape[1:])

        return Base(tuple(at(t) for _, t in self.groups), tuple(at(t) for _, t, _ in self.boundary_terms))

    def arguments(self, form: WeakForm, points: Array, jets: Any, parameters: Sequence[float]) -> list[Array]:
        """What a form's program takes at points (..., d)."""
        jet = [jets[v.unknown][..., self.slot(v)].ravel() for v in form.jet]
        own = {p: value for p, value in zip(self.problem.parameters, parameters, strict=True)}
        flat = points.reshape(-1, points.shape[-1])
        return [*flat.T, *jet, *(np.full(len(flat), own[p]) for p in form.parameters)]

    def _cells(
        self,
        sums: _Sums,
        g: int,
        table: CellTable,
        form: WeakForm,
        state: Array,
        parameters: Sequence[float],
        known: Array | None,
    ) -> None:
        def basis(component: int) -> Array:
            return self.basis(g, component)

        def dofs(field: int) -> Array:
            return self.dofs(field, table.cells)

        fields = sorted({v.unknown for v in form.jet})
        jets = self.jets(state, fields, dofs, basis, known)
        shape = table.weights.shape
        outputs = form.program(self.arguments(form, table.points, jets, parameters), np)
        d, of_field = self.mesh.dimension, self.components.of_field
        test = basis(of_field[form.field])
        weighted = test * table.weights[:, :, None, None]
        values = _signed(outputs[: 1 + d], shape)
        sums.vector(np.einsum("enab,ena->eb", weighted, values, optimize=True), dofs(form.field))
        if not sums.matrix:
            return
        for field in fields:
            coefficients = np.zeros((*shape, 1 + d, 1 + d))
            for position, v in enumerate(form.jet):
                if v.unknown == field:
                    start = (1 + d) * (1 + position)
                    coefficients[..., self.slot(v)] = _signed(outputs[start : start + 1 + d], shape)
            sums.block(_block(weighted, coefficients, basis(of_field[field])), dofs(form.field), dofs(field))

    # ---- the boundary

    @cached_property
    def boundary_terms(self) -> tuple[tuple[Patch, FacetTable, Conormal], ...]:
        """Patches on which natural conditions hold, with their quadrature points.

        Raises:
            ProblemError: conditions that do not determine the conormal derivative, or that are in excess.
        """
        terms = []
        forms = dict(enumerate(self.forms))
        moved = frozenset(c for form in self.forms for (c, _, j) in form.conormal if j == -1)
        for patch in self.patches:
            conormal = Conormal(self.problem, patch, self.pairing, forms, moved)
            table = FacetTable(self.geometry, patch.facets, self.accuracy)
            self._check_patch(patch, table, conormal)
            if patch.natural:
                terms.append((patch, table, conormal))
        return tuple(terms)

    def _check_patch(self, patch: Patch, table: FacetTable, conormal: Conormal) -> None:
        points, normals = (a[:, :2].reshape(-1, self.mesh.dimension) for a in (table.points, table.normals))
        parameters = [p.initial for p in self.problem.parameters]
        weights, misfit = conormal.weights(
            points, normals, np.ones((len(points), len(self.problem.fields))), parameters
        )
        place = ", ".join(f"{s} = {v:.3g}" for s, v in zip(self.problem.domain.space, points[0], strict=True))
        if misfit > MISFIT:
            labels = "; ".join(self.problem.conditions[q].label for q in (*patch.essential, *patch.natural))
            raise ProblemError(
                f"{self.problem.name}: the conditions near {place} ({labels or 'none'}) do not give the conormal "
                "derivative of every equation; finite elements need Dirichlet, Neumann, Robin or tractions there."
            )
        idle = [q for k, q in enumerate(patch.natural) if not np.abs(weights[:, :, k]).max(initial=0.0) > 0.0]
        if idle:
            raise ProblemError(
                f"{self.problem.name}: {self.problem.conditions[idle[0]].label} near {place} is in excess of what the "
                "equations need there, or a tangential condition; finite elements cannot take it."
            )

    def _facets(
        self,
        sums: _Sums,
        patch: Patch,
        table: FacetTable,
        conormal: Conormal,
        state: Array,
        parameters: Sequence[float],
        known: Array | None,
    ) -> None:
        shape = table.weights.shape
        bases = {s.degree: self._facet_basis(table, s) for s in self.spaces}

        def basis(component: int) -> Array:
            return bases[self.spaces[component].degree]

        def dofs(field: int) -> Array:
            return self.dofs(field, table.cells)

        m = len(self.problem.fields)
        jets = self.jets(state, range(m), dofs, basis, known)
        values = np.stack([jets[c][..., 0].ravel() for c in range(m)], axis=1)
        points, normals = table.points.reshape(-1, self.mesh.dimension), table.normals.reshape(-1, self.mesh.dimension)
        weights, _ = conormal.weights(points, normals, values, parameters)
        _, rest, slopes = conormal.conditions(points, normals, values, patch.natural)
        total = -np.einsum("peq,qp->ep", weights, rest)
        change = -np.einsum("peq,qpm->emp", weights, slopes)
        for field in conormal.nonlinear if sums.matrix else ():
            change[:, field] -= np.einsum(
                "peq,qp->ep", conormal.slope(points, normals, values, parameters, field), rest
            )
        for row, i in enumerate(patch.equations):
            field = self.pairing.field[i]
            test = basis(self.components.of_field[field])[:, :, :1] * table.weights[:, :, None, None]
            sums.vector(np.einsum("enab,ena->eb", test, total[row].reshape(*shape, 1)), dofs(field))
            for other in range(m) if sums.matrix else ():
                if change[row, other].any():
                    trial = basis(self.components.of_field[other])[:, :, :1]
                    coefficient = change[row, other].reshape(*shape, 1, 1)
                    sums.block(_block(test, coefficient, trial), dofs(field), dofs(other))

    def _facet_basis(self, table: FacetTable, space: Space) -> Array:
        key = (id(table), space.degree)
        if key not in self._facet_cache:
            self._facet_cache[key] = table.basis(space.element)
        return self._facet_cache[key]

    @cached_property
    def _facet_cache(self) -> dict[tuple[int, int], Array]:
        return {}


def _signed(outputs: Sequence[Array], shape: tuple[int, ...]) -> Array:
    """(m, n, 1 + d): S and -Φ."""
    columns = [np.broadcast_to(np.asarray(o, dtype=float), (int(np.prod(shape)),)).reshape(shape) for o in outputs]
    return np.stack([columns[0], *(-c for c in columns[1:])], axis=-1)


def _block(test: Array, coefficients: Array, trial: Array) -> Array:
    """(m, nb_test, nb_trial): Σ_n test · coefficients · trial."""
    middle = np.einsum("enac,encb->enab", coefficients, trial, optimize=True)
    cells, n, a, b = middle.shape
    left = test.reshape(cells, n * a, -1)
    return np.matmul(np.swapaxes(left, 1, 2), middle.reshape(cells, n * a, b))


class _Sums:
    """Contributions of cells and facets, summed at the end."""

    def __init__(self, size: int, matrix: bool) -> None:
        self.size, self.matrix = size, matrix
        self.total = np.zeros(size)
        self.parts: list[tuple[Array, Array, Array]] = []

    def vector(self, local: Array, dofs: Array) -> None:
        """Add (m, nb) values of cells."""
        self.total += np.bincount(dofs.ravel(), local.ravel(), self.size)

    def block(self, local: Array, rows: Array, columns: Array) -> None:
        """Add (m, nb, nb') entries of cells."""
        i = np.broadcast_to(rows[:, :, None], local.shape).ravel()
        j = np.broadcast_to(columns[:, None, :], local.shape).ravel()
        self.parts.append((i, j, local.ravel()))

    def result(self) -> tuple[Array, sparse.csr_array | None]:
        """The vector and the matrix."""
        if not self.matrix:
            return self.total, None
        i, j, v = (np.concatenate(part) for part in zip(*self.parts, strict=True))
        return self.total, sparse.csr_array((v, (i, j)), shape=(self.size, self.size))
