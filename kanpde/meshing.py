"""Meshes of domains: triangles and tetrahedra with curved sides on curved boundaries, from the bodies that shapes are.

Composed shapes are built as solids of netgen's geometry kernel, so a mesh knows every curve and every corner exactly.
Boxes get structured meshes, without netgen. All meshes of one family are nested: each cell of one is split in the next,
and new nodes on a curved boundary are moved onto it.
"""

from __future__ import annotations

import functools
import importlib
import itertools
import operator
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp
from sympy.core.relational import Relational

from kanpde.domain import Domain, Mesh
from kanpde.domain.bodies import (
    DIFFERENCE,
    INTERSECTION,
    UNION,
    BallBody,
    Body,
    BoxBody,
    Composed,
    CylinderBody,
    EllipseBody,
    PolygonBody,
)
from kanpde.domain.predicate import thresholds
from kanpde.errors import ProblemError
from kanpde.expression import Program

Array = np.ndarray

# The pairs of vertices of a cell whose middles are nodes, in the order of VTK and meshio.
EDGES = {1: ((0, 1),), 2: ((0, 1), (1, 2), (0, 2)), 3: ((0, 1), (1, 2), (0, 2), (0, 3), (1, 3), (2, 3))}
# Where netgen puts them.
_NETGEN_EDGES = {2: ((1, 2), (0, 2), (0, 1)), 3: ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))}
# Below this share of its edge a middle node counts as straight.
STRAIGHT = 1e-9
# Cells at a re-entrant corner, relative to the others: the singularity r^(π/α) then matters less than the rest.
AT_CORNERS = 1e-3


@dataclass(frozen=True, eq=False)
class TriMesh:
    """Intervals, triangles or tetrahedra.

    Attributes:
        points: (n, d) vertices, and middles of edges if the mesh is curved.
        cells: (m, d + 1) vertices of each cell; a curved mesh has the middles of its edges after them, in VTK's order.
        materials: (m,) whole numbers that tell which of the interfaces' sides a cell lies on, all 0 without interfaces.
    """

    points: Array
    cells: Array
    materials: Array

    @property
    def dimension(self) -> int:
        """The number of coordinates."""
        return int(self.points.shape[1])

    @property
    def order(self) -> int:
        """2 for a curved mesh, else 1."""
        return 1 if self.cells.shape[1] == self.dimension + 1 else 2

    @property
    def corners(self) -> Array:
        """(m, d + 1) vertices of the cells."""
        return self.cells[:, : self.dimension + 1]

    @cached_property
    def facets(self) -> Array:
        """(b, d) vertices of the facets that belong to one cell only: the boundary."""
        faces = np.concatenate([np.delete(self.corners, k, axis=1) for k in range(self.dimension + 1)])
        faces = np.sort(faces, axis=1)
        unique, counts = np.unique(faces, axis=0, return_counts=True)
        return np.asarray(unique[counts == 1])

    @property
    def size(self) -> float:
        """The mean length of the edges."""
        ends = np.concatenate([self.corners[:, pair] for pair in EDGES[self.dimension]])
        return float(np.mean(np.linalg.norm(self.points[ends[:, 0]] - self.points[ends[:, 1]], axis=1)))


def mesh_of(
    domain: Domain,
    h: float | None = None,
    order: int = 2,
    refine_near: Sequence[Sequence[float]] | None = None,
    interfaces: Sequence[sp.Basic] = (),
) -> TriMesh:
    """A mesh of the spatial part of a domain.

    Args:
        domain: any domain of up to three spatial coordinates.
        h: the length of edges; by default a fifteenth of the domain's extent.
        order: 2 for middle nodes on curved boundaries, 1 for straight cells.
        refine_near: points to which the cells shrink; by default the re-entrant corners.
        interfaces: predicates whose boundaries the edges must follow: x < c, disks, half planes.

    Raises:
        ProblemError: more than three coordinates, or netgen is needed and missing.
    """
    mesh = meshes_of(domain, h, 1, refine_near, interfaces)[0]
    return mesh if order == 2 else replace(mesh, cells=mesh.corners)


