"""The conventional solvers of elliptic problems: Chebyshev collocation, differences of order 2 to 8, elements P2 to P4.

Each is one solve at one resolution: its time has no error estimate and no second grid in it, which is to its advantage.
The error is the relative L2 norm by quadrature between the nodes, and its time is not counted.
The finite elements are scikit-fem's meshes, numberings and quadratures; the assembly is our own, by reference tensors.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import skfem
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, cg, splu
from scipy.special import roots_jacobi
from skfem.assembly import Dofs
from skfem.element import ElementH1
from skfem.quadrature import get_quadrature
from skfem.refdom import RefTet, RefTri

from kanpde.expression import Program
from kanpde.problem import Problem
from kanpde.references.reference import relative_l2, solve_spectral
from kanpde.studies.conventional import differences as solve_differences
from kanpde.studies.conventional import timed

Array = np.ndarray
CG_TOLERANCE = 1e-10  # far below the errors that elements reach in three dimensions
LARGEST_RULE = 9  # of scikit-fem's tables on tetrahedra


@dataclass(frozen=True)
class Measured:
    """One solve: `method` ("scikit-fem P3"), `resolution` a coordinate, unknowns, relative L2 error, seconds."""

    method: str
    resolution: int
    unknowns: int
    error: float
    seconds: float


# ---- finite elements


class LagrangeSimplex(ElementH1):
    """Lagrange elements of any degree on triangles and tetrahedra with sorted vertices, nodes equidistant.

    scikit-fem has P2 to P4 on triangles, which the tests compare with, and P1 and P2 on tetrahedra.
    """

    def __init__(self, dimension: int, degree: int) -> None:
        self.refdom = RefTri if dimension == 2 else RefTet
        self.nodal_dofs, self.maxdeg = 1, degree
        inner = degree - 1
        self.facet_dofs = inner if dimension == 2 else math.comb(inner, 2)
        self.edge_dofs = inner if dimension == 3 else 0
        self.interior_dofs = math.comb(inner, dimension)
        self.nodes = _lattice(dimension, degree)
        self.doflocs = self.nodes / degree
        self.dofnames = ["u"] * (self.nodal_dofs + self.edge_dofs + self.facet_dofs + self.interior_dofs)
        self.powers = np.array([p for p in itertools.product(range(degree + 1), repeat=dimension) if sum(p) <= degree])
        self.coefficients = np.linalg.inv(_monomials(self.powers, self.doflocs.T))

    def tables(self, points: Array) -> tuple[Array, Array]:
        """Values (nodes, q) and derivatives (d, nodes, q) of all shape functions at reference points (d, q)."""
        gradients = [_monomial_derivative(self.powers, points, k) for k in range(len(points))]
        return (
            (_monomials(self.powers, points) @ self.coefficients).T,
            np.stack([(g @ self.coefficients).T for g in gradients]),
        )

    def lbasis(self, X: Array, i: int) -> tuple[Array, Array]:
        """One shape function, as scikit-fem asks for it."""
        values, gradients = self.tables(X)
        return values[i], gradients[:, i]


def _lattice(dimension: int, degree: int) -> Array:
    """Nodes · degree, in scikit-fem's order: vertices, edges, faces, inside; from the smaller vertex to the larger."""
    corners = np.vstack([np.zeros(dimension, dtype=int), np.eye(dimension, dtype=int)])
    if dimension == 2:
        pieces = [(0,), (1,), (2,), *RefTri.facets, (0, 1, 2)]
    else:
        pieces = [(0,), (1,), (2,), (3,), *RefTet.edges, *RefTet.facets, (0, 1, 2, 3)]
    return np.array(
        [np.array(shares) @ corners[list(piece)] for piece in pieces for shares in _shares(len(piece), degree)]
    )


def _shares(parts: int, degree: int) -> list[tuple[int, ...]]:
    """The ways to share `degree` among vertices with something for each, those nearest to the first vertex first."""
    whole = itertools.product(range(1, degree + 1), repeat=parts)
    return sorted((s for s in whole if sum(s) == degree), reverse=True)


def _monomials(powers: Array, points: Array) -> Array:
    """(q, monomials) at points (d, q)."""
    return np.prod(points[:, :, None] ** powers.T[:, None, :], axis=0)


def _monomial_derivative(powers: Array, points: Array, axis: int) -> Array:
    lowered = powers.copy()
    lowered[:, axis] = np.maximum(powers[:, axis] - 1, 0)
    return powers[:, axis] * _monomials(lowered, points)


