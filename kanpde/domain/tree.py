"""Domains and regions as plain values, and back, so that the file of a solution holds them.

Reading calls the constructors of this package and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import sympy as sp

from ..errors import ProblemError
from ..expression import from_tree, to_tree
from .bodies import BallBody, Body, BoxBody, Composed, CylinderBody, EllipseBody, PolygonBody
from .box import Box
from .core import Domain, Region
from .curves import Arc, Curve, Segment, plain
from .interface import LevelPatch
from .interval import Interval
from .mesh import Mesh
from .patch import Patch, ShapePiece
from .piece import BoxPiece, Piece
from .planar import AreaPatch, CurvePatch
from .polygon import Polygon
from .product import Product
from .shape import Combination
from .shapes import Cylinder, Disk, Ellipse, Sphere
from .simplex_patch import SimplexPatch
from .simplices import Simplices
from .solids import FlatPatch, RoundPatch, VolumePatch

Plain = dict[str, Any]


def domain_to_tree(domain: Domain) -> Plain:
    """Return the JSON-able description of a domain.

    Raises:
        ProblemError: a domain of another class than this package's.
    """
    writer = _DOMAINS.get(type(domain))
    if writer is None:
        raise ProblemError(f"a domain of kind {type(domain).__name__} cannot be stored.")
    return {"kind": type(domain).__name__, **writer(domain)}


def domain_from_tree(tree: Any) -> Domain:
    """Return the domain of a description.

    Raises:
        ProblemError: not what `domain_to_tree` wrote.
    """
    return cast(Domain, _guarded(_read_domain, tree, "domain"))


def region_to_tree(region: Region) -> Plain:
    """Return the JSON-able description of a region, without its domain."""
    return {"name": region.name, "parts": [[_write_piece(p), to_tree(when)] for p, when in region.parts]}


def region_from_tree(tree: Any, domain: Domain) -> Region:
    """Return the region of a description, in the domain that it belongs to.

    Raises:
        ProblemError: not what `region_to_tree` wrote.
    """

    def read(plain_region: Plain) -> Region:
        parts = tuple((_read_piece(piece, domain), from_tree(when)) for piece, when in plain_region["parts"])
        return Region(domain, parts, str(plain_region["name"]))

    return cast(Region, _guarded(read, tree, "region"))


def _guarded(read: Callable[[Any], Any], tree: Any, what: str) -> Any:
    try:
        return read(tree)
    except (
        ArithmeticError,
        AssertionError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        raise ProblemError(f"the stored {what} is damaged: {str(error) or type(error).__name__}") from error


def _symbols(space: tuple[sp.Symbol, ...]) -> list[Any]:
    return [to_tree(symbol) for symbol in space]


def _interval(interval: Interval | None) -> list[Any] | None:
    return None if interval is None else [to_tree(interval.symbol), interval.lower, interval.upper]


def _read_interval(tree: Any) -> Interval:
    return Interval(cast(sp.Symbol, from_tree(tree[0])), float(tree[1]), float(tree[2]))


_DOMAINS: dict[type, Callable[[Any], Plain]] = {
    Box: lambda d: {"intervals": [_interval(i) for i in d.intervals]},
    Disk: lambda d: {"space": _symbols(d.space), "center": list(d.center), "radius": d.radius},
    Ellipse: lambda d: {
        "space": _symbols(d.space),
        "center": list(d.center),
        "axes": list(d.axes),
        "angle": d.angle,
    },
    Polygon: lambda d: {
        "space": _symbols(d.space),
        "vertices": [list(v) for v in d.vertices],
        "holes": [[list(v) for v in loop] for loop in d.loops[1:]],
    },
    Sphere: lambda d: {"space": _symbols(d.space), "center": list(d.center), "radius": d.radius},
    Cylinder: lambda d: {
        "space": _symbols(d.space),
        "base": list(d.base),
        "radius": d.radius,
        "height": d.height,
        "axis": to_tree(d.axis),
    },
    Combination: lambda d: {"operation": d.operation, "operands": [domain_to_tree(o) for o in d.operands]},
    Mesh: lambda d: {
        "space": _symbols(d.space),
        "nodes": d.nodes.tolist(),
        "cells": d.cells.tolist(),
        "tags": {name: d.facets[chosen].tolist() for name, chosen in sorted(d.tags.items())},
        "materials": {name: chosen.tolist() for name, chosen in sorted(d.materials.items())},
    },
    Product: lambda d: {
        "factor": domain_to_tree(d.factor),
        "time": _interval(d.time_interval),
        "ranges": [_interval(i) for i in d.ranges],
    },
}


def _read_domain(tree: Plain) -> Domain:
    kind = tree["kind"]
    space = [cast(sp.Symbol, from_tree(s)) for s in tree.get("space", [])]
    readers: dict[str, Callable[[], Domain]] = {
        "Box": lambda: Box({i.symbol: (i.lower, i.upper) for i in map(_read_interval, tree["intervals"])}),
        "Disk": lambda: Disk(space, tree["center"], tree["radius"]),
        "Ellipse": lambda: Ellipse(space, tree["center"], tree["axes"], tree["angle"]),
        "Polygon": lambda: Polygon(space, tree["vertices"], tree["holes"]),
        "Sphere": lambda: Sphere(space, tree["center"], tree["radius"]),
        "Cylinder": lambda: Cylinder(
            space, tree["base"], tree["radius"], tree["height"], cast(sp.Symbol, from_tree(tree["axis"]))
        ),
        "Combination": lambda: Combination(
            str(tree["operation"]), tuple(cast(Any, _read_domain(o)) for o in tree["operands"])
        ),
        "Mesh": lambda: Mesh.from_arrays(space, tree["nodes"], tree["cells"], tree["tags"], tree["materials"]),
        "Product": lambda: Product(
            _read_domain(tree["factor"]),
            None if tree["time"] is None else _read_interval(tree["time"]),
            tuple(map(_read_interval, tree["ranges"])),
        ),
    }
    return readers[kind]()


def _write_piece(piece: Piece) -> Plain:
    common = {
        "predicate": to_tree(piece.predicate),
        "implicit": None if piece.implicit is None else to_tree(piece.implicit),
    }
    if isinstance(piece, BoxPiece):
        normal = None if piece.normal is None else list(piece.normal)
        return {"lower": list(piece.lower), "upper": list(piece.upper), "normal": normal, **common}
    assert isinstance(piece, ShapePiece)
    return {"patch": _write_patch(piece.patch), "extra": [list(e[1:]) for e in piece.extra], **common}


def _read_piece(tree: Plain, domain: Domain) -> Piece:
    predicate = from_tree(tree["predicate"])
    implicit = None if tree["implicit"] is None else cast(sp.Expr, from_tree(tree["implicit"]))
    if "patch" not in tree:
        lower, upper, normal = (
            None if tree[key] is None else tuple(map(float, tree[key])) for key in ("lower", "upper", "normal")
        )
        return BoxPiece(domain.coordinates, cast(Any, lower), cast(Any, upper), normal, predicate, implicit)
    others = domain.coordinates[len(domain.space) :]
    extra = tuple((s, float(a), float(b)) for s, (a, b) in zip(others, tree["extra"], strict=True))
    return ShapePiece(domain.space, _read_patch(tree["patch"], domain), extra, predicate, implicit)


def _write_patch(patch: Patch) -> list[Any]:
    if isinstance(patch, SimplexPatch):
        outward = None if patch.outward is None else [list(n) for n in patch.outward]
        return ["simplices", patch.simplices.corners.tolist(), outward]
    if isinstance(patch, LevelPatch):
        return ["level", to_tree(patch.expression), patch.simplices.corners.tolist()]
    if isinstance(patch, CurvePatch):
        return ["curve", plain(patch.curve)]
    if isinstance(patch, AreaPatch | VolumePatch):
        return ["area" if isinstance(patch, AreaPatch) else "volume", patch.body.plain]
    assert isinstance(patch, FlatPatch | RoundPatch)
    return patch.plain


def _read_patch(tree: list[Any], domain: Domain) -> Patch:
    kind, *values = tree
    readers: dict[str, Callable[..., Patch]] = {
        "curve": lambda curve: CurvePatch(_read_curve(*curve)),
        "area": lambda body: AreaPatch(_read_body(*body)),
        "volume": lambda body: VolumePatch(_read_body(*body)),
        "flat": lambda axis, value, sign, plane: FlatPatch(int(axis), float(value), float(sign), _read_body(*plane)),
        "round": _read_round,
        "simplices": _read_simplices,
        "level": lambda expression, corners: LevelPatch(
            cast(sp.Expr, from_tree(expression)),
            domain.space,
            domain.factor if isinstance(domain, Product) else domain,
            Simplices(np.array(corners, dtype=float)),
        ),
    }
    return readers[kind](*values)


def _read_round(carrier: list[Any], body: list[Any], within: list[Any]) -> RoundPatch:
    others = tuple(_read_round(*other[1:]) for other in within)
    return RoundPatch(cast(Any, _read_body(*carrier)), _read_body(*body), others)


def _read_simplices(corners: Any, outward: Any) -> SimplexPatch:
    normals = None if outward is None else tuple(tuple(map(float, n)) for n in outward)
    return SimplexPatch(Simplices(np.array(corners, dtype=float)), normals)


def _read_curve(kind: str, *numbers: float) -> Curve:
    v = [float(n) for n in numbers]
    if kind == "segment":
        return Segment((v[0], v[1]), (v[2], v[3]))
    return Arc((v[0], v[1]), (v[2], v[3]), v[4], v[5], v[6])


def _read_body(kind: str, *values: Any) -> Body:
    readers: dict[str, Callable[..., Body]] = {
        "box": lambda *v: BoxBody(tuple(v[: len(v) // 2]), tuple(v[len(v) // 2 :])),
        "ellipse": lambda x, y, a, b, angle: EllipseBody((x, y), (a, b), angle),
        "polygon": lambda *loops: PolygonBody(tuple(tuple((float(x), float(y)) for x, y in loop) for loop in loops)),
        "ball": lambda x, y, z, r: BallBody((x, y, z), r),
        "cylinder": lambda x, y, z, r, h, axis: CylinderBody((x, y, z), r, h, int(axis)),
    }
    if kind in readers:
        return readers[kind](*values)
    return Composed(str(kind), tuple(_read_body(*operand) for operand in values))
