"""The XDMF file beside a stored grid function, for ParaView: rectilinear grids, one for every instant."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree

from kanpde.files import replacing

# Paths within the HDF5 file: the axes, and the values with the axes in reverse order, for x runs fastest in XDMF.
AXES = "axes"
VIEW = "view"


def write_xdmf(
    path: Path,
    coordinates: Sequence[str],
    shape: Sequence[int],
    n_space: int,
    levels: Sequence[Sequence[float]],
    unknowns: Sequence[str],
) -> Path:
    """Write `<path>.xdmf` for the HDF5 file at `path`.

    Args:
        path: of the HDF5 file.
        coordinates: their names, space first.
        shape: nodes along each.
        n_space: how many of them are spatial, up to three.
        levels: the nodes of the other coordinates, the time first if there is one.
        unknowns: names of the functions.

    Raises:
        StoreError: it cannot be written.
    """
    root = ElementTree.Element("Xdmf", Version="3.0")
    domain = ElementTree.SubElement(root, "Domain")
    parent = domain
    if levels:
        parent = ElementTree.SubElement(domain, "Grid", Name="all", GridType="Collection", CollectionType="Temporal")
    for index in _indices([len(level) for level in levels]):
        name = ", ".join(f"{c} = {v[i]:g}" for c, v, i in zip(coordinates[n_space:], levels, index, strict=True))
        grid = ElementTree.SubElement(parent, "Grid", Name=name or path.stem, GridType="Uniform")
        if index:
            ElementTree.SubElement(grid, "Time", Value=repr(float(levels[0][index[0]])))
        _mesh(grid, path.name, coordinates[:n_space], shape[:n_space])
        for unknown in unknowns:
            _attribute(grid, path.name, unknown, shape, n_space, index)
    ElementTree.indent(root)
    sidecar = path.with_name(path.name + ".xdmf")
    with replacing(sidecar) as part:
        ElementTree.ElementTree(root).write(part, encoding="utf-8", xml_declaration=True)
    return sidecar


def _indices(lengths: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Every combination of levels, the last coordinate outermost and the time running."""
    for reverse in itertools.product(*(range(n) for n in reversed(lengths))):
        yield tuple(reversed(reverse))


def _mesh(grid: ElementTree.Element, file: str, names: Sequence[str], shape: Sequence[int]) -> None:
    """A rectilinear mesh in three dimensions; those that the problem lacks have one node."""
    padded = [*shape, *[1] * (3 - len(shape))]
    ElementTree.SubElement(grid, "Topology", TopologyType="3DRectMesh", Dimensions=_text(reversed(padded)))
    geometry = ElementTree.SubElement(grid, "Geometry", GeometryType="VXVYVZ")
    for name, count in zip([*names, *[""] * (3 - len(names))], padded, strict=True):
        kind = {"Dimensions": str(count), "NumberType": "Float", "Precision": "8"}
        item = ElementTree.SubElement(geometry, "DataItem", {**kind, "Format": "HDF" if name else "XML"})
        item.text = f"{file}:/{AXES}/{name}" if name else "0"


def _attribute(
    grid: ElementTree.Element, file: str, unknown: str, shape: Sequence[int], n_space: int, index: tuple[int, ...]
) -> None:
    """The values of one unknown, of one instant where there are several."""
    attribute = ElementTree.SubElement(grid, "Attribute", Name=unknown, AttributeType="Scalar", Center="Node")
    padded = [*[1] * (3 - n_space), *reversed(shape[:n_space])]
    parent = attribute
    if index:
        extent = [1] * len(index) + list(reversed(shape[:n_space]))
        parent = ElementTree.SubElement(attribute, "DataItem", ItemType="HyperSlab", Dimensions=_text(padded))
        selection = ElementTree.SubElement(parent, "DataItem", Dimensions=f"3 {len(shape)}", Format="XML")
        start = [*reversed(index), *[0] * n_space]
        selection.text = " ".join(map(_text, (start, [1] * len(shape), extent)))
    kind = {"NumberType": "Float", "Precision": "8", "Format": "HDF"}
    dimensions = _text(reversed(shape)) if index else _text(padded)
    ElementTree.SubElement(parent, "DataItem", {"Dimensions": dimensions, **kind}).text = f"{file}:/{VIEW}/{unknown}"


def _text(numbers: object) -> str:
    return " ".join(map(str, numbers))  # type: ignore[call-overload]