@dataclass(frozen=True)
class Coefficients:
    """Σ A_kl D_k D_l u + c u + source = 0 with constant A and c, and u = data on the boundary."""

    diffusion: Array
    reaction: float
    source: Callable[[Array], Array]
    data: Callable[[Array], Array]

    @classmethod
    def of(cls, problem: Problem) -> Coefficients:
        """Reads them from the normal form; ValueError where the problem is of another kind."""
        operator, d = problem.operators[0], len(problem.coordinates)
        diffusion, reaction = np.zeros((d, d)), 0.0
        for variable, slope in zip(operator.jet, operator.gradient, strict=True):
            if not slope.is_number or sum(variable.derivative) == 1:
                raise ValueError(f"{problem.name} is not of the form A : D²u + c u = f with constants")
            axes = [k for k, times in enumerate(variable.derivative) for _ in range(times)]
            if axes:
                diffusion[axes[0], axes[1]] += float(slope) / 2
                diffusion[axes[1], axes[0]] += float(slope) / 2
            else:
                reaction = float(slope)
        boundary = problem.conditions[0].value
        symbols = problem.coordinates
        return cls(diffusion, reaction, _function(operator.source, symbols), _function(boundary, symbols))


def _function(expression: object, symbols: Sequence[object]) -> Callable[[Array], Array]:
    """An expression as a function of points (n, d)."""
    program = Program.compile((expression,), symbols)
    return lambda points: program(list(points.T), np)[0]


@dataclass(frozen=True, eq=False)
class FiniteElements:
    """A problem on simplices: `intervals` squares or cubes a coordinate, each split."""

    problem: Problem
    degree: int
    intervals: int

    @cached_property
    def element(self) -> LagrangeSimplex:
        """The shape functions."""
        return LagrangeSimplex(len(self.problem.coordinates), self.degree)

    @cached_property
    def mesh(self) -> skfem.Mesh:
        """Vertices of every simplex ascending, so that neighbours agree on the nodes between them."""
        lines = [np.linspace(a, b, self.intervals + 1) for a, b in self.problem.domain.bounds.tolist()]
        kind = skfem.MeshTri1 if len(lines) == 2 else skfem.MeshTet1
        mesh = kind.init_tensor(*lines)
        return kind(mesh.p, np.sort(mesh.t, axis=0))

    @cached_property
    def dofs(self) -> Dofs:
        """The numbering."""
        return Dofs(self.mesh, self.element)

    @cached_property
    def _corners(self) -> Array:
        return self.mesh.p[:, self.mesh.t]

    @cached_property
    def jacobian(self) -> Array:
        """(elements, d, d): derivatives of the global by the reference coordinates."""
        return np.moveaxis(self._corners[:, 1:] - self._corners[:, :1], 2, 0)

    @cached_property
    def volumes(self) -> Array:
        """|det| of the Jacobian, (elements,)."""
        return np.abs(np.linalg.det(self.jacobian))

    def placed(self, reference: Array) -> Array:
        """Global points (elements, q, d) of reference points (d, q)."""
        return self._corners[:, 0].T[:, None] + np.einsum("ekl,lq->eqk", self.jacobian, reference)

    def matrix(self, coefficients: Coefficients) -> sparse.csr_array:
        """∫ A∇u·∇v − c u v, from integrals over the reference simplex and one d × d matrix an element."""
        points, weights = get_quadrature(self.element.refdom, 2 * self.degree)
        values, gradients = self.element.tables(points)
        stiffness = np.einsum("kiq,ljq,q->klij", gradients, gradients, weights)
        mass = np.einsum("iq,jq,q->ij", values, values, weights)
        inverse = np.linalg.inv(self.jacobian)
        metric = np.einsum("eka,ab,elb->ekl", inverse, coefficients.diffusion, inverse) * self.volumes[:, None, None]
        local = np.tensordot(metric, stiffness, 2) - coefficients.reaction * self.volumes[:, None, None] * mass
        rows = self.dofs.element_dofs.T
        shape = local.shape
        entries = (np.broadcast_to(rows[:, :, None], shape).ravel(), np.broadcast_to(rows[:, None], shape).ravel())
        return sparse.coo_array((local.ravel(), entries), shape=(self.dofs.N,) * 2).tocsr()

    def load(self, coefficients: Coefficients) -> Array:
        """∫ source · v."""
        points, weights = get_quadrature(self.element.refdom, min(2 * self.degree + 2, LARGEST_RULE))
        values, _ = self.element.tables(points)
        x = self.placed(points)
        source = coefficients.source(x.reshape(-1, x.shape[-1])).reshape(x.shape[:2])
        local = np.einsum("eq,iq,q,e->ei", source, values, weights, self.volumes, optimize=True)
        return np.bincount(self.dofs.element_dofs.T.ravel(), local.ravel(), self.dofs.N)

    def solve(self) -> Array:
        """Nodal values; on the boundary those of the data."""
        coefficients = Coefficients.of(self.problem)
        matrix, load = self.matrix(coefficients), self.load(coefficients)
        outer = self.dofs.get_facet_dofs(self.mesh.boundary_facets()).flatten()
        inner = np.setdiff1d(np.arange(self.dofs.N), outer)
        state = np.zeros(self.dofs.N)
        state[outer] = coefficients.data(self._locations()[outer])
        rest = load - matrix @ state
        state[inner] = solved(matrix[inner][:, inner], rest[inner], iterative=self.mesh.dim() == 3)
        return state

    def _locations(self) -> Array:
        """Where the nodes are, (N, d)."""
        places = self.placed(self.element.doflocs.T)
        result = np.empty((self.dofs.N, self.mesh.dim()))
        result[self.dofs.element_dofs.T] = places
        return result

    def relative_l2(self, state: Array) -> float:
        """Against the exact solution, by quadrature inside the elements, exact to degree 2 · degree + 3."""
        points, weights = conical_rule(self.mesh.dim(), self.degree + 2)
        values, _ = self.element.tables(points)
        x = self.placed(points)
        exact = self.problem.exact_values(x.reshape(-1, x.shape[-1]))[:, 0].reshape(x.shape[:2])
        gap = state[self.dofs.element_dofs.T] @ values - exact
        error, norm = (float(np.einsum("eq,q,e->", f**2, weights, self.volumes)) for f in (gap, exact))
        return math.sqrt(error / norm)


