"""Grid functions in HDF5: named dimension scales, what they know about themselves, and an XDMF file beside them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kanpde import hdf5
from kanpde.errors import StoreError
from kanpde.references.axes import Axis, ChebyshevAxis, DifferenceAxis, FourierAxis, RadauAxis
from kanpde.references.grid import Grid
from kanpde.references.xdmf import AXES, VIEW, write_xdmf

KIND = "reference"
VALUES = "values"

Facts = dict[str, Any]


def write(path: str | Path, grid: Grid, values: np.ndarray, facts: Facts) -> Path:
    """Write values on a grid, atomically, and `<path>.xdmf` beside them.

    The file has one dataset an unknown under `values`, its dimensions named by the coordinates and scaled by the
    datasets under `axes`; `view` holds the same with the axes reversed, as ParaView reads them; `about` the rest.

    Args:
        path: where.
        grid: the axes.
        values: (*shape, c).
        facts: plain values, among them `unknowns` and `coordinates` (names) and `n_space`.

    Raises:
        StoreError: it cannot be written.
    """
    path, names = Path(path), facts["coordinates"]
    with hdf5.written(path, KIND) as file:
        hdf5.write_tree(file, "about", {**facts, "axes": grid_facts(grid)})
        scales = file.create_group(AXES)
        for name, axis in zip(names, grid.axes, strict=True):
            hdf5.write_array(scales, name, axis.nodes)
            scales[name].make_scale(name)
            scales[name].attrs["units"] = "1"
        for c, unknown in enumerate(facts["unknowns"]):
            _write_values(file, VALUES, unknown, values[..., c], names)
            _write_values(file, VIEW, unknown, values[..., c].T, names[::-1])
    n_space = facts["n_space"]
    if n_space <= 3:
        levels = [axis.nodes.tolist() for axis in grid.axes[n_space:]]
        write_xdmf(path, names, grid.shape, n_space, levels, facts["unknowns"])
    return path


def _write_values(file: Any, group: str, unknown: str, values: np.ndarray, names: Sequence[str]) -> None:
    hdf5.write_array(file.require_group(group), unknown, values)
    dataset = file[group][unknown]
    dataset.attrs["units"] = "1"
    for k, name in enumerate(names):
        dataset.dims[k].label = name
        dataset.dims[k].attach_scale(file[AXES][name])


def read(path: str | Path) -> tuple[Grid, np.ndarray, Facts]:
    """What `write` wrote; values are bit-identical.

    Raises:
        StoreError: no such file, damaged, or not a stored reference.
    """
    with hdf5.opened(path, KIND) as file:
        facts = hdf5.read_tree(file, "about")
        grid = grid_of(facts.pop("axes"))
        values = np.stack([hdf5.read_array(file[VALUES], name) for name in facts["unknowns"]], axis=-1)
        if values.shape[:-1] != grid.shape:
            raise StoreError(f"{path} is damaged: its values do not fit its axes.")
        return grid, values, facts


def grid_facts(grid: Grid) -> list[Facts]:
    """What the axes of a grid are made of, in plain values."""
    return [_axis_facts(axis) for axis in grid.axes]


def grid_of(facts: Sequence[Facts]) -> Grid:
    """The grid of `grid_facts`.

    Raises:
        StoreError: an axis of a kind that this version does not know.
    """
    return Grid(tuple(_axis(axis) for axis in facts))


def _axis_facts(axis: Axis) -> dict[str, Any]:
    """What an axis is made of, in plain values."""
    match axis:
        case DifferenceAxis():
            return {"kind": axis.kind, "nodes": axis.nodes.tolist(), "order": axis.order, "period": axis.period}
        case ChebyshevAxis() | FourierAxis():
            return {"kind": axis.kind, "lower": axis.lower, "upper": axis.upper, "count": axis.count}
        case RadauAxis():
            return {"kind": axis.kind, "start": axis.start, "step": axis.step, "stages": axis.stages}
    raise StoreError(f"an axis of kind {axis.kind} is not stored.")


def _axis(facts: dict[str, Any]) -> Axis:
    kind, rest = facts["kind"], {key: value for key, value in facts.items() if key != "kind"}
    match kind:
        case "difference":
            return DifferenceAxis(np.array(rest.pop("nodes"), dtype=float), **rest)
        case "chebyshev":
            return ChebyshevAxis(**rest)
        case "fourier":
            return FourierAxis(**rest)
        case "radau":
            return RadauAxis(**rest)
    raise StoreError(f"an axis of kind {kind} is not known to this kanpde.")