def meshes_of(
    domain: Domain,
    h: float | None = None,
    levels: int = 3,
    refine_near: Sequence[Sequence[float]] | None = None,
    interfaces: Sequence[sp.Basic] = (),
) -> tuple[TriMesh, ...]:
    """Nested meshes, each with half the edges of the one before; `h` is that of the coarsest."""
    space = space_of(domain)
    if len(space.space) > 3:
        raise ProblemError(f"a domain of {len(space.space)} spatial coordinates has no mesh; meshes have up to three.")
    extent = float(np.max(np.ptp(space.bounds, axis=1)))
    h = extent / 15 if h is None else float(h)
    if not h > 0:
        raise ProblemError(f"h = {h:g} is no length of edges; give a positive one.")
    cuts = _planes(interfaces, space.space)
    if isinstance(space, Mesh):
        meshes = _split(_given(space, h), levels)
    elif space.is_box and cuts is not None and not refine_near:
        meshes = _split(_structured(space.bounds, h, cuts), levels)
    else:
        near = _reentrant(space) if refine_near is None else refine_near
        meshes = netgen_meshes(space, h, levels, near, interfaces)
    return tuple(replace(m, materials=_materials(m, interfaces, space.space)) for m in meshes)


def space_of(domain: Domain) -> Any:
    """The spatial factor of a domain."""
    return getattr(domain, "factor", domain)


def _materials(mesh: TriMesh, interfaces: Sequence[sp.Basic], space: Sequence[sp.Symbol]) -> Array:
    """Which predicates hold in the middle of each cell, as bits."""
    if not interfaces:
        return np.zeros(len(mesh.cells), dtype=int)
    middle = mesh.points[mesh.corners].mean(axis=1)
    held = Program.compile(list(interfaces), space)(list(middle.T), np)
    return np.asarray(sum(np.asarray(v, dtype=int) << k for k, v in enumerate(held)))


def _reentrant(space: Any) -> list[tuple[float, float]]:
    """Corners with an interior angle above 180 degrees."""
    corners = getattr(space, "corners", ()) if len(space.space) == 2 else ()
    return [(x, y) for x, y, angle in corners if angle > np.pi * 1.001]


def _given(mesh: Mesh, h: float) -> TriMesh:
    """A mesh from a file, split until its edges are about as short as asked for; it never gets coarser."""
    result = TriMesh(np.asarray(mesh.nodes), np.asarray(mesh.cells), np.zeros(0, dtype=int))
    result = _without_strays(result)
    while result.size > 1.5 * h:
        result = split(result)
    return result


# ---- structured meshes


def _structured(bounds: Array, h: float, cuts: dict[int, list[float]]) -> TriMesh:
    """Simplices in the cells of a grid that has lines at the cuts."""
    lines = [_line(a, b, h, cuts.get(k, [])) for k, (a, b) in enumerate(bounds.tolist())]
    points = np.stack([g.ravel() for g in np.meshgrid(*lines, indexing="ij")], axis=1)
    numbers = np.arange(len(points)).reshape([len(line) for line in lines])
    cells = [_path(numbers, axes) for axes in itertools.permutations(range(len(lines)))]
    return TriMesh(points, np.concatenate(cells), np.zeros(0, dtype=int))


def _line(lower: float, upper: float, h: float, cuts: Sequence[float]) -> Array:
    ends = [lower, *(c for c in sorted(set(cuts)) if lower < c < upper), upper]
    parts = [np.linspace(a, b, max(1, int(np.ceil((b - a) / h - 1e-9))) + 1)[:-1] for a, b in itertools.pairwise(ends)]
    return np.concatenate([*parts, [upper]])


def _path(numbers: Array, axes: Sequence[int]) -> Array:
    """The simplices along one path from the lower to the upper corner of every grid cell (Kuhn 1960)."""
    offset = [0] * numbers.ndim
    vertices = []
    for axis in (None, *axes):
        if axis is not None:
            offset[axis] = 1
        window = tuple(slice(o, n - 1 + o) for o, n in zip(offset, numbers.shape, strict=True))
        vertices.append(numbers[window].ravel())
    return np.stack(vertices, axis=1)


def _split(mesh: TriMesh, levels: int) -> list[TriMesh]:
    """The mesh and its uniform refinements; those of straight cells are congruent or nearly so."""
    meshes = [mesh]
    for _ in range(levels - 1):
        meshes.append(split(meshes[-1]))
    return meshes


# Vertices and middles of a cell, numbered as in VTK's quadratic cells, that make up its parts (Bey 1995 in 3-D).
_PARTS = {
    1: ((0, 2), (2, 1)),
    2: ((0, 3, 5), (3, 1, 4), (5, 4, 2), (3, 4, 5)),
    3: (
        (0, 4, 6, 7), (4, 1, 5, 8), (6, 5, 2, 9), (7, 8, 9, 3),
        (4, 6, 7, 8), (4, 6, 5, 8), (6, 7, 8, 9), (6, 5, 8, 9),
    ),
}  # fmt: skip


def split(mesh: TriMesh) -> TriMesh:
    """Every cell in two, four or eight, straight ones."""
    full = mesh if mesh.order == 2 else with_middles(mesh)
    parts = np.array(_PARTS[mesh.dimension])
    cells = full.cells[:, parts].reshape(-1, parts.shape[1])
    return TriMesh(full.points, cells, np.repeat(mesh.materials, len(parts)) if len(mesh.materials) else mesh.materials)