def conical_rule(dimension: int, count: int) -> tuple[Array, Array]:
    """Points (d, q) and weights (q,) on the reference simplex: Gauss-Jacobi in collapsed coordinates, any degree.

    Exact to degree 2 · count − 1 (Stroud 1971, section 2.4); scikit-fem's tables on tetrahedra end at degree 9.
    """
    lines = [roots_jacobi(count, dimension - 1 - k, 0) for k in range(dimension)]
    collapsed = np.meshgrid(*[(nodes + 1) / 2 for nodes, _ in lines], indexing="ij")
    shares = np.meshgrid(*[w / 2.0 ** (dimension - k) for k, (_, w) in enumerate(lines)], indexing="ij")
    points, left = [], np.ones_like(collapsed[0])
    for coordinate in collapsed:
        points.append((left * coordinate).ravel())
        left = left * (1 - coordinate)
    return np.stack(points), np.prod(shares, axis=0).ravel()


def solved(matrix: sparse.csr_array, right: Array, iterative: bool) -> Array:
    """A direct solve with minimum degree; in three dimensions, where that fills up, conjugate gradients."""
    if iterative and len(right) > 4000:
        inverse = 1 / matrix.diagonal()
        scaling = LinearOperator(matrix.shape, matvec=lambda r: inverse * r)
        return cg(matrix, right, rtol=CG_TOLERANCE, M=scaling, maxiter=20_000)[0]
    options = {"SymmetricMode": True}
    factors = splu(matrix.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.01, options=options)
    return factors.solve(right)


# ---- one solve each


def finite_elements(problem: Problem, degree: int, intervals: int) -> Measured:
    """One solve with elements of a degree."""
    seconds, (discrete, state) = timed(lambda: _finite_elements(problem, degree, intervals))
    return Measured(f"scikit-fem P{degree}", intervals, discrete.dofs.N, discrete.relative_l2(state), seconds)


def _finite_elements(problem: Problem, degree: int, intervals: int) -> tuple[FiniteElements, Array]:
    discrete = FiniteElements(problem, degree, intervals)
    return discrete, discrete.solve()


def differences(problem: Problem, order: int, nodes: int) -> Measured:
    """One solve with differences of an order."""
    seconds, function = timed(lambda: solve_differences(problem, order, nodes))
    return Measured(
        f"differences of order {order}", nodes, function.values.size, relative_l2(problem, function), seconds
    )


def chebyshev(problem: Problem, nodes: int) -> Measured:
    """One solve by collocation."""
    seconds, function = timed(lambda: solve_spectral(problem, (nodes,) * len(problem.coordinates)))
    return Measured("Chebyshev", nodes, function.values.size, relative_l2(problem, function), seconds)