def with_middles(mesh: TriMesh) -> TriMesh:
    """The same cells with nodes in the middles of their edges."""
    pairs = np.sort(np.concatenate([mesh.corners[:, pair] for pair in EDGES[mesh.dimension]]), axis=1)
    edges, number = np.unique(pairs, axis=0, return_inverse=True)
    middles = mesh.points[edges].mean(axis=1)
    extra = len(mesh.points) + number.reshape(len(EDGES[mesh.dimension]), -1).T
    return replace(mesh, points=np.concatenate([mesh.points, middles]), cells=np.hstack([mesh.corners, extra]))


# ---- netgen


def _occ() -> Any:
    """The geometry kernel of netgen, loaded by the first mesh that needs it."""
    try:
        return importlib.import_module("netgen.occ")
    except ImportError as error:
        raise ProblemError(f"meshes of shapes need netgen ({error}): pip install 'kanpde[fem]'.") from error


def netgen_meshes(
    space: Any, h: float, levels: int, near: Sequence[Sequence[float]], interfaces: Sequence[sp.Basic] = ()
) -> list[TriMesh]:
    """Meshes of a body of the plane or of space."""
    occ, body = _occ(), body_of(space)
    # The kernel's tolerance is 1e-7 whatever the units are, so it works on a body of unit size.
    bounds = space.bounds
    scale = float(np.max(np.ptp(bounds, axis=1)))
    shift = bounds.mean(axis=1)
    shape = solid(occ, body.scaled(1 / scale, -shift / scale))
    for predicate in interfaces:
        shape = _fragmented(occ, shape, predicate, space.space, scale, shift)
    geometry = occ.OCCGeometry(shape, dim=len(shift))
    place = importlib.import_module("netgen.meshing").Pnt
    for point in np.array(near, dtype=float).reshape(-1, len(shift)):
        x = [*((point - shift) / scale).tolist(), 0.0][:3]
        geometry.RestrictH(place(*x), AT_CORNERS * h / scale)
    mesh = geometry.GenerateMesh(maxh=h / scale)
    meshes = []
    for level in range(levels):
        if level:
            mesh.Refine()
        meshes.append(_curved(mesh, len(shift), scale, shift))
    return meshes


def _curved(mesh: Any, dimension: int, scale: float, shift: Array) -> TriMesh:
    """Plain arrays of a netgen mesh with its middle nodes."""
    mesh = mesh.Copy()
    mesh.SecondOrder()
    points = np.asarray(mesh.Coordinates())[:, :dimension] * scale + shift
    elements = (mesh.Elements2D() if dimension == 2 else mesh.Elements3D()).NumPy()
    n_edges = len(EDGES[dimension])
    nodes = elements["nodes"][:, : dimension + 1 + n_edges].astype(int) - 1
    where = [dimension + 1 + _NETGEN_EDGES[dimension].index(pair) for pair in EDGES[dimension]]
    cells = nodes[:, [*range(dimension + 1), *where]]
    return _without_strays(TriMesh(points, cells, np.zeros(len(cells), dtype=int)))


def _without_strays(mesh: TriMesh) -> TriMesh:
    """Without points that no cell uses."""
    used, cells = np.unique(mesh.cells, return_inverse=True)
    return replace(mesh, points=mesh.points[used], cells=cells.reshape(mesh.cells.shape))


def body_of(space: Any) -> Any:
    """The geometry of a domain, without symbols."""
    return space.body


def solid(occ: Any, body: Body) -> Any:
    """A body as a face or a solid of the kernel."""
    match body:
        case Composed(operation, operands):
            shapes = [solid(occ, operand) for operand in operands]
            combine = {UNION: operator.add, INTERSECTION: operator.mul, DIFFERENCE: operator.sub}[operation]
            return functools.reduce(combine, shapes)
        case BoxBody(lower, upper) if len(lower) == 2:
            return _loop(occ, [lower, (upper[0], lower[1]), upper, (lower[0], upper[1])])
        case BoxBody(lower, upper):
            return occ.Box(occ.Pnt(*lower), occ.Pnt(*upper))
        case EllipseBody(center, axes, angle):
            return _ellipse(occ, center, axes, angle)
        case PolygonBody(loops):
            return functools.reduce(operator.sub, [_loop(occ, loop) for loop in loops])
        case BallBody(center, radius) if len(center) == 3:
            return occ.Sphere(occ.Pnt(*center), radius)
        case CylinderBody(base, radius, height, axis):
            direction = [occ.X, occ.Y, occ.Z][axis]
            return occ.Cylinder(occ.Pnt(*base), direction, r=radius, h=height)
    raise ProblemError(f"a body of kind {body.plain[0]} has no mesh.")


def _loop(occ: Any, vertices: Sequence[Sequence[float]]) -> Any:
    """The face within a closed polygon."""
    plane = occ.WorkPlane().MoveTo(*vertices[0])
    for vertex in vertices[1:]:
        plane = plane.LineTo(*vertex)
    face = plane.Close().Face()
    turn = sum(a[0] * b[1] - a[1] * b[0] for a, b in zip(vertices, [*vertices[1:], vertices[0]], strict=True))
    return face if turn > 0 else face.Reversed()


def _ellipse(occ: Any, center: Sequence[float], axes: Sequence[float], angle: float = 0.0) -> Any:
    if axes[0] == axes[1]:
        return occ.WorkPlane().MoveTo(*center).Circle(axes[0]).Face()
    along = occ.Vec(np.cos(angle), np.sin(angle), 0)
    frame = occ.Axes(occ.Pnt(*center, 0), occ.Z, along)
    # The kernel wants the major axis first.
    if axes[0] < axes[1]:
        frame = occ.Axes(occ.Pnt(*center, 0), occ.Z, occ.Vec(-np.sin(angle), np.cos(angle), 0))
    return occ.WorkPlane(frame).Ellipse(max(axes), min(axes)).Face()


# ---- interfaces


def _planes(interfaces: Sequence[sp.Basic], space: Sequence[sp.Symbol]) -> dict[int, list[float]] | None:
    """Where axis-aligned interfaces cut each coordinate; None if one is not of this kind."""
    cuts: dict[int, list[float]] = {}
    for predicate in interfaces:
        for axis, symbol in enumerate(space):
            found = thresholds(predicate, symbol)
            if found is None:
                return None
            cuts.setdefault(axis, []).extend(found)
    return cuts


def _fragmented(
    occ: Any, shape: Any, predicate: sp.Basic, space: Sequence[sp.Symbol], scale: float, shift: Array
) -> Any:
    """The shape cut along lines, planes, ellipses and spheres on which a predicate changes."""
    for relation in sorted(predicate.atoms(Relational), key=sp.default_sort_key):
        tool = _tool(occ, sp.expand(relation.args[0] - relation.args[1]), space, scale, shift)
        if tool is not None:
            shape = occ.Glue([shape * tool, shape - tool])
    return shape


def _tool(occ: Any, level: sp.Expr, space: Sequence[sp.Symbol], scale: float, shift: Array) -> Any:
    """The side level < 0 within the unit box as a shape; None for curves that the kernel has no primitive for."""
    local = {s: scale * s + float(b) for s, b in zip(space, shift, strict=True)}
    form = sp.expand(level.subs(local, simultaneous=True))
    if not form.is_polynomial(*space) or sp.Poly(form, *space).total_degree() > 2:
        return None
    zero = dict.fromkeys(space, 0)
    constant = float(form.subs(zero))
    slope = np.array([float(form.diff(s).subs(zero)) for s in space])
    bend = np.array([[float(form.diff(s, t)) / 2 for t in space] for s in space])
    if not bend.any():
        return _half(occ, slope, constant)
    values, vectors = np.linalg.eigh(bend * np.sign(np.trace(bend)))
    if values[0] <= 1e-12 * values[-1]:
        return None
    center = np.linalg.solve(bend, -slope / 2)
    radii = np.sqrt(-float(constant + slope @ center / 2) * np.sign(np.trace(bend)) / values)
    if len(space) == 2:
        return _ellipse(occ, center.tolist(), radii.tolist(), float(np.arctan2(vectors[1, 0], vectors[0, 0])))
    return occ.Sphere(occ.Pnt(*center.tolist()), float(radii[0])) if np.ptp(radii) < 1e-12 * radii[0] else None


def _half(occ: Any, slope: Array, constant: float) -> Any:
    """The half of a large square or cube where slope · x + constant < 0."""
    length = float(np.linalg.norm(slope))
    normal, offset = slope / length, -constant / length
    if len(slope) == 2:
        along, foot = np.array([-normal[1], normal[0]]), normal * offset
        corners = [foot + 3 * along, foot - 3 * along, foot - 3 * along - 6 * normal, foot + 3 * along - 6 * normal]
        return _loop(occ, [tuple(c.tolist()) for c in corners[::-1]])
    frame = occ.Axes(occ.Pnt(*(normal * offset).tolist()), occ.Vec(*(-normal).tolist()))
    return occ.WorkPlane(frame).RectangleC(6, 6).Face().Extrude(6 * occ.Vec(*(-normal).tolist()))
